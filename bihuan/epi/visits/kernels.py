"""The compiled loops of the visit store: hash tables, and the search for stays by person and by place.

Segments are handed in as one matrix of addresses, so that a question to thirty days is one call. Its columns
are the constants below; every row is one sorted part of a day (see `index`). All times are minutes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from bihuan.epi.compiled import njit

#: Columns of the matrix of segments.
PLACES, N_PLACES, PLACE_ENDS, PERSON, START, MINUTES, WIDE = 0, 1, 2, 3, 4, 5, 6
PEOPLE, N_PEOPLE, PEOPLE_ENDS, ROWS, BASE, LONGEST = 7, 8, 9, 10, 11, 12
PEOPLE_BASES, HIGH_ROWS, LARGE, PLACE_HINTS = 13, 14, 15, 16
N_COLUMNS = 17
#: Rows of people end in 16 bits above a base that this many share.
PEOPLE_BLOCK = 64
#: Of every so many rows it is noted whose place they begin in, as a power of two.
HINT_BITS = 10


def _as_pointer(typing_context: Any, address: Any) -> Any:
    """An address as a pointer that `carray` takes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), build


_pointer: Any = intrinsic(_as_pointer)


# --- tables of people -------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _put(slots: Any, values: Any, key: Any, value: Any) -> Any:
    """The value of `key`, which is `value` if it was not there."""
    mask = np.uint64(slots.size - 1)
    at = key & mask
    while True:
        held = slots[at]
        if held == key:
            return values[at]
        if held == np.uint64(0):
            slots[at] = key
            values[at] = value
            return value
        at = (at + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def _fill(slots: Any, values: Any, keys: Any) -> None:
    for i in range(keys.size):
        if keys[i] != np.uint64(0):
            _put(slots, values, keys[i], np.uint32(i))


def table_of(keys: NDArray[np.uint64], size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """An open-addressing table of `size` (a power of two) from random key to position; key 0 is nobody."""
    slots, values = np.zeros(size, np.uint64), np.zeros(size, np.uint32)
    _fill(slots, values, np.ascontiguousarray(keys, dtype=np.uint64))
    return slots, values


@njit(cache=True, nogil=True)
def look_up(slots: Any, values: Any, wanted: Any) -> Any:
    """Values of `wanted`, -1 where a key is not in the table."""
    mask = np.uint64(slots.size - 1)
    found = np.empty(wanted.size, np.int64)
    for i in range(wanted.size):
        key = wanted[i]
        at = key & mask
        while slots[at] != np.uint64(0) and slots[at] != key:
            at = (at + np.uint64(1)) & mask
        found[i] = np.int64(values[at]) if slots[at] == key else -1
    return found


@njit(cache=True, nogil=True)
def number_all(slots: Any, values: Any, wanted: Any, count: int) -> Any:
    """Values of `wanted`, new ones numbered from `count` on; and the keys that are new, in their order."""
    found = np.empty(wanted.size, np.uint32)
    fresh = np.empty(wanted.size, np.uint64)
    n = 0
    for i in range(wanted.size):
        value = _put(slots, values, wanted[i], np.uint32(count + n))
        if value == np.uint32(count + n):
            fresh[n] = wanted[i]
            n += 1
        found[i] = value
    return found, fresh[:n].copy()


@njit(cache=True, nogil=True)
def first_seen(slots: Any, wanted: Any) -> Any:
    """Which of `wanted` are not in the set `slots` nor earlier in `wanted`; they are put in."""
    mask = np.uint64(slots.size - 1)
    fresh = np.zeros(wanted.size, np.bool_)
    for i in range(wanted.size):
        key = wanted[i]
        at = key & mask
        while slots[at] != np.uint64(0) and slots[at] != key:
            at = (at + np.uint64(1)) & mask
        if slots[at] == np.uint64(0):
            slots[at] = key
            fresh[i] = True
    return fresh


# --- searching --------------------------------------------------------------------------------------


@njit(cache=True, nogil=True, inline="always")
def _lower(values: Any, lo: Any, hi: Any, wanted: Any) -> Any:
    """First position in values[lo:hi] (ascending) that is not below `wanted`."""
    while lo < hi:
        middle = (lo + hi) >> 1
        if np.int64(values[middle]) < wanted:
            lo = middle + 1
        else:
            hi = middle
    return lo


@njit(cache=True, nogil=True, inline="always")
def _position(ids: Any, n: Any, wanted: Any) -> Any:
    """Like `_lower` on ids that lie about evenly: begins at the guess and widens by doubling, so that few
    pages are touched."""
    if n == 0 or np.int64(ids[n - 1]) < wanted:
        return n
    at = min(n - 1, wanted * n // (np.int64(ids[n - 1]) + 1))
    step = 1
    if np.int64(ids[at]) < wanted:
        while at + step < n and np.int64(ids[at + step]) < wanted:
            at += step
            step *= 2
        return _lower(ids, at + 1, min(at + step, n - 1), wanted)
    while at - step >= 0 and np.int64(ids[at - step]) >= wanted:
        at -= step
        step *= 2
    return _lower(ids, max(at - step + 1, 0), at, wanted)


@njit(cache=True, nogil=True, inline="always")
def _range(ids: Any, ends: Any, n: Any, wanted: Any) -> Any:
    """Rows [from, to) of `wanted` in a table of ascending ids with the end of each; empty if not there."""
    at = _position(ids, n, wanted)
    if at >= n or np.int64(ids[at]) != wanted:
        return 0, 0
    return (np.int64(ends[at - 1]) if at else 0), np.int64(ends[at])


@njit(cache=True, nogil=True, inline="always")
def _end_of(segments: Any, s: Any, at: Any) -> Any:
    """Where the rows of the person at `at` end."""
    if segments[s, PEOPLE_BASES] == 0:
        return np.int64(carray(_pointer(segments[s, PEOPLE_ENDS]), at + 1, np.uint32)[at])
    bases = carray(_pointer(segments[s, PEOPLE_BASES]), at // PEOPLE_BLOCK + 1, np.uint32)
    ends = carray(_pointer(segments[s, PEOPLE_ENDS]), at + 1, np.uint16)
    return np.int64(bases[at // PEOPLE_BLOCK]) + np.int64(ends[at])


@njit(cache=True, nogil=True, inline="always")
def _row(segments: Any, s: Any, at: Any) -> Any:
    """The row at a position in the list of rows: its low 16 bits and the rest."""
    low = np.int64(carray(_pointer(segments[s, ROWS]), at + 1, np.uint16)[at])
    if segments[s, LARGE]:
        return low | np.int64(carray(_pointer(segments[s, HIGH_ROWS]), at + 1, np.uint16)[at]) << 16
    return low | np.int64(carray(_pointer(segments[s, HIGH_ROWS]), at + 1, np.uint8)[at]) << 16


@njit(cache=True, nogil=True, inline="always")
def _stay(segments: Any, s: Any, row: Any) -> Any:
    """Start and end of the stay in `row` of segment `s`."""
    starts = carray(_pointer(segments[s, START]), row + 1, np.uint16)
    start = segments[s, BASE] + np.int64(starts[row])
    if segments[s, WIDE]:
        wide = carray(_pointer(segments[s, MINUTES]), row + 1, np.uint16)
        return start, start + np.int64(wide[row])
    narrow = carray(_pointer(segments[s, MINUTES]), row + 1, np.uint8)
    return start, start + np.int64(narrow[row])


@njit(cache=True, nogil=True, inline="always")
def _window(segments: Any, s: Any, place: Any, since: Any, until: Any) -> Any:
    """Rows of segment `s` at `place` whose stay may touch [since, until]."""
    base = segments[s, BASE]
    if base > until or base + 1440 + segments[s, LONGEST] < since:
        return 0, 0
    ids = carray(_pointer(segments[s, PLACES]), segments[s, N_PLACES], np.uint32)
    ends = carray(_pointer(segments[s, PLACE_ENDS]), segments[s, N_PLACES], np.uint32)
    a, b = _range(ids, ends, segments[s, N_PLACES], place)
    if a == b:
        return 0, 0
    starts = carray(_pointer(segments[s, START]), b, np.uint16)
    a = _lower(starts, a, b, since - segments[s, LONGEST] - base)
    return a, _lower(starts, a, b, until - base + 1)


@njit(cache=True, nogil=True)
def stays_at(segments: Any, place: Any, since: Any, until: Any) -> Any:
    """Who was at `place` within [since, until]: rows (person, start, end)."""
    room = 64
    out = np.empty((room, 3), np.int64)
    n = 0
    for s in range(segments.shape[0]):
        a, b = _window(segments, s, place, since, until)
        if a == b:
            continue
        person = carray(_pointer(segments[s, PERSON]), b, np.uint32)
        for row in range(a, b):
            start, end = _stay(segments, s, row)
            if end < since:
                continue
            if n == room:
                room *= 2
                more = np.empty((room, 3), np.int64)
                more[:n] = out
                out = more
            out[n, 0], out[n, 1], out[n, 2] = person[row], start, end
            n += 1
    return out[:n]


@njit(cache=True, nogil=True)
def encounters_of(segments: Any, visits: Any, people: Any, margin: int, wanted: Any) -> Any:
    """Every encounter with one of `wanted` (ascending): rows (case, person, place, start, end, together)."""
    room = 64
    out = np.empty((room, 6), np.int64)
    n = 0
    for v in range(visits.shape[0]):
        v_start, v_end = visits[v, 2], visits[v, 3]
        for s in range(segments.shape[0]):
            a, b = _window(segments, s, visits[v, 1], v_start - margin, v_end + margin)
            if a == b:
                continue
            person = carray(_pointer(segments[s, PERSON]), b, np.uint32)
            for row in range(a, b):
                other = np.int64(person[row])
                start, end = _stay(segments, s, row)
                at = _lower(wanted, 0, wanted.size, other)
                if end < v_start - margin or at == wanted.size or wanted[at] != other:
                    continue
                if other == np.int64(people[visits[v, 0]]):
                    continue
                if n == room:
                    room *= 2
                    more = np.empty((room, 6), np.int64)
                    more[:n] = out
                    out = more
                out[n, 0], out[n, 1], out[n, 2] = visits[v, 0], other, visits[v, 1]
                out[n, 3], out[n, 4] = start, end
                out[n, 5] = max(0, min(end, v_end) - max(start, v_start))
                n += 1
    return out[:n]


@njit(cache=True, nogil=True)
def volumes_of(segments: Any, low: int, high: int, block: int) -> Any:
    """Stays that touch each block of time [low, high), over all places; and how many pairs of a place and a
    block anybody began a stay in."""
    totals = np.zeros(high - low, np.int64)
    cells = 0
    for s in range(segments.shape[0]):
        ends = carray(_pointer(segments[s, PLACE_ENDS]), segments[s, N_PLACES], np.uint32)
        row = np.int64(0)
        for at in range(segments[s, N_PLACES]):
            last = np.int64(-(1 << 40))
            while row < np.int64(ends[at]):
                start, end = _stay(segments, s, row)
                a, b = start // block, end // block
                if a != last and low <= a < high:
                    cells += 1
                last = a
                for t in range(max(a, low), min(b + 1, high)):
                    totals[t - low] += 1
                row += 1
    return totals, cells
