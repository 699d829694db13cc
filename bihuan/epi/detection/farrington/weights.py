"""Dispersion, Anscombe residuals, and the weights that take past outbreaks down.

Two dispersions meet here. Both papers scale standard errors by phi, the weighted Pearson statistic over its
degrees of freedom. The peer R package surveillance 1.20.3 does so for its threshold, but in its improved
method, after reweighting, standard error and trend test come from a sum with w_i ((y_i - mu_i) / mu_i)^2
where w_i mu_i ((y_i - mu_i) / mu_i)^2 belongs. What that changes is measured in docs/reference/farrington.md.
"""

from __future__ import annotations

import numpy as np

from bihuan.epi.detection.farrington.glm import Batch, Fit
from bihuan.epi.series import Floats

#: A count that is alone in its block is met exactly (leverage 1) and has no residual to speak of.
_DETERMINED = 1e-10


def pearson_dispersion(fit: Fit, y: Floats) -> Floats:
    """Weighted Pearson statistic over its degrees of freedom (Farrington et al. 1996)."""
    return _dispersion(fit, y, fit.information)


def peer_dispersion(fit: Fit, y: Floats) -> Floats:
    """What the peer uses after reweighting: the case weights alone in place of the working weights."""
    return _dispersion(fit, y, fit.weights)


def outbreak_weights(batch: Batch, fit: Fit, phi: Floats, *, powers: Floats, threshold: float) -> Floats:
    """gamma s^-2 where the residual s is above `threshold`, else gamma; gamma makes them sum to n.

    s = 3 (y^(2/3) - mu^(2/3)) / (2 mu^(1/6) sqrt(phi (1 - h))), the standardized Anscombe residual
    (Farrington et al. 1996; Noufaily et al. 2013 with threshold 2.58). `powers` is y^(2/3).
    """
    with np.errstate(all="ignore"):
        sixth = np.exp(np.log(fit.mu) / 6)
        residual = 1.5 * (powers - sixth**4) / sixth
        free = 1 - _leverage(batch, fit)
        residual /= np.sqrt(phi[:, None] * free)
        above = (residual > threshold) & (free > _DETERMINED)
        weights = np.where(above, residual**-2, 1.0) * batch.use
        return np.asarray(weights * (batch.n_used / np.sum(weights, axis=1))[:, None])


def _leverage(batch: Batch, fit: Fit) -> Floats:
    inverse = np.where(fit.mass > 0, 1 / np.where(fit.mass > 0, fit.mass, 1), 0)
    distance = batch.time - batch.spread(fit.center)
    distance *= distance
    distance /= fit.scatter[:, None]
    distance += batch.spread(inverse)
    distance *= fit.information
    return distance


def _dispersion(fit: Fit, y: Floats, weights: Floats) -> Floats:
    with np.errstate(all="ignore"):
        relative = y / fit.mu
        relative -= 1
        relative *= relative
        relative *= weights
        return np.sum(relative, axis=1) / np.where(fit.df > 0, fit.df, np.nan)
