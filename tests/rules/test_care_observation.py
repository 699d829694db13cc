"""How long observation lasts, when it may end, and what a reading means."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.care.rules import (
    EARLY_REASONS,
    DecisionRecord,
    ReleaseFacts,
    ReleaseReason,
    answer_due,
    check_record,
    exposure_day,
    is_lapsed,
    is_symptomatic,
    last_day,
    longest,
    may_release,
    observation,
    stage_day,
    test_days,
)
from bihuan.tracing.rules import later_exposure

TZ = ZoneInfo("Asia/Shanghai")
days = st.dates(date(2019, 12, 1), date(2024, 12, 31))
lengths = st.integers(0, 28)


@pytest.mark.parametrize(
    ("exposed", "last"),
    [
        (date(2020, 2, 12), date(2020, 2, 26)),
        (date(2020, 2, 15), date(2020, 2, 29)),  # leap day is a day
        (date(2020, 2, 16), date(2020, 3, 1)),
        (date(2019, 2, 15), date(2019, 3, 1)),  # no leap day
        (date(2019, 12, 20), date(2020, 1, 3)),  # over the year's end
    ],
)
def test_fourteen_days_from_the_last_exposure_end_with_exposure_day_fourteen(exposed, last):
    plan = observation(last_exposure=exposed, started=exposed + timedelta(days=2), days=14, tz=TZ)
    assert plan.last == last
    assert exposure_day(plan.last, exposed) == 14
    assert plan.ends_at == datetime.combine(last + timedelta(days=1), datetime.min.time(), tzinfo=TZ)


def test_without_an_exposure_date_the_first_day_is_day_one():
    plan = observation(last_exposure=None, started=date(2020, 2, 14), days=14, tz=TZ)
    assert (stage_day(plan.first, plan.first), plan.last) == (1, date(2020, 2, 27))
    assert plan.days_left_from == 14


@given(days, lengths)
def test_the_last_day_is_as_many_days_away_as_the_order_is_long(exposed, n):
    assert (last_day(exposed, n) - exposed).days == n


@given(days, st.integers(0, 10), lengths)
def test_an_order_never_lasts_beyond_the_midnight_after_its_last_day(exposed, delay, n):
    plan = observation(last_exposure=exposed, started=exposed + timedelta(days=delay), days=n, tz=TZ)
    inside = datetime.combine(plan.last, datetime.max.time(), tzinfo=TZ)
    assert inside < plan.ends_at <= inside + timedelta(seconds=1)


@given(st.lists(days, min_size=1))
def test_the_longest_obligation_wins(ends):
    assert longest(ends) == max(ends)


@given(days, st.integers(0, 14), st.lists(st.integers(1, 30), max_size=6))
def test_every_test_day_lies_within_the_order_and_none_is_lost_but_by_falling_together(
    first, length, numbers
):
    last = first + timedelta(days=length)
    found = test_days(numbers, first=first, last=last)
    assert list(found) == sorted(set(found))
    assert all(first <= day <= last for day in found)
    assert bool(found) == bool(numbers)
    assert {stage_day(day, first) for day in found if day < last} == {n for n in numbers if n - 1 < length}


def test_a_test_day_after_the_end_is_held_on_the_last_day():
    assert test_days([1, 4, 7, 14], first=date(2020, 2, 14), last=date(2020, 2, 26)) == (
        date(2020, 2, 14),
        date(2020, 2, 17),
        date(2020, 2, 20),
        date(2020, 2, 26),
    )


@given(st.one_of(st.none(), days), st.one_of(st.none(), days))
def test_observation_restarts_only_when_a_later_exposure_moves_the_last(known, new):
    after = later_exposure(known, new)
    assert after in (known, new)
    assert all(after >= day for day in (known, new) if day is not None)


# --- release ----------------------------------------------------------------------------------------

LAST = date(2020, 2, 26)
END = datetime(2020, 2, 26, 16, 0, tzinfo=UTC)


def release_facts(now: datetime, **more) -> ReleaseFacts:
    return ReleaseFacts(now=now, today=now.astimezone(TZ).date(), last=LAST, ends_at=END, **more)


NOON_OF_LAST = datetime(2020, 2, 26, 4, 0, tzinfo=UTC)


def codes(decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def test_on_the_last_day_after_a_negative_test_the_person_is_released():
    decision = may_release(release_facts(NOON_OF_LAST, tests={LAST: "negative"}))
    assert (decision.allowed, codes(decision)) == (True, ["completed"])


def test_on_the_last_day_before_the_test_the_person_is_not_released_yet():
    decision = may_release(release_facts(NOON_OF_LAST, tests={LAST: ""}))
    assert (decision.allowed, codes(decision)) == (False, ["test_missing"])
    assert str(decision.reasons[0]) == "The test of 2020-02-26 has no result."


def test_a_day_early_is_too_early():
    decision = may_release(release_facts(NOON_OF_LAST - timedelta(days=1)))
    assert (decision.allowed, codes(decision)) == (False, ["too_early"])


def test_nobody_is_held_beyond_the_end_even_if_a_test_was_never_done():
    decision = may_release(release_facts(END, tests={LAST: ""}))
    assert decision.allowed
    assert codes(decision) == ["end_reached", "test_missing"]


def test_a_longer_obligation_holds():
    other = LAST + timedelta(days=3)
    assert codes(may_release(release_facts(NOON_OF_LAST, other_last=other))) == ["other_obligation"]
    assert not may_release(release_facts(END, other_last=other))


@pytest.mark.parametrize("reason", sorted(EARLY_REASONS))
def test_an_early_reason_releases_at_once(reason):
    assert may_release(release_facts(NOON_OF_LAST - timedelta(days=10)), reason)


def test_an_excluded_source_does_not_free_who_is_bound_by_another_exposure():
    facts = release_facts(NOON_OF_LAST, other_last=LAST)
    assert codes(may_release(facts, ReleaseReason.SOURCE_EXCLUDED)) == ["other_obligation"]


@given(
    st.datetimes(datetime(2020, 2, 1), datetime(2020, 3, 20)),
    st.dictionaries(
        st.dates(date(2020, 2, 10), LAST), st.sampled_from(["", "negative", "positive", "inconclusive"])
    ),
    st.booleans(),
)
def test_a_release_always_has_a_reason_and_after_the_end_it_is_never_refused(local, tests, ill):
    now = local.replace(tzinfo=TZ)
    decision = may_release(release_facts(now, tests=tests, symptoms_open=ill))
    assert decision.reasons
    assert decision.clause
    assert decision.rule
    if now >= END:
        assert decision.allowed
    elif now.date() < LAST or ill or any(r != "negative" for r in tests.values()):
        assert not decision.allowed
    else:
        assert decision.allowed


# --- readings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "symptoms", "ill"),
    [
        (37.3, (), True),
        (37.2, (), False),
        (36.5, ("cough",), True),
        (None, (), False),
        (None, ("fever",), True),
    ],
)
def test_fever_or_a_symptom_obliges_to_act_at_once(value, symptoms, ill):
    decision = is_symptomatic(value, symptoms, 37.3)
    assert decision.allowed is ill
    assert decision.reasons


# --- the decision record ----------------------------------------------------------------------------

COMPLETE = DecisionRecord(
    proposer="Chen",
    evidence="K-1",
    rule="observation.days",
    clause="D1-29",
    approver="Liu",
    start_at=datetime(2020, 2, 14, tzinfo=UTC),
    end_at=END,
    review_on=date(2020, 2, 20),
)


def test_a_complete_record_is_complete():
    assert check_record(COMPLETE) == []


@pytest.mark.parametrize(
    "part", ["proposer", "evidence", "rule", "clause", "approver", "start_at", "end_at", "review_on"]
)
def test_no_control_without_any_part_of_its_decision_record(part):
    empty = None if part in ("start_at", "end_at", "review_on") else "  "
    values = {name: getattr(COMPLETE, name) for name in COMPLETE.__slots__} | {part: empty}
    assert [m.field for m in check_record(DecisionRecord(**values))] == [part]


def test_an_order_cannot_end_before_it_starts():
    values = {name: getattr(COMPLETE, name) for name in COMPLETE.__slots__} | {"end_at": COMPLETE.start_at}
    assert "end_at" in [m.field for m in check_record(DecisionRecord(**values))]


# --- appeals ----------------------------------------------------------------------------------------


@given(st.datetimes(datetime(2020, 1, 1), datetime(2021, 1, 1)), st.integers(1, 96), st.integers(-200, 200))
def test_an_appeal_lapses_exactly_when_nobody_answered_by_its_deadline(filed, hours, minutes):
    filed = filed.replace(tzinfo=UTC)
    due = answer_due(filed, hours)
    now = due + timedelta(minutes=minutes)
    assert is_lapsed(due, None, now) is (minutes > 0)
    assert not is_lapsed(due, due, now)
