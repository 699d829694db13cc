"""Public ids: a letter for the kind and ten random characters that are hard to misread."""

from __future__ import annotations

import secrets

#: Crockford's base 32: no I, L, O, U, so that an id can be read out over the phone.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 10


def new_id(prefix: str) -> str:
    """Return a new public id such as `C-7Z0K4M9QXA`. Fifty random bits: one table never meets itself."""
    bits = secrets.randbits(5 * LENGTH)
    return f"{prefix}-" + "".join(ALPHABET[(bits >> (5 * i)) & 31] for i in range(LENGTH))


_LETTERS = bytes(ord(ALPHABET[n & 31]) for n in range(256))


def new_ids(prefix: str, n: int) -> list[str]:
    """Return n new public ids, as `new_id` makes them."""
    letters = secrets.token_bytes(LENGTH * n).translate(_LETTERS).decode()
    return [f"{prefix}-{letters[i : i + LENGTH]}" for i in range(0, LENGTH * n, LENGTH)]


def kind_of(public_id: str) -> str:
    """Return the letter before the dash ("" if the text is no public id)."""
    prefix, dash, rest = public_id.partition("-")
    return prefix if dash and rest else ""
