"""All cores for one question: threads that are kept, and work that is handed to them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from functools import cache
from queue import SimpleQueue
from typing import Any


def workers() -> int:
    """Threads a large question is shared among: the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def even(n: int, parts: int) -> list[int]:
    """Where parts of about the same size begin, and n."""
    return [n * i // parts for i in range(parts + 1)]


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

    def drop(self) -> None:
        """From now on nobody will begin it."""
        self.claim.acquire(blocking=False)


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


# A child has none of its parent's threads.
os.register_at_fork(after_in_child=_queue.cache_clear)


def at_once(work: Callable[..., Any], *each: Iterable[Any]) -> list[Any]:
    """`work` on each, by other threads too; the answers in order. What no other thread has begun when this
    one is ready is done here: on a busy machine nobody waits for a core to become free."""
    given = list(zip(*each, strict=False))
    others = _handed_out(work, given[1:])
    done = [work(*given[0])]
    for job in others:
        if not job.tried():
            job.done.acquire()
        if job.error is not None:
            raise job.error
        done.append(job.answer)
    return done


def together(work: Callable[[], None], crew: int) -> None:
    """`work`, which is compiled, by so many threads at the same time; they share it out among themselves
    (`turns`). All of it is done when this thread comes back from it: of the others, some may then be on their
    way out, and some never have come."""
    others = _handed_out(work, [()] * (crew - 1))
    work()
    for job in others:
        job.drop()


def _handed_out(work: Callable[..., Any], given: Iterable[tuple[Any, ...]]) -> list[_Job]:
    jobs = [_Job(work, one) for one in given]
    for job in jobs:
        _queue().put(job)
    return jobs
