"""Where the people of the drill went: entry records that agree with who infected whom, among many who met
nobody.

Pure and seeded. Times are minutes of the local day; nobody in it exists. How often and how long people stay
is our own choice; the popularity of places is heavy-tailed, as that of real ones is.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bihuan.drill.rules import CaseStory, Outbreak, SyntheticPerson

#: Kinds of the places of a street, their name, how busy (a share), minutes of a stay from and to.
KINDS = (
    ("market", "菜市场", 0.30, 20, 60),
    ("shop", "超市", 0.34, 10, 45),
    ("shop", "便利店", 0.14, 3, 12),
    ("restaurant", "餐馆", 0.10, 40, 100),
    ("clinic", "卫生院", 0.12, 20, 70),
)
#: Where those of each setting of the stories met.
MEETS = {
    "meal_or_gathering": ("restaurant", 60, 120),
    "work_or_school": ("workplace", 180, 420),
    "transport": ("coach", 35, 60),
    "care": ("clinic", 30, 80),
    "other": ("market", 20, 50),
}
OPENS, CLOSES, TRIES = 9, 20, 8
"""Local hours in which people meet; so often a time is drawn at which both are nowhere else."""
#: How places of these kinds note who comes; the others scan a code.
NOTED = {"gate": "paper", "clinic": "card", "works": "gate", "coach": "ticket"}
EXPONENT = 0.9
"""Of Zipf's law of places: the busiest of a few hundred takes about a twentieth."""
STRANGER = "198"
"""Numbers of those whom gates alone know begin so. Of nobody we know."""
HOUR = 60
LOCAL = timedelta(hours=8)


@dataclass(frozen=True)
class Spot:
    """A place: its id in the store, name, kind of setting, community."""

    store_id: str
    name: str
    kind: str
    territory_code: str


@dataclass(frozen=True)
class Visit:
    """One entry record. `person` is what the gate noted (a phone); `minutes` None = only the entry."""

    event: int
    person: str
    place: str
    start: datetime
    minutes: int | None

    @property
    def how(self) -> str:
        """How it was noted, in a word the visit store knows; the kind stands in the place's id."""
        kind = next(word for word in self.place.split("-")[1:] if word.isalpha())
        return NOTED.get(kind, "code")


def phone_of(key: str) -> str:
    """A telephone for somebody of the drill: P0012 → 19900100012, R0012 → 19900200012. Of nobody we know."""
    return f"199{'001' if key[0] == 'P' else '002'}{int(key[1:]):05d}"


def is_stranger(phone: str) -> bool:
    """Whether no register of the drill holds the number."""
    return phone.startswith(STRANGER)


def spots(communities: Sequence[tuple[str, str]], streets: Sequence[tuple[str, str]]) -> list[Spot]:
    """The places of the streets (code, name), a gate for every community, a coach and a works for each
    street. A street's places stand in its first community."""
    found: list[Spot] = []
    for code, name in streets:
        first = next((c for c, _n in communities if c.startswith(code)), code)
        for kind, word, *_ in KINDS:
            found.append(Spot(f"SY-{code}-{kind}-{len(found)}", f"{name}{word}", kind, first))
        found.append(Spot(f"SY-{code}-coach", f"{name}公交1路", "coach", first))
        found.append(Spot(f"SY-{code}-works", f"{name}汽配厂", "workplace", first))
    found += [Spot(f"SY-{code}-gate", f"{name}卡口", "community_gate", code) for code, name in communities]
    return found


class Walks:
    """Draws the records; the only holder of the random state."""

    def __init__(
        self, outbreak: Outbreak, places: Sequence[Spot], residents: Sequence[SyntheticPerson], *, seed: int
    ) -> None:
        self.outbreak = outbreak
        self.draw = random.Random(seed)
        self.places = list(places)
        self.residents = list(residents)
        self.begin = outbreak.scenario.now - timedelta(days=17)
        self.end = outbreak.scenario.now
        self.event = 0
        self.meetings: dict[str, list[tuple[datetime, datetime]]] = {}
        self.near: dict[tuple[str, str], list[Spot]] = {}
        for place in places:
            self.near.setdefault((place.kind, place.territory_code[:9]), []).append(place)
        self.stays = {kind: (least, most) for kind, _word, _share, least, most in KINDS}

    def all(self, n: int) -> Iterator[Visit]:
        """The records of whom cases infected, of their contacts, of where cases went besides, then of others
        up to `n` in all."""
        by_key = {case.person.key: case for case in self.outbreak.cases}
        for case in self.outbreak.cases:
            if case.infector is not None:
                yield from self._meeting(by_key[case.infector], case.person, case.setting, case.infected_at)
        for contact in self.outbreak.contacts:
            source = by_key[contact.case_key]
            yield from self._meeting(source, contact.person, contact.setting, contact.last_exposure_at)
        for case in self.outbreak.cases:
            yield from self._case(case)
        yield from self._others(n - self.event)

    def _street(self, code: str, kind: str) -> Spot | None:
        near = self.near.get((kind, code[:9]))
        return self.draw.choice(near) if near else None

    def _visit(self, person: str, place: Spot, start: datetime, minutes: int | None) -> Iterator[Visit]:
        if self.begin <= start and start + timedelta(minutes=minutes or 0) <= self.end:
            self.event += 1
            yield Visit(self.event, person, place.store_id, start, minutes)

    def _case(self, case: CaseStory) -> Iterator[Visit]:
        """Out through the gate, to market or shop, sometimes to eat; until the case is isolated."""
        phone, code = phone_of(case.person.key), case.person.territory_code
        day = max(self.begin, case.infected_at).replace(hour=0, minute=0, second=0, microsecond=0)
        while day < case.isolated_at:
            at = day + timedelta(minutes=self.draw.randint(0, 3 * HOUR))
            for kind, chance in (
                ("community_gate", 1.0),
                ("market", 0.6),
                ("shop", 0.6),
                ("restaurant", 0.15),
            ):
                place = self._street(code, kind)
                if place is None or self.draw.random() > chance:
                    continue
                minutes = self.draw.randint(*self.stays[kind]) if kind in self.stays else None
                end = at + timedelta(minutes=minutes or 1)
                if end < case.isolated_at and self._is_free(phone, at, end):
                    yield from self._visit(phone, place, at, minutes)
                at += timedelta(minutes=(minutes or 5) + self.draw.randint(10, 90))
            day += timedelta(days=1)

    def _meeting(
        self, case: CaseStory, other: SyntheticPerson, setting: str, on: datetime
    ) -> Iterator[Visit]:
        """Both at one place near the case's home, in the open hours of the local day of `on` or the day
        before; at home there is no gate to note it."""
        if setting not in MEETS:
            return
        kind, least, most = MEETS[setting]
        place = self._street(case.person.territory_code, kind)
        minutes = self.draw.randint(least, most)
        later = self.draw.randint(0, min(10, minutes - 1))
        one, two = phone_of(case.person.key), phone_of(other.key)
        midnight = (on + LOCAL).replace(hour=0, minute=0, second=0, microsecond=0) - LOCAL
        for attempt in range(TRIES):
            day = midnight - timedelta(days=2 * attempt // TRIES)
            start = day + timedelta(minutes=self.draw.randint(OPENS * HOUR, CLOSES * HOUR - minutes))
            end = start + timedelta(minutes=minutes)
            if end < case.isolated_at and all(self._is_free(phone, start, end) for phone in (one, two)):
                break
        else:
            return
        if place is None:
            return
        for phone in (one, two):
            self.meetings.setdefault(phone, []).append((start, end))
        yield from self._visit(one, place, start, minutes)
        yield from self._visit(two, place, start + timedelta(minutes=later), minutes - later)

    def _is_free(self, phone: str, start: datetime, end: datetime) -> bool:
        return all(end < begun or ended < start for begun, ended in self.meetings.get(phone, ()))

    def _others(self, n: int) -> Iterator[Visit]:
        """People going about: a tenth of them in the register, the others known to the gates alone. The
        places of the streets with most cases are the busiest."""
        draw, busy = self.draw, [place for place in self.places if place.kind in self.stays]
        draw.shuffle(busy)
        cases = Counter(case.person.territory_code[:9] for case in self.outbreak.cases)
        busy.sort(key=lambda place: -cases[place.territory_code[:9]])
        weights = [1 / rank**EXPONENT for rank in range(1, len(busy) + 1)]
        phones = [phone_of(person.key) for person in self.residents]
        phones += [f"{STRANGER}{n:08d}" for n in range(len(phones) * 9)]
        days = int((self.end - self.begin) / timedelta(days=1))
        midnight = self.begin.replace(hour=16, minute=0, second=0, microsecond=0) - timedelta(days=1)
        for place, person in zip(
            draw.choices(busy, weights, k=max(0, n)), draw.choices(phones, k=max(0, n)), strict=True
        ):
            least, most = self.stays[place.kind]
            day, hour, stay = draw.random(), draw.random(), draw.random()
            minute = int(day * (days + 1)) * 24 * HOUR + int((7 + 13 * hour) * HOUR)
            yield from self._visit(
                person, place, midnight + timedelta(minutes=minute), least + int(stay * (most - least))
            )
