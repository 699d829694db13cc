"""A message between installations: sealed for one reader, signed by one sender, answered by a signed receipt.

Sealing: a fresh X25519 key for every message, HKDF-SHA256 over the shared secret, ChaCha20-Poly1305 with the
envelope's open part as associated data. Signing: Ed25519 over canonical bytes. No key is used for both.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PROTOCOL: Final = "bihuan-exchange/1"
#: Longest message as it stands on the wire, in bytes: our own rule; one person's fields take about two
#: thousand.
MOST_BYTES: Final = 64 * 1024
KEY_BYTES: Final = 32
_NONCE: Final = 12
_PADDED_TO: Final = 512
_SEAL_INFO: Final = b"bihuan-exchange/1 seal"
_WORDS: Final[Mapping[str, str]] = {
    "protocol": re.escape(PROTOCOL),
    "from": r"N-[0-9A-Z]{10}",
    "to": r"N-[0-9A-Z]{10}",
    "key": r"[0-9a-f]{16}",
    "sealed_for": r"[0-9a-f]{16}",
    "message": r"[0-9a-f]{32}",
    "thread": r"[A-Z]-[0-9A-Z]{10}|",
    "kind": r"[a-z]{3,10}",
    "created_at": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
}


class EnvelopeError(Exception):
    """A message that cannot be read. `code` is a stable word for programs; no text of the message is
    repeated."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message on the wire. `sealed` and `signature` are base64; `sequence` counts the sender's in the
    thread."""

    sender: str
    receiver: str
    key: str
    sealed_for: str
    message: str
    thread: str
    kind: str
    sequence: int
    created_at: str
    sealed: str = ""
    signature: str = ""

    def open_part(self) -> dict[str, Any]:
        """What stands readable on the outside."""
        return {
            "protocol": PROTOCOL,
            "from": self.sender,
            "to": self.receiver,
            "key": self.key,
            "sealed_for": self.sealed_for,
            "message": self.message,
            "thread": self.thread,
            "kind": self.kind,
            "sequence": self.sequence,
            "created_at": self.created_at,
        }

    def signed_part(self) -> dict[str, Any]:
        return {**self.open_part(), "sealed": self.sealed}

    def as_bytes(self) -> bytes:
        return canonical({**self.signed_part(), "signature": self.signature})

    @property
    def digest(self) -> str:
        """SHA-256 of what was signed: names exactly this envelope in its receipt."""
        return hashlib.sha256(canonical(self.signed_part())).hexdigest()


def canonical(data: Mapping[str, Any]) -> bytes:
    """The one way to write it down: JSON, keys sorted, no spaces, everything beyond ASCII escaped. No
    fractions."""
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def read(raw: bytes) -> Envelope:
    """An envelope from the wire, its form checked. Raises EnvelopeError("malformed" or "too-large")."""
    if len(raw) > MOST_BYTES:
        raise EnvelopeError("too-large")
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise EnvelopeError("malformed") from None
    if not isinstance(data, dict) or set(data) != {*_WORDS, "sequence", "sealed", "signature"}:
        raise EnvelopeError("malformed")
    for name, pattern in _WORDS.items():
        if not isinstance(data[name], str) or not re.fullmatch(pattern, data[name]):
            raise EnvelopeError("malformed")
    number = data["sequence"]
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**31:
        raise EnvelopeError("malformed")
    for name in ("sealed", "signature"):
        if not isinstance(data[name], str):
            raise EnvelopeError("malformed")
    return Envelope(
        sender=data["from"],
        receiver=data["to"],
        sequence=number,
        **{
            name: data[name]
            for name in (
                "key",
                "sealed_for",
                "message",
                "thread",
                "kind",
                "created_at",
                "sealed",
                "signature",
            )
        },
    )


# --- sealing ------------------------------------------------------------------------------------------


def seal(content: Mapping[str, Any], *, reader: bytes, outside: Mapping[str, Any]) -> str:
    """The content, readable only with the private key of `reader` (raw X25519), bound to the open part
    `outside`.

    The text is padded, so that its length does not tell what it says.
    """
    text = canonical(content)
    text += b" " * (-len(text) % _PADDED_TO)
    fresh = X25519PrivateKey.generate()
    mine = fresh.public_key().public_bytes_raw()
    shared = fresh.exchange(X25519PublicKey.from_public_bytes(reader))
    nonce = os.urandom(_NONCE)
    body = ChaCha20Poly1305(_derived(shared, mine, reader)).encrypt(nonce, text, canonical(outside))
    return base64.b64encode(mine + nonce + body).decode()


def unseal(sealed: str, *, key: X25519PrivateKey, outside: Mapping[str, Any]) -> dict[str, Any]:
    """The content. Raises EnvelopeError("does-not-open") for another key, another outside, or altered
    bytes."""
    try:
        raw = base64.b64decode(sealed, validate=True)
        theirs, nonce, body = raw[:KEY_BYTES], raw[KEY_BYTES : KEY_BYTES + _NONCE], raw[KEY_BYTES + _NONCE :]
        shared = key.exchange(X25519PublicKey.from_public_bytes(theirs))
        own = key.public_key().public_bytes_raw()
        found = json.loads(
            ChaCha20Poly1305(_derived(shared, theirs, own)).decrypt(nonce, body, canonical(outside))
        )
    except (binascii.Error, ValueError, InvalidTag):
        raise EnvelopeError("does-not-open") from None
    if not isinstance(found, dict):
        raise EnvelopeError("malformed")
    return found


def _derived(shared: bytes, fresh: bytes, reader: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=fresh + reader, info=_SEAL_INFO).derive(shared)


# --- signing ------------------------------------------------------------------------------------------


def sign(key: Ed25519PrivateKey, what: str, data: Mapping[str, Any]) -> str:
    """The signature (base64) over canonical bytes. `what` (envelope, receipt, card) keeps one from passing as
    another."""
    return base64.b64encode(key.sign(_to_sign(what, data))).decode()


def is_signed(public: bytes, what: str, data: Mapping[str, Any], signature: str) -> bool:
    """Whether the holder of the raw Ed25519 key `public` signed this as this."""
    try:
        raw = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(raw, _to_sign(what, data))
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def _to_sign(what: str, data: Mapping[str, Any]) -> bytes:
    return f"{PROTOCOL} {what}\n".encode() + canonical(data)


# --- receipts -----------------------------------------------------------------------------------------


def receipt(
    given: Envelope,
    *,
    key: Ed25519PrivateKey,
    key_id: str,
    kept: str,
    received_at: str,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the receiver answers: it has this envelope and keeps it. `kept`: new, or known. `more` is what was
    asked, signed with it."""
    said = {
        "protocol": PROTOCOL,
        "from": given.receiver,
        "to": given.sender,
        "key": key_id,
        "message": given.message,
        "digest": given.digest,
        "kept": kept,
        "received_at": received_at,
        **(more or {}),
    }
    return {**said, "signature": sign(key, "receipt", said)}


def is_receipt(answer: Any, given: Envelope, *, keys: Mapping[str, bytes]) -> bool:
    """Whether an answer is the receipt of exactly this envelope, by a key of the receiver (`keys` by id)."""
    if not isinstance(answer, dict) or not isinstance(answer.get("signature"), str):
        return False
    said = {name: value for name, value in answer.items() if name != "signature"}
    expected = {
        "protocol": PROTOCOL,
        "from": given.receiver,
        "to": given.sender,
        "message": given.message,
        "digest": given.digest,
    }
    if any(said.get(name) != value for name, value in expected.items()):
        return False
    public = keys.get(str(said.get("key")))
    try:
        return public is not None and is_signed(public, "receipt", said, answer["signature"])
    except (TypeError, ValueError):
        return False
