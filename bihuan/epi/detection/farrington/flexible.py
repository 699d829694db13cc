"""farringtonFlexible: the improved algorithm of Noufaily et al. (2013), for every series at once."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import At, assemble, check_one_of, positions
from bihuan.epi.detection.farrington.run import Numbers, assess
from bihuan.epi.detection.farrington.settings import Mode, PowerTransform, Settings, ThresholdMethod
from bihuan.epi.detection.results import Detection, Method, Reason
from bihuan.epi.errors import InputError
from bihuan.epi.series import PERIODS_A_YEAR, Floats, Panel, panel


@checked
def farrington_flexible(
    counts: ArrayLike | Panel,
    *,
    mode: Mode = "corrected",
    b: int = 5,
    w: int = 3,
    no_periods: int = 10,
    past_not_included: int | None = None,
    threshold_method: ThresholdMethod = "nbPlugin",
    reweight: bool = True,
    weights_threshold: float = 2.58,
    alpha: float = 0.01,
    trend: bool = True,
    p_threshold_trend: float = 1.0,
    limit54: tuple[float, int] = (5, 4),
    power_transform: PowerTransform = "2/3",
    population_offset: bool = False,
    by_date: bool = True,
    periods_a_year: int | None = None,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """Count against a quasi-Poisson regression on `b` years, as Noufaily et al. (2013) improved it.

    Defaults are theirs: windows of 2 `w` + 1 periods and `no_periods` season blocks, the last half year left
    out (`past_not_included`, 26 weeks), lower weights only for residuals above 2.58, the trend always kept
    (threshold of its p-value 1) unless it predicts more than was ever seen, a negative binomial quantile as
    bound. No alarm with fewer than `limit54[0]` cases in the last `limit54[1]` periods, this one among them
    (Farrington et al. 1996, section 3.8): the reason is then TOO_FEW_CASES.

    `mode` "compatible" gives the numbers of R surveillance 1.20.3, whose standard error and trend test are
    off after reweighting and which gives up where a long baseline has no case at all; "corrected" mends both
    (docs/reference/farrington.md). `by_date` looks for the same date in earlier years, otherwise
    `periods_a_year` positions back (default 365, 52, 12).

    `score` is (count - expected) / (upper - expected), the exceedance score. `extra` has `phi`, `trend` (per
    period, NaN where not kept) and `center` (what nbPlugin and muan put their distribution at).
    """
    check_one_of("mode", mode, get_args(Mode))
    data = panel(counts, **panel_kw)
    year = periods_a_year or PERIODS_A_YEAR[data.frequency]
    settings = Settings(
        b=b,
        w=w,
        no_periods=no_periods,
        past_not_included=year // 2 if past_not_included is None else past_not_included,
        threshold_method=threshold_method,
        reweight=reweight,
        weights_threshold=weights_threshold,
        alpha=alpha,
        two_sided=False,
        trend=trend,
        p_threshold_trend=p_threshold_trend,
        limit54=limit54,
        power_transform=power_transform,
        population_offset=population_offset,
        by_date=by_date,
        periods_a_year=year,
        refit_dispersion="peer" if mode == "compatible" else "pearson",
        accepts_empty=mode == "corrected",
    )
    return judged(data, settings, at, method=_method(settings, mode))


def judged(data: Panel, settings: Settings, at: At, *, method: Method) -> Detection:
    """Run it and put the answer together; for both methods of the family."""
    if settings.population_offset and data.population is None:
        raise InputError(
            "population_offset needs the population of every series and period",
            "使用人口偏移量时，须给出每条序列每期的人口数",
            field="population",
        )
    asked = positions(data, at)
    found = assess(data, asked, settings)
    observed = data.counts[:, asked]
    with np.errstate(invalid="ignore"):
        alarm = observed > found.upper
    known = ~np.isin(found.reason, (Reason.SHORT_HISTORY, Reason.GAP_IN_BASELINE))
    extra = {"phi": found.phi, "trend": found.slope, "center": found.center}
    return assemble(
        data,
        method,
        asked,
        reason=found.reason,
        alarm=alarm,
        expected=found.mu,
        upper=found.upper,
        score=exceedance(observed, found),
        p_value=found.p_value,
        extra={name: np.where(known, values, np.nan) for name, values in extra.items()},
    )


def exceedance(observed: Floats, found: Numbers) -> Floats:
    """(y - mu) / (upper - mu), above 1 in an alarm (Noufaily et al. 2013).

    Where a discrete bound lies at or below mu, infinity in an alarm and 0 otherwise.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (observed - found.mu) / (found.upper - found.mu)
        beside = np.where(observed > found.upper, np.inf, 0.0)
        score = np.where(found.upper > found.mu, ratio, beside)
    return np.where(np.isnan(observed), np.nan, score)


def _method(settings: Settings, mode: Mode) -> Method:
    named = {"compatible": (" (as R surveillance)", "（与 R surveillance 一致）")}.get(mode, ("", ""))
    return Method(
        key=f"farrington_flexible_{mode}",
        label_en=f"Farrington flexible{named[0]}",
        label_zh=f"改进的 Farrington 法{named[1]}",
        paper="Noufaily et al. 2013",
        baseline_en=f"{settings.b} years, {settings.no_periods} season blocks",
        baseline_zh=f"此前 {settings.b} 年，{settings.no_periods} 个季节块",
        parameters={"mode": mode, "alpha": settings.alpha, "threshold_method": settings.threshold_method},
    )
