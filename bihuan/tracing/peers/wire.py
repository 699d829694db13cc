"""Posting an envelope to a peer, and fetching its card. Blocking, with a time limit; no redirect is
followed."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Final
from urllib.parse import urlparse

from bihuan.tracing.peers import envelope
from bihuan.tracing.peers.envelope import Envelope

TIMEOUT_SECONDS: Final = 15.0
MESSAGES, CARD = "/api/v1/exchange/messages", "/api/v1/exchange/card"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_OK: Final = 200
_LONGEST_WORD: Final = 40


class NotDelivered(Exception):
    """The envelope was not accepted, or nobody knows. `code` says why: `unreachable`, `no-receipt`, or the
    peer's own word."""

    def __init__(self, code: str, status: int = 0) -> None:
        super().__init__(code)
        self.code, self.status = code, status


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
        """A message goes to the address people agreed on, and to no other."""


def is_address(url: str) -> bool:
    """Whether a peer may live there: https, or http to this very machine."""
    parts = urlparse(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def post(url: str, given: Envelope) -> Any:
    """Post an envelope; the answer as JSON. Raises NotDelivered."""
    request = urllib.request.Request(
        url.rstrip("/") + MESSAGES,
        data=given.as_bytes(),
        method="POST",
        headers={"Content-Type": "application/json", "User-Agent": "bihuan"},
    )
    return _asked(request)


def fetch_card(url: str) -> Any:
    """The card an installation shows at its address. Raises NotDelivered."""
    request = urllib.request.Request(url.rstrip("/") + CARD, headers={"User-Agent": "bihuan"})
    return _asked(request)


def _asked(request: urllib.request.Request) -> Any:
    if not is_address(request.full_url):
        raise NotDelivered("not-https")
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            body = answer.read(envelope.MOST_BYTES)
            if answer.status != _OK:
                raise NotDelivered("no-receipt", answer.status)
    except urllib.error.HTTPError as refused:
        raise NotDelivered(_word(refused.read(envelope.MOST_BYTES)), refused.code) from None
    except (OSError, HTTPException):  # URLError is an OSError
        raise NotDelivered("unreachable") from None
    try:
        return json.loads(body)
    except ValueError:
        raise NotDelivered("no-receipt") from None


def _word(body: bytes) -> str:
    """The peer's own word for why not, if it is one of a few letters; nothing else of its answer is kept."""
    try:
        code = json.loads(body).get("type", "")
    except (ValueError, AttributeError):
        return "refused"
    return (
        code if isinstance(code, str) and code.replace("-", "").isalpha() and len(code) <= 40 else "refused"
    )
