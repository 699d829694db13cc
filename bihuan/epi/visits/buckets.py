"""Adding up a large question: meetings are dealt into buckets of people before they are added up.

A record for everybody is larger than any cache, and who is met is scattered over all of it: one record a
meeting is one wait for memory. So each meeting is first written, in 8 bytes, behind the others of its bucket
of 32,768 people, which is writing in order; then bucket after bucket is added up in records that stay in the
cache of the core. Buckets come in the order of people, so what is found is in that order too, and a few
stable passes over digits rank it. Both cores scan, then both add up: no two ever write to the same bucket.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

from bihuan.epi.visits.kernels import BASE, MINUTES, PERSON, START, WIDE, _pointer
from bihuan.epi.visits.meeting import _ask, _prefetch

#: People of a bucket: their records (32 bytes each) fill half of a core's second cache of 2 MB.
PEOPLE_BITS = 15
PEOPLE = 1 << PEOPLE_BITS
#: Meetings of a block; a bucket is a chain of blocks.
BLOCK_BITS = 8
BLOCK = 1 << BLOCK_BITS
#: A meeting as 64 bits. Lower half: place in the bucket, minutes shared; upper half: when met, case.
SHARED_AT, MET_AT, CASE_AT = 16, 32, 53
#: Cases of a part, and minutes of a question, that fit.
MOST_CASES, FAR = 1 << (64 - CASE_AT), 1 << (CASE_AT - MET_AT)
#: Columns of a record; those of the upper half of a meeting are odd, so that one instruction parts them.
TOGETHER, LAST_CASE, ENCOUNTERS, FIRST, CASES, LAST, WHO = 0, 1, 2, 3, 4, 5, 6
N_RECORD = 8
_LOCAL = np.uint32(PEOPLE - 1)
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


def _move_one(typing_context: Any, record: Any, to: Any, who: Any, most: Any) -> Any:
    """Move the record at an address to another, with who it is of; leave zeros, and raise the numbers at
    `most` to those of the record."""
    eight = ir.VectorType(ir.IntType(32), N_RECORD)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target, largest = (builder.inttoptr(arguments[i], eight.as_pointer()) for i in (0, 1, 3))
        found = builder.load(source, align=4)
        builder.store(ir.Constant(eight, [0] * N_RECORD), source, align=4)
        named = builder.insert_element(found, arguments[2], ir.IntType(32)(WHO))
        builder.store(named, target, align=4)
        before = builder.load(largest, align=4)
        above = builder.icmp_signed(">", found, before)
        builder.store(builder.select(above, found, before), largest, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int32, types.int64), build


_move: Any = intrinsic(_move_one)


@njit(cache=True, nogil=True)
def _weighed(
    person: Any, start: Any, minutes: Any, n: int, visit: Any, met: Any, low: Any, meets: Any
) -> None:
    """Of n rows: when met, minutes shared with place in the bucket, and whether they meet. No branch and no
    row looks at another: the compiler does many at a time."""
    base, earliest, v_start, v_end, own = visit
    for j in range(n):
        a = base + np.int32(start[j])
        b = a + np.int32(minutes[j])
        shared = max(min(b, v_end) - max(a, v_start), np.int32(0))
        met[j] = max(min(a, v_end), min(v_start, b))
        low[j] = np.uint32(shared) << np.uint32(SHARED_AT) | (person[j] & _LOCAL)
        meets[j] = np.uint8((b >= earliest) & (person[j] != own))


@njit(cache=True, nogil=True)
def deal(
    segments: Any, visits: Any, ranges: Any, people: Any, margin: int, zero: int, words: Any, chain: Any,
    free: int, ends: Any,
) -> None:  # fmt: skip
    """Write the meetings of `ranges` into buckets; `ends` afterwards holds where each bucket goes on.

    Bucket b begins at block `free` + b, and needs what `blocks_for` says. Cases are counted from that of the
    first range.
    """
    met, low = np.empty(_CHUNK, np.int32), np.empty(_CHUNK, np.uint32)
    meets, chosen = np.empty(_CHUNK, np.uint8), np.empty(_CHUNK + 1, np.uint16)
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
        high = np.uint64(case - first_case) << np.uint64(CASE_AT)
        visit = (
            np.int32(segments[s, BASE] - zero), np.int32(visits[v, 2] - margin - zero),
            np.int32(visits[v, 2] - zero), np.int32(visits[v, 3] - zero), np.uint32(people[case]),
        )  # fmt: skip
        for i in range(ranges[r, 2], ranges[r, 3], _CHUNK):
            n = min(_CHUNK, ranges[r, 3] - i)
            person = carray(_pointer(segments[s, PERSON] + 4 * i), n, np.uint32)
            start = carray(_pointer(segments[s, START] + 2 * i), n, np.uint16)
            if segments[s, WIDE]:
                wide = carray(_pointer(segments[s, MINUTES] + 2 * i), n, np.uint16)
                _weighed(person, start, wide, n, visit, met, low, meets)
            else:
                narrow = carray(_pointer(segments[s, MINUTES] + i), n, np.uint8)
                _weighed(person, start, narrow, n, visit, met, low, meets)
            count = np.uint64(0)
            for j in range(n):
                chosen[count] = np.uint16(j)
                count += np.uint64(meets[j])
            for k in range(count):
                row = np.uint64(chosen[k])
                bucket = np.uint64(person[row] >> np.uint32(PEOPLE_BITS))
                at = ends[bucket]
                _prefetch(to + np.int64(at) * 8 + 128)
                words[at] = high | np.uint64(met[row]) << np.uint64(MET_AT) | np.uint64(low[row])
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
        _ask(segments[s, PERSON] + line)
    for line in range(a * 2, b * 2, 64):
        _ask(segments[s, START] + line)
    wide = 1 + segments[s, WIDE]
    for line in range(a * wide, b * wide, 64):
        _ask(segments[s, MINUTES] + line)


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
    """Add the meetings of a bucket to the records of its people, and mark in `seen` who was met."""
    end = np.int64(end)
    last = end >> BLOCK_BITS
    to, from_, first = records.ctypes.data, words.ctypes.data, np.int32(first_case + 1)
    while True:
        begin = block << BLOCK_BITS
        if block != last:
            for line in range(0, BLOCK * 8, 64):
                _ask(from_ + (np.int64(chain[block]) << BLOCK_BITS) * 8 + line)
        for at in range(begin, begin + BLOCK if block != last else end):
            word = words[at]
            who = word & np.uint64(PEOPLE - 1)
            seen[who >> np.uint64(6)] |= np.uint64(1) << (who & np.uint64(63))
            _add(to + np.int64(who) * _BYTES, word, first)
        if block == last:
            return
        block = np.int64(chain[block])


@njit(cache=True, nogil=True)
def _gather(records: Any, seen: Any, first_person: Any, found: Any, at: Any, most: Any) -> Any:
    """Move the records of those met to `found`, from row `at` on, and leave zeros; the next free row.
    `most` holds the largest of each column so far."""
    source, to, largest = records.ctypes.data, found.ctypes.data, most.ctypes.data
    for w in range(seen.size):
        left = seen[w]
        if left == np.uint64(0):
            continue
        seen[w] = np.uint64(0)
        while left:
            who = (w << 6) + np.int64(_lowest(left))
            left &= left - np.uint64(1)
            _move(source + who * _BYTES, to + at * _BYTES, np.int32(first_person + who), largest)
            at += 1
    return at


@njit(cache=True, nogil=True)
def settle(
    words: Any, chain: Any, firsts: Any, ends: Any, cases: Any, buckets: Any, records: Any, found: Any,
    at: int, most: Any,
) -> Any:  # fmt: skip
    """Add up what was dealt to the buckets [from, to) and gather it; the next free row of `found`.

    One row of `ends`, one of `firsts` (block of bucket 0) and of `cases` (that meetings are counted from) for
    each part that was dealt, in the order of cases. `records` are of one bucket, and zero.
    """
    marks = np.zeros(PEOPLE >> 6, np.uint64)
    for b in range(buckets[0], buckets[1]):
        for t in range(ends.shape[0]):
            _add_up(words, chain, firsts[t] + b, ends[t, b], cases[t], records, marks)
        at = _gather(records, marks, b << PEOPLE_BITS, found, at, most)
    return at


@njit(cache=True, nogil=True)
def hold(
    words: Any, chain: Any, firsts: Any, ends: Any, cases: Any, buckets: Any, records: Any, seen: Any
) -> None:
    """Add up what was dealt to some buckets in records of everybody: there is more to come."""
    for b in range(buckets[0], buckets[1]):
        a, z = b << PEOPLE_BITS, (b + 1) << PEOPLE_BITS
        for line in range(0, PEOPLE * _BYTES, 64):
            _prefetch(records.ctypes.data + a * _BYTES + line)
        for t in range(ends.shape[0]):
            _add_up(words, chain, firsts[t] + b, ends[t, b], cases[t], records[a:z], seen[a >> 6 : z >> 6])


@njit(cache=True, nogil=True)
def gather_all(records: Any, seen: Any, buckets: Any, found: Any, at: int, most: Any) -> Any:
    """Like `settle`, after `hold`."""
    for b in range(buckets[0], buckets[1]):
        a, z = b << PEOPLE_BITS, (b + 1) << PEOPLE_BITS
        at = _gather(records[a:z], seen[a >> 6 : z >> 6], a, found, at, most)
    return at


# --- ranking ----------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def keys_of(
    found: Any, begin: int, end: int, largest: Any, bits: Any, room: int, keys: Any, shift: int, counts: Any
) -> None:  # fmt: skip
    """One number of each row [begin, end) that sorts as the ranking does: minutes, encounters, cases; below
    them, in `room` bits, the row. People ascend with rows. `counts`: of the digit at `shift`."""
    minutes, times, cases = largest
    digits = np.int64(counts.size - 1)
    for row in range(begin, end):
        key = minutes - np.int64(found[row, TOGETHER])
        key = key << bits[1] | (times - np.int64(found[row, ENCOUNTERS]))
        key = key << bits[2] | (cases - np.int64(found[row, CASES]))
        key = key << room | row
        keys[row - begin] = key
        counts[key >> shift & digits] += 1


@njit(cache=True, nogil=True)
def count_digits(keys: Any, shift: int, counts: Any) -> None:
    digits = np.int64(counts.size - 1)
    for i in range(keys.size):
        counts[keys[i] >> shift & digits] += 1


@njit(cache=True, nogil=True)
def by_digit(keys: Any, shift: int, ends: Any, out: Any) -> None:
    """Write each key behind the others of its digit; `ends` is where they go on."""
    digits = np.int64(ends.size - 1)
    for i in range(keys.size):
        digit = keys[i] >> shift & digits
        at = ends[digit]
        out[at] = keys[i]
        ends[digit] = at + 1


def _stream_eight(typing_context: Any, source: Any, target: Any) -> Any:
    """Copy eight numbers past the caches, which have no use for them; the target lies on 64 bytes."""
    eight = ir.VectorType(ir.IntType(64), 8)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = builder.load(builder.inttoptr(arguments[0], eight.as_pointer()), align=8)
        wrote = builder.store(found, builder.inttoptr(arguments[1], eight.as_pointer()), align=64)
        wrote.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


def _wait_for_streams(typing_context: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), build


_stream: Any = intrinsic(_stream_eight)
_wait: Any = intrinsic(_wait_for_streams)


@njit(cache=True, nogil=True)
def columns_of(found: Any, order: Any, mask: int, zero: int, first: int, out: Any) -> None:
    """Columns person, encounters, minutes, cases, first, last of the rows that `order` holds in the bits of
    `mask`, from column entry `first` on. Columns of `out` begin on 64 bytes."""
    tile = np.empty((6, _TILE), np.int64)
    from_, source, target = found.ctypes.data, tile.ctypes.data, out.ctypes.data
    k = 0
    while k < order.size:
        n = min(_TILE, order.size - k)
        if (first + k) & 7:
            n = min(n, 8 - ((first + k) & 7))
        for j in range(n):
            if k + j + 16 < order.size:
                _ask(from_ + (order[k + j + 16] & mask) * _BYTES)
            row = order[k + j] & mask
            tile[0, j] = found[row, WHO]
            tile[1, j] = found[row, ENCOUNTERS]
            tile[2, j] = found[row, TOGETHER]
            tile[3, j] = found[row, CASES]
            tile[4, j] = zero + FAR - 1 - np.int64(found[row, FIRST])
            tile[5, j] = zero + np.int64(found[row, LAST])
        for c in range(6):
            if n == _TILE:
                for j in range(0, _TILE, 8):
                    _stream(source + (c * _TILE + j) * 8, target + (c * out.shape[1] + first + k + j) * 8)
            else:
                for j in range(n):
                    out[c, first + k + j] = tile[c, j]
        k += n
    _wait()
