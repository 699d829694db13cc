"""Labels of the words of cases, for doors: pairs of a stored value and its translated label."""

from bihuan.cases.models import (
    CLASSIFICATION_LABELS,
    ORIGIN_LABELS,
    OUTCOME_LABELS,
    RESULT_LABELS,
    SEVERITY_LABELS,
)

__all__ = ["CLASSIFICATION_LABELS", "ORIGIN_LABELS", "OUTCOME_LABELS", "RESULT_LABELS", "SEVERITY_LABELS"]
