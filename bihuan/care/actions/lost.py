"""A contact who cannot be found: observation is not happening, so its order ends and a search is owed."""

from __future__ import annotations

from datetime import datetime

from bihuan.care.actions.release import end_order
from bihuan.care.models import Order
from bihuan.care.rules import EndReason
from bihuan.cases.actions.common import Day, moment_now, writing, zone_of
from bihuan.cases.rules import moment
from bihuan.loops.actions import record as tell_loops
from bihuan.registry.actor import Actor
from bihuan.tracing import actions as tracing
from bihuan.tracing.models import Contact


def record_lost(
    contact_id: str,
    *,
    reason: str,
    actor: Actor,
    at: Day = None,
    final: bool = False,
    now: datetime | None = None,
) -> Contact:
    """The person cannot be found since `at`. A running order ends; once found, she is placed anew.

    `final` gives the search up and closes the loop. Raises what `tracing.actions.record_lost` raises.
    """
    known_at = moment_now(now)
    with writing(actor):
        contact = tracing.record_lost(
            contact_id, reason=reason, actor=actor, at=at, final=final, now=known_at
        )
        order = (
            Order.objects.select_for_update(of=("self",))
            .filter(contact=contact, ended_at__isnull=True)
            .first()
        )
        if order is not None:
            when = moment(at if at is not None else known_at, zone_of(contact.territory_code))
            assert when is not None
            told = end_order(contact, order, reason=EndReason.LOST, when=when, by=actor.name, text=reason)
            tell_loops([told], actor=actor, now=known_at)
        return contact
