"""Encryption of personal fields, and the keyed hash by which they can still be found.

A field is kept twice: as a cipher (AES-256-GCM, random nonce, bound to its place by associated data)
and as an index (HMAC-SHA256 under a second key), so that "the same number" can be asked without
opening anything. Keys are derived (HKDF-SHA256) from a master key of 32 bytes, which is read from the
environment variable BIHUAN_FIELD_KEY or else from `BIHUAN_HOME/secrets/field.key` (mode 0600, made on
first use). It is never kept in the database: a dump alone opens nothing.

Layout of a cipher: 1 byte form (1), 1 byte key id, 12 bytes nonce, then text and tag.
The key file has one key a line, `ID:BASE64`; the last line encrypts, all lines decrypt, and the first
one indexes (an index must not change when the encrypting key does). `reencrypt` moves a cipher to the
newest key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_FORM = 1
_NONCE = 12
_KEY_BYTES = 32
_ENVIRONMENT = "BIHUAN_FIELD_KEY"


class SecretsError(Exception):
    """A key is missing, malformed or does not open this cipher. Never carries key or text."""


class Keyring:
    """Master keys by id (1 to 255) and what is derived from them. Its repr shows ids only."""

    __slots__ = ("_active", "_ciphers", "_index", "_seal", "fingerprint")

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys:
            raise SecretsError("The field key file holds no key.")
        for key_id, key in keys.items():
            if not 1 <= key_id <= 255 or len(key) != _KEY_BYTES:
                raise SecretsError(f"Field key {key_id}: the id must be 1-255 and the key 32 bytes.")
        ids = list(keys)
        self._active = ids[-1]
        self._ciphers = {i: AESGCM(_derive(key, b"bihuan field cipher")) for i, key in keys.items()}
        self._index = _derive(keys[ids[0]], b"bihuan field index")
        self._seal = _derive(keys[ids[0]], b"bihuan audit seal")
        self.fingerprint = hashlib.sha256(_derive(keys[ids[0]], b"bihuan key name")).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Keyring(ids={sorted(self._ciphers)}, active={self._active})"

    def __reduce__(self) -> str:
        raise SecretsError("A keyring is not to be copied or stored.")

    def encrypt(self, text: str, *, place: str) -> bytes:
        """The cipher of a text. `place` names where it belongs ("person.id:P-…") and must be given
        again to open it, so a cipher moved to another row does not open."""
        nonce = os.urandom(_NONCE)
        body = self._ciphers[self._active].encrypt(nonce, text.encode(), place.encode())
        return bytes((_FORM, self._active)) + nonce + body

    def decrypt(self, cipher: bytes | memoryview, *, place: str) -> str:
        """The text of a cipher made for the same place; SecretsError when key or place differ."""
        raw = bytes(cipher)
        if len(raw) < 2 + _NONCE + 16 or raw[0] != _FORM:
            raise SecretsError(f"The cipher at {place} has no form this version knows.")
        opener = self._ciphers.get(raw[1])
        if opener is None:
            raise SecretsError(f"The cipher at {place} needs field key {raw[1]}, which is not there.")
        try:
            return opener.decrypt(raw[2 : 2 + _NONCE], raw[2 + _NONCE :], place.encode()).decode()
        except InvalidTag:
            raise SecretsError(f"The cipher at {place} does not open: wrong key, or altered.") from None

    def reencrypt(self, cipher: bytes | memoryview, *, place: str) -> bytes:
        """The same text under the newest key; the same bytes when it is already."""
        raw = bytes(cipher)
        if raw[:2] == bytes((_FORM, self._active)):
            return raw
        return self.encrypt(self.decrypt(raw, place=place), place=place)

    def index(self, kind: str, canonical: str) -> str:
        """Keyed hash (64 hex characters) of a canonical value; kinds never meet each other."""
        return hmac.digest(self._index, f"{kind}\x1f{canonical}".encode(), "sha256").hex()

    def seal(self, content: bytes) -> str:
        """Keyed hash by which the audit chain shows that it was not rewritten from the database alone."""
        return hmac.digest(self._seal, content, "sha256").hex()


def _derive(master: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose).derive(master)


def parse_keys(lines: Iterable[str]) -> dict[int, bytes]:
    """Keys from `ID:BASE64` lines (a bare BASE64 line has id 1); blank lines and # remarks are skipped."""
    keys: dict[int, bytes] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, _, encoded = text.rpartition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
            key_id = int(name or 1)
        except (binascii.Error, ValueError):
            raise SecretsError(f"Line {number} of the field keys is not ID:BASE64.") from None
        if key_id in keys:
            raise SecretsError(f"Field key {key_id} stands there twice.")
        keys[key_id] = key
    return keys


def new_key_line(key_id: int = 1) -> str:
    """A fresh random key as a line of the key file."""
    return f"{key_id}:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"


def load_keyring(home: Path, environ: Mapping[str, str] | None = None) -> Keyring:
    """The keyring of an installation: from BIHUAN_FIELD_KEY (lines or commas), else from the key file
    under `home`, which is made when there is none."""
    given = (os.environ if environ is None else environ).get(_ENVIRONMENT)
    if given:
        return Keyring(parse_keys(given.replace(",", "\n").splitlines()))
    path = home / "secrets" / "field.key"
    if not path.exists():
        _make_key_file(path)
    if path.stat().st_mode & 0o077:
        raise SecretsError(f"{path} can be read by others; run: chmod 600 {path}")
    return Keyring(parse_keys(path.read_text().splitlines()))


def _make_key_file(path: Path) -> None:
    """Write a new key so that of two processes starting at once both end with the same one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(new_key_line() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


_loaded: Keyring | None = None
_lock = threading.Lock()


def keyring() -> Keyring:
    """The keyring of this process, loaded once from the settings' BIHUAN_HOME."""
    global _loaded
    if _loaded is None:
        with _lock:
            if _loaded is None:
                _loaded = load_keyring(Path(settings.BIHUAN_HOME))
    return _loaded


def forget_keyring() -> None:
    """Load the keys anew at the next use (after a rotation; in tests)."""
    global _loaded
    _loaded = None
