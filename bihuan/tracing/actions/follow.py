"""After a contact is named: found, not found, exposed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import Day, authorize, moment_now, stamp, writing, zone_of
from bihuan.cases.models import Case
from bihuan.cases.rules import Moment, moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotFound
from bihuan.tracing.actions.namings import DECIDING, put_aside
from bihuan.tracing.errors import ContactClosed, ContactInvalid, UnknownContact
from bihuan.tracing.models import Contact, Exposure
from bihuan.tracing.rules import ExposureKind, Status, later_exposure

#: Why a contact ended whose person is observed under another record (`care.rules.ReleaseReason.JOINED`).
_JOINED = "joined"
RIGHTS = ("contact.write", "duty.do")


def locked(contact_id: str, *, live: bool = True) -> Contact:
    """The contact, held until the transaction ends. Raises UnknownContact; ContactClosed if `live` is
    asked.
    """
    return all_locked([contact_id], live=live)[contact_id]


def all_locked(contact_ids: Sequence[str], *, live: bool = True) -> dict[str, Contact]:
    """`locked` for many: contacts by public id, held in one order whoever asks."""
    rows = Contact.objects.select_for_update(of=("self",)).filter(public_id__in=contact_ids).order_by("id")
    found = {contact.public_id: contact for contact in rows}
    for contact_id in contact_ids:
        if contact_id not in found:
            raise UnknownContact(contact_id)
        if live:
            _refuse_closed(found[contact_id])
    return found


def _refuse_closed(contact: Contact) -> None:
    if contact.status == Status.HANDED_OVER:
        params = {"id": contact.public_id, "status": contact.get_status_display()}
        raise ContactClosed(
            _("Contact %(id)s is closed: %(status)s.") % params,
            hint=_("Another territory has taken the person over; its request says which."),
        )
    if contact.status in (Status.RELEASED, Status.BECAME_CASE, Status.GENERAL):
        params = {"id": contact.public_id, "status": contact.get_status_display()}
        raise ContactClosed(
            _("Contact %(id)s is closed: %(status)s.") % params,
            hint=_("Her other record is observed: what is wrong is said there.")
            if contact.release_reason == _JOINED
            else _("A new exposure opens a new contact."),
        )


def news(
    contact: Contact,
    kind: str,
    when: Moment,
    data: Mapping[str, Any] | None = None,
    *,
    key: str | None = None,
) -> NewEvent:
    """An event of a contact as the loops hear it; `key` within the contact makes hearing it twice
    harmless.
    """
    return NewEvent(
        subject_kind="contact",
        subject_id=contact.public_id,
        kind=kind,
        at=when.instant(zone_of(contact.territory_code)),
        at_precision=when.precision,
        data=dict(data or {}),
        territory_code=contact.territory_code,
        person_id=contact.person_id,
        idempotency_key=f"{contact.public_id}:{key}" if key else None,
    )


def record_located(
    contact_id: str, *, actor: Actor, at: Day = None, duty: str = "", now: datetime | None = None
) -> Contact:
    """The person was found. Ends a search, too."""
    return record_all_located({contact_id: at}, actor=actor, duty=duty, now=now)[0]


def record_all_located(
    found: Mapping[str, Day], *, actor: Actor, duty: str = "", now: datetime | None = None
) -> list[Contact]:
    """Persons were found: contact id to when (None = now). One transaction, all or none."""
    known_at = moment_now(now)
    with writing(actor):
        told = [_located(contact_id, at, actor, known_at, duty) for contact_id, at in found.items()]
        tell_loops([event for _contact, event in told], actor=actor, now=known_at)
        return [contact for contact, _event in told]


def _located(
    contact_id: str, at: Day, actor: Actor, known_at: datetime, duty: str
) -> tuple[Contact, NewEvent]:
    contact = locked(contact_id)
    authorize(RIGHTS, contact.territory_code, subject=("contact", contact_id))
    tz = zone_of(contact.territory_code)
    when = moment(at if at is not None else known_at, tz)
    assert when is not None
    contact.located_at, contact.located_precision = when.instant(tz), when.precision
    contact.lost_at = None
    if contact.status == Status.LOST:
        contact.status = Status.CONFIRMED.value
    contact.save(update_fields=["located_at", "located_precision", "lost_at", "status"])
    return contact, news(contact, "contact.located", when, _duty(duty))


@dataclass(frozen=True, slots=True)
class LostInput:
    """One person who cannot be found, since `at` (None = now). `final` gives the search up."""

    contact: str
    reason: str
    at: Day = None
    final: bool = False


def record_lost(
    contact_id: str,
    *,
    reason: str,
    actor: Actor,
    at: Day = None,
    final: bool = False,
    now: datetime | None = None,
) -> Contact:
    """The person cannot be found. The loop then owes a search; `final` gives the search up and closes it."""
    return record_all_lost([LostInput(contact_id, reason, at, final)], actor=actor, now=now)[0]


def record_all_lost(
    inputs: Sequence[LostInput], *, actor: Actor, now: datetime | None = None
) -> list[Contact]:
    """Persons cannot be found. One transaction, all or none."""
    known_at = moment_now(now)
    if any(not given.reason.strip() for given in inputs):
        raise ContactInvalid(
            _("Say why the person cannot be found."),
            errors=[{"field": "reason", "rule": "required", "message": _("A reason is needed."), "hint": ""}],
        )
    with writing(actor):
        contacts = all_locked([given.contact for given in inputs])
        told = [event for given in inputs for event in _lost(contacts[given.contact], given, known_at)]
        Contact.objects.bulk_update(contacts.values(), ["status", "lost_at"], batch_size=500)
        tell_loops(told, actor=actor, now=known_at)
        return [contacts[given.contact] for given in inputs]


def _lost(contact: Contact, given: LostInput, known_at: datetime) -> list[NewEvent]:
    authorize("contact.write", contact.territory_code, subject=("contact", contact.public_id))
    tz = zone_of(contact.territory_code)
    when = moment(given.at if given.at is not None else known_at, tz)
    assert when is not None
    contact.status, contact.lost_at = Status.LOST.value, when.instant(tz)
    told = [news(contact, "contact.lost", when)]
    if given.final:
        told.append(news(contact, "contact.given_up", when))
    return told


def record_exposure(
    contact_id: str,
    *,
    last: date,
    actor: Actor,
    first: date | None = None,
    kind: str = ExposureKind.UNKNOWN.value,
    setting: str = "",
    case: str = "",
    now: datetime | None = None,
) -> bool:
    """A further exposure of a contact. Returns whether the last exposure moved, so that observation restarts.

    It does not by itself lengthen an order: that is a decision, made by `care.actions.extend_observation`.
    """
    known_at = moment_now(now)
    with writing(actor):
        contact = locked(contact_id)
        authorize("contact.write", contact.territory_code)
        if last > known_at.astimezone(zone_of(contact.territory_code)).date():
            message = _("An exposure cannot lie in the future.")
            error = {"field": "last", "rule": "future", "message": message, "hint": ""}
            raise ContactInvalid(message, errors=[error])
        Exposure.objects.create(
            contact=contact,
            territory_code=contact.territory_code,
            case_id=_case(case),
            first=first,
            last=last,
            kind=kind,
            setting=setting,
            recorded_at=known_at,
            **stamp(actor),
        )
        before = contact.exposure_last
        put_aside(contact, later_exposure(before, last))
        contact.save(update_fields=DECIDING)
        return contact.exposure_last != before


def _case(public_id: str) -> int | None:
    if not public_id:
        return None
    with scope.system():
        found = Case.objects.filter(public_id=public_id).values_list("id", flat=True).first()
    if found is None:
        raise NotFound(_("There is no case %(id)s.") % {"id": public_id}, code="unknown-case")
    return int(found)


def _duty(duty: str) -> dict[str, str]:
    return {"duty": duty} if duty else {}


def duty_data(duty: str) -> dict[str, str]:
    """Event data that name the one duty meant, for late entries of a repeating duty."""
    return _duty(duty)


def contacts_by_id(ids: Sequence[int]) -> dict[int, Contact]:
    return Contact.objects.in_bulk(ids)
