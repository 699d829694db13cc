"""What any detector said, ours or a peer's, in one form: how suspicious each series and period is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bihuan.epi.detection.results import Bools, Detection, Reason
from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats, Panel


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Series × time, as long as the panel. `alarm` is the detector's own; `suspicion` orders periods (the
    higher the more suspicious), -inf where a guard held the alarm back; `assessed` says where it spoke."""

    name: str
    alarm: Bools
    suspicion: Floats
    assessed: Bools

    @property
    def has_order(self) -> bool:
        """Whether the threshold can be moved: a bare alarm cannot."""
        return bool(np.unique(self.suspicion[self.assessed]).size > 2)


Detector = Callable[[Panel], Detection] | Detection | Signals | Iterable[Mapping[str, Any]]


def signals_of(detector: Detector, series: Panel, *, name: str = "") -> Signals:
    """Run a detector over a panel, or read what it gave: a Detection, or rows of a table with `series`,
    `date` and any of `alarm`, `p_value`, `score` (as `Detection.rows()` gives them)."""
    if isinstance(detector, Signals):
        return detector
    if isinstance(detector, Detection):
        return _of_detection(detector, series, name)
    if callable(detector):
        found = detector(series)
        return signals_of(found, series, name=name or getattr(detector, "__name__", ""))
    return _of_rows(detector, series, name)


def _of_detection(found: Detection, series: Panel, name: str) -> Signals:
    held = found.reason == Reason.TOO_FEW_CASES
    assessed = (found.reason == Reason.ASSESSED) | held
    order = _order(found.p_value, found.score, found.alarm)
    order = np.where(held, -np.inf, order)
    return Signals(
        name or found.method.key,
        _spread(found.alarm & assessed, series, found.at, False).astype(bool),
        _spread(np.where(assessed, order, np.nan), series, found.at, np.nan),
        _spread(assessed, series, found.at, False).astype(bool),
    )


def _spread(values: Any, series: Panel, at: Any, empty: Any) -> Any:
    out = np.full(series.counts.shape, empty, dtype=np.asarray(values).dtype)
    out[:, at] = values
    return out


def _order(p_value: Floats, score: Floats, alarm: Bools) -> Floats:
    """By p-value where there is one (as −log p), else by score, else by the bare alarm."""
    if np.isfinite(p_value).any():
        with np.errstate(divide="ignore"):
            by_p = -np.log(np.maximum(p_value, 1e-300))
        return np.where(np.isnan(p_value), -np.inf, by_p)
    if np.isfinite(score).any():
        return np.where(np.isnan(score), -np.inf, score)
    return alarm.astype(np.float64)


def _of_rows(rows: Iterable[Mapping[str, Any]], series: Panel, name: str) -> Signals:
    shape = series.counts.shape
    alarm, assessed = np.zeros(shape, bool), np.zeros(shape, bool)
    p_value, score = np.full(shape, np.nan), np.full(shape, np.nan)
    row_of = {label: i for i, label in enumerate(series.names)}
    column_of = {str(day): t for t, day in enumerate(series.dates)}
    for number, row in enumerate(rows, start=1):
        i, t = row_of.get(str(row.get("series"))), column_of.get(str(row.get("date")))
        if i is None or t is None:
            raise InputError(
                f"row {number} speaks of {row.get('series')} on {row.get('date')}: not in the panel",
                f"第 {number} 行的 {row.get('series')} {row.get('date')} 不在序列中",
                field="series",
            )
        told = row.get("reason", "assessed") in ("assessed", "too_few_cases", "", None)
        assessed[i, t] = told
        alarm[i, t] = told and _truth(row.get("alarm"))
        p_value[i, t], score[i, t] = _number(row.get("p_value")), _number(row.get("score"))
    order = _order(p_value, score, alarm)
    return Signals(name, alarm, np.where(assessed, order, np.nan), assessed)


def _truth(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "1", "1.0", "yes")


def _number(value: Any) -> float:
    if value is None or str(value).strip() in ("", "NA", "NaN", "nan", "None"):
        return float("nan")
    return float(value)
