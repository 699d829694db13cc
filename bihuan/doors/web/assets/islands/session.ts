/** What was typed is not lost with the session: a page that has stood open asks, before a form with something typed in
 * it goes out, whether its reader is still logged in. If not, nothing is sent, everything stays as it is, and a new
 * window to log in is offered. The forms then get the token of the new session. */
import { all, text } from "./dom";
import { say } from "./toasts";

const FRESH_MS = 60_000; // a page younger than this was asked for by somebody logged in
let known = Date.now();

function isTyped(field: Element): boolean {
  if (field instanceof HTMLTextAreaElement) return field.value.trim() !== "";
  if (!(field instanceof HTMLInputElement)) return false;
  if (field.type === "checkbox") return field.checked;
  return !["hidden", "radio", "submit", "button"].includes(field.type) && field.value !== field.defaultValue;
}

function renew(token: string): void {
  for (const field of all<HTMLInputElement>("input[name=csrfmiddlewaretoken]")) field.value = token;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
}

/** True when the form may go out. */
async function stillIn(): Promise<boolean> {
  const answer = await fetch(text("alive"), { headers: { Accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  const { who, token } = (await answer.json()) as { who: string; token: string };
  if (who !== text("who")) return false;
  renew(token);
  known = Date.now();
  return true;
}

function offer(form: HTMLFormElement): void {
  form.querySelector(".session-ended")?.remove();
  const told = document.createElement("p");
  told.className = "banner late session-ended";
  told.setAttribute("role", "alert");
  const way = document.createElement("a");
  way.href = text("login");
  way.target = "_blank";
  way.textContent = text("again");
  told.append(`${text("ended")} `, way);
  form.append(told);
  way.focus();
}

export function startSession(): void {
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (!(form instanceof HTMLFormElement) || form.method === "get" || !text("who")) return;
      if (form.dataset.asked) {
        delete form.dataset.asked;
        return;
      }
      if (Date.now() - known < FRESH_MS || !Array.from(form.elements).some(isTyped)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const by = event.submitter;
      void stillIn().then(
        (isIn) => {
          if (!isIn) return offer(form);
          form.querySelector(".session-ended")?.remove();
          form.dataset.asked = "yes";
          form.requestSubmit(by);
        },
        () => say(text("offline"), "late"),
      );
    },
    { capture: true },
  );
}
