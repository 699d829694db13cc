"""What is said of each series and window: a reproduction number and its uncertainty, or why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.reproduction.si import SerialInterval
from bihuan.epi.reproduction.windows import Windows
from bihuan.epi.series import Floats, Panel

Codes = NDArray[np.uint8]

#: Cases a window needs for a posterior coefficient of variation of 0.3 with a prior that says little
#: (Cori et al. 2013, Web Appendix 1: 1 / 0.3² cases).
MIN_CASES = 11
#: Quantiles given when none are named, as the peer gives them.
PROBABILITIES = (0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975)


class RtReason(IntEnum):
    """Why a window was or was not assessed, or how its number is to be read."""

    ASSESSED = 0
    TOO_FEW_CASES = 1  # value given, to be drawn gray
    TOO_EARLY = 2  # the window ends at or before the mean serial interval
    NO_SOURCE = 3  # no earlier case that could have infected in this window
    NOT_REPORTED = 4  # a period of the window has no count
    GAP_BEFORE = 5  # too much of the infectivity comes from periods without a count
    NO_CASES = 6  # Wallinga-Teunis: nobody whose secondary cases could be counted
    INCOMPLETE = 7  # Wallinga-Teunis: value given, but secondary cases are still to come
    NOT_NOWCAST = 8  # a period of the window, or one that could have infected in it, has no nowcast


#: Reasons under which a value stands all the same.
WITH_VALUE = (RtReason.ASSESSED, RtReason.TOO_FEW_CASES, RtReason.INCOMPLETE)

REASONS: dict[RtReason, tuple[str, str]] = {
    RtReason.ASSESSED: ("assessed", "已评估"),
    RtReason.TOO_FEW_CASES: (
        f"too few cases: fewer than {MIN_CASES} in the window",
        f"病例过少：窗口内少于 {MIN_CASES} 例",
    ),
    RtReason.TOO_EARLY: (
        "not assessed because the window ends before one mean serial interval has passed",
        "未评估：窗口结束时尚未经过一个平均代际间隔",
    ),
    RtReason.NO_SOURCE: (
        "not assessed because no earlier case could have infected in this window",
        "未评估：窗口内没有可能造成感染的先前病例",
    ),
    RtReason.NOT_REPORTED: (
        "not assessed because a period of the window was not reported",
        "未评估：窗口内有缺报",
    ),
    RtReason.GAP_BEFORE: (
        "not assessed because periods that could have infected were not reported",
        "未评估：可能的感染来源时期有缺报",
    ),
    RtReason.NO_CASES: (
        "not assessed because the window has no case whose secondary cases could be counted",
        "未评估：窗口内没有可统计续发病例的病例",
    ),
    RtReason.NOT_NOWCAST: (
        "not assessed because too little has been reported yet to nowcast its counts",
        "未评估：已报告数据太少，无法对其计数作即时预测",
    ),
    RtReason.INCOMPLETE: (
        "understated, because secondary cases of this window are still to come",
        "偏低：本窗口病例的续发病例尚未全部出现",
    ),
}


@dataclass(frozen=True, slots=True)
class RtMethod:
    """How the number was reached, and the paper."""

    key: str
    label_en: str
    label_zh: str
    paper: str


@dataclass(frozen=True, slots=True, eq=False)
class RtEstimate:
    """Arrays are series × windows (quantiles: also × `probabilities`); NaN where `reason` says not assessed.

    `cases` counts those whose infection is judged: local cases of the window (Wallinga-Teunis: the cases
    that infect). `seen` is the share of their secondary cases that the series is long enough to show.
    """

    panel: Panel
    method: RtMethod
    si: SerialInterval
    windows: Windows
    probabilities: tuple[float, ...]
    mean: Floats
    sd: Floats
    quantiles: Floats
    cases: Floats
    reason: Codes
    seen: Floats | None = None

    @property
    def t_start(self) -> NDArray[np.intp]:
        return self.windows.start

    @property
    def t_end(self) -> NDArray[np.intp]:
        return self.windows.end

    @property
    def from_dates(self) -> NDArray[np.datetime64]:
        return self.panel.dates[self.windows.start - 1]

    @property
    def until_dates(self) -> NDArray[np.datetime64]:
        """First day of the last period of each window (of a day: the day itself)."""
        return self.panel.dates[self.windows.end - 1]

    @property
    def median(self) -> Floats:
        return self.quantile(0.5)

    @property
    def assessed(self) -> NDArray[np.bool_]:
        """Where the number may be shown as it is; where not, gray or leave out, as `reason` says."""
        return np.asarray(self.reason == RtReason.ASSESSED)

    def quantile(self, probability: float) -> Floats:
        """Series × windows; InputError when that quantile was not asked for."""
        near = np.isclose(self.probabilities, probability, rtol=0, atol=1e-12)
        if not near.any():
            known = ", ".join(f"{p:g}" for p in self.probabilities)
            raise InputError(
                f"the quantile {probability:g} was not asked for; there are {known}",
                f"未计算分位数 {probability:g}；现有 {known}",
                field="probabilities",
            )
        return np.asarray(self.quantiles[..., int(np.argmax(near))])

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict a series and window: dates, cases, mean, sd, each quantile (q0.025 …), reason."""
        first, last = self.from_dates, self.until_dates
        for i, name in enumerate(self.panel.names):
            for w in range(self.windows.n):
                yield {
                    "series": name,
                    "from": first[w].astype(object),
                    "until": last[w].astype(object),
                    "cases": _number(self.cases[i, w]),
                    "mean": _number(self.mean[i, w]),
                    "sd": _number(self.sd[i, w]),
                    **{f"q{p:g}": _number(self.quantiles[i, w, k]) for k, p in enumerate(self.probabilities)},
                    "reason": RtReason(int(self.reason[i, w])).name.lower(),
                    "method": self.method.key,
                }

    def explain(self, lang: str = "en", *, series: int | str = 0, window: int = -1) -> str:
        """One sentence on one series and window (position among the windows; default the newest)."""
        from bihuan.epi.reproduction.sentences import explain_rt

        i = self.panel.index(series) if isinstance(series, str) else series
        if (
            not -self.panel.n_series <= i < self.panel.n_series
            or not -self.windows.n <= window < self.windows.n
        ):
            raise InputError(
                f"there are {self.panel.n_series} series and {self.windows.n} windows",
                f"共有 {self.panel.n_series} 条序列、{self.windows.n} 个窗口",
                field="window",
            )
        return explain_rt(self, lang, i, window)

    def plot(self, *, series: int | str = 0, lang: str = "en", path: str | None = None) -> Any:
        """A Matplotlib figure of Rt with its interval, windows of too few cases in gray; saved to `path`
        when given.
        """
        from bihuan.epi.figures.reproduction import plot_rt

        i = self.panel.index(series) if isinstance(series, str) else series
        return plot_rt(self, series=i, lang=lang, path=path)


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
