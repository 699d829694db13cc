"""Contacts of an investigation: who was proposed and why, decided by a person; indicators of tracing."""

from datetime import datetime
from typing import Any, Literal

from ninja import File, Form, Query, Router, Schema
from ninja.files import UploadedFile
from pydantic import Field

from bihuan.care.actions.take_back import take_back
from bihuan.care.queries.indicators import DAYS, tracing_indicators
from bihuan.doors.api import paging, persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import HEALTH, LOCATION, OPERATIONAL, PersonRef
from bihuan.doors.api.reading import AsOf, Moment
from bihuan.doors.api.routes.people_in import PersonIn, person_input
from bihuan.doors.api.shapes import Many, place
from bihuan.doors.exchange.passenger_list import received
from bihuan.loops.queries.sight import require_whole
from bihuan.registry import access
from bihuan.registry.errors import Invalid
from bihuan.tracing.actions import proposals as verbs
from bihuan.tracing.actions import proposals_ask as ask
from bihuan.tracing.actions import proposals_decide as decide
from bihuan.tracing.actions.looks import look_stranger
from bihuan.tracing.errors import InvestigationClosed
from bihuan.tracing.queries import proposals as reads
from bihuan.tracing.queries.proposals import ProposalFilter, ProposalRow
from bihuan.tracing.rules.seats import Seat, Vehicle, VehicleKind
from bihuan.tracing.rules.settings import SettingKind

router = Router()
RIGHT, WRITE, LOOK = "investigation.view", "investigation.write", "visits.look"
MOST = reads.MOST
"""Names in one call: as many as one list holds."""

Part = Literal["open", "unknown", "elsewhere", "second", "confirmed", "dismissed", "sent"]


class FindIn(Schema):
    """Nobody looks at who was where without a purpose."""

    purpose: str = Field(min_length=1, max_length=200)


class FoundOut(Schema):
    """`state`: found, no_store, no_number, not_held (of these days nothing is held), not_seen.
    `total` were met; `made` are new names, `updated` those with more to tell, `again` decided
    ones that met the case since, `same` the others."""

    state: str
    total: int
    made: int
    updated: int
    same: int
    again: int


class ProposalQuery(Schema):
    """All parts joined by "and". `part`: open (to be decided), unknown (a number the register does not know),
    elsewhere, second (contacts of contacts), confirmed, dismissed, sent."""

    part: Part = "open"
    place: str = Field("", max_length=120, description="Id of the place in the visit store.")
    setting: str = Field("", max_length=20)
    least_minutes: int = Field(0, ge=0, le=100_000)
    least_score: float = Field(0.0, ge=0, le=1)
    cursor: str = Field("", max_length=1000)
    limit: int = Field(paging.LIMIT_DEFAULT, ge=1, le=paging.LIMIT_MOST)


class CandidateOut(Schema):
    """A criterion that may apply. `counts`: yes, judge, no."""

    criterion: str
    counts: str
    clause: str


class EncounterOut(Schema):
    """`until` null: only the entry is known. `through`: met a contact of the case, not the case. `named`:
    somebody said so. `how` the entry record came about: code, card, face, hand, gate, self, interview,
    transport, "" (not said), null where there is none or it is not known; after code, self, transport or ""
    it is unconfirmed."""

    place: str
    setting: str
    since: datetime | None
    until: datetime | None
    minutes: int
    through: bool
    named: bool
    how: str | None


class ProposalOut(Schema):
    """Somebody who may have been a contact; being listed restricts nobody. `person` null: not known, or out
    of sight; of somebody of another county only `county` is told. `score` orders the list and is no
    probability. `encounters`, `later` (since the decision), criteria and times are told while the
    investigation is open, to roles that hold the field class location; `case` (she is one) to those that hold
    health. `contact_open`: an open record of hers; `contact`: the one that was made. `at_gate`: her name is
    what she told at a gate, unverified when it was entered."""

    id: str
    origin: str
    state: str
    order: int
    person: PersonRef | None
    county: str
    score: float
    minutes: int
    times: int
    setting: str | None
    first: datetime | None
    last: datetime | None
    encounters: list[EncounterOut]
    later: list[EncounterOut]
    candidates: list[CandidateOut]
    contact_open: str | None
    case: str | None
    at_gate: bool
    criterion: str
    clause: str
    reason: str
    decided_at: datetime | None
    decided_by: str
    contact: str | None
    request: str | None


class ProposalPage(Schema):
    """`counts`: how many stand on each part. `criteria`: those the edition in force counts."""

    items: list[ProposalOut]
    next: str | None
    counts: dict[str, int]
    criteria: list[str]


class ChosenIn(Schema):
    proposals: list[str] = Field(min_length=1, max_length=MOST)
    reason: str = Field(min_length=1, max_length=300)


class ConfirmIn(ChosenIn):
    """`criterion`: one that the edition in force counts, see `criteria` of the list."""

    criterion: str = Field(min_length=1, max_length=24)


class ConfirmedOut(Schema):
    """`contacts` in the order sent. `made` new records, `joined` exposures added to an open one, `moved` of
    them with a later last exposure (somebody decides whether observation lasts longer), `known` confirmed
    before."""

    contacts: list[str]
    made: int
    joined: int
    moved: int
    known: int


class SendIn(ChosenIn):
    """`need`: what the other county is asked for, as in an assistance request."""

    need: str = Field("place_under_observation", min_length=1, max_length=40)


class SentOut(Schema):
    """Requests by proposal."""

    requests: dict[str, str]


class NameIn(Schema):
    """Somebody the case, or a witness, named; `last` when they were last together."""

    person: str | PersonIn = Field(description="Public id of a known person, or the facts of a new one.")
    last: Moment
    first: Moment | None = None
    setting: str = Field("unknown", max_length=20)
    place: str = Field("", max_length=200)
    minutes: int = Field(0, ge=0, le=20_000)


class ManifestIn(Schema):
    """Where the case sat. `carriage` also of an aircraft or ship: area or deck; `row` also the bay of a
    carriage; `room` compartment or cabin. `sealed` (air-conditioned, windows shut) null: not known.
    `ended_at`: end of the journey."""

    kind: VehicleKind
    ended_at: Moment
    vehicle: str = Field("", max_length=40, description="As on the ticket: G1234, CZ3367.")
    sealed: bool | None = None
    carriage: str = Field("", max_length=20)
    row: int | None = Field(None, ge=1, le=999)
    room: str = Field("", max_length=20)


class ManifestOut(Schema):
    """`proposed` new names, `joined` known ones whose seat was added, `judged` of both whose seat or vehicle
    does not tell; `apart` sat too far away and are not kept."""

    proposed: int
    joined: int
    judged: int
    apart: int


class AskGatesIn(Schema):
    """Nobody looks without a purpose."""

    purpose: str = Field(min_length=1, max_length=200)


class AskManyIn(AskGatesIn):
    proposals: list[str] = Field(min_length=1, max_length=MOST)


class AskedOut(Schema):
    """Of those nobody knew: `named` told a name at a gate and can be decided about (unverified: call before),
    `known` are in the register by now, `elsewhere` in that of another county. Proposals: `unnamed` told a
    gate no name that could be entered (ask for each alone), `unregistered` no gate of this territory
    registered in the hours of the investigation: ask the place for its register."""

    named: int
    known: int
    elsewhere: int
    unnamed: list[str]
    unregistered: list[str]


class StrangerOut(Schema):
    """What whoever passed told at a gate, unverified. `found` false: no gate of this territory registered the
    number in the hours of the investigation, or it is deleted by now."""

    found: bool
    name: str
    phone: str
    origin: str


class WhoIn(Schema):
    person: str | PersonIn = Field(description="Public id of a known person, or the facts of a new one.")


class ProposalRef(Schema):
    id: str
    state: str


class TakeBackIn(Schema):
    reason: str = Field(min_length=1, max_length=300)


class TakenBack(Schema):
    """`released` false: another naming still obliges her."""

    id: str
    released: bool


class TracingIndicatorOut(Schema):
    """`value` = `numerator` / `denominator`, null where nobody counts; a share unless `is_ratio`. `target` is
    met at or above it if `at_least`, else at or below. `confidence` of the target: V verified, R recalled."""

    key: str
    numerator: int
    denominator: int
    value: float | None
    target: float | None
    at_least: bool
    met: bool | None
    is_ratio: bool
    source: str
    confidence: str


class TracingIndicators(Schema):
    """Over the `days` before `as_of`."""

    territory: str
    as_of: datetime
    days: int
    items: list[TracingIndicatorOut]


@operation(
    router, "GET", "/investigations/{investigation}/contacts", right=RIGHT, response=ProposalPage,
    personal=True,
)  # fmt: skip
def list_proposed_contacts(call: Call, investigation: str, asked: Query[ProposalQuery]) -> ProposalPage:
    """Who may have been a contact, the highest score first"""
    require_whole(RIGHT)
    one = reads.find_investigation(investigation)
    shown = _shown(one.territory_code, is_open=one.status == one.OPEN)
    if (asked.place or asked.setting) and LOCATION not in shown:  # a filter by it would tell it
        access.require(RIGHT, field_class=LOCATION, territory_code=one.territory_code)
        raise InvestigationClosed(one.public_id)
    given = ProposalFilter(**asked.dict(exclude={"cursor", "limit"}))
    page = reads.page_of_proposals(
        one, given, cursor=paging.decode("proposals", asked.cursor), size=asked.limit
    )
    persons.note(call, [row.person_id for row in page.rows if row.person], shown - {HEALTH})
    return ProposalPage(
        items=[_out(row, shown) for row in page.rows],
        next=paging.encode("proposals", page.next),
        counts=reads.count_proposals(one),
        criteria=list(page.criteria),
    )


@operation(router, "GET", "/contact-proposals/{proposal}", right=RIGHT, response=ProposalOut, personal=True)
def get_proposed_contact(call: Call, proposal: str) -> ProposalOut:
    """One of them"""
    require_whole(RIGHT)
    row, one, _policy = reads.find_proposal(proposal)
    shown = _shown(one.territory_code, is_open=one.status == one.OPEN)
    persons.note(call, [row.person_id if row.person else None], shown - {HEALTH})
    return _out(row, shown)


@operation(router, "POST", "/investigations/{investigation}/contacts/find", right=LOOK, response=FoundOut)
def find_contacts(call: Call, investigation: str, body: FindIn) -> FoundOut:
    """Look who was where the case was, and propose them

    Contacts of contacts only where the edition in force identifies them. The look is noted.
    """
    found = verbs.find_contacts(investigation, purpose=body.purpose, actor=call.actor)
    return FoundOut(
        state=found.state, total=found.total, made=found.made, updated=found.updated, same=found.same,
        again=found.again,
    )  # fmt: skip


@operation(
    router, "POST", "/investigations/{investigation}/contacts/name", right=WRITE, response=ProposalRef,
    status=201,
)  # fmt: skip
def name_contact(call: Call, investigation: str, body: NameIn) -> ProposalRef:
    """Propose somebody who was named"""
    one = reads.find_investigation(investigation)
    if body.setting not in set(SettingKind):
        raise _unfit("setting", f"{body.setting!r}: {', '.join(SettingKind)}")
    made = verbs.name_person(
        investigation, person_input(body.person, one.territory_code), last=body.last, first=body.first,
        setting=body.setting, place=body.place, minutes=body.minutes, actor=call.actor,
    )  # fmt: skip
    return ProposalRef(id=made.public_id, state=made.state)


@operation(
    router, "POST", "/investigations/{investigation}/contacts/manifest", right=WRITE, response=ManifestOut
)
def propose_passengers(
    call: Call, investigation: str, file: File[UploadedFile], journey: Form[ManifestIn]
) -> ManifestOut:
    """Propose those of a passenger list who sat near the case

    The list is CSV, TSV, XLS, XLSX or ODS with the columns name, id_number, phone, carriage, row or seat,
    room, role, territory, address. Who sat too far away under the edition in force is not kept.
    """
    done = verbs.propose_manifest(
        investigation, received(file), vehicle=Vehicle(journey.kind, journey.sealed, journey.vehicle),
        case_seat=Seat(journey.carriage, journey.row, journey.room), day=journey.ended_at, actor=call.actor,
    )  # fmt: skip
    return ManifestOut(proposed=done.proposed, joined=done.joined, judged=done.judged, apart=done.apart)


@operation(
    router, "POST", "/investigations/{investigation}/contacts/confirm", right=WRITE, response=ConfirmedOut
)
def confirm_proposed_contacts(call: Call, investigation: str, body: ConfirmIn) -> ConfirmedOut:
    """These are close contacts, by this criterion, for this reason; all or none"""
    reads.require_of(investigation, body.proposals)
    done = decide.confirm_proposals(
        body.proposals, criterion=body.criterion, reason=body.reason, actor=call.actor
    )
    return ConfirmedOut(
        contacts=list(done.contacts), made=done.made, joined=done.joined, moved=done.moved, known=done.known
    )


@operation(router, "POST", "/investigations/{investigation}/contacts/dismiss", right=WRITE, response=Many)
def dismiss_proposed_contacts(call: Call, investigation: str, body: ChosenIn) -> Many:
    """These are no contacts, for this reason"""
    reads.require_of(investigation, body.proposals)
    n = decide.dismiss_proposals(body.proposals, reason=body.reason, actor=call.actor)
    return Many(n=n, message="")


@operation(router, "POST", "/investigations/{investigation}/contacts/reconsider", right=WRITE, response=Many)
def reconsider_proposed_contacts(call: Call, investigation: str, body: ChosenIn) -> Many:
    """Dismissed ones are to be decided again, for this reason"""
    reads.require_of(investigation, body.proposals)
    n = decide.reconsider_proposals(body.proposals, reason=body.reason, actor=call.actor)
    return Many(n=n, message="")


@operation(router, "POST", "/investigations/{investigation}/contacts/send", right=WRITE, response=SentOut)
def send_proposed_contacts(call: Call, investigation: str, body: SendIn) -> SentOut:
    """Ask the counties where these live, one request each; all or none"""
    reads.require_of(investigation, body.proposals)
    sent = decide.send_proposals(body.proposals, need=body.need, reason=body.reason, actor=call.actor)
    return SentOut(requests=sent.requests)


@operation(
    router, "POST", "/investigations/{investigation}/contacts/registered", right=LOOK, response=AskedOut
)
def ask_gates_for_many(call: Call, investigation: str, body: AskManyIn) -> AskedOut:
    """Ask what gates registered of numbers nobody knows, and enter who they are

    For whoever may also enter who one is. The names stand in the list, among those to be decided. Who is
    known or decided already is passed over. The look is noted.
    """
    reads.require_of(investigation, body.proposals)
    done = ask.ask_gates(body.proposals, purpose=body.purpose, actor=call.actor)
    return AskedOut(
        named=done.named, known=done.known, elsewhere=done.elsewhere, unnamed=list(done.unnamed),
        unregistered=list(done.unregistered),
    )  # fmt: skip


@operation(
    router, "POST", "/contact-proposals/{proposal}/registered", right=LOOK, response=StrangerOut,
    personal=True,
)  # fmt: skip
def ask_gates(call: Call, proposal: str, body: AskGatesIn) -> StrangerOut:
    """What gates registered of a number nobody knows

    For whoever may also enter who it is. Never where or when she was there. The look is noted.
    """
    told = look_stranger(proposal, purpose=body.purpose, actor=call.actor)
    return StrangerOut(found=told.found, name=told.name, phone=told.phone, origin=told.origin)


@operation(router, "POST", "/contact-proposals/{proposal}/resolve", right=WRITE, response=ProposalRef)
def resolve_proposed_contact(call: Call, proposal: str, body: WhoIn) -> ProposalRef:
    """Say who a number is, as the register of the place tells"""
    _row, one, _policy = reads.find_proposal(proposal)
    made = verbs.resolve(proposal, person_input(body.person, one.territory_code), actor=call.actor)
    return ProposalRef(id=made.public_id, state=made.state)


@operation(router, "POST", "/contact-proposals/{proposal}/take-back", right=WRITE, response=TakenBack)
def take_back_proposed_contact(call: Call, proposal: str, body: TakeBackIn) -> TakenBack:
    """A confirmation was an error: the person is free, unless another naming obliges her"""
    return TakenBack(id=proposal, released=take_back(proposal, reason=body.reason, actor=call.actor))


@operation(router, "GET", "/contact-indicators", right="board.view", response=TracingIndicators)
def get_contact_indicators(call: Call, territory: str = "", as_of: AsOf | None = None) -> TracingIndicators:
    """How contact tracing goes in a territory: shares with what they are made of"""
    require_whole("case.view")
    found = tracing_indicators(place(call, territory, "board.view"), as_of=as_of, days=DAYS)
    return TracingIndicators(
        territory=found.territory,
        as_of=found.as_of,
        days=found.days,
        items=[
            TracingIndicatorOut(
                key=one.key, numerator=one.numerator, denominator=one.denominator, value=one.value,
                target=one.target, at_least=one.at_least, met=one.is_met, is_ratio=one.is_ratio,
                source=one.source, confidence=one.confidence,
            )
            for one in found.rows
        ],
    )  # fmt: skip


def _shown(territory_code: str, *, is_open: bool) -> frozenset[str]:
    """Classes of fields that are told of the proposals; whereabouts while the investigation is open."""
    told = {OPERATIONAL, HEALTH, LOCATION} if is_open else {OPERATIONAL, HEALTH}
    return access.field_classes(None, RIGHT, territory_code=territory_code) & told


def _out(row: ProposalRow, shown: frozenset[str]) -> ProposalOut:
    tells = LOCATION in shown
    return ProposalOut(
        id=row.public_id,
        origin=row.origin,
        state=row.state,
        order=row.order,
        person=persons.ref(row.person),
        county=row.county,
        score=row.score,
        minutes=row.minutes,
        times=row.times,
        setting=row.setting if tells else None,
        first=row.first_at if tells else None,
        last=row.last_at if tells else None,
        encounters=[_encounter(e) for e in row.encounters if tells],
        later=[_encounter(e) for e in row.later if tells],
        candidates=[
            CandidateOut(criterion=c.criterion.value, counts=c.counts.value, clause=c.clause)
            for c in row.candidates
            if tells
        ],
        contact_open=row.also or None,
        case=(row.case or None) if HEALTH in shown else None,
        at_gate=row.at_gate,
        criterion=row.criterion,
        clause=row.clause,
        reason=row.reason,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        contact=row.contact or None,
        request=row.request or None,
    )


def _encounter(told: dict[str, Any]) -> EncounterOut:
    return EncounterOut(
        place=str(told.get("place_name") or ""),
        setting=str(told.get("setting") or ""),
        since=told.get("from"),
        until=told.get("to"),
        minutes=int(told.get("minutes") or 0),
        through=bool(told.get("other")),
        named=bool(told.get("named")),
        how=told.get("how"),
    )


def _unfit(field: str, message: str) -> Invalid:
    return Invalid(message, errors=[{"field": field, "rule": field, "message": message}])
