"""Delays between two dates of a case: what was seen (`summaries`) and the distribution behind it (`fit`).

The summaries need only NumPy and are imported here. The distributions stand on SciPy and are imported from
where they live: `bihuan.epi.delays.fit`, `.pairs`, `.truncation`.
"""

from bihuan.epi.delays.summaries import (
    CHAIN_STEPS,
    FIVE_STEPS,
    RESPONSE_STEPS,
    Days,
    DelaySummary,
    Step,
    as_dates,
    delays,
    median_by_day,
    quantile,
    summarize,
    summarize_by,
)

__all__ = [
    "CHAIN_STEPS",
    "FIVE_STEPS",
    "RESPONSE_STEPS",
    "Days",
    "DelaySummary",
    "Step",
    "as_dates",
    "delays",
    "median_by_day",
    "quantile",
    "summarize",
    "summarize_by",
]
