"""What can be asked of loops. Every answer lies within the scope acted in."""

from bihuan.loops.queries.check import CheckResult, Violation, check
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
    "CheckResult", "DutyCounts", "DutyFilter", "DutyPage", "DutyRow", "Violation", "check", "count_duties",
    "find_duties", "get_duty", "my_duties",
]  # fmt: skip
