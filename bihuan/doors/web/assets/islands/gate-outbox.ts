// What a gate recorded and has not sent: closed for the server before it is kept, so that nobody who holds the
// device can read it again, each under the token of who took it. Deleted once the server has it, erased when it
// waited too long. What the server did not take stays, with the reason, until somebody has seen it.
export interface GateRecord {
  event: string;
  at: string;
  who: string;
  direction: "in" | "out";
  temperature: number | null;
  mask: boolean | null;
  stranger: Record<string, string> | null;
  medical: boolean;
}

/** As it is sent: the event in the open, the rest closed for the server. */
export interface ClosedRecord { event: string; sealed: string }

/** What waits at one gate of one taker ("" = nobody was logged in). */
export interface Waiting { place: string; taker: string; n: number; oldest: number }

/** Why the server did not take a record; `again`: it may, sent later. */
export interface Refusal { event: string; message: string; again: boolean }

/** What was not taken at this gate for one reason; `times` of the recording, the oldest first. */
export interface Refused { message: string; again: boolean; events: string[]; times: number[] }

interface Kept {
  event: string;
  place: string;
  taker: string;
  at: number;
  sealed: Uint8Array<ArrayBuffer>;
  refused?: { message: string; again: boolean };
}

/** As kept before records were closed for the server: under a key of the browser, of an unknown taker. */
interface Older { event: string; place: string; at: number; iv: Uint8Array<ArrayBuffer>; body: ArrayBuffer }

const INFO = new TextEncoder().encode("bihuan gate record");
const CURVE = { name: "ECDH", namedCurve: "P-256" };

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((yes, no) => {
    request.onsuccess = () => yes(request.result);
    request.onerror = () => no(request.error);
  });

const finished = (change: IDBTransaction): Promise<void> =>
  new Promise((yes, no) => {
    change.oncomplete = () => yes();
    change.onerror = change.onabort = () => no(change.error);
  });

const asText = (bytes: Uint8Array): string => btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
const asBytes = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

export class Outbox {
  private constructor(private readonly db: IDBDatabase, private readonly server: CryptoKey, private readonly place: string) {}

  /** `seal`: the server's public key. Throws where the browser keeps nothing or cannot close (an insecure address). */
  static async open(place: string, seal: string): Promise<Outbox> {
    const server = await crypto.subtle.importKey("raw", asBytes(seal), CURVE, false, []);
    const asked = indexedDB.open("bihuan-gate", 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("outbox", { keyPath: "event" });
      asked.result.createObjectStore("keys");
    };
    const box = new Outbox(await done(asked), server, place);
    await box.closeOlder();
    return box;
  }

  async put(record: GateRecord, taker: string): Promise<void> {
    const sealed = await this.close(record, this.place, taker);
    const kept: Kept = { event: record.event, place: this.place, taker, at: Date.parse(record.at), sealed };
    const change = this.db.transaction("outbox", "readwrite", { durability: "strict" });
    change.objectStore("outbox").put(kept);
    await finished(change);
  }

  /** Records of this gate and taker that wait, the oldest first. */
  async waiting(taker: string, most: number): Promise<ClosedRecord[]> {
    const found = (await this.all()).filter((k) => k.place === this.place && k.taker === taker && !k.refused);
    return found.slice(0, most).map((k) => ({ event: k.event, sealed: asText(k.sealed) }));
  }

  /** All that waits on this device, by gate and taker, the oldest first. */
  async groups(): Promise<Waiting[]> {
    const found = new Map<string, Waiting>();
    for (const { place, taker, at, refused } of await this.all()) {
      if (refused) continue;
      const key = `${place}\n${taker}`;
      const group = found.get(key) ?? { place, taker, n: 0, oldest: at };
      found.set(key, { ...group, n: group.n + 1 });
    }
    return [...found.values()];
  }

  /** What the server did not take at this gate, by reason. */
  async refused(): Promise<Refused[]> {
    const found = new Map<string, Refused>();
    for (const { event, place, at, refused } of await this.all()) {
      if (!refused || place !== this.place) continue;
      const group = found.get(refused.message) ?? { ...refused, events: [], times: [] };
      found.set(refused.message, { ...group, events: [...group.events, event], times: [...group.times, at] });
    }
    return [...found.values()];
  }

  async refuse(refusals: Refusal[]): Promise<void> {
    const why = new Map(refusals.map(({ event, message, again }) => [event, { message, again }]));
    await this.change([...why.keys()], (kept) => ({ ...kept, refused: why.get(kept.event)! }));
  }

  /** Let what was not taken wait once more. */
  async retry(events: string[]): Promise<void> {
    await this.change(events, ({ refused, ...kept }) => kept);
  }

  async drop(events: string[]): Promise<void> {
    const change = this.db.transaction("outbox", "readwrite", { durability: "strict" });
    for (const event of events) change.objectStore("outbox").delete(event);
    await finished(change);
  }

  /** Erase what was recorded before a moment, at every gate; how many of them were never sent. */
  async expire(before: number): Promise<number> {
    const old = (await this.all()).filter((k) => k.at < before);
    if (old.length) await this.drop(old.map((k) => k.event));
    return old.filter((k) => !k.refused).length;
  }

  private async change(events: string[], to: (kept: Kept) => Kept): Promise<void> {
    const wanted = new Set(events);
    const found = (await this.all()).filter((k) => wanted.has(k.event));
    const change = this.db.transaction("outbox", "readwrite", { durability: "strict" });
    for (const kept of found) change.objectStore("outbox").put(to(kept));
    await finished(change);
  }

  private async all(): Promise<Kept[]> {
    const found = await done<Kept[]>(this.db.transaction("outbox").objectStore("outbox").getAll());
    return found.sort((a, b) => a.at - b.at);
  }

  /** The layout is told in bihuan/tracing/rules/seal.py. */
  private async close(record: GateRecord, place: string, taker: string): Promise<Uint8Array<ArrayBuffer>> {
    const own = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
    const point = new Uint8Array(await crypto.subtle.exportKey("raw", own.publicKey));
    const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: this.server }, own.privateKey, 256);
    const base = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
    const key = await crypto.subtle.deriveKey(
      { name: "HKDF", hash: "SHA-256", salt: point, info: INFO }, base, { name: "AES-GCM", length: 256 }, false, ["encrypt"],
    );
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const additionalData = new TextEncoder().encode(`${place}\n${record.event}\n${taker}`);
    const body = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, new TextEncoder().encode(JSON.stringify(record)));
    const sealed = new Uint8Array(point.length + iv.length + body.byteLength);
    sealed.set(point);
    sealed.set(iv, point.length);
    sealed.set(new Uint8Array(body), point.length + iv.length);
    return sealed;
  }

  /** Close what an earlier version of this page kept, of whom it did not say who took it; its key goes last. */
  private async closeOlder(): Promise<void> {
    const key = await done<CryptoKey | undefined>(this.db.transaction("keys").objectStore("keys").get("outbox"));
    if (!key) return;
    const kept = await done<(Kept | Older)[]>(this.db.transaction("outbox").objectStore("outbox").getAll());
    for (const old of kept) {
      if (!("iv" in old)) continue;
      const raw = await crypto.subtle.decrypt({ name: "AES-GCM", iv: old.iv }, key, old.body);
      const sealed = await this.close(JSON.parse(new TextDecoder().decode(raw)) as GateRecord, old.place, "");
      const change = this.db.transaction("outbox", "readwrite", { durability: "strict" });
      change.objectStore("outbox").put({ event: old.event, place: old.place, taker: "", at: old.at, sealed } satisfies Kept);
      await finished(change);
    }
    const change = this.db.transaction("keys", "readwrite");
    change.objectStore("keys").delete("outbox");
    await finished(change);
  }
}
