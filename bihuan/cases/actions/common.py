"""What the verbs of cases, tracing and care share: rights, time, telling the loops, writing many rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, models, transaction

from bihuan.loops.models import Duty, Loop
from bihuan.registry import access, bulk, clock, scope, stamps
from bihuan.registry.actor import Actor
from bihuan.registry.audit import attributed
from bihuan.registry.errors import NotAllowed
from bihuan.registry.territory import tz_of

Day = date | datetime | None
_WORTH_COPY = 20


@contextmanager
def writing(actor: Actor) -> Iterator[None]:
    """One transaction whose history says who acted; the tree and the roles are those it began with."""
    with transaction.atomic(), attributed(actor), stamps.steady():
        yield


def authorize(
    rights: str | Sequence[str], territory_code: str, *, subject: tuple[str, str] | None = None
) -> None:
    """Refuse unless the post acted in carries one of `rights` at `territory_code`.

    With `subject` (kind, public id), a post that only may work on what lies on its own desk passes if one of
    its duties is about that subject. Raises NotAllowed with the reason.
    """
    if scope.is_system():
        return
    names = (rights,) if isinstance(rights, str) else tuple(rights)
    acting = scope.current()
    refused = None
    for right in names:
        decision = access.may(None, right, territory_code=territory_code)
        if decision:
            return
        refused = refused or decision
        if subject is None or acting is None or acting.post_id is None:
            continue
        if access.may(None, right, post_id=acting.post_id) and _on_desk(acting.post_id, subject):
            return
    if acting is None:
        access.require(names[0], territory_code=territory_code)
    assert refused is not None
    raise NotAllowed(refused.reason, details={"right": names[0], "territory": territory_code})


def _on_desk(post_id: int, subject: tuple[str, str]) -> bool:
    """Does an open loop about the subject owe, or did it owe, this post something?"""
    kind, ref = subject
    loops = Loop.objects.filter(subject_kind=kind, subject_ref=ref, state=0).values("id")
    return Duty.objects.filter(owner_post_id=post_id, loop_id__in=loops).exists()


def authorize_all(right: str, territory_codes: Iterable[str]) -> None:
    """`authorize` for the many: each distinct territory once."""
    if not scope.is_system():
        for code in set(territory_codes):
            authorize(right, code)


def zone_of(territory_code: str) -> ZoneInfo:
    return clock.zone(tz_of(territory_code))


def moment_now(now: datetime | None) -> datetime:
    return now if now is not None else clock.now()


def stamp(actor: Actor) -> dict[str, Any]:
    """The columns that say who."""
    return {"by_account_id": actor.account_id, "by_post_id": actor.post_id, "by_name": actor.name}


def insert_rows(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    answer: bool = True,
) -> list[int]:
    """Insert many rows in one statement; the new ids, in the order of `rows`.

    By COPY (see `registry.bulk`); where that is closed, to the role that row-level security restricts, and
    for a few rows, with one array parameter a column. `columns` are column names of the table. Without
    `answer` nobody asks for the ids: [].
    """
    if not rows:
        return []
    table = model._meta.db_table
    if len(rows) >= _WORTH_COPY and bulk.copies(table):
        line = bulk.line
        if not answer:
            bulk.put(table, columns, [line(row) for row in rows])
            return []
        ids = bulk.take(f"{table}_id_seq", len(rows))
        bulk.put(table, ("id", *columns), [f"{n}\t{line(row)}" for n, row in zip(ids, rows, strict=True)])
        return ids
    fields = {f.column: f for f in model._meta.concrete_fields}
    types = [_type(fields[name]) for name in columns]
    arrays = [list(values) for values in zip(*rows, strict=True)]
    names = ", ".join(f'"{name}"' for name in columns)
    given = ", ".join(f"%s::{sql}[]" for sql, _cast in types)
    picked = ", ".join(f"c{i}{cast}" for i, (_sql, cast) in enumerate(types))
    aliases = ", ".join(f"c{i}" for i in range(len(columns)))
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{model._meta.db_table}" ({names}) '
            f"SELECT {picked} FROM unnest({given}) WITH ORDINALITY AS r({aliases}, n)"
            " ORDER BY n RETURNING id",
            arrays,
        )
        return [row[0] for row in cursor.fetchall()]


def _type(field: models.Field[Any, Any]) -> tuple[str, str]:
    """The array element type of a column and the cast back; arrays and JSON travel as text."""
    kind = (field.db_type(connection) or "text").split("(")[0].strip()
    if kind.endswith("[]") or (field.db_type(connection) or "").endswith("[]"):
        return "text", f"::{field.db_type(connection)}"
    if kind == "jsonb":
        return "text", "::jsonb"
    if field.is_relation or kind in ("bigint", "integer", "smallint"):
        return "bigint", ""
    return kind, ""


def array_literal(items: Iterable[object]) -> str:
    """Plain words or dates as a PostgreSQL array, for `insert_rows`."""
    return "{" + ",".join(str(item) for item in items) + "}"
