/** Selects that send their form when changed, and a guard against sending twice. */
import { closest } from "./dom";

export function startForms(): void {
  document.addEventListener("change", (event) => {
    const field = closest<HTMLInputElement | HTMLSelectElement>(event, "[data-autosend]");
    if (field && "form" in field) field.form?.requestSubmit();
  });
  document.addEventListener("click", (event) => {
    if (closest(event, "[data-print]")) window.print();
    if (closest(event, "[data-close-keys]")) document.querySelector<HTMLDialogElement>("dialog#keys")?.close();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.method === "get" || event.defaultPrevented) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    if (form.dataset.wait !== undefined) return; // waiting.ts holds it until the answer is there
    if ([...form.attributes].some((attribute) => attribute.name.startsWith("hx-"))) return;
    form.dataset.sent = "yes";
    window.setTimeout(() => delete form.dataset.sent, 4_000);
  });
}
