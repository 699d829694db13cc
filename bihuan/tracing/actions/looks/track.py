"""Where a case was, as gates recorded it. A record is no proof: a forwarded code is not presence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from bihuan.cases.actions.common import writing
from bihuan.epi.visits import VisitStore, trace
from bihuan.epi.visits.recorded import Stay
from bihuan.epi.visits.windows import Window, Windows
from bihuan.registry.actor import Actor
from bihuan.tracing import visits
from bihuan.tracing.actions.looks.gate import (
    PlaceName,
    case_numbers,
    enter,
    named,
    noted,
    recorded,
    small_numbers,
)
from bihuan.tracing.actions.looks.met import State, state_of


@dataclass(frozen=True, slots=True)
class Recorded:
    """One stay of the case at a place (UTC); `until` None where only the entry is known. `how` it was
    recorded: as in `met.Meeting`."""

    place: PlaceName
    since: datetime
    until: datetime | None
    how: str | None = None


@dataclass(frozen=True, slots=True)
class TrackLook:
    """What one look at the records of a case showed, in order of time. Times in UTC. `held_from`: the first
    day of which anything is held, where days before it were asked for."""

    state: State
    investigation: str
    look_id: int | None
    since: datetime
    until: datetime
    rows: tuple[Recorded, ...]
    held_from: date | None = None


def look_track(
    investigation_id: str,
    *,
    purpose: str,
    actor: Actor,
    since: datetime | None = None,
    until: datetime | None = None,
    now: datetime | None = None,
) -> TrackLook:
    """The visits of the case within [since, until] (None = all the investigation may look at). Raises what
    `gate.enter` does, and Invalid for a time out of bounds."""
    with writing(actor):
        gate = enter(investigation_id, purpose=purpose, actor=actor, now=now)
        begin, end = gate.bounded(since, until)
        store = visits.open_store()
        keys = case_numbers(gate) if store is not None else []
        own = small_numbers(store, keys) if store is not None else []
        public_id = gate.investigation.public_id
        state = state_of(store, keys, own, begin, end)
        if store is None or not keys:
            return TrackLook(state, public_id, None, begin, end, ())
        rows = visits_of(store, own, begin, end) if state == "found" else ()
        note = noted(gate, "track", persons=(), rows=len(rows), since=begin, until=end)
        held = visits.held_from(store, begin, end) if state == "found" else None
        return TrackLook(state, public_id, note.pk, begin, end, rows, held)


def visits_of(store: VisitStore, own: list[int], since: datetime, until: datetime) -> tuple[Recorded, ...]:
    a, b = visits.minute_of(store, since), visits.minute_of(store, until)
    windows = Windows.of([Window(number, a, b) for number in own])
    segments, keep = trace.segments_of(store, windows, 0)
    found: dict[tuple[int, int, int], Stay] = {}  # two numbers of the case may tell the same stay
    for w, place, x, y in trace.visits_of(segments, windows).tolist():
        found.setdefault((place, x, y), Stay(own[w], place, x, y))
    del keep
    names = named(store.places.ids[place] for place, _a, _b in found)
    hows = recorded(store, found.values())
    return tuple(
        Recorded(
            names[store.places.ids[place]],
            visits.moment_of(store, x),
            visits.moment_of(store, y) if y > x else None,
            hows.get(found[place, x, y]),
        )
        for place, x, y in sorted(found, key=lambda stay: (stay[1], stay[2], stay[0]))
    )
