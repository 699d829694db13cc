"""Rows in bulk: how the engine reads and writes its tables with a handful of statements for any number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from bihuan.loops.rules.slots import local_day
from bihuan.registry import bulk
from bihuan.registry.actor import Actor

DUTY_TYPES = {
    "loop_id": "bigint", "owner_post_id": "bigint", "person_id": "bigint", "opened_at": "timestamptz",
    "due_at": "timestamptz", "warn_at": "timestamptz", "recorded_at": "timestamptz",
    "ended_at": "timestamptz",
    "ended_recorded_at": "timestamptz", "ended_by_account_id": "bigint", "ended_by_post_id": "bigint",
    "ended_event_id": "bigint", "binding_id": "bigint", "state": "smallint", "owner_fallback": "boolean",
    "clock_known": "boolean", "ended_day_only": "boolean", "territory_code": "text", "definition": "text",
    "kind": "text", "key": "text", "stage": "text", "reason": "text", "evidence": "jsonb",
}  # fmt: skip

ESCALATION_TYPES = {
    "duty_id": "bigint", "due_at": "timestamptz", "step": "smallint", "target": "text",
    "to_post_id": "bigint",
    "at": "timestamptz", "recorded_at": "timestamptz", "territory_code": "text",
}  # fmt: skip

_ENCODER = DjangoJSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dump(data: Any) -> str:
    return _ENCODER.encode(data)


def insert(table: str, types: Mapping[str, str], rows: Sequence[Sequence[Any]], *, tail: str = "") -> int:
    """Insert rows whose values stand in the order of `types` (column: type). Returns how many were added."""
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(types)}) {_select(types)} {tail}", _columns(types, rows)
        )
        return int(cursor.rowcount)


def update(
    table: str, keys: Mapping[str, str], types: Mapping[str, str], rows: Sequence[Sequence[Any]]
) -> int:
    """Set the columns of `types` in the rows named by `keys`; values in the order keys, then columns."""
    if not rows:
        return 0
    sets = ", ".join(f"{name} = new.{name}" for name in types)
    match = " AND ".join(f"{table}.{name} = new.{name}" for name in keys)
    return update_from(table, {**keys, **types}, sets, match, rows)


def update_from(
    table: str, types: Mapping[str, str], sets: str, match: str, rows: Sequence[Sequence[Any]]
) -> int:
    """Update `table` from rows given as `new`; `sets` and `match` are SQL over `table` and `new`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {sets} FROM ({_select(types)}) AS new WHERE {match}", _columns(types, rows)
        )
        return int(cursor.rowcount)


def _select(types: Mapping[str, str]) -> str:
    names = ", ".join(f"{name}::{kind} AS {name}" for name, kind in types.items())
    arrays = ", ".join(f"%s::{_array_of(kind)}[]" for kind in types.values())
    return f"SELECT {names} FROM unnest({arrays}) AS given ({', '.join(types)})"


def _array_of(kind: str) -> str:
    return "text" if kind in ("jsonb", "smallint[]") else kind


def _columns(types: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """One array literal a column. Written here: the driver's own way costs ten times as much."""
    columns = zip(*rows, strict=True)
    return [_literal(_array_of(kind), column) for kind, column in zip(types.values(), columns, strict=True)]


def _literal(kind: str, column: Iterable[Any]) -> str:
    write = _WRITERS.get(kind, _quoted)
    return "{" + ",".join(["NULL" if value is None else write(value) for value in column]) + "}"


def _quoted(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\x00", "")
    return f'"{text}"'


def _seconds(value: timedelta) -> str:
    return f'"{value.total_seconds()} seconds"'


_WRITERS: dict[str, Callable[[Any], str]] = {
    "bigint": str, "smallint": str, "boolean": str, "timestamptz": datetime.isoformat, "date": date.isoformat,
    "interval": _seconds,
}  # fmt: skip


def allocate(sequence: str, n: int) -> list[int]:
    return bulk.take(sequence, n)


def fetch(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def tell_actor(actor: Actor) -> None:
    """Say in the running transaction who is acting: the history trigger reads it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('bihuan.account', %s, true), set_config('bihuan.post', %s, true),"
            " set_config('bihuan.actor', %s, true)",
            [str(actor.account_id or ""), str(actor.post_id or ""), actor.name],
        )


_months: set[tuple[str, int, int]] = set()


def ensure_months(instants: Iterable[datetime]) -> None:
    """Make the partitions these deadlines fall in. What cannot be made now goes to the default partition."""
    name = str(connection.settings_dict["NAME"])
    months = {(name, at.year, at.month) for at in instants if FIRST_YEAR <= at.year <= LAST_YEAR}
    missing = sorted(months - _months)
    if not missing:
        return
    for month in missing:
        if not bulk.first_time(f"loops.month {month}"):
            continue
        bulk.write("SELECT loops_ensure_month(make_date(%s, %s, 1))", month[1:])


def note_months() -> None:
    """Remember which partitions are there (only committed ones are trusted)."""
    name = str(connection.settings_dict["NAME"])
    rows = fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'loops_duty'::regclass", []
    )
    _months.clear()
    _months.update((name, int(r[0][-6:-2]), int(r[0][-2:])) for r in rows if r[0][-6:].isdigit())


FIRST_YEAR, LAST_YEAR = 2015, 2040
"""Deadlines outside these years lie in the default partition: mistyped dates must not make tables."""


@dataclass(slots=True)
class StoredDuty:
    """What of a stored duty the engine compares with what should be."""

    id: int
    loop_id: int
    key: str
    kind: str
    state: int
    opened_at: datetime
    due_at: datetime
    warn_at: datetime
    territory_code: str
    owner_post_id: int
    owner_fallback: bool
    clock_known: bool
    ended_at: datetime | None
    ended_event_id: int | None
    reason: str
    binding_id: int


def find_duties(loop_ids: Sequence[int]) -> dict[int, dict[str, StoredDuty]]:
    """Stored duties by loop and key; of a key stored twice, the later row."""
    found: dict[int, dict[str, StoredDuty]] = {n: {} for n in loop_ids}
    rows = fetch(
        "SELECT id, loop_id, key, kind, state, opened_at, due_at, warn_at, territory_code, owner_post_id,"
        " owner_fallback, clock_known, ended_at, ended_event_id, reason, binding_id"
        " FROM loops_duty WHERE loop_id = ANY(%s) ORDER BY id",
        [list(loop_ids)],
    )
    for row in rows:
        duty = StoredDuty(*row)
        found[duty.loop_id][duty.key] = duty
    return found


__all__ = ["DUTY_TYPES", "StoredDuty", "allocate", "dump", "ensure_months", "fetch", "find_duties", "insert",
           "local_day", "note_months", "tell_actor", "update"]  # fmt: skip
