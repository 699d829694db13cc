"""What can be asked of loops. Every answer lies within the scope acted in."""

from bihuan.loops.queries.board import (
    Board,
    BoardChild,
    BoardLoop,
    BoardStage,
    Conservation,
    Counts,
    SameDay,
    board,
    same_day,
)
from bihuan.loops.queries.check import CheckResult, Violation, check
from bihuan.loops.queries.detail import (
    EventRow,
    LoopDetail,
    LoopPage,
    LoopRow,
    Ring,
    RingStage,
    RungRow,
    escalations,
    find_loops,
    loop_detail,
    rings,
)
from bihuan.loops.queries.duties import (
    DutyCounts,
    DutyFilter,
    DutyPage,
    DutyRow,
    count_duties,
    find_duties,
    get_duty,
    my_duties,
)

__all__ = [
    "Board", "BoardChild", "BoardLoop", "BoardStage", "CheckResult", "Conservation", "Counts", "DutyCounts",
    "DutyFilter", "DutyPage", "DutyRow", "EventRow", "LoopDetail", "LoopPage", "LoopRow", "Ring", "RingStage",
    "RungRow", "SameDay", "Violation", "board", "check", "count_duties", "escalations", "find_duties",
    "find_loops",
    "get_duty", "loop_detail", "my_duties", "rings", "same_day",
]  # fmt: skip
