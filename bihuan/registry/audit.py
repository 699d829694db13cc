"""Who looked at whom, and who changed what: the access log and the name on every row of history.

Every door that shows personal data calls `log_read` once for what it shows. The log cannot be changed
(a trigger, and the door's role has no right to), and the chain (`registry/chain.py`) proves that it was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pghistory
from django.db import connection
from django.utils.translation import gettext as _

from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.registry.models import AccessLog, Account, Person, Post
from bihuan.registry.purposes import said, told
from bihuan.registry.text import name_of


@dataclass(frozen=True, slots=True)
class Through:
    """By which door and in which request something is done; `name` of who does it, for the log."""

    door: str = "system"
    request_id: str = ""
    name: str = ""


_NOWHERE = Through()
_through: ContextVar[Through] = ContextVar("bihuan_through", default=_NOWHERE)


@contextmanager
def through(door: str, *, request_id: str = "", name: str = "") -> Iterator[None]:
    """Say for the length of a request by which door (web, api, cli, import, drill, worker) it came."""
    token = _through.set(Through(door, request_id, name))
    try:
        yield
    finally:
        _through.reset(token)


@contextmanager
def attributed(actor: Actor, **more: str) -> Iterator[None]:
    """Write who acts (and `more`, such as a reason) beside every row of history that arises within."""
    said = {
        "account": actor.account_id,
        "post": actor.post_id,
        "name": actor.name,
        "door": actor.door,
        "request": _through.get().request_id,
        **more,
    }
    with pghistory.context(**{key: value for key, value in said.items() if value}):
        yield


_LOG = """
    INSERT INTO registry_accesslog
        (at, account_id, post_id, actor_name, person_id, territory_code, fields, purpose, door,
        request_id, glass)
    SELECT %(at)s, %(account)s, %(post)s, %(name)s, p.id, p.territory_code, %(fields)s, %(purpose)s,
        %(door)s, %(request)s, %(glass)s
    FROM registry_person p WHERE p.id = ANY(%(people)s)
"""


def log_read(persons: Iterable[int | Person], fields: Sequence[str], purpose: str) -> int:
    """Note that these people's `fields` were shown for `purpose`; one row a person. Returns how many.

    Who and where from come from the scope acted in and from `through`. People the scope cannot see are
    not logged, as they cannot have been shown.
    """
    if not purpose.strip():
        raise Invalid(_("Personal data are shown for a purpose only, and none is given."), code="no-purpose")
    people = sorted({person if isinstance(person, int) else person.pk for person in persons})
    if not people or not fields:
        return 0
    acting, way = scope.current(), _through.get()
    with connection.cursor() as cursor:
        cursor.execute(
            _LOG,
            {
                "at": clock.now(),
                "account": acting.account_id if acting else None,
                "post": acting.post_id if acting else None,
                "name": way.name[:120],
                "people": people,
                "fields": sorted(set(fields)),
                "purpose": purpose.strip()[:200],
                "door": way.door,
                "request": way.request_id[:40],
                "glass": (acting.glass or "") if acting else "",
            },
        )
        return cursor.rowcount


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of a person's data, for the person's page. `at` in UTC; `glass` names an emergency; `told`:
    the purpose as the person herself is told it, without what somebody wrote ("" where that is all)."""

    at: datetime
    who: str
    post: str
    fields: tuple[str, ...]
    purpose: str
    door: str
    glass: str
    told: str = ""


def who_looked(person_id: int, *, limit: int = 200) -> list[Look]:
    """Who read this person's data (of all records joined with it), newest first."""
    records = list(
        Person.objects.filter(root_id__in=Person.objects.filter(id=person_id).values("root_id")).values_list(
            "id", flat=True
        )
    )
    rows = list(AccessLog.objects.filter(person_id__in=records).order_by("-at", "-id")[:limit])
    accounts = Account.objects.in_bulk({row.account_id for row in rows if row.account_id})
    posts = Post.objects.select_related("organization").in_bulk({row.post_id for row in rows if row.post_id})
    return [_look(row, accounts, posts) for row in rows]


def _look(row: AccessLog, accounts: dict[int, Any], posts: dict[int, Any]) -> Look:
    account, post = accounts.get(row.account_id or 0), posts.get(row.post_id or 0)
    title = ""
    if post:
        house = post.organization
        title = f"{name_of(house.name, house.name_en)} {name_of(post.title, post.title_en)}"
    return Look(
        at=row.at,
        who=str(account) if account else row.actor_name,
        post=title,
        fields=tuple(row.fields),
        purpose=said(row.purpose),
        door=row.door,
        glass=row.glass,
        told=told(row.purpose),
    )
