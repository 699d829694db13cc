"""Row history as this house keeps it: append-only, by statement-level triggers, context in the row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pghistory
import pgtrigger
from django.contrib.postgres.functions import RandomUUID
from django.db import models

from bihuan.registry.models.base import CODE_LENGTH

M = TypeVar("M", bound=models.Model)


def append_only(name: str = "append_only") -> pgtrigger.Trigger:
    """The trigger that forbids changing and deleting rows of a table."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update | pgtrigger.Delete)


def only_shredded(name: str = "only_shredded") -> pgtrigger.Trigger:
    """The trigger that forbids deleting rows, and changing them except by the shredder, which says so in a
    setting of its transaction. (The door's role has no UPDATE on history; the chain shows every change
    that no shredding entry covers.)"""
    return pgtrigger.Trigger(
        name=name,
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete,
        func=(
            "IF TG_OP = 'UPDATE' AND current_setting('bihuan.shredding', true) = 'on' "
            "THEN RETURN NEW; END IF; "
            "RAISE EXCEPTION 'bihuan: % may not be changed or deleted', TG_TABLE_NAME "
            "USING ERRCODE = 'insufficient_privilege';"
        ),
    )


def track(*, fields: Sequence[str], personal: Sequence[str] = ()) -> Callable[[type[M]], type[M]]:
    """Keep every version of these fields of a model in its `…Event` table.

    `personal` are the fields that the shredder empties: the chain covers them by a salted commitment, so
    that emptying them (and their salt) leaves the chain provable. Such a table gets two more columns.
    """
    attrs: dict[str, Any] = {}
    if personal:
        attrs["salt"] = models.UUIDField(null=True, db_default=RandomUUID())
        attrs["commitment"] = models.CharField(max_length=64, default="", db_default="")
        attrs["personal_fields"] = tuple(personal)

    def tracked(model: type[M]) -> type[M]:
        references = {f: _plain_reference(model, f) for f in fields if _is_reference(model, f)}
        pghistory.track(
            pghistory.InsertEvent(),
            pghistory.UpdateEvent(),
            pghistory.DeleteEvent(),
            fields=list(fields),
            context_field=pghistory.ContextJSONField(),
            context_id_field=None,  # type: ignore[arg-type]  # its documented way to say none
            append_only=False,
            model_name=f"{model.__name__}Event",
            attrs={**references, **attrs},
            meta={"triggers": [only_shredded() if personal else append_only()]},
            level=pgtrigger.Statement,
        )(model)
        return model

    return tracked


def _is_reference(model: type[models.Model], field: str) -> bool:
    return isinstance(model._meta.get_field(field), models.ForeignKey)


def _plain_reference(model: type[models.Model], field: str) -> models.Field:
    """History keeps the number of a foreign key only: no index, no constraint, no way to follow it."""
    reference = model._meta.get_field(field)
    assert isinstance(reference, models.ForeignKey)
    target = reference.remote_field.model  # a text as long as the model is not read: then its key is a number
    if not isinstance(target, str) and isinstance(target._meta.pk, models.CharField):
        return models.CharField(null=True, db_column=reference.column, max_length=CODE_LENGTH)
    return models.BigIntegerField(null=True, db_column=reference.column)
