/** Choosing several rows: a box each, all at once, a stretch with Shift; the bar counts them. */
import { all, closest, onContent } from "./dom";

let last: HTMLInputElement | null = null;

function boxes(): HTMLInputElement[] {
  return all<HTMLInputElement>("input[data-select]").filter((box) => box.offsetParent !== null);
}

export function refresh(): void {
  const chosen = boxes().filter((box) => box.checked);
  for (const box of boxes()) box.closest("[data-row]")?.classList.toggle("on", box.checked);
  for (const bar of all(".bulkbar")) bar.hidden = chosen.length === 0;
  for (const count of all("[data-selected-count]")) count.textContent = String(chosen.length);
}

export function startSelection(): void {
  onContent(refresh);
  document.addEventListener("click", (event) => {
    const box = closest<HTMLInputElement>(event, "input[data-select]");
    if (!box) return;
    if ((event as MouseEvent).shiftKey && last) {
      const list = boxes();
      const [from, to] = [list.indexOf(last), list.indexOf(box)].sort((a, b) => a - b);
      if (from !== undefined && to !== undefined && from >= 0) {
        for (const between of list.slice(from, to + 1)) between.checked = box.checked;
      }
    }
    last = box;
    refresh();
  });
  document.addEventListener("change", (event) => {
    const every = closest<HTMLInputElement>(event, "input[data-select-all]");
    if (every) {
      const within = every.closest<HTMLElement>("[data-select-scope]") ?? document.body;
      for (const box of all<HTMLInputElement>("input[data-select]", within)) box.checked = every.checked;
    }
    refresh();
  });
}
