"""Visits as columns: what comes in, and what a day holds."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError

#: A stay longer than this is kept apart, so that a search need not look back further (issue 4, deliver 1).
SHORT_MINUTES = 60
DAY_MINUTES = 1440
#: Every stay is bounded: one nobody ended counts as over after a day.
LONGEST_MINUTES = DAY_MINUTES
#: Temperatures are kept in tenths of a degree above this, -128 for "not taken".
TEMPERATURE_ZERO = 36.0
NOT_TAKEN = -128


@dataclass(frozen=True, slots=True, eq=False)
class Stays:
    """Columns of visits; `start` in minutes since 1970-01-01 00:00 of the store's clock, `minutes` whole.

    `minutes` is 0 for a check-in whose end nobody recorded. `how` is how it was recorded (a small code).
    """

    person: NDArray[np.uint32]
    place: NDArray[np.uint32]
    start: NDArray[np.int32]
    minutes: NDArray[np.uint16]
    temperature: NDArray[np.int8]
    how: NDArray[np.uint8]

    @property
    def size(self) -> int:
        return int(self.person.size)

    @property
    def day(self) -> NDArray[np.int32]:
        """Days since 1970-01-01 on the store's clock."""
        return self.start // DAY_MINUTES

    def take(self, rows: NDArray[Any] | slice) -> Stays:
        return Stays(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def empty(cls) -> Stays:
        return cls(*(np.empty(0, kind) for kind in KINDS.values()))

    @classmethod
    def join(cls, parts: list[Stays]) -> Stays:
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


KINDS: dict[str, Any] = {
    "person": np.uint32,
    "place": np.uint32,
    "start": np.int32,
    "minutes": np.uint16,
    "temperature": np.int8,
    "how": np.uint8,
}


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Visits as a gate hands them over.

    `person_key`: keyed 64-bit number of a person (`keyed_number`), never an identity. `place`: text ids, or
    with `place_names` positions in that list of ids (no name twice).
    `event`: 64-bit number of the event id; the same one again is the same event. `start`, `end`: minutes
    since 1970-01-01 00:00 on the store's clock; `end` below `start` means it is not known.
    """

    event: NDArray[np.uint64]
    person_key: NDArray[np.uint64]
    place: NDArray[Any]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    temperature: NDArray[np.float64] | None = None
    how: NDArray[np.uint8] | None = None
    place_names: NDArray[np.object_] | None = None

    def __post_init__(self) -> None:
        columns = [f.name for f in fields(self) if f.name != "place_names"]
        sizes = {name: v.size for name in columns if (v := getattr(self, name)) is not None}
        if len(set(sizes.values())) > 1:
            raise InputError(
                f"the columns of a batch differ in length: {sizes}",
                f"一批记录的各列长度不同：{sizes}",
                field="batch",
            )

    @property
    def size(self) -> int:
        return int(self.event.size)

    def minutes(self) -> NDArray[np.uint16]:
        """Whole minutes stayed, 0 where no end is known, at most LONGEST_MINUTES."""
        stayed = np.where(self.end > self.start, self.end, self.start) - self.start
        return np.minimum(stayed, LONGEST_MINUTES).astype(np.uint16)

    def temperatures(self) -> NDArray[np.int8]:
        if self.temperature is None:
            return np.full(self.size, NOT_TAKEN, np.int8)
        tenths = np.round((self.temperature - TEMPERATURE_ZERO) * 10)
        known = np.isfinite(tenths)
        return np.where(known, np.clip(np.where(known, tenths, 0), -127, 127), NOT_TAKEN).astype(np.int8)
