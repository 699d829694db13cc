"""Propose contacts: from presence, by name, from a passenger list. None of it restricts anybody; `decide`
does that, by a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize, moment_now, writing
from bihuan.registry import clock, scope
from bihuan.registry.actions.people import register_or_find
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid, NotFound
from bihuan.registry.models import Person
from bihuan.registry.people import PersonInput, prepare, prepare_many
from bihuan.tracing.actions.looks import Meeting, MetLook, MetRow, look_met
from bihuan.tracing.errors import InvestigationClosed, UnknownInvestigation, UnknownProposal
from bihuan.tracing.models import ContactProposal, Investigation
from bihuan.tracing.models.proposals import DISMISSED, PROPOSED
from bihuan.tracing.queries.criteria import contact_policy
from bihuan.tracing.rules.seats import Passenger, Seat, Vehicle, sits_near
from bihuan.tracing.rules.settings import SettingKind

RIGHT: Final = "investigation.write"
_BATCH: Final = 500
_FACTS = (
    "person_id", "county", "order", "score", "score_minutes", "score_encounters", "score_cases", "minutes",
    "times", "encounters", "setting", "first_at", "last_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a search for contacts brought: rows made, brought up to date, unchanged, and decided ones that
    met the case again since. `state` (found, no_store, no_number, not_held, not_seen) and `held_from` are the
    look's; `total` keyed numbers were met, of whom the first ones are kept."""

    state: str
    made: int
    updated: int
    same: int
    again: int
    total: int
    persons: tuple[int, ...] = ()
    held_from: date | None = None


def find_contacts(
    investigation_id: str, *, purpose: str, actor: Actor, now: datetime | None = None
) -> Proposed:
    """Look who was where the case was, and propose them. Contacts of contacts only where the edition in force
    identifies them. Raises what a look raises (no right, closed, no purpose)."""
    at = moment_now(now)
    with writing(actor):
        found = held(investigation_id)
        authorize(RIGHT, found.territory_code)
        second = contact_policy(found.case.territory_code, at).secondary
        look = look_met(investigation_id, purpose=purpose, second_order=second, actor=actor, now=at)
        return propose(look, actor=actor, now=at)


def held(investigation_id: str) -> Investigation:
    """The investigation, held until the transaction ends. Raises UnknownInvestigation,
    InvestigationClosed."""
    rows = Investigation.objects.select_for_update(of=("self",)).select_related("case")
    found = rows.filter(public_id=investigation_id).first()
    if found is None:
        raise UnknownInvestigation(investigation_id)
    if found.status != Investigation.OPEN:
        raise InvestigationClosed(found.public_id)
    return found


def propose(look: MetLook, *, actor: Actor, now: datetime | None = None) -> Proposed:
    """Keep what a look showed as proposals, one row for each who was met. Again brings those still open up to
    date; decided ones stay, and show what came to light since. Raises what `held` raises, NotAllowed."""
    at = moment_now(now)
    with writing(actor):
        found = held(look.investigation)
        authorize(RIGHT, found.territory_code)
        rows = [*look.rows, *look.second]
        existing = list(
            ContactProposal.objects.select_for_update(of=("self",)).filter(investigation=found).order_by("id")
        )
        by_number = {p.number: p for p in existing if p.number is not None}
        by_person = {p.person_id: p for p in existing if p.person_id is not None}
        fresh: list[ContactProposal] = []
        changed: list[ContactProposal] = []
        again: list[ContactProposal] = []
        for row in rows:
            known = next((by_number[k] for k in row.keys if k in by_number), by_person.get(row.person_id))
            facts = _facts(row, found)
            if known is None:
                fresh.append(_new(found, row, facts, at))
            elif known.state != PROPOSED:
                if _came_since(known, facts["encounters"]):
                    again.append(known)
            elif _bring(known, facts):
                changed.append(known)
        ContactProposal.objects.bulk_create(fresh, batch_size=_BATCH)
        ContactProposal.objects.bulk_update(
            changed, [f.removesuffix("_id") for f in _FACTS], batch_size=_BATCH
        )
        ContactProposal.objects.bulk_update(again, ["later"], batch_size=_BATCH)
        same = len(rows) - len(fresh) - len(changed) - len(again)
        persons = tuple(sorted({row.person_id for row in rows if row.person_id is not None}))
        told = (len(fresh), len(changed), same, len(again))
        return Proposed(look.state, *told, look.total, persons, look.held_from)


def _facts(row: MetRow, found: Investigation) -> dict[str, Any]:
    longest = max(row.meetings, key=lambda m: m.minutes)
    return {
        "person_id": row.person_id,
        "county": "" if row.person_id is not None else row.county,
        "order": row.order,
        "score": round(float(row.score), 6),
        "score_minutes": round(float(row.minutes_part), 2),
        "score_encounters": round(float(row.encounters_part), 2),
        "score_cases": 0.0,
        "minutes": int(row.minutes),
        "times": int(row.encounters),
        "encounters": [_encounter(m, row, found.case.public_id) for m in row.meetings],
        "setting": longest.place.kind,
        "first_at": row.first,
        "last_at": row.last,
    }


def _encounter(met: Meeting, row: MetRow, case: str) -> dict[str, Any]:
    return {
        "case": case,
        "other": list(row.via),
        "place": met.place.store_id,
        "place_id": met.place.public_id,
        "place_name": met.place.name,
        "setting": met.place.kind,
        "from": met.since.isoformat(),
        "to": met.until.isoformat() if met.until is not None else None,
        "minutes": int(met.minutes),
        "how": met.how,
    }


def _new(found: Investigation, row: MetRow, facts: dict[str, Any], at: datetime) -> ContactProposal:
    return ContactProposal(
        investigation=found,
        territory_code=found.territory_code,
        number=row.keys[0],
        recorded_at=at,
        **facts,
    )


def _bring(known: ContactProposal, facts: dict[str, Any]) -> bool:
    """Bring an open proposal up to date; whether anything was. Who was resolved or named by a person
    stays."""
    if known.person_id is not None and facts["person_id"] is None:
        facts = {**facts, "person_id": known.person_id, "county": ""}
    if known.order == 1 and facts["order"] != 1:
        facts = {**facts, "order": 1}
    facts = _beside(facts, [e for e in known.encounters if _is_told(e)])
    differs = [name for name in _FACTS if getattr(known, name) != facts[name]]
    for name in differs:
        setattr(known, name, facts[name])
    return bool(differs)


def _is_told(encounter: dict[str, Any]) -> bool:
    """Named by somebody, or of a passenger list: no entry record, which a new look would bring again."""
    return bool(encounter.get("named") or encounter.get("seat"))


def _beside(facts: dict[str, Any], told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a look showed of somebody, beside what people told of her before."""
    if not told:
        return facts
    ends = [datetime.fromisoformat(e[side]) for e in told for side in ("from", "to")]
    return {
        **facts,
        "encounters": [*told, *facts["encounters"]],
        "minutes": facts["minutes"] + sum(int(e["minutes"]) for e in told),
        "times": facts["times"] + len(told),
        "first_at": min(facts["first_at"], *ends),
        "last_at": max(facts["last_at"], *ends),
    }


def _came_since(known: ContactProposal, encounters: Sequence[dict[str, Any]]) -> bool:
    told = {(e.get("place"), e.get("from")) for e in known.encounters}
    seats = [e for e in known.later if _is_told(e)]
    later = [*seats, *(e for e in encounters if (e["place"], e["from"]) not in told)]
    if later == known.later:
        return False
    known.later = later
    return True


# --- by name --------------------------------------------------------------------------------------------


def name_person(
    investigation_id: str,
    person: PersonInput | str,
    *,
    last: datetime,
    actor: Actor,
    first: datetime | None = None,
    setting: str = SettingKind.UNKNOWN.value,
    place: str = "",
    minutes: int = 0,
    now: datetime | None = None,
) -> ContactProposal:
    """Somebody said who was with the case: register her unless her document number is known, and propose her.
    `person` is the facts, or the public id of somebody known; the same told again (sent twice) makes nobody
    new. Raises Invalid, NotFound, InvestigationClosed."""
    at = moment_now(now)
    with writing(actor):
        found = held(investigation_id)
        authorize(RIGHT, found.territory_code)
        if last > at:
            raise Invalid(_("An exposure cannot lie in the future."), code="exposure-in-future")
        told = {
            "case": found.case.public_id, "other": [], "place": "", "place_id": "", "place_name": place[:200],
            "setting": setting, "from": (first or last).isoformat(), "to": last.isoformat(),
            "minutes": int(minutes), "named": True,
        }  # fmt: skip
        same = _told_before(found, told, person)
        if same is not None:
            return same
        person_id = _person(person, actor)
        known = (
            ContactProposal.objects.select_for_update(of=("self",))
            .filter(investigation=found, person_id=person_id, state=PROPOSED)
            .first()
        )
        if known is None:
            known = ContactProposal(
                investigation=found, territory_code=found.territory_code, origin="named", person_id=person_id,
                setting=setting, recorded_at=at,
            )  # fmt: skip
        known.encounters = [*known.encounters, told]
        known.minutes, known.times = known.minutes + int(minutes), known.times + 1
        known.first_at = min(filter(None, (known.first_at, first or last)))
        known.last_at = max(filter(None, (known.last_at, last)))
        known.save()
        return known


def _told_before(
    found: Investigation, told: dict[str, Any], person: PersonInput | str
) -> ContactProposal | None:
    """The proposal that this very sentence made: the same place and time of somebody told of in the same
    words; two of one name differ by what else is told of them."""
    rows = ContactProposal.objects.filter(investigation=found, encounters__contains=[told])
    rows = rows.exclude(state=DISMISSED)  # said again, she is to be decided about again
    if isinstance(person, str):
        return rows.filter(person__public_id=person).first()
    asked = prepare(person, on=clock.today())
    same = rows.filter(
        person__name=asked.name, person__id_index=asked.id_index, person__phone_index=asked.phone_index
    )
    if not (asked.id_index or asked.phone_index):
        same = same.filter(
            person__sex=asked.sex, person__date_birth=asked.date_birth, person__birth_year=asked.birth_year
        )
    return same.first()


def resolve(
    proposal_id: str, person: PersonInput | str, *, actor: Actor, now: datetime | None = None
) -> ContactProposal:
    """The place's register, or a phone call, told who a keyed number is. The proposal then can be
    confirmed."""
    with writing(actor):
        found = (
            ContactProposal.objects.select_for_update(of=("self",)).select_related("investigation")
            .filter(public_id=proposal_id).first()
        )  # fmt: skip
        if found is None:
            raise UnknownProposal(proposal_id)
        authorize(RIGHT, found.territory_code)
        held(found.investigation.public_id)
        if found.person_id is not None or found.state != PROPOSED:
            raise Conflict(_("It is known already who %(id)s is.") % {"id": proposal_id}, code="resolved")
        found.person_id, found.county = _person(person, actor), ""
        found.save(update_fields=["person", "county"])
        return found


def _person(person: PersonInput | str, actor: Actor) -> int:
    """Row id (as joined) of somebody known by public id or document number, or registered now."""
    if isinstance(person, str):
        known = Person.objects.filter(public_id=person).values_list("root_id", flat=True).first()
        if known is None:
            raise NotFound(_("There is no person %(id)s here.") % {"id": person}, code="unknown-person")
        return int(known)
    made = register_or_find([person], actor)[0].person
    return int(made.root_id or made.pk)


# --- passenger lists ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ManifestResult:
    """Of a passenger list: who counts and was newly `proposed`, who was on the list already and `joined` with
    the seat, of whom of both it must be `judged`, and how many sat too far `apart` and are not kept."""

    proposed: int
    judged: int
    apart: int
    joined: int = 0


def propose_manifest(
    investigation_id: str,
    passengers: Sequence[Passenger],
    *,
    vehicle: Vehicle,
    case_seat: Seat,
    day: datetime,
    actor: Actor,
    now: datetime | None = None,
) -> ManifestResult:
    """Propose those of a passenger list who sat near the case under the edition in force; the others are not
    kept. Where seats are not known they are proposed to be judged. `day` is the end of the journey. The same
    list again changes nothing. Raises what `held` raises, NotAllowed, Invalid."""
    at = moment_now(now)
    with writing(actor):
        found = held(investigation_id)
        authorize(RIGHT, found.territory_code)
        if day > at:
            raise Invalid(_("An exposure cannot lie in the future."), code="exposure-in-future")
        kept, apart = _seated_near(passengers, found, vehicle=vehicle, case_seat=case_seat, at=at)
        inputs = [_passenger(p, found.territory_code) for p, _counts in kept]
        seats = [_seat_told(found.case.public_id, vehicle, case_seat, p, day) for p, _counts in kept]
        people = _people(found, inputs, seats, actor, lines=[p.line for p, _counts in kept])
        known = _by_person(found, people)
        fresh: dict[int, ContactProposal] = {}
        joined: dict[int, ContactProposal] = {}
        judged = set()
        for pk, told, (_seated, counts) in zip(people, seats, kept, strict=True):
            if pk == found.case.person_id or pk in fresh:
                continue
            if pk not in known:
                fresh[pk] = ContactProposal(
                    investigation=found, territory_code=found.territory_code, origin="manifest",
                    person_id=pk, setting=vehicle.kind.value, first_at=day, last_at=day, times=1,
                    recorded_at=at, encounters=[told],
                )  # fmt: skip
            elif _sat_there(known[pk], told, day):
                joined[pk] = known[pk]
            else:
                continue
            judged |= {pk} if counts is None else set()
        ContactProposal.objects.bulk_create(fresh.values(), batch_size=_BATCH)
        ContactProposal.objects.bulk_update(
            joined.values(), ["encounters", "later", "times", "first_at", "last_at"], batch_size=_BATCH
        )
        return ManifestResult(len(fresh), len(judged), apart, len(joined))


def _seated_near(
    passengers: Sequence[Passenger], found: Investigation, *, vehicle: Vehicle, case_seat: Seat, at: datetime
) -> tuple[list[tuple[Passenger, bool | None]], int]:
    """Who counts, or must be judged (None); and how many sat too far away."""
    policy = contact_policy(found.case.territory_code, at)
    rows = {"aircraft_rows": policy.aircraft_rows, "coach_rows": policy.coach_rows}
    near = [(p, sits_near(vehicle, case_seat, p.seat, **rows).counts) for p in passengers]
    kept: list[tuple[Passenger, bool | None]] = [(p, c) for p, c in near if c is not False]
    return kept, len(passengers) - len(kept)


def _people(
    found: Investigation,
    inputs: Sequence[PersonInput],
    seats: Sequence[dict[str, Any]],
    actor: Actor,
    *,
    lines: Sequence[int],
) -> list[int]:
    """Row id (as joined) of each passenger: who stands in the investigation under the same name, numbers and
    seat is that person; the others as they are known by document number, or registered now."""
    asked = prepare_many(inputs, on=clock.today(), rows=lines)
    rows = ContactProposal.objects.filter(investigation=found, person__name__in=[one.name for one in asked])
    before: dict[Any, list[int]] = {}
    for p in rows.select_related("person").order_by("id"):
        for told in (*p.encounters, *p.later):
            key = _said_of(told, p.person.name, p.person.id_index, p.person.phone_index)
            before.setdefault(key, []).append(int(p.person.root_id or p.person.pk))
    again = {}
    for row, (one, told) in enumerate(zip(asked, seats, strict=True)):
        if same := before.get(_said_of(told, one.name, one.id_index, one.phone_index)):
            again[row] = same.pop(0)  # two of one name, seats unknown, are two
    made = iter(register_or_find([given for row, given in enumerate(inputs) if row not in again], actor))
    return [
        again[row] if row in again else int((new := next(made).person).root_id or new.pk)
        for row in range(len(inputs))
    ]


def _said_of(told: dict[str, Any], *who: str) -> tuple[str, ...]:
    return json.dumps(told, sort_keys=True), *who


def _by_person(found: Investigation, people: Sequence[int]) -> dict[int, ContactProposal]:
    """The proposal of each of these, held: the open one where there are several."""
    rows = ContactProposal.objects.select_for_update(of=("self",))
    rows = rows.filter(investigation=found, person_id__in=people).order_by("id")
    chosen: dict[int, ContactProposal] = {}
    for p in rows:
        if p.person_id is not None and (p.person_id not in chosen or p.state == PROPOSED):
            chosen[p.person_id] = p
    return chosen


def _sat_there(known: ContactProposal, told: dict[str, Any], day: datetime) -> bool:
    """Lay a seat beside what is known of somebody; False where it was told before."""
    if told in known.encounters or told in known.later:
        return False
    if known.state != PROPOSED:
        known.later = [*known.later, told]
        return True
    known.encounters = [*known.encounters, told]
    known.times += 1
    known.first_at = min(filter(None, (known.first_at, day)))
    known.last_at = max(filter(None, (known.last_at, day)))
    return True


def _passenger(passenger: Passenger, territory_code: str) -> PersonInput:
    acting = scope.current()
    wanted = passenger.territory
    inside = bool(wanted) and (acting is None or acting.covers(wanted))
    return PersonInput(
        territory_code=wanted if inside else territory_code,
        name=passenger.name,
        id_number=passenger.id_number,
        phone=passenger.phone,
        address=passenger.address,
        source="manifest",
    )


def _seat_told(
    case: str, vehicle: Vehicle, case_seat: Seat, passenger: Passenger, day: datetime
) -> dict[str, Any]:
    seat = passenger.seat
    return {
        "case": case, "other": [], "place": vehicle.name, "place_id": "", "place_name": vehicle.name,
        "setting": vehicle.kind.value, "from": day.isoformat(), "to": day.isoformat(), "minutes": 0,
        "vehicle": {"kind": vehicle.kind.value, "sealed": vehicle.sealed, "name": vehicle.name},
        "case_seat": _seat(case_seat), "seat": _seat(seat),
    }  # fmt: skip


def _seat(seat: Seat) -> dict[str, Any]:
    return {
        "carriage": seat.carriage, "row": seat.row, "room": seat.room, "seat": seat.seat, "crew": seat.crew,
    }  # fmt: skip


def seat_from(told: dict[str, Any]) -> Seat:
    """A seat as an encounter keeps it."""
    return replace(Seat(), **{k: v for k, v in told.items() if k in Seat.__slots__})


def numbers_of(proposals: Iterable[ContactProposal]) -> set[int]:
    return {p.number for p in proposals if p.number is not None}
