"""Who this installation is to others: its number, name, address, the territories it serves, and its keys.

Kept in `BIHUAN_HOME/secrets/exchange.key` (mode 0600), never in the database. The newest key stands last and
is the one that signs; older ones stay until every peer knows the newest, to open what was sealed for them.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings

from bihuan.registry.ids import new_id
from bihuan.tracing.peers import envelope

FILE: Final = "exchange.key"
LONGEST_NAME: Final = 120
LONGEST_URL: Final = 300
MOST_TERRITORIES: Final = 200
_CODE: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_INSTALLATION: Final = re.compile(r"N-[0-9A-Z]{10}")


class NoIdentity(Exception):
    """This installation has not been named yet."""


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """A signing and a sealing key under one id. Its repr shows the id only."""

    id: str
    signing: Ed25519PrivateKey
    sealing: X25519PrivateKey

    def __repr__(self) -> str:
        return f"KeyPair({self.id})"

    @property
    def public(self) -> dict[str, str]:
        """The public halves as a card shows them."""
        return {
            "id": self.id,
            "sign": _text(self.signing.public_key().public_bytes_raw()),
            "seal": _text(self.sealing.public_key().public_bytes_raw()),
        }


@dataclass(frozen=True, slots=True)
class Identity:
    """This installation: `serves` are territory codes, it answers for everything at or below them. `serial`
    counts its cards, so that an older one never replaces a newer one."""

    installation: str
    name: str
    url: str
    serves: tuple[str, ...]
    serial: int
    keys: tuple[KeyPair, ...]

    @property
    def newest(self) -> KeyPair:
        return self.keys[-1]

    def key(self, key_id: str) -> KeyPair | None:
        return next((pair for pair in self.keys if pair.id == key_id), None)


def key_id(sign: bytes, seal: bytes) -> str:
    """The short name of a key pair: the first 16 hex characters of SHA-256 over both public keys."""
    return hashlib.sha256(sign + seal).hexdigest()[:16]


def fingerprint(public: Mapping[str, str]) -> str:
    """What two people read to each other over the phone: 128 bits in eight groups of four."""
    digest = hashlib.sha256(b"fingerprint" + _raw(public["sign"]) + _raw(public["seal"])).hexdigest()[:32]
    return " ".join(digest[i : i + 4] for i in range(0, 32, 4)).upper()


def new_pair() -> KeyPair:
    signing, sealing = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    public = (signing.public_key().public_bytes_raw(), sealing.public_key().public_bytes_raw())
    return KeyPair(key_id(*public), signing, sealing)


def path() -> Path:
    return Path(settings.BIHUAN_HOME) / "secrets" / FILE


def load() -> Identity | None:
    """Who this installation is; None when it has not been named. Raises PermissionError if others can read
    it."""
    where = path()
    try:
        text = where.read_text()
    except FileNotFoundError:
        return None
    if where.stat().st_mode & 0o077:
        raise PermissionError(f"{where} can be read by others; run: chmod 600 {where}")
    return _read(json.loads(text))


def own() -> Identity:
    """Who this installation is. Raises NoIdentity when it has not been named."""
    found = load()
    if found is None:
        raise NoIdentity("This installation has no name and key for others yet: run `bihuan peers init`.")
    return found


def name_it(*, name: str, url: str, serves: Sequence[str]) -> Identity:
    """Name this installation, or change its name, address or territories; the first time makes its key."""
    with _alone():
        before = load()
        made = Identity(
            installation=before.installation if before else new_id("N"),
            name=name,
            url=url.rstrip("/"),
            serves=tuple(serves),
            serial=before.serial + 1 if before else 1,
            keys=before.keys if before else (new_pair(),),
        )
        _write(made)
        return made


def rotate(newest: str = "") -> tuple[Identity, bool]:
    """Make a new key; peers are told by a message signed with the one they know. Asked with the key that was
    the `newest`, a second asking makes no second key: False. Raises NoIdentity."""
    with _alone():
        before = own()
        if newest and newest != before.newest.id:
            return before, False
        made = replace(before, serial=before.serial + 1, keys=(*before.keys, new_pair()))
        _write(made)
        return made, True


def forget_before(newest: str) -> int:
    """Drop the keys older than this one; returns how many."""
    with _alone():
        before = own()
        at = next((n for n, pair in enumerate(before.keys) if pair.id == newest), 0)
        if at:
            _write(replace(before, keys=before.keys[at:]))
        return at


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody else changes the file meanwhile: a page, a command and the worker may at once, and a key that
    was told and then lost would be trusted by others and held by nobody."""
    where = path()
    where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with where.with_name(f"{where.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def card_of(identity: Identity) -> dict[str, Any]:
    """The card of this installation: what another one needs to trust it. Signed, so that nobody makes a card
    with a key she does not hold."""
    said = {
        "protocol": envelope.PROTOCOL,
        "installation": identity.installation,
        "name": identity.name,
        "url": identity.url,
        "serves": list(identity.serves),
        "serial": identity.serial,
        "key": identity.newest.public,
    }
    return {**said, "signature": envelope.sign(identity.newest.signing, "card", said)}


def is_card(card: Any) -> bool:
    """Whether this is a card of ours in form, signed by the key it shows."""
    if not isinstance(card, dict) or set(card) != {
        "protocol", "installation", "name", "url", "serves", "serial", "key", "signature",
    }:  # fmt: skip
        return False
    key, said = card["key"], {name: value for name, value in card.items() if name != "signature"}
    texts = [card[name] for name in ("installation", "name", "url", "signature")]
    if card["protocol"] != envelope.PROTOCOL or not all(isinstance(text, str) for text in texts):
        return False
    if not _is_plain(card):
        return False
    if not isinstance(key, dict) or not all(isinstance(key.get(n), str) for n in ("id", "sign", "seal")):
        return False
    try:
        sign, seal = _raw(key["sign"]), _raw(key["seal"])
    except ValueError:
        return False
    if len(sign) != envelope.KEY_BYTES or len(seal) != envelope.KEY_BYTES or key_id(sign, seal) != key["id"]:
        return False
    return envelope.is_signed(sign, "card", said, card["signature"])


def is_code(code: str) -> bool:
    """Whether this has the form of a territory code."""
    return _CODE.fullmatch(code) is not None


def _is_plain(card: Mapping[str, Any]) -> bool:
    """Whether what people read on a card is what stands there: printable, of a length that can be kept, at
    least one territory."""
    serial, serves = card["serial"], card["serves"]
    if not isinstance(serial, int) or isinstance(serial, bool) or not 0 < serial < 2**31:
        return False
    if not isinstance(serves, list) or not 0 < len(serves) <= MOST_TERRITORIES:
        return False
    if not all(isinstance(code, str) and _CODE.fullmatch(code) for code in serves):
        return False
    if not _INSTALLATION.fullmatch(card["installation"]) or len(card["url"]) > LONGEST_URL:
        return False
    name = card["name"]
    return name.isprintable() and len(name.strip()) > 0 and len(name) <= LONGEST_NAME


def raw(text: str) -> bytes:
    """A public key from its text."""
    return _raw(text)


def _read(data: Mapping[str, Any]) -> Identity:
    pairs = tuple(
        KeyPair(
            one["id"],
            Ed25519PrivateKey.from_private_bytes(_raw(one["sign"])),
            X25519PrivateKey.from_private_bytes(_raw(one["seal"])),
        )
        for one in data["keys"]
    )
    return Identity(
        data["installation"], data["name"], data["url"], tuple(data["serves"]), data["serial"], pairs
    )


def _write(identity: Identity) -> None:
    """Write all of it anew, so that a reader finds the old file or the new one."""
    data = {
        "installation": identity.installation,
        "name": identity.name,
        "url": identity.url,
        "serves": list(identity.serves),
        "serial": identity.serial,
        "keys": [
            {
                "id": pair.id,
                "sign": _text(pair.signing.private_bytes_raw()),
                "seal": _text(pair.sealing.private_bytes_raw()),
            }
            for pair in identity.keys
        ],
    }
    where = path()
    making = where.with_name(f"{where.name}.{os.getpid()}.{threading.get_ident()}")
    handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(making, where)


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
