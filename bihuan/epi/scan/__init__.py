"""Scan statistics: where, and when, cases cluster more than chance would have them.

`scan` looks in space and time, `spatial_scan` in space alone. The kernel is compiled by Numba at first use,
and kept; `bihuan.epi.scan` itself is imported without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bihuan.epi.scan.results import Cluster, Outcome, Scan, Window
    from bihuan.epi.scan.scanning import scan, spatial_scan

__all__ = ["Cluster", "Outcome", "Scan", "Window", "scan", "spatial_scan"]

_HOMES = {"scan": "scanning", "spatial_scan": "scanning"}


def __getattr__(name: str) -> Any:
    """Numba takes a second to import; it waits until a scan is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"bihuan.epi.scan.{_HOMES.get(name, 'results')}"), name)
