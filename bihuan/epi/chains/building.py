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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.chains.dates import day_number
from bihuan.epi.chains.graph import (
    BACKWARD,
    CIRCLE,
    IMPOSSIBLE,
    NO_DATE,
    NO_DAY,
    CaseFact,
    ChainGraph,
    Ints,
    Plausible,
    Tie,
    children_of,
)
from bihuan.epi.errors import InputError


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
    links = _Links(
        len(listed),
        np.array([at[tie.infector] for tie in kept], np.int64),
        np.array([at[tie.infectee] for tie in kept], np.int64),
        np.array([tie.declared for tie in kept], np.bool_),
    )
    odd = _odd(links, onset, _days(listed, "infected_from"), plausible or Plausible())
    support = _support(links, [tie.support for tie in kept], odd)
    parent_link = _parents(links, support, odd, onset)
    parent = np.where(parent_link >= 0, links.source[parent_link] if kept else -1, -1)
    generation, levels = _generations(parent)
    return ChainGraph(
        ids=tuple(at),
        onset=onset,
        day=_shown(day, parent, levels),
        territory=tuple(one.territory for one in listed),
        setting=_settings(listed, kept, parent_link),
        classification=tuple(one.classification for one in listed),
        source=links.source,
        target=links.target,
        support=support,
        declared=links.declared,
        kind=tuple(tie.kind for tie in kept),
        link_setting=tuple(tie.setting for tie in kept),
        link_source=tuple(tie.source for tie in kept),
        odd=odd,
        parent=parent,
        parent_link=parent_link,
        generation=generation,
        component=_components(links, odd),
        levels=levels,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Links:
    """Links among `n` cases, in columns."""

    n: int
    source: Ints
    target: Ints
    declared: NDArray[np.bool_]


def _ties(ties: Iterable[Tie], at: Mapping[str, int], *, elsewhere: bool) -> list[Tie]:
    found: dict[tuple[str, str], Tie] = {}
    for tie in ties:
        if tie.infector == tie.infectee:
            raise InputError(
                f"a link joins {tie.infector!r} with itself; take it out",
                f"有一条关联把 {tie.infector!r} 与其自身相连；请去掉该条",
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


def _possible(odd: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Links the tree may have."""
    return (odd != IMPOSSIBLE) & (odd != CIRCLE)


def _days(listed: Sequence[CaseFact], name: str) -> Ints:
    values = [getattr(one, name) for one in listed]
    days = np.full(len(values), NO_DAY, np.int64)
    for i, value in enumerate(values):
        if value is not None:
            # of a hundred thousand cases most days are plain numbers: they need no reading
            days[i] = value if type(value) is int else day_number(value, listed[i].id)
    return days


def _odd(links: _Links, onset: Ints, infected_from: Ints, rule: Plausible) -> NDArray[np.int8]:
    """What is odd about each link, by its number in ODDS."""
    source, target = links.source, links.target
    odd = np.zeros(source.size, np.int8)
    if not source.size:
        return odd
    a, b, first = onset[source], onset[target], infected_from[source]
    both = (a != NO_DAY) & (b != NO_DAY)
    odd[~both] = NO_DATE
    odd[both & (b < a)] = BACKWARD
    early = both & (b < np.where(both, a, 0) - rule.infectious_before + rule.shortest_incubation)
    known = (first != NO_DAY) & (b != NO_DAY)
    early |= known & (b < np.where(known, first, 0) + rule.shortest_incubation)
    odd[early] = IMPOSSIBLE
    # a circle of which one link is impossible is no circle once that link is out
    standing = links.declared & ~early
    odd[np.flatnonzero(standing)[_on_circle(source[standing], target[standing], links.n)]] = CIRCLE
    return odd


def _on_circle(source: Ints, target: Ints, n: int) -> NDArray[np.bool_]:
    """Links both ends of which can be reached from one another."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(source.size, np.int8), (source, target)), shape=(n, n)).tocsr()
    _, label = connected_components(graph, directed=True, connection="strong")
    return np.asarray(label[source] == label[target])


def _components(links: _Links, odd: NDArray[np.int8]) -> Ints:
    """The number of the chain each case belongs to: 0 is the largest, then by the order of cases."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = links.n
    if not n:
        return np.empty(0, np.int64)
    good = _possible(odd)
    ends = links.source[good], links.target[good]
    graph = coo_array((np.ones(int(good.sum()), np.int8), ends), shape=(n, n))
    number, label = connected_components(graph.tocsr(), directed=False)
    sizes = np.bincount(label, minlength=number)
    first = np.full(number, n, np.int64)
    np.minimum.at(first, label, np.arange(n))
    rank = np.empty(number, np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(number)
    return rank[label]


def _support(links: _Links, given: Sequence[float | None], odd: NDArray[np.int8]) -> NDArray[np.float64]:
    """As given; else shared equally among the declared sources of a case that are possible."""
    support = np.array([np.nan if value is None else value for value in given], np.float64)
    if ((support < 0) | (support > 1)).any():
        raise InputError(
            "a support lies between 0 and 1", "支持度应在 0 与 1 之间", field="links"
        )  # fmt: skip
    good, target = links.declared & _possible(odd), links.target
    named = np.bincount(target[good], minlength=links.n)
    shared = 1.0 / np.maximum(named[target], 1) if target.size else support
    return np.where(np.isnan(support), np.where(good, shared, 0.0), support)


def _parents(links: _Links, support: NDArray[np.float64], odd: NDArray[np.int8], onset: Ints) -> Ints:
    """The link to the infector of each case in the tree, or -1."""
    source, target, declared = links.source, links.target, links.declared
    chosen = np.full(links.n, -1, np.int64)
    if not source.size:
        return chosen
    gap = np.where(odd == NO_DATE, 10**6, np.abs(onset[target] - onset[source]))
    gap = np.where(odd == BACKWARD, gap + 10**3, gap)
    order = np.lexsort((np.arange(source.size), gap, -support, ~declared))
    order = order[_possible(odd[order])]
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
