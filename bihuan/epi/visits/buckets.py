"""Adding up a large question: meetings are dealt into buckets of people before they are added up.

A record for everybody is larger than any cache, and who is met is scattered over all of it: one record a
meeting is one wait for memory. So each meeting is first written, in 8 bytes, behind the others of its bucket
of 16,384 people, which is writing in order; then bucket after bucket is added up in records that stay in the
cache of the core. Buckets come in the order of people, so what is found is in that order too, and a few
stable passes over digits rank it. Both cores scan, then both add up: no two ever write to the same bucket.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from bihuan.epi.visits.fetching import ask, prefetch
from bihuan.epi.visits.kernels import BASE, MINUTES, PERSON, START, WIDE
from bihuan.epi.visits.sifting import CASE_AT, LANES, MET_AT, PEOPLE_BITS, SHARED_AT, sift

#: People of a bucket: their records (32 bytes each) fill a quarter of a second cache of 2 MB, which two
#: threads may share.
PEOPLE = 1 << PEOPLE_BITS
#: Meetings of a block; a bucket is a chain of blocks.
BLOCK_BITS = 8
BLOCK = 1 << BLOCK_BITS
#: Cases of a part, and minutes of a question, that fit.
MOST_CASES, FAR = 1 << (64 - CASE_AT), 1 << (CASE_AT - MET_AT)
#: Columns of a record; those of the upper half of a meeting are odd, so that one instruction parts them.
TOGETHER, LAST_CASE, ENCOUNTERS, FIRST, CASES, LAST = 0, 1, 2, 3, 4, 5
N_RECORD = 8
#: What ranks a person, in 64 bits: minutes, encounters, cases; and the largest of each that fit.
MINUTES_AT, TIMES_AT = 36, 16
RANKED = ((1 << 64 - MINUTES_AT) - 1, (1 << MINUTES_AT - TIMES_AT) - 1, (1 << TIMES_AT) - 1)
#: Keys are sorted from so many strands at a time: most have the same digit as the one before them, and
#: whoever adds one to a number waits for the one who did so last.
STRANDS = 4
#: Numbers of an answer in a cache line.
LINE = 16
_CHUNK, _AHEAD, _TILE, _BYTES = 512, 2048, 64, 4 * N_RECORD


def _count_zeros(typing_context: Any, value: Any) -> Any:
    """How many zeros stand below the lowest bit that is set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.uint64(types.uint64), build


_lowest: Any = intrinsic(_count_zeros)


def _add_one(typing_context: Any, record: Any, word: Any, first_case: Any) -> Any:
    """Add a meeting to the record at an address: all columns at once, as one vector of eight numbers.

    record = max(record + sums, latest), where sums are (minutes, 1 encounter, 1 if the case is another than
    the last) and latest are (case, FAR - met, met); cases come in ascending order.
    """
    eight = ir.VectorType(ir.IntType(32), N_RECORD)

    def vector(**columns: int) -> Any:
        at = [columns.get(name, 0) for name in ("minutes", "case", "times", "first", "cases", "last")]
        return ir.Constant(eight, [*at, 0, 0])

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        to, meeting, first = arguments
        pointer = builder.inttoptr(to, eight.as_pointer())
        before = builder.load(pointer, align=4)
        four = ir.VectorType(ir.IntType(64), 4)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), 4), [0] * 4)
        halves = builder.insert_element(ir.Constant(four, ir.Undefined), meeting, ir.IntType(32)(0))
        halves = builder.bitcast(builder.shuffle_vector(halves, halves, lanes), eight)
        halves = builder.lshr(halves, vector(minutes=SHARED_AT, case=CASE_AT - MET_AT))
        halves = builder.and_(halves, vector(minutes=2047, case=MOST_CASES - 1, first=FAR - 1, last=FAR - 1))
        halves = builder.xor(halves, vector(times=1, first=FAR - 1))
        # the case as it is counted over all parts, one more than its number so that 0 is nobody
        cases = builder.insert_element(vector(), first, ir.IntType(32)(LAST_CASE))
        halves = builder.add(halves, cases)
        other = builder.zext(builder.icmp_unsigned("!=", before, halves), eight)
        chosen = ir.Constant(ir.VectorType(ir.IntType(32), 8), [8, 8, 8, 8, LAST_CASE, 8, 8, 8])
        fresh = builder.shuffle_vector(other, vector(), chosen)
        sums = builder.add(builder.and_(halves, vector(minutes=-1, times=-1)), fresh)
        after = builder.add(before, sums)
        latest = builder.and_(halves, vector(case=-1, first=-1, last=-1))
        after = builder.select(builder.icmp_signed(">", latest, after), latest, after)
        builder.store(after, pointer, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64, types.int32), build


_add: Any = intrinsic(_add_one)


def _move_one(typing_context: Any, record: Any, rank: Any, named: Any, who: Any, bits: Any, most: Any) -> Any:
    """Move the record at an address: what ranks it to one address, who it is of with the first and the last
    time (each of so many bits) to another. Leave zeros, and raise the numbers at `most` to those of the
    record."""
    word, wide = ir.IntType(32), ir.IntType(64)
    eight = ir.VectorType(word, N_RECORD)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, largest = (builder.inttoptr(arguments[i], eight.as_pointer()) for i in (0, 5))
        found = builder.load(source, align=4)
        builder.store(ir.Constant(eight, [0] * N_RECORD), source, align=4)
        before = builder.load(largest, align=4)
        above = builder.icmp_signed(">", found, before)
        builder.store(builder.select(above, found, before), largest, align=4)
        minutes, times, cases, first, last = (
            builder.zext(builder.extract_element(found, word(c)), wide)
            for c in (TOGETHER, ENCOUNTERS, CASES, FIRST, LAST)
        )
        told = builder.or_(builder.shl(minutes, wide(MINUTES_AT)), builder.shl(times, wide(TIMES_AT)))
        builder.store(builder.or_(told, cases), builder.inttoptr(arguments[1], wide.as_pointer()), align=8)
        whole = builder.or_(builder.shl(arguments[3], arguments[4]), builder.xor(first, wide(FAR - 1)))
        whole = builder.or_(builder.shl(whole, arguments[4]), last)
        builder.store(whole, builder.inttoptr(arguments[2], wide.as_pointer()), align=8)
        return context.get_dummy_value()

    addresses = types.int64, types.int64, types.int64
    return types.void(*addresses, types.int64, types.int64, types.int64), build


_move: Any = intrinsic(_move_one)


@njit(cache=True, nogil=True)
def deal(
    segments: Any, visits: Any, ranges: Any, people: Any, margin: int, zero: int, words: Any, chain: Any,
    free: int, ends: Any,
) -> None:  # fmt: skip
    """Write the meetings of `ranges` into buckets; `ends` afterwards holds where each bucket goes on.

    Bucket b begins at block `free` + b, and needs what `blocks_for` says. Cases are counted from that of the
    first range.
    """
    who, low = np.empty(_CHUNK + LANES, np.uint32), np.empty(_CHUNK + LANES, np.uint32)
    high = np.empty(_CHUNK + LANES, np.uint32)
    for b in range(ends.size):
        ends[b] = np.uint64((free + b) << BLOCK_BITS)
    to = words.ctypes.data
    next_free = np.uint64(free + ends.size)
    first_case = visits[ranges[0, 0], 0]
    for r in range(ranges.shape[0]):
        v, s = ranges[r, 0], ranges[r, 1]
        if r + 1 < ranges.shape[0]:
            _fetch(segments, ranges[r + 1, 1], ranges[r + 1, 2], ranges[r + 1, 3])
        case = visits[v, 0]
        visit = (
            np.int32(segments[s, BASE] - zero), np.int32(visits[v, 2] - margin - zero),
            np.int32(visits[v, 2] - zero), np.int32(visits[v, 3] - zero), np.int32(people[case]),
            np.int32(np.uint32(case - first_case) << np.uint32(CASE_AT - MET_AT)),
        )  # fmt: skip
        for i in range(ranges[r, 2], ranges[r, 3], _CHUNK):
            count = sift(
                segments[s, PERSON], segments[s, START], segments[s, MINUTES], segments[s, WIDE], i,
                min(i + _CHUNK, ranges[r, 3]), visit, who, low, high,
            )  # fmt: skip
            for k in range(count):
                bucket = who[k] >> np.uint32(PEOPLE_BITS)
                at = ends[bucket]
                prefetch(to + np.int64(at) * 8 + 128)
                words[at] = np.uint64(high[k]) << np.uint64(MET_AT) | np.uint64(low[k])
                at += np.uint64(1)
                if at & np.uint64(BLOCK - 1) == np.uint64(0):
                    chain[(at - np.uint64(1)) >> np.uint64(BLOCK_BITS)] = next_free
                    at = next_free << np.uint64(BLOCK_BITS)
                    next_free += np.uint64(1)
                ends[bucket] = at


@njit(cache=True, nogil=True, inline="always")
def _fetch(segments: Any, s: Any, a: Any, b: Any) -> None:
    """Ask for the rows [a, b) of a segment, which are read next: each stretch lies elsewhere."""
    b = min(b, a + _AHEAD)
    for line in range(a * 4, b * 4, 64):
        ask(segments[s, PERSON] + line)
    for line in range(a * 2, b * 2, 64):
        ask(segments[s, START] + line)
    wide = 1 + segments[s, WIDE]
    for line in range(a * wide, b * wide, 64):
        ask(segments[s, MINUTES] + line)


def blocks_for(rows: int, n_buckets: int) -> int:
    """Blocks that suffice for the meetings of so many rows."""
    return (rows >> BLOCK_BITS) + 2 * n_buckets


@njit(cache=True, nogil=True)
def sizes(chain: Any, first: int, ends: Any, out: Any) -> None:
    """Add the number of meetings in each bucket to `out`; the first bucket begins at block `first`."""
    for b in range(ends.size):
        block, last = np.int64(first + b), np.int64(ends[b] >> np.uint64(BLOCK_BITS))
        while block != last:
            out[b] += BLOCK
            block = np.int64(chain[block])
        out[b] += np.int64(ends[b]) & (BLOCK - 1)


@njit(cache=True, nogil=True)
def _add_up(words: Any, chain: Any, block: Any, end: Any, first_case: Any, records: Any, seen: Any) -> None:
    """Add the meetings of a bucket to the records of its people, and mark in `seen`, unless it is empty, who
    was met."""
    end = np.int64(end)
    last = end >> BLOCK_BITS
    to, from_, first = records.ctypes.data, words.ctypes.data, np.int32(first_case + 1)
    while True:
        begin = block << BLOCK_BITS
        if block != last:
            for line in range(0, BLOCK * 8, 64):
                ask(from_ + (np.int64(chain[block]) << BLOCK_BITS) * 8 + line)
        for at in range(begin, begin + BLOCK if block != last else end):
            word = words[at]
            who = word & np.uint64(PEOPLE - 1)
            if seen.size:
                seen[who >> np.uint64(6)] |= np.uint64(1) << (who & np.uint64(63))
            _add(to + np.int64(who) * _BYTES, word, first)
        if block == last:
            return
        block = np.int64(chain[block])


@njit(cache=True, nogil=True)
def _gather(
    records: Any, seen: Any, first_person: Any, ranks: Any, named: Any, bits: Any, at: Any, most: Any
) -> Any:
    """Move the records of those met to `ranks` and `named` (see `_move_one`), from row `at` on, and leave
    zeros; the next free row. `most` holds the largest of each column so far."""
    source, largest = records.ctypes.data, most.ctypes.data
    to, to_named = ranks.ctypes.data, named.ctypes.data
    for w in range(seen.size):
        left = seen[w]
        if left == np.uint64(0):
            continue
        seen[w] = np.uint64(0)
        while left:
            who = (w << 6) + np.int64(_lowest(left))
            left &= left - np.uint64(1)
            _move(source + who * _BYTES, to + at * 8, to_named + at * 8, first_person + who, bits, largest)
            at += 1
    return at


@njit(cache=True, nogil=True)
def settle(
    words: Any, chain: Any, firsts: Any, ends: Any, cases: Any, buckets: Any, records: Any, ranks: Any,
    named: Any, bits: int, at: int, most: Any,
) -> Any:  # fmt: skip
    """Add up what was dealt to the buckets [from, to) and gather it; the next free row.

    One row of `ends`, one of `firsts` (block of bucket 0) and of `cases` (that meetings are counted from) for
    each part that was dealt, in the order of cases. `records` are of one bucket, and zero.
    """
    marks = np.zeros(PEOPLE >> 6, np.uint64)
    for b in range(buckets[0], buckets[1]):
        for t in range(ends.shape[0]):
            _add_up(words, chain, firsts[t] + b, ends[t, b], cases[t], records, marks)
        at = _gather(records, marks, b << PEOPLE_BITS, ranks, named, bits, at, most)
    return at


@njit(cache=True, nogil=True)
def hold(words: Any, chain: Any, firsts: Any, ends: Any, cases: Any, buckets: Any, records: Any) -> None:
    """Add up what was dealt to some buckets in records of everybody: there is more to come."""
    unmarked = np.empty(0, np.uint64)
    for b in range(buckets[0], buckets[1]):
        a, z = b << PEOPLE_BITS, (b + 1) << PEOPLE_BITS
        for line in range(0, PEOPLE * _BYTES, 64):
            prefetch(records.ctypes.data + a * _BYTES + line)
        for t in range(ends.shape[0]):
            _add_up(words, chain, firsts[t] + b, ends[t, b], cases[t], records[a:z], unmarked)


@njit(cache=True, nogil=True)
def gather_all(records: Any, buckets: Any, ranks: Any, named: Any, bits: int, at: int, most: Any) -> Any:
    """Like `settle`, after `hold`: most were met."""
    source, largest = records.ctypes.data, most.ctypes.data
    to, to_named = ranks.ctypes.data, named.ctypes.data
    for who in range(buckets[0] << PEOPLE_BITS, buckets[1] << PEOPLE_BITS):
        if records[who, ENCOUNTERS]:
            _move(source + who * _BYTES, to + at * 8, to_named + at * 8, who, bits, largest)
            at += 1
    return at


# --- ranking ----------------------------------------------------------------------------------------


@njit(cache=True, nogil=True, inline="always")
def _parted(rank: Any) -> Any:
    """Minutes, encounters, cases."""
    times = rank >> np.uint64(TIMES_AT) & np.uint64(RANKED[1])
    return np.int64(rank >> np.uint64(MINUTES_AT)), np.int64(times), np.int64(rank & np.uint64(RANKED[2]))


@njit(cache=True, nogil=True, inline="always")
def _key(rank: Any, largest: Any, bits: Any, room: Any, row: Any) -> Any:
    minutes, times, cases = _parted(rank)
    key = (largest[0] - minutes) << bits[1] | (largest[1] - times)
    return (key << bits[2] | (largest[2] - cases)) << room | row


@njit(cache=True, nogil=True)
def keys_of(
    ranks: Any, begin: int, end: int, largest: Any, bits: Any, room: int, keys: Any, shift: int, counts: Any
) -> None:  # fmt: skip
    """One number of each row [begin, end) that sorts as the ranking does: minutes, encounters, cases, each
    the largest first; below them, in `room` bits, the row. People ascend with rows. `counts`: of the digit
    at `shift`, a row of them for each strand."""
    digits = np.int64(counts.shape[1] - 1)
    quarter = (end - begin) // STRANDS
    for i in range(quarter):
        for t in range(STRANDS):
            at = t * quarter + i
            key = _key(ranks[begin + at], largest, bits, room, begin + at)
            keys[at] = key
            counts[t, key >> shift & digits] += 1
    for at in range(STRANDS * quarter, end - begin):
        key = _key(ranks[begin + at], largest, bits, room, begin + at)
        keys[at] = key
        counts[STRANDS - 1, key >> shift & digits] += 1


@njit(cache=True, nogil=True)
def count_digits(keys: Any, shift: int, counts: Any) -> None:
    """How often each digit at `shift` stands in each strand."""
    digits = np.int64(counts.shape[1] - 1)
    quarter = keys.size // STRANDS
    for i in range(quarter):
        for t in range(STRANDS):
            counts[t, keys[t * quarter + i] >> shift & digits] += 1
    for i in range(STRANDS * quarter, keys.size):
        counts[STRANDS - 1, keys[i] >> shift & digits] += 1


@njit(cache=True, nogil=True, inline="always")
def _put(key: Any, shift: Any, digits: Any, t: Any, ends: Any, out: Any) -> None:
    digit = key >> shift & digits
    at = ends[t, digit]
    out[at] = key
    ends[t, digit] = at + 1


@njit(cache=True, nogil=True)
def by_digit(keys: Any, shift: int, ends: Any, out: Any) -> None:
    """Write each key behind the others of its digit; `ends` is where those of each strand go on."""
    digits = np.int64(ends.shape[1] - 1)
    quarter = keys.size // STRANDS
    for i in range(quarter):
        for t in range(STRANDS):
            _put(keys[t * quarter + i], shift, digits, t, ends, out)
    for i in range(STRANDS * quarter, keys.size):
        _put(keys[i], shift, digits, STRANDS - 1, ends, out)


def _stream_line(typing_context: Any, source: Any, target: Any) -> Any:
    """Copy sixteen numbers past the caches, which have no use for them; the target lies on 64 bytes."""
    line = ir.VectorType(ir.IntType(32), LINE)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = builder.load(builder.inttoptr(arguments[0], line.as_pointer()), align=4)
        wrote = builder.store(found, builder.inttoptr(arguments[1], line.as_pointer()), align=64)
        wrote.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


def _wait_for_streams(typing_context: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), build


_stream: Any = intrinsic(_stream_line)
_wait: Any = intrinsic(_wait_for_streams)


@njit(cache=True, nogil=True)
def columns_of(
    named: Any, time_bits: int, order: Any, largest: Any, bits: Any, room: int, zero: int, first: int,
    out: Any,
) -> None:  # fmt: skip
    """Columns person, encounters, minutes, cases, first, last, from entry `first` on, of the rows that
    `order` holds as `keys_of` wrote them. Columns of `out` begin on 64 bytes."""
    tile = np.empty((6, _TILE), np.int32)
    from_, source, target = named.ctypes.data, tile.ctypes.data, out.ctypes.data
    mask, begin = (1 << room) - 1, np.int32(zero)
    of_times, of_cases, of_moment = (1 << bits[1]) - 1, (1 << bits[2]) - 1, np.uint64((1 << time_bits) - 1)
    k = 0
    while k < order.size:
        n = min(_TILE, order.size - k)
        if (first + k) & (LINE - 1):
            n = min(n, LINE - ((first + k) & (LINE - 1)))
        for j in range(min(n, order.size - k - _TILE)):
            ask(from_ + (order[k + j + _TILE] & mask) * 8)
        for j in range(n):
            key = order[k + j] >> room
            tile[3, j] = np.int32(largest[2] - (key & of_cases))
            key >>= bits[2]
            tile[1, j] = np.int32(largest[1] - (key & of_times))
            tile[2, j] = np.int32(largest[0] - (key >> bits[1]))
        for j in range(n):
            whole = named[order[k + j] & mask]
            tile[0, j] = np.int32(whole >> np.uint64(2 * time_bits))
            tile[4, j] = begin + np.int32(whole >> np.uint64(time_bits) & of_moment)
            tile[5, j] = begin + np.int32(whole & of_moment)
        for c in range(6):
            if n == _TILE:
                for j in range(0, _TILE, LINE):
                    _stream(source + (c * _TILE + j) * 4, target + (c * out.shape[1] + first + k + j) * 4)
            else:
                for j in range(n):
                    out[c, first + k + j] = tile[c, j]
        k += n
    _wait()
