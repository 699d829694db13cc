"""Carry messages to other installations: tried until a signed receipt is here, with growing pauses, in the
order of their thread. Killed at any moment, it sends again what has no receipt, under the same message id,
which the receiver knows; so each message takes effect once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef

from bihuan.cases.actions.common import moment_now
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.outbox import retry_after
from bihuan.registry.secrets import keyring
from bihuan.tracing.actions.assistance import decisions, handover, lost, thread
from bihuan.tracing.models import (
    AssistanceDelivery,
    AssistanceMessage,
    AssistanceNote,
    AssistanceRequest,
    Decided,
    Peer,
)
from bihuan.tracing.peers import envelope, keys, wire
from bihuan.tracing.peers.envelope import Envelope
from bihuan.tracing.peers.wire import NotDelivered
from bihuan.tracing.rules.assistance import SETTLED, UNKNOWN_THREAD, Said, Status

Post = Callable[[str, Envelope], Any]
KEYS_KIND: Final = "keys"
COPY_KIND: Final = "copy"
_NOT_RECOGNIZED: Final = "not-recognized"
_NOBODY: Final = "unreachable"
_OVER: Final = (Status.DELETION_ASKED, Status.DELETED)
"""Sent again after that, a request tells nothing of the person any more."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a run did: messages with a receipt, and tries that failed."""

    delivered: int = 0
    failed: int = 0


def deliver(*, now: datetime | None = None, post: Post = wire.post, at_most: int = 500) -> Delivered:
    """Send what waits for other installations. Safe twice at once and killed. Runs as the system (worker),
    outside of a transaction."""
    counts: Counter[str] = Counter()
    own = keys.load()
    if own is None:
        return Delivered()
    with scope.system():
        silent: set[int] = set()
        for peer in Peer.objects.filter(revoked_at__isnull=True).order_by("id"):
            if not announce_key(peer, own, post=post, now=moment_now(now)):
                silent.add(peer.pk)
        if len(own.keys) > 1:
            _drop_old_keys(own)
        for _n in range(at_most):
            outcome = _send_next(own, silent, post, moment_now(now))
            if not outcome:
                break
            counts[outcome] += 1
    return Delivered(counts["delivered"], counts["failed"])


def announce_key(peer: Peer, own: keys.Identity, *, post: Post, now: datetime) -> bool:
    """Tell a peer our newest key, signed with one it may know. False when nobody answered there."""
    if peer.knows_key == own.newest.id:
        return True
    known = own.key(peer.knows_key)
    for pair in dict.fromkeys((known or own.newest, *reversed(own.keys))):
        given = envelope_of(
            own,
            peer,
            pair,
            message=pair.id * 2,
            thread_id="",
            kind=KEYS_KIND,
            sequence=own.serial,
            content=keys.card_of(own),
            said_at=now,
        )
        try:
            answer = post(peer.url, given)
        except NotDelivered as problem:
            if problem.code == _NOBODY:
                return _note(peer, problem.code)
            continue
        if envelope.is_receipt(answer, given, keys=keys_of(peer)):
            Peer.objects.filter(id=peer.pk).update(
                knows_key=own.newest.id, last_reached_at=now, last_error=""
            )
            return True
    _note(peer, _NOT_RECOGNIZED)
    return True  # it answers: its own messages may still be asked for


def _note(peer: Peer, code: str) -> bool:
    Peer.objects.filter(id=peer.pk).update(last_error=code)
    return False


def _drop_old_keys(own: keys.Identity) -> None:
    """Old keys go when every peer has confirmed the newest one, or there is none to tell."""
    behind = Peer.objects.filter(revoked_at__isnull=True).exclude(knows_key=own.newest.id)
    if not behind.exists() and keys.forget_before(own.newest.id):
        decisions.of_ourselves(Decided.KEY_DROPPED, own, actor=Actor.system("assistance"))


def _send_next(own: keys.Identity, silent: set[int], post: Post, now: datetime) -> str:
    """Send one message and note the outcome in the transaction that holds it; "" when nothing is due."""
    earlier = AssistanceDelivery.objects.filter(
        request=OuterRef("request"), id__lt=OuterRef("id"), delivered_at__isnull=True
    )
    with transaction.atomic():
        row = (
            AssistanceDelivery.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("message", "request", "peer")
            .filter(~Exists(earlier), delivered_at__isnull=True, next_try_at__lte=now)
            .filter(peer__revoked_at__isnull=True)
            .exclude(peer_id__in=silent)
            .exclude(error=SETTLED)
            .order_by("next_try_at", "id")
            .first()
        )
        if row is None:
            return ""
        row.attempts += 1
        given = _sealed(own, row)
        try:
            answer = post(row.peer.url, given)
            if not envelope.is_receipt(answer, given, keys=keys_of(row.peer)):
                raise NotDelivered("no-receipt")
        except NotDelivered as problem:
            return _failed(row, problem, silent, now)
        return _arrived(row, answer, now)


def _failed(row: AssistanceDelivery, problem: NotDelivered, silent: set[int], now: datetime) -> str:
    if problem.code == _NOBODY:
        silent.add(row.peer_id)
    row.error, row.next_try_at = problem.code[:40], now + retry_after(row.attempts)
    row.save(update_fields=["attempts", "error", "next_try_at"])
    _note(row.peer, row.error)
    if row.error == UNKNOWN_THREAD:
        lost.say_again([row.request_id], at=now)
        handover.lost_there(_held(row), at=now, actor=Actor.system("assistance"))
    return "failed"


def _held(row: AssistanceDelivery) -> AssistanceRequest:
    thread.lock_thread(row.request.thread, row.request.peer_id)
    row.request.refresh_from_db()
    return row.request


def _arrived(row: AssistanceDelivery, answer: Any, now: datetime) -> str:
    is_new_again = row.receipt is not None and answer.get("kept") == "new"
    row.delivered_at, row.receipt, row.error = now, answer, ""
    row.save(update_fields=["attempts", "delivered_at", "receipt", "error"])
    Peer.objects.filter(id=row.peer_id).update(last_reached_at=now, last_error="")
    if row.message.said in (Said.REQUEST, Said.RETURN):
        request, actor = _held(row), Actor.system("assistance")
        if row.message.said == Said.REQUEST:
            thread.mark_received(request, at=now, actor=actor)
            if is_new_again:
                handover.lost_there(request, at=now, actor=actor)
        else:
            handover.let_go(request, at=now, actor=actor)
    return "delivered"


def _sealed(own: keys.Identity, row: AssistanceDelivery) -> Envelope:
    """The message for the wire, sealed anew for the key the peer has now."""
    message, request = row.message, row.request
    if not message.is_own:  # the other side's own request, which it has lost
        return _addressed(own, row, COPY_KIND, {"copy": lost.copy_of(request)})
    content: dict[str, Any] = {"data": message.data, "note": _note_of(message)}
    if message.said == Said.REQUEST:
        told = {} if request.status in _OVER else thread.told_of(request)
        content["request"] = {
            "need": request.need,
            "clause": request.clause,
            "to_territory": request.other_territory,
            "from_territory": request.territory_code,
            "office": request.own_office,
            "shared": sorted(told.get("fields", {})),
            "told": told or {"fields": {}},
        }
    elif not request.is_asking and row.error == UNKNOWN_THREAD:
        content["copy"] = lost.copy_of(request)
    return _addressed(own, row, message.said, content)


def _addressed(own: keys.Identity, row: AssistanceDelivery, kind: str, content: dict[str, Any]) -> Envelope:
    message = row.message
    return envelope_of(
        own,
        row.peer,
        key_for(own, row.peer),
        message=message.message,
        thread_id=row.request.thread,
        kind=kind,
        sequence=message.sequence,
        content=content,
        said_at=message.said_at,
    )


def _note_of(message: AssistanceMessage) -> str:
    note = AssistanceNote.objects.filter(message=message).first()
    if note is None:
        return ""
    return keyring().decrypt(note.cipher, place=thread.note_place(message))


def key_for(own: keys.Identity, peer: Peer) -> keys.KeyPair:
    """Our newest key that a peer knows."""
    return own.key(peer.knows_key) or own.newest


def envelope_of(
    own: keys.Identity,
    peer: Peer,
    pair: keys.KeyPair,
    *,
    message: str,
    thread_id: str,
    kind: str,
    sequence: int,
    content: dict[str, Any],
    said_at: datetime,
) -> Envelope:
    """A message for a peer, sealed for the key it has now and signed by `pair`."""
    bare = Envelope(
        sender=own.installation,
        receiver=peer.installation,
        key=pair.id,
        sealed_for=peer.key["id"],
        message=message,
        thread=thread_id,
        kind=kind,
        sequence=sequence,
        created_at=f"{said_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    outside = bare.open_part()
    sealed = envelope.seal(
        json.loads(json.dumps(content)), reader=keys.raw(peer.key["seal"]), outside=outside
    )
    made = Envelope(**{**_fields(bare), "sealed": sealed})
    signature = envelope.sign(pair.signing, "envelope", made.signed_part())
    return Envelope(**{**_fields(made), "signature": signature})


def _fields(given: Envelope) -> dict[str, Any]:
    return {name: getattr(given, name) for name in given.__slots__}


def keys_of(peer: Peer) -> dict[str, bytes]:
    """By which keys a peer's receipt may be signed."""
    return {peer.key["id"]: keys.raw(peer.key["sign"])}
