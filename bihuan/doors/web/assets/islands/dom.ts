/** The few words every island needs of the page. */

export function all<T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T[] {
  return Array.from(root.querySelectorAll<T>(selector));
}

export function closest<T extends Element = HTMLElement>(event: Event, selector: string): T | null {
  return event.target instanceof Element ? event.target.closest<T>(selector) : null;
}

/** Runs now and again whenever htmx has put something new on the page. */
export function onContent(run: () => void): void {
  run();
  document.addEventListener("htmx:afterSettle", run);
}

/** Texts come from the server in the reader's language, as data attributes of the body. */
export function text(key: string): string {
  return document.body.dataset[key] ?? "";
}
