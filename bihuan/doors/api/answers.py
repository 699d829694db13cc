"""Idempotency keys: a request sent again gets the first one's answer and changes nothing.

Of two at once only one works: it holds a lock of its transaction on the key; the other is told to wait. Only
answers to success are kept, as what failed changed nothing. What is kept holds numbers of records
and sentences, no names: a POST that shows people (a look) is not answered from here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import connection
from django.http import HttpRequest
from django.utils.translation import gettext as _

from bihuan.doors.api.models import Answer
from bihuan.doors.api.reading import MULTIPART
from bihuan.registry import clock
from bihuan.registry.errors import Conflict, Invalid

KEPT: Final = timedelta(days=2)
"""How long a repeated request gets the first one's answer: our own rule, two days of retries."""

HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,120}")
_LOCKS: Final = 0x1B1  # namespace of the advisory locks on keys


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer given: `body` as JSON; `again` when it was given before."""

    status: int
    body: Any
    again: bool


def once(request: HttpRequest, token_id: int, *, status: int, run: Callable[[], Mapping[str, Any]]) -> Kept:
    """Run, or answer as the first time when the same key came before.

    Runs within a transaction. Raises Conflict when the key is being worked on or was used for another
    request, Invalid for a key that is none.
    """
    key = request.headers.get(HEADER, "")
    if not key:
        return Kept(status, run(), again=False)
    if not _KEY.fullmatch(key):
        message = _("An Idempotency-Key is 1 to 120 printable ASCII characters without spaces.")
        raise Invalid(message, errors=[{"field": HEADER, "rule": "key", "message": message}])
    _lock(token_id, key)
    asked = _hash(request)
    earlier = Answer.objects.filter(token_id=token_id, key=key, created_at__gt=clock.now() - KEPT).first()
    if earlier is not None:
        if earlier.request_hash != asked:
            raise Conflict(
                _("This Idempotency-Key was used for another request."),
                code="idempotency-key-reused",
                hint=_("Make a new key for every new request; repeat a key only to repeat the same request."),
            )
        return Kept(earlier.status, earlier.body, again=True)
    body = run()
    Answer.objects.update_or_create(
        token_id=token_id,
        key=key,
        defaults={"request_hash": asked, "status": status, "body": body, "created_at": clock.now()},
    )
    return Kept(status, body, again=False)


def forget(*, now: Any = None) -> int:
    """Delete the answers that are kept no longer; how many."""
    return Answer.objects.filter(created_at__lte=(now or clock.now()) - KEPT).delete()[0]


def lock_number(token_id: int, key: str) -> int:
    """The number the lock on a key has."""
    digest = hashlib.blake2b(f"{token_id}\n{key}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big", signed=True)


def _lock(token_id: int, key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCKS, lock_number(token_id, key)])
        if cursor.fetchone()[0]:
            return
    raise Conflict(
        _("The same request is being worked on by another call."),
        code="request-in-progress",
        hint=_("Ask again in a moment with the same Idempotency-Key; you will get its answer."),
    )


def _hash(request: HttpRequest) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if request.content_type != MULTIPART:
        digest.update(request.body)
        return digest.hexdigest()
    for name in sorted(request.POST):
        digest.update(repr((name, request.POST.getlist(name))).encode())
    for name in sorted(request.FILES):
        for upload in request.FILES.getlist(name):
            digest.update(repr((name, upload.name)).encode())
            for chunk in upload.chunks():
                digest.update(chunk)
            upload.seek(0)
    return digest.hexdigest()
