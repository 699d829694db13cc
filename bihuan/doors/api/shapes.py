"""Shapes that several routers share, and how a row of a room becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from ninja import Schema

from bihuan.cases.queries import Owed
from bihuan.doors.api.operation import Call
from bihuan.doors.api.reading import utc
from bihuan.registry import access, posts, territory
from bihuan.registry.errors import BihuanError, Invalid


class Done(Schema):
    """What was done: a sentence for a person, and the number of what it was done to or made."""

    message: str
    subject: str = ""
    data: dict[str, Any] = {}


class Many(Schema):
    """How many it was done to, and a sentence."""

    n: int
    message: str


class PostRef(Schema):
    """A post: its public id, and its name in the reader's language."""

    id: str
    name: str


class OwedOut(Schema):
    """What the loop of a subject owes now: open duties, late ones, stage and time of the next deadline."""

    open: int
    late: int
    stage: str
    next_due: datetime | None


def owed(row: Owed) -> OwedOut:
    return OwedOut(open=row.open, late=row.late, stage=row.stage, next_due=row.next_due)


def post(post_id: int | None) -> PostRef | None:
    """A post by row id; None when there is none."""
    found = posts.directory().by_id.get(post_id or 0)
    return PostRef(id=found.public_id, name=found.label) if found else None


def told(value: Any) -> Any:
    """Data of a room as JSON can hold them."""
    if isinstance(value, Mapping):
        return {str(key): told(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [told(one) for one in value]
    if isinstance(value, datetime):
        return utc(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value)


def place(call: Call, code: str, right: str) -> str:
    """The territory asked about, by code; the post's own when none is given. An old code means what followed.

    Raises UnknownTerritory, and NotAllowed for one outside the post's territory.
    """
    if not code:
        return call.scope.lo
    found = territory.find(code)
    if found is None and not _is_below_known(code):
        found = territory.resolve(code)
    wanted = found.code if found is not None else code
    access.require(right, territory_code=wanted)
    return wanted


def place_of_record(code: str, *, row: int | None = None) -> str:
    """The territory a new record belongs to. Raises Invalid at its field for one that is not in the tree."""
    if _is_below_known(code):
        return code
    try:
        return territory.resolve(code).code
    except BihuanError as error:
        wrong = {"field": "territory_code", "rule": "territory", "message": error.message, "hint": error.hint}
        raise Invalid(error.message, hint=error.hint, errors=[{**wrong, "row": row}]) from error


def _is_below_known(code: str) -> bool:
    """A grid, unit or building that is not registered itself, of a community that is: 420303003001-07."""
    community, dash, rest = code.partition("-")
    return bool(dash and rest and rest.replace("-", "").isalnum() and territory.find(community))
