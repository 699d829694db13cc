"""Adding up a large question: meetings are dealt into buckets of people before they are added up.

A record for everybody is larger than any cache, and who is met is scattered over all of it: one record a
meeting is one wait for memory. So each meeting is first written, in 8 bytes, behind the others of its bucket
of 16,384 people, which is writing in order; then bucket after bucket is added up in records that stay in the
cache of the core. Buckets come in the order of people, so what is found is in that order too, which is what
`ranking` needs. All cores deal, then all add up: no two ever write to the same bucket.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from bihuan.epi.compiled import njit
from bihuan.epi.visits.fetching import ask, prefetch
from bihuan.epi.visits.kernels import BASE, MINUTES, PERSON, START, WIDE
from bihuan.epi.visits.ranking import MINUTES_AT, RANKED_BITS, TIMES_AT, count
from bihuan.epi.visits.sifting import CASE_AT, LANES, MET_AT, PEOPLE_BITS, SHARED_AT, sift
from bihuan.epi.visits.turns import done, take, wait

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
_CHUNK, _AHEAD, _BYTES = 512, 2048, 4 * N_RECORD


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


def _take_one(typing_context: Any, record: Any, who: Any, bits: Any) -> Any:
    """Read the record at an address and leave zeros: what ranks it; who it is of with the first and the last
    time (each of so many bits); and something other than 0 if what ranks it does not fit."""
    word, wide = ir.IntType(32), ir.IntType(64)
    eight, answer = ir.VectorType(word, N_RECORD), types.UniTuple(types.uint64, 3)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = builder.inttoptr(arguments[0], eight.as_pointer())
        found = builder.load(source, align=4)
        builder.store(ir.Constant(eight, [0] * N_RECORD), source, align=4)
        minutes, times, cases, first, last = (
            builder.zext(builder.extract_element(found, word(c)), wide)
            for c in (TOGETHER, ENCOUNTERS, CASES, FIRST, LAST)
        )
        rank = builder.or_(builder.shl(minutes, wide(MINUTES_AT)), builder.shl(times, wide(TIMES_AT)))
        rank = builder.or_(rank, cases)
        named = builder.or_(builder.shl(arguments[1], arguments[2]), builder.xor(first, wide(FAR - 1)))
        named = builder.or_(builder.shl(named, arguments[2]), last)
        beyond = wide(0)
        for number, n_bits in zip((minutes, times, cases), RANKED_BITS, strict=True):
            beyond = builder.or_(beyond, builder.lshr(number, wide(n_bits)))
        return context.make_tuple(builder, answer, (rank, named, beyond))

    return answer(types.int64, types.int64, types.int64), build


_take: Any = intrinsic(_take_one)


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
def shares(chain: Any, firsts: Any, ends: Any, cuts: Any, begins: Any) -> None:
    """Cut the buckets into as many runs as there are `begins`, of about as many meetings each: from `cuts[i]`
    to `cuts[i + 1]`; and where the people of each run begin, if all are written one behind the other."""
    sizes, whole = np.zeros(ends.shape[1], np.int64), np.int64(0)
    for t in range(ends.shape[0]):
        for b in range(ends.shape[1]):
            block, last = np.int64(firsts[t] + b), np.int64(ends[t, b] >> np.uint64(BLOCK_BITS))
            while block != last:
                sizes[b] += BLOCK
                block = np.int64(chain[block])
            sizes[b] += np.int64(ends[t, b]) & (BLOCK - 1)
    for b in range(sizes.size):
        whole += sizes[b]
    run, meetings, people = 0, np.int64(0), np.int64(0)
    for b in range(sizes.size):
        while run < begins.size and meetings * begins.size >= whole * run:
            cuts[run], begins[run] = b, people
            run += 1
        meetings += sizes[b]
        people += min(sizes[b], PEOPLE)
    for r in range(run, begins.size):
        cuts[r], begins[r] = sizes.size, people
    cuts[begins.size] = sizes.size


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
    records: Any, seen: Any, first_person: Any, ranks: Any, named: Any, bits: Any, at: Any, most: Any,
    tally: Any, classes: Any,
) -> Any:  # fmt: skip
    """Move the records of those met to `ranks` and `named`, from row `at` on, count them in their class,
    unless there is no `tally` (see `ranking`), and leave zeros; the next free row. `most`: all bits of what
    ranks anybody so far, and of what does not fit."""
    source, all_ranks, beyond = records.ctypes.data, most[0], most[1]
    for w in range(seen.size):
        left = seen[w]
        if left == np.uint64(0):
            continue
        seen[w] = np.uint64(0)
        while left:
            who = (w << 6) + np.int64(_lowest(left))
            left &= left - np.uint64(1)
            rank, named[at], over = _take(source + who * _BYTES, first_person + who, bits)
            ranks[at], all_ranks, beyond = rank, all_ranks | rank, beyond | over
            if tally.size:
                count(tally, classes, rank)
            at += 1
    most[0], most[1] = all_ranks, beyond
    return at


@njit(cache=True, nogil=True)
def _settle(
    words: Any, chain: Any, firsts: Any, ends: Any, cases: Any, begin: Any, end: Any, records: Any,
    ranks: Any, named: Any, bits: int, at: int, most: Any, tally: Any, classes: Any,
) -> Any:  # fmt: skip
    """Add up what was dealt to the buckets [begin, end) and gather it; the next free row.

    One row of `ends`, one of `firsts` (block of bucket 0) and of `cases` (that meetings are counted from) for
    each part that was dealt, in the order of cases. `records` are of one bucket, and zero.
    """
    marks = np.zeros(PEOPLE >> 6, np.uint64)
    for b in range(begin, end):
        for t in range(ends.shape[0]):
            _add_up(words, chain, firsts[t] + b, ends[t, b], cases[t], records, marks)
        at = _gather(records, marks, b << PEOPLE_BITS, ranks, named, bits, at, most, tally, classes)
    return at


@njit(cache=True, nogil=True)
def hold(
    words: Any, chain: Any, firsts: Any, ends: Any, cases: Any, begin: int, end: int, records: Any
) -> None:  # fmt: skip
    """Add up what was dealt to some buckets in records of everybody: there is more to come."""
    unmarked = np.empty(0, np.uint64)
    for b in range(begin, end):
        a, z = b << PEOPLE_BITS, (b + 1) << PEOPLE_BITS
        for line in range(0, PEOPLE * _BYTES, 64):
            prefetch(records.ctypes.data + a * _BYTES + line)
        for t in range(ends.shape[0]):
            _add_up(words, chain, firsts[t] + b, ends[t, b], cases[t], records[a:z], unmarked)


@njit(cache=True, nogil=True)
def gather_all(records: Any, begin: int, end: int, ranks: Any, named: Any, bits: int, most: Any) -> Any:
    """Like `_gather`, after `hold`, of the buckets [begin, end), from the first row of these on: most were
    met."""
    source, all_ranks, beyond, at = records.ctypes.data, most[0], most[1], begin << PEOPLE_BITS
    for who in range(begin << PEOPLE_BITS, end << PEOPLE_BITS):
        if records[who, ENCOUNTERS]:
            rank, named[at], over = _take(source + who * _BYTES, who, bits)
            ranks[at], all_ranks, beyond = rank, all_ranks | rank, beyond | over
            at += 1
    most[0], most[1] = all_ranks, beyond
    return at


# --- all threads ------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def add_up(
    segments: Any, visits: Any, ranges: Any, parts: Any, people: Any, margin: int, zero: int, words: Any,
    chain: Any, firsts: Any, ends: Any, cases: Any, cuts: Any, regions: Any, records: Any, ranks: Any,
    named: Any, bits: int, most: Any, tallies: Any, classes: Any, turns: Any,
) -> None:  # fmt: skip
    """A question in one round, in three steps (`turns`): `ranges` are dealt, from one of `parts` to the next;
    buckets are cut into runs; each is settled.

    `regions` afterwards are the rows of `ranks` and `named` in use, one region a run, people ascending;
    `most`, of each run, as in `_gather`. One row of `records`, `tallies` and `classes` a run, all of them
    zero.
    """
    n_parts, n_runs, begins = parts.size - 1, regions.shape[0], regions[:, 0]
    part = take(turns, 0)
    while part < n_parts:
        mine = ranges[parts[part] : parts[part + 1]]
        deal(segments, visits, mine, people, margin, zero, words, chain, firsts[part], ends[part])
        done(turns, 0)
        part = take(turns, 0)
    wait(turns, 0, n_parts)
    if take(turns, 1) == 0:
        shares(chain, firsts, ends, cuts, begins)
        done(turns, 1)
    wait(turns, 1, 1)
    run = take(turns, 2)
    while run < n_runs:
        regions[run, 1] = _settle(
            words, chain, firsts, ends, cases, cuts[run], cuts[run + 1], records[run], ranks, named,
            bits, begins[run], most[run], tallies[run], classes[run],
        )  # fmt: skip
        done(turns, 2)
        run = take(turns, 2)
    wait(turns, 2, n_runs)
