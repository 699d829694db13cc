"""Reproduction numbers and growth: how many each case infects, and how fast counts rise or fall."""

from bihuan.epi.reproduction.estimate import estimate_r
from bihuan.epi.reproduction.growth import Growth, GrowthReason, growth_rate
from bihuan.epi.reproduction.infectivity import infectivity
from bihuan.epi.reproduction.results import RtEstimate, RtReason
from bihuan.epi.reproduction.si import SerialInterval, UncertainSI, discretized_si
from bihuan.epi.reproduction.wallinga import wallinga_teunis

__all__ = [
    "Growth",
    "GrowthReason",
    "RtEstimate",
    "RtReason",
    "SerialInterval",
    "UncertainSI",
    "discretized_si",
    "estimate_r",
    "growth_rate",
    "infectivity",
    "wallinga_teunis",
]
