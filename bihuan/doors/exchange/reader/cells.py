"""Cells as they leave the house: nothing that a spreadsheet would run."""

from __future__ import annotations

import re
from typing import Any

_FORMULA = re.compile(r"^[\s\u3000]*[=+\-@＝＋－＠\t\r|]")

_PLAIN_NUMBER = re.compile(r"^[+-]?\d+([.,]\d+)?%?$")


def safe_cell(value: Any) -> Any:
    """A cell for export that no spreadsheet will run as a formula.

    Text beginning with = + - @ (also full-width), tab or a pipe gets an apostrophe in front; numbers,
    dates and plain numeric text (+86139…, -3.5) pass unchanged. Every CSV/XLSX export goes through this.
    """
    if isinstance(value, str) and begins_formula(value) and not _PLAIN_NUMBER.match(value):
        return "'" + value
    return value


def begins_formula(text: str) -> bool:
    """Whether a spreadsheet may take the text for a formula; plain numbers such as -3.5 count, too."""
    return _FORMULA.match(text) is not None
