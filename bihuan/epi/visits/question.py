"""Who was met, asked once: one text, which Ibis turns into the SQL of DuckDB or of Spark.

Two phases, never a plain join on place. First the visits of the cases, which are few, and which name the
places and the days that matter. Then the stays at those places, joined on (place, hour) so that each meets
only its neighbors. A stay stands in the one hour it begins in, so a pair is counted once; a visit stands in
all hours in which a stay that meets it can begin. Stays of more than an hour can begin long before: for them
there are buckets of their own, of six hours.

Only the part of Ibis that writes SQL is used; its backends, and what they bring along, are not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bihuan.epi.visits.batch import DAY_MINUTES

if TYPE_CHECKING:
    from ibis import Table

#: Minutes of a bucket of short stays, and of long ones.
BUCKET, LONG_BUCKET = 60, 360
#: Relations the question is about, and their columns. `a`, `b`: first and last minute, on the store's clock.
WINDOWS, BY_PERSON, VISITS, BY_PLACE = "windows", "stays_by_person", "visits", "stays_by_place"
_STAYS = {"person": "int64", "place": "int64", "a": "int32", "b": "int32"}
_RELATIONS: dict[str, dict[str, str]] = {
    WINDOWS: {"c": "int64", "person": "int64", "since": "int64", "until": "int64"},
    BY_PERSON: _STAYS,
    VISITS: {"c": "int64", "person": "int64", "place": "int64", "a": "int64", "b": "int64"},
    BY_PLACE: _STAYS,
}


@dataclass(frozen=True, slots=True)
class Question:
    """The SQL of both phases in one dialect: `visits` is kept as VISITS, then `days` and `met` are asked.

    `days` gives columns since, short, long, until: a stay of up to an hour, or of up to a day, that meets a
    visit begins on a day from `short` or `long` to `until`. `met` gives the columns of `met.NAMES`.
    """

    visits: str
    days: str
    met: str


@lru_cache(maxsize=64)
def question(dialect: str, *, margin: int, short: int, long: int) -> Question:
    """The question in a dialect, "duckdb" or "pyspark". `margin` in minutes; `short`, `long`: the longest
    stay of either kind."""
    import ibis  # a third of a second, and only here

    tables = {name: ibis.table(schema, name=name) for name, schema in _RELATIONS.items()}
    asked = (
        visits_of(tables[BY_PERSON], tables[WINDOWS]),
        days_of(tables[VISITS], margin=margin, short=short, long=long),
        met_at(tables[VISITS], tables[BY_PLACE], margin=margin, short=short, long=long),
    )
    compiler = _compiler(dialect)
    return Question(*(compiler.to_sqlglot(expression).sql(compiler.dialect) for expression in asked))


def _compiler(dialect: str) -> Any:
    from ibis.backends.sql import compilers

    return {"duckdb": compilers.DuckDBCompiler, "pyspark": compilers.PySparkCompiler}[dialect]()


def visits_of(stays: Table, windows: Table) -> Table:
    """The visits of the cases, cut to their windows."""
    import ibis

    found = stays.join(windows.rename(who="person"), [("person", "who")])
    found = found.filter(found.b >= found.since, found.a <= found.until)
    return found.select(
        "c", "person", "place", a=ibis.greatest(found.a, found.since), b=ibis.least(found.b, found.until)
    )


def days_of(visits: Table, *, margin: int, short: int, long: int) -> Table:
    """The days on which a stay that meets a visit can begin."""
    return visits.select(
        short=(visits.a - margin - short) // DAY_MINUTES,
        long=(visits.a - margin - long) // DAY_MINUTES,
        until=(visits.b + margin) // DAY_MINUTES,
    ).distinct()


def met_at(visits: Table, stays: Table, *, margin: int, short: int, long: int) -> Table:
    """Everybody at the places of the visits within `margin` minutes, added up by person."""
    import ibis

    case = visits.select("c", "place", own="person", since="a", until="b")
    first, last = case.since - margin, case.until + margin
    case = ibis.union(
        _in_buckets(case, (first - short) // BUCKET, last // BUCKET, 0),
        _in_buckets(case, (first - long) // LONG_BUCKET, last // LONG_BUCKET, 1),
    )
    there = stays.semi_join(visits, "place")
    bucket = ibis.ifelse(there.b - there.a > short, there.a // LONG_BUCKET * 2 + 1, there.a // BUCKET * 2)
    there = there.mutate(bucket=bucket)
    pair = there.join(case, ["place", "bucket"])
    pair = pair.filter(pair.b >= pair.since - margin, pair.a <= pair.until + margin, pair.person != pair.own)
    begin, end = ibis.greatest(pair.a, pair.since), ibis.least(pair.b, pair.until)
    apart = ibis.greatest(ibis.least(pair.a, pair.until), ibis.least(pair.since, pair.b))
    pair = pair.select(
        "person", "c", shared=ibis.greatest(end - begin, 0), met=ibis.ifelse(end >= begin, begin, apart)
    )
    return pair.group_by("person").agg(
        encounters=pair.count(),
        minutes=pair.shared.sum(),
        cases=pair.c.nunique(),
        first=pair.met.min(),
        last=pair.met.max(),
    )


def _in_buckets(table: Table, first: Any, last: Any, kind: int) -> Table:
    """One row for every bucket from the first to the last; those of long stays (kind 1) have odd numbers."""
    import ibis

    found = table.mutate(n=ibis.range(first, last + 1)).unnest("n")
    return found.mutate(bucket=found.n * 2 + kind).drop("n")
