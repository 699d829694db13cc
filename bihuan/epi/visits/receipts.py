"""Event ids that were seen: so that what a gate sends twice is one visit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import kernels

#: Slots of event ids remembered between batches (8 bytes each); days not written to lately give way.
REMEMBERED = 1 << 26


class Receipts:
    """Event ids by day, as hash tables; what gave way is read again with `known`."""

    def __init__(self, known: Callable[[int], NDArray[np.uint64]]) -> None:
        self._known = known
        self._held: dict[int, NDArray[np.uint64]] = {}

    def first_time(self, day: int, events: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which events are new to their day; they count as seen from then on."""
        held = self._held.get(day)
        known = self._known(day) if held is None else None
        n = (0 if known is None else known.size) + (0 if held is None else int((held != 0).sum()))
        if held is None or (n + events.size) * 2 > held.size:
            everything = known if known is not None else held[held != 0]  # type: ignore[index]
            held = np.zeros(1 << max(10, int((n + events.size) * 4 - 1).bit_length()), np.uint64)
            kernels.first_seen(held, everything)
        self._held.pop(day, None)
        self._held[day] = held  # last in the order: written to last
        return np.asarray(kernels.first_seen(held, np.where(events == 0, np.uint64(1), events)))

    def give_way(self) -> None:
        """Keep what is remembered within bounds; it can be read again."""
        total = sum(held.size for held in self._held.values())
        for day in list(self._held)[:-1]:
            if total <= REMEMBERED:
                return
            total -= self._held.pop(day).size

    def drop(self, *, day: int | None = None, before: int | None = None) -> None:
        """Forget what is remembered: of a day, of the days before one, or all."""
        for each in list(self._held):
            if (day is None and before is None) or each == day or (before is not None and each < before):
                del self._held[each]
