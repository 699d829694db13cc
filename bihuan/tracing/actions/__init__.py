"""The verbs of tracing: name contacts, find them, hear of further exposures, link cases."""

from bihuan.tracing.actions.confirm import ConfirmResult, ContactInput, confirm_contact, confirm_contacts
from bihuan.tracing.actions.follow import (
    LostInput,
    all_locked,
    locked,
    news,
    record_all_located,
    record_all_lost,
    record_exposure,
    record_located,
    record_lost,
)
from bihuan.tracing.actions.links import LinkInput, link_cases

__all__ = [
    "ConfirmResult",
    "ContactInput",
    "LinkInput",
    "LostInput",
    "all_locked",
    "confirm_contact",
    "confirm_contacts",
    "link_cases",
    "locked",
    "news",
    "record_all_located",
    "record_all_lost",
    "record_exposure",
    "record_located",
    "record_lost",
]
