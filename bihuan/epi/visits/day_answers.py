"""Answers of a store that knows days only, in days: nothing here is told in minutes or hours."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from bihuan.epi.visits import trace
from bihuan.epi.visits.backward import CommonPlace
from bihuan.epi.visits.met import Met
from bihuan.epi.visits.risk import times
from bihuan.epi.visits.store import VisitStore
from bihuan.epi.visits.windows import Windows


@dataclass(frozen=True, eq=False)
class SharedDays:
    """Candidates in the order of case-days (a case, a place and a day shared), cases, number. There is no
    score: how long two people were at one place together is not known."""

    met: Met
    store: VisitStore
    windows: Windows

    @classmethod
    def of(cls, met: Met, store: VisitStore, windows: Windows) -> SharedDays:
        return cls(met.take(np.lexsort((met.person, -met.cases, -met.encounters))), store, windows)

    @property
    def size(self) -> int:
        return self.met.size

    def rows(self) -> list[dict[str, Any]]:
        """One row a name; numbers of the store, never an identity."""
        first, last = days(self.met.first), days(self.met.last)
        return [
            {
                "rank": i + 1, "person": int(self.met.person[i]), "case_days": int(self.met.encounters[i]),
                "cases": int(self.met.cases[i]), "first": first[i], "last": last[i], "precision": "day",
                "status": "candidate",
            }
            for i in range(self.size)
        ]  # fmt: skip

    def total(self, rank: int, lang: str = "en") -> str:
        """The name at `rank` in one sentence."""
        n, cases, shared = (
            int(c[rank]) for c in (self.met.person, self.met.cases, self.met.encounters)
        )  # fmt: skip
        first, last = days([self.met.first[rank], self.met.last[rank]])
        if lang.startswith("zh"):
            return (
                f"候选人 {n}：{first} 至 {last} 与 {cases} 例病例同日到过同一场所，共 {shared} 病例日。"
                "仅知日期，时间未必重合；须经人工确认。"
            )
        return (
            f"Candidate {n}: at a place on a day when cases were there, {cases} cases on {shared} case-days,"
            f" {first} to {last}. Known by the day only, perhaps at other hours; a person confirms."
        )

    def explain(self, lang: str = "en", *, rank: int = 0) -> list[str]:
        """Why the name at `rank` stands on the list: each place and day, and how many cases were there."""
        found = trace.encounters(self.store, self.windows, [int(self.met.person[rank])])
        shared = Counter((e.start, e.place) for e in found)
        form = "{} 在 {}，同日病例 {} 例" if lang.startswith("zh") else "{} at {}, the same day as {} cases"
        lines = [form.format(days([at])[0], place, n) for (at, place), n in sorted(shared.items())]
        return [self.total(rank, lang), *lines]


def days(minutes: Any) -> list[str]:
    """Minutes of the store's clock as "2020-02-08"."""
    return [text[:10] for text in times(minutes)]


def common_row(one: CommonPlace) -> dict[str, Any]:
    """A place and day where cases were."""
    row = one.row()
    day = row.pop("from")[:10]
    row.pop("to")
    return {"place": row.pop("place"), "day": day, **row, "precision": "day"}


def common_sentence(one: CommonPlace, lang: str = "en") -> str:
    day, n, chance = days([one.since])[0], len(one.cases), f"{one.expected:.3g}"
    tests = f"p={one.p:.2g}, q={one.q:.2g}"
    if lang.startswith("zh"):
        return (
            f"{one.place} {day}：{n} 例病例当日到过（当日到访共 {one.presences} 人次，随机预期 {chance} 例，"
            f"{tests}）。仅知日期，未必同时；仅为线索，须经核实。"
        )
    return (
        f"{one.place}, {day}: {n} cases were there that day ({one.presences} stays in all; {chance} expected "
        f"by chance, {tests}). Known by the day only, perhaps at other hours. A lead to verify."
    )
