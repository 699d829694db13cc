"""Who was where some cases were, while they were: two ways to one answer.

`meet` goes through the mapped index (milliseconds), `bulk.meet` through DuckDB over the Parquet files. Both
give, of every person met, how often, how many minutes, by how many cases, first and last; in one order. A
presence is no contact: a person confirms (rights, issue 4 deliver 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.visits import kernels
from bihuan.epi.visits.batch import DAY_MINUTES, LONGEST_MINUTES
from bihuan.epi.visits.store import VisitStore

#: Above this share of the store's people a record for everybody is faster than a hash table.
_DENSE_SHARE = 8
_FIRST_TABLE = 1 << 12


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which a case could infect others: `person` by small number, minutes as in the store."""

    person: int
    since: int
    until: int


@dataclass(frozen=True, eq=False)
class Met:
    """Persons met, ranked by minutes together, encounters, cases, then number. One entry each column.

    `person` small numbers; `encounters`; `minutes` together; `cases` met; `first`, `last`: minutes since 1970
    of the store's clock.
    """

    person: NDArray[np.int64]
    encounters: NDArray[np.int64]
    minutes: NDArray[np.int64]
    cases: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @property
    def size(self) -> int:
        return int(self.person.size)

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """All columns side by side."""
        names = ("person", "encounters", "minutes", "cases", "first", "last")
        return np.column_stack([getattr(self, name) for name in names])

    @classmethod
    def ranked(cls, columns: Sequence[NDArray[Any]]) -> Met:
        person, encounters, minutes, cases, first, last = (np.asarray(c, np.int64) for c in columns)
        order = np.lexsort((person, -cases, -encounters, -minutes))
        return cls(*(c[order] for c in (person, encounters, minutes, cases, first, last)))


@dataclass(frozen=True, slots=True)
class Encounter:
    """One time two people were at one place: minutes of the store's clock, `together` of them shared."""

    case: int
    person: int
    place: str
    start: int
    end: int
    together: int


def meet(store: VisitStore, windows: Sequence[Window], *, margin: int = 0) -> Met:
    """Everybody present at the same place as a case, within `margin` minutes of her stay there.

    A case is not her own contact; other cases are named like anybody else. `margin` must be 0 to 1,440.
    """
    segments, keep = _segments(store, windows, margin)
    people, visits = _visits(segments, windows)
    if not visits.size:
        return Met.ranked([np.empty(0, np.int64)] * 6)
    bound = kernels.bound_of(segments, visits, margin)
    if bound * _DENSE_SHARE > store.people.count:
        met = _met_many(segments, visits, people, margin, store.people.count)
    else:
        size = max(_FIRST_TABLE, 1 << int(2 * bound).bit_length())
        met = kernels.meet_few(segments, visits, people, margin, size)
    del keep
    person, record = met
    chosen = (
        kernels.ENCOUNTERS, kernels.TOGETHER, kernels.CASES, kernels.FIRST, kernels.LAST,
    )  # fmt: skip
    return Met.ranked([person, *(record[:, c] for c in chosen)])


def _met_many(
    segments: NDArray[np.int64], visits: NDArray[np.int64], people: NDArray[np.uint32], margin: int, n: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    total = kernels.meet_many(segments, visits, _cuts(visits[:, 0], kernels.threads()), people, margin, n)
    person = np.flatnonzero(total[:, kernels.ENCOUNTERS])
    return person, total[person]


def _cuts(cases: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Where to part ascending `cases` so that no case stands in two parts."""
    wanted = np.linspace(0, cases.size, parts + 1).astype(np.int64)[1:-1]
    inner = np.searchsorted(cases, cases[np.minimum(wanted, cases.size - 1)], side="left")
    return np.unique(np.concatenate([[0], inner, [cases.size]]))


def _segments(
    store: VisitStore, windows: Sequence[Window], margin: int
) -> tuple[NDArray[np.int64], list[Any]]:
    """The rows of all segments in question; and what must live as long as they are used."""
    _check(windows, margin)
    if not windows:
        return np.empty((0, kernels.N_COLUMNS), np.int64), []
    since = min(w.since for w in windows) - margin - LONGEST_MINUTES
    until = max(w.until for w in windows) + margin
    keep = [store.index_of(s) for s in store.segments(since // DAY_MINUTES, until // DAY_MINUTES)]
    rows = [k.matrix for k in keep]
    return (np.concatenate(rows) if rows else np.empty((0, kernels.N_COLUMNS), np.int64)), keep


def _check(windows: Sequence[Window], margin: int) -> None:
    if not 0 <= margin <= DAY_MINUTES:
        raise InputError(
            f"a margin of {margin} minutes; it lies between 0 and {DAY_MINUTES}",
            f"时间余量 {margin} 分钟；应在 0 到 {DAY_MINUTES} 之间",
            field="margin",
        )
    for window in windows:
        if window.until < window.since:
            raise InputError("a window ends before it begins", "有时间窗的结束早于开始", field="windows")


def _visits(
    segments: NDArray[np.int64], windows: Sequence[Window]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    people = np.array([w.person for w in windows], np.uint32)
    since = np.array([w.since for w in windows], np.int64)
    until = np.array([w.until for w in windows], np.int64)
    return people, kernels.visits_of(segments, people, since, until)


def encounters(
    store: VisitStore, windows: Sequence[Window], persons: Sequence[int], *, margin: int = 0
) -> list[Encounter]:
    """Every encounter of these persons with the cases: why a name stands on the list. In order of time."""
    segments, _keep = _segments(store, windows, margin)
    people, visits = _visits(segments, windows)
    wanted = np.unique(np.array(list(persons), np.int64))
    rows = kernels.encounters_of(segments, visits, people, margin, wanted)
    rows = rows[np.lexsort((rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3]))]
    return [
        Encounter(int(people[c]), int(p), store.places.ids[at], int(a), int(b), int(together))
        for c, p, at, a, b, together in rows
    ]


def present_at(store: VisitStore, place: str, since: int, until: int) -> list[tuple[int, int, int]]:
    """Who was at `place` within [since, until], as (person, start, end) by start; [] for unknown places."""
    number = store.places.find(place)
    if number < 0:
        return []
    segments, _keep = _segments(store, [Window(0, since, until)], 0)
    rows = kernels.stays_at(segments, number, since, until)
    return [(int(p), int(a), int(b)) for p, a, b in rows[np.lexsort((rows[:, 0], rows[:, 2], rows[:, 1]))]]


def second_order(
    store: VisitStore, windows: Sequence[Window], first: Met, *, margin: int = 0, at_most: int | None = None
) -> Met:
    """Whom those met after they met a case: from the first encounter of each on to the end of the windows.

    `at_most`: only the first so many of `first`. Cases and first-order persons are not named again.
    """
    end = max((w.until for w in windows), default=0)
    chosen = slice(None, at_most)
    sources = [
        Window(int(p), int(t), end) for p, t in zip(first.person[chosen], first.first[chosen], strict=True)
    ]
    met = meet(store, sources, margin=margin) if sources else Met.ranked([np.empty(0, np.int64)] * 6)
    known = np.concatenate([first.person, np.array([w.person for w in windows], np.int64)])
    new = ~np.isin(met.person, known)
    return Met(*(getattr(met, n)[new] for n in ("person", "encounters", "minutes", "cases", "first", "last")))
