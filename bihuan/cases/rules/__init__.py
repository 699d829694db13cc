"""Pure decisions about cases: facts and a moment in, decision and reason out. No Django."""

from bihuan.cases.rules.checks import EARLIEST, Issue, check_dates
from bihuan.cases.rules.clearance import ClearanceFacts, Waits, due_today, waits_for
from bihuan.cases.rules.decision import Decision, Reason
from bihuan.cases.rules.life import CaseFacts, LifeEvent, life, opening
from bihuan.cases.rules.moments import Moment, moment
from bihuan.cases.rules.words import (
    CONFIRMED_LIKE,
    DATED,
    SUSPECTED_LIKE,
    TIMED,
    Classification,
    NoTrack,
    Origin,
    Outcome,
    Severity,
    TestResult,
)

__all__ = [
    "CONFIRMED_LIKE",
    "DATED",
    "EARLIEST",
    "SUSPECTED_LIKE",
    "TIMED",
    "CaseFacts",
    "Classification",
    "ClearanceFacts",
    "Decision",
    "Issue",
    "LifeEvent",
    "Moment",
    "NoTrack",
    "Origin",
    "Outcome",
    "Reason",
    "Severity",
    "TestResult",
    "Waits",
    "check_dates",
    "due_today",
    "life",
    "moment",
    "opening",
    "waits_for",
]
