"""Labels of the words of tracing, for doors: pairs of a stored value and its translated label."""

from bihuan.tracing.models import EXPOSURE_LABELS, STATUS_LABELS, WHY_ENDED_LABELS

__all__ = ["EXPOSURE_LABELS", "STATUS_LABELS", "WHY_ENDED_LABELS"]
