"""Who met whom: the offset index beside DuckDB in two phases, in the same run; answers compared row by row.

Bars, set for 100 M events, warm: 1 / 100 / 10,000 cases in <= 1 / 8 / 500 ms, and >= 25 / 100 / 8 times as
fast as DuckDB; K = 1 with all files out of the page cache <= 100 ms.
Bytes an event: truth <= 11, with the index <= 24.

    python3 bihuan.py bench visits_trace [--people 240000] [--days 14] [--places 30000] [--store FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.visits_synthetic import FIRST_DAY, Town, batches
from bihuan.epi.visits import VisitStore, bulk
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.trace import Windows, meet

_BARS = {1: (1.0, 25), 100: (8.0, 100), 10_000: (500.0, 8)}
_COLD_BAR = 100.0
_RUNS, _COLD_RUNS = 9, 5
_WINDOW_DAYS = 3


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns the figures."""
    options = _options(words)
    if options.store:
        return _run(options, Path(options.store))
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        return _run(options, Path(folder) / "store")


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench visits_trace")
    parser.add_argument("--people", type=int, default=240_000)
    parser.add_argument("--places", type=int, default=30_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--store", default="", help="keep the store here, or use the one that is here")
    parser.add_argument("--bulk-runs", type=int, default=3)
    return parser.parse_args(list(words))


def _run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    store = _store(options, folder)
    _compile(store)
    stats = store.stats()
    figures: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "load": round(os.getloadavg()[0], 1),
        "events": stats.stays,
        "people": stats.people,
        "days": stats.days,
        "truth_bytes": round(stats.truth_bytes / stats.stays, 2),
        "index_bytes": round(stats.index_bytes / stats.stays, 2),
    }
    rows = []
    for k in _BARS:
        asked = _windows(store, k, days=stats.days)
        met, wall, busy = _timed(lambda asked=asked: meet(store, asked), _RUNS)
        other, bulk_wall, bulk_busy = _timed(lambda asked=asked: bulk.meet(store, asked), options.bulk_runs)
        if not np.array_equal(met.table, other.table):
            raise SystemExit(f"K = {k}: the engines differ")
        figures[f"k{k}"] = {
            "ms": wall, "processor_ms": busy, "duckdb_ms": bulk_wall, "duckdb_processor_ms": bulk_busy,
            "persons": met.size, "encounters": int(met.encounters.sum()),
        }  # fmt: skip
        rows.append((k, met.size, int(met.encounters.sum()), wall, busy, bulk_wall, bulk_wall / wall))
    figures["cold_k1_ms"] = _cold(folder, stats.days)
    figures["load_after"] = round(os.getloadavg()[0], 1)
    _print(rows, figures)
    print(json.dumps(figures, indent=2))
    return figures


def _store(options: argparse.Namespace, folder: Path) -> VisitStore:
    store = VisitStore.create(folder)
    if not store.segments():
        for batch in batches(Town(people=options.people, places=options.places, days=options.days)):
            store.append(batch)
    return VisitStore(folder)


def _windows(store: VisitStore, k: int, *, days: int, seed: int = 1) -> Windows:
    """Cases by chance, each with three days, so that every day of the store is asked about."""
    rng = np.random.default_rng([seed, k])
    person = rng.choice(store.people.count, k, replace=False).astype(np.uint32)
    since = (FIRST_DAY + rng.integers(0, max(1, days - _WINDOW_DAYS + 1), k)) * DAY_MINUTES
    return Windows(person, since, since + _WINDOW_DAYS * DAY_MINUTES - 1)


def _compile(store: VisitStore) -> None:
    for k in (1, 300):
        meet(store, _windows(store, k, days=3, seed=2))


def _timed(work: Callable[[], Any], runs: int) -> tuple[Any, float, float]:
    """The answer, and medians of wall clock and of processor time in ms."""
    wall, busy, found = [], [], None
    for _ in range(runs):
        begun, worked = time.perf_counter(), time.process_time()
        found = work()
        wall.append((time.perf_counter() - begun) * 1e3)
        busy.append((time.process_time() - worked) * 1e3)
    return found, round(statistics.median(wall), 3), round(statistics.median(busy), 3)


def _cold(folder: Path, days: int) -> float:
    """Opening the store and asking for one case with none of its files in the page cache."""
    runs = []
    for i in range(_COLD_RUNS):
        asked = _windows(VisitStore(folder), 1, days=days, seed=10 + i)
        for path in folder.rglob("*"):
            if path.is_file():
                handle = os.open(path, os.O_RDONLY)
                os.fsync(handle)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(handle)
        begun = time.perf_counter()
        meet(VisitStore(folder), asked)
        runs.append((time.perf_counter() - begun) * 1e3)
    return round(statistics.median(runs), 1)


def _print(rows: list[tuple[Any, ...]], figures: dict[str, Any]) -> None:
    print(f"{figures['events']:,} events, load {figures['load']}")
    print(
        f"{'K':>6} {'persons':>9} {'encounters':>11} {'index ms':>9} {'CPU ms':>8} {'bar':>6}"
        f" {'DuckDB ms':>10} {'ratio':>7} {'bar':>5}"
    )
    for k, persons, met, wall, busy, other, ratio in rows:
        bar, times = _BARS[k]
        print(
            f"{k:6d} {persons:9d} {met:11d} {wall:9.2f} {busy:8.2f} {bar:6.0f} {other:10.1f} {ratio:7.0f}"
            f" {times:5d}"
        )
    print(f"cold, K = 1: {figures['cold_k1_ms']} ms (bar {_COLD_BAR:.0f})")
    both = figures["truth_bytes"] + figures["index_bytes"]
    print(f"bytes an event: truth {figures['truth_bytes']} (bar 11), with index {both:.2f} (bar 24)")
