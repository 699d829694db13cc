"""The words of tracing. Values are stored; labels are translated in models.py."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    CANDIDATE = "candidate"
    CONFIRMED = "confirmed"
    GENERAL = "general"
    RELEASED = "released"
    BECAME_CASE = "became_case"
    LOST = "lost"
    HANDED_OVER = "handed_over"


OPEN_STATUSES = frozenset({Status.CANDIDATE, Status.CONFIRMED})


class ExposureKind(StrEnum):
    """Contact types of the close-contact guidelines (protocols.md section 3); more come by pack later."""

    HOUSEHOLD = "household"
    CARE = "care"
    WORK_OR_SCHOOL = "work_or_school"
    MEAL_OR_GATHERING = "meal_or_gathering"
    TRANSPORT = "transport"
    HOSPITAL_VISIT = "hospital_visit"
    ENVIRONMENT = "environment"
    OTHER = "other"
    UNKNOWN = "unknown"
