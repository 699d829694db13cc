"""Counts as they will stand when all reports are in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.arguments import checked
from bihuan.epi.errors import InputError
from bihuan.epi.nowcast import predict
from bihuan.epi.nowcast.bayes import CountPrior, Settings, bayes
from bihuan.epi.nowcast.hazards import Hazards, WindowShape, kept_cells, reverse_hazards
from bihuan.epi.nowcast.results import Codes, Nowcast, NowcastMethod, NowcastReason
from bihuan.epi.nowcast.triangle import MAX_DELAY, ReportingTriangle, reporting_triangle
from bihuan.epi.series import Floats

Method = Literal["bayes_trunc", "bayes_notrunc", "lawless", "chain_ladder"]

METHODS: dict[str, NowcastMethod] = {
    "bayes_trunc": NowcastMethod(
        "bayes_trunc", "Bayes, delays truncated at now", "贝叶斯法（考虑截断）", "Höhle 2014"
    ),
    "bayes_notrunc": NowcastMethod(
        "bayes_notrunc", "Bayes, truncation ignored", "贝叶斯法（不考虑截断）", "Höhle 2014"
    ),
    "lawless": NowcastMethod(
        "lawless", "Lawless, reverse-time hazards", "Lawless 反向风险法", "Lawless 1994"
    ),
    "chain_ladder": NowcastMethod(
        "chain_ladder", "chain ladder, over-dispersed", "链梯法（过度离散）", "Renshaw 1998"
    ),
}


#: Completeness from which a period without reports tells something (chosen: more seen than to come).
TELLING = 0.5


@checked
def nowcast(
    reports: ReportingTriangle | tuple[Iterable[Any], Iterable[Any]],
    *,
    now: Any = None,
    method: Method = "bayes_trunc",
    when: Any = None,
    max_delay: int = MAX_DELAY,
    start: Any = None,
    window: int | None = None,
    window_shape: WindowShape = "reports",
    level: float = 0.95,
    prior: CountPrior | None = None,
    kappa: float = 0.1,
    n_max: int | None = None,
    n_samples: int = 2000,
    n_draws: int = 500,
    seed: int = 1,
    compatible: bool = False,
) -> Nowcast:
    """Final counts of the periods `when` (dates; default all younger than the longest delay), one series or
    many.

    `reports` is (event dates, report dates) of a line list as known on `now`, or a ReportingTriangle.
    Delays are learned from the last `window` + 1 periods (default all), cut as `window_shape` says.
    `bayes_notrunc` ignores that late reports are still missing: it is there to compare; it says too little
    while counts rise. `kappa` and `prior` are the priors of delays and counts (Höhle 2014); `n_max` cuts
    the counts considered; `n_samples` draws of the delays by `seed`; `n_draws` final counts are kept for
    what is computed from them. `compatible` concerns "lawless" only (see `predict.lawless`).
    """
    if method not in get_args(Method):
        raise InputError(
            f"method {method!r} is not one of {', '.join(METHODS)}",
            f"方法 {method!r} 不在 {'、'.join(METHODS)} 之中",
            field="method",
        )
    if not 0 < level < 1:
        raise InputError("level must lie between 0 and 1", "置信水平必须在 0 与 1 之间", field="level")
    triangle = _triangle(reports, now=now, max_delay=max_delay, start=start)
    at = _positions(triangle, when)
    hazards = reverse_hazards(triangle, window=window, shape=window_shape)
    observed = triangle.observed[:, at]
    delays = np.minimum(triangle.age[at], triangle.max_delay)
    rng = np.random.default_rng(seed)
    if method == "lawless":
        found = predict.lawless(
            observed, delays, hazards, level=level, compatible=compatible, n_draws=n_draws, rng=rng
        )
    elif method == "chain_ladder":
        kept = kept_cells(triangle, window=window, shape=window_shape)
        found = predict.chain_ladder(
            observed, delays, hazards, triangle, kept, level=level, n_draws=n_draws, rng=rng
        )
    else:
        found = bayes(
            observed,
            delays,
            hazards,
            Settings(
                truncated=method == "bayes_trunc",
                prior=prior or CountPrior(),
                kappa=kappa,
                level=level,
                n_max=n_max,
                n_samples=n_samples,
                n_draws=n_draws,
                seed=seed,
            ),
        )
    prior_free = method in ("lawless", "chain_ladder")
    return _told(triangle, method, level, at, observed, delays, hazards, found, prior_free and not compatible)


def _told(
    triangle: ReportingTriangle,
    method: str,
    level: float,
    at: NDArray[np.intp],
    observed: Floats,
    delays: NDArray[np.intp],
    hazards: Hazards,
    found: predict.Prediction,
    guarded: bool,
) -> Nowcast:
    """With reasons; methods without a prior are guarded where nothing is reported yet."""
    estimate, mean, low, high = (x.copy() for x in (found.estimate, found.mean, found.low, found.high))
    reason = np.full(observed.shape, NowcastReason.ASSESSED, dtype=np.uint8)
    reason[:, delays >= triangle.max_delay] = NowcastReason.COMPLETE
    if guarded:
        _guard(reason, observed, found.completeness, low, high, level)
    if method in ("lawless", "chain_ladder"):
        reason[~_learned(hazards, delays)] = NowcastReason.NO_DELAYS
    reason[hazards.exactly.sum(axis=1) <= 0] = NowcastReason.NO_DELAYS  # a prior alone is no nowcast
    blank = reason == NowcastReason.NO_DELAYS
    for x in (estimate, mean, low, high):
        x[blank] = np.nan
    return Nowcast(
        triangle,
        METHODS[method],
        level,
        at,
        estimate,
        mean,
        low,
        high,
        found.completeness,
        reason,
        found.draws,
        found.extra,
    )


def _guard(
    reason: Codes, observed: Floats, completeness: Floats, low: Floats, high: Floats, level: float
) -> None:
    """Nothing reported: what is to come is at most the exact upper bound of a Poisson mean of count zero
    (Garwood F (1936) Biometrika 28:437), scaled from what should be reported to what should not be yet.
    """
    none = (observed == 0) & (reason == NowcastReason.ASSESSED) & (completeness > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = np.ceil(-np.log((1 - level) / 2) * (1 - completeness) / completeness)
    reason[none & (completeness < TELLING)] = NowcastReason.NOTHING_YET
    low[none], high[none] = 0.0, bound[none]


def _learned(hazards: Hazards, delays: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether every delay above the age of a period has been seen to have, or have not, reports, and some
    share is expected by now.
    """
    unseen = hazards.within <= 0
    unseen[:, 0] = False
    above = np.zeros_like(unseen)
    above[:, :-1] = np.logical_or.accumulate(unseen[:, :0:-1], axis=1)[:, ::-1]
    cdf = np.nan_to_num(hazards.cdf, nan=0.0)
    return np.asarray(~above[:, delays] & (cdf[:, delays] > 0))


def _triangle(
    reports: ReportingTriangle | tuple[Iterable[Any], Iterable[Any]], *, now: Any, max_delay: int, start: Any
) -> ReportingTriangle:
    if isinstance(reports, ReportingTriangle):
        return reports
    if now is None:
        raise InputError(
            "now is needed: the day as of which the reports are known", "需要 now：数据截止日期", field="now"
        )
    try:
        events, reported = reports
    except (TypeError, ValueError):
        raise InputError(
            "reports are a pair, event dates and report dates, or a reporting triangle",
            "reports 应为（事件日期，报告日期）一对，或报告三角",
            field="reports",
        ) from None
    return reporting_triangle(events, reported, now=now, max_delay=max_delay, start=start)


def _positions(triangle: ReportingTriangle, when: Any) -> NDArray[np.intp]:
    if when is None:
        return np.flatnonzero(triangle.age < triangle.max_delay)
    try:
        days = np.atleast_1d(np.asarray(when, dtype="datetime64[D]"))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"a date of when cannot be read ({error})", f"when 中有日期无法识别（{error}）", field="when"
        ) from None
    at = np.searchsorted(triangle.dates, days, side="right") - 1
    step = np.timedelta64(7 if triangle.frequency == "weekly" else 1, "D")
    wrong = (at < 0) | (days >= triangle.dates[-1] + step)
    if wrong.any():
        raise InputError(
            f"{days[wrong][0]} is not between {triangle.dates[0]} and {triangle.dates[-1]}",
            f"{days[wrong][0]} 不在 {triangle.dates[0]} 与 {triangle.dates[-1]} 之间",
            field="when",
        )
    return at
