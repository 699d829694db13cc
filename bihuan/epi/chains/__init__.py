"""Chains of transmission: links put together, infectors ranked with their support, pictures and statistics.

graph = chain_graph(cases, ties)      cases and links in columns: tree, generations, impossible dates
describe(graph)                       serial interval, offspring distribution, superspreading share
picture(graph, most=2000)             what is drawn: marks, lines, lanes; bundles when they are many
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bihuan.epi.chains.building import chain_graph
from bihuan.epi.chains.graph import CaseFact, ChainGraph, Plausible, Tie
from bihuan.epi.chains.infectors import likely_infectors
from bihuan.epi.chains.linking import chains
from bihuan.epi.chains.picture import Picture, picture
from bihuan.epi.chains.results import Candidate, CaseInfectors, Chains, Infectors, Link, Odd

if TYPE_CHECKING:
    from bihuan.epi.chains.offspring import Offspring, offspring_distribution, share_causing
    from bihuan.epi.chains.statistics import ChainStatistics, describe

__all__ = [
    "Candidate",
    "CaseFact",
    "CaseInfectors",
    "ChainGraph",
    "ChainStatistics",
    "Chains",
    "Infectors",
    "Link",
    "Odd",
    "Offspring",
    "Picture",
    "Plausible",
    "Tie",
    "chain_graph",
    "chains",
    "describe",
    "likely_infectors",
    "offspring_distribution",
    "picture",
    "share_causing",
]

#: What stands on SciPy's statistics is imported when asked for.
_LATER = {
    "ChainStatistics": "statistics",
    "describe": "statistics",
    "Offspring": "offspring",
    "offspring_distribution": "offspring",
    "share_causing": "offspring",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
