"""Nowcast: what was reported by now, and what is still to come of the newest periods."""

from bihuan.epi.nowcast.bayes import CountPrior
from bihuan.epi.nowcast.estimate import nowcast
from bihuan.epi.nowcast.results import Nowcast, NowcastReason
from bihuan.epi.nowcast.rt import estimate_r_nowcast
from bihuan.epi.nowcast.triangle import ReportingTriangle, reporting_triangle, triangle_of_counts

__all__ = [
    "CountPrior",
    "Nowcast",
    "NowcastReason",
    "ReportingTriangle",
    "estimate_r_nowcast",
    "nowcast",
    "reporting_triangle",
    "triangle_of_counts",
]
