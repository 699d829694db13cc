"""Rows into files, by the suffix of their name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.tables.files import OFFLINE

SUFFIXES = (".csv", ".parquet", ".json")
#: What a spreadsheet would run as a formula, unless it is just a number.
_FORMULA = re.compile(r"^[=+\-@\t\r|＝＋－＠]")
_NUMBER = re.compile(r"^[+-]?[\d.]+$")


#: Columns by name, and what stands in them: str, int, float, bool or date.
Schema = Mapping[str, type]


def write_rows(rows: Iterable[Mapping[str, Any]], path: str | Path, *, columns: Schema | None = None) -> Path:
    """Write rows as CSV (UTF-8 with mark, for spreadsheets), Parquet or JSON; the file appears whole or not
    at all. Rows must have the same keys. `columns`: what an answer without rows has, and what stands in a
    column where no cell tells. InputError for a table without rows and columns.
    """
    target, found = Path(path), [dict(row) for row in rows]
    check_suffix(target)
    if not found and not columns and target.suffix.lower() != ".json":
        raise InputError(
            f"there are no rows to write to {target.name}", f"没有可写入 {target.name} 的行", field="path"
        )
    part = target.with_name(f".{target.name}.part")
    try:
        if target.suffix.lower() == ".json":
            text = json.dumps([_plain(row) for row in found], ensure_ascii=False, indent=1)
            part.write_text(text + "\n", encoding="utf-8")
        else:
            _by_duckdb(found, part, csv=target.suffix.lower() == ".csv", columns=columns or {})
        part.replace(target)
    except (OSError, duckdb.Error) as error:
        part.unlink(missing_ok=True)
        said = str(error).splitlines()[0]
        raise InputError(
            f"{target} cannot be written: {said}", f"{target} 无法写入：{said}", field="path"
        ) from None
    return target


def check_suffix(path: Path, more: tuple[str, ...] = ()) -> None:
    """InputError unless the name ends as a table (or as one of `more`) does, in a folder that is there."""
    known = (*SUFFIXES, *more)
    if path.suffix.lower() not in known:
        raise InputError(
            f"{path.name} cannot be written: end the name with one of {', '.join(known)}",
            f"{path.name} 无法写入：文件名请以 {'、'.join(known)} 之一结尾",
            field="path",
        )
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", f"没有文件夹 {path.parent}", field="path")


def _by_duckdb(rows: list[dict[str, Any]], part: Path, *, csv: bool, columns: Schema) -> None:
    names = list(rows[0]) if rows else list(columns)
    given = {
        f"c{i}": _column([row.get(name) for row in rows], csv, meant=columns.get(name, str))
        for i, name in enumerate(names)
    }
    heads = ", ".join(f'c{i}{_cast(column)} AS "{_head(name)}"' for (i, name), column in _pairs(names, given))
    where = "'" + str(part).replace("'", "''") + "'"
    with duckdb.connect(":memory:", config=OFFLINE) as connection:
        connection.register("given", given)
        how = "(FORMAT csv, HEADER)" if csv else "(FORMAT parquet, COMPRESSION zstd)"
        connection.execute(f"COPY (SELECT {heads} FROM given) TO {where} {how}")
    if csv:
        part.write_bytes(b"\xef\xbb\xbf" + part.read_bytes())


def _pairs(
    names: list[str], given: dict[str, NDArray[Any]]
) -> Iterable[tuple[tuple[int, str], NDArray[Any]]]:
    return zip(enumerate(names), given.values(), strict=True)


def _head(name: str) -> str:
    return name.replace('"', '""')


#: A column in which no cell is known, by what would stand in it; of texts it is as any other.
_EMPTY: dict[type, Callable[[int], NDArray[Any]]] = {
    bool: lambda n: np.ma.masked_all(n, dtype=bool),
    int: lambda n: np.ma.masked_all(n, dtype=np.int64),
    float: lambda n: np.ma.masked_all(n, dtype=np.float64),
    date: lambda n: np.full(n, np.datetime64("NaT"), dtype="datetime64[s]"),
}


def _cast(column: NDArray[Any]) -> str:
    if column.dtype.kind == "M":
        return "::DATE" if column.dtype == np.dtype("datetime64[s]") else "::TIMESTAMP"
    return "::VARCHAR" if column.dtype == object else ""


def _column(values: list[Any], csv: bool, *, meant: type = str) -> NDArray[Any]:
    known = [value for value in values if value is not None]
    if not known and meant in _EMPTY:
        return _EMPTY[meant](len(values))
    if known and all(isinstance(value, (bool, np.bool_)) for value in known) and len(known) == len(values):
        return np.array(values, dtype=bool)
    if known and len(known) == len(values) and all(isinstance(v, (int, np.integer)) for v in known):
        return np.array(values, dtype=np.int64)
    if known and meant is int and all(isinstance(v, (int, np.integer)) for v in known):
        missing = [value is None for value in values]
        return np.ma.array([value or 0 for value in values], mask=missing, dtype=np.int64)
    if known and all(isinstance(value, (int, float, np.number)) for value in known):
        return np.ma.masked_invalid([np.nan if value is None else float(value) for value in values])
    if known and all(type(value) is date for value in known):
        return np.array([np.datetime64("NaT") if v is None else v for v in values], dtype="datetime64[s]")
    texts = [None if value is None else _text(value) for value in values]
    return np.array([_safe(text) if csv else text for text in texts], dtype=object)


def _text(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _safe(text: str | None) -> str | None:
    return "'" + text if text and _FORMULA.match(text) and not _NUMBER.match(text) else text


def _plain(value: Any) -> Any:
    """What JSON knows: NaN and infinities as null, dates as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
