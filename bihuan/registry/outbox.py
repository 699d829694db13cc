"""Telling posts what concerns them: one digest per post and sending time, never a message per duty.

`announce` gathers notices into the digest that is open for their post, where the page shows them at once
(`digests_for`, `read`, `acknowledge`). `deliver` hands digests whose time has come to the adapters for other
ways (mail, short message). What leaves the house holds counts and public ids, no personal data.

Never doubled: a notice has a key within its post, and announcing it again adds nothing; a digest goes out on
a channel by one row, claimed by a conditional update. If a process dies between claim and answer, nobody
knows whether the message left: an adapter that can be asked twice (`can_repeat`, it passes our key on) is
tried again, any other is marked "perhaps sent" and shown, not repeated.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, Protocol

from django.db import connection, transaction
from django.db.models import F, Q

from bihuan.registry import clock
from bihuan.registry.actor import Actor
from bihuan.registry.models import Delivery, DeliveryState, Digest
from bihuan.registry.names import clean

#: When digests leave, local time, unless the caller (a policy value) says otherwise.
SENDING_TIMES: Final = (time(8), time(12), time(18))
_FIRST_RETRY: Final = timedelta(minutes=1)
_LONGEST_RETRY: Final = timedelta(hours=1)
_ATTEMPTS: Final = 8
_LEASE: Final = timedelta(minutes=5)
_ERROR_LENGTH: Final = 300
#: Digests that were due longer ago are not sent: a way out that is switched on late starts with today's.
_STALE: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class NewNotice:
    """One thing to tell a post. `key` names it among the post's notices ("late/D-17"); `payload` is JSON
    with public ids and numbers only."""

    post_id: int
    kind: str
    key: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DigestView:
    """A digest as read: `counts` {kind: n}, `notices` the newest first, times in UTC."""

    id: int
    post_id: int
    send_at: datetime
    counts: Mapping[str, int]
    n_notices: int
    changed_at: datetime
    read_at: datetime | None
    acknowledged_at: datetime | None
    notices: tuple[NewNotice, ...]

    @property
    def key(self) -> str:
        """Names this digest for an adapter: the same one is never to be shown twice to the reader."""
        return f"digest-{self.id}"


class Undeliverable(Exception):
    """Raised by an adapter: this digest cannot leave by this way, now or later."""


class NoticeAdapter(Protocol):
    """A way out of the house. `send` raises any exception when the message did not leave."""

    channel: str
    can_repeat: bool

    def send(self, digest: DigestView) -> None: ...


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    sent: int = 0
    retried_later: int = 0
    given_up: int = 0
    unsure: int = 0


def sending_time(now: datetime, *, times: Sequence[time] = SENDING_TIMES, tz: str | None = None) -> datetime:
    """The next moment at which digests leave, strictly after `now`, in UTC. `times` are local."""
    zone = clock.zone(tz)
    today = now.astimezone(zone).date()
    moments = (
        datetime.combine(today + timedelta(days=days), at, tzinfo=zone)
        for days in (0, 1)
        for at in sorted(times)
    )
    return next(moment for moment in moments if moment > now).astimezone(UTC)


def announce(
    notices: Iterable[NewNotice], *, now: datetime | None = None, send_at: datetime | None = None
) -> int:
    """Tell posts something; returns how many notices are new. What was told under the same key is left out.

    All notices go into the digest of `send_at` (default: the next sending time). A handful of statements
    for any number of notices. Call it in the transaction of the facts.
    """
    told = list({(notice.post_id, notice.key): notice for notice in notices}.values())
    if not told:
        return 0
    now = now or clock.now()
    send_at = send_at or sending_time(now)
    with transaction.atomic():
        digests = _open_digests(sorted({notice.post_id for notice in told}), send_at, now)
        new = _insert_notices(told, digests, now)
        _add_counts(new, now)
    return len(new)


def _open_digests(posts: Sequence[int], send_at: datetime, now: datetime) -> dict[int, int]:
    """The digest of each post for this time, made where there is none (locked in the order of posts)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO registry_digest (post_id, send_at, counts, n_notices, created_at, changed_at)"
            " SELECT p, %s, '{}', 0, %s, %s FROM unnest(%s::bigint[]) AS p ORDER BY p"
            " ON CONFLICT (post_id, send_at) DO UPDATE SET send_at = excluded.send_at RETURNING post_id, id",
            [send_at, now, now, list(posts)],
        )
        return dict(cursor.fetchall())


def _insert_notices(
    told: Sequence[NewNotice], digests: Mapping[int, int], now: datetime
) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO registry_notice (post_id, digest_id, kind, key, payload, created_at)"
            " SELECT p, d, k, y, j::jsonb, %s"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[])"
            " AS t (p, d, k, y, j)"
            " ON CONFLICT (post_id, key) DO NOTHING RETURNING digest_id, kind",
            [
                now,
                [notice.post_id for notice in told],
                [digests[notice.post_id] for notice in told],
                [notice.kind for notice in told],
                [notice.key for notice in told],
                [json.dumps(dict(notice.payload), ensure_ascii=False) for notice in told],
            ],
        )
        return cursor.fetchall()


def _add_counts(new: Sequence[tuple[int, str]], now: datetime) -> None:
    """What is new makes a digest unread again."""
    added: dict[int, Counter[str]] = {}
    for digest_id, kind in new:
        added.setdefault(digest_id, Counter())[kind] += 1
    digests = list(Digest.objects.filter(id__in=added))
    for digest in digests:
        digest.counts = dict(Counter(digest.counts) + added[digest.pk])
        digest.n_notices += sum(added[digest.pk].values())
        digest.changed_at, digest.read_at = now, None
    Digest.objects.bulk_update(digests, ["counts", "n_notices", "changed_at", "read_at"], batch_size=500)


# --- in words -------------------------------------------------------------------------------------

_words: dict[str, Callable[[Mapping[str, Any]], str]] = {}


def register_words(kind: str, words: Callable[[Mapping[str, Any]], str]) -> None:
    """Say how notices of a kind read (called from a room's `AppConfig.ready`): payload in, sentence out, in
    the language active then."""
    _words[kind] = words


def words_of(notice: NewNotice) -> str:
    """A notice as a sentence; its kind where no room has words for it."""
    words = _words.get(notice.kind)
    return words(notice.payload) if words else notice.kind


# --- in the house ----------------------------------------------------------------------------------


def digest_for(post_id: int, *, now: datetime | None = None) -> DigestView | None:
    """The newest digest of a post, None when it was never told anything."""
    return next(iter(digests_for(post_id, limit=1)), None)


def digests_for(post_id: int, *, limit: int = 20, unread: bool = False) -> list[DigestView]:
    """The digests of a post, newest first; `unread` leaves out those that were read since they changed."""
    rows = Digest.objects.filter(post_id=post_id).order_by("-send_at")
    if unread:
        rows = rows.filter(read_at__isnull=True, n_notices__gt=0)
    return [_view(row) for row in rows.prefetch_related("notices")[:limit]]


def read(digest_id: int, *, post_id: int) -> bool:
    """Note that the post has seen a digest. False when it is not the post's or was read before."""
    rows = Digest.objects.filter(id=digest_id, post_id=post_id, read_at__isnull=True)
    return bool(rows.update(read_at=clock.now()))


def acknowledge(digest_id: int, *, post_id: int, actor: Actor) -> bool:
    """Note that the post has taken a digest over. False when it is not the post's or was acknowledged."""
    now = clock.now()
    rows = Digest.objects.filter(id=digest_id, post_id=post_id, acknowledged_at__isnull=True)
    return bool(rows.update(acknowledged_at=now, read_at=now, acknowledged_by_account_id=actor.account_id))


def _view(row: Digest) -> DigestView:
    notices = sorted(row.notices.all(), key=lambda notice: -notice.pk)
    return DigestView(
        id=row.pk,
        post_id=row.post_id,
        send_at=row.send_at,
        counts=row.counts,
        n_notices=row.n_notices,
        changed_at=row.changed_at,
        read_at=row.read_at,
        acknowledged_at=row.acknowledged_at,
        notices=tuple(NewNotice(n.post_id, n.kind, n.key, n.payload) for n in notices),
    )


# --- out of the house ------------------------------------------------------------------------------


def deliver(adapter: NoticeAdapter, *, now: datetime | None = None, at_most: int = 500) -> DeliveryResult:
    """Send the digests whose time has come by one adapter. Two at once, or one killed, double nothing.

    Call it outside of a transaction: every claim is committed before the message leaves.
    """
    now = now or clock.now()
    unsure = _line_up(adapter, now)
    counts: Counter[str] = Counter()
    for _i in range(at_most):
        claimed = _claim(adapter.channel, now)
        if claimed is None:
            break
        counts[_send(adapter, claimed, now)] += 1
    return DeliveryResult(
        sent=counts[DeliveryState.SENT],
        retried_later=counts[DeliveryState.WAITING],
        given_up=counts[DeliveryState.FAILED],
        unsure=unsure,
    )


def _line_up(adapter: NoticeAdapter, now: datetime) -> int:
    """Make delivery rows for digests that are due, and judge claims whose process is gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO registry_delivery (digest_id, channel, state, attempts, next_try_at, error)"
            " SELECT d.id, %s, 'waiting', 0, %s, '' FROM registry_digest d"
            " WHERE d.send_at <= %s AND d.send_at > %s AND d.n_notices > 0 AND NOT EXISTS"
            " (SELECT 1 FROM registry_delivery v WHERE v.digest_id = d.id AND v.channel = %s)"
            " ON CONFLICT (digest_id, channel) DO NOTHING",
            [adapter.channel, now, now, now - _STALE, adapter.channel],
        )
    lost = Delivery.objects.filter(
        channel=adapter.channel, state=DeliveryState.SENDING, claimed_at__lt=now - _LEASE
    )
    if adapter.can_repeat:
        lost.update(state=DeliveryState.WAITING)
        return 0
    return lost.update(state=DeliveryState.UNSURE)


def _claim(channel: str, now: datetime) -> Delivery | None:
    due = Delivery.objects.filter(channel=channel, state=DeliveryState.WAITING, next_try_at__lte=now)
    with transaction.atomic():
        row = due.select_for_update(skip_locked=True).order_by("next_try_at", "id").first()
        if row is None:
            return None
        taken = Delivery.objects.filter(Q(id=row.pk), Q(state=DeliveryState.WAITING)).update(
            state=DeliveryState.SENDING, claimed_at=now, attempts=F("attempts") + 1
        )
        row.refresh_from_db()
    return row if taken else None


def _send(adapter: NoticeAdapter, delivery: Delivery, now: datetime) -> str:
    """Hand one digest over and note the outcome; returns the new state."""
    digest = Digest.objects.prefetch_related("notices").get(id=delivery.digest_id)
    try:
        adapter.send(_view(digest))
    except Exception as problem:
        return _note_failure(delivery, problem, now)  # Undeliverable among them: given up at once
    Delivery.objects.filter(id=delivery.pk).update(state=DeliveryState.SENT, sent_at=now, error="")
    return DeliveryState.SENT


def _note_failure(delivery: Delivery, problem: Exception, now: datetime) -> str:
    over = delivery.attempts >= _ATTEMPTS or isinstance(problem, Undeliverable)
    state = DeliveryState.FAILED if over else DeliveryState.WAITING
    Delivery.objects.filter(id=delivery.pk).update(
        state=state,
        error=clean(f"{type(problem).__name__}: {problem}")[:_ERROR_LENGTH],
        next_try_at=now + retry_after(delivery.attempts),
    )
    return state


def retry_after(attempts: int) -> timedelta:
    """How long to wait after the nth failed attempt (1 = first): doubling from a minute to an hour."""
    return min(_FIRST_RETRY * 2 ** max(0, attempts - 1), _LONGEST_RETRY)
