"""Strangers whom gates registered. For looks behind the gate of an open investigation only
(`actions.looks.enter`): nothing here asks for a right or notes a look."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bihuan.registry.secrets import Keyring, keyring
from bihuan.tracing.models import Stranger


@dataclass(frozen=True, slots=True)
class StrangerView:
    """What a stranger told at a gate, and when (UTC). `key`: her signed keyed number; `territory_code`: where
    the gate is."""

    key: int
    at: datetime
    place_id: int
    territory_code: str
    name: str
    phone: str
    origin: str
    purpose: str


def strangers_of(keys: Iterable[int], *, since: datetime, until: datetime) -> dict[int, StrangerView]:
    """The newest registration from `since` to `until` of each of these numbers at gates of the scope acted
    in; no other is opened."""
    rows = Stranger.objects.filter(key__in=set(keys), at__range=(since, until))
    newest = rows.order_by("key", "-at", "-id").distinct("key")
    ring = keyring()
    return {row.key: _opened(row, ring) for row in newest}


def _opened(row: Stranger, ring: Keyring) -> StrangerView:
    told = json.loads(ring.decrypt(row.told, place=stranger_place(row.place_id, row.event)))
    facts = {name: told.get(name, "") for name in ("name", "phone", "origin", "purpose")}
    return StrangerView(row.key, row.at, row.place_id, row.territory_code, **facts)


def stranger_place(place: int, event: int) -> str:
    """What a stranger's cipher is bound to: the place's number and the signed event."""
    return f"stranger:{place}:{event}"
