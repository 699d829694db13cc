"""Within which territory work is being done now: the first fence, and the hand on the second.

A scope is an interval of territory codes: everything at or below `lo`. The first fence is
`ScopedManager`, which reads the scope from here. The second is row-level security in PostgreSQL (`rls.py`),
which reads two settings of the running transaction, `bihuan.lo` and `bihuan.hi`; this module sets them.

Three states: nobody acts (reads see nothing), somebody acts in a post (`acting_as`), the system acts
(`system`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from bihuan.registry.roles_rules import Granted

#: The last printable ASCII character: every code below `lo` sorts before `lo + "~"` in the C collation.
LAST: Final = "~"


@dataclass(frozen=True, slots=True)
class Scope:
    """The territory at and below `lo`, and what may be done there.

    `lo` "" is everywhere. `glass` is the public id of the break-the-glass record when this scope is one.
    """

    lo: str
    post_id: int | None = None
    account_id: int | None = None
    role: str = ""
    grants: frozenset[Granted] = field(default_factory=frozenset)
    glass: str | None = None
    organization_id: int | None = None
    desk: frozenset[int] = frozenset()

    @property
    def posts(self) -> frozenset[int]:
        """The posts whose work lies on this desk: the one acted in, and others the same person holds with the
        same role in the same territory."""
        return self.desk if self.post_id is None else self.desk | {self.post_id}

    @property
    def hi(self) -> str:
        return self.lo + LAST

    def covers(self, territory_code: str) -> bool:
        return self.lo <= territory_code < self.hi


class _System:
    __slots__ = ()
    lo, hi = "", LAST

    def __repr__(self) -> str:
        return "SYSTEM"


_SYSTEM: Final = _System()
_state: ContextVar[Scope | _System | None] = ContextVar("bihuan_scope", default=None)


def current() -> Scope | None:
    """Return the scope acted in; None when nobody acts, and also when the system does."""
    state = _state.get()
    return state if isinstance(state, Scope) else None


def is_system() -> bool:
    return isinstance(_state.get(), _System)


def bounds() -> tuple[str, str] | None:
    """Return (lo, hi) of what may be read now: None = nothing, ("", "~") = everything."""
    state = _state.get()
    return None if state is None else (state.lo, state.hi)


@contextmanager
def acting_as(scope: Scope) -> Iterator[Scope]:
    """Act in `scope` for the length of one transaction (opened here, or a savepoint of the running one)."""
    ends_here = not connection.in_atomic_block
    with transaction.atomic(), _entered(scope, ends_here=ends_here):
        yield scope


@contextmanager
def system() -> Iterator[None]:
    """Act as the system: no filter. For the worker, the command line, migrations, and the few steps of an
    action that must reach beyond the actor's territory (each such step says why).

    A process that connects as the restricted role gets a transaction, as its settings hold only within one.
    """
    if settings.DATABASE_ROLE == "door" or connection.in_atomic_block:
        ends_here = not connection.in_atomic_block
        with transaction.atomic(), _entered(_SYSTEM, ends_here=ends_here):
            yield
        return
    token = _state.set(_SYSTEM)
    try:
        yield
    finally:
        _state.reset(token)


@contextmanager
def _entered(state: Scope | _System, *, ends_here: bool) -> Iterator[None]:
    before = _state.get()
    _tell_database(state)
    token = _state.set(state)
    try:
        yield
    finally:
        _state.reset(token)
    if not ends_here and not connection.needs_rollback:  # the end of a transaction takes the settings back
        _tell_database(before)


_SET_BOUNDS = "SELECT set_config('bihuan.lo', %s, true), set_config('bihuan.hi', %s, true)"


def _tell_database(state: Scope | _System | None) -> None:
    lo, hi = (state.lo, state.hi) if state else ("", "")
    with connection.cursor() as cursor:
        cursor.execute(_SET_BOUNDS, [lo, hi])
