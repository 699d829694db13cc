"""The manifest of a visit store: which segments are there, and what became of what was added or deleted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import deletions
from bihuan.epi.visits.layout import read_json, write_json


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a day as the manifest names it: `files` are name to [bytes, CRC-32]."""

    seq: int
    day: int
    stays: int
    files: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: added + duplicate + refused = events. `turned`: ended before they began.
    `taken`: which rows of the batch were added, ascending."""

    events: int
    added: int
    duplicate: int
    refused: int
    turned: int
    taken: NDArray[np.intp] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Counts and bytes on disk; `set_aside` names damaged segments."""

    stays: int
    days: int
    segments: int
    people: int
    places: int
    truth_bytes: int
    index_bytes: int
    receipt_bytes: int
    set_aside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a deletion took: days and stays before a date, bytes of the truth, people no day names now."""

    before: str
    days: int
    stays: int
    bytes: int
    people: int


@dataclass(slots=True)
class Manifest:
    next_seq: int = 1
    segments: dict[int, Segment] = field(default_factory=dict)
    forgotten: int = 0  # days before this one were deleted and do not come back
    blanked: bool = True  # the people whom only deleted days named are gone too

    @classmethod
    def read(cls, path: Path) -> Manifest:
        raw = read_json(path)
        segments = {s["seq"]: Segment(**s) for s in raw["segments"]}
        found = cls(raw["next_seq"], segments, raw.get("forgotten", 0), raw.get("blanked", True))
        found.leave_out(deletions.first_kept(path.parent))
        return found

    def leave_out(self, before: int) -> list[Segment]:
        """Take out what lies before a day (days since 1970); the next writer deletes its files. Which."""
        gone = [s for s in self.segments.values() if s.day < before]
        if before > self.forgotten:
            self.forgotten, self.blanked = before, False
        for segment in gone:
            del self.segments[segment.seq]
        return gone

    def write(self, path: Path) -> None:
        rows = [
            {"seq": s.seq, "day": s.day, "stays": s.stays, "files": s.files}
            for _seq, s in sorted(self.segments.items())
        ]
        about = {"next_seq": self.next_seq, "forgotten": self.forgotten, "blanked": self.blanked}
        write_json(path, about | {"segments": rows})


def name_of(day: int) -> str:
    return f"day-{np.datetime64(day, 'D')}"


def day_of(folder: Path) -> int:
    """The day of a folder named by `name_of`."""
    return int(np.datetime64(folder.name.removeprefix("day-"), "D").astype(np.int64))


def identity(path: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced."""
    now = path.stat()
    return now.st_mtime_ns, now.st_ino, now.st_size
