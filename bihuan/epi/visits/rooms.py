"""Memory of one question, kept for the next: memory that is new costs more than what is done in it."""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits.crew import workers
from bihuan.epi.visits.met import NAMES

#: Bytes from which a room is large: one such is kept for the next question, up to the most that is kept.
_LARGE, _KEPT = 1 << 27, 1 << 29
#: Bytes of a large page of memory.
_LARGE_PAGE = 1 << 21
#: Numbers of an answer in a cache line.
LINE = 16
#: Large questions answered at a time: each uses all cores and, at its largest, half a gigabyte.
_turns = threading.BoundedSemaphore(2)


class Room:
    """What one question needs."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray[Any]] = {}

    def take(
        self, name: str, shape: int | tuple[int, int], kind: Any, *, zeros: bool = False
    ) -> NDArray[Any]:
        """An array of that shape; what is in it is open, unless it is zeros, as they have to be left."""
        size = int(np.prod(shape))
        found = self._held.get(name)
        if found is None or found.size < size:
            self._held.pop(name, None)
            found = _memory(size, kind)
            self._held[name] = found
        return found[:size].reshape(shape)

    @property
    def bytes(self) -> int:
        return sum(held.nbytes for held in self._held.values())


def _memory(size: int, kind: Any) -> NDArray[Any]:
    """Zeros; where they are many, on large pages: who writes all over memory waits for the address of every
    small one, and what this process used before comes back in small ones."""
    n_bytes = size * np.dtype(kind).itemsize
    if n_bytes < _LARGE_PAGE // 4 or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(size, kind)
    pages = -(-n_bytes // _LARGE_PAGE) + 1
    whole = mmap.mmap(-1, pages * _LARGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a system without them
        whole.madvise(mmap.MADV_HUGEPAGE)
    memory = np.frombuffer(whole, np.uint8)
    begin = -memory.ctypes.data % _LARGE_PAGE
    return memory[begin : begin + n_bytes].view(kind)


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


def answer_of(n: int) -> NDArray[np.int32]:
    """Room for an answer of n rows, one row a column of it, each on a cache line. When
    nobody holds any part of it any more, the memory serves the next answer."""
    wide = -(-n // LINE) * LINE
    size = wide * len(NAMES) + LINE
    with _lock:
        fitting = [i for i, held in enumerate(_answers) if size <= held.size]
        whole = _answers.pop(fitting[0]) if fitting else np.empty(_grown(size), np.int32)
    at = -whole.ctypes.data // 4 % LINE
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


def _after_fork() -> None:
    """A child has none of its parent's threads, and so nobody who would let go of what they held."""
    global _turns, _lock
    _turns, _lock = threading.BoundedSemaphore(2), threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
