"""Linear regression of the baseline on time and day of the week, forecast to today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import At, assemble, check_above, positions
from bihuan.epi.detection.calendar import SUNDAY, Days
from bihuan.epi.detection.essence.baselines import ALERT, BASELINE, GUARD, Window, kinds_of_days, t_quantile
from bihuan.epi.detection.results import Bools, Codes, Detection, Method, Reason
from bihuan.epi.series import Floats, Panel, panel

#: Terms of the regression: a level, a trend, six weekdays.
_TERMS = 8
#: Days of baseline the regression can begin with: three more than its terms.
_LEAST = _TERMS + 3
#: No forecast is surer than this many cases over the 0.95 quantile of t (ESSENCE).
_LEAST_ERROR = 0.01


@checked
def regression(
    counts: ArrayLike | Panel,
    *,
    baseline: int = BASELINE,
    guard: int = GUARD,
    alpha: float = ALERT,
    calendar: str | None = None,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """Adaptive regression on a linear trend and weekdays (Brillman et al. 2005; Burkom et al. 2007, ESSENCE).

    Fitted to the `baseline` days that end `guard` days before; today's count less the forecast (never below
    zero), over the standard error of prediction, is held against Student's t with n - 8 degrees of freedom.
    By default weekdays are those of the date and the standard error is that of a baseline of whole weeks, as
    alert_regression of Rnssp computes it. `calendar`, a country code such as "CN", lets public holidays
    count as Sundays and weekend days worked as weekdays, with the exact standard error; the routed default
    uses it. `score` is the statistic; `extra` has "sigma" and "adjusted_r_squared".
    """
    series = panel(counts, **panel_kw)
    window = Window(baseline, guard, _LEAST)
    window.check()
    check_above("alpha", alpha, below=1.0)
    where = positions(series, at)
    days = kinds_of_days(series, calendar)
    found = [_forecast(series.counts, days, int(t), window, exact=calendar is not None) for t in where]
    forecast, sigma, degrees, r_squared, reason = (
        np.stack([getattr(one, name) for one in found], axis=1)
        for name in ("forecast", "sigma", "degrees", "r_squared", "reason")
    )
    observed = series.counts[:, where]
    with np.errstate(invalid="ignore", divide="ignore"):
        score = (observed - forecast) / sigma
        p_value = stats.t.sf(score, np.maximum(degrees, 1.0))
        upper = forecast + t_quantile(1 - alpha, degrees) * sigma
        alarm = p_value < alpha
    method = Method(
        key="regression",
        label_en="adaptive regression",
        label_zh="自适应回归",
        paper="Burkom, Murphy, Shmueli 2007",
        baseline_en=f"{baseline} days ending {guard} days before, by weekday"
        + (f" and holidays of {calendar}" if calendar else ""),
        baseline_zh=f"截至 {guard} 天前的 {baseline} 天，按星期"
        + (f"及 {calendar} 节假日" if calendar else ""),
        parameters={"baseline": baseline, "guard": guard, "alpha": alpha, "calendar": calendar},
    )
    return assemble(
        series,
        method,
        where,
        reason=reason,
        alarm=alarm,
        expected=forecast,
        upper=upper,
        score=score,
        p_value=p_value,
        extra={"sigma": sigma, "adjusted_r_squared": r_squared},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Forecast:
    """For every series: forecast of one day, its standard error, degrees of freedom, fit, and why not."""

    forecast: Floats
    sigma: Floats
    degrees: Floats
    r_squared: Floats
    reason: Codes


def _forecast(counts: Floats, days: Days, t: int, window: Window, *, exact: bool) -> _Forecast:
    at = np.array([t])
    (begin,), (end,) = window.bounds(at)
    values = counts[:, begin:end]
    n = np.isfinite(values).sum(axis=1).astype(np.float64)
    reason = window.reasons(n[:, None], at)[:, 0]
    nothing = np.full(counts.shape[0], np.nan)
    if not (reason == Reason.ASSESSED).any():
        return _Forecast(nothing, nothing, nothing, nothing, reason)
    fit = _fit(values, *_design(days, int(begin), int(end), t))
    reason[(reason == Reason.ASSESSED) & fit.foreign] = Reason.GAP_IN_BASELINE
    leverage = fit.leverage
    if not exact:
        leverage = np.where(n == values.shape[1], _balanced(n, window.guard), leverage)
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = fit.error * np.sqrt(1 + leverage)
        sigma = np.fmax(sigma, _LEAST_ERROR / t_quantile(0.95, fit.degrees))
    return _Forecast(np.maximum(fit.forecast, 0.0), sigma, fit.degrees, fit.r_squared, reason)


def _balanced(n: Floats, guard: int) -> Floats:
    """Leverage of today when the baseline is n days of whole weeks: 7/n + 3(n + 7)²/(n(n² - 49))."""
    ahead = n + 7 + 14 * (guard // 7)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(7 / n + 3 * ahead**2 / (n * (n**2 - 49)))


def _design(days: Days, begin: int, end: int, t: int) -> tuple[Floats, Floats]:
    """Level, time since the middle of the baseline, and Monday to Saturday; the same for today."""
    places = np.append(np.arange(begin, end), t)
    time = (places - (begin + end - 1) / 2) / max(end - begin, 1)
    weekdays = [(days[places] == day).astype(np.float64) for day in range(SUNDAY)]
    rows = np.column_stack([np.ones_like(time), time, *weekdays])
    return rows[:-1], rows[-1]


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Least squares of each series; `foreign` where the baseline knows no day of today's kind."""

    forecast: Floats
    error: Floats
    leverage: Floats
    degrees: Floats
    r_squared: Floats
    foreign: Bools


def _fit(values: Floats, design: Floats, today: Floats) -> _Fit:
    """Series that reported on the same days share one decomposition of the design."""
    patterns, which = np.unique(np.isfinite(values), axis=0, return_inverse=True)
    out = np.full((5, values.shape[0]), np.nan)
    foreign = np.ones(values.shape[0], dtype=bool)
    for i, pattern in enumerate(patterns):
        rows = which.ravel() == i
        here = design[pattern]
        degrees = float(pattern.sum() - np.linalg.matrix_rank(here)) if pattern.any() else 0.0
        if degrees < 1:
            continue
        inverse = np.linalg.pinv(here)
        foreign[rows] = np.abs(today @ inverse @ here - today).max() > 1e-8
        out[:, rows] = _solve(values[rows][:, pattern], here, inverse, today, degrees)
    return _Fit(out[0], out[1], out[2], out[3], out[4], foreign)


def _solve(y: Floats, design: Floats, inverse: Floats, today: Floats, degrees: float) -> Floats:
    coefficients = y @ inverse.T
    residual = ((y - coefficients @ design.T) ** 2).sum(axis=1)
    spread = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        r_squared = np.where(spread > 0, 1 - (residual / degrees) / (spread / (y.shape[1] - 1)), np.nan)
    same = np.ones(y.shape[0])
    leverage = float(((today @ inverse) ** 2).sum())
    error = np.sqrt(residual / degrees)
    return np.stack([coefficients @ today, error, leverage * same, degrees * same, r_squared])
