"""Reads of other installations: which are trusted, what waits for them, what was decided about them, and what
was refused at the door of the exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count

from bihuan.registry import access, scope
from bihuan.tracing.models import AssistanceDelivery, ExchangeDecision, ExchangeRefusal, Peer
from bihuan.tracing.peers import keys
from bihuan.tracing.rules.assistance import SETTLED


@dataclass(frozen=True, slots=True)
class PeerView:
    """Another installation. `fingerprint` is what people compare; `waiting` messages are on their way there.
    `compared_at` is when all open requests were last compared, `compare_error` the word why not since."""

    installation: str
    name: str
    url: str
    serves: tuple[str, ...]
    fingerprint: str
    trusted_at: datetime
    trusted_by: str
    revoked_at: datetime | None
    revoked_reason: str
    last_heard_at: datetime | None
    last_reached_at: datetime | None
    last_error: str
    waiting: int
    knows_our_key: bool
    compared_at: datetime | None
    compare_error: str


def peers() -> list[PeerView]:
    """All installations ever trusted. Raises NotAllowed without the right to administer."""
    access.require("account.admin")
    own = keys.load()
    with scope.system():  # how many wait is a count, of whatever territory
        undelivered = AssistanceDelivery.objects.filter(delivered_at__isnull=True).order_by()
        undelivered = undelivered.exclude(error=SETTLED)
        counted = undelivered.values_list("peer").annotate(n=Count("id"))
        waiting = dict(counted.values_list("peer", "n"))
    return [_peer(row, own, waiting.get(row.pk, 0)) for row in Peer.objects.order_by("name", "id")]


def _peer(row: Peer, own: keys.Identity | None, waiting: int) -> PeerView:
    return PeerView(
        installation=row.installation,
        name=row.name,
        url=row.url,
        serves=tuple(row.serves),
        fingerprint=keys.fingerprint(row.key),
        trusted_at=row.trusted_at,
        trusted_by=row.trusted_by,
        revoked_at=row.revoked_at,
        revoked_reason=row.revoked_reason,
        last_heard_at=row.last_heard_at,
        last_reached_at=row.last_reached_at,
        last_error=row.last_error,
        waiting=waiting,
        knows_our_key=bool(own and own.newest.id == row.knows_key),
        compared_at=row.compared_at,
        compare_error=row.compare_error,
    )


def own_card() -> tuple[dict[str, Any], str] | None:
    """This installation's card and fingerprint; None when it has not been named."""
    own = keys.load()
    return (keys.card_of(own), keys.fingerprint(own.newest.public)) if own else None


def old_keys() -> int:
    """How many keys of ours that were changed are still kept, because not every peer has the newest."""
    own = keys.load()
    return len(own.keys) - 1 if own else 0


@dataclass(frozen=True, slots=True)
class DecisionView:
    """Something that was decided about this installation (`is_own`) or another one: when, by whom through
    which door, the fingerprint and territories it has had since, and why. `at` in UTC."""

    at: datetime
    what: str
    label: str
    is_own: bool
    installation: str
    name: str
    fingerprint: str
    url: str
    serves: tuple[str, ...]
    reason: str
    by: str
    door: str


def decisions(*, limit: int = 50) -> list[DecisionView]:
    """Who named this installation or changed its key, and who trusted or suspended others; newest first.
    Raises NotAllowed without the right to administer."""
    access.require("account.admin")
    return [
        DecisionView(
            at=row.at,
            what=row.what,
            label=str(row.get_what_display()),
            is_own=row.is_own,
            installation=row.installation,
            name=row.name,
            fingerprint=row.fingerprint,
            url=row.url,
            serves=tuple(row.serves),
            reason=row.reason,
            by=row.by_name,
            door=row.door,
        )
        for row in ExchangeDecision.objects.order_by("-id")[:limit]
    ]


def refusals(*, limit: int = 50) -> Sequence[ExchangeRefusal]:
    """What was refused at the door of the exchange, newest first."""
    access.require("account.admin")
    return list(ExchangeRefusal.objects.select_related("peer").order_by("-id")[:limit])
