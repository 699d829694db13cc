"""The compiled heart of the search: persons met, from the rows that lie beside the visits of cases.

Two passes over a thousand rows at a time: the first keeps the stays that meet (no branch, so nothing to
mispredict), the second adds them up by person. Records begin as zeros, so times are kept from `zero` on, the
first one turned around: a larger number is an earlier time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

from bihuan.epi.visits.kernels import BASE, MINUTES, PERSON, START, WIDE, _pointer

#: Columns of what is known of a person met; FIRST and LAST as written in `_add_up`.
ENCOUNTERS, TOGETHER, CASES, LAST_CASE, FIRST, LAST = 0, 1, 2, 3, 4, 5
#: Two numbers are spare: a record is half a cache line and never lies across two.
N_RECORD = 8
#: Larger than any minute counted from the first one in question.
FAR = 1 << 30
_CHUNK = 256
_MIX = np.uint32(2654435761)  # Knuth's multiplicative hash (The Art of Computer Programming 3, 6.4)


def _fetch_ahead(write: int) -> Any:
    """Ask for the cache line at an address, which is about to be read or written."""

    def typed(typing_context: Any, address: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            known = builder.module.globals.get("llvm.prefetch.p0i8")
            fetch = known or ir.Function(builder.module, kind, "llvm.prefetch.p0i8")
            builder.call(fetch, [builder.inttoptr(arguments[0], byte), word(write), word(3), word(1)])
            return context.get_dummy_value()

        return types.void(types.int64), build

    return intrinsic(typed)


_ask: Any = _fetch_ahead(0)
_prefetch: Any = _fetch_ahead(1)


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
def largest(records: Any, rows: Any) -> Any:
    """The largest minutes, encounters and cases among `rows`."""
    minutes, times, cases = np.int64(0), np.int64(0), np.int64(0)
    for k in range(rows.size):
        row = np.int64(rows[k])
        minutes = max(minutes, np.int64(records[row, TOGETHER]))
        times = max(times, np.int64(records[row, ENCOUNTERS]))
        cases = max(cases, np.int64(records[row, CASES]))
    return minutes, times, cases


@njit(cache=True, nogil=True)
def packed(records: Any, rows: Any, most: Any, bits: Any, room: Any) -> Any:
    """One number of each row that sorts as the ranking does: minutes, encounters, cases, place in `rows`."""
    out = np.empty(rows.size, np.int64)
    for k in range(rows.size):
        row = np.int64(rows[k])
        key = most[0] - np.int64(records[row, TOGETHER])
        key = key << bits[1] | (most[1] - np.int64(records[row, ENCOUNTERS]))
        key = key << bits[2] | (most[2] - np.int64(records[row, CASES]))
        out[k] = key << room | k
    return out


@njit(cache=True, nogil=True)
def arranged(records: Any, persons: Any, rows: Any, order: Any, mask: Any, zero: Any) -> Any:
    """Columns person, encounters, minutes, cases, first, last in `order` (its bits in `mask`). The records
    become zero again."""
    out = np.empty((6, order.size), np.int64)
    at = records.ctypes.data
    for k in range(order.size):
        if k + 16 < order.size:
            _prefetch(at + np.int64(rows[order[k + 16] & mask]) * (N_RECORD * 4))
        i = order[k] & mask
        row = np.int64(rows[i])
        out[0, k] = persons[i]
        out[1, k] = records[row, ENCOUNTERS]
        out[2, k] = records[row, TOGETHER]
        out[3, k] = records[row, CASES]
        out[4, k] = zero + FAR - np.int64(records[row, FIRST])
        out[5, k] = zero + np.int64(records[row, LAST])
        for c in range(LAST + 1):
            records[row, c] = 0
    return out


@njit(cache=True, nogil=True)
def ranking(high: Any, middle: Any, low: Any) -> Any:
    """Stable order of rows by three columns of whole numbers >= 0, each the largest first (radix sort)."""
    n = high.size
    order, spare = np.arange(n, dtype=np.uint32), np.empty(n, np.uint32)
    counts = np.empty(2049, np.int64)
    for column in (low, middle, high):
        most = np.int64(0)
        for i in range(n):
            most = max(most, np.int64(column[i]))
        shift = 0
        while most >> shift:
            counts[:] = 0
            for i in range(n):
                counts[2048 - ((np.int64(column[i]) >> shift) & 2047)] += 1
            for d in range(1, 2049):
                counts[d] += counts[d - 1]
            for i in range(n):
                row = order[i]
                digit = 2047 - ((np.int64(column[row]) >> shift) & 2047)
                spare[counts[digit]] = row
                counts[digit] += 1
            order, spare = spare, order
            shift += 11
    return order
