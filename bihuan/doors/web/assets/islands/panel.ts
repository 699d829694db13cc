/** The one panel in which "why" and short forms open. Without script its links lead to whole pages. */
import { closest } from "./dom";

function panel(): HTMLDialogElement | null {
  return document.querySelector<HTMLDialogElement>("dialog#panel");
}

export function startPanel(): void {
  document.body.addEventListener("close-panel", () => panel()?.close());
  document.addEventListener("htmx:afterSwap", (event) => {
    const target = (event as CustomEvent<{ target: Element }>).detail.target;
    const dialog = panel();
    if (dialog && target.id === "panel-body" && !dialog.open) dialog.showModal();
  });
  document.addEventListener("click", (event) => {
    const dialog = panel();
    if (!dialog) return;
    if (event.target === dialog || closest(event, "[data-close-panel]")) {
      event.preventDefault();
      dialog.close();
    }
  });
  // a menu closes when one clicks beside it or presses Escape
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
      if (!(event.target instanceof Node && menu.contains(event.target))) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
}
