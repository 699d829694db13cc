"""Who met whom at full scale: the index beside DuckDB in two phases, in the same run, row by row.

Bars at 100 M events, warm: 1 / 100 / 10,000 cases in <= 1 / 8 / 500 ms, and >= 25 / 100 / 8 times as fast as
DuckDB; one case with all files out of the page cache <= 100 ms; from 100 cases on at most 8 times what it
takes to read the bytes; 50 investigators with a case each at the same moment, p95 <= 20 ms; truth <= 11 and
with the index <= 24 bytes an event; a micro-batch found by another reader <= 5 s. Bars at 500 M: 1 / 100
cases in <= 2 / 25 ms.

Every run asks about other cases (three days each, by chance), none of them asked about before; the median of
them counts. Warm: the index has been read once, and questions of the same size were asked. DuckDB answers the
first of the same questions.

    python3 bihuan.py bench visits_trace [--events 100000000] [--days 14] [--store FOLDER] [--duckdb-runs 5]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numba import carray, njit

from benchmarks.visits_synthetic import FIRST_DAY, Town, fill
from bihuan.epi.visits import Batch, VisitStore, buckets, bulk, crew, kernels, ranking, rooms, trace
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.trace import Windows, meet, present_at

#: Cases to milliseconds, and times as fast as DuckDB.
_BARS = {1: (1.0, 25), 100: (8.0, 100), 10_000: (500.0, 8)}
_BARS_500M = {1: (2.0, 0), 100: (25.0, 0), 10_000: (0.0, 0)}
_COLD_BAR, _GAP_BAR, _DESK_BAR, _FRESH_BAR = 100.0, 8.0, 20.0, 5.0
_RUNS = {1: 101, 100: 15, 10_000: 7}
_COLD_RUNS, _BURSTS, _FRESH_RUNS, _MICRO = 7, 20, 7, 2_000
_DESKS = 50
_WINDOW_DAYS = 3
_VISITS = 3.0  # a person and day
_PLACE = 24  # people a place


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns the figures."""
    options = _options(words)
    if options.store:
        return _run(options, Path(options.store))
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        return _run(options, Path(folder) / "store")


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench visits_trace")
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--store", default="", help="keep the store here, or use the one that is here")
    parser.add_argument("--duckdb-runs", type=int, default=5, help="0: without the peer")
    parser.add_argument("--cases", type=int, nargs="*", default=list(_BARS))
    return parser.parse_args(list(words))


def _run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    store = _store(options, folder)
    stats = store.stats()
    figures: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "load": round(os.getloadavg()[0], 1), "events": stats.stays, "people": stats.people,
        "places": stats.places, "days": stats.days,
        "truth_bytes": round(stats.truth_bytes / stats.stays, 2),
        "index_bytes": round(stats.index_bytes / stats.stays, 2),
    }  # fmt: skip
    _warm(store, stats.days)
    for k in options.cases:
        figures[f"k{k}"] = _asked(store, k, days=stats.days, peer=options.duckdb_runs)
        figures[f"k{k}"] |= _floor(store, k, days=stats.days)
    figures["bandwidth_gb_s"] = _bandwidth()
    for k in options.cases:
        _add_gap(figures[f"k{k}"], figures["bandwidth_gb_s"])
    figures["load_meanwhile"] = round(os.getloadavg()[0], 1)
    figures["desks_ms"] = _desks(store, stats.days)
    figures["fresh_s"] = _fresh(folder)
    figures["cold_k1_ms"] = _cold(folder, stats.days)
    figures["load_after"] = round(os.getloadavg()[0], 1)
    _print(figures, options.cases)
    print(json.dumps(figures, indent=2))
    return figures


def _store(options: argparse.Namespace, folder: Path) -> VisitStore:
    store = VisitStore.create(folder)
    if not store.segments():
        people = round(options.events / (options.days * _VISITS))
        fill(store, Town(people, people // _PLACE, options.days, _VISITS))
    return VisitStore(folder)


def _windows(store: VisitStore, k: int, *, days: int, seed: int = 1) -> Windows:
    """Cases by chance, each with three days, so that every day of the store is asked about."""
    rng = np.random.default_rng([seed, k])
    person = rng.choice(store.people.count, k, replace=False).astype(np.uint32)
    since = (FIRST_DAY + rng.integers(0, max(1, days - _WINDOW_DAYS + 1), k)) * DAY_MINUTES
    return Windows(person, since, since + _WINDOW_DAYS * DAY_MINUTES - 1)


def _warm(store: VisitStore, days: int) -> None:
    """Compile, and read the index once."""
    for k in (1, 100, 400):
        meet(store, _windows(store, k, days=days, seed=0))
    for segment in store.segments():
        store.index_of(segment).bytes[::4096].sum()


def _asked(store: VisitStore, k: int, *, days: int, peer: int) -> dict[str, Any]:
    """One size of question: ours and the peer's, of the same cases; and what had to be read for it."""
    n = _RUNS.get(k, 15)
    questions = [_windows(store, k, days=days, seed=seed) for seed in range(1, n + 1)]
    for seed in range(1000, 1003):
        meet(store, _windows(store, k, days=days, seed=seed))
    ours = [_timed(lambda asked=asked: meet(store, asked)) for asked in questions]
    sizes = [_rows_of(store, asked) for asked in questions]
    found: dict[str, Any] = {
        "ms": statistics.median(wall for wall, *_x in ours),
        "p95_ms": float(np.percentile([wall for wall, *_x in ours], 95)),
        "processor_ms": statistics.median(busy for _w, busy, _f in ours),
        "persons": statistics.median(size for *_x, (size, _e) in ours),
        "encounters": statistics.median(met for *_x, (_s, met) in ours),
        "rows": statistics.median(rows for rows, _bytes in sizes),
        "bytes": statistics.median(size for _rows, size in sizes),
        "runs": n,
    }
    if peer:
        theirs = [_peer(store, asked) for asked in questions[:peer]]
        same = statistics.median(wall for wall, *_x in ours[:peer])
        found["duckdb_ms"] = statistics.median(theirs)
        found["times_duckdb"] = found["duckdb_ms"] / same
        found["duckdb_runs"] = peer
    return {name: round(v, 3) if isinstance(v, float) else v for name, v in found.items()}


def _timed(work: Callable[[], Any]) -> tuple[float, float, tuple[int, int]]:
    """Wall clock and processor time in ms, and the size of the answer. The answer is let go, as by a page
    that has shown it."""
    begun, worked = time.perf_counter(), time.process_time()
    met = work()
    wall, busy = (time.perf_counter() - begun) * 1e3, (time.process_time() - worked) * 1e3
    return wall, busy, (met.size, int(met.encounters.sum()))


def _peer(store: VisitStore, asked: Windows) -> float:
    """Milliseconds of DuckDB; its answer is ours, row by row."""
    begun = time.perf_counter()
    other = bulk.meet(store, asked)
    wall = (time.perf_counter() - begun) * 1e3
    if not np.array_equal(meet(store, asked).table, other.table):
        raise SystemExit(f"K = {asked.size}: the engines differ")
    return wall


def _rows_of(store: VisitStore, asked: Windows) -> tuple[int, int]:
    """Stays beside the visits that may meet them, and their bytes: person, start, minutes of each."""
    segments, keep = trace.segments_of(store, asked, 0)
    ranges = _ranges(segments, asked)
    rows = ranges[:, 3] - ranges[:, 2]
    wide = segments[ranges[:, 1], kernels.WIDE] != 0
    del keep
    return int(rows.sum()), int((rows * np.where(wide, 8, 7)).sum())


def _ranges(segments: Any, asked: Windows) -> Any:
    return trace.near(segments, asked, 0)[1]


@njit(nogil=True, fastmath=True)
def _read(segments: Any, ranges: Any) -> Any:
    """Read the rows of `ranges` where they lie, the next stretch asked for ahead, and do nothing else."""
    total = np.int64(0)
    for r in range(ranges.shape[0]):
        if r + 1 < ranges.shape[0]:
            buckets._fetch(segments, ranges[r + 1, 1], ranges[r + 1, 2], ranges[r + 1, 3])
        s, a, n = ranges[r, 1], ranges[r, 2], ranges[r, 3] - ranges[r, 2]
        part = np.uint32(0)
        for number in carray(kernels._pointer(segments[s, kernels.PERSON] + 4 * a), n, np.uint32):
            part += number
        for number in carray(kernels._pointer(segments[s, kernels.START] + 2 * a), n, np.uint16):
            part += np.uint32(number)
        if segments[s, kernels.WIDE]:
            for number in carray(kernels._pointer(segments[s, kernels.MINUTES] + 2 * a), n, np.uint16):
                part += np.uint32(number)
        else:
            for number in carray(kernels._pointer(segments[s, kernels.MINUTES] + a), n, np.uint8):
                part += np.uint32(number)
        total += part
    return total


@njit(nogil=True)
def _write(out: Any) -> None:
    """Write the columns of an answer, past the caches as the product does."""
    line = np.zeros(rooms.LINE, np.int32)
    for at in range(0, out.size - rooms.LINE + 1, rooms.LINE):
        ranking.stream(line.ctypes.data, out.ctypes.data + 4 * at)
    ranking.wait_for_streams()


def _floor(store: VisitStore, k: int, *, days: int) -> dict[str, float]:
    """Milliseconds in which all cores read the rows of a question where they lie, one that was not asked
    before; and write an answer of its size."""
    n_cores, reads, writes = crew.workers(), [], []
    for seed in range(5_000, 5_000 + _RUNS.get(k, 15)):
        asked = _windows(store, k, days=days, seed=seed)
        segments, keep = trace.segments_of(store, asked, 0)
        ranges = _ranges(segments, asked)
        so_far = np.cumsum(ranges[:, 3] - ranges[:, 2])
        cuts = np.searchsorted(so_far, so_far[-1] * np.arange(1, n_cores) // n_cores)
        parts = np.split(ranges, cuts)
        _read(segments, ranges[:1])
        begun = time.perf_counter()
        crew.at_once(lambda part, s=segments: _read(s, part), parts)
        reads.append((time.perf_counter() - begun) * 1e3)
        del keep
        met = meet(store, asked)
        outs = [rooms.answer_of(max(1, met.size // n_cores)) for _n in range(n_cores)]
        _write(outs[0][:, :0].ravel())
        begun = time.perf_counter()
        crew.at_once(lambda out: _write(out.ravel()), outs)
        writes.append((time.perf_counter() - begun) * 1e3)
    return {"read_ms": round(statistics.median(reads), 3), "write_ms": round(statistics.median(writes), 3)}


@njit(nogil=True, fastmath=True)
def _sum(numbers: Any) -> Any:
    total = 0
    for i in range(numbers.size):
        total += numbers[i]
    return total


def _bandwidth() -> float:
    """GB/s at which all cores read memory in order: the best of nine."""
    numbers = np.ones(64_000_000, np.int64)
    parts, best = np.array_split(numbers, os.cpu_count() or 1), 0.0
    _sum(numbers[:8])
    with ThreadPoolExecutor(len(parts)) as pool:
        for _n in range(9):
            begun = time.perf_counter()
            list(pool.map(_sum, parts))
            best = max(best, numbers.nbytes / (time.perf_counter() - begun) / 1e9)
    return round(best, 1)


def _add_gap(figures: dict[str, Any], bandwidth: float) -> None:
    """How often the rows could have been read meanwhile: where they lie; with the answer written besides; and
    if they lay in one piece in order, at the bandwidth of that (`gap_in_order`)."""
    figures["gap"] = round(figures["ms"] / figures["read_ms"], 1)
    figures["gap_with_answer"] = round(figures["ms"] / (figures["read_ms"] + figures["write_ms"]), 1)
    figures["gap_in_order"] = round(figures["ms"] / (figures["bytes"] / bandwidth / 1e6), 1)


def _desks(store: VisitStore, days: int) -> dict[str, float]:
    """Fifty ask about a case each at the same moment, in one process; times from that moment on."""
    waits: list[float] = []
    begun = [0.0]
    gate = threading.Barrier(_DESKS, action=lambda: begun.__setitem__(0, time.perf_counter()))

    def desk(number: int) -> None:
        questions = [
            _windows(store, 1, days=days, seed=10_000 + number * _BURSTS + i) for i in range(_BURSTS)
        ]
        for asked in questions:
            gate.wait()
            meet(store, asked)
            waits.append((time.perf_counter() - begun[0]) * 1e3)

    threads = [threading.Thread(target=desk, args=(n,)) for n in range(_DESKS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {name: round(float(np.percentile(waits, p)), 2) for name, p in (("p50", 50), ("p95", 95))}


def _fresh(folder: Path) -> float:
    """Seconds from handing over a micro-batch until another reader finds all of it, the slowest. In a copy:
    what never changes is linked."""
    first, seconds = (FIRST_DAY + 400) * DAY_MINUTES, []
    with tempfile.TemporaryDirectory(prefix="copy-", dir=folder.parent) as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True, copy_function=_linked)
        for number in range(1, _FRESH_RUNS + 1):
            reader, writer = VisitStore(Path(copy)), VisitStore(Path(copy))
            event = np.arange(1, _MICRO + 1, dtype=np.uint64) + np.uint64(number << 40)
            start = np.full(_MICRO, first + number, np.int64)
            batch = Batch(event, event, np.full(_MICRO, f"gate {number}", object), start, start + 5)
            begun = time.perf_counter()
            writer.append(batch)
            found = present_at(reader, f"gate {number}", first, first + DAY_MINUTES)
            seconds.append(time.perf_counter() - begun)
            if len(found) != _MICRO:
                raise SystemExit(f"{len(found)} of {_MICRO} found")
    return round(max(seconds), 3)


def _linked(source: str, target: str) -> None:
    if source.endswith((".parquet", ".index", ".events")):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


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
        runs.append(_timed(lambda asked=asked: meet(VisitStore(folder), asked))[0])
    return round(statistics.median(runs), 1)


def _print(figures: dict[str, Any], cases: Sequence[int]) -> None:
    print(f"{figures['machine']}; load {figures['load']} to {figures['load_after']}")
    print(
        f"{figures['events']:,} events, {figures['days']} days, {figures['people']:,} people,"
        f" {figures['places']:,} places; {figures['bandwidth_gb_s']} GB/s"
    )
    bars = _BARS if figures["events"] < 300_000_000 else _BARS_500M
    print(
        f"{'K':>6} {'persons':>9} {'encounters':>11} {'rows':>11} {'ms':>8} {'bar':>5} {'CPU ms':>8}"
        f" {'p95':>8} {'DuckDB':>9} {'times':>6} {'bar':>4} {'gap':>6} {'+answer':>8} {'in order':>8}"
    )
    for k in cases:
        f, (bar, times) = figures[f"k{k}"], bars.get(k, (0, 0))
        print(
            f"{k:6d} {f['persons']:9.0f} {f['encounters']:11.0f} {f['rows']:11.0f} {f['ms']:8.2f} {bar:5.0f}"
            f" {f['processor_ms']:8.2f} {f['p95_ms']:8.2f} {f.get('duckdb_ms', 0):9.1f}"
            f" {f.get('times_duckdb', 0):6.0f} {times:4d} {f['gap']:6.1f} {f['gap_with_answer']:8.1f}"
            f" {f['gap_in_order']:8.1f}"
        )
    both = figures["truth_bytes"] + figures["index_bytes"]
    print(
        f"gap from K = 100 on: the bar of {_GAP_BAR:.0f} as written is against as many bytes read in order,"
        " the last column; before it, against reading them where they lie, alone and with the answer written"
    )
    print(f"cold, K = 1: {figures['cold_k1_ms']} ms (bar {_COLD_BAR:.0f}, median of {_COLD_RUNS})")
    print(f"{_DESKS} at once, K = 1: {figures['desks_ms']} ms (bar p95 {_DESK_BAR:.0f}), {_BURSTS} times")
    print(
        f"a batch of {_MICRO} found after {figures['fresh_s']} s (slowest of {_FRESH_RUNS}, bar {_FRESH_BAR})"
    )
    print(f"bytes an event: truth {figures['truth_bytes']} (bar 11), with index {both:.2f} (bar 24)")
