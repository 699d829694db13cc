"""The evaluation bench: known outbreaks, any detector, equal false-alarm rates, and replay as of a day."""

from bihuan.epi.evaluation.injection import Labelled, inject, labelled
from bihuan.epi.evaluation.metrics import Evaluation, compare, evaluate
from bihuan.epi.evaluation.replay import Replay, ReportingTriangle, replay, reporting_triangle
from bihuan.epi.evaluation.scenarios import SCENARIOS, Scenario, simulate
from bihuan.epi.evaluation.signals import Detector, Signals, signals_of

__all__ = [
    "SCENARIOS",
    "Detector",
    "Evaluation",
    "Labelled",
    "Replay",
    "ReportingTriangle",
    "Scenario",
    "Signals",
    "compare",
    "evaluate",
    "inject",
    "labelled",
    "replay",
    "reporting_triangle",
    "signals_of",
    "simulate",
]
