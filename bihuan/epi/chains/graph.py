"""Cases and links as one graph, in columns; `building` puts it together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.chains.results import Odd

Ints = NDArray[np.int64]
#: A day nobody knows.
NO_DAY = int(np.iinfo(np.int64).min)
#: Of COVID-19 less than 0.1 % of transmission comes earlier before onset (He 2020, with its correction).
INFECTIOUS_BEFORE = 7
SHORTEST_INCUBATION = 1
#: The marks of links, by the number they have in `ChainGraph.odd`.
ODDS = (Odd.NONE, Odd.NO_DATE, Odd.BACKWARD, Odd.IMPOSSIBLE, Odd.CIRCLE)
NO_DATE, BACKWARD, IMPOSSIBLE, CIRCLE = 1, 2, 3, 4
#: From this support on an infector is drawn as a fact; below, as a guess.
SURE = 0.8


class CaseFact(NamedTuple):
    """One case. `onset` and `infected_from`: date, day number or None. `day`: where it stands when the onset
    is not known (report, confirmation)."""

    id: str
    onset: Any = None
    day: Any = None
    infected_from: Any = None
    territory: str = ""
    setting: str = ""
    classification: str = ""


class Tie(NamedTuple):
    """`infector` is said (`declared`) or inferred to have infected `infectee`. `support` None: shared equally
    among the declared sources of the infectee that are possible."""

    infector: str
    infectee: str
    support: float | None = None
    declared: bool = True
    kind: str = ""
    setting: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Plausible:
    """When an infector can infect: days before onset, and the shortest time from infection to onset."""

    infectious_before: int = INFECTIOUS_BEFORE
    shortest_incubation: int = SHORTEST_INCUBATION


@dataclass(frozen=True, slots=True, eq=False)
class ChainGraph:
    """Cases and links in columns. `parent` and `parent_link` are -1 at the start of a tree; `generation` is 0
    there. `odd` numbers ODDS; `usable` links are possible and on no circle; `levels` are cases by generation.
    """

    ids: tuple[str, ...]
    onset: Ints
    day: Ints
    territory: tuple[str, ...]
    setting: tuple[str, ...]
    classification: tuple[str, ...]
    source: Ints
    target: Ints
    support: NDArray[np.float64]
    declared: NDArray[np.bool_]
    kind: tuple[str, ...]
    link_setting: tuple[str, ...]
    link_source: tuple[str, ...]
    odd: NDArray[np.int8]
    parent: Ints
    parent_link: Ints
    generation: Ints
    component: Ints
    levels: tuple[Ints, ...] = field(repr=False)

    @property
    def n(self) -> int:
        return len(self.ids)

    @property
    def usable(self) -> NDArray[np.bool_]:
        return (self.odd != IMPOSSIBLE) & (self.odd != CIRCLE)

    @property
    def offspring(self) -> Ints:
        """How many each case infected, by the tree."""
        return np.bincount(self.parent[self.parent >= 0], minlength=self.n).astype(np.int64)

    @property
    def linked(self) -> NDArray[np.bool_]:
        """Whether a usable link touches each case."""
        found = np.zeros(self.n, np.bool_)
        found[self.source[self.usable]] = True
        found[self.target[self.usable]] = True
        return found

    def interval(self) -> Ints:
        """Onset to onset of each link; NO_DAY without both."""
        a, b = self.onset[self.source], self.onset[self.target]
        return np.where((a == NO_DAY) | (b == NO_DAY), NO_DAY, b - np.where(a == NO_DAY, 0, a))

    def subtree(self) -> Ints:
        """Cases in the tree below each case, itself included."""
        sizes = np.ones(self.n, np.int64)
        for level in reversed(self.levels[1:]):
            np.add.at(sizes, self.parent[level], sizes[level])
        return sizes

    def impossible(self) -> list[tuple[str, str, str]]:
        """(infector, infectee, what is odd) of every link kept out of the tree because of its dates."""
        wrong = np.flatnonzero(~self.usable)
        return [(self.ids[self.source[i]], self.ids[self.target[i]], ODDS[self.odd[i]].value) for i in wrong]


def children_of(parent: Ints) -> tuple[Ints, Ints]:
    """(starts, children): the children of i are children[starts[i]:starts[i + 1]]."""
    having = np.flatnonzero(parent >= 0)
    order = having[np.argsort(parent[having], kind="stable")]
    counts = np.bincount(parent[having], minlength=parent.size)
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64), order.astype(np.int64)
