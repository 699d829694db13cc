"""The life of a case as events, and the checks of its dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.cases.rules import (
    DATED,
    CaseFacts,
    Classification,
    ClearanceFacts,
    Moment,
    Outcome,
    Waits,
    check_dates,
    due_today,
    life,
    moment,
    waits_for,
)

TZ = ZoneInfo("Asia/Shanghai")
KNOWN = datetime(2020, 2, 20, 4, 0, tzinfo=UTC)


def facts(
    classification: str = "confirmed", *, outcome: str = "unknown", result: str = "", **days
) -> CaseFacts:
    moments = {name: moment(value, TZ) for name, value in days.items()}
    return CaseFacts(classification, KNOWN, moments, outcome, result)


def told(case: CaseFacts) -> list[tuple[str, str, str]]:
    return [(e.kind, e.at.astimezone(TZ).isoformat()[:16], e.precision) for e in life(case, TZ)]


def test_a_confirmed_case_opens_at_its_confirmation_and_is_admitted_when_it_was():
    case = facts(
        confirmation=date(2020, 2, 3), report=date(2020, 2, 3), admission=datetime(2020, 2, 3, 21, 5)
    )
    assert told(case) == [
        ("case.confirmed", "2020-02-03T00:00", "day"),
        ("case.reported", "2020-02-03T00:00", "day"),
        ("case.admitted", "2020-02-03T21:05", "minute"),
    ]


def test_a_case_diagnosed_before_it_was_confirmed_was_suspected_first():
    case = facts(diagnosis=date(2020, 2, 1), confirmation=date(2020, 2, 3), onset=date(2020, 1, 28))
    assert told(case) == [
        ("case.suspected", "2020-02-01T00:00", "day"),
        ("case.confirmed", "2020-02-03T00:00", "day"),
    ]


def test_suspected_in_the_morning_and_confirmed_in_the_evening_of_one_day_are_two_events():
    case = facts(diagnosis=datetime(2020, 2, 1, 9), confirmation=datetime(2020, 2, 1, 20))
    assert [kind for kind, _at, _p in told(case)] == ["case.suspected", "case.confirmed"]


def test_a_case_reported_before_its_diagnosis_was_known_since_the_report():
    case = facts(report=date(2015, 5, 19), confirmation=date(2015, 5, 20))
    assert told(case)[0] == ("case.suspected", "2015-05-19T00:00", "day")


def test_an_admission_before_the_case_was_known_stands_at_the_opening_and_says_since_when():
    case = facts(confirmation=date(2020, 2, 3), admission=date(2020, 1, 30))
    admitted = next(e for e in life(case, TZ) if e.kind == "case.admitted")
    assert admitted.at == life(case, TZ)[0].at
    assert admitted.data["since"].startswith("2020-01-30")


def test_onset_is_no_event():
    assert all("onset" not in e.kind for e in life(facts(onset=date(2020, 1, 1)), TZ))


def test_a_discarded_case_opens_and_closes():
    kinds = [
        kind for kind, _at, _p in told(facts("discarded", diagnosis=date(2020, 2, 1), outcome="unknown"))
    ]
    assert kinds == ["case.suspected", "case.discarded"]


def test_without_any_date_the_case_is_known_since_it_was_recorded():
    assert life(facts(), TZ)[0].at == KNOWN


moments = st.one_of(
    st.none(),
    st.dates(date(2019, 12, 1), date(2020, 3, 31)).map(Moment),
    st.datetimes(datetime(2019, 12, 1), datetime(2020, 3, 31)).map(lambda d: moment(d, TZ)),
)


@given(
    st.fixed_dictionaries(dict.fromkeys(DATED, moments)),
    st.sampled_from([c.value for c in Classification]),
    st.sampled_from([o.value for o in Outcome]),
    st.sampled_from(["", "positive", "negative"]),
)
def test_every_life_opens_first_and_never_speaks_of_a_time_before_its_opening(days, word, outcome, result):
    known = {name: m for name, m in days.items() if m is not None}
    events = life(CaseFacts(word, KNOWN, known, outcome, result), TZ)
    assert events[0].kind in ("case.suspected", "case.confirmed")
    assert all(e.at >= events[0].at for e in events)
    kinds = [e.kind for e in events]
    assert len(kinds) == len(set(kinds))
    assert kinds.count("case.confirmed") == (word in ("confirmed", "clinically_diagnosed", "asymptomatic"))
    assert ("case.discarded" in kinds) == (word == "discarded")
    assert all(e.precision in ("day", "minute") for e in events)


@given(st.fixed_dictionaries(dict.fromkeys(DATED, moments)))
def test_the_life_is_the_same_whatever_the_order_the_facts_were_told_in(days):
    known = {name: m for name, m in days.items() if m is not None}
    backwards = dict(reversed(list(known.items())))
    assert life(CaseFacts("confirmed", KNOWN, known), TZ) == life(
        CaseFacts("confirmed", KNOWN, backwards), TZ
    )


def test_a_date_in_the_future_is_an_error_and_names_the_field():
    issues = check_dates({"onset": date(2020, 3, 1)}, today=date(2020, 2, 20))
    assert [(i.level, i.field, i.rule) for i in issues] == [("error", "date_onset", "future")]
    assert str(issues[0]) == "2020-03-01 lies after today (2020-02-20)."


def test_an_odd_order_is_only_a_warning():
    issues = check_dates(
        {"onset": date(2020, 2, 10), "confirmation": date(2020, 2, 8)}, today=date(2020, 2, 20)
    )
    assert [(i.level, i.rule) for i in issues] == [("warning", "order")]


@pytest.mark.parametrize(("born", "rule"), [(date(2020, 2, 1), "before_birth"), (None, None)])
def test_nothing_happens_before_birth(born, rule):
    issues = check_dates({"onset": date(2020, 1, 1)}, today=date(2020, 2, 20), born=born)
    assert [i.rule for i in issues] == ([rule] if rule else [])


# --- same-day clearance (D0-07) ---------------------------------------------------------------------

DAY = datetime(2020, 2, 16, 16, 0, tzinfo=UTC)  # local midnight of 17 February


def at(clock: str) -> datetime:
    hour, minute = clock.split(":")
    return DAY + timedelta(hours=int(hour), minutes=int(minute))


def test_confirmations_at_00_01_15_00_and_23_50_stand_on_the_list_from_then_until_admitted():
    cases = {
        "night": ClearanceFacts(confirmed_at=at("0:01"), transferred_at=at("9:00"), admitted_at=at("10:00")),
        "noon": ClearanceFacts(confirmed_at=at("15:00")),
        "late": ClearanceFacts(confirmed_at=at("23:50")),
    }

    def remaining(clock: str) -> dict[str, Waits]:
        now = at(clock)
        found = {name: waits_for(f, now) for name, f in cases.items() if due_today(f, DAY, now)}
        return {name: waits for name, waits in found.items() if waits is not None}

    assert remaining("0:00") == {}
    assert remaining("8:00") == {"night": Waits.TRANSFER}
    assert remaining("9:30") == {"night": Waits.ADMISSION}
    assert remaining("12:00") == {}
    assert remaining("16:00") == {"noon": Waits.TRANSFER}
    assert set(remaining("23:59")) == {"noon", "late"}


def test_a_suspected_case_waits_for_a_sample_then_for_the_result():
    case = ClearanceFacts(suspected_at=at("8:00"), sampled_at=at("9:00"), tested_at=at("15:00"))
    assert [waits_for(case, at(t)) for t in ("8:30", "10:00", "15:00")] == [Waits.SAMPLE, Waits.RESULT, None]


def test_yesterdays_case_is_not_todays_to_clear():
    assert not due_today(ClearanceFacts(confirmed_at=DAY - timedelta(minutes=1)), DAY, at("12:00"))


def test_a_result_known_at_the_moment_of_opening_follows_the_opening():
    case = facts(result="positive", confirmation=date(2020, 2, 3))
    case = CaseFacts(
        case.classification, KNOWN, {**case.moments, "result": Moment(date(2020, 2, 3))}, "", "positive"
    )
    assert [kind for kind, _at, _p in told(case)] == ["case.confirmed", "case.tested"]
