"""What assistance requests hold about a person, how it is destroyed with her identity, and a notice's
words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.registry import outbox, shredder
from bihuan.registry.shredder import Held, Records
from bihuan.tracing.actions.assistance.end import REMINDED
from bihuan.tracing.models import AssistanceNote, AssistanceRequest

KEY = "retention.identity_days"


def _shred(records: Records) -> dict[str, list[int]]:
    rows = AssistanceRequest.unscoped.filter(person_id__in=records)
    ids = sorted(rows.values_list("id", flat=True))
    if not ids:
        return {}
    AssistanceNote.unscoped.filter(request_id__in=ids).delete()
    rows.update(told=None, number=None)
    return {AssistanceRequest._meta.db_table: ids}


def _remain(records: Records) -> int:
    rows = AssistanceRequest.unscoped.filter(person_id__in=records)
    notes = AssistanceNote.unscoped.filter(request__person_id__in=records)
    return rows.filter(told__isnull=False).count() + notes.count()


def _hold(records: Records) -> Held:
    facts = tuple(
        {
            "record": row.public_id,
            "need": row.need,
            "side": row.side,
            "other": row.other_office or row.other_territory,
            "shared": list(row.shared),
            "status": row.status,
            "since": row.created_at,
        }
        for row in AssistanceRequest.unscoped.filter(person_id__in=records).order_by("id")
    )
    return Held(kind=_("Assistance requests"), facts=facts, retention_key=KEY)


def _reminded(payload: Mapping[str, Any]) -> str:
    return _("Reminder: assistance request %(id)s waits for an answer.") % {"id": payload.get("request", "")}


def register() -> None:
    """Called once, when the room is ready."""
    shredder.register_shredder("assistance", gettext_lazy("Assistance requests"), KEY, _shred, _remain)
    shredder.register_holder("assistance", _hold)
    outbox.register_words(REMINDED, _reminded)
