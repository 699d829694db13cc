"""From a fit to upper bound and p-value."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, gammainc, ndtr, ndtri

from bihuan.epi.series import Floats

#: No count is as large as this; a bound beyond comes from a fit that says nothing.
BEYOND_COUNTS = 1e15
_TIE = 64 * float(np.finfo(np.float64).eps)


def delta_bound(mu: Floats, phi: Floats, error: Floats, *, power: float, z: float) -> Floats:
    """(mu^p + z sd)^(1/p): normal on the scale of counts to the power p (Farrington et al. 1996).

    `error` is the standard error of mu.
    """
    return (mu**power + z * _spread(mu, phi, error, power)) ** (1 / power)


def delta_p(y: Floats, mu: Floats, phi: Floats, error: Floats, *, power: float) -> Floats:
    return ndtr(-(y**power - mu**power) / _spread(mu, phi, error, power))


def count_bound(mu: Floats, phi: Floats, *, alpha: float) -> Floats:
    """Smallest count that is exceeded with probability alpha at most: negative binomial with variance phi mu
    (Noufaily et al. 2013), Poisson where phi is 1.
    """
    usable = np.isfinite(mu) & np.isfinite(phi) & (mu > 0) & (mu < BEYOND_COUNTS)
    bound = np.full(mu.shape, np.nan)
    bound[usable] = _smallest_bound(mu[usable], phi[usable], alpha)
    return bound


def _smallest_bound(mu: Floats, phi: Floats, alpha: float) -> Floats:
    """Between a bound too low and one high enough, which close in on one another until they are neighbors."""
    low, high = np.full(mu.shape, -1.0), np.full(mu.shape, np.inf)
    trial, step = np.floor(_guess(mu, phi, float(-ndtri(alpha)))), np.ones_like(mu)
    open_ = np.arange(mu.size)
    while open_.size:
        at = trial[open_]
        # The tail is compared with a little room, as R's quantiles do, so that ties in it do not flip.
        enough = count_p(at + 1, mu[open_], phi[open_]) <= alpha + _TIE
        high[open_[enough]] = at[enough]
        low[open_[~enough]] = at[~enough]
        open_ = open_[high[open_] - low[open_] > 1]
        below, above = low[open_], high[open_]
        near = np.where(np.isinf(above), below + step[open_], above - step[open_])
        bracketed = np.isfinite(above) & (below >= 0)
        trial[open_] = np.where(bracketed, np.floor((below + above) / 2), np.maximum(near, 0))
        step[open_] *= 2
    return high


def _guess(mu: Floats, phi: Floats, z: float) -> Floats:
    """Quantile by the first terms of Cornish and Fisher (1938)."""
    skewness = (2 * phi - 1) / np.sqrt(phi * mu)
    return np.maximum(mu + np.sqrt(phi * mu) * (z + skewness * (z**2 - 1) / 6), 0)


def count_p(y: Floats, mu: Floats, phi: Floats) -> Floats:
    """P(Y >= y) of the same distribution."""
    over = phi > 1
    size, success = _negative_binomial(mu, np.where(over, phi, 2.0))
    many = np.where(y > 0, y, 1.0)
    tail = np.where(over, betainc(many, size, 1 - success), gammainc(many, mu))
    return np.where(y > 0, tail, np.where(np.isnan(y), np.nan, 1.0))


def _negative_binomial(mu: Floats, phi: Floats) -> tuple[Floats, Floats]:
    return mu / (phi - 1), 1 / phi


def _spread(mu: Floats, phi: Floats, error: Floats, power: float) -> Floats:
    """Standard deviation of y^p - mu^p: p^2 mu^(2p-1) (phi + error^2 / mu), observation and estimate."""
    return power * np.sqrt(mu ** (2 * power - 1) * (phi + error**2 / mu))
