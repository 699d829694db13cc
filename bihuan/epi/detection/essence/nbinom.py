"""Negative binomial regression on season and trend, fitted once to a baseline."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import At, assemble, check_above, positions
from bihuan.epi.detection.bayes import at_least
from bihuan.epi.detection.calendar import SUNDAY
from bihuan.epi.detection.essence.baselines import kinds_of_days
from bihuan.epi.detection.loglinear import fit_loglinear, seasonal_design, standard_errors
from bihuan.epi.detection.results import Detection, Method, Reason
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.series import Floats, Frequency, Panel, panel

#: Periods in a solar year.
YEAR: dict[Frequency, float] = {"daily": 365.25, "weekly": 52.18, "monthly": 12.0}


@checked
def nbinom_alert(
    counts: ArrayLike | Panel,
    *,
    baseline_end: date | str | None = None,
    trend: bool = True,
    period: float | None = None,
    alpha: float = 0.05,
    weekdays: bool = False,
    calendar: str | None = None,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """Negative binomial regression on one sine wave a year and a trend (Lawless 1987; ESSENCE nbinom
    detector).

    Fitted by maximum likelihood to the periods up to `baseline_end` (default: all but the newest); alarm
    when a count is above the (1 - alpha) quantile at the upper (1 - alpha) confidence limit of the mean.
    This is what alert_nbinom of Rnssp computes, and the default. For daily counts `weekdays` adds a factor
    for each day of the week, and `calendar`, a country code such as "CN", lets public holidays count as
    Sundays and weekend days worked as weekdays; the routed default uses both. `p_value` is P(X >= count) at
    the fitted mean, `score` its -log10.
    """
    series = panel(counts, **panel_kw)
    check_above("alpha", alpha, below=1.0)
    where = positions(series, at)
    length = check_above("period", period, 1.0) if period is not None else YEAR[series.frequency]
    design = seasonal_design(np.arange(1.0, series.n_times + 1), period=length, trend=trend)
    if weekdays or calendar is not None:
        days = kinds_of_days(series, calendar)
        design = np.column_stack([design, *((days == day).astype(np.float64) for day in range(SUNDAY))])
    n = _baseline_length(series, baseline_end)
    history = series.counts[:, :n]
    fit = fit_loglinear(history, design[:n], alpha=None)
    mean, size = fit.predict(design[where]), 1 / fit.alpha[:, None]
    chance = size / (size + mean)
    observed = series.counts[:, where]
    p_value = np.full(observed.shape, np.nan)
    known = np.isfinite(observed)
    sizes = np.broadcast_to(size, observed.shape)
    p_value[known] = at_least(observed[known], sizes[known], chance[known])
    error = standard_errors(fit, history, design[:n], design[where])
    degrees = np.maximum(np.isfinite(history).sum(axis=1) - design.shape[1], 1)
    with np.errstate(over="ignore", invalid="ignore"):
        # A fit that did not settle may say anything of its error; it is not assessed.
        highest = mean * np.exp(np.minimum(stats.t.ppf(1 - alpha, degrees)[:, None] * error, 30.0))
        upper = stats.nbinom.ppf(1 - alpha, size, size / (size + highest))
        alarm = observed > upper
    method = Method(
        key="nbinom",
        label_en="negative binomial regression",
        label_zh="负二项回归",
        paper="Lawless 1987",
        baseline_en=f"the first {n} periods, season{' and trend' if trend else ''}",
        baseline_zh=f"前 {n} 期，含季节项{'与趋势项' if trend else ''}",
        parameters={"alpha": alpha, "period": length, "trend": trend, "calendar": calendar},
    )
    return assemble(
        series,
        method,
        where,
        reason=_reasons(history, fit.settled, design.shape[1], where.size),
        alarm=alarm,
        expected=mean,
        upper=upper,
        score=-np.log10(np.maximum(p_value, np.finfo(float).tiny)),
        p_value=p_value,
        extra={"alpha": fit.alpha},
    )


def _baseline_length(series: Panel, end: date | str | None) -> int:
    if end is None:
        end = series.dates[max(series.n_times - 2, 0)].astype(object)
    try:
        day = np.datetime64(str(end), "D")
    except ValueError:
        raise InputError(
            f"{end!r} is not a date; write it as 2020-02-05",
            f"{end!r} 不是日期；请写成 2020-02-05",
            field="baseline_end",
        ) from None
    n = int(np.searchsorted(series.dates, day, side="right"))
    if n < 1:
        raise NotEnoughData(
            f"the baseline ends on {day}, before the series begins",
            f"基线截至 {day}，早于序列起点",
            field="baseline_end",
        )
    return n


def _reasons(history: Floats, settled: np.typing.NDArray[np.bool_], terms: int, n: int) -> Any:
    reported = np.isfinite(history)
    reason = np.zeros(history.shape[0], dtype=np.uint8)
    reason[~settled] = Reason.NO_CONVERGENCE
    reason[np.where(reported, history, 0.0).sum(axis=1) == 0] = Reason.NO_VARIATION
    reason[reported.sum(axis=1) <= terms] = Reason.GAP_IN_BASELINE
    reason[history.shape[1] <= terms] = Reason.SHORT_HISTORY
    return np.repeat(reason[:, None], n, axis=1)
