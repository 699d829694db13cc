"""Serial interval from pairs, incubation period from exposure windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np

from bihuan.epi.arguments import checked
from bihuan.epi.delays import times
from bihuan.epi.delays.estimate import QUANTILES
from bihuan.epi.delays.fit import POSITIVE, _checked, _last_moment, _windows, fit_windows
from bihuan.epi.delays.results import DelayDistribution
from bihuan.epi.errors import InputError


@checked
def serial_interval(
    infector_onset: Iterable[Any],
    infectee_onset: Iterable[Any],
    *,
    infector_latest: Iterable[Any] | None = None,
    infectee_latest: Iterable[Any] | None = None,
    until: date | str | float | None = None,
    families: Sequence[str] | None = None,
    growth_rate: float = 0.0,
    level: float = 0.95,
    quantiles: Sequence[float] = QUANTILES,
    bootstrap: int = 0,
    seed: int = 1,
) -> DelayDistribution:
    """Onset of the infector to onset of the infectee, both known to the day (or by a window).

    An infectee may fall ill first, so serial intervals can be negative (Du 2020). `families` None: where a
    pair is certainly negative only the normal is fitted, to all pairs; otherwise the positive families too.
    A positive family asked for by name leaves certainly negative pairs out, says how many (`impossible`), and
    describes the others only. `until`: the last day infectees' onsets were seen.
    """
    first, first_end = _windows(infector_onset, infector_latest, "infector_onset", "day")
    second, second_end = _windows(infectee_onset, infectee_latest, "infectee_onset", "day")
    times.same_axis(first, second)
    times.pair_up(first, second, names=("infector_onset", "infectee_onset"))
    if families is None:
        with np.errstate(invalid="ignore"):
            negative = (second_end <= first.values).any()
        families = ("normal",) if negative else ("normal", *POSITIVE)
    return fit_windows(
        (first.values, first_end, second.values, second_end),
        until=until,
        settings=_checked(families, level, growth_rate, bootstrap, seed, quantiles),
        censoring="double",
        what=("Serial interval", "代际间隔"),
    )


@checked
def incubation(
    exposure_start: Iterable[Any],
    exposure_end: Iterable[Any],
    onset: Iterable[Any],
    *,
    onset_latest: Iterable[Any] | None = None,
    earliest: date | str | float | None = None,
    until: date | str | float | None = None,
    families: Sequence[str] = POSITIVE,
    onset_precision: str = "day",
    growth_rate: float = 0.0,
    level: float = 0.95,
    quantiles: Sequence[float] = QUANTILES,
    bootstrap: int = 0,
    seed: int = 1,
) -> DelayDistribution:
    """Infection to onset, from the window in which a case was exposed (Reich 2009; Lauer 2020).

    The window runs from `exposure_start` to `exposure_end`, both days inclusive. An unknown end is the day of
    onset; an unknown start is `earliest` where given (when the source began, as 1 December 2019 in Lauer
    2020), else the record counts as missing. Infection comes before onset, so a window that runs past it
    ends with it; one that begins after it is `impossible`. `onset_precision` "exact" takes onset as a moment
    (single censoring), "day" as a whole day (double). Where infections grew in the window, as in Wuhan in
    January 2020, `growth_rate` a day corrects for late infections being likelier (Zhao 2020, BETS).
    """
    start = times.read(exposure_start, field="exposure_start")
    end = times.read(exposure_end, field="exposure_end")
    second, second_end = _windows(onset, onset_latest, "onset", onset_precision)
    times.same_axis(start, end, second)
    times.pair_up(start, second, names=("exposure_start", "onset"))
    times.pair_up(end, second, names=("exposure_end", "onset"))
    a = np.floor(start.values)
    if earliest is not None:
        a = np.where(np.isnan(a), _first_moment(earliest), a)
    with np.errstate(invalid="ignore"):
        backwards = np.floor(end.values) < np.floor(start.values)
    if backwards.any():
        i = int(np.argmax(backwards)) + 1
        raise InputError(
            f"exposure window {i} ends before it begins",
            f"第 {i} 个暴露时间窗止于起始之前",
            field="exposure_end",
        )
    b = np.where(np.isnan(end.values), second_end, np.floor(end.values) + 1.0)
    b = np.maximum(np.fmin(b, second_end), a + 0.0)
    return fit_windows(
        (a, b, second.values, second_end),
        until=until,
        settings=_checked(families, level, growth_rate, bootstrap, seed, quantiles),
        censoring="double" if onset_precision == "day" else "single",
        what=("Incubation period", "潜伏期"),
    )


def _first_moment(day: date | str | float) -> float:
    return _last_moment(day) - (0.0 if isinstance(day, int | float) else 1.0)
