"""How fast counts grow or decline, and how long they take to double or halve.

Log counts by least squares over periods with cases (Wallinga J, Lipsitch M (2007) Proc R Soc B 274:599), or
all counts by a negative-binomial log-linear model (NB2: Hilbe JM (2011) Negative Binomial Regression), which
needs no logarithm of zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from bihuan.epi.arguments import checked
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.reproduction.negbin import fit_line
from bihuan.epi.series import Floats, Panel, panel

GrowthMethod = Literal["negbin", "loglinear"]
Codes = NDArray[np.uint8]

PAPERS: dict[str, tuple[str, str, str]] = {
    "negbin": ("negative-binomial regression", "负二项回归", "Hilbe 2011"),
    "loglinear": ("log-linear regression", "对数线性回归", "Wallinga 2007"),
}
#: A rate nearer to zero than this is rounding.
NO_CHANGE = 1e-12
#: Fewest periods a line with its spread can stand on.
FEWEST = 3


class GrowthReason(IntEnum):
    """Why a series has or has no growth rate."""

    ASSESSED = 0
    TOO_FEW_PERIODS = 1  # fewer than three usable periods
    NO_CASES = 2
    NO_CONVERGENCE = 3


REASONS: dict[GrowthReason, tuple[str, str]] = {
    GrowthReason.ASSESSED: ("assessed", "已评估"),
    GrowthReason.TOO_FEW_PERIODS: (
        "not assessed because fewer than three periods can be used",
        "未评估：可用时期不足三期",
    ),
    GrowthReason.NO_CASES: ("not assessed because there are no cases", "未评估：没有病例"),
    GrowthReason.NO_CONVERGENCE: ("not assessed because the regression did not settle", "未评估：回归未收敛"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """One value a series. `rate` is the change of the log count a period, `low` … `high` its interval at
    `level`; `dispersion` k of the negative binomial (variance μ + μ²/k; inf: Poisson), NaN for log-linear.
    `middle` is the log of the fitted count at the middle of the periods.
    """

    panel: Panel
    method: GrowthMethod
    level: float
    rate: Floats
    low: Floats
    high: Floats
    dispersion: Floats
    middle: Floats
    n_periods: NDArray[np.intp]
    reason: Codes

    def fitted(self, series: int = 0) -> tuple[Floats, Floats, Floats]:
        """Fitted counts of one series a period: with the lower, the estimated and the upper rate."""
        t = np.arange(self.panel.n_times) - (self.panel.n_times - 1) / 2
        rates = (self.low[series], self.rate[series], self.high[series])
        curves = np.exp(self.middle[series] + np.array(rates)[:, None] * t)
        return np.minimum(curves[0], curves[2]), curves[1], np.maximum(curves[0], curves[2])

    @property
    def doubling(self) -> Floats:
        """Periods to double, ln 2 / rate; negative where counts decline (then see `halving`), inf without
        change.
        """
        return _time(self.rate)

    @property
    def halving(self) -> Floats:
        return _time(-self.rate)

    def doubling_interval(self) -> tuple[Floats, Floats]:
        """Bounds of the doubling time where counts grow, of the halving time where they decline; inf where
        the interval of the rate reaches zero.
        """
        fast = np.where(self.rate > 0, self.high, -self.low)
        slow = np.where(self.rate > 0, self.low, -self.high)
        return _time(fast), np.where(slow > 0, _time(slow), np.where(np.isnan(slow), np.nan, np.inf))

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict a series: rate and interval, doubling or halving time and interval, dispersion, reason."""
        shortest, longest = self.doubling_interval()
        for i, name in enumerate(self.panel.names):
            growing = bool(self.rate[i] > 0)
            yield {
                "series": name,
                "from": self.panel.dates[0].astype(object),
                "until": self.panel.dates[-1].astype(object),
                "rate": _number(self.rate[i]),
                "low": _number(self.low[i]),
                "high": _number(self.high[i]),
                "doubling": _number(self.doubling[i]) if growing else None,
                "halving": None if growing else _number(self.halving[i]),
                "shortest": _number(shortest[i]),
                "longest": _number(longest[i]),
                "dispersion": _number(self.dispersion[i]),
                "periods": int(self.n_periods[i]),
                "reason": GrowthReason(int(self.reason[i])).name.lower(),
                "method": self.method,
            }

    def explain(self, lang: str = "en", *, series: int | str = 0) -> str:
        """One sentence on one series."""
        from bihuan.epi.reproduction.sentences import explain_growth

        return explain_growth(self, lang, self.panel.index(series) if isinstance(series, str) else series)

    def plot(self, *, series: int | str = 0, lang: str = "en", path: str | None = None) -> Any:
        """A Matplotlib figure of counts with the fitted curve; saved to `path` when given."""
        from bihuan.epi.figures.growth import plot_growth

        i = self.panel.index(series) if isinstance(series, str) else series
        return plot_growth(self, series=i, lang=lang, path=path)


@checked
def growth_rate(
    counts: ArrayLike | Panel,
    *,
    method: GrowthMethod = "negbin",
    window: tuple[int, int] | None = None,
    level: float = 0.95,
    **panel_kw: Any,
) -> Growth:
    """Growth rate of one series or many over all periods, or those of `window` (first, last; from 1).

    "negbin" uses every reported period, with zeros; its interval is Wald's (normal). "loglinear" uses periods
    with cases only, as the peer does; its interval is Student's. Periods not reported are left out.
    `panel_kw` (`start`, `dates`, `frequency`, `names`) are those of `panel`.
    """
    if method not in PAPERS:
        raise InputError(
            f"method {method!r} is not one of {', '.join(PAPERS)}",
            f"方法 {method!r} 不在 {'、'.join(PAPERS)} 之中",
            field="method",
        )
    if not 0 < level < 1:
        raise InputError("level must lie between 0 and 1", "置信水平必须在 0 与 1 之间", field="level")
    p = _cut(panel(counts, **panel_kw), window)
    if method == "loglinear":
        use = np.nan_to_num(p.counts, nan=0.0) > 0
        rate, se, middle, quantile = _least_squares(p.counts, level)
        dispersion, settled = np.full(rate.shape, np.nan), np.ones(rate.shape, dtype=bool)
    else:
        use = ~np.isnan(p.counts)
        rate, se, middle, dispersion, settled = fit_line(p.counts)
        quantile = np.full(rate.shape, special.ndtri((1 + level) / 2))
    n = use.sum(axis=1)
    reason = _reasons(p.counts, n, settled)
    rate[np.abs(rate) < NO_CHANGE] = 0.0
    blank = reason != GrowthReason.ASSESSED
    rate[blank], se[blank], dispersion[blank], middle[blank] = np.nan, np.nan, np.nan, np.nan
    return Growth(
        p, method, level, rate, rate - quantile * se, rate + quantile * se, dispersion, middle, n, reason
    )


def _least_squares(counts: Floats, level: float) -> tuple[Floats, Floats, Floats, Floats]:
    """A series a row: slope of log counts, its standard error, the line at the middle, Student's quantile."""
    use = np.nan_to_num(counts, nan=0.0) > 0
    n = use.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.where(use, np.log(np.where(use, counts, 1.0)), 0.0)
        t = np.arange(counts.shape[1], dtype=np.float64)[None, :] * use
        t_c = np.where(use, t - (t.sum(axis=1) / n)[:, None], 0.0)
        y_c = np.where(use, y - (y.sum(axis=1) / n)[:, None], 0.0)
        spread = (t_c**2).sum(axis=1)
        slope = (t_c * y_c).sum(axis=1) / spread
        left = ((y_c - slope[:, None] * t_c) ** 2).sum(axis=1)
        se = np.sqrt(left / np.maximum(n - 2, 1) / spread)
        middle = y.sum(axis=1) / n + slope * ((counts.shape[1] - 1) / 2 - t.sum(axis=1) / n)
    return slope, se, middle, special.stdtrit(np.maximum(n - 2, 1), (1 + level) / 2)


def _cut(p: Panel, window: tuple[int, int] | None) -> Panel:
    first, last = (1, p.n_times) if window is None else window
    if not 1 <= first <= last <= p.n_times:
        raise InputError(
            f"window {first} to {last} must lie within periods 1 to {p.n_times}",
            f"窗口 {first}–{last} 须在第 1 期至第 {p.n_times} 期之内",
            field="window",
        )
    if last - first + 1 < FEWEST:
        raise NotEnoughData(
            f"a growth rate needs at least {FEWEST} periods; there are {last - first + 1}",
            f"估计增长率至少需要 {FEWEST} 期数据；现有 {last - first + 1} 期",
            field="window",
        )
    part = slice(first - 1, last)
    population = None if p.population is None else p.population[:, part]
    return Panel(p.counts[:, part], p.dates[part], p.frequency, p.names, population)


def _reasons(counts: Floats, n: NDArray[np.intp], settled: NDArray[np.bool_]) -> Codes:
    reason = np.full(n.shape, GrowthReason.ASSESSED, dtype=np.uint8)
    reason[~settled] = GrowthReason.NO_CONVERGENCE
    reason[n < FEWEST] = GrowthReason.TOO_FEW_PERIODS
    reason[np.nansum(counts, axis=1) <= 0] = GrowthReason.NO_CASES
    return reason


def _time(rate: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(2) / np.where(rate == 0, 0.0, rate))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
