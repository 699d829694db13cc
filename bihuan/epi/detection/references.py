"""Reference values of the same season: windows around the same period of earlier years, and just before.

Of the period t, year i back gives t - i·year - w … t - i·year + w; the current year gives the w periods
before t (Riebler 2004; Robert Koch Institute). Sums come from running totals, for all series at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.detection.results import Codes, Reason
from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats, Panel


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Number, sum and sum of squares of the reference values of each series and assessed period."""

    n: Floats
    total: Floats
    squares: Floats
    reason: Codes

    @property
    def mean(self) -> Floats:
        return np.asarray(np.where(self.n > 0, self.total / np.maximum(self.n, 1), np.nan))

    @property
    def deviation(self) -> Floats:
        """Sample standard deviation; NaN with fewer than two values."""
        spread = self.squares - self.total**2 / np.maximum(self.n, 1)
        safe = np.sqrt(np.maximum(spread, 0.0) / np.maximum(self.n - 1, 1))
        return np.asarray(np.where(self.n > 1, safe, np.nan))


def same_season(
    series: Panel, at: NDArray[np.intp], *, years: int, half_width: int, this_year: bool, year: int
) -> References:
    """References of each period in `at`: `years` back, 2w + 1 values each, and w before it if `this_year`."""
    check_windows(years=years, half_width=half_width, this_year=this_year)
    years = min(years, series.n_times // max(year, 1) + 1)  # that many already lie before the first period
    windows = [(at - i * year - half_width, at - i * year + half_width + 1) for i in range(1, years + 1)]
    if this_year:
        windows.append((at - half_width, at))
    known = np.isfinite(series.counts)
    values = np.where(known, series.counts, 0.0)
    n, total, squares = (
        _over_windows(column, windows) for column in (known.astype(np.float64), values, values**2)
    )
    earliest = np.minimum.reduce([begin for begin, _end in windows])
    reason = np.zeros(n.shape, dtype=np.uint8)
    reason[n == 0] = Reason.GAP_IN_BASELINE
    reason[:, earliest < 0] = Reason.SHORT_HISTORY
    return References(n, total, squares, reason)


def check_windows(*, years: int, half_width: int, this_year: bool) -> None:
    """InputError when the windows name no reference value at all."""
    if years < 0 or half_width < 0 or (years == 0 and (not this_year or half_width == 0)):
        raise InputError(
            f"b = {years} years with w = {half_width} and act_y = {this_year} name no reference values",
            f"b = {years} 年、w = {half_width}、act_y = {this_year} 未指定任何参照值",
            field="b",
        )


def _over_windows(values: Floats, windows: list[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> Floats:
    running = np.concatenate([np.zeros((values.shape[0], 1)), np.cumsum(values, axis=1)], axis=1)
    last = running.shape[1] - 1
    parts = [
        running[:, np.clip(end, 0, last)] - running[:, np.clip(begin, 0, last)] for begin, end in windows
    ]
    return np.asarray(np.sum(parts, axis=0))
