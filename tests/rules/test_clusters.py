"""Clusters: attack rates, what may be published, which cases look like one event, roles."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.tracing.rules.clusters import Because, Role, protected, published_rate, rate_of, roles_of, suggest

DAY = date(2020, 1, 20)


def day(n: int) -> date:
    return DAY + timedelta(days=n)


def test_the_attack_rate_is_of_all_exposed_with_wilsons_interval():
    rate = rate_of(6, 20).shown
    assert rate is not None
    assert (rate.share, round(rate.low or 0, 3), round(rate.high or 0, 3)) == (0.3, 0.145, 0.519)


@pytest.mark.parametrize(("cases", "exposed", "contradicts"), [(3, None, False), (5, 4, True), (3, 0, False)])
def test_without_a_true_number_of_exposed_there_is_no_rate(
    cases: int, exposed: int | None, contradicts: bool
):
    rate = rate_of(cases, exposed)
    assert rate.shown is None
    assert rate.contradicts is contradicts


@pytest.mark.parametrize(
    ("cases", "exposed", "leaves"),
    [(4, 200, False), (5, 200, True), (8, 10, False), (8, 8, True), (0, 30, True)],
)
def test_a_rate_that_would_tell_of_a_few_does_not_leave_the_house(cases: int, exposed: int, leaves: bool):
    assert (published_rate(rate_of(cases, exposed)) is not None) is leaves


def test_nothing_and_enough_may_be_told():
    assert [protected(n) for n in (0, 1, 4, 5)] == [0, None, None, 5]


def test_cases_of_one_place_far_apart_in_time_are_two_suggestions():
    days = {"a": day(0), "b": day(3), "c": day(40), "d": day(41)}
    found = suggest({(Because.PLACE, "L"): "abcd"}, days, [], within_days=14)
    assert [one.cases for one in found] == [("a", "b"), ("c", "d")]
    assert (found[0].first, found[0].last) == (day(0), day(3))


def test_what_is_a_cluster_already_is_not_suggested_again():
    days = {"a": day(0), "b": day(1), "c": day(2)}
    groups = {(Because.LINKS, "a"): "ab", (Because.PLACE, "L"): "abc", (Because.SETTING, "x"): "cba"}
    found = suggest(groups, days, [frozenset("ab")], within_days=14)
    assert [(one.because, one.cases) for one in found] == [(Because.PLACE, ("a", "b", "c"))]


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.none() | st.integers(0, 60).map(day)),
    st.integers(1, 20),
)
def test_every_suggested_case_is_suggested_once_and_no_gap_is_wider_than_asked(
    days: dict[str, date | None], within: int
):
    found = suggest({(Because.SETTING, "x"): days}, days, [], within_days=within)
    listed = [case for one in found for case in one.cases]
    assert len(listed) == len(set(listed))
    for one in found:
        known = sorted(d for case in one.cases if (d := days[case]) is not None)
        assert all((b - a).days <= within for a, b in itertools.pairwise(known))


def test_roles_are_guessed_from_onsets_and_from_who_was_seen_first():
    found = roles_of(
        [("a", day(0), day(9)), ("b", day(1), day(8)), ("c", day(6), day(7)), ("d", None, day(12))]
    )
    assert found == {"a": Role.PRIMARY, "b": Role.CO_PRIMARY, "c": Role.INDEX, "d": Role.UNKNOWN}
