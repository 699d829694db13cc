"""Places that drew several cases, at whatever times: a ward, a gym, a shop with an infected clerk.

Not together, so nothing is held against chance: `backward.common_places` is for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from bihuan.epi.visits import trace
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.risk import times
from bihuan.epi.visits.store import VisitStore
from bihuan.epi.visits.windows import AnyWindows, checked


@dataclass(frozen=True, slots=True)
class DrawnPlace:
    """`cases` (small numbers) who were at a place, on `days` days from minute `since` to `until`."""

    place: str
    cases: tuple[int, ...]
    days: int
    since: int
    until: int

    def row(self) -> dict[str, Any]:
        first, last = (text[:10] for text in times([self.since, self.until]))
        return {
            "place": self.place, "n_cases": len(self.cases), "cases": " ".join(str(c) for c in self.cases),
            "days": self.days, "first": first, "last": last,
        }  # fmt: skip

    def explain(self, lang: str = "en") -> str:
        first, last = (text[:10] for text in times([self.since, self.until]))
        n = len(self.cases)
        if lang.startswith("zh"):
            return (
                f"{self.place}：{first} 至 {last} 间 {self.days} 天有 {n} 例病例到过，未必同时。"
                "仅为线索，须经核实。"
            )
        return (
            f"{self.place}: {n} cases were there on {self.days} days from {first} to {last}, perhaps not "
            "together. A lead to verify."
        )


def drawn_places(store: VisitStore, windows: AnyWindows, *, at_least: int = 2) -> list[DrawnPlace]:
    """Places where `at_least` cases were within their windows, the most cases first, then the fewest days."""
    asked = checked(windows, 0)
    segments, keep = trace.segments_of(store, asked, 0)
    visits = trace.visits_of(segments, asked)
    del keep
    visits = visits[np.argsort(visits[:, 1], kind="stable")]
    begins = np.flatnonzero(np.diff(visits[:, 1], prepend=-1))
    found = []
    for a, b in pairwise([*begins.tolist(), visits.shape[0]]):
        some = visits[a:b]
        cases = np.unique(asked.person[some[:, 0]])
        if cases.size < at_least:
            continue
        days = np.unique(np.concatenate([some[:, 2] // DAY_MINUTES, some[:, 3] // DAY_MINUTES])).size
        found.append(
            DrawnPlace(
                store.places.ids[int(some[0, 1])], tuple(int(c) for c in cases), int(days),
                int(some[:, 2].min()), int(some[:, 3].max()),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (-len(one.cases), one.days, one.place))
