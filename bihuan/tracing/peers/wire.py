"""Posting an envelope to a peer, and fetching its card. Blocking, with a time limit; no redirect is
followed."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Final
from urllib.parse import urlparse

from bihuan.tracing.peers import envelope
from bihuan.tracing.peers.envelope import Envelope

TIMEOUT_SECONDS: Final = 15.0
"""How long a peer may be silent."""
LONGEST_SECONDS: Final = 30.0
"""How long its whole answer may take."""
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
    """Whether a peer may live there: https, or http to this very machine; a host and at most a path, without
    a name and password, a query or a fragment."""
    try:
        parts = urlparse(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or any(letter in url for letter in "?# ") or not url.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


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
    until = time.monotonic() + LONGEST_SECONDS
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            body = _read(answer, until)
            if answer.status != _OK:
                raise NotDelivered("no-receipt", answer.status)
    except urllib.error.HTTPError as refused:
        raise NotDelivered(_word_of(refused, until), refused.code) from None
    except (OSError, HTTPException):  # URLError is an OSError
        raise NotDelivered("unreachable") from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise NotDelivered("no-receipt") from None


def _read(answer: Any, until: float) -> bytes:
    """The body as far as a receipt may be long, and within the time: one slow peer does not hold up the
    others."""
    body = b""
    while len(body) < envelope.MOST_BYTES and (more := answer.read1(envelope.MOST_BYTES - len(body))):
        body += more
        if time.monotonic() > until:
            raise TimeoutError
    return body


def _word_of(refused: urllib.error.HTTPError, until: float) -> str:
    """The peer's own word for why not, if it is one of a few letters; nothing else of its answer is kept."""
    try:
        code = json.loads(_read(refused.fp, until)).get("type", "")
    except (OSError, HTTPException, ValueError, AttributeError, RecursionError):
        return "refused"
    is_word = isinstance(code, str) and code.replace("-", "").isalpha() and len(code) <= _LONGEST_WORD
    return code if is_word else "refused"
