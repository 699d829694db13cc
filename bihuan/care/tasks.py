"""Jobs of the worker: orders end on time and unanswered appeals lapse, every minute.

What it tells the loops they take up at once; the loops' own sweep needs no order with this one.
"""

from __future__ import annotations

from procrastinate.contrib.django import app

from bihuan.care.actions import sweep_care as end_what_is_over


@app.periodic(cron="* * * * *")
@app.task(name="care.sweep", queue="loops", queueing_lock="care.sweep", lock="care.sweep")
def sweep_care(timestamp: int) -> None:
    """End orders that reached their end and lapse appeals nobody answered, by the house's clock."""
    end_what_is_over()
