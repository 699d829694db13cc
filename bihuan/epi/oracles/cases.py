"""Reading a case folder, comparing columns, and the register of who answers what."""

from __future__ import annotations

import csv
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: How these files write what is not a number (README of the oracle format).
LITERALS = {"NA": np.nan, "NaN": np.nan, "": np.nan, "Inf": np.inf, "-Inf": -np.inf}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not agree: where, what the peer says, what we say."""

    where: str
    expected: Any
    ours: Any
    note: str = ""

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{self.where}: expected {self.expected}, ours {self.ours}{note}"


@dataclass(frozen=True, slots=True)
class Case:
    """One case folder, read."""

    folder: Path
    name: str
    peer: str
    params: dict[str, Any]
    about: dict[str, Any]

    @property
    def kind(self) -> str:
        """The word of its name that says which of ours answers: what stands before `__`."""
        return self.name.partition("__")[0]

    def has(self, name: str) -> bool:
        return (self.folder / f"{name}.csv").is_file()

    def text(self, name: str = "input") -> dict[str, list[str]]:
        """The columns of `name`.csv as they are written."""
        with (self.folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            heads = next(reader)
            rows = list(reader)
        return {head: [row[i] for row in rows] for i, head in enumerate(heads)}

    def numbers(self, name: str = "input") -> dict[str, NDArray[np.float64]]:
        """The columns of `name`.csv that are numbers, as floats; NA is NaN. Other columns are left out."""
        columns = {}
        for head, cells in self.text(name).items():
            try:
                columns[head] = np.array([LITERALS[c] if c in LITERALS else float(c) for c in cells])
            except ValueError:
                continue
        return columns


Answer = Callable[[Case], Iterable[Difference]]
_ANSWERS: dict[str, Answer] = {}


def case(*kinds: str) -> Callable[[Answer], Answer]:
    """Register a function for cases whose kind begins with one of `kinds`."""

    def register(answer: Answer) -> Answer:
        for kind in kinds:
            _ANSWERS[kind] = answer
        return answer

    return register


def _answers() -> dict[str, Answer]:
    package = importlib.import_module("bihuan.epi.oracles")
    for found in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"bihuan.epi.oracles.{found.name}")
    return _ANSWERS


def find_cases(folder: Path) -> list[Case]:
    """Every case at or below `folder`, by name; a folder that is itself a case gives that one."""
    found = []
    for path in sorted({p.parent for p in folder.rglob("params.json")}):
        about = json.loads((path / "params.json").read_text(encoding="utf-8"))
        params = about.get("params") or {}
        found.append(Case(path, str(about.get("case", path.name)), str(about.get("peer", "")), params, about))
    return found


def run_case(one: Case) -> list[Difference]:
    """What differs; a kind nobody answers is itself a difference."""
    answers = _answers()
    kinds = [kind for kind in answers if one.kind.startswith(kind)]
    if not kinds:
        return [
            Difference("kind", one.kind, "nothing here answers it", f"known: {', '.join(sorted(answers))}")
        ]
    return list(answers[max(kinds, key=len)](one))


def compare(
    where: str,
    expected: NDArray[Any],
    ours: NDArray[Any],
    *,
    rel: float = 0.0,
    absolute: float = 0.0,
    labels: Iterable[Any] | None = None,
    most: int = 5,
) -> Iterator[Difference]:
    """Differences between two columns: NaN and infinities must stand at the same places, finite values agree
    within `absolute` or `rel` of the expected; at most `most` are named, then their number.
    """
    expected, ours = np.asarray(expected), np.asarray(ours)
    if expected.shape != ours.shape:
        yield Difference(f"{where} shape", expected.shape, ours.shape)
        return
    names = (
        [str(label) for label in labels] if labels is not None else [str(i + 1) for i in range(expected.size)]
    )
    a, b = expected.astype(np.float64), ours.astype(np.float64)
    with np.errstate(invalid="ignore"):
        same = np.abs(a - b) <= np.maximum(absolute, rel * np.abs(a))
    same |= (a == b) | (np.isnan(a) & np.isnan(b))
    wrong = np.flatnonzero(~same)
    for i in wrong[:most]:
        yield Difference(f"{where}[{names[i]}]", a[i], b[i])
    if wrong.size > most:
        yield Difference(
            where, f"{a.size} equal values", f"{wrong.size} differ", f"the first {most} are named"
        )
