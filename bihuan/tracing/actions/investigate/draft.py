"""A draft of the track from entry records: each a question to the person, none an answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bihuan.cases.actions.common import moment_now, stamp, writing
from bihuan.registry.actor import Actor
from bihuan.tracing.actions.investigate.life import locked
from bihuan.tracing.actions.looks import Recorded, TrackLook, look_track
from bihuan.tracing.models import Investigation, TrackEntry
from bihuan.tracing.rules.recorded import is_of_carrier


@dataclass(frozen=True, slots=True)
class Draft:
    """`look` is what was shown; `added` entries are new and not confirmed, `supported` entries told before
    are borne out by a record, `known` records stood in the track already (or were retracted); of those it is
    noted how they were recorded, if that was not known."""

    look: TrackLook
    added: int
    supported: int
    known: int


def draft_track(investigation_id: str, *, purpose: str, actor: Actor, now: datetime | None = None) -> Draft:
    """Take the records of the case into its track, not confirmed: a forwarded code is not presence. One that
    tells the same as an entry already there is laid beside it. Safe twice. Raises as `look_track` does."""
    at = moment_now(now)
    with writing(actor):
        found = locked(investigation_id)
        look = look_track(investigation_id, purpose=purpose, actor=actor, now=now)
        there = list(TrackEntry.objects.filter(investigation=found))
        seen = {_key(e.visit): e for e in there if e.visit}
        fresh, supported, known = [], 0, 0
        for record in look.rows:
            if _key(_visit(record)) in seen:
                known += 1
                _note_how(seen[_key(_visit(record))], record)
            elif (same := _told(record, there)) is not None:
                same.visit = _visit(record)
                same.save(update_fields=["visit"])
                supported += 1
            else:
                fresh.append(_entry(found, record, at=at, actor=actor))
        TrackEntry.objects.bulk_create(fresh)
        return Draft(look, len(fresh), supported, known)


def _visit(record: Recorded) -> dict[str, Any]:
    return {
        "place": record.place.store_id,
        "from": record.since.isoformat(),
        "to": record.until.isoformat() if record.until else None,
        "how": record.how,
    }


def _note_how(entry: TrackEntry, record: Recorded) -> None:
    if record.how is not None and (entry.visit or {}).get("how") is None and entry.retracted_at is None:
        entry.visit = {**(entry.visit or {}), "how": record.how}
        entry.save(update_fields=["visit"])


def _key(visit: dict[str, Any]) -> tuple[str, str]:
    return str(visit.get("place", "")), str(visit.get("from", ""))


def _told(record: Recorded, there: list[TrackEntry]) -> TrackEntry | None:
    """The entry that tells the same stay: same place, overlapping, and no record beside it yet."""
    name = " ".join(record.place.name.split()).casefold()
    end = record.until or record.since
    for entry in there:
        told_end = entry.to_at or entry.from_at
        if (
            entry.retracted_at is None
            and entry.visit is None
            and (entry.place_id or 0) in (record.place.pk, 0)
            and (entry.place_id or " ".join(entry.place_text.split()).casefold() == name)
            and entry.from_at <= end
            and told_end >= record.since
        ):
            return entry
    return None


def _entry(found: Investigation, record: Recorded, *, at: datetime, actor: Actor) -> TrackEntry:
    return TrackEntry(
        investigation=found,
        territory_code=found.territory_code,
        from_at=record.since,
        to_at=record.until,
        precision="minute",
        place_id=record.place.pk,
        place_text=record.place.name,
        place_territory=record.place.territory,
        setting=record.place.kind,
        source="transport" if is_of_carrier(record.how) else "visit",
        certainty="unconfirmed",
        visit=_visit(record),
        recorded_at=at,
        **stamp(actor),
    )
