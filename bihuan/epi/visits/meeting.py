"""The compiled heart of the search: persons met, from the rows that lie beside the visits of cases.

Two passes over a thousand rows at a time: the first keeps the stays that meet (no branch, so nothing to
mispredict), the second adds them up by person. Records begin as zeros, so times are kept from `zero` on, the
first one turned around: a larger number is an earlier time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from bihuan.epi.compiled import njit
from bihuan.epi.visits.finding import own_visits, stretches
from bihuan.epi.visits.kernels import BASE, MINUTES, PERSON, START, WIDE, _pointer

#: Columns of what is known of a person met; FIRST and LAST as written in `_add_up`.
ENCOUNTERS, TOGETHER, CASES, LAST_CASE, FIRST, LAST = 0, 1, 2, 3, 4, 5
WHO = -1  # in no record: by the row
#: Two numbers are spare: a record is half a cache line and never lies across two.
N_RECORD = 8
#: Larger than any minute counted from the first one in question.
FAR = 1 << 30
_CHUNK = 256
_MIX = np.uint32(2654435761)  # Knuth's multiplicative hash (The Art of Computer Programming 3, 6.4)


@njit(cache=True, nogil=True, inline="always")
def _keep(
    start: Any, end: Any, other: Any, own: Any, visit: Any, who: Any, shared: Any, met: Any, n: Any
) -> Any:
    """Write the stay at `n`; the place after it is next when it meets, the same one when not."""
    earliest, v_start, v_end, zero = visit
    low, high = max(start, v_start), min(end, v_end)
    who[n] = other
    shared[n] = max(high - low, 0)
    met[n] = max(min(start, v_end), min(v_start, end)) - zero
    return n + ((end >= earliest) & (other != own))


@njit(cache=True, nogil=True)
def _near(
    segments: Any, s: Any, i: Any, j: Any, own: Any, visit: Any, who: Any, shared: Any, met: Any
) -> Any:
    """How many of the rows [i, j) meet the visit; they stand in `who`, `shared` and `met`."""
    person = carray(_pointer(segments[s, PERSON]), j, np.uint32)
    starts = carray(_pointer(segments[s, START]), j, np.uint16)
    base = segments[s, BASE]
    n = 0
    if segments[s, WIDE]:
        wide = carray(_pointer(segments[s, MINUTES]), j, np.uint16)
        for row in range(i, j):
            start = base + np.int64(starts[row])
            end = start + np.int64(wide[row])
            n = _keep(start, end, np.int64(person[row]), own, visit, who, shared, met, n)
        return n
    narrow = carray(_pointer(segments[s, MINUTES]), j, np.uint8)
    for row in range(i, j):
        start = base + np.int64(starts[row])
        end = start + np.int64(narrow[row])
        n = _keep(start, end, np.int64(person[row]), own, visit, who, shared, met, n)
    return n


@njit(cache=True, nogil=True, inline="always")
def _add_up(records: Any, at: Any, case: Any, shared: Any, met: Any) -> None:
    records[at, ENCOUNTERS] += 1
    records[at, TOGETHER] += shared
    records[at, CASES] += records[at, LAST_CASE] != case
    records[at, LAST_CASE] = case
    records[at, FIRST] = max(records[at, FIRST], FAR - met)
    records[at, LAST] = max(records[at, LAST], met)


@njit(cache=True, nogil=True, inline="always")
def _visit(visits: Any, v: Any, margin: Any, zero: Any) -> Any:
    return visits[v, 2] - margin, visits[v, 2], visits[v, 3], zero


@njit(cache=True, nogil=True)
def by_table(
    segments: Any, visits: Any, ranges: Any, people: Any, margin: Any, zero: Any, room: Any, size: Any
) -> Any:
    """Persons met and their records, through a hash table of `size` (a power of two above `room`).

    `room` is at least the number of persons met.
    """
    who, shared, met = np.empty(_CHUNK, np.int64), np.empty(_CHUNK, np.int64), np.empty(_CHUNK, np.int64)
    slots = np.zeros(size, np.uint32)
    persons = np.empty(room + 1, np.uint32)
    records = np.zeros((room + 1, N_RECORD), np.int32)
    mask, count = np.uint32(size - 1), 0
    for r in range(ranges.shape[0]):
        v, s, b = ranges[r, 0], ranges[r, 1], ranges[r, 3]
        case = visits[v, 0]
        own, visit = np.int64(people[case]), _visit(visits, v, margin, zero)
        for i in range(ranges[r, 2], b, _CHUNK):
            n = _near(segments, s, i, min(i + _CHUNK, b), own, visit, who, shared, met)
            for k in range(n):
                p = np.uint32(who[k])
                mixed = np.uint32(p * _MIX)
                at = (mixed ^ (mixed >> np.uint32(15))) & mask
                while slots[at] != 0 and persons[slots[at] - 1] != p:
                    at = (at + np.uint32(1)) & mask
                if slots[at] == 0:
                    persons[count] = p
                    count += 1
                    slots[at] = count
                _add_up(records, np.int64(slots[at]) - 1, case + 1, shared[k], met[k])
    return persons[:count], records[:count]


@njit(cache=True, nogil=True)
def _met_in(
    segments: Any, visits: Any, ranges: Any, people: Any, margin: Any, zero: Any, rows: Any
) -> Any:  # fmt: skip
    """Columns person, encounters, minutes, cases, first, last of everybody met in `ranges`, ranked as `Met`
    is. `rows`: how many the ranges are."""
    size = 2
    while size < 2 * rows + 1:
        size <<= 1
    persons, records = by_table(segments, visits, ranges, people, margin, zero, rows, size)
    order = _ranking(records, persons)
    out = np.empty((6, order.size), np.int32)
    for k in range(order.size):
        row = order[k]
        out[0, k] = persons[row]
        out[1, k] = records[row, ENCOUNTERS]
        out[2, k] = records[row, TOGETHER]
        out[3, k] = records[row, CASES]
        out[4, k] = zero + FAR - np.int64(records[row, FIRST])
        out[5, k] = zero + np.int64(records[row, LAST])
    return out


@njit(cache=True, nogil=True)
def few(segments: Any, people: Any, since: Any, until: Any, margin: Any, most: Any) -> Any:
    """A small question in one go, so that who asks waits for the interpreter once: the visits of the cases,
    the ranges beside them, and who was met there. Without the last where they are more than `most` rows."""
    visits = own_visits(segments, people, since, until)
    ranges = stretches(segments, visits, margin)
    rows, zero = np.int64(0), np.int64(1) << 62
    for r in range(ranges.shape[0]):
        rows += ranges[r, 3] - ranges[r, 2]
    for v in range(visits.shape[0]):
        zero = min(zero, visits[v, 2] - margin - 1)
    if rows == 0 or rows > most:
        return visits, ranges, np.empty((6, 0), np.int32)
    return visits, ranges, _met_in(segments, visits, ranges, people, margin, zero, rows)


@njit(cache=True, nogil=True)
def met_in(segments: Any, visits: Any, ranges: Any, people: Any, margin: Any, zero: Any, rows: Any) -> Any:
    """`_met_in`, for Python (see `finding`)."""
    return _met_in(segments, visits, ranges, people, margin, zero, rows)


_DIGIT_BITS = 11


@njit(cache=True, nogil=True)
def _ranking(records: Any, persons: Any) -> Any:
    """Rows ordered by minutes, encounters, cases, each the largest first, then by number: the least of them
    first, digit by digit, as many digits as there are (stable radix sort)."""
    n = persons.size
    order, spare = np.arange(n, dtype=np.uint32), np.empty(n, np.uint32)
    column, counts = np.empty(n, np.int64), np.empty((1 << _DIGIT_BITS) + 1, np.int64)
    mask = np.int64((1 << _DIGIT_BITS) - 1)
    for c in (WHO, CASES, ENCOUNTERS, TOGETHER):
        most = np.int64(0)
        for i in range(n):
            column[i] = np.int64(persons[i]) if c == WHO else np.int64(records[i, c])
            most = max(most, column[i])
        if c != WHO:
            for i in range(n):
                column[i] = most - column[i]
        shift = 0
        while most >> shift:
            counts[:] = 0
            for i in range(n):
                counts[(column[i] >> shift & mask) + 1] += 1
            for d in range(1 << _DIGIT_BITS):
                counts[d + 1] += counts[d]
            for i in range(n):
                row = order[i]
                digit = column[row] >> shift & mask
                spare[counts[digit]] = row
                counts[digit] += 1
            order, spare = spare, order
            shift += _DIGIT_BITS
    return order
