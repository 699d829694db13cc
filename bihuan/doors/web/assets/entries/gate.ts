// The screen of a gate. What is recorded is on this device at once; it is sent when there is a network. Nothing
// here looks anybody up.
import { readCode, readerFile, whyNot } from "../islands/gate-camera";
import { type ClosedRecord, type GateRecord, Outbox, type Refused, type Waiting } from "../islands/gate-outbox";
import { KEPT_PAGE, type Told, TurnAtGate } from "../islands/gate-turn";

interface About extends Told {
  place: string;
  seal: string;
  logIn: string;
  logOut: string;
  send: string;
  worker: string;
  scope: string;
  fever: number;
  required: string[];
  unsentHours: number;
  degrees: [number, number];
  closed: string;
  texts: Record<string, string>;
}

interface Answer { event: string; status: string; message: string; missing: string[]; febrile: boolean; closed: boolean }
interface Answered extends Told {
  answers: Answer[];
  names: Record<string, string>;
  inside: number;
  limit: number | null;
  over: boolean;
  closed: string;
}

const AT_ONCE = 200;
const AGAIN_MS = 15_000;
const FIRST_MS = 3_000; // how long the first record waits to hear who is logged in
const ASK_MS = 20_000;
const TAKERS = 50; // names asked for at once
const TIMES = 12; // of records not taken, shown
const about = JSON.parse(document.getElementById("gate-about")!.textContent!) as About;
const form = document.querySelector<HTMLFormElement>("#gate")!;
const said = document.querySelector<HTMLElement>("#gate-said")!;
const fever = document.querySelector<HTMLElement>("#gate-fever")!;
const state = document.querySelector<HTMLElement>("#gate-state")!;
const queue = document.querySelector<HTMLElement>("#gate-queue")!;
const inside = document.querySelector<HTMLElement>("#gate-inside")!;
const problems = document.querySelector<HTMLElement>("#gate-problems")!;
const whose = document.querySelector<HTMLElement>("#gate-whose")!;
const others = document.querySelector<HTMLElement>("#gate-others")!;
const refused = document.querySelector<HTMLElement>("#gate-refused")!;
const work = document.querySelector<HTMLElement>("#gate-work")!;
const closed = document.querySelector<HTMLElement>("#gate-closed")!;
const camera = document.querySelector<HTMLButtonElement>("#gate-camera")!;
const t = (key: string, gaps: Record<string, string | number> = {}): string =>
  Object.entries(gaps).reduce((text, [name, value]) => text.replace(`%(${name})s`, String(value)), about.texts[key] ?? key);

const turn = new TurnAtGate(about);
const names = new Map<string, string>(); // in memory only
const drawn = new Map<HTMLElement, string>();
let outbox: Outbox | null = null;
let known: Promise<unknown> = Promise.resolve();
let sending: Promise<void> | null = null;
let again = false;
let newest = ""; // the event recorded last
let scanning: AbortController | null = null;

const recorders = document.querySelectorAll<HTMLButtonElement>(".gate-record, #gate-medical");
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

/** Whether the form holds what was recorded: who typed on meanwhile keeps what she typed. */
function isStill(one: GateRecord): boolean {
  return JSON.stringify({ ...readForm(), event: one.event, at: one.at }) === JSON.stringify(one);
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

/** Record one after the other: pressed again meanwhile, nothing is recorded twice. */
async function record(one: GateRecord): Promise<void> {
  if ([...recorders].some((button) => button.disabled)) return;
  const pressed = document.activeElement as HTMLElement | null;
  for (const button of recorders) button.disabled = true;
  try {
    await recordOne(one);
  } finally {
    for (const button of recorders) button.disabled = false;
    if (document.activeElement === document.body) pressed?.focus();
  }
}

async function recordOne(one: GateRecord): Promise<void> {
  newest = one.event;
  try {
    if (!turn.refresh()) known = ask().catch(() => undefined); // somebody came to the log-in meanwhile
    await Promise.race([known, new Promise((next) => setTimeout(next, FIRST_MS))]);
    if (outbox) {
      await outbox.put(one, turn.taker);
      await countQueue();
    } else {
      const told = await sendNow([one], turn.taker);
      if (!told || told.answers.some((answer) => answer.status === "rejected")) return; // what is wrong stands above
    }
  } catch {
    show(t(outbox ? "noStore" : "offline"), "late");
    return;
  }
  const lacking = missing(one).map((must) => t(must));
  const time = new Date(one.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const head = one.medical ? t("medical") : `${t("recorded")} ${time}`;
  show(lacking.length ? `${head} · ${t("incomplete")} ${lacking.join(", ")}` : head, lacking.length ? "soon" : "done");
  fever.hidden = one.temperature === null || one.temperature < about.fever;
  if (one.medical) field("who").focus();
  else if (isStill(one)) reset();
  void send();
}

function show(text: string, tone: string): void {
  said.hidden = false;
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
  const old = await outbox.expire(Date.now() - about.unsentHours * 3_600_000);
  if (old) addProblem(t("expired", { n: old }));
  if (!navigator.onLine) {
    tell("offline", "soon");
    return countQueue();
  }
  try {
    const left = await sendAll(turn.taker);
    if (left && navigator.onLine) tell("online", "done");
  } catch {
    tell("offline", "soon");
  }
  await countQueue();
}

/** Send what waits of one taker; true when nothing is left. Nobody's waits until somebody says they are hers. */
async function sendAll(taker: string, handOver = false): Promise<boolean> {
  if (!taker && !handOver) return true;
  for (let records = await outbox!.waiting(taker, AT_ONCE); records.length; records = await outbox!.waiting(taker, AT_ONCE)) {
    if (!(await sendNow(records, taker, handOver))) return false;
  }
  return true;
}

/** Ask the server who is logged in, and for the names of those whose records wait here. */
async function ask(): Promise<void> {
  if (!navigator.onLine) return;
  const tokens = new Set((outbox ? await outbox.groups() : []).map((group) => group.taker));
  await sendNow([], turn.taker, false, [...tokens, turn.taker, turn.before].filter((token) => token && !names.has(token)).slice(0, TAKERS));
}

/** What the server answered; null when it took nothing. Throws when it cannot be reached. */
async function sendNow(
  records: (GateRecord | ClosedRecord)[], taker: string, handOver = false, asked: string[] = [],
): Promise<Answered | null> {
  const answer = await fetch(about.send, {
    method: "POST", credentials: "same-origin", cache: "no-store", headers: headers(), signal: AbortSignal.timeout(ASK_MS),
    body: JSON.stringify({ sent_at: new Date().toISOString(), taker, hand_over: handOver, records, ask: asked }),
  });
  if (answer.redirected || !answer.headers.get("Content-Type")?.includes("json")) {
    if (answer.status >= 500) throw new Error("no server"); // what stands before it answers
    tell(answer.redirected || answer.status === 403 ? "login" : "refused", "late");
    return null;
  }
  const told = (await answer.json()) as Partial<Answered> & { message?: string };
  if (told.taker !== undefined) hear(told as Told);
  if (!answer.ok) {
    if (told.taker === undefined) {
      tell("refused", "late");
      if (told.message) show(told.message, "late");
    }
    return null;
  }
  await heard(told as Answered);
  return told as Answered;
}

async function heard(told: Answered): Promise<void> {
  const not = told.answers.filter((one) => one.status === "rejected");
  if (outbox) {
    await outbox.refuse(not.map(({ event, message, closed }) => ({ event, message, again: closed })));
    await outbox.drop(told.answers.filter((one) => one.status !== "rejected").map((one) => one.event));
  }
  for (const one of not) {
    if (!outbox || (one.event === newest && !told.closed)) show(t("rejected", { why: one.message }), "late");
  }
  showClosed(told.closed);
  for (const [token, name] of Object.entries(told.names)) names.set(token, name);
  inside.textContent = told.limit === null ? t("inside", { n: told.inside }) : t("insideOf", { n: told.inside, limit: told.limit });
  inside.className = `chip ${told.over ? "late" : "line"}`;
  tell("online", "done");
}

/** Somebody else is logged in than this page thought: what is recorded from here on is hers. */
function hear(told: Told): void {
  if (turn.hear(told)) void ask().catch(() => undefined).then(send);
}

function headers(): Record<string, string> {
  const token = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
  return { "Content-Type": "application/json", "X-CSRFToken": token, "X-Requested-With": "XMLHttpRequest" };
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
  const groups = outbox ? await outbox.groups() : [];
  const isMine = (group: Waiting): boolean => group.place === about.place && group.taker === turn.taker;
  const n = groups.find(isMine)?.n ?? 0;
  queue.textContent = n ? t("waiting", { n }) : t("nothing");
  queue.className = `chip ${n ? "soon" : "line"}`;
  queue.dataset.n = String(n);
  showRefused(outbox ? await outbox.refused() : []);
  showWhose();
  showOthers(groups.filter((group) => !isMine(group)));
}

function button(text: string, act: () => Promise<void>): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "btn";
  made.textContent = text;
  made.disabled = !navigator.onLine || !turn.taker;
  made.addEventListener("click", () => {
    made.disabled = true;
    void act().catch(() => tell("offline", "soon")).finally(() => {
      drawn.clear(); // pressed buttons come back
      void countQueue();
    });
  });
  return made;
}

function paragraph(text: string, className = ""): HTMLParagraphElement {
  const made = document.createElement("p");
  made.textContent = text;
  made.className = className;
  return made;
}

/** A closed place takes nothing new; what waits for it is sent. */
function showClosed(since: string): void {
  if (work.hidden === Boolean(since)) return;
  work.hidden = said.hidden = Boolean(since);
  closed.hidden = !since;
  closed.querySelector("h2")!.textContent = since.charAt(0).toUpperCase() + since.slice(1);
  if (since) scanning?.abort();
}

/** True when what is told differs from what stands there: an alert that did not change is not said again, and a
 * button keeps its place under the finger. */
function differs(box: HTMLElement, ...told: unknown[]): boolean {
  const text = JSON.stringify([...told, navigator.onLine, turn.taker]);
  if (drawn.get(box) === text) return false;
  drawn.set(box, text);
  return true;
}

/** What the server did not take, by reason: when it was recorded, never whom. */
function showRefused(groups: Refused[]): void {
  if (!differs(refused, groups)) return;
  refused.hidden = !groups.length;
  refused.dataset.n = String(groups.reduce((n, group) => n + group.events.length, 0));
  refused.replaceChildren(...groups.map(oneRefused));
}

function oneRefused(group: Refused): HTMLElement {
  const line = document.createElement("div");
  const times = group.times.slice(0, TIMES).map(moment).join(" · ") + (group.times.length > TIMES ? " …" : "");
  const seen = button(t("seen"), () => outbox!.drop(group.events));
  seen.disabled = false; // asks no server
  const row = document.createElement("p");
  row.className = "btn-row";
  row.append(...(group.again ? [button(t("sendAgain"), () => outbox!.retry(group.events).then(send))] : []), seen);
  line.append(paragraph(t("rejected", { why: group.message }), "gate-why"), paragraph(t("recordedAt", { n: group.events.length, times })), row);
  return line;
}

const moment = (at: number): string =>
  new Date(at).toLocaleString([], { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit" });

/** In whose name is recorded; who took over without a network is told to log in. */
function showWhose(): void {
  if (!differs(whose, turn.before, [...names])) return;
  const name = names.get(turn.taker);
  const parts: Node[] = [paragraph(turn.taker ? (name ? t("kept.name", { name }) : "") : t("kept.nobody"))];
  if (!turn.taker && navigator.onLine) {
    const before = names.get(turn.before);
    parts.push(button(t("logInNow"), leave));
    if (before) parts.push(button(t("itIsMe", { name: before }), async () => { turn.stay(); await send(); }));
    for (const part of parts) if (part instanceof HTMLButtonElement) part.disabled = false;
  }
  whose.replaceChildren(...parts);
  whose.className = turn.taker ? "quiet" : "gate-whose";
}

/** What others took and this device has not sent: how many and since when, never whom. */
function showOthers(groups: Waiting[]): void {
  if (!differs(others, groups, [...names])) return;
  others.hidden = !groups.length;
  others.dataset.n = String(groups.reduce((n, group) => n + group.n, 0));
  others.replaceChildren(...groups.map(oneOther));
  if (groups.some((group) => group.taker)) others.append(paragraph(t("waitsForHer", { hours: about.unsentHours }), "quiet"));
}

function oneOther(group: Waiting): HTMLElement {
  const line = document.createElement("div");
  const since = moment(group.oldest);
  if (group.place !== about.place) {
    const link = document.createElement("a");
    link.href = about.scope + encodeURIComponent(group.place) + "/";
    link.textContent = t("toGate");
    line.append(paragraph(t("ofGate", { n: group.n })), link);
    return line;
  }
  const name = names.get(group.taker) ?? t("somebody");
  const text = group.taker ? t("ofOther", { n: group.n, name, since }) : t("ofNobody", { n: group.n, since });
  line.append(paragraph(text), button(t(group.taker ? "handOver" : "mine"), () => handOver(group)));
  return line;
}

async function handOver(group: Waiting): Promise<void> {
  if (await sendAll(group.taker, true)) show(t("handedOver", { n: group.n }), "done");
}

/** Somebody else comes: with a network to the log-in; without one what she records waits for hers. */
async function leave(): Promise<void> {
  if (navigator.onLine) await send(); // what is hers goes first
  turn.takeOver();
  reset();
  await countQueue();
  if (!navigator.onLine) return;
  await fetch(about.logOut, { method: "POST", credentials: "same-origin", headers: headers() });
  location.assign(`${about.logIn}?next=${encodeURIComponent(location.pathname)}`);
}

/** Read a code into its field; pressed again it stops. Whatever the camera does, typing goes on. */
async function scan(): Promise<void> {
  if (scanning) return scanning.abort();
  const stop = scanning = new AbortController();
  camera.textContent = t("stopScan");
  show(t("holdCode"), "");
  try {
    const text = await readCode(document.querySelector<HTMLVideoElement>("#gate-video")!, stop.signal, () => show(t("strangeCode"), "soon"));
    if (text) field("who").value = text;
    if (!stop.signal.aborted) show(t(text ? "codeRead" : "noCode"), text ? "done" : "soon");
    field(text ? "temperature" : "who").focus();
  } catch (error) {
    show(t(whyNot(error)), "soon");
    field("who").focus();
  } finally {
    scanning = null;
    camera.textContent = t("scanNow");
  }
}

async function keepPage(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register(about.worker, { scope: about.scope });
  await navigator.serviceWorker.ready;
  const files = [...document.querySelectorAll<HTMLScriptElement | HTMLLinkElement>("script[src], link[rel=stylesheet], link[rel=modulepreload]")]
    .map((file) => ("src" in file && file.src ? file.src : (file as HTMLLinkElement).href));
  const cache = await caches.open(KEPT_PAGE);
  await cache.addAll([location.pathname, ...files, await readerFile().catch(() => "")].filter(Boolean));
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
camera.addEventListener("click", () => void scan());
document.querySelector("#gate-leave")!.addEventListener("click", () => void leave().catch(() => tell("offline", "soon")));
window.addEventListener("online", () => void ask().catch(() => undefined).then(send));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) void ask().catch(() => undefined).then(send); // the page was left, and somebody came back
});
window.addEventListener("offline", () => {
  tell("offline", "soon");
  void countQueue();
});
setInterval(() => void send(), AGAIN_MS);

void (async () => {
  showClosed(about.closed);
  try {
    outbox = await Outbox.open(about.place, about.seal);
  } catch {
    addProblem(t("noStore"));
  }
  tell(navigator.onLine ? "online" : "offline", navigator.onLine ? "done" : "soon");
  known = ask().catch(() => tell("offline", "soon"));
  await countQueue();
  document.documentElement.dataset.ready = "yes";
  await known;
  void send();
  await keepPage().catch(() => undefined);
})();
