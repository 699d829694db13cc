"""Entries of a track as the rules see them."""

from __future__ import annotations

from collections.abc import Iterable

from bihuan.registry import scope
from bihuan.tracing.models import Investigation, Place, TrackEntry
from bihuan.tracing.rules.track import Certainty, Precision, Stay


def stays_of(investigation: Investigation) -> list[Stay]:
    """The entries that stand (not retracted), in order of time."""
    rows = TrackEntry.objects.filter(investigation=investigation, retracted_at=None)
    return as_stays(rows.order_by("from_at", "id"))


def as_stays(entries: Iterable[TrackEntry]) -> list[Stay]:
    """Entries as stays. Places of other counties are asked for their coordinates too."""
    rows = list(entries)
    with scope.system():
        places = {p.pk: p for p in Place.objects.filter(id__in={e.place_id for e in rows if e.place_id})}
    return [_stay(entry, places.get(entry.place_id or 0)) for entry in rows]


def _stay(entry: TrackEntry, place: Place | None) -> Stay:
    known = place is not None and place.latitude is not None and place.longitude is not None
    return Stay(
        key=entry.pk,
        since=entry.from_at,
        until=entry.to_at,
        precision=Precision(entry.precision),
        certainty=Certainty(entry.certainty),
        place=same_place(entry, place),
        at=(place.latitude, place.longitude) if known else None,  # type: ignore[union-attr, arg-type]
    )


def same_place(entry: TrackEntry, place: Place | None) -> str:
    """A word that is the same for the same place, as far as it was told: its name, else the id a gate gave
    it."""
    name = place.name if place is not None else entry.place_text
    return " ".join(name.split()).casefold() or str((entry.visit or {}).get("place", ""))
