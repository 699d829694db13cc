"""What every line list can do: filter, sort, choose columns, go on from the last row, leave as a file.

The whole state of a list stands in its address, so that it can be kept, sent and come back to. A list is
described by a `ListSpec`; `build` reads the address and gives what `web/lists/list.html` lays out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, Generic, TypeVar

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _

from bihuan.doors.web import exporting, saved_views
from bihuan.doors.web.drawing import RingStage
from bihuan.epi import years
from bihuan.registry.errors import Invalid

Row = TypeVar("Row")

PAGE_SIZE: Final = 50
EXPORT_PAGE: Final = 500
EXPORT_LIMIT: Final = 50_000  # rows of one file; a larger answer is narrowed by filters
STATE_KEYS: Final = ("sort", "columns", "as_of", "territory", "q")


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one cell. `tone`: late, soon, done. `export`: what a file gets instead of the text."""

    text: Any
    href: str = ""
    under: str = ""
    tone: str = ""
    stages: Sequence[RingStage] = ()
    export: Any = None


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    key: str
    label: str
    cell: Callable[[Row], Cell]
    sort: str = ""  # the query's name of the order, "" = not sortable
    numeric: bool = False
    shown: bool = True
    lead: bool = False  # stands top right where the table folds on a phone
    filed: bool = False  # stands in a file also where the page does not show it


@dataclass(frozen=True, slots=True)
class Filter:
    """A field above the list. `parse` makes of the address's text what the query takes (or ValueError)."""

    key: str
    label: str
    choices: Sequence[tuple[str, Any]] = ()
    type: str = "text"
    parse: Callable[[str], Any] = str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, checked: filters by key, order, where to go on, how many rows."""

    filters: Mapping[str, Any]
    q: str
    sort: str
    after: str
    limit: int


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """A page of rows. `next` goes on after the last; `total` None when not counted, about if not `exact`."""

    rows: Sequence[Row]
    next: str = ""
    total: int | None = None
    exact: bool = True


@dataclass(frozen=True, slots=True)
class ListSpec(Generic[Row]):
    key: str
    title: str
    columns: Sequence[Column[Row]]
    find: Callable[[Asked], Found[Row]]
    filters: Sequence[Filter] = ()
    default_sort: str = ""
    searchable: bool = False
    search_hint: str = ""
    explains: str = ""
    empty: tuple[str, str, str, str] = ("", "", "", "")  # title, text, address, what the button says
    views: Sequence[tuple[str, str]] = ()  # built-in views: name, query
    may_export: bool = False
    select: Callable[[Row], str] | None = None
    name: Callable[[Row], str] | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    exported: Callable[[Sequence[Row]], None] | None = None  # told of the rows that leave as a file


def a_date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as wrong:
        raise ValueError(_("Write the date as 2020-02-17.")) from wrong
    if day.year not in years.MEANT:  # no day can be added to the last one there is
        raise ValueError(_("Write the date as 2020-02-17."))
    return day


def typed(request: HttpRequest, key: str) -> str:
    """What somebody typed; a NUL stands for nothing, and no database holds one."""
    return request.GET.get(key, "").replace("\0", "").strip()


def respond(request: HttpRequest, spec: ListSpec[Row]) -> HttpResponseBase:
    """The list as a page, or as the file the address asks for."""
    wanted = request.GET.get("export", "")
    as_file = wanted in ("csv", "xlsx") and spec.may_export
    asked, errors = _asked(request, spec, limit=EXPORT_PAGE if as_file else PAGE_SIZE)
    columns = _chosen(request, spec, as_file=as_file)
    if as_file:
        rows = _every_row(spec, asked)
        if spec.exported:
            spec.exported(rows)
        write = exporting.as_csv if wanted == "csv" else exporting.as_xlsx
        return write(spec.key, [column.label for column in columns], _exported(columns, rows))
    found = spec.find(asked)
    context = {"list": _page(request, spec, asked, found, columns, errors), **spec.context}
    return render(request, "web/lists/list.html", context)


def _asked(request: HttpRequest, spec: ListSpec[Any], *, limit: int) -> tuple[Asked, dict[str, str]]:
    filters: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for one in spec.filters:
        text = typed(request, one.key)
        if not text:
            continue
        if one.choices and text not in dict(one.choices):
            errors[one.key] = _("Choose one of the list.")
            continue
        try:
            filters[one.key] = one.parse(text)
        except ValueError as wrong:
            errors[one.key] = str(wrong)
    sort = request.GET.get("sort", "") or spec.default_sort
    known = {column.sort for column in spec.columns if column.sort}
    sort = sort if sort.lstrip("-") in known else spec.default_sort
    q = typed(request, "q") if spec.searchable else ""
    return Asked(filters, q, sort, request.GET.get("after", ""), limit), errors


def _every_row(spec: ListSpec[Row], asked: Asked) -> list[Row]:
    """All rows a file holds, page by page. Raises Invalid when they are more than a file may hold."""
    rows: list[Row] = []
    after = ""
    while True:
        page = spec.find(replace(asked, after=after))
        rows.extend(page.rows)
        if not page.next:
            return rows
        if len(rows) >= EXPORT_LIMIT:
            raise Invalid(
                _("More than %(n)s rows match.") % {"n": f"{EXPORT_LIMIT:,}"},
                hint=_("Narrow the list by a filter, and export the parts."),
            )
        after = page.next


def _chosen(request: HttpRequest, spec: ListSpec[Row], *, as_file: bool) -> list[Column[Row]]:
    wanted = set(request.GET.getlist("columns"))
    natural = {column.key for column in spec.columns if column.shown or (as_file and column.filed)}
    return [column for column in spec.columns if column.key in (wanted or natural)]


def _exported(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> Iterable[list[Any]]:
    for row in rows:
        cells = [column.cell(row) for column in columns]
        yield [cell.export if cell.export is not None else cell.text for cell in cells]


def _address(request: HttpRequest, **changes: Any) -> str:
    params: QueryDict = request.GET.copy()
    for key in ("export", "after"):
        params.pop(key, None)
    for key, value in changes.items():
        if value in (None, ""):
            params.pop(key, None)
        else:
            params[key] = str(value)
    return f"?{params.urlencode()}" if params else request.path


def _page(
    request: HttpRequest,
    spec: ListSpec[Row],
    asked: Asked,
    found: Found[Row],
    columns: Sequence[Column[Row]],
    errors: Mapping[str, str],
) -> dict[str, Any]:
    title, text, href, action = spec.empty
    filtered = bool(asked.filters or asked.q)
    own = [(view.name, view.query) for view in saved_views.of(request, spec.key)]
    here = request.GET.urlencode()
    return {
        "key": spec.key,
        "title": spec.title,
        "explains": spec.explains,
        "views": [
            {"name": name, "href": f"?{query}" if query else request.path, "current": query == here}
            for name, query in [*spec.views, *own]
        ],
        "may_save": request.user.is_authenticated,
        "may_export": spec.may_export,
        "searchable": spec.searchable,
        "search_hint": spec.search_hint,
        "q": asked.q,
        "filters": [
            {"key": f.key, "label": f.label, "choices": f.choices, "type": f.type,
             "value": request.GET.get(f.key, ""), "error": errors.get(f.key, "")}
            for f in spec.filters
        ],
        "filtered": filtered,
        "kept": [(key, value) for key in request.GET for value in request.GET.getlist(key)],
        "hidden": [(key, value) for key in ("sort", "columns", "as_of", "territory")
                   for value in request.GET.getlist(key)
                   if key not in {f.key for f in spec.filters}],
        "all_columns": [{"key": c.key, "label": c.label, "shown": c in columns} for c in spec.columns],
        "columns": [_head(request, column, asked.sort) for column in columns],
        "bulk": spec.select is not None,
        "rows": [_row(spec, columns, row) for row in found.rows],
        "count_text": _counted(found),
        "first_href": _address(request) if asked.after else "",
        "next_href": _next(request, found.next),
        "empty_title": _("Nothing matches these filters") if filtered else title,
        "empty_text": _("Clear a filter to see more.") if filtered else text,
        "empty_href": "" if filtered else href,
        "empty_action": action,
    }  # fmt: skip


def _next(request: HttpRequest, after: str) -> str:
    if not after:
        return ""
    params = request.GET.copy()
    params.pop("export", None)
    params["after"] = after
    return f"?{params.urlencode()}"


def _counted(found: Found[Any]) -> str:
    if found.total is not None:
        words = _("%(n)s in all") if found.exact else _("about %(n)s")
        return words % {"n": f"{found.total:,}"}
    shown = f"{len(found.rows):,}"
    return _("%(n)s shown, more follow") % {"n": shown} if found.next else _("%(n)s shown") % {"n": shown}


def _head(request: HttpRequest, column: Column[Any], sort: str) -> dict[str, Any]:
    head: dict[str, Any] = {"label": column.label, "numeric": column.numeric}
    if column.sort:
        ascending = sort == column.sort
        head["sort_href"] = _address(request, sort=f"-{column.sort}" if ascending else column.sort)
        if sort.lstrip("-") == column.sort:
            head["sorted"] = "ascending" if ascending else "descending"
    return head


def _row(spec: ListSpec[Row], columns: Sequence[Column[Row]], row: Row) -> dict[str, Any]:
    cells = []
    for column in columns:
        cell = column.cell(row)
        cells.append(
            {
                "text": cell.text,
                "href": cell.href,
                "under": cell.under,
                "tone": cell.tone,
                "stages": cell.stages,
                "label": column.label,
                "numeric": column.numeric,
                "lead": column.lead,
            }
        )
    return {
        "cells": cells,
        "select": spec.select(row) if spec.select else "",
        "name": spec.name(row) if spec.name else "",
    }
