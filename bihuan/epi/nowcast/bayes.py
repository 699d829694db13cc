"""Bayesian nowcasts: a prior on the delays, a prior on the counts, with and without truncation.

Höhle M, an der Heiden M (2014) Biometrics 70:993: delays have a generalized Dirichlet prior, conjugate to
counts cut off at now (section 3.2); ignoring the cut gives a Dirichlet, which takes late reports for absent.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bihuan.epi.errors import InputError
from bihuan.epi.nowcast.hazards import Hazards
from bihuan.epi.nowcast.predict import Prediction
from bihuan.epi.series import Floats

#: Draws of the delay distribution are put together in so many equal parts by completeness.
NODES = 64
#: Variance over squared mean of the count prior when none is given: of λ with mean 50 and variance 3000,
#: as in the paper's application to the outbreak of STEC O104:H4 (section 4).
PRIOR_CV2 = 1.2
#: Most counts written out for one period.
MOST_COUNTS = 2_000_000


@dataclass(frozen=True, slots=True)
class CountPrior:
    """Prior of the final count of a period: "poisgamma" (Poisson whose mean is gamma with `mean` and
    `variance`), "pois" (Poisson of `mean`), "unif" (every count up to the largest considered).
    """

    kind: Literal["poisgamma", "pois", "unif"] = "poisgamma"
    mean: float | None = None
    variance: float | None = None


def delay_draws(
    exactly: Floats, within: Floats, *, truncated: bool, kappa: float, n: int, rng: np.random.Generator
) -> Floats:
    """Draws of the distribution function of delays 0 … D of one series: draws × delays.

    `truncated`: hazards g(d) ~ Beta(κ + exactly d, κ d + the rest within d); else shares ~ Dirichlet(κ +
    exactly d).
    """
    if kappa <= 0:
        raise InputError("kappa must be above 0", "kappa 必须大于 0", field="kappa")
    if not truncated:
        total = np.cumsum(rng.gamma(kappa + exactly, size=(n, exactly.size)), axis=1)
        return np.asarray(total / np.maximum(total[:, -1:], 1e-300))
    d = np.arange(1, exactly.size)
    rest = kappa * d + within[1:] - exactly[1:]
    hazard = rng.beta(kappa + exactly[1:], rest, size=(n, d.size))
    log_cdf = np.cumsum(np.log1p(-np.minimum(hazard, 1 - 1e-12)[:, ::-1]), axis=1)[:, ::-1]
    return np.concatenate([np.exp(log_cdf), np.ones((n, 1))], axis=1)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the Bayesian nowcasts share; `seed` and a series itself make its draws, whatever stands beside."""

    truncated: bool
    prior: CountPrior
    kappa: float
    level: float
    n_max: int | None
    n_samples: int
    n_draws: int
    seed: int


def bayes(observed: Floats, delays: Floats, hazards: Hazards, settings: Settings) -> Prediction:
    """Median and equal-tailed interval of the final count, over draws of the delay distribution.

    Given the completeness F, what is still to come is negative binomial (poisgamma: size a + reported,
    probability (b + F) / (b + 1); unif: size reported + 1, probability F) or Poisson (pois).
    """
    parts = [
        _bayes_one(observed[i], delays.astype(np.intp), hazards.exactly[i], hazards.within[i], settings)
        for i in range(observed.shape[0])
    ]
    middle, mean, low, high, completeness = (np.stack([part[k] for part in parts]) for k in range(5))
    draws = np.stack([part[5] for part in parts], axis=1)
    return Prediction(middle, mean, low, high, completeness, draws)


def _bayes_one(
    observed: Floats, age: NDArray[np.intp], exactly: Floats, within: Floats, settings: Settings
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """One series: median, mean, low, high, completeness (each a period), draws × periods."""
    fingerprint = zlib.crc32(np.concatenate([observed, exactly, within]).tobytes())
    rng = np.random.default_rng([settings.seed, fingerprint])
    cdf = delay_draws(
        exactly, within, truncated=settings.truncated, kappa=settings.kappa, n=settings.n_samples, rng=rng
    )[:, age]
    prior = _filled(settings.prior, observed, cdf.mean(axis=0))
    middle, mean, low, high = (observed.copy() for _ in range(4))
    tail, nodes = (1 - settings.level) / 2, _nodes(cdf)
    for k in np.flatnonzero(age < exactly.size - 1):
        pmf = _pmf(float(observed[k]), nodes[:, k], prior, settings.n_max)
        below = np.cumsum(pmf)
        found = np.searchsorted(below, np.array([0.5, tail, 1 - tail]) * below[-1])
        middle[k], low[k], high[k] = observed[k] + found
        mean[k] = observed[k] + pmf @ np.arange(pmf.size) / below[-1]
    turn = np.arange(settings.n_draws) % settings.n_samples
    draws = observed + _draws(observed, cdf[turn], prior, rng)
    return middle, mean, low, high, cdf.mean(axis=0), draws


def _filled(prior: CountPrior, observed: Floats, completeness: Floats) -> CountPrior:
    """The prior with numbers: where the caller gave none, the mean of reported counts scaled up."""
    if prior.kind not in ("poisgamma", "pois", "unif"):
        raise InputError(
            f"prior {prior.kind!r} is not one of poisgamma, pois, unif",
            f"先验 {prior.kind!r} 应为 poisgamma、pois 或 unif",
            field="prior",
        )
    guess = float(observed.sum() / max(float(completeness.sum()), 1e-9))
    mean = prior.mean if prior.mean is not None else max(guess, 1.0)
    variance = prior.variance if prior.variance is not None else PRIOR_CV2 * mean**2
    if not (mean > 0 and variance > 0):
        raise InputError(
            "the prior needs a mean and a variance above 0", "先验的均值与方差必须大于 0", field="prior"
        )
    return CountPrior(prior.kind, mean, variance)


def _nodes(cdf: Floats) -> Floats:
    """Mean completeness of equal parts of the draws, in order: at most NODES × periods."""
    ordered = np.sort(cdf, axis=0)
    parts = np.array_split(np.arange(ordered.shape[0]), min(NODES, ordered.shape[0]))
    return np.clip(np.stack([ordered[part].mean(axis=0) for part in parts]), 1e-9, 1 - 1e-12)


def _pmf(reported: float, f: Floats, prior: CountPrior, n_max: int | None) -> Floats:
    """Probabilities of 0, 1, 2 … reports to come, mixed over `f`, each cut at the largest count."""
    size, p = _negbin(reported, f, prior)
    k = np.arange(_largest(reported, size, p, prior, f, n_max) + 1, dtype=np.float64)
    if prior.kind == "pois":
        rate = np.asarray(prior.mean) * (1 - f)
        log_pmf = k * np.log(rate)[:, None] - special.gammaln(k + 1) - rate[:, None]
    else:
        base = special.gammaln(k + size) - special.gammaln(size) - special.gammaln(k + 1)
        log_pmf = base + size * np.log(p)[:, None] + k * np.log1p(-p)[:, None]
    pmf = np.exp(log_pmf)
    return np.asarray((pmf / pmf.sum(axis=1, keepdims=True)).mean(axis=0))


def _negbin(reported: float, f: Floats, prior: CountPrior) -> tuple[float, Floats]:
    if prior.kind == "unif":
        return reported + 1.0, f
    mean, variance = float(prior.mean or 1), float(prior.variance or 1)
    rate = mean / variance
    return mean**2 / variance + reported, np.clip((rate + f) / (rate + 1), 1e-12, 1 - 1e-15)


def _largest(reported: float, size: float, p: Floats, prior: CountPrior, f: Floats, n_max: int | None) -> int:
    if n_max is not None:
        if n_max < reported:
            raise InputError(
                f"n_max is {n_max}, but {reported:g} are reported already",
                f"n_max 为 {n_max}，但已报告 {reported:g} 例",
                field="n_max",
            )
        return int(n_max - reported)
    mean = size * (1 - p) / p
    reach = mean + 15 * np.sqrt(mean / p) + 30
    if prior.kind == "pois":
        reach = float(prior.mean or 1) * (1 - f)
        reach = reach + 15 * np.sqrt(reach) + 30
    return int(min(float(reach.max()), MOST_COUNTS))


def _draws(observed: Floats, cdf: Floats, prior: CountPrior, rng: np.random.Generator) -> Floats:
    f = np.clip(cdf, 1e-9, 1.0)
    if prior.kind == "pois":
        return rng.poisson(float(prior.mean or 1) * (1 - f)).astype(np.float64)
    if prior.kind == "unif":
        rate = rng.gamma(observed + 1.0, (1 - f) / f)
        return rng.poisson(rate).astype(np.float64)
    mean, variance = float(prior.mean or 1), float(prior.variance or 1)
    level = rng.gamma(mean**2 / variance + observed, 1 / (mean / variance + f))
    return rng.poisson(level * (1 - f)).astype(np.float64)
