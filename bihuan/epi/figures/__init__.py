"""Pictures of results, by Matplotlib on Agg: nothing opens a window, a notebook shows what is returned.

Every result's `.plot(lang=, path=)` comes here; `path` may end in one of SUFFIXES. Matplotlib takes half a
second to load: each name below is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bihuan.epi.figures.canvas import Picture
    from bihuan.epi.figures.delays import plot_delay
    from bihuan.epi.figures.detection import plot_detection
    from bihuan.epi.figures.nowcast import plot_nowcast
    from bihuan.epi.figures.reproduction import plot_rt
    from bihuan.epi.figures.scan import plot_scan

__all__ = [
    "SUFFIXES",
    "Picture",
    "plot_delay",
    "plot_detection",
    "plot_nowcast",
    "plot_rt",
    "plot_scan",
]

#: What a picture may be written as.
SUFFIXES = (".png", ".svg", ".pdf")

_HOMES = {
    "Picture": "canvas",
    "plot_delay": "delays",
    "plot_detection": "detection",
    "plot_nowcast": "nowcast",
    "plot_rt": "reproduction",
    "plot_scan": "scan",
}


def __getattr__(name: str) -> Any:
    """PEP 562: load a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
