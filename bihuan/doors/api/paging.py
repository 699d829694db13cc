"""Pages by cursor: an opaque text that says of which list it is and where to go on. It opens nothing."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Final

from django.utils.translation import gettext as _
from ninja import Query
from pydantic import Field

from bihuan.registry.errors import Invalid

LIMIT_DEFAULT, LIMIT_MOST = 50, 500
"""Rows a page: our own rule; a longer list is an export."""

_CURSOR_MOST: Final = 1000

Limit = Annotated[int, Query(LIMIT_DEFAULT), Field(ge=1, le=LIMIT_MOST)]
Cursor = Annotated[str, Field(max_length=_CURSOR_MOST)]


def encode(of: str, position: str | int | None) -> str | None:
    """A room's position in the list `of` as the text a client sends back; None at the end."""
    if position in (None, ""):
        return None
    return base64.urlsafe_b64encode(json.dumps([of, str(position)]).encode()).decode().rstrip("=")


def decode(of: str, cursor: str) -> str:
    """The position a cursor stands for, "" for the first page. Raises Invalid for any other text."""
    if not cursor:
        return ""
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        name, position = found
        if name != of or not isinstance(position, str) or "\x00" in position:
            raise ValueError
    except (binascii.Error, ValueError, TypeError) as error:
        message = _("This cursor is not one of this list.")
        raise Invalid(
            message,
            errors=[{"field": "cursor", "rule": "cursor", "message": message}],
            hint=_("Send `next` of the page before, unchanged, or leave it out for the first page."),
        ) from error
    return position


def decode_number(of: str, cursor: str) -> int | None:
    """The same where the position is a number; None for the first page."""
    text = decode(of, cursor)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return decode_number(of, "!")  # refused as any other text
    return int(text)
