"""7-1-7 and the indicators of contact tracing."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.epi.errors import InputError
from bihuan.epi.indicators import seven_one_seven, tracing_indicators
from bihuan.epi.indicators.seven_one_seven import ACTIONS, TARGETS

DAY = date(2020, 2, 1)


def days(*offsets: int | None) -> list[date | None]:
    return [None if n is None else DAY + timedelta(days=n) for n in offsets]


def test_each_step_is_judged_by_its_own_days():
    found = seven_one_seven(days(0, 0), days(7, 8), days(8, 8), days(15, 16), names=["a", "b"])
    assert [e.met for e in found.events] == [
        {"detect": True, "notify": True, "respond": True},
        {"detect": False, "notify": True, "respond": False},
    ]
    assert found.shares["all"].n == 1
    assert found.events[1].bottleneck in ("detect", "respond")
    assert "all three met 1/2" in found.explain()
    assert "三项全部达标 1/2" in found.explain("zh-hans")


def test_a_step_not_done_is_open_until_its_time_is_over():
    early = seven_one_seven(days(0), days(2), days(None), days(None), as_of=DAY + timedelta(days=2))
    late = seven_one_seven(days(0), days(2), days(None), days(None), as_of=DAY + timedelta(days=4))
    assert early.events[0].met["notify"] is None
    assert late.events[0].met["notify"] is False
    assert late.events[0].met["respond"] is None


def test_what_lies_after_the_moment_is_not_known_yet():
    found = seven_one_seven(days(0), days(2), days(3), days(9), as_of=DAY + timedelta(days=3))
    assert found.events[0].days == {"detect": 2, "notify": 1, "respond": None}


def test_the_response_is_complete_with_its_last_applicable_action():
    response = {action: days(n) for n, action in enumerate(ACTIONS, start=2)}
    response["community_engagement"] = ["n/a"]
    found = seven_one_seven(days(0), days(1), days(2), response)
    assert found.events[0].days["respond"] == 6
    del response["coordination"]
    still = seven_one_seven(days(0), days(1), days(2), response)
    assert still.events[0].open_actions == ("coordination",)
    assert still.events[0].met["respond"] is None


def test_hours_count_where_instants_are_given():
    at = datetime(2020, 2, 1, 8)
    found = seven_one_seven(
        [at], [at + timedelta(hours=5)], [at + timedelta(hours=30)], [at + timedelta(days=8)]
    )
    assert found.events[0].met["notify"] is False


def test_an_order_that_cannot_be_or_an_unknown_action_is_refused():
    with pytest.raises(InputError, match="event 1: detection comes before emergence"):
        seven_one_seven(days(3), days(1), days(4), days(5))
    with pytest.raises(InputError, match="not an early-response action"):
        seven_one_seven(days(0), days(1), days(2), {"coffee": days(1)})
    with pytest.raises(InputError, match="must pair up"):
        seven_one_seven(days(0, 1), days(1), days(2, 3), days(3, 4))


steps = st.one_of(st.none(), st.integers(0, 12))


@given(st.lists(st.tuples(steps, steps, steps), max_size=8), st.integers(-300, 300))
def test_shifting_all_dates_changes_no_verdict(rows, shift):
    def verdicts(by: int) -> list[dict[str, bool | None]]:
        chain = [[by, *(None if n is None else by + 20 * i + n for i, n in enumerate(r))] for r in rows]
        columns = [days(*(c[i] for c in chain)) for i in range(4)]
        return [e.met for e in seven_one_seven(*columns).events]

    assert verdicts(0) == verdicts(shift)
    assert set(TARGETS) == {"detect", "notify", "respond"}


def at(hours: float | None) -> datetime | None:
    return None if hours is None else datetime(2020, 2, 1) + timedelta(hours=hours)


def test_timely_shares_count_met_missed_pending_and_unknown_apart():
    cases = {
        "sampled_at": [at(0), at(0), at(0), at(40), None],
        "reported_at": [at(10), at(30), None, None, at(5)],
    }
    one = tracing_indicators(cases, as_of=at(48.5))["reported_24h"]
    assert (one.share.n, one.share.of, one.pending, one.unknown) == (1, 3, 1, 1)
    assert one.explain().startswith("Cases reported within 24 h of the specimen: 33.3% [1/3]")


def test_dates_alone_count_as_in_time_through_the_next_day():
    cases = {"sampled_at": days(0, 0, 0), "result_at": days(0, 1, 2)}
    one = tracing_indicators(cases)["result_24h"]
    assert (one.share.n, one.share.of, one.met) == (2, 3, False)


def test_both_the_interview_and_the_isolation_must_be_in_time():
    cases = {
        "reported_at": [at(0)] * 3,
        "interviewed_at": [at(5), at(5), at(30)],
        "isolated_at": [at(20), None, at(2)],
    }
    one = tracing_indicators(cases)["interviewed_isolated_24h"]
    assert (one.share.n, one.share.of) == (1, 3)


def test_a_case_is_traced_when_its_last_contact_is_quarantined_in_time():
    cases = {"case_id": ["a", "b", "c", "d"], "confirmed_at": [at(0)] * 4}
    contacts = {
        "case_id": ["a", "a", "b", "b", "c", "x"],
        "quarantined_at": [at(10), at(70), at(5), at(80), None, at(1)],
    }
    one = tracing_indicators(cases, contacts)["traced_72h"]
    assert (one.share.n, one.share.of, one.unknown) == (1, 3, 1)
    running = tracing_indicators(cases, contacts, as_of=at(24.5))["traced_72h"]
    assert running.pending == 3


def test_shares_of_flags_and_counts_meet_their_targets():
    cases = {
        "n_contacts": [3, 0, 4, None, 1],
        "was_quarantined_contact": [True, True, True, True, False],
        "interviewed_at": [at(1), at(2), None, at(4), at(5)],
        "reported_at": days(0, 0, 8, 9, 10),
        "is_linked": [False, True, True, True, True],
        "onset_at": days(0, 0, 1, 2, None),
        "isolated_at": days(3, 5, 4, 2, 6),
    }
    contacts = {"became_case": [True, False, True, None]}
    found = tracing_indicators(cases, contacts)
    assert found["contacts_named"].share.share == 0.75
    assert found["no_contact_named"].met is False
    assert found["from_quarantine"].met is True
    assert found["needed_to_interview"].value == 2
    assert found["unlinked"].met is True
    assert (found["unlinked"].value, found["unlinked"].before) == (0.0, 0.5)
    assert found["onset_to_isolation"].value == 3
    assert found["interviewed"].met is False


def test_follow_up_positivity_and_decline():
    follow_ups = {"day": days(0, 1), "due": [100, 100], "done": [85, 80]}
    tests = {"day": days(*range(14)), "tested": [100] * 14, "positive": [4] * 13 + [5]}
    cases = {"reported_at": days(*[0] * 10, *[21] * 4)}
    found = tracing_indicators(cases, follow_ups=follow_ups, tests=tests)
    assert found["followed_up"].met is True
    assert found["positivity"].met is True
    assert found["decline"].value == pytest.approx(0.6)
    short = tracing_indicators({}, tests={k: v[:5] for k, v in tests.items()})
    assert "5 of the 14 days" in short["positivity"].explain()


def test_an_indicator_without_its_column_says_which():
    found = tracing_indicators({})
    assert all(one.met is None for one in found.items)
    assert "there is no column cases.sampled_at" in found["reported_24h"].explain()
    assert "没有 cases.sampled_at 列" in found["reported_24h"].explain("zh-hans")
    assert len(list(found.rows())) == len(found.items)


def test_nothing_recorded_is_not_assessed_and_never_nan():
    columns = ("case_id", "onset_at", "sampled_at", "result_at", "reported_at", "confirmed_at", "is_linked")
    found = tracing_indicators({name: [] for name in columns})
    assert "nan" not in (found.explain() + found.explain("zh-hans")).lower()


def test_columns_of_different_length_and_impossible_counts_are_refused():
    with pytest.raises(InputError, match="differ in length"):
        tracing_indicators({"sampled_at": [None], "reported_at": []})
    with pytest.raises(InputError, match="negative count"):
        tracing_indicators({"n_contacts": [-1]})
    with pytest.raises(InputError, match="more positive than tested"):
        tracing_indicators({}, tests={"day": days(0), "tested": [1], "positive": [2]})
