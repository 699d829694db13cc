"""Fitted delays, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bihuan.epi.delays.sentences import FAMILY_EN, FAMILY_ZH
from bihuan.epi.figures.canvas import INK, LINE, Picture, canvas, dress, finish, save, words

if TYPE_CHECKING:
    from bihuan.epi.delays.results import DelayDistribution

FAINT = "#9a9a9a"


def plot_delay(found: DelayDistribution, *, lang: str = "en", path: str | Path | None = None) -> Picture:
    """The distribution function of each family, the best in color with its median."""
    say, best = words(lang), found.best
    figure, (axes,) = canvas()
    with dress():
        low = min(0.0, best.quantiles[min(best.quantiles)].value)
        days = np.linspace(low, max(best.quantiles[max(best.quantiles)].value * 1.25, low + 1), 400)
        for fit in reversed(found.fits):
            chosen = fit is best
            axes.plot(
                days,
                fit.cdf(days),
                color=LINE if chosen else FAINT,
                lw=2 if chosen else 1,
                label=f"{say(FAMILY_EN[fit.family], FAMILY_ZH[fit.family])} (AIC {fit.aic:.1f})",
                zorder=3 if chosen else 1,
            )
        median = best.quantiles.get(0.5)
        if median is not None:
            axes.axvline(median.value, color=INK, lw=0.8, ls=":")
            if median.low is not None and median.high is not None:
                axes.axvspan(median.low, median.high, color=LINE, alpha=0.12, lw=0)
        finish(
            figure,
            axes,
            say(found.what_en, found.what_zh),
            say(f"{found.n} records", f"{found.n} 条记录"),
            say("share of cases", "病例比例"),
            dated=False,
        )
        axes.set_ylim(0, 1)
        axes.set_xlabel(say("days", "天"))
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    return save(figure, path)
