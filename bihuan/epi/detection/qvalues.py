"""Many series tested at once: p-values adjusted so that few of the alarms are false.

A series that was not assessed (NaN) is not counted among the tests and stays NaN.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.detection.assembly import check_one_of
from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats

Adjustment = Literal["bh", "by", "holm", "hommel", "bonferroni"]
_STEP_UP = ("bh", "by")


def q_values(p: ArrayLike, *, method: Adjustment = "bh") -> Floats:
    """Adjusted p-values, of the shape of `p`; all its entries are one family of tests.

    "bh" Benjamini and Hochberg 1995 (false discovery rate, independent or positively dependent tests),
    "by" Benjamini and Yekutieli 2001 (any dependence), and for the family-wise error rate "holm" 1979,
    "hommel" 1988 and "bonferroni".
    """
    check_one_of("method", method, ("bh", "by", "holm", "hommel", "bonferroni"))
    values = _checked(p)
    out = np.full(values.shape, np.nan)
    known = np.isfinite(values)
    if known.any():
        out[known] = _adjust(values[known], method)
    return out


def simes(p: ArrayLike, *, axis: int = -1) -> Floats:
    """One p-value for the claim that none of these series is unusual: min n·p(i)/i (Simes 1986)."""
    ordered = np.sort(_checked(p), axis=axis)  # NaN goes last
    n = np.isfinite(ordered).sum(axis=axis, keepdims=True)
    shape = [1] * ordered.ndim
    shape[axis] = ordered.shape[axis]
    rank = np.arange(1, ordered.shape[axis] + 1).reshape(shape)
    scaled = np.where(np.isfinite(ordered), ordered * n / rank, np.inf)
    found = np.minimum(scaled.min(axis=axis), 1.0)
    return np.asarray(np.where(n.squeeze(axis) > 0, found, np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class HierarchicalQ:
    """Groups in order of first appearance with their p (Simes) and q; and q of every series."""

    groups: tuple[Hashable, ...]
    group_p: Floats
    group_q: Floats
    q: Floats

    def group(self, name: Hashable) -> float:
        """q-value of one group; InputError when there is none of this name."""
        if name not in self.groups:
            raise InputError(f"there is no group {name!r}", f"没有组 {name!r}", field="groups")
        return float(self.group_q[self.groups.index(name)])


def hierarchical_q_values(
    p: ArrayLike, groups: Sequence[Hashable] | NDArray[np.generic], *, method: Literal["bh", "by"] = "bh"
) -> HierarchicalQ:
    """Two levels, such as counties in provinces: a series is found only where its group is (Yekutieli 2008).

    Groups are tested by Simes' p-value, adjusted among groups; series are adjusted within their group. The q
    of a series is the larger of the two: at level q its group is found, and within the group the series.
    """
    check_one_of("method", method, _STEP_UP)
    values = _checked(p)
    labels = list(groups)
    if values.ndim != 1 or len(labels) != values.size:
        raise InputError(
            f"{values.size} p-values need one group each; there are {len(labels)} groups given",
            f"{values.size} 个 p 值应各有一个组；现给出 {len(labels)} 个",
            field="groups",
        )
    names = tuple(dict.fromkeys(labels))
    place = {name: i for i, name in enumerate(names)}
    which = np.array([place[label] for label in labels], dtype=np.intp)
    order = np.argsort(which, kind="stable")
    cuts = np.searchsorted(which[order], np.arange(1, len(names)))
    members = np.split(order, cuts) if names else []
    group_p = np.array([float(simes(values[rows])) for rows in members])
    group_q = q_values(group_p, method=method) if names else group_p
    within = np.full(values.shape, np.nan)
    for rows in members:
        within[rows] = q_values(values[rows], method=method)
    combined = np.maximum(within, group_q[which]) if names else within
    return HierarchicalQ(names, group_p, group_q, combined)


def _checked(p: ArrayLike) -> Floats:
    try:
        values = np.asarray(p, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("p-values must be numbers", "p 值必须是数字", field="p") from None
    if np.any((values < 0) | (values > 1)):
        raise InputError("p-values must lie between 0 and 1", "p 值应在 0 与 1 之间", field="p")
    return values


def _adjust(p: Floats, method: str) -> Floats:
    n = p.size
    if method == "bonferroni":
        return np.minimum(p * n, 1.0)
    if method == "hommel":
        return _hommel(p)
    order = np.argsort(p, kind="stable")
    rank = np.arange(1, n + 1)
    if method == "holm":
        stepped = np.maximum.accumulate(p[order] * (n - rank + 1))
    else:
        dependence = (1.0 / rank).sum() if method == "by" else 1.0
        stepped = np.minimum.accumulate((dependence * n / rank * p[order])[::-1])[::-1]
    out = np.empty(n)
    out[order] = np.minimum(stepped, 1.0)
    return out


def _hommel(p: Floats) -> Floats:
    """Closed testing with Simes' test of every intersection (Hommel 1988; algorithm of Wright 1992)."""
    n = p.size
    order = np.argsort(p, kind="stable")
    ordered, rank = p[order], np.arange(1, n + 1)
    smallest = (n * ordered / rank).min()
    lowest, adjusted = np.full(n, smallest), np.full(n, smallest)
    for m in range(n - 1, 1, -1):
        small, large = slice(0, n - m + 1), slice(n - m + 1, n)
        least = (m * ordered[large] / np.arange(2, m + 1)).min()
        lowest[small] = np.minimum(m * ordered[small], least)
        lowest[large] = lowest[n - m]
        adjusted = np.maximum(adjusted, lowest)
    out = np.empty(n)
    out[order] = np.minimum(np.maximum(adjusted, ordered), 1.0)
    return out
