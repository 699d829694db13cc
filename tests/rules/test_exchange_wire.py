"""Posting to a peer that answers slowly, nonsense, or somewhere else: not delivered, and nothing worse."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bihuan.tracing.peers import wire
from bihuan.tracing.peers.envelope import Envelope

GIVEN = Envelope("N-0000000000", "N-0000000001", "0" * 16, "0" * 16, "0" * 32, "R-0000000000", "end", 1, "x")


class Peer(BaseHTTPRequestHandler):
    status, body, drip, location, asked = 200, b"{}", 0.0, "", 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        if self.location:
            self.send_header("Location", self.location)
        self.end_headers()
        for at in range(0, len(self.body), 1 if self.drip else len(self.body)):
            self.wfile.write(self.body[at : at + 1] if self.drip else self.body)
            time.sleep(self.drip)

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def peer() -> Iterator[tuple[type[Peer], str]]:
    kind = type("OnePeer", (Peer,), {})
    server = HTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield kind, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"[" * 60_000, "no-receipt"),
        (200, b"\xff", "no-receipt"),
        (500, b"[" * 60_000, "refused"),
        (409, b'{"type": "unknown-thread"}', "unknown-thread"),
        (409, b'{"type": "<script>"}', "refused"),
    ],
)
def test_nonsense_is_no_receipt_and_breaks_nothing(peer, status: int, body: bytes, code: str) -> None:
    kind, url = peer
    kind.status, kind.body = status, body
    with pytest.raises(wire.NotDelivered) as refused:
        wire.post(url, GIVEN)
    assert refused.value.code == code


def test_no_redirect_is_followed(peer) -> None:
    kind, url = peer
    kind.status, kind.location = 307, url + wire.MESSAGES
    with pytest.raises(wire.NotDelivered):
        wire.post(url, GIVEN)
    assert kind.asked == 1


@pytest.mark.parametrize("status", [200, 500])
def test_a_peer_that_trickles_its_answer_is_left(peer, monkeypatch, status: int) -> None:
    kind, url = peer
    kind.status, kind.body, kind.drip = status, b"x" * 200, 0.05
    monkeypatch.setattr(wire, "LONGEST_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(wire.NotDelivered):
        wire.post(url, GIVEN)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.example",
        "https://user:word@peer.example",
        "https://peer.example/?to=",
        "https://peer.example/#",
        "https://peer.example/#x",
        "https://[",
        "https://peer.example:port",
        "https://peer.example/a b",
        "ftp://peer.example",
        "",
    ],
)
def test_what_is_no_address_is_none(url: str) -> None:
    assert not wire.is_address(url)


def test_an_address_is_https_or_this_machine() -> None:
    assert all(
        map(wire.is_address, ("https://peer.example", "https://a.example:8443/b", "http://127.0.0.1:1"))
    )
