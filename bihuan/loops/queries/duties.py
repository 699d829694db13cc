"""Lists of duties: who owes what about whom by when, and why. Always within the scope acted in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from bihuan.loops import bindings
from bihuan.loops.queries.reading import STATES, Moment, fence, is_open_sql, moment, status_of
from bihuan.registry import access, posts, scope
from bihuan.registry.errors import Invalid

PAGE = 50


@dataclass(frozen=True, slots=True)
class DutyFilter:
    """Which duties. Empty fields ask nothing. `status`: open (all open), due_soon, late, done, waived,
    superseded, or "" for all. `escalated_to`: open duties that have climbed to that post."""

    territory: str = ""
    status: str = "open"
    post_id: int | None = None
    definitions: Sequence[str] = ()
    kinds: Sequence[str] = ()
    stages: Sequence[str] = ()
    due_from: datetime | None = None
    due_to: datetime | None = None
    person_id: int | None = None
    subject: tuple[str, str] | None = None
    loop: str = ""
    ids: Sequence[int] = ()
    escalated_to: int | None = None


@dataclass(frozen=True, slots=True)
class DutyRow:
    """A duty as read. Times are aware (UTC); `status` is at the moment asked about. `clock` names what the
    deadline counts from; when not `clock_known`, that has not happened and it counts from the opening."""

    id: int
    ref: str
    loop: str
    definition: str
    kind: str
    key: str
    stage: str
    label: Mapping[str, str]
    verb: str
    status: str
    state: str
    owner_post_id: int
    owner: str
    owner_fallback: bool
    territory_code: str
    person_id: int | None
    subject_kind: str
    subject_ref: str
    opened_at: datetime
    due_at: datetime
    warn_at: datetime
    clock: str
    clock_known: bool
    recorded_at: datetime
    ended_at: datetime | None
    ended_day_only: bool
    ended_recorded_at: datetime | None
    ended_by_account_id: int | None
    ended_by_post_id: int | None
    reason: str
    evidence: Mapping[str, Any] | None
    evidence_asked: Sequence[str]
    pack: str
    rule: str
    clause: str
    policy: str

    @property
    def is_late(self) -> bool:
        return self.status in ("late", "done_late")


@dataclass(frozen=True, slots=True)
class DutyPage:
    """Rows in order of deadline; `next` goes into the next call's `page`, None at the end."""

    rows: list[DutyRow] = field(default_factory=list)
    next: str | None = None


_COLUMNS = (
    "id", "loop_id", "definition", "kind", "key", "stage", "owner_post_id", "owner_fallback",
    "territory_code",
    "person_id", "opened_at", "due_at", "warn_at", "clock_known", "recorded_at", "state", "ended_at",
    "ended_day_only", "ended_recorded_at", "ended_by_account_id", "ended_by_post_id", "reason", "binding_id",
)  # fmt: skip


def find_duties(
    asked: DutyFilter | None = None,
    *,
    as_of: datetime | None = None,
    page: str | None = None,
    limit: int = PAGE,
) -> DutyPage:
    """One page of duties by deadline. A role that may see only its own desk sees only its own desk."""
    asked, when = asked or DutyFilter(), moment(as_of)
    where, params = _where(asked, when)
    if page:
        where.append("(due_at, id) > (%(after_due)s, %(after_id)s)")
        params["after_due"], params["after_id"] = _read_page(page)
    params["limit"] = limit + 1
    sql = (
        f"SELECT {', '.join(_COLUMNS)}, evidence::text FROM loops_duty WHERE {' AND '.join(where)}"
        " ORDER BY due_at, id LIMIT %(limit)s"
    )
    rows = _select(sql, params)
    more = len(rows) > limit
    rows = rows[:limit]
    last = rows[-1] if rows else None
    return DutyPage(
        _views(rows, when), f"{last['due_at'].isoformat()}_{last['id']}" if more and last else None
    )


def my_duties(
    post_id: int, *, as_of: datetime | None = None, page: str | None = None, limit: int = PAGE
) -> DutyPage:
    """What a post owes, the most urgent first."""
    return find_duties(DutyFilter(post_id=post_id), as_of=as_of, page=page, limit=limit)


def get_duty(duty_id: int, *, as_of: datetime | None = None) -> DutyRow | None:
    """One duty, or None when the scope does not hold it."""
    rows = find_duties(DutyFilter(ids=[duty_id], status=""), as_of=as_of).rows
    return rows[0] if rows else None


@dataclass(frozen=True, slots=True)
class DutyCounts:
    """How many match, by status at the moment. `due_soon` and `late` are part of `open`."""

    open: int
    due_soon: int
    late: int


def duty_labels(asked: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Mapping[str, str]]:
    """What kinds of duties are called, by the policy they were opened under: (binding id, kind) to label."""
    wanted = set(asked)
    bound = bindings.load({binding for binding, _kind in wanted})
    return {(binding, kind): bindings.why(bound[binding], kind)["label"] for binding, kind in wanted}


def count_duties(asked: DutyFilter | None = None, *, as_of: datetime | None = None) -> DutyCounts:
    """Counts of open duties that match (the filter's status is not used)."""
    when = moment(as_of)
    where, params = _where(_any(asked or DutyFilter()), when)
    where.append(is_open_sql(when))
    sql = (
        "SELECT count(*), count(*) FILTER (WHERE warn_at <= %(at)s AND due_at >= %(at)s),"
        f" count(*) FILTER (WHERE due_at < %(at)s) FROM loops_duty WHERE {' AND '.join(where)}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return DutyCounts(*cursor.fetchone())


def _any(asked: DutyFilter) -> DutyFilter:
    return replace(asked, status="")


def _where(asked: DutyFilter, when: Moment) -> tuple[list[str], dict[str, Any]]:
    lo, hi = fence(asked.territory)
    where, params = (
        ["territory_code >= %(lo)s", "territory_code < %(hi)s"],
        {"lo": lo, "hi": hi, "at": when.at},
    )
    reach = access.reach(None, "duty.view")
    if reach is None:
        where.append("false")
    elif reach == "assigned":
        here = scope.current()
        where.append("owner_post_id = %(own)s")
        params["own"] = here.post_id if here else None
    where += _status_where(asked.status, when)
    simple: dict[str, tuple[str, Any]] = {
        "post_id": ("owner_post_id = %(post_id)s", asked.post_id),
        "definitions": ("definition = ANY(%(definitions)s)", list(asked.definitions) or None),
        "kinds": ("kind = ANY(%(kinds)s)", list(asked.kinds) or None),
        "stages": ("stage = ANY(%(stages)s)", list(asked.stages) or None),
        "due_from": ("due_at >= %(due_from)s", asked.due_from),
        "due_to": ("due_at < %(due_to)s", asked.due_to),
        "person_id": ("person_id = %(person_id)s", asked.person_id),
        "ids": ("id = ANY(%(ids)s)", list(asked.ids) or None),
        "loop": ("loop_id IN (SELECT id FROM loops_loop WHERE public_id = %(loop)s)", asked.loop or None),
        "escalated_to": (
            "id IN (SELECT duty_id FROM loops_escalation WHERE to_post_id = %(escalated_to)s AND at <="
            " %(at)s)",
            asked.escalated_to,
        ),
    }
    for name, (condition, value) in simple.items():
        if value is not None:
            where.append(condition)
            params[name] = value
    if asked.subject:
        where.append(
            "loop_id IN (SELECT id FROM loops_loop WHERE subject_kind = %(skind)s AND subject_ref = %(sref)s)"
        )
        params["skind"], params["sref"] = asked.subject
    return where, params


def _status_where(status: str, when: Moment) -> list[str]:
    is_open = is_open_sql(when)
    ended = "" if when.is_now else " AND ended_at <= %(at)s AND reason <> 'late_fact'"
    found = {
        "": ["reason <> 'late_fact'"] if when.is_now else ["opened_at <= %(at)s AND reason <> 'late_fact'"],
        "open": [is_open],
        "due_soon": [is_open, "warn_at <= %(at)s", "due_at >= %(at)s"],
        "late": [is_open, "due_at < %(at)s"],
        "done": ["state = 1" + ended],
        "waived": ["state = 2" + ended],
        "superseded": ["state = 3" + ended],
    }.get(status)
    if found is None:
        raise Invalid(
            _("“%(status)s” is no status of a duty.") % {"status": status},
            hint=_("Use one of: %(list)s.") % {"list": "open, due_soon, late, done, waived, superseded"},
        )
    return found


def _read_page(page: str) -> tuple[datetime, int]:
    try:
        due, _sep, number = page.rpartition("_")
        return datetime.fromisoformat(due), int(number)
    except ValueError:
        raise Invalid(_("The page mark “%(page)s” is not one of ours.") % {"page": page[:60]}) from None


def _select(sql: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _views(rows: Sequence[dict[str, Any]], when: Moment) -> list[DutyRow]:
    if not rows:
        return []
    bound = bindings.load({row["binding_id"] for row in rows})
    loops = _loops({row["loop_id"] for row in rows})
    directory = posts.directory()
    views = []
    for row in rows:
        why = bindings.why(bound[row["binding_id"]], row["kind"])
        public, kind, ref = loops.get(row["loop_id"], ("", "", ""))
        owner = directory.by_id.get(row["owner_post_id"])
        views.append(
            DutyRow(
                ref=f"D-{row['id']}",
                loop=public,
                subject_kind=kind,
                subject_ref=ref,
                label=why["label"],
                verb=why["verb"],
                status=status_of(row, when),
                state=STATES[row["state"]],
                owner=owner.label if owner else "",
                clock=why["clock"],
                evidence_asked=why["evidence"],
                pack=why["pack"],
                rule=why["rule"],
                clause=why["clause"],
                policy=why["policy"],
                evidence=json.loads(row["evidence"]) if row["evidence"] else None,
                **{name: row[name] for name in _COLUMNS if name not in ("loop_id", "binding_id", "state")},
            )
        )
    return views


def _loops(ids: set[int]) -> dict[int, tuple[str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, public_id, subject_kind, subject_ref FROM loops_loop WHERE id = ANY(%s)", [list(ids)]
        )
        return {row[0]: row[1:] for row in cursor.fetchall()}
