"""What the worker does for the registry. Every process loads this file; the work is imported late."""

from __future__ import annotations

from procrastinate.contrib.django import app

_PATIENCE_SECONDS = 60.0


@app.periodic(cron="*/5 * * * *")
@app.task(name="registry.deliver", queueing_lock="registry.deliver", lock="registry.deliver")
def deliver(timestamp: int) -> None:
    """Every five minutes: send digests whose time has come by the ways that are switched on (none by
    default)."""
    from bihuan.registry import delivery, outbox, scope

    for adapter in delivery.adapters():
        with scope.system():
            outbox.deliver(adapter)


@app.periodic(cron="5 * * * *")
@app.task(name="registry.seal", queueing_lock="registry.seal")
def seal(timestamp: int) -> None:
    """Every hour: seal new history and access log rows. Held up by a long transaction, the next hour takes
    them."""
    import structlog

    from bihuan.registry import chain, scope

    with scope.system():
        result = chain.seal(wait_seconds=_PATIENCE_SECONDS)
    structlog.get_logger(__name__).info(
        "audit.sealed", block=result.number, rows=result.rows, head=result.head, waiting=result.waiting_since
    )
