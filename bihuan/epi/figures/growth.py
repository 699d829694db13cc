"""Counts that grow or decline, on a log scale, with the fitted line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bihuan.epi.figures.canvas import BAR, LINE, Picture, canvas, drawable, dress, finish, save, words

if TYPE_CHECKING:
    from bihuan.epi.reproduction.growth import Growth


def plot_growth(
    growth: Growth, *, series: int = 0, lang: str = "en", path: str | Path | None = None
) -> Picture:
    """Counts as points, the fitted line with the interval of its slope; no line where not assessed."""
    say, panel = words(lang), growth.panel
    figure, axes = canvas()
    counts = panel.counts[series]
    with dress():
        axes.plot(panel.dates, np.where(counts > 0, counts, np.nan), "o", color=BAR, label=say("cases", "病例"))
        if np.isfinite(growth.rate[series]):
            low, middle, high = growth.lines(series)
            axes.plot(panel.dates, middle, color=LINE, label=say("fitted", "拟合"))
            axes.fill_between(panel.dates, low, high, color=LINE, alpha=0.18, lw=0)
        axes.set_yscale("log")
        axes.set_title(growth.explain(lang, series=series), loc="left", fontsize=8, wrap=True)
        finish(figure, axes, drawable(panel.names[series], f"series {series + 1}"), "", say("cases", "病例"))
    return save(figure, path)
