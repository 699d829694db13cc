"""Reads of contacts and links, always within the scope acted in."""

from bihuan.tracing.models import EXPOSURE_LABELS, STATUS_LABELS
from bihuan.tracing.queries.lines import (
    ContactFilter,
    ContactRow,
    count_contacts,
    export_contacts,
    filtered,
    list_contacts,
    rows_of,
)
from bihuan.tracing.queries.one import ContactView, LinkView, find_contact, links_of

__all__ = [
    "EXPOSURE_LABELS",
    "STATUS_LABELS",
    "ContactFilter",
    "ContactRow",
    "ContactView",
    "LinkView",
    "count_contacts",
    "export_contacts",
    "filtered",
    "find_contact",
    "links_of",
    "list_contacts",
    "rows_of",
]
