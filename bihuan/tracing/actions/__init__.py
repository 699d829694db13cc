"""The verbs of tracing: name contacts, find them, hear of further exposures, link cases."""

from bihuan.tracing.actions.confirm import ConfirmResult, ContactInput, confirm_contact, confirm_contacts
from bihuan.tracing.actions.follow import (
    locked,
    news,
    record_all_located,
    record_exposure,
    record_located,
    record_lost,
)
from bihuan.tracing.actions.links import LinkInput, link_cases

__all__ = [
    "ConfirmResult",
    "ContactInput",
    "LinkInput",
    "confirm_contact",
    "confirm_contacts",
    "link_cases",
    "locked",
    "news",
    "record_all_located",
    "record_exposure",
    "record_located",
    "record_lost",
]
