"""CUSUM, Bayes, RKI, likelihood-ratio charts, outbreakP and the ESSENCE detectors: what must hold of any
data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bihuan.epi.detection.bayes import bayes
from bihuan.epi.detection.calendar import SUNDAY, weekday_factors, weekdays, working_calendar
from bihuan.epi.detection.cusum import cusum
from bihuan.epi.detection.essence import ewma, nbinom_alert, regression, switch
from bihuan.epi.detection.glrnb import SeasonalMean, glr_nb, glr_poisson
from bihuan.epi.detection.loglinear import fit_loglinear, seasonal_design
from bihuan.epi.detection.outbreak_p import outbreak_p
from bihuan.epi.detection.results import Detection, Reason
from bihuan.epi.detection.rki import rki
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.oracles import find_cases, run_case
from bihuan.epi.series import Panel, panel

KINDS = ("cusum", "bayes", "rki", "glrnb", "outbreakP", "essence", "p_adjust")
WEEKLY: dict[str, Callable[..., Detection]] = {
    "cusum": cusum,
    "cusum_glm": lambda c, **kw: cusum(c, baseline="glm", **kw),
    "cusum_negbin": lambda c, **kw: cusum(c, transform="anscombe_negbin", **kw),
    "bayes": lambda c, **kw: bayes(c, b=1, w=3, **kw),
    "rki": lambda c, **kw: rki(c, b=1, w=3, **kw),
    "glr_nb": glr_nb,
    "glr_poisson": glr_poisson,
    "outbreak_p": outbreak_p,
    "nbinom": nbinom_alert,
}
DAILY: dict[str, Callable[..., Detection]] = {
    "ewma": ewma,
    "regression": regression,
    "switch": switch,
    "switch_cn": lambda c, **kw: switch(c, calendar="CN", **kw),
    "bayes_daily": lambda c, **kw: bayes(c, b=0, w=28, **kw),
}
EVERY = [(name, detector, "weekly") for name, detector in WEEKLY.items()] + [
    (name, detector, "daily") for name, detector in DAILY.items()
]
NAMES = [name for name, _detector, _frequency in EVERY]
each = pytest.mark.parametrize(("name", "detector", "frequency"), EVERY, ids=NAMES)


def made(n: int, length: int = 130, *, seed: int = 1, level: float = 6.0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    wave = level * np.exp(0.4 * np.sin(2 * np.pi * np.arange(length) / 52))
    return rng.negative_binomial(6, 6 / (6 + wave), (n, length)).astype(float)


def same(a: Detection, b: Detection, rows: Any = slice(None), *, exact: bool = True) -> None:
    for name in ("expected", "upper", "score", "p_value"):
        left, right = getattr(a, name), getattr(b, name)[rows]
        np.testing.assert_allclose(left, right, rtol=0 if exact else 1e-7, atol=0 if exact else 1e-9)
    np.testing.assert_array_equal(a.alarm, b.alarm[rows])
    np.testing.assert_array_equal(a.reason, b.reason[rows])


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_numbers_of_the_peers_are_met(kind: str, shared: Path) -> None:
    cases = [one for one in find_cases(shared / "oracles" / "analytics") if one.kind.startswith(kind)]
    assert cases
    wrong = {one.name: [str(d) for d in found] for one in cases if (found := run_case(one))}
    assert not wrong, wrong


@each
def test_a_series_gets_the_same_numbers_alone_and_among_others(
    name: str, detector: Callable[..., Detection], frequency: str
) -> None:
    counts = made(6)
    together = detector(counts, frequency=frequency)
    for i in range(6):
        same(detector(counts[i], frequency=frequency), together, slice(i, i + 1), exact=False)


@each
def test_the_order_of_series_changes_nothing_else(
    name: str, detector: Callable[..., Detection], frequency: str
) -> None:
    counts, order = made(5), np.array([3, 0, 4, 1, 2])
    same(
        detector(counts[order], frequency=frequency),
        detector(counts, frequency=frequency),
        order,
        exact=False,
    )


@each
def test_an_empty_series_beside_others_is_not_assessed_and_disturbs_none(
    name: str, detector: Callable[..., Detection], frequency: str
) -> None:
    counts = made(3)
    found = detector(np.vstack([counts, np.full((1, 130), np.nan)]), frequency=frequency)
    same(detector(counts, frequency=frequency), found, slice(0, 3), exact=False)
    assert not found.alarm[3].any()
    assert (found.reason[3] != Reason.ASSESSED).all()


@each
def test_a_whole_week_later_the_numbers_are_the_same(
    name: str, detector: Callable[..., Detection], frequency: str
) -> None:
    counts = made(3)
    # 2023 and 2022 begin so that no holiday falls otherwise: March of an ordinary year, weeks without one.
    early = detector(counts[:, :40], start="2022-07-04", frequency=frequency)
    late = detector(counts[:, :40], start="2022-07-11", frequency=frequency)
    same(early, late, exact=False)


@each
def test_what_comes_later_does_not_change_what_was_said(
    name: str, detector: Callable[..., Detection], frequency: str
) -> None:
    counts = made(3)
    options: dict[str, Any] = {"monitor_from": 60} if name.startswith(("cusum", "glr")) else {}
    if name == "nbinom":
        options = {"baseline_end": "2001-06-04"}
    at = np.arange(60, 100)
    whole = detector(panel(counts, frequency=frequency), at=at, **options)
    cut = detector(panel(counts[:, :100], frequency=frequency), at=at, **options)
    same(whole, cut, exact=False)


@each
def test_an_unreported_period_is_said_to_be_unreported_and_never_alarms(
    name: str, detector: Callable[..., Detection], frequency: str
) -> None:
    counts = made(2)
    counts[0, -1] = np.nan
    found = detector(counts, frequency=frequency)
    assert found.reason[0, -1] == Reason.NOT_REPORTED
    assert not found.alarm[0, -1]
    assert np.isnan(found.score[0, -1])
    assert found.reason[1, -1] == Reason.ASSESSED


@each
def test_gaps_in_history_leave_numbers_or_a_reason(
    name: str, detector: Callable[..., Detection], frequency: str
) -> None:
    counts = made(4)
    counts[np.random.default_rng(2).random(counts.shape) < 0.3] = np.nan
    found = detector(counts, frequency=frequency)
    assessed = found.reason == Reason.ASSESSED
    assert assessed[:, -20:].any()
    assert np.isfinite(found.score[assessed]).all()


@each
@pytest.mark.parametrize("zeros", [1, 2, 9, 130])
def test_zeros_never_alarm(name: str, detector: Callable[..., Detection], frequency: str, zeros: int) -> None:
    if zeros == 1 and name.startswith(("cusum", "glr")):
        with pytest.raises(NotEnoughData):
            detector(np.zeros(zeros), frequency=frequency)
        return
    found = detector(np.zeros(zeros), frequency=frequency)
    assert not found.alarm.any()
    known = found.reason == Reason.ASSESSED
    assert np.isfinite(found.score[known]).all()
    assert found.explain("en")
    assert found.explain("zh")


@pytest.mark.parametrize(
    ("name", "detector", "frequency"),
    [
        each
        for each in EVERY
        if each[0] not in ("cusum", "outbreak_p", "glr_poisson", "glr_nb", "cusum_negbin")
    ],
)
def test_one_case_after_a_long_silence_is_no_alarm_unless_it_is_unlikely(
    name: str, detector: Callable[..., Detection], frequency: str
) -> None:
    counts = np.zeros((1, 130))
    counts[0, ::9] = 1
    counts[0, -1] = 1
    found = detector(counts, frequency=frequency)
    if found.reason[0, -1] == Reason.ASSESSED and np.isfinite(found.p_value[0, -1]):
        assert bool(found.alarm[0, -1]) == (found.p_value[0, -1] < 0.01) or found.method.key in (
            "bayes",
            "nbinom",
        )


@each
@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
def test_a_large_outbreak_alarms_and_is_told_in_both_languages(
    name: str, detector: Callable[..., Detection], frequency: str
) -> None:
    counts = made(1)
    counts[0, -3:] += 120
    found = detector(counts, frequency=frequency)
    assert found.alarm[0, -3:].any()
    t = int(np.flatnonzero(found.alarm[0])[-1])
    english, chinese = found.explain("en", time=t), found.explain("zh-hans", time=t)
    assert "; alarm; " in english
    assert "；触发预警；" in chinese
    assert found.method.paper in english
    assert found.method.paper in chinese


@each
@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_counts_give_finite_numbers_or_a_reason(
    name: str, detector: Callable[..., Detection], frequency: str, data: st.DataObject
) -> None:
    cell = st.one_of(st.integers(0, 30), st.just(float("nan")), st.integers(0, 10**6))
    row = st.lists(cell, min_size=1, max_size=80)
    counts = np.array(data.draw(row), dtype=float)
    try:
        found = detector(counts, frequency=frequency)
    except NotEnoughData:
        return
    judged = found.reason == Reason.ASSESSED
    assert not np.isnan(found.score[judged]).any()
    assert not found.alarm[~judged].any()
    assert len(list(found.rows())) == found.alarm.size


@each
@pytest.mark.parametrize(
    ("counts", "field"),
    [([1, -2, 3], "counts"), ([1, float("inf")], "counts"), ([], "counts"), (["a", "b"], "counts")],
)
def test_what_is_no_count_is_refused_with_the_field(
    name: str, detector: Callable[..., Detection], frequency: str, counts: list[Any], field: str
) -> None:
    with pytest.raises(InputError) as refused:
        detector(counts, frequency=frequency)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "call",
    [
        lambda: bayes(made(1), alpha=1.5),
        lambda: bayes(made(1), b=0, act_y=False),
        lambda: rki(made(1), b=-1),
        lambda: cusum(made(1), h=0),
        lambda: cusum(made(1), transform="cube"),  # type: ignore[arg-type]
        lambda: cusum(made(1), baseline=[1.0, 2.0]),
        lambda: glr_nb(made(1), alpha=-1),
        lambda: glr_nb(made(1), mean=5.0),
        lambda: outbreak_p(made(1), k=-1),
        lambda: ewma(made(1), w1=2),
        lambda: ewma(made(1), baseline=3),
        lambda: regression(made(1), frequency="weekly"),
        lambda: regression(made(1), calendar="XX"),
        lambda: nbinom_alert(made(1), baseline_end="spring"),
        lambda: bayes(made(1), at=[400]),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_in_both_languages(call: Callable[[], Any]) -> None:
    with pytest.raises(InputError) as refused:
        call()
    assert refused.value.zh


def test_ten_times_the_counts_over_ten_times_the_mean_is_a_stronger_signal_for_cusum() -> None:
    counts = made(1)
    small = cusum(counts, baseline=5.0, monitor_from=60)
    large = cusum(counts * 10, baseline=50.0, monitor_from=60)
    assert (large.score >= small.score - 1e-9).all()


def test_scaling_counts_scales_expected_and_sigma_of_the_regression_but_not_its_score() -> None:
    counts = made(2, level=40.0)
    plain, scaled = regression(counts), regression(counts * 10)
    np.testing.assert_allclose(scaled.expected, plain.expected * 10)
    np.testing.assert_allclose(scaled.score, plain.score)


def test_cusum_begins_anew_after_an_alarm_when_asked() -> None:
    counts = np.full(60, 4.0)
    counts[50:] = 14
    kept, anew = cusum(counts, monitor_from=40), cusum(counts, monitor_from=40, reset=True)
    first = int(np.flatnonzero(anew.alarm[0])[0])
    assert first == int(np.flatnonzero(kept.alarm[0])[0])
    assert anew.score[0, first + 1] < kept.score[0, first + 1]


@pytest.mark.parametrize("transform", ["standard", "rossi", "anscombe", "anscombe2nd", "pearson_negbin"])
def test_the_upper_bound_of_cusum_is_the_count_that_reaches_the_limit(transform: Any) -> None:
    counts = made(1)
    found = cusum(counts, transform=transform, monitor_from=100)
    t = int(np.flatnonzero(~found.alarm[0])[3])
    at = 100 + t
    for extra, alarms in ((1.0, True), (-1.0, False)):
        changed = counts.copy()
        changed[0, at] = max(np.ceil(found.upper[0, t]) + extra, 0.0)
        assert cusum(changed, transform=transform, monitor_from=100).alarm[0, t] == alarms


@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_the_upper_bound_of_the_ratio_chart_is_the_fewest_cases_that_alarm(alpha: float) -> None:
    counts = made(1)
    found = glr_nb(counts, alpha=alpha, monitor_from=80)
    for t in (0, 7, 20):
        fewest = found.upper[0, t]
        before = found.alarm[0, :t].any()
        for cases, alarms in ((fewest, True), (fewest - 1, False)):
            changed = counts.copy()
            changed[0, 80 + t] = cases
            assert before or glr_nb(changed, alpha=alpha, monitor_from=80).alarm[0, t] == alarms


def test_an_infinitesimal_dispersion_is_the_poisson_chart() -> None:
    counts = made(2)
    np.testing.assert_allclose(
        glr_nb(counts, alpha=1e-7, mean=np.full((1, 60), 7.0), monitor_from=70).score,
        glr_nb(counts, alpha=0.0, mean=np.full((1, 60), 7.0), monitor_from=70).score,
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_compiled_isotonic_regression_is_the_plain_one() -> None:
    counts = made(1, 40)[0]
    found = outbreak_p(counts).extra["log_score"][0]
    for s in range(1, 41):
        values, blocks = counts[:s], []
        for value in values:
            blocks.append([value, 1])
            while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
                total, size = blocks.pop()
                blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + size]
        rising = sum(total * np.log(total / size) for total, size in blocks if total)
        flat = values.sum() * np.log(values.mean()) if values.any() else 0.0
        assert found[s - 1] == pytest.approx(rising - flat, abs=1e-9)


def test_bayes_says_how_likely_the_count_was() -> None:
    from scipy import stats

    counts = made(1)
    found = bayes(counts, b=0, w=6, frequency="weekly", at=[-1])
    past = counts[0, -7:-1]
    chance = stats.nbinom.sf(counts[0, -1] - 1, past.sum() + 0.5, 6 / 7)
    assert found.p_value[0, 0] == pytest.approx(chance, rel=1e-10)


def test_regressions_fitted_together_find_the_maximum_of_the_likelihood() -> None:
    counts = made(4)
    design = seasonal_design(np.arange(1.0, 131), period=52)
    fit = fit_loglinear(counts, design, alpha=None)
    mean = fit.predict(design)
    score = ((counts - mean) / (1 + fit.alpha[:, None] * mean)) @ design
    assert np.abs(score).max() < 1e-6
    assert ((fit.alpha > 0.05) & (fit.alpha < 0.5)).all()


def test_a_refitted_mean_follows_the_outbreak_it_alarmed_on() -> None:
    counts = np.concatenate([np.full(100, 5.0), np.full(40, 15.0)])
    counts += np.arange(140) % 3
    fixed = glr_nb(counts, monitor_from=100, mean=SeasonalMean(period=52.0))
    again = glr_nb(counts, monitor_from=100, mean=SeasonalMean(period=52.0, refit=True))
    assert again.expected[0, -1] > fixed.expected[0, -1]
    assert again.alarm.sum() < fixed.alarm.sum()


def test_holidays_are_sundays_and_weekend_days_worked_are_weekdays() -> None:
    dates = np.arange("2024-02-01", "2024-02-20", dtype="datetime64[D]")
    moved = dict(zip(dates.astype(str), working_calendar(dates).tolist(), strict=True))
    assert moved["2024-02-12"] == SUNDAY  # Monday of Spring Festival
    assert moved["2024-02-15"] == SUNDAY  # day off in exchange for Sunday 4 February
    assert moved["2024-02-04"] == 0  # Sunday worked
    assert moved["2024-02-18"] == 0
    assert moved["2024-02-03"] == 5  # an ordinary Saturday
    golden = np.arange("2020-10-01", "2020-10-11", dtype="datetime64[D]")
    assert working_calendar(golden).tolist() == [6, 6, 6, 6, 6, 6, 6, 6, 4, 4]


def test_weekdays_agree_with_the_calendar_across_leap_days() -> None:
    dates = np.arange("2019-12-28", "2020-03-03", dtype="datetime64[D]")
    assert weekdays(dates).tolist() == [day.weekday() for day in dates.astype(object)]


def test_weekday_factors_know_only_the_past() -> None:
    counts = np.tile([10.0, 10, 10, 10, 10, 2, 2], (1, 20))
    days = np.tile(np.arange(7), 20)
    factors = weekday_factors(counts, days)
    changed = counts.copy()
    changed[0, 100:] = 500
    np.testing.assert_array_equal(factors[:, :101], weekday_factors(changed, days)[:, :101])
    assert factors[0, -1] < 0.6 < 1.0 < factors[0, -3]


def test_the_holiday_calendar_keeps_spring_festival_from_hiding_a_return_and_from_false_alarms() -> None:
    dates = np.arange("2024-01-01", "2024-04-01", dtype="datetime64[D]")
    kinds = working_calendar(dates)
    counts = np.where(kinds >= 5, 20.0, 60.0) + np.arange(dates.size) % 4
    series: Panel = panel(counts, dates=dates)
    worked_sunday = int(np.searchsorted(dates, np.datetime64("2024-02-04")))
    assert regression(series, at=[worked_sunday]).alarm[0, 0]
    assert not regression(series, calendar="CN", at=[worked_sunday]).alarm[0, 0]
    assert not switch(series, calendar="CN").alarm.any()
