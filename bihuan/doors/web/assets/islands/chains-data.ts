/** What the server sends of a picture of chains, and what can be asked of it. Columns, one row a mark or line. */

export interface Named {
  key: string;
  label: string;
}

export interface ChainDocument {
  day0: string;
  days: number;
  lanes: number;
  loose: number;
  bundled: boolean;
  cases: number;
  links: number;
  marks: {
    id: string[];
    root: string[];
    n: number[];
    d: number[];
    e: number[];
    y: number[];
    p: number[];
    g: number[];
    s: number[];
    c: number[];
    t: number[];
    k: number[];
    o: number[];
    i: number[];
  };
  lines: { a: number[]; b: number[]; n: number[]; w: number[]; said: number[]; odd: number[]; tree: number[] };
  settings: Named[];
  classes: Named[];
  places: Named[];
  words: Record<string, string>;
}

/** Numbers of `odd`, as the server counts them. */
export const IMPOSSIBLE = 3;
/** Below this support a line is drawn as a guess. */
export const SURE = 0.8;
/** Colors of a picture; what comes after shares the last. */
export const COLORS = 8;

export type Mode = "setting" | "class" | "generation" | "place";

const DAY = 86_400_000;

export class Chains {
  readonly size: number;
  readonly children: number[][];
  private readonly byLane = new Map<number, number[]>();
  private readonly first: number;

  constructor(readonly doc: ChainDocument) {
    this.size = doc.marks.n.length;
    this.first = Date.parse(`${doc.day0 || "2020-01-01"}T00:00:00Z`);
    this.children = Array.from({ length: this.size }, () => []);
    doc.marks.p.forEach((parent, i) => {
      if (parent >= 0) this.children[parent]?.push(i);
    });
    for (let i = 0; i < this.size; i++) {
      const lane = doc.marks.y[i]!;
      const there = this.byLane.get(lane);
      if (there) there.push(i);
      else this.byLane.set(lane, [i]);
    }
  }

  word(key: string, n?: number | string): string {
    return (this.doc.words[key] ?? key).replace("%n", String(n ?? ""));
  }

  date(day: number): string {
    return new Date(this.first + day * DAY).toISOString().slice(0, 10);
  }

  dateOf(day: number): Date {
    return new Date(this.first + day * DAY);
  }

  /** Which color a mark has: its place in the legend. */
  color(i: number, mode: Mode): number {
    const { s, c, t, g } = this.doc.marks;
    const value = mode === "setting" ? s[i]! : mode === "class" ? c[i]! : mode === "place" ? t[i]! : g[i]!;
    return Math.min(value, COLORS - 1);
  }

  /** The legend: a label a color, and how many cases have it. */
  legend(mode: Mode): { label: string; n: number; color: number }[] {
    const sums = new Map<number, number>();
    for (let i = 0; i < this.size; i++) {
      const color = this.color(i, mode);
      sums.set(color, (sums.get(color) ?? 0) + this.doc.marks.n[i]!);
    }
    return [...sums.entries()]
      .sort((one, other) => one[0] - other[0])
      .map(([color, n]) => ({ label: this.label(color, mode), n, color }));
  }

  private label(color: number, mode: Mode): string {
    if (mode === "generation") return this.word("generation", color === COLORS - 1 ? `${color}+` : color);
    const named = mode === "setting" ? this.doc.settings : mode === "class" ? this.doc.classes : this.doc.places;
    return named[color]?.label ?? "";
  }

  /** The mark nearest to a spot, within `reach` lanes and days; -1 for none. */
  near(day: number, lane: number, days: number, lanes: number): number {
    let best = -1;
    let least = 1;
    for (let row = Math.floor(lane - lanes); row <= Math.ceil(lane + lanes); row++) {
      for (const i of this.byLane.get(row) ?? []) {
        const x = (this.doc.marks.d[i]! - day) / days;
        const y = (row - lane) / lanes;
        const far = x * x + y * y;
        if (far < least) {
          least = far;
          best = i;
        }
      }
    }
    return best;
  }

  /** A mark, all above it, and all below: what is lit when one looks at it. */
  family(i: number): Set<number> {
    const found = new Set<number>([i]);
    for (let above = this.doc.marks.p[i]!; above >= 0 && !found.has(above); above = this.doc.marks.p[above]!) {
      found.add(above);
    }
    const open = [i];
    while (open.length) {
      for (const child of this.children[open.pop()!]!) {
        if (!found.has(child)) {
          found.add(child);
          open.push(child);
        }
      }
    }
    return found;
  }

  /** Lines that end at a mark. */
  sources(i: number): number[] {
    const found: number[] = [];
    this.doc.lines.b.forEach((end, line) => {
      if (end === i) found.push(line);
    });
    return found;
  }

  /** Said of a mark in one line, for the live region and the hover card. */
  tell(i: number): string[] {
    const { id, n, d, e, g, k, s, c, t, o, i: imported } = this.doc.marks;
    const parts: string[] = [];
    if (n[i]! > 1) {
      parts.push(this.word("bundle", n[i]!), d[i] === e[i] ? this.date(d[i]!) : `${this.date(d[i]!)} – ${this.date(e[i]!)}`);
    } else {
      const dated = o[i] === 2 ? this.word("onset") : o[i] === 1 ? this.word("report") : this.word("undated");
      parts.push(id[i]!, o[i] ? `${dated} ${this.date(d[i]!)}` : dated, this.doc.classes[c[i]!]?.label ?? "");
    }
    parts.push(this.word("generation", g[i]!));
    if (k[i]) parts.push(this.word("infected", k[i]!));
    parts.push(this.doc.settings[s[i]!]?.label ?? "", this.doc.places[t[i]!]?.label ?? "");
    if (imported[i]) parts.push(this.word("imported"));
    for (const line of this.sources(i).slice(0, 3)) parts.push(...this.tellLine(line));
    return parts.filter(Boolean);
  }

  private tellLine(line: number): string[] {
    const { odd, w, said } = this.doc.lines;
    if (odd[line]! >= IMPOSSIBLE) return [this.word("impossible")];
    if (w[line]! >= SURE) return [];
    const percent = `${Math.round(100 * w[line]!)} %`;
    return [`${this.word(said[line] ? "several" : "inferred")}: ${this.word("support", percent)}`];
  }
}
