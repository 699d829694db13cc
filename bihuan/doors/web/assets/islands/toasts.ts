/** Toasts leave by themselves after eight seconds, unless the pointer or the focus rests on them. */
import { all, closest, onContent, text } from "./dom";

const STAYS_MS = 8_000;

function arm(toast: HTMLElement): void {
  if (toast.dataset.armed) return;
  toast.dataset.armed = "yes";
  let timer = window.setTimeout(() => toast.remove(), STAYS_MS);
  const hold = (): void => window.clearTimeout(timer);
  const release = (): void => {
    hold();
    timer = window.setTimeout(() => toast.remove(), STAYS_MS);
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
