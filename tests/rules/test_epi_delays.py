"""Delays and curves against the plainest computation there is."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.epi.curves import curves_by, epidemic_curve, moving_average
from bihuan.epi.delays import delays, median_by_day, quantile, summarize, summarize_by

maybe = st.one_of(st.none(), st.dates(date(2019, 12, 1), date(2020, 6, 1)))


@given(st.lists(st.tuples(maybe, maybe)))
def test_the_median_equals_a_direct_computation_and_missing_is_missing(pairs):
    known = [(b - a).days for a, b in pairs if a is not None and b is not None]
    found = summarize(delays([a for a, _ in pairs], [b for _, b in pairs]))
    assert found.n == len(known)
    assert found.missing == len(pairs) - len(known)
    assert found.negative == sum(d < 0 for d in known)
    assert found.median == (statistics.median(known) if known else None)
    assert found.missing_share == (found.missing / len(pairs) if pairs else None)


def test_a_missing_date_is_not_a_delay_of_zero():
    found = summarize(delays([date(2020, 1, 1), None], [date(2020, 1, 1), date(2020, 1, 2)]))
    assert (found.n, found.missing, found.median) == (1, 1, 0.0)


def test_the_ninetieth_percentile_interpolates():
    start = [date(2020, 1, 1)] * 11
    end = [date(2020, 1, 1) + timedelta(days=n) for n in range(11)]
    assert summarize(delays(start, end)).p90 == 9.0
    assert quantile(delays(start, end), 0.95) == pytest.approx(9.5)


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="must pair up"):
        delays([date(2020, 1, 1)], [])


@given(st.lists(st.tuples(st.sampled_from("abc"), maybe, maybe)))
def test_groups_add_up_to_the_whole(rows):
    days = delays([a for _, a, _ in rows], [b for _, _, b in rows])
    parts = summarize_by([g for g, _, _ in rows], days)
    assert sum(p.total for p in parts.values()) == len(rows)
    assert sum(p.n for p in parts.values()) == summarize(days).n


@given(st.lists(maybe))
def test_a_curve_loses_nobody(dates):
    curve = epidemic_curve(dates)
    assert curve.total + curve.missing + curve.outside == len(dates)
    counts = Counter(d for d in dates if d is not None)
    assert {day: n for day, n in zip(curve.days, curve.counts, strict=True) if n} == dict(counts)
    assert (
        list(curve.days) == [curve.days[0] + timedelta(days=i) for i in range(len(curve.days))]
        if curve.days
        else True
    )


@given(st.lists(maybe), st.dates(date(2020, 1, 1), date(2020, 2, 1)), st.integers(-3, 40))
def test_a_window_counts_what_lies_outside_it(dates, first, length):
    curve = epidemic_curve(dates, first, first + timedelta(days=length))
    assert curve.total + curve.missing + curve.outside == len(dates)
    assert len(curve.days) == max(length + 1, 0)


@given(st.lists(st.tuples(st.sampled_from("ab"), maybe)))
def test_stacked_curves_share_their_days(rows):
    parts = curves_by([g for g, _ in rows], [d for _, d in rows])
    assert len({c.days for c in parts.values()}) <= 1
    assert sum(c.total + c.missing for c in parts.values()) == len(rows)


def test_a_moving_average_begins_with_the_days_there_are():
    assert moving_average([1, 2, 3, 4], 3) == (1.0, 1.5, 2.0, 3.0)
    assert moving_average([], 7) == ()


def test_the_trend_has_one_summary_a_day():
    on = [date(2020, 1, 2), None, date(2020, 1, 1), date(2020, 1, 2)]
    trend = median_by_day(on, delays([date(2020, 1, 1)] * 4, [date(2020, 1, n) for n in (3, 4, 5, 6)]))
    assert [(day, s.n, s.median) for day, s in trend] == [
        (date(2020, 1, 1), 1, 4.0),
        (date(2020, 1, 2), 2, 3.5),
    ]
