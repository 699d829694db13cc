"""How long a person is observed. Whole local days; pure.

Trap 1 of protocols.md section 16: the day of the last exposure is exposure day 0, and an order of
14 days ends
at the end of exposure day 14. The first day under the order is stage day 1; test days are stage
days. Both are
kept, and a test day that would fall after the last day is held on the last day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Observation:
    """The plan of one order. `last` is the last day under it, inclusive; `ends_at` the midnight
    after, an instant.

    `day_zero` is the last exposure, or the day before the start when no exposure date is known.
    """

    day_zero: date
    first: date
    last: date
    ends_at: datetime

    @property
    def days_left_from(self) -> int:
        """Days under the order, first and last included; 0 when the count was over before it began."""
        return max((self.last - self.first).days + 1, 0)


def last_day(day_zero: date, days: int) -> date:
    """The last day of observation: exposure day number `days`."""
    if days < 0:
        raise ValueError(f"an order of {days} days cannot be")
    return day_zero + timedelta(days=days)


def exposure_day(on: date, day_zero: date) -> int:
    """0 on the day of the last exposure, 1 the day after, negative before."""
    return (on - day_zero).days


def stage_day(on: date, first: date) -> int:
    """1 on the first day under the order."""
    return (on - first).days + 1


def midnight_after(day: date, tz: ZoneInfo) -> datetime:
    """Local 24:00 of `day`, as an aware instant."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=tz)


def observation(*, last_exposure: date | None, started: date, days: int, tz: ZoneInfo) -> Observation:
    """Plan an order of `days` that starts on `started`.

    Counts from the last exposure; without one, from the day before the start, so that the first day is day 1.
    An exposure said to lie after the start counts as given: a person cannot be exposed less by being watched.
    """
    zero = last_exposure if last_exposure is not None else started - timedelta(days=1)
    last = last_day(zero, days)
    return Observation(day_zero=zero, first=started, last=last, ends_at=midnight_after(last, tz))


def longest(ends: Iterable[date]) -> date:
    """The last day when several obligations hold: the longest wins (trap 5). Raises ValueError if there
    is none.
    """
    return max(ends)


def test_days(numbers: Sequence[int], *, first: date, last: date) -> tuple[date, ...]:
    """The dates of tests: stage-day `numbers` counted from `first`, none after `last`, each day once."""
    if last < first:
        return ()
    days = {min(first + timedelta(days=number - 1), last) for number in numbers if number >= 1}
    return tuple(sorted(days))


test_days.__test__ = False  # type: ignore[attr-defined]  # a rule, not a pytest test
