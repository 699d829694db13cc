"""Epidemiological weeks: ISO 8601 (Monday to Sunday) and the MMWR weeks of the US CDC (Sunday to Saturday).

Both give a week to the year that holds most of its days, so week 1 has at least four days in its year, and
a year has 52 or 53 weeks (ISO 8601-1:2019, 3.1.1.23; CDC, "MMWR Weeks", NNDSS fact sheet). The day in the
middle of the week (fourth of seven) decides the year: that is the whole algorithm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.series import DAY, as_dates

WeekSystem = Literal["iso", "mmwr"]
#: Day of the week the week begins on, counted as 1970-01-01 (a Thursday) + n.
_FIRST_DAY: dict[str, int] = {"iso": 4, "mmwr": 3}
_MIDDLE = 3


@dataclass(frozen=True, slots=True, order=True)
class EpiWeek:
    """One week of one system; weeks of the same system are ordered in time."""

    year: int
    week: int
    system: WeekSystem = "iso"

    @property
    def first(self) -> date:
        """Its first day: a Monday (ISO) or a Sunday (MMWR)."""
        day: date = week_starts([self.year], [self.week], system=self.system)[0].astype(object)
        return day

    @property
    def last(self) -> date:
        """Its last day."""
        day: date = (np.datetime64(self.first, "D") + 6 * DAY).astype(object)
        return day

    def __str__(self) -> str:
        return f"{self.year}-W{self.week:02d}"

    def explain(self, lang: str = "en") -> str:
        name = {"iso": "ISO", "mmwr": "MMWR"}[self.system]
        if lang.startswith("zh"):
            return f"{self.year} 年第 {self.week} 周（{name}），{self.first} 至 {self.last}"
        return f"week {self.week} of {self.year} ({name}), {self.first} to {self.last}"


def epiweeks(
    dates: Iterable[Any], *, system: WeekSystem = "iso"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Year and week of every date, as two arrays; an empty date (NaT, None) is refused."""
    days = _days(dates)
    middle = _start_of_week(days, system) + _MIDDLE * DAY
    year = middle.astype("datetime64[Y]")
    week = (middle - year.astype("datetime64[D]")).astype(np.int64) // 7 + 1
    return year.astype(np.int64) + 1970, week


def epiweek(day: date | str, *, system: WeekSystem = "iso") -> EpiWeek:
    """The week that holds `day`."""
    years, weeks = epiweeks([day], system=system)
    return EpiWeek(int(years[0]), int(weeks[0]), system)


def week_starts(
    years: Iterable[int], weeks: Iterable[int], *, system: WeekSystem = "iso"
) -> NDArray[np.datetime64]:
    """First day of each week; InputError for a week its year does not have (0, 54, or 53 of a short year)."""
    year, week = np.asarray(list(years), dtype=np.int64), np.asarray(list(weeks), dtype=np.int64)
    if year.shape != week.shape:
        raise InputError(
            f"{year.size} years for {week.size} weeks; they must pair up",
            f"{week.size} 个周次却有 {year.size} 个年份；两者必须一一对应",
            field="weeks",
        )
    wrong = (week < 1) | (week > weeks_in_years(year, system=system))
    if wrong.any():
        y, w = int(year[wrong][0]), int(week[wrong][0])
        most = int(weeks_in_years([y], system=system)[0])
        raise InputError(
            f"{y} has no week {w}: its weeks run from 1 to {most}",
            f"{y} 年没有第 {w} 周：该年为第 1 至第 {most} 周",
            field="weeks",
        )
    return _first_week(year, system) + (week - 1) * np.timedelta64(7, "D")


def weeks_in_years(years: Iterable[int], *, system: WeekSystem = "iso") -> NDArray[np.int64]:
    """52 or 53, for each year."""
    year = np.asarray(years, dtype=np.int64)
    return (_first_week(year + 1, system) - _first_week(year, system)).astype(np.int64) // 7


def _first_week(years: NDArray[np.int64], system: WeekSystem) -> NDArray[np.datetime64]:
    """First day of week 1: 4 January always lies in it."""
    first: NDArray[np.datetime64] = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    fourth = first + 3 * DAY
    return _start_of_week(fourth, system)


def _start_of_week(days: NDArray[np.datetime64], system: WeekSystem) -> NDArray[np.datetime64]:
    if system not in get_args(WeekSystem):
        raise InputError(
            f"weeks are counted by iso or mmwr, not by {system!r}",
            f"周次按 iso 或 mmwr 计，不能按 {system!r}",
            field="system",
        )
    return days - (days.astype(np.int64) - _FIRST_DAY[system]) % 7 * DAY


def _days(dates: Iterable[Any]) -> NDArray[np.datetime64]:
    days = as_dates(dates)
    if np.isnat(days).any():
        where = int(np.argmax(np.isnat(days))) + 1
        raise InputError(f"date {where} is empty", f"第 {where} 个日期为空", field="dates")
    return days
