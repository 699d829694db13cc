"""What the worker does for tracing. Every process loads this file; the work is imported late."""

from __future__ import annotations

from procrastinate.contrib.django import app


@app.periodic(cron="* * * * *")
@app.task(name="tracing.pseudonyms", queueing_lock="tracing.pseudonyms", lock="tracing.pseudonyms")
def pseudonyms(timestamp: int) -> None:
    """Every minute: people newly registered get their keyed numbers in the visit store."""
    from bihuan.tracing import visits
    from bihuan.tracing.actions.pseudonyms import catch_up

    if visits.open_store() is not None:
        catch_up()


@app.periodic(cron="40 3 * * *")
@app.task(name="tracing.pseudonyms_all", queueing_lock="tracing.pseudonyms", lock="tracing.pseudonyms")
def pseudonyms_all(timestamp: int) -> None:
    """Every night: also those whose numbers were corrected long after they were registered."""
    from bihuan.tracing import visits
    from bihuan.tracing.actions.pseudonyms import catch_up

    if visits.open_store() is not None:
        catch_up(everybody=True)


@app.periodic(cron="* * * * *")
@app.task(name="tracing.assistance", queueing_lock="tracing.assistance", lock="tracing.assistance")
def assistance(timestamp: int) -> None:
    """Every minute: assistance requests are answered by what was recorded, deleted when over, and carried to
    other installations."""
    import structlog

    from bihuan.tracing.actions.assistance import sweep_assistance

    result = sweep_assistance()
    if result.delivered or result.failed:
        structlog.get_logger(__name__).info(
            "assistance.carried", delivered=result.delivered, failed=result.failed
        )
