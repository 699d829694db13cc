"""Curves by territory and period, and attack rates with their intervals."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bihuan.epi.curves import curve_table
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.proportions import attack_rate, attack_rates, exact, secondary_attack_rate, wilson

maybe_day = st.one_of(st.none(), st.dates(date(2019, 12, 1), date(2021, 2, 1)))
maybe_place = st.one_of(st.none(), st.sampled_from(["420106", "420107", "420602", "110101"]))


@given(
    st.lists(st.tuples(maybe_day, maybe_place)),
    st.sampled_from(["daily", "weekly", "monthly"]),
    st.sampled_from(["iso", "mmwr"]),
    st.sampled_from([None, "province", "city", 6]),
)
def test_a_table_of_curves_loses_nobody(rows, frequency, weeks, level):
    records = {"date_onset": [d for d, _ in rows], "territory_code": [p for _, p in rows]}
    found = curve_table(records, territory="territory_code", level=level, frequency=frequency, weeks=weeks)
    assert found.total + found.missing + found.outside + found.unplaced == len(rows)
    assert sum(row["n"] for row in found.rows()) == found.total
    assert "nan" not in found.explain() + found.explain("zh-hans")


@given(st.lists(maybe_day), st.dates(date(2020, 1, 1), date(2020, 3, 1)), st.integers(0, 40))
def test_days_outside_the_window_are_counted_apart(days, first, length):
    last = date.fromordinal(first.toordinal() + length)
    found = curve_table({"date_onset": days}, first=first, last=last, frequency="weekly")
    assert found.outside == sum(d is not None and not first <= d <= last for d in days)
    assert found.total + found.missing + found.outside == len(days)


def test_weeks_run_on_through_a_year_of_53_weeks():
    days = [date(2020, 12, 28), date(2021, 1, 3), date(2021, 1, 4)]
    found = curve_table({"date_onset": days}, frequency="weekly")
    assert [(r["period"], r["n"]) for r in found.rows()] == [("2020-W53", 2), ("2021-W01", 1)]
    assert found.is_last_partial
    american = curve_table({"date_onset": days}, frequency="weekly", weeks="mmwr")
    assert [(r["period"], r["n"]) for r in american.rows()] == [("2020-W53", 1), ("2021-W01", 2)]


def test_the_leap_day_is_a_day_of_its_own():
    found = curve_table({"date_report": [date(2020, 2, 28), date(2020, 3, 1)]}, by="date_report")
    assert [str(d) for d in found.starts] == ["2020-02-28", "2020-02-29", "2020-03-01"]
    assert found.panel().counts.tolist() == [[1, 0, 1]]


def test_territories_group_by_the_digits_of_their_code():
    records = {"date_onset": [date(2020, 2, 1)] * 4, "code": ["420106", "420107", "420602", None]}
    found = curve_table(records, territory="code", level="city")
    assert found.territories == ("4201", "4206")
    assert found.counts.sum(axis=1).tolist() == [2, 1]
    assert found.unplaced == 1


def test_an_empty_curve_is_a_sentence_and_no_panel():
    found = curve_table({"date_onset": [None, None]})
    assert found.explain() == "No record to draw by date_onset: 2 lack the date."
    with pytest.raises(NotEnoughData):
        found.panel()


def test_an_unknown_column_or_level_is_refused():
    with pytest.raises(InputError, match="no column date_visit; there are date_onset"):
        curve_table({"date_onset": []}, by="date_visit")
    with pytest.raises(InputError, match="level 'street'"):
        curve_table({"date_onset": [None], "t": ["1"]}, territory="t", level="street")
    with pytest.raises(InputError, match="must pair up"):
        curve_table({"date_onset": [None], "t": []}, territory="t")
    with pytest.raises(InputError, match="cannot be read"):
        curve_table({"date_onset": ["2021-02-29"]})
    with pytest.raises(InputError, match="frequency"):
        curve_table({"date_onset": [date(2020, 1, 1)]}, frequency="yearly")  # type: ignore[arg-type]


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_intervals_are_those_of_scipy(pair):
    n, of = pair
    test = stats.binomtest(n, of)
    for method, ours in (("wilson", wilson(n, of)), ("exact", exact(n, of))):
        theirs = test.proportion_ci(method=method)
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_an_attack_rate_says_its_interval_and_paper():
    found = attack_rate(15, 60)
    assert found.explain() == "Attack rate 25.0% (95% interval 15.8 to 37.2%, 15 of 60; Wilson 1927)."
    assert found.explain("zh-hans") == "罹患率 25.0%（95% 区间 15.8%～37.2%，15/60；Wilson 1927）。"
    assert attack_rate(0, 0).share is None
    assert "nobody at risk" in attack_rate(0, 0).explain()


def test_impossible_attack_rates_are_refused():
    with pytest.raises(InputError, match="a part cannot exceed the whole"):
        attack_rate(5, 4)
    with pytest.raises(InputError, match="whole number"):
        attack_rate(-1, 4)
    with pytest.raises(InputError, match="not wilson or exact"):
        attack_rate(1, 4, method="guess")  # type: ignore[arg-type]


def test_attack_rates_by_group_add_up():
    found = attack_rates(["a", "b", "a", "b"], [True, False, True, True])
    assert {k: (v.n, v.of) for k, v in found.items()} == {"a": (2, 2), "b": (1, 2)}


def test_index_and_coprimary_cases_are_not_their_own_secondary_cases():
    groups = ["h1"] * 5 + ["h2"] * 3 + ["h3"] * 2
    ill = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
    onset = [1.0, 2.0, 6.0, None, 40.0, 3.0, None, None, None, None]
    found = secondary_attack_rate(groups, ill, onset)
    assert (found.rate.n, found.rate.of) == (1, 5)
    assert (found.groups, found.index, found.coprimary, found.undated) == (2, 2, 1, 0)
    assert "1 co-primary" in found.explain()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.one_of(st.none(), st.integers(0, 40)))))
def test_nobody_is_lost_between_the_parts_of_a_secondary_attack_rate(rows):
    groups, ill, onset = ([r[i] for r in rows] for i in range(3))
    found = secondary_attack_rate(groups, ill, [float(o) if o is not None else None for o in onset])
    told = {g for g, i, o in rows if i and o is not None}
    people = sum(g in told for g in groups)
    assert found.rate.of + found.index + found.coprimary + found.undated == people
