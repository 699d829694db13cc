"""The row that names the columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from bihuan.doors.exchange.limits import Limits
from bihuan.doors.exchange.reader.hints import FileHints
from bihuan.doors.exchange.reader.refusals import refuse


def find_header(
    path: Path, first: Sequence[tuple[int, int, list[Any]]], hints: FileHints, limits: Limits
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """The row that names the columns: the first one that fills most of the table's width with words."""
    rows = [(n, cells) for n, _line, cells in first]
    if not any(any(_text(c) for c in cells) for _n, cells in rows):
        raise refuse(
            path,
            "file.empty",
            _("%(file)s has no rows.") % {"file": path.name},
            _("Choose the sheet or file that holds the list."),
        )
    if hints.header_row:
        chosen = next(((n, cells) for n, cells in rows if n == hints.header_row), None)
        if chosen is None:
            raise refuse(
                path,
                "file.header",
                _("%(file)s has no row %(row)d to take column names from.")
                % {"file": path.name, "row": hints.header_row},
                _("Correct header_row in the mapping."),
            )
        number, cells = chosen
    else:
        number, cells = _likely_header(rows)
    notes = []
    if number > rows[0][0]:
        notes.append(f"header in row {number}")
    return number, _unique([_text(c) for c in cells]), tuple(notes)


def _likely_header(rows: Sequence[tuple[int, list[Any]]]) -> tuple[int, list[Any]]:
    filled = [sum(bool(_text(c)) for c in cells) for _n, cells in rows]
    width = max(filled)
    for (number, cells), n in zip(rows, filled, strict=True):
        distinct = len({_text(c) for c in cells if _text(c)})  # a title over merged cells is one text
        if distinct < min(2, width) or n < 0.6 * width:
            continue
        if sum(_is_wordy(c) for c in cells if _text(c)) >= 0.7 * n:
            return number, cells
    return rows[filled.index(width)]


def _is_wordy(cell: Any) -> bool:
    text = _text(cell)
    return (
        isinstance(cell, str)
        and bool(text)
        and len(text) <= 80
        and not re.fullmatch(r"[\d\s.,:/\-TZ]+", text)
    )


def _text(cell: Any) -> str:
    return re.sub(r"\s+", " ", str(cell)).strip().lstrip("\ufeff") if cell is not None else ""


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Trailing blanks dropped, blanks named after their position, repeats numbered."""
    names = list(names)
    while names and not names[-1]:
        names.pop()
    seen = Counter[str]()
    out = []
    for index, name in enumerate(names, start=1):
        name = name or f"column {index}"
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(out)
