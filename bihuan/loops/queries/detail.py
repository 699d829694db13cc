"""One loop, whole: its ring, duties, events and rungs; and the rings of many loops for lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from bihuan.loops import bindings
from bihuan.loops.errors import UnknownDuty, UnknownLoop
from bihuan.loops.queries.duties import DutyFilter, DutyRow, find_duties, get_duty
from bihuan.loops.queries.reading import Moment, fence, is_open_sql, moment
from bihuan.loops.rules.ladder import find_rungs
from bihuan.registry import posts
from bihuan.registry.errors import Invalid

MOST_DUTIES = 5000
LARGEST_ID = 2**63 - 1  # of a BigAutoField


@dataclass(frozen=True, slots=True)
class RingStage:
    """An arc: `state` is ahead (nothing owed yet), open, late or done; `fraction` of its duties that have
    ended,
    0 to 1 (superseded ones are left out)."""

    stage: str
    label: Mapping[str, str]
    state: str
    fraction: float
    done: int
    open: int
    late: int


@dataclass(frozen=True, slots=True)
class Ring:
    """The ring of a loop: `is_closed` when the last arc met the first."""

    loop: str
    definition: str
    label: Mapping[str, str]
    is_closed: bool
    stages: Sequence[RingStage]

    @property
    def is_late(self) -> bool:
        return any(s.late for s in self.stages)


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event of the log: when it was true, when known, who said so. `taken_back`: a later event retracted
    it."""

    id: int
    kind: str
    at: datetime
    at_precision: str
    recorded_at: datetime
    data: Mapping[str, Any]
    account_id: int | None
    post_id: int | None
    actor: str
    door: str
    source: str
    taken_back: bool


@dataclass(frozen=True, slots=True)
class RungRow:
    """A rung a duty climbed: from time alone. `told_at` is when it was noticed and told, None if never."""

    duty: str
    step: int
    target: str
    at: datetime
    to_post_id: int | None
    to: str
    told_at: datetime | None


@dataclass(frozen=True, slots=True)
class LoopRow:
    public_id: str
    definition: str
    label: Mapping[str, str]
    group: str
    subject_kind: str
    subject_ref: str
    person_id: int | None
    territory_code: str
    opened_at: datetime
    closed_at: datetime | None
    outcome: str
    policy: str
    handed_to: str | None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class LoopDetail:
    loop: LoopRow
    ring: Ring
    duties: list[DutyRow]
    events: list[EventRow]
    rungs: list[RungRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LoopPage:
    rows: list[LoopRow]
    next: str | None


_LOOP = """
SELECT l.id, l.public_id, l.definition, l."group", l.subject_kind, l.subject_ref, l.person_id,
l.territory_code,
    l.opened_at, l.closed_at, l.outcome, l.ruling_id, h.public_id
FROM loops_loop l LEFT JOIN loops_loop h ON h.id = l.handed_to_id
"""


def find_loops(
    territory: str = "", *, state: str = "open", definition: str = "", subject: tuple[str, str] | None = None,
    person_id: int | None = None, page: str | None = None, limit: int = 50,
) -> LoopPage:  # fmt: skip
    """Loops by opening, the newest first. `state`: open, closed or "" for both."""
    lo, hi = fence(territory)
    where = ["l.territory_code >= %(lo)s", "l.territory_code < %(hi)s"]
    params: dict[str, Any] = {"lo": lo, "hi": hi, "limit": limit + 1}
    if state:
        where.append("l.state = %(state)s")
        params["state"] = int(state == "closed")
    if definition:
        where.append("l.definition = %(definition)s")
        params["definition"] = definition
    if subject:
        where.append("l.subject_kind = %(kind)s AND l.subject_ref = %(ref)s")
        params["kind"], params["ref"] = subject
    if person_id is not None:
        where.append("l.person_id = %(person)s")
        params["person"] = person_id
    if page:
        where.append("l.id < %(after)s")
        params["after"] = _after(page)
    rows = _ask(f"{_LOOP} WHERE {' AND '.join(where)} ORDER BY l.id DESC LIMIT %(limit)s", params)
    more, rows = len(rows) > limit, rows[:limit]
    return LoopPage(_loop_rows(rows), str(rows[-1][0]) if more else None)


def _after(page: str) -> int:
    """The number of the last loop of the page before."""
    if not page.isdecimal() or int(page) > LARGEST_ID:
        raise Invalid(_("The page mark “%(page)s” is not one of ours.") % {"page": page[:60]})
    return int(page)


def _loop_rows(rows: Sequence[tuple[Any, ...]]) -> list[LoopRow]:
    bound = bindings.load({row[11] for row in rows})
    return [
        LoopRow(row[1], row[2], bound[row[11]].label, *row[3:11], bound[row[11]].policy_id, row[12])  # type: ignore[call-arg]
        for row in rows
    ]


def loop_detail(public_id: str, *, as_of: datetime | None = None) -> LoopDetail:
    """Everything about a loop within the scope. Raises UnknownLoop."""
    lo, hi = fence()
    rows = _ask(
        f"{_LOOP} WHERE l.public_id = %(id)s AND l.territory_code >= %(lo)s AND l.territory_code < %(hi)s",
        {"id": public_id, "lo": lo, "hi": hi},
    )
    if not rows:
        raise UnknownLoop(_("There is no loop %(id)s here.") % {"id": public_id})
    duties = find_duties(DutyFilter(loop=public_id, status=""), as_of=as_of, limit=MOST_DUTIES).rows
    return LoopDetail(
        loop=_loop_rows(rows)[0],
        ring=rings([public_id], as_of=as_of)[public_id],
        duties=duties,
        events=_events(rows[0][0]),
        rungs=[rung for duty in duties for rung in _rungs(duty, moment(as_of))],
    )


def _events(loop_id: int) -> list[EventRow]:
    rows = _ask(
        "SELECT e.id, e.kind, e.at, e.at_precision, e.recorded_at, e.data::text, e.account_id, e.post_id,"
        " e.actor, e.door,"
        " e.source, EXISTS (SELECT FROM loops_event r WHERE r.subject_id = e.subject_id"
        "   AND r.kind = 'loop.retracted' AND (r.data->>'event')::bigint = e.id)"
        " FROM loops_event e JOIN loops_loop l ON l.subject_id = e.subject_id WHERE l.id = %(id)s ORDER"
        " BY e.at, e.id",
        {"id": loop_id},
    )
    return [EventRow(*row[:5], json.loads(row[5]), *row[6:]) for row in rows]  # type: ignore[call-arg]


def escalations(duty_id: int, *, as_of: datetime | None = None) -> list[RungRow]:
    """The rungs a duty has climbed by a moment. Raises UnknownDuty."""
    duty = get_duty(duty_id, as_of=as_of)
    if duty is None:
        raise UnknownDuty(_("There is no duty D-%(id)s here.") % {"id": duty_id})
    return _rungs(duty, moment(as_of))


def _rungs(duty: DutyRow, when: Moment) -> list[RungRow]:
    """From time alone; beside each rung, whom and when the sweep told."""
    if duty.due_at > when.at:
        return []
    [(number,)] = _ask("SELECT binding_id FROM loops_duty WHERE id = %(id)s", {"id": duty.id})
    climbed = find_rungs(
        bindings.load([number])[number].ladder, due_at=duty.due_at, ended_at=duty.ended_at, now=when.at
    )
    told = {
        (step, at): (post, recorded)
        for step, at, post, recorded in _ask(
            "SELECT step, at, to_post_id, recorded_at FROM loops_escalation WHERE duty_id = %(id)s",
            {"id": duty.id},
        )
    }
    directory = posts.directory().by_id
    rows = []
    for rung in climbed:
        post, at = told.get((rung.step, rung.at), (None, None))
        name = directory[post].label if post in directory else ""
        rows.append(RungRow(duty.ref, rung.step, rung.to, rung.at, post, name, at))
    return rows


def rings(loop_ids: Iterable[str], *, as_of: datetime | None = None) -> dict[str, Ring]:
    """The rings of loops by public id, in two statements for any number. Those not in scope are left out."""
    wanted, when, (lo, hi) = list(loop_ids), moment(as_of), fence()
    is_open = is_open_sql(when)
    params = {"ids": wanted, "lo": lo, "hi": hi, "at": when.at}
    loops = _ask(
        "SELECT id, public_id, ruling_id, closed_at FROM loops_loop WHERE public_id = ANY(%(ids)s)"
        " AND territory_code >= %(lo)s AND territory_code < %(hi)s",
        params,
    )
    counts: dict[int, dict[str, tuple[int, int, int]]] = {}
    known = "true" if when.is_now else "opened_at <= %(at)s"
    for loop, stage, n_open, n_late, n_done in _ask(
        f"SELECT loop_id, stage, count(*) FILTER (WHERE {is_open}),"
        f" count(*) FILTER (WHERE {is_open} AND due_at < %(at)s),"
        f" count(*) FILTER (WHERE state IN (1, 2) AND NOT ({is_open}))"
        f" FROM loops_duty WHERE loop_id = ANY(%(loops)s) AND {known} GROUP BY 1, 2",
        {**params, "loops": [row[0] for row in loops]},
    ):
        counts.setdefault(loop, {})[stage] = (n_open, n_late, n_done)
    bound = bindings.load({row[2] for row in loops})
    return {
        public: Ring(
            public, bound[ruling].name, bound[ruling].label, closed is not None and closed <= when.at,
            tuple(_stage(stage, label, counts.get(n, {}).get(stage, (0, 0, 0))) for stage,
            label in bound[ruling].stages),
        )
        for n, public, ruling, closed in loops
    }  # fmt: skip


def _stage(stage: str, label: Mapping[str, str], counted: tuple[int, int, int]) -> RingStage:
    n_open, n_late, n_done = counted
    every = n_open + n_done
    state = "ahead" if not every else "late" if n_late else "open" if n_open else "done"
    return RingStage(stage, label, state, n_done / every if every else 0.0, n_done, n_open, n_late)


def _ask(sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
