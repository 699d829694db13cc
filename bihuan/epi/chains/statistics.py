"""`describe`: the numbers beside a picture of chains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bihuan.epi.chains.graph import NO_DAY, ODDS, ChainGraph
from bihuan.epi.chains.results import Odd
from bihuan.epi.delays.results import DelayDistribution
from bihuan.epi.errors import EpiError

if TYPE_CHECKING:
    from bihuan.epi.chains.offspring import Offspring

#: A distribution is fitted to so many pairs or more.
FIT_FROM = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class SerialInterval:
    """Onset to onset along the tree, in days. `fit` is None under FIT_FROM pairs or when not asked for."""

    n: int
    mean: float | None
    sd: float | None
    quantiles: dict[float, float]
    negative: int
    days: tuple[int, ...]
    fit: DelayDistribution | None = None


@dataclass(frozen=True, slots=True)
class Spreader:
    case: str
    infected: int


@dataclass(frozen=True, slots=True)
class ChainStatistics:
    """`chains` have two cases or more; `generations[g]` cases stand in generation g of them. `several` have
    more than one possible source. `counted`: cases of the offspring distribution, those old enough to have
    infected others."""

    cases: int
    links: int
    inferred: int
    chains: int
    largest: int
    alone: int
    undated: int
    several: int
    odd: dict[Odd, int]
    generations: tuple[int, ...]
    settings: dict[str, int]
    serial_interval: SerialInterval
    offspring: Offspring | None
    counted: int
    spreaders: tuple[Spreader, ...]
    by_offspring: dict[int, int]

    def rows(self) -> Iterator[dict[str, Any]]:
        """(measure, value) of everything, for files."""
        for name in ("cases", "links", "inferred", "chains", "largest", "alone", "undated", "several"):
            yield {"measure": name, "value": getattr(self, name)}
        for odd, n in self.odd.items():
            yield {"measure": f"links: {odd.value}", "value": n}
        for number, n in enumerate(self.generations):
            yield {"measure": f"generation {number}", "value": n}
        interval = self.serial_interval
        for name in ("n", "mean", "sd", "negative"):
            yield {"measure": f"serial interval {name}", "value": getattr(interval, name)}
        for q, value in interval.quantiles.items():
            yield {"measure": f"serial interval q{q:g}", "value": value}
        if self.offspring is not None:
            for name, value in self.offspring.rows()[0].items():
                yield {"measure": f"offspring {name}", "value": value}
        for number, n in self.by_offspring.items():
            yield {"measure": f"cases that infected {number}", "value": n}

    def explain(self, lang: str = "en") -> list[str]:
        """A sentence a measure."""
        from bihuan.epi.chains.sentences import explain_statistics

        return explain_statistics(self, lang)


def describe(graph: ChainGraph, *, fit: bool = True, unripe_days: int = 0) -> ChainStatistics:
    """Statistics of a graph. `unripe_days`: cases of the last so many days are not asked how many they
    infected, since those are still to come."""
    linked, tree = graph.linked, graph.parent >= 0
    sizes = np.bincount(graph.component[linked]) if linked.any() else np.empty(0, np.int64)
    good = graph.usable & graph.declared
    sources = np.bincount(graph.target[good], minlength=graph.n)
    ripe = graph.day <= graph.day.max() - unripe_days if graph.n else linked
    counts = graph.offspring[ripe]
    odd = Counter(ODDS[i] for i in graph.odd if i)
    in_chain = graph.generation[linked]
    offspring = _offspring(counts)
    return ChainStatistics(
        cases=graph.n,
        links=int(graph.source.size),
        inferred=int((~graph.declared).sum()),
        chains=int((sizes > 1).sum()),
        largest=int(sizes.max(initial=0)),
        alone=int((~linked).sum()),
        undated=int((graph.onset == NO_DAY).sum()),
        several=int((sources > 1).sum()),
        odd={one: odd[one] for one in ODDS[1:] if odd[one]},
        generations=tuple(int(n) for n in np.bincount(in_chain)) if in_chain.size else (),
        settings=dict(Counter(graph.setting[i] for i in np.flatnonzero(tree)).most_common()),
        serial_interval=_serial_interval(graph, fit=fit),
        offspring=offspring,
        counted=int(ripe.sum()),
        spreaders=_spreaders(graph, offspring),
        by_offspring={int(v): int(n) for v, n in zip(*np.unique(counts, return_counts=True), strict=True)},
    )


def _offspring(counts: Any) -> Offspring | None:
    from bihuan.epi.chains.offspring import offspring_distribution  # with it all of SciPy: a second

    try:
        return offspring_distribution(counts)
    except EpiError:
        return None


def _spreaders(graph: ChainGraph, found: Offspring | None) -> tuple[Spreader, ...]:
    if found is None:
        return ()
    counts = graph.offspring
    order = np.lexsort((np.arange(graph.n), -counts))
    many = order[: int((counts >= found.superspreader_from).sum())]
    return tuple(Spreader(graph.ids[i], int(counts[i])) for i in many)


def _serial_interval(graph: ChainGraph, *, fit: bool) -> SerialInterval:
    links = graph.parent_link[graph.parent_link >= 0]
    gaps = graph.interval()[links] if links.size else np.empty(0, np.int64)
    known = gaps != NO_DAY
    days = gaps[known]
    if not days.size:
        return SerialInterval(0, None, None, {}, 0, ())
    found = None
    if fit and days.size >= FIT_FROM:
        pairs = links[known]
        found = _fitted(graph.onset[graph.source[pairs]], graph.onset[graph.target[pairs]])
    return SerialInterval(
        n=int(days.size),
        mean=float(days.mean()),
        sd=float(days.std(ddof=1)) if days.size > 1 else None,
        quantiles={q: float(np.quantile(days, q)) for q in QUANTILES},
        negative=int((days < 0).sum()),
        days=tuple(int(d) for d in days),
        fit=found,
    )


def _fitted(first: Any, second: Any) -> DelayDistribution | None:
    from bihuan.epi.delays.pairs import serial_interval

    low = min(int(first.min()), int(second.min()))
    try:
        return serial_interval((first - low).astype(float), (second - low).astype(float))
    except EpiError:
        return None
