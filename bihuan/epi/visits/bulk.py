"""The same question asked of the Parquet files by DuckDB: for very many cases, and to hold the index to.

Two phases, never a plain join on place: first the visits of the cases, which name the places and the hours
that matter; then the stays at those places, joined on (place, hour) so that each meets only its neighbors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np

from bihuan.epi.visits.batch import DAY_MINUTES, LONGEST_MINUTES, SHORT_MINUTES
from bihuan.epi.visits.met import NAMES, Met
from bihuan.epi.visits.store import VisitStore
from bihuan.epi.visits.windows import AnyWindows, checked

_BIN = 60  # minutes: stays are joined by the hours they touch; a short stay touches one or two


def meet(store: VisitStore, windows: AnyWindows, *, margin: int = 0) -> Met:
    """`trace.meet`, answered from the truth."""
    asked = checked(windows, margin)
    if not asked.size:
        return Met.nobody()
    since = int(asked.since.min()) - margin - LONGEST_MINUTES
    until = int(asked.until.max()) + margin
    segments = store.segments(since // DAY_MINUTES, until // DAY_MINUTES)
    by_person = [(p, s.day) for s in segments for p in store.files_of(s, "person")]
    if not by_person:
        return Met.nobody()
    with duckdb.connect() as db:
        cases = {
            "c": np.arange(asked.size, dtype=np.int64),
            "person": asked.person,
            "since": asked.since,
            "until": asked.until,
        }
        db.register("cases", cases)
        db.execute(f"CREATE TEMP TABLE visits AS {_visits_sql(by_person)}")
        db.execute(_BINNED, {"m": margin})
        short, long = (_days(db, margin, back) for back in (SHORT_MINUTES, LONGEST_MINUTES))
        by_place = [
            (p, s.day)
            for s in segments
            for p in store.files_of(s, "place")
            if s.day in (long if "-long-" in p.name else short)
        ]
        if not by_place:
            return Met.nobody()
        found = db.execute(_met_sql(by_place), {"m": margin}).fetchnumpy()
    return Met.ranked([np.ma.getdata(found[name]).astype(np.int64) for name in NAMES])


def _days(db: duckdb.DuckDBPyConnection, margin: int, longest: int) -> set[int]:
    """Days in which a stay of up to `longest` minutes can begin that meets a visit."""
    ends = db.execute(
        f"SELECT DISTINCT (a - $m - $back) // {DAY_MINUTES}, (b + $m) // {DAY_MINUTES} FROM visits",
        {"m": margin, "back": longest},
    ).fetchall()
    return {day for first, last in ends for day in range(first, last + 1)}


def _union(files: Sequence[tuple[Path, int]], columns: str) -> str:
    """Stays of all files with absolute start; a file's day is a constant, so that pruning works."""
    parts = [
        f"SELECT {columns}, start::INTEGER + {day * DAY_MINUTES} AS a,"
        f" start::INTEGER + {day * DAY_MINUTES} + minutes::INTEGER AS b"
        f" FROM read_parquet('{str(path).replace(chr(39), chr(39) * 2)}')"
        for path, day in files
    ]
    return " UNION ALL ".join(parts)


def _visits_sql(files: Sequence[tuple[Path, int]]) -> str:
    return f"""
        SELECT c, s.person, s.place, greatest(a, since) AS a, least(b, until) AS b
        FROM ({_union(files, "person, place")}) AS s JOIN cases ON s.person = cases.person
        WHERE b >= since AND a <= until
    """


_BINNED = f"""
    CREATE TEMP TABLE binned AS
    SELECT *, unnest(range((a - $m) // {_BIN}, (b + $m) // {_BIN} + 1)) AS h FROM visits
"""


def _met_sql(files: Sequence[tuple[Path, int]]) -> str:
    """A pair is counted in the first hour both touch, so once."""
    return f"""
        WITH near AS (
            SELECT person, place, a, b, unnest(range(a // {_BIN}, b // {_BIN} + 1)) AS h
            FROM ({_union(files, "person, place")}) AS s
            WHERE place IN (SELECT DISTINCT place FROM visits)
        ),
        pairs AS (
            SELECT v.c, n.person, least(n.b, v.b) - greatest(n.a, v.a) AS shared,
                   CASE WHEN least(n.b, v.b) >= greatest(n.a, v.a) THEN greatest(n.a, v.a)
                        ELSE greatest(least(n.a, v.b), least(v.a, n.b)) END AS met
            FROM near AS n JOIN binned AS v ON n.place = v.place AND n.h = v.h
            WHERE n.b >= v.a - $m AND n.a <= v.b + $m AND n.person <> v.person
              AND n.h = greatest(n.a // {_BIN}, (v.a - $m) // {_BIN})
        )
        SELECT person, count(*) AS encounters, sum(greatest(shared, 0)) AS minutes,
               count(DISTINCT c) AS cases, min(met) AS "first", max(met) AS "last"
        FROM pairs GROUP BY person
    """
