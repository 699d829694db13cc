"""Bounds that let the kernel pass over windows that cannot be the best.

A window of count c and expectation μ has a ratio above M only if c ≥ T(μ), where T solves ratio(T, μ) = M.
`bounds` gives, for each M on a grid, α² and β with μ + α√v + β ≤ T(μ) for every μ at hand, where v is the
variance μ (1 − μ/C), or μ where no total is given. Counts are whole, so only the points where T is a whole
number bind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.series import Floats

STEP = 0.5
#: Ratios above this are all bounded as this one is; hardly a replication reaches it.
HIGHEST = 60.0
_BISECTIONS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """`alphas2[g]`, `betas[g]` hold for every best ratio of at least g × STEP."""

    alphas2: NDArray[np.float32]
    betas: NDArray[np.float32]


def bounds(*, total: float, most_expected: float, conditional: bool) -> Bounds:
    """`total` cases (0 where not conditional), no window expecting more than `most_expected`."""
    levels = np.arange(0.0, HIGHEST + STEP, STEP)
    most = total if conditional else np.ceil(most_expected + 20 * np.sqrt(most_expected) + 100)
    counts = np.unique(np.ceil(np.geomspace(1, max(most, 2), 400)))
    limit = total if conditional else np.inf
    means = _means(levels[:, None], counts[None, :], limit)
    gaps = counts - means - np.sqrt(2 * levels[:, None] * means * (1 - means / limit))
    gaps[means > most_expected * 1.5 + 1] = np.inf
    # Room for the points between those of the grid, and for sums in single precision.
    room = 0.01 + 0.02 * np.sqrt(levels) + 1e-6 * max(most, 1.0)
    betas = gaps.min(axis=1) - room
    return Bounds((2 * levels).astype(np.float32), betas.astype(np.float32))


def _means(levels: Floats, counts: Floats, total: float) -> Floats:
    """The expectation at which a count has exactly the ratio `levels`: by bisection, from below."""
    low = np.zeros(np.broadcast_shapes(levels.shape, counts.shape))
    high = np.broadcast_to(np.minimum(counts, total), low.shape).copy()
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = _ratio(np.broadcast_to(counts, low.shape), middle, total) > levels
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high


def _ratio(counts: Floats, means: Floats, total: float) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = counts * np.log(counts / means)
        if np.isinf(total):
            return inside - counts + means
        rest = np.maximum(total - counts, 0.0)
        outside = np.where(rest > 0, rest * np.log(rest / (total - means)), 0.0)
    return np.asarray(inside + outside)
