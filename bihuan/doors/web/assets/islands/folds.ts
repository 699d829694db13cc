/** What folds on a phone stands open on a desk, and everything stands open on paper. */
import { all, onContent } from "./dom";

const WIDE = "(min-width: 761px)";

function openWide(): void {
  if (!window.matchMedia(WIDE).matches) return;
  for (const fold of all<HTMLDetailsElement>("details[data-open-wide]:not([data-opened])")) {
    fold.dataset.opened = "";
    fold.open = true;
  }
}

export function startFolds(): void {
  onContent(openWide);
  let printed: HTMLDetailsElement[] = [];
  window.addEventListener("beforeprint", () => {
    printed = all<HTMLDetailsElement>("main details:not([open]):not(.menu)");
    for (const fold of printed) fold.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const fold of printed) fold.open = false;
    printed = [];
  });
}
