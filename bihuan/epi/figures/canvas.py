"""The sheet pictures are drawn on: size, fonts, look, axis of dates, writing.

Labels are Chinese where a font for them is installed, else English. pyplot is not touched, so that drawing
is safe in threads and leaves a notebook's own settings alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import dates as mdates
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bihuan.epi.errors import InputError
from bihuan.epi.figures import SUFFIXES

#: Fonts that hold simplified Chinese, the usual ones of Linux, macOS and Windows first.
CJK_FONTS = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Noto Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "Microsoft YaHei",
    "SimHei",
    "Noto Serif CJK SC",
    "Source Han Serif SC",
    "Songti SC",
    "SimSun",
    "Arial Unicode MS",
    "Droid Sans Fallback",
)
SIZE = (9.0, 4.2)  # inches
DPI = 110
TICKS = 9  # dates at most below an axis of the whole width
INK, BAR, LINE, BOUND, ALARM, BAND = "#1f2933", "#9fb3c8", "#2f6f9f", "#c77700", "#c0392b", "#2f6f9f"


class Picture(Figure):
    """A figure that a notebook shows by itself, drawn with its own fonts whenever it is drawn."""

    def draw(self, renderer: Any) -> None:
        with dress():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


@dataclass(frozen=True, slots=True)
class Words:
    """Labels in the language that can be drawn."""

    zh: bool

    def __call__(self, en: str, zh: str) -> str:
        return zh if self.zh else en


@cache
def cjk_font() -> str | None:
    """The first installed font that holds Chinese; None when there is none."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in CJK_FONTS if name in installed), None)


def words(lang: str) -> Words:
    """Chinese when asked for and there is a font for it."""
    return Words(lang.startswith("zh") and cjk_font() is not None)


def drawable(text: str, otherwise: str) -> str:
    """`text`, or `otherwise` where no installed font has its characters."""
    return text if cjk_font() or all(ord(c) < 0x2E80 for c in text) else otherwise


def canvas(
    *, rows: int = 1, columns: int = 1, size: tuple[float, float] = SIZE, **grid: Any
) -> tuple[Picture, list[Any]]:
    """An empty picture with `rows` axes below each other, or `columns` beside each other."""
    figure = Picture(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    with dress():
        made = figure.subplots(rows, columns, squeeze=False, **grid).ravel()
    return figure, list(made)


def finish(
    figure: Picture,
    axes: Any,
    title: str,
    source: str,
    ylabel: str,
    *,
    dated: bool = True,
    ticks: int = TICKS,
) -> None:
    """Title, source, axis of dates, legend: the same for every picture."""
    if title:
        axes.set_title(title, loc="left", color=INK)
    axes.set_ylabel(ylabel)
    if dated:
        locator = mdates.AutoDateLocator(minticks=3, maxticks=ticks)
        axes.xaxis.set_major_locator(locator)
        formatter = mdates.AutoDateFormatter(locator, defaultfmt="%Y-%m-%d")
        formatter.scaled.update({1.0: "%Y-%m-%d", 30.0: "%Y-%m", 365.0: "%Y"})
        axes.xaxis.set_major_formatter(formatter)
    low, high = axes.get_ylim()
    axes.set_ylim(bottom=0.0 if low > -1 else low, top=max(high, 1.0))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    if source:
        figure.supxlabel(source, fontsize=7, color="#777777", x=0.99, ha="right")


def save(figure: Picture, path: str | Path | None) -> Picture:
    """Write it when a path is given; the suffix says how."""
    if path is None:
        return figure
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"a picture cannot be written as {target.suffix or target.name!r}; "
            f"end the name with one of {', '.join(SUFFIXES)}",
            f"图片不能存为 {target.suffix or target.name!r}；文件名请以 {'、'.join(SUFFIXES)} 之一结尾",
            field="path",
        )
    figure.savefig(target)
    return figure


def step(dates: Any) -> float:
    """Days from one period to the next."""
    return float(np.median(np.diff(dates).astype(np.int64))) if dates.size > 1 else 1.0


@contextmanager
def dress() -> Iterator[None]:
    """The house's look, for as long as something is drawn."""
    families = ["DejaVu Sans", *([name] if (name := cjk_font()) else [])]
    look: Any = {
        "font.family": families,
        "font.size": 9,
        "axes.unicode_minus": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#888888",
        "axes.titlesize": 10.5,
        "svg.hashsalt": "bihuan",
    }
    with mpl.rc_context(look):
        yield
