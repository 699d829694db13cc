"""Days and times of repeating duties. Local days begin and end at local midnight; instants are UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_MOMENT = timedelta(microseconds=1)
_DAY = timedelta(days=1)


@lru_cache(maxsize=65536)
def start_of_day(day: date, tz: ZoneInfo) -> datetime:
    """The instant the local day begins."""
    return datetime.combine(day, time.min, tz).astimezone(UTC)


@lru_cache(maxsize=65536)
def slot_instant(day: date, minute: int, tz: ZoneInfo) -> datetime:
    """The instant of a local clock time; minute 1440 is the end of the day."""
    if minute >= 1440:
        return start_of_day(day + _DAY, tz)
    return datetime.combine(day, time(minute // 60, minute % 60), tz).astimezone(UTC)


def local_day(at: datetime, tz: ZoneInfo) -> date:
    return at.astimezone(tz).date()


def end_of_day(at: datetime, tz: ZoneInfo, plus_days: int = 0) -> datetime:
    """Local 24:00 of the day `at` falls in, `plus_days` later."""
    return start_of_day(local_day(at, tz) + timedelta(days=plus_days + 1), tz)


def due_day(due_at: datetime, tz: ZoneInfo) -> date:
    """The local date a deadline belongs to: 24:00 belongs to the day it ends."""
    return local_day(due_at - _MOMENT, tz)


def is_late(due_at: datetime, ended_at: datetime, *, precision: str, tz: ZoneInfo) -> bool:
    """Whether something owed by `due_at` and done at `ended_at` was late.

    A date without a time (precision "day") is late only when its date is after the deadline's date.
    """
    if precision == "day":
        return local_day(ended_at, tz) > due_day(due_at, tz)
    return ended_at > due_at


def deadline(start: datetime, within: timedelta, *, precision: str, tz: ZoneInfo) -> datetime:
    """`within` after `start`. A start known only to the day gives a deadline known only to the day:
    the end of the local day the count falls in, so 2 h means the same date and 24 h the next."""
    due = start + within
    return end_of_day(due, tz) if precision == "day" else due


def nearest(dues: Iterable[tuple[datetime, str]], at: datetime) -> str:
    """The key whose time lies nearest to `at`; of two equally near, the earlier."""
    return min(dues, key=lambda due: (abs(due[0] - at), due[0]))[1]


def slot_key(kind: str, day: date, slot: int, run: int) -> str:
    """The lasting name of a daily slot: temperature@2020-02-15/1, with ~2 for a second run."""
    key = f"{kind}@{day.isoformat()}/{slot}"
    return key if run == 1 else f"{key}~{run}"


def day_key(kind: str, number: int, run: int) -> str:
    return f"{kind}/{number}" if run == 1 else f"{kind}/{number}~{run}"
