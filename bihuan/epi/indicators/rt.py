"""How long the reproduction number has stayed below one: the criterion of two weeks."""

from __future__ import annotations

import numpy as np

from bihuan.epi.arguments import checked
from bihuan.epi.indicators.results import Indicator
from bihuan.epi.indicators.tracing import WHO_ANNEX
from bihuan.epi.reproduction.results import REASONS, RtEstimate, RtReason

#: "Effective reproduction number below 1 for at least two weeks" (WHO annex, 2020-05-12).
TWO_WEEKS = 14


@checked
def rt_below_one(estimate: RtEstimate, *, series: int = 0, days: int = TWO_WEEKS) -> Indicator:
    """Days the mean of Rt has been below 1 without a break, from the first such window to the newest one.

    Windows count by their last period. Where a window inside of the `days` cannot be judged (too few cases,
    no report, no possible source) and no judged one is at 1 or above, the indicator is not assessed.
    """
    last = estimate.until_dates.astype(np.int64)
    order = np.argsort(last, kind="stable")
    mean, reason = estimate.mean[series, order], estimate.reason[series, order]
    asked = last[order] > last.max() - days
    judged = reason == RtReason.ASSESSED
    above = judged & ~(mean < 1)
    label = (f"Rt below 1 for {days} days", f"Rt 连续 {days} 天低于 1")
    if not (above & asked).any():
        if not judged[asked].all():
            en, zh = REASONS[RtReason(int(reason[asked & ~judged][-1]))]
            return Indicator("rt_below_one", *label, WHO_ANNEX, reason_en=_bare(en), reason_zh=_bare(zh))
        if last.max() - last.min() + 1 < days:
            return Indicator(
                "rt_below_one",
                *label,
                WHO_ANNEX,
                reason_en=f"Rt is known over fewer than {days} days",
                reason_zh=f"Rt 估计不足 {days} 天",
            )
    broken = np.flatnonzero(~judged | above)
    since = last[order][broken[-1]] + 1 if broken.size else last.min()
    return Indicator(
        "rt_below_one",
        *label,
        WHO_ANNEX,
        value=float(last.max() - since + 1),
        unit_en="days",
        unit_zh="天",
        target=float(days),
        wanted="at least",
    )


def _bare(text: str) -> str:
    """The reason without the words `explain` of an indicator says itself."""
    return text.removeprefix("not assessed because ").removeprefix("未评估：")
