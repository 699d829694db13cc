"""Who may have infected whom by onsets alone, at once for thousands of cases.

Wallinga J, Teunis P (2004) Different epidemic curves for SARS. Am J Epidemiol 160:509: among those who fell
ill before, the chance of each is the probability of the interval between, relative to that of all.
`likely_infectors` says more (days of infection, contacts, sequences), and takes longer.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.chains.graph import NO_DAY, ChainGraph, Ints
from bihuan.epi.errors import InputError


def relative_support(
    graph: ChainGraph, serial_interval: ArrayLike, *, imported: Iterable[str] = ()
) -> list[tuple[str, str, float]]:
    """(infector, infectee, support) for every case with an onset, no link that says where it comes from, and
    not `imported`. `serial_interval[k]`: probability of k days. Nobody is asked about whom the case itself
    infected, at once or through others.
    """
    pmf = np.asarray(serial_interval, np.float64)
    if pmf.ndim != 1 or not pmf.size or (pmf < 0).any() or not np.isfinite(pmf).all() or pmf.sum() <= 0:
        raise InputError(
            "serial_interval must be probabilities of 0, 1, 2, … days",
            "serial_interval 应为 0、1、2……天的概率",
            field="serial_interval",
        )
    known = np.flatnonzero(graph.onset != NO_DAY)
    order = known[np.argsort(graph.onset[known], kind="stable")]
    days = graph.onset[order]
    elsewhere, first = set(imported), _first_of_tree(graph)
    found = []
    for i in order:
        if graph.parent[i] >= 0 or graph.ids[i] in elsewhere:
            continue
        begin = int(np.searchsorted(days, graph.onset[i] - pmf.size + 1))
        end = int(np.searchsorted(days, graph.onset[i]))  # those who fell ill on an earlier day
        asked = order[begin:end]
        asked = asked[first[asked] != i]
        weights = pmf[graph.onset[i] - graph.onset[asked]]
        total = float(weights.sum())
        if total > 0:
            found += [
                (graph.ids[j], graph.ids[i], float(weight / total))
                for j, weight in zip(asked, weights, strict=True)
                if weight > 0
            ]
    return found


def _first_of_tree(graph: ChainGraph) -> Ints:
    """The case each tree begins with, for every case of it."""
    first = np.arange(graph.n)
    for level in graph.levels[1:]:
        first[level] = first[graph.parent[level]]
    return first
