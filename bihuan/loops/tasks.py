"""Jobs of the worker: the sweep, every minute. Missing some, or running two at once, changes no figure."""

from __future__ import annotations

from procrastinate.contrib.django import app

from bihuan.loops.actions import sweep


@app.periodic(cron="* * * * *")
@app.task(name="loops.sweep", queue="loops", queueing_lock="loops.sweep", lock="loops.sweep")
def sweep_loops(timestamp: int) -> None:
    """Bring every loop to the present of the house's clock (not to `timestamp`: a movable clock may
    differ)."""
    sweep()
