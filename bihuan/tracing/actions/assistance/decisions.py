"""Who named this installation or changed its key, and who trusted or suspended another one: kept in a table
that only grows and stands under the audit chain."""

from __future__ import annotations

from bihuan.cases.actions.common import stamp
from bihuan.registry import clock
from bihuan.registry.actor import Actor
from bihuan.tracing.models import Decided, ExchangeDecision, Peer
from bihuan.tracing.peers import keys


def of_ourselves(what: Decided, own: keys.Identity, *, actor: Actor) -> None:
    """Keep what was decided about this installation, as others know it from now on."""
    ExchangeDecision.objects.create(
        at=clock.now(),
        what=what.value,
        is_own=True,
        installation=own.installation,
        name=own.name,
        fingerprint=keys.fingerprint(own.newest.public),
        url=own.url,
        serves=list(own.serves),
        door=actor.door,
        **_by(actor),
    )


def of_peer(what: Decided, peer: Peer, *, actor: Actor, reason: str = "") -> None:
    """Keep what was decided about another installation, as it is known here from now on."""
    ExchangeDecision.objects.create(
        at=clock.now(),
        what=what.value,
        is_own=False,
        installation=peer.installation,
        name=peer.name,
        fingerprint=keys.fingerprint(peer.key),
        url=peer.url,
        serves=list(peer.serves),
        reason=reason,
        door=actor.door,
        **_by(actor),
    )


def _by(actor: Actor) -> dict[str, object]:
    return {**stamp(actor), "by_name": actor.name[:120]}
