"""Cumulative sums of counts above what is expected (Page 1954; for health events Rossi et al. 1999)."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import hyp2f1

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

Transform = Literal[
    "standard", "rossi", "anscombe", "anscombe2nd", "pearson_negbin", "anscombe_negbin", "none"
]
Baseline = Literal["mean", "glm"]

#: Reference value k and decision limit h of the standard normal chart with average run lengths 500 without
#: and 7 with an outbreak (Rossi, Lampugnani and Marchi 1999).
K, H = 1.04, 2.26
_PAPERS = {
    "standard": "Page 1954",
    "rossi": "Rossi, Lampugnani, Marchi 1999",
    "anscombe": "Pierce, Schafer 1986",
    "anscombe2nd": "Pierce, Schafer 1986",
    "pearson_negbin": "Page 1954; McCullagh, Nelder 1989",
    "anscombe_negbin": "Pierce, Schafer 1986; Hilbe 2011",
    "none": "Page 1954",
}
_NEWTON_STEPS = 40


@checked
def cusum(
    counts: ArrayLike | Panel,
    *,
    k: float = K,
    h: float = H,
    transform: Transform = "standard",
    baseline: Baseline | ArrayLike = "mean",
    alpha: float = 0.1,
    monitor_from: Start = None,
    period: float | None = None,
    reset: bool = False,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """One-sided CUSUM C_t = max(0, C_{t-1} + z_t - k) (Page 1954); alarm when C_t >= h.

    z_t is the count on a scale about standard normal while nothing happens: "standard" (x - m) / sqrt m,
    "rossi" (Rossi et al. 1999, z3), "anscombe" and "anscombe2nd" (Pierce and Schafer 1986, first and second
    order), "pearson_negbin" and "anscombe_negbin" with variance m + alpha m^2, "none" the count itself. The
    expected m is the mean before `monitor_from` (date or position of the first period monitored, default
    after one year), a seasonal Poisson regression on the same periods ("glm"), or numbers given for every
    period from `monitor_from` on; `period` is the length of its year (default 365, 52 or 12). `upper` is the
    count above which the sum would have reached h; `score` is C_t. A period without a count leaves the sum
    as it was. `reset` begins anew after each alarm. `at` None gives every period from `monitor_from` on.
    """
    series = panel(counts, **panel_kw)
    check_one_of("transform", transform, get_args(Transform))
    check_above("h", h)
    check_above("alpha", alpha)
    first = first_monitored(series, monitor_from, least=int(isinstance(baseline, str)))
    from_start = np.arange(first, series.n_times)
    mean = expected_before(series, first, baseline, period=period)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        deviates = _deviates(series.counts[:, from_start], mean, transform, alpha)
        sums, alarm = _accumulate(deviates - k, h, reset=reset)
        before = np.concatenate([np.zeros((series.n_series, 1)), sums[:, :-1]], axis=1)
        if reset:
            before[:, 1:][alarm[:, :-1]] = 0.0
        upper = _count_at(h + k - before, mean, transform, alpha)
    reason = _reasons(series, first, mean)
    method = Method(
        key=f"cusum_{transform}",
        label_en=f"CUSUM ({transform})",
        label_zh=f"累积和（{transform}）",
        paper=_PAPERS[transform],
        baseline_en=f"{first} periods before monitoring began",
        baseline_zh=f"监测开始前的 {first} 期",
        parameters={"k": k, "h": h, "alpha": alpha, "start": first, "reset": reset},
    )
    found = assemble(
        series, method, from_start, reason=reason, alarm=alarm, expected=mean, upper=upper, score=sums
    )
    return monitored(found, at)


def expected_before(
    series: Panel,
    first: int,
    baseline: Baseline | ArrayLike,
    *,
    period: float | None = None,
    as_r: bool = False,
) -> Floats:
    """Expected counts of every period from `first` on, by what was reported before it.

    `as_r` ends the iterations of the regression where R's glm does.
    """
    shape = (series.n_series, series.n_times - first)
    if not isinstance(baseline, str):
        try:
            given = np.broadcast_to(np.asarray(baseline, dtype=np.float64), shape)
        except ValueError:
            raise InputError(
                f"the expected counts given must fit {shape[1]} periods of {shape[0]} series",
                f"给定的预期值应与 {shape[0]} 条序列、{shape[1]} 期相符",
                field="baseline",
            ) from None
        if np.any(~(given > 0)):
            raise InputError("expected counts must be above zero", "预期值必须大于零", field="baseline")
        return np.array(given)
    history = series.counts[:, :first]
    known = np.isfinite(history)
    if check_one_of("baseline", baseline, get_args(Baseline)) == "mean":
        total, n = np.where(known, history, 0.0).sum(axis=1), known.sum(axis=1)
        mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
        return np.repeat(mean[:, None], shape[1], axis=1)
    year = period or PERIODS_A_YEAR[series.frequency]
    design = seasonal_design(np.arange(1.0, series.n_times + 1), period=year)
    fitted = fit_loglinear(history, design[:first], as_r=as_r)
    expected = fitted.predict(design[first:])
    expected[~fitted.settled | (known.sum(axis=1) < design.shape[1])] = np.nan
    expected[np.where(known, history, 0.0).sum(axis=1) == 0] = 0.0
    return expected


def _reasons(series: Panel, first: int, mean: Floats) -> Codes:
    reason = np.zeros(mean.shape, dtype=np.uint8)
    reason[mean <= 0] = Reason.NO_VARIATION
    unknown = np.isnan(mean)
    empty = np.isfinite(series.counts[:, :first]).sum(axis=1) == 0
    reason[unknown] = Reason.NO_CONVERGENCE
    reason[unknown & empty[:, None]] = Reason.GAP_IN_BASELINE
    return reason


def _accumulate(steps: Floats, h: float, *, reset: bool) -> tuple[Floats, NDArray[np.bool_]]:
    """The sums and where they reach h. A step that is not known leaves the sum as it was."""
    sums = np.zeros_like(steps)
    current = np.zeros(steps.shape[0])
    for t in range(steps.shape[1]):
        step = np.where(np.isfinite(steps[:, t]), steps[:, t], 0.0)
        current = np.maximum(0.0, current + step)
        sums[:, t] = current
        if reset:
            current = np.where(current >= h, 0.0, current)
    return sums, np.array(sums >= h, dtype=bool)


def _deviates(x: Floats, m: Floats, transform: str, alpha: float) -> Floats:
    root = np.sqrt(m)
    match transform:
        case "standard":
            return np.asarray((x - m) / root)
        case "rossi":
            return np.asarray((x - 3 * m + 2 * np.sqrt(x * m)) / (2 * root))
        case "anscombe":
            return np.asarray(1.5 * (x ** (2 / 3) - m ** (2 / 3)) / m ** (1 / 6))
        case "anscombe2nd":
            return np.asarray(1.5 * (x ** (2 / 3) - _second_order(m)) / m ** (1 / 6))
        case "pearson_negbin":
            return np.asarray((x - m) / np.sqrt(m + alpha * m**2))
        case "anscombe_negbin":
            gap = _anscombe_negbin(x, alpha) - _anscombe_negbin(m, alpha)
            return np.asarray(gap / (m + alpha * m**2) ** (1 / 6))
    return x


def _second_order(m: Floats) -> Floats:
    """E(X^(2/3)) of a Poisson count to second order (Pierce and Schafer 1986)."""
    return np.asarray(m ** (2 / 3) - m ** (-1 / 3) / 9)


def _anscombe_negbin(x: Floats, alpha: float) -> Floats:
    """The integral of V(u)^(-1/3) from 0 to x, V = u + alpha u^2 (Hilbe 2011, Anscombe residual)."""
    return np.asarray(1.5 * x ** (2 / 3) * hyp2f1(1 / 3, 2 / 3, 5 / 3, -alpha * x))


def _count_at(deviate: Floats, m: Floats, transform: str, alpha: float) -> Floats:
    """The count that has this deviate, zero when any count does; "standard" gives a whole count."""
    root = np.sqrt(m)
    match transform:
        case "standard":
            count = np.ceil(m + root * deviate)
        case "rossi":
            inner = 4 * m + 2 * root * deviate
            count = np.where(inner > 0, (np.sqrt(np.maximum(inner, 0.0)) - root) ** 2, 0.0)
        case "anscombe":
            count = np.maximum(m ** (2 / 3) + deviate * m ** (1 / 6) / 1.5, 0.0) ** 1.5
        case "anscombe2nd":
            count = np.maximum(_second_order(m) + deviate * m ** (1 / 6) / 1.5, 0.0) ** 1.5
        case "pearson_negbin":
            count = m + np.sqrt(m + alpha * m**2) * deviate
        case "anscombe_negbin":
            count = _solve_negbin(deviate, m, alpha)
        case _:
            count = deviate
    return np.asarray(np.maximum(count, 0.0))


def _solve_negbin(deviate: Floats, m: Floats, alpha: float) -> Floats:
    """Newton on v = x^(2/3), in which the transformed count is nearly straight."""
    target = _anscombe_negbin(m, alpha) + deviate * (m + alpha * m**2) ** (1 / 6)
    reached = np.maximum(target, 0.0)
    v = m ** (2 / 3)
    for _step in range(_NEWTON_STEPS):
        x = v**1.5
        gap = _anscombe_negbin(x, alpha) - reached
        move = gap / (1.5 * (1 + alpha * x) ** (-1 / 3))
        v = np.maximum(v - move, 0.0)
        if np.nanmax(np.abs(move), initial=0.0) < 1e-12:
            break
    return np.asarray(np.where(target > 0, v**1.5, 0.0))
