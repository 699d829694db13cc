"""Which detector a series gets, q-values, and sources brought together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bihuan.epi.detection.bayes import bayes
from bihuan.epi.detection.fusion import fuse
from bihuan.epi.detection.qvalues import hierarchical_q_values, q_values, simes
from bihuan.epi.detection.results import Reason
from bihuan.epi.detection.routing import DETECTORS, detect
from bihuan.epi.errors import InputError

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def daily(*levels: float, days: int = 200) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(5)
    return np.stack([rng.poisson(level, days) for level in levels]).astype(float)


def test_daily_series_are_routed_by_their_level() -> None:
    found = detect(daily(0.2, 4.0, 60.0), start="2023-01-02", names=["few", "some", "many"], at=[-1])
    assert [choice.name for choice in found.choices] == ["bayes", "ewma", "switch"]
    assert found.why("few") == "Bayes: fewer than 1 case a day over the last 28 days."
    assert found.why("many", "zh") == "回归/EWMA 切换：日均不少于 10 例。"


@pytest.mark.parametrize(
    ("frequency", "n", "name", "years"),
    [
        ("weekly", 300, "farrington_flexible", 5),
        ("weekly", 170, "farrington_flexible", 3),
        ("weekly", 120, "bayes", 2),
        ("weekly", 30, "bayes", 0),
        ("monthly", 70, "farrington_flexible", 5),
        ("monthly", 30, "bayes", 2),
        ("daily", 9, "ears_c1", None),
        ("daily", 12, "ewma", None),
    ],
)
def test_short_and_long_histories_get_methods_that_can_stand_on_them(
    frequency: Any, n: int, name: str, years: int | None
) -> None:
    found = detect(np.random.default_rng(1).poisson(20.0, n), frequency=frequency, at=[-1])
    assert found.choices[0].name == name
    assert dict(found.choices[0].options).get("b") == years
    assert found.reason[0, 0] == Reason.ASSESSED


def test_each_row_is_what_its_method_says_alone() -> None:
    counts = daily(0.2, 60.0, 0.3, 4.0)
    found = detect(counts, start="2023-01-02", at=range(150, 200))
    alone = bayes(counts[[0, 2]], b=0, w=28, alpha=0.01, start="2023-01-02", at=range(150, 200))
    np.testing.assert_array_equal(found.p_value[[0, 2]], alone.p_value)
    np.testing.assert_array_equal(found.alarm[[0, 2]], alone.alarm)


def test_the_caller_may_name_the_method_for_all_or_for_each() -> None:
    counts = daily(3.0, 30.0)
    assert {c.name for c in detect(counts, method="ears_c2").choices} == {"ears_c2"}
    mixed = detect(counts, method=["auto", "ears_c1"], at=[-1])
    assert [c.name for c in mixed.choices] == ["ewma", "ears_c1"]
    assert mixed.why(1) == "EARS C1: the caller asked for it."


@pytest.mark.parametrize("method", sorted(DETECTORS))
def test_every_method_named_can_be_asked_for(method: str) -> None:
    counts = np.random.default_rng(3).poisson(9.0, (2, 300))
    frequency: Any = "daily" if method in ("regression", "switch", "ewma") else "weekly"
    found = detect(counts, method=method, frequency=frequency, at=[-2, -1])
    assert found.alarm.shape == (2, 2)
    assert found.explain("zh", series=1)
    assert {row["method"] for row in found.rows()} == {found.parts[0].method.key}


def test_a_method_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match="is not one of auto"):
        detect(daily(3.0), method="oracle")
    with pytest.raises(InputError, match="2 methods for 1 series"):
        detect(daily(3.0), method=["auto", "auto"])


def test_series_that_began_late_are_routed_by_their_own_history() -> None:
    counts = daily(30.0, 30.0)
    counts[1, :-4] = np.nan
    found = detect(counts, start="2023-01-02", at=[-1])
    assert [c.name for c in found.choices] == ["switch", "ears_c1"]
    assert found.reason[1, 0] != Reason.ASSESSED
    assert "not assessed because" in found.explain("en", series=1)


def test_the_future_is_not_looked_at() -> None:
    counts = daily(0.2, 4.0, 60.0)
    later = counts.copy()
    later[:, 150:] += 500
    before = detect(counts, start="2023-01-02", at=[149])
    after = detect(later, start="2023-01-02", at=[149])
    np.testing.assert_array_equal(before.p_value, after.p_value)
    assert [c.name for c in before.choices] == [c.name for c in after.choices]


@given(probabilities)
@settings(deadline=None)
def test_false_discovery_rates_agree_with_scipy(p: list[float]) -> None:
    np.testing.assert_allclose(q_values(p), stats.false_discovery_control(p), rtol=1e-12)
    np.testing.assert_allclose(
        q_values(p, method="by"), stats.false_discovery_control(p, method="by"), rtol=1e-12, atol=1e-300
    )


@given(probabilities, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_adjusted_values_follow_their_series_and_never_fall_below_p(p: list[float], random: Any) -> None:
    order = list(range(len(p)))
    random.shuffle(order)
    for method in ("bh", "by", "holm", "hommel", "bonferroni"):
        q = q_values(p, method=method)  # type: ignore[arg-type]
        assert (q >= np.array(p) - 1e-15).all()
        assert (q <= 1).all()
        np.testing.assert_allclose(q_values(np.array(p)[order], method=method)[...], q[order])  # type: ignore[arg-type]
    holm, hommel = q_values(p, method="holm"), q_values(p, method="hommel")
    assert (hommel <= holm + 1e-12).all()


def test_series_not_assessed_are_no_tests() -> None:
    p = np.array([0.01, np.nan, 0.04, 0.03])
    np.testing.assert_allclose(q_values(p)[[0, 2, 3]], q_values(p[[0, 2, 3]]))
    assert np.isnan(q_values(p)[1])
    assert np.isnan(q_values([np.nan, np.nan])).all()


def test_a_county_is_found_only_where_its_province_is() -> None:
    p = [0.04, 0.9, 0.8, 0.7, 0.001, 0.002, 0.6, 0.5]
    found = hierarchical_q_values(p, ["A"] * 4 + ["B"] * 4)
    assert found.groups == ("A", "B")
    assert found.group("B") == pytest.approx(2 * 0.004)
    assert (found.q >= np.repeat(found.group_q, 4) - 1e-15).all()
    assert (found.q < 0.05).tolist() == [False] * 4 + [True, True, False, False]


@given(probabilities)
def test_one_group_of_all_is_benjamini_and_hochberg(p: list[float]) -> None:
    np.testing.assert_allclose(hierarchical_q_values(p, ["all"] * len(p)).q, q_values(p))


@given(st.floats(0, 1))
def test_simes_of_one_is_itself(p: float) -> None:
    assert simes([p]) == pytest.approx(p)


@pytest.mark.parametrize("p", [[1.2], [-0.1], ["x"]])
def test_what_is_no_probability_is_refused(p: list[Any]) -> None:
    for function in (q_values, lambda v: fuse([v]), lambda v: hierarchical_q_values(v, ["a"])):
        with pytest.raises(InputError) as refused:
            function(p)
        assert refused.value.zh


def test_groups_must_pair_with_p_values() -> None:
    with pytest.raises(InputError, match="2 p-values need one group each"):
        hierarchical_q_values([0.1, 0.2], ["a"])


@pytest.mark.parametrize("method", ["cauchy", "stouffer"])
@given(p=st.floats(1e-10, 0.98))
@settings(deadline=None)
def test_one_source_alone_is_taken_at_its_word(method: Any, p: float) -> None:
    assert fuse([[p]], method=method).p_value[0, 0] == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("method", ["cauchy", "stouffer"])
def test_a_silent_source_is_not_a_source_that_saw_nothing(method: Any) -> None:
    heard = fuse([[0.003], [0.02]], method=method)
    silent = fuse([[0.003], [0.02], [np.nan]], method=method)
    quiet = fuse([[0.003], [0.02], [1.0]], method=method)
    assert silent.p_value[0, 0] == heard.p_value[0, 0]
    assert quiet.p_value[0, 0] > heard.p_value[0, 0]
    assert silent.n_sources[0, 0] == 2
    assert np.isnan(fuse([[np.nan], [np.nan]], method=method).p_value[0, 0])


def test_the_order_of_sources_changes_nothing() -> None:
    p = np.random.default_rng(1).random((4, 3, 9))
    for method in ("cauchy", "stouffer"):
        one = fuse(p, lead_days=[2, 0, 1], method=method)  # type: ignore[arg-type]
        other = fuse(p[:, [2, 0, 1]], lead_days=[1, 2, 0], method=method)  # type: ignore[arg-type]
        np.testing.assert_allclose(one.p_value, other.p_value, rtol=1e-12)


def test_sources_are_read_as_many_days_before_as_they_lead() -> None:
    p = np.full((1, 2, 8), 0.5)
    p[0, 0, 2] = 1e-6  # sales, on day 3
    p[0, 1, 5] = 1e-6  # cases, on day 6
    together, apart = fuse(p, lead_days=[3, 0]), fuse(p)
    assert int(np.nanargmin(together.p_value[0])) == 5
    assert together.p_value[0, 5] < apart.p_value[0].min()
    assert together.n_sources[0].tolist() == [1, 1, 1, 2, 2, 2, 2, 2]
    assert fuse(p, lead_days=[30, 0]).n_sources[0].tolist() == [1] * 8


def test_the_cauchy_combination_is_the_formula_of_liu_and_xie() -> None:
    p = np.array([0.01, 0.2, 0.6])
    expected = stats.cauchy.sf(np.tan((0.5 - p) * np.pi).mean())
    assert fuse(p[:, None]).p_value[0, 0] == pytest.approx(expected)


def test_fused_rows_are_calibrated_when_nothing_happens() -> None:
    p = np.random.default_rng(2).random((20000, 4, 1))
    for method in ("cauchy", "stouffer"):
        found = fuse(p, method=method).p_value[:, 0]  # type: ignore[arg-type]
        assert (found < 0.05).mean() == pytest.approx(0.05, abs=0.006)


def test_a_fused_day_is_told_with_what_was_silent() -> None:
    found = fuse(
        [[0.5, 0.001], [0.4, np.nan], [0.3, 0.2]],
        lead_days=[0, 0, 1],
        territories=["洪山区"],
        sources=["发热门诊", "药店", "热线"],
        dates=np.array(["2020-01-19", "2020-01-20"], dtype="datetime64[D]"),
    )
    assert found.explain("zh") == (
        "洪山区，2020年1月20日：3 个来源中 2 个有报告，未报告：药店；合并 p = 0.002，"
        "最强为发热门诊（p = 0.001，提前 0 天）；方法：柯西合并（Liu, Xie 2020）。"
    )
    assert found.explain("en", time=0).startswith(
        "洪山区, 2020-01-19: 2 of 3 sources reported (silent: 热线)"
    )
    assert [row["n_sources"] for row in found.rows()] == [2, 2]


@pytest.mark.parametrize(
    "options",
    [
        {"lead_days": [1]},
        {"lead_days": [-1, 0]},
        {"weights": [1.0, 0.0]},
        {"sources": ["a"]},
        {"dates": np.array(["2020-01-01"], dtype="datetime64[D]")},
        {"method": "fisher"},
    ],
)
def test_fusion_refuses_what_does_not_fit(options: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refused:
        fuse([[0.1, 0.2], [0.3, 0.4]], **options)
    assert refused.value.zh


def test_sentences_name_place_period_numbers_method_and_paper() -> None:
    counts = np.array([4.0, 5, 3, 4, 6, 4, 5, 30])
    found = bayes(counts, w=7, start="2020-01-06", frequency="weekly", names=["Hongshan"], at=[-1])
    assert found.explain("en") == (
        "Hongshan, week 9 of 2020 (from 2020-02-24): 30 cases, 4.5 expected, 6.67 times the expected, "
        "upper bound 9, p < 0.0001; alarm; "
        "method Bayes, baseline 7 periods before (Riebler 2004)."
    )
    assert found.explain("zh") == (
        "Hongshan，2020年第9周（自2月24日）：30 例，预期 4.5 例，为预期的 6.67 倍，上限 9 例，p < 0.0001；"
        "触发预警；方法：贝叶斯法，基线：此前 7 期（Riebler 2004）。"
    )
