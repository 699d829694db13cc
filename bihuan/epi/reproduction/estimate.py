"""The reproduction number of each window from counts and a serial interval.

Cori A, Ferguson NM, Fraser C, Cauchemez S (2013) Am J Epidemiol 178:1505; imported cases and samples of the
serial interval: Thompson RN et al. (2019) Epidemics 29:100356.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.arguments import checked
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.reproduction.infectivity import convolved
from bihuan.epi.reproduction.mixture import gamma_quantiles, mixture_summary
from bihuan.epi.reproduction.results import (
    MIN_CASES,
    PROBABILITIES,
    WITH_VALUE,
    Codes,
    RtEstimate,
    RtMethod,
    RtReason,
)
from bihuan.epi.reproduction.si import SerialInterval, UncertainSI, serial_interval
from bihuan.epi.reproduction.windows import Windows, windows
from bihuan.epi.series import Floats, Panel, panel

#: Largest share of the serial interval that may fall on unreported periods before a window (chosen: above
#: it the infectivity could be short by more than a tenth).
MOST_UNREPORTED = 0.1

METHODS = {
    "parametric": RtMethod(
        "cori_parametric", "Cori, gamma serial interval", "Cori 法（伽马代际间隔）", "Cori 2013"
    ),
    "weights": RtMethod(
        "cori_weights", "Cori, given serial interval", "Cori 法（给定代际间隔）", "Cori 2013"
    ),
    "uncertain": RtMethod(
        "cori_uncertain", "Cori, uncertain serial interval", "Cori 法（不确定代际间隔）", "Cori 2013"
    ),
    "samples": RtMethod(
        "cori_samples", "Cori, samples of the serial interval", "Cori 法（代际间隔样本）", "Thompson 2019"
    ),
}


@dataclass(frozen=True, slots=True)
class Prior:
    """Gamma prior of R by mean and SD; the peer's default says little (5 ± 5)."""

    mean: float = 5.0
    sd: float = 5.0

    @property
    def shape(self) -> float:
        return (self.mean / self.sd) ** 2

    @property
    def rate(self) -> float:
        return self.mean / self.sd**2


@checked
def estimate_r(
    incidence: ArrayLike | Panel,
    *,
    si: ArrayLike | UncertainSI | SerialInterval | None = None,
    mean_si: float | None = None,
    sd_si: float | None = None,
    windows: Any = None,
    imported: ArrayLike | None = None,
    mean_prior: float = 5.0,
    sd_prior: float = 5.0,
    probabilities: Sequence[float] = PROBABILITIES,
    min_cases: float = MIN_CASES,
    compatible: bool = False,
    **panel_kw: Any,
) -> RtEstimate:
    """Instantaneous reproduction number of every window, for one series or many (N × T).

    `incidence` counts all cases; `imported` (same shape) those among them infected elsewhere: they infect,
    but nobody here infected them. Cases of the first period always count as imported.
    The serial interval is `mean_si` and `sd_si` (gamma shifted by one period), or `si`: weights from lag 0,
    several rows of weights (equally likely samples), or an `UncertainSI`.
    `windows` is (t_start, t_end) counting periods from 1; by default every seven periods from the second.

    Posterior of a window: gamma of shape a + Σ local cases and rate b + Σ Λ (Cori 2013, Web Appendix 1);
    over several serial intervals their mixture, exactly, where the peer draws samples.
    Windows with fewer than `min_cases` keep their value and are marked TOO_FEW_CASES. `compatible` fills
    windows without any possible source with the prior, as the peer does; else they are not assessed.
    `panel_kw` (`start`, `dates`, `frequency`, `names`) are those of `panel`.
    """
    p = panel(incidence, **panel_kw)
    spans = windows_of(windows, p)
    interval = serial_interval(si, mean_si=mean_si, sd_si=sd_si, n_times=p.n_times)
    local = _local(p.counts, imported)
    prior = prior_of(mean_prior, sd_prior)
    asked = probabilities_of(probabilities)
    reason = _reasons(p.counts, local, interval, spans, min_cases=min_cases, compatible=compatible)
    total = np.nan_to_num(p.counts, nan=0.0)
    cases = spans.sums(np.nan_to_num(local, nan=0.0))
    if interval.n == 1:
        mean, sd, quantiles = _one(cases, total, interval, spans, prior, asked)
    else:
        mean, sd, quantiles = _many(cases, total, interval, spans, prior, asked)
    blank = ~np.isin(reason, WITH_VALUE)
    mean[blank], sd[blank], quantiles[blank] = np.nan, np.nan, np.nan
    cases[reason == RtReason.NOT_REPORTED] = np.nan
    return RtEstimate(
        p, METHODS[interval.source], interval, spans, tuple(asked), mean, sd, quantiles, cases, reason
    )


def posterior(
    cases: Floats, total: Floats, weights: Floats, spans: Windows, prior: Prior
) -> tuple[Floats, Floats]:
    """Shape and scale of R: cases are series × windows, total series × time."""
    with np.errstate(over="ignore"):
        return prior.shape + cases, 1.0 / (prior.rate + spans.sums(convolved(total, weights)))


def _one(
    cases: Floats, total: Floats, interval: SerialInterval, spans: Windows, prior: Prior, asked: Floats
) -> tuple[Floats, Floats, Floats]:
    shape, scale = posterior(cases, total, interval.weights[0], spans, prior)
    return shape * scale, np.sqrt(shape) * scale, gamma_quantiles(shape, scale, asked)


def _many(
    cases: Floats, total: Floats, interval: SerialInterval, spans: Windows, prior: Prior, asked: Floats
) -> tuple[Floats, Floats, Floats]:
    """A serial interval takes part in the windows that end after its own mean."""
    late = interval.means[:, None] < spans.end[None, :]
    found = []
    for own_cases, own_total in zip(cases, total, strict=True):
        force = convolved_many(own_total, interval.weights)
        scale = 1.0 / (prior.rate + spans.sums(force))
        shape = np.where(late, prior.shape + own_cases[None, :], np.nan)
        found.append(mixture_summary(shape, scale, asked))
    return (
        np.stack([f[0] for f in found]),
        np.stack([f[1] for f in found]),
        np.stack([f[2] for f in found]),
    )


def convolved_many(counts: Floats, weights: Floats) -> Floats:
    """One series under many serial intervals: intervals × time."""
    n_times = counts.size
    lags = min(n_times, weights.shape[1])
    t = np.arange(n_times)[None, :] - np.arange(lags)[:, None]
    shifted = np.where(t >= 0, counts[np.maximum(t, 0)], 0.0)
    return np.asarray(weights[:, :lags] @ shifted)


def _reasons(
    counts: Floats,
    local: Floats,
    interval: SerialInterval,
    spans: Windows,
    *,
    min_cases: float,
    compatible: bool,
) -> Codes:
    gap = np.isnan(counts).astype(np.float64)
    total, weights = np.nan_to_num(counts, nan=0.0), interval.weights.mean(axis=0)
    cases = spans.sums(np.nan_to_num(local, nan=0.0))
    reason = np.full(cases.shape, RtReason.ASSESSED, dtype=np.uint8)
    reason[cases < min_cases] = RtReason.TOO_FEW_CASES
    if not compatible:
        reason[spans.sums(convolved(total, weights)) <= 0] = RtReason.NO_SOURCE
    if gap.any():
        before = convolved(gap, weights)
        reason[spans.sums((before > MOST_UNREPORTED).astype(np.float64)) > 0] = RtReason.GAP_BEFORE
        reason[spans.sums(gap) > 0] = RtReason.NOT_REPORTED
    reason[:, spans.end <= interval.means.min()] = RtReason.TOO_EARLY
    return reason


def _local(counts: Floats, imported: ArrayLike | None) -> Floats:
    local = counts.copy()
    if imported is not None:
        local -= imported_cases(counts, imported)
    local[:, 0] = np.where(np.isnan(counts[:, 0]), np.nan, 0.0)
    return local


def imported_cases(counts: Floats, imported: ArrayLike) -> Floats:
    """Imported cases in the shape of the counts; unknown ones count as none."""
    values = panel(imported).counts
    if values.shape != counts.shape:
        raise InputError(
            f"imported cases have shape {values.shape}, counts {counts.shape}; they must agree",
            f"输入病例的形状为 {values.shape}，计数为 {counts.shape}；两者必须一致",
            field="imported",
        )
    values = np.nan_to_num(values, nan=0.0)
    if (values > counts).any():
        i, t = (int(k) for k in np.argwhere(values > counts)[0])
        raise InputError(
            f"series {i + 1} at time {t + 1} has {values[i, t]:g} imported cases among {counts[i, t]:g}",
            f"第 {i + 1} 条序列第 {t + 1} 期共 {counts[i, t]:g} 例，其中输入病例却有 {values[i, t]:g} 例",
            field="imported",
        )
    return values


def check_length(p: Panel) -> None:
    if p.n_times < 2:
        raise NotEnoughData(
            "a reproduction number needs at least two periods; there is one",
            "估计再生数至少需要两期数据；现只有一期",
            field="counts",
        )


def windows_of(given: Any, p: Panel) -> Windows:
    """Windows as asked for, over this panel; NotEnoughData when it has one period only."""
    check_length(p)
    return given if isinstance(given, Windows) else windows(given, n_times=p.n_times)


def prior_of(mean: float, sd: float) -> Prior:
    if not (np.isfinite(mean) and np.isfinite(sd) and mean > 0 and sd > 0):
        raise InputError(
            "the prior mean and SD of R must be above 0", "R 的先验均值与标准差必须大于 0", field="mean_prior"
        )
    return Prior(mean, sd)


def probabilities_of(given: Sequence[float]) -> Floats:
    asked = np.asarray(given, dtype=np.float64)
    if asked.ndim != 1 or not asked.size or not ((asked > 0) & (asked < 1)).all():
        raise InputError(
            "probabilities must lie between 0 and 1", "概率必须在 0 与 1 之间", field="probabilities"
        )
    return asked
