"""Strangers whom gates registered. For looks behind the gate of an open investigation only
(`actions.looks.enter`): nothing here asks for a right or notes a look."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bihuan.registry.secrets import keyring
from bihuan.tracing.models import Stranger


@dataclass(frozen=True, slots=True)
class StrangerView:
    """What a stranger told at a gate, and when (UTC). `key`: her signed keyed number."""

    key: int
    at: datetime
    place_id: int
    name: str
    phone: str
    origin: str
    purpose: str


def strangers_of(keys: Iterable[int]) -> dict[int, StrangerView]:
    """The newest registration of each of these numbers at gates of the scope acted in."""
    ring, found = keyring(), {}
    for row in Stranger.objects.filter(key__in=set(keys)).order_by("at", "id"):
        told = json.loads(ring.decrypt(row.told, place=stranger_place(row.place_id, row.event)))
        facts = {name: told.get(name, "") for name in ("name", "phone", "origin", "purpose")}
        found[row.key] = StrangerView(row.key, row.at, row.place_id, **facts)
    return found


def stranger_place(place: int, event: int) -> str:
    """What a stranger's cipher is bound to: the place's number and the signed event."""
    return f"stranger:{place}:{event}"
