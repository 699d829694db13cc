"""Space-time scans: 300 places × 90 days, 999 replications, on the cores at hand.

Bar: the prospective permutation scan in <= 3 s on 2 cores. SaTScan 10.3 took about 2.2 s for it on such a
machine; it is not free software and is not run here. Compiling, once a machine, is timed apart.

    python3 bihuan.py bench scan [--places 300] [--days 90] [--replications 999]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from bihuan.epi.scan import scan

_RUNS = 5
_BAR = 3.0
_SATSCAN = 2.2
#: Longest cluster, in days: two weeks, and half the series.
_LONGEST = (14, 45)


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns the seconds (medians of five runs)."""
    options = _options(words)
    cases, places, people = _made_up(options.places, options.days)
    first = time.perf_counter()
    for model in ("permutation", "poisson"):
        scan(cases[:9], places[:9], model=model, population=people[:9], replications=2)
        scan(cases[:9], places[:9], model=model, population=people[:9], replications=2, prospective=False)
    figures: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "places": options.places,
        "days": options.days,
        "cases": int(cases.sum()),
        "replications": options.replications,
        "first_call_s": round(time.perf_counter() - first, 2),
    }
    table = []
    for model, prospective, longest in _what(options.retrospective):
        longest = min(longest, options.days)
        runs, busy = [], []
        for _ in range(_RUNS if prospective else 1):
            begun, worked = time.perf_counter(), time.process_time()
            found = scan(
                cases, places, model=model, population=people, prospective=prospective,
                max_duration=longest, replications=options.replications,
            )  # fmt: skip
            runs.append(time.perf_counter() - begun)
            busy.append(time.process_time() - worked)
        way = "prospective" if prospective else "retrospective"
        name = f"{model} {way}, up to {longest} days"
        seconds, processor = round(statistics.median(runs), 2), round(statistics.median(busy), 2)
        figures[name] = {"seconds": seconds, "processor_seconds": processor}
        table.append((name, seconds, processor, found.n_zones))
    _print(table)
    print(json.dumps(figures, indent=2))
    return figures


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench scan")
    parser.add_argument("--places", type=int, default=300)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--replications", type=int, default=999)
    parser.add_argument("--retrospective", action="store_true", help="also windows that end anywhere")
    return parser.parse_args(list(words))


def _what(retrospective: bool) -> list[tuple[str, bool, int]]:
    scans = [(model, True, longest) for longest in _LONGEST for model in ("permutation", "poisson")]
    return scans + ([("permutation", False, _LONGEST[0])] if retrospective else [])


def _made_up(places: int, days: int, *, seed: int = 20200123) -> tuple[Any, Any, Any]:
    """Cases in proportion to people, with a cluster around the first place in the last week."""
    draw = np.random.default_rng(seed)
    where = draw.uniform(0, 100, (places, 2))
    people = np.exp(draw.normal(10.5, 0.7, places))
    mean = np.repeat((people / people.mean() * 0.7)[:, None], days, axis=1)
    near = np.argsort(np.hypot(*(where - where[0]).T))[:5]
    mean[near, -7:] *= 2.5
    return draw.poisson(mean), where, people


def _print(table: list[tuple[str, float, float, int]]) -> None:
    print(f"{'scan':50} {'seconds':>8} {'CPU s':>8} {'zones':>8} {'bar':>6} {'SaTScan 10.3':>13}")
    for name, seconds, processor, zones in table:
        barred = name.startswith("permutation prospective")
        bar, peer = (f"{_BAR:.1f}", f"{_SATSCAN:.1f}") if barred else ("", "")
        print(f"{name:50} {seconds:8.2f} {processor:8.2f} {zones:8d} {bar:>6} {peer:>13}")
