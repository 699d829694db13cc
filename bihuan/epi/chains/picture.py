"""`picture`: what is drawn of a graph: every case while they are few, trunk and bundles when they are many.

Above `most` marks the cases with the largest trees below them stay single, as many as fit; what hangs below
each of them is bundled by period, territory and setting, and so are the trees that have no part in the trunk.
A bundle says how many cases it holds and opens as a picture of its own. Nothing is left out: the numbers of
all marks add up to the cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.chains.graph import ODDS, SURE, ChainGraph, Ints, children_of
from bihuan.epi.chains.layout import Layout, lay_out
from bihuan.epi.errors import InputError

MOST = 2000
#: Periods in days, and whether territory and setting tell bundles apart: the finest that fits is taken.
_GRAINS = ((1, True, True), (7, True, True), (7, False, True), (14, False, True), (28, False, False))
#: Shares of `most` tried for the cases that stay single.
_SINGLE = (0.75, 0.5, 0.3, 0.15, 0.05, 0.01)
_LARGEST = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """One row a mark. `case` is the index of the single case, or -1 of a bundle; a bundle has `n` cases from
    `day` to `last`, hangs below mark `parent`, and `example` is one of its cases (all cases share a root of
    the bundle, or its period, territory and setting)."""

    case: Ints
    n: Ints
    day: Ints
    last: Ints
    parent: Ints
    example: Ints
    generation: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Links between marks. `tree`: along it the tree is drawn; `n` links in it; `support` of the best;
    `odd` numbers ODDS (0 for several)."""

    start: Ints
    end: Ints
    n: Ints
    support: NDArray[np.float64]
    declared: NDArray[np.bool_]
    odd: Ints
    tree: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    graph: ChainGraph
    marks: Marks
    lines: Lines
    layout: Layout
    bundled: bool
    mark_of: Ints
    grain_days: int

    @property
    def drawn(self) -> int:
        return int(self.marks.n.size)

    def odd_words(self) -> list[str]:
        return [ODDS[i].value for i in self.lines.odd]

    def uncertain(self) -> NDArray[np.bool_]:
        """Lines that are guesses: inferred, or one of several sources, with a support below SURE."""
        return self.lines.support < SURE


def picture(graph: ChainGraph, *, most: int = MOST) -> Picture:
    """Marks, lines and lanes. `most` bounds the marks; at least 20."""
    if most < 20:
        raise InputError("most is at least 20", "most 至少为 20", field="most")
    loose = ~graph.linked
    if graph.n <= most:
        mark_of = np.arange(graph.n)
        layout = lay_out(graph.parent, graph.day, graph.levels, loose=loose)
        marks = Marks(
            mark_of, np.ones(graph.n, np.int64), graph.day, graph.day, graph.parent, mark_of, graph.generation
        )
        return Picture(graph, marks, _lines(graph, mark_of, marks), layout, False, mark_of, 0)
    mark_of, days = _bundle(graph, loose, most)
    marks = _marks(graph, mark_of)
    levels = _levels(marks.parent)
    alone = (marks.parent < 0) & (marks.case < 0) & loose[marks.example]
    single_loose = (marks.case >= 0) & loose[np.maximum(marks.case, 0)]
    layout = lay_out(marks.parent, marks.day, levels, loose=alone | single_loose)
    return Picture(graph, marks, _lines(graph, mark_of, marks), layout, True, mark_of, days)


def _bundle(graph: ChainGraph, loose: NDArray[np.bool_], most: int) -> tuple[Ints, int]:
    """The mark of each case, and the days of a period. Single cases come first."""
    order = np.lexsort((np.arange(graph.n), graph.generation, -graph.subtree()))
    spots = _codes(graph.territory), _codes(graph.setting)
    for days, by_place, by_setting in _GRAINS:
        for share in _SINGLE:
            singles = order[: int(most * share)]
            mark_of = _assign(graph, singles, loose, days, spots[0] * by_place, spots[1] * by_setting)
            if int(mark_of.max()) + 1 <= most:
                return mark_of, days
    singles = order[: most // 100]
    nothing = np.zeros(graph.n, np.int64)
    span = int(graph.day.max() - graph.day.min()) + 1
    return _assign(graph, singles, loose, max(span, 28), nothing, nothing), span


def _assign(
    graph: ChainGraph, singles: Ints, loose: NDArray[np.bool_], days: int, place: Ints, setting: Ints
) -> Ints:
    """A bundle holds whole trees: those whose tops hang below the same single case, in one period, place and
    setting."""
    single = np.zeros(graph.n, np.bool_)
    single[singles] = True
    top = np.arange(graph.n)  # the highest case above each that is not single
    for level in graph.levels[1:]:
        below = level[~single[level] & ~single[graph.parent[level]]]
        top[below] = top[graph.parent[below]]
    rest = np.flatnonzero(~single)
    of = top[rest]
    period = (graph.day[of] - graph.day.min()) // days
    key = _joined(graph.parent[of] + 1, period, place[of], setting[of], loose[of].astype(np.int64))
    _, bundle = np.unique(key, return_inverse=True)
    mark_of = np.empty(graph.n, np.int64)
    mark_of[singles] = np.arange(singles.size)
    mark_of[rest] = singles.size + bundle
    return mark_of


def _marks(graph: ChainGraph, mark_of: Ints) -> Marks:
    size = int(mark_of.max()) + 1
    n = np.bincount(mark_of, minlength=size)
    example = np.full(size, graph.n, np.int64)
    top = np.lexsort((np.arange(graph.n), graph.generation))
    _, first = np.unique(mark_of[top], return_index=True)
    example = top[first]
    day, last = np.full(size, np.iinfo(np.int64).max), np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(day, mark_of, graph.day)
    np.maximum.at(last, mark_of, graph.day)
    above = graph.parent[example]
    parent = np.where(above >= 0, mark_of[np.maximum(above, 0)], -1)
    case = np.where(n == 1, example, -1)
    return Marks(case, n, day, last, parent, example, graph.generation[example])


def _levels(parent: Ints) -> list[Ints]:
    starts, children = children_of(parent)
    level, levels = np.flatnonzero(parent < 0), []
    while level.size:
        levels.append(level)
        level = np.concatenate([children[starts[i] : starts[i + 1]] for i in level])
    return levels


def _lines(graph: ChainGraph, mark_of: Ints, marks: Marks) -> Lines:
    start, end = mark_of[graph.source], mark_of[graph.target]
    between = np.flatnonzero(start != end)
    if not between.size:
        nothing = np.empty(0, np.int64)
        no = np.empty(0, np.bool_)
        return Lines(nothing, nothing, nothing, np.empty(0), no, nothing, no)
    wrong = ~graph.usable[between]
    key = _joined(start[between], end[between], wrong.astype(np.int64))
    _, first, which, n = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    pairs = start[between][first], end[between][first], wrong[first]
    support, odd = np.zeros(n.size), np.zeros(n.size, np.int64)
    declared, tree = np.zeros(n.size, np.bool_), np.zeros(n.size, np.bool_)
    np.maximum.at(support, which, graph.support[between])
    np.logical_or.at(declared, which, graph.declared[between])
    np.maximum.at(odd, which, graph.odd[between].astype(np.int64))
    in_tree = graph.parent_link[graph.target[between]] == between
    np.logical_or.at(tree, which, in_tree)
    odd = np.where((n > 1) & ~pairs[2], 0, odd)
    return Lines(pairs[0], pairs[1], n, support, declared, odd, tree)


def _joined(*columns: Ints) -> Ints:
    """One number a row, the same where all columns are; none of them is negative."""
    key = np.zeros(columns[0].size, np.int64)
    largest = 1
    for column in columns:
        most = int(column.max(initial=0)) + 1
        if largest * most >= _LARGEST:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            largest = int(key.max(initial=0)) + 1
        key = key * most + column
        largest *= most
    return key


def _codes(words: tuple[str, ...]) -> Ints:
    known: dict[str, int] = {}
    return np.array([known.setdefault(word, len(known)) for word in words], np.int64)
