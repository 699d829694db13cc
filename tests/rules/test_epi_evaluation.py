"""The evaluation bench: outbreaks injected, figures of a detector, equal false-alarm rates, replay."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bihuan.epi.detection.results import Detection, Method, Reason
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.evaluation import (
    SCENARIOS,
    Scenario,
    compare,
    evaluate,
    inject,
    labelled,
    replay,
    simulate,
    vintages,
)
from bihuan.epi.series import Panel

METHOD = Method("above_mean", "Above the mean", "高于均值", "none")


def above_mean(panel: Panel, factor: float = 3.0) -> Detection:
    """Simple enough to follow by hand: more than `factor` times the mean of all earlier periods."""
    counts = panel.counts
    t = np.arange(panel.n_times)
    before = np.cumsum(counts, axis=1) - counts
    mean = before / np.maximum(t, 1)
    reason = np.where(t < 2, Reason.SHORT_HISTORY, Reason.ASSESSED) * np.ones(counts.shape)
    score = counts - mean
    nothing = np.full(counts.shape, np.nan)
    alarm = (counts > factor * mean) & (t >= 2)
    return Detection(panel, METHOD, t, mean, factor * mean, score, nothing, alarm, reason.astype(np.uint8))


def test_the_scenarios_are_the_forty_two_of_the_paper():
    assert len(SCENARIOS) == 42
    assert len({s.name for s in SCENARIOS}) == 42
    plain = Scenario(0.1, 0.0025, 0.6, 0.6, 1.5)
    assert plain in SCENARIOS
    assert plain.mean(10) == pytest.approx(np.exp(0.1))


@pytest.mark.parametrize("scenario", [SCENARIOS[0], SCENARIOS[15], SCENARIOS[29]], ids=lambda s: s.name)
def test_baselines_have_the_mean_and_variance_of_their_scenario(scenario):
    counts = simulate(scenario, n_series=4000, n_times=30).counts
    mean = scenario.mean(30)
    assert counts.mean(axis=0) == pytest.approx(mean, rel=0.12, abs=0.02)
    assert (counts.var(axis=0) / mean).mean() == pytest.approx(scenario.phi, rel=0.1)


def test_the_same_seed_gives_the_same_series():
    one, other = (inject(simulate(SCENARIOS[0], n_series=5), size=5, seed=3) for _ in range(2))
    assert np.array_equal(one.panel.counts, other.panel.counts)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.floats(0.5, 10), st.integers(0, 99))
def test_injected_cases_lie_inside_their_outbreaks_and_nowhere_else(n, size, seed):
    base = simulate(SCENARIOS[6], n_series=6, n_times=120, seed=seed)
    data = inject(base, size=size, n_outbreaks=n, newest=60, seed=seed)
    assert np.array_equal(data.panel.counts, base.counts + data.added)
    assert not data.added[data.outbreak == 0].any()
    assert (data.outbreak[:, :60] == 0).all()
    assert 1 <= data.n_outbreaks <= 6 * n


def test_outbreak_sizes_are_k_deviations():
    scenario = SCENARIOS[24]
    base = simulate(scenario, n_series=3000, n_times=200)
    deviation = scenario.deviation(200)
    data = inject(base, size=4, newest=100, deviation=deviation)
    starts = np.argmax(data.outbreak > 0, axis=1)
    early = starts < 180  # later ones are cut off by the end
    ratio = data.added.sum(axis=1)[early] / deviation[starts[early]]
    assert ratio.mean() == pytest.approx(4, rel=0.05)


def test_the_figures_are_those_counted_by_hand():
    counts = [[1, 1, 1, 1, 9, 1, 1, 1, 5, 1, 1, 9]]
    labels = [[0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0]]
    found = evaluate(above_mean, labelled(counts, labels), name="hand")
    # alarms at 4 (in the first outbreak, one period late) and at 11 (false)
    assert found.probability_of_detection == 0.5
    assert found.mean_delay == 1
    assert found.mean_wait == 1  # one period late, and one missed that lasted one
    assert found.sensitivity == 1 / 4
    assert found.false_alarm_rate == 1 / 6
    assert found.ppv == 0.5
    assert found.explain().startswith("hand: 1 of 2 outbreaks found (50.0%), 1.0 periods after")
    assert "2 起暴发中发现 1 起" in found.explain("zh-hans")


def test_a_peers_table_is_judged_like_our_own_detection():
    data = inject(simulate(SCENARIOS[0], n_series=20, n_times=200), size=8)
    ours = evaluate(above_mean, data, name="a")
    rows = [dict(row, alarm=str(row["alarm"])) for row in above_mean(data.panel).rows()]
    assert evaluate(rows, data, name="a").figures() == ours.figures()
    with pytest.raises(InputError, match="row 1 speaks of nobody"):
        evaluate([{"series": "nobody", "date": "2020-01-01"}], data)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 0.4), st.integers(0, 50))
def test_an_equal_false_alarm_rate_is_met_exactly(rate, seed):
    data = inject(simulate(SCENARIOS[0], n_series=10, n_times=150, seed=seed), size=8, seed=seed)
    found = evaluate(above_mean, data, false_alarm_rate=rate)
    assert found.false_alarm_rate == pytest.approx(rate, abs=1e-12)


def test_more_false_alarms_never_find_fewer_outbreaks():
    data = inject(simulate(SCENARIOS[3], n_series=40, n_times=150), size=5)
    found = [evaluate(above_mean, data, false_alarm_rate=r) for r in (0.0, 0.01, 0.05, 0.2)]
    shares = [f.probability_of_detection for f in found]
    assert shares == sorted(shares)


def test_a_detector_is_never_better_than_itself():
    data = inject(simulate(SCENARIOS[0], n_series=30, n_times=150), size=6)
    found = compare({"a": above_mean, "b": lambda p: above_mean(p, 5.0)}, data)
    assert found["a"].figures() == found["b"].figures()  # the same order, so the same at an equal rate


def test_series_may_be_permuted_and_a_silent_one_added():
    data = inject(simulate(SCENARIOS[0], n_series=8, n_times=150), size=6)
    order = np.random.default_rng(0).permutation(8)
    mixed = labelled(data.panel.counts[order], data.outbreak[order] > 0)
    plain = labelled(data.panel.counts, data.outbreak > 0)
    assert evaluate(above_mean, mixed).figures() == evaluate(above_mean, plain).figures()
    silent = labelled(
        np.vstack([plain.panel.counts, np.full((1, 150), np.nan)]),
        np.vstack([plain.outbreak > 0, np.zeros((1, 150))]),
    )
    assert evaluate(above_mean, silent).figures() == evaluate(above_mean, plain).figures()


def test_by_series_the_sums_add_up():
    data = inject(simulate(SCENARIOS[0], n_series=8, n_times=150), size=6)
    found = evaluate(above_mean, data)
    parts = list(found.rows(by_series=True))
    assert sum(p["found"] for p in parts) == next(found.rows())["found"]


def test_what_cannot_be_evaluated_is_refused():
    data = labelled([[1.0, 2, 3]], [[0, 1, 0]])
    with pytest.raises(InputError, match="labels have shape"):
        labelled([[1.0, 2]], [[0, 1, 0]])
    with pytest.raises(InputError, match="between 0 and 1"):
        evaluate(above_mean, inject(simulate(SCENARIOS[0], n_series=2)), false_alarm_rate=1.5)
    with pytest.raises(NotEnoughData, match="judged no period"):
        evaluate([], data)
    with pytest.raises(InputError, match="cannot be moved"):
        evaluate(
            [{"series": "series 1", "date": str(data.panel.dates[1]), "alarm": True}],
            data,
            false_alarm_rate=0.1,
        )
    with pytest.raises(InputError, match="do not fit"):
        inject([[1.0] * 5], n_outbreaks=4)
    with pytest.raises(InputError, match="size must be above zero"):
        inject([[1.0] * 60], size=0)


# --- replay -----------------------------------------------------------------------------------------

DAY = date(2020, 1, 6)
records = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), min_size=1, max_size=60)


def triangle_of(rows, **options):
    happened = [DAY + timedelta(days=a) for a, _ in rows]
    known = [DAY + timedelta(days=a + b) for a, b in rows]
    return vintages(happened, known, **options)


@given(records, st.integers(0, 45), st.sampled_from(["daily", "weekly", "monthly"]))
def test_as_of_a_day_exactly_what_was_known_by_then_is_there(rows, after, frequency):
    triangle = triangle_of(rows, frequency=frequency, first=DAY)
    day = DAY + timedelta(days=after)
    wanted = sum(a + b <= after for a, b in rows)
    assert triangle.as_of(day).counts.sum() == wanted
    assert triangle.final().counts.sum() == len(rows)


def test_a_replay_alarms_when_the_reports_are_in_and_hindsight_when_it_happened():
    rows = [(d, 0) for d in range(20)] + [(20, 2)] * 9 + [(22, 0)]
    triangle = triangle_of(rows)
    found = replay(triangle, above_mean)
    day = {str(d): k for k, d in enumerate(found.days)}["2020-01-26"]
    assert (found.observed[0, day], found.final[0, day]) == (0, 9)
    assert not found.alarm[0, day]
    assert found.alarm_final[0, day]
    assert len(list(found.rows())) == found.days.size
    assert "in hindsight" in found.explain()
    assert "事后看" in found.explain("zh-hans")


def test_what_is_learnt_later_changes_nothing_on_an_earlier_day():
    rows = [(d % 20, d % 5) for d in range(60)]
    cut = DAY + timedelta(days=15)
    early = [r for r in rows if r[0] + r[1] <= 15]
    days = [DAY + timedelta(days=d) for d in range(4, 16)]
    whole = replay(triangle_of(rows, first=DAY), above_mean, days=days)
    then = replay(triangle_of(early, first=DAY, last=cut), above_mean, days=days)
    assert np.array_equal(whole.observed, then.observed)
    assert np.array_equal(whole.alarm, then.alarm)


def test_the_triangle_by_delay_is_what_a_nowcast_takes():
    triangle = triangle_of([(0, 0), (0, 2), (1, 1), (1, 40)])
    by_delay = triangle.by_delay(longest=5)
    assert by_delay[0].tolist() == [1, 0, 1, 0, 0, 0]
    assert by_delay[1].tolist() == [0, 1, 0, 0, 0, 0]


def test_records_known_before_they_happened_are_refused_and_undated_ones_counted():
    with pytest.raises(InputError, match="record 1 was known before it happened"):
        vintages([DAY], [DAY - timedelta(days=1)])
    assert vintages([DAY, None], [DAY, DAY]).missing == 1
    with pytest.raises(NotEnoughData):
        vintages([None], [DAY])
    with pytest.raises(NotEnoughData, match="nothing had begun"):
        triangle_of([(0, 0)]).as_of("2019-01-01")
