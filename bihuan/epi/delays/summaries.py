"""Delays between two dates of a case: quantiles with the missing share beside them.

Pure NumPy. Dates come in as anything `numpy.array(..., dtype="datetime64[D]")` takes, with None for unknown.
A delay is a whole number of days (end minus start) by local calendar date. An unknown date makes the delay
missing, never zero (clauses D0-10, D1-01). Negative delays are real (confirmed before onset) and are kept,
counted apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.series import as_dates

Days = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Step:
    """One named interval: the two fields of a case between which it runs."""

    key: str
    start: str
    end: str


# The five "early" steps of D1-01 (五早), each counted from onset.
FIVE_STEPS: tuple[Step, ...] = (
    Step("found", "date_onset", "date_visit"),
    Step("reported", "date_onset", "date_report"),
    Step("diagnosed", "date_onset", "date_diagnosis"),
    Step("isolated", "date_onset", "date_isolation"),
    Step("treated", "date_onset", "date_admission"),
)
# The chain of D0-10 (早收早检早诊早治), each counted from the step before.
CHAIN_STEPS: tuple[Step, ...] = (
    Step("visit", "date_onset", "date_visit"),
    Step("sample", "date_visit", "date_sample"),
    Step("result", "date_sample", "date_result"),
    Step("admission", "date_result", "date_admission"),
)
# The way of a case through surveillance, onset to isolation, each from the step before (protocols, §13).
RESPONSE_STEPS: tuple[Step, ...] = (
    Step("visit", "date_onset", "date_visit"),
    Step("test", "date_visit", "date_sample"),
    Step("result", "date_sample", "date_result"),
    Step("report", "date_result", "date_report"),
    Step("isolation", "date_report", "date_isolation"),
)


@dataclass(frozen=True, slots=True)
class DelaySummary:
    """`n` delays known, `missing` unknown, `negative` of the known below zero; days, or None if none
    known.
    """

    n: int
    missing: int
    negative: int
    median: float | None
    p90: float | None
    mean: float | None

    @property
    def total(self) -> int:
        return self.n + self.missing

    @property
    def missing_share(self) -> float | None:
        """Share of records without the delay, 0..1; None when there is no record at all."""
        return self.missing / self.total if self.total else None


def delays(start: Iterable[date | None], end: Iterable[date | None]) -> Days:
    """Days from `start` to `end`, pairwise; NaN where either is unknown. Lengths must agree."""
    first, last = as_dates(start), as_dates(end)
    if first.shape != last.shape:
        raise InputError(
            f"start has {first.size} dates and end has {last.size}; they must pair up",
            f"起始有 {first.size} 个日期，终止有 {last.size} 个；必须一一对应",
            field="end",
        )
    gap = (last - first).astype("timedelta64[D]")
    out = gap.astype(np.float64)
    out[np.isnat(gap)] = np.nan
    return out


def quantile(days: Days, q: float) -> float | None:
    """The q-quantile of the known delays (linear interpolation, Hyndman and Fan type 7); None if none."""
    known = days[~np.isnan(days)]
    return float(np.quantile(known, q)) if known.size else None


def summarize(days: Days) -> DelaySummary:
    """Median, 90th percentile and mean of the known delays, and how many are missing."""
    known = days[~np.isnan(days)]
    if not known.size:
        return DelaySummary(n=0, missing=int(days.size), negative=0, median=None, p90=None, mean=None)
    return DelaySummary(
        n=int(known.size),
        missing=int(days.size - known.size),
        negative=int((known < 0).sum()),
        median=float(np.median(known)),
        p90=float(np.quantile(known, 0.9)),
        mean=float(known.mean()),
    )


def summarize_by(groups: Sequence[str], days: Days) -> dict[str, DelaySummary]:
    """One summary per group label, in order of the label."""
    labels = np.asarray(groups, dtype=object)
    return {label: summarize(days[labels == label]) for label in sorted(set(groups))}


def median_by_day(on: Iterable[date | None], days: Days) -> list[tuple[date, DelaySummary]]:
    """The trend: one summary per day of `on` (for example the report date), days without a record left
    out.
    """
    when = as_dates(on)
    known = when[~np.isnat(when)]
    return [(day.astype(object), summarize(days[when == day])) for day in np.unique(known)]
