/** The page of chains: loads the picture, draws it, and lets it be moved by mouse, touch and keyboard. */
import { type ChainDocument, Chains, type Mode } from "./chains-data";
import { type Look, Scene } from "./chains-scene";

const REACH = 14;
const REACH_OF_A_FINGER = 24;
const MOVED = 4;
const CASE = "C-0";

export function startChains(): void {
  const root = document.querySelector<HTMLElement>("[data-chains]");
  const canvas = root?.querySelector("canvas");
  if (!root || !canvas) return;
  void load(root, canvas);
}

async function load(root: HTMLElement, canvas: HTMLCanvasElement): Promise<void> {
  const note = root.querySelector<HTMLElement>("[data-chains-note]");
  try {
    const answer = await fetch(root.dataset.url ?? "", { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    const doc = (await answer.json()) as ChainDocument;
    if (!doc.cases) {
      root.dataset.state = "empty";
      return;
    }
    root.dataset.state = "drawn";
    new Page(root, canvas, new Chains(doc));
  } catch {
    root.dataset.state = "failed";
    if (note) note.textContent = document.body.dataset.offline ?? "";
  } finally {
    root.dispatchEvent(new CustomEvent("drawn")); // the numbers of very many cases wait for this
  }
}

class Page {
  private readonly scene: Scene;
  private readonly look: Look = { mode: "setting", hidden: new Set(), lit: null, at: -1, moving: false };
  private readonly hover: HTMLElement | null;
  private readonly live: HTMLElement | null;
  private readonly pointers = new Map<number, { x: number; y: number }>();
  private chosen = -1;
  private gone = 0;
  private pinch = 0;
  private waiting = false;
  private whole = false;

  constructor(
    private readonly root: HTMLElement,
    private readonly canvas: HTMLCanvasElement,
    private readonly chains: Chains,
  ) {
    this.hover = root.querySelector("[data-chains-hover]");
    this.live = root.querySelector("[data-chains-live]");
    this.scene = new Scene(chains, canvas);
    this.scene.resize();
    this.scene.fit();
    this.scene.draw(this.look);
    canvas.dataset.drawn = performance.now().toFixed(0);
    canvas.dataset.marks = String(chains.size);
    this.tellTotal();
    this.legend();
    this.listen();
  }

  private redraw(): void {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.scene.draw(this.look);
    });
  }

  private listen(): void {
    const { canvas, root } = this;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"] as const) {
      canvas.addEventListener(name, (event) => this.up(event));
    }
    canvas.addEventListener("pointerleave", () => this.lookAt(-1));
    canvas.addEventListener("dblclick", () => this.openCase());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    for (const button of root.querySelectorAll<HTMLElement>("[data-chains-zoom]")) {
      button.addEventListener("click", () => this.zoom(button.dataset.chainsZoom ?? ""));
    }
    root.querySelector<HTMLSelectElement>("[data-chains-color]")?.addEventListener("change", (event) => {
      this.look.mode = (event.target as HTMLSelectElement).value as Mode;
      this.look.hidden.clear();
      this.legend();
      this.redraw();
    });
    root.querySelector("[data-chains-png]")?.addEventListener("click", () => this.png());
    new ResizeObserver(() => {
      this.scene.resize();
      this.scene.draw(this.look);
    }).observe(canvas);
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    const recolor = (): void => {
      this.scene.recolor();
      this.legend();
      this.redraw();
    };
    dark.addEventListener("change", recolor);
    new MutationObserver(recolor).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  private spot(event: PointerEvent | WheelEvent): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  private down(event: PointerEvent): void {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.spot(event));
    this.gone = 0;
    this.pinch = this.spread();
    this.canvas.classList.add("held");
  }

  private move(event: PointerEvent): void {
    const now = this.spot(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.lookAt(this.scene.find(now.x, now.y, REACH), now);
      return;
    }
    this.pointers.set(event.pointerId, now);
    this.gone += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (this.pointers.size === 2) {
      const spread = this.spread();
      const [one, other] = [...this.pointers.values()];
      if (this.pinch > 0 && one && other) {
        this.scene.zoom(spread / this.pinch, (one.x + other.x) / 2, (one.y + other.y) / 2);
      }
      this.pinch = spread;
    }
    if (this.gone > MOVED) {
      const part = this.pointers.size;
      this.scene.pan((now.x - before.x) / part, (now.y - before.y) / part);
      this.look.moving = true;
      this.lookAt(-1);
      this.redraw();
    }
  }

  private up(event: PointerEvent): void {
    const here = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) {
      this.canvas.classList.remove("held");
      this.look.moving = false;
      this.redraw();
    }
    if (here && this.gone <= MOVED && event.type === "pointerup") {
      this.choose(this.scene.find(here.x, here.y, event.pointerType === "touch" ? REACH_OF_A_FINGER : REACH));
    }
  }

  private spread(): number {
    const [one, other] = [...this.pointers.values()];
    return one && other ? Math.hypot(one.x - other.x, one.y - other.y) : 0;
  }

  /** With Ctrl it zooms; without, it moves up and down, and at the ends lets the page go on. */
  private wheel(event: WheelEvent): void {
    const here = this.spot(event);
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.scene.zoom(Math.exp(-event.deltaY / 300), here.x, here.y);
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      this.scene.pan(-(event.deltaX || event.deltaY), 0);
    } else {
      if (event.deltaY > 0 ? this.scene.atBottom() : this.scene.atTop()) return;
      event.preventDefault();
      this.scene.pan(0, -event.deltaY);
    }
    this.redraw();
  }

  private zoom(way: string): void {
    if (way === "fit") this.scene.fit((this.whole = !this.whole));
    else this.scene.zoom(way === "in" ? 1.4 : 1 / 1.4, this.scene.width / 2, this.scene.height / 2);
    this.redraw();
  }

  /** Arrows go along the tree: left to the infector, right to the first infected, up and down to neighbors. */
  private key(event: KeyboardEvent): void {
    const { p, y, d } = this.chains.doc.marks;
    const at = this.chosen;
    let next = -1;
    if (event.key === "+" || event.key === "=") this.zoom("in");
    else if (event.key === "-") this.zoom("out");
    else if (event.key === "0") this.zoom("fit");
    else if (event.key === "Escape") this.choose(-1);
    else if (event.key === "Enter") this.openCase();
    else if (event.key.startsWith("Arrow")) {
      if (at < 0) next = this.firstMark();
      else if (event.key === "ArrowLeft") next = p[at]!;
      else if (event.key === "ArrowRight") next = this.chains.children[at]?.[0] ?? -1;
      else next = this.neighbor(at, event.key === "ArrowDown" ? 1 : -1, y, d);
    } else return;
    event.preventDefault();
    if (next >= 0) {
      this.scene.show(next);
      this.choose(next, { quiet: true });
    }
  }

  private firstMark(): number {
    const { y } = this.chains.doc.marks;
    return y.reduce((best, lane, i) => (lane < y[best]! ? i : best), 0);
  }

  private neighbor(at: number, way: 1 | -1, y: number[], d: number[]): number {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < y.length; i++) {
      const down = (y[i]! - y[at]!) * way;
      if (down <= 0) continue;
      const far = down * 100 + Math.abs(d[i]! - d[at]!);
      if (far < least) {
        least = far;
        best = i;
      }
    }
    return best;
  }

  private lookAt(i: number, at?: { x: number; y: number }): void {
    const shown = i >= 0 ? i : this.chosen;
    if (this.look.at !== shown) {
      this.look.at = shown;
      this.look.lit = shown >= 0 ? this.chains.family(shown) : null;
      this.canvas.classList.toggle("over", i >= 0);
      this.redraw();
    }
    if (!this.hover) return;
    if (i < 0 || !at) {
      this.hover.hidden = true;
      return;
    }
    if (this.hover.dataset.mark !== String(i) || this.hover.hidden) {
      const [head, ...rest] = this.chains.tell(i);
      this.hover.replaceChildren(element("strong", head ?? ""), ...rest.map((words) => element("span", words)));
      this.hover.dataset.mark = String(i);
      this.hover.hidden = false;
    }
    const right = at.x > this.scene.width - 230;
    this.hover.style.left = `${right ? Math.max(4, at.x - 222) : at.x + 14}px`;
    this.hover.style.top = `${Math.min(at.y + 12, this.scene.height - this.hover.offsetHeight - 6)}px`;
  }

  /** A case shows its card; a bundle opens as a picture of its own. */
  private choose(i: number, how: { quiet?: boolean } = {}): void {
    this.chosen = i;
    this.lookAt(i);
    if (this.hover) this.hover.hidden = true;
    const { id } = this.chains.doc.marks;
    if (this.live) this.live.textContent = i >= 0 ? this.chains.tell(i).join(" · ") : "";
    if (i < 0) this.card("");
    else if (id[i]) void this.fetchCard(id[i]!);
    else if (how.quiet) this.card("");
    else this.openBundle(i);
    this.redraw();
  }

  private openCase(): void {
    const i = this.chosen;
    if (i < 0) return;
    const id = this.chains.doc.marks.id[i];
    if (id) window.location.href = (this.root.dataset.case ?? "").replace(CASE, id);
    else this.openBundle(i);
  }

  private openBundle(i: number): void {
    const { root, d, e } = this.chains.doc.marks;
    const address = new URL(window.location.href);
    if (root[i]) address.searchParams.set("root", root[i]!);
    address.searchParams.set("since", this.chains.date(d[i]!));
    address.searchParams.set("until", this.chains.date(e[i]!));
    window.location.href = address.toString();
  }

  private async fetchCard(id: string): Promise<void> {
    try {
      const answer = await fetch((this.root.dataset.card ?? "").replace(CASE, id), {
        headers: { "HX-Request": "true" },
        credentials: "same-origin",
      });
      if (answer.ok && this.chains.doc.marks.id[this.chosen] === id) this.card(await answer.text());
    } catch {
      this.card("");
    }
  }

  private card(html: string): void {
    const place = this.root.querySelector<HTMLElement>("[data-chains-card]");
    if (!place) return;
    place.hidden = !html;
    place.innerHTML = html; // made by our own templates
    place.querySelector("[data-chains-close]")?.addEventListener("click", () => {
      this.choose(-1);
      this.canvas.focus();
    });
  }

  private legend(): void {
    const place = this.root.querySelector<HTMLElement>("[data-chains-legend]");
    if (!place) return;
    place.replaceChildren(
      ...this.chains.legend(this.look.mode).map(({ label, n, color }) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "chip line";
        button.setAttribute("aria-pressed", String(!this.look.hidden.has(color)));
        const dot = document.createElement("i");
        dot.className = `ch-dot ch-${color + 1}`;
        button.append(dot, `${label} `, element("small", String(n)));
        button.addEventListener("click", () => {
          if (this.look.hidden.has(color)) this.look.hidden.delete(color);
          else this.look.hidden.add(color);
          button.setAttribute("aria-pressed", String(!this.look.hidden.has(color)));
          this.redraw();
        });
        return button;
      }),
    );
  }

  private tellTotal(): void {
    const place = this.root.querySelector<HTMLElement>("[data-chains-total]");
    if (place && this.chains.doc.bundled) place.textContent = this.chains.word("drawn", this.chains.size);
    this.canvas.setAttribute("aria-label", `${this.chains.word("title")}: ${this.chains.word("bundle", this.chains.doc.cases)}`);
  }

  private png(): void {
    const title = `${this.chains.word("title")} · ${this.root.dataset.title ?? ""}`;
    this.scene.snapshot({ ...this.look, lit: null, at: -1 }, title).toBlob((blob) => {
      if (!blob) return;
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = "chains.png";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 5000);
    }, "image/png");
  }
}

function element(name: string, words: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = words;
  return made;
}
