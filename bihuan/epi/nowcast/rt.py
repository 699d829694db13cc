"""Reproduction numbers up to now, with what the nowcast does not know carried along.

Each possible course of final counts gives its own gamma posterior (Cori et al. 2013); their mixture is the
answer, as for samples of the serial interval in Thompson et al. (2019). Nowcast before Rt: Gostic KM et al.
(2020) PLoS Comput Biol 16:e1008409.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.arguments import checked
from bihuan.epi.errors import InputError
from bihuan.epi.nowcast.results import Nowcast, NowcastReason
from bihuan.epi.reproduction.estimate import MOST_UNREPORTED, Prior, prior_of, probabilities_of, windows_of
from bihuan.epi.reproduction.infectivity import convolved
from bihuan.epi.reproduction.mixture import mixture_summary
from bihuan.epi.reproduction.results import (
    MIN_CASES,
    PROBABILITIES,
    Codes,
    RtEstimate,
    RtMethod,
    RtReason,
)
from bihuan.epi.reproduction.si import SerialInterval, UncertainSI, serial_interval
from bihuan.epi.reproduction.windows import Windows
from bihuan.epi.series import Floats, panel

METHOD = RtMethod(
    "cori_nowcast", "Cori, counts nowcast", "Cori 法（计数经即时预测校正）", "Cori 2013, Gostic 2020"
)


@checked
def estimate_r_nowcast(
    nowcast: Nowcast,
    *,
    si: ArrayLike | UncertainSI | SerialInterval | None = None,
    mean_si: float | None = None,
    sd_si: float | None = None,
    windows: Any = None,
    mean_prior: float = 5.0,
    sd_prior: float = 5.0,
    probabilities: Sequence[float] = PROBABILITIES,
    min_cases: float = MIN_CASES,
) -> RtEstimate:
    """As `estimate_r`, for all periods of the nowcast's triangle: older ones as reported, newer ones over the
    nowcast's draws. The nowcast must cover every period younger than its longest delay.

    The panel of the result holds the nowcast's point estimates; windows with a period that could not be
    nowcast (NO_DELAYS, NOTHING_YET), or soon after one, are not assessed (NOT_NOWCAST). `cases` are those
    reported by now; they decide what is too few.
    """
    counts, draws = _courses(nowcast)
    triangle = nowcast.triangle
    p = panel(counts, dates=triangle.dates, frequency=triangle.frequency, names=triangle.names)
    spans = windows_of(windows, p)
    interval = serial_interval(si, mean_si=mean_si, sd_si=sd_si, n_times=p.n_times)
    prior, asked = prior_of(mean_prior, sd_prior), probabilities_of(probabilities)
    shape = (p.n_series, spans.n)
    mean, sd, source = (np.empty(shape) for _ in range(3))
    reported = triangle.observed.copy()
    reported[:, 0] = 0.0
    cases = spans.sums(reported)
    quantiles = np.empty((*shape, asked.size))
    for i in range(p.n_series):
        one = _mixture(draws[:, i], interval, spans, prior, asked)
        mean[i], sd[i], quantiles[i], source[i] = one
    reason = _reasons(p.counts, interval, spans, cases, source, min_cases)
    blank = ~np.isin(reason, (RtReason.ASSESSED, RtReason.TOO_FEW_CASES))
    mean[blank], sd[blank], quantiles[blank] = np.nan, np.nan, np.nan
    return RtEstimate(p, METHOD, interval, spans, tuple(asked), mean, sd, quantiles, cases, reason)


def _courses(nowcast: Nowcast) -> tuple[Floats, Floats]:
    """Point estimates (series × time) and possible courses (draws × series × time)."""
    triangle = nowcast.triangle
    open_ = np.flatnonzero(triangle.age < triangle.max_delay)
    missing = np.setdiff1d(open_, nowcast.at)
    if missing.size:
        raise InputError(
            f"the nowcast leaves out {triangle.dates[missing[0]]}, not complete yet; nowcast all periods",
            f"即时预测缺少尚不完整的 {triangle.dates[missing[0]]}；请对所有时期进行预测",
            field="nowcast",
        )
    counts = triangle.observed.copy()
    draws = np.broadcast_to(counts, (nowcast.draws.shape[0], *counts.shape)).copy()
    counts[:, nowcast.at] = nowcast.estimate
    draws[:, :, nowcast.at] = nowcast.draws
    blank = np.isin(nowcast.reason, (NowcastReason.NO_DELAYS, NowcastReason.NOTHING_YET))
    counts[:, nowcast.at] = np.where(blank, np.nan, counts[:, nowcast.at])
    return counts, draws


def _mixture(
    draws: Floats, interval: SerialInterval, spans: Windows, prior: Prior, asked: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """One series: mean, SD, quantiles and mean infectivity of each window. Draw k goes with
    serial interval k, in turn.
    """
    local = draws.copy()
    local[:, 0] = 0.0
    cases = spans.sums(local)
    if interval.n == 1:
        force = spans.sums(convolved(draws, interval.weights[0]))
        late = np.broadcast_to(interval.means[0] < spans.end, force.shape)
    else:
        turn = np.arange(draws.shape[0]) % interval.n
        force = np.empty(cases.shape)
        for k in np.unique(turn):
            force[turn == k] = spans.sums(convolved(draws[turn == k], interval.weights[k]))
        late = interval.means[turn][:, None] < spans.end[None, :]
    shape = np.where(late, prior.shape + cases, np.nan)
    mean, sd, quantiles = mixture_summary(shape, 1.0 / (prior.rate + force), asked)
    return mean, sd, quantiles, force.mean(axis=0)


def _reasons(
    counts: Floats,
    interval: SerialInterval,
    spans: Windows,
    cases: Floats,
    source: Floats,
    min_cases: float,
) -> Codes:
    reason = np.full(cases.shape, RtReason.ASSESSED, dtype=np.uint8)
    reason[cases < min_cases] = RtReason.TOO_FEW_CASES
    reason[source <= 0] = RtReason.NO_SOURCE
    gap = np.isnan(counts).astype(np.float64)
    before = convolved(gap, interval.weights.mean(axis=0)) > MOST_UNREPORTED
    reason[spans.sums(gap + before) > 0] = RtReason.NOT_NOWCAST
    reason[:, spans.end <= interval.means.min()] = RtReason.TOO_EARLY
    return reason
