"""Indicators of response: 7-1-7, and contact tracing with the targets WHO and others set for it."""

from bihuan.epi.indicators.results import Indicator, Indicators
from bihuan.epi.indicators.rt import rt_below_one
from bihuan.epi.indicators.seven_one_seven import EventTimes, SevenOneSeven, seven_one_seven
from bihuan.epi.indicators.tracing import tracing_indicators

__all__ = [
    "EventTimes",
    "Indicator",
    "Indicators",
    "SevenOneSeven",
    "rt_below_one",
    "seven_one_seven",
    "tracing_indicators",
]
