"""The case reproduction number: how many a case of each window went on to infect.

Wallinga J, Teunis P (2004) Am J Epidemiol 160:509. Every case was infected by an earlier one, j by i with
probability w(t_j - t_i) over the sum of the same over all possible infectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.arguments import checked
from bihuan.epi.errors import InputError
from bihuan.epi.reproduction.estimate import (
    MOST_UNREPORTED,
    imported_cases,
    windows_of,
)
from bihuan.epi.reproduction.infectivity import convolved
from bihuan.epi.reproduction.results import Codes, RtEstimate, RtMethod, RtReason
from bihuan.epi.reproduction.si import SerialInterval, UncertainSI, serial_interval
from bihuan.epi.reproduction.windows import Windows
from bihuan.epi.series import Floats, Panel, panel

METHOD = RtMethod(
    "wallinga_teunis",
    "Wallinga-Teunis, case reproduction number",
    "Wallinga-Teunis 法（病例再生数）",
    "Wallinga 2004",
)
#: Below this share of secondary cases already seen, a window is marked INCOMPLETE (chosen: 5% short).
ENOUGH_SEEN = 0.95
#: The interval that simulated trees give.
BOUNDS = (0.025, 0.975)


@checked
def wallinga_teunis(
    incidence: ArrayLike | Panel,
    *,
    si: ArrayLike | SerialInterval | None = None,
    mean_si: float | None = None,
    sd_si: float | None = None,
    windows: Any = None,
    imported: ArrayLike | None = None,
    n_sim: int = 0,
    seed: int = 1,
    **panel_kw: Any,
) -> RtEstimate:
    """Mean number infected by the cases of each window, for one series or many (N × T).

    The mean is exact. With `n_sim` transmission trees drawn by `seed`, `sd` and the quantiles 0.025 and
    0.975 say how far chance alone spreads who infected whom; without, they are NaN.
    `imported` cases infect but were infected by nobody here. Windows whose secondary cases are less than 95%
    to be seen before the series ends keep their value and are marked INCOMPLETE (`seen` says the share).
    `panel_kw` (`start`, `dates`, `frequency`, `names`) are those of `panel`.
    """
    if isinstance(si, UncertainSI):
        raise InputError(
            "Wallinga-Teunis takes one serial interval", "Wallinga-Teunis 法只接受一个代际间隔", field="si"
        )
    p = panel(incidence, **panel_kw)
    spans = windows_of(windows, p)
    interval = serial_interval(si, mean_si=mean_si, sd_si=sd_si, n_times=p.n_times)
    if interval.n != 1:
        raise InputError(
            "Wallinga-Teunis takes one serial interval", "Wallinga-Teunis 法只接受一个代际间隔", field="si"
        )
    total = np.nan_to_num(p.counts, nan=0.0)
    infected = total if imported is None else total - imported_cases(p.counts, imported)
    weights = interval.weights[0]
    cases = spans.sums(total)
    mean = _per_case(spans.sums(_offspring(total, infected, weights)), cases)
    sd, quantiles = _simulated(total, infected, weights, spans, n_sim=n_sim, seed=seed)
    seen = _seen(total, weights, spans)
    reason = _reasons(p.counts, weights, spans, cases, seen)
    blank = np.isin(reason, (RtReason.NO_CASES, RtReason.NOT_REPORTED, RtReason.GAP_BEFORE))
    mean[blank], sd[blank], quantiles[blank] = np.nan, np.nan, np.nan
    return RtEstimate(p, METHOD, interval, spans, BOUNDS, mean, sd, quantiles, cases, reason, seen)


def _offspring(total: Floats, infected: Floats, weights: Floats) -> Floats:
    """Expected number infected by all cases of each period together."""
    force = convolved(total, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(force > 0, infected / force, 0.0)
    return np.asarray(total * convolved(share[:, ::-1], weights)[:, ::-1])


def _per_case(offspring: Floats, cases: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(cases > 0, offspring / cases, np.nan))


def _simulated(
    total: Floats, infected: Floats, weights: Floats, spans: Windows, *, n_sim: int, seed: int
) -> tuple[Floats, Floats]:
    cases = spans.sums(total)
    if n_sim < 2:
        return np.full(cases.shape, np.nan), np.full((*cases.shape, len(BOUNDS)), np.nan)
    rng = np.random.default_rng(seed)
    sd, quantiles = np.empty(cases.shape), np.empty((*cases.shape, len(BOUNDS)))
    for i in range(total.shape[0]):
        r = _per_case(spans.sums(_trees(total[i], infected[i], weights, n_sim, rng)), cases[i])
        sd[i] = r.std(axis=0, ddof=1)
        quantiles[i] = np.quantile(r, BOUNDS, axis=0).T
    return sd, quantiles


def _trees(total: Floats, infected: Floats, weights: Floats, n_sim: int, rng: np.random.Generator) -> Floats:
    """Number infected by the cases of each period in each tree (n_sim × T): the cases of a period choose
    among earlier periods independently, hence multinomially.
    """
    whole = np.round(infected)
    out = np.zeros((n_sim, total.size))
    for t in map(int, np.flatnonzero(whole > 0)):
        lags = np.arange(1, min(t, weights.size - 1) + 1)
        force = weights[lags] * total[t - lags]
        if force.sum() > 0:
            out[:, t - lags] += rng.multinomial(int(whole[t]), force / force.sum(), size=n_sim)
    return out


def _seen(total: Floats, weights: Floats, spans: Windows) -> Floats:
    """Share of the secondary cases of a window that fall within the series, if all are as many."""
    left = total.shape[1] - 1 - np.arange(total.shape[1])
    within = np.minimum(np.cumsum(weights), 1.0)[np.minimum(left, weights.size - 1)]
    return _per_case(spans.sums(total * within), spans.sums(total))


def _reasons(counts: Floats, weights: Floats, spans: Windows, cases: Floats, seen: Floats) -> Codes:
    gap = np.isnan(counts).astype(np.float64)
    reason = np.full(cases.shape, RtReason.ASSESSED, dtype=np.uint8)
    reason[np.nan_to_num(seen, nan=1.0) < ENOUGH_SEEN] = RtReason.INCOMPLETE
    reason[cases <= 0] = RtReason.NO_CASES
    if gap.any():
        around = convolved(gap, weights) + convolved(gap[:, ::-1], weights)[:, ::-1]
        reason[spans.sums((around > MOST_UNREPORTED).astype(np.float64)) > 0] = RtReason.GAP_BEFORE
        reason[spans.sums(gap) > 0] = RtReason.NOT_REPORTED
    return reason
