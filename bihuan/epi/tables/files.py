"""Opening a file as a table of texts: its kind, its encoding, its columns, and which row is which."""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import duckdb
import numpy as np

from bihuan.epi.errors import InputError
from bihuan.epi.tables.called import by_name

#: Larger files are refused: they belong into Parquet, or counted beforehand.
LIMIT_BYTES = 4_000_000_000
LIMIT_JSON_BYTES = 300_000_000
LIMIT_COLUMNS = 20_000
BLOCK = 1 << 20
DELIMITERS = (",", ";", "\t", "|")
OFFICE = {b"PK\x03\x04": "a spreadsheet or zip file", b"\xd0\xcf\x11\xe0": "an old spreadsheet (.xls)"}
PACKED = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2", b"7z\xbc\xaf": "7-Zip"}
OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@dataclass(frozen=True, slots=True)
class Table:
    """An opened file. `source` is what stands after FROM, with columns c0, c1, … in the order of `columns`
    and r, the number of the record; it lives as long as the context of `open_table`.
    """

    path: Path
    columns: tuple[str, ...]
    connection: duckdb.DuckDBPyConnection
    source: str
    text: Path | None = None
    delimiter: str = ","
    across: tuple[str, ...] = ()  # the columns that stand below each other, see `stacked`

    def position(self, name: str) -> int:
        """Where the column called `name` stands; InputError names those there are."""
        if name in self.columns:
            return self.columns.index(name)
        folded = [column.strip().casefold() for column in self.columns]
        if folded.count(name.strip().casefold()) == 1:
            return folded.index(name.strip().casefold())
        known = ", ".join(self.columns[:12])
        raise InputError(
            f"{self.path.name} has no column {name!r}; it has {known}",
            f"{self.path.name} 没有名为 {name!r} 的列；现有 {known}",
            field="column",
        )

    def row(self, record: int) -> int:
        """The row a spreadsheet shows for a record (the header is row 1, empty lines count too)."""
        if self.text is None:
            return record + (0 if self.path.suffix == ".parquet" else 1)
        with self.text.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter)
            filled = (number for number, cells in enumerate(reader, start=1) if cells)
            return next((number for i, number in enumerate(filled) if i == record), record + 1)


#: Columns of a stacked table: the number of the column a cell came from, and the cell. No file names so.
COLUMN, CELL = "\0column", "\0cell"


def stacked(table: Table, names: Sequence[str]) -> Table:
    """The columns `names` below each other: one row a cell, beside the other columns; empty cells too."""
    n = len(table.columns)
    places = [f"c{table.position(name)}" for name in names]
    source = (
        f"(SELECT * REPLACE (substr(c{n}, 2) AS c{n}) FROM {table.source} "
        f"UNPIVOT INCLUDE NULLS (c{n + 1} FOR c{n} IN ({', '.join(places)})))"
    )
    return replace(table, columns=(*table.columns, COLUMN, CELL), source=source, across=table.columns)


@contextmanager
def open_table(path: str | Path, *, encoding: str | None = None) -> Iterator[Table]:
    """Open CSV (comma, semicolon, tab or bar; UTF-8, UTF-16 with its mark, or `encoding`; also gzipped),
    Parquet, or JSON (a list of objects, or one object a line).
    """
    file = path if isinstance(path, Path) else Path(path)  # one that is called otherwise stays so
    kind, head = _kind(file)
    with duckdb.connect(":memory:", config=OFFLINE) as connection, tempfile.TemporaryDirectory() as folder:
        if kind == "parquet":
            yield _parquet(file, connection)
        elif kind == "json":
            yield _json(file, connection, encoding)
        else:
            yield _csv(file, connection, _as_utf8(file, head, encoding, Path(folder)))


def _kind(path: Path) -> tuple[str, bytes]:
    if not path.is_file():
        raise InputError(f"{path} is not a file", f"{path} 不是文件", field="path")
    head = first_bytes(path)
    if path.stat().st_size > LIMIT_BYTES:
        raise _too_large(path, LIMIT_BYTES)
    name = path.name.lower()
    if head.startswith(b"PAR1"):
        return "parquet", head
    if name.endswith(".parquet"):
        raise InputError(f"{path.name} is not Parquet", f"{path.name} 不是 Parquet 文件", field="path")
    plain = name.removesuffix(".gz")
    return ("json" if plain.endswith((".json", ".ndjson", ".jsonl")) else "csv"), head


def first_bytes(path: Path) -> bytes:
    """The first eight bytes of a file. InputError when it cannot be read, is empty, a spreadsheet, or packed
    otherwise than by gzip."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read: {error.strerror}",
            f"{path.name} 无法读取：{error.strerror}",
            field="path",
        ) from None
    if not head:
        raise InputError(f"{path.name} is empty", f"{path.name} 是空文件", field="path")
    for magic, what in OFFICE.items():
        if head.startswith(magic):
            raise InputError(
                f"{path.name} is {what}; save the sheet as CSV (UTF-8) and give that",
                f"{path.name} 是电子表格或压缩文件；请另存为 CSV（UTF-8）后再读取",
                field="path",
            )
    for magic, what in PACKED.items():
        if head.startswith(magic):
            raise InputError(
                f"{path.name} is packed with {what}; unpack it, or pack it with gzip, and give that",
                f"{path.name} 是 {what} 压缩文件；请解压，或改用 gzip 压缩后再读取",
                field="path",
            )
    return head


def _too_large(path: Path, limit: int) -> InputError:
    size = f"{limit / 1e9:g} GB"
    return InputError(
        f"{path.name} holds more than {size}; count the cases beforehand, or split it",
        f"{path.name} 超过 {size}；请先汇总计数或拆分文件",
        field="path",
    )


# --- CSV ---------------------------------------------------------------------------------------------


def _as_utf8(path: Path, head: bytes, encoding: str | None, folder: Path) -> Path:
    """The file itself when it is plain UTF-8, else a copy that is. Every byte is looked at."""
    zipped = head.startswith(b"\x1f\x8b")
    told = _encoding(head, encoding, path, zipped=zipped)
    copy = folder / "table.csv" if zipped or told not in ("utf-8", "utf-8-sig") else None
    lines = total = 0
    decoder = codecs.getincrementaldecoder(told)()
    with _bytes(path, zipped) as file, (copy or folder / "unused").open("w", encoding="utf-8") as out:
        try:
            while block := file.read(BLOCK):
                total += len(block)
                if total > LIMIT_BYTES:
                    raise _too_large(path, LIMIT_BYTES)
                text = decoder.decode(block)
                if "\0" in text:
                    raise _binary(path)
                if copy:
                    out.write(text)
                lines += text.count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            wrong = bytes(error.object[: error.start]).decode(told, "replace").count("\n")
            raise _not_in(path, told, lines + wrong + 1, error) from None
        except (EOFError, gzip.BadGzipFile, OSError) as error:
            raise InputError(
                f"{path.name} is broken: {error}", f"{path.name} 已损坏：{error}", field="path"
            ) from None
    return copy or path


def _encoding(head: bytes, encoding: str | None, path: Path, *, zipped: bool) -> str:
    if encoding:
        try:
            return codecs.lookup(encoding).name
        except LookupError:
            raise InputError(
                f"no encoding is called {encoding!r}; usual ones are utf-8, gb18030, utf-16, cp1252",
                f"没有名为 {encoding!r} 的编码；常用的有 utf-8、gb18030、utf-16、cp1252",
                field="encoding",
            ) from None
    if zipped:
        with _bytes(path, zipped) as file:
            try:
                head = file.read(4)
            except (EOFError, OSError):
                return "utf-8"
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"


def _bytes(path: Path, zipped: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb") if zipped else path.open("rb"))


def _binary(path: Path) -> InputError:
    return InputError(
        f"{path.name} is not a text file; give CSV, Parquet or JSON",
        f"{path.name} 不是文本文件；请提供 CSV、Parquet 或 JSON",
        field="path",
    )


def _not_in(path: Path, told: str, row: int, error: UnicodeDecodeError) -> InputError:
    if 0 in error.object[:4096]:
        return _binary(path)
    return InputError(
        f"row {row} of {path.name} is not in {told}; save the file as UTF-8, or name its encoding "
        "(Chinese Excel: gb18030; Western Excel: cp1252)",
        f"{path.name} 第 {row} 行不是 {told} 编码；请将文件存为 UTF-8，或指明编码（中文 Excel 常为 gb18030）",
        field="encoding",
    )


def _csv(path: Path, connection: duckdb.DuckDBPyConnection, text: Path) -> Table:
    heads, delimiter, skip = _header(path, text)
    names = _named(path, heads)
    types = "{" + ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(names))) + "}"
    where = _literal(glob.escape(str(text)))
    source = (
        f"(SELECT row_number() OVER () AS r, * FROM read_csv({where}, columns = {types}, "
        f"auto_detect = false, header = true, skip = {skip}, delim = {_literal(delimiter)}, "
        "quote = '\"', escape = '\"', strict_mode = true))"
    )
    return Table(path, names, connection, source, text, delimiter)


def _header(path: Path, text: Path) -> tuple[list[str], str, int]:
    """The names of the columns, the delimiter, and how many empty lines stand before."""
    with text.open(encoding="utf-8-sig", newline="") as file:
        skip = 0
        first = file.readline(BLOCK)
        while first and not first.strip():
            skip += 1
            first = file.readline(BLOCK)
    delimiter = max(DELIMITERS, key=first.count)
    heads = next(csv.reader([first], delimiter=delimiter), [])
    if not any(head.strip() for head in heads):
        raise InputError(f"{path.name} holds no rows", f"{path.name} 没有数据行", field="path")
    return heads, delimiter, skip


def _named(path: Path, heads: list[str]) -> tuple[str, ...]:
    if len(heads) > LIMIT_COLUMNS:
        raise InputError(
            f"{path.name} has {len(heads)} columns; at most {LIMIT_COLUMNS} can be read",
            f"{path.name} 有 {len(heads)} 列；最多可读 {LIMIT_COLUMNS} 列",
            field="column",
        )
    names = [head.strip() or f"column {i}" for i, head in enumerate(heads, start=1)]
    twice = (
        next((name for i, name in enumerate(names) if name in names[:i]), None) if _repeats(names) else None
    )
    if twice:
        raise InputError(
            f"{path.name} has two columns called {twice!r}; rename one",
            f"{path.name} 有两列都叫 {twice!r}；请改名",
            field="column",
        )
    return tuple(names)


def _repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# --- Parquet and JSON ----------------------------------------------------------------------------------


def _parquet(path: Path, connection: duckdb.DuckDBPyConnection) -> Table:
    where = f"read_parquet({_literal(glob.escape(str(path)))})"
    try:
        found = connection.execute(f"DESCRIBE SELECT * FROM {where}").fetchall()
    except duckdb.Error as error:
        raise broken(path, error) from None
    names = _named(path, [str(row[0]) for row in found])
    alias = ", ".join(f"c{i}" for i in range(len(names)))
    casts = ", ".join(f"CAST(c{i} AS VARCHAR) AS c{i}" for i in range(len(names)))
    source = f"(SELECT row_number() OVER () AS r, {casts} FROM {where} AS t({alias}))"
    return Table(path, names, connection, source)


def _json(path: Path, connection: duckdb.DuckDBPyConnection, encoding: str | None) -> Table:
    records = _records(path, encoding)
    names = _named(path, list(dict.fromkeys(str(key) for record in records for key in record)))
    columns: dict[str, Any] = {"r": np.arange(1, len(records) + 1)}
    for i, name in enumerate(names):
        cells = [record.get(name) for record in records]
        columns[f"c{i}"] = np.array([None if cell is None else str(cell) for cell in cells], dtype=object)
    connection.register("given", columns)
    casts = ", ".join(f"CAST(c{i} AS VARCHAR) AS c{i}" for i in range(len(names)))
    return Table(path, names, connection, f"(SELECT r, {casts} FROM given)")


def _records(path: Path, encoding: str | None) -> list[dict[str, Any]]:
    zipped = path.name.lower().endswith(".gz")
    try:
        with _bytes(path, zipped) as file:
            data = file.read(LIMIT_JSON_BYTES + 1)
        if len(data) > LIMIT_JSON_BYTES:
            raise _too_large(path, LIMIT_JSON_BYTES)
        text = data.decode(encoding or "utf-8-sig")
        found = json.loads(text) if text.lstrip().startswith("[") else _lines(text)
    except (ValueError, LookupError, OSError, EOFError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path.name} is not JSON that can be read: {error}",
            f"{path.name} 不是可读取的 JSON：{error}",
            field="path",
        ) from None
    wrong = next((i for i, record in enumerate(found, start=1) if not isinstance(record, dict)), None)
    if wrong or not found:
        at = f"; entry {wrong} is not" if wrong else ""
        raise InputError(
            f"{path.name} must be a list of objects, one a row{at}",
            f"{path.name} 应为对象列表，每行一个对象" + (f"；第 {wrong} 项不是" if wrong else ""),
            field="path",
        )
    return found


def _lines(text: str) -> list[Any]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return found


def broken(path: Path, error: duckdb.Error) -> InputError:
    """What DuckDB says of a file, with the row and what to look for."""
    said = by_name(str(error), path)
    line = re.search(r"CSV Error on Line: (\d+)", said)
    wanted = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", said)
    en_at, zh_at = (f"row {line[1]} of ", f"第 {line[1]} 行") if line else ("", "")
    if wanted:
        return InputError(
            f"{en_at}{path.name} has {wanted[2]} cells where the header has {wanted[1]}; "
            "put texts that hold the delimiter into double quotes, and fill in missing cells",
            f"{path.name} {zh_at}有 {wanted[2]} 个单元格，表头为 {wanted[1]} 个；"
            "含分隔符的文字请加双引号，缺少的单元格请补上",
            field="row",
        )
    if "quote" in said.lower():
        en, zh = "has a quotation mark that is not closed", "引号未闭合"
    elif "maximum line size" in said.lower():
        en, zh = "is too long for one row; is it a text file with line ends?", "过长；请确认文件按行分隔"
    else:
        en, zh = f"cannot be read: {said.splitlines()[0]}", f"无法读取：{said.splitlines()[0]}"
    return InputError(f"{en_at}{path.name} {en}", f"{path.name} {zh_at}{zh}", field="row")
