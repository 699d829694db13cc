"""Counts in time: one series, or thousands over the same periods.

A `Panel` is what every detector takes. A period nobody reported is NaN, never zero: a zero is a report of
none. Dates are local calendar dates, the first day of each period.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.errors import InputError

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]
Frequency = Literal["daily", "weekly", "monthly"]

#: NumPy asks for the unit of every step; a bare number will be an error.
DAY = np.timedelta64(1, "D")
MONTH = np.timedelta64(1, "M")
NO_DAY = np.datetime64("NaT", "D")
#: The first period of a series that names none: a Monday, so that weeks begin as they do in most countries.
FIRST_DAY = "2000-01-03"
#: Periods in a year, as the field counts them (a year has 365.25 days; a seasonal year 52 weeks).
PERIODS_A_YEAR: dict[Frequency, int] = {"daily": 365, "weekly": 52, "monthly": 12}
FREQUENCY_ZH: dict[Frequency, str] = {"daily": "逐日", "weekly": "逐周", "monthly": "逐月"}
#: Beyond this a float no longer tells one case from the next.
MOST_CASES = 2.0**53


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """`counts[i, t]` of series `names[i]` in the period that begins on `dates[t]`; NaN where unreported.

    `population` (same shape) is the offset of methods that take one. Build it with `panel`, which checks.
    """

    counts: Floats
    dates: Dates
    frequency: Frequency
    names: tuple[str, ...]
    population: Floats | None = None

    @property
    def n_series(self) -> int:
        return int(self.counts.shape[0])

    @property
    def n_times(self) -> int:
        return int(self.counts.shape[1])

    def index(self, name: str) -> int:
        """Position of the series called `name`; InputError names those there are."""
        try:
            return self.names.index(name)
        except ValueError:
            known = ", ".join(self.names[:5])
            raise InputError(
                f"no series is called {name!r}; there are {len(self.names)}, such as {known}",
                f"没有名为 {name!r} 的序列；共有 {len(self.names)} 条，例如 {known}",
                field="series",
            ) from None

    def until(self, day: date | np.datetime64) -> Panel:
        """The same series up to and including the period that holds `day`."""
        n = int(np.searchsorted(self.dates, np.datetime64(str(day), "D"), side="right"))
        population = None if self.population is None else self.population[:, :n]
        return Panel(self.counts[:, :n], self.dates[:n], self.frequency, self.names, population)


def panel(
    counts: ArrayLike | Panel,
    *,
    dates: Iterable[Any] | None = None,
    start: date | str | None = None,
    frequency: Frequency | None = None,
    names: Sequence[str] | None = None,
    population: ArrayLike | None = None,
) -> Panel:
    """Check counts of one series (length T) or many (N × T) and give them as a Panel.

    `dates` are the first days of the T periods, or `start` is the first of them (default 2000-01-03, a
    Monday) and the rest follow by `frequency` (default: read from the dates, else "daily").
    Raises InputError for negative or infinite counts, wrong shapes, dates that repeat, go back or leave a
    period out (a gap must stand as a period without a count), and dates that do not fit `frequency`.
    """
    if isinstance(counts, Panel):
        return counts
    values = _counts(counts)
    days = _dates(dates, start=start, frequency=frequency, length=values.shape[1])
    kind = frequency or _frequency_of(days)
    _check_regular(days, kind)
    return Panel(values, days, kind, _names(names, values.shape[0]), _population(population, values))


def spoken(name: str, lang: str) -> str:
    """The name of a series in a sentence: names this room gave by itself are said in the language asked."""
    if not lang.startswith("zh"):
        return name
    number = name.removeprefix("series ")
    return f"序列 {number}" if number.isdigit() and number != name else {"all": "全部"}.get(name, name)


def _counts(counts: ArrayLike) -> Floats:
    try:
        values = np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("counts must be numbers", "计数必须是数字", field="counts") from None
    values = np.atleast_2d(values)
    if values.ndim != 2 or values.shape[1] == 0:
        raise InputError(
            f"counts must be one series or series × time, and not empty; they have shape {values.shape}",
            f"计数应为一条序列或“序列 × 时间”，且不能为空；现形状为 {values.shape}",
            field="counts",
        )
    for wrong, en, zh in (
        (values < 0, "negative", "负数"),
        (np.isinf(values), "infinite", "无穷大"),
        (values > MOST_CASES, "more than can be counted", "超出可计数范围的数"),
    ):
        if wrong.any():
            i, t = (int(k) for k in np.argwhere(wrong)[0])
            raise InputError(
                f"count {values[i, t]:g} of series {i + 1} at time {t + 1} is {en}; "
                "correct it, or leave it empty if it is not known",
                f"第 {i + 1} 条序列第 {t + 1} 期的计数 {values[i, t]:g} 为{zh}；请更正，未知时留空",
                field="counts",
            )
    return values


def as_dates(values: Iterable[Any], *, field: str = "dates") -> Dates:
    """Dates, or what reads as one, as datetime64[D]; None becomes NaT. InputError for what is no date."""
    try:
        return np.array([NO_DAY if v is None else v for v in values], dtype="datetime64[D]")
    except (TypeError, ValueError) as error:
        raise InputError(
            f"a date of {field} cannot be read ({error}); write it as 2020-02-05",
            f"{field} 中有日期无法识别（{error}）；请写成 2020-02-05",
            field=field,
        ) from None


def _dates(
    dates: Iterable[Any] | None, *, start: date | str | None, frequency: Frequency | None, length: int
) -> Dates:
    if dates is None:
        first = _first_day(start)
        if frequency == "monthly":
            return (first.astype("datetime64[M]") + np.arange(length)).astype("datetime64[D]")
        return first + np.arange(length) * np.timedelta64(7 if frequency == "weekly" else 1, "D")
    days = as_dates(dates)
    if days.size != length:
        raise InputError(
            f"{days.size} dates for {length} periods; they must pair up",
            f"{length} 期计数却有 {days.size} 个日期；两者必须一一对应",
            field="dates",
        )
    if np.isnat(days).any():
        where = int(np.argmax(np.isnat(days))) + 1
        raise InputError(f"date {where} is empty", f"第 {where} 个日期为空", field="dates")
    return days


def _first_day(start: date | str | None) -> np.datetime64:
    try:
        return np.datetime64(str(start or FIRST_DAY), "D")
    except ValueError:
        raise InputError(
            f"start {start!r} is not a date; write it as 2020-02-05",
            f"start {start!r} 不是日期；请写成 2020-02-05",
            field="start",
        ) from None


def _frequency_of(days: Dates) -> Frequency:
    """By the usual step between dates; a single date counts as daily."""
    if days.size < 2:
        return "daily"
    step = float(np.median(np.diff(days).astype(np.int64)))
    if step <= 1:
        return "daily"
    return "weekly" if step <= 7 else "monthly"


def _check_regular(days: Dates, frequency: Frequency) -> None:
    if frequency not in get_args(Frequency):
        raise InputError(
            f"frequency {frequency!r} is not one of daily, weekly, monthly",
            f"频率 {frequency!r} 不是 daily、weekly、monthly 之一",
            field="frequency",
        )
    steps = np.diff(days.astype("datetime64[M]") if frequency == "monthly" else days).astype(np.int64)
    wanted = 7 if frequency == "weekly" else 1
    wrong = steps != wanted
    if not wrong.any():
        return
    t = int(np.argmax(wrong))
    before, after = days[t], days[t + 1]
    if steps[t] == 0:
        en, zh = f"the date {after} stands twice", f"日期 {after} 出现两次"
    elif steps[t] < 0:
        en, zh = f"the date {after} stands after {before}", f"日期 {after} 排在 {before} 之后"
    else:
        en = f"from {before} to {after} is not one {frequency} step; put missing periods in without a count"
        zh = f"从 {before} 到 {after} 不是一期（{FREQUENCY_ZH[frequency]}）；缺报的各期请列出并将计数留空"
    raise InputError(en, zh, field="dates")


def _names(names: Sequence[str] | None, n: int) -> tuple[str, ...]:
    try:
        given = tuple(names) if names is not None else tuple(f"series {i + 1}" for i in range(n))
    except TypeError:
        raise InputError("names must be a list of names", "names 应为名称列表", field="names") from None
    if len(given) != n or len(set(given)) != n:
        raise InputError(
            f"{n} series need {n} different names; there are {len(set(given))}",
            f"{n} 条序列需要 {n} 个不同的名称；现有 {len(set(given))} 个",
            field="names",
        )
    return given


def _population(population: ArrayLike | None, counts: Floats) -> Floats | None:
    if population is None:
        return None
    try:
        values = np.broadcast_to(np.asarray(population, dtype=np.float64), counts.shape)
    except (TypeError, ValueError):
        raise InputError(
            f"population must be numbers in the shape of the counts, {counts.shape}",
            f"人口数应为数字，且形状与计数 {counts.shape} 一致",
            field="population",
        ) from None
    if not (values > 0).all():
        raise InputError(
            "population must be above zero everywhere", "人口数必须处处大于零", field="population"
        )
    return values
