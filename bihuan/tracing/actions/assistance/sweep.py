"""What the worker does for assistance requests every minute. Run twice at once or killed, it doubles
nothing."""

from __future__ import annotations

from datetime import datetime

from bihuan.registry.actor import Actor
from bihuan.tracing.actions.assistance.carry import Delivered, deliver
from bihuan.tracing.actions.assistance.end import erase_what_is_over
from bihuan.tracing.actions.assistance.respond import feed_back


def sweep_assistance(now: datetime | None = None) -> Delivered:
    """Answer by what was recorded, delete what is over, and carry what waits for other installations."""
    feed_back(actor=Actor.system("assistance"), now=now)
    erase_what_is_over(now=now)
    return deliver(now=now)
