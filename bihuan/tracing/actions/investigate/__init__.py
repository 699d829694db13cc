"""The investigation of a case (流调): opened, its track told day by day, its source weighed, closed."""

from bihuan.tracing.actions.investigate.draft import Draft, draft_track
from bihuan.tracing.actions.investigate.entries import (
    EntryInput,
    add_entries,
    add_entry,
    change_entry,
    judge_entries,
    retract_entries,
)
from bihuan.tracing.actions.investigate.hypotheses import (
    HypothesisInput,
    add_hypothesis,
    judge_hypothesis,
)
from bihuan.tracing.actions.investigate.life import (
    close_investigation,
    finish_investigation,
    missing_days,
    open_investigation,
    reopen_investigation,
    withdraw_investigation,
)

__all__ = [
    "Draft",
    "EntryInput",
    "HypothesisInput",
    "add_entries",
    "add_entry",
    "add_hypothesis",
    "change_entry",
    "close_investigation",
    "draft_track",
    "finish_investigation",
    "judge_entries",
    "judge_hypothesis",
    "missing_days",
    "open_investigation",
    "reopen_investigation",
    "retract_entries",
    "withdraw_investigation",
]
