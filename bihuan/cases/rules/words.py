"""The words of a case. Values are stored; labels are translated in models.py."""

from __future__ import annotations

from enum import StrEnum


class Classification(StrEnum):
    SUSPECTED = "suspected"
    PROBABLE = "probable"
    CONFIRMED = "confirmed"
    CLINICALLY_DIAGNOSED = "clinically_diagnosed"
    ASYMPTOMATIC = "asymptomatic"
    DISCARDED = "discarded"


# Placed and admitted as confirmed: in Hubei clinically diagnosed cases counted with confirmed ones
# (protocols.md section 2), and asymptomatic infections are isolated under the same clocks (D4-21a).
CONFIRMED_LIKE = frozenset(
    {Classification.CONFIRMED, Classification.CLINICALLY_DIAGNOSED, Classification.ASYMPTOMATIC}
)
# Still owed a test and an answer.
SUSPECTED_LIKE = frozenset({Classification.SUSPECTED, Classification.PROBABLE})


class NoTrack(StrEnum):
    """Why an investigation is finished without a track kept here."""

    PAPER_FORM = "paper_form"
    OTHER_SYSTEM = "other_system"
    NOT_POSSIBLE = "not_possible"


class Severity(StrEnum):
    NONE = "none"
    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    IN_CARE = "in_care"
    RECOVERED = "recovered"
    DIED = "died"
    UNKNOWN = "unknown"


class Origin(StrEnum):
    """Exactly one per case (D2-01)."""

    IMPORTED = "imported"
    IMPORT_LINKED = "import_linked"
    LOCAL = "local"
    EXPORTED_NOTICE = "exported_notice"
    UNDER_INVESTIGATION = "under_investigation"


class TestResult(StrEnum):
    POSITIVE = "positive"
    NEGATIVE = "negative"
    INCONCLUSIVE = "inconclusive"
    PENDING = "pending"


# The dates of a case, in the order of its life. `date_<name>` is the local calendar date; `<name>_at` the
# instant, filled only when the time of day is known.
DATED = (
    "onset",
    "visit",
    "diagnosis",
    "sample",
    "result",
    "report",
    "confirmation",
    "isolation",
    "admission",
    "outcome",
)
# Onset is told by the patient as a date; it has no instant.
TIMED = tuple(name for name in DATED if name != "onset")
