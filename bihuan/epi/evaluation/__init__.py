"""The evaluation bench: known outbreaks, any detector, equal false-alarm rates, and replay as of a day."""

from bihuan.epi.evaluation.injection import Labelled, inject, labelled
from bihuan.epi.evaluation.metrics import Evaluation, compare, evaluate
from bihuan.epi.evaluation.replay import Replay, Vintages, replay, vintages
from bihuan.epi.evaluation.scenarios import SCENARIOS, Scenario, simulate
from bihuan.epi.evaluation.signals import Detector, Signals, signals_of

__all__ = [
    "SCENARIOS",
    "Detector",
    "Evaluation",
    "Labelled",
    "Replay",
    "Scenario",
    "Signals",
    "Vintages",
    "compare",
    "evaluate",
    "inject",
    "labelled",
    "replay",
    "signals_of",
    "simulate",
    "vintages",
]
