"""Likelihood-ratio charts for a lasting rise or fall of counts around a seasonal mean (Höhle, Paul 2008)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import (
    At,
    Start,
    assemble,
    check_above,
    check_one_of,
    first_monitored,
    monitored,
)
from bihuan.epi.detection.loglinear import fit_loglinear, seasonal_design
from bihuan.epi.detection.results import Codes, Detection, Method, Reason
from bihuan.epi.errors import InputError
from bihuan.epi.series import PERIODS_A_YEAR, Floats, Panel, panel

Direction = Literal["inc", "dec"]

#: Limit of the chart; 5 is the value of the examples in Höhle and Paul 2008.
LIMIT = 5.0
#: No more cases than this are tried for the upper bound.
MOST_CASES = 1e6


@dataclass(frozen=True, slots=True)
class SeasonalMean:
    """In-control mean: log-linear with `harmonics` sine waves a year and a trend; refitted after each alarm
    if `refit`. `as_r` stops the iterations where R's glm does, to compare with it to the last digit."""

    harmonics: int = 1
    trend: bool = False
    refit: bool = False
    period: float | None = None
    as_r: bool = False


@dataclass(frozen=True, slots=True)
class _Chart:
    limit: float
    alpha: Floats
    upward: bool
    theta: float | None
    window: int | None
    least: int
    compatible: bool
    bounds: bool


@checked
def glr_nb(
    counts: ArrayLike | Panel,
    *,
    c: float = LIMIT,
    mean: SeasonalMean | ArrayLike | None = None,
    alpha: float | None = None,
    theta: float | None = None,
    direction: Direction = "inc",
    window: int | None = None,
    least: int = 1,
    monitor_from: Start = None,
    bounds: bool = True,
    compatible: bool = False,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """Generalized likelihood ratio of mean mu·exp(kappa) since some period, against mu (Höhle, Paul 2008).

    Counts are negative binomial with variance mu + alpha mu^2; alpha 0 gives the Poisson chart, None
    estimates it from the periods before `monitor_from`. `mean` is a SeasonalMean fitted to those periods, or
    numbers for every period from `monitor_from` on. With `theta` given, kappa is fixed and the chart is the
    recursive likelihood ratio CUSUM. Alarm when the ratio reaches `c`; the chart then begins anew. Change
    points lie at most `window` periods back (None: anywhere since the last alarm) and leave at least `least`
    periods to judge by. `score` is the ratio; `upper` the fewest cases that would have given an alarm
    (upward charts, if `bounds`); `extra["kappa"]` the best kappa. A period without a count is left out of
    the chart. `compatible` follows surveillance 1.20.3 where its Poisson chart departs from the paper: a
    window leaves out the newest `least` periods as change points, `least` without a window only delays the
    first judgment, and downward windows without any case do not count. `at` None gives every period from
    `monitor_from` on.
    """
    series = panel(counts, **panel_kw)
    check_above("c", c)
    check_one_of("direction", direction, get_args(Direction))
    if alpha is not None and alpha < 0:
        check_above("alpha", alpha)
    model = SeasonalMean() if mean is None else mean
    first = first_monitored(series, monitor_from, least=int(isinstance(model, SeasonalMean)))
    expected, dispersion, settled = _in_control(series, first, model, alpha)
    chart = _Chart(c, dispersion, direction == "inc", theta, window, least, compatible, bounds)
    score, upper, alarm, kappa = _run(series, first, expected, settled, chart, model)
    key = "glr_pois" if alpha == 0 else "glr_nb"
    method = Method(
        key=key,
        label_en="GLR (Poisson)" if alpha == 0 else "GLR (negative binomial)",
        label_zh="广义似然比（泊松）" if alpha == 0 else "广义似然比（负二项）",
        paper="Höhle, Paul 2008",
        baseline_en=f"{first} periods before monitoring began",
        baseline_zh=f"监测开始前的 {first} 期",
        parameters={"c": c, "alpha": alpha, "theta": theta, "direction": direction, "window": window},
    )
    from_start = np.arange(first, series.n_times)
    fitted = isinstance(model, SeasonalMean)
    reason = _reasons(series, first if fitted else series.n_times, expected, settled)
    found = assemble(
        series,
        method,
        from_start,
        reason=reason,
        alarm=alarm,
        expected=expected,
        upper=upper,
        score=score,
        extra={"kappa": kappa, "alpha": dispersion},
    )
    return monitored(found, at)


def _in_control(
    series: Panel, first: int, model: SeasonalMean | ArrayLike, alpha: float | None
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Expected counts from `first` on, alpha of each series, and whether the regression settled."""
    n, shape = series.n_series, (series.n_series, series.n_times - first)
    if isinstance(model, SeasonalMean):
        design = _design(series, model)
        fit = fit_loglinear(series.counts[:, :first], design[:first], alpha=alpha, as_r=model.as_r)
        return fit.predict(design[first:]), fit.alpha, fit.settled
    if alpha is None:
        raise InputError(
            "with the expected counts given, alpha must be given too (0 for Poisson)",
            "给定预期值时必须同时给定 alpha（泊松为 0）",
            field="alpha",
        )
    try:
        given = np.broadcast_to(np.asarray(model, dtype=np.float64), shape).copy()
    except ValueError:
        raise InputError(
            f"the expected counts given must fit {shape[1]} periods of {n} series",
            f"给定的预期值应与 {n} 条序列、{shape[1]} 期相符",
            field="mean",
        ) from None
    if np.any(~(given > 0)):
        raise InputError("expected counts must be above zero", "预期值必须大于零", field="mean")
    return given, np.full(n, alpha), np.ones(n, dtype=bool)


def _design(series: Panel, model: SeasonalMean) -> Floats:
    period = model.period or PERIODS_A_YEAR[series.frequency]
    times = np.arange(1.0, series.n_times + 1)
    return seasonal_design(times, period=period, harmonics=model.harmonics, trend=model.trend)


def _reasons(series: Panel, first: int, expected: Floats, settled: NDArray[np.bool_]) -> Codes:
    known = np.isfinite(series.counts[:, :first])
    reason = np.zeros(expected.shape, dtype=np.uint8)
    reason[~settled] = Reason.NO_CONVERGENCE
    reason[expected.max(axis=1) < 1e-6] = Reason.NO_VARIATION
    reason[known.sum(axis=1) == 0] = Reason.GAP_IN_BASELINE
    return reason


def _run(
    series: Panel,
    first: int,
    expected: Floats,
    settled: NDArray[np.bool_],
    chart: _Chart,
    model: SeasonalMean | ArrayLike,
) -> tuple[Floats, Floats, NDArray[np.bool_], Floats]:
    """Every series through the chart. `expected` is written over where the mean is refitted."""
    shape = expected.shape
    score, upper, kappa = np.zeros(shape), np.full(shape, np.nan), np.full(shape, np.nan)
    alarm = np.zeros(shape, dtype=bool)
    design = _design(series, model) if isinstance(model, SeasonalMean) and model.refit else None
    for i in range(shape[0]):
        if not settled[i] or expected[i].max() < 1e-6:
            continue
        known = np.flatnonzero(np.isfinite(series.counts[i, first:]))
        counts = series.counts[i, first:][known]
        begin = 0
        while begin < counts.size:
            mean = expected[i][known]
            end = _until_alarm(counts, mean, begin, i, chart, (score, upper, kappa), known)
            if end < 0:
                break
            alarm[i, known[end]] = True
            begin = end + 1
            if design is not None and isinstance(model, SeasonalMean):
                upto = first + int(known[end]) + 1
                again = fit_loglinear(
                    series.counts[i : i + 1, :upto],
                    design[:upto],
                    alpha=float(chart.alpha[i]),
                    as_r=model.as_r,
                )
                expected[i, known[end] + 1 :] = again.predict(design[upto:])[0]
    return score, upper, alarm, kappa


def _until_alarm(
    counts: Floats,
    mean: Floats,
    begin: int,
    series: int,
    chart: _Chart,
    out: tuple[Floats, Floats, Floats],
    known: NDArray[np.intp],
) -> int:
    """Fill score, upper and kappa from `begin` to the next alarm; its position, or -1."""
    from bihuan.epi.detection import glr_kernels as kernels

    score, upper, kappa = out
    alpha = float(chart.alpha[series])
    values, upper_, kappa_ = np.zeros(counts.size), np.full(counts.size, np.nan), np.zeros(counts.size)
    if chart.theta is not None:
        end = kernels.recursive(counts, mean, begin, alpha, chart.theta, chart.limit, values, upper_)
        kappa_[:] = chart.theta
    else:
        quirks = chart.compatible and alpha == 0
        end = kernels.generalized(
            counts.copy(),
            mean,
            begin,
            alpha,
            chart.upward,
            chart.limit,
            -1 if chart.window is None else chart.window,
            chart.least,
            quirks,
            chart.bounds and chart.upward,
            MOST_CASES,
            values,
            upper_,
            kappa_,
        )
    last = counts.size if end < 0 else end + 1
    places = known[begin:last]
    score[series, places] = values[begin:last]
    upper[series, places] = upper_[begin:last]
    kappa[series, places] = kappa_[begin:last]
    return int(end)


def glr_poisson(counts: ArrayLike | Panel, **options: Any) -> Detection:
    """The Poisson special case of `glr_nb` (alpha 0)."""
    return glr_nb(counts, **(options | {"alpha": 0.0}))
