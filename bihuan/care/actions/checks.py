"""Daily temperatures and follow-ups, tests of contacts, and what a bad reading sets off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from bihuan.care.errors import ReadingInvalid
from bihuan.care.models import SYMPTOM_LABELS, DailyCheck, Order
from bihuan.care.rules import CheckKind, is_symptomatic
from bihuan.cases.actions.common import (
    Day,
    array_literal,
    authorize,
    insert_rows,
    moment_now,
    writing,
    zone_of,
)
from bihuan.cases.actions.steps import sample_moments, store_test
from bihuan.cases.models import Test
from bihuan.cases.rules import Moment, moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.policy.values import value
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import locked, news
from bihuan.tracing.actions.follow import RIGHTS
from bihuan.tracing.errors import ContactClosed, UnknownContact
from bihuan.tracing.models import Contact
from bihuan.tracing.rules import Status

# What a clinical thermometer can show; anything else is a slip of the finger.
LOWEST_CELSIUS, HIGHEST_CELSIUS = 30.0, 45.0
SYMPTOMS = frozenset(key for key, _label in SYMPTOM_LABELS)
EVENT = {CheckKind.TEMPERATURE: "contact.temperature", CheckKind.FOLLOW_UP: "contact.followed_up"}
HOME_STAGE = "home"  # the `stage` of a test, as the contact loop matches it
COLUMNS = (
    "contact_id",
    "order_id",
    "territory_code",
    "kind",
    "at",
    "at_precision",
    "value",
    "symptoms",
    "note",
    "recorded_at",
    "by_account_id",
    "by_post_id",
    "by_name",
)


@dataclass(frozen=True, slots=True)
class CheckInput:
    """One check. `kind` temperature (needs `value`, °C) or follow_up. `at` None = now.

    `duty` names the one duty meant (its key), for entries made late; empty = the nearest open one
    of that day.
    """

    contact: str
    kind: str
    at: Day = None
    value: float | None = None
    symptoms: tuple[str, ...] = ()
    note: str = ""
    duty: str = field(default="")


def record_daily_check(given: CheckInput, *, actor: Actor, now: datetime | None = None) -> bool:
    """One check. Returns whether it is a sign that sets off testing and referral at once."""
    return record_daily_checks([given], actor=actor, now=now)[0]


def record_daily_checks(
    inputs: Sequence[CheckInput], *, actor: Actor, now: datetime | None = None
) -> list[bool]:
    """Many checks in one transaction. Returns for each whether it is a sign of illness (fever or a
    symptom).
    """
    at = moment_now(now)
    with writing(actor):
        contacts = _contacts(inputs)
        for contact in contacts.values():
            authorize(RIGHTS, contact.territory_code, subject=("contact", contact.public_id))
        _refuse_closed(inputs, contacts, at)
        _refuse_wrong(inputs, contacts, at)
        orders = _orders(contacts)
        rows: list[list[Any]] = []
        told: list[NewEvent] = []
        signs: list[bool] = []
        for given in inputs:
            contact = contacts[given.contact]
            when = moment(given.at if given.at is not None else at, zone_of(contact.territory_code))
            assert when is not None
            rows.append(_row(given, contact, orders.get(contact.id), when, at, actor))
            signs.append(_tell(given, contact, when, told))
        insert_rows(DailyCheck, COLUMNS, rows)
        tell_loops(told, actor=actor, now=at)
        ill = [contacts[g.contact] for g, sign in zip(inputs, signs, strict=True) if sign]
        _mark_ill(ill, at)
        return signs


def _contacts(inputs: Sequence[CheckInput]) -> dict[str, Contact]:
    wanted = {given.contact for given in inputs}
    found = {contact.public_id: contact for contact in Contact.objects.filter(public_id__in=wanted)}
    for contact_id in wanted:
        if contact_id not in found:
            raise UnknownContact(contact_id)
    return found


def _orders(contacts: dict[str, Contact]) -> dict[int, int]:
    ids = [contact.id for contact in contacts.values()]
    rows = Order.objects.filter(contact__in=ids, ended_at__isnull=True).values_list("contact_id", "id")
    return dict(rows)


def _refuse_closed(inputs: Sequence[CheckInput], contacts: dict[str, Contact], now: datetime) -> None:
    """After the end nobody is checked; what was checked before it may still be entered."""
    over = (Status.RELEASED, Status.BECAME_CASE, Status.HANDED_OVER)
    closed = {c.id: c for c in contacts.values() if c.status in over}
    if not closed:
        return
    rows = Order.objects.filter(contact__in=list(closed), ended_at__isnull=False).order_by("ended_at")
    ends = dict(rows.values_list("contact_id", "ended_at"))
    for given in inputs:
        contact = contacts[given.contact]
        if contact.id not in closed:
            continue
        when = moment(given.at if given.at is not None else now, zone_of(contact.territory_code))
        end = ends.get(contact.id, contact.released_at or contact.handed_over_at)
        if when is None or end is None or when.instant(zone_of(contact.territory_code)) > end:
            params = {"id": contact.public_id, "status": contact.get_status_display()}
            raise ContactClosed(_("Contact %(id)s is closed: %(status)s.") % params)


def _refuse_wrong(inputs: Sequence[CheckInput], contacts: dict[str, Contact], now: datetime) -> None:
    errors = []
    for row, given in enumerate(inputs):
        for name, rule, message in _wrong(given, contacts[given.contact], now):
            errors.append({"row": row, "field": name, "rule": rule, "message": message, "hint": ""})
    if errors:
        raise ReadingInvalid(
            _("%(n)s things are wrong; nothing was recorded.") % {"n": len(errors)}, errors=errors
        )


def _wrong(given: CheckInput, contact: Contact, now: datetime) -> list[tuple[str, str, str]]:
    found = []
    if given.kind not in set(CheckKind):
        found.append(("kind", "choice", _("%(value)s is not allowed here.") % {"value": given.kind}))
    if given.kind == CheckKind.TEMPERATURE and given.value is None:
        found.append(("value", "required", _("Enter the temperature.")))
    if given.value is not None and not LOWEST_CELSIUS <= given.value <= HIGHEST_CELSIUS:
        params = {"value": given.value, "low": LOWEST_CELSIUS, "high": HIGHEST_CELSIUS}
        text = _("%(value)s °C cannot be; a temperature lies between %(low)s and %(high)s.")
        found.append(("value", "range", text % params))
    for symptom in given.symptoms:
        if symptom not in SYMPTOMS:
            found.append(("symptoms", "choice", _("%(value)s is not allowed here.") % {"value": symptom}))
    when = moment(given.at, zone_of(contact.territory_code))
    if when is not None and when.instant(zone_of(contact.territory_code)) > now:
        found.append(("at", "future", _("The check lies in the future.")))
    return found


def _row(
    given: CheckInput, contact: Contact, order_id: int | None, when: Moment, now: datetime, actor: Actor
) -> list[Any]:
    return [
        contact.id,
        order_id,
        contact.territory_code,
        given.kind,
        when.instant(zone_of(contact.territory_code)),
        when.precision,
        given.value,
        array_literal(given.symptoms),
        given.note[:300],
        now,
        actor.account_id,
        actor.post_id,
        actor.name,
    ]


def _tell(given: CheckInput, contact: Contact, when: Moment, told: list[NewEvent]) -> bool:
    data: dict[str, Any] = {"duty": given.duty} if given.duty else {}
    if given.value is not None:
        data["value"] = float(given.value)
    if given.symptoms:
        data["symptoms"] = sorted(given.symptoms)
    told.append(news(contact, EVENT[CheckKind(given.kind)], when, data))
    fever = float(value("temperature.fever_celsius", contact.territory_code, when.day).value)
    decision = is_symptomatic(float(given.value) if given.value is not None else None, given.symptoms, fever)
    if decision.allowed:
        reasons = [reason.code for reason in decision.reasons]
        told.append(news(contact, "contact.symptomatic", when, {"signs": reasons}))
    return decision.allowed


def _mark_ill(contacts: Sequence[Contact], at: datetime) -> None:
    ids = [contact.id for contact in contacts]
    if ids:
        Contact.objects.filter(id__in=ids, symptomatic_at__isnull=True).update(symptomatic_at=at)


def record_contact_test(
    contact_id: str,
    *,
    result: str,
    actor: Actor,
    sampled: Day = None,
    at: Day = None,
    duty: str = "",
    now: datetime | None = None,
) -> Test:
    """A specimen of a contact. `result` pending = only sampled; else known at `at`. A positive
    result obliges a
    person to decide whether this is a case; nothing is decided here."""
    known_at = moment_now(now)
    with writing(actor):
        contact = locked(contact_id)
        authorize(RIGHTS, contact.territory_code, subject=("contact", contact_id))
        tz = zone_of(contact.territory_code)
        taken, found = sample_moments(result, sampled=sampled, at=at, now=known_at, tz=tz)
        told = []
        extra = {"duty": duty} if duty else {}
        specimen = taken or found
        if specimen is not None:
            extra["sampled_on"] = specimen.day.isoformat()
        if _in_home_stage(contact, specimen):
            extra["stage"] = HOME_STAGE
        if taken is not None:
            told.append(news(contact, "contact.sampled", taken))
        if found is not None:
            told.append(news(contact, "contact.tested", found, {"result": result, **extra}))
        test = store_test(
            contact, "contact", result=result, taken=taken, found=found, actor=actor, now=known_at
        )
        tell_loops(told, actor=actor, now=known_at)
        return test


def _in_home_stage(contact: Contact, when: Moment | None) -> bool:
    """Whether a specimen was taken in the second stage of the order that ran then."""
    if when is None:
        return False
    orders = Order.objects.filter(contact=contact, first_day__lte=when.day, home_from__isnull=False)
    newest = orders.order_by("-id").values_list("home_from", flat=True).first()
    return newest is not None and when.day >= newest


def record_referral(
    contact_id: str, *, actor: Actor, at: Day = None, to: str = "", now: datetime | None = None
) -> Contact:
    """A contact with symptoms was taken to a clinic."""
    known_at = moment_now(now)
    with writing(actor):
        contact = locked(contact_id)
        authorize(RIGHTS, contact.territory_code, subject=("contact", contact_id))
        when = moment(at if at is not None else known_at, zone_of(contact.territory_code))
        assert when is not None
        tell_loops(
            [news(contact, "contact.referred", when, {"to": to} if to else {})], actor=actor, now=known_at
        )
        return contact


def record_not_a_case(
    contact_id: str, *, reason: str, actor: Actor, at: Day = None, now: datetime | None = None
) -> Contact:
    """A positive test turned out not to mean a case; a person says why."""
    known_at = moment_now(now)
    if not reason.strip():
        message = _("A reason is needed.")
        error = {"field": "reason", "rule": "required", "message": message, "hint": ""}
        raise ReadingInvalid(message, errors=[error])
    with writing(actor):
        contact = locked(contact_id)
        authorize("case.write", contact.territory_code, subject=("contact", contact_id))
        when = moment(at if at is not None else known_at, zone_of(contact.territory_code))
        assert when is not None
        tell_loops([news(contact, "contact.not_a_case", when)], actor=actor, now=known_at)
        return contact
