"""Backward tracing: where several cases were together, against what chance would give.

Time is cut into blocks. Chance: a case who was somewhere in a block was at place p with probability
V(p, block) / V(block), the share of p in all presences of that block; over the cases this gives `expected`
cases at p. How unlikely it is to see as many or more is the upper tail of the Poisson distribution of that
mean, which is close to the exact Poisson-binomial one when each share is small (Hodges and Le Cam 1960,
Ann Math Stat 31:737). Every place and block where anybody was is one test: `q` is p times their number over
the rank (Benjamini and Hochberg 1995). A busy place is so no finding because it is busy; a place that one
household shares is one, and is judged by a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.visits import kernels, trace
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.risk import times
from bihuan.epi.visits.store import VisitStore
from bihuan.epi.visits.windows import AnyWindows, checked

BLOCK_MINUTES = 60


@dataclass(frozen=True, slots=True)
class CommonPlace:
    """A place and block of time [since, until) in which `cases` (small numbers) were there.

    `presences`: persons' stays touching it; `expected`: cases there by chance; `p`, `q` as told above.
    """

    place: str
    since: int
    until: int
    cases: tuple[int, ...]
    presences: int
    expected: float
    p: float
    q: float

    def explain(self, lang: str = "en") -> str:
        start, end = times([self.since, self.until])
        n, chance = len(self.cases), f"{self.expected:.3g}"
        tests = f"p={self.p:.2g}, q={self.q:.2g}"
        if lang.startswith("zh"):
            return (
                f"{self.place} {start} 至 {end[11:]}：{n} 例病例同在（全部到访 {self.presences} 次，"
                f"随机预期 {chance} 例，{tests}）。仅为线索，须经核实。"
            )
        return (
            f"{self.place}, {start} to {end[11:]}: {n} cases were there ({self.presences} stays in all; "
            f"{chance} expected by chance, {tests}). A lead to verify."
        )

    def row(self) -> dict[str, Any]:
        since, until = times([self.since, self.until])
        return {
            "place": self.place, "from": since, "to": until, "n_cases": len(self.cases),
            "cases": " ".join(str(c) for c in self.cases), "stays": self.presences,
            "expected": self.expected, "p": self.p, "q": self.q,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class CommonSpan:
    """Neighboring blocks of one place as one: [since, until), all `cases` who were there in any of them.

    Chance is of one block and nothing is added up: `best` is the least likely of the `blocks`, and its
    figures are of its own time and cases.
    """

    place: str
    since: int
    until: int
    cases: tuple[int, ...]
    best: CommonPlace
    blocks: int


def spans(found: Sequence[CommonPlace]) -> list[CommonSpan]:
    """Blocks of one place that follow each other without a gap as one row each, in the order of their best
    one. Every block is in exactly one of them."""
    rank = {(one.place, one.since): n for n, one in enumerate(found)}
    ordered = sorted(found, key=lambda one: (one.place, one.since))
    # In a run, the end of each block is the beginning of the next: the number of the run tells them apart.
    breaks = [
        n == 0 or (one.place, one.since) != (ordered[n - 1].place, ordered[n - 1].until)
        for n, one in enumerate(ordered)
    ]
    runs = groupby(zip(np.cumsum(breaks).tolist(), ordered, strict=True), key=lambda pair: pair[0])
    made = [_span([one for _run, one in run], rank) for _number, run in runs]
    return sorted(made, key=lambda span: rank[span.place, span.best.since])


def _span(run: Sequence[CommonPlace], rank: Mapping[tuple[str, int], int]) -> CommonSpan:
    best = min(run, key=lambda one: rank[one.place, one.since])
    cases = tuple(sorted({case for one in run for case in one.cases}))
    return CommonSpan(best.place, run[0].since, run[-1].until, cases, best, len(run))


def common_places(
    store: VisitStore,
    windows: AnyWindows,
    *,
    at_least: int = 2,
    block: int = BLOCK_MINUTES,
    as_one: Mapping[int, int] | None = None,
) -> list[CommonPlace]:
    """Places and blocks of `block` minutes where `at_least` cases were, the least likely by chance first.

    `windows` are the times in which each case may have been infected; a person twice counts once, and so
    does a case with several small numbers, if `as_one` leads each to the one it is told by.
    """
    asked = checked(windows, 0)
    if not 1 <= block <= DAY_MINUTES or DAY_MINUTES % block:
        raise InputError(
            f"a block of {block} minutes; it divides a day ({DAY_MINUTES} minutes)",
            f"时段 {block} 分钟；须能整除一天（{DAY_MINUTES} 分钟）",
            field="block",
        )
    if at_least < 2:
        raise InputError("common places need at least 2 cases", "共同场所至少需要 2 例病例", field="at_least")
    segments, keep = trace.segments_of(store, asked, 0)
    visits = trace.visits_of(segments, asked)
    if not visits.size:
        return []
    people = asked.person.astype(np.int64)
    for number, told in (as_one or {}).items():
        people[asked.person == number] = told
    case, place, hour = _cells(visits, people, block)
    low = int(hour.min())
    totals, n_cells = kernels.volumes_of(segments, low, int(hour.max()) + 1, block)
    presences = {int(h): np.unique(case[hour == h], return_counts=True)[1] for h in np.unique(hour)}
    order = np.lexsort((case, hour, place))
    case, place, hour = case[order], place[order], hour[order]
    begins = np.flatnonzero(np.diff(place, prepend=-1) | np.diff(hour, prepend=-1))
    found = []
    for a, b in pairwise([*begins.tolist(), place.size]):
        if b - a < at_least:
            continue
        at, when = int(place[a]), int(hour[a])
        stays = kernels.stays_at(segments, at, when * block, (when + 1) * block - 1).shape[0]
        share = min(1.0, stays / max(int(totals[when - low]), 1))
        expected = float((1 - (1 - share) ** presences[when]).sum())
        found.append((at, when, case[a:b], stays, expected))
    del keep
    return _ranked(store, found, int(n_cells), block)


def _cells(
    visits: NDArray[np.int64], people: NDArray[np.int64], block: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Case, place and block of every presence, each once."""
    since, until = visits[:, 2] // block, visits[:, 3] // block
    n = until - since + 1
    row = np.repeat(np.arange(n.size), n)
    hour = since[row] + np.arange(row.size) - np.repeat(np.cumsum(n) - n, n)
    cells = np.column_stack([people[visits[row, 0]], visits[row, 1], hour])
    case, place, hour = np.unique(cells, axis=0).T
    return case, place, hour


def _ranked(store: VisitStore, found: list[Any], n_tests: int, block: int) -> list[CommonPlace]:
    from scipy.stats import poisson  # half a second to import

    tails = [float(poisson.sf(len(who) - 1, expected)) for _at, _when, who, _stays, expected in found]
    order = sorted(range(len(found)), key=lambda i: (tails[i], -len(found[i][2]), found[i][1], found[i][0]))
    tests, q, out = max(n_tests, len(found)), 1.0, []
    for rank in range(len(order), 0, -1):
        i = order[rank - 1]
        at, when, who, stays, expected = found[i]
        q = min(q, tails[i] * tests / rank)
        out.append(
            CommonPlace(
                store.places.ids[at], when * block, (when + 1) * block, tuple(int(c) for c in who), stays,
                expected, tails[i], q,
            )
        )  # fmt: skip
    return out[::-1]
