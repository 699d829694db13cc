"""Ranking those met: by minutes together, encounters, cases, each the largest first, then by number.

What ranks a person is one number of 64 bits. Those met by a hundred cases mostly share it with others: there
is one *class* (minutes, encounters, cases) for a hundred names. So classes are counted while people are added
up, and each person is then written once, behind the others of her class. Where classes are many or large
numbers, rows are sorted digit by digit instead, the least first. Both ways are stable, and people come in the
order of their numbers, so equals stay in it.

Threads share both: each counts its own rows, and nobody writes where another does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from bihuan.epi.compiled import njit
from bihuan.epi.visits.fetching import ask
from bihuan.epi.visits.rooms import LINE
from bihuan.epi.visits.turns import done, take, wait

#: What ranks a person, in 64 bits: minutes, encounters, cases; and bits of each that fit.
MINUTES_AT, TIMES_AT = 36, 16
RANKED_BITS = (64 - MINUTES_AT, MINUTES_AT - TIMES_AT, TIMES_AT)
#: Bits of minutes, encounters and cases that a class has room for: a day and a half, 31 times, 15 cases.
CLASS_BITS = (11, 5, 4)
CLASSES = 1 << sum(CLASS_BITS)
#: Classes whose last lines, written to in turn, still lie in the second cache of a core: half a megabyte.
MOST_CLASSES = 1 << 13
#: Keys are sorted from so many strands at a time: most have the same digit as the one before them, and
#: whoever adds one to a number waits for the one who did so last.
STRANDS = 4
_TILE = 64
_CLASS_MINUTES, _CLASS_TIMES, _CLASS_CASES = (np.uint64(bits) for bits in CLASS_BITS)


def parted(rank: int) -> tuple[int, int, int]:
    """Minutes, encounters, cases."""
    minutes, times, cases = ((1 << bits) - 1 for bits in RANKED_BITS)
    return rank >> MINUTES_AT & minutes, rank >> TIMES_AT & times, rank & cases


@njit(cache=True, nogil=True, inline="always")
def _parted(rank: Any) -> Any:
    times = rank >> np.uint64(TIMES_AT) & np.uint64((1 << RANKED_BITS[1]) - 1)
    return (
        np.int64(rank >> np.uint64(MINUTES_AT)),
        np.int64(times),
        np.int64(rank & np.uint64((1 << RANKED_BITS[2]) - 1)),
    )


# --- by class ---------------------------------------------------------------------------------------


def are_few(bits: tuple[int, int, int]) -> bool:
    """Whether numbers of so many bits fit into a class."""
    return all(n <= room for n, room in zip(bits, CLASS_BITS, strict=True))


@njit(cache=True, nogil=True, inline="always")
def _small(rank: Any) -> Any:
    """Minutes, encounters and cases as far as a class has room for them."""
    one = np.uint64(1)
    times = rank >> np.uint64(TIMES_AT) & (one << _CLASS_TIMES) - one
    minutes = rank >> np.uint64(MINUTES_AT) & (one << _CLASS_MINUTES) - one
    return minutes, times, rank & (one << _CLASS_CASES) - one


@njit(cache=True, nogil=True, inline="always")
def _class_of(rank: Any) -> Any:
    """The class of what ranks a person. Those with the same encounters and cases lie side by side: most have
    one of each."""
    minutes, times, cases = _small(rank)
    return (times << _CLASS_CASES | cases) << _CLASS_MINUTES | minutes


@njit(cache=True, nogil=True, inline="always")
def count(tally: Any, classes: Any, rank: Any) -> None:
    """Count a person in `tally`, by class; a class that is new is marked in `classes`, a bit each, where it
    stands in the ranking."""
    class_ = _class_of(rank)
    before = tally[class_]
    tally[class_] = before + np.uint32(1)
    if before == np.uint32(0):
        minutes, times, cases = _small(rank)
        place = (minutes << _CLASS_TIMES | times) << _CLASS_CASES | cases
        classes[place >> np.uint64(6)] |= np.uint64(1) << (place & np.uint64(63))


@njit(cache=True, nogil=True)
def begins(tallies: Any, classes: Any, used: Any) -> Any:
    """Turn how many of each class each thread has (a row of `tallies` each) into where these go; how many
    classes there are. `used` names them, and `classes` are zeros again."""
    one, cases_of = np.uint64(1), (np.uint64(1) << _CLASS_CASES) - np.uint64(1)
    sub = _CLASS_TIMES + _CLASS_CASES
    n, so_far = 0, np.uint32(0)
    for back in range(classes.shape[1]):
        w = classes.shape[1] - 1 - back
        left = np.uint64(0)
        for t in range(classes.shape[0]):
            left |= classes[t, w]
            classes[t, w] = np.uint64(0)
        while left:
            bit = np.uint64(63) - _zeros_above(left)
            left ^= one << bit
            place = np.uint64(w) << np.uint64(6) | bit
            times = place >> _CLASS_CASES & (one << _CLASS_TIMES) - one
            class_ = (times << _CLASS_CASES | place & cases_of) << _CLASS_MINUTES | place >> sub
            used[n] = class_
            n += 1
            for t in range(tallies.shape[0]):
                many = tallies[t, class_]
                tallies[t, class_] = so_far
                so_far += many
    return n


@njit(cache=True, nogil=True)
def forget(tally: Any, used: Any) -> None:
    """Leave zeros."""
    for i in range(used.size):
        tally[used[i]] = np.uint32(0)


@njit(cache=True, nogil=True)
def by_class(
    ranks: Any, named: Any, regions: Any, tallies: Any, used: Any, placed: Any, cuts: Any, bits: int,
    zero: int, out: Any, turns: Any,
) -> None:  # fmt: skip
    """Columns person, encounters, minutes, cases, first, last of the rows in `regions`, ranked, in two steps
    (`turns`): rows to their classes, a region each, and from there in order to `out`, from cut to cut.
    Tallies are zeros afterwards. Columns of `out`, and cuts in them, lie on cache lines."""
    part = take(turns, 0)
    while part < regions.shape[0]:
        _to_classes(ranks, named, regions[part, 0], regions[part, 1], tallies[part], placed)
        forget(tallies[part], used)
        done(turns, 0)
        part = take(turns, 0)
    wait(turns, 0, regions.shape[0])
    part = take(turns, 1)
    while part < cuts.size - 1:
        _in_columns(placed, cuts[part], cuts[part + 1], bits, zero, out)
        done(turns, 1)
        part = take(turns, 1)
    wait(turns, 1, cuts.size - 1)


@njit(cache=True, nogil=True)
def _to_classes(ranks: Any, named: Any, begin: int, end: int, tally: Any, out: Any) -> None:
    """Write the rows [begin, end) behind the others of their class."""
    for row in range(begin, end):
        class_ = _class_of(ranks[row])
        at = tally[class_]
        tally[class_] = at + np.uint32(1)
        out[at, 0], out[at, 1] = ranks[row], named[row]


@njit(cache=True, nogil=True)
def _in_columns(placed: Any, begin: int, end: int, bits: int, zero: int, out: Any) -> None:
    """The rows [begin, end), part by part; moments of so many bits are minutes from `zero` on."""
    tile = np.empty((6, _TILE), np.int32)
    of_moment, first = np.uint64((1 << bits) - 1), np.int32(zero)
    for k in range(begin, end, _TILE):
        n = min(_TILE, end - k)
        for j in range(n):
            rank, whole = placed[k + j, 0], placed[k + j, 1]
            minutes, times, cases = _parted(rank)
            tile[0, j] = np.int32(whole >> np.uint64(2 * bits))
            tile[1, j], tile[2, j], tile[3, j] = np.int32(times), np.int32(minutes), np.int32(cases)
            tile[4, j] = first + np.int32(whole >> np.uint64(bits) & of_moment)
            tile[5, j] = first + np.int32(whole & of_moment)
        _put_tile(tile, n, out, k)
    wait_for_streams()


# --- digit by digit ---------------------------------------------------------------------------------


@njit(cache=True, nogil=True, inline="always")
def _key(rank: Any, bits: Any, room: Any, row: Any) -> Any:
    minutes, times, cases = _parted(rank)
    key = (((1 << bits[0]) - 1 - minutes) << bits[1]) | ((1 << bits[1]) - 1 - times)
    return (key << bits[2] | ((1 << bits[2]) - 1 - cases)) << room | row


@njit(cache=True, nogil=True)
def keys_of(
    ranks: Any, begin: int, end: int, bits: Any, room: int, keys: Any, shift: int, counts: Any
) -> None:  # fmt: skip
    """One number of each row [begin, end) that sorts as the ranking does: minutes, encounters, cases, of so
    many bits, each the largest first; below them, in `room` bits, the row. `counts`: of the digit at `shift`,
    a row of them for each strand."""
    digits = np.int64(counts.shape[1] - 1)
    quarter = (end - begin) // STRANDS
    for i in range(quarter):
        for t in range(STRANDS):
            at = t * quarter + i
            key = _key(ranks[begin + at], bits, room, begin + at)
            keys[at] = key
            counts[t, key >> shift & digits] += 1
    for at in range(STRANDS * quarter, end - begin):
        key = _key(ranks[begin + at], bits, room, begin + at)
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


@njit(cache=True, nogil=True)
def columns_of(
    named: Any, time_bits: int, order: Any, bits: Any, room: int, zero: int, begin: int, out: Any
) -> None:  # fmt: skip
    """Columns as of `by_class`, from entry `begin` on, of the rows that `order` holds as `keys_of` wrote
    them."""
    tile, from_ = np.empty((6, _TILE), np.int32), named.ctypes.data
    mask, first, of_moment = (1 << room) - 1, np.int32(zero), np.uint64((1 << time_bits) - 1)
    of_minutes, of_times, of_cases = (1 << bits[0]) - 1, (1 << bits[1]) - 1, (1 << bits[2]) - 1
    for k in range(0, order.size, _TILE):
        n = min(_TILE, order.size - k)
        for j in range(min(n, order.size - k - _TILE)):
            ask(from_ + (order[k + j + _TILE] & mask) * 8)
        for j in range(n):
            key = order[k + j] >> room
            tile[3, j] = np.int32(of_cases - (key & of_cases))
            key >>= bits[2]
            tile[1, j] = np.int32(of_times - (key & of_times))
            tile[2, j] = np.int32(of_minutes - (key >> bits[1]))
        for j in range(n):
            whole = named[order[k + j] & mask]
            tile[0, j] = np.int32(whole >> np.uint64(2 * time_bits))
            tile[4, j] = first + np.int32(whole >> np.uint64(time_bits) & of_moment)
            tile[5, j] = first + np.int32(whole & of_moment)
        _put_tile(tile, n, out, begin + k)
    wait_for_streams()


# --- writing an answer ------------------------------------------------------------------------------


def even_lines(n: int, parts: int) -> list[int]:
    """Where parts of about the same size begin, each on a cache line, and n."""
    return [*(n * i // parts // LINE * LINE for i in range(parts)), n]


@njit(cache=True, nogil=True, inline="always")
def _put_tile(tile: Any, n: Any, out: Any, at: Any) -> None:
    """The first n entries of each column of a tile, from `at` on, which lies on a cache line."""
    if n < _TILE:
        for c in range(6):
            for j in range(n):
                out[c, at + j] = tile[c, j]
        return
    source, target = tile.ctypes.data, out.ctypes.data
    for c in range(6):
        for j in range(0, _TILE, LINE):
            stream(source + (c * _TILE + j) * 4, target + (c * out.shape[1] + at + j) * 4)


def _stream_line(typing_context: Any, source: Any, target: Any) -> Any:
    """Copy sixteen numbers past the caches, which have no use for them; the target lies on 64 bytes."""
    line = ir.VectorType(ir.IntType(32), LINE)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = builder.load(builder.inttoptr(arguments[0], line.as_pointer()), align=4)
        wrote = builder.store(found, builder.inttoptr(arguments[1], line.as_pointer()), align=64)
        wrote.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


def _fence(typing_context: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), build


def _count_leading(typing_context: Any, value: Any) -> Any:
    """How many zeros stand above the highest bit that is set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.IntType(1)(1))

    return types.uint64(types.uint64), build


stream: Any = intrinsic(_stream_line)
wait_for_streams: Any = intrinsic(_fence)
_zeros_above: Any = intrinsic(_count_leading)
