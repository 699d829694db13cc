"""As-of replay: what a detector would have said each day from what was known that day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.calendar import epiweeks, week_starts
from bihuan.epi.delays import times
from bihuan.epi.detection.results import Bools, Detection, Reason
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.series import DAY, MONTH, Floats, Frequency, Panel, as_dates


@dataclass(frozen=True, slots=True, eq=False)
class Vintages:
    """`counts[i, t, d]`: records of series i that happened in period t and first were known on `known[d]`.

    `as_of(day)` is the panel as it stood that day: nothing learnt later is in it. `missing` records lacked a
    date.
    """

    counts: NDArray[np.int32]
    dates: NDArray[np.datetime64]
    known: NDArray[np.datetime64]
    frequency: Frequency
    names: tuple[str, ...]
    missing: int = 0

    def as_of(self, day: date | str | np.datetime64) -> Panel:
        """Counts by period, up to the period that holds `day`, of the records known by its end."""
        when = np.datetime64(str(day), "D")
        n_known = int(np.searchsorted(self.known, when, side="right"))
        n_times = int(np.searchsorted(self.dates, when, side="right"))
        if not n_times:
            raise NotEnoughData(f"nothing had begun by {when}", f"截至 {when} 尚无数据")
        counts = self.counts[:, :n_times, :n_known].sum(axis=2, dtype=np.float64)
        return Panel(counts, self.dates[:n_times], self.frequency, self.names)

    def final(self) -> Panel:
        """What is known in the end."""
        return Panel(self.counts.sum(axis=2, dtype=np.float64), self.dates, self.frequency, self.names)

    def by_delay(self, *, series: int = 0, longest: int) -> NDArray[np.int64]:
        """Period × days from its first day to the day known, 0..longest: what a nowcast takes."""
        gap = (self.known[None, :] - self.dates[:, None]).astype(np.int64)
        out = np.zeros((self.dates.size, longest + 1), dtype=np.int64)
        t, d = np.nonzero((gap >= 0) & (gap <= longest))
        np.add.at(out, (t, gap[t, d]), self.counts[series, t, d])
        return out


def vintages(
    happened: Iterable[Any],
    known: Iterable[Any],
    *,
    territory: Sequence[str] | None = None,
    frequency: Frequency = "daily",
    first: date | str | None = None,
    last: date | str | None = None,
) -> Vintages:
    """From a line list: the day each record happened and the day it became known. A record known before it
    happened is an InputError; one without either date is counted as missing."""
    event, seen = times.read(happened, field="happened"), times.read(known, field="known")
    times.pair_up(event, seen, names=("happened", "known"))
    told = ~np.isnan(event.values) & ~np.isnan(seen.values)
    if not told.any():
        raise NotEnoughData("no record has both dates", "没有两个日期齐全的记录")
    days, report = (np.floor(v.values[told]).astype(np.int64) for v in (event, seen))
    if (report < days).any():
        i = int(np.flatnonzero(told)[np.argmax(report < days)]) + 1
        raise InputError(
            f"record {i} was known before it happened", f"第 {i} 条记录的获知日早于发生日", field="known"
        )
    places = np.array(["all"] * told.size if territory is None else list(territory), dtype=str)
    if places.size != told.size:
        raise InputError(
            f"{places.size} territories for {told.size} records; they must pair up",
            f"{told.size} 条记录却有 {places.size} 个地区；必须一一对应",
            field="territory",
        )
    names, row = np.unique(places[told], return_inverse=True)
    begin = _begin(days.astype("datetime64[D]"), frequency)
    start = _begin(np.array([first or begin.min()], dtype="datetime64[D]"), frequency)[0]
    end = np.datetime64(str(last), "D") if last is not None else report.max().astype("datetime64[D]")
    dates, column = _axis(start, end, frequency), np.searchsorted(_axis(start, end, frequency), begin)
    kept = (begin >= start) & (begin <= end) & (report.astype("datetime64[D]") <= end)
    known_days = np.unique(report[kept]).astype("datetime64[D]")
    counts = np.zeros((names.size, dates.size, known_days.size), dtype=np.int32)
    np.add.at(
        counts,
        (row[kept], column[kept], np.searchsorted(known_days, report[kept].astype("datetime64[D]"))),
        1,
    )
    return Vintages(counts, dates, known_days, frequency, tuple(str(n) for n in names), int((~told).sum()))


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Series × day of asking. `alarm` from what was known that day, `alarm_final` from what is known in the
    end, both for the newest period of that day; `observed` and `final` its counts then and in the end."""

    method: str
    names: tuple[str, ...]
    days: NDArray[np.datetime64]
    period: NDArray[np.datetime64]
    observed: Floats
    final: Floats
    alarm: Bools
    alarm_final: Bools
    reason: NDArray[np.uint8]

    def rows(self) -> Iterator[dict[str, Any]]:
        for i, name in enumerate(self.names):
            for d, day in enumerate(self.days):
                yield {
                    "series": name,
                    "day": day.astype(object),
                    "period": self.period[d].astype(object),
                    "observed": float(self.observed[i, d]),
                    "final": float(self.final[i, d]),
                    "alarm": bool(self.alarm[i, d]),
                    "alarm_final": bool(self.alarm_final[i, d]),
                    "reason": Reason(int(self.reason[i, d])).name.lower(),
                }

    def explain(self, lang: str = "en") -> str:
        """One sentence: alarms then and in hindsight, and how much of the counts was known."""
        then, later = int(self.alarm.sum()), int(self.alarm_final.sum())
        both = int((self.alarm & self.alarm_final).sum())
        total = self.final.sum()
        share = f"{100 * self.observed.sum() / total:.0f}%" if total else "–"
        if lang.startswith("zh"):
            return (
                f"{self.method} 回放 {self.days.size} 天：当时报警 {then} 次，事后看应报 {later} 次，"
                f"其中当时已报 {both} 次；当日已知病例为最终的 {share}。"
            )
        return (
            f"{self.method} replayed over {self.days.size} days: {then} alarms as known then, {later} in "
            f"hindsight, {both} of them raised at the time; {share} of the cases were known on the day."
        )


def replay(
    data: Vintages,
    detector: Callable[[Panel], Detection],
    *,
    days: Iterable[Any] | None = None,
) -> Replay:
    """Ask the detector on each of `days` (default: the last day of every period) about the newest period,
    from what was known by the end of that day. The detector gets a Panel; of what it assesses the newest
    period counts."""
    asked = _asked(data, days)
    final = data.final()
    n = len(data.names)
    observed, ends = np.full((n, asked.size), np.nan), np.full((n, asked.size), np.nan)
    alarm, hindsight = np.zeros((n, asked.size), bool), np.zeros((n, asked.size), bool)
    reason = np.full((n, asked.size), Reason.NOT_ASKED, dtype=np.uint8)
    period = np.empty(asked.size, dtype="datetime64[D]")
    method = ""
    for d, day in enumerate(asked):
        then = data.as_of(day)
        t = then.n_times - 1
        period[d], observed[:, d], ends[:, d] = then.dates[t], then.counts[:, t], final.counts[:, t]
        for panel_, column in ((then, alarm), (final.until(day), hindsight)):
            found = detector(panel_)
            newest = np.flatnonzero(found.at == t)
            if newest.size:
                column[:, d] = found.alarm[:, newest[0]]
                if column is alarm:
                    reason[:, d], method = found.reason[:, newest[0]], found.method.label_en
    return Replay(method, data.names, asked, period, observed, ends, alarm, hindsight, reason)


def _asked(data: Vintages, days: Iterable[Any] | None) -> NDArray[np.datetime64]:
    if days is not None:
        return as_dates(days, field="days")
    ends = np.append(data.dates[1:] - DAY, _axis_next(data.dates[-1], data.frequency) - DAY)
    return np.asarray(ends[ends <= data.known[-1]] if data.known.size else ends)


def _axis_next(day: np.datetime64, frequency: Frequency) -> np.datetime64:
    if frequency == "monthly":
        return (day.astype("datetime64[M]") + MONTH).astype("datetime64[D]")
    return day + np.timedelta64(7 if frequency == "weekly" else 1, "D")


def _begin(days: NDArray[np.datetime64], frequency: Frequency) -> NDArray[np.datetime64]:
    """First day of each day's period; weeks are ISO weeks."""
    if frequency == "weekly":
        return week_starts(*epiweeks(days))
    if frequency == "monthly":
        return days.astype("datetime64[M]").astype("datetime64[D]")
    return days


def _axis(start: np.datetime64, end: np.datetime64, frequency: Frequency) -> NDArray[np.datetime64]:
    if frequency == "monthly":
        return np.arange(start.astype("datetime64[M]"), end.astype("datetime64[M]") + MONTH).astype(
            "datetime64[D]"
        )
    return np.arange(start, end + DAY, (7 if frequency == "weekly" else 1) * DAY)
