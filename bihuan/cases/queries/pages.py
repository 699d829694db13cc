"""Pages by keyset: the next page starts after the last row seen, so page 1,000 costs what page 1 costs."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import F, Model, Q, QuerySet
from django.utils.translation import gettext as _

from bihuan.registry.errors import Invalid

Row = TypeVar("Row")
M = TypeVar("M", bound=Model)

SIZE, LARGEST = 50, 500
COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in order, and the cursor of the next page ("" = none)."""

    rows: tuple[Row, ...]
    next: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How many; `exact` False means "about" (the planner's estimate, beyond what is worth counting)."""

    n: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Sort:
    """One way to order: a column, newest (or highest) first or not; unknown values always stand last."""

    column: str
    descending: bool
    nullable: bool


def read_sort(name: str, columns: Mapping[str, bool]) -> Sort:
    """`-found_at` or `date_onset`. `columns` maps the allowed ones to whether they may be unknown."""
    column = name.removeprefix("-")
    if column not in columns:
        message = _("The list cannot be sorted by %(name)s.") % {"name": column}
        hint = ", ".join(columns)
        raise Invalid(message, errors=[{"field": "sort", "rule": "choice", "message": message, "hint": hint}])
    return Sort(column, name.startswith("-"), columns[column])


def ordered(rows: QuerySet[M], sort: Sort) -> QuerySet[M]:
    if sort.nullable:
        column = F(sort.column)
        first = column.desc(nulls_last=True) if sort.descending else column.asc(nulls_last=True)
        return rows.order_by(first, "-id" if sort.descending else "id")
    sign = "-" if sort.descending else ""
    return rows.order_by(f"{sign}{sort.column}", f"{sign}id")


def after(rows: QuerySet[M], sort: Sort, cursor: str) -> QuerySet[M]:
    """The rows that stand behind a cursor. Raises Invalid for a cursor that is not one of this list."""
    if not cursor:
        return rows
    value, pk = _open(cursor, sort)
    beyond, last = ("lt", "id__lt") if sort.descending else ("gt", "id__gt")
    if value is None:
        return rows.filter(**{f"{sort.column}__isnull": True, last: pk})
    tie = Q(**{sort.column: value, last: pk})
    behind = Q(**{f"{sort.column}__{beyond}": value}) | tie
    edge = {f"{sort.column}__{beyond}e": value}
    if sort.nullable:
        return rows.filter(behind | Q(**{f"{sort.column}__isnull": True}))
    return rows.filter(behind, **edge)


def cursor_of(row: Model, sort: Sort) -> str:
    value = getattr(row, sort.column)
    kept = value.isoformat() if isinstance(value, date | datetime) else value
    packed = json.dumps([sort.column, sort.descending, kept, row.pk]).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _open(cursor: str, sort: Sort) -> tuple[Any, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        column, descending, value, pk = json.loads(base64.urlsafe_b64decode(padded.encode()))
        if (column, descending) != (sort.column, sort.descending) or not isinstance(pk, int):
            raise ValueError
        if value is not None and not isinstance(value, str | int):
            raise ValueError
        if isinstance(value, str) and (sort.column.endswith("_at") or sort.column.startswith("date_")):
            value = datetime.fromisoformat(value) if sort.column.endswith("_at") else date.fromisoformat(value)
    except (ValueError, TypeError, binascii.Error, UnicodeDecodeError):
        message = _("This page address does not belong to this list.")
        error = {"field": "cursor", "rule": "cursor", "message": message, "hint": _("Start from the first page.")}
        raise Invalid(message, errors=[error]) from None
    return value, pk


def page_size(size: int | None) -> int:
    return SIZE if not size else max(1, min(size, LARGEST))


def cut(found: Sequence[M], size: int, sort: Sort) -> tuple[Sequence[M], str]:
    """`found` was read with one row too many; the cursor of the next page is that of the last kept."""
    if len(found) <= size:
        return found, ""
    return found[:size], cursor_of(found[size - 1], sort)


def count(rows: QuerySet[Any]) -> Count:
    """Exact up to COUNTED rows; beyond, what the planner thinks."""
    n = rows.order_by()[: COUNTED + 1].count()
    if n <= COUNTED:
        return Count(n, True)
    sql, params = rows.order_by().query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0]
    found = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"]
    return Count(max(int(found), COUNTED + 1), False)
