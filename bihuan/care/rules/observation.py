"""How long a person is observed. Whole local days; pure.

Trap 1 of protocols.md section 16: the day of the last exposure is exposure day 0, and an order of
14 days ends
at the end of exposure day 14. The first day under the order is stage day 1; test days are stage
days. Both are
kept, and a test day that would fall after the last day is held on the last day.

An edition may ask for two stages: so many days at a site, then so many at home. They are one course under one
order. The second begins with the day after the first, or with the order where the first is over by then; its
days and test days are counted from its own day 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Course:
    """What an edition asks of one observed person: days of the first stage (where the whole is one, all of
    them), days at home after it, and the stage days of the tests of each. `rule` is the policy key of the
    first number, `source_negatives` how many first tests of the close contact between must be negative
    (contacts of contacts; 0 = none)."""

    days: int
    tests_on: tuple[int, ...] = ()
    home_days: int = 0
    home_tests_on: tuple[int, ...] = ()
    home_kind: str = ""
    rule: str = "observation.days"
    source_negatives: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """The plan of one order. `last` is the last day under it, inclusive; `ends_at` the midnight
    after, an instant. `home_from` is the first day of the second stage, None where there is none.

    `day_zero` is the last exposure, or the day before the start when no exposure date is known.
    """

    day_zero: date
    first: date
    last: date
    ends_at: datetime
    home_from: date | None = None

    @property
    def stage_last(self) -> date:
        """The last day of the first stage; before `first` when it was over at the start."""
        return self.last if self.home_from is None else self.home_from - timedelta(days=1)

    def until(self, last: date, tz: ZoneInfo) -> Observation:
        """The same course with another last day: what changes its length is the stage that runs then."""
        home = self.home_from if self.home_from is not None and self.home_from <= last else None
        return Observation(self.day_zero, self.first, last, midnight_after(last, tz), home)

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


def observation(
    *, last_exposure: date | None, started: date, days: int, tz: ZoneInfo, home_days: int = 0
) -> Observation:
    """Plan an order of `days`, and `home_days` at home after them, that starts on `started`.

    Counts from the last exposure; without one, from the day before the start, so that the first day is day 1.
    An exposure said to lie after the start counts as given: a person cannot be exposed less by being watched.
    """
    zero = last_exposure if last_exposure is not None else started - timedelta(days=1)
    last = last_day(zero, days + home_days)
    home = max(last_day(zero, days + 1), started) if home_days else None
    plan = Observation(
        day_zero=zero, first=started, last=last, ends_at=midnight_after(last, tz), home_from=home
    )
    return plan.until(last, tz)


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


def course_tests(course: Course, plan: Observation, *, day_one: date) -> tuple[date, ...]:
    """The dates of all tests of a course: of the first stage counted from `day_one`, then of the second."""
    dates = test_days(course.tests_on, first=day_one, last=plan.stage_last)
    if plan.home_from is None:
        return dates
    return (*dates, *test_days(course.home_tests_on, first=plan.home_from, last=plan.last))


test_days.__test__ = False  # type: ignore[attr-defined]  # a rule, not a pytest test
