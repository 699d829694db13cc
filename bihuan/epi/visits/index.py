"""The offset index of one segment: sorted columns in one file, mapped into memory. Derived, never the truth.

Stays are sorted by (place, start); for each place stands where its stays end. For each person stand the rows
of her stays. Short and long stays are two parts, so that the short ones need a look back of an hour only.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import kernels, ordering
from bihuan.epi.visits.batch import DAY_MINUTES, SHORT_MINUTES, Stays
from bihuan.epi.visits.layout import UNFINISHED

MAGIC = 0x4248_5649_5354_0002  # "BHVIST", version 2
#: Numbers: magic, day, then of each part: stays, places, people, bases; then the longest long stay.
_HEAD = 10
#: Rows of a part up to which 24 bits name one.
_SMALL = 1 << 24
#: Columns of a part in the order of the file, and whether there is one a stay, a place, a person or a base.
#: A type of two is narrow and wide: bytes are what limits a question asked of a cold index.
_LAYOUT = (
    ("places", "<u4", "places"),
    ("place_ends", "<u4", "places"),
    ("people", "<u4", "people"),
    ("people_bases", "<u4", "bases"),
    ("people_ends", ("<u2", "<u4"), "people"),
    ("person", "<u4", "stays"),
    ("rows", "<u2", "stays"),
    ("high_rows", ("<u1", "<u2"), "stays"),
    ("start", "<u2", "stays"),
    ("minutes", ("<u1", "<u2"), "stays"),
)


@dataclass(frozen=True, slots=True)
class _Part:
    """`bases` is 0 where people have so many stays that their rows end in whole numbers."""

    stays: int
    places: int
    people: int
    bases: int
    wide: bool

    @property
    def is_large(self) -> bool:
        return self.stays > _SMALL

    def kinds(self) -> list[tuple[str, str, int]]:
        """Name, type and length of each column."""
        widths = {"people_ends": not self.bases, "high_rows": self.is_large, "minutes": self.wide}
        return [
            (name, kind if isinstance(kind, str) else kind[widths[name]], getattr(self, of))
            for name, kind, of in _LAYOUT
        ]

    def columns(self, at: int) -> tuple[dict[str, tuple[int, str, int]], int]:
        """Where each column lies (offset, type, length), and where the part ends; aligned to 8 bytes."""
        found = {}
        for name, kind, length in self.kinds():
            found[name] = (at, kind, length)
            at += -(-length * int(kind[-1]) // 8) * 8
        return found, at


def made(path: Path, day: int, stays: Stays) -> Index:
    """Write the index of a day's stays (any order) and open it.

    Several processes may do so at once, and a writer may take the day away meanwhile: each writes a file of
    its own, which it keeps open, and what is at `path` is whole or not there. Where nothing can be written,
    the index lives as long as the object.
    """
    folder = path.parent if os.access(path.parent, os.W_OK) else None
    with tempfile.NamedTemporaryFile(
        dir=folder, prefix=f"{path.name}.", suffix=UNFINISHED, delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            _write(file, day, stays)
            file.flush()
            os.fsync(file.fileno())  # also after a power cut what stands at `path` is what was written
            found = Index(temporary, file.fileno())
            if folder is not None:
                with suppress(OSError):  # the day was merged or deleted
                    temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return found


def is_sound(path: Path) -> bool:
    """Whether every byte of an index file is as it was written."""
    try:
        Index(path)
        raw = path.read_bytes()
    except (OSError, ValueError):
        return False
    return zlib.crc32(raw[:-8]) == int.from_bytes(raw[-8:], "little")


def _write(file: IO[bytes], day: int, stays: Stays) -> None:
    long = stays.minutes > SHORT_MINUTES
    parts = [stays.take(~long), stays.take(long)] if long.any() else [stays, Stays.empty()]
    built = [_columns(part, day) for part in parts]
    head = np.zeros(_HEAD + 1, np.int64)
    head[0], head[1] = MAGIC, day
    sizes = [_sizes(part, wide=bool(i)) for i, part in enumerate(built)]
    for i, size in enumerate(sizes):
        head[2 + 4 * i : 6 + 4 * i] = size.stays, size.places, size.people, size.bases
    head[_HEAD] = int(parts[1].minutes.max()) if parts[1].size else 0
    crc = _put(file, head.astype("<i8").tobytes(), 0)
    for part, size in zip(built, sizes, strict=True):
        for name, kind, _length in size.kinds():
            raw = part[name].astype(kind).tobytes()
            crc = _put(file, raw + b"\0" * (-len(raw) % 8), crc)
    file.write(crc.to_bytes(8, "little"))


def _put(file: IO[bytes], raw: bytes, crc: int) -> int:
    file.write(raw)
    return zlib.crc32(raw, crc)


def _sizes(columns: dict[str, NDArray[Any]], *, wide: bool) -> _Part:
    n = columns["person"].size, columns["places"].size, columns["people"].size
    return _Part(*n, bases=columns["people_bases"].size, wide=wide)


def _columns(stays: Stays, day: int) -> dict[str, NDArray[Any]]:
    sorted_ = stays
    if not ordering.is_ordered(stays.place, stays.start, stays.person):
        sorted_ = stays.take(ordering.by_place(stays))
    places, place_ends = _ends(sorted_.place)
    rows = ordering.order_of(sorted_.person, np.arange(sorted_.size), sorted_.start).astype(np.uint32)
    people, people_ends = _ends(sorted_.person[rows])
    bases, ends = _based(people_ends)
    return {
        "places": places, "place_ends": place_ends, "people": people, "people_bases": bases,
        "people_ends": ends, "person": sorted_.person, "rows": rows & 0xFFFF, "high_rows": rows >> 16,
        "start": sorted_.start - day * DAY_MINUTES, "minutes": sorted_.minutes,
    }  # fmt: skip


def _based(ends: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Where people's rows end, above a base that some share; no bases where that is too much for 16 bits."""
    before = np.concatenate([np.zeros(1, np.uint32), ends[:-1]])[: ends.size]
    bases = before[:: kernels.PEOPLE_BLOCK]
    above = ends - np.repeat(bases, kernels.PEOPLE_BLOCK)[: ends.size]
    if ends.size and above.max() > 0xFFFF:
        return np.empty(0, np.uint32), ends
    return bases, above


def _ends(sorted_: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The distinct values of an ascending column, and where each ends."""
    if not sorted_.size:
        return np.empty(0, np.uint32), np.empty(0, np.uint32)
    last = np.flatnonzero(np.append(sorted_[1:] != sorted_[:-1], True))
    return sorted_[last], (last + 1).astype(np.uint32)


def _hints(place_ends: NDArray[np.uint32], stays: int) -> NDArray[np.uint32]:
    """The place each 2 ** HINT_BITS rows begin in, and the last one: between two lies the place of a row."""
    rows = np.arange(0, stays, 1 << kernels.HINT_BITS)
    found = np.searchsorted(place_ends, rows, side="right")
    return np.append(found, place_ends.size - 1).astype(np.uint32)


class Index:
    """An index file, mapped. `matrix` are its rows for the kernels; keep the object while they are used.
    `n_people` is above every small number of a person in it."""

    def __init__(self, path: Path, number: int | None = None) -> None:
        """Raises OSError or ValueError when the file is not there, cut off or of another version. `number`:
        of the file, when it is open."""
        if number is None:
            with path.open("rb") as file:
                self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        else:
            self.map = mmap.mmap(number, 0, access=mmap.ACCESS_READ)
        self.bytes = np.frombuffer(self.map, np.uint8)
        if self.bytes.size < 8 * (_HEAD + 1):
            raise ValueError(f"{path} is cut off")
        head = self.bytes[: 8 * (_HEAD + 1)].view("<i8")
        if int(head[0]) != MAGIC:
            raise ValueError(f"{path} is not an index of this version")
        self.day = int(head[1])
        at, rows, self.n_people = 8 * (_HEAD + 1), [], 0
        self.columns: list[dict[str, NDArray[Any]]] = []
        self._hints: list[NDArray[np.uint32]] = []
        for i in range(2):
            n_stays, n_places, n_people, n_bases = (int(n) for n in head[2 + 4 * i : 6 + 4 * i])
            part = _Part(n_stays, n_places, n_people, n_bases, wide=bool(i))
            places, at = part.columns(at)
            if at > self.bytes.size:
                raise ValueError(f"{path} is cut off")
            if not part.stays:
                continue
            columns = {
                name: self.bytes[o : o + n * int(kind[-1])].view(kind)
                for name, (o, kind, n) in places.items()
            }
            self.columns.append(columns)
            self.n_people = max(self.n_people, int(columns["people"][-1]) + 1)
            rows.append(self._row(columns, part, longest=int(head[_HEAD]) if i else SHORT_MINUTES))
        self.matrix = np.array(rows, np.int64).reshape(-1, kernels.N_COLUMNS)

    def _row(self, columns: dict[str, NDArray[Any]], part: _Part, *, longest: int) -> list[int]:
        row = [0] * kernels.N_COLUMNS
        for at, name in (
            (kernels.PLACES, "places"), (kernels.PLACE_ENDS, "place_ends"), (kernels.PERSON, "person"),
            (kernels.START, "start"), (kernels.MINUTES, "minutes"), (kernels.PEOPLE, "people"),
            (kernels.PEOPLE_ENDS, "people_ends"), (kernels.ROWS, "rows"), (kernels.HIGH_ROWS, "high_rows"),
        ):  # fmt: skip
            row[at] = int(columns[name].ctypes.data)
        row[kernels.N_PLACES], row[kernels.N_PEOPLE] = part.places, part.people
        row[kernels.WIDE], row[kernels.LONGEST] = int(part.wide), longest
        row[kernels.LARGE] = int(part.is_large)
        row[kernels.PEOPLE_BASES] = int(columns["people_bases"].ctypes.data) if part.bases else 0
        row[kernels.BASE] = self.day * DAY_MINUTES
        self._hints.append(_hints(columns["place_ends"], part.stays))
        row[kernels.PLACE_HINTS] = int(self._hints[-1].ctypes.data)
        return row
