"""What investigations hold about a person, and how it is destroyed with her identity.

A track goes: places, words and the entry records behind it; that there were so many entries, and when,
stays under the public id. What was found of the source loses its words. Keyed numbers go, so that nothing
leads from the visit store to her any more. An open investigation stands in the way.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.registry import shredder
from bihuan.registry.shredder import Held, Hold, Records, empty_history, history_remains
from bihuan.tracing.models import (
    CERTAINTY_LABELS,
    SOURCE_LABELS,
    Investigation,
    Pseudonym,
    SourceHypothesis,
    TrackEntry,
)
from bihuan.tracing.rules.settings import SettingKind

KEY = "retention.identity_days"
_ENTRY: dict[str, Any] = {
    "place_text": "", "place_territory": "", "activity": "", "companions": "", "retracted_reason": "",
    "place": None, "visit": None, "setting": SettingKind.UNKNOWN.value,
}  # fmt: skip


def _of(records: Records) -> dict[str, Any]:
    return {
        "investigations": Investigation.unscoped.filter(case__person_id__in=records),
        "entries": TrackEntry.unscoped.filter(investigation__case__person_id__in=records),
        "hypotheses": SourceHypothesis.unscoped.filter(investigation__case__person_id__in=records),
    }


def _ids(rows: Any) -> list[int]:
    return sorted(rows.values_list("id", flat=True))


def _shred(records: Records) -> dict[str, list[int]]:
    rows = _of(records)
    ids = {name: _ids(found) for name, found in rows.items()}
    Pseudonym.objects.filter(person_id__in=records).delete()
    rows["investigations"].update(summary="", no_track_reason="")
    rows["entries"].update(**_ENTRY)
    rows["hypotheses"].update(text="", reasons="")
    emptied: dict[str, list[int]] = {}
    for model, name in _TRACKED:
        if ids[name]:
            emptied |= empty_history(model, ids[name])
    return emptied


_TRACKED: tuple[tuple[Any, str], ...] = (
    (Investigation, "investigations"),
    (TrackEntry, "entries"),
    (SourceHypothesis, "hypotheses"),
)


def _remain(records: Records) -> int:
    rows = _of(records)
    told = rows["entries"].exclude(**{k: v for k, v in _ENTRY.items() if v is not None})
    placed = rows["entries"].filter(place__isnull=False) | rows["entries"].filter(visit__isnull=False)
    live = [
        Pseudonym.objects.filter(person_id__in=records),
        rows["investigations"].exclude(summary="", no_track_reason=""),
        told,
        placed,
        rows["hypotheses"].exclude(text="", reasons=""),
    ]
    history = sum(history_remains(model, _ids(rows[name])) for model, name in _TRACKED)
    return sum(found.count() for found in live) + history


def _hold(records: Records) -> Held:
    sources, certainties = dict(SOURCE_LABELS), dict(CERTAINTY_LABELS)
    facts = tuple(
        {
            "record": row.investigation.public_id,
            "from": row.from_at,
            "to": row.to_at,
            "place": row.place_text,
            "activity": row.activity,
            "source": str(sources[row.source]),
            "certainty": str(certainties[row.certainty]),
            "since": row.recorded_at,
        }
        for row in _of(records)["entries"].select_related("investigation").order_by("from_at", "id")
    )
    return Held(kind=_("Track of an investigation"), facts=facts, retention_key=KEY)


def _open(records: Records) -> list[Hold]:
    rows = _of(records)["investigations"].filter(status=Investigation.OPEN).order_by("id")
    return [Hold(_("investigation open"), row.public_id) for row in rows]


def register() -> None:
    """Called once, when the room is ready."""
    shredder.register_shredder("investigations", gettext_lazy("Investigations"), KEY, _shred, _remain)
    shredder.register_holder("investigations", _hold)
    shredder.register_hold("investigations", _open)
