"""The field's arithmetic: early warning, Rt, nowcast, clusters, delays, chains, and how good a detector is.

    from bihuan.epi import read_counts, ears, estimate_r

Pure Python on NumPy and SciPy: no Django, no database. Each name below is loaded when it is first asked for,
so importing this module costs next to nothing. What a function returns explains itself: `.explain("en")`,
`.rows()`, `.plot()`. The table of all of them: docs/reference/epi.md.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

#: Public name to the module it lives in.
_HOMES: dict[str, str] = {
    name: f"bihuan.epi.{module}"
    for module, names in {
        "errors": "EpiError InputError NotEnoughData",
        "series": "Panel panel",
        "tables": "Columns Counts Reading Wanted read_columns read_counts write_rows",
        "calendar": "EpiWeek epiweek epiweeks week_starts",
        "detection.results": "Detection Method Reason",
        "detection.ears": "ears",
        "detection.farrington": "farrington farrington_flexible",
        "detection.cusum": "cusum",
        "detection.bayes": "bayes",
        "detection.rki": "rki",
        "detection.glrnb": "glr_nb glr_poisson",
        "detection.outbreak_p": "outbreak_p",
        "detection.essence": "ewma nbinom_alert regression switch",
        "detection.routing": "RoutedDetection detect",
        "detection.qvalues": "hierarchical_q_values q_values simes",
        "detection.fusion": "Fused fuse",
        "reproduction": "RtEstimate SerialInterval UncertainSI discretized_si estimate_r infectivity",
        "reproduction.wallinga": "wallinga_teunis",
        "reproduction.growth": "Growth growth_rate",
        "nowcast": "Nowcast estimate_r_nowcast nowcast reporting_triangle triangle_of_counts",
        "scan": "Scan scan spatial_scan",
        "chains": "chains likely_infectors",
        "chains.building": "chain_graph",
        "chains.graph": "CaseFact Tie",
        "chains.picture": "picture",
        "chains.statistics": "describe",
        "chains.offspring": "offspring_distribution share_causing",
        "delays": "summarize summarize_by",
        "delays.results": "DelayDistribution",
        "delays.fit": "delay_distribution delays_by_step",
        "delays.pairs": "incubation serial_interval",
        "curves": "Curve curve_table curves_by epidemic_curve",
        "proportions": "Proportion attack_rate attack_rates",
        "indicators": "Indicator rt_below_one seven_one_seven tracing_indicators",
        "quality": "Mark QualityWarning detect_with_marks increments jumps",
        "evaluation": "compare evaluate inject labelled replay signals_of simulate",
    }.items()
    for name in names.split()
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """PEP 562: load a public name from its module, once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


class _Face(ModuleType):
    """Keeps a function's name for the function: `bihuan.epi.scan` is what scans, whether or not somebody
    has imported the module of the same name (`from bihuan.epi.scan import …` works as ever).
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in _HOMES):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
