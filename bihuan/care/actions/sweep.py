"""What time alone does in care: orders reach their end, unanswered appeals end in the person's favor.

Everything here is favorable to a person or a plain consequence of an end decided before; nothing restricts.
Safe to run twice at once and to be killed: each step claims its rows and commits with what follows from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from bihuan.care.actions.appeals import answer
from bihuan.care.actions.convert import release_contacts_of_excluded
from bihuan.care.actions.release import ended_event
from bihuan.care.models import Appeal, Order
from bihuan.care.rules import AppealDecision, EndReason, is_lapsed
from bihuan.cases.actions.common import moment_now, writing, zone_of
from bihuan.cases.rules import Classification, Moment
from bihuan.loops import actions as loops
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.tracing.actions.merge import LIVE
from bihuan.tracing.models import Contact, Exposure, NamingEnd

CHUNK = 2000


@dataclass(frozen=True, slots=True)
class CareSweep:
    """How many orders reached their end, appeals lapsed, contacts were released as their source was
    excluded.
    """

    ended: int
    lapsed: int
    released: int


def sweep(now: datetime | None = None) -> tuple[CareSweep, loops.SweepResult]:
    """Everything that follows from time: care first, then the loops. The worker calls this."""
    at = moment_now(now)
    care = sweep_care(at)
    with scope.system():
        return care, loops.sweep(at)


def sweep_care(now: datetime | None = None) -> CareSweep:
    """End what has reached its end by `now`. After downtime the result is the same as if it had never
    stopped.
    """
    at = moment_now(now)
    actor = Actor.system("care.sweep")
    with scope.system():
        return CareSweep(
            ended=_until_none(lambda: _end_orders(at, actor)),
            lapsed=_until_none(lambda: _lapse_appeals(at, actor)),
            released=_release_excluded(at, actor),
        )


def _until_none(step):  # type: ignore[no-untyped-def]
    total = 0
    while done := step():
        total += done
    return total


def _end_orders(at: datetime, actor: Actor) -> int:
    """One chunk of orders past their end; each ended at its own end, not at the sweep."""
    with writing(actor):
        rows = (
            Order.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("contact")
            .filter(ended_at__isnull=True, end_at__lte=at)
            .order_by("end_at")[:CHUNK]
        )
        orders = list(rows)
        told = []
        for order in orders:
            order.ended_at, order.end_reason, order.ended_by = (
                order.end_at,
                EndReason.END_REACHED.value,
                actor.name,
            )
            tz = zone_of(order.territory_code)
            when = Moment(order.end_at.astimezone(tz).date(), order.end_at)
            told.append(ended_event(order.contact, order, when))
        Order.objects.bulk_update(orders, ["ended_at", "end_reason", "ended_by"])
        if told:
            loops.record(told, actor=actor, now=at)
        return len(orders)


def _lapse_appeals(at: datetime, actor: Actor) -> int:
    """One chunk of appeals whose answer is overdue: the order ends at the deadline of the answer."""
    with writing(actor):
        rows = (
            Appeal.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(decided_at__isnull=True, due_at__lt=at)
            .order_by("due_at")[:CHUNK]
        )
        lapsed = [appeal for appeal in rows if is_lapsed(appeal.due_at, appeal.decided_at, at)]
        for appeal in lapsed:
            reason = _("Nobody answered by the deadline.")
            answer(appeal, AppealDecision.LAPSED, reason=reason, by=actor, at=appeal.due_at, now=at)
        return len(lapsed)


def _release_excluded(at: datetime, actor: Actor) -> int:
    """Contacts of cases that were discarded by another door."""
    live, discarded = [s.value for s in LIVE], Classification.DISCARDED.value
    ended = NamingEnd.objects.filter(contact=OuterRef("pk"), exposure__isnull=True)
    own = Contact.objects.filter(~Exists(ended), status__in=live, case__classification=discarded)
    more = Exposure.objects.filter(end__isnull=True, case__classification=discarded, contact__status__in=live)
    total = 0
    for case_id in sorted({*own.values_list("case_id", flat=True), *more.values_list("case_id", flat=True)}):
        with writing(actor):
            total += len(release_contacts_of_excluded(case_id, actor=actor, now=at))
    return total
