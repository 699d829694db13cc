"""What the worker does for imports. Every process loads this file at start; the work is imported late."""

from __future__ import annotations

from procrastinate.contrib.django import app


@app.task(name="exchange.run_import", queue="import")
def run_import(job_id: str) -> None:
    """Run one import; an error of the house is kept in the job and told there."""
    from .run import run

    run(job_id)


@app.periodic(cron="17 3 * * *")
@app.task(name="exchange.shred_uploads", queueing_lock="exchange.shred_uploads")
def shred_uploads(timestamp: int) -> None:
    """Every night: uploaded files older than they are kept."""
    from bihuan.registry import clock, scope

    from . import jobs

    with scope.system():
        jobs.shred_uploads(clock.now())
