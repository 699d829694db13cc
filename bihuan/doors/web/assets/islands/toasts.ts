/** Toasts leave by themselves after eight seconds, long ones later, unless the pointer or the focus rests on them. */
import { all, closest, onContent, text } from "./dom";

const STAYS_MS = 8_000;
const SHORT = 40; // characters read within that time; each further one gets its own
const PER_CHARACTER_MS = 150;

function arm(toast: HTMLElement): void {
  if (toast.dataset.armed) return;
  toast.dataset.armed = "yes";
  const stays = STAYS_MS + PER_CHARACTER_MS * Math.max(0, (toast.textContent ?? "").trim().length - SHORT);
  let timer = window.setTimeout(() => toast.remove(), stays);
  const hold = (): void => window.clearTimeout(timer);
  const release = (): void => {
    hold();
    timer = window.setTimeout(() => toast.remove(), stays);
  };
  toast.addEventListener("pointerenter", hold);
  toast.addEventListener("pointerleave", release);
  toast.addEventListener("focusin", hold);
  toast.addEventListener("focusout", release);
}

export function say(message: string, kind: "done" | "late" = "done"): void {
  const box = document.querySelector("#toasts");
  if (!box || !message) return;
  const toast = document.createElement("div");
  toast.className = `toast ${kind}`;
  toast.textContent = message;
  box.append(toast);
  arm(toast);
}

export function startToasts(): void {
  onContent(() => all(".toast").forEach(arm));
  document.addEventListener("click", (event) => closest(event, "[data-close-toast]")?.closest(".toast")?.remove());
  document.addEventListener("htmx:sendError", () => say(text("offline"), "late"));
  document.addEventListener("htmx:responseError", (event) => {
    const status = (event as CustomEvent<{ xhr: XMLHttpRequest }>).detail.xhr.status;
    say(status === 403 ? text("forbidden") : text("failed"), "late");
  });
}
