"""An opened file: what was recognized, and the way to its rows."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from bihuan.doors.exchange.limits import LIMITS, Limits
from bihuan.doors.exchange.reader.header import find_header
from bihuan.doors.exchange.reader.hints import FileHints
from bihuan.doors.exchange.reader.kinds import kind_of
from bihuan.doors.exchange.reader.refusals import refuse
from bihuan.doors.exchange.reader.sheets import Cell, sheet_rows
from bihuan.doors.exchange.reader.text import find_delimiter, find_encoding, text_rows

HEADER_SEARCH = 25  # rows looked at for the header

SNIFF_BYTES = 256 * 1024


@dataclass(frozen=True)
class RawRow:
    """One data row. `line`: its line (text) or row (sheet) in the file, from 1, as an editor shows it."""

    line: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """An opened file: what was recognized and the way to its rows."""

    path: Path
    kind: str  # csv | xlsx | xls | ods
    headers: tuple[str, ...]
    header_row: int
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    limits: Limits = field(default=LIMITS, repr=False)

    def rows(self) -> Iterator[RawRow]:
        """Data rows after the header, blank ones left out, each padded to the number of headers."""
        width = len(self.headers)
        source = (
            text_rows(
                self.path, encoding=self.encoding or "utf-8", delimiter=self.delimiter, limits=self.limits
            )
            if self.kind == "csv"
            else sheet_rows(self.path, sheet=self.sheet, limits=self.limits)[1]
        )
        skipping = self.header_row
        for number, line, cells in source:
            if number <= skipping or not any(c not in ("", None) for c in cells):
                continue
            if len(cells) < width:
                cells = [*cells, *([""] * (width - len(cells)))]
            yield RawRow(line, tuple(cells))


def open_table(
    path: str | os.PathLike[str], *, hints: FileHints | None = None, limits: Limits = LIMITS
) -> Table:
    """Recognize a file and find its header.

    Raises FileRefused: missing, empty, too big, binary junk, a zip bomb, password-protected, damaged,
    too many columns, a header that cannot be found. Reads at most the size limit; changes nothing.
    """
    path = path if isinstance(path, Path) else Path(path)  # one that is called otherwise stays so
    hints = hints or FileHints()
    kind = kind_of(path, limits)
    if kind == "csv":
        return _open_text(path, hints, limits)
    return _open_sheet(path, kind, hints, limits)


def _open_text(path: Path, hints: FileHints, limits: Limits) -> Table:
    encoding = hints.encoding or find_encoding(path)
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise refuse(
            path,
            "file.encoding",
            _("The mapping names an unknown encoding, %(name)s.") % {"name": encoding},
            _("Use utf-8, gb18030 or latin-1, or leave it out."),
        ) from error
    with path.open("rb") as stream:
        sample = stream.read(SNIFF_BYTES).decode(encoding, errors="replace")
    if len(sample) >= SNIFF_BYTES // 4:
        sample = sample[: sample.rfind("\n") + 1] or sample
    delimiter = hints.delimiter or find_delimiter(sample)
    first = list(_take(text_rows(path, encoding=encoding, delimiter=delimiter, limits=limits), HEADER_SEARCH))
    number, headers, notes = find_header(path, first, hints, limits)
    return Table(
        path=path,
        kind="csv",
        headers=headers,
        header_row=number,
        encoding=encoding,
        delimiter=delimiter,
        notes=notes,
        limits=limits,
    )


def _open_sheet(path: Path, kind: str, hints: FileHints, limits: Limits) -> Table:
    info, rows = sheet_rows(path, sheet=hints.sheet, limits=limits)
    first = list(_take(rows, HEADER_SEARCH))
    rows.close()  # type: ignore[attr-defined]
    number, headers, notes = find_header(path, first, hints, limits)
    return Table(
        path=path,
        kind=kind,
        headers=headers,
        header_row=number,
        sheet=info["sheet"],
        sheets=tuple(info["sheets"]),
        notes=notes,
        limits=limits,
    )


def _take(rows: Iterator[tuple[int, int, list[Any]]], n: int) -> Iterator[tuple[int, int, list[Any]]]:
    for index, row in enumerate(rows):
        if index >= n:
            return
        yield row
