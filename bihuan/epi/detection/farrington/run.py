"""The steps of both methods in order, in portions that fit the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from bihuan.epi.detection.farrington.baseline import Baselines, Ints, baselines
from bihuan.epi.detection.farrington.glm import Batch, Fit, fit
from bihuan.epi.detection.farrington.settings import Settings
from bihuan.epi.detection.farrington.threshold import count_bound, count_p, delta_bound, delta_p
from bihuan.epi.detection.farrington.weights import outbreak_weights, pearson_dispersion, peer_dispersion
from bihuan.epi.detection.results import Codes, Reason
from bihuan.epi.series import Floats, Panel

#: Multiplications in one matrix product, and numbers in one working array, at most. Larger products the BLAS
#: spreads over threads, which costs more than it saves; this many numbers stay near the core (240 KB).
PRODUCT, PORTION = 900_000, 30_000
#: At least this share of a baseline, and of its windows, must have been reported.
MIN_REPORTED = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Series × assessed periods. `mu` is the expected count, `center` what the count distribution is put at,
    `slope` the trend per step where one was kept.
    """

    mu: Floats
    center: Floats
    upper: Floats
    p_value: Floats
    phi: Floats
    slope: Floats
    reason: Codes


def assess(panel: Panel, at: Ints, settings: Settings) -> Numbers:
    """Fit and judge every series at every position of `at`."""
    shape = (panel.n_series, at.size)
    names = [field.name for field in fields(Numbers)]
    numbers = {name: np.full(shape, np.nan) for name in names if name != "reason"}
    result = Numbers(**numbers, reason=np.full(shape, Reason.SHORT_HISTORY, dtype=np.uint8))
    by_time = _ByTime.of(panel, settings)
    for times, portion in _portions(panel, at, settings):
        for which in _series(panel.n_series, portion, settings):
            part = _assess(by_time, portion, which, settings)
            for name in names:
                getattr(result, name)[which, times] = getattr(part, name).T
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _ByTime:
    """Time × series: rows are gathered, so each is copied whole. `counts` is 0 where `reported` is False."""

    counts: Floats
    powers: Floats
    reported: NDArray[np.bool_]
    gaps: bool
    offset: Floats | None

    @classmethod
    def of(cls, panel: Panel, settings: Settings) -> _ByTime:
        counts = np.ascontiguousarray(panel.counts.T)
        reported = ~np.isnan(counts)
        counts = np.where(reported, counts, 0.0)
        offset = None
        if settings.population_offset and panel.population is not None:
            offset = np.ascontiguousarray(np.log(panel.population.T))
        return cls(counts, np.cbrt(counts) ** 2, reported, not reported.all(), offset)


def _portions(panel: Panel, at: Ints, settings: Settings) -> Iterator[tuple[slice, Baselines]]:
    """Assessed periods a few at a time, those without enough history left out of the first ones."""
    longest = settings.b * settings.periods_a_year + 2 * settings.w + settings.b
    if settings.no_periods == 1:
        longest = (settings.b + 1) * (2 * settings.w + 1)
    wide = min(panel.n_series, max(1, _portion(settings) // longest))
    step = max(1, _portion(settings) // (longest * wide))
    for start in range(0, at.size, step):
        times = slice(start, min(start + step, at.size))
        portion = baselines(panel, at[times], settings)
        if portion.known.any():
            yield times, portion


def _portion(settings: Settings) -> int:
    return min(PORTION, PRODUCT // (3 * settings.no_periods))


def _series(n: int, portion: Baselines, settings: Settings) -> Iterator[slice]:
    wide = max(1, _portion(settings) // max(portion.positions.size, 1))
    for start in range(0, n, wide):
        yield slice(start, min(start + wide, n))


def _assess(by_time: _ByTime, portion: Baselines, which: slice, settings: Settings) -> Numbers:
    """Arrays in here are assessed periods × series (and baseline periods between them)."""
    batch = _batch(by_time, portion, which, settings)
    powers = by_time.powers[portion.positions, which]
    offset_now = 0.0 if by_time.offset is None else by_time.offset[portion.at, which]
    chosen = _fit_chosen(batch, powers, offset_now, settings)
    with np.errstate(all="ignore"):
        return _judge(by_time, portion, which, batch=batch, chosen=chosen, settings=settings)


def _batch(by_time: _ByTime, portion: Baselines, which: slice, settings: Settings) -> Batch:
    y = by_time.counts[portion.positions, which]
    use = portion.member[:, :, None].astype(np.float64)
    if by_time.gaps:
        use = use * by_time.reported[portion.positions, which]
    levels = np.arange(int(portion.block.max(initial=0)) + 1)
    here = (portion.block[:, None, :] == levels[:, None]) & portion.member[:, None, :]
    indicator = here.astype(np.float64)
    time = portion.time[:, None, :]
    in_block = indicator @ use
    return Batch(
        y=y * use,
        use=use,
        offset=None if by_time.offset is None else by_time.offset[portion.positions, which],
        time=portion.time[:, :, None],
        indicator=indicator,
        moments=np.concatenate([indicator, indicator * time, indicator * time**2], axis=1),
        n_used=np.sum(use, axis=1),
        n_blocks=np.sum(in_block > 0, axis=1),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """Of the model that was kept for each period and series; `error` is of log mu."""

    mu: Floats
    error: Floats
    phi: Floats
    slope: Floats
    settled: NDArray[np.bool_]


def _fit_chosen(batch: Batch, powers: Floats, offset_now: Floats | float, settings: Settings) -> _Chosen:
    """With trend where it is kept, else without: the whole procedure again (Farrington et al. 1996)."""
    if not settings.asks_trend:
        return _fit_once(batch, powers, offset_now, settings, trend=False)[0]
    with_trend, p_trend = _fit_once(batch, powers, offset_now, settings, trend=True)
    most = np.max(np.where(batch.use > 0, batch.y, 0.0), axis=1)
    with np.errstate(invalid="ignore"):
        keep = with_trend.settled & (p_trend < settings.p_threshold_trend) & (with_trend.mu <= most)
    if keep.all():
        return with_trend
    without, _ = _fit_once(batch, powers, offset_now, settings, trend=False)
    names = (field.name for field in fields(_Chosen))
    return _Chosen(*(np.where(keep, getattr(with_trend, n), getattr(without, n)) for n in names))


def _fit_once(
    batch: Batch, powers: Floats, offset_now: Floats | float, settings: Settings, *, trend: bool
) -> tuple[_Chosen, Floats]:
    """Fit, weigh past outbreaks down, fit again; with the p-value of the trend (t test)."""
    found = fit(batch, batch.use, trend=trend)
    dispersion = scale = pearson_dispersion(found, batch.y)
    settled = found.settled
    if settings.reweight:
        phi = np.maximum(dispersion, 1.0)
        weights = outbreak_weights(batch, found, phi, powers=powers, threshold=settings.weights_threshold)
        found = fit(batch, weights, trend=trend)
        settled = settled & found.settled
        dispersion = scale = pearson_dispersion(found, batch.y)
        if settings.refit_dispersion == "peer":
            scale = peer_dispersion(found, batch.y)
    with np.errstate(all="ignore"):
        error = np.sqrt(np.maximum(scale, settings.least_dispersion) * found.variance_now())
        chosen = _Chosen(
            mu=np.exp(found.level[:, 0] + offset_now),
            error=error,
            phi=np.maximum(dispersion, 1.0),
            slope=found.slope if trend else np.full(settled.shape, np.nan),
            settled=(settled | _empty(batch, settings)) & np.isfinite(dispersion),
        )
        return chosen, _trend_p(found, scale)


def _empty(batch: Batch, settings: Settings) -> NDArray[np.bool_]:
    return settings.accepts_empty & (np.sum(batch.y, axis=1) == 0)


def _trend_p(found: Fit, scale: Floats) -> Floats:
    return 2 * stdtr(
        np.broadcast_to(found.df, scale.shape), -np.abs(found.slope) / np.sqrt(scale / found.scatter)
    )


def _judge(
    by_time: _ByTime, portion: Baselines, which: slice, *, batch: Batch, chosen: _Chosen, settings: Settings
) -> Numbers:
    """Upper bound, p-value and reason from the fit."""
    mu = np.where(chosen.settled, np.maximum(chosen.mu, settings.least_mean), np.nan)
    phi = chosen.phi
    error = chosen.error * mu
    y = np.where(by_time.reported[portion.at, which], by_time.counts[portion.at, which], np.nan)
    center = np.exp(np.log(mu) + settings.z * chosen.error) if settings.threshold_method == "muan" else mu
    if settings.threshold_method == "delta":
        upper = delta_bound(mu, phi, error, power=settings.power, z=settings.z)
        p_value = delta_p(y, mu, phi, error, power=settings.power)
    else:
        upper = count_bound(center, phi, alpha=settings.alpha / (1 + settings.two_sided))
        p_value = count_p(y, center, phi)
    reason = _reasons(by_time, portion, which, batch=batch, settings=settings)
    failed = ~(chosen.settled & np.isfinite(upper)) & (reason == Reason.ASSESSED)
    reason = np.where(failed, np.uint8(Reason.NO_CONVERGENCE), reason)
    return Numbers(mu, center, upper, p_value, phi, chosen.slope, reason)


def _reasons(
    by_time: _ByTime, portion: Baselines, which: slice, *, batch: Batch, settings: Settings
) -> Codes:
    shape = (portion.at.size, by_time.counts[:1, which].shape[1])
    reason = np.full(shape, Reason.ASSESSED, dtype=np.uint8)
    cases, periods = settings.limit54
    recent = sum(
        (by_time.counts[portion.at - k, which] * (portion.at >= k)[:, None] for k in range(periods)),
        start=np.zeros(shape),
    )
    reason[recent < cases] = Reason.TOO_FEW_CASES
    reason[np.broadcast_to(_thin(portion, batch), shape)] = Reason.GAP_IN_BASELINE
    reason[~portion.known] = Reason.SHORT_HISTORY
    return reason


def _thin(portion: Baselines, batch: Batch) -> NDArray[np.bool_]:
    """Whether too little of the baseline, or of its windows, was reported."""
    whole = portion.member.sum(axis=1)[:, None]
    window = batch.indicator[:, 0, :].sum(axis=1)[:, None]
    in_window = (batch.indicator[:, :1, :] @ batch.use)[:, 0]
    return (batch.n_used < MIN_REPORTED * whole) | (in_window < MIN_REPORTED * window) | (in_window == 0)
