"""Predictive distributions of final counts: normal (Lawless), over-dispersed (chain ladder), Bayesian.

Each takes what is reported by now of the asked periods (series × periods), their ages, and the hazards, and
gives a `Prediction`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import special

from bihuan.epi.nowcast.hazards import Hazards
from bihuan.epi.nowcast.triangle import ReportingTriangle
from bihuan.epi.series import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Series × periods; draws × series × periods."""

    estimate: Floats
    mean: Floats
    low: Floats
    high: Floats
    completeness: Floats
    draws: Floats
    extra: dict[str, Floats] = field(default_factory=dict)


def lawless(
    observed: Floats,
    delays: Floats,
    hazards: Hazards,
    *,
    level: float,
    compatible: bool,
    n_draws: int,
    rng: np.random.Generator,
) -> Prediction:
    """Reported over the probability to be reported by now, with a normal predictive distribution on whole
    numbers (Lawless 1994, section 3).

    Variance: N (1 - F) / F² of the reporting to come, and N² / F² times Greenwood's variance of ln F for the
    delays being estimated. `compatible`: as the peer computes it, without the second part, without continuity
    correction, and with the distribution divided by its mass above the reported count though the mass below
    is kept too (intervals come out too narrow above; the median of small counts too low).
    """
    age = delays.astype(np.intp)
    f, log_variance = hazards.cdf[:, age], hazards.log_variance[:, age]
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = np.where(f > 0, observed / f, np.nan)
        variance = observed * (1 - f) / f**2
    if not compatible:
        variance = variance + np.nan_to_num(estimate**2 * log_variance, posinf=0.0)
    sd = np.sqrt(variance)
    tail = (1 - level) / 2
    shift = 0.0 if compatible else 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        below = special.ndtr((observed - estimate) / sd) if compatible else np.zeros_like(observed)
        at = [estimate + sd * special.ndtri(p * (1 - below)) - shift for p in (0.5, tail, 1 - tail)]
    middle, low, high = (np.where(sd > 0, np.maximum(np.ceil(x), observed), estimate) for x in at)
    draws = rng.normal(np.nan_to_num(estimate), np.nan_to_num(sd), size=(n_draws, *observed.shape))
    draws = np.maximum(np.round(draws), observed)
    if not compatible:
        draws = _of_zero(draws, observed, f, rng)
    return Prediction(middle, estimate, low, high, f, draws, {"sd": sd})


def chain_ladder(
    observed: Floats,
    delays: Floats,
    hazards: Hazards,
    triangle: ReportingTriangle,
    kept: Floats,
    *,
    level: float,
    n_draws: int,
    rng: np.random.Generator,
) -> Prediction:
    """The chain ladder as an over-dispersed Poisson model of the cells (Renshaw AE, Verrall RJ (1998) Br
    Actuar J 4:903): each period its level, each delay its share, variance φ times the mean.

    Reports to come: mean μ = N (1 / F - 1); variance φ μ of the process, φ N (1 / F - 1)² of the level and
    φ (N / F)² Var(ln F) of the shares (England PD, Verrall RJ (2002) Br Actuar J 8:443, section 7); a
    negative binomial of that mean and variance gives the interval.
    """
    age = delays.astype(np.intp)
    f = hazards.cdf[:, age]
    phi = dispersion(triangle, hazards, kept)[:, None]
    log_variance = np.nan_to_num(hazards.log_variance[:, age], posinf=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        to_come = np.where(f > 0, observed * (1 / f - 1), np.nan)
        level_part = phi * observed * (1 / f - 1) ** 2
        variance = phi * to_come + level_part + phi * (observed / f) ** 2 * log_variance
    tail = (1 - level) / 2
    low, high = (observed + _negbin_quantile(to_come, variance, p) for p in (tail, 1 - tail))
    draws = _of_zero(observed + _negbin_draws(to_come, variance, n_draws, rng), observed, f, rng)
    mean = observed + to_come
    extra = {"dispersion": np.broadcast_to(phi, observed.shape), "sd": np.sqrt(variance)}
    return Prediction(np.round(mean), mean, low, high, f, draws, extra)


def dispersion(triangle: ReportingTriangle, hazards: Hazards, kept: Floats) -> Floats:
    """φ of each series: Pearson's statistic of the known cells over their degrees of freedom, at least 1."""
    cells = np.nan_to_num(triangle.counts, nan=0.0)
    f = hazards.cdf
    share = np.diff(f, axis=1, prepend=0.0)
    reported = (cells * kept).sum(axis=2)
    newest = (kept * np.arange(1, kept.shape[1] + 1)).max(axis=1).astype(np.intp) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        fitted = (reported / f[:, np.maximum(newest, 0)])[:, :, None] * share[:, None, :] * kept
        pearson = np.where(fitted > 0, (cells * kept - fitted) ** 2 / fitted, 0.0).sum(axis=(1, 2))
    used = fitted > 0
    parameters = used.any(axis=2).sum(axis=1) + used.any(axis=1).sum(axis=1) - 1
    free = used.sum(axis=(1, 2)) - parameters
    return np.maximum(np.where(free > 0, pearson / np.maximum(free, 1), 1.0), 1.0)


def _negbin_quantile(mean: Floats, variance: Floats, p: float) -> Floats:
    """Smallest count whose distribution function reaches p; Poisson where the variance is no larger."""
    over = variance > mean * (1 + 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(over, mean**2 / (variance - mean), 1.0)
        wide = special.nbdtrik(p, size, size / (size + mean))
        narrow = special.pdtrik(p, mean)
    found = np.where(over, wide, narrow)
    return np.where(mean > 0, np.maximum(np.ceil(np.round(np.nan_to_num(found), 9)), 0.0), mean)


def _of_zero(draws: Floats, observed: Floats, f: Floats, rng: np.random.Generator) -> Floats:
    """Where nothing is reported: to come is geometric, the posterior of a flat prior on the final count."""
    known = (f > 0) & np.isfinite(f)
    geometric = rng.geometric(np.where(known, np.clip(f, 1e-9, 1.0), 1.0), size=draws.shape) - 1
    return np.where((observed == 0) & known, geometric, draws)


def _negbin_draws(mean: Floats, variance: Floats, n: int, rng: np.random.Generator) -> Floats:
    known = np.nan_to_num(mean)
    extra = np.maximum(np.nan_to_num(variance) - known, 1e-9 * np.maximum(known, 1e-9))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(known > 0, extra / np.where(known > 0, known, 1.0), 1.0)
        rate = rng.gamma(np.maximum(known / scale, 1e-12), scale, size=(n, *mean.shape))
    return np.where(known > 0, rng.poisson(np.minimum(rate, 1e15)), 0).astype(np.float64)
