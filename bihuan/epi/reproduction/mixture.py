"""Gamma distributions, one or a mixture of many: mean, SD and quantiles."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import special

from bihuan.epi.series import Floats

#: Numbers held in memory at once while a mixture is inverted.
CHUNK = 1_000_000
#: Newton steps within a bracket until the distribution function is met to this.
PRECISION = 1e-7
MOST_STEPS = 60
#: Points of each component that are pooled for a first guess.
POINTS = special.ndtri((np.arange(8) + 0.5) / 8)


def gamma_quantiles(shape: Floats, scale: Floats, probabilities: Floats) -> Floats:
    """Quantiles of gamma distributions: … × probabilities. Quantiles at scale 1 are found once for each shape
    that occurs, which are few where shapes are a constant plus a count.
    """
    different, where = np.unique(shape, return_inverse=True)
    at_one = special.gammaincinv(different[:, None], probabilities[None, :])
    return np.asarray(at_one[where.reshape(shape.shape)] * scale[..., None])


def mixture_summary(shape: Floats, scale: Floats, probabilities: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, SD and quantiles (W × Q) of the equal mixture down the first axis (K × W); NaN shapes are left
    out of the mixture, and a column of NaN only gives NaN.
    """
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of NaN only is expected
        means = shape * scale
        mean = np.nanmean(means, axis=0)
        variance = np.nanmean(shape * scale**2 + means**2, axis=0) - mean**2
    sd = np.sqrt(np.maximum(variance, 0.0))
    quantiles = np.full((shape.shape[1], probabilities.size), np.nan)
    known = np.flatnonzero(np.isfinite(mean))
    step = max(1, CHUNK // (shape.shape[0] * probabilities.size))
    for i in range(0, known.size, step):
        w = known[i : i + step]
        quantiles[w] = _invert(shape[:, w], scale[:, w], probabilities)
    return mean, sd, quantiles


def _invert(shape: Floats, scale: Floats, probabilities: Floats) -> Floats:
    """x with mean over k of P(shape_k, x / scale_k) = p: Newton, halving the bracket where it would leave."""
    x = np.maximum(_guess(shape, scale, probabilities), 1e-300)
    low, high = np.zeros_like(x), np.full_like(x, np.inf)
    for _step in range(MOST_STEPS):
        p, density = _mixed(shape, scale, x)
        over = p - probabilities
        if (np.abs(over) < PRECISION).all():
            break
        high, low = np.where(over > 0, x, high), np.where(over <= 0, x, low)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = x - over / density
        middle = np.where(np.isinf(high), 2 * x, (low + high) / 2)
        inside = (newton > low) & (newton < high)
        x = np.where(np.abs(over) < PRECISION, x, np.where(inside, newton, middle))
    return x


def _guess(shape: Floats, scale: Floats, probabilities: Floats) -> Floats:
    """Quantiles of pooled points of the components, each by Wilson and Hilferty (1931)."""
    a = shape[:, :, None]
    points = a * np.maximum(1 - 1 / (9 * a) + POINTS / (3 * np.sqrt(a)), 0.01) ** 3 * scale[:, :, None]
    pooled = points.transpose(1, 0, 2).reshape(shape.shape[1], -1)
    if np.isnan(pooled).any():
        return np.asarray(np.nanquantile(pooled, probabilities, axis=1).T)
    return np.asarray(np.quantile(pooled, probabilities, axis=1).T)


def _mixed(shape: Floats, scale: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Distribution function and density of the mixture at x (W × Q); components of NaN are left out."""
    a = shape[:, :, None]
    z = x[None] / scale[:, :, None]
    n = np.isfinite(shape).sum(axis=0)[:, None]
    p = np.nansum(special.gammainc(a, z), axis=0) / n
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        density = np.exp((a - 1) * np.log(z) - z - special.gammaln(a)) / scale[:, :, None]
    return p, np.nansum(density, axis=0) / n
