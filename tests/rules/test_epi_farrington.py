"""Farrington, flexible and classic: bounds, guards, baselines, and what no transformation may change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bihuan.epi.detection.farrington import farrington, farrington_flexible
from bihuan.epi.detection.farrington.baseline import baselines
from bihuan.epi.detection.farrington.classic import farrington as classic
from bihuan.epi.detection.farrington.settings import Settings
from bihuan.epi.detection.farrington.threshold import count_bound, count_p
from bihuan.epi.detection.results import Reason
from bihuan.epi.errors import InputError
from bihuan.epi.oracles import find_cases, run_case
from bihuan.epi.series import panel

WEEKS = 52 * 6
WEEKLY: dict[str, Any] = {"frequency": "weekly", "at": -1}


def weekly(seed: int, n: int = 3, *, level: float = 12.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    season = np.exp(0.4 * np.sin(2 * np.pi * np.arange(WEEKS) / 52))
    return rng.negative_binomial(8, 8 / (8 + level * season), (n, WEEKS)).astype(float)


def setting(**changed: Any) -> Settings:
    plain: dict[str, Any] = {
        "b": 4,
        "w": 3,
        "no_periods": 10,
        "past_not_included": 26,
        "threshold_method": "delta",
        "reweight": True,
        "weights_threshold": 2.58,
        "alpha": 0.01,
        "two_sided": False,
        "trend": True,
        "p_threshold_trend": 0.05,
        "limit54": (5, 4),
        "power_transform": "2/3",
        "population_offset": False,
        "by_date": True,
        "periods_a_year": 52,
    }
    return Settings(**{**plain, **changed})


def test_every_case_of_the_peer_is_met(shared: Path) -> None:
    cases = [c for c in find_cases(shared / "oracles" / "analytics") if c.kind in ("farflex", "farrington")]
    assert len(cases) >= 12
    assert [f"{c.name} {difference}" for c in cases for difference in run_case(c)] == []


def test_an_outbreak_alarms_and_a_usual_week_does_not() -> None:
    values = weekly(1)
    assert not farrington_flexible(values, alpha=0.001, **WEEKLY).alarm.any()
    values[1, -1] = 90
    assert farrington_flexible(values, alpha=0.001, **WEEKLY).alarm[:, 0].tolist() == [False, True, False]


def test_fewer_than_five_cases_in_four_weeks_are_no_alarm_and_it_says_so() -> None:
    values = np.zeros(WEEKS)
    values[::40] = 1
    values[-4:] = [0, 0, 0, 4]
    found = farrington_flexible(values, **WEEKLY)
    assert not found.alarm.any()
    assert found.reason[0, 0] == Reason.TOO_FEW_CASES


def test_an_outbreak_where_there_never_was_a_case_is_an_alarm() -> None:
    values = np.zeros(WEEKS)
    values[-1] = 9
    found = farrington_flexible(values, **WEEKLY)
    assert found.alarm.all()
    assert found.expected[0, 0] == pytest.approx(0, abs=1e-9)


def test_the_peer_gives_up_there_and_compatible_says_so() -> None:
    values = np.zeros(WEEKS)
    values[-1] = 9
    found = farrington_flexible(values, mode="compatible", **WEEKLY)
    assert found.reason[0, 0] == Reason.NO_CONVERGENCE
    assert not found.alarm.any()


def test_nothing_but_zeros_is_judged_quietly() -> None:
    found = farrington_flexible(np.zeros((2, WEEKS)), frequency="weekly")
    assert not found.alarm.any()
    assert set(np.unique(found.reason)) == {Reason.SHORT_HISTORY, Reason.TOO_FEW_CASES}


def test_a_past_outbreak_is_weighted_down() -> None:
    calm = weekly(2, 1)
    shaken = calm.copy()
    year_ago = WEEKS - 53
    shaken[0, year_ago - 2 : year_ago + 2] += 120
    kept = farrington_flexible(shaken, reweight=False, **WEEKLY).upper[0, 0]
    weighed = farrington_flexible(shaken, **WEEKLY).upper[0, 0]
    plain = farrington_flexible(calm, **WEEKLY).upper[0, 0]
    assert abs(weighed - plain) < abs(kept - plain) / 3


def test_the_two_modes_are_one_without_reweighting_and_with_the_plug_in_bound() -> None:
    values = weekly(3)
    for asked in ({"reweight": False, "threshold_method": "muan"}, {"threshold_method": "nbPlugin"}):
        one, other = (
            farrington_flexible(values, mode=m, **asked, **WEEKLY) for m in ("compatible", "corrected")
        )
        np.testing.assert_array_equal(one.upper, other.upper)


def test_the_compatible_mode_keeps_trends_that_are_none() -> None:
    values = np.random.default_rng(4).poisson(15, (300, WEEKS))
    kept = {
        mode: np.isfinite(
            farrington_flexible(values, mode=mode, p_threshold_trend=0.05, **WEEKLY).extra["trend"]
        ).mean()
        for mode in ("compatible", "corrected")
    }
    assert kept["corrected"] < 0.12
    assert kept["compatible"] > 0.4


def test_windows_follow_the_date_through_a_year_of_53_weeks() -> None:
    data = panel(np.ones(400), start="2004-01-05", frequency="weekly")
    found = baselines(data, np.array([299]), setting())
    windows = found.positions[0][found.block[0] == 0]
    assert windows[found.member[0][found.block[0] == 0]].reshape(4, 7)[:, 3].tolist() == [90, 142, 195, 247]


def test_a_leap_day_looks_back_to_the_first_of_march() -> None:
    data = panel(np.ones(1600), start="2012-01-01")
    at = int(np.flatnonzero(data.dates == np.datetime64("2016-02-29"))[0])
    found = baselines(
        data, np.array([at]), setting(b=3, no_periods=1, past_not_included=3, periods_a_year=365)
    )
    middle = data.dates[found.positions[0][found.member[0]].reshape(3, 7)[:, 3]]
    assert [str(day) for day in middle] == ["2013-03-01", "2014-03-01", "2015-03-01"]


def test_season_blocks_differ_by_one_week_at_most_and_repeat() -> None:
    data = panel(np.ones(400), start="2004-01-05", frequency="weekly")
    found = baselines(data, np.array([320]), setting())
    blocks = found.block[0][found.member[0]]
    lengths = np.diff(np.flatnonzero(np.diff(blocks, prepend=-1, append=-1)))
    assert blocks.max() == 9
    assert set(lengths[:-1]) <= {5, 6, 7}


def test_bound_and_p_value_agree_about_the_tail() -> None:
    rng = np.random.default_rng(5)
    mu, phi = np.exp(rng.uniform(-3, 7, 500)), 1 + rng.exponential(1, 500) * (rng.random(500) < 0.7)
    bound = count_bound(mu, phi, alpha=0.01)
    assert (count_p(bound + 1, mu, phi) <= 0.01 + 1e-12).all()
    some = bound > 0
    assert (count_p(bound[some], mu[some], phi[some]) > 0.01).all()


def test_gaps_are_borne_up_to_a_half_and_then_said() -> None:
    values = weekly(6, 2)
    values[0, 10:30] = np.nan
    values[1, :200] = np.nan
    found = farrington_flexible(values, **WEEKLY)
    assert found.reason[:, 0].tolist() == [Reason.ASSESSED, Reason.GAP_IN_BASELINE]
    values[0, -1] = np.nan
    again = farrington_flexible(values, **WEEKLY)
    assert again.reason[0, 0] == Reason.NOT_REPORTED
    assert np.isfinite(again.upper[0, 0])


def test_a_short_history_is_said() -> None:
    assert (farrington_flexible(weekly(7)[:, :200], frequency="weekly").reason == Reason.SHORT_HISTORY).all()
    assert farrington_flexible([3]).reason.tolist() == [[Reason.SHORT_HISTORY]]


def test_months_are_assessed_as_well() -> None:
    values = np.random.default_rng(8).poisson(30, 90).astype(float)
    values[-1] = 90
    found = farrington_flexible(values, frequency="monthly", w=1, no_periods=4, at=-1)
    assert found.alarm.all()


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("mode", {"mode": "peer"}),
        ("threshold_method", {"threshold_method": "quantile"}),
        ("power_transform", {"power_transform": "3"}),
        ("alpha", {"alpha": 0}),
        ("b", {"b": 0}),
        ("w", {"w": -1}),
        ("no_periods", {"no_periods": 60}),
        ("population", {"population_offset": True}),
    ],
)
def test_parameters_out_of_range_are_named(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError) as error:
        farrington_flexible(weekly(9), **WEEKLY, **wrong)
    assert error.value.field == field
    assert error.value.zh != error.value.en


def test_the_sentence_names_method_and_paper() -> None:
    said = farrington_flexible(weekly(10), **WEEKLY).explain("en")
    assert "Noufaily" in said
    assert "expected" in said
    assert "Farrington" in classic(weekly(10), **WEEKLY).explain("zh")


def test_the_classic_bound_is_two_sided() -> None:
    values = weekly(11)
    wide, narrow = (farrington(values, alpha=a, **WEEKLY).upper for a in (0.01, 0.1))
    assert (wide > narrow).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(3)), st.sampled_from(["compatible", "corrected"]))
def test_series_do_not_know_of_one_another(seed: int, order: list[int], mode: Any) -> None:
    values = weekly(seed)
    alone = farrington_flexible(values, mode=mode, threshold_method="delta", **WEEKLY)
    crowd = np.vstack([values[order], np.zeros((1, WEEKS))])
    again = farrington_flexible(crowd, mode=mode, threshold_method="delta", **WEEKLY)
    np.testing.assert_allclose(again.upper[:3], alone.upper[order], rtol=1e-10)
    np.testing.assert_array_equal(again.alarm[:3], alone.alarm[order])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_counting_from_another_week_changes_nothing(seed: int, dropped: int) -> None:
    values = np.hstack([weekly(seed, 2)[:, :40], weekly(seed, 2)])
    asked: dict[str, Any] = {"threshold_method": "delta", "by_date": False, **WEEKLY}
    np.testing.assert_allclose(
        farrington_flexible(values, **asked).upper,
        farrington_flexible(values[:, dropped:], **asked).upper,
        rtol=1e-10,
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 50))
def test_the_unit_of_population_does_not_matter(seed: int, factor: float) -> None:
    values = weekly(seed, 2)
    people = np.linspace(1e5, 1.2e5, WEEKS)
    one, other = (
        farrington_flexible(values, population=p, population_offset=True, threshold_method="delta", **WEEKLY)
        for p in (people, people * factor)
    )
    np.testing.assert_allclose(one.upper, other.upper, rtol=1e-6)
