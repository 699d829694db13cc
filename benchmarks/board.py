"""The board of a city at a million open duties, and its equality with the raw count.

Bar: p95 of 0.5 s. Peer: SORMAS's dashboard about 10 minutes (issue 1841).

    python3 bihuan.py bench board [--duties 1000000] [--asks 60]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from benchmarks import loop_city, scratch

BAR_SECONDS = 0.5
PEER = "SORMAS dashboard: about 10 min (#1841)"


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns the figures."""
    parser = argparse.ArgumentParser(prog="bench board")
    parser.add_argument("--duties", type=int, default=1_000_000)
    parser.add_argument("--asks", type=int, default=60)
    options = parser.parse_args(list(words))
    scratch.set_up()
    from bihuan.registry import scope

    with scratch.database("bench_board"), scope.system():
        loop_city.build(options.duties // loop_city.SLOTS_A_DAY)
        from bihuan.loops.actions import fold_tallies
        from bihuan.loops.actions.sweep import open_slots

        open_slots(loop_city.MIDNIGHT + timedelta(seconds=1))
        fold_tallies()
        seconds, raw, n_open = measure(options.asks)
        return loop_city.shown(
            {
                "bench": "board",
                "machine": loop_city.machine(),
                "database": loop_city.durability(),
                "open_duties": n_open,
                "asks": options.asks,
                "median_seconds": round(statistics.median(seconds), 3),
                "p95_seconds": round(loop_city.p95(seconds), 3),
                "raw_count_seconds": round(statistics.median(raw), 3),
                "equal_to_raw_count": True,
                "bar_seconds": BAR_SECONDS,
                "peer": PEER,
            }
        )


def measure(asks: int) -> tuple[list[float], list[float], int]:
    """Seconds of boards asked all through the day at odd minutes; some are compared with the raw count."""
    from bihuan.loops.queries import board
    from bihuan.registry import clock

    module = sys.modules["bihuan.loops.queries.board"]
    kept = module.STREET_CODE_LENGTH  # type: ignore[attr-defined]
    seconds, raw, n_open = [], [], 0
    for ask in range(asks):
        with clock.frozen(loop_city.MIDNIGHT + timedelta(minutes=3 + ask * 1440 / asks)):
            begun = time.perf_counter()
            found = board(loop_city.CITY)
            seconds.append(time.perf_counter() - begun)
            n_open = found.total.open
            if ask % max(1, asks // 5) == 0:
                module.STREET_CODE_LENGTH = 0  # type: ignore[attr-defined]
                begun = time.perf_counter()
                counted = board(loop_city.CITY)
                raw.append(time.perf_counter() - begun)
                module.STREET_CODE_LENGTH = kept  # type: ignore[attr-defined]
                if counted.cells != found.cells or (found.source, counted.source) != ("tally", "raw"):
                    raise SystemExit("The board differs from the raw count.")
    return seconds, raw, n_open
