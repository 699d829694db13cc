"""The words of care. Values are stored; labels are translated in models.py."""

from __future__ import annotations

from enum import StrEnum


class OrderKind(StrEnum):
    HOME = "home"
    FACILITY = "facility"


class HomeKind(StrEnum):
    """What an edition calls the second stage, at home."""

    MONITORING = "monitoring"
    ISOLATION = "isolation"


class EndReason(StrEnum):
    """Why an order ended. `END_REACHED` is the order's own planned end."""

    END_REACHED = "end_reached"
    RELEASED = "released"
    SOURCE_EXCLUDED = "source_excluded"
    GENERAL_CONTACT = "general_contact"
    BECAME_CASE = "became_case"
    APPEAL_UPHELD = "appeal_upheld"
    APPEAL_UNANSWERED = "appeal_unanswered"
    REPLACED = "replaced"
    LOST = "lost"
    DIED = "died"
    NAMED_IN_ERROR = "named_in_error"
    JOINED = "joined"


class CheckKind(StrEnum):
    TEMPERATURE = "temperature"
    FOLLOW_UP = "follow_up"


class AppealDecision(StrEnum):
    UPHELD = "upheld"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
