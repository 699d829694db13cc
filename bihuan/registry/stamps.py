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

from bihuan.registry.models.stamp import Stamp

T = TypeVar("T")

_checked: ContextVar[set[str] | None] = ContextVar("bihuan_stamps_checked", default=None)


@contextmanager
def steady() -> Iterator[None]:
    """Check each copy at most once inside. For one request, one import batch, one sweep."""
    token = _checked.set(set())
    try:
        yield
    finally:
        _checked.reset(token)


def look_again() -> None:
    """Inside `steady()`: check once more. An action that changes a watched table calls it."""
    seen = _checked.get()
    if seen is not None:
        seen.clear()


class Stamped(Generic[T]):
    """A copy built by `build` and kept until the stamp `name` changes."""

    def __init__(self, name: str, build: Callable[[], T]) -> None:
        self.name = name
        self.build = build
        self._kept: tuple[UUID, T] | None = None

    def get(self) -> T:
        seen = _checked.get()
        if seen is not None and self.name in seen and self._kept is not None:
            return self._kept[1]
        stamp = Stamp.objects.filter(name=self.name).values_list("value", flat=True).first()
        kept = self._kept
        if stamp is None:
            return self.build()
        if kept is None or kept[0] != stamp:
            kept = (stamp, self.build())
            self._kept = kept
        if seen is not None:
            seen.add(self.name)
        return kept[1]
