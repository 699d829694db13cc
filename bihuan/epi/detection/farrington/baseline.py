"""Which earlier periods are the baseline of a period, and in which season block each of them lies.

The baseline of Farrington et al. (1996) are windows of 2w + 1 periods around the same date of the b years
before. Noufaily et al. (2013) use every period since the first window instead, the rest of each
year cut into blocks of (nearly) equal length that repeat from year to year: a factor with no_periods levels,
level 0 being the windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.detection.farrington.settings import Settings
from bihuan.epi.series import Floats, Panel

Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Baselines:
    """Arrays are assessed periods × baseline periods, padded at the end where `member` is False.

    `time` is counted from the assessed period in steps of the series; `known` says for each assessed period
    whether the series reaches back far enough.
    """

    at: Ints
    positions: Ints
    member: NDArray[np.bool_]
    block: Ints
    time: Floats
    known: NDArray[np.bool_]


def baselines(panel: Panel, at: Ints, settings: Settings) -> Baselines:
    """The baseline of each position in `at`."""
    references = _references(panel, at, settings)
    windows = np.column_stack([references, at])
    first = np.maximum(references[:, 0] - settings.w, 0)
    last = at - settings.past_not_included
    # A first window that begins one period before the series is used without it, as the peer does.
    known = (references[:, 0] >= 0) & (references[:, 0] - settings.w >= -1) & (last > first)
    length = int(np.max(np.where(known, last - first, 0), initial=0))
    grid = first[:, None] + np.arange(length)
    block = _blocks(grid, windows, settings)
    member = known[:, None] & (grid < last[:, None]) & (block < settings.no_periods)
    order = np.argsort(~member, axis=1, kind="stable")[:, : int(member.sum(axis=1).max(initial=0))]
    member = np.take_along_axis(member, order, axis=1)
    grid = np.where(member, np.take_along_axis(grid, order, axis=1), 0)
    block = np.where(member, np.take_along_axis(block, order, axis=1), 0)
    return Baselines(at, grid, member, block, _time(panel, grid, at, settings), known)


def _references(panel: Panel, at: Ints, settings: Settings) -> Ints:
    """Position of the same date in each of the b years before, oldest first; negative before the series.

    By date: the same day of the month, for weeks the week that begins nearest to it (29 February is 1 March
    in other years). Otherwise so many periods back.
    """
    years = np.arange(settings.b, 0, -1)
    if not settings.by_date or panel.frequency == "monthly":
        length = 12 if settings.by_date else settings.periods_a_year
        return at[:, None] - years * length
    days = panel.dates[at]
    months = days.astype("datetime64[M]")
    into_month = days - months.astype("datetime64[D]")
    same_day = (months[:, None] - 12 * years).astype("datetime64[D]") + into_month[:, None]
    since_first = (same_day - panel.dates[0]).astype(np.int64)
    step = 7 if panel.frequency == "weekly" else 1
    return ((since_first + step // 2) // step).astype(np.intp)


def _blocks(grid: Ints, windows: Ints, settings: Settings) -> Ints:
    """Season block of each position of `grid`; no_periods for what lies outside the windows without blocks.

    Between two windows the blocks take turns, the first ones longer by one where the length does not divide.
    """
    w, rest = settings.w, settings.no_periods - 1
    segment = np.sum(grid[:, :, None] + w >= windows[:, None, :], axis=2) - 1
    segment = np.clip(segment, 0, windows.shape[1] - 1)
    start = np.take_along_axis(windows, segment, axis=1) + w + 1
    into = grid - start
    if rest == 0:
        return np.where(into < 0, 0, settings.no_periods)
    following = np.column_stack([windows[:, 1:], windows[:, -1:] + settings.periods_a_year])
    gap = np.maximum(np.take_along_axis(following, segment, axis=1) - w - start, 0)
    short, longer = np.divmod(gap, rest)
    turn = longer * (short + 1)
    late = longer + (into - turn) // np.maximum(short, 1)
    return np.where(into < 0, 0, 1 + np.where(into < turn, into // (short + 1), late))


def _time(panel: Panel, grid: Ints, at: Ints, settings: Settings) -> Floats:
    """Steps from the assessed period: positions, or by date days in units of the first step of the series."""
    if not (settings.by_date and settings.time_by_date) or panel.n_times < 2:
        return (grid - at[:, None]).astype(np.float64)
    days = (panel.dates[grid] - panel.dates[at][:, None]).astype(np.float64)
    return days / float((panel.dates[1] - panel.dates[0]).astype(np.int64))
