"""Windows of time over which one reproduction number is taken to hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.series import Floats

#: Periods of a window when none are named: a week of days (Cori et al. 2013).
LENGTH = 7

Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Window w covers periods `start[w]` … `end[w]`, both included; the first period of a series is 1."""

    start: Positions
    end: Positions

    @property
    def n(self) -> int:
        return int(self.start.size)

    def sums(self, values: Floats) -> Floats:
        """Sum of values[..., t] over each window: … × windows."""
        length = self.end - self.start + 1
        if self.n and (length == length[0]).all():
            out = values[..., self.start - 1].copy()
            for step in range(1, int(length[0])):
                out += values[..., self.start - 1 + step]
            return out
        t = np.arange(1, values.shape[-1] + 1)[:, None]
        inside = (t >= self.start) & (t <= self.end)
        return np.asarray(values @ inside.astype(np.float64))


def windows(given: Any, *, n_times: int, first: int = 2) -> Windows:
    """`given` is (t_start, t_end), each a number or a list, or None for sliding weeks from period 2.

    Periods count from 1, as in the peer and in the tables. Raises InputError for windows that leave the
    series, begin before `first`, or end before they begin, and NotEnoughData for a series too short for one.
    """
    if given is None:
        return _sliding(n_times, first)
    try:
        t_start, t_end = given
    except (TypeError, ValueError):
        raise InputError(
            "windows are a pair: starts and ends", "windows 应为一对：起点与终点", field="windows"
        ) from None
    start, end = _whole(t_start), _whole(t_end)
    if start.size != end.size or not start.size:
        raise InputError(
            f"{start.size} window starts for {end.size} ends; they must pair up",
            f"窗口起点 {start.size} 个、终点 {end.size} 个；两者必须一一对应",
            field="windows",
        )
    wrong = (start < first) | (end > n_times) | (start > end)
    if wrong.any():
        w = int(np.argmax(wrong))
        raise InputError(
            f"window {start[w]} to {end[w]} must lie within periods {first} to {n_times}",
            f"窗口 {start[w]}–{end[w]} 须在第 {first} 期至第 {n_times} 期之内",
            field="windows",
        )
    return Windows(start, end)


def _sliding(n_times: int, first: int) -> Windows:
    start = np.arange(first, n_times - LENGTH + 2, dtype=np.intp)
    if not start.size:
        raise NotEnoughData(
            f"{n_times} periods are too few for a window of {LENGTH} after the first; name shorter windows",
            f"共 {n_times} 期，不足以在首期之后构成 {LENGTH} 期的窗口；请指定更短的窗口",
            field="windows",
        )
    return Windows(start, start + LENGTH - 1)


def _whole(values: ArrayLike) -> Positions:
    numbers = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if numbers.ndim != 1 or not (np.isfinite(numbers) & (numbers == np.floor(numbers))).all():
        raise InputError("windows begin and end at whole periods", "窗口起止必须是整数期数", field="windows")
    return numbers.astype(np.intp)
