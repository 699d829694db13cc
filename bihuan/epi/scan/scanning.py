"""The public functions: `scan` in space and time, `spatial_scan` in space alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.arguments import checked
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.scan.checks import baselines_of, coordinates, whole_counts
from bihuan.epi.scan.design import Design, Model, lay_out
from bihuan.epi.scan.inference import p_values, simulate
from bihuan.epi.scan.results import Cluster, Outcome, Scan
from bihuan.epi.scan.search import Found, apart, candidates, figures, relative_risk
from bihuan.epi.scan.zones import Distance, circles
from bihuan.epi.series import DAY, MONTH, Frequency, Panel, panel

Overlap = Literal["none", "any"]
Locations = Mapping[str, tuple[float, float]] | ArrayLike

#: Replications when none are asked for: the smallest p-value they can give is 1/1000 (SaTScan's default).
REPLICATIONS = 999
#: The widest circle and the longest window, as a share of the whole (SaTScan's defaults; Kulldorff 1997).
MAX_SHARE = 0.5
SEED = 20051
_DAYS: dict[Frequency, float] = {"daily": 1.0, "weekly": 7.0, "monthly": 365.25 / 12}


@checked
def scan(
    cases: ArrayLike | Panel,
    locations: Locations,
    *,
    model: Model = "permutation",
    prospective: bool = True,
    population: ArrayLike | None = None,
    baselines: ArrayLike | None = None,
    max_share: float = MAX_SHARE,
    nearest: int | None = None,
    max_duration: int | None = None,
    min_duration: int = 1,
    distance: Distance = "euclidean",
    overlap: Overlap = "none",
    max_p: float | None = 1.0,
    replications: int = REPLICATIONS,
    seed: int = SEED,
    threads: int | None = None,
    dates: Iterable[Any] | None = None,
    start: date | str | None = None,
    frequency: Frequency | None = None,
    names: Sequence[str] | None = None,
) -> Scan:
    """Where and when cases cluster: circles of every size around every place, windows of every length.

    `cases[i, t]` (or a Panel) at `locations` (place → (x, y), or rows in the same order; with distance
    "great_circle" (longitude, latitude)). Models:
    - "permutation": no population needed; the times of all cases are dealt anew (Kulldorff 2005).
    - "poisson": cases in proportion to `population` (per place, or place × time), given their total
      (Kulldorff 1997, 2001).
    - "expectation": against `baselines`, the cases expected (per place, or place × time; default: each
      place's mean before the longest window) (Neill 2005).
    Prospective windows end with the last period, retrospective ones anywhere. Circles hold at most
    `max_share` of the cases (permutation), people or baseline, or the `nearest` k places. Durations are in
    periods; the longest is by default half of the series. Clusters are listed while their p-value is below
    `max_p` (None: all), and overlap no earlier one in both place and time unless `overlap` is "any".
    Raises InputError for data that cannot be read as asked. No cases at all give a Scan without clusters.
    """
    _one_of("model", model, get_args(Model))
    _one_of("overlap", overlap, get_args(Overlap))
    _one_of("distance", distance, get_args(Distance))
    points, called = coordinates(locations, distance=distance, names=_names_of(cases, names))
    series = panel(cases, dates=dates, start=start, frequency=frequency, names=called)
    points = _in_order_of(series.names, points, called)
    counts = whole_counts(series)
    if len(points) != series.n_series:
        raise InputError(
            f"{len(points)} locations for {series.n_series} series of cases",
            f"{series.n_series} 条病例序列却有 {len(points)} 个地点",
            field="locations",
        )
    longest = _longest(max_duration, min_duration, series.n_times)
    expected = baselines_of(
        counts, model, population if population is not None else series.population, baselines, longest
    )
    _check_settings(max_share, nearest, replications)
    # Places are taken in the order of their names, so that the order they come in changes nothing.
    by_name = np.argsort(np.array(series.names), kind="stable")
    counts, expected, points = counts[by_name], expected[by_name], points[by_name]
    sorted_names = tuple(series.names[i] for i in by_name)
    if not counts.any():
        return _nothing(series, sorted_names, counts, expected, model, prospective, longest, seed)
    weights = expected.sum(axis=1)
    zones = circles(points, weights=weights, max_share=max_share, nearest=nearest, distance=distance)
    design = lay_out(
        counts, expected, zones, model=model, prospective=prospective, shortest=min_duration, longest=longest
    )
    simulated = simulate(design, replications=replications, seed=seed, threads=threads)
    clusters, outcome = _clusters(design, series, sorted_names, simulated, overlap == "any", max_p)
    return _scan(design, series, sorted_names, simulated, clusters, outcome, seed)


@checked
def spatial_scan(
    cases: ArrayLike | Mapping[str, int],
    locations: Locations,
    *,
    population: ArrayLike | None = None,
    baselines: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    **settings: Any,
) -> Scan:
    """Where cases cluster, time aside: circles over places (Kulldorff 1997). Takes `scan`'s settings for
    circles, replications and overlap; `baselines` instead of `population` scans against an expectation.
    """
    if isinstance(cases, Mapping):
        names = names or list(cases)
        cases = [cases[name] for name in names]
    column = np.atleast_1d(np.asarray(cases, dtype=np.float64))
    if column.ndim != 1:
        raise InputError(
            "a spatial scan takes one count a place; sum over time first, or use scan",
            "纯空间扫描每个地点只取一个计数；请先按时间合计，或使用 scan",
            field="cases",
        )
    if population is None and baselines is None:
        raise InputError(
            "a spatial scan needs the population (or baselines) of each place",
            "纯空间扫描需要各地点的人口数（或期望数）",
            field="population",
        )
    model: Model = "poisson" if baselines is None else "expectation"
    return scan(
        column[:, None], locations, model=model, prospective=False, population=population,
        baselines=baselines, max_duration=1, names=names, **settings,
    )  # fmt: skip


def _names_of(cases: ArrayLike | Panel, names: Sequence[str] | None) -> Sequence[str] | None:
    return cases.names if isinstance(cases, Panel) else names


def _in_order_of(
    names: tuple[str, ...], points: NDArray[np.float64], called: Sequence[str] | None
) -> NDArray[np.float64]:
    if called is None or tuple(called) == names:
        return points
    raise InputError(
        "the places of the cases are not those of the locations",
        "病例的地点与位置表不一致",
        field="locations",
    )


def _one_of(field: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(
            f"{field} {value!r} is not one of {', '.join(known)}",
            f"{field} {value!r} 不是 {'、'.join(known)} 之一",
            field=field,
        )


def _longest(max_duration: int | None, min_duration: int, periods: int) -> int:
    longest = max(1, periods // 2) if max_duration is None else max_duration
    if not 1 <= min_duration <= longest:
        raise InputError(
            f"windows of {min_duration} to {longest} periods cannot be; min_duration is at least 1 and "
            "at most max_duration",
            f"时间窗 {min_duration} 至 {longest} 期不成立；min_duration 至少为 1 且不大于 max_duration",
            field="max_duration",
        )
    if longest > periods:
        raise NotEnoughData(
            f"windows of up to {longest} periods need as many; there are {periods}",
            f"时间窗最长 {longest} 期，现仅有 {periods} 期",
            field="max_duration",
        )
    return longest


def _check_settings(max_share: float, nearest: int | None, replications: int) -> None:
    if not 0 < max_share <= 1:
        raise InputError(
            f"max_share {max_share:g} is not a share between 0 and 1",
            f"max_share {max_share:g} 不在 0 与 1 之间",
            field="max_share",
        )
    if nearest is not None and nearest < 1:
        raise InputError(
            "nearest counts the place itself; it is at least 1",
            "nearest 包含地点自身，至少为 1",
            field="nearest",
        )
    if replications < 0:
        raise InputError("replications cannot be negative", "重复次数不能为负", field="replications")


def _clusters(
    design: Design,
    series: Panel,
    names: tuple[str, ...],
    simulated: NDArray[np.float64],
    overlap: bool,
    max_p: float | None,
) -> tuple[tuple[Cluster, ...], Outcome]:
    lowest = float(simulated.min()) if simulated.size and max_p is not None else 0.0
    found = apart(candidates(design, floor=lowest * 0.999), overlap=overlap)
    if not found:
        return (), Outcome.ALL_BY_CHANCE if lowest > 0 else Outcome.NO_EXCESS
    ratios = np.array([one.llr for one in found])
    p, how = p_values(ratios, simulated)
    clusters: list[Cluster] = []
    for one, chance, method in zip(found, p, how, strict=True):
        if simulated.size and max_p is not None and chance >= max_p:
            continue
        known = simulated.size > 0
        clusters.append(
            _cluster(
                design, series, names, one, len(clusters) + 1,
                float(chance) if known else None, method if known else None,
            )
        )  # fmt: skip
    return tuple(clusters), Outcome.SCANNED if clusters else Outcome.ALL_BY_CHANCE


def _cluster(
    design: Design,
    series: Panel,
    names: tuple[str, ...],
    one: Found,
    rank: int,
    p: float | None,
    method: Any,
) -> Cluster:
    observed, expected = figures(design, one)
    recurrence = _DAYS[series.frequency] / p if design.prospective and p else None
    return Cluster(
        rank=rank,
        center=names[one.center],
        members=tuple(names[i] for i in sorted(one.members)),
        radius=design.zones.radius(one.center, one.k),
        first=series.dates[one.first].astype(object),
        last=_last_day(series, one.last),
        periods=one.last - one.first + 1,
        observed=observed,
        expected=expected,
        relative_risk=relative_risk(design, observed, expected),
        llr=one.llr,
        p_value=p,
        p_method=method,
        recurrence_days=recurrence,
    )


def _last_day(series: Panel, t: int) -> date:
    first = series.dates[t]
    if series.frequency == "monthly":
        month = first.astype("datetime64[M]") + MONTH
        return (month.astype("datetime64[D]") - DAY).astype(object)
    days = 6 if series.frequency == "weekly" else 0
    return first.astype(object) + timedelta(days=days)


def _scan(
    design: Design,
    series: Panel,
    names: tuple[str, ...],
    simulated: NDArray[np.float64],
    clusters: tuple[Cluster, ...],
    outcome: Outcome,
    seed: int,
) -> Scan:
    return Scan(
        model=design.model,
        prospective=design.prospective,
        spatial=series.n_times == 1,
        outcome=outcome,
        clusters=clusters,
        names=names,
        first=series.dates[0].astype(object),
        last=_last_day(series, series.n_times - 1),
        n_periods=series.n_times,
        days_a_period=_DAYS[series.frequency],
        n_zones=design.zones.n_zones,
        longest=design.longest,
        total=design.total,
        seed=seed,
        simulated=simulated,
        design=design,
    )


def _nothing(
    series: Panel,
    names: tuple[str, ...],
    counts: NDArray[np.int32],
    expected: NDArray[np.float64],
    model: Model,
    prospective: bool,
    longest: int,
    seed: int,
) -> Scan:
    """A scan of no cases: each place a zone by itself, nothing found, nothing simulated."""
    alone = circles(np.zeros((len(counts), 2)), weights=np.ones(len(counts)), nearest=1)
    design = lay_out(
        counts, expected, alone, model=model, prospective=prospective, shortest=1, longest=longest
    )
    return _scan(design, series, names, np.empty(0), (), Outcome.NO_CASES, seed)
