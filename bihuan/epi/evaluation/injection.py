"""Series with known outbreaks: injected into baselines, or labelled by those who investigated them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.arguments import checked
from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats, Panel, panel

#: Logarithmic mean and standard deviation of an outbreak's days or weeks since its start (Noufaily 2013).
SHAPE = (0.0, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A panel and its outbreaks: `outbreak[i, t]` is 0, or the number (1, 2, …) of the outbreak of series i
    that period t belongs to. `added` holds the injected cases (None for real labels)."""

    panel: Panel
    outbreak: NDArray[np.int64]
    added: Floats | None = None

    @property
    def n_outbreaks(self) -> int:
        return int(self.outbreak.max(axis=1, initial=0).sum())


def labelled(counts: ArrayLike | Panel, outbreak: ArrayLike, **panel_kw: Any) -> Labelled:
    """Real series with labels: a run of labelled periods is one outbreak."""
    series = panel(counts, **panel_kw)
    marks = np.atleast_2d(np.asarray(outbreak, dtype=bool))
    if marks.shape != series.counts.shape:
        raise InputError(
            f"labels have shape {marks.shape} and counts {series.counts.shape}; they must agree",
            f"标注的形状为 {marks.shape}，计数为 {series.counts.shape}；两者必须一致",
            field="outbreak",
        )
    starts = marks & ~np.pad(marks, ((0, 0), (1, 0)))[:, :-1]
    return Labelled(series, np.where(marks, np.cumsum(starts, axis=1), 0).astype(np.int64))


@checked
def inject(
    counts: ArrayLike | Panel,
    *,
    size: float | Sequence[float] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    n_outbreaks: int = 1,
    newest: int | None = 49,
    deviation: ArrayLike | None = None,
    shape: tuple[float, float] = SHAPE,
    seed: int = 1,
    **panel_kw: Any,
) -> Labelled:
    """Add outbreaks to baselines (after Noufaily 2013).

    Of each series `n_outbreaks` begin at random in the `newest` periods (None: anywhere), apart from each
    other. An outbreak's size is Poisson with mean k times the standard deviation of the series where it
    begins, k drawn from `size`, and at least one case; each case falls a lognormal(`shape`) time after the
    start, in whole periods. `deviation` is that standard deviation by period; None estimates it from the
    series: the root of the larger of mean and variance of the 52 periods before. Unreported periods stay so.
    """
    series = panel(counts, **panel_kw)
    sizes = np.atleast_1d(np.asarray(size, dtype=np.float64))
    if not sizes.size or (sizes <= 0).any() or n_outbreaks < 1:
        raise InputError(
            "size must be above zero and n_outbreaks at least one",
            "size 必须大于零，n_outbreaks 至少为 1",
            field="size",
        )
    random = np.random.default_rng(seed)
    spread = _deviation(series) if deviation is None else np.asarray(deviation, dtype=np.float64)
    spread = np.broadcast_to(spread, series.counts.shape)
    begins = _starts(random, series, n_outbreaks, newest)
    added = np.zeros(series.counts.shape)
    number = np.zeros(series.counts.shape, dtype=np.int64)
    rows = np.arange(series.n_series)
    for k in range(n_outbreaks):
        start = begins[:, k]
        mean = random.choice(sizes, series.n_series) * spread[rows, start]
        _add(random, added, number, start, np.maximum(random.poisson(mean), 1), shape, k + 1)
    whole = Panel(series.counts + added, series.dates, series.frequency, series.names, series.population)
    return Labelled(whole, number, added)


def _add(
    random: np.random.Generator,
    added: Floats,
    number: NDArray[np.int64],
    start: NDArray[np.int64],
    cases: NDArray[np.int64],
    shape: tuple[float, float],
    label: int,
) -> None:
    """Spread each series' cases over time; what would fall after the end is left out."""
    n_times = added.shape[1]
    row = np.repeat(np.arange(start.size), cases)
    when = start[row] + np.floor(random.lognormal(*shape, size=row.size)).astype(np.int64)
    kept = when < n_times
    np.add.at(added, (row[kept], when[kept]), 1.0)
    last = start.copy()
    np.maximum.at(last, row[kept], when[kept])
    first = np.full(start.size, n_times - 1)
    np.minimum.at(first, row[kept], when[kept])
    t = np.arange(n_times)
    number[(t >= first[:, None]) & (t <= np.maximum(last, first)[:, None]) & (number == 0)] = label


def _starts(
    random: np.random.Generator, series: Panel, n_outbreaks: int, newest: int | None
) -> NDArray[np.int64]:
    """One start in each of `n_outbreaks` equal stretches of time: random, and apart from each other."""
    length = series.n_times if newest is None else min(newest, series.n_times)
    if length < 2 * n_outbreaks:
        raise InputError(
            f"{n_outbreaks} outbreaks do not fit into {length} periods",
            f"{length} 期内容不下 {n_outbreaks} 起暴发",
            field="n_outbreaks",
        )
    edges = np.linspace(series.n_times - length, series.n_times, n_outbreaks + 1).astype(np.int64)
    # The second half of a stretch is left to the outbreak when there is another after it.
    ends = np.where(np.arange(n_outbreaks) < n_outbreaks - 1, (edges[:-1] + edges[1:] + 1) // 2, edges[1:])
    return random.integers(edges[:-1], ends, size=(series.n_series, n_outbreaks))


def _deviation(series: Panel) -> Floats:
    """Root of the larger of mean and variance of the (up to) 52 periods before; at least one case."""
    known = ~np.isnan(series.counts)
    values = np.where(known, series.counts, 0.0)

    def trailing(x: Floats) -> Floats:
        total = np.pad(np.cumsum(x, axis=1), ((0, 0), (1, 0)))
        t = np.arange(series.n_times)
        return total[:, t] - total[:, np.maximum(t - 52, 0)]

    n = np.maximum(trailing(known.astype(np.float64)), 1.0)
    mean = trailing(values) / n
    variance = trailing(values**2) / n - mean**2
    return np.asarray(np.sqrt(np.maximum(np.maximum(mean, variance), 1.0)))
