"""Text files: their encoding, their delimiter, their rows."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from bihuan.doors.exchange.limits import Limits
from bihuan.doors.exchange.reader.refusals import refuse, too_wide

DELIMITERS = ",\t;|，；:^~\x1f\x01"


def find_encoding(path: Path) -> str:
    """utf-8-sig, utf-16, utf-8, gb18030, cp1252 or latin-1, from the bytes of the whole file.

    Raises FileRefused for binary junk: NUL bytes without a byte order mark, or many control characters.
    """
    utf8, gb = codecs.getincrementaldecoder("utf-8")(), codecs.getincrementaldecoder("gb18030")()
    is_utf8 = is_gb = True
    pairs = Counter[str]()
    cp1252 = True
    with path.open("rb") as stream:
        start = stream.read(4)
        if start.startswith(codecs.BOM_UTF8):
            is_gb = False
            stream.seek(0)
        elif start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        else:
            stream.seek(0)
        while piece := stream.read(1 << 20):
            _refuse_junk(path, piece)
            if is_utf8:
                is_utf8 = _still_decodes(utf8, piece)
            if is_gb and not is_utf8:
                is_gb = _still_decodes(gb, piece) if pairs or piece.isascii() is False else True
            if not piece.isascii():
                pairs.update(_high_runs(piece))
                cp1252 = cp1252 and not re.search(rb"[\x81\x8d\x8f\x90\x9d]", piece)
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig" if is_utf8 else "cp1252"
    if is_utf8 and _still_decodes(utf8, b"", final=True):
        return "utf-8"
    if _decodes(path, "gb18030") and pairs["even"] >= 4 * pairs["odd"]:
        return "gb18030"
    return "cp1252" if cp1252 else "latin-1"


def _still_decodes(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            if not _still_decodes(decoder, piece):
                return False
    return _still_decodes(decoder, b"", final=True)


def _high_runs(piece: bytes) -> Counter[str]:
    """Bytes in runs of high bytes of even and odd length: Chinese text has even runs, accents odd ones."""
    found = Counter[str]()
    for run in re.findall(rb"[\x81-\xff]+", piece[: 1 << 18]):
        found["even" if len(run) % 2 == 0 else "odd"] += len(run)
    return found


def _refuse_junk(path: Path, piece: bytes) -> None:
    controls = len(re.findall(rb"[\x00-\x00\x02-\x08\x0e-\x1a\x7f]", piece))
    if b"\x00" in piece or controls * 50 > len(piece):
        raise refuse(
            path,
            "file.binary",
            _("%(file)s is not a text table or a spreadsheet.") % {"file": path.name},
            _("Choose a .csv, .tsv, .xls, .xlsx or .ods file."),
        )


def find_delimiter(sample: str) -> str | None:
    """The character that splits the sample into the same number of columns, row after row; None: one column.

    Tried: the usual ones and any other punctuation of the first line. Quoted newlines are respected.
    """
    first = next((line for line in sample.splitlines() if line.strip()), "")
    others = {c for c in first if not c.isalnum() and not c.isspace() and c not in "\"'_-./()（）[]#%&*+"}
    best: tuple[float, int, str] | None = None
    for delimiter in [*DELIMITERS, *sorted(others - set(DELIMITERS))]:
        score = _score(sample, delimiter)
        if score and (best is None or (score[0], score[1]) > (best[0], best[1])):
            best = (*score, delimiter)
    return best[2] if best else None


def _score(sample: str, delimiter: str) -> tuple[float, int] | None:
    widths = Counter[int]()
    try:
        for index, row in enumerate(csv.reader(sample.splitlines(keepends=True), delimiter=delimiter)):
            if row:
                widths[len(row)] += 1
            if index >= 400:
                break
    except csv.Error:
        return None
    if not widths:
        return None
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    total = sum(widths.values())
    if width < 2 or count / total < 0.5:
        return None
    steady = round(count / total, 1)  # a few ragged lines must not beat a real delimiter
    return steady, width


def text_rows(
    path: Path, *, encoding: str, delimiter: str | None, limits: Limits
) -> Iterator[tuple[int, int, list[Any]]]:
    """(row number from 1, line of the file, cells) of every row, blank ones too."""
    csv.field_size_limit(limits.cell_characters)
    with path.open(encoding=encoding, newline="") as stream:
        # one column: a delimiter that cannot occur
        reader = csv.reader(stream, delimiter=delimiter or "\x1e", skipinitialspace=True)
        number, line = 0, 1
        try:
            for cells in reader:
                number += 1
                if len(cells) > limits.columns:
                    raise too_wide(path, line, len(cells), limits)
                yield number, line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise refuse(
                path,
                "file.cell",
                _("%(file)s, line %(line)d: a cell has more than %(limit)d characters.")
                % {"file": path.name, "line": line, "limit": limits.cell_characters},
                _('Most often a quotation mark (") was opened and not closed near that line: close it.'),
                reason=str(error),
            ) from error
        except UnicodeError as error:
            raise refuse(
                path,
                "file.encoding",
                _("%(file)s, near line %(line)d: the text is not %(encoding)s.")
                % {"file": path.name, "line": line, "encoding": encoding},
                _("Save it as UTF-8 and choose it again, or name its encoding in the mapping."),
            ) from error
