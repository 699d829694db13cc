"""How far a sheet spans, told before it is parsed: one cell in the last corner reserves the whole."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from bihuan.doors.exchange.limits import Limits
from bihuan.doors.exchange.reader.refusals import bomb

_CELL_REF = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,4})(\d{1,8})"')

_REPEATED = re.compile(
    rb"<table:table-(row|cell|covered-table-cell)\b([^>]*)>", re.S
)  # ODS says "this cell, a million times" in one element

_TIMES = re.compile(rb'number-(?:rows|columns)-repeated="(\d+)"')


def check_extent(path: Path, archive: zipfile.ZipFile, kind: str, names: set[str], limits: Limits) -> None:
    """A single cell in the last corner makes a parser reserve the whole sheet: look before parsing."""
    if kind == "xlsx":
        for name in sorted(n for n in names if re.fullmatch(r"xl/worksheets/[^/]+\.xml", n)):
            rows, columns = _xlsx_extent(archive, name)
            if rows * columns > limits.cells_in_sheet or columns > 16_384 or rows > limits.sheet_rows:
                raise bomb(path, _("a sheet spans %(r)d rows and %(c)d columns") % {"r": rows, "c": columns})
    else:
        cells = _ods_extent(archive)
        if cells > limits.cells_in_sheet:
            raise bomb(path, _("a sheet repeats filled cells %(n)d times") % {"n": cells})


def _xlsx_extent(archive: zipfile.ZipFile, name: str) -> tuple[int, int]:
    top = bottom = left = right = 0
    rest = b""
    with archive.open(name) as stream:
        while piece := stream.read(1 << 20):
            piece = rest + piece
            for match in _CELL_REF.finditer(piece):
                row, column = int(match[2]), _column_number(match[1])
                if not bottom:
                    top, left = row, column
                top, bottom = min(top, row), max(bottom, row)
                left, right = min(left, column), max(right, column)
            rest = piece[-400:]
    return (bottom, right) if bottom else (0, 0)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _ods_extent(archive: zipfile.ZipFile) -> int:
    """Upper bound of filled cells: for each row with content, its repeats times its width."""
    total, repeats, width, filled = 0, 1, 0, False
    rest = b""
    with archive.open("content.xml") as stream:
        while piece := stream.read(1 << 20):
            piece = rest + piece
            cut = piece.rfind(b"<") if len(piece) > 1 << 16 else len(piece)
            body, rest = piece[:cut], piece[cut:]
            for match in _REPEATED.finditer(body):
                times = _TIMES.search(match[2])
                count = int(times[1]) if times else 1
                if match[1] == b"row":
                    total += repeats * width if filled else 0
                    repeats, width, filled = count, 0, False
                elif b"value-type" in match[2]:
                    width, filled = width + count, True
                else:
                    width += count if count < 1_000 else 0
            if total > 10**12:
                break
    return total + (repeats * width if filled else 0)
