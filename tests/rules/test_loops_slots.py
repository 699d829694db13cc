from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bihuan.loops.rules.slots import (
    deadline,
    due_day,
    end_of_day,
    is_late,
    local_day,
    nearest,
    slot_instant,
    start_of_day,
)

from .loop_examples import SHANGHAI, local

PLACES = [
    ZoneInfo(name) for name in ("Asia/Shanghai", "America/Guatemala", "Europe/Berlin", "Australia/Lord_Howe")
]
INSTANTS = st.datetimes(datetime(2019, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(INSTANTS, st.sampled_from(PLACES))
def test_every_instant_lies_in_its_local_day(at: datetime, tz: ZoneInfo):
    day = local_day(at, tz)
    assert start_of_day(day, tz) <= at < end_of_day(at, tz)
    assert due_day(end_of_day(at, tz), tz) == day


@given(st.dates(date(2019, 1, 1), date(2030, 1, 1)), st.sampled_from(PLACES))
def test_the_end_of_a_day_is_the_start_of_the_next_also_in_leap_years_and_clock_changes(
    day: date, tz: ZoneInfo
):
    assert slot_instant(day, 1440, tz) == start_of_day(day + timedelta(days=1), tz)


def test_done_at_the_deadline_is_in_time_and_a_second_after_is_late():
    assert not is_late(local(2, 9), local(2, 9), precision="minute", tz=SHANGHAI)
    assert is_late(local(2, 9), local(2, 9) + timedelta(seconds=1), precision="minute", tz=SHANGHAI)


def test_a_date_is_late_only_after_the_date_of_the_deadline():
    assert not is_late(local(3), local(2), precision="day", tz=SHANGHAI)  # due 24:00 of the 2nd
    assert is_late(local(3), local(3), precision="day", tz=SHANGHAI)
    assert not is_late(local(2, 2), local(2), precision="day", tz=SHANGHAI)


def test_two_hours_from_a_date_end_with_that_date_and_a_day_with_the_next():
    assert deadline(local(2), timedelta(hours=2), precision="day", tz=SHANGHAI) == local(3)
    assert deadline(local(2), timedelta(hours=24), precision="day", tz=SHANGHAI) == local(4)
    assert deadline(local(2, 10), timedelta(hours=2), precision="minute", tz=SHANGHAI) == local(2, 12)


def test_of_two_equally_near_the_earlier_is_taken():
    assert nearest([(local(2, 10), "b"), (local(2, 8), "a")], local(2, 9)) == "a"
