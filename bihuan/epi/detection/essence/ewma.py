"""Weighted mean of the newest days against the mean of the baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from bihuan.epi.detection.assembly import At, assemble, check_above, positions
from bihuan.epi.detection.calendar import weekday_factors
from bihuan.epi.detection.essence.baselines import ALERT, BASELINE, GUARD, Window, kinds_of_days, t_quantile
from bihuan.epi.detection.results import Detection, Method
from bihuan.epi.series import Floats, Panel, panel

#: Weights of today: the slow one for gradual, the fast one for sudden events (ESSENCE).
SLOW, FAST = 0.4, 0.9
#: Days of baseline the test can begin with.
_LEAST = 7
#: The floor of the standard deviation, fitted so that lone cases do not alarm (ESSENCE; see `_floor`).
_FLOOR = (0.1289, 0.2414, 0.1826)


def ewma(
    counts: ArrayLike | Panel,
    *,
    baseline: int = BASELINE,
    guard: int = GUARD,
    w1: float = SLOW,
    w2: float = FAST,
    alpha: float = ALERT,
    calendar: str | None = None,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """Exponentially weighted moving average, tested by Student's t (Roberts 1959; Burkom et al. 2004,
    ESSENCE).

    z_t = w·x_t + (1 - w)·z_{t-1} is held against the mean of the `baseline` days that end `guard` days
    before, in units of s·sqrt(w/(2-w) + 1/n - 2(1-w)^(guard+1)(1-(1-w)^n)/n) plus a floor for sparse counts,
    n - 1 degrees of freedom; the weight with the larger statistic decides. Where it exceeds the 0.99
    quantile, z goes on from that quantile. This is what alert_ewma of Rnssp computes, and the default.
    `calendar`, a country code such as "CN", divides counts by weekday factors first (public holidays count
    as Sundays, weekend days worked as weekdays); the routed default uses it. `score` is the statistic;
    `upper` the count that would have reached `alpha` today.
    """
    series = panel(counts, **panel_kw)
    window = Window(baseline, guard, _LEAST)
    window.check()
    for name, weight in (("w1", w1), ("w2", w2), ("alpha", alpha)):
        check_above(name, weight, below=1.0)
    factors = np.ones_like(series.counts)
    if calendar is not None:
        factors = weekday_factors(series.counts, kinds_of_days(series, calendar))
    where = positions(series, at)
    values = series.counts / factors
    mean, deviation, known = _moments(values, window)
    run = _Charts(values, mean, deviation, known, window)
    slow, fast = run.chart(w1), run.chart(w2)
    with np.errstate(invalid="ignore"):
        score = np.fmax(slow.score, fast.score)
        p_value = stats.t.sf(score, np.maximum(known - 1, 1))
        limit = t_quantile(1 - alpha, known - 1)
        upper = np.fmin(slow.needed(limit), fast.needed(limit)) * factors
    chosen = np.ix_(np.arange(series.n_series), where)
    method = Method(
        key="ewma",
        label_en="EWMA",
        label_zh="指数加权移动平均",
        paper="Burkom et al. 2004",
        baseline_en=f"{baseline} days ending {guard} days before",
        baseline_zh=f"截至 {guard} 天前的 {baseline} 天",
        parameters={"baseline": baseline, "guard": guard, "w1": w1, "w2": w2, "calendar": calendar},
    )
    return assemble(
        series,
        method,
        where,
        reason=window.reasons(known[chosen], where),
        alarm=p_value[chosen] < alpha,
        expected=(mean * factors)[chosen],
        upper=np.maximum(upper[chosen], 0.0),
        score=score[chosen],
        p_value=p_value[chosen],
    )


def _moments(values: Floats, window: Window) -> tuple[Floats, Floats, Floats]:
    """Mean, sample standard deviation and number of reported days of every baseline."""
    begin, end = window.bounds(np.arange(values.shape[1]))
    reported = np.isfinite(values)
    filled = np.where(reported, values, 0.0)

    def over(column: Floats) -> Floats:
        running = np.concatenate([np.zeros((column.shape[0], 1)), np.cumsum(column, axis=1)], axis=1)
        return np.asarray(running[:, end] - running[:, begin])

    n, total, squares = over(reported.astype(np.float64)), over(filled), over(filled**2)
    mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    spread = np.maximum(squares - total**2 / np.maximum(n, 1), 0.0)
    return mean, np.sqrt(spread / np.maximum(n - 1, 1)), n


class _Chart:
    """One weight's statistic, and what it takes to reach a limit."""

    def __init__(self, score: Floats, before: Floats, mean: Floats, scale: Floats, weight: float) -> None:
        self.score, self._before, self._mean, self._scale, self._weight = score, before, mean, scale, weight

    def needed(self, limit: Floats) -> Floats:
        """The count today at which the statistic is `limit`."""
        reach = self._mean + limit * self._scale
        return np.asarray((reach - (1 - self._weight) * self._before) / self._weight)


class _Charts:
    """Runs the smoothing of one weight over all series at once."""

    def __init__(self, values: Floats, mean: Floats, deviation: Floats, n: Floats, window: Window) -> None:
        self._values, self._mean, self._deviation, self._n, self._window = values, mean, deviation, n, window
        self._usable = n >= window.least
        self._cap = t_quantile(1 - ALERT, n - 1)

    def chart(self, weight: float) -> _Chart:
        scale = self._scale(weight)
        score, before = np.full(self._values.shape, np.nan), np.full(self._values.shape, np.nan)
        smooth = np.full(self._values.shape[0], np.nan)
        for t in range(self._values.shape[1]):
            before[:, t] = smooth
            smooth = self._step(t, smooth, weight)
            with np.errstate(invalid="ignore"):
                statistic = (smooth - self._mean[:, t]) / scale[:, t]
                outlying = self._usable[:, t] & (statistic > self._cap[:, t])
            score[:, t] = np.where(self._usable[:, t], statistic, np.nan)
            capped = self._mean[:, t] + self._cap[:, t] * scale[:, t]
            smooth = np.where(outlying, capped, smooth)
        return _Chart(score, before, self._mean, scale, weight)

    def _step(self, t: int, smooth: Floats, weight: float) -> Floats:
        today = self._values[:, t]
        first = np.where(np.isnan(smooth), today, smooth)
        moved = weight * today + (1 - weight) * first
        return np.asarray(np.where(np.isnan(today), smooth, moved))

    def _scale(self, weight: float) -> Floats:
        """Standard error of z minus the mean of the baseline, and the floor."""
        n = np.maximum(self._n, 1.0)
        rest = 1 - weight
        overlap = 2 * rest ** (self._window.guard + 1) * (1 - rest**n) / n
        error = np.sqrt(weight / (2 - weight) + 1 / n - overlap)
        return np.asarray(self._deviation * error + _floor(weight, self._n - 1))


def _floor(weight: float, degrees: NDArray[np.float64]) -> Floats:
    """w·(0.1289 - (0.2414 - 0.1826 (1 - w)^4)·ln(10·0.05)) over the 0.95 quantile of t: ESSENCE's floor."""
    first, second, third = _FLOOR
    constant = first - (second - third * (1 - weight) ** 4) * np.log(10 * 0.05)
    return np.asarray(weight * constant / t_quantile(0.95, degrees))
