"""Who was where some cases were, while they were: two ways to one answer.

`meet` goes through the mapped index (milliseconds), `bulk.meet` through DuckDB over the Parquet files. Both
give, of every person met, how often, how many minutes, by how many cases, first and last; in one order. A
presence is no contact: a person confirms (rights, issue 4 deliver 8).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import kernels, meeting
from bihuan.epi.visits.batch import DAY_MINUTES, LONGEST_MINUTES
from bihuan.epi.visits.met import Met
from bihuan.epi.visits.store import VisitStore
from bihuan.epi.visits.windows import AnyWindows, Window, Windows, checked

__all__ = ["Encounter", "Met", "Window", "Windows", "encounters", "meet", "present_at", "second_order"]

#: Rows beside the visits up to which a hash table, which stays in the cache, beats a record for everybody.
_TABLE_ROWS = 1 << 15
#: Rows, and windows, from which a second thread is worth its start and adding both up.
_SHARED_ROWS, _SHARED_WINDOWS = 1 << 21, 256


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
    asked = checked(windows, margin)
    segments, keep = segments_of(store, asked, margin)
    met = _met(segments, asked, visits_of(segments, asked), margin, store.people.count)
    del keep
    return met


def meet_at(store: VisitStore, windows: AnyWindows, places: NDArray[np.int64], *, margin: int = 0) -> Met:
    """`meet` at some places only: small numbers, ascending."""
    asked = checked(windows, margin)
    segments, keep = segments_of(store, asked, margin)
    visits = visits_of(segments, asked)
    visits = visits[np.isin(visits[:, 1], places)]
    met = _met(segments, asked, visits, margin, store.people.count)
    del keep
    return met


def _met(
    segments: NDArray[np.int64], asked: Windows, visits: NDArray[np.int64], margin: int, n_people: int
) -> Met:
    if not visits.size:
        return Met.nobody()
    ranges = _in_parts(
        lambda rows: _ranges(segments, visits, rows, margin), visits.shape[0], enough=_SHARED_WINDOWS
    )
    rows = int((ranges[:, 3] - ranges[:, 2]).sum())
    zero = int(visits[:, 2].min()) - margin - 1
    if rows <= _TABLE_ROWS:
        room = min(rows, n_people)
        size = 1 << int(2 * room + 1).bit_length()
        person, found = meeting.by_table(segments, visits, ranges, asked.person, margin, zero, room, size)
        at = np.argsort(person)
        return Met.of_records(found, person[at], at, zero=zero)
    parts = _parted(ranges, visits[:, 0], workers() if rows > _SHARED_ROWS else 1)

    def fill(part: NDArray[np.int64], records: _Records) -> int:
        return int(
            meeting.by_number(
                segments, visits, part, asked.person, margin, zero, records.numbers, records.touched
            )
        )

    with _borrowed(len(parts), n_people) as held:
        counts = _at_once(fill, parts, held)
        first, count = held[0], counts[0]
        for other, n in zip(held[1:], counts[1:], strict=True):
            count = meeting.merge(first.numbers, first.touched, count, other.numbers, other.touched[:n])
        person = np.sort(first.touched[:count])
        return Met.of_records(first.numbers, person, person, zero=zero)


def _ranges(
    segments: NDArray[np.int64], visits: NDArray[np.int64], rows: slice, margin: int
) -> NDArray[np.int64]:
    found = np.asarray(meeting.ranges_of(segments, visits[rows], margin))
    found[:, 0] += rows.start
    return found


def _parted(ranges: NDArray[np.int64], cases: NDArray[np.int64], parts: int) -> list[NDArray[np.int64]]:
    """Ranges in parts of about as many rows each; no case stands in two."""
    if parts == 1:
        return [ranges]
    of_case = cases[ranges[:, 0]]
    so_far = np.cumsum(ranges[:, 3] - ranges[:, 2])
    wanted = np.searchsorted(so_far, so_far[-1] * np.arange(1, parts) // parts)
    cuts = np.unique(np.searchsorted(of_case, of_case[wanted], side="left"))
    return [part for part in np.split(ranges, cuts) if part.size]


def segments_of(store: VisitStore, asked: Windows, margin: int) -> tuple[NDArray[np.int64], list[Any]]:
    """The rows of all segments in question; and what must live as long as they are used."""
    if not asked.size:
        return np.empty((0, kernels.N_COLUMNS), np.int64), []
    since = int(asked.since.min()) - margin - LONGEST_MINUTES
    until = int(asked.until.max()) + margin
    keep = [store.index_of(s) for s in store.segments(since // DAY_MINUTES, until // DAY_MINUTES)]
    rows = [k.matrix for k in keep]
    return (np.concatenate(rows) if rows else np.empty((0, kernels.N_COLUMNS), np.int64)), keep


def visits_of(segments: NDArray[np.int64], asked: Windows) -> NDArray[np.int64]:
    """Visits of the cases, cut to them: rows (window, place, start, end), in the order of windows."""

    def some(rows: slice) -> NDArray[np.int64]:
        part = asked.take(rows)
        found = np.asarray(kernels.visits_of(segments, part.person, part.since, part.until))
        found[:, 0] += rows.start
        return found

    return _in_parts(some, asked.size, enough=_SHARED_WINDOWS)


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
    end = np.maximum(int(asked.until.max()), first.first)
    return Windows(first.person.astype(np.uint32), first.first, end)


# --- both cores ---------------------------------------------------------------------------------------


def workers() -> int:
    """Threads a large question is shared among: the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers(), thread_name_prefix="visits")


os.register_at_fork(after_in_child=_pool.cache_clear)


def _in_parts(work: Callable[[slice], NDArray[Any]], n: int, *, enough: int) -> NDArray[Any]:
    """`work` on all of n rows, by several threads from `enough` rows on; in the order of rows."""
    if n < enough or workers() == 1:
        return work(slice(0, n))
    cuts = np.linspace(0, n, workers() + 1).astype(int).tolist()
    rows = [slice(a, b) for a, b in pairwise(cuts)]
    return np.concatenate(list(_pool().map(work, rows)))


def _at_once(work: Callable[..., Any], *each: Sequence[Any]) -> list[Any]:
    if len(each[0]) == 1:
        return [work(*(e[0] for e in each))]
    return list(_pool().map(work, *each))


class _Records:
    """A record of zeros for everybody, in whole cache lines, and room to note who was touched."""

    def __init__(self, n_people: int) -> None:
        raw = np.zeros(n_people * meeting.N_RECORD * 4 + 64, np.uint8)
        at = -raw.ctypes.data % 64
        whole = raw[at : at + n_people * meeting.N_RECORD * 4]
        self.numbers = whole.view(np.int32).reshape(n_people, meeting.N_RECORD)
        self.touched = np.empty(n_people + 1, np.uint32)


_spare: list[_Records] = []
_lock = threading.Lock()


@contextmanager
def _borrowed(wanted: int, n_people: int) -> Iterator[list[_Records]]:
    """Records to write in; handed back as zeros they are kept for the next question, otherwise let go."""
    with _lock:
        fitting = [r for r in _spare if r.numbers.shape[0] >= n_people][:wanted]
        for records in fitting:
            _spare.remove(records)
    held = fitting + [_Records(n_people) for _ in range(wanted - len(fitting))]
    yield held
    with _lock:
        _spare[:] = (held + _spare)[: workers()]
