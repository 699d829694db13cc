"""Order observation of a contact. It is a control: a person decides, and the whole decision record is
kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from bihuan.care.errors import AlreadyObserved, NobodyDecides, NotObserved, RecordIncomplete
from bihuan.care.models import Order
from bihuan.care.queries.obliged import course_of
from bihuan.care.queries.secondary import secondary_among
from bihuan.care.rules import (
    Course,
    DecisionRecord,
    EndReason,
    Observation,
    OrderKind,
    check_record,
    course_tests,
    last_day,
    midnight_after,
    observation,
)
from bihuan.cases.actions.common import (
    Day,
    array_literal,
    authorize,
    insert_rows,
    moment_now,
    writing,
    zone_of,
)
from bihuan.cases.rules import Moment, moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.policy.packs import ResolvedPolicy, in_force
from bihuan.registry.actor import Actor
from bihuan.registry.ids import new_id
from bihuan.tracing.actions import news
from bihuan.tracing.actions.follow import RIGHTS
from bihuan.tracing.errors import ContactClosed, UnknownContact
from bihuan.tracing.models import Contact
from bihuan.tracing.rules import Status

COLUMNS = (
    "public_id",
    "person_id",
    "contact_id",
    "territory_code",
    "kind",
    "place",
    "proposer",
    "proposer_account_id",
    "proposer_post_id",
    "evidence",
    "pack",
    "rule",
    "clause",
    "approver",
    "approver_account_id",
    "approver_post_id",
    "start_at",
    "start_precision",
    "day_zero",
    "first_day",
    "last_day",
    "end_at",
    "review_on",
    "tests_on",
    "home_from",
    "home_kind",
    "moved_by",
    "replaces_id",
    "recorded_at",
    "end_reason",
    "end_text",
    "ended_by",
)


@dataclass(frozen=True, slots=True)
class OrderInput:
    """One order. `contact` is a public id; `started` when observation began (None = now).

    `approver` is the person who decided, for lists kept elsewhere; empty = whoever acts.
    `evidence` empty = the
    contact record itself. `last_day` overrides the count only where the source states its own end.
    """

    contact: str
    kind: str = OrderKind.HOME.value
    started: Day = None
    place: str = ""
    evidence: str = ""
    approver: str = ""
    review_on: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class _Planned:
    given: OrderInput
    contact: Contact
    public_id: str
    start: Moment
    course: Course
    plan: Observation
    tests: tuple[date, ...]
    test_day_one: date
    policy: ResolvedPolicy
    clause: str
    tz: ZoneInfo


def order_observation(given: OrderInput, *, actor: Actor, now: datetime | None = None) -> Order:
    """Order observation of one contact. Raises AlreadyObserved, RecordIncomplete, NobodyDecides,
    NotAllowed.
    """
    return order_observations([given], actor=actor, now=now)[0]


def order_observations(
    inputs: Sequence[OrderInput], *, actor: Actor, now: datetime | None = None, placed: bool = False
) -> list[Order]:
    """Order observation of many contacts in one transaction; with `placed`, they are at the place already.

    Length, stages, days of tests and clause come from the policy in force at the place on the day of the
    start. Where the first stage at a site is over by then, only observation at home can be ordered.
    """
    at = moment_now(now)
    with writing(actor):
        contacts = _contacts([given.contact for given in inputs])
        second = secondary_among(contacts.values())
        plans = [_plan(given, contacts[given.contact], actor, at, second=second) for given in inputs]
        return _start(plans, actor=actor, at=at, placed=placed)


def record_placed(given: OrderInput, *, actor: Actor, now: datetime | None = None) -> Order:
    """The person is where she is to be observed: orders the observation unless one runs, and says placed."""
    at = moment_now(now)
    with writing(actor):
        running = Order.objects.filter(contact__public_id=given.contact, ended_at__isnull=True).first()
        if running is None:
            return order_observations([given], actor=actor, now=at, placed=True)[0]
        contact = _contacts([given.contact])[given.contact]
        authorize(RIGHTS, contact.territory_code, subject=("contact", given.contact))
        when = moment(given.started if given.started is not None else at, zone_of(contact.territory_code))
        assert when is not None
        told = news(contact, "contact.placed", when, {"order": running.public_id}, key="contact.placed")
        tell_loops([told], actor=actor, now=at)
        return running


def extend_observation(
    contact_id: str,
    *,
    evidence: str,
    actor: Actor,
    approver: str = "",
    kind: str = "",
    now: datetime | None = None,
) -> Order:
    """Order anew after a later exposure: the running order is replaced by one counted from it (trap 5).

    Under `observation.reexposure: credited` the end stays. The longest obligation wins: a
    replacement never ends
    before what it replaces. `kind` empty: where she is; who is at home for the second stage stays there.
    Raises NotObserved when no order runs.
    """
    at = moment_now(now)
    with writing(actor):
        old = (
            Order.objects.select_for_update(of=("self",))
            .filter(contact__public_id=contact_id, ended_at__isnull=True)
            .first()
        )
        if old is None:
            raise NotObserved(_("No order runs for contact %(id)s.") % {"id": contact_id})
        contact = _contacts([contact_id])[contact_id]
        now_at = old.kind if old.moved_at is None else OrderKind.HOME.value
        given = OrderInput(
            contact=contact_id,
            kind=kind or now_at,
            place=old.place if (kind or now_at) == old.kind else "",
            evidence=evidence,
            approver=approver,
            started=at,
        )
        plan = _plan(given, contact, actor, at, old=old, second=secondary_among([contact]))
        _end_replaced(old, at, actor)
        when = Moment(plan.start.day, at)
        told = news(contact, "order.replaced", when, {"order": old.public_id, "order_running": False})
        tell_loops([told], actor=actor, now=at)
        return _start([plan], actor=actor, at=at, placed=False, replaces=old)[0]


def _end_replaced(old: Order, at: datetime, actor: Actor) -> None:
    old.ended_at, old.end_reason, old.ended_by = at, EndReason.REPLACED.value, actor.name
    old.save(update_fields=["ended_at", "end_reason", "ended_by"])


def _contacts(ids: Sequence[str]) -> dict[str, Contact]:
    rows = Contact.objects.select_for_update(of=("self",)).filter(public_id__in=ids).order_by("id")
    found = {contact.public_id: contact for contact in rows}
    for contact_id in ids:
        if contact_id not in found:
            raise UnknownContact(contact_id)
    return found


def _plan(
    given: OrderInput,
    contact: Contact,
    actor: Actor,
    at: datetime,
    *,
    second: AbstractSet[int],
    old: Order | None = None,
) -> _Planned:
    # Whoever may decide is the approver; whoever may only propose names who approved.
    rights = ("order.decide", *RIGHTS) if given.approver.strip() else ("order.decide",)
    authorize(rights, contact.territory_code, subject=("contact", contact.public_id))
    if actor.is_system and not given.approver.strip():
        raise NobodyDecides(
            _("An order needs a person who decided it."),
            hint=_("Act in a post, or name in the list who approved the order."),
        )
    if contact.status not in (Status.CONFIRMED, Status.CANDIDATE):
        params = {"id": contact.public_id, "status": contact.get_status_display()}
        raise ContactClosed(_("Contact %(id)s is closed: %(status)s.") % params)
    if given.kind not in set(OrderKind):
        message = _("%(value)s is not allowed here.") % {"value": given.kind}
        error = {"field": "kind", "rule": "choice", "message": message, "hint": "home, facility"}
        raise RecordIncomplete(message, errors=[error])
    tz = zone_of(contact.territory_code)
    start = moment(given.started if given.started is not None else at, tz)
    assert start is not None
    policy = in_force(contact.territory_code, start.day)
    course = course_of(policy, secondary=contact.pk in second)
    plan = _observation(given, contact, course, policy, start, tz, old)
    if old is None and given.kind == OrderKind.FACILITY and plan.stage_last < plan.first:
        day = last_day(plan.day_zero, course.days).isoformat()
        message = _("The days at a site ended with %(day)s; only observation at home can be ordered.")
        error = {"field": "kind", "rule": "stage", "message": message % {"day": day}, "hint": "home"}
        raise RecordIncomplete(message % {"day": day}, errors=[error])
    day_one = first_test_day(policy, start.day)
    tests = course_tests(course, plan, day_one=day_one)
    clause = policy.value(course.rule).clause or _clause_of(policy, course.rule)
    return _Planned(given, contact, new_id("O"), start, course, plan, tests, day_one, policy, clause, tz)


def first_test_day(policy: ResolvedPolicy, started: date) -> date:
    """The day that counts as day 1 of the test days of an order."""
    return started if policy.value("observation.day_one").value == "order" else started + timedelta(days=1)


def _clause_of(policy: ResolvedPolicy, rule: str) -> str:
    """The source of the number of days where the pack names no clause, in the language of record."""
    source: Mapping[str, str] = policy.value(rule).source
    return (source.get("zh") or source.get("en") or policy.value(rule).pack)[:160]


def _observation(
    given: OrderInput,
    contact: Contact,
    course: Course,
    policy: ResolvedPolicy,
    start: Moment,
    tz: ZoneInfo,
    old: Order | None,
) -> Observation:
    """The plan of an order, or of one that replaces `old`: never shorter than that."""
    from_exposure = policy.value("observation.count_from").value == "last_exposure"
    exposed = contact.exposure_last if from_exposure else None
    plan = observation(
        last_exposure=exposed, started=start.day, days=course.days, home_days=course.home_days, tz=tz
    )
    if old is None:
        return plan if given.last_day is None else plan.until(given.last_day, tz)
    if policy.value("observation.reexposure").value == "credited":
        home = max(old.home_from, start.day) if old.home_from is not None else None
        plan = replace(plan, day_zero=old.day_zero, home_from=home).until(old.last_day, tz)
    return plan.until(max(plan.last, old.last_day), tz)


def _start(
    plans: Sequence[_Planned], *, actor: Actor, at: datetime, placed: bool, replaces: Order | None = None
) -> list[Order]:
    running = set(
        Order.objects.filter(contact__in=[p.contact.id for p in plans], ended_at__isnull=True).values_list(
            "contact__public_id", flat=True
        )
    )
    if running:
        ids = ", ".join(sorted(running))
        raise AlreadyObserved(
            _("An order runs already for %(ids)s.") % {"ids": ids},
            hint=_("After a new exposure, extend the order."),
        )
    rows = [_row(p, actor, at, replaces) for p in plans]
    made_ids = insert_rows(Order, COLUMNS, rows)
    tell_loops([event for p in plans for event in _events(p, placed)], actor=actor, now=at)
    made = {order.id: order for order in Order.objects.filter(id__in=made_ids)}
    return [made[pk] for pk in made_ids]


def _row(p: _Planned, actor: Actor, at: datetime, replaces: Order | None) -> list[Any]:
    evidence = p.given.evidence.strip() or _evidence(p.contact)
    approver = p.given.approver.strip() or actor.name
    review = p.given.review_on or p.plan.last
    start_at = p.start.instant(p.tz)
    record = DecisionRecord(
        actor.name, evidence, p.course.rule, p.clause, approver, start_at, p.plan.ends_at, review
    )
    missing = check_record(record)
    if missing:
        errors = [{"field": m.field, "rule": m.rule, "message": _(m.message), "hint": ""} for m in missing]
        raise RecordIncomplete(_("The decision record of the order is not complete."), errors=errors)
    own = not p.given.approver.strip()
    return [
        p.public_id,
        p.contact.person_id,
        p.contact.id,
        p.contact.territory_code,
        p.given.kind,
        p.given.place,
        actor.name,
        actor.account_id,
        actor.post_id,
        evidence,
        p.policy.id[:120],
        p.course.rule,
        p.clause,
        approver,
        actor.account_id if own else None,
        actor.post_id if own else None,
        start_at,
        p.start.precision,
        p.plan.day_zero,
        p.plan.first,
        p.plan.last,
        p.plan.ends_at,
        review,
        array_literal(p.tests),
        p.plan.home_from,
        p.course.home_kind if p.plan.home_from else "",
        "",
        replaces.id if replaces else None,
        at,
        "",
        "",
        "",
    ]


def _evidence(contact: Contact) -> str:
    """The contact record in codes, the same in every language: contact, source case, kind, last exposure."""
    source = contact.case.public_id if contact.case is not None else ""
    last = contact.exposure_last.isoformat() if contact.exposure_last else ""
    return "; ".join(
        part for part in (contact.public_id, source, contact.exposure_kind, last, contact.criterion) if part
    )[:300]


def _events(p: _Planned, placed: bool) -> list[NewEvent]:
    data = {
        "order": p.public_id,
        "order_running": True,
        "order_kind": p.given.kind,
        "observe_until": p.plan.last.isoformat(),
        "observe_ends_at": p.plan.ends_at.isoformat(),
        "test_day_one": p.test_day_one.isoformat(),
        "two_stages": p.plan.home_from is not None,
        "stage_until": p.plan.stage_last.isoformat(),
        "stage_ends_at": midnight_after(p.plan.stage_last, p.tz).isoformat(),
        "home_from": p.plan.home_from.isoformat() if p.plan.home_from else None,
        "last_exposure": p.plan.day_zero.isoformat(),
    }
    events = [news(p.contact, "order.started", p.start, data, key=f"order.started:{p.public_id}")]
    if placed:
        told = {"order": p.public_id}
        events.append(news(p.contact, "contact.placed", p.start, told, key=f"contact.placed:{p.public_id}"))
    return events
