"""When something was true: a local date, and the instant if the time of day is known.

A date without a time stands for local 00:00 with precision "day".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Moment:
    """`day` is the local calendar date; `at` the aware instant, None when only the date is known."""

    day: date
    at: datetime | None = None

    @property
    def precision(self) -> str:
        return "day" if self.at is None else "minute"

    def instant(self, tz: ZoneInfo) -> datetime:
        """The instant to sort and to compute with: the known one, or local midnight of the day."""
        return self.at if self.at is not None else datetime.combine(self.day, time.min, tzinfo=tz)


def moment(value: date | datetime | None, tz: ZoneInfo) -> Moment | None:
    """Read a date or an aware datetime. A naive datetime is taken as local time. None stays None."""
    if value is None:
        return None
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=tz)
        return Moment(aware.astimezone(tz).date(), aware)
    return Moment(value)
