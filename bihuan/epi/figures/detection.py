"""What a detector saw, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bihuan.epi.errors import InputError
from bihuan.epi.figures.canvas import (
    ALARM,
    BAR,
    BOUND,
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
    from bihuan.epi.detection.results import Detection

PERIODS_BEFORE = 60  # drawn of the series before the first assessed one


def plot_detection(
    detection: Detection, *, series: int | str = 0, lang: str = "en", path: str | Path | None = None
) -> Picture:
    """Counts as bars, the expected as a line, the upper bound as a step, alarms as marks; periods that were
    not assessed are grey below the axis.
    """
    panel = detection.panel
    i = panel.index(series) if isinstance(series, str) else series
    if not -panel.n_series <= i < panel.n_series:
        raise InputError(
            f"there is no series {i}; there are {panel.n_series}",
            f"没有第 {i} 条序列；共有 {panel.n_series} 条",
            field="series",
        )
    if parts := getattr(detection, "parts", ()):  # routed: drawn with the method this series was given
        routed: Any = detection
        detection, i = parts[routed.part[i]], int(routed.row[i])
        panel = detection.panel
    say = words(lang)
    figure, (axes,) = canvas()
    with dress():
        first = max(0, int(detection.at.min(initial=0)) - PERIODS_BEFORE)
        last = int(detection.at.max(initial=panel.n_times - 1))
        days, counts = panel.dates[first : last + 1], panel.counts[i, first : last + 1]
        axes.bar(days, counts, width=step(panel.dates) * 0.85, color=BAR, label=say("reported", "报告数"))
        at = detection.dates
        axes.plot(at, detection.expected[i], color=LINE, lw=1.4, label=say("expected", "预期"))
        upper = np.where(np.isfinite(detection.upper[i]), detection.upper[i], np.nan)
        axes.step(at, upper, where="mid", color=BOUND, lw=1.2, ls="--", label=say("upper bound", "上限"))
        alarm = detection.alarm[i]
        if alarm.any():
            axes.plot(
                at[alarm],
                detection.observed[i][alarm],
                ls="",
                marker="v",
                ms=7,
                color=ALARM,
                label=say("alarm", "预警"),
            )
        silent = at[(detection.reason[i] != 0) & ~alarm]
        if silent.size:
            axes.plot(
                silent,
                np.zeros(silent.size),
                ls="",
                marker="|",
                ms=6,
                color="#888888",
                label=say("not assessed or held back", "未评估或未预警"),
                clip_on=False,
            )
        name = drawable(spoken(panel.names[i], lang), f"series {i % panel.n_series + 1}")
        method = detection.method
        title = f"{name} · {say(method.label_en, method.label_zh)}"
        finish(figure, axes, title, method.paper, say("cases", "病例"))
    return save(figure, path)
