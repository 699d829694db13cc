"""The inner loops of the scan: zones grown neighbor by neighbor, windows in time, the largest ratio.

A replication needs only its maximum. A window is therefore first held against a bound in single precision
(count − expected − β ≥ α√variance, see `bounds`), which the processor takes many at a time; only the few
that may beat the best so far are worked out exactly. Nothing is lost by it: the bound is never above the
count at which the ratio would reach the best.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.compiled import njit

#: Ratios the kernel knows: given the total (Kulldorff 1997), and against an expectation (Neill 2005).
CONDITIONAL, EXPECTATION = 0, 1
#: Ratios closer than this are the same number, added up in another order.
SAME = 1e-12


@njit(cache=True, nogil=True)
def ratio(count: float, expected: float, total: float, kind: int) -> float:
    """Log likelihood ratio of a window with more cases than expected; 0 for one with no more.

    CONDITIONAL: c ln(c/μ) + (C−c) ln((C−c)/(C−μ)) (Kulldorff 1997; Kulldorff 2005 for permutation).
    EXPECTATION: c ln(c/μ) − c + μ (Neill 2005).
    """
    if count <= expected or count <= 0.0:
        return 0.0
    if expected <= 0.0:
        return math.inf
    inside = count * math.log(count / expected)
    if kind == EXPECTATION:
        return inside - count + expected
    rest = total - count
    if rest <= 0.0:
        return inside
    return inside + rest * math.log(rest / (total - expected))


@njit(cache=True, nogil=True, fastmath=True)
def _add(into: NDArray[Any], row: NDArray[Any]) -> None:
    for t in range(into.size):
        into[t] += row[t]


@njit(cache=True, nogil=True, fastmath=True)
def _may_exceed(
    counts: NDArray[np.float32],
    means: NDArray[np.float32],
    length: int,
    alpha2: np.float32,
    beta: np.float32,
    share: np.float32,
) -> bool:
    """Whether count − mean − β ≥ α√(mean − share·mean²) in any window of `length` periods.

    Arrays are cumulative.
    """
    beyond = np.float32(0.0)
    later_counts, later_means = counts[length:], means[length:]
    for t in range(counts.size - length):
        mean = later_means[t] - means[t]
        over = (later_counts[t] - counts[t]) - mean - beta
        beyond += max(over * abs(over) - alpha2 * (mean - share * mean * mean), np.float32(0.0))
    return bool(beyond > np.float32(0.0))


@njit(cache=True, nogil=True, fastmath=True)
def _may_exceed_now(
    counts: NDArray[np.float32],
    means: NDArray[np.float32],
    shortest: int,
    longest: int,
    alpha2: np.float32,
    beta: np.float32,
    share: np.float32,
) -> bool:
    """The same of windows that end now: `counts[d]` is the sum of the last d periods."""
    beyond = np.float32(0.0)
    last_counts, last_means = counts[shortest : longest + 1], means[shortest : longest + 1]
    for d in range(last_counts.size):
        mean = last_means[d]
        over = last_counts[d] - mean - beta
        beyond += max(over * abs(over) - alpha2 * (mean - share * mean * mean), np.float32(0.0))
    return bool(beyond > np.float32(0.0))


@njit(cache=True, nogil=True)
def _worth(count: float, mean: float, alpha2: Any, beta: Any, share: Any) -> bool:
    over = count - mean - beta
    return bool(over * abs(over) >= alpha2 * (mean - share * mean * mean))


@njit(cache=True, nogil=True)
def cumulate(counts: NDArray[np.int32], prospective: bool, longest: int, out: NDArray[np.float32]) -> None:
    """Sums from the first period on (retrospective) or of the last d periods (prospective)."""
    n, periods = counts.shape
    for i in range(n):
        total = 0
        out[i, 0] = 0.0
        for d in range(longest):
            total += counts[i, periods - 1 - d] if prospective else counts[i, d]
            out[i, d + 1] = total


@njit(cache=True, nogil=True)
def largest(
    sums: NDArray[np.float32],
    means32: NDArray[np.float32],
    means: NDArray[np.float64],
    order: NDArray[np.int32],
    sizes: NDArray[np.int32],
    total: float,
    kind: int,
    prospective: bool,
    shortest: int,
    longest: int,
    alphas2: NDArray[np.float32],
    betas: NDArray[np.float32],
    step: float,
) -> float:
    """The largest likelihood ratio over every zone and window of one data set (sums as `cumulate` gives)."""
    width = sums.shape[1]
    counts, mean32, mean = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width)
    best, alpha2, beta = 0.0, alphas2[0], betas[0]
    share = np.float32(1.0 / total) if kind == CONDITIONAL else np.float32(0.0)
    for center in range(order.shape[0]):
        counts[:], mean32[:], mean[:] = 0.0, 0.0, 0.0
        for k in range(sizes[center]):
            near = order[center, k]
            _add(counts, sums[near])
            _add(mean32, means32[near])
            _add(mean, means[near])
            before = best
            if prospective:
                if _may_exceed_now(counts, mean32, shortest, longest, alpha2, beta, share):
                    for d in range(shortest, longest + 1):
                        if _worth(counts[d], mean[d], alpha2, beta, share):
                            best = max(best, ratio(counts[d], mean[d], total, kind))
            else:
                for length in range(shortest, longest + 1):
                    if not _may_exceed(counts, mean32, length, alpha2, beta, share):
                        continue
                    for t in range(width - length):
                        count = counts[t + length] - counts[t]
                        expected = mean[t + length] - mean[t]
                        if _worth(count, expected, alpha2, beta, share):
                            best = max(best, ratio(count, expected, total, kind))
            if best > before:
                g = min(int(best / step), alphas2.size - 1)
                alpha2, beta = alphas2[g], betas[g]
    return best


@njit(cache=True, nogil=True)
def best_windows(
    sums: NDArray[np.float32],
    means: NDArray[np.float64],
    order: NDArray[np.int32],
    sizes: NDArray[np.int32],
    total: float,
    kind: int,
    prospective: bool,
    shortest: int,
    longest: int,
    most: int,
    floor: float,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Of each center its best windows that share no period with one another, best first, at most `most` of
    them and each above `floor`: ratios, and (number of neighbors, first, end) in the terms of the sums.
    Of equal ratios the smallest zone, then the shortest window, then the earliest stands.
    """
    n, width = order.shape[0], sums.shape[1]
    scores, where = np.zeros((n, most)), np.zeros((n, most, 3), np.int32)
    counts, mean = np.empty(width), np.empty(width)
    for center in range(n):
        taken = np.zeros(width, np.int32)  # periods taken by earlier picks, summed up
        for pick in range(most):
            counts[:], mean[:] = 0.0, 0.0
            best = floor
            for k in range(sizes[center]):
                near = order[center, k]
                _add(counts, sums[near])
                _add(mean, means[near])
                for length in range(shortest, longest + 1):
                    for low in range(1 if prospective else width - length):
                        high = low + length
                        if taken[high] > taken[low]:
                            continue
                        score = ratio(counts[high] - counts[low], mean[high] - mean[low], total, kind)
                        if score > best * (1.0 + SAME):
                            best = score
                            where[center, pick] = k + 1, low, high
            if best <= floor:
                break
            scores[center, pick] = best
            for t in range(where[center, pick, 1] + 1, width):
                taken[t] += min(t, where[center, pick, 2]) - where[center, pick, 1]
    return scores, where


@njit(cache=True, nogil=True)
def every_window(
    sums: NDArray[np.float32],
    means: NDArray[np.float64],
    order: NDArray[np.int32],
    sizes: NDArray[np.int32],
    total: float,
    kind: int,
    shortest: int,
    longest: int,
) -> NDArray[np.float64]:
    """Ratios of all windows that end now: center × number of neighbors × number of periods."""
    n, most = order.shape
    found = np.zeros((n, most, longest + 1))
    counts, mean = np.empty(sums.shape[1]), np.empty(sums.shape[1])
    for center in range(n):
        counts[:], mean[:] = 0.0, 0.0
        for k in range(sizes[center]):
            _add(counts, sums[order[center, k]])
            _add(mean, means[order[center, k]])
            for d in range(shortest, longest + 1):
                found[center, k, d] = ratio(counts[d], mean[d], total, kind)
    return found


# ---- random data sets


@njit(cache=True, nogil=True)
def _scramble(x: np.uint64) -> np.uint64:
    """SplitMix64 (Steele, Lea and Flood 2014): one step's output of the state x."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True, nogil=True)
def _below(x: np.uint64, n: int) -> np.int64:
    """A whole number from 0 to n − 1 out of 64 random bits (n far below 2³²)."""
    return np.int64(((x >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@njit(cache=True, nogil=True)
def _shuffled(places: NDArray[np.int32], times: NDArray[np.int32], state: np.uint64, out: Any) -> None:
    """Deal the times of all cases anew over the places of all cases (Kulldorff 2005)."""
    for i in range(times.size - 1, 0, -1):
        state += np.uint64(0x9E3779B97F4A7C15)
        j = _below(_scramble(state), i + 1)
        times[i], times[j] = times[j], times[i]
    for i in range(times.size):
        out[places[i], times[i]] += 1


@njit(cache=True, nogil=True)
def _thrown(n: int, keep: NDArray[np.float64], other: NDArray[np.int32], state: np.uint64, out: Any) -> None:
    """Throw n cases at cells by their share (Walker's alias method: 1 look-up a case)."""
    cells = out.ravel()
    for _ in range(n):
        state += np.uint64(0x9E3779B97F4A7C15)
        cell = _below(_scramble(state), keep.size)
        state += np.uint64(0x9E3779B97F4A7C15)
        share = np.float64(_scramble(state) >> np.uint64(11)) * 1.1102230246251565e-16
        cells[cell if share < keep[cell] else other[cell]] += 1


@njit(cache=True, nogil=True)
def replicate(
    seeds: NDArray[np.uint64],
    totals: NDArray[np.int64],
    shuffle: bool,
    places: NDArray[np.int32],
    times: NDArray[np.int32],
    keep: NDArray[np.float64],
    other: NDArray[np.int32],
    shape: tuple[int, int],
    means32: NDArray[np.float32],
    means: NDArray[np.float64],
    order: NDArray[np.int32],
    sizes: NDArray[np.int32],
    kind: int,
    prospective: bool,
    shortest: int,
    longest: int,
    alphas2: NDArray[np.float32],
    betas: NDArray[np.float32],
    step: float,
) -> NDArray[np.float64]:
    """The largest ratio of each random data set; one seed and one number of cases for each."""
    found = np.empty(seeds.size)
    counts = np.empty(shape, np.int32)
    sums = np.empty(means.shape, np.float32)
    width = means.shape[1] - 1
    for r in range(seeds.size):
        counts[:] = 0
        if shuffle:
            _shuffled(places, times.copy(), seeds[r], counts)
        else:
            _thrown(totals[r], keep, other, seeds[r], counts)
        cumulate(counts, prospective, width, sums)
        found[r] = largest(
            sums, means32, means, order, sizes, float(totals[r]), kind, prospective,
            shortest, longest, alphas2, betas, step,
        )  # fmt: skip
    return found
