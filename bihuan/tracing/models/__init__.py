"""What tracing keeps, one file a concept."""

from bihuan.tracing.models.contacts import (
    EXPOSURE_LABELS,
    STATUS_LABELS,
    CaseLink,
    Contact,
    Exposure,
    contact_id,
)
from bihuan.tracing.models.investigation import (
    CERTAINTY_LABELS,
    HYPOTHESIS_LABELS,
    LOOK_LABELS,
    SOURCE_LABELS,
    STANDING_LABELS,
    Investigation,
    SourceHypothesis,
    TrackEntry,
    VisitLook,
    investigation_id,
)
from bihuan.tracing.models.places import SETTING_LABELS, Place, Pseudonym, place_id

__all__ = [
    "CERTAINTY_LABELS",
    "EXPOSURE_LABELS",
    "HYPOTHESIS_LABELS",
    "LOOK_LABELS",
    "SETTING_LABELS",
    "SOURCE_LABELS",
    "STANDING_LABELS",
    "STATUS_LABELS",
    "CaseLink",
    "Contact",
    "Exposure",
    "Investigation",
    "Place",
    "Pseudonym",
    "SourceHypothesis",
    "TrackEntry",
    "VisitLook",
    "contact_id",
    "investigation_id",
    "place_id",
]
