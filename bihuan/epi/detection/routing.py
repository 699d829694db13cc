"""Which detector a series gets, and why: by frequency, length of history and level of counts.

    daily    history      level (cases a day)   method
             < 10 days    any                   EARS C1
             any          < 1                   Bayes on the days before
             any          1 to 10               EWMA, weekdays and holidays allowed for
             >= 14 days   >= 10                 regression or EWMA, weekdays and holidays allowed for
    weekly   >= 3 years   any                   Farrington flexible, as many years as there are, at most 5
    monthly  1 to 3 years any                   Bayes on the same season of earlier years
             < 1 year     any                   Bayes on the periods before

Levels: ESSENCE advises EWMA for a daily average below 10; below one case a day the normal theory of both does
not hold, while the Bayes system counts cases. Farrington's method wants several years (Noufaily et al. 2013).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import At, missing, positions
from bihuan.epi.detection.bayes import bayes
from bihuan.epi.detection.cusum import cusum
from bihuan.epi.detection.ears import ears
from bihuan.epi.detection.essence import ewma, nbinom_alert, regression, switch
from bihuan.epi.detection.farrington import farrington, farrington_flexible
from bihuan.epi.detection.glrnb import glr_nb
from bihuan.epi.detection.outbreak_p import outbreak_p
from bihuan.epi.detection.results import Detection, Method
from bihuan.epi.detection.rki import rki
from bihuan.epi.errors import InputError
from bihuan.epi.series import FIRST_DAY, PERIODS_A_YEAR, Floats, Panel, panel

Detector = Callable[..., Detection]

#: Names `method` takes, and what they stand for.
DETECTORS: dict[str, tuple[Detector, dict[str, Any]]] = {
    "ears_c1": (ears, {"method": "C1"}),
    "ears_c2": (ears, {"method": "C2"}),
    "ears_c3": (ears, {"method": "C3"}),
    "ears_c3_cdc": (ears, {"method": "C3_CDC"}),
    "farrington_flexible": (farrington_flexible, {}),
    "farrington": (farrington, {}),
    "cusum": (cusum, {}),
    "bayes": (bayes, {}),
    "rki": (rki, {}),
    "glr_nb": (glr_nb, {}),
    "outbreak_p": (outbreak_p, {}),
    "ewma": (ewma, {}),
    "regression": (regression, {}),
    "switch": (switch, {}),
    "nbinom_alert": (nbinom_alert, {}),
}
#: Tail area of every routed detector, ESSENCE's alert and the usual choice for Farrington flexible.
ALPHA = 0.01
SPARSE, FULL = 1.0, 10.0
#: Days of history EWMA and the regression can begin with, their guard band included.
EWMA_DAYS, REGRESSION_DAYS = 10, 14
#: Most days before an assessed day that any daily detector looks at: a year of weekday factors and a month.
DAYS_OF_HISTORY = 400
MOST_YEARS, LEAST_YEARS = 5, 3
#: Periods over which the level of a series is taken: four weeks of days, a year of weeks or months.
LEVEL_DAYS = 28


@dataclass(frozen=True, slots=True)
class Choice:
    """A detector with its options, and the reason it was chosen."""

    name: str
    options: tuple[tuple[str, Any], ...]
    en: str
    zh: str
    routed: bool = True

    def why(self, lang: str = "en") -> str:
        return self.zh if lang.startswith("zh") else self.en


@dataclass(frozen=True, slots=True, eq=False)
class RoutedDetection(Detection):
    """A Detection of all series together, each by its own method.

    `choices[i]` says which and why for series i; `parts` are the detections of each group of series, in which
    series i is row `row[i]` of part `part[i]`.
    """

    choices: tuple[Choice, ...] = ()
    parts: tuple[Detection, ...] = ()
    part: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    row: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    def why(self, series: int | str = 0, lang: str = "en") -> str:
        """The method one series was given and the reason, in a sentence."""
        i = self._series(series)
        label = self.method_of(i)
        name = label.label_zh if lang.startswith("zh") else label.label_en
        reason = self.choices[i].why(lang)
        return f"{name}：{reason}。" if lang.startswith("zh") else f"{name}: {reason}."

    def rows(self, *, alarms_only: bool = False) -> Iterator[dict[str, Any]]:
        """As of any Detection, with the method of each series and why it was chosen."""
        place = {name: i for i, name in enumerate(self.panel.names)}
        # Not super(): a dataclass with slots is another class than the one its methods were written in.
        for row in Detection.rows(self, alarms_only=alarms_only):
            i = place[row["series"]]
            yield row | {"method": self.method_of(i).key, "why": self.choices[i].en}

    def explain(self, lang: str = "en", *, series: int | str = 0, time: int = -1) -> str:
        """One sentence, with the method this series was given."""
        i = self._series(series)
        return self.parts[self.part[i]].explain(lang, series=int(self.row[i]), time=time)

    def method_of(self, i: int) -> Method:
        return self.parts[self.part[i]].method

    def _series(self, series: int | str) -> int:
        i = self.panel.index(series) if isinstance(series, str) else series
        if not -self.panel.n_series <= i < self.panel.n_series:
            n = self.panel.n_series
            raise InputError(f"there are {n} series", f"共有 {n} 条序列", field="series")
        return i % self.panel.n_series


@checked
def detect(
    counts: ArrayLike | Panel,
    *,
    method: str | Sequence[str] = "auto",
    alpha: float = ALPHA,
    calendar: str | None = "CN",
    at: At = None,
    options: dict[str, Any] | None = None,
    **panel_kw: Any,
) -> RoutedDetection:
    """Every series by the detector that suits it (table at the top of this file), or by the one named.

    `method` is "auto", one name of DETECTORS for all series, or one for each ("auto" among them); `options`
    go to the detectors named. Routed detectors alarm at tail area `alpha`. `calendar` is the country whose
    holidays move the weekdays of daily counts (None: the plain weekdays); counts given without dates have no
    holidays. The choice is made at the newest period in `at` (None: every period), for the whole series.
    """
    dated = isinstance(counts, Panel) or bool({"dates", "start"} & panel_kw.keys())
    series = panel(counts, **panel_kw)
    where = positions(series, at)
    country = calendar if dated and str(series.dates[0]) != FIRST_DAY else None
    names = _named(series, method)
    routed = route(series.until(series.dates[where[-1]]), alpha=alpha, calendar=country)
    asked = "the caller asked for it", "由调用者指定"
    own = tuple((options or {}).items())
    choices = tuple(
        routed[i] if name == "auto" else Choice(name, own, *asked, routed=False)
        for i, name in enumerate(names)
    )
    return _together(series, where, choices)


def route(series: Panel, *, alpha: float = ALPHA, calendar: str | None = None) -> tuple[Choice, ...]:
    """The choice for each series, assessed at the newest period of the panel."""
    history = series.counts[:, :-1]
    span = LEVEL_DAYS if series.frequency == "daily" else PERIODS_A_YEAR[series.frequency]
    recent = history[:, -span:]
    reported = np.isfinite(recent).sum(axis=1)
    level = np.where(np.isfinite(recent), recent, 0.0).sum(axis=1) / np.maximum(reported, 1)
    first = np.where(np.isfinite(series.counts).any(axis=1), np.isfinite(series.counts).argmax(axis=1), -1)
    length = np.where(first >= 0, series.n_times - 1 - first, 0)
    if series.frequency == "daily":
        return tuple(_daily(int(n), float(m), alpha, calendar) for n, m in zip(length, level, strict=True))
    return tuple(_seasonal(series, int(n), alpha) for n in length)


def _daily(days: int, level: float, alpha: float, calendar: str | None) -> Choice:
    if days < EWMA_DAYS:
        return _choice("ears_c1", {"alpha": alpha}, f"only {days} days of history", f"历史仅 {days} 天")
    if level < SPARSE:
        w = LEVEL_DAYS if days >= LEVEL_DAYS else 7
        return _choice(
            "bayes",
            {"b": 0, "w": w, "act_y": True, "alpha": alpha},
            f"fewer than {SPARSE:g} case a day over the last {LEVEL_DAYS} days",
            f"近 {LEVEL_DAYS} 天日均不足 {SPARSE:g} 例",
        )
    full = level >= FULL and days >= REGRESSION_DAYS
    english = f"at least {FULL:g} cases a day" if level >= FULL else f"{SPARSE:g} to {FULL:g} cases a day"
    chinese = f"日均不少于 {FULL:g} 例" if level >= FULL else f"日均 {SPARSE:g} 至 {FULL:g} 例"
    if level >= FULL and not full:
        english, chinese = f"{english}, but only {days} days of history", f"{chinese}，但历史仅 {days} 天"
    return _choice("switch" if full else "ewma", {"alpha": alpha, "calendar": calendar}, english, chinese)


def _seasonal(series: Panel, n: int, alpha: float) -> Choice:
    year = PERIODS_A_YEAR[series.frequency]
    w = 3 if series.frequency == "weekly" else 1
    years = (n - w - 1) // year
    if years >= LEAST_YEARS:
        b = min(years, MOST_YEARS)
        return _choice(
            "farrington_flexible",
            {"b": b, "w": w, "alpha": alpha},
            f"{years} years of history",
            f"历史 {years} 年",
        )
    if years >= 1:
        options = {"b": years, "w": w, "act_y": True, "alpha": alpha}
        return _choice("bayes", options, f"only {years} years of history", f"历史仅 {years} 年")
    options = {"b": 0, "w": 6 if n >= 6 else max(n, 3), "act_y": True, "alpha": alpha}
    return _choice("bayes", options, "less than a year of history", "历史不足一年")


def _choice(name: str, options: dict[str, Any], en: str, zh: str) -> Choice:
    return Choice(name, tuple(options.items()), en, zh)


def _named(series: Panel, method: str | Sequence[str]) -> list[str]:
    names = [method] * series.n_series if isinstance(method, str) else list(method)
    if len(names) != series.n_series:
        raise InputError(
            f"{len(names)} methods for {series.n_series} series; give one each",
            f"{series.n_series} 条序列却给出 {len(names)} 种方法；请逐条给出",
            field="method",
        )
    unknown = sorted(set(names) - {"auto", *DETECTORS})
    if unknown:
        raise InputError(
            f"method {unknown[0]!r} is not one of auto, {', '.join(DETECTORS)}",
            f"方法 {unknown[0]!r} 不在 auto、{'、'.join(DETECTORS)} 之中",
            field="method",
        )
    return names


def _together(series: Panel, where: NDArray[np.intp], choices: tuple[Choice, ...]) -> RoutedDetection:
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, choice in enumerate(choices):
        groups[choice.name, repr(choice.options)].append(i)
    numbers = {name: missing(series, where) for name in ("expected", "upper", "score", "p_value")}
    alarm = np.zeros((series.n_series, where.size), dtype=bool)
    reason = np.zeros(alarm.shape, dtype=np.uint8)
    parts: list[Detection] = []
    part, row = np.empty(series.n_series, np.intp), np.empty(series.n_series, np.intp)
    for members in groups.values():
        rows = np.array(members)
        found = _run(series, where, rows, choices[members[0]])
        for name, array in numbers.items():
            array[rows] = getattr(found, name)
        alarm[rows], reason[rows] = found.alarm, found.reason
        part[rows], row[rows] = len(parts), np.arange(rows.size)
        parts.append(found)
    routed = Method(
        "auto", "routed by length, frequency and level", "按长度、频率与水平选定", "docs/reference/epi.md"
    )
    return RoutedDetection(
        panel=series,
        method=routed,
        at=where,
        alarm=alarm,
        reason=reason,
        choices=choices,
        parts=tuple(parts),
        part=part,
        row=row,
        expected=numbers["expected"],
        upper=numbers["upper"],
        score=numbers["score"],
        p_value=numbers["p_value"],
    )


def _run(series: Panel, where: NDArray[np.intp], rows: NDArray[np.intp], choice: Choice) -> Detection:
    """One group of series through its detector, on no more days than it looks at."""
    detector, settled = DETECTORS[choice.name]
    begin = 0
    if series.frequency == "daily" and choice.routed:
        begin = max(int(where[0]) - DAYS_OF_HISTORY, 0)
    # What comes after the newest period asked for is not known yet.
    end = int(where[-1]) + 1
    offset: Floats | None = None if series.population is None else series.population[rows, begin:end]
    names = tuple(series.names[i] for i in rows)
    cut = Panel(series.counts[rows, begin:end], series.dates[begin:end], series.frequency, names, offset)
    return detector(cut, **settled, **dict(choice.options), at=where - begin)
