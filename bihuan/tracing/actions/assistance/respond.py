"""The asked side: take a request in, send it back, answer it. The place where the person is acts
(属地管理)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize, moment_now, writing
from bihuan.cases.models import Case
from bihuan.loops.models import LogEvent
from bihuan.registry import clock, scope, territory
from bihuan.registry.actions.people import register_or_find
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotFound
from bihuan.registry.models import Person
from bihuan.tracing.actions.assistance import handover, thread
from bihuan.tracing.actions.confirm import KINDS, ContactInput, confirm_contact
from bihuan.tracing.errors import AssistanceInvalid
from bihuan.tracing.models import OUTCOME_LABELS, RETURN_LABELS, AssistanceRequest
from bihuan.tracing.queries.assistance import person_input
from bihuan.tracing.rules import ExposureKind
from bihuan.tracing.rules.assistance import Need, Outcome, ReturnReason, Said, Side, Status, is_final

RIGHT: Final = "assistance.write"
LONGEST: Final = 2000
"""Characters of an answer: our own rule."""


@dataclass(frozen=True, slots=True)
class AcceptInput:
    """How a request is taken in. `territory_code` is where the person is (at or below the asked territory; ""
    = the asked territory itself), and so who acts. `person` names a person of the own register found to be
    her (public id; "" = registered now from what was told). `confirm`: name her a close contact there, which
    opens the contact loop at that place."""

    request: str
    territory_code: str = ""
    person: str = ""
    confirm: bool = False
    note: str = ""


def accept(given: AcceptInput, *, actor: Actor, now: datetime | None = None) -> AssistanceRequest:
    """Take a request in: the person is linked or registered here, and what is owed opens at her place.

    Raises UnknownAssistance, AssistanceClosed, AssistanceInvalid, NotAllowed, and what naming a contact
    raises.
    """
    at = moment_now(now)
    with writing(actor):
        row = _asked(given.request)
        where = given.territory_code or row.territory_code
        if not row.territory_code <= where < row.territory_code + scope.LAST:
            text = _("%(code)s lies outside the territory that was asked.") % {"code": where}
            raise _invalid("territory_code", "outside", text, _("Send the request back instead."))
        territory.resolve(where.partition("-")[0])
        if row.person_id is None or given.person:
            row.person, row.made_person = _person(row, given.person, where, actor)
        row.assigned_territory = where
        if given.confirm:
            _confirm(row, where, actor=actor, at=at)
        row.save()
        thread.say(
            row, Said.ACCEPT, actor=actor, at=at, data={"confirmed": bool(given.confirm)}, note=given.note
        )
        return row


def give_back(
    request_id: str, *, reason: str, actor: Actor, note: str = "", now: datetime | None = None
) -> AssistanceRequest:
    """Send a request back: wrong place, or nobody can be told from it. What was told is deleted here.

    A contact named here for it goes back to the asking side, once that has the return. Raises
    AssistanceClosed also while she is under observation here, or became a case here.
    """
    at = moment_now(now)
    if reason not in {key for key, _label in RETURN_LABELS} or reason == ReturnReason.NOT_SERVED:
        text = _("%(value)s is not allowed here.") % {"value": reason}
        raise _invalid("reason", "choice", text)
    with writing(actor):
        row = _asked(request_id)
        handover.require_returnable(row)
        thread.say(row, Said.RETURN, actor=actor, at=at, data={"reason": reason}, note=_short(note))
        row.told = None  # the note of the return itself may still be on its way
        row.save(update_fields=["told"])
        return row


def answer(
    request_id: str,
    *,
    outcome: str,
    actor: Actor,
    note: str = "",
    final: bool | None = None,
    now: datetime | None = None,
) -> AssistanceRequest:
    """Feed back what was found. `final` None: as the need says (found is not yet placed)."""
    at = moment_now(now)
    if outcome not in {key for key, _label in OUTCOME_LABELS}:
        text = _("%(value)s is not allowed here.") % {"value": outcome}
        raise _invalid("outcome", "choice", text)
    with writing(actor):
        row = _asked(request_id)
        is_last = is_final(Need(row.need), Outcome(outcome)) if final is None else final
        data = {"outcome": outcome, "final": is_last}
        thread.say(row, Said.ANSWER, actor=actor, at=at, data=data, note=_short(note))
        with scope.system():
            if row.person_id is not None and row.person is not None:
                thread.log_shared(row, row.person, ["operational"], at=at, actor=actor)
        return row


#: What happens to a contact, and the answer it is; the last that fits is the newest.
_ANSWERS: Final[Mapping[Need, Mapping[str, Outcome]]] = {
    Need.LOCATE: {"contact.located": Outcome.FOUND},
    Need.PLACE: {"contact.located": Outcome.FOUND, "contact.placed": Outcome.PLACED},
    Need.SAMPLE: {"contact.located": Outcome.FOUND},
}


def feed_back(*, actor: Actor, now: datetime | None = None) -> int:
    """Answer accepted requests by what was recorded of the contacts they led to, so that nobody has to say it
    twice. Returns how many answers went out. Runs as the system (worker)."""
    at, n = moment_now(now), 0
    with scope.system():
        waiting = AssistanceRequest.objects.filter(
            side=Side.ASKED, status=Status.ACCEPTED, made_contact__isnull=False, need__in=list(_ANSWERS)
        )
        for public_id in list(waiting.order_by("id").values_list("public_id", flat=True)):
            n += _feed_back_one(public_id, actor=actor, at=at)
    return n


def _feed_back_one(public_id: str, *, actor: Actor, at: datetime) -> int:
    with writing(actor):
        row = thread.held(public_id)
        if row.status != Status.ACCEPTED or row.made_contact is None:
            return 0
        outcome = _told_by_loop(row)
        if outcome is None or outcome.value == row.outcome:
            return 0
        data = {"outcome": outcome.value, "final": is_final(Need(row.need), outcome)}
        thread.say(row, Said.ANSWER, actor=actor, at=at, data=data)
        return 1


def _told_by_loop(row: AssistanceRequest) -> Outcome | None:
    """The furthest that the contact's own log has come. What was taken back does not count, nor a specimen
    from before the day on which the request came: another one is asked for."""
    assert row.made_contact is not None
    heard = handover.heard_of(row.made_contact)
    kinds = {event.kind for event in heard}
    tests = [event for event in heard if event.kind == "contact.tested" and _day_of(event) >= _came_on(row)]
    if Need(row.need) is Need.SAMPLE and tests:
        result = tests[-1].data.get("result")
        return Outcome(result) if result in (Outcome.POSITIVE, Outcome.NEGATIVE) else Outcome.SAMPLED
    found = [outcome for kind, outcome in _ANSWERS[Need(row.need)].items() if kind in kinds]
    return found[-1] if found else None


def _came_on(row: AssistanceRequest) -> str:
    return clock.local_day(row.created_at, territory.tz_of(row.territory_code)).isoformat()


def _day_of(test: LogEvent) -> str:
    """The day of the specimen, as far as it is known."""
    own = clock.local_day(test.at, territory.tz_of(test.territory_code)).isoformat()
    return str(test.data.get("sampled_on") or own)


def _asked(request_id: str) -> AssistanceRequest:
    row = thread.held(request_id)
    if row.is_asking:
        text = _("Request %(id)s was sent from here: the other side answers it.") % {"id": request_id}
        raise _invalid("request", "side", text)
    authorize(RIGHT, row.territory_code)
    return row


def _person(row: AssistanceRequest, public_id: str, where: str, actor: Actor) -> tuple[Person | None, bool]:
    """The person here, and whether she was registered for this request only."""
    if public_id:
        found = Person.objects.filter(public_id=public_id).first()
        if found is None:
            raise NotFound(_("There is no person %(id)s here.") % {"id": public_id}, code="unknown-person")
        return found, False
    told = thread.told_of(row).get("fields", {})
    if not (told.get("name") or told.get("phone") or told.get("id_number")):
        return None, False
    on = clock.local_day(row.created_at)
    given = person_input(told, source=row.thread, where=where, reported_on=on)
    made = register_or_find([given], actor)[0]
    return made.person, made.is_new


def _confirm(row: AssistanceRequest, where: str, *, actor: Actor, at: datetime) -> None:
    if row.person is None:
        raise _invalid("person", "required", _("Nobody can be named a contact without knowing who it is."))
    told = thread.told_of(row).get("fields", {})
    kind, last = told.get("exposure_kind", ""), told.get("exposure_last", "")
    cases = Case.unscoped.filter(id=row.case_id) if row.case_id is not None else Case.unscoped.none()
    case = cases.values_list("public_id", flat=True).first()
    row.made_contact = confirm_contact(
        ContactInput(
            person=row.person.pk,
            territory_code=where,
            case=case or "",
            exposure_kind=kind if kind in KINDS else ExposureKind.UNKNOWN.value,
            setting=told.get("setting", "")[:200],
            exposure_last=_day(last),
            criterion=(_("Named in assistance request %(id)s of %(office)s") % _source(row))[:120],
            source_key=f"assistance:{row.public_id}",
            alone=True,
        ),
        actor=actor,
        now=at,
    )


def _day(text: str) -> date | None:
    """A day as told; None for what is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _source(row: AssistanceRequest) -> dict[str, str]:
    return {"id": row.thread, "office": row.other_office or row.other_territory}


def _short(note: str) -> str:
    if len(note) > LONGEST:
        raise _invalid("note", "length", _("The text is longer than %(n)s characters.") % {"n": LONGEST})
    return note.strip()


def _invalid(field: str, rule: str, message: str, hint: str = "") -> AssistanceInvalid:
    return AssistanceInvalid([{"field": field, "rule": rule, "message": message, "hint": hint}])
