/** A file dropped anywhere on the frame goes into the real file field, and the form is sent. */
import { all } from "./dom";

export function startFileDrop(): void {
  for (const zone of all(".drop")) {
    const field = zone.querySelector<HTMLInputElement>('input[type="file"]');
    if (!field) continue;
    for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, () => zone.classList.add("over"));
    for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
    field.addEventListener("change", () => {
      const file = field.files?.[0];
      const label = zone.querySelector("[data-file-name]");
      if (!file) return;
      if (label) label.textContent = file.name;
      if (zone.dataset.autosend !== undefined) field.form?.requestSubmit();
    });
  }
}
