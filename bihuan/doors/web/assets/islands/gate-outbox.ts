// What a gate recorded and has not sent: enciphered in IndexedDB under a key that never leaves the browser,
// deleted once the server has it, erased when it waited too long.
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

interface Kept {
  event: string;
  place: string;
  at: number;
  iv: Uint8Array<ArrayBuffer>;
  body: ArrayBuffer;
}

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

export class Outbox {
  private constructor(private readonly db: IDBDatabase, private readonly key: CryptoKey, private readonly place: string) {}

  /** Throws where the browser keeps nothing or cannot encipher (an insecure address). */
  static async open(place: string): Promise<Outbox> {
    const asked = indexedDB.open("bihuan-gate", 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("outbox", { keyPath: "event" });
      asked.result.createObjectStore("keys");
    };
    const db = await done(asked);
    const held = await done<CryptoKey | undefined>(db.transaction("keys").objectStore("keys").get("outbox"));
    if (held) return new Outbox(db, held, place);
    const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const change = db.transaction("keys", "readwrite");
    change.objectStore("keys").add(made, "outbox"); // fails when another tab was first
    try {
      await finished(change);
      return new Outbox(db, made, place);
    } catch {
      return new Outbox(db, await done<CryptoKey>(db.transaction("keys").objectStore("keys").get("outbox")), place);
    }
  }

  async put(record: GateRecord): Promise<void> {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const text = new TextEncoder().encode(JSON.stringify(record));
    const body = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.key, text);
    const change = this.db.transaction("outbox", "readwrite", { durability: "strict" });
    const kept: Kept = { event: record.event, place: this.place, at: Date.parse(record.at), iv, body };
    change.objectStore("outbox").put(kept);
    await finished(change);
  }

  /** Records of this gate that wait, the oldest first. */
  async waiting(most: number): Promise<GateRecord[]> {
    const mine = (await this.all()).slice(0, most);
    return Promise.all(mine.map(async (kept) => {
      const raw = await crypto.subtle.decrypt({ name: "AES-GCM", iv: kept.iv }, this.key, kept.body);
      return JSON.parse(new TextDecoder().decode(raw)) as GateRecord;
    }));
  }

  async count(): Promise<number> {
    return (await this.all()).length;
  }

  async drop(events: string[]): Promise<void> {
    const change = this.db.transaction("outbox", "readwrite", { durability: "strict" });
    for (const event of events) change.objectStore("outbox").delete(event);
    await finished(change);
  }

  /** Erase what was recorded before a moment, at every gate; how many. */
  async expire(before: number): Promise<number> {
    const old = (await done<Kept[]>(this.db.transaction("outbox").objectStore("outbox").getAll())).filter((k) => k.at < before);
    if (old.length) await this.drop(old.map((k) => k.event));
    return old.length;
  }

  private async all(): Promise<Kept[]> {
    const found = await done<Kept[]>(this.db.transaction("outbox").objectStore("outbox").getAll());
    return found.filter((k) => k.place === this.place).sort((a, b) => a.at - b.at);
  }
}
