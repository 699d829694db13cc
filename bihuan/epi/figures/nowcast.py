"""What was reported and what is still to come, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bihuan.epi.figures.canvas import (
    BAR,
    LINE,
    Picture,
    canvas,
    drawable,
    dress,
    finish,
    save,
    step,
    words,
)
from bihuan.epi.series import spoken

if TYPE_CHECKING:
    from bihuan.epi.nowcast.results import Nowcast

#: A point estimate of zero that says nothing (NowcastReason.NOTHING_YET): the interval alone is drawn.
NOTHING_YET = 2
PERIODS_BEFORE = 30  # drawn before the first period that is not complete


def plot_nowcast(
    found: Nowcast, *, series: int = 0, lang: str = "en", path: str | Path | None = None
) -> Picture:
    """Reported counts as bars, what is expected in the end as a line with its interval."""
    say, triangle = words(lang), found.triangle
    figure, (axes,) = canvas()
    with dress():
        first = max(0, int(found.at.min(initial=0)) - PERIODS_BEFORE)
        days = triangle.dates[first:]
        axes.bar(
            days,
            triangle.observed[series, first:],
            width=step(triangle.dates) * 0.85,
            color=BAR,
            label=say(f"reported by {found.now}", f"截至 {found.now} 已报告"),
        )
        axes.fill_between(
            found.dates, found.low[series], found.high[series], color=LINE, alpha=0.22, lw=0, step="mid"
        )
        estimate = np.where(found.reason[series] == NOTHING_YET, np.nan, found.estimate[series])
        label = say("expected in the end", "预计最终")
        axes.plot(found.dates, estimate, color=LINE, lw=1.6, label=label)
        top = np.nanmax(np.concatenate([estimate, triangle.observed[series, first:]]), initial=1.0)
        high = np.nanmax(found.high[series], initial=top)
        axes.set_ylim(top=1.1 * min(float(high), 2.0 * float(top)))
        name = drawable(spoken(found.names[series], lang), f"series {series + 1}")
        method = found.method
        title = f"{name} · {say(method.label_en, method.label_zh)}"
        finish(figure, axes, title, method.paper, say("cases", "病例"))
    return save(figure, path)
