"""Twenty thousand duties closed in bulk with evidence and history.

Bar: 3 s. Peer, as it publishes: Sara Alert's performance gate allows 600 s.

    python3 bihuan.py bench close [--duties 20000] [--runs 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from benchmarks import loop_city, scratch

BAR_SECONDS = 3.0
PEER = "Sara Alert gate: 600 s"


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns the figures."""
    parser = argparse.ArgumentParser(prog="bench close")
    parser.add_argument("--duties", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--contacts", type=int, default=60_000)
    options = parser.parse_args(list(words))
    scratch.set_up()
    from bihuan.registry import scope

    with scratch.database("bench_close"), scope.system():
        loop_city.build(options.contacts)
        seconds = measure(options.duties, options.runs)
        return loop_city.shown(
            {
                "bench": "close",
                "machine": loop_city.machine(),
                "database": loop_city.durability(),
                "duties_closed": options.duties,
                "open_duties_beside": options.contacts * (loop_city.SLOTS_A_DAY + 1) - options.duties,
                "close_seconds": [round(s, 2) for s in seconds],
                "median_seconds": round(statistics.median(seconds), 2),
                "history_rows": options.duties * options.runs,
                "bar_seconds": BAR_SECONDS,
                "peer": PEER,
            }
        )


def measure(n: int, runs: int) -> list[float]:
    """Seconds of each run. Each ends with every duty done, its evidence kept, and one row of history."""
    from bihuan.loops.actions import complete_bulk
    from bihuan.loops.actions.sweep import open_slots
    from bihuan.loops.models import Duty, DutyHistory
    from bihuan.registry import clock
    from bihuan.registry.actor import Actor

    now = loop_city.MIDNIGHT + timedelta(hours=9)
    open_slots(now)
    ids = list(
        Duty.unscoped.filter(kind="temperature", state=0)
        .order_by("id")
        .values_list("id", flat=True)[: n * runs]
    )
    seconds = []
    for run in range(runs):
        batch = ids[run * n : (run + 1) * n]
        with clock.frozen(now):
            begun = time.perf_counter()
            done = complete_bulk(batch, {"value": 36.6}, now - timedelta(minutes=20), Actor.system("bench"))
            seconds.append(time.perf_counter() - begun)
        kept = Duty.unscoped.filter(id__in=batch, state=1, evidence__value=36.6).count()
        history = DutyHistory.unscoped.filter(duty_id__in=batch).count()
        if not done == kept == history == len(batch):
            raise SystemExit(
                f"Of {len(batch)}: {done} said done, {kept} with evidence, {history} with history."
            )
    return seconds
