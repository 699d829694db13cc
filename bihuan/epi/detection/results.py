"""What a detector says of each series and period: expected, upper bound, score, p-value, alarm, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats, Panel

Bools = NDArray[np.bool_]
Codes = NDArray[np.uint8]


class Reason(IntEnum):
    """Why a period was or was not assessed, or why an alarm was held back."""

    ASSESSED = 0
    SHORT_HISTORY = 1  # fewer earlier periods than the baseline asks for
    NOT_REPORTED = 2  # the period itself has no count
    GAP_IN_BASELINE = 3  # too many periods of the baseline have no count
    TOO_FEW_CASES = 4  # a small-count guard held the alarm back (limit54, minimum count)
    NO_VARIATION = 5  # the baseline has no variance and the guard is on
    NO_CONVERGENCE = 6  # the regression did not settle
    NOT_ASKED = 7
    MARKED = 8  # the caller knows why the count moved: a change of definition, a correction


REASONS: dict[Reason, tuple[str, str]] = {
    Reason.ASSESSED: ("assessed", "已评估"),
    Reason.SHORT_HISTORY: (
        "not assessed because the history is shorter than the baseline asks for",
        "未评估：历史长度不足以构成基线",
    ),
    Reason.NOT_REPORTED: ("not assessed because the period was not reported", "未评估：本期未报告"),
    Reason.GAP_IN_BASELINE: (
        "not assessed because too many periods of the baseline were not reported",
        "未评估：基线中缺报过多",
    ),
    Reason.TOO_FEW_CASES: ("no alarm because there are too few cases", "病例过少，不作预警"),
    Reason.NO_VARIATION: (
        "not assessed because the baseline does not vary and the count is small",
        "未评估：基线无变化且计数很小",
    ),
    Reason.NO_CONVERGENCE: ("not assessed because the regression did not settle", "未评估：回归未收敛"),
    Reason.MARKED: (
        "no alarm because the period is marked as a change of definition or a correction",
        "本期已标记为定义变更或数据订正，不作预警",
    ),
    Reason.NOT_ASKED: ("not assessed because nobody asked for this period", "未评估：未要求评估本期"),
}


@dataclass(frozen=True, slots=True)
class Method:
    """A detector by name, with the paper it comes from and a word on its baseline."""

    key: str
    label_en: str
    label_zh: str
    paper: str
    baseline_en: str = ""
    baseline_zh: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """Arrays are series × assessed periods (`at`: positions in the panel's time), NaN where not known.

    `score` is on the method's own scale (its docstring says which); `extra` holds what only this method has.
    """

    panel: Panel
    method: Method
    at: NDArray[np.intp]
    expected: Floats
    upper: Floats
    score: Floats
    p_value: Floats
    alarm: Bools
    reason: Codes
    extra: dict[str, Floats] = field(default_factory=dict)

    @property
    def observed(self) -> Floats:
        return self.panel.counts[:, self.at]

    @property
    def dates(self) -> NDArray[np.datetime64]:
        return self.panel.dates[self.at]

    def rows(self, *, alarms_only: bool = False) -> Iterator[dict[str, Any]]:
        """One dict a series and period: observed, expected, upper, score, p_value, alarm, reason."""
        observed = self.observed
        for i, t in np.argwhere(self.alarm if alarms_only else np.ones_like(self.alarm)):
            yield {
                "series": self.panel.names[i],
                "date": self.dates[t].astype(object),
                "observed": _number(observed[i, t]),
                "expected": _number(self.expected[i, t]),
                "upper": _number(self.upper[i, t]),
                "score": _number(self.score[i, t]),
                "p_value": _number(self.p_value[i, t]),
                "alarm": bool(self.alarm[i, t]),
                "reason": Reason(int(self.reason[i, t])).name.lower(),
                "method": self.method.key,
            }

    def explain(self, lang: str = "en", *, series: int | str = 0, time: int = -1) -> str:
        """One sentence on one series and assessed period (position in `at`; default the newest)."""
        from bihuan.epi.detection.sentences import explain

        i = self.panel.index(series) if isinstance(series, str) else series
        if not -self.panel.n_series <= i < self.panel.n_series or not -self.at.size <= time < self.at.size:
            raise InputError(
                f"there are {self.panel.n_series} series and {self.at.size} assessed periods",
                f"共有 {self.panel.n_series} 条序列、{self.at.size} 个评估时点",
                field="time",
            )
        return explain(self, lang, i, time)

    def plot(self, *, series: int | str = 0, lang: str = "en", path: str | None = None) -> Any:
        """A Matplotlib figure of counts, expected, upper bound and alarms; saved to `path` when given."""
        from bihuan.epi.figures.detection import plot_detection

        i = self.panel.index(series) if isinstance(series, str) else series
        return plot_detection(self, series=i, lang=lang, path=path)


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
