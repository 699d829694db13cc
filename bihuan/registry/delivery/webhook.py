"""A digest as JSON, posted to an address and signed, or put into a folder.

At least once: every message bears an id (`id` in the body, `X-Bihuan-Id`), the same for the same digest, by
which the receiver drops what it has. `X-Bihuan-Signature: t=SECONDS,v1=HEX` holds the time of sending and
HMAC-SHA256 of "SECONDS.BODY" under the shared secret; a receiver refuses other signatures and old times.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.request
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlparse

from bihuan.registry import posts
from bihuan.registry.outbox import DigestView

TIMEOUT_SECONDS: Final = 10.0
SIGNATURE: Final = "X-Bihuan-Signature"
ID: Final = "X-Bihuan-Id"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_MAX_AGE_SECONDS: Final = 300


def body_of(digest: DigestView) -> bytes:
    """What is sent: the digest's id, post, time, counts and notices, as UTF-8 JSON with sorted keys."""
    post = posts.get(digest.post_id)
    told = {
        "id": digest.key,
        "post": post.public_id,
        "territory_code": post.territory_code,
        "send_at": digest.send_at.isoformat(),
        "counts": dict(digest.counts),
        "notices": [
            {"kind": notice.kind, "key": notice.key, "payload": dict(notice.payload)}
            for notice in digest.notices
        ],
    }
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode()


def sign(secret: str, body: bytes, at: int) -> str:
    """The signature header of a body sent at a Unix time."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def is_signed(secret: str, body: bytes, header: str, *, now: float) -> bool:
    """What a receiver checks: signed with the secret, and not more than five minutes ago or ahead."""
    given = dict(part.partition("=")[::2] for part in header.split(","))
    if not given.get("t", "").isdigit() or abs(now - int(given["t"])) > _MAX_AGE_SECONDS:
        return False
    return hmac.compare_digest(sign(secret, body, int(given["t"])), header)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        """A signed message goes to the address that was set, and to no other."""


class Webhook:
    """Posts digests to one address. Any answer but 2xx is a failure, tried again later."""

    channel = "webhook"
    can_repeat = True

    def __init__(self, url: str, secret: str) -> None:
        parts = urlparse(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError(f"A webhook begins with https://; http:// only to this machine. It is {url!r}.")
        if not secret:
            raise ValueError("A webhook needs a secret to sign with (BIHUAN_WEBHOOK_SECRET).")
        self.url, self.secret = url, secret

    def send(self, digest: DigestView) -> None:
        body = body_of(digest)
        request = urllib.request.Request(
            self.url,
            data=body,
            method="POST",
            headers={
                "Content-Type": "application/json",
                "User-Agent": "bihuan",
                ID: digest.key,
                # The wire's time: a drill may move the house's clock, and no receiver would follow it.
                SIGNATURE: sign(self.secret, body, int(time.time())),
            },
        )
        opener = urllib.request.build_opener(_NoRedirects)
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS):
                return
        except urllib.error.HTTPError as refused:  # its body may hold anything: not kept
            raise ConnectionError(f"The webhook answered {refused.code}.") from None


class Folder:
    """Writes each digest into a file of its own, named by its id: for houses whose systems read files."""

    channel = "file"
    can_repeat = True

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def send(self, digest: DigestView) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{digest.key}.json"
        making = target.with_suffix(f".making-{os.getpid()}")
        making.write_bytes(body_of(digest))
        os.replace(making, target)


__all__ = ["ID", "SIGNATURE", "Folder", "Webhook", "body_of", "is_signed", "sign"]
