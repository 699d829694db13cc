"""Chains of transmission: links put together, infectors ranked with their support."""

from __future__ import annotations

from bihuan.epi.chains.infectors import likely_infectors
from bihuan.epi.chains.linking import chains
from bihuan.epi.chains.results import Candidate, CaseInfectors, Chains, Infectors, Link, Odd

__all__ = [
    "Candidate",
    "CaseInfectors",
    "Chains",
    "Infectors",
    "Link",
    "Odd",
    "chains",
    "likely_infectors",
]
