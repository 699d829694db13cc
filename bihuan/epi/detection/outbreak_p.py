"""Semiparametric detection of the onset of an outbreak: a mean that only rises, against one that stays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import At, assemble, check_above, positions
from bihuan.epi.detection.results import Detection, Method, Reason
from bihuan.epi.series import Panel, panel

#: Limit of the statistic in Frisén, Andersson and Schiöler 2009.
LIMIT = 100.0
#: No more cases than this are tried for the upper bound.
MOST_CASES = 1e5


@checked
def outbreak_p(
    counts: ArrayLike | Panel,
    *,
    k: float = LIMIT,
    at: At = None,
    most: float = MOST_CASES,
    bounds: bool = True,
    **panel_kw: Any,
) -> Detection:
    """OutbreakP (Frisén, Andersson and Schiöler 2009): at each period s the product over t <= s of
    (mu_rising(t) / mu_constant)^x(t), mu_rising by isotonic regression, mu_constant the mean; alarm above
    `k`.

    All periods before the assessed one are used. `score` is the statistic, `extra["log_score"]` its logarithm
    (which does not overflow); `expected` the constant mean of the periods before; `upper` the fewest cases
    that would have given an alarm, NaN when any count or none up to `most` would. A period without a count
    is left out. Meant for onsets from a steady level, such as the start of an influenza season.
    """
    from bihuan.epi.detection.outbreak_kernels import outbreak

    series = panel(counts, **panel_kw)
    check_above("k", k)
    where = positions(series, at)
    known = np.isfinite(series.counts)
    values = np.where(known, series.counts, 0.0)
    log_score = np.full(series.counts.shape, np.nan)
    upper = np.full(series.counts.shape, np.nan)
    for i in range(series.n_series):
        outbreak(series.counts[i], k, most, bounds, log_score[i], upper[i])
    before = np.cumsum(known, axis=1) - known
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        score = np.exp(log_score)
        alarm = score > k
        expected = np.where(before > 0, (np.cumsum(values, axis=1) - values) / before, np.nan)
    reason = np.where(known | (before > 0), Reason.ASSESSED, Reason.SHORT_HISTORY).astype(np.uint8)
    method = Method(
        key="outbreak_p",
        label_en="outbreakP",
        label_zh="outbreakP 半参数法",
        paper="Frisén, Andersson, Schiöler 2009",
        baseline_en="every period before",
        baseline_zh="此前全部各期",
        parameters={"k": k},
    )
    return assemble(
        series,
        method,
        where,
        reason=reason[:, where],
        alarm=alarm[:, where],
        expected=expected[:, where],
        upper=upper[:, where],
        score=score[:, where],
        extra={"log_score": log_score[:, where]},
    )
