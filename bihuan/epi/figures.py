"""Pictures of results, by Matplotlib on Agg: nothing opens a window, a notebook shows what is returned.

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
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib import dates as mdates
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bihuan.epi.errors import InputError

if TYPE_CHECKING:
    from bihuan.epi.detection.results import Detection

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
SUFFIXES = (".png", ".svg", ".pdf")
SIZE = (9.0, 4.2)  # inches
DPI = 110
PERIODS_BEFORE = 60  # drawn of the series before the first assessed one
INK, BAR, LINE, BOUND, ALARM, BAND = "#1f2933", "#9fb3c8", "#2f6f9f", "#c77700", "#c0392b", "#2f6f9f"


class Picture(Figure):
    """A figure that a notebook shows by itself, drawn with its own fonts whenever it is drawn."""

    def draw(self, renderer: Any) -> None:
        with _dress():
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
    say = words(lang)
    figure, (axes,) = canvas()
    with _dress():
        first = max(0, int(detection.at.min(initial=0)) - PERIODS_BEFORE)
        last = int(detection.at.max(initial=panel.n_times - 1))
        days, counts = panel.dates[first : last + 1], panel.counts[i, first : last + 1]
        axes.bar(days, counts, width=_step(panel.dates) * 0.85, color=BAR, label=say("reported", "报告数"))
        at = detection.dates
        axes.plot(at, detection.expected[i], color=LINE, lw=1.4, label=say("expected", "期望值"))
        upper = np.where(np.isfinite(detection.upper[i]), detection.upper[i], np.nan)
        axes.step(at, upper, where="mid", color=BOUND, lw=1.2, ls="--", label=say("upper bound", "预警上界"))
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
        name = drawable(panel.names[i], f"series {i % panel.n_series + 1}")
        method = detection.method
        title = f"{name} · {say(method.label_en, method.label_zh)}"
        finish(figure, axes, title, method.paper, say("cases", "病例"))
    return save(figure, path)


def canvas(*, rows: int = 1, size: tuple[float, float] = SIZE, **grid: Any) -> tuple[Picture, list[Any]]:
    """An empty picture with `rows` axes below each other."""
    figure = Picture(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    with _dress():
        made = figure.subplots(rows, 1, squeeze=False, **grid)[:, 0]
    return figure, list(made)


def finish(figure: Picture, axes: Any, title: str, source: str, ylabel: str, *, legend: bool = True) -> None:
    """Title, source, axis of dates, legend: the same for every picture."""
    axes.set_title(title, loc="left", color=INK)
    axes.set_ylabel(ylabel)
    locator = mdates.AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.AutoDateFormatter(locator, defaultfmt="%Y-%m-%d"))
    axes.xaxis.get_major_formatter().scaled.update({1.0: "%Y-%m-%d", 30.0: "%Y-%m", 365.0: "%Y"})
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]) if axes.get_ylim()[0] < -1 else 0.0)
    if legend:
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


def _step(dates: Any) -> float:
    """Days from one period to the next."""
    return float(np.median(np.diff(dates).astype(np.int64))) if dates.size > 1 else 1.0


@contextmanager
def _dress() -> Iterator[None]:
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
