"""Pure decisions of care: how long observation lasts, when it ends, what a reading means. No Django."""

from bihuan.care.rules.appeal import answer_due, is_lapsed
from bihuan.care.rules.observation import (
    Course,
    Observation,
    course_tests,
    exposure_day,
    last_day,
    longest,
    midnight_after,
    observation,
    stage_day,
    test_days,
)
from bihuan.care.rules.reading import DANGER_SIGNS, Symptom, is_symptomatic
from bihuan.care.rules.record import DecisionRecord, check_record
from bihuan.care.rules.release import (
    EARLY_REASONS,
    ReleaseFacts,
    ReleaseReason,
    may_move,
    may_release,
    test_day,
)
from bihuan.care.rules.words import AppealDecision, CheckKind, EndReason, HomeKind, OrderKind

__all__ = [
    "DANGER_SIGNS",
    "EARLY_REASONS",
    "AppealDecision",
    "CheckKind",
    "Course",
    "DecisionRecord",
    "EndReason",
    "HomeKind",
    "Observation",
    "OrderKind",
    "ReleaseFacts",
    "ReleaseReason",
    "Symptom",
    "answer_due",
    "check_record",
    "course_tests",
    "exposure_day",
    "is_lapsed",
    "is_symptomatic",
    "last_day",
    "longest",
    "may_move",
    "may_release",
    "midnight_after",
    "observation",
    "stage_day",
    "test_day",
    "test_days",
]
