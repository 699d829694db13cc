"""Who was where some cases were, while they were: two ways to one answer.

`meet` goes through the mapped index (milliseconds), `bulk.meet` through DuckDB over the Parquet files. Both
give, of every person met, how often, how many minutes, by how many cases, first and last; in one order. A
presence is no contact: a person confirms (rights, issue 4 deliver 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import adding, crew, finding, kernels, meeting
from bihuan.epi.visits.batch import DAY_MINUTES, LONGEST_MINUTES
from bihuan.epi.visits.met import Met
from bihuan.epi.visits.store import VisitStore
from bihuan.epi.visits.windows import AnyWindows, Window, Windows, checked

__all__ = ["Encounter", "Met", "Window", "Windows", "encounters", "meet", "present_at", "second_order"]

#: Rows beside the visits up to which a hash table, which stays in the cache, beats dealing into buckets.
_TABLE_ROWS = 1 << 15
#: Windows from which a second thread is worth its start.
_SHARED_WINDOWS = 24


class Engine(Protocol):
    """A way to find who was met."""

    def __call__(self, store: VisitStore, windows: AnyWindows, *, margin: int = 0) -> Met: ...


@dataclass(frozen=True, slots=True)
class Encounter:
    """One time two people were at one place: minutes of the store's clock, `together` of them shared."""

    case: int
    person: int
    place: str
    start: int
    end: int
    together: int


def meet(store: VisitStore, windows: AnyWindows, *, margin: int = 0) -> Met:
    """Everybody present at the same place as a case, within `margin` minutes of her stay there.

    A case is not her own contact; other cases are named like anybody else. `margin` must be 0 to 1,440.
    """
    return _met(store, checked(windows, margin), margin, None)


def meet_at(store: VisitStore, windows: AnyWindows, places: NDArray[np.int64], *, margin: int = 0) -> Met:
    """`meet` at some places only: small numbers, ascending."""
    return _met(store, checked(windows, margin), margin, places) if places.size else Met.nobody()


def _met(store: VisitStore, asked: Windows, margin: int, places: NDArray[np.int64] | None) -> Met:
    segments, keep = segments_of(store, asked, margin)
    if places is None and asked.size < _SHARED_WINDOWS:
        visits, ranges, met = meeting.few(
            segments, asked.person, asked.since, asked.until, margin, _TABLE_ROWS
        )
        if met.size or not ranges.size:
            return Met(*met)
    else:
        visits, ranges = near(segments, asked, margin, places)
    if not ranges.size:
        return Met.nobody()
    n_people = max(store.people.count, *(k.n_people for k in keep))
    found = _added(segments, visits, ranges, asked, margin, n_people)
    del keep
    return found


def _added(
    segments: NDArray[np.int64],
    visits: NDArray[np.int64],
    ranges: NDArray[np.int64],
    asked: Windows,
    margin: int,
    n_people: int,
) -> Met:
    rows = int((ranges[:, 3] - ranges[:, 2]).sum())
    zero = int(visits[:, 2].min()) - margin - 1
    bits = adding.time_bits(visits, margin)
    if rows > _TABLE_ROWS and adding.fits(bits, n_people):
        met = adding.add_up(
            adding.Asked(segments, visits, ranges, asked.person, margin, zero, bits, n_people)
        )
        if met is not None:
            return met
    return Met(*meeting.met_in(segments, visits, ranges, asked.person, margin, zero, rows))


def near(
    segments: NDArray[np.int64], asked: Windows, margin: int, places: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Visits of the cases as in `visits_of`, and the rows beside them that may meet them, by all cores."""
    only = np.empty(0, np.int64) if places is None else places

    def some(a: int, b: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        part = asked.take(slice(a, b))
        visits, ranges = finding.near(segments, part.person, part.since, part.until, margin, only)
        visits[:, 0] += a
        return visits, ranges

    cuts = _cuts(asked.size)
    parts = crew.at_once(some, cuts, cuts[1:])
    if len(parts) > 1:
        before = 0
        for visits, ranges in parts:
            ranges[:, 0] += before
            before += visits.shape[0]
        return np.concatenate([v for v, _r in parts]), np.concatenate([r for _v, r in parts])
    return parts[0]


def segments_of(store: VisitStore, asked: Windows, margin: int) -> tuple[NDArray[np.int64], list[Any]]:
    """The rows of all segments in question; and what must live as long as they are used."""
    if not asked.size:
        return np.empty((0, kernels.N_COLUMNS), np.int64), []
    since = int(asked.since.min()) - margin - LONGEST_MINUTES
    until = int(asked.until.max()) + margin
    return store.matrix(since // DAY_MINUTES, until // DAY_MINUTES)


def visits_of(segments: NDArray[np.int64], asked: Windows) -> NDArray[np.int64]:
    """Visits of the cases, cut to them: rows (window, place, start, end), in the order of windows."""
    cuts = _cuts(asked.size)
    return np.concatenate(crew.at_once(lambda a, b: _visits_of(segments, asked, a, b), cuts, cuts[1:]))


def _visits_of(segments: NDArray[np.int64], asked: Windows, a: int, b: int) -> NDArray[np.int64]:
    part = asked.take(slice(a, b))
    found = np.asarray(finding.visits_of(segments, part.person, part.since, part.until))
    found[:, 0] += a
    return found


def _cuts(n: int) -> list[int]:
    """Windows in parts, one a core where there are enough."""
    return crew.even(n, crew.workers() if n >= _SHARED_WINDOWS else 1)


def encounters(
    store: VisitStore, windows: AnyWindows, persons: Sequence[int] | NDArray[Any], *, margin: int = 0
) -> list[Encounter]:
    """Every encounter of these persons with the cases: why a name stands on the list. In order of time."""
    asked = checked(windows, margin)
    segments, keep = segments_of(store, asked, margin)
    visits = visits_of(segments, asked)
    wanted = np.unique(np.asarray(persons, np.int64))
    rows = kernels.encounters_of(segments, visits, asked.person, margin, wanted)
    del keep
    rows = rows[np.lexsort((rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3]))]
    return [
        Encounter(int(asked.person[c]), int(p), store.places.ids[at], int(a), int(b), int(together))
        for c, p, at, a, b, together in rows
    ]


def present_at(store: VisitStore, place: str, since: int, until: int) -> list[tuple[int, int, int]]:
    """Who was at `place` within [since, until], as (person, start, end) by start; [] for unknown places."""
    number = store.places.find(place)
    asked = checked([Window(0, since, until)], 0)
    if number < 0:
        return []
    segments, keep = segments_of(store, asked, 0)
    rows = kernels.stays_at(segments, number, since, until)
    del keep
    return [(int(p), int(a), int(b)) for p, a, b in rows[np.lexsort((rows[:, 0], rows[:, 2], rows[:, 1]))]]


def second_order(
    store: VisitStore,
    windows: AnyWindows,
    first: Met,
    *,
    margin: int = 0,
    at_most: int | None = None,
    engine: Engine = meet,
) -> Met:
    """Whom those met after they met a case: from the first encounter of each on to the end of the windows.

    `at_most`: only the first so many of `first`. Cases and first-order persons are not named again.
    """
    asked = Windows.of(windows)
    sources = sources_of(asked, first.take(slice(None, at_most)))
    if not sources.size:
        return Met.nobody()
    met = engine(store, sources, margin=margin)
    known = np.concatenate([first.person, asked.person.astype(np.int64)])
    return met.take(~np.isin(met.person, known))


def sources_of(asked: Windows, first: Met) -> Windows:
    """The hours in which those met could have passed it on: from their first meeting to the end of all."""
    if not first.size:
        return Windows.of([])
    since = first.first.astype(np.int64)
    return Windows(first.person.astype(np.uint32), since, np.maximum(int(asked.until.max()), since))
