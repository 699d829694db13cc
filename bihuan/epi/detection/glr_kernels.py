"""The loops of the likelihood-ratio charts, compiled: what NumPy cannot batch over change points.

For the change point k and now n, x and mu are the counts and what is expected of them from k to n. The mean
after the change is mu·exp(kappa); alpha is the dispersion of the negative binomial, 0 the Poisson.
"""

from __future__ import annotations

import math

import numpy as np

from bihuan.epi.compiled import njit

_STEPS = 100
_SETTLED = 1e-13
#: exp(kappa) when no case was seen: the likelihood rises to its limit at zero.
_LEAST_KAPPA = -30.0


@njit(cache=True, nogil=True)
def ratio(x, mu, begin, end, alpha, upward, guess):  # type: ignore[no-untyped-def]
    """Log likelihood ratio of the best kappa (at least 0 if `upward`, else at most 0), and that kappa."""
    total, expected = 0.0, 0.0
    for i in range(begin, end):
        total += x[i]
        expected += mu[i]
    if alpha == 0.0:
        kappa = math.log(total / expected) if total > 0 else -np.inf
        if (upward and kappa <= 0) or (not upward and kappa >= 0):
            return 0.0, 0.0
        if total == 0:
            return expected, _LEAST_KAPPA
        return total * kappa + expected - total, kappa
    slope = 0.0
    for i in range(begin, end):
        slope += (x[i] - mu[i]) / (1 + alpha * mu[i])
    if (upward and slope <= 0) or (not upward and slope >= 0):
        return 0.0, 0.0
    kappa = _solve(x, mu, begin, end, alpha, guess) if total > 0 else _LEAST_KAPPA
    value, growth = 0.0, math.exp(kappa)
    for i in range(begin, end):
        odds = (1 + alpha * mu[i] * growth) / (1 + alpha * mu[i])
        value += x[i] * kappa - (x[i] + 1 / alpha) * math.log(odds)
    return value, kappa


@njit(cache=True, nogil=True)
def _solve(x, mu, begin, end, alpha, guess):  # type: ignore[no-untyped-def]
    """Newton on the score equation of kappa (Höhle and Paul 2008, section 3.1), steps of at most 2."""
    kappa = guess
    for _step in range(_STEPS):
        growth = math.exp(kappa)
        slope, bend = 0.0, 0.0
        for i in range(begin, end):
            mean = mu[i] * growth
            below = 1 + alpha * mean
            slope += (x[i] - mean) / below
            bend -= mean * (1 + alpha * x[i]) / (below * below)
        move = -slope / bend
        if move > 2.0:
            move = 2.0
        elif move < -2.0:
            move = -2.0
        kappa = max(kappa + move, _LEAST_KAPPA)
        if abs(move) < _SETTLED * (1 + abs(kappa)):
            break
    return kappa


@njit(cache=True, nogil=True)
def glr_now(x, mu, first, now, alpha, upward, lo, hi, shy, guesses):  # type: ignore[no-untyped-def]
    """The largest ratio over change points lo … hi, and the point and kappa it comes from.

    `shy`: a window without any case does not count (the peer's Poisson chart downward).
    """
    best, where, rate = 0.0, -1, 0.0
    for k in range(max(lo, first), hi + 1):
        if shy:
            total = 0.0
            for i in range(k, now + 1):
                total += x[i]
            if total == 0:
                continue
        value, kappa = ratio(x, mu, k, now + 1, alpha, upward, guesses[k])
        if kappa > _LEAST_KAPPA:
            guesses[k] = kappa
        if value > best:
            best, where, rate = value, k, kappa
    return best, where, rate


@njit(cache=True, nogil=True)
def glr_bound(x, mu, first, now, alpha, c, lo, hi, guesses, start):  # type: ignore[no-untyped-def]
    """The fewest cases now that would make the upward ratio reach c.

    The ratio of each change point rises with the count, so a point is looked into only when it would alarm
    with one case fewer than the best point so far.
    """
    kept = x[now]
    best = start
    for k in range(max(lo, first), hi + 1):
        x[now] = best - 1
        if best < 1 or ratio(x, mu, k, now + 1, alpha, True, guesses[k])[0] < c:
            continue
        under, over = -1.0, best - 1
        while over - under > 1:
            middle = math.floor((under + over) / 2)
            x[now] = middle
            if ratio(x, mu, k, now + 1, alpha, True, guesses[k])[0] >= c:
                over = middle
            else:
                under = middle
        best = over
    x[now] = kept
    return best


@njit(cache=True, nogil=True)
def generalized(  # type: ignore[no-untyped-def]
    x, mu, begin, alpha, upward, c, window, least, quirks, bounds, most, score, upper, kappa
):
    """Run the chart from `begin` until it alarms; fills score, upper and kappa. Position of the alarm, or
    -1."""
    guesses = np.zeros(x.size)
    for now in range(begin, x.size):
        lo, hi = begin, now - least + 1
        if window >= 0:
            lo = now - window
        if quirks:
            hi = now if window < 0 else now - least
            if now - begin + 1 < least:
                hi = begin - 1
        value, _where, rate = glr_now(
            x, mu, begin, now, alpha, upward, lo, hi, quirks and not upward, guesses
        )
        score[now], kappa[now] = value, rate
        if bounds and hi >= max(lo, begin):
            trial = x[now] if value >= c else _enough(x, mu, begin, now, alpha, c, lo, hi, most, guesses)
            if trial <= most:
                upper[now] = glr_bound(x, mu, begin, now, alpha, c, lo, hi, guesses.copy(), trial)
        if value >= c:
            return now
    return -1


@njit(cache=True, nogil=True)
def _enough(x, mu, first, now, alpha, c, lo, hi, most, guesses):  # type: ignore[no-untyped-def]
    """A count that alarms for certain at the newest change point, by doubling; above `most` when none
    does."""
    kept = x[now]
    trial = max(kept, 1.0)
    while trial <= most:
        trial = math.ceil(trial * 1.5) + 1
        x[now] = trial
        if ratio(x, mu, max(hi, lo, first), now + 1, alpha, True, guesses[hi])[0] >= c:
            break
    x[now] = kept
    return trial


@njit(cache=True, nogil=True)
def recursive(x, mu, begin, alpha, kappa, c, score, upper):  # type: ignore[no-untyped-def]
    """The likelihood ratio CUSUM for a known kappa; the same returns as `generalized`."""
    current, growth = 0.0, math.exp(kappa)
    for now in range(begin, x.size):
        if alpha == 0.0:
            gain, loss = kappa, (growth - 1) * mu[now]
        else:
            odds = math.log((1 + alpha * mu[now] * growth) / (1 + alpha * mu[now]))
            gain, loss = kappa - odds, odds / alpha
        if gain > 0:
            upper[now] = max((c - current + loss) / gain, 0.0)
        current = max(0.0, current + x[now] * gain - loss)
        score[now] = current
        if current >= c:
            return now
    return -1
