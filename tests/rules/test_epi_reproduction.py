"""Reproduction numbers and growth: what must hold whatever the data, wrong input, and the peer's numbers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from bihuan.epi.errors import EpiError, InputError, NotEnoughData
from bihuan.epi.oracles import find_cases, run_case
from bihuan.epi.reproduction import (
    GrowthReason,
    RtReason,
    UncertainSI,
    discretized_si,
    estimate_r,
    growth_rate,
    infectivity,
    wallinga_teunis,
)
from bihuan.epi.reproduction.mixture import mixture_summary

KINDS = ("estimateR", "discr_si", "overall_infectivity", "wallinga_teunis", "growth_fit")
FLU = [1, 1, 0, 2, 5, 3, 3, 3, 6, 2, 5, 9, 13, 12, 13, 11, 12, 6, 6, 6, 3, 1, 0, 2, 0, 0, 0, 0, 2, 0, 2, 0]
FLU_SI = [0, 0.233, 0.359, 0.198, 0.103, 0.053, 0.027, 0.014, 0.007, 0.003, 0.002, 0.001]

many = hnp.arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(12, 40)), elements=st.integers(0, 60))
#: Means and SDs whose distribution ends within the lags that can be written (a shape of 1/16 and more).
moments = st.tuples(st.floats(1.1, 12), st.floats(0.2, 8)).filter(lambda pair: 4 * (pair[0] - 1) >= pair[1])
some = settings(max_examples=40, deadline=None)


def _same(a: Any, b: Any) -> None:
    for name in ("mean", "sd", "quantiles", "reason"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-9, atol=1e-12)


def test_every_case_of_the_peers_passes(shared: Path) -> None:
    cases = [one for one in find_cases(shared / "oracles" / "analytics") if one.kind in KINDS]
    assert len(cases) >= 10
    wrong = {one.name: [str(d) for d in run_case(one)] for one in cases if run_case(one)}
    assert wrong == {}


@some
@given(moments)
def test_a_discretized_serial_interval_adds_up_to_one_and_begins_at_zero(pair: tuple[float, float]) -> None:
    weights = discretized_si(*pair)
    assert weights[0] == 0
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-8)
    assert weights @ np.arange(weights.size) == pytest.approx(pair[0], rel=1e-6)


@some
@given(many, moments, st.randoms())
def test_permuting_series_permutes_the_answer(
    counts: np.ndarray[Any, Any], pair: tuple[float, float], random: Any
) -> None:
    order = list(range(counts.shape[0]))
    random.shuffle(order)
    whole = estimate_r(counts, mean_si=pair[0], sd_si=pair[1])
    turned = estimate_r(counts[order], mean_si=pair[0], sd_si=pair[1])
    np.testing.assert_allclose(whole.mean[order], turned.mean, rtol=1e-12)
    np.testing.assert_array_equal(whole.reason[order], turned.reason)


@some
@given(many, moments)
def test_adding_an_empty_series_leaves_the_others_as_they_were(
    counts: np.ndarray[Any, Any], pair: tuple[float, float]
) -> None:
    alone = estimate_r(counts, mean_si=pair[0], sd_si=pair[1])
    more = estimate_r(np.vstack([counts, 0 * counts[:1]]), mean_si=pair[0], sd_si=pair[1])
    np.testing.assert_allclose(more.mean[:-1], alone.mean, rtol=1e-12)
    np.testing.assert_allclose(more.quantiles[:-1], alone.quantiles, rtol=1e-12)
    assert np.isin(more.reason[-1], (RtReason.NO_SOURCE, RtReason.TOO_EARLY)).all()
    assert np.isnan(more.mean[-1]).all()


@some
@given(many, st.integers(1, 9))
def test_days_of_no_cases_before_the_first_shift_the_answer_and_change_no_number(
    counts: np.ndarray[Any, Any], shift: int
) -> None:
    counts[:, 0] = 0  # the first period counts as imported
    n = counts.shape[1]
    start = np.arange(8, n - 2)
    later = np.hstack([np.zeros((counts.shape[0], shift), dtype=int), counts])
    here = estimate_r(counts, si=FLU_SI, windows=(start, start + 2))
    there = estimate_r(later, si=FLU_SI, windows=(start + shift, start + shift + 2))
    _same(here, there)


@some
@given(many, st.integers(2, 50))
def test_scaling_counts_leaves_the_wallinga_teunis_number_and_its_share_seen(
    counts: np.ndarray[Any, Any], factor: int
) -> None:
    one, more = (wallinga_teunis(c, si=FLU_SI) for c in (counts, counts * factor))
    np.testing.assert_allclose(one.mean, more.mean, rtol=1e-9)
    np.testing.assert_array_equal(one.reason, more.reason)


@some
@given(many, st.integers(2, 50))
def test_scaling_counts_scales_infectivity(counts: np.ndarray[Any, Any], factor: int) -> None:
    one, more = infectivity(counts, FLU_SI), infectivity(counts * factor, FLU_SI)
    np.testing.assert_allclose(factor * one[:, 1:], more[:, 1:], rtol=1e-12)
    assert np.isnan(one[:, 0]).all()


@some
@given(many)
def test_many_cases_make_the_posterior_the_ratio_of_cases_to_infectivity(
    counts: np.ndarray[Any, Any],
) -> None:
    found = estimate_r(1e9 * (counts + 1.0), si=FLU_SI)
    force = infectivity(1e9 * (counts + 1.0), FLU_SI)
    for w in range(found.windows.n):
        days = slice(found.t_start[w] - 1, found.t_end[w])
        ratio = 1e9 * (counts + 1.0)[:, days].sum(axis=1) / force[:, days].sum(axis=1)
        np.testing.assert_allclose(found.mean[:, w], ratio, rtol=1e-6)


@some
@given(many)
def test_every_infected_case_is_counted_once_by_wallinga_and_teunis(counts: np.ndarray[Any, Any]) -> None:
    n = counts.shape[1]
    found = wallinga_teunis(counts, si=FLU_SI, windows=(2, n))
    force = np.nan_to_num(infectivity(counts, FLU_SI))
    by_first = force - infectivity(np.where(np.arange(n) == 0, 0, counts), FLU_SI)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(force > 0, counts * (1 - np.nan_to_num(by_first) / force), 0)[:, 1:].sum(axis=1)
    np.testing.assert_allclose(np.nan_to_num(found.mean[:, 0] * found.cases[:, 0]), own, atol=1e-6)


def test_simulated_trees_lie_around_the_exact_mean_and_repeat_by_seed() -> None:
    found = wallinga_teunis(FLU, si=FLU_SI, n_sim=500, seed=4)
    again = wallinga_teunis(FLU, si=FLU_SI, n_sim=500, seed=4)
    np.testing.assert_array_equal(found.quantiles, again.quantiles)
    assert ((found.quantiles[0, :, 0] <= found.mean[0]) & (found.mean[0] <= found.quantiles[0, :, 1])).all()
    assert np.isnan(wallinga_teunis(FLU, si=FLU_SI).sd).all()


def test_windows_at_the_end_are_marked_as_missing_secondary_cases() -> None:
    found = wallinga_teunis([5] * 40, si=FLU_SI)
    assert found.reason[0, -1] == RtReason.INCOMPLETE
    assert found.reason[0, 0] == RtReason.ASSESSED
    assert found.seen is not None
    assert found.seen[0, -1] < 0.65
    assert "still to come" in found.explain()


def test_imported_cases_infect_but_count_for_nobody() -> None:
    imported = np.zeros(32)
    imported[9:20] = 2
    total = np.maximum(FLU, imported)
    with_, without = estimate_r(total, si=FLU_SI, imported=imported), estimate_r(total, si=FLU_SI)
    assert (with_.mean[0, 8:19] < without.mean[0, 8:19]).all()
    np.testing.assert_allclose(with_.mean[0, 0], without.mean[0, 0])


def test_one_sample_of_the_serial_interval_repeated_is_that_serial_interval() -> None:
    once, thrice = estimate_r(FLU, si=FLU_SI), estimate_r(FLU, si=[FLU_SI] * 3)
    np.testing.assert_allclose(once.mean, thrice.mean, rtol=1e-9)
    np.testing.assert_allclose(once.quantiles, thrice.quantiles, rtol=1e-5)


def test_a_serial_interval_known_more_surely_gives_nearly_the_parametric_answer() -> None:
    sure = UncertainSI(2.6, 1e-4, 2.599, 2.601, 1.5, 1e-4, 1.499, 1.501, n=50)
    np.testing.assert_allclose(
        estimate_r(FLU, si=sure).mean, estimate_r(FLU, mean_si=2.6, sd_si=1.5).mean, rtol=1e-3
    )


def test_quantiles_of_a_mixture_are_where_its_distribution_function_says() -> None:
    rng = np.random.default_rng(2)
    shape, scale = rng.uniform(0.3, 3000, (40, 6)), rng.uniform(0.001, 2, (40, 6))
    shape[:5, 2] = np.nan
    p = np.array([0.025, 0.5, 0.975])
    mean, sd, quantiles = mixture_summary(shape, scale, p)
    for w in range(6):
        known = np.isfinite(shape[:, w])
        parts = stats.gamma(shape[known, w], scale=scale[known, w])
        assert mean[w] == pytest.approx(parts.mean().mean())
        assert sd[w] ** 2 == pytest.approx(parts.moment(2).mean() - mean[w] ** 2)
        for k in range(3):
            assert parts.cdf(quantiles[w, k]).mean() == pytest.approx(p[k], abs=1e-6)


def test_few_cases_keep_their_number_and_are_marked() -> None:
    found = estimate_r([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 2, 1], si=FLU_SI)
    late = found.reason[0, 2:]
    assert (late == RtReason.TOO_FEW_CASES).all()
    assert np.isfinite(found.mean[0, 2:]).all()
    assert "too few cases" in found.explain()
    assert "病例过少" in found.explain("zh")


def test_all_zeros_are_not_assessed_and_say_why() -> None:
    found = estimate_r(np.zeros(30), mean_si=3, sd_si=2)
    assert np.isnan(found.mean).all()
    assert found.explain().endswith(
        "not assessed because no earlier case could have infected in this window."
    )
    prior = estimate_r(np.zeros(30), mean_si=3, sd_si=2, compatible=True)
    np.testing.assert_allclose(prior.mean, 5.0)


def test_a_gap_in_a_window_or_before_it_is_not_assessed() -> None:
    counts = np.full(40, 10.0)
    counts[19] = np.nan
    found = estimate_r(counts, si=FLU_SI)
    reason = dict(zip(found.t_start.tolist(), found.reason[0].tolist(), strict=True))
    assert reason[12] == RtReason.ASSESSED
    assert reason[14] == reason[20] == RtReason.NOT_REPORTED
    assert reason[21] == RtReason.GAP_BEFORE
    assert reason[30] == RtReason.ASSESSED
    assert np.isnan(found.mean[0, found.reason[0] != RtReason.ASSESSED]).all()
    whole = estimate_r(np.full(40, 10.0), si=FLU_SI)
    np.testing.assert_allclose(found.mean[0, -1], whole.mean[0, -1])


def test_windows_before_one_mean_serial_interval_are_not_assessed() -> None:
    found = estimate_r([5] * 30, mean_si=14.9, sd_si=3.9, windows=([2, 20], [14, 26]))
    assert found.reason[0].tolist() == [RtReason.TOO_EARLY, RtReason.ASSESSED]


@pytest.mark.parametrize(
    ("counts", "options", "error", "message"),
    [
        (FLU, {"mean_si": 1.0, "sd_si": 0.5}, InputError, "needs a mean above 1"),
        (FLU, {"mean_si": float("nan"), "sd_si": 0.5}, InputError, "must be a number"),
        (FLU, {"mean_si": 3.0, "sd_si": 0.0}, InputError, "must be above 0"),
        (FLU, {}, InputError, "a serial interval is needed"),
        (FLU, {"si": FLU_SI, "mean_si": 2.0}, InputError, "not both"),
        (FLU, {"si": [0.2, 0.8]}, InputError, "of lag 0, must be 0"),
        (FLU, {"si": [0, 0.5, 0.2]}, InputError, "add up to 0.7"),
        (FLU, {"si": [0, float("nan"), 1]}, InputError, "known weights"),
        (FLU, {"si": ["a"]}, InputError, "must be numbers"),
        ([1, -2, 3], {"si": FLU_SI}, InputError, "negative"),
        ([5], {"si": FLU_SI}, NotEnoughData, "at least two periods"),
        ([5, 6, 7], {"si": FLU_SI}, NotEnoughData, "too few for a window of 7"),
        ([], {"si": FLU_SI}, InputError, "not empty"),
        (["x"], {"si": FLU_SI}, InputError, "must be numbers"),
        (FLU, {"si": FLU_SI, "windows": (1, 5)}, InputError, "must lie within periods 2 to 32"),
        (FLU, {"si": FLU_SI, "windows": (5, 4)}, InputError, "must lie within"),
        (FLU, {"si": FLU_SI, "windows": ([2, 3], [4])}, InputError, "pair up"),
        (FLU, {"si": FLU_SI, "windows": 3}, InputError, "are a pair"),
        (FLU, {"si": FLU_SI, "imported": [9] * 32}, InputError, "imported cases among"),
        (FLU, {"si": FLU_SI, "imported": [0]}, InputError, "must agree"),
        (FLU, {"si": FLU_SI, "sd_prior": 0}, InputError, "prior"),
        (FLU, {"si": FLU_SI, "probabilities": [0, 1]}, InputError, "between 0 and 1"),
        (FLU, {"si": UncertainSI(3, 1, 4, 5, 1, 1, 0.5, 2)}, InputError, "must hold its mean"),
    ],
)
def test_wrong_input_is_refused_with_what_to_do(
    counts: list[Any], options: dict[str, Any], error: type[EpiError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        estimate_r(counts, **options)
    assert caught.value.text("zh") != caught.value.text("en")


def test_a_quantile_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(InputError, match="was not asked for"):
        estimate_r(FLU, si=FLU_SI).quantile(0.1)


def test_rows_and_sentences_say_who_when_and_how_much() -> None:
    found = estimate_r(FLU, si=FLU_SI)
    row = next(iter(found.rows()))
    assert row["mean"] == pytest.approx(1.73560890945907)
    assert row["q0.025"] == pytest.approx(1.02863183689129)
    assert str(row["from"]) == "2000-01-04"
    assert found.explain(window=0) == (
        "series 1, 2000-01-04 to 2000-01-10: Rt 1.74 (95% interval 1.03–2.62) from 17 cases; serial interval "
        "2.6 ± 1.5 periods; Cori, given serial interval, Cori 2013."
    )
    assert found.explain("zh", window=0).startswith(
        "序列 1，2000-01-04 至 2000-01-10：Rt 为 1.74（95% 区间 1.03–2.62），依据 17 例。"
    )


def test_a_thousand_series_of_two_hundred_days_take_well_under_a_second() -> None:
    counts = np.random.default_rng(1).negative_binomial(5, 0.1, (1000, 200))
    estimate_r(counts[:2], mean_si=4.7, sd_si=2.9)
    began = time.perf_counter()
    estimate_r(counts, mean_si=4.7, sd_si=2.9)
    assert time.perf_counter() - began < 2  # 0.05 s on a quiet machine


@some
@given(many, st.integers(2, 20))
def test_scaling_counts_leaves_the_log_linear_growth_rate(counts: np.ndarray[Any, Any], factor: int) -> None:
    one, more = (growth_rate(c, method="loglinear") for c in (counts, counts * factor))
    np.testing.assert_allclose(one.rate, more.rate, atol=1e-9)
    np.testing.assert_array_equal(one.reason, more.reason)


@some
@given(many)
def test_time_turned_round_turns_the_growth_rate_round(counts: np.ndarray[Any, Any]) -> None:
    one, back = growth_rate(counts), growth_rate(counts[:, ::-1])
    both = (one.reason == GrowthReason.ASSESSED) & (back.reason == GrowthReason.ASSESSED)
    np.testing.assert_allclose(one.rate[both], -back.rate[both], atol=1e-6)


def test_exact_growth_is_found_by_both_methods() -> None:
    counts = np.round(1000 * np.exp(0.1 * np.arange(20)))
    for method in ("negbin", "loglinear"):
        found = growth_rate(counts, method=method)  # type: ignore[arg-type]
        assert found.rate[0] == pytest.approx(0.1, abs=1e-4)
        assert found.doubling[0] == pytest.approx(np.log(2) / 0.1, rel=1e-3)
    assert "doubling time 6.9 periods" in found.explain()
    assert "翻倍时间 6.9 期" in found.explain("zh")
    down = growth_rate(counts[::-1].copy(), method="loglinear")
    assert "halving time 6.9 periods" in down.explain()


def test_growth_of_too_little_says_why() -> None:
    counts = np.array([[0.0] * 6, [0, 0, 0, 0, 0, 3], [np.nan] * 4 + [1, 2]])
    found = growth_rate(counts)
    assert found.reason.tolist() == [
        GrowthReason.NO_CASES, GrowthReason.NO_CONVERGENCE, GrowthReason.TOO_FEW_PERIODS,
    ]  # fmt: skip
    assert np.isnan(found.rate).all()
    assert "there are no cases" in found.explain()
    with pytest.raises(NotEnoughData, match="at least 3 periods"):
        growth_rate([4])
    with pytest.raises(InputError, match="must lie within"):
        growth_rate(FLU, window=(0, 9))


def test_an_interval_of_growth_that_holds_zero_has_no_longest_doubling_time() -> None:
    found = growth_rate([4, 6, 5, 7, 3, 6, 5, 8, 4])
    assert found.low[0] < 0 < found.high[0]
    assert np.isinf(found.doubling_interval()[1][0])
    assert next(iter(found.rows()))["longest"] is None


def test_pictures_of_rt_and_growth_are_drawn(tmp_path: Path) -> None:
    estimate_r(FLU, si=FLU_SI).plot(path=str(tmp_path / "rt.png"))
    growth_rate(FLU).plot(path=str(tmp_path / "growth.png"), lang="zh")
    assert (tmp_path / "rt.png").stat().st_size > 5000
    assert (tmp_path / "growth.png").stat().st_size > 5000


def test_a_sentence_tells_the_serial_interval_that_was_asked_for_also_where_a_short_series_cuts_it() -> None:
    found = estimate_r(np.full(30, 9), mean_si=12, sd_si=9)
    assert found.si.mean < 11
    assert "serial interval 12.0 ± 9.0 periods" in found.explain()
