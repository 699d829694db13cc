"""Clusters in space and time, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.figures.canvas import (
    ALARM,
    BAR,
    BOUND,
    INK,
    LINE,
    Picture,
    Words,
    canvas,
    drawable,
    dress,
    finish,
    save,
    words,
)

if TYPE_CHECKING:
    from bihuan.epi.scan.results import Cluster, Scan

COLORS = (ALARM, BOUND, LINE)
NAMED = 5  # places named in the title


def plot_scan(
    found: Scan,
    *,
    locations: Mapping[str, tuple[float, float]] | None = None,
    alpha: float = 0.05,
    lang: str = "en",
    path: str | Path | None = None,
) -> Picture:
    """Cases in the places of the most likely cluster over time, with what was expected and its days shaded;
    with `locations` (place → x, y) a map beside it. Clusters with a p-value above `alpha` are gray on it.
    """
    say = words(lang)
    with_map = locations is not None and set(found.names) <= set(locations)
    size = (11.0, 4.6) if with_map else (9.0, 4.2)
    figure, axes = canvas(columns=2, size=size) if with_map else canvas(size=size)
    with dress():
        if with_map and locations is not None:
            _map(axes[0], found, locations, alpha, say)
        _course(figure, axes[-1], found, say)
    return save(figure, path)


def _map(
    axes: Any, found: Scan, locations: Mapping[str, tuple[float, float]], alpha: float, say: Words
) -> None:
    points = np.array([locations[name] for name in found.names], dtype=np.float64)
    cases = np.asarray(found.design.counts.sum(axis=1), dtype=np.float64)
    axes.scatter(points[:, 0], points[:, 1], s=8 + 90 * cases / max(cases.max(), 1.0), color=BAR, lw=0)
    for one, color in zip(found.clusters, COLORS, strict=False):
        sure = one.p_value is not None and one.p_value <= alpha
        inside = np.isin(np.array(found.names), one.members)
        p = "" if one.p_value is None else f", p = {one.p_value:.2g}"
        axes.scatter(
            points[inside, 0],
            points[inside, 1],
            s=70,
            facecolors="none",
            edgecolors=color if sure else "#a0a0a0",
            lw=1.6,
            label=f"{one.rank}: {one.observed} / {one.expected:.1f}{p}",
        )
    axes.set_aspect("equal")
    axes.set_title(say("observed / expected", "观察 / 期望"), loc="left", color=INK)
    axes.set_xticks([])
    axes.set_yticks([])
    if found.clusters:
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 0.0))


def _course(figure: Picture, axes: Any, found: Scan, say: Words) -> None:
    """The cases of the most likely cluster's places; of all places where there is none."""
    one = found.clusters[0] if found.clusters else None
    inside = np.isin(np.array(found.names), one.members) if one else np.ones(len(found.names), dtype=bool)
    days = _days(found)
    width = found.days_a_period * 0.85
    counts = found.design.counts[inside].sum(axis=0)
    axes.bar(days, counts, width=width, color=BAR, label=say("cases", "病例"))
    expected = found.design.baselines[inside].sum(axis=0)
    axes.plot(days, expected, color=LINE, lw=1.3, label=say("expected", "期望值"))
    if one is not None:
        _shade(axes, one, found, say)
    finish(figure, axes, _title(one, say), say("circular scan", "圆形扫描"), say("cases", "病例"), ticks=5)


def _shade(axes: Any, one: Cluster, found: Scan, say: Words) -> None:
    half = np.timedelta64(int(12 * found.days_a_period), "h")
    day = np.timedelta64(int(24 * found.days_a_period), "h")
    first = np.datetime64(one.first, "h") - half
    axes.axvspan(
        first, first + one.periods * day, color=ALARM, alpha=0.13, lw=0, label=say("cluster", "聚集")
    )


def _title(one: Cluster | None, say: Words) -> str:
    if one is None:
        return say("all places: no cluster", "所有地点：无聚集")
    more = len(one.members) - NAMED
    names = [drawable(name, "?") for name in one.members[:NAMED]]
    return ", ".join(names) + (say(f" and {more} more", f" 等 {len(one.members)} 处") if more > 0 else "")


def _days(found: Scan) -> NDArray[np.datetime64]:
    first = np.datetime64(found.first, "D")
    if 28 <= found.days_a_period <= 31 and found.days_a_period not in (28.0, 7.0):
        months = first.astype("datetime64[M]") + np.arange(found.n_periods)
        return np.asarray(months.astype("datetime64[D]"))
    return np.asarray(first + np.arange(found.n_periods) * np.timedelta64(int(found.days_a_period), "D"))
