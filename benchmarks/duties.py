"""A million repeating duties created in one sweep; a second sweep adds none.

Bar: 20 s. Peer, as it publishes: Sara Alert's performance gate allows 310 s for the reminders of a million
people.
Each run is a new day: the sweep at its midnight opens that day's duties of every contact.

    python3 bihuan.py bench duties [--duties 1000000] [--runs 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from benchmarks import loop_city, scratch

BAR_SECONDS = 20.0
PEER = "Sara Alert gate: 310 s for reminders on 1 M people"


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns the figures."""
    parser = argparse.ArgumentParser(prog="bench duties")
    parser.add_argument("--duties", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args(list(words))
    scratch.set_up()
    from bihuan.registry import scope

    with scratch.database("bench_duties"), scope.system():
        setup = loop_city.build(options.duties // loop_city.SLOTS_A_DAY)
        seconds = [measure(day) for day in range(options.runs)]
        return loop_city.shown(
            {
                "bench": "duties",
                "machine": loop_city.machine(),
                "database": loop_city.durability(),
                "duties_a_sweep": options.duties,
                "setup_seconds": round(setup, 1),
                "sweep_seconds": [round(s, 2) for s in seconds],
                "median_seconds": round(statistics.median(seconds), 2),
                "second_sweep_added": 0,
                "bar_seconds": BAR_SECONDS,
                "peer": PEER,
            }
        )


def measure(day: int) -> float:
    """Seconds the slots of one day take; afterwards proves that a second sweep adds nothing. The day's
    duties are
    then ended by hand, so that the next day starts with the same number of open ones."""
    from django.db import connection

    from bihuan.loops.actions.sweep import open_slots

    now = loop_city.MIDNIGHT + timedelta(days=day, seconds=1)
    begun = time.perf_counter()
    added = open_slots(now)
    seconds = time.perf_counter() - begun
    again = open_slots(now)
    if again:
        raise SystemExit(f"The second sweep added {again} duties.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM loops_duty WHERE recorded_at = %s", [now])
        found = cursor.fetchone()[0]
        if found != added:
            raise SystemExit(f"The sweep says {added} duties, the table holds {found}.")
        cursor.execute("CHECKPOINT")
    return seconds
