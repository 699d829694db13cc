"""Where each case is drawn: its day from left to right, a lane of its own from top to bottom.

A tree takes as many lanes as it has ends. Whoever infected somebody shares the lane of the first of them
(the next one when both stand on the same day), the others follow below, earliest first: so no line crosses
another. Large trees come first, one below the other; small ones are packed where the lanes are free; cases
without a link are stacked by their day at the bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.chains.graph import Ints, children_of

#: Days left free between two trees that share a lane.
_GAP = 2
#: Trees of at most so many lanes are packed.
_SMALL = 3
#: Lanes free between the parts.
_BETWEEN = 1


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """`lane` of every mark; `lanes` in all; `loose_from`: the first lane of those without a link."""

    lane: Ints
    lanes: int
    loose_from: int


def lay_out(parent: Ints, day: Ints, levels: Sequence[Ints], *, loose: NDArray[np.bool_]) -> Layout:
    """Lanes of a forest. `loose` marks stand alone and are stacked by day at the bottom."""
    n = parent.size
    lane = np.zeros(n, np.int64)
    if not n:
        return Layout(lane, 0, 0)
    order, starts = _sorted_children(parent, day)
    height, shift = _heights(parent, day, levels, order, starts)
    roots = levels[0][~loose[levels[0]]]
    placed, used = _place_trees(roots, height, *_span(parent, day, levels))
    lane[roots] = placed
    for level in levels[:-1]:
        _hand_down(level, lane, height, shift, order, starts)
    alone = np.flatnonzero(loose)
    loose_from = used + (_BETWEEN if used and alone.size else 0)
    lane[alone] = loose_from + _stacked(day[alone])
    return Layout(lane, int(lane.max()) + 1, loose_from)


def _sorted_children(parent: Ints, day: Ints) -> tuple[Ints, Ints]:
    starts, _ = children_of(parent)
    having = np.flatnonzero(parent >= 0)
    return having[np.lexsort((having, day[having], parent[having]))], starts


def _heights(parent: Ints, day: Ints, levels: Sequence[Ints], order: Ints, starts: Ints) -> tuple[Ints, Ints]:
    """Lanes below each, and 1 where its first child stands on the same day and begins a lane below."""
    having = np.flatnonzero(starts[1:] > starts[:-1])
    shift = np.zeros(parent.size, np.int64)
    shift[having] = day[order[starts[having]]] <= day[having]
    height = np.zeros(parent.size, np.int64)
    for level in reversed(levels):
        height[level] = np.maximum(height[level] + shift[level], 1)
        above = parent[level]
        inner = above >= 0
        np.add.at(height, above[inner], height[level[inner]])
    return height, shift


def _span(parent: Ints, day: Ints, levels: Sequence[Ints]) -> tuple[Ints, Ints]:
    """The first and the last day of the tree below each: an infectee may have fallen ill before."""
    first, last = day.copy(), day.copy()
    for level in reversed(levels[1:]):
        np.minimum.at(first, parent[level], first[level])
        np.maximum.at(last, parent[level], last[level])
    return first, last


def _hand_down(level: Ints, lane: Ints, height: Ints, shift: Ints, order: Ints, starts: Ints) -> None:
    """Lanes of the children of a level, from its own."""
    counts = starts[level + 1] - starts[level]
    total = int(counts.sum())
    if not total:
        return
    first = np.concatenate(([0], np.cumsum(counts)[:-1]))
    children = order[np.arange(total) + np.repeat(starts[level] - first, counts)]
    before = np.concatenate(([0], np.cumsum(height[children])[:-1]))
    filled = counts > 0
    base = np.zeros(level.size, np.int64)
    base[filled] = before[first[filled]]
    lane[children] = np.repeat(lane[level] + shift[level] - base, counts) + before


def _place_trees(roots: Ints, height: Ints, first: Ints, last: Ints) -> tuple[Ints, int]:
    """The lane each tree begins at, and how many lanes all take."""
    placed = np.zeros(roots.size, np.int64)
    small = height[roots] <= _SMALL
    used = 0
    for i in sorted(np.flatnonzero(~small), key=lambda i: (-height[roots[i]], first[roots[i]], i)):
        placed[i] = used
        used += int(height[roots[i]]) + _BETWEEN
    free: list[int] = []  # the last day taken in each lane of the packed part
    for i in sorted(np.flatnonzero(small), key=lambda i: (first[roots[i]], i)):
        tall, begin = int(height[roots[i]]), int(first[roots[i]])
        at = _first_free(free, begin - _GAP, tall)
        free.extend([begin - _GAP - 1] * max(0, at + tall - len(free)))
        free[at : at + tall] = [int(last[roots[i]])] * tall
        placed[i] = used + at
    return placed, used + len(free)


def _first_free(free: Sequence[int], before: int, tall: int) -> int:
    """The first of `tall` neighboring lanes free before a day; the end where there are none."""
    run = 0
    for at, taken in enumerate(free):
        run = run + 1 if taken < before else 0
        if run == tall:
            return at - tall + 1
    return len(free) - run


def _stacked(day: Ints) -> Ints:
    """0, 1, 2 … of those on the same day."""
    order = np.argsort(day, kind="stable")
    ordered = day[order]
    new = np.concatenate(([True], ordered[1:] != ordered[:-1])) if ordered.size else np.empty(0, np.bool_)
    begin = np.maximum.accumulate(np.where(new, np.arange(ordered.size), 0))
    rank = np.empty(day.size, np.int64)
    rank[order] = np.arange(day.size) - begin
    return rank
