"""What is said of each period: reported so far, expected in the end, with an interval, or why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.nowcast.triangle import ReportingTriangle
from bihuan.epi.series import Floats

Codes = NDArray[np.uint8]


class NowcastReason(IntEnum):
    """How the number of a period came about, or why there is none."""

    ASSESSED = 0
    COMPLETE = 1  # older than the longest delay: as reported
    NOTHING_YET = (
        2  # nothing reported so far: the estimate is zero, the upper bound says how little that tells
    )
    NO_DELAYS = 3  # no delay as long as needed was ever seen, so nothing can be said


REASONS: dict[NowcastReason, tuple[str, str]] = {
    NowcastReason.ASSESSED: ("assessed", "已评估"),
    NowcastReason.COMPLETE: ("complete: older than the longest delay", "已完整：超过最长延迟"),
    NowcastReason.NOTHING_YET: (
        "nothing reported yet, which says little: see the upper bound",
        "尚无报告，信息有限：请看上限",
    ),
    NowcastReason.NO_DELAYS: (
        "not assessed because no report of that delay has been seen to learn from",
        "未评估：没有可供学习的同等延迟的报告",
    ),
}


@dataclass(frozen=True, slots=True)
class NowcastMethod:
    """How the number was reached, and the paper."""

    key: str
    label_en: str
    label_zh: str
    paper: str


@dataclass(frozen=True, slots=True, eq=False)
class Nowcast:
    """Arrays are series × assessed periods (`at`: positions in the triangle's time).

    `estimate` is the median (Lawless, chain ladder: the point estimate), `low` … `high` the interval at
    `level`, `completeness` the share expected to be reported by now. `draws` (draws × series × periods) are
    possible final counts, for what is computed from them.
    """

    triangle: ReportingTriangle
    method: NowcastMethod
    level: float
    at: NDArray[np.intp]
    estimate: Floats
    mean: Floats
    low: Floats
    high: Floats
    completeness: Floats
    reason: Codes
    draws: Floats
    extra: dict[str, Floats]

    @property
    def observed(self) -> Floats:
        return self.triangle.observed[:, self.at]

    @property
    def dates(self) -> NDArray[np.datetime64]:
        return self.triangle.dates[self.at]

    @property
    def names(self) -> tuple[str, ...]:
        return self.triangle.names

    @property
    def now(self) -> np.datetime64:
        """First day of the newest period."""
        return np.datetime64(self.triangle.dates[-1])

    def index(self, name: str) -> int:
        if name not in self.names:
            raise InputError(f"no series is called {name!r}", f"没有名为 {name!r} 的序列", field="series")
        return self.names.index(name)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict a series and period: reported, estimate, mean, low, high, completeness, reason."""
        observed = self.observed
        for i, name in enumerate(self.names):
            for k in range(self.at.size):
                yield {
                    "series": name,
                    "date": self.dates[k].astype(object),
                    "reported": _number(observed[i, k]),
                    "estimate": _number(self.estimate[i, k]),
                    "mean": _number(self.mean[i, k]),
                    "low": _number(self.low[i, k]),
                    "high": _number(self.high[i, k]),
                    "completeness": _number(self.completeness[i, k]),
                    "reason": NowcastReason(int(self.reason[i, k])).name.lower(),
                    "method": self.method.key,
                }

    def explain(self, lang: str = "en", *, series: int | str = 0, time: int = -1) -> str:
        """One sentence on one series and period (position in `at`; default the newest)."""
        from bihuan.epi.nowcast.sentences import explain

        i = self.index(series) if isinstance(series, str) else series
        if not -len(self.names) <= i < len(self.names) or not -self.at.size <= time < self.at.size:
            raise InputError(
                f"there are {len(self.names)} series and {self.at.size} periods",
                f"共有 {len(self.names)} 条序列、{self.at.size} 个时期",
                field="time",
            )
        return explain(self, lang, i, time)

    def plot(self, *, series: int | str = 0, lang: str = "en", path: str | None = None) -> Any:
        """A Matplotlib figure of reported and nowcast counts with interval; saved to `path` when given."""
        from bihuan.epi.figures.nowcast import plot_nowcast

        i = self.index(series) if isinstance(series, str) else series
        return plot_nowcast(self, series=i, lang=lang, path=path)


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
