"""Where to look: the rows of the cases, and the stretches of rows beside their visits (compiled).

Each step waits for memory: a person's place in a list, where her rows are named, the rows, their place, where
that place begins, where in it the hour begins. So a batch of searches takes each step together: while one
waits, the others' lines are on their way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from bihuan.epi.compiled import njit
from bihuan.epi.visits.fetching import ask
from bihuan.epi.visits.kernels import (
    BASE,
    HIGH_ROWS,
    HINT_BITS,
    LARGE,
    LONGEST,
    MINUTES,
    N_PEOPLE,
    N_PLACES,
    PEOPLE,
    PEOPLE_BASES,
    PEOPLE_ENDS,
    PLACE_ENDS,
    PLACE_HINTS,
    PLACES,
    ROWS,
    START,
    WIDE,
    _end_of,
    _pointer,
    _row,
    _stay,
)

_BATCH = 64
#: How far from the guess a person, or a place, is looked for first.
_NEAR = 8


@njit(cache=True, nogil=True)
def _search(column: Any, low: Any, high: Any, wanted: Any, n: int) -> None:
    """Of n searches: the first position in [low, high) of an ascending column (4 bytes each) that is not
    below what is wanted, to `low`."""
    going = True
    while going:
        going = False
        for t in range(n):
            a, b = low[t], high[t]
            if a >= b:
                continue
            middle = (a + b) >> 1
            below = np.int64(carray(_pointer(column[t] + 4 * middle), 1, np.uint32)[0]) < wanted[t]
            low[t] = middle + 1 if below else a
            high[t] = b if below else middle
            going = True


@njit(cache=True, nogil=True)
def _search_hours(column: Any, low: Any, high: Any, wanted: Any, n: int) -> None:
    """Like `_search`, in columns of 2 bytes."""
    going = True
    while going:
        going = False
        for t in range(n):
            a, b = low[t], high[t]
            if a >= b:
                continue
            middle = (a + b) >> 1
            below = np.int64(carray(_pointer(column[t] + 2 * middle), 1, np.uint16)[0]) < wanted[t]
            low[t] = middle + 1 if below else a
            high[t] = b if below else middle
            going = True


@njit(cache=True, nogil=True, inline="always")
def _id(column: Any, at: Any) -> Any:
    return np.int64(carray(_pointer(column + 4 * at), 1, np.uint32)[0])


@njit(cache=True, nogil=True, inline="always")
def _within(at: Any, size: Any) -> Any:
    return max(min(at, size - 1), 0)


@njit(cache=True, nogil=True)
def _guess(segments: Any, who: Any, of: Any, ids: Any, count: Any, low: Any, high: Any, n: int) -> None:
    """Where n numbers may stand among ascending ids: where they would if these lay evenly, put right twice
    by what stands there. Of a million ids one in twenty of which is left out, the first guess is some hundred
    off, the second a few, and the third lies next to it."""
    for t in range(n):
        s = of[t]
        high[t] = _id(segments[s, ids], segments[s, count] - 1) + 1
        low[t] = _within(who[t] * segments[s, count] // high[t], segments[s, count])
        ask(segments[s, ids] + 4 * low[t])
    for _again in range(2):
        for t in range(n):
            column, size = segments[of[t], ids], segments[of[t], count]
            off = who[t] - _id(column, low[t])
            low[t] = _within(low[t] + off * size // high[t], size)
            ask(column + 4 * _within(low[t] - _NEAR, size))
            ask(column + 4 * _within(low[t] + _NEAR, size))
    for t in range(n):
        column, size, reach = segments[of[t], ids], segments[of[t], count], _NEAR
        at, low[t], high[t] = low[t], 0, size
        while reach < size:
            a, b = _within(at - reach, size), _within(at + reach, size)
            if (a == 0 or _id(column, a) < who[t]) and (b == size - 1 or _id(column, b) >= who[t]):
                low[t], high[t] = a, b if _id(column, b) >= who[t] else size
                break
            reach *= 32


@njit(cache=True, nogil=True)
def _rows_of_people(segments: Any, who: Any, of: Any, column: Any, low: Any, high: Any, n: int) -> None:
    """Where in the list of rows those of n people stand: [low, high), empty for who is not there."""
    _guess(segments, who, of, PEOPLE, N_PEOPLE, low, high, n)
    for t in range(n):
        column[t] = segments[of[t], PEOPLE]
    _search(column, low, high, who, n)
    for t in range(n):
        width = 2 if segments[of[t], PEOPLE_BASES] else 4
        ask(segments[of[t], PEOPLE_ENDS] + width * min(low[t], segments[of[t], N_PEOPLE] - 1))
    for t in range(n):
        at, s = low[t], of[t]
        if at >= segments[s, N_PEOPLE] or _id(segments[s, PEOPLE], at) != who[t]:
            low[t] = high[t] = 0
            continue
        low[t] = _end_of(segments, s, at - 1) if at else 0
        high[t] = _end_of(segments, s, at)
        ask(segments[s, ROWS] + 2 * low[t])
        ask(segments[s, HIGH_ROWS] + (2 if segments[s, LARGE] else 1) * low[t])


@njit(cache=True, nogil=True)
def own_visits(segments: Any, people: Any, since: Any, until: Any) -> Any:
    """Visits of `people[k]` that touch [since[k], until[k]], cut to it: rows (k, place, start, end), in the
    order of k."""
    who, of, case = np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64)
    column, low, high = np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64)
    found, n = np.empty((256, 5), np.int64), 0
    count, last = 0, people.size * segments.shape[0] - 1
    for k in range(people.size):
        for s in range(segments.shape[0]):
            base = segments[s, BASE]
            if base <= until[k] and base + 1440 + segments[s, LONGEST] >= since[k]:
                who[count], of[count], case[count] = np.int64(people[k]), s, k
                count += 1
            if count == _BATCH or (k * segments.shape[0] + s == last and count):
                _rows_of_people(segments, who, of, column, low, high, count)
                for t in range(count):
                    for i in range(low[t], high[t]):
                        if n == found.shape[0]:
                            found = _larger(found)
                        row = _row(segments, of[t], i)
                        ask(segments[of[t], START] + 2 * row)
                        ask(segments[of[t], MINUTES] + (2 if segments[of[t], WIDE] else 1) * row)
                        found[n, 0], found[n, 1], found[n, 2] = case[t], of[t], row
                        n += 1
                count = 0
    return _with_places(segments, found[:n], since, until)


@njit(cache=True, nogil=True)
def _with_places(segments: Any, found: Any, since: Any, until: Any) -> Any:
    """Rows (case, segment, row) as (case, place, start, end), of those that touch the hours of the case."""
    out, n = np.empty((found.shape[0], 4), np.int64), 0
    column, low, high = np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64)
    wanted, of = np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64)
    count = 0
    for i in range(found.shape[0]):
        k, s, row = found[i, 0], found[i, 1], found[i, 2]
        start, end = _stay(segments, s, row)
        if end >= since[k] and start <= until[k]:
            out[n, 0], out[n, 2], out[n, 3] = k, max(start, since[k]), min(end, until[k])
            column[count], of[count], wanted[count] = segments[s, PLACE_ENDS], s, row + 1
            hints = segments[s, PLACE_HINTS] + 4 * (row >> HINT_BITS)
            low[count], high[count] = _id(hints, 0), _id(hints, 1)
            n += 1
            count += 1
        if count == _BATCH or (i == found.shape[0] - 1 and count):
            _search(column, low, high, wanted, count)
            for t in range(count):
                ask(segments[of[t], PLACES] + 4 * low[t])
            for t in range(count):
                out[n - count + t, 1] = _id(segments[of[t], PLACES], low[t])
            count = 0
    return out[:n]


@njit(cache=True, nogil=True)
def _larger(table: Any) -> Any:
    more = np.empty((2 * table.shape[0], table.shape[1]), np.int64)
    more[: table.shape[0]] = table
    return more


@njit(cache=True, nogil=True)
def stretches(segments: Any, visits: Any, margin: int) -> Any:
    """Rows (visit, segment, from, to) of stays that may meet a visit, in the order of visits."""
    place, of, visit = np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64)
    column, low, high = np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64)
    begins, ends, wanted = np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64), np.empty(_BATCH, np.int64)
    out, n = np.empty((max(256, 2 * visits.shape[0]), 4), np.int64), 0
    count, last = 0, visits.shape[0] * segments.shape[0] - 1
    for v in range(visits.shape[0]):
        since, until = visits[v, 2] - margin, visits[v, 3] + margin
        for s in range(segments.shape[0]):
            base = segments[s, BASE]
            if base <= until and base + 1440 + segments[s, LONGEST] >= since:
                place[count], of[count], visit[count] = visits[v, 1], s, v
                count += 1
            if count < _BATCH and not (v * segments.shape[0] + s == last and count):
                continue
            _rows_of_places(segments, place, of, column, begins, ends, count)
            for t in range(count):
                column[t] = segments[of[t], START]
                low[t], high[t] = begins[t], ends[t]
                earliest = visits[visit[t], 2] - margin - segments[of[t], LONGEST]
                wanted[t] = earliest - segments[of[t], BASE]
            _search_hours(column, low, high, wanted, count)
            for t in range(count):
                begins[t], high[t] = low[t], ends[t]
                wanted[t] = visits[visit[t], 3] + margin - segments[of[t], BASE] + 1
            _search_hours(column, low, high, wanted, count)
            for t in range(count):
                if begins[t] < low[t]:
                    if n == out.shape[0]:
                        out = _larger(out)
                    out[n, 0], out[n, 1], out[n, 2], out[n, 3] = visit[t], of[t], begins[t], low[t]
                    n += 1
            count = 0
    return out[:n]


@njit(cache=True, nogil=True)
def _rows_of_places(segments: Any, place: Any, of: Any, column: Any, low: Any, high: Any, n: int) -> None:
    """Rows [low, high) of n places, empty for those that are not there."""
    _guess(segments, place, of, PLACES, N_PLACES, low, high, n)
    for t in range(n):
        column[t] = segments[of[t], PLACES]
    _search(column, low, high, place, n)
    for t in range(n):
        ask(segments[of[t], PLACE_ENDS] + 4 * min(low[t], segments[of[t], N_PLACES] - 1))
    for t in range(n):
        at, s = low[t], of[t]
        if at >= segments[s, N_PLACES] or _id(segments[s, PLACES], at) != place[t]:
            low[t] = high[t] = 0
            continue
        low[t] = _id(segments[s, PLACE_ENDS], at - 1) if at else 0
        high[t] = _id(segments[s, PLACE_ENDS], at)


# --- what Python calls: no other compiled function does (see tests/rules/test_compiled.py) -----------------


@njit(cache=True, nogil=True)
def visits_of(segments: Any, people: Any, since: Any, until: Any) -> Any:
    """`own_visits`."""
    return own_visits(segments, people, since, until)


@njit(cache=True, nogil=True)
def near(segments: Any, people: Any, since: Any, until: Any, margin: int, places: Any) -> Any:
    """The visits of some cases, as `own_visits`, and the ranges beside them, as `stretches`. `places`: only
    visits to these (ascending), or to all if it is empty."""
    visits = own_visits(segments, people, since, until)
    if places.size:
        n = 0
        for v in range(visits.shape[0]):
            at = np.searchsorted(places, visits[v, 1])
            if at < places.size and places[at] == visits[v, 1]:
                visits[n] = visits[v]
                n += 1
        visits = visits[:n]
    return visits, stretches(segments, visits, margin)
