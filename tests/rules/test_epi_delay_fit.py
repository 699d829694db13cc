"""Fitted delays: against quadrature, against SciPy's own fits, against known truth, and on real pairs."""

from __future__ import annotations

import csv
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from bihuan.epi.delays.families import FAMILIES
from bihuan.epi.delays.fit import delay_distribution, delays_by_step
from bihuan.epi.delays.likelihood import gather, log_likelihood
from bihuan.epi.delays.pairs import incubation, serial_interval
from bihuan.epi.delays.truncation import truncated_curve
from bihuan.epi.errors import InputError, NotEnoughData

PARAMETERS = {"gamma": (2.3, 1.7), "lognormal": (1.2, 0.6), "weibull": (1.6, 5.0), "normal": (4.0, 3.0)}


def simulated(n: int = 1500, *, growth: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """First events over 60 days and second events a gamma(4, 2) later, as whole days."""
    random = np.random.default_rng(seed)
    u = random.uniform(size=n)
    first = 60 * u if not growth else np.log1p(u * np.expm1(growth * 60)) / growth
    return np.floor(first), np.floor(first + random.gamma(4, 2, n))


@pytest.mark.parametrize("key", list(FAMILIES))
def test_the_integrals_of_each_family_are_those_of_quadrature(key):
    family, p = FAMILIES[key], PARAMETERS[key]
    for x in (0.3, 2.0, 9.0):
        lowest = -60.0 if key == "normal" else 0.0
        below = integrate.quad(lambda u: float(family.cdf(np.array(u), *p)), lowest, x)[0]
        above = integrate.quad(lambda u: float(family.sf(np.array(u), *p)), x, 400)[0]
        assert float(family.below(np.array(x), *p)) == pytest.approx(below, rel=1e-7)
        assert float(family.above(np.array(x), *p)) == pytest.approx(above, rel=1e-6)
        assert float(family.quantile(family.cdf(np.array(x), *p), *p)) == pytest.approx(x)


@pytest.mark.parametrize("key", list(FAMILIES))
@pytest.mark.parametrize("growth", [0.0, 0.15])
def test_the_likelihood_of_windows_is_that_of_quadrature(key, growth):
    family, p = FAMILIES[key], PARAMETERS[key]
    a, b, c, d, cut = 0.0, 3.0, 2.0, 4.0, 9.0

    def seen(x: float) -> float:
        weight = np.exp(growth * x)
        return weight * float(family.cdf(np.array(d - x), *p) - family.cdf(np.array(c - x), *p))

    def known(x: float) -> float:
        return np.exp(growth * x) * float(family.cdf(np.array(cut - x), *p))

    top = integrate.quad(seen, a, b, points=[c])[0]
    wanted = np.log(top / integrate.quad(known, a, b)[0])
    windows = gather(*(np.array([v]) for v in (a, b, c, d, cut)))
    assert log_likelihood(windows, family, p, growth) == pytest.approx(wanted, rel=1e-7)


@pytest.mark.parametrize(
    ("key", "theirs"),
    [("gamma", stats.gamma), ("lognormal", stats.lognorm), ("weibull", stats.weibull_min)],
)
def test_exact_delays_give_the_likelihood_scipy_finds(key, theirs):
    delay = np.random.default_rng(2).gamma(3, 2, 300)
    ours = delay_distribution(np.zeros(300), delay, families=[key], precision="exact").best
    shape, where, scale = theirs.fit(delay, floc=0)
    assert ours.log_likelihood == pytest.approx(theirs.logpdf(delay, shape, where, scale).sum(), abs=1e-4)
    assert ours.mean.value == pytest.approx(theirs.mean(shape, where, scale), rel=1e-3)


def test_the_true_shape_is_found_and_ranked_first():
    found = delay_distribution(*simulated())
    assert found.best.family == "gamma"
    assert found.best.mean.low < 8 < found.best.mean.high
    assert found.best.sd.low < 4 < found.best.sd.high
    assert sum(found.weights().values()) == pytest.approx(1)
    assert [f.aic for f in found.fits] == sorted(f.aic for f in found.fits)


def test_an_epidemic_that_grows_shortens_what_is_seen_and_the_correction_restores_it():
    start, end = simulated(4000, growth=0.1)
    found = delay_distribution(start, end, until=60.0)
    plain = delay_distribution(start[end < 60], end[end < 60])
    assert plain.best.mean.high < 7.2
    fit = found.fit("gamma")
    assert fit.mean.low < 8 < fit.mean.high
    assert found.later == int((end + 1 > 60).sum())


def test_without_a_shape_the_truncated_curve_restores_the_median_too():
    start, end = simulated(4000, growth=0.1)
    day = np.datetime64("2020-01-01")
    curve = truncated_curve(day + start.astype(int), day + end.astype(int), until="2020-02-29")
    assert abs(curve.quantile(0.5) - 7) <= 1
    assert (np.diff(curve.cdf) >= -1e-12).all()
    assert curve.cdf[-1] == 1


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = 0
    for seed in range(40):
        start, end = simulated(150, seed=seed)
        mean = delay_distribution(start, end, families=["gamma"]).best.mean
        held += mean.low <= 8 <= mean.high
    assert held >= 34  # 95 % of 40 is 38; fewer than 34 has a chance below 0.5 %


def test_the_bootstrap_agrees_with_the_delta_method():
    start, end = simulated(300)
    wald = delay_distribution(start, end, families=["gamma"]).best.mean
    boot = delay_distribution(start, end, families=["gamma"], bootstrap=60).best.mean
    assert boot.low == pytest.approx(wald.low, abs=0.3)
    assert boot.high == pytest.approx(wald.high, abs=0.3)


@settings(max_examples=8, deadline=None)
@given(st.integers(-400, 400), st.randoms(use_true_random=False))
def test_shifting_in_time_and_shuffling_the_records_change_nothing(shift, random):
    start, end = simulated(60)
    order = list(range(60))
    random.shuffle(order)
    one = delay_distribution(start, end, until=65.0, families=["gamma"]).best
    moved = (start[order] + shift, end[order] + shift)
    other = delay_distribution(*moved, until=65.0 + shift, families=["gamma"]).best
    assert other.mean.value == pytest.approx(one.mean.value, rel=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.1, 50))
def test_counting_time_in_another_unit_scales_the_delay(unit):
    delay = np.random.default_rng(1).gamma(3, 2, 80)
    one = delay_distribution(np.zeros(80), delay, families=["gamma"], precision="exact").best
    other = delay_distribution(np.zeros(80), delay * unit, families=["gamma"], precision="exact").best
    assert other.mean.value == pytest.approx(one.mean.value * unit, rel=1e-4)
    assert other.mean.high == pytest.approx(one.mean.high * unit, rel=1e-3)


def test_records_without_a_date_are_missing_and_change_nothing():
    start, end = simulated(80)
    plain = delay_distribution(start, end)
    padded = delay_distribution([*start, None, 3.0], [*end, 4.0, None])
    assert (padded.n, padded.missing) == (80, 2)
    assert padded.best.mean == plain.best.mean


def test_same_day_delays_are_kept_and_delays_below_zero_are_named():
    day = date(2020, 2, 1)
    start = [day] * 8
    end = [day + timedelta(days=n) for n in (0, 0, 1, 2, 3, 1, 5, -2)]
    found = delay_distribution(start, end)
    assert (found.n, found.impossible) == (7, 1)
    assert "1 ending before they began" in found.explain()


def test_what_a_family_says_in_whole_days_sums_to_one():
    fit = delay_distribution(*simulated(200)).best
    pmf = fit.pmf(80)
    assert pmf.sum() == pytest.approx(1, abs=1e-6)
    assert (pmf * np.arange(81)).sum() == pytest.approx(fit.mean.value, abs=1e-3)


def test_too_few_equal_or_unreadable_delays_are_refused_with_a_reason():
    with pytest.raises(NotEnoughData, match="only 3 records"):
        delay_distribution([1.0, 2, 3], [4.0, 5, 9])
    with pytest.raises(NotEnoughData, match="no spread"):
        delay_distribution(np.zeros(9), np.full(9, 3.0), precision="exact")
    with pytest.raises(NotEnoughData, match="no spread"):
        delay_distribution(np.zeros(9), np.full(9, 3.0))
    with pytest.raises(InputError, match="exactly zero has no density"):
        delay_distribution(np.zeros(9), np.arange(9.0), precision="exact")
    with pytest.raises(InputError, match="infinite"):
        delay_distribution(np.full(6, np.inf), np.arange(6.0))
    with pytest.raises(InputError, match="start 2 is 'soon'"):
        delay_distribution(["2020-01-01", "soon"], ["2020-01-01", "2020-01-02"])
    with pytest.raises(InputError, match="must pair up"):
        delay_distribution([1.0], [1.0, 2.0])
    with pytest.raises(InputError, match="dates and others numbers"):
        delay_distribution([1.0] * 6, ["2020-01-01"] * 6)
    with pytest.raises(InputError, match="families are"):
        delay_distribution(*simulated(10), families=["cauchy"])
    with pytest.raises(InputError, match="ends before it begins"):
        delay_distribution([2.0] * 6, [9.0] * 6, start_latest=[1.0] * 6)
    with pytest.raises(InputError, match="level"):
        delay_distribution(*simulated(10), level=1.5)
    with pytest.raises(NotEnoughData):
        delay_distribution([], [])


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
@pytest.mark.parametrize("until", [None, 20.0])
def test_data_that_hold_no_figure_say_so_instead_of_giving_an_interval(until):
    found = delay_distribution(np.zeros(20), np.arange(20.0), until=until)
    narrow = delay_distribution([0.0] * 6, [3.0] * 6, end_latest=[3.0, 4, 5, 6, 7, 8], until=until)
    for one in (found, narrow):
        assert "nan" not in (one.explain("en") + one.explain("zh-hans")).lower()
    assert not narrow.best.settled
    assert narrow.best.mean.low is None
    assert "no distribution can be told from 6 records" in narrow.explain()
    assert "不足以确定分布" in narrow.explain("zh-hans")


def test_each_step_of_the_response_is_fitted_or_says_why_not():
    start, end = simulated(50)
    day = np.datetime64("2020-01-01")
    columns = {"date_onset": list(day + start.astype(int)), "date_visit": list(day + end.astype(int))}
    found = delays_by_step(columns)
    assert found["visit"].best.n == 50
    assert "no column date_sample" in str(found["test"])
    assert set(found) == {"visit", "test", "result", "report", "isolation"}


def test_incubation_comes_back_from_exposure_windows():
    random = np.random.default_rng(3)
    infected = random.uniform(20, 60, 800)
    onset = np.floor(infected + random.lognormal(1.6, 0.45, 800))
    start, end = (
        np.floor(infected - random.uniform(0, 8, 800)),
        np.floor(infected + random.uniform(0, 8, 800)),
    )
    found = incubation(start, end, onset)
    truth = np.exp(1.6)
    fit = found.fit("lognormal")
    assert fit.quantiles[0.5].value == pytest.approx(truth, rel=0.1)
    assert found.censoring == "double"
    single = incubation(start, end, onset + 0.5, onset_precision="exact").fit("lognormal")
    assert single.quantiles[0.5].value == pytest.approx(fit.quantiles[0.5].value, rel=0.1)


def test_an_unknown_start_of_exposure_is_missing_unless_an_earliest_day_is_given():
    start: list[float | None] = [None, *np.arange(9.0)]
    end = [9.0, *np.arange(2.0, 11.0)]
    onset = np.arange(10.0) + 9 + np.arange(10.0) % 3
    assert incubation(start, end, onset).missing == 1
    assert incubation(start, end, onset, earliest=-10.0).missing == 0


def test_growing_infections_in_the_window_shorten_the_estimate():
    random = np.random.default_rng(4)
    infected = np.log1p(random.uniform(size=1500) * np.expm1(0.2 * 30)) / 0.2
    onset = np.floor(infected + random.gamma(4, 1.5, 1500))
    plain = incubation(np.zeros(1500), np.full(1500, 29.0), onset, families=["gamma"]).best
    grown = incubation(np.zeros(1500), np.full(1500, 29.0), onset, families=["gamma"], growth_rate=0.2).best
    assert grown.mean.low < 6 < grown.mean.high
    assert abs(plain.mean.value - 6) > 1


def test_a_negative_serial_interval_leaves_only_the_normal():
    onset = np.arange(12.0)
    positive = serial_interval(onset, onset + 3 + onset % 4)
    assert {f.family for f in positive.fits} == {"normal", "gamma", "lognormal", "weibull"}
    mixed = serial_interval(onset, onset + np.array([4, -3, 5, 6, 2, 1, 0, 7, 8, 3, 4, 5]))
    assert [f.family for f in mixed.fits] == ["normal"]
    assert mixed.impossible == 0


def test_sentences_and_rows_tell_the_same_figures():
    found = delay_distribution(*simulated(200), what=("Onset to report", "发病至报告"))
    rows = list(found.rows())
    assert {r["quantity"] for r in rows if r["family"] == "gamma"} >= {"mean", "sd", "shape", "scale", "q50"}
    assert found.explain().startswith("Onset to report: median ")
    assert found.explain("zh-hans").startswith("发病至报告：中位数 ")


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_serial_intervals_of_mainland_china_average_five_days(shared):
    """679 pairs have both onsets; equal windows at both ends leave a normal's mean the plain one."""
    rows = rows_of(shared / "data" / "transmission_pairs_china_2020" / "pairs.csv")
    found = serial_interval(
        [r["infector_onset_date"] for r in rows], [r["infectee_onset_date"] for r in rows]
    )
    assert (found.n, found.missing) == (679, 728)
    assert found.best.mean.value == pytest.approx(5.1, abs=0.1)
    assert found.best.sd.value == pytest.approx(5.3, abs=0.2)


def test_incubation_in_tianjin_is_near_the_one_published(shared):
    """Tindale 2020: mean 8.68 days (7.72 to 9.7) by interval censoring in Tianjin."""
    rows = rows_of(shared / "data" / "linelist_tianjin_2020" / "linelist.csv")
    found = incubation(
        [r["start_source"] for r in rows],
        [r["end_source"] for r in rows],
        [r["symptom_onset"] for r in rows],
        earliest="2019-12-01",
    )
    assert found.n == 125
    assert 7.7 < found.fit("weibull").mean.value < 9.7


def test_incubation_of_travelers_from_wuhan_is_short_of_a_week(shared):
    """Zhao 2020 (BETS): minding the growth of infections in the window gives shorter incubation."""
    rows = rows_of(shared / "data" / "linelist_bets_2020" / "linelist.csv")

    def day(text: str) -> str | None:
        months = {"Dec": "2019-12", "Jan": "2020-01", "Feb": "2020-02", "Mar": "2020-03"}
        number, _, month = text.partition("-")
        if not number.isdecimal() or month not in months or text == "31-Feb":
            return None
        return f"{months[month]}-{int(number):02d}"

    kept = [r for r in rows if day(r["begin_wuhan"]) and day(r["end_wuhan"]) and day(r["symptom"])]
    columns = [[day(r[name]) for r in kept] for name in ("begin_wuhan", "end_wuhan", "symptom")]
    good = [i for i in range(len(kept)) if columns[0][i] <= columns[1][i]]
    columns = [[column[i] for i in good] for column in columns]
    plain = incubation(*columns)
    grown = incubation(*columns, growth_rate=0.15)
    assert plain.n + plain.impossible + plain.missing == len(good)
    assert 3 < grown.best.quantiles[0.5].value < plain.best.quantiles[0.5].value < 8
