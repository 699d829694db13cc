"""Log-linear regression of counts, Poisson or negative binomial, of many series on one design at once.

Fitted by iteratively reweighted least squares (McCullagh and Nelder 1989, section 2.5); the dispersion
alpha of the negative binomial (variance mu + alpha mu^2) by maximum likelihood (Lawless 1987), in turns with
the mean. A period without a count has weight zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

from bihuan.epi.series import Floats

_ROUNDS = 100
_SETTLED = 1e-11
#: The least alpha that is estimated: counts vary no more than Poisson counts do.
LEAST_ALPHA = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class LogLinear:
    """Coefficients (series × terms), alpha of each series (0: Poisson), and which fits settled."""

    coefficients: Floats
    alpha: Floats
    settled: NDArray[np.bool_]

    def predict(self, design: Floats) -> Floats:
        """Expected counts, series × rows of `design`."""
        return np.asarray(np.exp(np.clip(self.coefficients @ design.T, -30.0, 30.0)))


def standard_errors(fit: LogLinear, counts: Floats, design: Floats, asked: Floats) -> Floats:
    """Standard error of the linear predictor at the rows of `asked`, series × rows, by the information of the
    `counts` on `design` the model was fitted to.
    """
    mean = fit.predict(design)
    weight = np.where(np.isfinite(counts), mean / (1 + fit.alpha[:, None] * mean), 0.0)
    gram = np.einsum("st,ti,tj->sij", weight, design, design, optimize=True)
    covariance = np.linalg.pinv(gram, hermitian=True)
    variance = np.einsum("ti,sij,tj->st", asked, covariance, asked, optimize=True)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def seasonal_design(
    times: Floats, *, period: float, harmonics: int = 1, trend: bool = False, origin: float = 0.0
) -> Floats:
    """Columns 1, (time,) cos and sin of each harmonic. Time is scaled to keep columns alike."""
    columns = [np.ones_like(times)]
    if trend:
        columns.append((times - origin) / (10.0 * period))
    for s in range(1, harmonics + 1):
        angle = 2 * np.pi * s * times / period
        columns += [np.cos(angle), np.sin(angle)]
    return np.column_stack(columns)


def fit_loglinear(
    counts: Floats, design: Floats, *, alpha: float | Floats | None = 0.0, as_r: bool = False
) -> LogLinear:
    """Fit every row of `counts` (series × time; NaN left out); alpha None estimates it.

    `as_r` begins and ends the iterations as R's glm is documented to (changes of the deviance below 1e-8),
    which for a given alpha leaves coefficients about 1e-6 from the maximum.
    """
    n = counts.shape[0]
    known = np.isfinite(counts)
    values = np.where(known, counts, 0.0)
    if alpha is not None:
        given = np.broadcast_to(np.asarray(alpha, dtype=np.float64), (n,)).copy()
        if as_r:
            return _as_r(values, known, design, given)
        start = _start(values, known, design)
        coefficients, settled = _irls(values, known, design, given, start)
        return LogLinear(coefficients, given, settled)
    return _fit_alpha(values, known, design)


def _fit_alpha(values: Floats, known: NDArray[np.bool_], design: Floats) -> LogLinear:
    dispersion = np.zeros(values.shape[0])
    coefficients, settled = _irls(values, known, design, dispersion, _start(values, known, design))
    for _round in range(_ROUNDS):
        mean = np.exp(np.clip(coefficients @ design.T, -30.0, 30.0))
        again = _alpha(values, known, mean, dispersion)
        moved = np.abs(again - dispersion) > 1e-9 * np.maximum(again, LEAST_ALPHA)
        dispersion = again
        coefficients, settled = _irls(values, known, design, dispersion, coefficients)
        if not moved.any():
            break
    return LogLinear(coefficients, dispersion, settled)


def _as_r(values: Floats, known: NDArray[np.bool_], design: Floats, alpha: Floats) -> LogLinear:
    """One series after the other, by the starting values and stopping rule of R's glm (help pages of glm)."""
    found, settled = np.zeros((values.shape[0], design.shape[1])), np.zeros(values.shape[0], dtype=bool)
    for i, a in enumerate(alpha):
        x, here = values[i, known[i]], design[known[i]]
        mean = x + (0.1 if a == 0 else np.where(x == 0, 1 / 6, 0.0))
        before = _deviance(x, mean, float(a))
        for _round in range(25):
            weight = mean / (1 + a * mean)
            eta = np.log(mean)
            gram = here.T @ (weight[:, None] * here)
            found[i] = np.linalg.lstsq(gram, here.T @ (weight * (eta + (x - mean) / mean)), rcond=None)[0]
            mean = np.exp(np.clip(here @ found[i], -30.0, 30.0))
            now = _deviance(x, mean, float(a))
            settled[i] = abs(now - before) / (abs(now) + 0.1) < 1e-8
            before = now
            if settled[i]:
                break
    return LogLinear(found, alpha, settled)


def _deviance(x: Floats, mean: Floats, alpha: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = np.where(x > 0, x * np.log(x / mean), 0.0)
    if alpha == 0:
        return float(2 * (rise - (x - mean)).sum())
    return float(2 * (rise - (x + 1 / alpha) * np.log((1 + alpha * x) / (1 + alpha * mean))).sum())


def _start(values: Floats, known: NDArray[np.bool_], design: Floats) -> Floats:
    """The logarithm of the mean, half a case added, as intercept (the first column)."""
    total, n = values.sum(axis=1), np.maximum(known.sum(axis=1), 1)
    start = np.zeros((values.shape[0], design.shape[1]))
    start[:, 0] = np.log((total + 0.5) / n)
    return start


def _irls(
    values: Floats, known: NDArray[np.bool_], design: Floats, alpha: Floats, start: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    p = design.shape[1]
    squares = (design[:, :, None] * design[:, None, :]).reshape(-1, p * p)
    coefficients, settled = start.copy(), np.zeros(values.shape[0], dtype=bool)
    ridge = 1e-12 * np.eye(p)
    for _round in range(_ROUNDS):
        at = np.flatnonzero(~settled)
        if at.size == 0:
            break
        eta = np.clip(coefficients[at] @ design.T, -30.0, 30.0)
        mean = np.exp(eta)
        weight = np.where(known[at], mean / (1 + alpha[at, None] * mean), 0.0)
        working = weight * (eta + (values[at] - mean) / mean)
        gram = (weight @ squares).reshape(-1, p, p)
        scale = np.maximum(np.einsum("ijj->ij", gram).max(axis=1), 1e-300)
        step = np.linalg.solve(gram + scale[:, None, None] * ridge, (working @ design)[..., None])[..., 0]
        change = np.abs(step - coefficients[at]).max(axis=1)
        coefficients[at] = step
        # A series without cases drifts to minus infinity, slower and slower: its mean is zero all the same.
        settled[at] = (change < _SETTLED * (1 + np.abs(step).max(axis=1))) | (mean.max(axis=1) < 1e-9)
    return coefficients, settled


def _alpha(values: Floats, known: NDArray[np.bool_], mean: Floats, start: Floats) -> Floats:
    """Maximum likelihood of alpha given the mean, by Newton steps on log theta, theta = 1 / alpha."""
    n = np.maximum(known.sum(axis=1), 1)
    spread = (np.where(known, (values - mean) ** 2 - mean, 0.0) / mean**2).sum(axis=1) / n
    begin = np.where(start > LEAST_ALPHA, start, np.clip(spread, 1e-3, 10.0))
    log_theta = -np.log(begin)
    for _round in range(_ROUNDS):
        theta = np.exp(log_theta)[:, None]
        slope, bend = _theta_slopes(values, known, mean, theta)
        curvature = theta[:, 0] * slope + theta[:, 0] ** 2 * bend
        newton = -theta[:, 0] * slope / np.where(curvature < 0, curvature, -np.abs(curvature) - 1e-12)
        step = np.clip(newton, -1.0, 1.0)
        log_theta = np.clip(log_theta + step, -12.0, -np.log(LEAST_ALPHA))
        if np.abs(step).max() < 1e-11 or (log_theta >= -np.log(LEAST_ALPHA)).all():
            break
    return np.asarray(np.exp(-log_theta))


def _theta_slopes(
    values: Floats, known: NDArray[np.bool_], mean: Floats, theta: Floats
) -> tuple[Floats, Floats]:
    """First and second derivative of the log likelihood by theta (Lawless 1987, eq. 2.4)."""
    ratio = (values + theta) / (mean + theta)
    first = digamma(theta + values) - digamma(theta) + np.log(theta / (mean + theta)) + 1 - ratio
    second = (
        polygamma(1, theta + values)
        - polygamma(1, theta)
        + 1 / theta
        - 2 / (mean + theta)
        + (values + theta) / (mean + theta) ** 2
    )
    return np.where(known, first, 0.0).sum(axis=1), np.where(known, second, 0.0).sum(axis=1)
