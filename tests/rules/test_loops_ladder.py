from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bihuan.loops.rules.bound import LadderStep
from bihuan.loops.rules.ladder import find_rungs

from .loop_examples import local

LADDER = (LadderStep("superior", timedelta(0)), LadderStep("county_command", timedelta(hours=4)))


def test_it_escalates_when_the_deadline_passes_at_the_moment_of_the_deadline():
    [rung] = find_rungs(LADDER, due_at=local(2, 9), ended_at=None, now=local(2, 12))
    assert (rung.step, rung.to, rung.at) == (1, "superior", local(2, 9))


def test_it_climbs_no_further_once_done():
    assert find_rungs(LADDER, due_at=local(2, 9), ended_at=local(2, 13), now=local(5))[1:] == []
    assert find_rungs(LADDER, due_at=local(2, 9), ended_at=local(2, 9), now=local(5)) == []


@given(st.lists(st.integers(0, 200), max_size=20), st.integers(0, 200), st.none() | st.integers(0, 200))
def test_looking_often_or_once_gives_the_same_rungs(looks: list[int], due: int, ended: int | None):
    start = local(1)
    due_at = start + timedelta(hours=due)
    ended_at = None if ended is None else start + timedelta(hours=ended)
    seen = {
        r
        for hours in [*looks, 300]
        for r in find_rungs(LADDER, due_at=due_at, ended_at=ended_at, now=start + timedelta(hours=hours))
    }
    assert seen == set(find_rungs(LADDER, due_at=due_at, ended_at=ended_at, now=start + timedelta(hours=300)))
