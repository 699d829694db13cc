/** Selects that send their form when changed, and a guard against sending twice. */
import { closest } from "./dom";

/** A day without its year or an hour without its minutes is sent as nothing: also where the server judges the
 *  rest (novalidate), the browser says so at the field, and nothing is sent. */
function stopHalfTyped(event: Event): void {
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  const half = [...form.elements].find((field) => field instanceof HTMLInputElement && field.validity.badInput);
  if (!half) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  for (let around = half.closest("details"); around; around = around.parentElement?.closest("details") ?? null) around.open = true;
  (half as HTMLInputElement).reportValidity();
}

export function startForms(): void {
  document.addEventListener("change", (event) => {
    const field = closest<HTMLInputElement | HTMLSelectElement>(event, "[data-autosend]");
    if (field && "form" in field) field.form?.requestSubmit();
  });
  document.addEventListener("click", (event) => {
    if (closest(event, "[data-print]")) window.print();
    if (closest(event, "[data-close-keys]")) document.querySelector<HTMLDialogElement>("dialog#keys")?.close();
  });
  document.addEventListener("submit", stopHalfTyped, true);
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
