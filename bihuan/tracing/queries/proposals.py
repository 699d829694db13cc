"""Proposals of an investigation as pages and the API show them, ranked, with why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from bihuan.cases.models import Case
from bihuan.cases.queries import people
from bihuan.cases.queries.people import PersonBrief
from bihuan.registry import clock
from bihuan.registry.errors import Invalid
from bihuan.registry.models import Person
from bihuan.tracing.errors import UnknownInvestigation, UnknownProposal
from bihuan.tracing.models import Contact, ContactProposal, Investigation
from bihuan.tracing.models.proposals import CONFIRMED, DISMISSED, PROPOSED, SENT
from bihuan.tracing.queries.criteria import contact_policy
from bihuan.tracing.rules import OPEN_STATUSES
from bihuan.tracing.rules.criteria import (
    Candidate,
    ContactFacts,
    ContactPolicy,
    counted_kinds,
    suggest_criterion,
)
from bihuan.tracing.rules.seats import Seat, Vehicle, VehicleKind
from bihuan.tracing.rules.settings import SettingKind

#: The lists a proposal stands on, in the order of the page: to be decided, who is not known yet, who lives
#: elsewhere, contacts of contacts, decided ones.
PARTS: Final = ("open", "unknown", "elsewhere", "second", "confirmed", "dismissed", "sent")
#: Source of a person whose name is what whoever passed told at a gate (`actions.proposals_ask`).
AT_A_GATE: Final = "gate"
#: More than one look can bring.
MOST: Final = 2_000

_OF_PART: Final = {
    "open": Q(state=PROPOSED, order=1, person__isnull=False),
    "unknown": Q(state=PROPOSED, order=1, person__isnull=True, county=""),
    "elsewhere": Q(state=PROPOSED, order=1, person__isnull=True) & ~Q(county=""),
    "second": Q(state=PROPOSED, order=2),
    "confirmed": Q(state=CONFIRMED),
    "dismissed": Q(state=DISMISSED),
    "sent": Q(state=SENT),
}


@dataclass(frozen=True, slots=True)
class ProposalFilter:
    """What of the list is wanted. `place` a store id; `least_minutes` and `least_score` inclusive."""

    part: str = "open"
    place: str = ""
    setting: str = ""
    least_minutes: int = 0
    least_score: float = 0.0


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """One name. `person` None = not known, or out of sight. `candidates` are criteria that may apply; `also`
    the public id of an open contact record of hers, `case` of a case she is; `investigation` the
    one it stands in, `is_open` whether that goes on, `of_case` the case it is of; `at_gate`: she told her
    name at a gate, and nobody has verified it when it was entered."""

    public_id: str
    origin: str
    state: str
    person_id: int | None
    person: PersonBrief | None
    number: int | None
    county: str
    order: int
    score: float
    parts: tuple[float, float, float]
    minutes: int
    times: int
    encounters: tuple[dict[str, Any], ...]
    later: tuple[dict[str, Any], ...]
    setting: str
    first_at: datetime | None
    last_at: datetime | None
    criterion: str
    clause: str
    reason: str
    decided_at: datetime | None
    decided_by: str
    contact: str
    request: str
    also: str = ""
    case: str = ""
    candidates: tuple[Candidate, ...] = ()
    investigation: str = ""
    is_open: bool = False
    of_case: str = ""
    at_gate: bool = False


@dataclass(frozen=True, slots=True)
class ProposalList:
    """A part of an investigation's proposals. `counts` of every part; `places` (store id, name, how many)."""

    investigation: Investigation
    policy: ContactPolicy
    part: str
    rows: tuple[ProposalRow, ...]
    counts: dict[str, int]
    places: tuple[tuple[str, str, int], ...] = ()
    settings: tuple[str, ...] = field(default=())


def find_investigation(public_id: str) -> Investigation:
    """Raises UnknownInvestigation when there is none in the scope."""
    found = Investigation.objects.select_related("case").filter(public_id=public_id).first()
    if found is None:
        raise UnknownInvestigation(public_id)
    return found


def count_proposals(investigation: Investigation) -> dict[str, int]:
    """How many stand on each list."""
    counted: Counter[str] = Counter()
    rows = ContactProposal.objects.filter(investigation=investigation)
    for state, order, person, county in rows.values_list("state", "order", "person_id", "county"):
        counted[_part(state, order, person, county)] += 1
    return {part: counted[part] for part in PARTS}


def _part(state: str, order: int, person: int | None, county: str) -> str:
    if state != PROPOSED:
        return state
    if order > 1:
        return "second"
    return "open" if person is not None else "elsewhere" if county else "unknown"


def list_proposals(public_id: str, given: ProposalFilter, *, at: datetime | None = None) -> ProposalList:
    """The names of one part, the highest score first. Whoever shows them logs whose whereabouts it showed."""
    investigation = find_investigation(public_id)
    policy = contact_policy(investigation.case.territory_code, at or clock.now())
    within = ContactProposal.objects.filter(investigation=investigation)
    part = list(_filtered(within.filter(_OF_PART.get(given.part, _OF_PART["open"])), given)[:MOST])
    return ProposalList(
        investigation,
        policy,
        given.part,
        tuple(rows_of(part, investigation, policy)),
        count_proposals(investigation),
        _places(part),
        tuple(dict.fromkeys(p.setting for p in part)),
    )


@dataclass(frozen=True, slots=True)
class ProposalPage:
    """Some rows of a part. `next` is where the list goes on, "" at its end; `criteria` those that count."""

    rows: tuple[ProposalRow, ...]
    next: str
    criteria: tuple[str, ...]


def page_of_proposals(
    investigation: Investigation,
    given: ProposalFilter,
    *,
    cursor: str = "",
    size: int = 50,
    at: datetime | None = None,
) -> ProposalPage:
    """Up to `size` names of one part behind `cursor`, the highest score first. Decisions in between neither
    skip nor repeat anybody. Whoever shows them logs it. Raises Invalid (a cursor that is none)."""
    policy = contact_policy(investigation.case.territory_code, at or clock.now())
    within = ContactProposal.objects.filter(investigation=investigation)
    rows = _filtered(within.filter(_OF_PART.get(given.part, _OF_PART["open"])), given)
    if cursor:
        score, minutes, pk = _position(cursor)
        behind = Q(score=score) & (Q(minutes__lt=minutes) | Q(minutes=minutes, id__gt=pk))
        rows = rows.filter(Q(score__lt=score) | behind)
    found = list(rows[: size + 1])
    last = found[size - 1] if len(found) > size else None
    return ProposalPage(
        tuple(rows_of(found[:size], investigation, policy)),
        f"{last.score!r} {last.minutes} {last.pk}" if last else "",
        tuple(kind.value for kind in counted_kinds(policy)),
    )


def all_proposals(investigation: Investigation, given: ProposalFilter) -> list[ProposalRow]:
    """Every name of one part, the highest score first. Whoever shows them logs it."""
    page = page_of_proposals(investigation, given, size=MOST)
    rows = [*page.rows]
    while page.next:
        page = page_of_proposals(investigation, given, cursor=page.next, size=MOST)
        rows += page.rows
    return rows


def _position(cursor: str) -> tuple[float, int, int]:
    try:
        score, minutes, pk = cursor.split(" ")
        told = float(score), int(minutes), int(pk)
        if not isfinite(told[0]) or not 0 <= told[1] < 2**31 or not 0 <= told[2] < 2**63:
            raise ValueError
    except ValueError as error:
        raise Invalid(_("The list cannot be gone on with from here."), code="cursor") from error
    return told


def require_of(investigation_id: str, ids: Sequence[str]) -> None:
    """Raises UnknownInvestigation, and UnknownProposal for one that is not of this investigation."""
    investigation = find_investigation(investigation_id)
    rows = ContactProposal.objects.filter(investigation=investigation, public_id__in=set(ids))
    known = set(rows.values_list("public_id", flat=True))
    other = next((one for one in ids if one not in known), None)
    if other is not None:
        raise UnknownProposal(other)


def _filtered(rows: QuerySet[ContactProposal], given: ProposalFilter) -> QuerySet[ContactProposal]:
    if given.place:
        rows = rows.filter(encounters__contains=[{"place": given.place}])
    if given.setting:
        rows = rows.filter(setting=given.setting)
    if given.least_minutes:
        rows = rows.filter(minutes__gte=given.least_minutes)
    if given.least_score:
        rows = rows.filter(score__gte=given.least_score)
    return rows.select_related("contact").order_by("-score", "-minutes", "id")


def _places(part: Sequence[ContactProposal]) -> tuple[tuple[str, str, int], ...]:
    names: dict[str, str] = {}
    counted: Counter[str] = Counter()
    for proposal in part:
        there = {str(e.get("place") or ""): str(e.get("place_name") or "") for e in proposal.encounters}
        names |= there
        counted.update(there.keys())
    return tuple((place, names[place], n) for place, n in counted.most_common() if place)


def rows_of(
    found: Sequence[ContactProposal], investigation: Investigation, policy: ContactPolicy
) -> list[ProposalRow]:
    ids = {p.person_id for p in found if p.person_id is not None}
    known = people.briefs(ids)
    open_contacts = dict(
        Contact.objects.filter(person_id__in=ids, status__in=[s.value for s in OPEN_STATUSES])
        .order_by("id").values_list("person_id", "public_id")
    )  # fmt: skip
    cases = dict(
        Case.objects.filter(person_id__in=ids).exclude(classification="discarded").order_by("id")
        .values_list("person_id", "public_id")
    )  # fmt: skip
    homes, at_gates = _homes([*ids, investigation.case.person_id])
    own_home = homes.get(investigation.case.person_id)
    return [
        _row(
            p,
            known.get(p.person_id or 0),
            investigation,
            policy,
            also=open_contacts.get(p.person_id or 0, ""),
            case=cases.get(p.person_id or 0, ""),
            same_home=own_home is not None and homes.get(p.person_id or 0) == own_home,
            at_gate=p.person_id in at_gates,
        )
        for p in found
    ]


def _homes(ids: Sequence[int]) -> tuple[dict[int, int], set[int]]:
    """Household by person, and those who told their name at a gate."""
    told = Person.objects.filter(Q(household__isnull=False) | Q(source=AT_A_GATE), id__in=ids)
    rows = list(told.values_list("id", "household_id", "source"))
    homes = {person: household for person, household, _source in rows if household is not None}
    return homes, {person for person, _household, source in rows if source == AT_A_GATE}


def _row(
    p: ContactProposal,
    person: PersonBrief | None,
    investigation: Investigation,
    policy: ContactPolicy,
    *,
    also: str,
    case: str,
    same_home: bool,
    at_gate: bool,
) -> ProposalRow:
    return ProposalRow(
        public_id=p.public_id,
        origin=p.origin,
        state=p.state,
        person_id=p.person_id,
        person=person,
        number=p.number,
        county=p.county,
        order=p.order,
        score=p.score,
        parts=(p.score_minutes, p.score_encounters, p.score_cases),
        minutes=p.minutes,
        times=p.times,
        encounters=tuple(p.encounters),
        later=tuple(p.later),
        setting=p.setting,
        first_at=p.first_at,
        last_at=p.last_at,
        criterion=p.criterion,
        clause=p.clause,
        reason=p.reason,
        decided_at=p.decided_at,
        decided_by=p.decided_by_name,
        contact=p.contact.public_id if p.contact else "",
        request=p.request,
        also=also,
        case=case,
        candidates=tuple(suggest_criterion(facts_of(p, same_home=same_home), policy)),
        investigation=investigation.public_id,
        is_open=investigation.status == Investigation.OPEN,
        of_case=investigation.case.public_id,
        at_gate=at_gate,
    )


def facts_of(p: ContactProposal, *, same_home: bool = False) -> ContactFacts:
    """What the rules are told of a proposal."""
    seated = next((e for e in p.encounters if e.get("seat")), None)
    setting = SettingKind(p.setting) if p.setting in set(SettingKind) else SettingKind.UNKNOWN
    if seated is None:
        return ContactFacts(setting, p.minutes, p.order, same_home)
    told = seated["vehicle"]
    vehicle = Vehicle(VehicleKind(told["kind"]), told.get("sealed"), told.get("name", ""))
    seats = (Seat(**seated["case_seat"]), Seat(**seated["seat"]))
    return ContactFacts(setting, p.minutes, p.order, same_home, vehicle, *seats)


def find_proposal(public_id: str) -> tuple[ProposalRow, Investigation, ContactPolicy]:
    """One proposal. Raises UnknownProposal when there is none in the scope."""
    rows = ContactProposal.objects.select_related("contact", "investigation__case")
    found = rows.filter(public_id=public_id).first()
    if found is None:
        raise UnknownProposal(public_id)
    policy = contact_policy(found.investigation.case.territory_code, clock.now())
    return rows_of([found], found.investigation, policy)[0], found.investigation, policy


def why_of(contact_public_id: str) -> list[ProposalRow]:
    """Why somebody is on the list of contacts: the proposals that were confirmed for this contact."""
    rows = ContactProposal.objects.select_related("contact", "investigation__case").filter(
        contact__public_id=contact_public_id, state=CONFIRMED
    )
    found = list(rows.order_by("decided_at", "id"))
    return [
        row
        for p in found
        for row in rows_of(
            [p], p.investigation, contact_policy(p.territory_code, p.decided_at or clock.now())
        )
    ]
