"""Reproduction numbers over time, under the counts they come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bihuan.epi.figures.canvas import (
    BAR,
    INK,
    LINE,
    Picture,
    Words,
    canvas,
    drawable,
    dress,
    finish,
    save,
    step,
    words,
)
from bihuan.epi.reproduction.results import RtReason
from bihuan.epi.series import spoken

if TYPE_CHECKING:
    from bihuan.epi.reproduction.results import RtEstimate

GRAY = "#b5b5b5"


def plot_rt(
    estimate: RtEstimate, *, series: int = 0, lang: str = "en", path: str | Path | None = None
) -> Picture:
    """Counts above, Rt below at the end of each window: the line is the median (else the mean), the band the
    widest interval there is; windows of too few cases are gray.
    """
    say, panel = words(lang), estimate.panel
    figure, (top, below) = canvas(rows=2, size=(9.0, 5.4), sharex=True, height_ratios=[2, 3])
    with dress():
        top.bar(panel.dates, panel.counts[series], width=step(panel.dates) * 0.85, color=BAR)
        top.set_ylabel(say("cases", "病例"))
        days, known = estimate.until_dates, np.asarray(estimate.assessed[series])
        middle, low, high = _bands(estimate, series)
        doubtful = ~known & np.isfinite(middle)
        for here, color, label in (
            (known, LINE, say("Rt", "Rt")),
            (doubtful, GRAY, _doubt(estimate.reason[series][doubtful], say)),
        ):
            if not here.any():
                continue
            shown = np.where(here, middle, np.nan)
            below.plot(days, shown, color=color, lw=1.6, marker="." if here.sum() < 3 else "", label=label)
            if low is not None and high is not None:
                below.fill_between(
                    days,
                    np.where(here, low, np.nan),
                    np.where(here, high, np.nan),
                    color=color,
                    alpha=0.22,
                    lw=0,
                )
        below.axhline(1.0, color=INK, lw=0.8, ls=":")
        limit = np.nanmax(np.where(known, _highest(middle, high), np.nan), initial=2.0)
        below.set_ylim(0.0, float(limit) * 1.1)
        name = drawable(spoken(panel.names[series], lang), f"series {series + 1}")
        method = estimate.method
        top.set_title(f"{name} · {say(method.label_en, method.label_zh)}", loc="left", color=INK)
        finish(figure, below, "", method.paper, "Rt")
    return save(figure, path)


def _doubt(reasons: np.ndarray, say: Words) -> str:
    """What is gray, and why."""
    if (reasons == RtReason.INCOMPLETE).any():
        return say("too few cases, or more to come", "病例过少或续发尚未全部出现")
    return say("too few cases", "病例过少")


def _highest(middle: np.ndarray, high: np.ndarray | None) -> np.ndarray:
    """The upper end of the band, or the line where there is no band."""
    return middle if high is None else np.fmax(middle, high)


def _bands(estimate: RtEstimate, series: int) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    p = np.asarray(estimate.probabilities)
    quantiles, mean = estimate.quantiles[series], estimate.mean[series]
    half = np.flatnonzero(np.isclose(p, 0.5))
    middle = quantiles[:, half[0]] if half.size else mean
    if p.size < 2:
        return middle, None, None
    return middle, quantiles[:, int(p.argmin())], quantiles[:, int(p.argmax())]
