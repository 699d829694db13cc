"""One source of a contact falls away: its case was excluded, or the naming was an error.

What the others say decides from then on. Observation that was counted from what fell ends earlier, in the
person's favor, so nobody needs to ask; its loop is read again as if it had been so planned. Where nothing is
left, the person is free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from django.utils.translation import gettext as _

from bihuan.care.actions.orders import first_test_day
from bihuan.care.actions.release import BATCH, ORDER_END, decide
from bihuan.care.models import Order
from bihuan.care.queries.obliged import SECONDARY_RULE, course_of
from bihuan.care.rules import Observation, ReleaseReason, course_tests, midnight_after, observation
from bihuan.cases.actions.common import stamp, zone_of
from bihuan.cases.models import Case
from bihuan.cases.rules import Classification, Moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.loops.models import LogEvent
from bihuan.loops.rules.words import RETRACTED
from bihuan.policy.packs import ResolvedPolicy, in_force
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import news
from bihuan.tracing.actions.merge import LIVE
from bihuan.tracing.actions.namings import DECIDING, namings_of, put_aside
from bihuan.tracing.models import Contact, NamingEnd
from bihuan.tracing.rules.namings import Naming, deciding_last, is_obliged

_PLAN = ["day_zero", "last_day", "end_at", "tests_on", "review_on", "home_from", "home_kind"]
_WHY = {ReleaseReason.SOURCE_EXCLUDED: "source_excluded", ReleaseReason.JOINED: "joined"}
_RELEASE = ["status", "released_at", "release_reason"]


@dataclass(slots=True)
class Fallen:
    """What came of it, by public id of the contact: who is free, and whose observation ends earlier, with its
    last day."""

    released: list[str] = field(default_factory=list)
    shortened: dict[str, date] = field(default_factory=dict)


def end_namings(
    contacts: Sequence[Contact],
    which: Callable[[Contact, Naming], bool],
    *,
    release: ReleaseReason,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Fallen:
    """End the namings `which` picks of these contacts, all held by the caller, in its transaction and as the
    system: they may live in other territories. Ended ones are left as they are. A fixed number of statements,
    and two more for each contact whose last exposure moves."""
    return _Falling(contacts, release=release, reason=reason, actor=actor, now=now).fall(which)


class _Falling:
    """Decided one by one on what is read together, and written together."""

    def __init__(
        self, contacts: Sequence[Contact], *, release: ReleaseReason, reason: str, actor: Actor, now: datetime
    ) -> None:
        self.contacts, self.release, self.reason = contacts, release, reason
        self.actor, self.now = actor, now
        self.told = namings_of(contacts)
        self.excluded = _excluded(self.told)
        self.orders: dict[int, list[Order]] = {}
        rows = Order.objects.select_for_update(of=("self",)).filter(contact__in=[c.pk for c in contacts])
        for order in rows.order_by("id"):
            self.orders.setdefault(order.contact_id, []).append(order)
        self.ends: list[NamingEnd] = []
        self.moved: list[Contact] = []
        self.freed: list[Contact] = []
        self.ended: list[Order] = []
        self.planned: list[Order] = []
        self.events: list[NewEvent] = []
        self.found = Fallen()

    def fall(self, which: Callable[[Contact, Naming], bool]) -> Fallen:
        for contact in self.contacts:
            ending = [n for n in self.told[contact.pk] if n.stands and which(contact, n)]
            if ending:
                self._one(contact, ending)
        NamingEnd.objects.bulk_create(self.ends, batch_size=BATCH)
        Contact.objects.bulk_update(self.moved, DECIDING, batch_size=BATCH)
        Contact.objects.bulk_update(self.freed, _RELEASE, batch_size=BATCH)
        Order.objects.bulk_update(self.ended, ORDER_END, batch_size=BATCH)
        Order.objects.bulk_update(self.planned, _PLAN, batch_size=BATCH)
        tell_loops(self.events, actor=self.actor, now=self.now)
        return self.found

    def _one(self, contact: Contact, ending: Sequence[Naming]) -> None:
        gone = {n.key for n in ending}
        left = [
            n for n in self.told[contact.pk] if n.stands and n.key not in gone and n.case not in self.excluded
        ]
        is_live = contact.status in LIVE
        last, last_day = deciding_last(left), None
        if is_live and not is_obliged(left):
            self._free(contact, self.release, self.reason)
        elif is_live and last != contact.exposure_last:
            last_day = self._follow(contact, last)
        self.ends += [self._end(contact, n, last, last_day) for n in ending]

    def _end(self, contact: Contact, naming: Naming, last: date | None, last_day: date | None) -> NamingEnd:
        return NamingEnd(
            contact=contact,
            territory_code=contact.territory_code,
            exposure_id=naming.key or None,
            case_id=naming.case,
            why=_WHY.get(self.release, "withdrawn"),
            reason=self.reason[:300],
            exposure_last=last,
            last_day=last_day,
            recorded_at=self.now,
            **stamp(self.actor),
        )

    def _moment(self, contact: Contact) -> Moment:
        return Moment(self.now.astimezone(zone_of(contact.territory_code)).date(), self.now)

    def _running(self, contact: Contact) -> Order | None:
        return next((o for o in self.orders.get(contact.pk, []) if o.ended_at is None), None)

    def _free(self, contact: Contact, reason: ReleaseReason, text: str) -> None:
        order = self._running(contact)
        when = self._moment(contact)
        self.events += decide(contact, order, reason=reason, text=text, when=when, by=self.actor.name)
        self.freed.append(contact)
        self.ended += [order] if order is not None else []
        self.found.released.append(contact.public_id)

    def _follow(self, contact: Contact, last: date | None) -> date | None:
        """What is left decides: the last day of an order that ends earlier by it."""
        order = self._running(contact)
        counted_from = order.day_zero if order is not None else None
        put_aside(contact, last)
        self.moved.append(contact)
        self.events += self._undecided(contact, last, counted_from)
        plan = self._plan(contact, order, last) if order is not None else None
        if order is None or plan is None:
            return None
        if plan.last < max(self._moment(contact).day, order.first_day):
            text = _("What still obliged was over with %(day)s.") % {"day": plan.last.isoformat()}
            self._free(contact, ReleaseReason.COMPLETED, text)
            return None
        self.events += _replanned(contact, order, plan, self.now)
        _set_plan(order, plan, in_force(contact.territory_code, order.first_day))
        self.planned.append(order)
        self.found.shortened[contact.public_id] = plan.last
        return plan.last

    def _plan(self, contact: Contact, order: Order, last: date | None) -> Observation | None:
        """The running order as it would have been planned; None if it would not end earlier.

        Never before an order that was decided on an exposure that stands.
        """
        policy = in_force(contact.territory_code, order.first_day)
        if policy.value("observation.count_from").value != "last_exposure":
            return None
        if last is not None and order.day_zero <= last:
            return None
        course = course_of(policy, secondary=order.rule == SECONDARY_RULE)
        tz = zone_of(contact.territory_code)
        plan = observation(
            last_exposure=last, started=order.first_day, days=course.days, home_days=course.home_days, tz=tz
        )
        earlier = [o.last_day for o in self.orders[contact.pk] if o != order and o.day_zero <= plan.day_zero]
        until = max([plan.last, *earlier])
        if until >= order.last_day:
            return None
        home = order.home_from
        if home is not None and plan.home_from is not None and order.moved_at is None:
            home = max(plan.home_from, min(home, self._moment(contact).day))
        return replace(plan, home_from=home).until(until, tz)

    def _undecided(self, contact: Contact, last: date | None, counted_from: date | None) -> list[NewEvent]:
        """Nobody has to decide any more about an exposure that fell before an order was counted from it."""
        log = list(LogEvent.objects.filter(subject__kind="contact", subject__ref=contact.public_id))
        gone = {e.data.get("event") for e in log if e.kind == RETRACTED}
        revised = [
            e
            for e in log
            if e.kind == "contact.exposed_again"
            and e.pk not in gone
            and _is_after(e.data.get("last_exposure_again"), last)
            and _is_after(e.data.get("last_exposure_again"), counted_from)
        ]
        when = self._moment(contact)
        data = {"deciding_exposure": last.isoformat() if last else None}
        told = []
        for n, old in enumerate(revised or [None]):
            key = f"contact.exposure_ended:{self.now.isoformat()}:{n}"
            event = news(contact, "contact.exposure_ended", when, data, key=key)
            told.append(replace(event, revises=old.idempotency_key if old else None))
        return told


def _is_after(told: object, day: date | None) -> bool:
    return day is None or (isinstance(told, str) and date.fromisoformat(told) > day)


def _excluded(told: Mapping[int, Sequence[Naming]]) -> set[int]:
    cases = {n.case for namings in told.values() for n in namings if n.case is not None}
    rows = Case.objects.filter(id__in=cases, classification=Classification.DISCARDED.value)
    return set(rows.values_list("id", flat=True))


def _set_plan(order: Order, plan: Observation, policy: ResolvedPolicy) -> None:
    course = course_of(policy, secondary=order.rule == SECONDARY_RULE)
    order.day_zero, order.last_day, order.end_at = plan.day_zero, plan.last, plan.ends_at
    order.tests_on = list(course_tests(course, plan, day_one=first_test_day(policy, order.first_day)))
    order.review_on = min(order.review_on, plan.last)
    order.home_from = plan.home_from
    order.home_kind = order.home_kind if plan.home_from is not None else ""


def _replanned(contact: Contact, order: Order, plan: Observation, now: datetime) -> list[NewEvent]:
    """The start of the order told again with its shorter course, in place of what was told of it."""
    rows = LogEvent.objects.filter(subject__kind="contact", subject__ref=contact.public_id)
    old = rows.filter(kind="order.started", data__order=order.public_id).order_by("-id").first()
    if old is None:
        return []
    tz = zone_of(contact.territory_code)
    data = {
        **old.data,
        "observe_until": plan.last.isoformat(),
        "observe_ends_at": plan.ends_at.isoformat(),
        "two_stages": plan.home_from is not None,
        "stage_until": plan.stage_last.isoformat(),
        "stage_ends_at": midnight_after(plan.stage_last, tz).isoformat(),
        "home_from": plan.home_from.isoformat() if plan.home_from else None,
        "last_exposure": plan.day_zero.isoformat(),
    }
    event = NewEvent(
        subject_kind="contact",
        subject_id=contact.public_id,
        kind="order.started",
        at=old.at,
        at_precision=old.at_precision,
        data=data,
        territory_code=contact.territory_code,
        person_id=contact.person_id,
        idempotency_key=f"{contact.public_id}:order.started:{order.public_id}:{plan.last}:{now.isoformat()}",
        revises=old.idempotency_key,
    )
    return [event]
