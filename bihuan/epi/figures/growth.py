"""Counts that grow or decline, with the fitted curve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bihuan.epi.figures.canvas import BAR, LINE, Picture, Words, canvas, drawable, dress, finish, save, words
from bihuan.epi.reproduction.growth import PAPERS
from bihuan.epi.series import spoken

if TYPE_CHECKING:
    from bihuan.epi.reproduction.growth import Growth


def plot_growth(
    growth: Growth, *, series: int = 0, lang: str = "en", path: str | Path | None = None
) -> Picture:
    """Counts as points, the fitted curve with the interval of its rate; no curve where not assessed."""
    say, panel = words(lang), growth.panel
    figure, (axes,) = canvas()
    counts = panel.counts[series]
    with dress():
        axes.plot(panel.dates, counts, "o", color=BAR, label=say("cases", "病例"))
        if np.isfinite(growth.rate[series]):
            low, middle, high = growth.fitted(series)
            axes.plot(panel.dates, middle, color=LINE, label=say("fitted", "拟合"))
            axes.fill_between(panel.dates, low, high, color=LINE, alpha=0.18, lw=0)
        name = drawable(spoken(panel.names[series], lang), f"series {series + 1}")
        finish(
            figure,
            axes,
            f"{name} · {_rate(growth, series, say)}",
            PAPERS[growth.method][2],
            say("cases", "病例"),
        )
    return save(figure, path)


def _rate(growth: Growth, series: int, say: Words) -> str:
    rate = growth.rate[series]
    if not np.isfinite(rate):
        return say("not assessed", "未评估")
    return say(f"growth rate {rate:+.3f} a period", f"每期增长率 {rate:+.3f}")
