"""Nowcasts: what must hold whatever the reports, wrong input, and the peer's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bihuan.epi.errors import EpiError, InputError, NotEnoughData
from bihuan.epi.nowcast import (
    CountPrior,
    NowcastReason,
    estimate_r_nowcast,
    nowcast,
    reporting_triangle,
    triangle_of_counts,
)
from bihuan.epi.oracles import find_cases, run_case
from bihuan.epi.reproduction import RtReason, UncertainSI, estimate_r

METHODS = ("bayes_trunc", "bayes_notrunc", "lawless", "chain_ladder")
SHARE = np.array([0.15, 0.3, 0.25, 0.15, 0.1, 0.05])
cells = hnp.arrays(np.int64, st.tuples(st.integers(8, 25), st.integers(2, 6)), elements=st.integers(0, 40))
some = settings(max_examples=25, deadline=None)


def _outbreak(n: int = 30, level: float = 40, seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).poisson(level * SHARE, (n, SHARE.size))


def _same(a: Any, b: Any) -> None:
    for name in ("estimate", "low", "high", "mean", "completeness", "reason"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-12)


def test_every_case_of_the_peer_passes(shared: Path) -> None:
    cases = [one for one in find_cases(shared / "oracles" / "analytics") if one.kind.startswith("nowcast")]
    assert len(cases) == 3
    wrong = {one.name: [str(d) for d in run_case(one)] for one in cases if run_case(one)}
    assert wrong == {}


@pytest.mark.parametrize("method", METHODS)
@some
@given(cells)
def test_a_nowcast_is_ordered_and_never_below_what_is_reported(
    method: Any, counts: np.ndarray[Any, Any]
) -> None:
    found = nowcast(triangle_of_counts(counts), method=method)
    told = found.reason != NowcastReason.NO_DELAYS
    for name in ("estimate", "low", "high", "mean"):
        assert np.isfinite(getattr(found, name)[told]).all()
    assert (found.low[told] >= found.observed[told]).all()
    assert (found.low[told] <= found.estimate[told] + 1e-9).all()
    assert (found.estimate[told] <= found.high[told] + 1e-9).all()
    assert (found.draws >= found.observed).all()
    assert [row["reason"] for row in found.rows()]
    for k in range(found.at.size):
        assert found.explain(time=k) != found.explain("zh", time=k)


@pytest.mark.parametrize("method", METHODS)
@some
@given(cells)
def test_an_empty_series_or_another_order_of_series_changes_no_other(
    method: Any, counts: np.ndarray[Any, Any]
) -> None:
    alone = nowcast(triangle_of_counts(counts), method=method)
    three = nowcast(triangle_of_counts(np.stack([0 * counts, counts[::-1], counts])), method=method)
    for name in ("estimate", "low", "high"):
        np.testing.assert_allclose(getattr(three, name)[2], getattr(alone, name)[0], rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_shifting_in_time_shifts_the_dates_only(method: Any) -> None:
    here = nowcast(triangle_of_counts(_outbreak(), start="2020-01-01"), method=method)
    there = nowcast(triangle_of_counts(_outbreak(), start="2021-03-05"), method=method)
    _same(here, there)
    assert (there.dates - here.dates == np.timedelta64(429, "D")).all()


def test_a_line_list_and_its_triangle_give_the_same_nowcast() -> None:
    counts = _outbreak(20, 20)
    t, d = (np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1))
    first = np.datetime64("2020-01-01")
    listed = nowcast((first + t, first + t + d), now=first + np.timedelta64(19, "D"), max_delay=5)
    counted = nowcast(triangle_of_counts(counts, start="2020-01-01"))
    _same(listed, counted)
    assert str(listed.now) == "2020-01-20"


def test_reports_after_now_and_records_without_a_date_change_nothing_but_their_count() -> None:
    events, reports = ["2020-01-01"] * 3 + ["2020-01-02"] * 2, ["2020-01-02"] * 5
    plain = reporting_triangle(events, reports, now="2020-01-04", max_delay=2)
    more = reporting_triangle(
        [*events, None, "2020-01-02", "2020-01-01"],
        [*reports, "2020-01-02", None, "2020-01-09"],
        now="2020-01-04",
        max_delay=2,
    )
    np.testing.assert_array_equal(plain.counts, more.counts)
    assert (more.left_out, more.later) == (2, 1)
    assert plain.observed[0].tolist() == [3, 2, 0, 0]


def test_weeks_begin_on_the_weekday_of_the_start() -> None:
    found = reporting_triangle(
        ["2020-01-06", "2020-01-12", "2020-01-13"],
        ["2020-01-12", "2020-01-13", "2020-01-27"],
        now="2020-02-03",
        start="2020-01-06",
        max_delay=3,
        frequency="weekly",
    )
    assert found.counts[0, 0].tolist() == [1, 1, 0, 0]
    assert np.nan_to_num(found.counts[0, 1], nan=-1).tolist() == [0, 0, 1, -1]


def test_a_nowcast_of_full_reporting_is_what_was_reported() -> None:
    counts = np.column_stack([np.full(20, 30), np.zeros((20, 3), dtype=int)])
    for method in ("lawless", "chain_ladder", "bayes_trunc"):
        found = nowcast(triangle_of_counts(counts), method=method, kappa=1e-6)  # type: ignore[arg-type]
        np.testing.assert_allclose(found.estimate, 30)
        np.testing.assert_allclose(found.high, 30)


def test_periods_past_the_longest_delay_stand_as_reported() -> None:
    counts = _outbreak()
    triangle = triangle_of_counts(counts)
    found = nowcast(triangle, when=triangle.dates)
    old = found.reason[0] == NowcastReason.COMPLETE
    assert old.sum() == 25
    np.testing.assert_array_equal(found.high[0, old], counts.sum(axis=1)[old])


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(8)
    whole = rng.poisson(30 * SHARE, (300, 40, SHARE.size))
    truth = whole.sum(axis=2)[:, -5:]
    for method in ("lawless", "chain_ladder", "bayes_trunc"):
        found = nowcast(triangle_of_counts(whole), method=method, level=0.9, n_samples=400)  # type: ignore[arg-type]
        held = ((found.low <= truth) & (truth <= found.high)).mean()
        assert 0.86 < held < 0.97, method


def test_ignoring_truncation_says_too_little_while_counts_rise() -> None:
    rng = np.random.default_rng(2)
    counts = rng.poisson(np.exp(0.15 * np.arange(30))[:, None] * SHARE)
    triangle = triangle_of_counts(counts)
    with_, without = (nowcast(triangle, method=m) for m in ("bayes_trunc", "bayes_notrunc"))  # type: ignore[arg-type]
    assert without.mean[0, -4:].sum() < with_.mean[0, -4:].sum()


def test_nothing_reported_yet_is_marked_with_a_bound_and_not_fed_to_rt() -> None:
    counts = _outbreak()
    counts[-1] = 0
    for method in ("lawless", "chain_ladder"):
        found = nowcast(triangle_of_counts(counts), method=method)  # type: ignore[arg-type]
        assert found.reason[0, -1] == NowcastReason.NOTHING_YET
        assert found.estimate[0, -1] == 0
        assert found.high[0, -1] > 15
        rt = estimate_r_nowcast(found, mean_si=3, sd_si=1)
        assert rt.reason[0, -1] == RtReason.NOT_NOWCAST
        assert np.isnan(rt.mean[0, -1])


def test_a_triangle_without_cases_is_not_assessed_and_says_why() -> None:
    for method in METHODS:
        found = nowcast(triangle_of_counts(np.zeros((10, 4))), method=method)  # type: ignore[arg-type]
        assert (found.reason == NowcastReason.NO_DELAYS).all()
    assert "not assessed because no report of that delay has been seen" in found.explain()
    one = nowcast(triangle_of_counts(np.array([[3, 0]])), method="chain_ladder")
    assert one.reason[0, 0] == NowcastReason.NO_DELAYS


def test_the_corrected_lawless_interval_is_wider_above_than_the_compatible_one() -> None:
    triangle = triangle_of_counts(_outbreak(30, 12))
    corrected, peer = (nowcast(triangle, method="lawless", compatible=c) for c in (False, True))
    assert (corrected.high[0] - corrected.estimate[0]).sum() > (peer.high[0] - peer.estimate[0]).sum()


def test_the_count_prior_matters_less_the_more_is_reported() -> None:
    triangle = triangle_of_counts(_outbreak())
    low, high = (
        nowcast(triangle, prior=CountPrior("poisgamma", mean, 3 * mean**2)) for mean in (10.0, 200.0)
    )
    apart = np.abs(high.mean - low.mean)[0]
    assert apart[0] < apart[-1]
    for kind in ("pois", "unif"):
        found = nowcast(triangle, prior=CountPrior(kind, 40.0), n_max=500)  # type: ignore[arg-type]
        assert abs(found.draws.mean() - found.mean.mean()) < 3


def test_rt_of_a_complete_nowcast_is_rt_of_the_counts() -> None:
    counts = np.column_stack([np.full(30, 30), np.zeros((30, 2), dtype=int)])
    found = estimate_r_nowcast(nowcast(triangle_of_counts(counts), method="lawless"), mean_si=4, sd_si=2)
    plain = estimate_r(counts.sum(axis=1), mean_si=4, sd_si=2)
    np.testing.assert_allclose(found.mean, plain.mean, rtol=1e-9)
    np.testing.assert_allclose(found.quantiles, plain.quantiles, rtol=1e-5)


def test_rt_up_to_now_carries_the_uncertainty_of_the_nowcast() -> None:
    counts = _outbreak()
    now = nowcast(triangle_of_counts(counts))
    found = estimate_r_nowcast(now, mean_si=3, sd_si=1)
    known = estimate_r(counts.sum(axis=1), mean_si=3, sd_si=1)
    reported = estimate_r(triangle_of_counts(counts).observed[0], mean_si=3, sd_si=1)
    width = [r.quantile(0.975) - r.quantile(0.025) for r in (found, known)]
    assert width[0][0, -1] > 1.2 * width[1][0, -1]
    assert abs(found.mean[0, -1] - known.mean[0, -1]) < abs(reported.mean[0, -1] - known.mean[0, -1])
    np.testing.assert_allclose(found.mean[0, :10], known.mean[0, :10])
    unsure = estimate_r_nowcast(now, si=UncertainSI(3, 0.5, 2, 4, 1, 0.2, 0.5, 1.5))
    assert abs(unsure.mean[0, -1] - found.mean[0, -1]) < 0.1


def test_rt_refuses_a_nowcast_with_holes() -> None:
    triangle = triangle_of_counts(_outbreak(), start="2020-01-01")
    part = nowcast(triangle, when=["2020-01-30"])
    with pytest.raises(InputError, match="leaves out 2020-01-26"):
        estimate_r_nowcast(part, mean_si=3, sd_si=1)


def test_the_same_seed_gives_the_same_numbers() -> None:
    triangle = triangle_of_counts(_outbreak())
    _same(nowcast(triangle, seed=3), nowcast(triangle, seed=3))


@pytest.mark.parametrize(
    ("reports", "options", "error", "message"),
    [
        ((["2020-01-05"], ["2020-01-02"]), {"now": "2020-02-01"}, InputError, "before its event"),
        ((["2020-01-05"], []), {"now": "2020-02-01"}, InputError, "every record needs its own"),
        ((["yesterday"], ["2020-01-02"]), {"now": "2020-02-01"}, InputError, "cannot be read"),
        (([None], [None]), {"now": "2020-02-01"}, NotEnoughData, "nothing to learn delays from"),
        (([], []), {"now": "2020-02-01"}, NotEnoughData, "nothing to learn delays from"),
        ((["2020-01-05"], ["2020-01-06"]), {"now": "2020-01-01"}, InputError, "before the first event"),
        ((["2020-01-05"], ["2020-01-06"]), {}, InputError, "now is needed"),
        ((["2020-01-05"],), {"now": "2020-01-09"}, InputError, "are a pair"),
        ((["2020-01-05"], ["2020-01-06"]), {"now": "2020-01-09", "max_delay": 0}, InputError, "max_delay"),
        ((["2020-01-05"], ["2020-01-06"]), {"now": "2020-01-09", "window": 3}, InputError, "shorter than"),
        (
            (["2020-01-05"], ["2020-01-06"]),
            {"now": "2020-01-09", "method": "magic"},
            InputError,
            "not one of",
        ),
        (
            (["2020-01-05"], ["2020-01-06"]),
            {"now": "2020-01-09", "when": "2020-02-01"},
            InputError,
            "between",
        ),
        ((["2020-01-05"], ["2020-01-06"]), {"now": "2020-01-09", "kappa": 0}, InputError, "kappa"),
        ((["2020-01-05"], ["2020-01-06"]), {"now": "2020-01-09", "n_max": 0}, InputError, "reported already"),
        ((["2020-01-05"], ["2020-01-06"]), {"now": "2020-01-09", "level": 2}, InputError, "level"),
    ],
)
def test_wrong_input_is_refused_with_what_to_do(
    reports: Any, options: dict[str, Any], error: type[EpiError], message: str
) -> None:
    with pytest.raises(error, match=message):
        nowcast(reports, **options)


def test_negative_cells_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="must be counts from 0"):
        triangle_of_counts([[1, -2], [3, 4]])
    with pytest.raises(InputError, match="periods × delays"):
        triangle_of_counts([1, 2, 3])


def test_sentences_say_what_is_reported_and_what_is_expected() -> None:
    found = nowcast(triangle_of_counts(_outbreak(), start="2020-01-01"), method="lawless")
    assert found.explain(time=-3) == (
        "series 1, 2020-01-28: 21 reported by 2020-01-30, 30 expected in the end (95% interval 23–37), "
        "about 70% reported so far; Lawless, reverse-time hazards, Lawless 1994."
    )
    assert "截至 2020-01-30 已报告 21 例，预计最终 30 例" in found.explain("zh", time=-3)


def test_a_picture_of_a_nowcast_is_drawn(tmp_path: Path) -> None:
    nowcast(triangle_of_counts(_outbreak())).plot(path=str(tmp_path / "nowcast.png"))
    assert (tmp_path / "nowcast.png").stat().st_size > 5000


def test_a_week_that_is_not_over_is_left_for_later() -> None:
    listed = (["2020-01-06", "2020-01-13", "2020-01-14"], ["2020-01-07", "2020-01-14", "2020-01-15"])
    found = reporting_triangle(*listed, now="2020-01-15", max_delay=1, frequency="weekly")
    assert found.observed[0].tolist() == [1]
    assert found.later == 2
    with pytest.raises(NotEnoughData, match="is not over yet"):
        reporting_triangle(*listed, now="2020-01-10", max_delay=1, frequency="weekly")
