"""Epidemic curves: counts a day, week or month, with every period between first and last present. NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.calendar import WeekSystem, epiweek
from bihuan.epi.delays import as_dates
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.series import DAY, MONTH, Frequency, Panel, panel


@dataclass(frozen=True, slots=True)
class Curve:
    """`counts[i]` records fell on `days[i]`; `missing` records had no date; days outside the window are
    `outside`.
    """

    days: tuple[date, ...]
    counts: tuple[int, ...]
    missing: int
    outside: int

    @property
    def total(self) -> int:
        return sum(self.counts)

    def cumulative(self) -> tuple[int, ...]:
        return tuple(int(n) for n in np.cumsum(self.counts)) if self.counts else ()


def epidemic_curve(
    dates: Iterable[date | None], first: date | None = None, last: date | None = None
) -> Curve:
    """Count records per local calendar day from `first` to `last` (both inclusive; the data's own
    ends if None).

    Conserves: total + missing + outside = records in.
    """
    values = as_dates(dates)
    known = values[~np.isnat(values)]
    missing = int(values.size - known.size)
    if not known.size and (first is None or last is None):
        return Curve((), (), missing, 0)
    start = np.datetime64(first, "D") if first is not None else known.min()
    end = np.datetime64(last, "D") if last is not None else known.max()
    length = int((end - start).astype(int)) + 1
    if length <= 0:
        return Curve((), (), missing, int(known.size))
    inside = known[(known >= start) & (known <= end)]
    counts = np.bincount((inside - start).astype(int), minlength=length)
    day_one = start.astype(object)
    days = tuple(day_one + timedelta(days=i) for i in range(length))
    return Curve(days, tuple(int(n) for n in counts), missing, int(known.size - inside.size))


def curves_by(
    groups: Sequence[str], dates: Sequence[date | None], first: date | None = None, last: date | None = None
) -> dict[str, Curve]:
    """One curve per group, all over the same days, so they can be stacked."""
    whole = epidemic_curve(dates, first, last)
    if not whole.days:
        return {label: Curve((), (), groups.count(label), 0) for label in sorted(set(groups))}
    out = {}
    for label in sorted(set(groups)):
        own = [day for day, group in zip(dates, groups, strict=True) if group == label]
        out[label] = epidemic_curve(own, whole.days[0], whole.days[-1])
    return out


def moving_average(counts: Sequence[int], window: int) -> tuple[float, ...]:
    """Trailing mean over `window` days; the first days use the days there are."""
    if window < 1:
        raise ValueError(f"window is {window}; it must be at least one day")
    totals = np.concatenate([[0], np.cumsum(counts)])
    ends = np.arange(1, len(counts) + 1)
    starts = np.maximum(ends - window, 0)
    return tuple(float(x) for x in (totals[ends] - totals[starts]) / (ends - starts)) if len(counts) else ()


#: Digits of a Chinese division code (GB/T 2260) that name a province, a city and a county.
LEVELS = {"province": 2, "city": 4, "county": 6}


@dataclass(frozen=True, slots=True, eq=False)
class CurveTable:
    """`counts[i, t]` records of `territories[i]` in the period that begins on `starts[t]`.

    `missing` had no such date, `outside` fell outside the periods, `unplaced` had a date within but no
    territory. Everything that came in is in one of them: `total` + `missing` + `outside` + `unplaced`.
    """

    by: str
    frequency: Frequency
    weeks: WeekSystem
    starts: NDArray[np.datetime64]
    last: date | None
    territories: tuple[str, ...]
    counts: NDArray[np.int64]
    missing: int
    outside: int
    unplaced: int

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def is_last_partial(self) -> bool:
        """Whether the last period goes on after the last day counted."""
        if self.last is None or not self.starts.size:
            return False
        return bool(_next(self.starts[-1], self.frequency) - DAY > np.datetime64(self.last, "D"))

    def panel(self) -> Panel:
        """The same as series for a detector; NotEnoughData when there is not one record."""
        if not self.counts.size:
            raise NotEnoughData("no record has this date", "没有记录含有该日期")
        return panel(self.counts, dates=self.starts, frequency=self.frequency, names=self.territories)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict a territory and period, zeros too."""
        for i, name in enumerate(self.territories):
            for t, start in enumerate(self.starts):
                yield {
                    "territory": name,
                    "date": start.astype(object),
                    "period": self._label(start.astype(object)),
                    "n": int(self.counts[i, t]),
                }

    def _label(self, start: date) -> str:
        if self.frequency == "weekly":
            return str(epiweek(start, system=self.weeks))
        return f"{start:%Y-%m}" if self.frequency == "monthly" else start.isoformat()

    def explain(self, lang: str = "en") -> str:
        """One sentence: how many, over which periods, the peak, and what is not in the curve."""
        rest = self.missing, self.outside, self.unplaced
        if not self.counts.size:
            if lang.startswith("zh"):
                return f"按 {self.by} 无可绘制的记录：{self.missing} 条缺日期。"
            return f"No record to draw by {self.by}: {self.missing} lack the date."
        whole = self.counts.sum(axis=0)
        peak = int(whole.argmax())
        label, n = self._label(self.starts[peak].astype(object)), int(whole[peak])
        first, last = (self._label(self.starts[i].astype(object)) for i in (0, -1))
        if lang.startswith("zh"):
            partial = "；最后一期尚未结束" if self.is_last_partial else ""
            return (
                f"按 {self.by}：{first} 至 {last}，{len(self.territories)} 个地区共 {self.total} 例，"
                f"高峰 {label}（{n} 例）；缺日期 {rest[0]}、范围外 {rest[1]}、无地区 {rest[2]}{partial}。"
            )
        partial = "; the last period is not over" if self.is_last_partial else ""
        return (
            f"By {self.by}: {self.total} records in {len(self.territories)} territories, {first} to {last}, "
            f"peak {label} ({n}); {rest[0]} without the date, {rest[1]} outside, {rest[2]} without a "
            f"territory{partial}."
        )


def curve_table(
    records: Mapping[str, Sequence[Any]],
    *,
    by: str = "date_onset",
    territory: str | None = None,
    level: str | int | None = None,
    frequency: Frequency = "daily",
    weeks: WeekSystem = "iso",
    first: date | None = None,
    last: date | None = None,
) -> CurveTable:
    """Epidemic curves by any date column and territory column, a day, an epidemiological week or a month.

    `level` groups territories by the first digits of their code: "province", "city", "county", or a number of
    digits. `first` and `last` are days (default: the data's own); whole periods around them are listed, and a
    record outside the days counts as outside.
    """
    dates = as_dates(_column(records, by))
    places = _places(records, territory, level, dates.size)
    known = ~np.isnat(dates)
    within = known & ~_beyond(dates, first, last)
    lost = {"missing": int((~known).sum()), "outside": int((known & ~within).sum())}
    placed = within & (places != "")
    unplaced = int((within & (places == "")).sum())
    start = first or (dates[within].min() if within.any() else None)
    end = last or (dates[within].max() if within.any() else None)
    names = tuple(sorted(set(places[places != ""].tolist())))
    if start is None or end is None or np.datetime64(end, "D") < np.datetime64(start, "D") or not names:
        empty = np.zeros((0, 0), dtype=np.int64)
        nowhere = np.array([], dtype="datetime64[D]")
        return CurveTable(by, frequency, weeks, nowhere, None, (), empty, **lost, unplaced=unplaced)
    starts = _periods(np.datetime64(start, "D"), np.datetime64(end, "D"), frequency, weeks)
    row = np.searchsorted(np.array(names), places[placed].astype(str))
    column = np.searchsorted(starts, dates[placed], side="right") - 1
    counts = np.zeros((len(names), starts.size), dtype=np.int64)
    np.add.at(counts, (row, column), 1)
    last_day: date = np.datetime64(end, "D").astype(object)
    return CurveTable(by, frequency, weeks, starts, last_day, names, counts, **lost, unplaced=unplaced)


def _column(records: Mapping[str, Sequence[Any]], name: str) -> Sequence[Any]:
    if name not in records:
        raise InputError(
            f"there is no column {name}; there are {', '.join(records)}",
            f"没有 {name} 列；现有 {', '.join(records)}",
            field=name,
        )
    return records[name]


def _places(
    records: Mapping[str, Sequence[Any]], territory: str | None, level: str | int | None, n: int
) -> NDArray[Any]:
    if territory is None:
        return np.full(n, "all", dtype=object)
    codes = _column(records, territory)
    if len(codes) != n:
        raise InputError(
            f"{territory} has {len(codes)} entries for {n} dates; they must pair up",
            f"{n} 个日期却有 {len(codes)} 个 {territory}；必须一一对应",
            field=territory,
        )
    if isinstance(level, str) and level not in LEVELS:
        raise InputError(
            f"level {level!r} is not one of {', '.join(LEVELS)} or a number of digits",
            f"level {level!r} 不是 {', '.join(LEVELS)} 之一，也不是位数",
            field="level",
        )
    digits = LEVELS[level] if isinstance(level, str) else level
    return np.array(["" if code is None else str(code)[:digits] for code in codes], dtype=object)


def _beyond(dates: NDArray[np.datetime64], first: date | None, last: date | None) -> NDArray[np.bool_]:
    early = np.zeros(dates.size, bool) if first is None else dates < np.datetime64(first, "D")
    late = np.zeros(dates.size, bool) if last is None else dates > np.datetime64(last, "D")
    return np.asarray(early | late)


def _periods(
    start: np.datetime64, end: np.datetime64, frequency: Frequency, weeks: WeekSystem
) -> NDArray[np.datetime64]:
    """First days of the periods from the one that holds `start` to the one that holds `end`."""
    if frequency == "weekly":
        monday = np.datetime64(epiweek(start.astype(object), system=weeks).first, "D")
        return np.arange(monday, end + DAY, 7 * DAY)
    if frequency == "monthly":
        months = np.arange(start.astype("datetime64[M]"), end.astype("datetime64[M]") + MONTH)
        return months.astype("datetime64[D]")
    if frequency == "daily":
        return np.arange(start, end + DAY)
    raise InputError(
        f"frequency {frequency!r} is not one of daily, weekly, monthly",
        f"频率 {frequency!r} 不是 daily、weekly、monthly 之一",
        field="frequency",
    )


def _next(start: np.datetime64, frequency: Frequency) -> np.datetime64:
    if frequency == "monthly":
        return (start.astype("datetime64[M]") + MONTH).astype("datetime64[D]")
    return start + np.timedelta64(7 if frequency == "weekly" else 1, "D")
