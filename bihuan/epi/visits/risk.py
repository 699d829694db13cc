"""A score for the order in which names are looked at first, and what it is made of.

    dose  = sum over encounters of  weight(setting) × (minutes together + ENCOUNTER_MINUTES)
            + CASE_MINUTES × (cases met - 1)
    score = 1 - exp(-dose / SCALE_MINUTES)

The first part is the form of Wells and Riley: risk grows as 1 - exp(-dose) with time in shared air (Riley,
Murphy and Riley 1978, Am J Epidemiol 107:421). Minutes of two people at one place are not known to be spent
close to each other, and the constants are a convention of this program, not estimates: the score orders a
list and is no probability. Who is on the list was inferred from presence; she is a candidate until a person
confirms her.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.visits import trace
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.met import Met
from bihuan.epi.visits.store import VisitStore
from bihuan.epi.visits.trace import Encounter
from bihuan.epi.visits.windows import AnyWindows, Windows, checked

#: A meeting counts as at least this, also where only an entry was recorded (15 minutes within a day are the
#: contact of WHO 2020, "Contact tracing in the context of COVID-19"; a third of it for an unknown stay).
ENCOUNTER_MINUTES = 5.0
#: What each further case adds: several independent ways to have been infected.
CASE_MINUTES = 15.0
#: Weighted minutes that give a score of 0.63.
SCALE_MINUTES = 60.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a score is made of, in weighted minutes."""

    minutes: float
    encounters: float
    cases: float

    @property
    def dose(self) -> float:
        return self.minutes + self.encounters + self.cases


@dataclass(frozen=True, eq=False)
class Scored:
    """Candidates in the order of their dose, then as `met` ranks them. Columns go row by row with `met`."""

    met: Met
    score: NDArray[np.float64]
    minutes_part: NDArray[np.float64]
    encounters_part: NDArray[np.float64]
    cases_part: NDArray[np.float64]
    store: VisitStore
    windows: Windows
    margin: int

    @property
    def size(self) -> int:
        return self.met.size

    def parts(self, rank: int) -> Parts:
        """Of the name at `rank` (0 the first)."""
        return Parts(
            float(self.minutes_part[rank]), float(self.encounters_part[rank]), float(self.cases_part[rank])
        )

    def explain(self, lang: str = "en", *, rank: int = 0) -> list[str]:
        """Why the name at `rank` stands on the list: the score, then every encounter. People are small
        numbers of the store."""
        person = int(self.met.person[rank])
        found = trace.encounters(self.store, self.windows, [person], margin=self.margin)
        zh = lang.startswith("zh")
        return [self.total(rank, lang), *(_encounter(e, zh) for e in found)]

    def total(self, rank: int, lang: str = "en") -> str:
        """The score of the name at `rank` and its parts, in one sentence."""
        zh = lang.startswith("zh")
        of, n = self.parts(rank), int(self.met.person[rank])
        met = (
            int(self.met.encounters[rank]), int(self.met.cases[rank]), int(self.met.minutes[rank]),
        )  # fmt: skip
        if zh:
            return (
                f"候选人 {n}：与 {met[1]} 例病例同处 {met[0]} 次，共 {met[2]} 分钟；评分"
                f" {self.score[rank]:.2f}（加权分钟：时长 {of.minutes:.0f}、次数 {of.encounters:.0f}、"
                f"病例数 {of.cases:.0f}）。仅为同时空推断，须经人工确认。"
            )
        return (
            f"Candidate {n}: {met[0]} encounters with {met[1]} cases, {met[2]} minutes together; score "
            f"{self.score[rank]:.2f} (weighted minutes: time {of.minutes:.0f}, encounters "
            f"{of.encounters:.0f}, cases {of.cases:.0f}). Inferred from presence only; a person confirms."
        )

    def columns(self) -> dict[str, list[Any]]:
        """The table of names, column by column; numbers of the store, never an identity."""
        found: dict[str, list[Any]] = {
            "rank": list(range(1, self.size + 1)), "person": self.met.person.tolist(),
            "score": np.round(self.score, 4).tolist(), "encounters": self.met.encounters.tolist(),
            "minutes": self.met.minutes.tolist(), "cases": self.met.cases.tolist(),
            "first": times(self.met.first), "last": times(self.met.last),
        }  # fmt: skip
        for name in ("minutes", "encounters", "cases"):
            found[f"score_{name}"] = np.round(getattr(self, f"{name}_part"), 2).tolist()
        return found | {"status": ["candidate"] * self.size}

    def rows(self) -> list[dict[str, Any]]:
        """One row a name; numbers of the store, never an identity."""
        columns = self.columns()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def scored(
    store: VisitStore,
    windows: AnyWindows,
    *,
    margin: int = 0,
    weights: Mapping[str, float] | None = None,
    among: Met | None = None,
    engine: trace.Engine = trace.meet,
) -> Scored:
    """Everybody met, with the score above.

    `weights`: place id to weight of its setting, 0 to 100; other places weigh 1. `among`: what `engine` found
    already. Places of one weight are searched together, so every distinct weight is one search more.
    """
    asked = checked(windows, margin)
    met = engine(store, asked, margin=margin) if among is None else among
    minutes, times_ = met.minutes.astype(np.float64), met.encounters.astype(np.float64)
    for weight, places in _by_weight(store, weights or {}).items():
        there = trace.meet_at(store, asked, places, margin=margin)
        at = _rows_of(met.person, there.person)
        known = at >= 0
        minutes[at[known]] += (weight - 1) * there.minutes[known]
        times_[at[known]] += (weight - 1) * there.encounters[known]
    further = (met.cases - 1).astype(np.float64)
    parts: Any = minutes, ENCOUNTER_MINUTES * times_, CASE_MINUTES * further
    dose = np.maximum(parts[0] + parts[1] + parts[2], 0.0)
    order = np.argsort(-np.round(dose, 6), kind="stable")
    return Scored(
        met.take(order), -np.expm1(-dose[order] / SCALE_MINUTES), parts[0][order], parts[1][order],
        parts[2][order], store, asked, margin,
    )  # fmt: skip


def _by_weight(store: VisitStore, weights: Mapping[str, float]) -> dict[float, NDArray[np.int64]]:
    wrong = next((name for name, w in weights.items() if not 0 <= w <= 100), None)
    if wrong is not None:
        raise InputError(
            f"the weight of {wrong!r} is {weights[wrong]}; a weight lies between 0 and 100",
            f"{wrong!r} 的权重为 {weights[wrong]}；权重应在 0 到 100 之间",
            field="weights",
        )
    found: dict[float, list[int]] = {}
    for name, weight in weights.items():
        number = store.places.find(name)
        if number >= 0 and weight != 1:
            found.setdefault(float(weight), []).append(number)
    return {weight: np.unique(np.array(places, np.int64)) for weight, places in found.items()}


def _rows_of(person: NDArray[np.int32], wanted: NDArray[np.int32]) -> NDArray[np.int64]:
    """Where each of `wanted` stands in `person`, -1 for who does not."""
    if not person.size:
        return np.full(wanted.size, -1)
    order = np.argsort(person)
    at = order[np.minimum(np.searchsorted(person, wanted, sorter=order), person.size - 1)]
    return np.where(person[at] == wanted, at, -1)


def times(minutes: NDArray[np.integer[Any]] | Sequence[int]) -> list[str]:
    """Minutes of the store's clock as "2020-02-08 13:05"."""
    distinct, at = np.unique(np.asarray(minutes, np.int64), return_inverse=True)
    told = np.datetime_as_string(distinct.astype("datetime64[m]"), unit="m")
    texts = np.array([str(text).replace("T", " ") for text in told], object)
    return [str(text) for text in texts[at]]


def _encounter(e: Encounter, zh: bool) -> str:
    start, end = times([e.start, e.end])
    until = end[11:] if e.start // DAY_MINUTES == e.end // DAY_MINUTES else end
    if zh:
        return f"{start}–{until} 在 {e.place}，与病例 {e.case} 同处 {e.together} 分钟"
    return f"{start} to {until} at {e.place}, {e.together} minutes together with case {e.case}"
