"""Negative-binomial regression of counts on time, many series at once.

Alternates weighted least squares for intercept and slope (McCullagh P, Nelder JA (1989) Generalized Linear
Models, 2.5) with Newton steps for the dispersion k by maximum likelihood (Lawless JF (1987) Can J Stat
15:209), variance μ + μ²/k.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bihuan.epi.series import Floats

#: Dispersions above this are Poisson for every purpose.
POISSON = 1e7
#: Steps until slope and log k move less than this.
PRECISION = 1e-10
MOST_STEPS = 200


def fit_line(counts: Floats) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.bool_]]:
    """A row a series: slope a period, its standard error, log mean at the middle period, k (inf: Poisson)
    and whether it settled. NaN counts are left out.
    """
    known = ~np.isnan(counts)
    y, use = np.where(known, counts, 0.0), known.astype(np.float64)
    t = np.arange(counts.shape[1], dtype=np.float64)
    t = t - t.mean()
    n = use.sum(axis=1)
    k = np.full(y.shape[0], np.inf)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        level = np.log(np.maximum(y.sum(axis=1) / n, 1e-8))
        beta = np.stack([level, np.zeros_like(level)])
        beta, se, settled = _slope(y, use, t, beta, k)
        k = _first_k(y, use, _mean(beta, t), n)
        for _step in range(MOST_STEPS):
            before, k_before = beta[1].copy(), k
            k = _dispersion(y, use, _mean(beta, t), k)
            beta, se, settled = _slope(y, use, t, beta, k)
            moved = np.abs(np.log(k / k_before)) * np.isfinite(k)
            if (np.nan_to_num(np.maximum(np.abs(beta[1] - before), moved)) < PRECISION).all():
                break
    return beta[1], se, beta[0], k, settled & np.isfinite(beta).all(axis=0) & np.isfinite(se)


def _mean(beta: Floats, t: Floats) -> Floats:
    return np.exp(np.clip(beta[0][:, None] + beta[1][:, None] * t, -700, 700))


def _slope(
    y: Floats, use: Floats, t: Floats, beta: Floats, k: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Iteratively weighted least squares of intercept and slope with k held."""
    settled = np.zeros(y.shape[0], dtype=bool)
    for _step in range(MOST_STEPS):
        mu = _mean(beta, t)
        w = use * mu / (1 + mu / k[:, None])
        z = np.log(mu) + (y - mu) / mu
        sw, st, stt = w.sum(axis=1), (w * t).sum(axis=1), (w * t * t).sum(axis=1)
        sz, stz = (w * z).sum(axis=1), (w * t * z).sum(axis=1)
        det = sw * stt - st**2
        new = np.stack([(stt * sz - st * stz) / det, (sw * stz - st * sz) / det])
        settled = np.abs(new - beta).max(axis=0) < PRECISION
        beta = new
        if (settled | ~np.isfinite(new).all(axis=0)).all():
            break
    return beta, np.sqrt(sw / det), settled


def _first_k(y: Floats, use: Floats, mu: Floats, n: Floats) -> Floats:
    """By moments, from Poisson residuals."""
    excess = (use * ((y / mu - 1) ** 2 - 1 / mu)).sum(axis=1) / np.maximum(n - 2, 1)
    return np.where(excess > 1 / POISSON, 1 / np.maximum(excess, 1 / POISSON), POISSON)


def _dispersion(y: Floats, use: Floats, mu: Floats, k: Floats) -> Floats:
    """Maximum-likelihood log k by Newton, bounded in its step; inf where the likelihood still rises at the
    Poisson end.
    """
    log_k = np.log(np.minimum(k, POISSON))
    for _step in range(MOST_STEPS):
        r = np.exp(log_k)[:, None]
        score = special.digamma(y + r) - special.digamma(r) + np.log(r / (r + mu)) + (mu - y) / (r + mu)
        bend = (
            special.polygamma(1, y + r)
            - special.polygamma(1, r)
            + 1 / r
            - 1 / (r + mu)
            - (mu - y) / (r + mu) ** 2
        )
        d1 = (use * score).sum(axis=1) * r[:, 0]
        d2 = (use * bend).sum(axis=1) * r[:, 0] ** 2 + d1
        step = np.where(d2 < 0, -d1 / d2, np.sign(d1))
        step = np.nan_to_num(np.clip(step, -2, 2))
        log_k = np.minimum(log_k + step, np.log(POISSON))
        if (np.abs(step) < PRECISION).all() or (
            (log_k >= np.log(POISSON)) | (np.abs(step) < PRECISION)
        ).all():
            break
    return np.where(log_k >= np.log(POISSON) - 1e-6, np.inf, np.exp(log_k))
