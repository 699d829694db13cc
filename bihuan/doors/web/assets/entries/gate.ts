// The screen of a gate. What is recorded is on this device at once; it is sent when there is a network. Nothing
// here looks anybody up.
import { type GateRecord, Outbox } from "../islands/gate-outbox";

interface About {
  place: string;
  send: string;
  worker: string;
  scope: string;
  fever: number;
  required: string[];
  unsentHours: number;
  degrees: [number, number];
  texts: Record<string, string>;
}

interface Answer { event: string; status: string; message: string; missing: string[]; febrile: boolean }

const AT_ONCE = 200;
const AGAIN_MS = 15_000;
const about = JSON.parse(document.getElementById("gate-about")!.textContent!) as About;
const form = document.querySelector<HTMLFormElement>("#gate")!;
const said = document.querySelector<HTMLElement>("#gate-said")!;
const fever = document.querySelector<HTMLElement>("#gate-fever")!;
const state = document.querySelector<HTMLElement>("#gate-state")!;
const queue = document.querySelector<HTMLElement>("#gate-queue")!;
const inside = document.querySelector<HTMLElement>("#gate-inside")!;
const problems = document.querySelector<HTMLElement>("#gate-problems")!;
const t = (key: string, gaps: Record<string, string | number> = {}): string =>
  Object.entries(gaps).reduce((text, [name, value]) => text.replace(`%(${name})s`, String(value)), about.texts[key] ?? key);

let outbox: Outbox | null = null;
let sending: Promise<void> | null = null;
let again = false;

const field = (name: string): HTMLInputElement => form.elements.namedItem(name) as HTMLInputElement;
const chosen = (name: string): string => (form.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`)?.value ?? "");

function newEvent(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

function readForm(): GateRecord {
  const degrees = field("temperature").value.trim().replace(",", ".");
  const mask = chosen("mask");
  const isStranger = field("stranger").checked;
  const told: Record<string, string> = {};
  for (const name of ["name", "phone", "origin", "purpose"]) told[name] = field(name).value.trim();
  return {
    event: newEvent(), at: new Date().toISOString(), who: field("who").value.trim(),
    direction: chosen("direction") === "out" ? "out" : "in",
    temperature: degrees ? Number(degrees) : null, mask: mask ? mask === "yes" : null,
    stranger: isStranger ? told : null, medical: false,
  };
}

/** What of the four musts is missing, as the server will judge it. */
function missing(record: GateRecord): string[] {
  if (record.direction === "out" || record.medical) return [];
  const told = record.stranger;
  const named = Boolean(record.who || told?.phone);
  const done: Record<string, boolean> = {
    scan: named, temperature: record.temperature !== null, mask: record.mask === true,
    register: !told || (named && Boolean((told.name || told.phone) && told.origin)),
  };
  return ["scan", "temperature", "mask", "register"].filter((must) => about.required.includes(must) && !done[must]);
}

/** GB 11643: the last digit of an 18-digit number follows from the others. */
function isWrongNumber(who: string): boolean {
  const text = who.replace(/[\s-]/g, "").toUpperCase();
  if (!/^\d{17}[\dX]$/.test(text)) return false;
  const sum = [...text.slice(0, 17)].reduce((n, digit, i) => n + Number(digit) * (2 ** (17 - i) % 11), 0);
  return "10X98765432"[sum % 11] !== text[17];
}

async function record(one: GateRecord): Promise<void> {
  try {
    if (outbox) {
      await outbox.put(one);
      await countQueue();
    } else if (!(await sendNow([one]))) return; // what is wrong stands above
  } catch {
    show(t(outbox ? "noStore" : "offline"), "late");
    return;
  }
  const lacking = missing(one).map((must) => t(must));
  const time = new Date(one.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const head = one.medical ? t("medical") : `${t("recorded")} ${time}`;
  show(lacking.length ? `${head} · ${t("incomplete")} ${lacking.join(", ")}` : head, lacking.length ? "soon" : "done");
  fever.hidden = one.temperature === null || one.temperature < about.fever;
  reset();
  void send();
}

function show(text: string, tone: string): void {
  said.textContent = text;
  said.className = `gate-said ${tone}`;
}

function reset(): void {
  const direction = chosen("direction");
  form.reset();
  form.querySelector<HTMLInputElement>(`input[name="direction"][value="${direction}"]`)!.checked = true;
  openStranger();
  field("who").focus();
}

function openStranger(): void {
  document.querySelector<HTMLElement>("#gate-stranger")!.hidden = !field("stranger").checked;
}

/** Send what waits, one call at a time; what comes in meanwhile goes after it. */
function send(): Promise<void> {
  again = true;
  sending ??= (async () => {
    while (again) {
      again = false;
      await sendWaiting();
    }
  })().finally(() => { sending = null; });
  return sending;
}

async function sendWaiting(): Promise<void> {
  if (!outbox) return;
  if (!navigator.onLine) {
    tell("offline", "soon");
    return countQueue();
  }
  const old = await outbox.expire(Date.now() - about.unsentHours * 3_600_000);
  if (old) addProblem(t("expired", { n: old }));
  try {
    for (let records = await outbox.waiting(AT_ONCE); records.length; records = await outbox.waiting(AT_ONCE)) {
      if (!(await sendNow(records))) break;
    }
    if (!(await outbox.count()) && navigator.onLine) tell("online", "done");
  } catch {
    tell("offline", "soon");
  }
  await countQueue();
}

/** True when the server has them. Throws when it cannot be reached. */
async function sendNow(records: GateRecord[]): Promise<boolean> {
  const token = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
  const answer = await fetch(about.send, {
    method: "POST", credentials: "same-origin", cache: "no-store",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token, "X-Requested-With": "XMLHttpRequest" },
    body: JSON.stringify({ sent_at: new Date().toISOString(), records }),
  });
  if (answer.redirected || !answer.headers.get("Content-Type")?.includes("json")) {
    tell(answer.redirected || answer.status === 403 ? "login" : "refused", "late");
    return false;
  }
  if (!answer.ok) {
    tell("refused", "late");
    return false;
  }
  const told = (await answer.json()) as { answers: Answer[]; inside: number; limit: number | null; over: boolean };
  if (outbox) await outbox.drop(told.answers.map((a) => a.event));
  for (const one of told.answers) if (one.status === "rejected") addProblem(`${t("rejected")} ${one.message}`);
  inside.textContent = told.limit === null ? t("inside", { n: told.inside }) : t("insideOf", { n: told.inside, limit: told.limit });
  inside.className = `chip ${told.over ? "late" : "line"}`;
  tell("online", "done");
  return true;
}

function tell(key: string, tone: string): void {
  state.textContent = t(key);
  state.className = `chip ${tone}`;
}

function addProblem(text: string): void {
  const line = document.createElement("p");
  line.textContent = text;
  problems.append(line);
  problems.hidden = false;
}

async function countQueue(): Promise<void> {
  const n = outbox ? await outbox.count() : 0;
  queue.textContent = n ? t("waiting", { n }) : t("nothing");
  queue.className = `chip ${n ? "soon" : "line"}`;
  queue.dataset.n = String(n);
}

interface Detector { detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]> }

async function scan(): Promise<void> {
  const make = (window as unknown as { BarcodeDetector?: new (how: object) => Detector }).BarcodeDetector;
  const video = document.querySelector<HTMLVideoElement>("#gate-video")!;
  if (!make) return;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
    const detector = new make({ formats: ["qr_code", "code_128", "pdf417"] });
    for (let until = Date.now() + 20_000; Date.now() < until;) {
      const found = await detector.detect(video);
      if (found[0]) {
        field("who").value = found[0].rawValue.slice(0, 64);
        break;
      }
      await new Promise((next) => setTimeout(next, 120));
    }
    for (const track of stream.getTracks()) track.stop();
  } catch {
    show(t("camera"), "soon");
  }
  video.hidden = true;
  field("temperature").focus();
}

async function keepPage(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register(about.worker, { scope: about.scope });
  await navigator.serviceWorker.ready;
  const files = [...document.querySelectorAll<HTMLScriptElement | HTMLLinkElement>("script[src], link[rel=stylesheet], link[rel=modulepreload]")]
    .map((file) => ("src" in file && file.src ? file.src : (file as HTMLLinkElement).href));
  const cache = await caches.open("gate-1");
  await cache.addAll([location.pathname, ...files]);
  document.documentElement.dataset.kept = "yes"; // opens without a network from here on
}

function stopAndAsk(one: GateRecord): string {
  const [low, high] = about.degrees;
  if (one.temperature !== null && !(one.temperature >= low && one.temperature <= high)) return t("badDegrees");
  return isWrongNumber(one.who) ? t("badNumber") : "";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const one = readForm();
  const wrong = stopAndAsk(one);
  if (wrong) show(wrong, "late");
  else void record(one);
});
field("stranger").addEventListener("change", openStranger);
field("who").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return; // what hand scanners send at the end
  event.preventDefault();
  field("temperature").focus();
});
document.querySelector("#gate-medical")!.addEventListener("click", () => {
  void record({ ...readForm(), who: "", temperature: null, mask: null, stranger: null, direction: "out", medical: true });
});
if ("BarcodeDetector" in window && "mediaDevices" in navigator) {
  const button = document.querySelector<HTMLButtonElement>("#gate-camera")!;
  button.hidden = false;
  button.addEventListener("click", () => void scan());
}
window.addEventListener("online", () => void send());
window.addEventListener("offline", () => tell("offline", "soon"));
setInterval(() => void send(), AGAIN_MS);

void (async () => {
  try {
    outbox = await Outbox.open(about.place);
  } catch {
    addProblem(t("noStore"));
  }
  tell(navigator.onLine ? "online" : "offline", navigator.onLine ? "done" : "soon");
  await countQueue();
  document.documentElement.dataset.ready = "yes";
  void send();
  await keepPage().catch(() => undefined);
})();
