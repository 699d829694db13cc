"""Who was at a place, and where several cases were together. Only places and times under investigation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import writing, zone_of
from bihuan.epi.visits import VisitStore, backward, trace
from bihuan.epi.visits.recorded import Stay
from bihuan.epi.visits.windows import Window
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
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
from bihuan.tracing.models import Place, SourceHypothesis, TrackEntry
from bihuan.tracing.rules.asked_window import day_bounds

#: Stays shown of one look.
AT_MOST = 500


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody's stay (UTC; `until` None where only the entry is known). Who: as in `met.MetRow`; `how` it
    was recorded: as in `met.Meeting`."""

    key: int
    person_id: int | None
    county: str
    since: datetime
    until: datetime | None
    how: str | None = None


@dataclass(frozen=True, slots=True)
class PlaceLook:
    """Who was at a place within [since, until] (UTC), by entry; `total` stays, of which AT_MOST are shown.
    `state` not_held: of these days nothing is held, as they were deleted or never came in."""

    state: Literal["found", "no_store", "not_held"]
    investigation: str
    look_id: int | None
    place: PlaceName
    since: datetime
    until: datetime
    total: int
    rows: tuple[Present, ...]


def look_place(
    investigation_id: str,
    place: str,
    *,
    since: datetime,
    until: datetime,
    purpose: str,
    actor: Actor,
    now: datetime | None = None,
) -> PlaceLook:
    """Who was at `place` (its number L-…, or its id in the store) within [since, until].

    Only a place that stands in the track of the investigation or among its hypotheses: nobody looks around.
    Raises what `gate.enter` does, and Invalid for another place or a time out of bounds.
    """
    with writing(actor):
        gate = enter(investigation_id, purpose=purpose, actor=actor, now=now)
        begin, end = gate.bounded(since, until)
        store_id = _in_question(gate, place)
        about, store = named([store_id])[store_id], visits.open_store()
        if store is None:
            return PlaceLook("no_store", gate.investigation.public_id, None, about, begin, end, 0, ())
        a, b = visits.minute_of(store, begin), visits.minute_of(store, end)
        found = trace.present_at(store, store_id, a, b)
        keys = {person: key_of(store, person) for person, _a, _b in found[:AT_MOST]}
        in_sight, counties = pseudonyms.persons_of(keys.values()), pseudonyms.counties_of(keys.values())
        number = store.places.find(store_id)
        stays = [Stay(person, number, x, y) for person, x, y in found[:AT_MOST]]
        hows = recorded(store, stays)
        rows = tuple(
            Present(
                keys[stay.person], in_sight.get(keys[stay.person]), counties.get(keys[stay.person], ""),
                max(visits.moment_of(store, stay.start), gate.since),
                min(visits.moment_of(store, stay.end), gate.until) if stay.end > stay.start else None,
                hows.get(stay),
            )
            for stay in stays
        )  # fmt: skip
        with everywhere():
            persons = pseudonyms.persons_of(keys.values()).values()
        note = noted(gate, "place", persons=persons, rows=len(rows), since=begin, until=end, place=store_id)
        state: Literal["found", "not_held"] = "found"
        if not found and not visits.holds_any(store, begin, end):
            state = "not_held"
        return PlaceLook(state, gate.investigation.public_id, note.pk, about, begin, end, len(found), rows)


def _in_question(gate: Gate, place: str) -> str:
    """The store's id of a place the investigation is about."""
    entries = TrackEntry.objects.filter(investigation=gate.investigation, retracted_at=None)
    asked = SourceHypothesis.objects.filter(investigation=gate.investigation).exclude(standing="ruled_out")
    numbers = {*entries.values_list("place_id", flat=True), *asked.values_list("place_id", flat=True)} - {
        None
    }
    with scope.system():  # a place it is about may lie in another county, and is nobody's personal data
        known = {p.public_id: p.store_id for p in Place.objects.filter(id__in=numbers)}
    recorded = {str(v["place"]) for v in entries.values_list("visit", flat=True) if v and "place" in v}
    if place in known:
        return known[place]
    if place in recorded or place in known.values():
        return place
    raise Invalid(
        _("%(place)s is no place this investigation is about.") % {"place": place},
        hint=_("Enter it in the track, or as a hypothesis of where the infection came from, first."),
        code="look-other-place",
        details={"field": "place"},
    )


@dataclass(frozen=True, slots=True)
class Common:
    """A place where several of the cases were, in `hours` that follow each other: `span_since` to
    `span_until` (UTC), `span_cases` in any of them.

    Against chance stands the least likely hour alone, `since` to `until`: its `cases`, `stays` of all people,
    `expected` cases by chance, `p` and, adjusted for all tests, `q`. A lead to verify.
    """

    place: PlaceName
    since: datetime
    until: datetime
    cases: tuple[str, ...]
    stays: int
    expected: float
    p: float
    q: float
    span_since: datetime
    span_until: datetime
    span_cases: tuple[str, ...]
    hours: int


@dataclass(frozen=True, slots=True)
class CommonLook:
    """Where cases were together. `unseen`: public ids of cases no gate recorded; `unheld`: of cases of whose
    days nothing is held, as they were deleted or never came in."""

    state: Literal["found", "no_store"]
    investigations: tuple[str, ...]
    look_ids: tuple[int, ...]
    rows: tuple[Common, ...]
    unseen: tuple[str, ...]
    unheld: tuple[str, ...] = ()


def look_common(
    investigation_ids: Sequence[str], *, purpose: str, actor: Actor, now: datetime | None = None
) -> CommonLook:
    """Where the cases of several open investigations were together in the days they may have been infected
    (from the longest incubation before, to the day of onset)."""
    ids = list(dict.fromkeys(investigation_ids))
    if len(ids) < 2:
        raise Invalid(_("Common places need at least two investigations."), code="look-too-few")
    with writing(actor):
        gates = [enter(one, purpose=purpose, actor=actor, now=now) for one in sorted(ids)]
        store = visits.open_store()
        if store is None:
            return CommonLook("no_store", tuple(ids), (), (), tuple(g.case.public_id for g in gates))
        of: dict[int, str] = {}
        as_one: dict[int, int] = {}  # a case whom gates know by several numbers is one
        windows, unseen, unheld = [], [], []
        for gate in gates:
            own = small_numbers(store, case_numbers(gate))
            since, until = _source_window(gate)
            span = visits.minute_of(store, since), visits.minute_of(store, until)
            windows += [Window(number, *span) for number in own]
            of |= dict.fromkeys(own, gate.case.public_id)
            as_one |= dict.fromkeys(own, min(own, default=0))
            if not visits.holds_any(store, since, until):
                unheld.append(gate.case.public_id)
            elif not own:
                unseen.append(gate.case.public_id)
        found = backward.common_places(store, windows, as_one=as_one) if windows else []
        shown = backward.spans(found)[:AT_MOST]
        names = named(span.place for span in shown)
        rows = tuple(_common(store, span, names[span.place], of) for span in shown)
        notes = tuple(
            noted(
                gate, "common", persons=(), rows=sum(gate.case.public_id in row.span_cases for row in rows),
                since=_source_window(gate)[0], until=_source_window(gate)[1],
            ).pk
            for gate in gates
        )  # fmt: skip
        return CommonLook("found", tuple(ids), notes, rows, tuple(unseen), tuple(unheld))


def _common(store: VisitStore, span: backward.CommonSpan, place: PlaceName, of: Mapping[int, str]) -> Common:
    best = span.best
    return Common(
        place,
        visits.moment_of(store, best.since),
        visits.moment_of(store, best.until),
        tuple(sorted({of[n] for n in best.cases})),
        best.presences,
        best.expected,
        best.p,
        best.q,
        span_since=visits.moment_of(store, span.since),
        span_until=visits.moment_of(store, span.until),
        span_cases=tuple(sorted({of[n] for n in span.cases})),
        hours=span.blocks,
    )


def _source_window(gate: Gate) -> tuple[datetime, datetime]:
    """The days in which the case may have been infected: until the end of the day of onset; without symptoms
    until it could pass it on itself."""
    since, until = gate.investigation.source_from, gate.window[0]
    if gate.case.date_onset is not None:
        until = day_bounds(gate.case.date_onset, tz=zone_of(gate.case.territory_code))[1]
    return since, max(since, min(until, gate.until))
