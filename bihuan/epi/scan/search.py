"""From ratios to clusters: each center's best windows, ranked, none overlapping an earlier one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.scan import kernel
from bihuan.epi.scan.design import Design
from bihuan.epi.scan.results import Window
from bihuan.epi.series import Floats

#: Windows apart in time that one center may give to the ranking.
WINDOWS_A_CENTER = 8
#: Digits at which two ratios count as one, so that the order of addition decides nothing.
_DIGITS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A zone and a window of periods (0-based, `last` inclusive)."""

    center: int
    k: int
    first: int
    last: int
    llr: float
    members: frozenset[int]


def candidates(design: Design, *, floor: float = 0.0) -> list[Found]:
    """Of each center the best windows apart in time, with a ratio above `floor`; most likely first."""
    most = 1 if design.prospective else WINDOWS_A_CENTER
    scores, where = kernel.best_windows(
        design.sums(), design.means, design.zones.order, design.zones.sizes, float(design.total), design.kind,
        design.prospective, design.shortest, design.longest, most, max(floor, 0.0),
    )  # fmt: skip
    found = []
    for center, pick in np.argwhere(scores > 0):
        k, low, high = (int(x) for x in where[center, pick])
        first, last = design.period_of(low, high)
        members = frozenset(int(i) for i in design.zones.members(center, k))
        found.append(Found(int(center), k, first, last, float(scores[center, pick]), members))
    return sorted(found, key=lambda one: (-round(one.llr, _DIGITS), one.k, one.center, one.first))


def apart(found: list[Found], *, overlap: bool = False) -> list[Found]:
    """Those that share neither a place at the same time with a more likely one (all of them if `overlap`)."""
    if overlap:
        return found
    kept: list[Found] = []
    for one in found:
        if not any(_overlap(one, other) for other in kept):
            kept.append(one)
    return kept


def _overlap(one: Found, other: Found) -> bool:
    if one.first > other.last or other.first > one.last:
        return False
    return not one.members.isdisjoint(other.members)


def figures(design: Design, one: Found) -> tuple[int, float]:
    """Cases observed and expected."""
    rows = sorted(one.members)
    return (
        int(design.counts[rows, one.first : one.last + 1].sum()),
        float(design.baselines[rows, one.first : one.last + 1].sum()),
    )


def relative_risk(design: Design, observed: int, expected: float) -> float | None:
    """Rate inside over rate outside; for an expectation-based scan observed over expected; None for a
    permutation scan, which knows no rates.
    """
    if design.model == "permutation" or expected <= 0:
        return None
    if design.model == "expectation":
        return observed / expected
    rest, rest_expected = design.total - observed, design.baselines.sum() - expected
    return (observed / expected) / (rest / rest_expected) if rest > 0 < rest_expected else float("inf")


def ranked_windows(design: Design, names: tuple[str, ...], most: int) -> list[Window]:
    """The most likely windows of a prospective scan, each set of places with each duration once."""
    if not design.prospective:
        return [
            _window(design, names, one.members, one.first, one.last, one.llr)
            for one in candidates(design)[:most]
        ]
    scores = kernel.every_window(
        design.sums(), design.means, design.zones.order, design.zones.sizes, float(design.total), design.kind,
        design.shortest, design.longest,
    )  # fmt: skip
    listed: dict[tuple[frozenset[int], int], float] = {}
    periods = design.counts.shape[1]
    for center, k, d in _descending(scores):
        members = frozenset(int(i) for i in design.zones.members(center, k + 1))
        listed.setdefault((members, d), float(scores[center, k, d]))
        if len(listed) == most:
            break
    return [
        _window(design, names, members, periods - d, periods - 1, llr) for (members, d), llr in listed.items()
    ]


def _descending(scores: Floats) -> NDArray[np.intp]:
    """Places of the positive scores, highest first; of equal ones the smaller zone, then the shorter time."""
    at = np.argwhere(scores > 0)
    values = np.round(scores[tuple(at.T)], _DIGITS)
    return np.asarray(at[np.lexsort((at[:, 0], at[:, 2], at[:, 1], -values))])


def _window(
    design: Design, names: tuple[str, ...], members: frozenset[int], first: int, last: int, llr: float
) -> Window:
    found = Found(0, len(members), first, last, llr, members)
    observed, expected = figures(design, found)
    risk = relative_risk(design, observed, expected)
    called = tuple(names[i] for i in sorted(members))
    return Window(called, last - first + 1, observed, expected, risk, llr)
