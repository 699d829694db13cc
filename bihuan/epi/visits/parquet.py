"""Segments as Parquet: the truth, in two sort orders. Written and read by DuckDB."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import ordering
from bihuan.epi.visits.batch import DAY_MINUTES, KINDS, SHORT_MINUTES, Stays
from bihuan.epi.visits.layout import flush_file

#: DuckDB's own group size; smaller groups prune better and compress worse (DuckDB, Performance Guide).
ROW_GROUP = 122_880
#: zstd. With the encodings of version 2 (differences, packed bits) a higher level saves less than 1 %.
_LEVEL = 3
#: Columns with more values than this in a group are packed as numbers, not by a dictionary.
_DICTIONARY = 5_000
_FORM = (
    f"FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd, COMPRESSION_LEVEL {_LEVEL}, "
    f"ROW_GROUP_SIZE {ROW_GROUP}, DICTIONARY_SIZE_LIMIT {_DICTIONARY}, WRITE_BLOOM_FILTER false"
)

_BY_PLACE = ("place", "start", "minutes", "person", "temperature", "how")
_BY_PERSON = ("person", "start", "minutes", "place")
_SQL = {
    "person": "UINTEGER", "place": "UINTEGER", "start": "USMALLINT", "minutes": "USMALLINT",
    "temperature": "TINYINT", "how": "UTINYINT",
}  # fmt: skip


def write(folder: Path, seq: int, day: int, stays: Stays) -> dict[str, list[int]]:
    """Write one segment of a day, durable: short and long stays apart, each by place and by person.

    `stays` come in the order of `ordering.by_place`. Returns file name to [bytes, CRC-32]. `start` is stored
    as the minute of the day.
    """
    long = stays.minutes > SHORT_MINUTES
    written: dict[str, list[int]] = {}
    with duckdb.connect() as db:
        for word, rows in (("short", ~long), ("long", long)):
            if not rows.any():
                continue
            part = stays.take(rows) if long.any() else stays
            columns = {name: getattr(part, name) for name in KINDS}
            columns["start"] = (part.start - day * DAY_MINUTES).astype(np.uint16)
            by_place = {name: columns[name] for name in _BY_PLACE}
            chosen = ordering.by_person(part)
            by_person = {name: columns[name][chosen] for name in _BY_PERSON}
            for order, given in (("place", by_place), ("person", by_person)):
                path = folder / f"{seq:08d}-{word}-{order}.parquet"
                _copy(db, given, path)
                flush_file(path)
                written[path.name] = [path.stat().st_size, checksum(path)]
    return written


def _copy(db: duckdb.DuckDBPyConnection, given: dict[str, NDArray[Any]], path: Path) -> None:
    chosen = ", ".join(f"{name}::{_SQL[name]} AS {name}" for name in given)
    db.execute("SET preserve_insertion_order = true")
    db.execute(f"COPY (SELECT {chosen} FROM given) TO '{_quoted(path)}' ({_FORM})")


def read(paths: Sequence[Path], day: int) -> Stays:
    """The stays of place-ordered files. Raises duckdb.Error or OSError for a damaged one."""
    if not paths:
        return Stays.empty()
    names = ", ".join(f"'{_quoted(p)}'" for p in paths)
    with duckdb.connect() as db:
        found = db.execute(f"SELECT {', '.join(KINDS)} FROM read_parquet([{names}])").fetchnumpy()
    columns = {name: np.ma.getdata(found[name]).astype(kind) for name, kind in KINDS.items()}
    columns["start"] = columns["start"] + np.int32(day * DAY_MINUTES)
    return Stays(**columns)


def checksum(path: Path) -> int:
    """CRC-32 of a file."""
    total = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            total = zlib.crc32(piece, total)
    return total


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
