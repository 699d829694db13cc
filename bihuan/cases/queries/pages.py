"""Pages by keyset: the next page starts after the last row seen, so page 1,000 costs what page 1 costs."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
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


def read_page(rows: QuerySet[M], sort: Sort, *, cursor: str, size: int) -> tuple[list[M], str]:
    """The rows behind a cursor, and the cursor of the page after ("" = none).

    Unknown values stand last in both directions: the known are read first, then the unknown, each along an
    index. Raises Invalid for a cursor that is not one of this list.
    """
    value, pk = _open(cursor, sort) if cursor else (None, None)
    found: list[M] = []
    if value is not None or pk is None:
        found = list(_known(rows, sort, value, pk)[: size + 1])
        value, pk = None, None
    if sort.nullable and len(found) <= size:
        found += list(_unknown(rows, sort, pk)[: size + 1 - len(found)])
    if len(found) <= size:
        return found, ""
    return found[:size], cursor_of(found[size - 1], sort)


def _known(rows: QuerySet[M], sort: Sort, value: Any, pk: int | None) -> QuerySet[M]:
    column, key = F(sort.column), sort.column
    if sort.nullable:
        rows = rows.filter(**{f"{key}__isnull": False})
    if pk is not None:
        beyond, last = ("lt", "id__lt") if sort.descending else ("gt", "id__gt")
        edge = {f"{key}__{beyond}e": value}
        rows = rows.filter(Q(**{f"{key}__{beyond}": value}) | Q(**{key: value, last: pk}), **edge)
    if not sort.nullable:
        return rows.order_by(f"-{key}", "-id") if sort.descending else rows.order_by(key, "id")
    if sort.descending:
        return rows.order_by(column.desc(nulls_last=True), "-id")
    return rows.order_by(column.asc(nulls_first=True), "id")  # the same index, read backwards


def _unknown(rows: QuerySet[M], sort: Sort, pk: int | None) -> QuerySet[M]:
    rows = rows.filter(**{f"{sort.column}__isnull": True})
    if pk is not None:
        rows = rows.filter(**{"id__lt" if sort.descending else "id__gt": pk})
    return rows.order_by("-id" if sort.descending else "id")


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
            value = (
                datetime.fromisoformat(value) if sort.column.endswith("_at") else date.fromisoformat(value)
            )
    except (ValueError, TypeError, binascii.Error, UnicodeDecodeError):
        raise wrong_cursor() from None
    return value, pk


def wrong_cursor() -> Invalid:
    message = _("This page address does not belong to this list.")
    error = {"field": "cursor", "rule": "cursor", "message": message, "hint": _("Start from the first page.")}
    return Invalid(message, errors=[error])


def page_size(size: int | None) -> int:
    return SIZE if not size else max(1, min(size, LARGEST))


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
