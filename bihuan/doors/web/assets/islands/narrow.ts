/** Rows that are on the page already, narrowed by a word and a kind. The server is not asked: no look is taken again.
 * Chosen rows stay, so that what will be sent is seen. */
import { all } from "./dom";

export function startNarrow(): void {
  for (const form of all<HTMLFormElement>("form[data-narrow]")) {
    const rows = all(`#${form.dataset.narrow} [data-row]`);
    const name = form.querySelector<HTMLInputElement>("[name=name]");
    const kind = form.querySelector<HTMLSelectElement>("[name=kind]");
    const told = form.querySelector("[data-narrowed]");
    const narrow = (): void => {
      const word = (name?.value ?? "").trim().toLocaleLowerCase();
      let n = 0;
      for (const row of rows) {
        const fits =
          (row.dataset.name ?? "").toLocaleLowerCase().includes(word) &&
          (!kind?.value || row.dataset.kind === kind.value);
        const chosen = row.querySelector("input:checked") !== null;
        row.hidden = !fits && !chosen;
        n += fits ? 1 : 0;
      }
      if (told) told.textContent = String(n);
    };
    form.hidden = false;
    form.addEventListener("input", narrow);
    form.addEventListener("submit", (event) => event.preventDefault());
    narrow();
  }
}
