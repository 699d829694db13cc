"""From a fit to upper bound and p-value."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, gammainc, ndtr
from scipy.stats import nbinom, poisson

from bihuan.epi.series import Floats


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
    over = phi > 1
    size, success = _negative_binomial(mu, np.where(over, phi, 2.0))
    return np.where(over, nbinom.ppf(1 - alpha, size, success), poisson.ppf(1 - alpha, mu))


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
