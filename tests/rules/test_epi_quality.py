"""Marks of the caller hold alarms back; what nobody marked is warned of."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.epi.detection.results import Detection, Method, Reason
from bihuan.epi.errors import InputError
from bihuan.epi.quality import Mark, detect_with_marks, increments, jumps
from bihuan.epi.series import Panel

START = date(2020, 1, 1)


def twice(panel: Panel) -> Detection:
    """More than twice the mean of the five reported periods before."""
    counts, n = panel.counts, panel.n_times
    mean = np.full(counts.shape, np.nan)
    for t in range(5, n):
        window = counts[:, t - 5 : t]
        known = ~np.isnan(window)
        ok = known.sum(axis=1) >= 3
        mean[ok, t] = np.nansum(window[ok], axis=1) / known[ok].sum(axis=1)
    reason = np.where(np.isnan(mean), Reason.SHORT_HISTORY, Reason.ASSESSED).astype(np.uint8)
    reason[np.isnan(counts)] = Reason.NOT_REPORTED
    with np.errstate(invalid="ignore"):
        alarm = (counts > 2 * mean) & (reason == Reason.ASSESSED)
    nothing = np.full(counts.shape, np.nan)
    method = Method("twice", "Twice", "两倍", "none")
    return Detection(panel, method, np.arange(n), mean, 2 * mean, nothing, nothing, alarm, reason)


def days(*offsets: int) -> list[date]:
    return [START + timedelta(days=n) for n in offsets]


SERIES = [100.0] * 10 + [900.0] + [300.0] * 10


def test_a_marked_jump_does_not_alarm_and_says_why():
    day = days(10)[0]
    mark = Mark(day, "definition_change", "clinical diagnosis counts from today")
    plain = detect_with_marks(twice, SERIES, start=START)
    marked = detect_with_marks(twice, SERIES, marks=[mark], start=START)
    assert plain.detection.alarm[0, 10]
    assert [w.kind for w in plain.warnings] == ["jump"]
    assert not marked.detection.alarm.any()
    assert marked.warnings == ()
    assert marked.detection.reason[0, 10] == Reason.MARKED
    row = next(r for r in marked.rows() if r["date"] == day)
    assert (row["reason"], row["note"]) == ("marked", "clinical diagnosis counts from today")


def test_after_a_change_of_definition_earlier_counts_are_no_baseline():
    mark = Mark(days(10)[0], "definition_change", "new definition")
    correction = Mark(days(10)[0], "correction", "old cases")
    changed = detect_with_marks(twice, SERIES, marks=[mark], start=START).detection
    corrected = detect_with_marks(twice, SERIES, marks=[correction], start=START).detection
    assert changed.reason[0, 11] == Reason.SHORT_HISTORY
    assert not changed.alarm[0, 11]
    assert corrected.alarm[0, 11]  # 300 against 100: the correction was of one day only
    assert changed.expected[0, 16] == 300


def test_a_real_outbreak_beside_a_mark_still_alarms():
    series = [10.0] * 20 + [60.0]
    mark = Mark(days(8)[0], "correction", "old cases")
    assert detect_with_marks(twice, series, marks=[mark], start=START).detection.alarm[0, 20]


def test_a_mark_speaks_only_of_its_series_and_days():
    mark = Mark(days(10)[0], "correction", "old cases", series="b", last=days(12)[0])
    found = detect_with_marks(twice, [SERIES, SERIES], marks=[mark], start=START, names=["a", "b"])
    assert (found.detection.reason[1, 10:13] == Reason.MARKED).all()
    assert not (found.detection.reason[0] == Reason.MARKED).any()
    assert [w.series for w in found.warnings] == ["a"]


def test_a_mark_touches_the_week_that_holds_its_day():
    mark = Mark(date(2020, 2, 12), "correction", "old cases")
    weeks = detect_with_marks(
        twice, [5.0] * 10, marks=[mark], start="2020-01-06", frequency="weekly"
    ).detection
    assert np.flatnonzero(weeks.reason[0] == Reason.MARKED).tolist() == [5]


def test_running_totals_become_new_counts_and_a_fall_is_a_warning():
    series, warnings = increments([10, 15, 12, 20, np.nan, 30, 31], start=START, names=["Wuhan"])
    assert np.isnan(series.counts[0, [0, 2, 4, 5]]).all()
    assert series.counts[0, [1, 3, 6]].tolist() == [5, 8, 1]
    assert warnings[0].explain() == (
        "Wuhan, 2020-01-03: the total fell by 3; probably a correction. Check it and mark it; "
        "the period counts as not reported."
    )
    assert "累计数下降 3" in warnings[0].explain("zh-hans")


@given(st.lists(st.integers(0, 60), min_size=8, max_size=40))
def test_small_counts_are_never_a_jump(counts):
    assert jumps([float(c) for c in counts]) == ()


@given(st.lists(st.integers(0, 2000), min_size=8, max_size=30), st.integers(0, 29), st.integers(0, 4000))
def test_a_warning_does_not_depend_on_what_comes_after(counts, at, value):
    t = at % len(counts)
    changed = [*counts[: t + 1], *(value for _ in counts[t + 1 :])]
    before = [w for w in jumps([float(c) for c in counts]) if w.day < date(2000, 1, 3) + timedelta(days=t)]
    after = [w for w in jumps([float(c) for c in changed]) if w.day < date(2000, 1, 3) + timedelta(days=t)]
    assert before == after


def test_a_mark_that_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="ends before it begins"):
        detect_with_marks(twice, SERIES, marks=[Mark(days(5)[0], "correction", "", last=days(4)[0])])
    with pytest.raises(InputError, match="definition_change or a correction"):
        detect_with_marks(twice, SERIES, marks=[Mark(days(5)[0], "rumor", "")])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no series is called"):
        detect_with_marks(twice, SERIES, marks=[Mark(days(5)[0], "correction", "", series="x")])


def test_without_marks_the_detection_is_the_detectors_own():
    found = detect_with_marks(twice, SERIES, start=START)
    own = twice(found.detection.panel)
    assert np.array_equal(found.detection.alarm, own.alarm)
    assert np.array_equal(found.detection.reason, own.reason)
