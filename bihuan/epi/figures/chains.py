"""Who infected whom, drawn: cases by onset, a line for each link; the fainter, the less supported."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bihuan.epi.figures.canvas import (
    ALARM,
    BAR,
    INK,
    LINE,
    Picture,
    Words,
    canvas,
    drawable,
    dress,
    save,
    words,
)

if TYPE_CHECKING:
    from bihuan.epi.chains.picture import Picture as Drawn
    from bihuan.epi.chains.results import Chains, Infectors

#: Cases beyond this are drawn without their names.
NAMED = 60
LEAST = 0.05
_INCHES_A_CASE = 0.18


def plot_chains(found: Chains, *, lang: str = "en", path: str | Path | None = None) -> Picture:
    """Cases by onset, one line each, those of a chain together; links whose dates are odd in red."""
    order = [case for component in found.components for case in component]
    onsets = dict(zip(found.cases, found.onsets, strict=True))
    lines = [(link.infector, link.infectee, 1.0, bool(link.odd)) for link in found.links]
    return _draw(order, onsets, lines, words(lang), path)


def plot_infectors(
    found: Infectors, *, least: float = LEAST, lang: str = "en", path: str | Path | None = None
) -> Picture:
    """Cases by onset; every candidate supported by `least` or more is a line as strong as its support."""
    onsets: dict[str, date | int | None] = {one.case: one.onset for one in found.cases}
    lines = [(infector, case, support, False) for infector, case, support in found.links(least=least)]
    return _draw(list(onsets), onsets, lines, words(lang), path)


def plot_picture(found: Drawn, *, lang: str = "en", path: str | Path | None = None) -> Picture:
    """The tree by day: every mark in its lane, bundles as large as they hold, impossible links in red."""
    say, marks, lines, graph = words(lang), found.marks, found.lines, found.graph
    tall = float(np.clip(found.layout.lanes * _INCHES_A_CASE, 3.0, 22.0))
    figure, axes = canvas(size=(11.0, tall))
    sheet = axes[0]
    lane, days = found.layout.lane, marks.day.astype("datetime64[D]")
    uncertain = found.uncertain()
    with dress():
        for i in range(lines.n.size):
            ends = [lines.start[i], lines.end[i]]
            wrong = found.odd_words()[i] in ("impossible", "circle")
            style = ":" if wrong or not lines.tree[i] else "--" if uncertain[i] else "-"
            across, down = days[[ends[0], ends[0], ends[1]]], lane[[ends[0], ends[1], ends[1]]]
            sheet.plot(across, down, color=ALARM if wrong else LINE, ls=style, lw=1.0, zorder=1)
        sizes = np.clip(14 * np.sqrt(marks.n), 14, 220)
        sheet.scatter(days, lane, s=sizes, color=BAR, edgecolors=INK, lw=0.5, zorder=3)
        if found.drawn <= NAMED:
            for i in range(found.drawn):
                name = drawable(graph.ids[marks.example[i]], "?")
                sheet.annotate(
                    name, (days[i], lane[i]), xytext=(4, 2), textcoords="offset points", fontsize=7
                )
        sheet.set_yticks([])
        sheet.set_xlabel(say("onset", "发病"))
        title = say(
            "chains by onset; dashed: uncertain, red: impossible",
            "传播链（按发病日）；虚线：不确定，红：不可能",
        )
        sheet.set_title(title, loc="left", color=INK)
        sheet.invert_yaxis()
    return save(figure, path)


def _draw(
    order: list[str],
    onsets: dict[str, date | int | None],
    lines: list[tuple[str, str, float, bool]],
    say: Words,
    path: str | Path | None,
) -> Picture:
    shown = [case for case in order if onsets[case] is not None]
    row = {case: i for i, case in enumerate(shown)}
    figure, axes = canvas(size=(9.0, float(np.clip(len(shown) * _INCHES_A_CASE, 3.0, 14.0))))
    sheet = axes[0]
    with dress():
        for infector, infectee, support, odd in lines:
            if infector in row and infectee in row:
                ends: list[Any] = [onsets[infector], onsets[infectee]]
                heights = [row[infector], row[infectee]]
                sheet.plot(ends, heights, color=ALARM if odd else LINE, alpha=max(support, 0.05), lw=1.2)
        days: list[Any] = [onsets[case] for case in shown]
        sheet.scatter(days, range(len(shown)), s=14, color=BAR, edgecolors=INK, lw=0.5, zorder=3)
        sheet.set_yticks(range(len(shown)) if len(shown) <= NAMED else [])
        if len(shown) <= NAMED:
            sheet.set_yticklabels([drawable(case, "?") for case in shown], fontsize=7)
        sheet.set_xlabel(say("onset", "发病"))
        title = say("links between cases; strength of a line: its support", "病例关联；线的深浅为支持度")
        sheet.set_title(title, loc="left", color=INK)
        sheet.invert_yaxis()
    return save(figure, path)
