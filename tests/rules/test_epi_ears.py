"""EARS: what alarms, what must not, and what no transformation of the data may change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bihuan.epi.detection.ears import ears
from bihuan.epi.detection.results import Reason
from bihuan.epi.errors import InputError
from bihuan.epi.oracles import find_cases, run_case

METHODS = ("C1", "C2", "C3", "C3_CDC")
counts = arrays(np.int64, (3, 40), elements=st.integers(0, 60))


def test_every_case_of_the_peer_is_met(shared: Path) -> None:
    cases = [c for c in find_cases(shared / "oracles" / "analytics") if c.kind.startswith("ears")]
    assert cases
    assert [str(difference) for one in cases for difference in run_case(one)] == []


@pytest.mark.parametrize("method", METHODS)
def test_one_case_after_a_quiet_week_is_no_alarm(method: str) -> None:
    found = ears([0] * 15 + [1, 0, 0], method=method)
    assert not found.alarm.any()


def test_without_the_guard_it_is_one() -> None:
    assert ears([0] * 9 + [1], method="C2", guard=False, at=-1).alarm.all()


def test_the_guard_says_why_it_held_back() -> None:
    assert ears([0] * 9 + [1], at=-1).reason[0, 0] == Reason.NO_VARIATION


@pytest.mark.parametrize("method", ["C1", "C2", "C3_CDC"])
def test_many_cases_after_a_quiet_week_are_an_alarm(method: str) -> None:
    assert ears([0] * 14 + [6], method=method, at=-1).alarm.all()


def test_c1_is_the_count_above_mean_and_three_standard_deviations() -> None:
    week = [2, 4, 3, 5, 4, 3, 7]
    found = ears([*week, 9], method="C1", at=-1)
    assert found.expected[0, 0] == pytest.approx(4)
    assert found.upper[0, 0] == pytest.approx(4 + 3.090232306167813 * np.std(week, ddof=1))
    assert found.score[0, 0] == pytest.approx(5 / np.std(week, ddof=1))


def test_c2_leaves_the_last_two_days_out() -> None:
    week = [2, 4, 3, 5, 4, 3, 7]
    assert ears([*week, 50, 60, 9], method="C2", at=-1).expected[0, 0] == pytest.approx(4)


def test_c3_of_the_cdc_adds_up_three_days_but_not_days_that_were_alarms() -> None:
    week = [2, 4, 3, 5, 4, 3, 7, 3, 4]
    slow = ears([*week, 6, 8, 7], method="C3_CDC", at=-1)
    assert slow.alarm.all()
    assert not ears([*week, 6, 8, 7], method="C2", at=-1).alarm.any()
    after = ears([*week, 4, 3, 60, 4], method="C3_CDC", at=[-2, -1])
    assert after.alarm.tolist() == [[True, False]]


def test_c3_of_the_peer_alarms_by_the_two_days_before() -> None:
    week = [2, 4, 3, 5, 4, 3, 7, 3, 4]
    assert ears([*week, 9, 9, 1], method="C3", at=-1).alarm.all()


def test_gaps_are_said() -> None:
    found = ears([3, 4, np.nan, np.nan, np.nan, 5, 4, 3, 5, 6, np.nan], method="C1")
    assert found.reason[0, 7] == Reason.GAP_IN_BASELINE
    assert found.reason[0, -1] == Reason.NOT_REPORTED
    assert (found.reason[0, :7] == Reason.SHORT_HISTORY).all()
    assert not found.alarm.any()


def test_two_missing_days_of_seven_are_borne() -> None:
    found = ears([3, 4, np.nan, 5, np.nan, 5, 4, 30], method="C1", at=-1)
    assert found.expected[0, 0] == pytest.approx(4.2)
    assert found.alarm.all()


@pytest.mark.parametrize("wrong", [{"baseline": 2}, {"alpha": 0}, {"alpha": 1.5}, {"min_sigma": -1}])
def test_parameters_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError) as error:
        ears([1] * 20, **wrong)
    assert error.value.field == next(iter(wrong))


def test_one_point_is_a_short_history() -> None:
    assert ears([3]).reason.tolist() == [[Reason.SHORT_HISTORY]]


@settings(max_examples=40, deadline=None)
@given(counts, st.sampled_from(METHODS), st.permutations(range(3)))
def test_series_do_not_know_of_one_another(values: np.ndarray, method: str, order: list[int]) -> None:
    whole = ears(values, method=method)
    again = ears(np.vstack([values[order], np.zeros((1, 40))]), method=method)
    np.testing.assert_array_equal(whole.alarm[order], again.alarm[:3])
    np.testing.assert_array_equal(whole.upper[order], again.upper[:3])


@settings(max_examples=40, deadline=None)
@given(counts, st.sampled_from(METHODS), st.integers(2, 9))
def test_ten_times_the_cases_have_ten_times_the_bound(values: np.ndarray, method: str, factor: int) -> None:
    small, large = (ears(v, method=method, guard=False) for v in (values, values * factor))
    np.testing.assert_allclose(large.upper, small.upper * factor, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(large.score, small.score, rtol=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(counts, st.sampled_from(METHODS))
def test_the_newest_day_alone_is_as_in_the_whole(values: np.ndarray, method: str) -> None:
    whole, newest = ears(values, method=method), ears(values, method=method, at=-1)
    np.testing.assert_array_equal(whole.upper[:, -1:], newest.upper)
    np.testing.assert_array_equal(whole.reason[:, -1:], newest.reason)


@settings(max_examples=25, deadline=None)
@given(counts, st.sampled_from(METHODS))
def test_counts_that_are_not_whole_are_summed_another_way_and_agree(values: np.ndarray, method: str) -> None:
    whole, halves = ears(values, method=method, guard=False), ears(values * 0.5, method=method, guard=False)
    np.testing.assert_allclose(halves.upper, whole.upper * 0.5, rtol=1e-9, atol=1e-9)
