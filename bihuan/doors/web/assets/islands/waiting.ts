/** A form whose answer may take a while: says at once what is being done (the button pressed may say it otherwise) and
 * for how long, and is sent only once.
 * The page stays as it is, and can be read and left, until the answer comes. */
import { all } from "./dom";

const SECOND = 1_000;
const ARRIVED = "arrived"; // the cookie by which the server says that a file is on its way

/** A file leaves the page as it is, and no event tells that it came: its answer sets a cookie to what the form sent. */
function expectFile(form: HTMLFormElement): void {
  const mark = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");
  const field = form.querySelector<HTMLInputElement>(`input[name=${ARRIVED}]`)!;
  field.value = mark;
  const look = window.setInterval(() => {
    const arrived = document.cookie.split("; ").includes(`${ARRIVED}=${mark}`);
    if (arrived) stop();
    if (arrived || !form.dataset.sent) window.clearInterval(look);
  }, 250);
}

function start(form: HTMLFormElement, by: HTMLElement | null): void {
  const strip = document.createElement("div");
  strip.className = "waiting";
  const told = document.createElement("p");
  told.setAttribute("role", "status");
  const time = document.createElement("span");
  time.className = "waiting-time";
  const bar = document.createElement("i");
  for (const part of [time, bar]) part.setAttribute("aria-hidden", "true");
  strip.append(told, time, bar);
  form.append(strip);
  // Told after it stands on the page: else it is not read out.
  window.setTimeout(() => (told.textContent = by?.dataset.wait ?? form.dataset.wait ?? ""), 50);
  const begun = Date.now();
  const tick = (): void => {
    time.textContent = `${Math.floor((Date.now() - begun) / SECOND)} s`;
  };
  tick();
  strip.dataset.timer = String(window.setInterval(tick, SECOND));
  form.setAttribute("aria-busy", "true");
  form.dataset.sent = "yes";
  if (form.querySelector(`input[name=${ARRIVED}]`)) expectFile(form);
}

/** Back on the page by the browser's arrow, or the answer was a file: nothing is under way any more. */
function stop(): void {
  for (const strip of all(".waiting")) {
    window.clearInterval(Number(strip.dataset.timer));
    strip.parentElement?.removeAttribute("aria-busy");
    delete strip.parentElement?.dataset.sent;
    strip.remove();
  }
}

export function startWaiting(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.dataset.wait === undefined) return;
    if (!form.dataset.sent && !event.defaultPrevented) start(form, event.submitter); // forms.ts stops a second sending
  });
  window.addEventListener("pageshow", (event) => event.persisted && stop());
}
