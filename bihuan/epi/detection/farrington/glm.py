"""Log-linear Poisson fits of thousands of series and assessed periods at once.

The model is log mu_i = level(block of i) + slope * time_i + offset_i (Noufaily et al. 2013).
Each fit is iteratively reweighted least squares (McCullagh and Nelder 1989, section 2.5), begun at
mu = y + 0.1 and stopped when the deviance moves by less than 1e-8 of itself, as R's glm. Where the counts of
a block are all zero its level goes to minus infinity, and where the iteration stops decides the numbers, so
stopping in the same place matters.

No matrix is inverted: within blocks the normal equations have an arrow's shape, so the slope is a ratio of
sums over centered times and the levels follow. Arrays are assessed periods × baseline × series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.series import Floats

#: As in R's glm.control: relative change of the deviance, and most iterations.
EPSILON, MOST_ITERATIONS = 1e-8, 25
#: No mean is less than this, also as there.
LEAST_MEAN = float(np.finfo(np.float64).eps)
#: Below this share of the sum of squares a difference of sums has lost half of its digits.
CANCELED = 1e-6
#: mu begins this much above the count, so that a zero has a logarithm.
_START = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What is fitted. `use` is 1 for a reported member of the baseline, else 0; `y` is 0 where unused.

    `indicator[t, k, i]` is 1 where baseline period i of assessed period t lies in block k; `moments` has
    the indicator times 1, time and time squared below one another.
    """

    y: Floats
    use: Floats
    offset: Floats | None
    time: Floats
    indicator: Floats
    moments: Floats
    n_used: Floats
    n_blocks: Floats

    @property
    def blocks(self) -> int:
        return int(self.indicator.shape[1])

    def spread(self, by_block: Floats) -> Floats:
        """Values of blocks given to their members."""
        return np.swapaxes(self.indicator, 1, 2) @ by_block


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """`information` are the iteration's last weights, those of the iterate before `mu` (as glm keeps them).

    With them: `mass` their sum by block, `center` the mean time by block, `scatter` the sum of squared
    distances in time to it (infinite without trend).
    """

    level: Floats
    slope: Floats
    mu: Floats
    weights: Floats
    information: Floats
    mass: Floats
    center: Floats
    scatter: Floats
    settled: NDArray[np.bool_]
    df: Floats

    def variance_now(self) -> Floats:
        """Of the linear predictor at time 0 in block 0, in units of the dispersion."""
        return 1 / self.mass[:, 0] + self.center[:, 0] ** 2 / self.scatter


def fit(batch: Batch, weights: Floats, *, trend: bool) -> Fit:
    """Fit every series and period of the batch; what has not settled is said, not raised."""
    with np.errstate(all="ignore"):
        return _iterate(batch, weights, trend=trend)


def _iterate(batch: Batch, weights: Floats, *, trend: bool) -> Fit:
    k = batch.blocks
    moments = batch.moments if trend else batch.indicator
    weighted = weights * batch.y
    cases = moments[:, : 2 * k] @ weighted
    y0, y1 = cases[:, :k], cases[:, k:] if trend else None
    constant, deviance = _first_deviance(batch, weights, weighted)
    exposure = weights if batch.offset is None else weights * np.exp(batch.offset)
    plain = None if trend else moments @ exposure

    level, slope = _first_step(batch, weights, moments, trend=trend)
    before = (level, slope)
    running = np.ones(slope.shape, dtype=bool)
    for _ in range(MOST_ITERATIONS):
        sums = _sums(batch, moments, level=level, slope=slope, exposure=exposure, plain=plain)
        if trend:
            sums += _floor(batch, moments, weights, level=level, slope=slope)
        was, deviance = deviance, _deviance(constant, level, slope, y0=y0, y1=y1, expected=sums[:, :k])
        running &= ~(np.abs(deviance - was) < EPSILON * (np.abs(deviance) + 0.1))
        if not running.any():
            break
        center, scatter, pull = _lever(sums, y0, y1)
        if trend and (far := running & (scatter < CANCELED * np.sum(sums[:, 2 * k :], axis=1))).any():
            work = weights * _means(batch, level, slope, trend=True)
            scatter, pull = _lever_exactly(batch, work, weighted, center, where=far, else_=(scatter, pull))
        turn = pull / scatter
        by = _ratio(y0 - (sums[:, k : 2 * k] * turn[:, None] if trend else 0), sums[:, :k], empty=1.0) - 1
        here = running[:, None, :]
        before = (np.where(here, level, before[0]), np.where(running, slope, before[1]))
        level, slope = level + np.where(here, by, 0), slope + np.where(running, turn, 0)
    return _result(batch, weights, level=level, slope=slope, before=before, settled=~running, trend=trend)


def _first_deviance(batch: Batch, weights: Floats, weighted: Floats) -> tuple[Floats, Floats]:
    """What of the deviance does not move, and the deviance at the start."""
    start = batch.y + _START
    own = np.sum(weighted * (np.log(np.where(batch.y > 0, batch.y, 1)) - 1), axis=1)
    deviance = 2 * (own + np.sum(weights * start - weighted * np.log(start), axis=1))
    if batch.offset is not None:
        own = own - np.sum(weighted * batch.offset, axis=1)
    return own, deviance


def _first_step(batch: Batch, weights: Floats, moments: Floats, *, trend: bool) -> tuple[Floats, Floats]:
    """Weighted least squares from mu = y + 0.1."""
    k = batch.blocks
    start = batch.y + _START
    work = weights * start
    target = np.log(start) - _START / start
    if batch.offset is not None:
        target = target - batch.offset
    sums = moments @ work
    answers = moments[:, : 2 * k] @ (work * target)
    mass, z0 = sums[:, :k], answers[:, :k]
    if not trend:
        return _ratio(z0, mass), np.zeros_like(mass[:, 0])
    s1, s2, z1 = sums[:, k : 2 * k], sums[:, 2 * k :], answers[:, k:]
    center = _ratio(s1, mass)
    slope = np.sum(z1 - center * z0, axis=1) / np.sum(s2 - center * s1, axis=1)
    return _ratio(z0 - s1 * slope[:, None], mass), slope


def _sums(
    batch: Batch, moments: Floats, *, level: Floats, slope: Floats, exposure: Floats, plain: Floats | None
) -> Floats:
    """Expected cases by block, and with a trend also times time and time squared.

    Without a trend only the levels move, so `plain`, the exposure by block, is all there is to sum.
    """
    height = np.exp(level)
    if plain is not None:
        return height * plain
    tilted = slope[:, None] * batch.time
    tilted = np.exp(tilted, out=tilted)
    tilted *= exposure
    return np.tile(height, (1, 3, 1)) * (moments @ tilted)


def _floor(batch: Batch, moments: Floats, weights: Floats, *, level: Floats, slope: Floats) -> Floats | float:
    """What `_sums` lacks where a mean lies below LEAST_MEAN: a steep trend away from all cases gets there."""
    ends = np.stack([batch.time.min(axis=1), batch.time.max(axis=1)])
    lowest = level.min(axis=1) + np.min(slope * ends, axis=0)
    if batch.offset is not None:
        lowest = lowest + batch.offset.min(axis=1)
    if not (lowest < np.log(LEAST_MEAN)).any():
        return 0.0
    mu = _linear_means(batch, level, slope, trend=True)
    return moments @ (np.maximum(LEAST_MEAN - mu, 0) * weights)


def _deviance(
    constant: Floats, level: Floats, slope: Floats, *, y0: Floats, y1: Floats | None, expected: Floats
) -> Floats:
    moving = np.sum(expected - level * y0, axis=1)
    if y1 is not None:
        moving = moving - slope * np.sum(y1, axis=1)
    return 2 * (constant + moving)


def _lever(sums: Floats, y0: Floats, y1: Floats | None) -> tuple[Floats, Floats, Floats]:
    """Mean time by block, squared distances to it, and what pulls at the slope; their ratio is the step."""
    k = y0.shape[1]
    mass = sums[:, :k]
    if y1 is None:
        none = np.zeros_like(mass[:, 0])
        return np.zeros_like(mass), none + np.inf, none
    s1, s2 = sums[:, k : 2 * k], sums[:, 2 * k :]
    center = _ratio(s1, mass)
    return center, np.sum(s2 - center * s1, axis=1), np.sum(y1 - center * y0, axis=1)


def _lever_exactly(
    batch: Batch,
    work: Floats,
    weighted: Floats,
    center: Floats,
    *,
    where: NDArray[np.bool_],
    else_: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """The same from distances, for when all weight sits at one time and sums cancel."""
    distance = batch.time - batch.spread(center)
    scatter = np.sum(work * distance**2, axis=1)
    return np.where(where, scatter, else_[0]), np.where(where, np.sum(weighted * distance, axis=1), else_[1])


def _result(
    batch: Batch,
    weights: Floats,
    *,
    level: Floats,
    slope: Floats,
    before: tuple[Floats, Floats],
    settled: NDArray[np.bool_],
    trend: bool,
) -> Fit:
    k = batch.blocks
    mu = _means(batch, level, slope, trend=trend)
    information = weights * _means(batch, *before, trend=trend)
    sums = (batch.moments if trend else batch.indicator) @ information
    mass = sums[:, :k]
    if trend:
        center = _ratio(sums[:, k : 2 * k], mass)
        scatter = np.sum(sums[:, 2 * k :] - center * sums[:, k : 2 * k], axis=1)
        if (far := scatter < CANCELED * np.sum(sums[:, 2 * k :], axis=1)).any():
            own = (scatter, scatter)
            scatter, _ = _lever_exactly(batch, information, information, center, where=far, else_=own)
    else:
        center, scatter = np.zeros_like(mass), np.full(slope.shape, np.inf)
    return Fit(
        level=level,
        slope=slope,
        mu=mu,
        weights=weights,
        information=information,
        mass=mass,
        center=center,
        scatter=scatter,
        settled=settled & np.isfinite(slope) & np.isfinite(level).all(axis=1),
        df=batch.n_used - batch.n_blocks - trend,
    )


def _means(batch: Batch, level: Floats, slope: Floats, *, trend: bool) -> Floats:
    means = _linear_means(batch, level, slope, trend=trend)
    return np.maximum(means, LEAST_MEAN, out=means)


def _linear_means(batch: Batch, level: Floats, slope: Floats, *, trend: bool) -> Floats:
    linear = batch.spread(level)
    if trend:
        linear += slope[:, None] * batch.time
    if batch.offset is not None:
        linear += batch.offset
    return np.exp(linear, out=linear)


def _ratio(above: Floats, below: Floats, *, empty: float = 0.0) -> Floats:
    """above / below, `empty` where a block has nobody."""
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), empty)
