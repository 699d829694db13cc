"""Files of visits into the store: parsing, validation, duplicates by event id, two sort orders, index, fsync.

Bars (issue 4): 500,000 events a second from the file to durable; a micro-batch visible to a query within
5 s; at most 11 bytes an event for the truth and 24 with the index. Event ids are kept beside them for a
week, 8 bytes each, so that a gate may send again what it sent; they are shown apart. Afterwards the file is
read again and adds nothing, and the stays are counted against the rows.

    python3 bihuan.py bench visits_ingest [--people 1000000] [--visits 3] [--days 2] [--micro 2000]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.visits_synthetic import FIRST_DAY, Town, columns
from bihuan.epi.visits import Batch, VisitStore
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.ingest import ingest
from bihuan.epi.visits.store import UNKNOWN_END
from bihuan.epi.visits.trace import present_at

EVENTS_PER_SECOND, VISIBLE_SECONDS, TRUTH_BYTES, ALL_BYTES = 500_000, 5.0, 11.0, 24.0
KEY = bytes(range(32))


def main(words: Sequence[str] = ()) -> int:
    """Run it and print the table; 1 when a bar is missed or a count is wrong."""
    options = _options(words)
    town = Town(options.people, options.places, options.days, options.visits)
    load = os.getloadavg()[0]
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load:.1f}"
    )
    with tempfile.TemporaryDirectory(prefix="bihuan-visits-", dir=options.folder) as folder:
        return _run(town, Path(folder), micro=options.micro)


def _run(town: Town, folder: Path, *, micro: int) -> int:
    files = [write_csv(town, day, folder / f"day-{day}.csv") for day in range(town.days)]
    _warm(files[0], folder)
    store = VisitStore.create(folder / "store")
    store.append(_micro(0, 1))  # the first day of the file is not the first of the process
    now = datetime.fromtimestamp((FIRST_DAY + town.days + 2) * 86_400, UTC)
    rates, cpu_rates, rows = [], [], 0
    for file in files:
        wall, cpu = time.perf_counter(), time.process_time()
        done = ingest(store, [file], key=KEY, now=now)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rates.append(done.rows / wall)
        cpu_rates.append(done.rows / cpu)
        rows += done.rows
        assert done.rows == done.added == town.per_day, done
    again = ingest(store, files[:1], key=KEY, now=now)
    assert (again.added, again.duplicate) == (0, town.per_day), again
    wall = time.perf_counter()
    merged = sum(store.compact(day=FIRST_DAY + day) for day in range(town.days))
    compacting = time.perf_counter() - wall
    visible = [_seen(store, number, micro) for number in range(1, 8)]
    sizes = store.stats()
    assert sizes.stays == rows + 1 + 7 * micro, sizes
    days = store.segments(FIRST_DAY, FIRST_DAY + town.days - 1)
    truth = sum(size for s in days for size, _crc in s.files.values()) / rows
    index = sum(store._path(s, "index").stat().st_size for s in days) / rows
    lines = [
        ("events/s, file to durable", f"{statistics.median(rates):,.0f}", f">= {EVENTS_PER_SECOND:,}"),
        ("  per second of processor time", f"{statistics.median(cpu_rates):,.0f}", ""),
        (f"visible after, {micro} events (slowest of 7)", f"{max(visible):.2f} s", f"<= {VISIBLE_SECONDS} s"),
        ("bytes an event, truth", f"{truth:.2f}", f"<= {TRUTH_BYTES}"),
        ("bytes an event, truth and index", f"{truth + index:.2f}", f"<= {ALL_BYTES}"),
        ("bytes an event, event ids of the week", f"{sizes.receipt_bytes / sizes.stays:.2f}", ""),
        (f"compaction of {merged} days", f"{compacting:.1f} s, {rows / max(compacting, 1e-9):,.0f}/s", ""),
    ]
    print(f"{rows:,} events in {town.days} days, {town.people:,} people, {town.places:,} places")
    for what, ours, bar in lines:
        print(f"  {what:<46} {ours:>22}   {bar}")
    met = statistics.median(rates) >= EVENTS_PER_SECOND and max(visible) <= VISIBLE_SECONDS
    return 0 if met and truth <= TRUTH_BYTES and truth + index <= ALL_BYTES else 1


def write_csv(town: Town, day: int, path: Path) -> Path:
    """A day as the gates would export it, rows in the order of time."""
    made = columns(town, day)
    with_end = made["end"] != UNKNOWN_END
    given = {  # noqa: F841 (read by DuckDB)
        **made,
        "end": np.where(with_end, made["end"], made["start"]),
        "with_end": with_end,
        "event": made["event"].astype(np.int64),
    }
    with duckdb.connect() as db:
        minute = "strftime(make_timestamp({} * 60000000), '%Y-%m-%d %H:%M')"
        since, until = minute.format("start"), minute.format('"end"')
        db.execute(
            "COPY (SELECT 'E' || event AS event_id,"
            " '4203' || lpad(person::VARCHAR, 13, '0') || 'X' AS person_id,"
            " 'P' || lpad(place::VARCHAR, 7, '0') AS place,"
            f" {since} AS time_in,"
            f" CASE WHEN with_end THEN {until} END AS time_out,"
            " CASE WHEN NOT isnan(temperature) THEN round(temperature, 1) END AS temperature,"
            " ['qr', 'card', 'face', 'manual'][how + 1] AS how"
            f" FROM given ORDER BY start) TO '{path}' (FORMAT csv, HEADER true)"
        )
    return path


def _warm(file: Path, folder: Path) -> None:
    """Compile, outside of the measure."""
    small = folder / "warm.csv"
    with file.open() as source, small.open("w") as out:
        out.writelines(line for line, _n in zip(source, range(1000), strict=False))
    ingest(VisitStore.create(folder / "warm"), [small], key=KEY, now=datetime.now(UTC))


def _micro(number: int, n: int) -> Batch:
    """What a gate sends in a moment, on a day of its own."""
    first = (FIRST_DAY + 400) * DAY_MINUTES
    event = np.arange(1, n + 1, dtype=np.uint64) + np.uint64(number << 32)
    start = np.full(n, first + number, np.int64)
    return Batch(event, event, np.full(n, f"gate {number}", object), start, start + 5)


def _seen(store: VisitStore, number: int, n: int) -> float:
    """Seconds from handing over a batch until another reader finds all of it."""
    reader = VisitStore(store.folder)
    began = time.perf_counter()
    store.append(_micro(number, n))
    first = (FIRST_DAY + 400) * DAY_MINUTES
    found = present_at(reader, f"gate {number}", first, first + DAY_MINUTES)
    assert len(found) == n, len(found)
    return time.perf_counter() - began


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench visits_ingest")
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--places", type=int, default=30_000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--visits", type=float, default=3.0)
    parser.add_argument("--micro", type=int, default=2_000)
    parser.add_argument("--folder", help="where to write; default the temporary folder of the machine")
    return parser.parse_args(list(words))


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
