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
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import At, check_above, check_one_of, positions
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
#: Numbers in one working array (256 KB), so that it stays near the core.
_PORTION = 32_768
#: Whole numbers below this are exact as floats; and the relative rounding of a mean from running sums.
_WHOLE, _ROUNDING = 2.0**53, 1e-10

#: Expected, upper bound, score, p-value, alarm, reason.
_Found = tuple[Floats, Floats, Floats, Floats, Bools, Codes]
_UNKNOWN = (np.nan, np.nan, np.nan, np.nan, False, Reason.SHORT_HISTORY)


@dataclass(frozen=True, slots=True, eq=False)
class _Baseline:
    """Moving mean and standard deviation of every period that has a whole baseline before it."""

    mean: Floats
    sigma: Floats
    flat: Bools
    thin: Bools


@checked
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
    rule = _Rule.of(method, baseline, alpha=alpha, min_sigma=min_sigma, guard=guard)
    expected, upper, score, p_value, alarm, reason = _everywhere(data, asked, rule)
    return Detection(
        panel=data,
        method=_method(rule),
        at=asked,
        expected=expected,
        upper=upper,
        score=score,
        p_value=p_value,
        alarm=alarm,
        reason=reason,
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """`first` is how many periods must lie before the first one that can be assessed."""

    method: Variant
    baseline: int
    z: float
    min_sigma: float
    guard: bool
    first: int

    @classmethod
    def of(
        cls, method: Variant, baseline: int, *, alpha: float | None, min_sigma: float, guard: bool
    ) -> _Rule:
        z = float(-ndtri(alpha or DEFAULT_ALPHA.get(method, 0.5)))
        if alpha is None and method == "C3_CDC":
            z = CDC_C3_LIMIT
        back = _DAYS_BACK if method.startswith("C3") else 0
        return cls(method, baseline, z, min_sigma, guard, baseline + LAG[method] + back)


def _everywhere(data: Panel, asked: NDArray[np.intp], rule: _Rule) -> _Found:
    """Expected, upper, score, p-value, alarm and reason: a few series at a time, which stay in the cache."""
    start, stop = max(int(asked[0]) - rule.first, 0), int(asked[-1]) + 1
    shape = (data.n_series, asked.size)
    # In one piece, which the system hands over in large pages.
    expected, upper, score, p_value = np.empty((4, *shape))
    alarm, reason = np.empty(shape, dtype=bool), np.empty(shape, dtype=np.uint8)
    outputs: _Found = (expected, upper, score, p_value, alarm, reason)
    # `asked` ascends, so those without their history come first.
    early = int(np.searchsorted(asked, start + rule.first))
    for output, unknown in zip(outputs, _UNKNOWN, strict=True):
        np.asarray(output)[:, :early] = unknown
    periods = asked[early:] - start - rule.first
    if periods.size == 0:
        return outputs
    whole = periods.size == stop - start - rule.first
    picked: slice | NDArray[np.intp] = slice(None) if whole else periods
    step = max(1, _PORTION // (stop - start))
    for row in range(0, data.n_series, step):
        values = data.counts[row : row + step, start:stop]
        found: tuple[NDArray[Any], ...] = _shown(_assess(values, rule), values[:, rule.first :])
        for number, one in enumerate(found):
            outputs[number][row : row + step, early:] = one[:, picked]
    return outputs


def _shown(found: _Found, now: Floats) -> _Found:
    """What was not assessed has no numbers; where only the count is missing, expected and bound stay."""
    expected, upper, score, p_value, alarm, reason = found
    reason[np.isnan(now) & (reason == Reason.ASSESSED)] = Reason.NOT_REPORTED
    if not reason.any():
        return found
    judged = reason == Reason.ASSESSED
    known = judged | (reason == Reason.NOT_REPORTED)
    for values, where in ((expected, known), (upper, known), (score, judged), (p_value, judged)):
        values[~where] = np.nan
    return expected, upper, score, p_value, alarm & judged, reason


def _assess(values: Floats, rule: _Rule) -> _Found:
    """The six numbers of the periods that have their whole baseline."""
    base = _moving(values, rule.baseline, lag=LAG[rule.method])
    sigma = np.maximum(base.sigma, rule.min_sigma)
    guarded = base.flat & (sigma == 0) if rule.guard else np.zeros_like(base.flat)
    now = values[:, values.shape[1] - base.mean.shape[1] :]
    with np.errstate(divide="ignore", invalid="ignore"):
        held = np.where(guarded, GUARD_SIGMA, sigma) if guarded.any() else sigma
        above = now - base.mean
        deviation = above / held
        if rule.method.startswith("C3"):
            return _sums_of_three(now, base, held, deviation, guarded, rule=rule)
        upper = base.mean + rule.z * held
        alarm = now > upper
        score = deviation if held.all() else np.where(above == 0, 0.0, deviation)
        reason = _reasons(base.thin, guarded & (above > 0) & ~alarm)
        return base.mean, upper, score, ndtr(-score), alarm & ~base.thin, reason


def _sums_of_three(
    now: Floats, base: _Baseline, sigma: Floats, deviation: Floats, guarded: Bools, *, rule: _Rule
) -> _Found:
    """Both C3 from C2; the first two periods only serve those that follow."""
    part = np.maximum(0.0, deviation - 1)
    mean, held, today = base.mean[:, 2:], sigma[:, 2:], now[:, 2:]
    z = rule.z
    if rule.method == "C3_CDC":
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
    return mean, upper, score, ndtr(-score), alarm & ~thin, _reasons(thin, stopped & ~alarm)


def _two_before(part: Floats) -> Floats:
    return part[:, 1:-1] + part[:, :-2]


def _moving(values: Floats, n: int, *, lag: int) -> _Baseline:
    """Mean and standard deviation (n - 1) of the `n` periods that end `lag` + 1 before each period."""
    width = values.shape[1] - n - lag
    missing = np.isnan(values)
    gaps = bool(missing.any())
    filled = np.where(missing, 0.0, values) if gaps else values
    reported = _window_sums((~missing).astype(np.float64), n, width) if gaps else np.float64(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = _window_sums(filled, n, width)
        mean = total / reported
        if _sums_exactly(filled, n):
            squares = (reported * _window_sums(filled * filled, n, width) - total * total) / reported
        else:
            squares = _squares(filled, missing if gaps else None, mean, n)
        sigma = np.sqrt(squares / (reported - 1))
    enough = max(_MIN_BASELINE, int(np.ceil(MIN_REPORTED * n - 1e-9)))
    thin = np.broadcast_to(np.asarray(reported) < enough, mean.shape)
    return _Baseline(mean, sigma, flat=sigma == 0, thin=thin)


def _sums_exactly(values: Floats, n: int) -> bool:
    """Whether sums of squares of all values are whole numbers a float holds without rounding.

    Then the variance may come from differences of running sums, and is exactly zero where it should be.
    """
    largest = float(values.max(initial=0.0))
    return n * largest**2 * values.shape[1] < _WHOLE and bool((values == np.rint(values)).all())


def _window_sums(values: Floats, n: int, width: int) -> Floats:
    """Sum of values[:, t : t + n] for t below `width`."""
    running = np.cumsum(values, axis=1)
    sums = running[:, n - 1 : n - 1 + width].copy()
    sums[:, 1:] -= running[:, : width - 1]
    return sums


def _squares(values: Floats, missing: Bools | None, mean: Floats, n: int) -> Floats:
    """Squared distances to the mean, shift by shift, for counts that are not whole numbers."""
    squares = np.zeros_like(mean)
    width = mean.shape[1]
    for k in range(n):
        off = values[:, k : k + width] - mean
        off *= off
        squares += off if missing is None else np.where(missing[:, k : k + width], 0.0, off)
    # What running sums leave where all values are equal is rounding.
    return np.where(squares <= n * (_ROUNDING * mean) ** 2, 0.0, squares)


def _reasons(thin: Bools, stopped: Bools) -> Codes:
    codes = np.full(stopped.shape, Reason.ASSESSED, dtype=np.uint8)
    codes[stopped] = Reason.NO_VARIATION
    codes[thin] = Reason.GAP_IN_BASELINE
    return codes


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


def _method(rule: _Rule) -> Method:
    name = {"C3": "C3 (as R surveillance computes it)", "C3_CDC": "C3 (CDC)"}.get(rule.method, rule.method)
    lag = LAG[rule.method]
    return Method(
        key=f"ears_{rule.method.lower()}",
        label_en=f"EARS {name}",
        label_zh=f"EARS {name.replace('as R surveillance computes it', '按 R surveillance 计算')}",
        paper="Hutwagner et al. 2003",
        baseline_en=f"{rule.baseline} periods" + (f", {lag} before the period left out" if lag else ""),
        baseline_zh=f"此前 {rule.baseline} 期" + (f"，紧邻的 {lag} 期不计" if lag else ""),
        parameters={
            "baseline": rule.baseline,
            "z": rule.z,
            "min_sigma": rule.min_sigma,
            "guard": rule.guard,
        },
    )
