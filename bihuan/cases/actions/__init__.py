"""The verbs of cases. Each checks the right, asks the rules, writes, and tells the loops, in one
transaction.
"""

from bihuan.cases.actions.inputs import CaseInput, Judged, Problem, find_problems
from bihuan.cases.actions.report import ReportResult, judge_reports, report_case, report_cases
from bihuan.cases.actions.revise import revise_case
from bihuan.cases.actions.steps import (
    record_admission,
    record_investigation,
    record_isolation,
    record_outcome,
    record_reported,
    record_review,
    record_test,
    record_transfer,
)

__all__ = [
    "CaseInput",
    "Judged",
    "Problem",
    "ReportResult",
    "find_problems",
    "judge_reports",
    "record_admission",
    "record_investigation",
    "record_isolation",
    "record_outcome",
    "record_reported",
    "record_review",
    "record_test",
    "record_transfer",
    "report_case",
    "report_cases",
    "revise_case",
]
