"""What commands print: a table for people, one JSON document for programs."""

from __future__ import annotations

import dataclasses
import json as json_module
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import typer
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bihuan.registry.errors import BihuanError, Invalid

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]

DATABASE_EXIT_CODE = 7


def show(data: Any, *, json: bool, human: Callable[[Console], None] | None = None) -> None:
    """Print `data` as JSON, or by `human`, or (when `human` is None) as a plain table."""
    if json:
        print(json_module.dumps(plain(data), ensure_ascii=False, indent=2))
        return
    console = Console()
    if human is not None:
        human(console)
    elif isinstance(data, Sequence) and not isinstance(data, str):
        table(console, data)
    else:
        figures(console, plain(data))


def figures(console: Console, found: Mapping[str, Any]) -> None:
    """Print facts of one thing, a line each, under the words people have for them."""
    table(console, [{"": called(key), " ": value} for key, value in found.items()])


def called(key: str) -> str:
    """What people call a figure or a column; programs read its key."""
    return pgettext("figure", key) if key.strip() else key


def table(
    console: Console, rows: Iterable[Any], columns: Sequence[str] | None = None, title: str = ""
) -> None:
    """Print rows (mappings or dataclasses) under the keys of the first one, or under `columns`. Instants
    stand in local time; what is too wide goes on in the next line, and nothing is cut off."""
    flat = [_fields(row) for row in rows]
    names = list(columns or (flat[0] if flat else ()))
    drawn = Table(title=escape(title) or None, show_header=any(name.strip() for name in names))
    for name in names:
        drawn.add_column(escape(called(name)), overflow="fold")
    for row in flat:
        drawn.add_row(*(escape(_cell(row.get(name))) for name in names))
    console.print(drawn)


def plain(value: Any) -> Any:
    """Turn dataclasses, dates, enumerations, lazy texts into what JSON knows. Times: ISO 8601 with zone."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def complain(error: BihuanError, *, as_json: bool) -> int:
    """Print an error of the house to stderr and return its exit code."""
    if as_json:
        said = {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "details": plain(error.details),
        }
        if isinstance(error, Invalid):
            said["errors"] = plain(error.errors)
        print(json_module.dumps({"error": said}, ensure_ascii=False), file=sys.stderr)
        return error.exit_code
    console = Console(stderr=True)
    console.print(f"[bold red]✗[/] {escape(error.message)}")
    for item in error.errors if isinstance(error, Invalid) else ():
        line = " ".join(str(item[key]) for key in ("field", "message", "hint") if item.get(key))
        console.print(f"  · {escape(line)}")
    if error.hint:
        console.print(f"  → {escape(error.hint)}")
    return error.exit_code


def complain_of_value(error: Exception, *, as_json: bool) -> int:
    """A value the database cannot hold: too long, or out of its range. The value itself is not repeated."""
    longest = re.search(r"character varying\((\d+)\)", str(error))
    told = _("A value is too long: at most %(n)s signs.") if longest else _("A value is out of range.")
    words = {"n": longest[1]} if longest else {}
    hint = _("Shorten what was typed or what stands in the file; nothing was stored.")
    return complain(Invalid(told % words, code="bad-value", hint=hint), as_json=as_json)


def complain_of_database(error: Exception, *, as_json: bool) -> int:
    """The database does not answer, or is not what this version expects. Parameters are not repeated."""
    first = str(error).strip().split("\n")[0]
    hint = _("Is the server of DATABASE_URL running, and were migrations applied (`bihuan migrate`)?")
    wrapped = BihuanError(_("The database refuses: %(said)s") % {"said": first}, code="database", hint=hint)
    wrapped.exit_code = DATABASE_EXIT_CODE
    return complain(wrapped, as_json=as_json)


def _fields(row: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return {str(plain(key)): value for key, value in row.items()}


def _cell(value: Any) -> str:
    if isinstance(value, datetime) and value.tzinfo:
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M}"
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (dict, list)):
        return json_module.dumps(value, ensure_ascii=False)
    return str(value)
