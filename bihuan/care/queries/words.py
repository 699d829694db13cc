"""Labels of the words of care, for doors: pairs of a stored value and its translated label."""

from bihuan.care.models import (
    CHECK_LABELS,
    DECISION_LABELS,
    END_LABELS,
    HOME_LABELS,
    ORDER_KIND_LABELS,
    SYMPTOM_LABELS,
)

__all__ = [
    "CHECK_LABELS",
    "DECISION_LABELS",
    "END_LABELS",
    "HOME_LABELS",
    "ORDER_KIND_LABELS",
    "SYMPTOM_LABELS",
]
