"""Who was met: one table, in one order, whichever engine found it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import meeting

NAMES = ("person", "encounters", "minutes", "cases", "first", "last")
_BITS = 63


@dataclass(frozen=True, eq=False)
class Met:
    """Persons met, ranked by minutes together, encounters, cases, then number. One entry each column.

    `person` small numbers; `encounters`; `minutes` together; `cases` met; `first`, `last`: minutes since 1970
    of the store's clock.
    """

    person: NDArray[np.int64]
    encounters: NDArray[np.int64]
    minutes: NDArray[np.int64]
    cases: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @property
    def size(self) -> int:
        return int(self.person.size)

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """All columns side by side."""
        return np.column_stack([getattr(self, name) for name in NAMES])

    def take(self, rows: NDArray[Any] | slice) -> Met:
        return Met(*(getattr(self, name)[rows] for name in NAMES))

    @classmethod
    def nobody(cls) -> Met:
        return cls(*(np.empty(0, np.int64) for _name in NAMES))

    @classmethod
    def ranked(cls, columns: Sequence[NDArray[Any]]) -> Met:
        """In the order above, from columns in the order of NAMES."""
        person, encounters, minutes, cases = columns[:4]
        order = np.lexsort((person, -cases, -encounters, -minutes))
        return cls(*(c[order].astype(np.int64) for c in columns))

    @classmethod
    def of_records(cls, records: NDArray[Any], person: NDArray[Any], rows: NDArray[Any], *, zero: int) -> Met:
        """In the order above, from the rows of `records` that hold `person`, which ascends."""
        order, mask = _order(records, rows)
        return cls(*meeting.arranged(records, person, rows, order, mask, zero))


def _order(records: NDArray[Any], rows: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """The order of ranking in the bits of a mask. What ranks and where it stands are sorted as one number
    where they fit into it, by digits where not."""
    most = meeting.largest(records, rows)
    bits = tuple(int(m).bit_length() for m in most)
    room = int(rows.size).bit_length()
    if room + sum(bits) > _BITS:
        columns = [records[rows, c] for c in (meeting.TOGETHER, meeting.ENCOUNTERS, meeting.CASES)]
        return meeting.ranking(*columns).astype(np.int64), -1
    found = meeting.packed(records, rows, most, bits, room)
    found.sort()
    return found, (1 << room) - 1
