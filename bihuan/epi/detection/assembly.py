"""Putting a Detection together: which periods are asked for; what was not computed stands as NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.detection.results import Detection, Method, Reason
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.series import PERIODS_A_YEAR, Floats, Panel

At = int | Sequence[int] | NDArray[np.intp] | None
Start = int | date | str | None


def positions(panel: Panel, at: At) -> NDArray[np.intp]:
    """Positions in time, ascending; None means every period, -1 the newest. InputError when outside."""
    if at is None:
        return np.arange(panel.n_times)
    asked = np.unique(_whole(at))
    whole = np.where(asked < 0, asked + panel.n_times, asked)
    if whole.size == 0 or whole.min() < 0 or whole.max() >= panel.n_times:
        raise InputError(
            f"there are {panel.n_times} periods; `at` must name some of 0 to {panel.n_times - 1}",
            f"共有 {panel.n_times} 期；`at` 应为 0 至 {panel.n_times - 1} 之间的位置",
            field="at",
        )
    return np.unique(whole)


def _whole(at: At) -> NDArray[np.intp]:
    try:
        given = np.atleast_1d(np.asarray(at, dtype=np.float64))
    except (TypeError, ValueError):
        given = np.array([np.nan])
    if not np.array_equal(given, np.round(given)):
        raise InputError(
            f"`at` must be whole positions in time; it is {at!r}",
            f"`at` 应为整数位置；现为 {at!r}",
            field="at",
        )
    return given.astype(np.intp)


def first_monitored(panel: Panel, start: Start, *, least: int = 1) -> int:
    """Where monitoring begins: `start` (a position or a date), else after one year, else after half of what
    there is. At least `least` periods must stand before it, to estimate from.
    """
    if start is None:
        start = max(min(PERIODS_A_YEAR[panel.frequency], panel.n_times // 2), least)
    elif not isinstance(start, int | np.integer):
        start = int(np.searchsorted(panel.dates, _day(start)))
    if start < 0:
        start += panel.n_times
    if start < least or start >= panel.n_times:
        raise NotEnoughData(
            f"monitoring must begin after {least} of {panel.n_times} periods at the earliest, and in them",
            f"监测起点之前至少应有 {least} 期，且不晚于第 {panel.n_times} 期",
            field="monitor_from",
        )
    return int(start)


def _day(day: date | str) -> np.datetime64:
    try:
        return np.datetime64(str(day), "D")
    except ValueError:
        raise InputError(
            f"{day!r} is not a date; write it as 2020-02-05",
            f"{day!r} 不是日期；请写成 2020-02-05",
            field="monitor_from",
        ) from None


def missing(panel: Panel, at: NDArray[np.intp]) -> Floats:
    """NaN, series × assessed periods."""
    return np.full((panel.n_series, at.size), np.nan)


def assemble(
    panel: Panel,
    method: Method,
    at: NDArray[np.intp],
    *,
    reason: NDArray[np.uint8],
    alarm: NDArray[np.bool_],
    expected: Floats | None = None,
    upper: Floats | None = None,
    score: Floats | None = None,
    p_value: Floats | None = None,
    extra: dict[str, Floats] | None = None,
) -> Detection:
    """A Detection in which what was not assessed has no numbers and no alarm.

    A period without a count is NOT_REPORTED, but keeps expected and upper bound where they are known.
    """
    unreported = np.isnan(panel.counts[:, at]) & (reason == Reason.ASSESSED)
    reason = np.where(unreported, np.uint8(Reason.NOT_REPORTED), reason).astype(np.uint8)
    judged = (reason == Reason.ASSESSED) | (reason == Reason.TOO_FEW_CASES)
    known = judged | (reason == Reason.NOT_REPORTED)

    def shown(values: Floats | None, where: NDArray[np.bool_]) -> Floats:
        return missing(panel, at) if values is None else np.where(where, values, np.nan)

    return Detection(
        panel=panel,
        method=method,
        at=at,
        expected=shown(expected, known),
        upper=shown(upper, known),
        score=shown(score, judged),
        p_value=shown(p_value, judged),
        alarm=np.asarray(alarm, dtype=bool) & (reason == Reason.ASSESSED),
        reason=reason,
        extra=extra or {},
    )


def monitored(found: Detection, at: At) -> Detection:
    """A chart's Detection at the periods asked for; None leaves it as it is, from its start to the end.

    Periods before monitoring began have no numbers and the reason NOT_ASKED.
    """
    if at is None:
        return found
    where = positions(found.panel, at)
    place = np.searchsorted(found.at, where)
    inside = where >= found.at[0]
    place = np.where(inside, place, 0)

    def cut(values: Floats) -> Floats:
        return np.where(inside, values[:, place], np.nan)

    return replace(
        found,
        at=where,
        expected=cut(found.expected),
        upper=cut(found.upper),
        score=cut(found.score),
        p_value=cut(found.p_value),
        alarm=found.alarm[:, place] & inside,
        reason=np.where(inside, found.reason[:, place], np.uint8(Reason.NOT_ASKED)).astype(np.uint8),
        extra={k: cut(v) if v.ndim == 2 else v for k, v in found.extra.items()},
    )


def check_above(name: str, value: float, least: float = 0.0, *, below: float = np.inf) -> float:
    """`value` when it lies strictly between the two bounds; else InputError naming the parameter."""
    if not least < value < below:
        bound = f" and below {below:g}" if np.isfinite(below) else ""
        limit = f"且小于 {below:g}" if np.isfinite(below) else ""
        raise InputError(
            f"{name} must be above {least:g}{bound}; it is {value:g}",
            f"参数 {name} 应大于 {least:g}{limit}；现为 {value:g}",
            field=name,
        )
    return value


def check_one_of(name: str, value: str, known: Sequence[str]) -> str:
    """`value` when it is known; else InputError listing what there is."""
    if value not in known:
        raise InputError(
            f"{name} {value!r} is not one of {', '.join(known)}",
            f"参数 {name} 的取值 {value!r} 不在 {'、'.join(known)} 之中",
            field=name,
        )
    return value
