"""Days and instants as facts tell them: as dates, as texts, or not at all."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from .slots import local_day, start_of_day


def plain_day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def as_day(raw: Any, tz: ZoneInfo) -> date | None:
    if isinstance(raw, datetime):
        return local_day(raw, tz)
    if isinstance(raw, date):
        return raw
    if not isinstance(raw, str):
        return None
    try:
        return date.fromisoformat(raw) if len(raw) <= 10 else local_day(datetime.fromisoformat(raw), tz)
    except ValueError:
        return None


def as_instant(raw: Any, tz: ZoneInfo) -> tuple[datetime, str] | None:
    if isinstance(raw, datetime):
        return raw, "minute"
    if isinstance(raw, str) and len(raw) > 10:
        try:
            found = datetime.fromisoformat(raw)
        except ValueError:
            return None
        return (found if found.tzinfo else found.replace(tzinfo=tz)), "minute"
    day = as_day(raw, tz)
    return None if day is None else (start_of_day(day, tz), "day")
