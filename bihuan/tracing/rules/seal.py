"""Records closed for the server alone: what a gate's device keeps can be read by nobody who holds the device.

The device makes a pair of keys on P-256 for each record, agrees with the public key of this installation
(ECDH), derives a key (HKDF-SHA256, its own public key as salt) and closes the text with AES-256-GCM. What the
record is about (gate, event, who took it) is bound to it and cannot be changed on the device.

Layout: 65 bytes the device's public key, 12 bytes nonce, then text and tag.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

INFO = b"bihuan gate record"
_CURVE = ec.SECP256R1()
#: Order of the group of P-256 (FIPS 186-4, D.1.2.3).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_POINT, _NONCE, _TAG = 65, 12, 16


def private_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """The key that a secret of 32 bytes stands for; always the same."""
    number = int.from_bytes(HKDF(SHA256(), 48, None, b"bihuan gate key").derive(secret), "big")
    return ec.derive_private_key(number % (_ORDER - 1) + 1, _CURVE)


def public_bytes(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bytes:
    """Its public half, as a point of 65 bytes."""
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def bound_to(*, place: str, event: str, taker: str) -> bytes:
    """What a record is about, as it is bound to what was closed."""
    return "\n".join((place, event, taker)).encode()


def opened(sealed: bytes, *, key: ec.EllipticCurvePrivateKey, about: bytes) -> bytes:
    """The text of a closed record. Raises ValueError if it is another key's, about something else, or
    altered; the error repeats nothing of it."""
    if len(sealed) < _POINT + _NONCE + _TAG:
        raise ValueError("sealed")
    point, nonce, body = sealed[:_POINT], sealed[_POINT : _POINT + _NONCE], sealed[_POINT + _NONCE :]
    try:
        device = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
        return AESGCM(_agreed(key, device, point)).decrypt(nonce, body, about)
    except (InvalidTag, ValueError):
        raise ValueError("sealed") from None


def closed(text: bytes, *, public: bytes, about: bytes, nonce: bytes) -> bytes:
    """A text closed as a device does it (for tests and other senders). `nonce`: 12 random bytes."""
    own = ec.generate_private_key(_CURVE)
    point = public_bytes(own)
    other = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, public)
    return point + nonce + AESGCM(_agreed(own, other, point)).encrypt(nonce, text, about)


def _agreed(own: ec.EllipticCurvePrivateKey, other: ec.EllipticCurvePublicKey, salt: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, INFO).derive(own.exchange(ec.ECDH(), other))
