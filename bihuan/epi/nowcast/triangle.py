"""The reporting triangle: events by the period they fell in and the periods until they were reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.arguments import checked
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.series import Dates, Floats, Frequency, as_dates, panel

#: Delays told apart when none are named: two weeks of days.
MAX_DELAY = 14
#: More periods of delay than this are a mistake in the dates or the unit, and fill the memory.
LONGEST_DELAY = 366
DAYS: dict[str, int] = {"daily": 1, "weekly": 7}


@dataclass(frozen=True, slots=True, eq=False)
class ReportingTriangle:
    """`counts[i, t, d]`: events of series `names[i]` in the period that begins on `dates[t]`, reported d
    periods later (the last d: as late or later); NaN where `now`, the last period, does not know yet.

    `left_out` records had no usable pair of dates, `later` were reported only after `now`.
    """

    counts: Floats
    dates: Dates
    frequency: Frequency
    names: tuple[str, ...]
    left_out: int = 0
    later: int = 0

    @property
    def n_series(self) -> int:
        return int(self.counts.shape[0])

    @property
    def n_times(self) -> int:
        return int(self.counts.shape[1])

    @property
    def max_delay(self) -> int:
        return int(self.counts.shape[2]) - 1

    @property
    def age(self) -> NDArray[np.intp]:
        """Periods from each to now."""
        return np.arange(self.n_times - 1, -1, -1)

    @property
    def observed(self) -> Floats:
        """Reported by now: series × time."""
        return np.asarray(np.nansum(self.counts, axis=2))


@checked
def reporting_triangle(
    events: Iterable[Any],
    reports: Iterable[Any],
    *,
    now: date | str | np.datetime64,
    max_delay: int = MAX_DELAY,
    start: date | str | np.datetime64 | None = None,
    groups: Sequence[str] | None = None,
    frequency: Literal["daily", "weekly"] = "daily",
    negative: Literal["refuse", "leave_out"] = "refuse",
) -> ReportingTriangle:
    """Count a line list, one event and one report date a record (None: unknown), as it was known on `now`.

    From `start` (default: the first event) to the last period that is over on `now`; weeks begin on the
    weekday of `start`, and reports of a week not over yet count among `later`. Delays above `max_delay`
    count as `max_delay`. `groups` names the series of each record.
    A report before its event is refused, or left out and counted when `negative` says so.
    """
    event, report = as_dates(events, field="events"), as_dates(reports, field="reports")
    if event.size != report.size or (groups is not None and len(groups) != event.size):
        raise InputError(
            f"{event.size} event dates, {report.size} report dates: every record needs its own",
            f"事件日期 {event.size} 个，报告日期 {report.size} 个：每条记录须各有其一",
            field="reports",
        )
    _check_delay(max_delay)
    known = ~(np.isnat(event) | np.isnat(report))
    backward = known & (report < event)
    if backward.any() and negative == "refuse":
        i = int(np.argmax(backward))
        raise InputError(
            f"record {i + 1} was reported on {report[i]}, before its event on {event[i]} "
            f"({int(backward.sum())} such records); correct them or leave them out",
            f"第 {i + 1} 条记录的报告日期 {report[i]} 早于事件日期 {event[i]}"
            f"（共 {int(backward.sum())} 条）；请更正或剔除",
            field="reports",
        )
    known &= ~backward
    today, first = _limits(event[known], now, start)
    step = DAYS[frequency]
    labels = np.asarray(groups if groups is not None else [""] * event.size, dtype=str)
    names = tuple(sorted(set(labels.tolist()))) if groups is not None else ("series 1",)
    n_times = (int((today - first).astype(np.int64)) + 1) // step
    if not n_times:
        raise NotEnoughData(
            f"on {today} the first week, from {first}, is not over yet",
            f"截至 {today}，自 {first} 起的首周尚未结束",
            field="now",
        )
    today = first + np.timedelta64(n_times * step - 1, "D")
    inside = known & (event >= first) & (report <= today)
    t = (event[inside] - first).astype(np.int64) // step
    d = np.minimum((report[inside] - first).astype(np.int64) // step - t, max_delay)
    series = np.searchsorted(np.array(names), labels[inside]) if groups is not None else np.zeros_like(t)
    shape = (len(names), n_times, max_delay + 1)
    cells = np.bincount(np.ravel_multi_index((series, t, d), shape), minlength=int(np.prod(shape)))
    counts = np.where(_unknown(n_times, max_delay), np.nan, cells.reshape(shape).astype(np.float64))
    return ReportingTriangle(
        counts,
        first + np.arange(n_times) * np.timedelta64(step, "D"),
        frequency,
        names,
        left_out=int((~known).sum() + (known & (event < first)).sum()),
        later=int((known & (event >= first) & (report > today)).sum()),
    )


def triangle_of_counts(
    counts: ArrayLike,
    *,
    dates: Iterable[Any] | None = None,
    start: date | str | None = None,
    frequency: Frequency = "daily",
    names: Sequence[str] | None = None,
) -> ReportingTriangle:
    """A triangle already counted: periods × delays, or series × periods × delays. Cells that cannot be known
    yet are taken as unknown whatever they hold.
    """
    cells = np.asarray(counts, dtype=np.float64)
    cells = cells[None] if cells.ndim == 2 else cells
    if cells.ndim != 3 or not cells.size:
        raise InputError(
            "a reporting triangle is periods × delays, or series × periods × delays",
            "报告三角应为“时期 × 延迟”或“序列 × 时期 × 延迟”",
            field="counts",
        )
    n, n_times, delays = cells.shape
    _check_delay(delays - 1)
    p = panel(np.zeros((n, n_times)), dates=dates, start=start, frequency=frequency, names=names)
    unknown = _unknown(n_times, delays - 1)
    if not (np.isfinite(cells) & (cells >= 0))[:, ~unknown].all():
        raise InputError(
            "cells of the triangle that are known by now must be counts from 0",
            "报告三角中截至目前已知的单元必须为非负计数",
            field="counts",
        )
    return ReportingTriangle(np.where(unknown, np.nan, cells), p.dates, p.frequency, p.names)


def _unknown(n_times: int, max_delay: int) -> NDArray[np.bool_]:
    return np.add.outer(np.arange(n_times), np.arange(max_delay + 1)) > n_times - 1


def _limits(event: Dates, now: Any, start: Any) -> tuple[np.datetime64, np.datetime64]:
    today = _day(now, "now")
    if start is None and not event.size:
        raise NotEnoughData(
            "no record has both dates; there is nothing to learn delays from",
            "没有任何记录同时具有两个日期，无法估计延迟",
            field="reports",
        )
    first = _day(start, "start") if start is not None else event.min()
    if today < first:
        raise InputError(
            f"now is {today}, before the first event on {first}",
            f"当前日期 {today} 早于首个事件日期 {first}",
            field="now",
        )
    return today, first


def _day(day: Any, field: str) -> np.datetime64:
    return np.datetime64(as_dates([str(day)[:10]], field=field)[0], "D")


def _check_delay(max_delay: int) -> None:
    if not 1 <= max_delay <= LONGEST_DELAY:
        raise InputError(
            f"max_delay is {max_delay}; it must be a whole number from 1 to {LONGEST_DELAY}",
            f"max_delay 为 {max_delay}；必须是 1 至 {LONGEST_DELAY} 的整数",
            field="max_delay",
        )
