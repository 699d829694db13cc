"""Who was where a case was, while it could infect others: names for a person to judge, never a finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from math import expm1
from typing import Literal

import numpy as np

from bihuan.cases.actions.common import writing
from bihuan.epi.visits import VisitStore, risk, trace
from bihuan.epi.visits.recorded import Stay
from bihuan.epi.visits.windows import Window, Windows
from bihuan.policy.values import value
from bihuan.registry.actor import Actor
from bihuan.tracing import visits
from bihuan.tracing.actions import pseudonyms
from bihuan.tracing.actions.looks.gate import (
    Gate,
    PlaceName,
    case_numbers,
    enter,
    everywhere,
    key_of,
    named,
    noted,
    recorded,
    small_numbers,
)
from bihuan.tracing.rules.looks import weight_of

MARGIN_KEY = "contact.presence_margin_minutes"
#: Names shown of one look: more than a team can telephone in a day, few enough to be read.
AT_MOST = 500

#: found; no_store: nothing was ever written to it; no_number: the register holds neither an identity number
#: nor a phone of the case (or has held it for less than a minute); not_held: of the days asked for nothing is
#: held, as they were deleted or never came in; not_seen: no gate recorded the case.
State = Literal["found", "no_store", "no_number", "not_held", "not_seen"]


@dataclass(frozen=True, slots=True)
class Meeting:
    """One time somebody was where the case was. `since`, `until` (UTC) her stay as far as it was asked about,
    `until` None where only an entry is known; `minutes` together with the case; `how` her stay was recorded
    (a word of `rules.recorded`, None where it could not be read)."""

    place: PlaceName
    since: datetime
    until: datetime | None
    minutes: int
    how: str | None = None


@dataclass(frozen=True, slots=True)
class MetRow:
    """Somebody who was where the case was.

    `keys` are her signed keyed numbers in the store. `person_id` is who she is in the register (as joined),
    if she belongs to the scope acted in; else None, and `county` is the code of the county she lives in (""
    = the register does not know her). `score` orders the list and is no probability; its parts are in
    weighted minutes. `order` 1: with the case; 2: with somebody of order 1 (`via`: their keyed numbers).
    """

    rank: int
    keys: tuple[int, ...]
    person_id: int | None
    county: str
    score: float
    minutes_part: float
    encounters_part: float
    encounters: int
    minutes: int
    first: datetime
    last: datetime
    meetings: tuple[Meeting, ...]
    order: int = 1
    via: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class MetLook:
    """What one look showed. `total` keyed numbers were met, of whom the first AT_MOST are in `rows`;
    `look_id` is the note of it (None where there was nothing to look into). Times in UTC, `margin` in
    minutes; `held_from` as in `track.TrackLook`."""

    state: State
    investigation: str
    look_id: int | None
    since: datetime
    until: datetime
    margin: int
    total: int
    rows: tuple[MetRow, ...]
    second: tuple[MetRow, ...] = ()
    held_from: date | None = None


def look_met(
    investigation_id: str,
    *,
    purpose: str,
    actor: Actor,
    margin: int | None = None,
    second_order: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    now: datetime | None = None,
) -> MetLook:
    """Everybody recorded at the places of the case within `margin` minutes (None = the pack's) of its
    stays, in the days it may have infected others (or the part [since, until] of what the investigation may
    look at).

    With `second_order` also whom those met afterwards. Being on the list restricts nobody: a person
    confirms a contact, with the criterion. Raises what `gate.enter` does, and Invalid for a time out of
    bounds."""
    with writing(actor):
        gate = enter(investigation_id, purpose=purpose, actor=actor, now=now)
        begin, end = gate.bounded(since or gate.window[0], until or gate.window[1])
        code, on = gate.case.territory_code, gate.investigation.opened_at
        near = int(value(MARGIN_KEY, code, on).value) if margin is None else margin
        store = visits.open_store()
        keys = case_numbers(gate) if store is not None else []
        own = small_numbers(store, keys) if store is not None else []
        state = state_of(store, keys, own, begin, end)
        if store is None or state != "found":
            note = noted(gate, "met", persons=(), rows=0, since=begin, until=end).pk if keys else None
            return MetLook(state, gate.investigation.public_id, note, begin, end, near, 0, ())
        return _Asked(gate, store, own, begin, end, near).look(second_order)


def state_of(
    store: VisitStore | None, keys: list[int], own: list[int], since: datetime, until: datetime
) -> State:
    """Whether there is anything to look into, and why not. `own` are those of `keys` the store knows."""
    if store is None:
        return "no_store"
    if not keys:
        return "no_number"
    if not visits.holds_any(store, since, until):
        return "not_held"
    return "found" if own else "not_seen"


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question to the store; `own` are the small numbers of the case."""

    gate: Gate
    store: VisitStore
    own: list[int]
    since: datetime
    until: datetime
    margin: int

    def look(self, second_order: bool) -> MetLook:
        a, b = visits.minute_of(self.store, self.since), visits.minute_of(self.store, self.until)
        windows = Windows.of([Window(number, a, b) for number in self.own])
        weights = self._weights(windows)
        scored = risk.scored(self.store, windows, margin=self.margin, weights=weights)
        first = scored.met.take(~np.isin(scored.met.person, self.own))
        shown = first.take(slice(None, AT_MOST))
        rows = self._rows(windows, shown.person.tolist(), weights, order=1)
        second: tuple[MetRow, ...] = ()
        if second_order and shown.size:
            later = trace.second_order(self.store, windows, shown, margin=self.margin)
            people = later.take(~np.isin(later.person, first.person)).person[:AT_MOST].tolist()
            second = self._rows(trace.sources_of(windows, shown), people, weights, order=2)
        everybody = self._everybody([*rows, *second])
        look = noted(
            self.gate, "met", persons=everybody, rows=len(rows) + len(second), since=self.since,
            until=self.until,
        )  # fmt: skip
        return MetLook(
            "found", self.gate.investigation.public_id, look.pk, self.since, self.until, self.margin,
            first.size, rows, second, visits.held_from(self.store, self.since, self.until),
        )  # fmt: skip

    def _weights(self, windows: Windows) -> dict[str, float]:
        """Weights of the settings of the places the case was at."""
        segments, keep = trace.segments_of(self.store, windows, 0)
        at = {int(place) for place in trace.visits_of(segments, windows)[:, 1]}
        del keep
        places = named(self.store.places.ids[number] for number in at)
        return {name: weight_of(place.kind) for name, place in places.items() if weight_of(place.kind) != 1}

    def _rows(
        self, windows: Windows, people: list[int], weights: Mapping[str, float], *, order: int
    ) -> tuple[MetRow, ...]:
        found = trace.encounters(self.store, windows, sorted(people), margin=self.margin)
        keys = {person: key_of(self.store, person) for person in people}
        names = named(e.place for e in found)
        hows = recorded(self.store, {self._stay(e) for e in found})
        with everywhere():
            joined = pseudonyms.persons_of(keys.values())
        in_sight = pseudonyms.persons_of(keys.values())
        counties = pseudonyms.counties_of(keys.values())
        groups: dict[tuple[str, int], list[trace.Encounter]] = {}
        for e in found:
            key = keys[e.person]
            who = ("p", joined[key]) if key in joined else ("k", key)
            if who != ("p", self.gate.root):
                groups.setdefault(who, []).append(e)
        made = [
            self._row(met, keys, names, weights, hows, in_sight=in_sight, counties=counties, order=order)
            for met in groups.values()
        ]
        made.sort(key=lambda row: (-row.score, -row.minutes, -row.encounters, row.keys))
        return tuple(_ranked(made))

    def _row(
        self,
        met: list[trace.Encounter],
        keys: Mapping[int, int],
        names: Mapping[str, PlaceName],
        weights: Mapping[str, float],
        hows: Mapping[Stay, str],
        *,
        in_sight: Mapping[int, int],
        counties: Mapping[int, str],
        order: int,
    ) -> MetRow:
        own = sorted({keys[e.person] for e in met})
        minutes = sum(weights.get(e.place, 1.0) * e.together for e in met)
        times = sum(weights.get(e.place, 1.0) * risk.ENCOUNTER_MINUTES for e in met)
        meetings = tuple(self._meeting(e, names[e.place], hows.get(self._stay(e))) for e in met)
        return MetRow(
            rank=0,
            keys=tuple(own),
            person_id=next((in_sight[key] for key in own if key in in_sight), None),
            county=next((counties[key] for key in own if key in counties), ""),
            score=-expm1(-(minutes + times) / risk.SCALE_MINUTES),
            minutes_part=minutes,
            encounters_part=times,
            encounters=len(met),
            minutes=sum(e.together for e in met),
            first=min(m.since for m in meetings),
            last=max(m.until or m.since for m in meetings),
            meetings=meetings,
            order=order,
            via=tuple(sorted({key_of(self.store, e.case) for e in met})) if order == 2 else (),
        )

    def _stay(self, e: trace.Encounter) -> Stay:
        return Stay(e.person, self.store.places.find(e.place), e.start, e.end)

    def _meeting(self, e: trace.Encounter, place: PlaceName, how: str | None) -> Meeting:
        lo = max(visits.moment_of(self.store, e.start), self.gate.since)
        hi = min(visits.moment_of(self.store, e.end), self.gate.until) if e.end > e.start else None
        return Meeting(place, lo, hi, e.together, how)

    def _everybody(self, rows: Iterable[MetRow]) -> set[int]:
        with everywhere():
            return set(pseudonyms.persons_of(key for row in rows for key in row.keys).values())


def _ranked(rows: list[MetRow]) -> list[MetRow]:
    return [replace(row, rank=n) for n, row in enumerate(rows, 1)]
