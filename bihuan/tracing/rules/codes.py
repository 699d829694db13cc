"""A person's entry code: what a gate may scan instead of an identity number.

It holds the person's keyed number of the visit store and the day it was issued, in one block of AES-256 under
a key derived from the store's: without that key it says nothing, and codes of two days have nothing in
common. Four zero bytes inside tell a real one (a made-up code passes once in four thousand million). Whoever
forwards it lets others scan it: a scan alone does not prove presence.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

#: Crockford's base 32: no I, L, O, U.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011")
_LENGTH, _BYTES = 26, 16
_FIRST = date(2020, 1, 1)


def issue(number: int, *, key: bytes, on: date) -> str:
    """The code of a keyed number (64 bits), issued on a day: 26 letters and digits."""
    block = number.to_bytes(8, "little") + (on - _FIRST).days.to_bytes(4, "little", signed=True) + bytes(4)
    cipher = _cipher(key).encryptor()
    value = int.from_bytes(cipher.update(block) + cipher.finalize(), "big")
    return "".join(_ALPHABET[(value >> (5 * i)) & 31] for i in range(_LENGTH))


def read(code: str, *, key: bytes) -> tuple[int, date] | None:
    """The keyed number in a code and the day it was issued; None if it is none of ours."""
    text = "".join(c for c in code.upper().translate(_MISREAD) if c not in " -")
    if len(text) != _LENGTH or any(c not in _ALPHABET for c in text):
        return None
    value = sum(_ALPHABET.index(c) << (5 * i) for i, c in enumerate(text))
    if value >> (8 * _BYTES):
        return None
    opener = _cipher(key).decryptor()
    block = opener.update(value.to_bytes(_BYTES, "big")) + opener.finalize()
    if any(block[12:]):
        return None
    number, days = int.from_bytes(block[:8], "little"), int.from_bytes(block[8:12], "little", signed=True)
    try:
        return number, _FIRST + timedelta(days=days)
    except OverflowError:
        return None


def grouped(code: str) -> str:
    """A code as it is printed, to be typed if need be."""
    return " ".join(code[i : i + 5] for i in range(0, len(code), 5))


def _cipher(key: bytes) -> Cipher[modes.ECB]:
    derived = hashlib.blake2b(b"entry code", digest_size=32, key=key, person=b"derived").digest()
    return Cipher(algorithms.AES256(derived), modes.ECB())  # one block only
