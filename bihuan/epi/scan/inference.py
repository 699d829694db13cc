"""What chance makes of a ratio: Monte-Carlo p-value, its Gumbel tail, and the recurrence interval."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.scan import kernel
from bihuan.epi.scan.bounds import STEP, bounds
from bihuan.epi.scan.design import Design
from bihuan.epi.series import Floats

PMethod = Literal["monte carlo", "gumbel"]

#: Euler's constant: the mean of a Gumbel variable is location + 0.5772 × scale.
_EULER = 0.5772156649015329
#: A Monte-Carlo p-value is trusted when at least this many replications reach the ratio; below, the tail of
#: the Gumbel distribution is (Abrams, Kulldorff and Kleinman 2010).
FEW = 10
#: Replications the Gumbel distribution needs to be fitted on.
_GUMBEL_NEEDS = 30
_CHUNKS_A_THREAD = 4


def simulate(design: Design, *, replications: int, seed: int, threads: int | None = None) -> Floats:
    """The largest ratio of each of `replications` data sets in which nothing clusters. Same seed, same
    numbers, on any number of threads.
    """
    stream = np.random.SeedSequence(seed)
    seeds = stream.generate_state(replications, np.uint64).astype(np.uint64)
    totals = np.full(replications, design.total, np.int64)
    if not design.conditional:
        totals = np.random.default_rng(stream.spawn(1)[0]).poisson(design.baselines.sum(), replications)
    limits = bounds(
        total=float(design.total), most_expected=design.most_expected(), conditional=design.conditional
    )
    places, times = design.single_cases()
    keep, other = alias(design.baselines.ravel()) if design.model != "permutation" else _NOTHING
    means32 = design.means.astype(np.float32)
    workers = threads or len(os.sched_getaffinity(0))

    def work(part: NDArray[np.intp]) -> Floats:
        return np.asarray(
            kernel.replicate(
                seeds[part], totals[part], design.model == "permutation", places, times, keep, other,
                design.counts.shape, means32, design.means, design.zones.order, design.zones.sizes,
                design.kind, design.prospective, design.shortest, design.longest,
                limits.alphas2, limits.betas, STEP,
            )
        )  # fmt: skip

    parts = np.array_split(np.arange(replications), min(workers * _CHUNKS_A_THREAD, replications) or 1)
    if workers == 1:
        return np.concatenate([work(part) for part in parts])
    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(work, parts)))


_NOTHING = (np.zeros(0), np.zeros(0, np.int32))


def alias(weights: Floats) -> tuple[Floats, NDArray[np.int32]]:
    """Walker's alias tables (Vose 1991): cell i is kept with probability keep[i], else other[i] is taken."""
    share = weights * (weights.size / weights.sum())
    keep, other = np.ones(weights.size), np.arange(weights.size, dtype=np.int32)
    small, large = list(np.flatnonzero(share < 1)), list(np.flatnonzero(share >= 1))
    while small and large:
        i, j = small.pop(), large[-1]
        keep[i], other[i] = share[i], j
        share[j] -= 1 - share[i]
        if share[j] < 1:
            small.append(large.pop())
    return keep, other


def p_values(ratios: Floats, simulated: Floats) -> tuple[Floats, list[PMethod]]:
    """(1 + replications that reach it) / (1 + replications) (Dwass 1957), or the Gumbel tail where fewer than
    FEW reach it and there are enough to fit one.
    """
    reached = (simulated[None, :] >= ratios[:, None] * (1 - kernel.SAME)).sum(axis=1)
    p = (1 + reached) / (1 + simulated.size)
    spread = simulated.std(ddof=1) if simulated.size > 1 else 0.0
    if simulated.size < _GUMBEL_NEEDS or spread <= 0:
        return p, ["monte carlo"] * ratios.size
    scale = spread * np.sqrt(6) / np.pi
    tail = gumbel_tail(ratios, location=simulated.mean() - _EULER * scale, scale=scale)
    few = reached < FEW
    return np.where(few, tail, p), ["gumbel" if one else "monte carlo" for one in few]


def gumbel_tail(x: Floats, *, location: float, scale: float) -> Floats:
    """P(X ≥ x) of a Gumbel variable, fitted by moments (Abrams, Kulldorff and Kleinman 2010)."""
    return np.asarray(-np.expm1(-np.exp(-(x - location) / scale)))
