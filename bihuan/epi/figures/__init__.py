"""Pictures of results, by Matplotlib on Agg: nothing opens a window, a notebook shows what is returned.

Every result's `.plot(lang=, path=)` comes here; `path` may end in .png, .svg or .pdf.
"""

from bihuan.epi.figures.canvas import SUFFIXES, Picture
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
