"""What the worker does for tracing. Every process loads this file; the work is imported late."""

from __future__ import annotations

from procrastinate.contrib.django import app

_MERGE_SECONDS = 50.0


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


@app.periodic(cron="* * * * *")
@app.task(name="tracing.visits_merge", queueing_lock="tracing.visits_merge", lock="tracing.visits_merge")
def visits_merge(timestamp: int) -> None:
    """Every minute: merge small batches whose sender could not, because another process was writing, and put
    the small parts of a day together."""
    import time

    from bihuan.epi.visits import VisitStore
    from bihuan.epi.visits.layout import StoreBusy
    from bihuan.tracing import visits
    from bihuan.tracing.actions.record_visits import merge_waiting, spool

    if not (visits.folder() / "store.json").exists():
        return
    until = time.monotonic() + _MERGE_SECONDS
    while spool().names() and time.monotonic() < until:
        if merge_waiting() is None:
            time.sleep(1)
    try:
        VisitStore(visits.folder()).tidy()
    except StoreBusy:
        return  # in a minute


@app.periodic(cron="10 3 * * *")
@app.task(name="tracing.visits_forget", queueing_lock="tracing.visits_forget", lock="tracing.visits_forget")
def visits_forget(timestamp: int) -> None:
    """Every night: delete visits whose time is up, by the house's clock, and forget event ids a week past."""
    import structlog

    from bihuan.epi.visits import VisitStore
    from bihuan.registry import clock
    from bihuan.registry.actor import Actor
    from bihuan.tracing import visits
    from bihuan.tracing.actions.forget_visits import follow_list, forget_due, note_by_hand

    if not (visits.folder() / "store.json").exists():
        return
    note_by_hand()
    follow_list(actor=Actor.system("retention"))
    done = forget_due(actor=Actor.system("retention"))
    store = VisitStore(visits.folder())
    store.compact(today=visits.minute_of(store, clock.now()) // 1440)
    structlog.get_logger(__name__).info(
        "visits.retention", before=str(done.before) if done else "", stays=done.stays if done else 0
    )
