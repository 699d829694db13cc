"""What every scoped fact has in common: a territory code, and a manager that reads within the scope."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from bihuan.registry import scope

M = TypeVar("M", bound=models.Model)

#: Longest code of any tree; China's longest (building below a grid) has 19 characters.
CODE_LENGTH = 64


class TerritoryCodeField(models.CharField):
    """A materialised path such as 420302001003-01, in byte order, with one plain index.

    Byte order (C collation) makes "at or below" an interval. Spelled `character varying`, so that Django does
    not add a second index for LIKE, which byte order makes needless.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", CODE_LENGTH)
        kwargs.setdefault("db_collation", "C")
        super().__init__(*args, **kwargs)

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return f"character varying({self.max_length})"


class PlainField(TerritoryCodeField):
    """A unique word (a public id, a key) with one plain index, and not a second for LIKE, which nobody asks
    of such words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("db_collation", None)
        super().__init__(*args, **kwargs)


class ScopedQuerySet(models.QuerySet[M]):
    def below(self, territory_code: str) -> ScopedQuerySet[M]:
        """Rows at or below a territory ("" = all that the scope allows)."""
        return self.filter(territory_code__gte=territory_code, territory_code__lt=territory_code + scope.LAST)


class ScopedManager(models.Manager.from_queryset(ScopedQuerySet)):  # type: ignore[misc]
    """Reads within the scope acted in; nothing when nobody acts; everything when the system acts."""

    def get_queryset(self) -> ScopedQuerySet:
        rows = super().get_queryset()
        bounds = scope.bounds()
        if bounds is None:
            return rows.none()
        lo, hi = bounds
        if lo == "":
            return rows
        return rows.filter(territory_code__gte=lo, territory_code__lt=hi)


class ScopedModel(models.Model):
    """Base of every fact that belongs to a territory. Its migration also calls `rls.enable_rls`."""

    territory_code = TerritoryCodeField(db_index=True)

    objects = ScopedManager()
    #: For the inside of the engine only; row-level security still holds for the door's role.
    unscoped = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta:
        abstract = True
