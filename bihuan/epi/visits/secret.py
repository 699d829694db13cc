"""The secret key under which people become numbers. It lies apart from the store: whoever holds one of the
two knows nobody."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bihuan.epi.visits.layout import StoreError, flush_folder

BYTES = 32


def load_key(path: Path, *, make: bool = False) -> bytes:
    """The key in `path` (64 hexadecimal digits, mode 0600). With `make` it is made when there is none; of
    two processes that make it at once both end with the same one."""
    if make and not path.exists():
        _make(path)
    try:
        mode, text = path.stat().st_mode, path.read_text("ascii").strip()
        key = bytes.fromhex(text)
    except FileNotFoundError:
        raise StoreError(
            f"there is no key in {path}; restore it from a backup: without it nobody in the store is found",
            f"{path} 中没有密钥；请从备份恢复：没有它就无法在库中找到任何人",
            field="key",
        ) from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} is no key: {error}", f"{path} 不是密钥：{error}", field="key") from None
    if mode & 0o077:
        raise StoreError(
            f"{path} can be read by others; run: chmod 600 {path}",
            f"{path} 可被他人读取；请运行：chmod 600 {path}",
            field="key",
        )
    if len(key) != BYTES:
        raise StoreError(f"{path} is no key of {BYTES} bytes", f"{path} 不是 {BYTES} 字节的密钥", field="key")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(os.urandom(BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)
        flush_folder(path.parent)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def fingerprint(key: bytes) -> str:
    """What a store remembers of its key, to refuse another one; it tells nothing about the key."""
    return hashlib.blake2b(b"store", digest_size=8, key=key, person=b"fingerprint").hexdigest()


def event_number(text: str, key: bytes) -> int:
    """The number of an event that came without an id, from what makes it one; never 0. `key`: `event_key`."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=key).digest(), "little") or 1


def event_key(key: bytes) -> bytes:
    """The key of event ids, of 16 bytes: an id may hold an identity."""
    return hashlib.blake2b(b"event", digest_size=16, key=key, person=b"derived").digest()
