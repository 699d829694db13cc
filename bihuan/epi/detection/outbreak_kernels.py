"""The growing isotonic regression of outbreakP, compiled.

Pool-adjacent-violators keeps blocks of rising means; a new count can only join blocks at the end. Each block
remembers the logarithm of the likelihood of all blocks up to it, so that a new count costs only what it
merges.
"""

from __future__ import annotations

import math

import numpy as np

from bihuan.epi.compiled import njit


@njit(cache=True, nogil=True)
def _part(total, size):  # type: ignore[no-untyped-def]
    """Sum of x·log(mean) over a block."""
    return total * math.log(total / size) if total > 0 else 0.0


@njit(cache=True, nogil=True)
def _with(sums, sizes, parts, blocks, x):  # type: ignore[no-untyped-def]
    """Blocks left, and sum and size of the last one, once the count x has joined."""
    total, size, left = x, 1.0, blocks
    while left > 0 and sums[left - 1] * size >= total * sizes[left - 1]:
        left -= 1
        total += sums[left]
        size += sizes[left]
    before = parts[left - 1] if left > 0 else 0.0
    return left, total, size, before + _part(total, size)


@njit(cache=True, nogil=True)
def outbreak(x, k, most, bounds, score, upper):  # type: ignore[no-untyped-def]
    """Log statistic after every count, and the fewest cases that would have given an alarm (NaN: any would,
    or none up to `most`). A NaN count is left out.
    """
    sums, sizes, parts = np.zeros(x.size), np.zeros(x.size), np.zeros(x.size)
    blocks, total, n, limit = 0, 0.0, 0.0, math.log(k)
    for t in range(x.size):
        if bounds:
            upper[t] = _fewest(sums, sizes, parts, blocks, total, n, limit, most)
        if np.isnan(x[t]):
            continue
        left, block, size, part = _with(sums, sizes, parts, blocks, x[t])
        sums[left], sizes[left], parts[left] = block, size, part
        blocks = left + 1
        total += x[t]
        n += 1.0
        score[t] = max(part - _part(total, n), 0.0)


@njit(cache=True, nogil=True)
def _fewest(sums, sizes, parts, blocks, total, n, limit, most):  # type: ignore[no-untyped-def]
    """Bisection: the statistic never falls as the newest count rises (its slope is log(last mean / mean))."""
    under, over = 0.0, most
    if _statistic(sums, sizes, parts, blocks, total, n, under) > limit:
        return np.nan
    if _statistic(sums, sizes, parts, blocks, total, n, over) <= limit:
        return np.nan
    while over - under > 1:
        middle = math.floor((under + over) / 2)
        if _statistic(sums, sizes, parts, blocks, total, n, middle) > limit:
            over = middle
        else:
            under = middle
    return over


@njit(cache=True, nogil=True)
def _statistic(sums, sizes, parts, blocks, total, n, x):  # type: ignore[no-untyped-def]
    _left, _block, _size, part = _with(sums, sizes, parts, blocks, x)
    return part - _part(total + x, n + 1.0)
