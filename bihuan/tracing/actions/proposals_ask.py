"""Ask what gates registered of many numbers nobody knows, and enter who they are, in one call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from bihuan.cases.actions.common import moment_now, writing
from bihuan.registry import access, clock, people, scope, territory
from bihuan.registry.actions.people import register_or_find
from bihuan.registry.actor import Actor
from bihuan.registry.models import Person
from bihuan.registry.models.territory import Level
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import pseudonyms
from bihuan.tracing.actions.looks.gate import RIGHT as LOOK
from bihuan.tracing.actions.looks.gate import Gate, enter, noted
from bihuan.tracing.actions.proposals_decide import chosen
from bihuan.tracing.models import ContactProposal
from bihuan.tracing.models.proposals import PROPOSED
from bihuan.tracing.queries.gates import StrangerView, strangers_of
from bihuan.tracing.queries.proposals import AT_A_GATE

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking brought. Of those nobody knew, `named` told a name at a gate and are persons now,
    unverified; `known` turned out to be in the register by now, `elsewhere` in that of another county (only
    which is told). Proposals, by public id: `unnamed` told a gate no name that could be entered (open each,
    and call), `unregistered` no gate of this territory registered. `places`: where the last were met, by
    name, and how many of them, most first: ask there."""

    named: int = 0
    known: int = 0
    elsewhere: int = 0
    unnamed: tuple[str, ...] = ()
    unregistered: tuple[str, ...] = ()
    places: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        return self.named + self.known + self.elsewhere + len(self.unnamed) + len(self.unregistered)


def ask_gates(ids: Sequence[str], *, purpose: str, actor: Actor, now: datetime | None = None) -> Asked:
    """Open what gates registered, within the hours of the investigation, of the numbers of these proposals,
    and register whoever told a name there: the proposals then can be decided about. Never where or when
    somebody was there.

    In a fixed number of statements; one look, noted for the case and everybody who got a name. Who is known
    already, lives elsewhere or was decided is passed over, so that the same again adds nobody. Raises Invalid
    (nobody chosen, no purpose), UnknownProposal, InvestigationClosed, NotAllowed.
    """
    at = moment_now(now)
    with writing(actor):
        found, investigation = chosen(ids)
        if not scope.is_system():  # names and phones
            access.require(LOOK, field_class="identity", territory_code=investigation.territory_code)
        gate = enter(investigation.public_id, purpose=purpose, actor=actor, now=at)
        waiting = {
            p.number: p
            for p in found
            if p.number is not None and p.person_id is None and not p.county and p.state == PROPOSED
        }
        known = _known(waiting, gate)
        counties = pseudonyms.counties_of(waiting.keys() - known.keys())
        told = strangers_of(
            waiting.keys() - known.keys() - counties.keys(), since=gate.since, until=gate.until
        )
        made = _registered(told, actor)
        people_of = {number: pk for number, pk in known.items() if pk != gate.root} | made
        _enter_them(waiting, people_of, counties)
        if waiting:
            noted(
                gate, "stranger", persons=people_of.values(), rows=len(told), since=gate.since,
                until=gate.until,
            )  # fmt: skip
        missing = [p for n, p in waiting.items() if n not in known and n not in counties and n not in told]
        return Asked(
            named=len(made),
            known=len(people_of) - len(made),
            elsewhere=len(counties),
            unnamed=tuple(waiting[number].public_id for number in told if number not in made),
            unregistered=tuple(p.public_id for p in missing),
            places=_places(missing),
        )


def _known(waiting: Mapping[int, ContactProposal], gate: Gate) -> dict[int, int]:
    """Row ids (as joined) of those in sight whom the register knows by now, or another investigation of this
    territory has entered: keyed numbers are made a while after somebody is registered."""
    entered = ContactProposal.objects.filter(number__in=waiting, person_id__isnull=False)
    entered = entered.exclude(investigation=gate.investigation).order_by("id")
    by_number = {number: pk for number, pk in entered.values_list("number", "person_id") if number}
    roots = dict(Person.objects.filter(id__in=by_number.values()).values_list("id", "root_id"))
    before = {number: int(roots[pk] or pk) for number, pk in by_number.items() if pk in roots}
    return before | pseudonyms.persons_of(waiting)


def _registered(told: Mapping[int, StrangerView], actor: Actor) -> dict[int, int]:
    """Register whoever told a name; row ids by number."""
    on = clock.today()
    inputs = {number: one for number, view in told.items() if (one := _person(view, on)) is not None}
    made = register_or_find(list(inputs.values()), actor)
    return {
        number: int(one.person.root_id or one.person.pk) for number, one in zip(inputs, made, strict=True)
    }


def _person(view: StrangerView, on: date) -> PersonInput | None:
    """Who told this; None without a name that can be entered. A phone nobody can dial is left out."""
    if not view.name.strip():
        return None
    given = PersonInput(_home(view), name=view.name, phone=view.phone, source=AT_A_GATE)
    for one in (given, replace(given, phone="")):
        if not people.judge(one, on=on):
            return one
    return None


def _home(view: StrangerView) -> str:
    """Where the duties about her will be: at the street she says she is from, if it is one of the territory
    acted in, else where the gate is."""
    acting = scope.current()
    named = territory.find_by_name(view.origin, within=acting.lo if acting else None) if view.origin else []
    near = [t for t in named if t.level >= Level.STREET]
    return near[0].code if len(near) == 1 else view.territory_code


def _enter_them(
    waiting: Mapping[int, ContactProposal], people_of: Mapping[int, int], counties: Mapping[int, str]
) -> None:
    changed = []
    for number, proposal in waiting.items():
        if number in people_of:
            proposal.person_id = people_of[number]
        elif number in counties:
            proposal.county = counties[number]
        else:
            continue
        changed.append(proposal)
    ContactProposal.objects.bulk_update(changed, ["person", "county"], batch_size=_BATCH)


def _places(missing: Iterable[ContactProposal]) -> tuple[tuple[str, int], ...]:
    counted: Counter[str] = Counter()
    for proposal in missing:
        counted.update({str(e.get("place_name") or "") for e in proposal.encounters} - {""})
    return tuple(counted.most_common())
