"""A file of visits as a stream of UTF-8 CSV: no copy on the disk, little in memory."""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import duckdb

from bihuan.epi.errors import InputError
from bihuan.epi.tables.files import DELIMITERS, OFFLINE, broken, first_bytes

BLOCK = 1 << 22
_HEAD = 1 << 20  # bytes within which the header has to end


@dataclass(frozen=True, slots=True)
class Rows:
    """An opened file. `read` gives the next bytes behind the header, none at the end; `header` is the row the
    header stands in (0 in Parquet)."""

    path: Path
    columns: tuple[str, ...]
    delimiter: str
    header: int
    read: Callable[[], bytes]


@contextmanager
def open_rows(path: Path, *, encoding: str = "") -> Iterator[Rows]:
    """Open CSV (comma, semicolon, tab or bar; UTF-8, UTF-16 with its mark, or `encoding`; also gzipped) or
    Parquet."""
    head = first_bytes(path)
    if head.startswith(b"PAR1"):
        with _parquet(path) as read:
            yield _behind_header(path, read, is_parquet=True)
        return
    zipped = head.startswith(b"\x1f\x8b")
    with cast(IO[bytes], gzip.open(path, "rb") if zipped else path.open("rb")) as file:
        yield _behind_header(path, _decoded(path, file, encoding), is_parquet=False)


def _decoded(path: Path, file: IO[bytes], encoding: str) -> Callable[[], bytes]:
    """Blocks of a text file as UTF-8; InputError names the row that is in another encoding."""
    first = _block(path, file)
    told = encoding or ("utf-16" if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8")
    try:
        decoder = codecs.getincrementaldecoder(told)()
        is_utf8 = codecs.lookup(told).name in ("utf-8", "utf-8-sig", "ascii")
    except LookupError:
        raise InputError(
            f"no encoding is called {told!r}; usual ones are utf-8, gb18030, utf-16, cp1252",
            f"没有名为 {told!r} 的编码；常用的有 utf-8、gb18030、utf-16、cp1252",
            field="encoding",
        ) from None
    waiting, lines, over = [first], 0, False

    def read() -> bytes:
        nonlocal lines, over
        while not over:
            block = waiting.pop() if waiting else _block(path, file)
            over = not block
            if is_utf8 and block.isascii() and not decoder.getstate()[0]:
                lines += block.count(b"\n")
                return block
            try:
                text = decoder.decode(block, final=over)
            except UnicodeDecodeError as error:
                row = lines + bytes(error.object[: error.start]).count(b"\n") + 1
                raise _not_in(path, told, row) from None
            whole = text.encode()  # what the decoder holds back at the end of a block comes with the next
            lines += whole.count(b"\n")
            if whole:
                return whole
        return b""

    return read


def _block(path: Path, file: IO[bytes]) -> bytes:
    try:
        return file.read(BLOCK)
    except (EOFError, OSError) as error:
        raise InputError(
            f"{path.name} is broken: {error}", f"{path.name} 已损坏：{error}", field="path"
        ) from None


def _not_in(path: Path, told: str, row: int) -> InputError:
    return InputError(
        f"row {row} of {path.name} is not in {told}; name its encoding with --encoding "
        "(Chinese Excel: gb18030; Western Excel: cp1252). What was read before stays; read the file again",
        f"{path.name} 第 {row} 行不是 {told} 编码；请用 --encoding 指明编码（中文 Excel 常为 gb18030）。"
        "此前读入的保留；请重新读取该文件",
        field="encoding",
    )


def _behind_header(path: Path, read: Callable[[], bytes], *, is_parquet: bool) -> Rows:
    held = b""
    while b"\n" not in held.lstrip() and len(held) < _HEAD and (more := read()):
        held += more
    held = held.removeprefix(codecs.BOM_UTF8)
    skipped = len(held) - len(held.lstrip(b"\r\n"))
    blank = held[:skipped].count(b"\n")
    line, _sign, rest = held[skipped:].partition(b"\n")
    text = line.decode("utf-8", "replace").rstrip("\r")
    delimiter = max(DELIMITERS, key=text.count)
    if "\r" in text:
        raise InputError(
            f"the lines of {path.name} end with a carriage return alone, as on old Macs; save it with usual "
            "line ends (Unix or Windows) and give that",
            f"{path.name} 的各行仅以回车符结尾（旧式 Mac 文本）；请以 Unix 或 Windows 换行符另存后再读取",
            field="path",
        )
    names = _names(text, delimiter)
    if not names or "\0" in text:
        raise InputError(
            f"{path.name} is no table; give CSV (also gzipped) or Parquet",
            f"{path.name} 不是表格；请提供 CSV（可为 gzip）或 Parquet",
            field="path",
        )
    waiting = [rest] if rest else []

    def rest_of() -> bytes:
        return waiting.pop() if waiting else read()

    return Rows(path, names, delimiter, 0 if is_parquet else blank + 1, rest_of)


def _names(header: str, delimiter: str) -> tuple[str, ...]:
    """The names of the columns; none where the line is no header."""
    try:
        cells = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:  # a cell without an end
        return ()
    return tuple(name.strip() or f"column {i}" for i, name in enumerate(cells, 1))


@contextmanager
def _parquet(path: Path) -> Iterator[Callable[[], bytes]]:
    """Parquet as CSV through a pipe; DuckDB writes at one end while the other is read."""
    ours, theirs = os.pipe()
    failed: list[duckdb.Error] = []

    def write() -> None:
        quoted = glob.escape(str(path)).replace("'", "''")
        try:
            with duckdb.connect(":memory:", config=OFFLINE) as db:
                db.execute(
                    f"COPY (SELECT * FROM read_parquet('{quoted}')) TO '/dev/fd/{theirs}' "
                    "(FORMAT csv, HEADER true, DELIMITER ',', USE_TMP_FILE false)"
                )
        except duckdb.Error as error:
            failed.append(error)
        finally:
            os.close(theirs)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    file = os.fdopen(ours, "rb")

    def read() -> bytes:
        block = file.read(BLOCK)
        if not block and failed:
            raise broken(path, failed[0])
        return block

    try:
        yield read
    finally:
        file.close()
        thread.join()
