"""The distribution of a delay by maximum likelihood, from dates known to the day and seen up to a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np

from bihuan.epi.arguments import checked
from bihuan.epi.delays import times
from bihuan.epi.delays.estimate import QUANTILES, fit_family
from bihuan.epi.delays.families import FAMILIES
from bihuan.epi.delays.likelihood import Windows, gather, possible
from bihuan.epi.delays.results import DelayDistribution
from bihuan.epi.delays.summaries import RESPONSE_STEPS, Step
from bihuan.epi.errors import EpiError, InputError, NotEnoughData
from bihuan.epi.series import Floats

Precision = Literal["day", "exact"]
POSITIVE = ("gamma", "lognormal", "weibull")
#: Fewer records than this hold no two parameters: our own rule.
FEWEST = 5


@dataclass(frozen=True, slots=True)
class _Settings:
    families: tuple[str, ...]
    level: float
    growth: float
    bootstrap: int
    seed: int
    quantiles: tuple[float, ...]


@checked
def delay_distribution(
    start: Iterable[Any],
    end: Iterable[Any],
    *,
    start_latest: Iterable[Any] | None = None,
    end_latest: Iterable[Any] | None = None,
    until: date | str | float | None = None,
    families: Sequence[str] = POSITIVE,
    precision: Precision | tuple[Precision, Precision] = "day",
    growth_rate: float = 0.0,
    level: float = 0.95,
    quantiles: Sequence[float] = QUANTILES,
    bootstrap: int = 0,
    seed: int = 1,
    what: tuple[str, str] = ("Delay", "时间间隔"),
) -> DelayDistribution:
    """Fit gamma, lognormal, Weibull (or normal) to the delays from `start` to `end`, ranked by AIC.

    Each event lies in a window: from `start` to `start_latest` (both inclusive; the same day if None). With
    precision "day" a date is the whole day, so both ends are censored (Reich 2009); "exact" takes values as
    moments; a pair of them speaks of the two ends. `until`: the last day of observation; records that ended
    later are left out, and the likelihood is that of being seen by then (right truncation, Seaman 2022).
    `growth_rate` (a day) weights early and late moments in a window of the first event by exp(r·t).
    Intervals are Wald's on the free scale, by the delta method; with `bootstrap` > 0 percentiles of that many
    resamples. None and NaN are missing, never zero.
    """
    ends = (precision, precision) if isinstance(precision, str) else precision
    first, first_end = _windows(start, start_latest, "start", ends[0])
    second, second_end = _windows(end, end_latest, "end", ends[1])
    times.same_axis(first, second)
    times.pair_up(first, second, names=("start", "end"))
    settings = _checked(families, level, growth_rate, bootstrap, seed, quantiles)
    return fit_windows(
        (first.values, first_end, second.values, second_end),
        until=until,
        settings=settings,
        censoring={0: "none", 1: "single", 2: "double"}[_wide(first, first_end) + _wide(second, second_end)],
        what=what,
    )


def delays_by_step(
    columns: Mapping[str, Sequence[Any]],
    *,
    steps: Sequence[Step] = RESPONSE_STEPS,
    until: date | str | None = None,
    **options: Any,
) -> dict[str, DelayDistribution | EpiError]:
    """The distribution of each step of a case's way (onset, visit, test, result, report, isolation); a step
    that cannot be assessed holds the reason in its place. Options are those of `delay_distribution`."""
    found: dict[str, DelayDistribution | EpiError] = {}
    for step in steps:
        absent = [name for name in (step.start, step.end) if name not in columns]
        if absent:
            found[step.key] = NotEnoughData(
                f"not assessed because there is no column {absent[0]}", f"未评估：没有 {absent[0]} 列"
            )
            continue
        what = (f"From {step.start} to {step.end}", f"{step.start} 至 {step.end}")
        try:
            found[step.key] = delay_distribution(
                columns[step.start], columns[step.end], until=until, **({"what": what} | options)
            )
        except NotEnoughData as reason:
            found[step.key] = reason
    return found


def fit_windows(
    absolute: tuple[Floats, Floats, Floats, Floats],
    *,
    until: date | str | float | None,
    settings: _Settings,
    censoring: str,
    what: tuple[str, str],
) -> DelayDistribution:
    """Windows [a, b) and [c, d) on the axis of days; NaN where unknown. `delay_distribution` and the pairs
    come here."""
    a, b, c, d = absolute
    unknown = np.isnan(a) | np.isnan(b) | np.isnan(c) | np.isnan(d)
    cut = np.inf if until is None else _last_moment(until)
    later = ~unknown & (d > cut)
    kept = ~unknown & ~later
    windows = gather(a[kept], b[kept], c[kept], d[kept], np.full(int(kept.sum()), cut))
    positive = [key for key in settings.families if FAMILIES[key].positive]
    if positive and ((windows.width == 0) & (windows.low == 0) & (windows.high == 0)).any():
        raise InputError(
            f'a delay of exactly zero has no density under {positive[0]}; use precision "day"',
            f'{FAMILIES[positive[0]].label_zh}下恰为零的间隔没有密度；请改用按日精度（precision "day"）',
            field="precision",
        )
    fits_all = possible(windows)
    impossible = int(windows.weight[~fits_all].sum()) if positive else 0
    used = _take(windows, fits_all) if positive else windows
    if used.n < FEWEST:
        raise NotEnoughData(
            f"not assessed because only {used.n:.0f} records tell of this delay; {FEWEST} are needed",
            f"未评估：仅有 {used.n:.0f} 条记录可计算该间隔，至少需要 {FEWEST} 条",
        )
    _check_spread(used)
    fits = [
        fit_family(
            used,
            FAMILIES[key],
            growth=settings.growth,
            level=settings.level,
            quantiles=settings.quantiles,
            bootstrap=settings.bootstrap,
            seed=settings.seed,
        )
        for key in settings.families
    ]
    return DelayDistribution(
        what_en=what[0],
        what_zh=what[1],
        fits=tuple(sorted(fits, key=lambda fit: fit.aic)),
        n=int(used.n),
        missing=int(unknown.sum()),
        impossible=impossible,
        later=int(later.sum()),
        naive_mean=float(np.average(used.middle, weights=used.weight)),
        naive_median=float(np.median(np.repeat(used.middle, used.weight.astype(int)))),
        censoring=censoring,
        until=_shown(until),
        level=settings.level,
        growth_rate=settings.growth,
    )


def _check_spread(windows: Windows) -> None:
    same = [len(np.unique(part)) == 1 for part in (windows.width, windows.low, windows.high)]
    if all(same):
        raise NotEnoughData(
            "not assessed because all delays are equal: they have no spread to fit",
            "未评估：所有间隔相同，无法拟合其离散程度",
        )


def _take(windows: Windows, rows: np.ndarray) -> Windows:
    parts = (windows.width, windows.low, windows.high, windows.cut, windows.weight)
    return Windows(*(part[rows] for part in parts))


def _windows(
    earliest: Iterable[Any], latest: Iterable[Any] | None, field: str, precision: str
) -> tuple[times.Times, Floats]:
    """Start and end of each window; a window that ends before it begins is an InputError."""
    if precision not in ("day", "exact"):
        raise InputError(
            f"precision {precision!r} is not day or exact",
            f"precision {precision!r} 不是 day 或 exact",
            field="precision",
        )
    low = times.read(earliest, field=field)
    high = low if latest is None else times.read(latest, field=f"{field}_latest")
    if latest is not None:
        times.pair_up(low, high, names=(field, f"{field}_latest"))
        times.same_axis(low, high)
    backwards = high.values < low.values
    if backwards.any():
        i = int(np.argmax(backwards)) + 1
        raise InputError(
            f"the window of {field} {i} ends before it begins",
            f"{field} 第 {i} 个时间窗止于起始之前",
            field=f"{field}_latest",
        )
    if precision == "exact":
        return low, high.values
    return times.Times(np.floor(low.values), low.dated), np.floor(high.values) + 1.0


def _wide(first: times.Times, end: Floats) -> bool:
    return bool((end > first.values).any())


def _last_moment(until: date | str | float) -> float:
    """The end of the day `until`; a number is a moment on the caller's own axis."""
    given = times.read([until], field="until")
    if np.isnan(given.values[0]):
        raise InputError("until is empty", "截止日期为空", field="until")
    return float(np.floor(given.values[0]) + 1.0) if given.dated else float(given.values[0])


def _shown(until: date | str | float | None) -> date | float | None:
    if until is None or isinstance(until, int | float):
        return until
    days = times.read([until], field="until").values[0]
    return date(1970, 1, 1) + timedelta(days=int(days))


def _checked(
    families: Sequence[str],
    level: float,
    growth: float,
    bootstrap: int,
    seed: int,
    quantiles: Sequence[float],
) -> _Settings:
    wrong = [key for key in families if key not in FAMILIES]
    if wrong or not families:
        raise InputError(
            f"families are {', '.join(FAMILIES)}; {wrong[0] if wrong else 'none'!r} is not one of them",
            f"分布应为 {', '.join(FAMILIES)} 之一",
            field="families",
        )
    if not 0 < level < 1:
        raise InputError(
            f"level is {level}; it lies between 0 and 1", f"置信水平 {level} 应在 0 与 1 之间", field="level"
        )
    if not np.isfinite(growth):
        raise InputError("growth_rate must be a number", "增长率必须是数字", field="growth_rate")
    if bootstrap < 0:
        raise InputError("bootstrap must not be negative", "自助法次数不能为负", field="bootstrap")
    asked = tuple(sorted({0.5, *quantiles}))
    if asked[0] <= 0 or asked[-1] >= 1:
        raise InputError("quantiles lie between 0 and 1", "分位数应在 0 与 1 之间", field="quantiles")
    return _Settings(tuple(dict.fromkeys(families)), level, growth, bootstrap, seed, asked)
