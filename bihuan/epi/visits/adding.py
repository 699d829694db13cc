"""A large question: from the rows beside the visits of cases to the ranked table, by all cores: `buckets`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import buckets, ranking
from bihuan.epi.visits.buckets import N_RECORD, PEOPLE
from bihuan.epi.visits.crew import at_once, even, together, workers
from bihuan.epi.visits.met import Met
from bihuan.epi.visits.rooms import Room, answer_of, borrowed
from bihuan.epi.visits.turns import turns_of

#: Rows that one core deals before all add up: 128 MB of meetings if all of them meet.
ROUND_ROWS = 1 << 24
#: Rows, and names, that one more thread is worth its start for.
SHARED_ROWS, _SHARED_NAMES = 1 << 16, 1 << 15
#: People of the store for each row of a question from which on classes are counted: few are met often then.
_PEOPLE_A_ROW = 2
#: Pieces of an answer for each core: when one is held up the other does more of them.
_PIECES = 4
_WORD, _BITS, _DIGIT = 64, 63, 11


def time_bits(visits: NDArray[np.int64], margin: int) -> int:
    """Bits of the minutes a question is about."""
    return (int(visits[:, 3].max() - visits[:, 2].min()) + 2 * margin + 2).bit_length()


def fits(bits: int, n_people: int) -> bool:
    """Whether the minutes of a question fit into a meeting of 64 bits (four years), and two of them with a
    number of one of so many people into another."""
    return 1 << bits <= buckets.FAR and 2 * bits + n_people.bit_length() <= _WORD


@dataclass(frozen=True)
class Asked:
    """What is added up: everybody met in `ranges`, in the order of cases. Moments are of `bits` bits (as of
    `time_bits`), from `zero` on."""

    segments: NDArray[np.int64]
    visits: NDArray[np.int64]
    ranges: NDArray[np.int64]
    people: NDArray[np.uint32]
    margin: int
    zero: int
    bits: int
    n_people: int

    @property
    def n_buckets(self) -> int:
        return -(-self.n_people // PEOPLE)


def add_up(asked: Asked) -> Met | None:
    """Everybody met, ranked. None if somebody was met more often, or longer, than what ranks her holds
    (`ranking.RANKED_BITS`)."""
    rows = np.cumsum(asked.ranges[:, 3] - asked.ranges[:, 2])
    n_workers = min(workers(), max(1, int(rows[-1]) // SHARED_ROWS))
    rounds = _rounds(asked, rows, n_workers)
    with borrowed(large=len(rounds) > 1) as room:
        if len(rounds) == 1:
            return _in_one(room, asked, _Dealt(room, asked, rows, rounds[0]))
        for parts in rounds:
            _deal_and_hold(room, asked, _Dealt(room, asked, rows, parts), n_workers)
        return _gathered(room, asked, n_workers)


def _rounds(asked: Asked, rows: NDArray[np.int64], n_workers: int) -> list[NDArray[np.int64]]:
    """Where the parts of each round begin, and where its last ends: a round fits into memory, the cases of a
    part into a meeting. `rows`: of the ranges so far."""
    n_parts = n_workers * -(-int(rows[-1]) // (ROUND_ROWS * n_workers))
    case = asked.visits[asked.ranges[:, 0], 0]
    while True:
        ends = np.searchsorted(rows, rows[-1] * np.arange(1, n_parts) // n_parts)
        cuts = np.unique([0, *ends.tolist(), rows.size])
        if (case[cuts[1:] - 1] - case[cuts[:-1]] < buckets.MOST_CASES).all():
            return [cuts[i : i + n_workers + 1] for i in range(0, cuts.size - 1, n_workers)]
        n_parts *= 2


#: What ranks each person met, and who she is with the first and the last time: a row each.
_Told = tuple[NDArray[np.uint64], NDArray[np.uint64]]


def _told(room: Room, size: int) -> _Told:
    return room.take("ranks", size, np.uint64), room.take("named", size, np.uint64)


class _Dealt:
    """Where the meetings of a round go: of each part the first block, where its buckets end, and the case its
    meetings are counted from."""

    def __init__(self, room: Room, asked: Asked, rows: NDArray[np.int64], parts: NDArray[np.int64]) -> None:
        so_far = [int(rows[cut - 1]) if cut else 0 for cut in parts.tolist()]
        blocks = [buckets.blocks_for(b - a, asked.n_buckets) for a, b in pairwise(so_far)]
        self.parts, self.rows = parts, so_far[-1] - so_far[0]
        self.firsts = np.cumsum([0, *blocks[:-1]])
        self.ends = np.empty((len(blocks), asked.n_buckets), np.uint64)
        self.cases = asked.visits[asked.ranges[parts[:-1], 0], 0]
        self.chain = room.take("chain", sum(blocks), np.uint64)
        self.words = room.take("words", sum(blocks) * buckets.BLOCK, np.uint64)

    @property
    def size(self) -> int:
        return self.parts.size - 1


# --- in one round: bucket by bucket, in records that stay in the cache --------------------------------------


def _in_one(room: Room, asked: Asked, dealt: _Dealt) -> Met | None:
    n = dealt.size
    told = _told(room, min(dealt.rows, asked.n_buckets * PEOPLE))
    records = room.take("scratch", (n * PEOPLE, N_RECORD), np.int32).reshape(n, PEOPLE, N_RECORD)
    is_counted = dealt.rows * _PEOPLE_A_ROW <= asked.n_people
    tallies = room.take("tallies", (n, ranking.CLASSES if is_counted else 0), np.uint32)
    classes = room.take("classes", (n, ranking.CLASSES >> 6), np.uint64)
    regions, most = np.zeros((n, 2), np.int64), np.zeros((n, 2), np.uint64)
    cuts, turns = np.empty(n + 1, np.int64), turns_of(3)
    together(
        lambda: buckets.add_up(
            asked.segments, asked.visits, asked.ranges, dealt.parts, asked.people, asked.margin, asked.zero,
            dealt.words, dealt.chain, dealt.firsts, dealt.ends, dealt.cases, cuts, regions, records, *told,
            asked.bits, most, tallies, classes, turns,
        ),
        n,
    )  # fmt: skip
    bits = _bits(most)
    if not is_counted:
        return None if bits is None else _by_digits(room, asked, told, regions, bits)
    used = room.take("used", ranking.CLASSES, np.uint32)
    used = used[: ranking.begins(tallies, classes, used)]
    if bits is None or used.size > ranking.MOST_CLASSES or not ranking.are_few(bits):
        for tally in tallies:
            ranking.forget(tally, used)
        return None if bits is None else _by_digits(room, asked, told, regions, bits)
    return _by_class(room, asked, told, regions, tallies, used)


def _by_class(
    room: Room, asked: Asked, told: _Told, regions: NDArray[np.int64], tallies: Any, used: Any
) -> Met:
    n = int((regions[:, 1] - regions[:, 0]).sum())
    if not n:
        return Met.nobody()
    out, placed = answer_of(n), room.take("placed", (n, 2), np.uint64)
    crew = _crew(n, len(regions))
    cuts, turns = np.array(ranking.even_lines(n, crew * _PIECES)), turns_of(2)
    together(
        lambda: ranking.by_class(
            *told, regions, tallies, used, placed, cuts, asked.bits, asked.zero, out, turns
        ),
        crew,
    )
    return Met(*out[:, :n])


def _crew(n: int, parts: int) -> int:
    """Threads for so many names: a few are not worth handing over."""
    return parts if n >= _SHARED_NAMES else 1


def _bits(most: NDArray[np.uint64]) -> tuple[int, int, int] | None:
    """Bits of the largest minutes, encounters and cases; None if somebody's do not fit."""
    ranks, beyond = (int(found) for found in np.bitwise_or.reduce(most))
    minutes, times, cases = ranking.parted(ranks)
    return None if beyond else (minutes.bit_length(), times.bit_length(), cases.bit_length())


# --- in several rounds: in records of everybody -----------------------------------------------------------


def _deal_and_hold(room: Room, asked: Asked, dealt: _Dealt, n_workers: int) -> None:
    at_once(
        lambda a, b, first, ends: buckets.deal(
            asked.segments, asked.visits, asked.ranges[a:b], asked.people, asked.margin, asked.zero,
            dealt.words, dealt.chain, first, ends,
        ),
        dealt.parts.tolist(), dealt.parts[1:].tolist(), dealt.firsts.tolist(), dealt.ends,
    )  # fmt: skip
    cuts, begins = np.empty(n_workers + 1, np.int64), np.empty(n_workers, np.int64)
    buckets.shares(dealt.chain, dealt.firsts, dealt.ends, cuts, begins)
    records = _everybody(room, asked)
    at_once(
        lambda a, b: buckets.hold(
            dealt.words, dealt.chain, dealt.firsts, dealt.ends, dealt.cases, a, b, records
        ),
        cuts.tolist(), cuts[1:].tolist(),
    )  # fmt: skip


def _everybody(room: Room, asked: Asked) -> NDArray[np.int32]:
    return room.take("records", (asked.n_buckets * PEOPLE, N_RECORD), np.int32)


def _gathered(room: Room, asked: Asked, n_workers: int) -> Met | None:
    records, told = _everybody(room, asked), _told(room, asked.n_buckets * PEOPLE)
    most, cuts = np.zeros((n_workers, 2), np.uint64), even(asked.n_buckets, n_workers)
    ends = at_once(
        lambda a, b, found: int(buckets.gather_all(records, a, b, *told, asked.bits, found)),
        cuts, cuts[1:], most,
    )  # fmt: skip
    bits = _bits(most)
    if bits is None:
        return None
    regions = np.array([(a * PEOPLE, end) for a, end in zip(cuts, ends, strict=False)])
    return _by_digits(room, asked, told, regions, bits)


# --- ranking digit by digit -------------------------------------------------------------------------------


def _by_digits(
    room: Room, asked: Asked, told: _Told, regions: NDArray[np.int64], bits: tuple[int, int, int]
) -> Met | None:
    """The rows of `regions` in the order of `Met`; people ascend in them. None as in `add_up`."""
    sizes = regions[:, 1] - regions[:, 0]
    n, width = int(sizes.sum()), int(regions.max()).bit_length()
    if not n:
        return Met.nobody()
    if width + sum(bits) > _BITS:
        return None
    order, out = _order(room, told, regions, bits, width), answer_of(n)
    cuts = ranking.even_lines(n, _crew(n, len(regions)))
    at_once(
        lambda a, b: ranking.columns_of(told[1], asked.bits, order[a:b], bits, width, asked.zero, a, out),
        cuts, cuts[1:],
    )  # fmt: skip
    return Met(*out[:, :n])


def _order(
    room: Room, told: _Told, regions: NDArray[np.int64], bits: tuple[int, int, int], width: int
) -> NDArray[np.int64]:
    """Rows of `regions` ranked, in the low `width` bits of numbers that were sorted digit by digit."""
    cuts = [0, *np.cumsum(regions[:, 1] - regions[:, 0]).tolist()]
    keys, spare = (room.take(name, cuts[-1], np.int64) for name in ("keys", "spare keys"))
    passes = max(1, -(-sum(bits) // _DIGIT))
    size = -(-sum(bits) // passes)
    digits = _counts(len(regions), size)
    at_once(
        lambda row, a, b, count: ranking.keys_of(
            told[0], row[0], row[1], bits, width, keys[a:b], width, count
        ),
        regions.tolist(), cuts, cuts[1:], digits,
    )  # fmt: skip
    _by_digit(keys, spare, cuts, digits, width)
    cuts = even(cuts[-1], _crew(cuts[-1], len(regions)))
    for number in range(1, passes):
        keys, spare = spare, keys
        shift, digits = width + number * size, _counts(len(cuts) - 1, size)
        _count(keys, cuts, digits, shift)
        _by_digit(keys, spare, cuts, digits, shift)
    return spare


def _counts(parts: int, size: int) -> NDArray[np.int64]:
    return np.zeros((parts, ranking.STRANDS, 1 << size), np.int64)


def _count(keys: NDArray[np.int64], cuts: Sequence[int], digits: NDArray[np.int64], shift: int) -> None:
    at_once(lambda a, b, count: ranking.count_digits(keys[a:b], shift, count), cuts, cuts[1:], digits)


def _by_digit(
    keys: NDArray[np.int64],
    out: NDArray[np.int64],
    cuts: Sequence[int],
    digits: NDArray[np.int64],
    shift: int,
) -> None:
    """Sort by one digit: its counts say where the keys of each strand go, by digit, then by strand."""
    sizes = digits.reshape(-1, digits.shape[2]).T
    flat = sizes.ravel()
    ends = np.ascontiguousarray((np.cumsum(flat) - flat).reshape(sizes.shape).T).reshape(digits.shape)
    at_once(lambda a, b, end: ranking.by_digit(keys[a:b], shift, end, out), cuts, cuts[1:], ends)
