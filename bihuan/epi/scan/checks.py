"""Reading what is handed to a scan: whole counts, coordinates, what is expected of each place and period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.scan.design import Model
from bihuan.epi.scan.zones import Distance
from bihuan.epi.series import Floats, Panel

#: More cases than single precision counts exactly.
_MOST_CASES = 2**24
#: Cases added to the mean of a place that had none before, so that a first case is not infinitely unlikely.
_HALF = 0.5


def whole_counts(series: Panel) -> NDArray[np.int32]:
    """The counts as whole numbers. InputError names the place and period that is empty or not whole."""
    counts = series.counts
    for wrong, en, zh in (
        (
            np.isnan(counts),
            "was not reported; a missing report is not a zero. Fill it, or leave the place or the period out",
            "未报告；缺报不等于零。请补报，或去掉该地点或该期",
        ),
        (counts != np.floor(counts), "is not a whole number", "不是整数"),
    ):
        if wrong.any():
            i, t = (int(k) for k in np.argwhere(wrong)[0])
            raise InputError(
                f"the count of {series.names[i]} on {series.dates[t]} {en}",
                f"{series.names[i]} 在 {series.dates[t]} 的计数{zh}",
                field="cases",
            )
    if counts.sum() >= _MOST_CASES:
        raise InputError(
            f"{counts.sum():.0f} cases are more than a scan counts exactly ({_MOST_CASES}); scan parts",
            f"{counts.sum():.0f} 例超出扫描可精确计数的上限（{_MOST_CASES}）；请分区扫描",
            field="cases",
        )
    return counts.astype(np.int32)


def coordinates(
    locations: Mapping[str, tuple[float, float]] | ArrayLike,
    *,
    distance: Distance,
    names: Sequence[str] | None,
) -> tuple[Floats, Sequence[str] | None]:
    """Points in the order of `names` (or of the mapping), and the names."""
    if isinstance(locations, Mapping):
        names = list(locations) if names is None else names
        missing = [name for name in names if name not in locations]
        if missing:
            raise InputError(
                f"{missing[0]!r} has cases but no location ({len(missing)} places in all)",
                f"{missing[0]!r} 有病例但无位置（共 {len(missing)} 处）",
                field="locations",
            )
        locations = [locations[name] for name in names]
    points = _floats(locations, "locations", "location")
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise InputError(
            f"locations are pairs of numbers, one pair a place; they have shape {points.shape}",
            f"位置应为每地点一对数字；现形状为 {points.shape}",
            field="locations",
        )
    if not np.isfinite(points).all():
        where = int(np.argwhere(~np.isfinite(points))[0, 0])
        place = names[where] if names is not None and where < len(names) else f"{where + 1}"
        raise InputError(f"the location of {place} is not known", f"{place} 的位置未知", field="locations")
    if distance == "great_circle" and (np.abs(points) > (180, 90)).any():
        raise InputError(
            "great-circle locations are (longitude, latitude) in degrees, within ±180 and ±90",
            "大圆距离的位置为（经度，纬度），单位为度，不超过 ±180 与 ±90",
            field="locations",
        )
    return points, names


def baselines_of(
    counts: NDArray[np.int32],
    model: Model,
    population: ArrayLike | None,
    baselines: ArrayLike | None,
    longest: int,
) -> Floats:
    """Cases expected of each place and period if nothing clusters."""
    total = float(counts.sum())
    if model == "permutation":
        # Kulldorff 2005: the product of what the place and what the period have of all cases.
        return np.asarray(np.outer(counts.sum(axis=1), counts.sum(axis=0)) / (total or 1.0))
    if model == "poisson":
        if population is None:
            raise InputError(
                "the Poisson scan needs the population of each place; without one, use model='permutation'",
                "泊松扫描需要各地点人口数；没有时请用 model='permutation'",
                field="population",
            )
        people = _spread(population, counts.shape, "population")
        expected = np.asarray(people * (total / people.sum()))
    elif baselines is None:
        expected = _mean_before(counts, longest)
    else:
        expected = _spread(baselines, counts.shape, "baselines")
    impossible = (counts > 0) & (expected <= 0)
    if impossible.any():
        i, t = (int(k) for k in np.argwhere(impossible)[0])
        raise InputError(
            f"place {i + 1} has {counts[i, t]} cases in period {t + 1} where none can be expected "
            "(population or baseline 0)",
            f"第 {i + 1} 个地点第 {t + 1} 期有 {counts[i, t]} 例，而其人口或期望为 0",
            field="population" if model == "poisson" else "baselines",
        )
    return expected


def _mean_before(counts: NDArray[np.int32], longest: int) -> Floats:
    periods = counts.shape[1] - longest
    if periods < 1:
        raise NotEnoughData(
            "without baselines, an expectation-based scan needs periods before its longest window; give "
            "baselines or a shorter max_duration",
            "未给期望数时，最长时间窗之前须有历史；请提供 baselines 或缩短 max_duration",
            field="baselines",
        )
    mean = np.maximum(counts[:, :periods].sum(axis=1), _HALF) / periods
    return np.repeat(mean[:, None], counts.shape[1], axis=1)


def _spread(values: ArrayLike, shape: tuple[int, ...], field: str) -> Floats:
    numbers = _floats(values, field, field)
    if numbers.ndim == 1:
        numbers = numbers[:, None]
    try:
        numbers = np.broadcast_to(numbers, shape)
    except ValueError:
        raise InputError(
            f"{field} are one number a place, or place × time ({shape[0]} × {shape[1]}); they have shape "
            f"{numbers.shape}",
            f"{field} 应为每地点一个数，或“地点 × 时间”（{shape[0]} × {shape[1]}）；现形状为 {numbers.shape}",
            field=field,
        ) from None
    if not np.isfinite(numbers).all() or (numbers < 0).any() or not numbers.any():
        raise InputError(
            f"{field} must be known, not negative, and not all zero",
            f"{field} 必须已知、非负且不全为零",
            field=field,
        )
    return numbers.astype(np.float64)


def _floats(values: Any, field: str, word: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"a {word} is not a number", f"{field} 中有非数字", field=field) from None
