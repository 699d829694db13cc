"""Reads of cases, always within the scope acted in."""

from bihuan.cases.models import (
    CLASSIFICATION_LABELS,
    ORIGIN_LABELS,
    OUTCOME_LABELS,
    RESULT_LABELS,
    SEVERITY_LABELS,
)
from bihuan.cases.queries.figures import (
    Clearance,
    IntervalRow,
    Rate,
    Uncleared,
    case_curve,
    chain_intervals,
    clearance,
    five_intervals,
    headline_rates,
    record_sets,
)
from bihuan.cases.queries.ledger import LedgerRow, ledger
from bihuan.cases.queries.lines import (
    CaseFilter,
    CaseRow,
    Owed,
    count_cases,
    export_cases,
    list_cases,
    owed_by,
    rows_of,
)
from bihuan.cases.queries.one import CaseView, RevisionView, find_by_local_id, find_case
from bihuan.cases.queries.pages import Count, Page

__all__ = [
    "CLASSIFICATION_LABELS",
    "ORIGIN_LABELS",
    "OUTCOME_LABELS",
    "RESULT_LABELS",
    "SEVERITY_LABELS",
    "CaseFilter",
    "CaseRow",
    "CaseView",
    "Clearance",
    "Count",
    "IntervalRow",
    "LedgerRow",
    "Owed",
    "Page",
    "Rate",
    "RevisionView",
    "Uncleared",
    "case_curve",
    "chain_intervals",
    "clearance",
    "count_cases",
    "export_cases",
    "find_by_local_id",
    "find_case",
    "five_intervals",
    "headline_rates",
    "ledger",
    "list_cases",
    "owed_by",
    "record_sets",
    "rows_of",
]
