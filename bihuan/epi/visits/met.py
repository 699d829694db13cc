"""Who was met: one table, in one order, whichever engine found it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = ("person", "encounters", "minutes", "cases", "first", "last")


@dataclass(frozen=True, eq=False)
class Met:
    """Persons met, ranked by minutes together, encounters, cases, then number. One entry each column, of 4
    bytes: an answer of a million names is 24 MB.

    `person` small numbers; `encounters`; `minutes` together; `cases` met; `first`, `last`: minutes since 1970
    of the store's clock.
    """

    person: NDArray[np.int32]
    encounters: NDArray[np.int32]
    minutes: NDArray[np.int32]
    cases: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]

    @property
    def size(self) -> int:
        return int(self.person.size)

    @cached_property
    def table(self) -> NDArray[np.int32]:
        """All columns side by side."""
        return np.column_stack([getattr(self, name) for name in NAMES])

    def take(self, rows: NDArray[Any] | slice) -> Met:
        return Met(*(getattr(self, name)[rows] for name in NAMES))

    @classmethod
    def nobody(cls) -> Met:
        return cls(*(np.empty(0, np.int32) for _name in NAMES))

    @classmethod
    def ranked(cls, columns: Sequence[NDArray[Any]]) -> Met:
        """In the order above, from columns in the order of NAMES."""
        person, encounters, minutes, cases = columns[:4]
        order = np.lexsort((person, -cases, -encounters, -minutes))
        return cls(*(c[order].astype(np.int32) for c in columns))
