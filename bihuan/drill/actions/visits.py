"""Bring the drill's entry records into the visit store, through the verbs of gates and places."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from bihuan.drill.actions.cast import ACTOR
from bihuan.drill.actions.play import homes, scenario
from bihuan.drill.queries import is_walked
from bihuan.drill.rules import SyntheticPerson, a_name, play_out, residents
from bihuan.drill.setting import COUNTY, NEXT_COUNTIES, SEED
from bihuan.drill.visits import Spot, Visit, Walks, is_stranger, phone_of, spots
from bihuan.registry import clock, scope, territory
from bihuan.registry.actions import people
from bihuan.registry.people import PersonInput

VISITS = 200_000
RESIDENTS = 600
"""A tenth of those who go about: a case meets some of the register, and the demo starts quickly."""
WRITTEN_DOWN = 0.8
"""Share of those whom no register knows that a gate writes down when they come first; our own choice."""
COMES_FOR = {"market": "买菜", "shop": "购物", "restaurant": "就餐", "clinic": "就诊"}
_AT_ONCE = 50_000

if TYPE_CHECKING:
    from bihuan.tracing.actions.gates import RegisterEntry


def record_visits() -> int:
    """Places, people of the register who go about, and entry records up to the drill's now; how many records
    came in. Stands beside the play, which it may run at the same time as; again changes nothing."""
    from bihuan.tracing.actions import places
    from bihuan.tracing.actions import record_visits as gates
    from bihuan.tracing.actions.gates import record_registers

    plan = scenario()
    known = homes()
    outbreak = play_out(plan, *known)
    others = residents(random.Random(SEED + 2), *known, n=RESIDENTS)
    found = spots(known[0], streets())
    register = Register(found, [name for code, name in streets() if code.startswith(COUNTY)])
    with scope.system(), clock.frozen(plan.now):
        if is_walked():
            return 0
        people.register_people([_person(person, plan.now) for person in others], ACTOR)
        told = [places.PlaceInput(s.name, s.territory_code, s.kind, s.store_id) for s in found]
        rows, added = Walks(outbreak, found, others, seed=SEED + 3).all(VISITS), 0
        places.register_places(told, actor=ACTOR, now=plan.now)
        while part := list(islice(rows, _AT_ONCE)):
            added += gates.record_table(table(part), now=plan.now).added
            register.see(part)
        record_registers(list(register.entries()), actor=ACTOR, now=plan.now)
        return added


@dataclass
class Register:
    """What gates of the drill's own county write down of those nobody knows, once of each: name, phone,
    street, and what for."""

    places: Sequence[Spot]
    streets: Sequence[str]
    first: dict[str, Visit] = field(default_factory=dict)

    def see(self, visits: Iterable[Visit]) -> None:
        here = {spot.store_id for spot in self.places if spot.territory_code.startswith(COUNTY)}
        for v in visits:
            if v.place in here and is_stranger(v.person):
                known = self.first.setdefault(v.person, v)
                if v.start < known.start:
                    self.first[v.person] = v

    def entries(self) -> Iterator[RegisterEntry]:
        from bihuan.tracing.actions.gates import RegisterEntry, StrangerInput

        kinds, draw = {spot.store_id: spot.kind for spot in self.places}, random.Random(SEED + 4)
        for phone, v in sorted(self.first.items()):
            name, street = a_name(draw, draw.choice("MF")), draw.choice(self.streets)
            if draw.random() < WRITTEN_DOWN:
                told = StrangerInput(name, phone, street, COMES_FOR.get(kinds[v.place], ""))
                yield RegisterEntry(f"SY-{v.event}", v.place, v.start, phone, told)


def number_people() -> None:
    """Everybody of the drill gets the keyed numbers under which gates recorded them."""
    from bihuan.tracing.actions import pseudonyms

    pseudonyms.catch_up(everybody=True)


def streets() -> list[tuple[str, str]]:
    """Streets of the drill's counties that have places, code and name."""
    return [(s.code, s.name) for county in (COUNTY, *NEXT_COUNTIES) for s in territory.children(county)]


def table(visits: Iterable[Visit]) -> bytes:
    """Records as a gate system would send them."""
    out = io.StringIO()
    out.write("event,person,place,start,end,how\n")
    out.writelines(_lines(visits))
    return out.getvalue().encode()


def _lines(visits: Iterable[Visit]) -> Iterator[str]:
    zone = clock.zone(territory.tz_of(COUNTY))
    for v in visits:
        start = v.start.astimezone(zone).replace(tzinfo=None)
        end = _minute(start + timedelta(minutes=v.minutes)) if v.minutes is not None else ""
        yield f"SY-{v.event},{v.person},{v.place},{_minute(start)},{end},{v.how}\n"


def _minute(at: datetime) -> str:
    return at.isoformat(" ", "minutes")


def _person(person: SyntheticPerson, on: datetime) -> PersonInput:
    return PersonInput(
        territory_code=person.territory_code,
        name=person.name,
        sex=person.sex,
        age_years=person.age,
        age_reported_on=on.date(),
        phone=phone_of(person.key),
        address=person.address,
        occupation=person.occupation,
        source="drill",
        local_id=person.key,
    )
