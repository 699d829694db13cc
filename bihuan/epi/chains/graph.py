"""`chain_graph`: cases and links as one graph in columns: infectors chosen, generations, impossible dates.

Declared links say what investigators wrote; inferred ones (`likely_infectors`) come with a support below 1.
Of several sources a case may have, one is its `parent` in the tree: a declared one before an inferred one,
the more supported before the less, the nearer in time before the farther. The others stay in the graph.

A link is impossible when the infectee fell ill before the infector can have infected: before the first day
the infector can have been infected plus a day, or more than `infectious_before` days less the shortest
incubation before the infector's onset. Such links are kept, marked, and never part of the tree, as are
circles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.chains.dates import day_number
from bihuan.epi.chains.results import Odd
from bihuan.epi.errors import InputError

Ints = NDArray[np.int64]
#: A day nobody knows.
NO_DAY = int(np.iinfo(np.int64).min)
#: Of COVID-19 less than 0.1 % of transmission comes earlier before onset (He 2020, with its correction).
INFECTIOUS_BEFORE = 7
SHORTEST_INCUBATION = 1
#: The marks of links, by the number they have in `ChainGraph.odd`.
ODDS = (Odd.NONE, Odd.NO_DATE, Odd.BACKWARD, Odd.IMPOSSIBLE, Odd.CIRCLE)
_NO_DATE, _BACKWARD, _IMPOSSIBLE, _CIRCLE = 1, 2, 3, 4
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
        return (self.odd != _IMPOSSIBLE) & (self.odd != _CIRCLE)

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


def chain_graph(
    cases: Iterable[CaseFact],
    ties: Iterable[Tie],
    *,
    plausible: Plausible | None = None,
    elsewhere: bool = False,
) -> ChainGraph:
    """Put cases and links together. Raises InputError for a case listed twice, a link of a case with itself,
    and (unless `elsewhere`, which leaves such links out) a link of a case that is not listed.

    The same pair given twice counts once: the declared one, else the more supported.
    """
    listed = list(cases)
    at: dict[str, int] = {}
    for one in listed:
        if one.id in at:
            raise InputError(f"{one.id!r} is listed twice", f"病例 {one.id!r} 重复", field="cases")
        at[one.id] = len(at)
    kept = _ties(ties, at, elsewhere=elsewhere)
    onset = _days(listed, "onset")
    day = np.where(onset != NO_DAY, onset, _days(listed, "day"))
    source = np.array([at[tie.infector] for tie in kept], np.int64)
    target = np.array([at[tie.infectee] for tie in kept], np.int64)
    declared = np.array([tie.declared for tie in kept], np.bool_)
    rule = plausible or Plausible()
    odd = _odd(source, target, declared, onset, _days(listed, "infected_from"), len(listed), rule)
    support = _support([tie.support for tie in kept], target, declared, odd, len(listed))
    parent_link = _parents(source, target, support, declared, odd, onset, len(listed))
    parent = np.where(parent_link >= 0, source[parent_link] if len(kept) else -1, -1)
    generation, levels = _generations(parent)
    return ChainGraph(
        ids=tuple(at),
        onset=onset,
        day=_shown(day, parent, levels),
        territory=tuple(one.territory for one in listed),
        setting=_settings(listed, kept, parent_link),
        classification=tuple(one.classification for one in listed),
        source=source,
        target=target,
        support=support,
        declared=declared,
        kind=tuple(tie.kind for tie in kept),
        link_setting=tuple(tie.setting for tie in kept),
        link_source=tuple(tie.source for tie in kept),
        odd=odd,
        parent=parent,
        parent_link=parent_link,
        generation=generation,
        component=_components(source, target, odd, len(listed)),
        levels=levels,
    )


def _ties(ties: Iterable[Tie], at: Mapping[str, int], *, elsewhere: bool) -> list[Tie]:
    found: dict[tuple[str, str], Tie] = {}
    for tie in ties:
        if tie.infector == tie.infectee:
            raise InputError(
                f"a link joins {tie.infector!r} with itself",
                f"有一条关联把 {tie.infector!r} 与其自身相连",
                field="links",
            )
        strange = next((end for end in (tie.infector, tie.infectee) if end not in at), None)
        if strange is not None:
            if elsewhere:
                continue
            raise InputError(
                f"{strange!r} is linked but not on the list of cases",
                f"{strange!r} 有关联但不在病例名单中",
                field="links",
            )
        pair = (tie.infector, tie.infectee)
        known = found.get(pair)
        if known is None or (tie.declared, tie.support or 0.0) > (known.declared, known.support or 0.0):
            found[pair] = tie
    return list(found.values())


def _days(listed: Sequence[CaseFact], name: str) -> Ints:
    values = [getattr(one, name) for one in listed]
    days = np.full(len(values), NO_DAY, np.int64)
    for i, value in enumerate(values):
        if value is not None:
            # of a hundred thousand cases most days are plain numbers: they need no reading
            days[i] = value if type(value) is int else day_number(value, listed[i].id)
    return days


def _odd(
    source: Ints,
    target: Ints,
    declared: NDArray[np.bool_],
    onset: Ints,
    infected_from: Ints,
    n: int,
    rule: Plausible,
) -> NDArray[np.int8]:
    odd = np.zeros(source.size, np.int8)
    if not source.size:
        return odd
    a, b, first = onset[source], onset[target], infected_from[source]
    both = (a != NO_DAY) & (b != NO_DAY)
    odd[~both] = _NO_DATE
    odd[both & (b < a)] = _BACKWARD
    early = both & (b < np.where(both, a, 0) - rule.infectious_before + rule.shortest_incubation)
    known = (first != NO_DAY) & (b != NO_DAY)
    early |= known & (b < np.where(known, first, 0) + rule.shortest_incubation)
    odd[early] = _IMPOSSIBLE
    # a circle of which one link is impossible is no circle once that link is out
    standing = declared & ~early
    odd[np.flatnonzero(standing)[_on_circle(source[standing], target[standing], n)]] = _CIRCLE
    return odd


def _on_circle(source: Ints, target: Ints, n: int) -> NDArray[np.bool_]:
    """Links both ends of which can be reached from one another."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(source.size, np.int8), (source, target)), shape=(n, n)).tocsr()
    _, label = connected_components(graph, directed=True, connection="strong")
    return np.asarray(label[source] == label[target])


def _components(source: Ints, target: Ints, odd: NDArray[np.int8], n: int) -> Ints:
    """The number of the chain each case belongs to: 0 is the largest, then by the order of cases."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not n:
        return np.empty(0, np.int64)
    good = (odd != _IMPOSSIBLE) & (odd != _CIRCLE)
    graph = coo_array((np.ones(int(good.sum()), np.int8), (source[good], target[good])), shape=(n, n))
    number, label = connected_components(graph.tocsr(), directed=False)
    sizes = np.bincount(label, minlength=number)
    first = np.full(number, n, np.int64)
    np.minimum.at(first, label, np.arange(n))
    rank = np.empty(number, np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(number)
    return rank[label]


def _support(
    given: Sequence[float | None],
    target: Ints,
    declared: NDArray[np.bool_],
    odd: NDArray[np.int8],
    n: int,
) -> NDArray[np.float64]:
    support = np.array([np.nan if value is None else value for value in given], np.float64)
    if ((support < 0) | (support > 1)).any():
        raise InputError(
            "a support lies between 0 and 1", "支持度应在 0 与 1 之间", field="links"
        )  # fmt: skip
    good = declared & (odd != _IMPOSSIBLE) & (odd != _CIRCLE)
    named = np.bincount(target[good], minlength=n)
    shared = 1.0 / np.maximum(named[target], 1) if target.size else support
    return np.where(np.isnan(support), np.where(good, shared, 0.0), support)


def _parents(
    source: Ints,
    target: Ints,
    support: NDArray[np.float64],
    declared: NDArray[np.bool_],
    odd: NDArray[np.int8],
    onset: Ints,
    n: int,
) -> Ints:
    """The link to the infector of each case in the tree, or -1."""
    chosen = np.full(n, -1, np.int64)
    if not source.size:
        return chosen
    gap = np.where(odd == _NO_DATE, 10**6, np.abs(onset[target] - onset[source]))
    gap = np.where(odd == _BACKWARD, gap + 10**3, gap)
    order = np.lexsort((np.arange(source.size), gap, -support, ~declared))
    order = order[(odd[order] != _IMPOSSIBLE) & (odd[order] != _CIRCLE)]
    said = order[declared[order]]
    _, first = np.unique(target[said], return_index=True)
    chosen[target[said[first]]] = said[first]
    guessed = order[~declared[order]]
    for link in guessed[np.argsort(-support[guessed], kind="stable")]:
        if chosen[target[link]] < 0 and not _descends(int(source[link]), int(target[link]), chosen, source):
            chosen[target[link]] = link
    return chosen


def _descends(case: int, ancestor: int, chosen: Ints, source: Ints) -> bool:
    while case != ancestor:
        link = int(chosen[case])
        if link < 0:
            return False
        case = int(source[link])
    return True


def children_of(parent: Ints) -> tuple[Ints, Ints]:
    """(starts, children): the children of i are children[starts[i]:starts[i + 1]]."""
    having = np.flatnonzero(parent >= 0)
    order = having[np.argsort(parent[having], kind="stable")]
    counts = np.bincount(parent[having], minlength=parent.size)
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64), order.astype(np.int64)


def _generations(parent: Ints) -> tuple[Ints, tuple[Ints, ...]]:
    starts, children = children_of(parent)
    generation = np.zeros(parent.size, np.int64)
    level = np.flatnonzero(parent < 0)
    levels: list[Ints] = []
    while level.size:
        generation[level] = len(levels)
        levels.append(level.astype(np.int64))
        counts = starts[level + 1] - starts[level]
        skip = np.repeat(starts[level] - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
        level = children[np.arange(int(counts.sum())) + skip]
    return generation, tuple(levels)


def _shown(day: Ints, parent: Ints, levels: tuple[Ints, ...]) -> Ints:
    """Where each case stands in time: its day; else a day after its infector, or before whom it infected."""
    shown = day.copy()
    for level in reversed(levels[1:]):
        own = level[
            (shown[level] != NO_DAY) & (shown[parent[level]] == NO_DAY) & (day[parent[level]] == NO_DAY)
        ]
        first = np.full(day.size, np.iinfo(np.int64).max)
        np.minimum.at(first, parent[own], shown[own] - 1)
        found = np.flatnonzero(first != np.iinfo(np.int64).max)
        shown[found] = first[found]
    for level in levels[1:]:
        lost = level[shown[level] == NO_DAY]
        before = shown[parent[lost]]
        shown[lost] = np.where(before == NO_DAY, NO_DAY, before + 1)
    known = shown[shown != NO_DAY]
    return np.where(shown == NO_DAY, known.min() if known.size else 0, shown)


def _settings(listed: Sequence[CaseFact], kept: Sequence[Tie], parent_link: Ints) -> tuple[str, ...]:
    """Where each case was infected: as it says itself, else as the link to its infector says."""
    return tuple(
        one.setting or (kept[link].kind or kept[link].setting if link >= 0 else "")
        for one, link in zip(listed, parent_link, strict=True)
    )
