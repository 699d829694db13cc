"""Overall infectivity: what the cases of earlier periods can infect with now."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.errors import InputError
from bihuan.epi.reproduction.si import serial_interval
from bihuan.epi.series import Floats, Panel, panel

#: Up to so many periods the lags are applied as one matrix product.
MATRIX_PERIODS = 1500


def infectivity(incidence: ArrayLike | Panel, si: ArrayLike) -> Floats:
    """Λ(t) = Σ over lags s of w(s) I(t - s) for one series (length T) or many (N × T); all cases, local and
    imported, infect (Cori et al. 2013, eq. 1).

    The first period is NaN (nothing came before it), and so is every period whose sum draws on one that was
    not reported.
    """
    counts = panel(incidence).counts
    weights = serial_interval(si, mean_si=None, sd_si=None, n_times=counts.shape[1]).weights
    if weights.shape[0] != 1:
        raise InputError("infectivity takes one serial interval", "感染力只接受一个代际间隔", field="si")
    gap = np.isnan(counts)
    values = convolved(np.where(gap, 0.0, counts), weights[0])
    if gap.any():
        values[convolved(gap.astype(np.float64), (weights[0] > 0).astype(np.float64)) > 0] = np.nan
    values[:, 0] = np.nan
    return values[0] if np.ndim(incidence if not isinstance(incidence, Panel) else counts) == 1 else values


def convolved(counts: Floats, weights: Floats) -> Floats:
    """Σ over lags of weights[lag] · counts[:, t - lag], for t in range; sums of what is not negative, so
    nothing cancels.
    """
    n_times = counts.shape[1]
    w = np.zeros(n_times)
    used = min(n_times, weights.size)
    w[:used] = weights[:used]
    if n_times <= MATRIX_PERIODS:
        lag = np.arange(n_times)[None, :] - np.arange(n_times)[:, None]
        return np.asarray(counts @ np.where(lag >= 0, w[np.maximum(lag, 0)], 0.0))
    out = np.zeros_like(counts)
    for lag_ in np.flatnonzero(w):
        out[:, lag_:] += w[lag_] * counts[:, : n_times - lag_]
    return out
