"""Segments as Parquet: the truth, in two sort orders. Written and read by DuckDB."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits.batch import DAY_MINUTES, KINDS, SHORT_MINUTES, Stays
from bihuan.epi.visits.layout import flush_file

#: DuckDB's own group size; smaller groups prune better and compress worse (DuckDB, Performance Guide).
ROW_GROUP = 122_880
_LEVEL = 9  # zstd; a segment is written once and read for weeks

_BY_PLACE = "place, start, minutes, person, temperature, how"
_BY_PERSON = "person, start, minutes, place"
_SQL = {
    "person": "UINTEGER", "place": "UINTEGER", "start": "USMALLINT", "minutes": "USMALLINT",
    "temperature": "TINYINT", "how": "UTINYINT",
}  # fmt: skip


def write(folder: Path, seq: int, day: int, stays: Stays) -> dict[str, list[int]]:
    """Write one segment of a day, durable: short and long stays apart, each by place and by person.

    Returns file name to [bytes, CRC-32]. `start` is stored as the minute of the day.
    """
    long = stays.minutes > SHORT_MINUTES
    written: dict[str, list[int]] = {}
    with duckdb.connect() as db:
        for word, rows in (("short", ~long), ("long", long)):
            if not rows.any():
                continue
            part = stays.take(rows)
            columns = {name: getattr(part, name) for name in KINDS}
            columns["start"] = part.start - day * DAY_MINUTES
            for order, names, keys in (
                ("place", _BY_PLACE, (part.person, part.start, part.place)),
                ("person", _BY_PERSON, (part.place, part.start, part.person)),
            ):
                path = folder / f"{seq:08d}-{word}-{order}.parquet"
                sorted_ = np.lexsort(keys)
                _copy(db, {n: columns[n][sorted_] for n in names.split(", ")}, path)
                flush_file(path)
                written[path.name] = [path.stat().st_size, checksum(path)]
    return written


def _copy(db: duckdb.DuckDBPyConnection, given: dict[str, NDArray[Any]], path: Path) -> None:
    chosen = ", ".join(f"{name}::{_SQL[name]} AS {name}" for name in given)
    db.execute("SET preserve_insertion_order = true")
    db.execute(
        f"COPY (SELECT {chosen} FROM given) TO '{_quoted(path)}' "
        f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {_LEVEL}, ROW_GROUP_SIZE {ROW_GROUP})"
    )


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
