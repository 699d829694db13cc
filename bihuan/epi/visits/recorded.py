"""How stays were recorded. The index does not hold it: it is read from the truth, for the few rows somebody
looks at. The files lie in the order of (place, start), so that of a day only the row groups of the places in
question are read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import duckdb

from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.layout import StoreError
from bihuan.epi.visits.reader import Reader

#: Places of a day that are read for one question, some 5 ms each in a day of 7 million stays. What is
#: beyond is not told.
AT_MOST = 300
log = logging.getLogger("bihuan.visits")


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay, or a part of one, as an answer gave it: small numbers, minutes of the store's clock."""

    person: int
    place: int
    start: int
    end: int


def how_of(store: Reader, stays: Iterable[Stay]) -> dict[Stay, int]:
    """The code (`roles.HOW`) of how each stay was recorded.

    Of several records that cover it the first by time; 0 = not said. A stay is missing where its record is
    gone meanwhile or cannot be read, and beyond AT_MOST places of days: the earliest are read.
    """
    asked = set(stays)
    found: dict[Stay, int] = {}
    # A stay that began the day before is asked for there, if it does not stand on its own day.
    for back in (0, 1):
        left = asked - found.keys()
        found |= _of_days(store, [(stay.start // DAY_MINUTES - back, stay) for stay in left])
    return found


def _of_days(store: Reader, asked: Iterable[tuple[int, Stay]]) -> dict[Stay, int]:
    parts: dict[tuple[int, int], list[Stay]] = {}
    for day, stay in sorted(asked, key=lambda one: (one[0], one[1].start, one[1].place)):
        parts.setdefault((day, stay.place), []).append(stay)
    days: dict[int, list[Stay]] = {}
    for day, place in list(parts)[:AT_MOST]:
        days.setdefault(day, []).extend(parts[day, place])
    found: dict[Stay, int] = {}
    with duckdb.connect() as db:
        for day, stays in days.items():
            try:
                found |= store.steadily(partial(_of_day, store, db, day, stays))
            except (StoreError, duckdb.Error, OSError) as error:
                log.warning("how visits of a day were recorded cannot be read: %s", type(error).__name__)
    return found


def _of_day(store: Reader, db: duckdb.DuckDBPyConnection, day: int, stays: Sequence[Stay]) -> dict[Stay, int]:
    files = [str(path) for segment in store.segments(day, day) for path in store.files_of(segment, "place")]
    if not files:
        return {}
    places = ", ".join(str(int(place)) for place in sorted({stay.place for stay in stays}))
    rows = db.execute(
        "SELECT place, person, start::INTEGER, minutes::INTEGER, how FROM read_parquet($files) "
        f"WHERE place IN ({places}) AND list_contains($people, person) ORDER BY start",
        {"files": files, "people": sorted({stay.person for stay in stays})},
    ).fetchall()
    begin = day * DAY_MINUTES
    of: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for place, person, start, minutes, how in rows:
        of.setdefault((place, person), []).append((begin + start, begin + start + minutes, how))
    told = ((stay, _covering(of.get((stay.place, stay.person), ()), stay)) for stay in stays)
    return {stay: how for stay, how in told if how is not None}


def _covering(records: Iterable[tuple[int, int, int]], stay: Stay) -> int | None:
    """The code of the record a stay is of: the very same, else the first that covers it."""
    near = [(start, end, how) for start, end, how in records if start <= stay.start and stay.end <= end]
    same = [how for start, end, how in near if (start, end) == (stay.start, stay.end)]
    return same[0] if same else near[0][2] if near else None
