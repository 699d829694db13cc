"""Jobs of the worker: the sweep every minute, new packs, and what is kept no longer. Missing some, or running
two at once, changes no figure."""

from __future__ import annotations

import structlog
from procrastinate.contrib.django import app

from bihuan.loops.actions import replan, shred_due, sweep
from bihuan.registry import clock
from bihuan.registry.actor import Actor


@app.periodic(cron="* * * * *")
@app.task(name="loops.sweep", queue="loops", queueing_lock="loops.sweep", lock="loops.sweep")
def sweep_loops(timestamp: int) -> None:
    """Bring every loop to the present of the house's clock (not to `timestamp`: a movable clock may
    differ)."""
    sweep()


@app.periodic(cron="*/5 * * * *")
@app.task(name="loops.replan", queue="loops", queueing_lock="loops.replan", lock="loops.replan")
def replan_loops(timestamp: int) -> None:
    """Bring open loops under packs that came into force. Territories have midnights of their own, and loops
    of days gone by are recorded at any time, so it looks every five minutes; mostly there is nothing to do.
    """
    replan(now=clock.now(), actor=Actor.system("replan"))


@app.periodic(cron="29 2 * * *")
@app.task(name="loops.shred_due", queueing_lock="loops.shred_due", lock="loops.shred_due")
def shred_what_is_over(timestamp: int) -> None:
    """Every night: destroy the personal data of people whose retention is over, by the house's clock, where a
    pack that names its source says how long. Under the unverified default it only counts them."""
    run = shred_due(actor=Actor.system("retention"), vouched=True)
    structlog.get_logger(__name__).info(
        "retention.done", due=run.due, shredded=run.shredded, held=len(run.held), unvouched=run.unvouched
    )
