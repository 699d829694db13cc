"""Weighted mean of the newest days against the mean of the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from bihuan.epi.arguments import checked
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


@checked
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
    factors = None
    if calendar is not None:
        factors = weekday_factors(series.counts, kinds_of_days(series, calendar))
    where = positions(series, at)
    values = series.counts if factors is None else series.counts / factors
    base = _baselines(np.ascontiguousarray(values.T), window)
    mean, known = base.mean[where].T, base.n[where].T
    slow, fast = _chart(base, w1, where), _chart(base, w2, where)
    limit = t_quantile(1 - alpha, known - 1)
    share = np.ones_like(mean) if factors is None else factors[:, where]
    with np.errstate(invalid="ignore"):
        score = np.fmax(slow.score, fast.score)
        p_value = stats.t.sf(score, np.maximum(known - 1, 1))
        upper = np.fmin(slow.needed(limit), fast.needed(limit)) * share
        alarm = p_value < alpha
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
        reason=window.reasons(known, where),
        alarm=alarm,
        expected=mean * share,
        upper=np.maximum(upper, 0.0),
        score=score,
        p_value=p_value,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Baselines:
    """Counts, and of the baseline of every day mean, standard deviation, days reported and the quantile
    beyond which a smoothed count is cut back: time × series, so that a day lies together in memory.
    """

    values: Floats
    mean: Floats
    deviation: Floats
    n: Floats
    cap: Floats
    window: Window


def _baselines(values: Floats, window: Window) -> _Baselines:
    begin, end = window.bounds(np.arange(values.shape[0]))
    reported = np.isfinite(values)
    filled = np.where(reported, values, 0.0)

    def over(column: Floats) -> Floats:
        running = np.concatenate([np.zeros((1, column.shape[1])), np.cumsum(column, axis=0)])
        return np.asarray(running[end] - running[begin])

    n, total, squares = over(reported.astype(np.float64)), over(filled), over(filled**2)
    mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    spread = np.maximum(squares - total**2 / np.maximum(n, 1), 0.0)
    cap = np.where(n >= window.least, t_quantile(1 - ALERT, n - 1), np.inf)
    return _Baselines(values, mean, np.sqrt(spread / np.maximum(n - 1, 1)), n, cap, window)


@dataclass(frozen=True, slots=True, eq=False)
class _Chart:
    """One weight's statistic at the days asked for, and what it stands on: series × days."""

    weight: float
    score: Floats
    before: Floats
    mean: Floats
    scale: Floats

    def needed(self, limit: Floats) -> Floats:
        """The count today at which the statistic is `limit`."""
        reach = self.mean + limit * self.scale
        return np.asarray((reach - (1 - self.weight) * self.before) / self.weight)


def _chart(base: _Baselines, weight: float, where: NDArray[np.intp]) -> _Chart:
    """The smoothing of one weight, day by day over all series at once."""
    scale = _scale(base, weight)
    score, before = np.full(base.values.shape, np.nan), np.full(base.values.shape, np.nan)
    smooth = np.full(base.values.shape[1], np.nan)
    with np.errstate(invalid="ignore"):
        for t in range(int(where[-1]) + 1):
            before[t] = smooth
            today = base.values[t]
            moved = weight * today + (1 - weight) * np.where(np.isnan(smooth), today, smooth)
            smooth = np.where(np.isnan(today), smooth, moved)
            score[t] = (smooth - base.mean[t]) / scale[t]
            capped = base.mean[t] + base.cap[t] * scale[t]
            smooth = np.where(score[t] > base.cap[t], capped, smooth)
    usable = base.n[where] >= base.window.least
    return _Chart(
        weight=weight,
        score=np.where(usable, score[where], np.nan).T,
        before=before[where].T,
        mean=base.mean[where].T,
        scale=scale[where].T,
    )


def _scale(base: _Baselines, weight: float) -> Floats:
    """Standard error of z minus the mean of the baseline, plus the floor."""
    n = np.arange(base.n.max(initial=0.0) + 1)
    safe, rest = np.maximum(n, 1.0), 1 - weight
    overlap = 2 * rest ** (base.window.guard + 1) * (1 - rest**safe) / safe
    error = np.sqrt(weight / (2 - weight) + 1 / safe - overlap)
    which = base.n.astype(np.intp)
    return np.asarray(base.deviation * error[which] + _floor(weight, n - 1)[which])


def _floor(weight: float, degrees: Floats) -> Floats:
    """w·(0.1289 - (0.2414 - 0.1826 (1 - w)^4)·ln(10·0.05)) over the 0.95 quantile of t: ESSENCE's floor."""
    first, second, third = _FLOOR
    constant = first - (second - third * (1 - weight) ** 4) * np.log(10 * 0.05)
    return np.asarray(weight * constant / t_quantile(0.95, degrees))
