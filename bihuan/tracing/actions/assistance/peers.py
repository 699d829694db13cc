"""Whom we trust: other installations, added by a person who compared fingerprints; and our own name and
key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from django.db.models import F
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import writing
from bihuan.registry import access, clock, scope
from bihuan.registry.actor import Actor
from bihuan.tracing.actions.assistance import decisions
from bihuan.tracing.errors import PeerInvalid, UnknownPeer
from bihuan.tracing.models import Decided, Peer
from bihuan.tracing.peers import keys, wire

RIGHT = "account.admin"
_NOBODY = Actor.system("exchange")


def require_whole() -> None:
    """Whom this installation trusts concerns all that it serves. Raises NotAllowed unless the right holds
    there."""
    access.require(RIGHT)
    own = keys.load()
    for code in own.serves if own else ():
        access.require(RIGHT, territory_code=code)


def name_installation(
    *, name: str, url: str, serves: Sequence[str], actor: Actor | None = None
) -> keys.Identity:
    """Give this installation a name, its address for others, and the territories it answers for; the first
    time also a key. Raises PeerInvalid, and NotAllowed unless the right holds for all that it
    serves, before and after."""
    if not name.strip() or not name.isprintable():
        raise _wrong("name", _("An installation needs a name that people elsewhere know."))
    if not wire.is_address(url) or len(url) > keys.LONGEST_URL:
        raise _wrong(
            "url",
            _("%(url)s is no address for others: it begins with https://.") % {"url": url},
            hint=_("http:// is allowed to this very machine only."),
        )
    codes = list(dict.fromkeys(code for code in serves if code))
    if not codes or not all(keys.is_code(code) for code in codes) or len(codes) > keys.MOST_TERRITORIES:
        raise _wrong("serves", _("An installation serves at least one territory, named by its code."))
    require_whole()
    for code in codes:
        access.require(RIGHT, territory_code=code)
    by = actor or _NOBODY
    with writing(by):
        made = keys.name_it(name=name.strip()[: keys.LONGEST_NAME], url=url, serves=codes)
        decisions.of_ourselves(Decided.NAMED if made.serial == 1 else Decided.CHANGED, made, actor=by)
    _log("named", made, actor)
    return made


def rotate_key(*, actor: Actor | None = None, newest: str = "") -> keys.Identity:
    """Make a new key. Peers are told by the worker, signed with the key they know; then the old one goes.

    `newest` is the id of the key to be replaced: asked for the same one twice, only one is made.
    """
    require_whole()
    by = actor or _NOBODY
    with writing(by):
        try:
            made, is_new = keys.rotate(newest)
        except keys.NoIdentity:
            raise not_named() from None
        if not is_new:
            return made
        decisions.of_ourselves(Decided.KEY_CHANGED, made, actor=by)
    _log("key_changed", made, actor)
    return made


def _log(what: str, made: keys.Identity, actor: Actor | None) -> None:
    """Who changed what this installation is to others."""
    by = actor.account_id if actor else None
    structlog.get_logger(__name__).info(
        f"exchange.{what}", installation=made.installation, key=made.newest.id, serial=made.serial, account=by
    )


def _wrong(field: str, message: str, *, hint: str = "") -> PeerInvalid:
    fault = {"field": field, "rule": field, "message": message, "hint": hint}
    return PeerInvalid(message, hint=hint, errors=[fault])


def add_peer(card: Mapping[str, Any], *, actor: Actor) -> Peer:
    """Trust another installation by its card. Who adds it has compared the fingerprint with people there.

    A revoked one is trusted again. Raises PeerInvalid for what is no card, or is our own.
    """
    require_whole()
    if not keys.is_card(card):
        raise _no_card()
    own = keys.load()
    if own is None:
        raise not_named()
    if card["installation"] == own.installation:
        raise PeerInvalid(_("This is the card of this very installation."))
    if not wire.is_address(card["url"]):
        raise PeerInvalid(
            _("%(url)s is no address for others: it begins with https://.") % {"url": card["url"]}
        )
    with writing(actor), scope.system():
        found, _made = Peer.objects.update_or_create(
            installation=card["installation"],
            defaults={
                **_of_card(card),
                "knows_key": own.newest.id,
                "trusted_at": clock.now(),
                "trusted_by": actor.name[:120],
                "revoked_at": None,
                "revoked_by": "",
                "revoked_reason": "",
                "last_error": "",
                "compare_at": None,
                "compare_after": 0,
                "compare_error": "",
            },
        )
        decisions.of_peer(Decided.TRUSTED, found, actor=actor)
        return found


def card_of_text(text: str) -> dict[str, Any]:
    """A card from its text, as people send it to each other. Raises PeerInvalid."""
    try:
        card = json.loads(text)
    except (ValueError, RecursionError):
        raise _no_card() from None
    if not keys.is_card(card):
        raise _no_card()
    return dict(card)


def read_card(source: str) -> dict[str, Any]:
    """A card from a file or from an installation's address. Raises PeerInvalid."""
    try:
        card = wire.fetch_card(source) if "://" in source else json.loads(Path(source).read_text())
    except wire.NotDelivered as problem:
        words = _("There is no card at %(source)s (%(code)s).")
        raise PeerInvalid(words % {"source": source, "code": problem.code}) from None
    except (OSError, ValueError):
        raise PeerInvalid(_("%(source)s holds no card.") % {"source": source}) from None
    if not keys.is_card(card):
        raise _no_card()
    return dict(card)


def fingerprint_of(card: Mapping[str, Any]) -> str:
    """What people compare before they trust a card."""
    return keys.fingerprint(card["key"])


def is_fingerprint(card: Mapping[str, Any], told: str) -> bool:
    """Whether the card has the fingerprint that people there told, however it is spaced."""
    return "".join(told.split()).upper() == "".join(fingerprint_of(card).split())


def require_fingerprint(card: Mapping[str, Any], told: str) -> None:
    """Raises PeerInvalid unless the card has the fingerprint that people there told."""
    if not is_fingerprint(card, told):
        raise PeerInvalid(
            _("The card has the fingerprint %(shown)s, which is another one.")
            % {"shown": fingerprint_of(card)},
            hint=_("Do not add it. Ask the people there for their card again, by another way."),
        )


def not_named() -> PeerInvalid:
    """This installation has no name and key for others yet."""
    return PeerInvalid(
        _("This installation has no name and key for others yet."),
        hint=_("Run `bihuan peers init --name … --url https://… --serves CODE`."),
    )


def _no_card() -> PeerInvalid:
    return PeerInvalid(
        _("This is not the card of an installation, or it was altered."),
        hint=_("Ask for a new one: `bihuan peers show-key` makes it."),
    )


def renew_peer(peer: Peer, card: Mapping[str, Any]) -> bool:
    """A peer showed a new key in a message signed with the one we knew. False if we have this or a newer one.

    Nothing else of its card is taken: where it lives and which territories it serves is what people agreed,
    and a new card is added by them.
    """
    if card["serial"] <= peer.serial:
        return False
    peer.serial, peer.key = card["serial"], dict(card["key"])
    peer.save(update_fields=["serial", "key"])
    decisions.of_peer(Decided.PEER_KEY, peer, actor=Actor.system(peer.name, door="exchange"))
    return True


def revoke_peer(installation: str, *, reason: str, actor: Actor) -> Peer:
    """Trust an installation no more: nothing comes from it, nothing goes there. Raises UnknownPeer."""
    require_whole()
    if not reason.strip():
        raise PeerInvalid(_("Say why this installation is no longer trusted."))
    with writing(actor), scope.system():
        peer = Peer.objects.select_for_update().filter(installation=installation).first()
        if peer is None:
            raise UnknownPeer(installation)
        peer.revoked_at, peer.revoked_by = clock.now(), actor.name[:120]
        peer.revoked_reason = reason.strip()[:300]
        peer.save()
        decisions.of_peer(Decided.REVOKED, peer, actor=actor, reason=peer.revoked_reason)
        return peer


def route(to_territory: str) -> Peer | None:
    """The installation that serves a territory; None = this one. The longest code that fits decides.

    It may be one that is no longer trusted: then nothing goes there, and nobody else is asked in its stead.
    """
    own = keys.load()
    here = _longest(own.serves if own else (), to_territory)
    best: Peer | None = None
    reach = here
    for peer in Peer.objects.order_by(F("revoked_at").desc(nulls_first=True), "id"):
        length = _longest(peer.serves, to_territory)
        if length > reach:
            best, reach = peer, length
    return best


def is_ours(code: str) -> bool:
    """Whether this installation speaks for a territory to others."""
    own = keys.load()
    return own is None or not own.serves or _longest(own.serves, code) >= 0


def speaks_for(peer: Peer, code: str) -> bool:
    """Whether a territory lies in what people agreed that a peer serves."""
    return _longest(peer.serves, code) >= 0


def _longest(codes: Sequence[str], code: str) -> int:
    return max((len(above) for above in codes if above <= code < above + scope.LAST), default=-1)


def _of_card(card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": card["name"].strip(),
        "url": card["url"].rstrip("/"),
        "serves": list(card["serves"]),
        "serial": card["serial"],
        "key": dict(card["key"]),
    }
