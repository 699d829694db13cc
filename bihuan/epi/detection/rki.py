"""The system of the Robert Koch Institute: a bound from the mean of the reference values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import At, assemble, positions
from bihuan.epi.detection.references import same_season
from bihuan.epi.detection.results import Detection, Method, Reason
from bihuan.epi.series import PERIODS_A_YEAR, Floats, Panel, panel

#: Upper 95 % confidence limits of a Poisson mean for 0, 1, … 20 cases: Crow and Gardner 1959, table 1.
CROW_GARDNER = np.array([
    3.285, 5.323, 6.686, 8.102, 9.598, 11.177, 12.817, 13.765, 14.921, 16.768, 17.633,
    19.050, 20.335, 21.364, 22.945, 23.762, 25.400, 26.306, 27.735, 28.966, 30.017,
])  # fmt: skip
#: Standard deviations above the mean when the mean is beyond the table.
DEVIATIONS = 2.0


@checked
def rki(
    counts: ArrayLike | Panel,
    *,
    b: int = 2,
    w: int = 4,
    act_y: bool = False,
    year: int | None = None,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """Alarm when the count is above the bound of its reference values (Robert Koch Institute systems 1 to 3).

    `upper` is the Poisson limit of Crow and Gardner 1959 for the mean rounded down when the mean is at most
    20, else mean + 2 standard deviations. `score` is count - upper. There is no p-value.
    References as in `bayes`; the defaults are RKI 3; RKI 1 is b=0, w=6, act_y=True; RKI 2 the same with b=1.
    """
    series = panel(counts, **panel_kw)
    where = positions(series, at)
    length = year or PERIODS_A_YEAR[series.frequency]
    known = same_season(series, where, years=b, half_width=w, this_year=act_y, year=length)
    observed = series.counts[:, where]
    with np.errstate(invalid="ignore"):
        upper = _bound(known.mean, known.deviation)
        alarm = observed > upper
    one_value = (known.reason == Reason.ASSESSED) & np.isnan(upper)
    reason = np.where(one_value, np.uint8(Reason.SHORT_HISTORY), known.reason)
    method = Method(
        key="rki",
        label_en="RKI",
        label_zh="RKI 法",
        paper="Crow, Gardner 1959; Robert Koch Institute",
        baseline_en=f"{b} earlier years, {w} periods to each side{', and this year' if act_y else ''}",
        baseline_zh=f"往前 {b} 年，同期前后各 {w} 期{'，并含当年' if act_y else ''}",
        parameters={"b": b, "w": w, "act_y": act_y, "year": length},
    )
    return assemble(
        series,
        method,
        where,
        reason=reason,
        alarm=alarm,
        expected=known.mean,
        upper=upper,
        score=observed - upper,
    )


def _bound(mean: Floats, deviation: Floats) -> Floats:
    small = np.nan_to_num(np.floor(mean + 1e-12), nan=0.0).astype(np.intp)
    table = CROW_GARDNER[np.clip(small, 0, CROW_GARDNER.size - 1)]
    wide = mean + DEVIATIONS * deviation
    return np.asarray(np.where(np.isnan(mean), np.nan, np.where(mean <= CROW_GARDNER.size - 1, table, wide)))
