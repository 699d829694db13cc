"""The shapes a delay can have: gamma, lognormal, Weibull, and normal for delays that may be negative.

Besides F and S each gives their integrals, in closed form from the partial mean: ∫F below x and ∫S above x.
With them the likelihood of a delay known only by two windows (Reich 2009) needs no quadrature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from bihuan.epi.series import Floats

_LOG_ROOT_2PI = 0.5 * np.log(2 * np.pi)
Curve = Callable[[Floats, float, float], Floats]


@dataclass(frozen=True, slots=True)
class Family:
    """`first` and `second` are its natural parameters; `positive` families take no delay below zero.

    `unpack` turns the two free numbers the optimizer sees into the natural parameters, `start` guesses them
    from a mean and a standard deviation.
    """

    key: str
    label_en: str
    label_zh: str
    first: str
    second: str
    positive: bool
    unpack: Callable[[Floats], tuple[float, float]]
    start: Callable[[float, float], tuple[float, float]]
    log_pdf: Curve
    cdf: Curve
    sf: Curve
    below: Curve  # ∫ F(u) du up to x
    above: Curve  # ∫ S(u) du from x
    quantile: Curve
    moments: Callable[[float, float], tuple[float, float]]


def _both_logs(free: Floats) -> tuple[float, float]:
    return float(np.exp(free[0])), float(np.exp(free[1]))


def _second_log(free: Floats) -> tuple[float, float]:
    return float(free[0]), float(np.exp(free[1]))


# --- gamma (shape, scale) ---------------------------------------------------------------------------


def _gamma_log_pdf(x: Floats, shape: float, scale: float) -> Floats:
    return special.xlogy(shape - 1, x / scale) - x / scale - special.gammaln(shape) - np.log(scale)


def _gamma_below(x: Floats, shape: float, scale: float) -> Floats:
    u = np.maximum(x, 0.0)
    z = u / scale
    return u * special.gammainc(shape, z) - shape * scale * special.gammainc(shape + 1, z)


def _gamma_above(x: Floats, shape: float, scale: float) -> Floats:
    u = np.maximum(x, 0.0)
    z = u / scale
    tail = shape * scale * special.gammaincc(shape + 1, z) - u * special.gammaincc(shape, z)
    return tail + np.maximum(-x, 0.0)


GAMMA = Family(
    key="gamma",
    label_en="gamma",
    label_zh="伽马分布",
    first="shape",
    second="scale",
    positive=True,
    unpack=_both_logs,
    start=lambda mean, sd: (2 * np.log(mean / sd), np.log(sd**2 / mean)),
    log_pdf=_gamma_log_pdf,
    cdf=lambda x, shape, scale: special.gammainc(shape, np.maximum(x, 0.0) / scale),
    sf=lambda x, shape, scale: special.gammaincc(shape, np.maximum(x, 0.0) / scale),
    below=_gamma_below,
    above=_gamma_above,
    quantile=lambda q, shape, scale: special.gammaincinv(shape, q) * scale,
    moments=lambda shape, scale: (shape * scale, np.sqrt(shape) * scale),
)


# --- lognormal (meanlog, sdlog) ---------------------------------------------------------------------


def _log_z(x: Floats, mu: float, sigma: float) -> Floats:
    with np.errstate(divide="ignore"):
        return (np.log(np.maximum(x, 0.0)) - mu) / sigma


def _lognormal_log_pdf(x: Floats, mu: float, sigma: float) -> Floats:
    z = _log_z(x, mu, sigma)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x > 0, -0.5 * z**2 - np.log(x) - np.log(sigma) - _LOG_ROOT_2PI, -np.inf)


def _lognormal_mean(mu: float, sigma: float) -> float:
    return float(np.exp(mu + 0.5 * sigma**2))


def _lognormal_below(x: Floats, mu: float, sigma: float) -> Floats:
    z = _log_z(x, mu, sigma)
    return np.maximum(x, 0.0) * special.ndtr(z) - _lognormal_mean(mu, sigma) * special.ndtr(z - sigma)


def _lognormal_above(x: Floats, mu: float, sigma: float) -> Floats:
    z = _log_z(x, mu, sigma)
    tail = _lognormal_mean(mu, sigma) * special.ndtr(sigma - z) - np.maximum(x, 0.0) * special.ndtr(-z)
    return tail + np.maximum(-x, 0.0)


def _lognormal_moments(mu: float, sigma: float) -> tuple[float, float]:
    mean = _lognormal_mean(mu, sigma)
    return mean, mean * float(np.sqrt(np.expm1(sigma**2)))


def _lognormal_start(mean: float, sd: float) -> tuple[float, float]:
    variance = np.log1p((sd / mean) ** 2)
    return float(np.log(mean) - variance / 2), float(0.5 * np.log(variance))


LOGNORMAL = Family(
    key="lognormal",
    label_en="lognormal",
    label_zh="对数正态分布",
    first="meanlog",
    second="sdlog",
    positive=True,
    unpack=_second_log,
    start=_lognormal_start,
    log_pdf=_lognormal_log_pdf,
    cdf=lambda x, mu, sigma: special.ndtr(_log_z(x, mu, sigma)),
    sf=lambda x, mu, sigma: special.ndtr(-_log_z(x, mu, sigma)),
    below=_lognormal_below,
    above=_lognormal_above,
    quantile=lambda q, mu, sigma: np.exp(mu + sigma * special.ndtri(q)),
    moments=_lognormal_moments,
)


# --- Weibull (shape, scale) -------------------------------------------------------------------------


def _hazard(x: Floats, shape: float, scale: float) -> Floats:
    with np.errstate(over="ignore"):
        return (np.maximum(x, 0.0) / scale) ** shape


def _weibull_log_pdf(x: Floats, shape: float, scale: float) -> Floats:
    return np.log(shape / scale) + special.xlogy(shape - 1, x / scale) - _hazard(x, shape, scale)


def _weibull_mean(shape: float, scale: float) -> float:
    return float(scale * special.gamma(1 + 1 / shape))


def _weibull_below(x: Floats, shape: float, scale: float) -> Floats:
    h = _hazard(x, shape, scale)
    return -np.maximum(x, 0.0) * np.expm1(-h) - _weibull_mean(shape, scale) * special.gammainc(
        1 + 1 / shape, h
    )


def _weibull_above(x: Floats, shape: float, scale: float) -> Floats:
    h = _hazard(x, shape, scale)
    tail = _weibull_mean(shape, scale) * special.gammaincc(1 + 1 / shape, h) - np.maximum(x, 0.0) * np.exp(-h)
    return tail + np.maximum(-x, 0.0)


def _weibull_moments(shape: float, scale: float) -> tuple[float, float]:
    mean = _weibull_mean(shape, scale)
    return mean, float(np.sqrt(max(scale**2 * special.gamma(1 + 2 / shape) - mean**2, 0.0)))


def _weibull_start(mean: float, sd: float) -> tuple[float, float]:
    """Justus 1978: shape about (sd/mean)^-1.086."""
    shape = float(np.clip((sd / mean) ** -1.086, 0.2, 20.0))
    return float(np.log(shape)), float(np.log(mean / special.gamma(1 + 1 / shape)))


WEIBULL = Family(
    key="weibull",
    label_en="Weibull",
    label_zh="韦布尔分布",
    first="shape",
    second="scale",
    positive=True,
    unpack=_both_logs,
    start=_weibull_start,
    log_pdf=_weibull_log_pdf,
    cdf=lambda x, shape, scale: -np.expm1(-_hazard(x, shape, scale)),
    sf=lambda x, shape, scale: np.exp(-_hazard(x, shape, scale)),
    below=_weibull_below,
    above=_weibull_above,
    quantile=lambda q, shape, scale: scale * (-np.log1p(-q)) ** (1 / shape),
    moments=_weibull_moments,
)


# --- normal (mean, sd), for serial intervals that may be negative -----------------------------------


def _density(z: Floats) -> Floats:
    return np.exp(-0.5 * z**2 - _LOG_ROOT_2PI)


def _normal_below(x: Floats, mu: float, sigma: float) -> Floats:
    z = (x - mu) / sigma
    return sigma * (z * special.ndtr(z) + _density(z))


def _normal_above(x: Floats, mu: float, sigma: float) -> Floats:
    return _normal_below(2 * mu - x, mu, sigma)


NORMAL = Family(
    key="normal",
    label_en="normal",
    label_zh="正态分布",
    first="mean",
    second="sd",
    positive=False,
    unpack=_second_log,
    start=lambda mean, sd: (mean, float(np.log(sd))),
    log_pdf=lambda x, mu, sigma: -0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma) - _LOG_ROOT_2PI,
    cdf=lambda x, mu, sigma: special.ndtr((x - mu) / sigma),
    sf=lambda x, mu, sigma: special.ndtr((mu - x) / sigma),
    below=_normal_below,
    above=_normal_above,
    quantile=lambda q, mu, sigma: mu + sigma * special.ndtri(q),
    moments=lambda mu, sigma: (mu, sigma),
)

FAMILIES: dict[str, Family] = {f.key: f for f in (GAMMA, LOGNORMAL, WEIBULL, NORMAL)}
