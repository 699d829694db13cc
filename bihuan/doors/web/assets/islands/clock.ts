/** Counts down to a deadline by the server's clock, which a drill may have moved. */
import { all, onContent, text } from "./dom";

const serverNow = Date.parse(document.documentElement.dataset.now ?? "");
const loadedAt = performance.now();

function now(): number {
  return (Number.isNaN(serverNow) ? Date.now() : serverNow) + (performance.now() - loadedAt);
}

/** "3 小时 20 分": never seconds, never a negative figure. */
export function span(milliseconds: number): string {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  const hours = Math.floor(minutes / 60);
  const parts = hours > 0 ? [`${hours} ${text("hours")}`] : [];
  if (minutes % 60 > 0 || hours === 0) parts.push(`${minutes % 60} ${text("minutes")}`);
  return parts.join(" ");
}

function tick(): void {
  for (const node of all("[data-countdown]")) {
    const until = Date.parse(node.dataset.countdown ?? "");
    if (!Number.isNaN(until)) node.textContent = span(until - now());
  }
}

export function startClocks(): void {
  onContent(tick);
  window.setInterval(tick, 20_000);
}
