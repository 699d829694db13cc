"""A large question: from the rows beside the visits of cases to the ranked table, by all cores: `buckets`."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import buckets
from bihuan.epi.visits.buckets import N_RECORD
from bihuan.epi.visits.met import NAMES, Met

#: Rows that one core deals before all add up: 128 MB of meetings if all of them meet.
ROUND_ROWS = 1 << 24
#: Rows from which a second thread is worth its start.
SHARED_ROWS = 1 << 17
_SHARED_NAMES = 1 << 15
_WORD, _BITS, _DIGIT = 64, 63, 11
#: Bytes from which a room is large: one such is kept for the next question, up to the most that is kept.
_LARGE, _KEPT = 1 << 27, 1 << 29
#: Large questions answered at a time: each uses all cores and, at its largest, half a gigabyte.
_turns = threading.BoundedSemaphore(2)


class Room:
    """Memory of one question, kept for the next: memory that is new costs more than what is done in it.

    All of it is made by NumPy, which asks for large pages. `records` are zeros between questions.
    """

    def __init__(self) -> None:
        self._held: dict[str, NDArray[Any]] = {}

    def take(self, name: str, size: int, kind: Any, *, zeros: bool = False) -> NDArray[Any]:
        """At least `size` entries; what is in them is open, unless it is zeros."""
        found = self._held.get(name)
        if found is None or found.size < size:
            self._held.pop(name, None)
            found = np.zeros(size, kind) if zeros else np.empty(size, kind)
            self._held[name] = found
        return found

    def records(self, name: str, size: int, *, zeros: bool = False) -> NDArray[np.int32]:
        return self.take(name, size * N_RECORD, np.int32, zeros=zeros).reshape(-1, N_RECORD)

    @property
    def bytes(self) -> int:
        return sum(held.nbytes for held in self._held.values())


_spare: list[Room] = []
_lock = threading.RLock()  # what is let go may be taken back at any moment, in the same thread too


@contextmanager
def borrowed(*, large: bool) -> Iterator[Room]:
    """A room, when it is this question's turn; after an error the room is not used again."""
    with _turns:
        with _lock:
            _spare.sort(key=lambda room: room.bytes)
            room = _spare.pop(-1 if large else 0) if _spare else Room()
        yield room
        with _lock:
            is_second = room.bytes > _LARGE and any(other.bytes > _LARGE for other in _spare)
            if room.bytes <= _KEPT and not is_second:
                _spare[:] = [room, *_spare][: workers()]


class _Kept(np.ndarray[Any, Any]):
    """Memory of an answer. A type of its own, so that columns hold on to it and not to what is beneath."""


_answers: list[NDArray[np.int32]] = []


def _columns(n: int) -> NDArray[np.int32]:
    """Room for an answer of n rows, one row a column of it, each on a cache line. When
    nobody holds any part of it any more, the memory serves the next answer."""
    wide = -(-n // buckets.LINE) * buckets.LINE
    size = wide * len(NAMES) + buckets.LINE
    with _lock:
        fitting = [i for i, held in enumerate(_answers) if size <= held.size]
        whole = _answers.pop(fitting[0]) if fitting else np.empty(_grown(size), np.int32)
    at = -whole.ctypes.data // 4 % buckets.LINE
    lent = whole.view(_Kept)[at : at + wide * len(NAMES)]
    weakref.finalize(lent, _take_back, whole)
    return lent.view(np.ndarray).reshape(len(NAMES), wide)


def _grown(n: int) -> int:
    """Somewhat more than n, so that questions of about one size use the same memory."""
    step = 1 << max(0, n.bit_length() - 3)
    return -(-n // step) * step


def _take_back(whole: NDArray[np.int32]) -> None:
    with _lock:
        if whole.nbytes <= _KEPT:
            _answers[:] = [whole, *_answers][: workers()]


def time_bits(visits: NDArray[np.int64], margin: int) -> int:
    """Bits of the minutes a question is about."""
    return (int(visits[:, 3].max() - visits[:, 2].min()) + 2 * margin + 2).bit_length()


def fits(bits: int, n_people: int) -> bool:
    """Whether the minutes of a question fit into a meeting of 64 bits (four years), and two of them with a
    number of one of so many people into another."""
    return 1 << bits <= buckets.FAR and 2 * bits + n_people.bit_length() <= _WORD


def add_up(
    segments: NDArray[np.int64],
    visits: NDArray[np.int64],
    ranges: NDArray[np.int64],
    people: NDArray[np.uint32],
    margin: int,
    *,
    zero: int,
    bits: int,
    n_people: int,
) -> Met | None:
    """Everybody met in `ranges` (in the order of cases), ranked; `bits` as of `time_bits`. None if somebody
    was met more often, or longer, than what ranks her holds (`buckets.RANKED`)."""
    rows = ranges[:, 3] - ranges[:, 2]
    n_buckets = -(-n_people // buckets.PEOPLE)
    n_workers = workers() if int(rows.sum()) >= SHARED_ROWS else 1
    rounds = _rounds(ranges, rows, visits[:, 0], n_workers)
    with borrowed(large=len(rounds) > 1) as room:
        for parts in rounds:
            dealt = _Dealt(room, parts, n_buckets)
            at_once(
                lambda part, i, dealt=dealt: buckets.deal(
                    segments, visits, part, people, margin, zero, dealt.words, dealt.chain,
                    dealt.firsts[i], dealt.ends[i],
                ),
                parts, range(len(parts)),
            )  # fmt: skip
            dealt.cases = np.array([visits[part[0, 0], 0] for part in parts], np.int64)
            if len(rounds) > 1:
                _hold(room, dealt, n_buckets, n_workers)
        most = np.zeros((n_workers, N_RECORD), np.int32)
        if len(rounds) > 1:
            regions = _gather(room, n_buckets, n_workers, bits, most)
        else:
            regions = _settle(room, dealt, n_workers, bits, most)
        return ranked(room, regions, most.max(axis=0), time_bits=bits, zero=zero)


class _Dealt:
    """Where the meetings of a round lie: one row of `ends` a part."""

    def __init__(self, room: Room, parts: Sequence[NDArray[np.int64]], n_buckets: int) -> None:
        blocks = [buckets.blocks_for(int((p[:, 3] - p[:, 2]).sum()), n_buckets) for p in parts]
        self.firsts = np.concatenate([[0], np.cumsum(blocks)[:-1]]).astype(np.int64)
        self.chain = room.take("chain", sum(blocks), np.uint64)
        self.words = room.take("words", sum(blocks) * buckets.BLOCK, np.uint64)
        self.ends = np.empty((len(parts), n_buckets), np.uint64)
        self.cases = np.empty(0, np.int64)

    def sizes(self) -> NDArray[np.int64]:
        """Meetings of each bucket."""
        out = np.zeros(self.ends.shape[1], np.int64)
        for i, first in enumerate(self.firsts.tolist()):
            buckets.sizes(self.chain, first, self.ends[i], out)
        return out


def _rounds(
    ranges: NDArray[np.int64], rows: NDArray[np.int64], cases: NDArray[np.int64], n_workers: int
) -> list[list[NDArray[np.int64]]]:
    """Ranges in parts of about as many rows each, and parts in rounds: a round fits into memory, the cases of
    a part into a meeting."""
    so_far = np.cumsum(rows)
    n_parts = n_workers * -(-int(so_far[-1]) // (ROUND_ROWS * n_workers))
    of_case = cases[ranges[:, 0]]
    while True:
        ends = np.searchsorted(so_far, so_far[-1] * np.arange(1, n_parts) // n_parts)
        cuts = np.unique([0, *ends.tolist(), ranges.shape[0]])
        if (of_case[cuts[1:] - 1] - of_case[cuts[:-1]] < buckets.MOST_CASES).all():
            break
        n_parts *= 2
    parts = [ranges[a:b] for a, b in pairwise(cuts.tolist())]
    return [parts[i : i + n_workers] for i in range(0, len(parts), n_workers)]


def _shares(weights: NDArray[np.int64], parts: int) -> list[tuple[int, int]]:
    """Cut a row of buckets into `parts` of about the same weight."""
    so_far = np.cumsum(weights)
    cuts = np.searchsorted(so_far, so_far[-1] * np.arange(1, parts) // parts) + 1
    return list(pairwise([0, *np.minimum(cuts, weights.size).tolist(), weights.size]))


def _settle(
    room: Room, dealt: _Dealt, n_workers: int, bits: int, most: NDArray[np.int32]
) -> list[tuple[int, int]]:
    """All in one round: bucket by bucket, in records that stay in the cache. Rows of `_told` in use."""
    sizes = dealt.sizes()
    shares = _shares(sizes, n_workers)
    room_for = np.minimum(sizes, buckets.PEOPLE)
    begins = [int(room_for[:a].sum()) for a, _b in shares]
    found = _told(room, int(room_for.sum()))
    scratch = [room.records(f"scratch {i}", buckets.PEOPLE, zeros=True) for i in range(n_workers)]

    def work(share: tuple[int, int], begin: int, records: NDArray[np.int32], largest: Any) -> int:
        return int(
            buckets.settle(
                dealt.words, dealt.chain, dealt.firsts, dealt.ends, dealt.cases, share, records, *found,
                bits, begin, largest,
            )
        )  # fmt: skip

    ends = at_once(work, shares, begins, scratch, list(most))
    return list(zip(begins, ends, strict=True))


def _told(room: Room, size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """What ranks each person met, and who she is with the first and the last time, row by row."""
    return room.take("ranks", size, np.uint64), room.take("named", size, np.uint64)


def _everybody(room: Room, n_buckets: int) -> NDArray[np.int32]:
    return room.records("records", n_buckets * buckets.PEOPLE, zeros=True)


def _hold(room: Room, dealt: _Dealt, n_buckets: int, n_workers: int) -> None:
    records = _everybody(room, n_buckets)
    at_once(
        lambda share: buckets.hold(
            dealt.words, dealt.chain, dealt.firsts, dealt.ends, dealt.cases, share, records
        ),
        _shares(dealt.sizes(), n_workers),
    )


def _gather(
    room: Room, n_buckets: int, n_workers: int, bits: int, most: NDArray[np.int32]
) -> list[tuple[int, int]]:
    records = _everybody(room, n_buckets)
    shares = _shares(np.ones(n_buckets, np.int64), n_workers)
    begins = [a * buckets.PEOPLE for a, _b in shares]
    found = _told(room, n_buckets * buckets.PEOPLE)
    ends = at_once(
        lambda share, begin, largest: int(
            buckets.gather_all(records, share, *found, bits, begin, largest)
        ),
        shares, begins, list(most),
    )  # fmt: skip
    return list(zip(begins, ends, strict=True))


def ranked(
    room: Room, regions: list[tuple[int, int]], most: NDArray[np.int32], *, time_bits: int, zero: int
) -> Met | None:
    """The rows of `regions` in the order of `Met`; people ascend in them. None as in `add_up`."""
    n = sum(b - a for a, b in regions)
    if not n:
        return Met.nobody()
    ranks, named = _told(room, 0)
    largest = (int(most[buckets.TOGETHER]), int(most[buckets.ENCOUNTERS]), int(most[buckets.CASES]))
    if any(found > fits for found, fits in zip(largest, buckets.RANKED, strict=True)):
        return None
    bits = (largest[0].bit_length(), largest[1].bit_length(), largest[2].bit_length())
    width = max(b for _a, b in regions).bit_length()
    if width + sum(bits) > _BITS:
        return None
    order, out = _order(room, ranks, regions, largest, bits, width), _columns(n)
    cuts = _even(n, len(regions))
    at_once(
        lambda a, b: buckets.columns_of(named, time_bits, order[a:b], largest, bits, width, zero, a, out),
        cuts, cuts[1:],
    )  # fmt: skip
    return Met(*out[:, :n])


def even(n: int, parts: int) -> list[int]:
    """Where parts of about the same size begin, and n."""
    return [n * i // parts for i in range(parts + 1)]


def _even(n: int, parts: int) -> list[int]:
    """Like `even`; a small question is not parted."""
    return even(n, parts if n >= _SHARED_NAMES else 1)


def _order(
    room: Room, ranks: NDArray[np.uint64], regions: list[tuple[int, int]], largest: tuple[int, int, int],
    bits: tuple[int, int, int], width: int,
) -> NDArray[np.int64]:  # fmt: skip
    """Rows of `regions` ranked, in the low `width` bits of numbers that were sorted digit by digit."""
    begins = np.cumsum([0, *(b - a for a, b in regions)]).tolist()
    keys, spare = (room.take(name, begins[-1], np.int64)[: begins[-1]] for name in ("keys", "spare keys"))
    passes = max(1, -(-sum(bits) // _DIGIT))
    size = -(-sum(bits) // passes)
    digits = _counts(len(regions), size)

    def key(row: tuple[int, int], a: int, b: int, count: NDArray[np.int64]) -> None:
        buckets.keys_of(ranks, row[0], row[1], largest, bits, width, keys[a:b], width, count)

    at_once(key, regions, begins, begins[1:], digits)
    _by_digit(keys, spare, begins, digits, width)
    for number in range(1, passes):
        keys, spare = spare, keys
        cuts, shift = _even(keys.size, len(regions)), width + number * size
        digits = _counts(len(cuts) - 1, size)
        _count(keys, cuts, digits, shift)
        _by_digit(keys, spare, cuts, digits, shift)
    return spare


def _counts(parts: int, size: int) -> NDArray[np.int64]:
    return np.zeros((parts, buckets.STRANDS, 1 << size), np.int64)


def _count(keys: NDArray[np.int64], cuts: list[int], digits: NDArray[np.int64], shift: int) -> None:
    at_once(lambda a, b, count: buckets.count_digits(keys[a:b], shift, count), cuts, cuts[1:], digits)


def _by_digit(
    keys: NDArray[np.int64], out: NDArray[np.int64], cuts: list[int], digits: NDArray[np.int64], shift: int
) -> None:
    """Sort by one digit: its counts say where the keys of each strand go, by digit, then by strand."""
    sizes = digits.reshape(-1, digits.shape[2]).T
    flat = sizes.ravel()
    ends = np.ascontiguousarray((np.cumsum(flat) - flat).reshape(sizes.shape).T).reshape(digits.shape)
    at_once(lambda a, b, end: buckets.by_digit(keys[a:b], shift, end, out), cuts, cuts[1:], ends)


# --- all cores --------------------------------------------------------------------------------------------


def workers() -> int:
    """Threads a large question is shared among: the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Job:
    """A piece of work that whoever is free first does: lighter than a future, of which a question makes ten,
    each in less time than one takes to be handed over."""

    __slots__ = ("answer", "args", "claim", "done", "error", "work")

    def __init__(self, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.work, self.args = work, args
        self.answer: Any = None
        self.error: BaseException | None = None
        self.claim, self.done = threading.Lock(), threading.Lock()
        self.done.acquire()

    def tried(self) -> bool:
        """Do it, unless somebody does."""
        if not self.claim.acquire(blocking=False):
            return False
        try:
            self.answer = self.work(*self.args)
        except BaseException as error:
            self.error = error
        finally:
            self.done.release()
        return True


@cache
def _queue() -> SimpleQueue[_Job]:
    queue: SimpleQueue[_Job] = SimpleQueue()
    for number in range(workers()):
        threading.Thread(target=_serve, args=(queue,), name=f"visits {number}", daemon=True).start()
    return queue


def _serve(queue: SimpleQueue[_Job]) -> None:
    while True:
        job = queue.get()
        job.tried()
        del job  # and what it holds


def _after_fork() -> None:
    """A child has none of its parent's threads, and so nobody who would let go of what they held."""
    global _turns, _lock
    _turns, _lock = threading.BoundedSemaphore(2), threading.RLock()
    _queue.cache_clear()


os.register_at_fork(after_in_child=_after_fork)


def at_once(work: Callable[..., Any], *each: Iterable[Any]) -> list[Any]:
    """`work` on each, by other threads too; the answers in order. What no other thread has begun when this
    one is ready is done here: on a busy machine nobody waits for a core to become free."""
    given = list(zip(*each, strict=False))
    others = [_Job(work, one) for one in given[1:]]
    for job in others:
        _queue().put(job)
    done = [work(*given[0])]
    for job in others:
        if not job.tried():
            job.done.acquire()
        if job.error is not None:
            raise job.error
        done.append(job.answer)
    return done
