"""Epidemic curves: counts a day, with every day between first and last present. Pure NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from bihuan.epi.delays import as_dates


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
