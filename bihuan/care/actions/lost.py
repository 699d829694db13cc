"""A contact who cannot be found: observation is not happening, so its order ends and a search is owed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bihuan.care.actions.release import end_order
from bihuan.care.models import Order
from bihuan.care.rules import EndReason
from bihuan.cases.actions.common import Day, moment_now, writing, zone_of
from bihuan.cases.rules import moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.registry.actor import Actor
from bihuan.tracing import actions as tracing
from bihuan.tracing.actions import LostInput
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

    `final` gives the search up and closes the loop. Raises what `tracing.actions.record_all_lost` raises.
    """
    given = LostInput(contact_id, reason, at, final)
    return record_all_lost([given], actor=actor, now=now)[0]


def record_all_lost(
    inputs: Sequence[LostInput], *, actor: Actor, now: datetime | None = None
) -> list[Contact]:
    """`record_lost` for many, in one transaction: all or none."""
    known_at = moment_now(now)
    with writing(actor):
        contacts = tracing.record_all_lost(inputs, actor=actor, now=known_at)
        running = Order.objects.select_for_update(of=("self",)).filter(
            contact__in=[c.id for c in contacts], ended_at__isnull=True
        )
        orders = {order.contact_id: order for order in running.order_by("id")}
        told = [
            _end(contact, orders[contact.id], given, actor, known_at)
            for contact, given in zip(contacts, inputs, strict=True)
            if contact.id in orders
        ]
        tell_loops(told, actor=actor, now=known_at)
        return contacts


def _end(contact: Contact, order: Order, given: LostInput, actor: Actor, known_at: datetime) -> NewEvent:
    when = moment(given.at if given.at is not None else known_at, zone_of(contact.territory_code))
    assert when is not None
    return end_order(contact, order, reason=EndReason.LOST, when=when, by=actor.name, text=given.reason)
