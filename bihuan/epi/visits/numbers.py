"""Small numbers for people and places: appended to a log, number = position in it.

People are known by a keyed 64-bit number only. The log is the truth; the hash table beside it is derived,
mapped into memory, and made anew when it is missing or behind.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import kernels
from bihuan.epi.visits.layout import placed

#: The table is twice as large as what it holds, or larger: short probes.
_ROOM = 2
_FIRST_TABLE = 1 << 12
#: New people after which the table is written anew; fewer are looked up in the tail of the log.
_TAIL = 65_536
EMPTY = np.uint64(0)


def normal(identity: str) -> bytes:
    """An identity as it is hashed: without space around it, ASCII letters as capitals (…x and …X is one)."""
    return identity.encode().strip(bytes(range(33))).upper()


def keyed_number(key: bytes, identity: str) -> int:
    """64 bits that stand for a person under a secret key (BLAKE2b keyed, RFC 7693); never 0."""
    digest = hashlib.blake2b(normal(identity), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "little") or 1


def keyed_numbers(key: bytes, identities: list[str]) -> NDArray[np.uint64]:
    """`keyed_number` of many."""
    return np.array([keyed_number(key, text) for text in identities], np.uint64)


class People:
    """Keyed numbers to small numbers, for one writer and many readers."""

    def __init__(self, folder: Path) -> None:
        self.log, self.table_path = folder / "people.log", folder / "people.table"
        self.count = self.log.stat().st_size // 8 if self.log.exists() else 0
        self._keys: NDArray[np.uint64] | None = None
        self._table: tuple[NDArray[np.uint64], NDArray[np.uint32]] | None = None
        self._log_seen = _identity(self.log)

    def is_current(self) -> bool:
        """Whether the log is still the one this was read from, as long as it was then."""
        return _identity(self.log) == self._log_seen

    @property
    def keys(self) -> NDArray[np.uint64]:
        """All keyed numbers by small number."""
        if self._keys is None or self._keys.size != self.count:
            self._keys = (
                np.memmap(self.log, dtype="<u8", mode="r", shape=(self.count,))
                if self.count
                else np.empty(0, np.uint64)
            )
        return self._keys

    def known(self) -> int:
        """How many people there are: whose keyed numbers were blanked with their days are not among them."""
        return int(np.count_nonzero(self.keys))

    def find(self, wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Small numbers, -1 for who was never seen."""
        slots, values, held = self._mapped()
        found = kernels.look_up(slots, values, wanted)
        if held < self.count and (found < 0).any():
            tail = {int(k): held + i for i, k in enumerate(self.keys[held:])}
            for i in np.flatnonzero(found < 0):
                found[i] = tail.get(int(wanted[i]), -1)
        return found

    def number(self, wanted: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Small numbers, given to those never seen; the log is durable when this returns."""
        if self._table is None:
            self._table = kernels.table_of(np.asarray(self.keys), _size_for(self.count + wanted.size))
        slots, values = self._table
        if (self.count + wanted.size) * _ROOM > slots.size:
            slots, values = kernels.table_of(np.asarray(self.keys), _size_for(self.count + wanted.size))
            self._table = slots, values
        numbers, fresh = kernels.number_all(slots, values, wanted, self.count)
        if fresh.size:
            try:
                self._append(fresh)
            except BaseException:
                self._table = None  # it names people whom the log does not hold
                raise
        return numbers

    def _append(self, fresh: NDArray[np.uint64]) -> None:
        with self.log.open("r+b" if self.log.exists() else "w+b") as file:
            file.seek(self.count * 8)  # whatever a crash left half-written behind it is overwritten
            file.truncate()
            file.write(fresh.astype("<u8").tobytes())
            file.flush()
            os.fsync(file.fileno())
        self.count += int(fresh.size)
        self._log_seen = _identity(self.log)

    def keep_only(self, present: NDArray[np.bool_]) -> None:
        """Blank the keyed numbers of everybody else; small numbers are not given twice."""
        kept = np.where(present, np.asarray(self.keys), EMPTY)
        with placed(self.log) as path:
            path.write_bytes(kept.astype("<u8").data)
        self._keys = self._table = None
        self._log_seen = _identity(self.log)
        self.write_table()

    def _mapped(self) -> tuple[NDArray[np.uint64], NDArray[np.uint32], int]:
        """The table on disk, made anew when too far behind the log; and how many it holds."""
        if self._table is not None:
            return *self._table, self.count
        try:
            return self._open_table()
        except (OSError, ValueError):
            self.write_table()
            return self._open_table()

    def _open_table(self) -> tuple[NDArray[np.uint64], NDArray[np.uint32], int]:
        head = np.fromfile(self.table_path, dtype="<u8", count=2)
        if head.size != 2 or self.table_path.stat().st_size != 16 + int(head[0]) * 12:
            raise ValueError("table cut off")
        size, held = int(head[0]), int(head[1])
        if held > self.count or self.count - held > _TAIL:
            raise ValueError("table behind the log")
        raw: Any = np.memmap(self.table_path, dtype=np.uint8, mode="r", offset=16)
        return raw[: size * 8].view("<u8"), raw[size * 8 :].view("<u4"), held

    def write_table(self) -> None:
        """Write the derived table, as large as the log asks for."""
        slots, values = kernels.table_of(np.asarray(self.keys), _size_for(self.count))
        with placed(self.table_path, durable=False) as path, path.open("wb") as file:
            file.write(np.array([slots.size, self.count], dtype="<u8").tobytes())
            file.write(slots.tobytes())
            file.write(values.tobytes())


def _identity(log: Path) -> tuple[int, int]:
    """Which file a log is, and how long."""
    if not log.exists():
        return 0, 0
    about = log.stat()
    return about.st_ino, about.st_size


def _size_for(count: int) -> int:
    size = _FIRST_TABLE
    while size < count * _ROOM:
        size *= 2
    return size


class Places:
    """Place ids (text) to small numbers. A province has some hundred thousand: they fit into memory."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "places.log"
        self.ids: list[str] = []
        self._numbers: dict[str, int] = {}
        self._size = 0
        self._read()
        self._log_seen = _identity(self.log)

    def is_current(self) -> bool:
        """Whether the log is still the one this was read from, as long as it was then."""
        return _identity(self.log) == self._log_seen

    def _read(self) -> None:
        if self.log.exists():
            text = self.log.read_bytes()
            whole = text[: text.rfind(b"\n") + 1]  # a crash may have left half a line
            self.ids, self._size = whole.decode("utf-8").split("\n")[:-1], len(whole)
        self._numbers = {name: i for i, name in enumerate(self.ids)}

    def find(self, name: str) -> int:
        """Small number, -1 when the place was never seen."""
        return self._numbers.get(name, -1)

    def number(self, names: list[str]) -> NDArray[np.uint32]:
        """Small numbers, given to places never seen; the log is durable when this returns. A name is one
        line: line breaks in it become spaces."""
        names = [" ".join(name.splitlines()) for name in names]
        fresh = [name for name in dict.fromkeys(names) if name not in self._numbers]
        if fresh:
            self._append(fresh)
        return np.array([self._numbers[name] for name in names], dtype=np.uint32)

    def _append(self, fresh: list[str]) -> None:
        text = "".join(f"{name}\n" for name in fresh).encode()
        with self.log.open("r+b" if self.log.exists() else "w+b") as file:
            file.seek(self._size)
            file.truncate()
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(text)
        self._log_seen = _identity(self.log)
        for name in fresh:
            self._numbers[name] = len(self.ids)
            self.ids.append(name)
