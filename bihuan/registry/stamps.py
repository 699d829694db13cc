"""Copies in memory of tables that change rarely: the territory tree, the posts, the roles.

A copy is checked against its stamp in the database on every use (a tenth of a millisecond), or once for a
whole request or batch inside `steady()`. It is never older than the start of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar
from uuid import UUID

from bihuan.registry import bulk
from bihuan.registry.models.stamp import Stamp

T = TypeVar("T")

_read: ContextVar[dict[str, UUID] | None] = ContextVar("bihuan_stamps_read", default=None)


@contextmanager
def steady() -> Iterator[None]:
    """Read the stamps at most once inside. For one request, one import batch, one sweep.

    In a `bulk.lane` those read at its start hold: asking anew would wait for all writes under way."""
    if bulk.current() is not None and _read.get() is not None:
        yield
        return
    token = _read.set({})
    try:
        yield
    finally:
        _read.reset(token)


def look_again() -> None:
    """Inside `steady()`: read the stamps once more. An action that changes a watched table calls it."""
    read = _read.get()
    if read:
        read.clear()


def _stamp(name: str) -> UUID | None:
    read = _read.get()
    if read is None:
        return Stamp.objects.filter(name=name).values_list("value", flat=True).first()
    if not read:
        read.update(Stamp.objects.values_list("name", "value"))
    return read.get(name)


class Stamped(Generic[T]):
    """A copy built by `build` and kept until the stamp `name` changes."""

    def __init__(self, name: str, build: Callable[[], T]) -> None:
        self.name = name
        self.build = build
        self._kept: tuple[UUID, T] | None = None

    def get(self) -> T:
        stamp = _stamp(self.name)
        if stamp is None:
            return self.build()
        kept = self._kept
        if kept is None or kept[0] != stamp:
            kept = (stamp, self.build())
            self._kept = kept
        return kept[1]
