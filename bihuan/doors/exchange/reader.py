"""Files to rows: CSV and TSV in any encoding and delimiter met, XLS, XLSX, ODS.

`open_table(path)` answers with a `Table`: headers, what was recognized, and an iterator over rows. Text
files are streamed; spreadsheets are read by a capped child process. Nothing here knows about cases.
Every refusal is a `FileRefused` that names the file, the rule, and what to do.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from bihuan.epi.tables.called import by_name

from .errors import FileRefused
from .limits import LIMITS, Limits

Cell = str | int | float | bool | dt.date | dt.datetime | dt.time | None

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
DELIMITERS = ",\t;|，；:^~\x1f\x01"
HEADER_SEARCH = 25  # rows looked at for the header
SNIFF_BYTES = 256 * 1024
_FORMULA = re.compile(r"^[\s\u3000]*[=+\-@＝＋－＠\t\r|]")
_PLAIN_NUMBER = re.compile(r"^[+-]?\d+([.,]\d+)?%?$")


@dataclass(frozen=True)
class FileHints:
    """What a mapping may say about the file when recognition is not enough. None: recognize."""

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int | None = None  # 1 is the first line of the file


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
            _text_rows(
                self.path, encoding=self.encoding or "utf-8", delimiter=self.delimiter, limits=self.limits
            )
            if self.kind == "csv"
            else _sheet_rows(self.path, sheet=self.sheet, limits=self.limits)[1]
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
    kind = _kind(path, limits)
    if kind == "csv":
        return _open_text(path, hints, limits)
    return _open_sheet(path, kind, hints, limits)


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


# --- what kind of file ------------------------------------------------------------------------------


def _refuse(path: Path, rule: str, message: Any, hint: Any, **details: Any) -> FileRefused:
    return FileRefused(rule=rule, message=message, hint=hint, file=path.name, **details)


def _kind(path: Path, limits: Limits) -> str:
    if not path.is_file():
        raise _refuse(
            path,
            "file.exists",
            _("%(file)s is not a file.") % {"file": path.name},
            _("Check the path and name."),
        )
    size = path.stat().st_size
    if size == 0:
        raise _refuse(
            path,
            "file.empty",
            _("%(file)s is empty.") % {"file": path.name},
            _("Export the list again and choose that file."),
        )
    if size > limits.file_bytes:
        raise _refuse(
            path,
            "file.size",
            _("%(file)s has %(size)d MB; at most %(limit)d MB are read.")
            % {"file": path.name, "size": size // 2**20, "limit": limits.file_bytes // 2**20},
            _("Split the list into several files."),
        )
    with path.open("rb") as stream:
        start = stream.read(8)
    if start.startswith(b"PK\x03\x04"):
        return _zip_kind(path, limits)
    if start == OLE:
        return _ole_kind(path)
    if start.startswith(b"PK"):
        raise _damaged(path)
    return "csv"


def _damaged(path: Path, text: str = "") -> FileRefused:
    return _refuse(
        path,
        "file.damaged",
        _("%(file)s is damaged or not a spreadsheet.") % {"file": path.name},
        _("Open it in a spreadsheet program, save it again as .xlsx or .csv, and choose the new file."),
        reason=by_name(text, path)[:200],
    )


def _locked(path: Path) -> FileRefused:
    return _refuse(
        path,
        "file.password",
        _("%(file)s is protected by a password.") % {"file": path.name},
        _("Remove the password (File > Info > Protect) and save it again."),
    )


def _ole_kind(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(4 * 1024 * 1024)
    if ENCRYPTED_PACKAGE in head:
        raise _locked(path)
    return "xls"


def _zip_kind(path: Path, limits: Limits) -> str:
    """Looks into the archive before anything parses it; unpacks every entry only to count its bytes."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > limits.zip_entries:
                raise _bomb(path, _("it holds %(n)d parts") % {"n": len(entries)})
            if sum(e.file_size for e in entries) > limits.unpacked_bytes:
                raise _bomb(
                    path, _("it unpacks to more than %(n)d MB") % {"n": limits.unpacked_bytes // 2**20}
                )
            if any(e.flag_bits & 1 for e in entries):
                raise _locked(path)
            names = {e.filename for e in entries}
            kind = _package_kind(archive, names)
            if kind is None:
                raise _refuse(
                    path,
                    "file.kind",
                    _("%(file)s is a ZIP archive, not a spreadsheet.") % {"file": path.name},
                    _("Unpack it and choose the list inside."),
                )
            _weigh(path, archive, entries, limits)
            _check_extent(path, archive, kind, names, limits)
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        EOFError,
        OSError,
        UnicodeError,
        KeyError,
    ) as error:
        raise _damaged(path, str(error)) from error
    return kind


def _package_kind(archive: zipfile.ZipFile, names: set[str]) -> str | None:
    if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
        return "xlsx"
    if "content.xml" in names and "mimetype" in names:
        with archive.open("mimetype") as stream:
            return "ods" if b"spreadsheet" in stream.read(200) else None
    return None


def _bomb(path: Path, why: Any) -> FileRefused:
    return _refuse(
        path,
        "file.bomb",
        _("%(file)s is refused: %(why)s.") % {"file": path.name, "why": why},
        _("Save only the sheet with the list, as .csv, and choose that file."),
    )


def _weigh(path: Path, archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo], limits: Limits) -> None:
    """Counts what really comes out of the packed parts; headers of a bomb may lie."""
    packed = sum(e.compress_size for e in entries) or 1
    total = 0
    with path.open("rb") as stream:
        for entry in entries:
            for piece in _inflate(stream, entry):
                total += len(piece)
                if total > limits.unpacked_bytes:
                    raise _bomb(
                        path, _("it unpacks to more than %(n)d MB") % {"n": limits.unpacked_bytes // 2**20}
                    )
                if total > limits.ratio_floor and total / packed > limits.unpacked_ratio:
                    raise _bomb(
                        path, _("it unpacks to more than %(n)d times its size") % {"n": limits.unpacked_ratio}
                    )


def _inflate(stream: Any, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The unpacked bytes of one entry in pieces of at most 1 MB, without trusting its declared size."""
    stream.seek(entry.header_offset)
    header = stream.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("local header missing")
    stream.seek(
        int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR
    )
    left = entry.compress_size
    if entry.compress_type == zipfile.ZIP_STORED:
        while left > 0 and (piece := stream.read(min(left, 1 << 20))):
            left -= len(piece)
            yield piece
        return
    if entry.compress_type != zipfile.ZIP_DEFLATED:
        raise zipfile.BadZipFile(f"packing method {entry.compress_type}")
    machine = zlib.decompressobj(-15)
    while left > 0 and (piece := stream.read(min(left, 1 << 16))):
        left -= len(piece)
        while piece:
            yield machine.decompress(piece, 1 << 20)
            piece = machine.unconsumed_tail
    yield machine.flush()


_CELL_REF = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,4})(\d{1,8})"')
_REPEATED = re.compile(
    rb"<table:table-(row|cell|covered-table-cell)\b([^>]*)>", re.S
)  # ODS says "this cell, a million times" in one element
_TIMES = re.compile(rb'number-(?:rows|columns)-repeated="(\d+)"')


def _check_extent(path: Path, archive: zipfile.ZipFile, kind: str, names: set[str], limits: Limits) -> None:
    """A single cell in the last corner makes a parser reserve the whole sheet: look before parsing."""
    if kind == "xlsx":
        for name in sorted(n for n in names if re.fullmatch(r"xl/worksheets/[^/]+\.xml", n)):
            rows, columns = _xlsx_extent(archive, name)
            if rows * columns > limits.cells_in_sheet or columns > 16_384 or rows > limits.sheet_rows:
                raise _bomb(path, _("a sheet spans %(r)d rows and %(c)d columns") % {"r": rows, "c": columns})
    else:
        cells = _ods_extent(archive)
        if cells > limits.cells_in_sheet:
            raise _bomb(path, _("a sheet repeats filled cells %(n)d times") % {"n": cells})


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


# --- text files -------------------------------------------------------------------------------------


def _open_text(path: Path, hints: FileHints, limits: Limits) -> Table:
    encoding = hints.encoding or find_encoding(path)
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise _refuse(
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
    first = list(
        _take(_text_rows(path, encoding=encoding, delimiter=delimiter, limits=limits), HEADER_SEARCH)
    )
    number, headers, notes = _find_header(path, first, hints, limits)
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


def _take(rows: Iterator[tuple[int, int, list[Any]]], n: int) -> Iterator[tuple[int, int, list[Any]]]:
    for index, row in enumerate(rows):
        if index >= n:
            return
        yield row


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
        raise _refuse(
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


def _text_rows(
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
                    raise _too_wide(path, line, len(cells), limits)
                yield number, line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise _refuse(
                path,
                "file.cell",
                _("%(file)s, line %(line)d: a cell has more than %(limit)d characters.")
                % {"file": path.name, "line": line, "limit": limits.cell_characters},
                _('Most often a quotation mark (") was opened and not closed near that line: close it.'),
                reason=str(error),
            ) from error
        except UnicodeError as error:
            raise _refuse(
                path,
                "file.encoding",
                _("%(file)s, near line %(line)d: the text is not %(encoding)s.")
                % {"file": path.name, "line": line, "encoding": encoding},
                _("Save it as UTF-8 and choose it again, or name its encoding in the mapping."),
            ) from error


def _too_wide(path: Path, line: int, n: int, limits: Limits) -> FileRefused:
    return _refuse(
        path,
        "file.columns",
        _("%(file)s, line %(line)d has %(n)d columns; at most %(limit)d are read.")
        % {"file": path.name, "line": line, "n": n, "limit": limits.columns},
        _("Keep only the columns of the list, or name the right delimiter in the mapping."),
    )


# --- spreadsheets -----------------------------------------------------------------------------------


def _open_sheet(path: Path, kind: str, hints: FileHints, limits: Limits) -> Table:
    info, rows = _sheet_rows(path, sheet=hints.sheet, limits=limits)
    first = list(_take(rows, HEADER_SEARCH))
    rows.close()  # type: ignore[attr-defined]
    number, headers, notes = _find_header(path, first, hints, limits)
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


def _sheet_rows(
    path: Path, *, sheet: str | None, limits: Limits
) -> tuple[dict[str, Any], Iterator[tuple[int, int, list[Any]]]]:
    """Facts about the book, and its rows from a child process that can do no harm when it falls."""
    child = subprocess.Popen(
        [
            sys.executable,
            "-I",
            str(Path(__file__).with_name("sheet_child.py")),
            str(path.resolve()),
            sheet or "",
            str(limits.sheet_memory_bytes),
            str(limits.sheet_cpu_seconds),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
    )
    assert child.stdout is not None
    line = child.stdout.readline()
    info = _answer(path, line, child)

    def rows() -> Iterator[tuple[int, int, list[Any]]]:
        number, ended = 0, False
        assert child.stdout is not None
        try:
            for text in child.stdout:
                row = _answer(path, text, child)
                if isinstance(row, dict):
                    ended = True
                    break
                number += 1
                while row and row[-1] in ("", None):
                    row.pop()
                if len(row) > limits.columns:
                    raise _too_wide(path, number, len(row), limits)
                yield number, number, [_revive(c) if isinstance(c, dict) else c for c in row]
            if not ended:
                raise _damaged(path, "the reader stopped early")
        finally:
            child.stdout.close()
            if child.poll() is None:
                child.kill()
            child.wait()

    return info, rows()


def _answer(path: Path, line: bytes, child: subprocess.Popen[bytes]) -> Any:
    try:
        answer = json.loads(line) if line else {"error": "damaged", "text": "the reader fell"}
    except ValueError:
        answer = {"error": "damaged", "text": "the reader was cut off"}
    if isinstance(answer, dict) and "error" in answer:
        if child.poll() is None:
            child.kill()
        child.wait()
        if answer["error"] == "password":
            raise _locked(path)
        if answer["error"] == "memory":
            raise _bomb(path, _("it needs more memory than is allowed"))
        if answer["error"] == "sheet":
            raise _refuse(
                path,
                "file.sheet",
                _("%(file)s has no sheet of that name.") % {"file": path.name},
                _("Its sheets are: %(names)s.") % {"names": answer["text"]},
            )
        raise _damaged(path, answer["text"])
    return answer


def _revive(cell: dict[str, str]) -> Cell:
    if "d" in cell:
        text = cell["d"]
        return dt.datetime.fromisoformat(text) if "T" in text else dt.date.fromisoformat(text)
    return cell.get("t", "")


# --- the header -------------------------------------------------------------------------------------


def _find_header(
    path: Path, first: Sequence[tuple[int, int, list[Any]]], hints: FileHints, limits: Limits
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """The row that names the columns: the first one that fills most of the table's width with words."""
    rows = [(n, cells) for n, _line, cells in first]
    if not any(any(_text(c) for c in cells) for _n, cells in rows):
        raise _refuse(
            path,
            "file.empty",
            _("%(file)s has no rows.") % {"file": path.name},
            _("Choose the sheet or file that holds the list."),
        )
    if hints.header_row:
        chosen = next(((n, cells) for n, cells in rows if n == hints.header_row), None)
        if chosen is None:
            raise _refuse(
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
