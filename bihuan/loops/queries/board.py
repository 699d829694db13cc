"""The board: how loops stand in a territory, by stage and by child territory.

Now: from the tallies, with the rows of the quarter hours the clock stands in counted apart, so that the
answer is
the raw count at the cost of a small table. At another moment, and inside a street, from the duties
themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from bihuan.loops import bindings
from bihuan.loops.models.tally import STREET_CODE_LENGTH
from bihuan.loops.queries.reading import LATE_END, Moment, fence, is_open_sql, moment
from bihuan.registry import clock, territory

_QUARTER = 900


@dataclass(slots=True)
class Counts:
    """Duties by how they stand. `due_soon` and `late` are part of `open`; created = open + done + waived +
    superseded."""

    open: int = 0
    due_soon: int = 0
    late: int = 0
    done: int = 0
    waived: int = 0
    superseded: int = 0

    @property
    def created(self) -> int:
        return self.open + self.done + self.waived + self.superseded

    def add(self, other: Counts) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class BoardStage:
    stage: str
    label: Mapping[str, str]
    counts: Counts = field(default_factory=Counts)


@dataclass(slots=True)
class BoardLoop:
    """One definition: how many of its loops are open, and its stages in the order of the ring."""

    definition: str
    label: Mapping[str, str]
    group: str
    loops_open: int
    loops_closed: int
    stages: list[BoardStage]
    counts: Counts = field(default_factory=Counts)


@dataclass(slots=True)
class BoardChild:
    code: str
    name: str
    loops_open: int = 0
    counts: Counts = field(default_factory=Counts)


@dataclass(slots=True)
class Conservation:
    """`created` is counted when a duty comes into being, the rest from how duties stand: both sides of the
    law."""

    created: int
    open: int
    done: int
    waived: int
    superseded: int

    @property
    def holds(self) -> bool:
        return self.created == self.open + self.done + self.waived + self.superseded


@dataclass(slots=True)
class Board:
    territory_code: str
    as_of: datetime
    source: str
    loops: list[BoardLoop]
    children: list[BoardChild]
    total: Counts
    conservation: Conservation
    cells: dict[tuple[str, str, str], Counts]
    """Counts by (child code, definition, stage); child "" is the territory itself."""


def board(territory_code: str, *, as_of: datetime | None = None) -> Board:
    """The board of a territory, within the scope, at a moment (None: now)."""
    when, (lo, hi) = moment(as_of), fence(territory_code)
    tallied = when.is_now and len(max(lo, territory_code)) < STREET_CODE_LENGTH
    names = {t.code: t.name for t in territory.children(territory_code)}
    widths = {len(code) for code in names} or {len(territory_code)}
    ask = {"lo": lo, "hi": hi, "at": when.at, "width": max(widths)}
    tallied = tallied and max(widths) <= STREET_CODE_LENGTH
    cells, created = _tallied(ask, when) if tallied else _raw(ask, when)
    by_child = _by_child(cells, names)
    loops = _loop_counts(ask, when)
    result = Board(
        territory_code=territory_code,
        as_of=when.at,
        source="tally" if tallied else "raw",
        loops=_by_loop(by_child, loops),
        children=_children(by_child, loops, names),
        total=Counts(),
        conservation=Conservation(0, 0, 0, 0, 0),
        cells=by_child,
    )
    for loop in result.loops:
        result.total.add(loop.counts)
    t = result.total
    made = t.created if created is None else created
    result.conservation = Conservation(made, t.open, t.done, t.waived, t.superseded)
    return result


Cells = dict[tuple[str, str, str], Counts]

_SOURCE = """
    SELECT territory_code, definition, stage, state, bucket, lead, n FROM loops_tally
        WHERE territory_code >= %(lo)s AND territory_code < %(hi)s
    UNION ALL SELECT territory_code, definition, stage, state, bucket, lead, n FROM loops_tallydelta
        WHERE territory_code >= %(lo)s AND territory_code < %(hi)s
"""
_TALLY = f"""
SELECT left(territory_code, %(width)s) COLLATE "C", definition, stage, state, sum(n),
    sum(n) FILTER (WHERE state = 0 AND bucket <= %(at)s),
    sum(n) FILTER (WHERE state = 0 AND bucket <= %(at)s + make_interval(mins => lead))
FROM ({_SOURCE}) AS t GROUP BY 1, 2, 3, 4
"""
_LEADS = f"SELECT DISTINCT lead FROM ({_SOURCE}) AS t WHERE state = 0"
_EDGE = """
SELECT left(territory_code, %(width)s) COLLATE "C", definition, stage,
    count(*) FILTER (WHERE due_at > %(from)s AND due_at <= %(to)s) FROM loops_duty
WHERE state = 0 AND territory_code >= %(lo)s AND territory_code < %(hi)s AND due_at > %(from)s AND due_at <=
%(to)s
    AND (%(lead)s::int IS NULL OR (date_part('epoch', due_at - warn_at) / 60)::int = %(lead)s)
GROUP BY 1, 2, 3
"""


def _tallied(ask: dict[str, Any], when: Moment) -> tuple[Cells, int]:
    """Counts from the tallies. Whole quarter hours come from there; the part of one that the moment cuts is
    counted
    from the rows. A deadline at the very moment is not late yet: those rows are taken off again."""
    cells: Cells = {}
    created = 0
    for code, definition, stage, state, n, late, soon in _ask(_TALLY, ask):
        if state == -1:
            created += int(n)
            continue
        found = cells.setdefault((code, definition, stage), Counts())
        _put(found, state, int(n))
        if state == 0:
            found.late += int(late or 0)
            found.due_soon += int(soon or 0)
    before = _floor(when.at)
    at_once = when.at - timedelta(microseconds=1)
    if before < when.at:
        _edge(cells, ask, before, at_once, None, "late")
    else:  # the bucket that ends now holds deadlines at this very moment, which are not late yet
        _edge(cells, ask, at_once, when.at, None, "late", sign=-1)
    for (lead,) in _ask(_LEADS, ask):
        until = when.at + timedelta(minutes=lead)
        if _floor(until) < until:
            _edge(cells, ask, _floor(until), until, lead, "due_soon")
    for found in cells.values():
        found.due_soon -= found.late
    return cells, created


def _edge(
    cells: Cells,
    ask: dict[str, Any],
    start: datetime,
    end: datetime,
    lead: int | None,
    name: str,
    *,
    sign: int = 1,
) -> None:
    for code, definition, stage, n in _ask(_EDGE, {**ask, "from": start, "to": end, "lead": lead}):
        found = cells.setdefault((code, definition, stage), Counts())
        setattr(found, name, getattr(found, name) + sign * n)


def _floor(at: datetime) -> datetime:
    return at - timedelta(seconds=at.timestamp() % _QUARTER)


def _raw(ask: dict[str, Any], when: Moment) -> tuple[Cells, None]:
    is_open = is_open_sql(when)
    ended = "state <> 0" if when.is_now else "ended_at <= %(at)s"
    known = "true" if when.is_now else "opened_at <= %(at)s AND reason <> 'late_fact'"
    sql = f"""
        SELECT left(territory_code, %(width)s) COLLATE "C", definition, stage,
            count(*) FILTER (WHERE {is_open}),
            count(*) FILTER (WHERE {is_open} AND warn_at <= %(at)s AND due_at >= %(at)s),
            count(*) FILTER (WHERE {is_open} AND due_at < %(at)s),
            count(*) FILTER (WHERE {ended} AND state = 1), count(*) FILTER (WHERE {ended} AND state = 2),
            count(*) FILTER (WHERE {ended} AND state = 3)
        FROM loops_duty WHERE territory_code >= %(lo)s AND territory_code < %(hi)s AND {known} GROUP BY 1,
        2, 3
    """
    return {(row[0], row[1], row[2]): Counts(*row[3:]) for row in _ask(sql, ask)}, None


def loops_owing(
    stages: Collection[tuple[str, str]], territory_code: str = "", *, as_of: datetime | None = None
) -> int:
    """How many distinct loops owe something now in any of these (definition, stage) pairs."""
    when = moment(as_of)
    lo, hi = fence(territory_code)
    params = {"lo": lo, "hi": hi, "at": when.at, "stages": [f"{name}/{stage}" for name, stage in stages]}
    sql = (
        "SELECT count(DISTINCT loop_id) FROM loops_duty"
        " WHERE territory_code >= %(lo)s AND territory_code < %(hi)s"
        f" AND definition || '/' || stage = ANY(%(stages)s) AND {is_open_sql(when)}"
    )
    return int(_ask(sql, params)[0][0])


def _put(counts: Counts, state: int, n: int) -> None:
    name = ("open", "done", "waived", "superseded")[state]
    setattr(counts, name, getattr(counts, name) + n)


def _ask(sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def _loop_counts(ask: dict[str, Any], when: Moment) -> dict[tuple[str, str], tuple[int, int]]:
    """Open and closed loops by (child code, definition)."""
    is_open = (
        "state = 0" if when.is_now else "opened_at <= %(at)s AND (closed_at IS NULL OR closed_at > %(at)s)"
    )
    known = "true" if when.is_now else "opened_at <= %(at)s"
    sql = f"""
        SELECT left(territory_code, %(width)s) COLLATE "C", definition, count(*) FILTER (WHERE {is_open}),
        count(*)
        FROM loops_loop WHERE territory_code >= %(lo)s AND territory_code < %(hi)s AND {known} GROUP BY 1, 2
    """
    return {(row[0], row[1]): (row[2], row[3] - row[2]) for row in _ask(sql, ask)}


def _by_child(cells: Cells, names: Mapping[str, str]) -> Cells:
    """The cells under the codes of the children; what lies in none of them under ""."""
    found: Cells = {}
    for (code, definition, stage), counts in cells.items():
        child = _child_of(code, names)
        found.setdefault((child, definition, stage), Counts()).add(counts)
    return found


def _child_of(code: str, names: Mapping[str, str]) -> str:
    return next((code[:n] for n in range(len(code), 0, -1) if code[:n] in names), "")


def _by_loop(cells: Cells, loops: Mapping[tuple[str, str], tuple[int, int]]) -> list[BoardLoop]:
    found: dict[str, BoardLoop] = {}
    names = dict.fromkeys([name for _code, name in loops] + [name for _code, name, _stage in cells])
    for name in sorted(names):
        shape = bindings.shape(name)
        if shape is None:
            continue
        counted = [counts for (_code, definition), counts in loops.items() if definition == name]
        found[name] = BoardLoop(
            name, shape.label, shape.group, sum(c[0] for c in counted), sum(c[1] for c in counted),
            [BoardStage(stage, label) for stage, label in shape.stages],
        )  # fmt: skip
    for (_child, definition, stage), counts in cells.items():
        loop = found.get(definition)
        if loop is None:
            continue
        loop.counts.add(counts)
        place = next((s for s in loop.stages if s.stage == stage), None)
        if place is None:
            place = BoardStage(stage, {"zh": stage, "en": stage})
            loop.stages.append(place)
        place.counts.add(counts)
    return list(found.values())


def _children(
    cells: Cells, loops: Mapping[tuple[str, str], tuple[int, int]], names: Mapping[str, str]
) -> list[BoardChild]:
    found = {code: BoardChild(code, name) for code, name in names.items()}
    for (code, _definition, _stage), counts in cells.items():
        if code in found:
            found[code].counts.add(counts)
    for (code, _definition), (n_open, _closed) in loops.items():
        child = _child_of(code, names)
        if child in found:
            found[child].loops_open += n_open
    return list(found.values())


# --- the same day ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SameDay:
    """Same-day clearance of a day: duties whose deadline lay in it, and what became of them.

    `owed` leaves out what was superseded or waived. `done_in_time`: by the deadline; `done_late`: after it;
    `left`: still open. `share` is done_in_time / owed, None when nothing was owed.
    """

    day: date
    owed: int
    done_in_time: int
    done_late: int
    left: int

    @property
    def share(self) -> float | None:
        return self.done_in_time / self.owed if self.owed else None


def same_day(
    territory_code: str, day: date, *, as_of: datetime | None = None, kinds: tuple[str, ...] = ()
) -> SameDay:
    """Same-day clearance of duties due on a local day (day of the territory); optionally of some kinds
    only."""
    tz, when, (lo, hi) = territory.tz_of(territory_code), moment(as_of), fence(territory_code)
    start, end = clock.start_of_day(day, tz), clock.start_of_day(day + timedelta(days=1), tz)
    is_open = is_open_sql(when)
    params = {"lo": lo, "hi": hi, "at": when.at, "start": start, "end": end, "kinds": list(kinds)}
    [row] = _ask(
        f"""
        SELECT count(*) FILTER (WHERE done AND NOT late), count(*) FILTER (WHERE done AND late), count(*)
        FILTER (WHERE owed)
        FROM (SELECT state = 1 AND ended_at <= %(at)s AS done, {LATE_END} AS late, {is_open} AS owed FROM
        loops_duty
            WHERE due_at > %(start)s AND due_at <= %(end)s AND opened_at <= %(at)s
              AND territory_code >= %(lo)s AND territory_code < %(hi)s
              AND (kind = ANY(%(kinds)s) OR cardinality(%(kinds)s::text[]) = 0)) AS due
        """,
        params,
    )
    in_time, late, left = row
    return SameDay(day, in_time + late + left, in_time, late, left)
