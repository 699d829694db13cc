"""A batch as a system sends it: the same reading and checking as a file, pseudonymous before it is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.visits import roles
from bihuan.epi.visits.batch import Batch
from bihuan.epi.visits.ingest import FileReader, Part, Rejected, limits
from bihuan.epi.visits.reading import open_rows
from bihuan.epi.visits.spool import in_memory, joined
from bihuan.epi.visits.store import VisitStore


@dataclass(slots=True)
class Received:
    """A batch and what was not taken of it: rows = batch.size + len(rejected) + rows at `strange` places."""

    batch: Batch
    rows: int
    rejected: list[Rejected] = field(default_factory=list)
    strange: Counter[str] = field(default_factory=Counter)
    unread_temperatures: int = 0
    bounded: int = 0
    unknown_how: Counter[str] = field(default_factory=Counter)
    columns: dict[str, str] = field(default_factory=dict)


def receive(
    data: bytes,
    *,
    store: VisitStore,
    key: bytes,
    now: datetime,
    most: int,
    given: Mapping[str, str] | None = None,
    name: str = "body",
) -> Received:
    """Read CSV (also gzipped) or Parquet in `data`, at most `most` rows of it; nothing of it touches a disk.

    Raises InputError when it is no table or has more rows; what it says holds no cell of a person.
    """
    with in_memory(data, name) as path, _utf8_asked(name), open_rows(path) as rows:
        found = roles.find(rows.columns, given or {}, file=name)
        reader = FileReader(rows, found, key, limits(store, now), store.offset)
        parts: list[Part] = []
        for part in reader.parts(most + 1):
            parts.append(part)
            if sum(p.rows for p in parts) > most:
                raise InputError(
                    f"more than {most:,} rows at once; send them in parts, or read the file with "
                    "`bihuan visits ingest`",
                    f"一次不能超过 {most:,} 行；请分批发送，或用 `bihuan visits ingest` 读取文件",
                    field="rows",
                )
        names = {role: rows.columns[at] for role, at in found.items()}
    done = Received(joined([p.batch for p in parts]), sum(p.rows for p in parts), columns=names)
    for part in parts:
        done.rejected += [_named(row, name) for row in part.rejected]
        done.unread_temperatures += part.unread
        done.bounded += part.bounded
        done.unknown_how += part.unknown_how
    return done


@contextmanager
def _utf8_asked(name: str) -> Iterator[None]:
    """What a sender has to do, where a file would be read with another --encoding."""
    try:
        yield
    except InputError as error:
        if error.field != "encoding":
            raise
        raise InputError(
            f"{name}: not in UTF-8; send UTF-8, UTF-16 with its mark, or Parquet. Nothing of it was kept",
            f"{name}：不是 UTF-8 编码；请发送 UTF-8、带标记的 UTF-16 或 Parquet。未保存任何内容",
            field="encoding",
        ) from None


def at_known_places(done: Received, known: Mapping[str, str]) -> Received:
    """Leave out rows at places that are not among `known` (id as sent to id in the store). How many rows were
    left out at each is in `strange`."""
    names = [str(n) for n in _places(done.batch)]
    is_known = np.array([n in known for n in names] or [False])
    chosen = done.batch.place.astype(np.int64)
    good = is_known[chosen]
    often = np.bincount(chosen[~good], minlength=len(names))
    done.strange += Counter({n: int(k) for n, k in zip(names, often, strict=False) if k})
    done.batch = renamed(_taken(done.batch, good), known)
    return done


def renamed(batch: Batch, told: Mapping[str, str]) -> Batch:
    """The same batch with other ids of places; two that become one are one."""
    fresh = [told.get(str(n), str(n)) for n in _places(batch)]
    distinct = {name: i for i, name in enumerate(dict.fromkeys(fresh))}
    numbers = np.array([distinct[n] for n in fresh] or [0], np.int32)
    return Batch(
        batch.event, batch.person_key, numbers[batch.place.astype(np.int64)], batch.start, batch.end,
        batch.temperature, batch.how, np.array([*distinct, ""], dtype=object)[:-1],
    )  # fmt: skip


def _places(batch: Batch) -> NDArray[np.object_]:
    assert batch.place_names is not None
    return batch.place_names


def _taken(batch: Batch, good: NDArray[np.bool_]) -> Batch:
    assert batch.temperature is not None
    assert batch.how is not None
    return Batch(
        batch.event[good], batch.person_key[good], batch.place[good], batch.start[good], batch.end[good],
        batch.temperature[good], batch.how[good], batch.place_names,
    )  # fmt: skip


def _named(row: Rejected, name: str) -> Rejected:
    return Rejected(name, row.row, row.reason, row.column, row.said, row.en, row.zh)
