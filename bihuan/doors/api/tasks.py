"""What the worker does for the API. Every process loads this file; the work is imported late."""

from __future__ import annotations

from procrastinate.contrib.django import app


@app.periodic(cron="41 * * * *")
@app.task(name="api.forget_answers", queueing_lock="api.forget_answers")
def forget_answers(timestamp: int) -> None:
    """Every hour: delete answers to idempotency keys that are kept no longer."""
    from bihuan.doors.api import answers

    answers.forget()
