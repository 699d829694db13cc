"""A world that many tests begin with: made by its verbs once a process, and put back as rows ever after.

`recorded(name, make)` answers what `make()` answers and leaves the database as `make()` leaves it. The first
time it is made; the rows that came of it are kept. Later the same rows are put into the empty tables by COPY,
with their numbers, and the stamps of what processes keep copies of. Where that would not be the same (another
instant on the clock, tables that hold something already, a user of PostgreSQL who may not silence triggers)
it is made as the first time.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection, transaction

from bihuan.loops import store
from bihuan.registry import clock, stamps

T = TypeVar("T")
STAMPS = "registry_stamp"


@dataclass(frozen=True)
class Recording:
    """`rows`: the text of COPY by table and columns. `numbers`: how far sequences had come. `months`: those
    in which duties are due."""

    answer: bytes
    rows: dict[tuple[str, str], bytes]
    numbers: dict[str, int]
    stamps: list[tuple[str, str]]
    months: list[datetime]


_recordings: dict[tuple[str, str, datetime | None], Recording] = {}


def recorded(name: str, make: Callable[[], T]) -> T:
    """What `make` answers and does, quickly when it was done before. Its answer must bear pickling."""
    key = (name, str(connection.settings_dict["NAME"]), clock._frozen)
    with transaction.atomic():
        kept = _recordings.get(key)
        if kept is not None and not _filled({table for table, _columns in kept.rows}):
            _put_back(kept)
            return pickle.loads(kept.answer)
        before = _digests() if kept is None and _may_silence_triggers() else None
        answer = make()
        if before is not None:
            found = _record(before, answer)
            if found is not None:
                _recordings[key] = found
        return answer


def _record(before: dict[str, str | None], answer: Any) -> Recording | None:
    """What was added to empty tables; None when anything else was changed."""
    after = _digests()
    changed = {table for table in after if after[table] != before.get(table)} - {STAMPS}
    if any(before.get(table) is not None for table in changed):
        return None
    names = {table: ", ".join(_columns(table)) for table in sorted(changed)}
    rows = {(table, columns): _copied(table, columns) for table, columns in names.items()}
    numbers = _rows(
        "SELECT quote_ident(sequencename), last_value FROM pg_sequences"
        " WHERE schemaname = 'public' AND last_value IS NOT NULL"
    )
    stamps = _rows(f"SELECT name, value::text FROM {STAMPS}")
    months = [at for (at,) in _rows("SELECT DISTINCT date_trunc('month', due_at) FROM loops_duty")]
    return Recording(pickle.dumps(answer), rows, dict(numbers), stamps, months)


def _put_back(kept: Recording) -> None:
    store.ensure_months(kept.months)  # the parts of the table of duties went when they were undone
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no trigger: their rows are here too
        for (table, columns), block in kept.rows.items():
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as target:
                target.write(block)
        cursor.execute(  # a flush after a test of committed rows takes the stamps away too
            f"INSERT INTO {STAMPS} (name, value) SELECT * FROM unnest(%s::text[], %s::uuid[])"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [[name for name, _value in kept.stamps], [value for _name, value in kept.stamps]],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute(
            "SELECT setval(name::regclass, number)"
            " FROM unnest(%s::text[], %s::bigint[]) AS told (name, number)"
            " WHERE coalesce(pg_sequence_last_value(name::regclass), 0) < number",
            [list(kept.numbers), list(kept.numbers.values())],
        )
    stamps.look_again()


def _copied(table: str, columns: str) -> bytes:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY (SELECT {columns} FROM {table}) TO STDOUT") as source,
    ):
        return b"".join(bytes(piece) for piece in source)


def _digests() -> dict[str, str | None]:
    """Of each table what tells its content apart; None when it is empty."""
    tables = _rows(
        "SELECT quote_ident(relname) FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
        " AND relnamespace = 'public'::regnamespace"
    )
    parts = [
        f"SELECT '{name}', md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {name} t" for (name,) in tables
    ]
    return dict(_rows(" UNION ALL ".join(parts)))


def _filled(tables: set[str]) -> bool:
    [(found,)] = _rows("SELECT " + " OR ".join(f"EXISTS (SELECT FROM {table})" for table in sorted(tables)))
    return bool(found)


def _columns(table: str) -> list[str]:
    rows = _rows(
        "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        [table],
    )
    return [name for (name,) in rows]


def _may_silence_triggers() -> bool:
    [(found,)] = _rows("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(found)


def _rows(sql: str, params: Any = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
