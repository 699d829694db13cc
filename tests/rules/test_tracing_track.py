"""Tracks day by day: what is told, what is missing, what cannot be; held against counting minutes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bihuan.tracing.rules.asked_window import Anchors, WindowPolicy, asked_window, local_days
from bihuan.tracing.rules.track import (
    PARTS,
    Certainty,
    ConflictKind,
    Precision,
    Span,
    Stay,
    complement,
    conflicts,
    days_of,
    distance_km,
    span_of_day,
    span_of_part,
    union,
    untold,
)

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
ZERO = datetime(2020, 3, 28, 16, tzinfo=UTC)  # midnight in Shanghai; Berlin turns its clocks on the 29th
MINUTE = timedelta(minutes=1)


def at(minute: int) -> datetime:
    return ZERO + minute * MINUTE


spans = st.builds(lambda a, n: Span(at(a), at(a + n)), st.integers(-600, 4000), st.integers(0, 900))
stays = st.builds(
    lambda a, n, c: Stay(a, at(a), at(a + n) if n else None, certainty=c),
    st.integers(-600, 4000),
    st.integers(0, 900),
    st.sampled_from(Certainty),
)


def minutes(found: list[Span]) -> set[int]:
    return {
        m
        for span in found
        for m in range(int((span.since - ZERO) / MINUTE), int((span.until - ZERO) / MINUTE))
    }


@given(st.lists(spans, max_size=12))
def test_the_union_covers_the_same_minutes_in_spans_apart(given_spans: list[Span]) -> None:
    found = union(given_spans)
    assert minutes(found) == minutes(given_spans)
    assert all(a.until < b.since for a, b in pairwise(found))
    assert union(found) == found


@given(st.lists(spans, max_size=12), st.integers(0, 3000), st.integers(1, 2000))
def test_what_is_told_and_what_is_missing_are_the_whole(given_spans: list[Span], a: int, n: int) -> None:
    whole = Span(at(a), at(a + n))
    gaps = complement(given_spans, within=whole)
    told = minutes(given_spans) & minutes([whole])
    assert minutes(gaps) | told == minutes([whole])
    assert not minutes(gaps) & told


@given(st.lists(stays, max_size=10), st.integers(1, 4000), st.sampled_from([SHANGHAI, BERLIN]))
def test_days_follow_each_other_and_nothing_is_lost_at_midnight(
    given_stays: list[Stay], n: int, tz: ZoneInfo
) -> None:
    days = days_of(given_stays, since=ZERO, until=at(n), tz=tz, gap=MINUTE)
    assert (days[0].since, days[-1].until) == (ZERO, at(n))
    assert all(a.until == b.since for a, b in pairwise(days))
    assert len({day.day for day in days}) == len(days)
    solid = [s.span for s in given_stays if s.certainty != Certainty.UNCONFIRMED]
    told = [span for day in days for span in day.told]
    gaps = [span for day in days for span in day.gaps]
    assert minutes(told) == minutes(solid) & minutes([Span(ZERO, at(n))])
    assert minutes(gaps) == minutes([Span(ZERO, at(n))]) - minutes(told)


@given(st.lists(stays, max_size=10), st.integers(1, 4000), st.integers(1, 900))
def test_short_gaps_are_not_shown_and_long_ones_are(given_stays: list[Stay], n: int, gap: int) -> None:
    def shown(least: int) -> set[int]:
        days = days_of(given_stays, since=ZERO, until=at(n), tz=SHANGHAI, gap=least * MINUTE)
        return minutes([span for day in days for span in day.gaps])

    every = complement(
        [s.span for s in given_stays if s.certainty != Certainty.UNCONFIRMED], within=Span(ZERO, at(n))
    )
    assert shown(gap) == minutes([span for span in every if span.length >= gap * MINUTE])


def test_a_gap_over_midnight_is_one_gap() -> None:
    evening = Stay(1, at(0), at(22 * 60))
    morning = Stay(2, at(26 * 60), at(48 * 60))
    days = days_of([evening, morning], since=at(0), until=at(48 * 60), tz=SHANGHAI, gap=4 * 60 * MINUTE)
    assert [len(day.gaps) for day in days] == [1, 1]
    assert not any(
        day.gaps
        for day in days_of(
            [evening, morning], since=at(0), until=at(48 * 60), tz=SHANGHAI, gap=(4 * 60 + 1) * MINUTE
        )
    )


def test_a_forwarded_code_tells_nothing_of_a_day() -> None:
    scan = Stay(1, at(600), None, certainty=Certainty.UNCONFIRMED)
    days = days_of([scan], since=at(0), until=at(1440), tz=SHANGHAI, gap=MINUTE)
    assert untold(days) == [date(2020, 3, 29)]
    assert days[0].stays == (1,)
    entry = Stay(1, at(600), None, certainty=Certainty.LIKELY)
    assert not untold(days_of([entry], since=at(0), until=at(1440), tz=SHANGHAI, gap=MINUTE))


def test_an_entry_at_midnight_belongs_to_the_day_that_begins() -> None:
    days = days_of([Stay(1, at(1440), None)], since=at(0), until=at(2880), tz=SHANGHAI, gap=MINUTE)
    assert [day.is_told for day in days] == [False, True]
    days = days_of([Stay(1, at(0), at(1440))], since=at(0), until=at(2880), tz=SHANGHAI, gap=MINUTE)
    assert [day.is_told for day in days] == [True, False]


def test_the_parts_of_a_day_are_the_day_also_where_clocks_are_turned() -> None:
    for tz, hours in ((SHANGHAI, 24), (BERLIN, 23)):
        whole = span_of_day(date(2020, 3, 29), tz=tz)
        parts = [span_of_part(date(2020, 3, 29), part, tz=tz) for part in PARTS]
        assert union(parts) == [whole]
        assert whole.length == timedelta(hours=hours)


def test_nobody_is_in_two_places_at_once() -> None:
    home = Stay(1, at(0), at(120), place="home")
    shop = Stay(2, at(90), at(100), place="shop")
    found = conflicts([home, shop])
    assert [(c.kind, c.first, c.second) for c in found] == [(ConflictKind.TWO_PLACES, 1, 2)]
    assert not conflicts([home, Stay(2, at(120), at(130), place="shop")])
    assert not conflicts([home, Stay(2, at(90), at(100), place="home")])
    assert not conflicts([home, Stay(2, at(90), None, place="", precision=Precision.MINUTE)])
    assert not conflicts([home, Stay(2, at(0), at(1440), place="town", precision=Precision.DAY)])


def test_a_code_scanned_elsewhere_in_the_midst_of_a_stay_is_a_second_place() -> None:
    home = Stay(1, at(0), at(120), place="home")
    found = conflicts([home, Stay(2, at(60), None, place="shop")])
    assert [(c.first, c.second, c.since) for c in found] == [(1, 2, at(60))]
    assert not conflicts([home, Stay(2, at(120), None, place="shop")])


def test_nobody_travels_faster_than_an_airliner() -> None:
    wuhan, beijing = (30.59, 114.31), (39.90, 116.41)
    assert 1040 < distance_km(wuhan, beijing) < 1070
    a = Stay(1, at(0), at(60), place="w", at=wuhan)
    assert [c.kind for c in conflicts([a, Stay(2, at(90), at(100), place="b", at=beijing)])] == [
        ConflictKind.TOO_FAST
    ]
    assert not conflicts([a, Stay(2, at(60 + 120), at(300), place="b", at=beijing)])


def midst(a: Stay, b: Stay) -> bool:
    return any(
        x.until is None and y.until is not None and y.since < x.since < y.until for x, y in ((a, b), (b, a))
    )


@given(st.lists(stays, max_size=8))
def test_conflicts_come_in_pairs_and_in_order(given_stays: list[Stay]) -> None:
    placed = [
        Stay(i, s.since, s.until, place=str(i % 3), certainty=s.certainty) for i, s in enumerate(given_stays)
    ]
    found = conflicts(placed)
    expected = {
        frozenset((a.key, b.key))
        for a in placed
        for b in placed
        if a.key < b.key and a.place != b.place and (minutes([a.span]) & minutes([b.span]) or midst(a, b))
    }
    assert {frozenset((c.first, c.second)) for c in found} == expected
    assert [c.since for c in found] == sorted(c.since for c in found)


# --- the window ---------------------------------------------------------------------------------------

EDITION_6 = WindowPolicy(
    before_onset_days=2, before_sample_days=2, from_last_negative=False, incubation_days=14
)
EDITION_9 = WindowPolicy(
    before_onset_days=2, before_sample_days=2, from_last_negative=True, incubation_days=14
)


def local(day: int, hour: int = 0) -> datetime:
    return datetime(2020, 2, day, hour, tzinfo=SHANGHAI)


def test_the_window_opens_two_days_before_onset_and_ends_with_isolation() -> None:
    told = Anchors(found=date(2020, 2, 12), onset=date(2020, 2, 10), isolated=local(12, 15))
    found = asked_window(told, EDITION_6, tz=SHANGHAI)
    assert (found.window_from, found.window_to) == (local(8), local(12, 15))
    assert found.source_from == datetime(2020, 1, 27, tzinfo=SHANGHAI)
    assert found.reason == "onset"


def test_four_days_where_a_city_says_four() -> None:
    policy = WindowPolicy(4, 4, from_last_negative=False, incubation_days=14)
    told = Anchors(found=date(2020, 2, 12), onset=date(2020, 2, 10))
    found = asked_window(told, policy, tz=SHANGHAI)
    assert (found.window_from, found.window_to) == (local(6), None)


def test_without_symptoms_it_opens_before_the_first_positive_sampling() -> None:
    told = Anchors(found=date(2020, 2, 12), first_positive_sample=date(2020, 2, 11))
    found = asked_window(told, EDITION_6, tz=SHANGHAI)
    assert (found.window_from, found.reason) == (local(9), "sample")


def test_the_ninth_edition_opens_it_with_the_last_negative() -> None:
    told = Anchors(
        found=date(2020, 2, 12), first_positive_sample=date(2020, 2, 12), last_negative=local(11, 8)
    )
    assert asked_window(told, EDITION_9, tz=SHANGHAI).window_from == local(11, 8)
    assert asked_window(told, EDITION_9, tz=SHANGHAI).reason == "last_negative"
    assert asked_window(told, EDITION_6, tz=SHANGHAI).window_from == local(10)
    long_ago = Anchors(
        found=date(2020, 2, 12), first_positive_sample=date(2020, 2, 12), last_negative=local(2, 8)
    )
    assert asked_window(long_ago, EDITION_9, tz=SHANGHAI).window_from == local(10)


def test_a_negative_of_the_same_day_opens_it_too_but_none_from_the_onset_on() -> None:
    day = date(2020, 2, 12)
    twice_a_day = Anchors(found=day, first_positive_sample=day, last_negative=local(12, 8))
    assert asked_window(twice_a_day, EDITION_9, tz=SHANGHAI).window_from == local(12, 8)
    ill = Anchors(found=day, onset=day, first_positive_sample=day, last_negative=local(12, 8))
    assert asked_window(ill, EDITION_9, tz=SHANGHAI).window_from == local(10)


days = st.dates(date(2020, 1, 1), date(2020, 12, 31))


@given(
    days,
    st.none() | days,
    st.none() | days,
    st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2020, 12, 31)),
    st.booleans(),
)
def test_every_window_is_in_order(
    found: date, onset: date | None, sample: date | None, isolated: datetime | None, negative: bool
) -> None:
    told = Anchors(found, onset, sample, None, isolated.replace(tzinfo=SHANGHAI) if isolated else None)
    asked = asked_window(told, EDITION_9 if negative else EDITION_6, tz=SHANGHAI)
    assert asked.source_from <= asked.window_from
    assert asked.window_to is None or asked.window_from < asked.window_to
    assert local_days(asked.window_from, asked.window_to or asked.window_from, tz=SHANGHAI)
