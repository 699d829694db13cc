"""The worker compares the open requests with every other installation, so that what one side has lost is
found though nobody says anything: rules/comparing.py.

The answer to a page of threads is a signed receipt of exactly this envelope, so an old one tells nothing; and
an old page, heard again, makes us at most say again what is known there. What is found missing is mended by
what exists: all is said again (`lost.say_again`) and taken up there from a copy (`lost.send_copy` where
nothing was said yet), and who was handed over comes back (`handover.lost_there`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db.models import F, Q

from bihuan.cases.actions.common import moment_now, writing
from bihuan.policy.values import value
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.tracing.actions.assistance import handover, lost, thread
from bihuan.tracing.actions.assistance.carry import Post, envelope_of, key_for, keys_of
from bihuan.tracing.models import AssistanceMessage, AssistanceRequest, Peer
from bihuan.tracing.peers import envelope, keys, wire
from bihuan.tracing.peers.wire import NotDelivered
from bihuan.tracing.rules import comparing
from bihuan.tracing.rules.assistance import OPEN, Said, Side
from bihuan.tracing.rules.comparing import Difference, Held, Told, mark

KIND: Final = "held"
EVERY: Final = "clocks.assistance_compare_hours"
OLDER: Final = "malformed"
"""What a version answers that does not know the kind."""
OLDER_HOURS: Final = 24
"""When such a one is asked again: it may have been updated, and each asking is a refusal in its list."""
_MOST_PAGES: Final = 20
"""Of one peer in one run, so that it does not keep the others waiting: two thousand threads a minute."""
_OF_PEER: Final = ("unreachable", "not-recognized", "revoked", "no-receipt", "unknown-key")
"""Errors that are the peer's, not one message's: a comparison that passes takes them back."""


def compare_all(*, now: datetime | None = None, post: Post = wire.post) -> int:
    """Compare with each peer whose time has come; how many requests go again. Safe twice at once and killed:
    whoever claims the time does it, and what is not compared is so the next time. Runs as the system
    (worker), outside of a transaction."""
    at, n, own = moment_now(now), 0, keys.load()
    if own is None:
        return 0
    with scope.system():
        due = Q(compare_at__isnull=True) | Q(compare_at__lte=at)
        for peer in Peer.objects.filter(due, revoked_at__isnull=True).order_by("id"):
            claimed = Peer.objects.filter(due, id=peer.pk).update(compare_at=at + _pause(own, at))
            n += _with(peer, own, post=post, at=at) if claimed else 0
    return n


def _pause(own: keys.Identity, at: datetime) -> timedelta:
    return timedelta(hours=float(value(EVERY, own.serves[0] if own.serves else "", at).value))


def _with(peer: Peer, own: keys.Identity, *, post: Post, at: datetime) -> int:
    n = 0
    for _page in range(_MOST_PAGES):
        rows = _open(peer)
        if not rows:
            _whole(peer, at)
            return n
        told = [one for one, _has_any in _told(rows)]
        rows, told = rows[: (fits := comparing.fitting(told))], told[:fits]
        page = [one for one in told if one.is_short and (one.said or one.heard)]
        try:
            found = _asked(peer, own, page, post=post, at=at) if page else {}
        except NotDelivered as problem:
            _failed(peer, problem.code, at)
            return n
        n += _mended(rows, told, found, at=at)
        peer.compare_after = rows[-1].pk
        Peer.objects.filter(id=peer.pk).update(compare_after=peer.compare_after)
    Peer.objects.filter(id=peer.pk).update(compare_at=at)  # the rest in the next run
    return n


def _open(peer: Peer) -> list[AssistanceRequest]:
    rows = AssistanceRequest.objects.filter(peer=peer, status__in=OPEN, id__gt=peer.compare_after)
    return list(rows.order_by("id")[: comparing.MOST_THREADS])


def _whole(peer: Peer, at: datetime) -> None:
    if peer.compare_after:  # else nothing is open, and nobody was asked
        Peer.objects.filter(id=peer.pk).update(compared_at=at, compare_after=0, compare_error="")


def _failed(peer: Peer, code: str, at: datetime) -> None:
    Peer.objects.filter(id=peer.pk).update(compare_error=code[:40])
    if code == OLDER:
        Peer.objects.filter(id=peer.pk).update(compare_at=at + timedelta(hours=OLDER_HOURS))
    elif code in _OF_PEER:
        Peer.objects.filter(id=peer.pk).update(last_error=code)


def _asked(
    peer: Peer, own: keys.Identity, page: Sequence[Told], *, post: Post, at: datetime
) -> dict[str, Difference]:
    """What the peer misses of a page. Raises NotDelivered."""
    given = envelope_of(
        own,
        peer,
        key_for(own, peer),
        message=uuid.uuid4().hex,
        thread_id="",
        kind=KIND,
        sequence=0,
        content={"threads": comparing.written(page)},
        said_at=at,
    )
    answer = post(peer.url, given)
    if not envelope.is_receipt(answer, given, keys=keys_of(peer)):
        raise NotDelivered("no-receipt")
    Peer.objects.filter(id=peer.pk).update(last_reached_at=at)
    Peer.objects.filter(id=peer.pk, last_error__in=_OF_PEER).update(last_error="")
    try:
        return comparing.read_answer(answer.get("missing"), page)
    except ValueError:
        raise NotDelivered("no-receipt") from None


def _mended(
    rows: Sequence[AssistanceRequest], told: Sequence[Told], found: Mapping[str, Difference], *, at: datetime
) -> int:
    """Begin the recovery of each thread in which the other side misses something; how many go again."""
    again, actor = 0, Actor.system("assistance")
    for row, one in zip(rows, told, strict=True):
        missing = found.get(one.thread)
        if missing is None or not (missing.unheard or missing.unsaid):
            continue
        with writing(actor):
            thread.lock_thread(row.thread, row.peer_id)
            row.refresh_from_db()
            again += _say_again(row, one, missing, at=at)
            if _accepted_by(row) in missing.unsaid:
                handover.lost_there(row, at=at, actor=actor)
    return again


def _say_again(row: AssistanceRequest, told: Told, missing: Difference, *, at: datetime) -> bool:
    if missing.unheard:
        lost.say_again([row.pk], at=at, is_whole=missing.unheard == told.said)
    elif told.said or not lost.send_copy(row, missing.unsaid, at=at):
        return False
    structlog.get_logger(__name__).warning("exchange.lost_there", request=row.public_id)
    return True


def _accepted_by(row: AssistanceRequest) -> str:
    """The mark of the acceptance that counts; "" for none."""
    accepts = AssistanceMessage.objects.filter(request=row, said=Said.ACCEPT, is_own=False)
    found = accepts.order_by("-sequence").values_list("message", flat=True).first()
    return mark(found) if found else ""


def heard(peer: Peer, content: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    """Another installation's page: what is missing here of each thread, for its receipt. What we said and it
    does not have goes there again. Raises ValueError for what is no page."""
    page = comparing.read(content.get("threads"))
    by_side = {(one.thread, one.side.other.value): one for one in page}
    rows = [
        row
        for row in AssistanceRequest.objects.filter(peer=peer, thread__in=[one.thread for one in page])
        if (row.thread, row.side) in by_side
    ]
    held = {told.thread: one for (told, one) in _told(rows)}
    found = {one.thread: comparing.compare(one, held.get(one.thread, Held())) for one in page}
    lost.say_again([row.pk for row in rows if found[row.thread].untold], at=at, is_whole=False)
    lost.heard_again([row.pk for row in rows], at=at)
    return comparing.answered(found)


def _told(rows: Iterable[AssistanceRequest]) -> list[tuple[Told, Held]]:
    """What each row tells the other side, and what it holds, in the order of the rows."""
    listed = list(rows)
    messages: dict[int, list[tuple[str, bool, bool]]] = {row.pk: [] for row in listed}
    found = AssistanceMessage.objects.filter(request__in=listed).annotate(arrived=F("delivery__delivered_at"))
    for request, message, is_own, arrived in found.values_list("request", "message", "is_own", "arrived"):
        messages[request].append((mark(message), is_own, arrived is not None))
    return [_both(row, messages[row.pk]) for row in listed]


def _both(row: AssistanceRequest, messages: Sequence[tuple[str, bool, bool]]) -> tuple[Told, Held]:
    said = frozenset(one for one, is_own, _arrived in messages if is_own)
    arrived = frozenset(one for one, is_own, is_there in messages if is_own and is_there)
    heard_here = frozenset(one for one, is_own, _arrived in messages if not is_own)
    return Told(row.thread, Side(row.side), arrived, heard_here), Held(said, arrived, heard_here)
