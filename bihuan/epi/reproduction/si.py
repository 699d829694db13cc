"""The serial interval in whole periods: discretized from mean and SD, given as weights, or uncertain.

Weights begin at lag 0, which is zero (nobody infects before being infected), and add up to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from bihuan.epi.arguments import checked
from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats

#: How far weights may add up to something else than one (rounding of published tables).
SUM_TOLERANCE = 0.01
#: Weights after this share of the distribution are not written by `discretized_si` when it picks the lags.
TAIL = 1e-10
#: Most lags `discretized_si` writes by itself.
MOST_LAGS = 2000


@dataclass(frozen=True, slots=True)
class UncertainSI:
    """A serial interval whose mean and SD are themselves uncertain: each normal, cut at its bounds, with
    SD below mean (Cori et al. 2013, method "uncertain_si").

    `n` pairs are laid out evenly over that distribution (a rank-1 lattice with the golden ratio, shifted by
    `seed`), so that few of them do the work of many random draws.
    """

    mean: float
    sd_of_mean: float
    min_mean: float
    max_mean: float
    sd: float
    sd_of_sd: float
    min_sd: float
    max_sd: float
    n: int = 500
    seed: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class SerialInterval:
    """`weights[k, lag]` of `n` equally likely distributions (one when it is known); `source` says which kind:
    parametric, weights, uncertain or samples. `asked` are the mean and SD it was made from, if it was: a
    short series cuts the weights, and then their own mean is less.
    """

    weights: Floats
    source: str
    asked: tuple[float, float] | None = None

    @property
    def n(self) -> int:
        return int(self.weights.shape[0])

    @property
    def means(self) -> Floats:
        return np.asarray(self.weights @ np.arange(self.weights.shape[1], dtype=np.float64))

    @property
    def mean(self) -> float:
        return float(self.means.mean())

    def text(self) -> str:
        """Mean ± SD, as asked for where it was."""
        mean, sd = self.asked or (self.mean, self.sd)
        return f"{mean:.1f} ± {sd:.1f}"

    @property
    def sd(self) -> float:
        """Of the mixture of all `n`."""
        lags = np.arange(self.weights.shape[1], dtype=np.float64)
        whole = self.weights.mean(axis=0)
        variance = whole @ lags**2 - (whole @ lags) ** 2
        return float(np.sqrt(max(variance, 0.0)))


@checked
def discretized_si(mean: float, sd: float, k: ArrayLike | None = None) -> Floats:
    """Probability that the serial interval is `k` whole periods, for a gamma shifted by one period with the
    given mean and SD (Cori et al. 2013, Web Appendix 11).

    Without `k`: lags 0, 1, 2 … until all but 1e-10 of the distribution is written. InputError when
    mean <= 1 or sd <= 0.
    """
    _check_moments(mean, sd)
    lags = _lags(mean, sd) if k is None else _numbers(k)
    if not (np.isfinite(lags).all() and (lags >= 0).all() and (lags == np.floor(lags)).all()):
        raise InputError("lags k must be whole numbers from 0", "滞后期数 k 必须是不小于 0 的整数", field="k")
    return _discretized(np.array([mean]), np.array([sd]), lags)[0]


def _numbers(k: ArrayLike) -> Floats:
    """As numbers; what is none is NaN, which the caller refuses."""
    try:
        return np.atleast_1d(np.asarray(k, dtype=np.float64))
    except (TypeError, ValueError):
        return np.array([np.nan])


def _discretized(mean: Floats, sd: Floats, lags: Floats) -> Floats:
    """Rows: pairs of mean and sd; columns: lags. With F the gamma distribution function of shape a, scale b:
    w(k) = k F(k) + (k-2) F(k-2) - 2 (k-1) F(k-1) + ab [2 F'(k-1) - F'(k-2) - F'(k)], F' of shape a + 1.
    """
    m, s = mean[:, None], sd[:, None]
    a, b = ((m - 1) / s) ** 2, s**2 / (m - 1)

    def cdf(shape: Floats, x: Floats) -> Floats:
        return np.asarray(special.gammainc(shape, np.maximum(x, 0.0) / b))

    k = lags[None, :]
    first = k * cdf(a, k) + (k - 2) * cdf(a, k - 2) - 2 * (k - 1) * cdf(a, k - 1)
    second = a * b * (2 * cdf(a + 1, k - 1) - cdf(a + 1, k - 2) - cdf(a + 1, k))
    return np.maximum(first + second, 0.0)


def _lags(mean: float, sd: float) -> Floats:
    shape, scale = ((mean - 1) / sd) ** 2, sd**2 / (mean - 1)
    last = 3 + np.ceil(scale * special.gammainccinv(shape, TAIL))
    if last > MOST_LAGS:
        raise InputError(
            f"a serial interval of mean {mean:g} and SD {sd:g} reaches over {MOST_LAGS} periods; "
            "name the lags, or use a longer period",
            f"均值 {mean:g}、标准差 {sd:g} 的代际间隔超过 {MOST_LAGS} 期；请指定滞后期数或使用更长的时间单位",
            field="sd_si",
        )
    return np.arange(last + 1)


def serial_interval(
    si: ArrayLike | UncertainSI | SerialInterval | None,
    *,
    mean_si: float | None,
    sd_si: float | None,
    n_times: int,
) -> SerialInterval:
    """What the caller gave, checked: mean and SD, weights, samples (one a row) or an UncertainSI.

    Distributions made from mean and SD are written for the lags 0 … n_times - 1 that a series of that
    length can show.
    """
    if isinstance(si, SerialInterval):
        return si
    if isinstance(si, UncertainSI):
        return SerialInterval(_uncertain(si, n_times), "uncertain", (si.mean, si.sd))
    if si is not None and (mean_si is not None or sd_si is not None):
        raise InputError(
            "give either si or mean_si and sd_si, not both", "si 与 mean_si、sd_si 只能二选一", field="si"
        )
    if si is not None:
        weights = _weights(si)
        return SerialInterval(weights, "weights" if weights.shape[0] == 1 else "samples")
    if mean_si is None or sd_si is None:
        raise InputError(
            "a serial interval is needed: si, or mean_si and sd_si",
            "需要代际间隔：si，或 mean_si 与 sd_si",
            field="si",
        )
    weights = discretized_si(mean_si, sd_si, np.arange(n_times))[None, :]
    return SerialInterval(weights, "parametric", (mean_si, sd_si))


def _check_moments(mean: float, sd: float) -> None:
    if not np.isfinite(mean) or mean <= 1:
        raise InputError(
            f"the mean serial interval is {mean:g}; a gamma shifted by one period needs a mean above 1: "
            "use a shorter period, or give the weights",
            f"代际间隔均值为 {mean:g}；平移一期的伽马分布要求大于 1：请改用更短的时间单位，或直接给出权重",
            field="mean_si",
        )
    if not np.isfinite(sd) or sd <= 0:
        raise InputError(
            f"the SD of the serial interval is {sd:g}; it must be above 0",
            f"代际间隔标准差为 {sd:g}；必须大于 0",
            field="sd_si",
        )


def _weights(si: ArrayLike) -> Floats:
    try:
        weights = np.atleast_2d(np.asarray(si, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError(
            "the serial interval weights must be numbers", "代际间隔权重必须是数字", field="si"
        ) from None
    if weights.ndim != 2 or weights.shape[1] < 2 or not np.isfinite(weights).all():
        raise InputError(
            "the serial interval needs known weights for lags 0, 1, …",
            "代际间隔须给出滞后 0、1……期的权重，不能缺失",
            field="si",
        )
    if (weights < 0).any() or (weights[:, 0] != 0).any():
        raise InputError(
            "the weights of a serial interval must not be negative, and the first, of lag 0, must be 0",
            "代际间隔权重不能为负，且首个（滞后 0 期）必须为 0",
            field="si",
        )
    total = weights.sum(axis=1)
    worst = float(total[np.argmax(np.abs(total - 1))])
    if abs(worst - 1) > SUM_TOLERANCE:
        raise InputError(
            f"the weights of the serial interval add up to {worst:.4g}, not to 1",
            f"代际间隔权重之和为 {worst:.4g}，不等于 1",
            field="si",
        )
    return weights


def _uncertain(si: UncertainSI, n_times: int) -> Floats:
    _check_uncertain(si)
    u, v = _lattice(si.n, si.seed)
    mean = _cut_normal(u, si.mean, si.sd_of_mean, np.full(si.n, si.min_mean), np.full(si.n, si.max_mean))
    upper = np.minimum(si.max_sd, mean)
    sd = _cut_normal(v, si.sd, si.sd_of_sd, np.minimum(si.min_sd, upper), upper)
    return _discretized(np.maximum(mean, 1 + 1e-9), np.maximum(sd, 1e-9), np.arange(float(n_times)))


def _check_uncertain(si: UncertainSI) -> None:
    _check_moments(si.mean, si.sd)
    if not (1 <= si.min_mean <= si.mean <= si.max_mean and 0 < si.min_sd <= si.sd <= si.max_sd):
        raise InputError(
            "bounds of an uncertain serial interval must hold its mean (from 1) and its SD (above 0)",
            "不确定代际间隔的上下限须包含其均值（不小于 1）与标准差（大于 0）",
            field="si",
        )
    if si.sd_of_mean <= 0 or si.sd_of_sd <= 0 or si.n < 2 or si.min_sd >= si.max_mean:
        raise InputError(
            "an uncertain serial interval needs spreads above 0, at least 2 pairs, and SDs below its means",
            "不确定代际间隔的离散度须大于 0，至少 2 组取值，且标准差须小于均值",
            field="si",
        )


def _lattice(n: int, seed: int) -> tuple[Floats, Floats]:
    shift = np.random.default_rng(seed).random(2)
    i = np.arange(n)
    return (i + shift[0]) / n, (i * (np.sqrt(5) - 1) / 2 + shift[1]) % 1.0


def _cut_normal(u: Floats, mean: float, sd: float, low: Floats, high: Floats) -> NDArray[np.float64]:
    """The u-quantiles of a normal cut at `low` and `high`."""
    from_, to = special.ndtr((low - mean) / sd), special.ndtr((high - mean) / sd)
    return np.clip(mean + sd * special.ndtri(from_ + u * (to - from_)), low, high)
