/** `/` search, `j k` move, `x` select, `enter` open, `d` done, `?` shows these. */
import { all } from "./dom";

let at = -1;

function rows(): HTMLElement[] {
  return all("[data-row]").filter((row) => row.checkVisibility?.() ?? row.offsetParent !== null);
}

function move(step: number): void {
  const list = rows();
  if (list.length === 0) return;
  list[at]?.classList.remove("at");
  at = Math.min(list.length - 1, Math.max(0, at + step));
  const row = list[at];
  row?.classList.add("at");
  row?.scrollIntoView({ block: "nearest" });
}

function current(): HTMLElement | null {
  return document.querySelector<HTMLElement>("[data-row].at");
}

function typing(event: KeyboardEvent): boolean {
  const target = event.target;
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

const KEYS: Record<string, () => boolean> = {
  "/": () => {
    const search = document.querySelector<HTMLInputElement>("[data-search]");
    search?.focus();
    search?.select();
    return search !== null;
  },
  j: () => (move(1), true),
  k: () => (move(-1), true),
  x: () => {
    current()?.querySelector<HTMLInputElement>("input[data-select]")?.click();
    return true;
  },
  d: () => {
    current()?.querySelector<HTMLElement>("[data-done]")?.click();
    return true;
  },
  "?": () => {
    const help = document.querySelector<HTMLDialogElement>("dialog#keys");
    help?.showModal();
    return help !== null;
  },
};

export function startKeyboard(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event)) {
      const target = event.target as HTMLElement;
      const plain = !(target instanceof HTMLInputElement) || !["checkbox", "radio"].includes(target.type);
      if (event.key === "Escape") target.blur();
      if (plain) return;
    }
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Enter") {
      const focused = document.activeElement;
      if (focused && focused !== document.body && !(focused instanceof HTMLInputElement)) return;
      current()?.querySelector<HTMLElement>("[data-open]")?.click();
      return;
    }
    if (KEYS[event.key]?.()) event.preventDefault();
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (current()) return;
    at = Math.min(at, rows().length) - 1;
  });
}
