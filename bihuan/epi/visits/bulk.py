"""The same question asked of the Parquet files, in bulk: for very many cases, and to hold the index to.

One text (`question`), two engines: DuckDB in this process, here; Spark on a cluster, in `spark`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import question
from bihuan.epi.visits.batch import DAY_MINUTES, LONGEST_MINUTES, SHORT_MINUTES
from bihuan.epi.visits.met import NAMES, Met
from bihuan.epi.visits.store import VisitStore
from bihuan.epi.visits.windows import AnyWindows, Windows, checked

#: Files of the truth, each with its day (days since 1970).
Files = Sequence[tuple[Path, int]]


class Machine(Protocol):
    """Something that answers SQL of its dialect about Parquet files."""

    dialect: str

    def windows(self, asked: Windows) -> None:
        """Make `asked` the relation WINDOWS, with the number of each as column c."""

    def stays(self, name: str, files: Files) -> None:
        """Make the stays of files the relation `name`: person, place, a, b."""

    def keep(self, name: str, sql: str) -> None:
        """Make the answer the relation `name`; it is asked for more than once."""

    def rows(self, sql: str, names: Sequence[str]) -> list[NDArray[np.int64]]:
        """The columns called `names` of the answer."""


def meet(store: VisitStore, windows: AnyWindows, *, margin: int = 0) -> Met:
    """`trace.meet`, answered from the truth by DuckDB."""

    def once() -> Met:
        with duckdb.connect() as db:
            return ask(_DuckDB(db), store, windows, margin=margin)

    return store.steadily(once)


def ask(machine: Machine, store: VisitStore, windows: AnyWindows, *, margin: int = 0) -> Met:
    """`trace.meet`, answered from the truth by a machine."""
    asked = checked(windows, margin)
    if not asked.size:
        return Met.nobody()
    since = int(asked.since.min()) - margin - LONGEST_MINUTES
    until = int(asked.until.max()) + margin
    segments = store.segments(since // DAY_MINUTES, until // DAY_MINUTES)
    by_person = [(p, s.day) for s in segments for p in store.files_of(s, "person")]
    if not by_person:
        return Met.nobody()
    sql = question.question(machine.dialect, margin=margin, short=SHORT_MINUTES, long=LONGEST_MINUTES)
    machine.windows(asked)
    machine.stays(question.BY_PERSON, by_person)
    machine.keep(question.VISITS, sql.visits)
    short, long, last = machine.rows(sql.days, ("short", "long", "until"))
    days = {"short": _days(short, last), "long": _days(long, last)}
    by_place = [
        (p, s.day)
        for s in segments
        for p in store.files_of(s, "place")
        if s.day in days["long" if "-long-" in p.name else "short"]
    ]
    if not by_place:
        return Met.nobody()
    machine.stays(question.BY_PLACE, by_place)
    return Met.ranked(machine.rows(sql.met, NAMES))


def _days(first: NDArray[np.int64], last: NDArray[np.int64]) -> set[int]:
    spans = set(zip(first.tolist(), last.tolist(), strict=True))
    return {day for a, b in spans for day in range(a, b + 1)}


class _DuckDB:
    """DuckDB in this process. A file's day is a constant, so that pruning works."""

    dialect = "duckdb"

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db

    def windows(self, asked: Windows) -> None:
        columns: Any = {
            "c": np.arange(asked.size, dtype=np.int64),
            "person": asked.person,
            "since": asked.since,
            "until": asked.until,
        }
        self.db.register(question.WINDOWS, columns)

    def stays(self, name: str, files: Files) -> None:
        parts = [
            f"SELECT person, place, start::INTEGER + {day * DAY_MINUTES} AS a,"
            f" start::INTEGER + {day * DAY_MINUTES} + minutes::INTEGER AS b"
            f" FROM read_parquet('{str(path).replace(chr(39), chr(39) * 2)}')"
            for path, day in files
        ]
        self.db.execute(f"CREATE TEMP VIEW {name} AS {' UNION ALL '.join(parts)}")

    def keep(self, name: str, sql: str) -> None:
        self.db.execute(f"CREATE TEMP TABLE {name} AS {sql}")

    def rows(self, sql: str, names: Sequence[str]) -> list[NDArray[np.int64]]:
        found = self.db.execute(sql).fetchnumpy()
        return [np.ma.getdata(found[name]).astype(np.int64) for name in names]
