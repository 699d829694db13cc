"""Epidemiological weeks: against Python's own ISO calendar, CDC's published week ends, and the oracle."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.epi.calendar import EpiWeek, epiweek, epiweeks, week_starts, weeks_in_years
from bihuan.epi.errors import InputError
from bihuan.epi.oracles import find_cases, run_case

any_day = st.dates(date(1900, 1, 1), date(2200, 12, 31))


@given(any_day)
def test_iso_weeks_are_those_of_the_standard_library(day):
    year, week, _ = day.isocalendar()
    assert epiweek(day) == EpiWeek(year, week)


@given(any_day)
def test_the_mmwr_week_of_a_day_is_the_iso_week_of_the_day_after_or_its_neighbor(day):
    mine = epiweek(day, system="mmwr")
    assert mine.first.isoweekday() == 7
    assert mine.first <= day <= mine.last
    days_in_year = sum((mine.first + timedelta(days=i)).year == mine.year for i in range(7))
    assert days_in_year >= 4


@given(any_day, st.sampled_from(["iso", "mmwr"]))
def test_seven_days_on_is_the_next_week_or_week_one(day, system):
    now, then = epiweek(day, system=system), epiweek(day + timedelta(days=7), system=system)
    last = int(weeks_in_years([now.year], system=system)[0])
    assert (then.year, then.week) == ((now.year, now.week + 1) if now.week < last else (now.year + 1, 1))


@pytest.mark.parametrize(
    ("end", "year", "week"),
    [
        ("2015-01-03", 2014, 53),  # CDC's table of week ending dates
        ("2020-02-29", 2020, 9),
        ("2021-01-02", 2020, 53),
        ("2021-01-09", 2021, 1),
        ("2024-12-28", 2024, 52),
    ],
)
def test_week_ends_published_by_cdc(end, year, week):
    assert epiweek(end, system="mmwr") == EpiWeek(year, week, "mmwr")


def test_years_of_53_weeks():
    assert list(weeks_in_years([2004, 2009, 2015, 2019, 2020, 2021])) == [53, 53, 53, 52, 53, 52]
    assert list(weeks_in_years([2008, 2014, 2020, 2025, 2015], system="mmwr")) == [53, 53, 53, 53, 52]


def test_a_week_its_year_does_not_have_is_refused():
    with pytest.raises(InputError, match="2021 has no week 53: its weeks run from 1 to 52"):
        week_starts([2021], [53])
    with pytest.raises(InputError, match="no week 0"):
        week_starts([2021], [0])


def test_an_empty_or_unreadable_date_and_an_unknown_system_are_refused():
    with pytest.raises(InputError, match="date 2 is empty"):
        epiweeks([date(2020, 1, 1), None])
    with pytest.raises(InputError, match="cannot be read"):
        epiweeks(["2021-02-29"])
    with pytest.raises(InputError, match="iso or mmwr"):
        epiweek("2020-01-01", system="julian")  # type: ignore[arg-type]


def test_a_week_says_its_days_in_both_languages():
    week = epiweek("2020-01-23")
    assert str(week) == "2020-W04"
    assert week.explain() == "week 4 of 2020 (ISO), 2020-01-20 to 2020-01-26"
    assert week.explain("zh-hans") == "2020 年第 4 周（ISO），2020-01-20 至 2020-01-26"


def test_the_reference_weeks_agree(shared):
    cases = [c for c in find_cases(shared / "oracles" / "analytics") if c.kind == "epiweeks"]
    assert cases
    assert [(c.name, str(d)) for c in cases for d in run_case(c)] == []
