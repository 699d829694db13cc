"""`chains`: links between cases, put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np

from bihuan.epi.chains.dates import day_number
from bihuan.epi.chains.results import Chains, Link, Odd
from bihuan.epi.errors import InputError

Days = Mapping[str, date | int | None]


def chains(
    links: Iterable[tuple[Any, Any]],
    *,
    onsets: Days | None = None,
    infected_from: Days | None = None,
    cases: Iterable[Any] | None = None,
    directed: bool = True,
) -> Chains:
    """Components, degrees and pairwise intervals of (infector, infectee) links.

    `onsets` (case → date, or day number) give the intervals; `infected_from` the first day each can have been
    infected: an infectee who fell ill on or before that day of the infector makes the link impossible.
    `cases` lists those without a link too. With directed=False a link says only that two cases are connected:
    intervals are given without sign, and both ends count as out-degree.
    Raises InputError for a link of a case with itself, a link given twice, or a case that is not on the list.
    """
    pairs = _pairs(links)
    known = {str(case): day for case, day in (onsets or {}).items()}
    called = _called(pairs, known, cases)
    days = {case: day_number(day, case) for case, day in known.items() if day is not None}
    first = {case: day_number(day, case) for case, day in (infected_from or {}).items() if day is not None}
    components = _components(called, pairs)
    circular = _circular(pairs) if directed else set()
    made = tuple(_link(pair, days, first, circular, directed) for pair in pairs)
    out, into = dict.fromkeys(called, 0), dict.fromkeys(called, 0)
    for infector, infectee in pairs:
        out[infector] += 1
        (into if directed else out)[infectee] += 1
    return Chains(
        called,
        tuple(known.get(case) for case in called),
        made,
        components,
        tuple(out.values()),
        tuple(into.values()),
        directed,
    )


def _pairs(links: Iterable[tuple[Any, Any]]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for number, link in enumerate(links, start=1):
        try:
            infector, infectee = (str(end) for end in link)
        except (TypeError, ValueError):
            raise InputError(
                f"link {number} is not a pair (infector, infectee)",
                f"第 {number} 条关联不是（传染者，被传染者）",
                field="links",
            ) from None
        if infector == infectee:
            raise InputError(
                f"link {number} joins {infector!r} with itself",
                f"第 {number} 条关联把 {infector!r} 与其自身相连",
                field="links",
            )
        pairs.append((infector, infectee))
    twice = len(pairs) - len(set(pairs))
    if twice:
        pair = next(p for p in pairs if pairs.count(p) > 1)
        raise InputError(
            f"the link {pair[0]} → {pair[1]} is given twice",
            f"关联 {pair[0]} → {pair[1]} 重复",
            field="links",
        )
    return pairs


def _called(pairs: list[tuple[str, str]], onsets: Days, cases: Iterable[Any] | None) -> tuple[str, ...]:
    linked = list(dict.fromkeys(case for pair in pairs for case in pair))
    if cases is None:
        return tuple(dict.fromkeys([*(str(case) for case in onsets), *linked]))
    listed = tuple(dict.fromkeys(str(case) for case in cases))
    strange = [case for case in linked if case not in set(listed)]
    if strange:
        raise InputError(
            f"{strange[0]!r} is linked but not on the list of cases",
            f"{strange[0]!r} 有关联但不在病例名单中",
            field="cases",
        )
    return listed


def _components(cases: tuple[str, ...], pairs: list[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Cases that hang together, largest first, then in the order of the cases."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not cases:
        return ()
    at = {case: i for i, case in enumerate(cases)}
    rows, columns = ([at[pair[end]] for pair in pairs] for end in (0, 1))
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(cases), len(cases)))
    n, labels = connected_components(graph.tocsr(), directed=False)
    found: list[list[str]] = [[] for _ in range(n)]
    for case, label in zip(cases, labels, strict=True):
        found[label].append(case)
    return tuple(tuple(one) for one in sorted(found, key=lambda one: (-len(one), at[one[0]])))


def _circular(pairs: list[tuple[str, str]]) -> set[str]:
    """Cases on a circle of links: infector of an infector of … themselves."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = sorted({case for pair in pairs for case in pair})
    if not ends:
        return set()
    at = {case: i for i, case in enumerate(ends)}
    rows, columns = ([at[pair[end]] for pair in pairs] for end in (0, 1))
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(ends), len(ends)))
    _, labels = connected_components(graph.tocsr(), directed=True, connection="strong")
    sizes = np.bincount(labels)
    return {case for case in ends if sizes[labels[at[case]]] > 1}


def _link(
    pair: tuple[str, str], days: dict[str, int], first: dict[str, int], circular: set[str], directed: bool
) -> Link:
    infector, infectee = pair
    if infector in circular and infectee in circular:
        odd = Odd.CIRCLE
    elif infector not in days or infectee not in days:
        odd = Odd.NO_DATE
    elif directed and infector in first and days[infectee] <= first[infector]:
        odd = Odd.IMPOSSIBLE
    elif directed and days[infectee] < days[infector]:
        odd = Odd.BACKWARD
    else:
        odd = Odd.NONE
    if infector not in days or infectee not in days:
        return Link(infector, infectee, None, odd)
    interval = days[infectee] - days[infector]
    return Link(infector, infectee, interval if directed else abs(interval), odd)
