"""EARS C1, C2, C3 of the CDC's Early Aberration Reporting System (Hutwagner et al. 2003).

All three hold a count against the mean and standard deviation of the few periods before it, so they need
weeks, not years, of history. C3 stands here twice, because what is written and what is shipped differ:

- `C3_CDC`: C3(t) = P(t) + P(t-1) + P(t-2), P(i) = max(0, C2(i) - 1), where an earlier day counts only if it
  was no alarm of C2 itself; alarm above 2 (Hutwagner et al. 2003; Tokars et al. 2009).
- `C3`: the number of the peer R package surveillance 1.20.3. Its bound is Y(t) + S(t) (z - P(t-1) - P(t-2)),
  never below zero, with the count Y(t) itself where its manual has the mean; so its alarm depends on the two
  days before and not on the day it is about. Kept for comparison; do not choose it for new work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from bihuan.epi.detection.assembly import At, assemble, check_above, check_one_of, positions
from bihuan.epi.detection.results import Bools, Codes, Detection, Method, Reason
from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats, Panel, panel

Variant = Literal["C1", "C2", "C3", "C3_CDC"]

#: The CDC's choices as tail areas: three standard deviations for C1 and C2, two for C3 (Salmon et al. 2016).
DEFAULT_ALPHA = {"C1": 0.001, "C2": 0.001, "C3": 0.025}
#: "C3_CDC" alarms above 2, and C2 above 3 keeps a day out of the sums that follow (Tokars et al. 2009).
CDC_C3_LIMIT, CDC_C2_LIMIT = 2.0, 3.0
#: Days between the baseline and the day assessed, so that an outbreak does not hide itself (Hutwagner 2003).
LAG = {"C1": 0, "C2": 2, "C3": 2, "C3_CDC": 2}
#: A C3 looks at C2 of this many earlier days.
_DAYS_BACK = 2
#: A baseline without variance says little; 1 is the upper of the two floors Burkom advises for sparse data.
GUARD_SIGMA = 1.0
#: At least this share of a baseline must have been reported (five of seven days).
MIN_REPORTED = 5 / 7
_MIN_BASELINE = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Baseline:
    """Moving mean and standard deviation of every period that has a whole baseline before it."""

    mean: Floats
    sigma: Floats
    flat: Bools
    thin: Bools


def ears(
    counts: ArrayLike | Panel,
    *,
    method: Variant = "C2",
    baseline: int = 7,
    alpha: float | None = None,
    min_sigma: float = 0.0,
    guard: bool = True,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """Count against the mean of `baseline` earlier periods (Hutwagner et al. 2003), for every series at once.

    `score` is C(t) = (Y(t) - mean) / sigma for C1 and C2, the sum that decides for the two C3 (see the top of
    this file); `p_value` its upper normal tail, as the method takes it. `alpha` is the tail area of the bound
    (default 0.001, for C3 0.025; "C3_CDC" has its limit 2 instead). `min_sigma` is a floor of sigma.

    `guard`: a baseline without any variance gets sigma 1, so that one case after a quiet week is no alarm;
    where that holds an alarm back, the reason is NO_VARIATION. With False the numbers are the peer's.
    """
    check_one_of("method", method, get_args(Variant))
    _check(baseline, alpha=alpha, min_sigma=min_sigma)
    data = panel(counts, **panel_kw)
    asked = positions(data, at)
    first = baseline + LAG[method] + (_DAYS_BACK if method.startswith("C3") else 0)
    z = (
        CDC_C3_LIMIT
        if alpha is None and method == "C3_CDC"
        else float(-ndtri(alpha or DEFAULT_ALPHA[method]))
    )
    start = max(int(asked[0]) - first, 0)
    values = data.counts[:, start : int(asked[-1]) + 1]
    reason = np.full((data.n_series, values.shape[1]), Reason.SHORT_HISTORY, dtype=np.uint8)
    numbers = [np.full(values.shape, np.nan) for _ in range(3)]
    alarm = np.zeros(values.shape, dtype=bool)
    if values.shape[1] > first:
        found = _assess(values, method, baseline=baseline, z=z, min_sigma=min_sigma, guard=guard)
        for empty, full in zip((*numbers, alarm, reason), found, strict=True):
            empty[:, first:] = full
    expected, upper, score = (array[:, asked - start] for array in numbers)
    return assemble(
        data,
        _method(method, baseline, z=z, min_sigma=min_sigma, guard=guard),
        asked,
        reason=reason[:, asked - start],
        alarm=alarm[:, asked - start],
        expected=expected,
        upper=upper,
        score=score,
        p_value=ndtr(-score),
    )


def _assess(
    values: Floats, method: Variant, *, baseline: int, z: float, min_sigma: float, guard: bool
) -> tuple[Floats, Floats, Floats, Bools, Codes]:
    """Expected, upper, score, alarm and reason of the periods that have their whole baseline."""
    base = _moving(values, baseline, lag=LAG[method])
    sigma = np.maximum(base.sigma, min_sigma)
    guarded = base.flat & (sigma == 0) if guard else np.zeros_like(base.flat)
    now = values[:, values.shape[1] - base.mean.shape[1] :]
    with np.errstate(divide="ignore", invalid="ignore"):
        held = np.where(guarded, GUARD_SIGMA, sigma)
        deviation = (now - base.mean) / held
        if not method.startswith("C3"):
            upper = base.mean + z * held
            alarm = now > upper
            stopped = guarded & (now > base.mean) & ~alarm
            score = np.where(now == base.mean, 0.0, deviation)
            return base.mean, upper, score, alarm & ~base.thin, _reasons(base.thin, stopped)
        return _sums_of_three(now, base, held, deviation, guarded, z=z, cdc=method == "C3_CDC")


def _sums_of_three(
    now: Floats, base: _Baseline, sigma: Floats, deviation: Floats, guarded: Bools, *, z: float, cdc: bool
) -> tuple[Floats, Floats, Floats, Bools, Codes]:
    """Both C3 from C2; the first two periods only serve those that follow."""
    part = np.maximum(0.0, deviation - 1)
    mean, held, today = base.mean[:, 2:], sigma[:, 2:], now[:, 2:]
    if cdc:
        # A day that was an alarm of C2 itself, or says nothing, adds nothing to the days after it.
        before = _two_before(np.where((deviation > CDC_C2_LIMIT) | np.isnan(deviation), 0.0, part))
        score = np.where(today == mean, 0.0, part[:, 2:]) + before
        upper, alarm = mean + held * (z + 1 - before), score > z
        thin, stopped = base.thin[:, 2:], guarded[:, 2:] & (today > mean)
    else:
        before = score = _two_before(part)
        upper = np.maximum(0.0, today + held * (z - before))
        alarm = today > upper
        unknown = base.thin | np.isnan(now)
        thin = base.thin[:, 2:] | unknown[:, 1:-1] | unknown[:, :-2]
        stopped = _two_before((guarded & (now > base.mean)).astype(np.float64)) > 0
        stopped |= np.isnan(upper) & ~np.isnan(today)
    return mean, upper, score, alarm & ~thin, _reasons(thin, stopped & ~alarm)


def _two_before(part: Floats) -> Floats:
    return part[:, 1:-1] + part[:, :-2]


def _moving(values: Floats, n: int, *, lag: int) -> _Baseline:
    """Mean and standard deviation (n - 1) of the `n` periods that end `lag` + 1 before each period.

    In two passes over the n shifts, so that a baseline without variance gives exactly zero.
    """
    width = values.shape[1] - n - lag
    missing = np.isnan(values)
    gaps = bool(missing.any())
    filled = np.where(missing, 0.0, values) if gaps else values
    shifts = [slice(k, k + width) for k in range(n)]
    reported = sum((~missing[:, s]).astype(np.float64) for s in shifts) if gaps else np.float64(n)
    total = np.zeros((values.shape[0], width))
    for s in shifts:
        total += filled[:, s]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / reported
        squares = np.zeros_like(mean)
        for s in shifts:
            off = filled[:, s] - mean
            off *= off
            squares += np.where(missing[:, s], 0.0, off) if gaps else off
        sigma = np.sqrt(squares / (reported - 1))
    enough = max(_MIN_BASELINE, int(np.ceil(MIN_REPORTED * n - 1e-9)))
    thin = np.broadcast_to(np.asarray(reported) < enough, mean.shape)
    return _Baseline(mean, sigma, flat=sigma == 0, thin=thin)


def _reasons(thin: Bools, stopped: Bools) -> Codes:
    codes = np.where(stopped, np.uint8(Reason.NO_VARIATION), np.uint8(Reason.ASSESSED))
    return np.where(thin, np.uint8(Reason.GAP_IN_BASELINE), codes)


def _check(baseline: int, *, alpha: float | None, min_sigma: float) -> None:
    if baseline < _MIN_BASELINE or int(baseline) != baseline:
        raise InputError(
            f"baseline must be a whole number of periods, at least {_MIN_BASELINE}; it is {baseline}",
            f"基线期数应为不小于 {_MIN_BASELINE} 的整数；现为 {baseline}",
            field="baseline",
        )
    if alpha is not None:
        check_above("alpha", alpha, below=1)
    if not min_sigma >= 0 or np.isinf(min_sigma):
        raise InputError(
            f"min_sigma must be zero or more; it is {min_sigma}",
            f"参数 min_sigma 应不小于零；现为 {min_sigma}",
            field="min_sigma",
        )


def _method(variant: Variant, baseline: int, *, z: float, min_sigma: float, guard: bool) -> Method:
    name = {"C3": "C3 (as R surveillance computes it)", "C3_CDC": "C3 (CDC)"}.get(variant, variant)
    lag = LAG[variant]
    return Method(
        key=f"ears_{variant.lower()}",
        label_en=f"EARS {name}",
        label_zh=f"EARS {name.replace('as R surveillance computes it', '按 R surveillance 计算')}",
        paper="Hutwagner et al. 2003",
        baseline_en=f"{baseline} periods" + (f", {lag} before the period left out" if lag else ""),
        baseline_zh=f"此前 {baseline} 期" + (f"，紧邻的 {lag} 期不计" if lag else ""),
        parameters={"baseline": baseline, "z": z, "min_sigma": min_sigma, "guard": guard},
    )
