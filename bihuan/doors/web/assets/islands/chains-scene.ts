/** Draws chains on a canvas: days from left to right, lanes from top to bottom. Lines and marks of one look go
 * into one path each, so that two thousand of them are drawn within a frame. */
import { type Chains, COLORS, IMPOSSIBLE, type Mode, SURE } from "./chains-data";

export interface Look {
  mode: Mode;
  hidden: Set<number>;
  lit: Set<number> | null;
  at: number;
  /** While it is dragged, thousands of faint lines are left out, so that it follows the hand. */
  moving: boolean;
}

interface Inks {
  marks: string[];
  paper: string;
  ink: string;
  quiet: string;
  line: string;
  strong: string;
  alarm: string;
  fact: string;
  font: string;
}

const TOP = 26;
const LEFT = 26;
const RIGHT = 26;
const BOTTOM = 14;
const LOWEST = 5;
/** From so many lines on, the faint ones are left out while the picture moves. */
const MANY_LINES = 2400;
const TALLEST = 26;

export class Scene {
  /** Pixels a day and a lane; where day 0 and lane 0 lie. */
  perDay = 10;
  perLane = 14;
  left = LEFT;
  top = TOP;
  width = 0;
  height = 0;
  private inks: Inks;
  private readonly radius: Float32Array;

  constructor(
    readonly chains: Chains,
    private readonly canvas: HTMLCanvasElement,
  ) {
    this.inks = readInks(canvas);
    const { n, k } = chains.doc.marks;
    this.radius = Float32Array.from(n, (cases, i) =>
      cases > 1 ? Math.min(5 + 1.5 * Math.sqrt(cases), 17) : 3.8 + Math.min(1.5 * Math.sqrt(k[i] ?? 0), 9.5),
    );
  }

  recolor(): void {
    this.inks = readInks(this.canvas);
  }

  resize(): boolean {
    const box = this.canvas.getBoundingClientRect();
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const changed = box.width !== this.width || box.height !== this.height;
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    return changed;
  }

  /** All of the time; as many lanes as can still be told apart, or `whole`: all of them. */
  fit(whole = false): void {
    const { days, lanes } = this.chains.doc;
    this.perDay = Math.min(46, Math.max(0.5, (this.width - LEFT - RIGHT) / Math.max(days, 1)));
    const all = (this.height - TOP - BOTTOM - 14) / Math.max(lanes, 1);
    this.perLane = Math.min(TALLEST, whole ? all : Math.max(LOWEST * 1.8, all));
    this.left = LEFT + Math.max(0, (this.width - LEFT - RIGHT - days * this.perDay) / 2);
    this.top = TOP + 14;
  }

  x(day: number): number {
    return this.left + day * this.perDay;
  }

  y(lane: number): number {
    return this.top + lane * this.perLane;
  }

  pan(dx: number, dy: number): void {
    this.left += dx;
    this.top += dy;
    this.keep();
  }

  /** By `factor` around a spot; `both` false zooms the time only. */
  zoom(factor: number, x: number, y: number): void {
    const day = (x - this.left) / this.perDay;
    const lane = (y - this.top) / this.perLane;
    this.perDay = Math.min(120, Math.max(0.4, this.perDay * factor));
    this.perLane = Math.min(60, Math.max(0.2, this.perLane * factor));
    this.left = x - day * this.perDay;
    this.top = y - lane * this.perLane;
    this.keep();
  }

  /** Something of the picture always stays in sight. */
  private keep(): void {
    const { days, lanes } = this.chains.doc;
    const wide = days * this.perDay;
    const tall = lanes * this.perLane;
    this.left = Math.min(this.width - 60, Math.max(60 - wide, this.left));
    this.top = Math.min(this.height - 60, Math.max(TOP + 40 - tall, this.top));
  }

  atTop(): boolean {
    return this.top >= TOP + 14;
  }

  atBottom(): boolean {
    return this.y(this.chains.doc.lanes) <= this.height;
  }

  find(x: number, y: number, reach: number): number {
    return this.chains.near(
      (x - this.left) / this.perDay,
      (y - this.top) / this.perLane,
      reach / this.perDay,
      reach / this.perLane,
    );
  }

  show(i: number): void {
    const { d, y } = this.chains.doc.marks;
    const x = this.x(d[i]!);
    const down = this.y(y[i]!);
    if (x < 40 || x > this.width - 40) this.left += this.width / 2 - x;
    if (down < TOP + 30 || down > this.height - 30) this.top += this.height / 2 - down;
    this.keep();
  }

  draw(look: Look, target?: CanvasRenderingContext2D): void {
    const pen = target ?? this.canvas.getContext("2d");
    if (!pen) return;
    const ratio = target ? 2 : this.canvas.width / this.width;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = this.inks.paper;
    pen.fillRect(0, 0, this.width, this.height);
    this.drawTime(pen);
    this.drawLines(pen, look);
    this.drawMarks(pen, look);
    this.drawEdges(pen);
  }

  private drawTime(pen: CanvasRenderingContext2D): void {
    const { days, loose, lanes } = this.chains.doc;
    const step = [1, 2, 7, 14, 28, 56, 112, 364].find((one) => one * this.perDay >= 52) ?? 728;
    const first = Math.max(0, Math.ceil(-this.left / this.perDay / step) * step);
    pen.strokeStyle = this.inks.line;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let day = first; day <= days + step && this.x(day) < this.width; day += step) {
      const x = Math.round(this.x(day)) + 0.5;
      pen.moveTo(x, TOP - 4);
      pen.lineTo(x, this.height);
    }
    pen.stroke();
    if (loose < lanes && loose > 0) {
      const y = Math.round(this.y(loose - 1)) + 0.5;
      pen.setLineDash([2, 3]);
      pen.strokeStyle = this.inks.strong;
      pen.beginPath();
      pen.moveTo(0, y);
      pen.lineTo(this.width, y);
      pen.stroke();
      pen.setLineDash([]);
      pen.fillStyle = this.inks.quiet;
      pen.font = `12px ${this.inks.font}`;
      pen.textAlign = "left";
      pen.fillText(this.chains.word("loose"), 8, y - 5);
    }
  }

  /** The head with its dates lies over the picture. */
  private drawEdges(pen: CanvasRenderingContext2D): void {
    const { days, lanes } = this.chains.doc;
    const step = [1, 2, 7, 14, 28, 56, 112, 364].find((one) => one * this.perDay >= 52) ?? 728;
    const first = Math.max(0, Math.ceil(-this.left / this.perDay / step) * step);
    pen.fillStyle = this.inks.paper;
    pen.fillRect(0, 0, this.width, TOP - 4);
    pen.fillStyle = this.inks.quiet;
    pen.font = `12px ${this.inks.font}`;
    pen.textAlign = "center";
    let told = 0; // a year is written where it begins, and at the left
    let free = 4;
    for (let day = first; day <= days + step && this.x(day) < this.width; day += step) {
      const date = this.chains.dateOf(day);
      const year = date.getUTCFullYear();
      const words = `${told === year ? "" : `${year}-`}${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
      const half = pen.measureText(words).width / 2;
      const x = Math.max(this.x(day), half + 4);
      if (x - half < free || x + half > this.width) continue;
      pen.fillText(words, x, 15);
      told = year;
      free = x + half + 8;
    }
    const tall = lanes * this.perLane;
    const room = this.height - TOP;
    if (tall > room * 1.05) {
      const size = Math.max(24, (room * room) / tall);
      const way = Math.min(1, Math.max(0, (TOP + 14 - this.top) / (tall - room + 28)));
      pen.fillStyle = this.inks.strong;
      pen.beginPath();
      pen.roundRect(this.width - 6, TOP + way * (room - size), 4, size, 2);
      pen.fill();
    }
  }

  private drawLines(pen: CanvasRenderingContext2D, look: Look): void {
    const { a, b, w, odd, tree, n } = this.chains.doc.lines;
    const quick = look.moving && a.length > MANY_LINES;
    const paths = new Map<string, Path2D>();
    const wrong: [number, number][] = [];
    for (let i = 0; i < a.length; i++) {
      if (quick && !tree[i] && odd[i]! < IMPOSSIBLE) continue;
      const from = a[i]!;
      const to = b[i]!;
      const box = this.corners(from, to);
      if (!box) continue;
      const cannot = odd[i]! >= IMPOSSIBLE;
      const bright = !look.lit || (look.lit.has(from) && look.lit.has(to));
      const style = cannot ? "x" : !tree[i] ? "o" : w[i]! < SURE ? "u" : n[i]! > 1 ? "b" : "t";
      const key = style + (bright ? "1" : "0");
      let path = paths.get(key);
      if (!path) paths.set(key, (path = new Path2D()));
      const [x0, y0, x1, y1] = box;
      if (cannot || !tree[i]) {
        path.moveTo(x0, y0);
        path.bezierCurveTo(x0, (y0 + y1) / 2, x1, (y0 + y1) / 2, x1, y1);
        if (cannot) wrong.push([(x0 + x1) / 2, (y0 + y1) / 2]);
      } else {
        elbow(path, x0, y0, x1, y1);
      }
    }
    const styles: [string, string, number[], number][] = [
      ["o", this.inks.strong, [2, 3], 1],
      ["t", this.inks.quiet, [], 1.2],
      ["b", this.inks.quiet, [], 2.2],
      ["u", this.inks.quiet, [5, 4], 1.1],
      ["x", this.inks.alarm, [3, 3], 1.4],
    ];
    for (const [style, ink, dash, width] of styles) {
      for (const bright of ["0", "1"]) {
        const path = paths.get(style + bright);
        if (!path) continue;
        pen.globalAlpha = bright === "1" ? (style === "o" || style === "u" ? 0.85 : 1) : 0.18;
        pen.strokeStyle = bright === "1" && look.lit && style !== "x" ? this.inks.ink : ink;
        pen.lineWidth = width;
        // thousands of dashes are slow to draw and cannot be told apart from afar
        pen.setLineDash(this.perLane < 4 || quick ? [] : dash);
        pen.stroke(path);
      }
    }
    pen.globalAlpha = 1;
    pen.setLineDash([]);
    pen.strokeStyle = this.inks.alarm;
    pen.lineWidth = 2;
    pen.beginPath();
    for (const [x, y] of wrong) {
      pen.moveTo(x - 4, y - 4);
      pen.lineTo(x + 4, y + 4);
      pen.moveTo(x - 4, y + 4);
      pen.lineTo(x + 4, y - 4);
    }
    pen.stroke();
  }

  /** Both ends of a line on the canvas; null when it cannot be seen. */
  private corners(from: number, to: number): [number, number, number, number] | null {
    const { d, y } = this.chains.doc.marks;
    const x0 = this.x(d[from]!);
    const x1 = this.x(d[to]!);
    const y0 = this.y(y[from]!);
    const y1 = this.y(y[to]!);
    if (Math.max(x0, x1) < 0 || Math.min(x0, x1) > this.width) return null;
    if (Math.max(y0, y1) < 0 || Math.min(y0, y1) > this.height) return null;
    return [x0, y0, x1, y1];
  }

  private drawMarks(pen: CanvasRenderingContext2D, look: Look): void {
    const { n, d, y, o, i: imported, k } = this.chains.doc.marks;
    const small = Math.min(1.25, Math.max(0.8, this.perLane / 18), Math.max(0.3, this.perLane / 4));
    const paths = new Map<number, Path2D>();
    const hollow = new Map<number, Path2D>();
    const numbers: [number, number, string, number][] = [];
    for (let i = 0; i < n.length; i++) {
      const x = this.x(d[i]!);
      const down = this.y(y[i]!);
      if (x < -20 || x > this.width + 20 || down < TOP - 20 || down > this.height + 20) continue;
      const color = this.chains.color(i, look.mode);
      const dim = look.hidden.has(color) || (look.lit !== null && !look.lit.has(i));
      const key = color + (dim ? COLORS : 0);
      const into = o[i] === 2 || n[i]! > 1 ? paths : hollow;
      let path = into.get(key);
      if (!path) into.set(key, (path = new Path2D()));
      const r = this.radius[i]! * small;
      shape(path, x, down, r, n[i]! > 1, imported[i] === 1);
      const count = n[i]! > 1 ? n[i]! : k[i]!;
      if (r >= 7 && count > 1 && !dim) numbers.push([x, down, count > 999 ? `${Math.round(count / 1000)}k` : String(count), r]);
    }
    pen.lineWidth = 1;
    for (const [key, path] of paths) {
      pen.globalAlpha = key >= COLORS ? 0.2 : 1;
      pen.fillStyle = this.inks.marks[key % COLORS]!;
      pen.fill(path);
      pen.strokeStyle = this.inks.paper;
      pen.stroke(path);
    }
    pen.lineWidth = 1.6;
    for (const [key, path] of hollow) {
      pen.globalAlpha = key >= COLORS ? 0.2 : 1;
      pen.fillStyle = this.inks.paper;
      pen.fill(path);
      pen.strokeStyle = this.inks.marks[key % COLORS]!;
      pen.stroke(path);
    }
    pen.globalAlpha = 1;
    pen.fillStyle = this.inks.paper;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const [x, down, words, r] of numbers) {
      pen.font = `600 ${Math.max(8, Math.min(12, (2.5 * r) / Math.max(words.length, 2)))}px ${this.inks.font}`;
      pen.fillText(words, x, down + 0.5);
    }
    pen.textBaseline = "alphabetic";
    if (look.at >= 0) this.drawRing(pen, look.at, small);
  }

  private drawRing(pen: CanvasRenderingContext2D, i: number, small: number): void {
    const { d, y } = this.chains.doc.marks;
    pen.strokeStyle = this.inks.ink;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(this.x(d[i]!), this.y(y[i]!), this.radius[i]! * small + 4, 0, 2 * Math.PI);
    pen.stroke();
  }

  /** The picture as seen, with its title and legend, twice as fine. */
  snapshot(look: Look, title: string): HTMLCanvasElement {
    const legend = this.chains.legend(look.mode);
    const extra = 58;
    const sheet = document.createElement("canvas");
    sheet.width = Math.round(this.width * 2);
    sheet.height = Math.round((this.height + extra) * 2);
    const inner = document.createElement("canvas");
    inner.width = sheet.width;
    inner.height = Math.round(this.height * 2);
    const part = inner.getContext("2d");
    const pen = sheet.getContext("2d");
    if (!part || !pen) return sheet;
    this.draw(look, part);
    pen.setTransform(2, 0, 0, 2, 0, 0);
    pen.fillStyle = this.inks.paper;
    pen.fillRect(0, 0, this.width, this.height + extra);
    pen.drawImage(inner, 0, extra, this.width, this.height);
    pen.fillStyle = this.inks.ink;
    pen.textAlign = "left";
    pen.font = `650 15px ${this.inks.font}`;
    pen.fillText(title, 14, 22);
    pen.font = `12px ${this.inks.font}`;
    let x = 14;
    for (const { label, n, color } of legend) {
      const words = `${label} ${n}`;
      pen.fillStyle = this.inks.marks[color]!;
      pen.beginPath();
      pen.arc(x + 4, 41, 4.5, 0, 2 * Math.PI);
      pen.fill();
      pen.fillStyle = this.inks.quiet;
      pen.fillText(words, x + 13, 45);
      x += pen.measureText(words).width + 30;
      if (x > this.width - 90) break;
    }
    return sheet;
  }
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}

/** Down at the infector's day, then across: with a round corner. */
function elbow(path: Path2D, x0: number, y0: number, x1: number, y1: number): void {
  path.moveTo(x0, y0);
  const round = Math.min(6, Math.abs(y1 - y0), Math.abs(x1 - x0));
  if (round >= 1.5) {
    path.lineTo(x0, y1 - Math.sign(y1 - y0) * round);
    path.quadraticCurveTo(x0, y1, x0 + Math.sign(x1 - x0) * round, y1);
  } else {
    path.lineTo(x0, y1);
  }
  path.lineTo(x1, y1);
}

function shape(path: Path2D, x: number, y: number, r: number, bundle: boolean, imported: boolean): void {
  if (bundle) {
    path.roundRect(x - r, y - r, 2 * r, 2 * r, Math.min(4, r / 2));
  } else if (imported) {
    const far = r * 1.25;
    path.moveTo(x, y - far);
    path.lineTo(x + far, y);
    path.lineTo(x, y + far);
    path.lineTo(x - far, y);
    path.closePath();
  } else if (r < 2.2) {
    path.rect(x - r, y - r, 2 * r, 2 * r);
  } else {
    path.moveTo(x + r, y);
    path.arc(x, y, r, 0, 2 * Math.PI);
  }
}

function readInks(canvas: HTMLCanvasElement): Inks {
  const style = getComputedStyle(canvas);
  const ink = (name: string) => style.getPropertyValue(name).trim();
  return {
    marks: Array.from({ length: COLORS }, (_, i) => ink(`--ch-${i + 1}`)),
    paper: ink("--card"),
    ink: ink("--ink"),
    quiet: ink("--quiet"),
    line: ink("--line"),
    strong: ink("--line-strong"),
    alarm: ink("--late"),
    fact: ink("--fact"),
    font: style.fontFamily,
  };
}
