"""Which kind of day a date is: weekdays, public holidays and days worked to make up for them.

Spring Festival and Golden Week move whole weeks: clinics see a Sunday's visitors for seven days, and weekends
before and after are worked instead. The days come from the package `holidays`; nothing is guessed beyond
the years it knows.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.series import Dates, Floats

Days = NDArray[np.int64]

SATURDAY, SUNDAY = 5, 6
FRIDAY, MONDAY = 4, 0


def weekdays(dates: Dates) -> Days:
    """0 for Monday to 6 for Sunday."""
    return np.asarray((dates.astype("datetime64[D]").astype(np.int64) + 3) % 7)


def working_calendar(dates: Dates, *, country: str = "CN", subdivision: str | None = None) -> Days:
    """The weekday each date behaves like: a public holiday like a Sunday, a Saturday worked in its stead like
    the Friday before, a Sunday worked like the Monday after. InputError for a country nobody knows.
    """
    days = weekdays(dates).copy()
    years = sorted({int(y) for y in dates.astype("datetime64[Y]").astype(np.int64) + 1970})
    free, worked = _special_days(country, subdivision, tuple(years))
    for i, day in enumerate(dates.astype("datetime64[D]").astype(object)):
        if day in free:
            days[i] = SUNDAY
        elif day in worked:
            days[i] = FRIDAY if days[i] == SATURDAY else MONDAY
    return days


@lru_cache(maxsize=64)
def _special_days(
    country: str, subdivision: str | None, years: tuple[int, ...]
) -> tuple[frozenset[date], frozenset[date]]:
    """Public holidays on which nobody works, and weekend days that are worked."""
    import holidays

    try:
        known = holidays.country_holidays(country, subdiv=subdivision, years=[*years, years[-1] + 1])
    except NotImplementedError:
        raise InputError(
            f"no calendar of holidays is known for {country!r}; give a country code such as CN",
            f"没有 {country!r} 的节假日历；请给出国家代码，例如 CN",
            field="country",
        ) from None
    worked = frozenset(day for day in getattr(known, "weekend_workdays", ()) if day.year in years)
    return frozenset(day for day in known if day.year in years) - worked, worked


def weekday_factors(counts: Floats, days: Days, *, shrink: float = 4.0) -> Floats:
    """How much of an average day each day brings, series × time, known from the days before it only.

    The mean of earlier days of its kind over the mean of all earlier days, drawn toward 1 as if `shrink`
    average days of that kind had been seen. Days without a count are left out.
    """
    known = np.isfinite(counts)
    values = np.where(known, counts, 0.0)
    mean = _before(values) / np.maximum(_before(known.astype(np.float64)), 1.0)
    factors = np.ones_like(values)
    for kind in np.unique(days):
        here = days == kind
        total = _before(values[:, here])
        n = _before(known[:, here].astype(np.float64))
        level = mean[:, here]
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = (total + shrink * level) / ((n + shrink) * level)
        factors[:, here] = np.where(level > 0, np.maximum(ratio, 1e-3), 1.0)
    return factors


def _before(values: Floats) -> Floats:
    """Sum of everything before each period."""
    return np.asarray(np.cumsum(values, axis=1) - values)
