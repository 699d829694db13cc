"""The page of chains: first picture and drag of 2,000 cases, and 100,000 links by bundles.

`python3 bihuan.py bench chains_page` times the pure part (graph, picture, statistics) and the JSON document,
and, unless `--no-browser`, the script of the page in headless Chromium on the built front end. The bars: the
first picture within 1 s, 60 pictures a second while dragging.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from bihuan.epi.chains import CaseFact, ChainGraph, Tie, chain_graph, picture
from bihuan.epi.chains.statistics import describe

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "bihuan" / "doors" / "web" / "static" / "web" / "dist"
SETTINGS = ("household", "work_or_school", "meal_or_gathering", "hospital_visit", "transport", "unknown")
CLASSES = ("confirmed", "clinically_diagnosed", "asymptomatic")
#: Mean and dispersion of the offspring; Lloyd-Smith 2005 gives SARS a k of 0.16.
DISPERSION = 0.3


def synthetic(n: int, *, seed: int = 4) -> tuple[list[CaseFact], list[Tie]]:
    """An outbreak of n cases with uneven offspring: one link a case but for the first ones, some with two."""
    random = np.random.default_rng(seed)
    drawn = random.gamma(DISPERSION, 1.0, n)
    day, above = np.zeros(n, int), np.full(n, -1)
    first = max(4, n // 60)
    day[:first] = random.integers(0, 12, first)
    for i in range(first, n):
        low = max(0, i - max(60, n // 12))
        weights = drawn[low:i]
        above[i] = low + int(np.searchsorted(np.cumsum(weights), random.random() * weights.sum()))
        day[i] = day[above[i]] + max(-1, round(random.gamma(2.6, 1.8)))
    cases = [
        CaseFact(
            f"C-{i:010d}", int(day[i]) + 18_270 if random.random() > 0.04 else None, 18_275,
            territory=f"4203{i % 9:02d}{i % 31:03d}", classification=CLASSES[i % 3],
        )
        for i in range(n)
    ]  # fmt: skip
    ties = [Tie(cases[above[i]].id, cases[i].id, kind=SETTINGS[i % 6]) for i in range(first, n)]
    for i in random.choice(np.arange(first, n), n // 20, replace=False):
        other = int(random.integers(0, i))
        if other != above[i]:
            ties.append(Tie(cases[other].id, cases[i].id, kind=SETTINGS[0]))
    return cases, ties


def document(graph: ChainGraph) -> dict[str, Any]:
    """The document the web door would send, without a database behind it."""
    drawn = picture(graph)
    marks, lines = drawn.marks, drawn.lines
    first = int(graph.day.min())
    setting = {key: i for i, key in enumerate(SETTINGS)}
    lone = (marks.case >= 0).tolist()
    ids = [graph.ids[i] for i in marks.example]
    return {
        "day0": "2020-01-09", "days": int(graph.day.max()) - first, "lanes": drawn.layout.lanes,
        "loose": drawn.layout.loose_from, "bundled": drawn.bundled, "cases": graph.n,
        "links": int(graph.source.size),
        "marks": {
            "id": [one if single else "" for one, single in zip(ids, lone, strict=True)],
            "root": ["" for _one in ids], "n": marks.n.tolist(), "d": (marks.day - first).tolist(),
            "e": (marks.last - first).tolist(), "y": drawn.layout.lane.tolist(), "p": marks.parent.tolist(),
            "g": marks.generation.tolist(), "s": [setting.get(graph.setting[i], 5) for i in marks.example],
            "c": [i % 3 for i in range(len(ids))], "t": [i % 8 for i in range(len(ids))],
            "k": graph.offspring[marks.example].tolist(), "o": [2] * len(ids), "i": [0] * len(ids),
        },
        "lines": {
            "a": lines.start.tolist(), "b": lines.end.tolist(), "n": lines.n.tolist(),
            "w": lines.support.tolist(), "said": lines.declared.astype(int).tolist(),
            "odd": lines.odd.tolist(), "tree": lines.tree.astype(int).tolist(),
        },
        "settings": [{"key": key, "label": key} for key in SETTINGS],
        "classes": [{"key": key, "label": key} for key in CLASSES],
        "places": [{"key": str(i), "label": f"place {i}"} for i in range(8)],
        "words": {},
    }  # fmt: skip


def measure(n: int) -> tuple[dict[str, Any], dict[str, float]]:
    """The document of n cases, and seconds of each step."""
    cases, ties = synthetic(n)
    times: dict[str, float] = {"links": len(ties)}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        made = work()
        times[name] = time.perf_counter() - began
        return made

    graph = timed("graph", lambda: chain_graph(cases, ties))
    made = timed("picture and document", lambda: json.dumps(document(graph)))
    timed("statistics", lambda: describe(graph, fit=False))
    times["marks"] = len(json.loads(made)["marks"]["n"])
    times["kilobytes"] = len(made) / 1024
    return json.loads(made), times


# --- the browser --------------------------------------------------------------------------------------

PAGE = """<!doctype html><html><head><meta charset="utf-8">{css}</head><body>
<div class="chains-page" data-chains data-state="loading" data-url="/data.json"
data-card="/card/C-0" data-case="/cases/C-0"><section class="card">
<select data-chains-color><option value="setting">s</option></select><div data-chains-legend></div>
<div class="chains-sheet"><canvas class="chains-canvas" tabindex="0"></canvas>
<div class="chains-hover" data-chains-hover hidden></div></div></section></div>
<script type="module" src="/{js}"></script></body></html>"""

#: Pictures drawn a second while the pointer moves at every frame, and the longest wait between two, in ms.
DRAG = """async ({x, y, seconds}) => {
  const canvas = document.querySelector('canvas'), gaps = [];
  const send = (type, dx, dy) => canvas.dispatchEvent(new PointerEvent(type,
    {pointerId: 1, clientX: x + dx, clientY: y + dy, bubbles: true, pointerType: 'mouse'}));
  canvas.setPointerCapture = () => {};
  send('pointerdown', 0, 0);
  const began = performance.now();
  let last = began, step = 0;
  await new Promise((done) => {
    const frame = (now) => {
      if (step) gaps.push(now - last);
      last = now; step += 1;
      send('pointermove', 160 * Math.sin(step / 12), -step * 2 % 400);
      if (now - began < seconds * 1000) requestAnimationFrame(frame); else done();
    };
    requestAnimationFrame(frame);
  });
  send('pointerup', 0, 0);
  gaps.sort((a, b) => a - b);
  return {fps: 1000 * gaps.length / gaps.reduce((a, b) => a + b, 0), p50: gaps[gaps.length >> 1],
          p95: gaps[Math.floor(gaps.length * 0.95)]};
}"""


def serve(made: dict[str, Any]) -> ThreadingHTTPServer:
    """A server of one page, its script and its document."""
    manifest = json.loads((DIST / "manifest.json").read_text("utf-8"))
    chunk = manifest["bihuan/doors/web/assets/entries/chains.ts"]
    main = manifest["bihuan/doors/web/assets/entries/main.ts"]
    sheets = "".join(f'<link rel="stylesheet" href="/{css}">' for css in [*main["css"], *chunk["css"]])
    page = PAGE.format(css=sheets, js=chunk["file"]).encode()
    data = json.dumps(made).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            kind = {"js": "text/javascript", "css": "text/css", "json": "application/json"}
            found = page if not path else data if path == "data.json" else None
            if found is None and (DIST / path).is_file():
                found = (DIST / path).read_bytes()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", kind.get(path.rsplit(".", 1)[-1], "text/html"))
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def in_browser(made: dict[str, Any]) -> dict[str, float]:
    """Milliseconds to the first picture from the start of navigation, and what dragging gives."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from chromium import find
    from playwright.sync_api import sync_playwright

    server = serve(made)
    try:
        with sync_playwright() as playwright:
            arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            browser = playwright.chromium.launch(executable_path=find(), args=arguments)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
            page.wait_for_function("document.querySelector('canvas').dataset.drawn")
            first = float(page.evaluate("document.querySelector('canvas').dataset.drawn"))
            idle = page.evaluate(
                "() => new Promise(done => { let n = 0, t = performance.now(); const f = (now) => { n++;"
                " now - t < 1000 ? requestAnimationFrame(f) : done(1000 * n / (now - t)); };"
                " requestAnimationFrame(f); })"
            )
            dragged = page.evaluate(DRAG, {"x": 500, "y": 400, "seconds": 3})
            browser.close()
    finally:
        server.shutdown()
    return {"first picture ms": first, "idle fps": idle, **{f"drag {k}": v for k, v in dragged.items()}}


def main(arguments: list[str] | None = None) -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--cases", type=int, nargs="*", default=[2000, 100_000])
    asked.add_argument("--no-browser", action="store_true")
    given = asked.parse_args(arguments)
    for n in given.cases:
        made, times = measure(n)
        found = {**times, **({} if given.no_browser else in_browser(made))}
        print(f"{n:,} cases: " + ", ".join(f"{name} {value:,.2f}" for name, value in found.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
