"""What the worker does for assistance requests every minute. Run twice at once or killed, it doubles
nothing."""

from __future__ import annotations

from datetime import datetime

from bihuan.registry.actor import Actor
from bihuan.tracing.actions.assistance.carry import Delivered, deliver
from bihuan.tracing.actions.assistance.compare import compare_all
from bihuan.tracing.actions.assistance.end import erase_what_is_over
from bihuan.tracing.actions.assistance.respond import feed_back


def sweep_assistance(now: datetime | None = None) -> Delivered:
    """Answer by what was recorded, delete what is over, compare what is open with other installations, and
    carry what waits for them."""
    feed_back(actor=Actor.system("assistance"), now=now)
    erase_what_is_over(now=now)
    compare_all(now=now)
    return deliver(now=now)
