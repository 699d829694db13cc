"""The hours in question: of each case, from when to when she could have infected others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.visits.batch import DAY_MINUTES


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which a case could infect others: `person` by small number, minutes as in the store."""

    person: int
    since: int
    until: int


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Very many windows as columns."""

    person: NDArray[np.uint32]
    since: NDArray[np.int64]
    until: NDArray[np.int64]

    @property
    def size(self) -> int:
        return int(self.person.size)

    @classmethod
    def of(cls, windows: AnyWindows) -> Windows:
        if isinstance(windows, Windows):
            return windows
        return cls(
            np.array([w.person for w in windows], np.uint32),
            np.array([w.since for w in windows], np.int64),
            np.array([w.until for w in windows], np.int64),
        )

    def take(self, rows: slice) -> Windows:
        return Windows(self.person[rows], self.since[rows], self.until[rows])


AnyWindows = Sequence[Window] | Windows


def checked(windows: AnyWindows, margin: int) -> Windows:
    """As columns; InputError for a window or a margin that cannot be."""
    found = Windows.of(windows)
    if not 0 <= margin <= DAY_MINUTES:
        raise InputError(
            f"a margin of {margin} minutes; it lies between 0 and {DAY_MINUTES}",
            f"时间余量 {margin} 分钟；应在 0 到 {DAY_MINUTES} 之间",
            field="margin",
        )
    if (found.until < found.since).any():
        raise InputError("a window ends before it begins", "有时间窗的结束早于开始", field="windows")
    return found
