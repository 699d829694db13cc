// In whose name a gate records on a device that several people use. The server says who is logged in; without a
// network somebody may take over, who then logs in. Kept in the browser beside the page, which may be older: the
// later of the two counts, by the server's clock. No name is kept.
export interface Told { taker: string; issued: number }

interface Turn extends Told { before: string } // `before`: whose log-in it was when somebody took over

const KEY = "gate-turn"; // parting.ts ends it at the log-in
export const KEPT_PAGE = "gate-1";

function read(): Turn | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null") as Turn | null;
  } catch {
    return null;
  }
}

function write(turn: Turn): Turn {
  try {
    localStorage.setItem(KEY, JSON.stringify(turn));
  } catch { /* this page knows it all the same */ }
  return turn;
}

export class TurnAtGate {
  private turn: Turn;
  private readonly keeps: boolean;

  constructor(page: Told) {
    this.turn = { ...page, before: page.taker };
    this.turn = read() ?? this.turn;
    this.hear(page);
    this.keeps = read() !== null;
  }

  /** Whose records are taken now; "" = somebody who has not logged in. */
  get taker(): string {
    return this.turn.taker;
  }

  /** Whose log-in it was when somebody took over. */
  get before(): string {
    return this.turn.before;
  }

  /** Who is logged in, by the server: true if that is now somebody else. Who took over stays until a log-in. */
  hear(told: Told): boolean {
    if (told.issued < this.turn.issued) return false;
    const isOther = this.turn.taker !== told.taker && !(this.turn.taker === "" && this.turn.before === told.taker);
    if (isOther) this.turn = write({ ...told, before: told.taker });
    else this.turn = write({ ...this.turn, issued: told.issued });
    return isOther;
  }

  /** Somebody else records from here on, without a log-in. */
  takeOver(): void {
    this.turn = write({ taker: "", issued: this.turn.issued, before: this.turn.before });
  }

  /** It is still whoever is logged in. */
  stay(): void {
    this.turn = write({ ...this.turn, taker: this.turn.before });
  }

  /** Take up what another page of this device heard; false when somebody came to the log-in since: nobody's turn
   * until the server says whose. */
  refresh(): boolean {
    const kept = read();
    if (kept || !this.keeps) {
      this.turn = kept ?? this.turn;
      return true;
    }
    this.turn = { taker: "", issued: this.turn.issued, before: "" };
    return false;
  }
}
