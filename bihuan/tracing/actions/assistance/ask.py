"""Ask another territory about one person, for one need, sharing no more than the need justifies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize, moment_now, stamp, writing
from bihuan.cases.models import Case
from bihuan.policy.values import value
from bihuan.registry import access, clock, posts, scope, territory
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotFound
from bihuan.registry.ids import new_id
from bihuan.registry.masking import age_on
from bihuan.registry.models import Person
from bihuan.registry.people import id_place, phone_place
from bihuan.registry.secrets import keyring
from bihuan.tracing.actions.assistance import thread
from bihuan.tracing.actions.assistance.peers import is_ours, route
from bihuan.tracing.actions.confirm import KINDS
from bihuan.tracing.actions.pseudonyms import counties_of, persons_of
from bihuan.tracing.errors import AssistanceInvalid
from bihuan.tracing.models import NEED_LABELS, AssistanceRequest, Contact, Peer
from bihuan.tracing.rules.assistance import (
    FIELD_CLASS,
    Need,
    Said,
    Side,
    Status,
    allowed_fields,
    excess_fields,
    usual_fields,
)

RIGHT: Final = "assistance.write"
CLAUSE: Final = "D4-17e"
LONGEST: Final = 1000
"""Characters of reason and question, each: our own rule."""
_CLOCKS: Final[Mapping[Need, str]] = {
    Need.LOCATE: "clocks.assistance_locate_hours",
    Need.PLACE: "clocks.assistance_place_hours",
}
_REPLY: Final = "clocks.assistance_reply_hours"


@dataclass(frozen=True, slots=True, repr=False)
class AssistanceInput:
    """A request as wanted. `person_id` is the row id of a person of the scope acted in; or `keyed_number`,
    the signed keyed number (visit store) of somebody of another county of this installation, whose identity
    the asking side does not learn; exactly one of them.

    `fields` are the names of fields to share (None = the usual ones of the need). Exposure: from the contact
    `contact_id` or the case `case_id` (public ids) unless given here. `from_territory` is needed only when
    the system asks. Its repr shows no personal data.
    """

    to_territory: str
    need: str
    reason: str
    person_id: int | None = None
    keyed_number: int | None = None
    question: str = ""
    clause: str = CLAUSE
    case_id: str = ""
    contact_id: str = ""
    investigation_id: str = ""
    fields: tuple[str, ...] | None = None
    exposure_kind: str = ""
    exposure_last: date | None = None
    setting: str = ""
    from_territory: str = ""

    def __repr__(self) -> str:
        return f"AssistanceInput(need={self.need!r}, to_territory={self.to_territory!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Preview:
    """What would be shared, exactly: `fields` (name, text), to whom, and by which way. `allowed` are all the
    fields the need justifies, `missing` those wanted that nobody knows. `due_at` the reply clock."""

    fields: tuple[tuple[str, str], ...]
    allowed: tuple[str, ...]
    missing: tuple[str, ...]
    to_territory: str
    office: str
    peer: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class _Plan:
    given: AssistanceInput
    need: Need
    own: str
    person: Person | None
    subject: Person | None  # whom it is about, also where the asking side may not know
    case: Case | None
    contact: Contact | None
    peer: Peer | None
    known: dict[str, str]
    wanted: tuple[str, ...]

    @property
    def shared(self) -> dict[str, str]:
        return {name: self.known[name] for name in self.wanted if self.known.get(name)}


def preview(given: AssistanceInput, *, now: datetime | None = None) -> Preview:
    """What `ask` would share; changes nothing. Raises what `ask` raises."""
    at = moment_now(now)
    plan = _plan(given, at)
    return Preview(
        fields=tuple(plan.shared.items()),
        allowed=allowed_fields(plan.need, is_keyed=given.keyed_number is not None),
        missing=tuple(name for name in plan.wanted if not plan.known.get(name)),
        to_territory=given.to_territory,
        office=office_of(given.to_territory, plan.peer),
        peer=plan.peer.name if plan.peer else "",
        due_at=reply_due(plan.need, given.to_territory, plan.own, at),
    )


def ask(
    given: AssistanceInput, *, actor: Actor, now: datetime | None = None, send: bool = True
) -> AssistanceRequest:
    """Ask another territory for help with one person. Returns the asking side's row.

    Inside this installation the asked territory has it at once; another installation gets it from the worker.
    `send` False keeps a draft, which nobody else sees. Raises AssistanceInvalid, NotAllowed, NotFound.
    """
    at = moment_now(now)
    with writing(actor):
        plan = _plan(given, at)
        with scope.system():  # the asked territory's row, and the log of the person, lie elsewhere
            row = _store(plan, actor, at)
            if send:
                _send(row, plan.subject, actor=actor, at=at)
        return row


def send_draft(request_id: str, *, actor: Actor, now: datetime | None = None) -> AssistanceRequest:
    """Send a request that was kept as a draft, to whom the place belongs by now; the clock of the reply
    begins. Raises UnknownAssistance, AssistanceClosed, AssistanceInvalid, NotAllowed."""
    at = moment_now(now)
    with writing(actor):
        row = thread.held(request_id)
        authorize(RIGHT, row.territory_code)
        if row.status == Status.DRAFT:
            _readdress(row, at)
        with scope.system():
            subject = row.person
            if row.number is not None:
                subject = _person_behind(row.number)
            _send(row, subject, actor=actor, at=at)
        return row


def _readdress(row: AssistanceRequest, at: datetime) -> None:
    """Whom to send a draft to is as it is now: since it was written, an installation may have been added
    that serves the place, or one be trusted no more."""
    peer = _peer_for(row.other_territory, row.territory_code)
    if row.number is not None and peer is not None:
        raise _elsewhere()
    row.peer, row.other_office = peer, office_of(row.other_territory, peer)
    row.reply_due_at = reply_due(Need(row.need), row.other_territory, row.territory_code, at)
    row.save(update_fields=["peer", "other_office", "reply_due_at"])


def _store(plan: _Plan, actor: Actor, at: datetime) -> AssistanceRequest:
    given, public_id = plan.given, new_id("R")
    row = AssistanceRequest(
        public_id=public_id,
        territory_code=plan.own,
        side=Side.ASKING.value,
        thread=public_id,
        other_territory=given.to_territory,
        other_office=office_of(given.to_territory, plan.peer),
        own_office=_own_office(plan.own, actor),
        peer=plan.peer,
        person=plan.person,
        number=given.keyed_number,
        need=plan.need.value,
        clause=given.clause.strip() or CLAUSE,
        shared=list(plan.shared),
        case=plan.case,
        contact=plan.contact,
        investigation=given.investigation_id,
        status=Status.DRAFT.value,
        reply_due_at=reply_due(plan.need, given.to_territory, plan.own, at),
        created_at=at,
        **stamp(actor),
    )
    told = {"fields": plan.shared, "reason": given.reason.strip(), "question": given.question.strip()}
    row.told = thread.lock_away(row, told)
    row.save()
    return row


def _send(row: AssistanceRequest, subject: Person | None, *, actor: Actor, at: datetime) -> None:
    if row.peer_id is None:
        _lay_before(row, subject, at)
    thread.say(row, Said.REQUEST, actor=actor, at=at, data={"need": row.need, "clause": row.clause})
    if subject is not None:
        thread.log_shared(row, subject, list(row.shared), at=at, actor=actor)


def _lay_before(row: AssistanceRequest, subject: Person | None, at: datetime) -> None:
    """The asked territory's row, inside this installation. A person of that territory is found already."""
    is_theirs = subject is not None and _lies_in(subject.territory_code, row.other_territory)
    there = AssistanceRequest(
        public_id=new_id("R"),
        territory_code=row.other_territory,
        side=Side.ASKED.value,
        thread=row.thread,
        other_territory=row.territory_code,
        other_office=row.own_office,
        own_office=row.other_office,
        person=subject if is_theirs else None,
        need=row.need,
        clause=row.clause,
        shared=list(row.shared),
        case=row.case,
        reply_due_at=row.reply_due_at,
        created_at=at,
        received_at=at,
        by_name=row.own_office[:120],
    )
    there.told = thread.lock_away(there, thread.told_of(row))
    there.save()


# --- what is wanted, judged ---------------------------------------------------------------------------


def _plan(given: AssistanceInput, at: datetime) -> _Plan:
    acting = scope.current()
    own = given.from_territory or (acting.lo if acting else "")
    faults = _faults(given, own)
    if faults:
        raise AssistanceInvalid(faults)
    authorize(RIGHT, own)
    need = Need(given.need)
    territory.resolve(given.to_territory)
    peer = _peer_for(given.to_territory, own)
    person, subject = _whom(given, peer)
    contact, case = contact_of(given.contact_id), _case(given.case_id)
    if case is None and contact is not None:
        case = contact.case
    is_keyed = given.keyed_number is not None
    wanted = given.fields if given.fields is not None else usual_fields(need, is_keyed=is_keyed)
    _refuse_excess(need, wanted, is_keyed=is_keyed, own=own)
    known = {**_of_person(person, at), **_of_exposure(given, contact, case)}
    return _Plan(given, need, own, person, subject, case, contact, peer, known, tuple(wanted))


def _peer_for(code: str, own: str) -> Peer | None:
    """The installation to ask; None = this one. Raises AssistanceInvalid when it is no longer trusted, or
    when it would not believe that we ask for `own`."""
    peer = route(code)
    if peer is None:
        return None
    if peer.revoked_at is not None:
        text = _("%(name)s serves this place, and is no longer trusted here.") % {"name": peer.name}
        hint = _("Ask by telephone; the system administrator decides about the installation.")
        raise AssistanceInvalid([_fault("to_territory", "revoked", text, hint)])
    if not is_ours(own):
        text = _("This installation does not speak for %(code)s to others.") % {"code": own}
        hint = _("Act in a post of a territory that it serves, see `bihuan peers show-key`.")
        raise AssistanceInvalid([_fault("from_territory", "not_served", text, hint)])
    return peer


def _faults(given: AssistanceInput, own: str) -> list[dict[str, str]]:
    faults = []
    if given.need not in {key for key, _label in NEED_LABELS}:
        text = _("%(value)s is not allowed here.") % {"value": given.need}
        faults.append(_fault("need", "choice", text, ", ".join(key for key, _label in NEED_LABELS)))
    if given.exposure_kind and given.exposure_kind not in KINDS:
        text = _("%(value)s is not allowed here.") % {"value": given.exposure_kind}
        faults.append(_fault("exposure_kind", "choice", text, ", ".join(sorted(KINDS))))
    if not given.reason.strip():
        faults.append(_fault("reason", "required", _("Say why this is needed: the other side acts on it.")))
    for name in ("reason", "question"):
        if len(getattr(given, name)) > LONGEST:
            text = _("The text is longer than %(n)s characters.") % {"n": LONGEST}
            faults.append(_fault(name, "length", text))
    if not given.to_territory:
        faults.append(_fault("to_territory", "required", _("Which territory is asked?")))
    elif own and _lies_in(given.to_territory, own):
        faults.append(
            _fault(
                "to_territory",
                "own",
                _("This lies in your own territory."),
                _("Nobody needs to be asked: record what is to be done there yourself."),
            )
        )
    if not own:
        faults.append(_fault("from_territory", "required", _("Which territory asks?")))
    if (given.person_id is None) == (given.keyed_number is None):
        faults.append(_fault("person", "required", _("A request is about one person.")))
    return faults


def _refuse_excess(need: Need, wanted: Sequence[str], *, is_keyed: bool, own: str) -> None:
    excess = excess_fields(need, wanted, is_keyed=is_keyed)
    if excess:
        text = _("This need does not justify sharing %(fields)s.") % {"fields": ", ".join(excess)}
        hint = ", ".join(allowed_fields(need, is_keyed=is_keyed))
        raise AssistanceInvalid([_fault("fields", "least_data", text, hint)])
    for name in wanted:
        access.require(RIGHT, field_class=FIELD_CLASS[name], territory_code=own)


def _fault(field: str, rule: str, message: str, hint: str = "") -> dict[str, str]:
    return {"field": field, "rule": rule, "message": message, "hint": hint}


def _whom(given: AssistanceInput, peer: Peer | None) -> tuple[Person | None, Person | None]:
    """The person as the asking side may know her, and as she is."""
    if given.person_id is not None:
        person = _reachable(given.person_id)
        return person, person
    assert given.keyed_number is not None
    county = counties_of([given.keyed_number]).get(given.keyed_number, "")
    if peer is not None or not county or not _lies_in(county, given.to_territory):
        raise _elsewhere()
    with scope.system():  # resolved here, and shown to nobody but the asked territory
        return None, _person_behind(given.keyed_number)


def _elsewhere() -> AssistanceInvalid:
    text = _("The register does not place this number in the territory asked.")
    return AssistanceInvalid([_fault("keyed_number", "elsewhere", text)])


def _reachable(person_id: int) -> Person:
    """A person of the scope, or one who lives elsewhere and is a contact or case of the scope."""
    person = Person.objects.filter(id=person_id).first()
    if person is not None:
        return person
    if any(rows.objects.filter(person_id=person_id).exists() for rows in (Contact, Case)):
        with scope.system():  # named here, living elsewhere: just whom one asks about
            return Person.unscoped.get(id=person_id)
    raise NotFound(_("There is no such person here."), code="unknown-person")


def _person_behind(number: int) -> Person | None:
    found = persons_of([number]).get(number)
    return Person.unscoped.filter(id=found).first() if found is not None else None


def contact_of(public_id: str) -> Contact | None:
    """A contact of the scope; None for "". Raises NotFound."""
    if not public_id:
        return None
    found = Contact.objects.select_related("case").filter(public_id=public_id).first()
    if found is None:
        raise NotFound(_("There is no contact %(id)s here.") % {"id": public_id}, code="unknown-contact")
    return found


def _case(public_id: str) -> Case | None:
    if not public_id:
        return None
    found = Case.objects.filter(public_id=public_id).first()
    if found is None:
        raise NotFound(_("There is no case %(id)s here.") % {"id": public_id}, code="unknown-case")
    return found


def _of_person(person: Person | None, at: datetime) -> dict[str, str]:
    if person is None:
        return {}
    ring = keyring()
    age = age_on(person, clock.local_day(at))
    known = {
        "name": person.name,
        "sex": person.sex if person.sex != "U" else "",
        "age_years": str(age) if age is not None else "",
        "address": person.address,
    }
    if person.phone_cipher:
        known["phone"] = ring.decrypt(person.phone_cipher, place=phone_place(person.public_id))
    if person.id_cipher:
        known["id_number"] = ring.decrypt(person.id_cipher, place=id_place(person.public_id))
    return known


def _of_exposure(given: AssistanceInput, contact: Contact | None, case: Case | None) -> dict[str, str]:
    kind = given.exposure_kind or (contact.exposure_kind if contact else "")
    last = given.exposure_last or (contact.exposure_last if contact else None)
    onset = case.date_onset if case else None
    return {
        "exposure_kind": kind,
        "exposure_last": last.isoformat() if last else "",
        "setting": given.setting or (contact.setting if contact else ""),
        "case_onset": onset.isoformat() if onset else "",
    }


def _lies_in(code: str, above: str) -> bool:
    return above <= code < above + scope.LAST


def office_of(code: str, peer: Peer | None) -> str:
    """What the office asked is called here."""
    place = territory.name_path(code) if territory.find(code) else code
    return f"{peer.name} · {place}" if peer else place


def _own_office(own: str, actor: Actor) -> str:
    if actor.post_id is not None:
        return posts.get(actor.post_id).label[:200]
    return territory.name_path(own)[:200]


def reply_due(need: Need, code: str, own: str, at: datetime) -> datetime:
    """When the answer is due: the clock of the pack in force where the person is (else where it is asked)."""
    where = code if territory.find(code) else own
    found = value(_CLOCKS.get(need, _REPLY), where, at).value
    if isinstance(found, int | float):
        return at + timedelta(hours=found)
    tz = territory.tz_of(where)
    day = clock.local_day(at, tz) + timedelta(days=1 + int(found.get("plus_days", 0)))
    return clock.start_of_day(day, tz)


def known_fields(row: AssistanceRequest) -> dict[str, Any]:
    """The shared fields of a row as told, {} after deletion."""
    fields: dict[str, Any] = thread.told_of(row).get("fields", {})
    return fields
