"""Small batches from many writers at once: durable in a spool folder first, then merged by whoever can.

The store has one writer. So each small batch is written to `spool/` beside the days (flushed and renamed:
from then on it is kept), and whoever gets the store's lock merges all that waits as one batch: the sender
itself, another sender, the worker, a long reading of files between two of its parts. A batch is deleted from
the spool after the store kept it; if the merger dies in between, the next one merges it again and its event
ids make every row a duplicate. A spool file holds keyed numbers, never an identity.
"""

from __future__ import annotations

import io
import json
import os
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.tables.called import called
from bihuan.epi.visits.batch import DAY_MINUTES, Batch
from bihuan.epi.visits.layout import UNFINISHED, StoreBusy, flush_folder, full_is_told, placed
from bihuan.epi.visits.store import Appended, VisitStore

FOLDER = "spool"
WAITING, SETTLED = ".batch", ".done"
#: How long what became of a batch is kept for a sender that has not asked yet, and an unfinished file for
#: a sender that may still be writing it, seconds.
KEPT_SECONDS = 600.0
_MAGIC = b"BHSPOOL1"
_PAUSE = 0.01
#: What is merged at once, bytes; the rest comes right after.
_AT_ONCE = 1 << 26
_KINDS: dict[str, Any] = {
    "event": np.uint64, "person_key": np.uint64, "place": np.int32, "start": np.int64, "end": np.int64,
    "temperature": np.float64, "how": np.uint8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a batch: added + duplicate + refused = its events."""

    added: int
    duplicate: int
    refused: int


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did. `aside`: spool files that were damaged and are set aside."""

    batches: int
    events: int
    added: int
    aside: tuple[str, ...] = ()


class Spool:
    """The spool of a store, by its folder. Safe from any number of threads and processes."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.folder = store / FOLDER
        self._lock = threading.Lock()  # one thread of this process merges
        self._writer: VisitStore | None = None

    def put(self, batch: Batch) -> str:
        """Keep a batch, durable when this returns; its name, for `settle`."""
        if not self.folder.exists():
            self.folder.mkdir(exist_ok=True, mode=0o700)
            flush_folder(self.store)
        name = f"{time.time_ns():020d}-{os.urandom(6).hex()}"
        with full_is_told(self.store), placed(self.folder / f"{name}{WAITING}") as path:
            path.write_bytes(_written(batch))
        return name

    def settle(self, name: str, *, seconds: float) -> Settled | None:
        """What became of a batch; merges what waits if it can, else waits for who does. None when neither
        ended in time: the batch is kept and will be merged."""
        until = time.monotonic() + seconds
        while True:
            self.merge()
            found = self._settled(name)
            if found is not None or time.monotonic() >= until:
                return found
            time.sleep(_PAUSE)

    def merge(self, store: VisitStore | None = None) -> Merged | None:
        """Merge all that waits into the store. None when somebody else is writing to it. `store`: of a caller
        that writes already."""
        if not self.names():
            return Merged(0, 0, 0)
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if self._writer is None:
                self._writer = VisitStore(self.store)  # its own: another thread may read by another
            with (store or self._writer).writer():
                return self._merge(store or self._writer)
        except StoreBusy:
            return None
        finally:
            self._lock.release()

    def names(self) -> list[str]:
        """Batches that wait, the oldest first."""
        try:
            found = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(WAITING) for name in found if name.endswith(WAITING))

    def waiting(self) -> int:
        """Bytes that wait."""
        return sum(_size(self.folder / f"{name}{WAITING}") for name in self.names())

    def _merge(self, store: VisitStore) -> Merged:
        names: list[str] = []
        batches: list[Batch] = []
        aside: list[str] = []
        size = 0
        for name in self.names():
            path = self.folder / f"{name}{WAITING}"
            if (size := size + _size(path)) > _AT_ONCE and names:
                break
            try:
                batches.append(_read(path.read_bytes()))
                names.append(name)
            except ValueError:
                aside.append(self._put_aside(path))
        whole = joined(batches)
        said = store.append(whole) if whole.size else None
        if said is not None:
            self._tell(names, batches, said, store.forgotten)
        for name in names:
            (self.folder / f"{name}{WAITING}").unlink(missing_ok=True)
        flush_folder(self.folder)
        self._sweep()
        return Merged(len(names), whole.size, said.added if said else 0, tuple(aside))

    def _tell(self, names: Sequence[str], batches: Sequence[Batch], said: Appended, forgotten: int) -> None:
        begin = 0
        for name, batch in zip(names, batches, strict=True):
            end = begin + batch.size
            added = int(np.searchsorted(said.taken, end) - np.searchsorted(said.taken, begin))
            refused = int((batch.start < forgotten * DAY_MINUTES).sum())
            told = Settled(added, batch.size - added - refused, refused)
            with placed(self.folder / f"{name}{SETTLED}", durable=False) as path:
                path.write_text(json.dumps(asdict(told)))
            begin = end

    def _settled(self, name: str) -> Settled | None:
        path = self.folder / f"{name}{SETTLED}"
        try:
            found = Settled(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        path.unlink(missing_ok=True)
        return found

    def _put_aside(self, path: Path) -> str:
        target = self.store / "set-aside" / FOLDER
        target.mkdir(parents=True, exist_ok=True)
        path.replace(target / path.name)
        flush_folder(target)
        return str(Path("set-aside") / FOLDER / path.name)

    def _sweep(self) -> None:
        """Remove answers nobody asked for and what senders that died left unfinished."""
        over = time.time() - KEPT_SECONDS
        for path in self.folder.iterdir():
            if path.name.endswith((SETTLED, UNFINISHED)):
                try:
                    if path.stat().st_mtime < over:
                        path.unlink()
                except FileNotFoundError:
                    continue


def set_aside(store: Path) -> list[Path]:
    """Spool files that were damaged."""
    return sorted((store / "set-aside" / FOLDER).glob(f"*{WAITING}"))


@contextmanager
def in_memory(data: bytes, name: str = "body") -> Iterator[Path]:
    """A path under which `data` can be read as a file, without a copy on any disk; errors call it `name`."""
    number = os.memfd_create("visits", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(number), "wb") as file:
            file.write(data)
        yield called(Path(f"/proc/self/fd/{number}"), name)
    finally:
        os.close(number)


def joined(batches: Sequence[Batch]) -> Batch:
    """Batches as one, in their order."""
    names = list(dict.fromkeys(str(n) for b in batches for n in _names(b)))
    numbers = {name: i for i, name in enumerate(names)}
    places = [_numbers(b, numbers)[b.place.astype(np.int64)] for b in batches]
    columns = {
        name: np.concatenate([getattr(b, name) for b in batches]) if batches else np.empty(0, kind)
        for name, kind in _KINDS.items()
        if name != "place"
    }
    place = np.concatenate(places) if places else np.empty(0, np.int32)
    return Batch(**columns, place=place, place_names=np.array([*names, ""], dtype=object)[:-1])


def _numbers(batch: Batch, numbers: dict[str, int]) -> NDArray[np.int32]:
    return np.array([numbers[str(n)] for n in _names(batch)], np.int32)


def _names(batch: Batch) -> NDArray[np.object_]:
    assert batch.place_names is not None
    return batch.place_names


def _written(batch: Batch) -> bytes:
    """A batch as bytes that tell whether they are whole: mark, checksum, sizes, names of places, columns."""
    assert batch.place_names is not None
    names = "".join(f"{' '.join(str(n).splitlines())}\n" for n in batch.place_names).encode()
    out = io.BytesIO()
    out.write(np.array([batch.size, len(names)], "<u8").tobytes())
    out.write(names)
    for name, kind in _KINDS.items():
        values = getattr(batch, name)
        if values is None:
            values = np.full(batch.size, np.nan if kind is np.float64 else 0, kind)
        out.write(np.ascontiguousarray(values.astype(np.dtype(kind).newbyteorder("<"))).tobytes())
    body = out.getvalue()
    return _MAGIC + zlib.crc32(body).to_bytes(4, "little") + body


def _read(raw: bytes) -> Batch:
    """The batch in `raw`. Raises ValueError if it is not whole."""
    head = len(_MAGIC) + 4
    body = raw[head:]
    if raw[: len(_MAGIC)] != _MAGIC or zlib.crc32(body).to_bytes(4, "little") != raw[len(_MAGIC) : head]:
        raise ValueError("damaged")
    size, length = (int(n) for n in np.frombuffer(body, "<u8", 2))
    names = body[16 : 16 + length].decode().split("\n")[:-1]
    at, columns = 16 + length, {}
    for name, kind in _KINDS.items():
        told = np.dtype(kind).newbyteorder("<")
        columns[name] = np.frombuffer(body, told, size, at).astype(kind)
        at += size * told.itemsize
    return Batch(**columns, place_names=np.array([*names, ""], dtype=object)[:-1])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
