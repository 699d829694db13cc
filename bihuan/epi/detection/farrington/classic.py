"""The method of Farrington et al. (1996), for every series at once."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import At
from bihuan.epi.detection.farrington.flexible import judged
from bihuan.epi.detection.farrington.glm import LEAST_MEAN
from bihuan.epi.detection.farrington.settings import PowerTransform, Settings
from bihuan.epi.detection.results import Detection, Method
from bihuan.epi.series import PERIODS_A_YEAR, Panel, panel

#: Residuals above 1 are weighted down, and a trend is kept at 5 % (Farrington et al. 1996).
WEIGHTS_THRESHOLD, P_THRESHOLD_TREND = 1.0, 0.05


@checked
def farrington(
    counts: ArrayLike | Panel,
    *,
    b: int = 5,
    w: int = 3,
    reweight: bool = True,
    alpha: float = 0.05,
    trend: bool = True,
    limit54: tuple[float, int] = (5, 4),
    power_transform: PowerTransform = "2/3",
    population_offset: bool = False,
    by_date: bool = True,
    periods_a_year: int | None = None,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """Count against a quasi-Poisson regression on the same weeks of `b` earlier years (Farrington 1996).

    The bound is the upper end of a two-sided 1 - `alpha` prediction interval on the scale of counts to
    `power_transform`. Prefer `farrington_flexible`, whose false alarms are fewer; this one is for comparison
    and for systems that still run it. Other parameters as there.
    """
    data = panel(counts, **panel_kw)
    settings = Settings(
        b=b,
        w=w,
        no_periods=1,
        past_not_included=w,
        threshold_method="delta",
        reweight=reweight,
        weights_threshold=WEIGHTS_THRESHOLD,
        alpha=alpha,
        two_sided=True,
        trend=trend,
        p_threshold_trend=P_THRESHOLD_TREND,
        limit54=limit54,
        power_transform=power_transform,
        population_offset=population_offset,
        by_date=by_date,
        periods_a_year=periods_a_year or PERIODS_A_YEAR[data.frequency],
        time_by_date=False,
        least_dispersion=1.0,
        least_mean=LEAST_MEAN,
    )
    return judged(data, settings, at, method=_method(settings))


def _method(settings: Settings) -> Method:
    return Method(
        key="farrington",
        label_en="Farrington 1996",
        label_zh="Farrington 法（1996）",
        paper="Farrington et al. 1996",
        baseline_en=f"{2 * settings.w + 1} periods in each of {settings.b} years",
        baseline_zh=f"此前 {settings.b} 年每年 {2 * settings.w + 1} 期",
        parameters={"alpha": settings.alpha, "reweight": settings.reweight},
    )
