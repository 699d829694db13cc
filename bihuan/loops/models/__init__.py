"""Facts of the loop engine: the log, the loops that follow from it, the duties they owe."""

from bihuan.loops.models.duty import Duty, DutyHistory, Escalation, Schedule
from bihuan.loops.models.log import LogEvent, Subject
from bihuan.loops.models.loop import Binding, Loop, Transition
from bihuan.loops.models.tally import Tally, TallyDelta

__all__ = [
    "Binding",
    "Duty",
    "DutyHistory",
    "Escalation",
    "LogEvent",
    "Loop",
    "Schedule",
    "Subject",
    "Tally",
    "TallyDelta",
    "Transition",
]
