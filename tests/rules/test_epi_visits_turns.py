"""Threads of one compiled call: each part is done once, and nobody waits for who never comes."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
from numba import njit

from bihuan.epi.visits import crew
from bihuan.epi.visits.turns import done, take, turns_of, wait

STEPS, PARTS = 300, 7


@njit(nogil=True)
def work(turns: Any, times: Any, steps: int, parts: int) -> None:
    """Each part adds up what the step before left: it is whole only if nobody went on too early."""
    for step in range(steps):
        part = take(turns, step)
        while part < parts:
            times[step, part] += 1 if step == 0 else times[step - 1].sum() // parts
            done(turns, step)
            part = take(turns, step)
        wait(turns, step, parts)


def test_each_part_is_done_once_and_after_the_whole_step_before_by_more_threads_than_cores():
    for _again in range(20):
        turns, times = turns_of(STEPS), np.zeros((STEPS, PARTS), np.int64)
        crew.together(lambda turns=turns, times=times: work(turns, times, STEPS, PARTS), 5)
        assert (times == 1).all()


def test_a_thread_that_comes_when_all_is_done_does_nothing():
    turns, times = turns_of(STEPS), np.zeros((STEPS, PARTS), np.int64)
    work(turns, times, STEPS, PARTS)
    work(turns, times, STEPS, PARTS)
    assert (times == 1).all()


def test_nobody_waits_for_threads_that_are_busy_with_something_else():
    free, held = threading.Event(), [threading.Event() for _n in range(crew.workers())]

    def busy(begun: threading.Event) -> None:
        begun.set()
        assert free.wait(60)

    crew._handed_out(busy, [(begun,) for begun in held])
    for begun in held:
        assert begun.wait(60)
    turns, times = turns_of(STEPS), np.zeros((STEPS, PARTS), np.int64)
    crew.together(lambda: work(turns, times, STEPS, PARTS), 3)
    assert (times == 1).all()
    free.set()
    time.sleep(0.05)
    assert (times == 1).all()
