"""The verbs of loops. `record` is how facts come in; `sweep` is how time comes in; the rest are what people
do."""

from bihuan.loops.actions.duties import (
    close_loop,
    complete_bulk,
    complete_duty,
    hand_loop_over,
    hand_over,
    take_back,
    take_hand_over_back,
    undo_completion,
    waive,
    waive_bulk,
)
from bihuan.loops.actions.record import NewEvent, RecordResult, get_ready, record, refresh
from bihuan.loops.actions.retention import Due, ShredRun, shred_due
from bihuan.loops.actions.sweep import SweepResult, fold_tallies, sweep
from bihuan.loops.actions.transitions import Applied, ReplanResult, replan

__all__ = [
    "Applied", "Due", "NewEvent", "RecordResult", "ReplanResult", "ShredRun", "SweepResult",
    "close_loop", "complete_bulk", "complete_duty", "fold_tallies", "get_ready",
    "hand_loop_over", "hand_over", "record", "refresh", "replan", "shred_due", "sweep", "take_back",
    "take_hand_over_back", "undo_completion", "waive", "waive_bulk",
]  # fmt: skip
