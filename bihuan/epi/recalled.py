"""What people recalled of their contacts, held against what records show: who was near whom, for how long.

    told = read_diaries(store, "diaries.csv", key=key)
    found = recalled(store, told, since=…, until=…)
    found.measured      contacts the records show, by minutes, and how many of them the diaries named
    found.named         contacts the diaries name, by what they tell of them, and how many the records show

Neither is the truth of the other: records miss whom they do not reach, people forget. Counts only; nobody's
name or number comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.tables import Wanted, read_columns
from bihuan.epi.tables.headers import read_headers
from bihuan.epi.visits import VisitStore, by_day, secret
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.numbers import keyed_numbers
from bihuan.epi.visits.trace import Window, meet

#: Minutes at which a class of contacts begins: those of the diaries of Mastrandrea and others 2015.
EDGES = (5, 15, 60)
#: What a column of a diary is called: who wrote, whom she named, what she told of it (how long, where).
COLUMNS: dict[str, tuple[str, ...]] = {
    "reporter": ("reporter", "person", "who", "i", "报告人", "填写人", "人员"),
    "contact": ("contact", "other", "named", "j", "接触者", "对方"),
    "told": ("told", "duration_class", "duration", "how_long", "时长", "接触时长"),
}


@dataclass(frozen=True, slots=True)
class Diaries:
    """Entries by small numbers of the store, -1 for who is not in it; `told` is "" where there is no such
    column."""

    reporter: NDArray[np.int64]
    contact: NDArray[np.int64]
    told: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.told)


@dataclass(frozen=True, slots=True)
class Share:
    """Contacts of one class, how many of them the other side knows, and the median of minutes recorded."""

    of: str  # "records" or "diaries"
    words: str
    contacts: int
    known: int
    median_minutes: float | None

    @property
    def share(self) -> float | None:
        return self.known / self.contacts if self.contacts else None

    def row(self) -> dict[str, Any]:
        return {
            "of": self.of, "class": self.words, "contacts": self.contacts, "known": self.known,
            "share": self.share, "median_minutes": self.median_minutes,
        }  # fmt: skip

    def explain(self, lang: str = "en") -> str:
        share = "–" if self.share is None else f"{self.share:.0%}"
        zh = lang.startswith("zh")
        if self.of == "records":
            if zh:
                return f"记录 {self.words} 分钟的接触 {self.contacts} 人次，日记提到 {self.known}（{share}）"
            return (
                f"Contacts of {self.words} minutes in the records: {self.contacts}, in the diaries"
                f" {self.known} ({share})"
            )
        minutes = "–" if self.median_minutes is None else f"{self.median_minutes:g}"
        if zh:
            told = f"日记记为“{self.words}”的" if self.words else "日记所记的"
            return (
                f"{told}接触 {self.contacts} 人次，记录中有 {self.known}（{share}），"
                f"记录分钟的中位数 {minutes}"
            )
        told = f"Contacts told as “{self.words}”" if self.words else "Contacts told"
        return f"{told}: {self.contacts}, in the records {self.known} ({share}), median {minutes} minutes"


@dataclass(frozen=True, slots=True)
class Recalled:
    """`writers` kept a diary and are in the records of that time; contacts are counted from their side.
    `strangers`: entries by or about somebody who is not in them, or about oneself, left out."""

    writers: int
    entries: int
    strangers: int
    measured: tuple[Share, ...]
    named: tuple[Share, ...]

    def rows(self) -> list[dict[str, Any]]:
        return [one.row() for one in (*self.measured, *self.named)]


def recalled(
    store: VisitStore, told: Diaries, *, since: int, until: int, edges: Sequence[int] = EDGES
) -> Recalled:
    """Contacts between `since` and `until` (minutes of the store's clock, both included) by whoever wrote a
    diary, held against what she told.

    `edges`: minutes, ascending and above 0, at which the second class and the next ones begin. InputError for
    others, and for a store that knows days only.
    """
    _check(store, edges)
    here = _present(store, since, until)
    is_known = np.isin(told.reporter, here) & np.isin(told.contact, here) & (told.reporter != told.contact)
    writers = np.intersect1d(told.reporter, here)
    met = _met(store, writers, since, until)
    pairs = [
        (int(a), int(b), words)
        for a, b, words, known in zip(told.reporter, told.contact, told.told, is_known, strict=True)
        if known
    ]
    return Recalled(
        writers=int(writers.size),
        entries=told.size,
        strangers=int((~is_known).sum()),
        measured=_measured(met, {(a, b) for a, b, _words in pairs}, edges),
        named=_named(met, pairs),
    )


def _measured(
    met: Mapping[tuple[int, int], int], named: set[tuple[int, int]], edges: Sequence[int]
) -> tuple[Share, ...]:
    lows, found = (0, *edges), []
    for low, high in zip(lows, (*edges, None), strict=True):
        inside = {p: m for p, m in met.items() if low <= m and (high is None or m < high)}
        words = f"{low}+" if high is None else f"{low}–{high - 1}"
        found.append(Share("records", words, len(inside), len(inside.keys() & named), _median(inside)))
    return tuple(found)


def _named(met: Mapping[tuple[int, int], int], pairs: Sequence[tuple[int, int, str]]) -> tuple[Share, ...]:
    found = []
    for words in sorted({told for _a, _b, told in pairs}):
        chosen = [(a, b) for a, b, told in pairs if told == words]
        seen = [met[pair] for pair in chosen if pair in met]
        found.append(Share("diaries", words, len(chosen), len(seen), _median(dict(enumerate(seen)))))
    return tuple(found)


def _median(minutes: Mapping[Any, int]) -> float | None:
    return float(np.median(list(minutes.values()))) if minutes else None


def _met(store: VisitStore, writers: NDArray[np.int64], since: int, until: int) -> dict[tuple[int, int], int]:
    """Minutes of every contact, from the side of who wrote."""
    found = {}
    for writer in writers.tolist():
        met = meet(store, [Window(writer, since, until)])
        for other, minutes in zip(met.person.tolist(), met.minutes.tolist(), strict=True):
            found[writer, other] = minutes
    return found


def _present(store: VisitStore, since: int, until: int) -> NDArray[np.int64]:
    """Who has a record of that time, ascending."""
    people = [np.empty(0, np.int64)]
    for segment in store.segments():
        # a stay may last into the next day: of the day before, only those that do
        if since // DAY_MINUTES - 1 <= segment.day <= until // DAY_MINUTES:
            stays = store.stays_of(segment)
            end = stays.start.astype(np.int64) + stays.minutes
            people.append(np.unique(stays.person[(stays.start <= until) & (end >= since)]).astype(np.int64))
    return np.unique(np.concatenate(people))


def _check(store: VisitStore, edges: Sequence[int]) -> None:
    if by_day.is_by_day(store):
        raise InputError(
            "this store knows days only: minutes cannot be compared",
            "该库只有按日记录，无法按分钟比较",
            field="store",
        )
    if list(edges) != sorted(set(edges)) or not edges or edges[0] < 1:
        raise InputError(
            "minutes of classes are whole numbers above 0, ascending, such as 5,15,60",
            "分钟分档应为大于 0、由小到大的整数，如 5,15,60",
            field="minutes",
        )


def read_diaries(
    store: VisitStore,
    path: Path,
    *,
    key: Callable[[], bytes],
    given: Mapping[str, str] | None = None,
    where: Sequence[tuple[str, str]] = (),
    encoding: str | None = None,
) -> Diaries:
    """Entries of diaries, one a row: who wrote, whom she named, and if there is such a column what she told.

    `given`: column to role of COLUMNS, where names do not tell. `key` gives the secret key under which the
    store knows people. InputError names the column that is missing, or the row that names nobody.
    """
    names = _names(path, encoding, given or {})
    read = read_columns(
        path,
        {role: Wanted(name, "text", role != "told") for role, name in names.items()},
        where=where,
        encoding=encoding,
    )
    secret_key = key()
    store.check_key(secret.fingerprint(secret_key))
    who = {
        role: store.people.find(keyed_numbers(secret_key, [str(t).strip() for t in read[role]]))
        for role in ("reporter", "contact")
    }
    told = tuple(str(t).strip() for t in read["told"]) if "told" in read else ("",) * read["row"].size
    return Diaries(who["reporter"].astype(np.int64), who["contact"].astype(np.int64), told)


def _names(path: Path, encoding: str | None, given: Mapping[str, str]) -> dict[str, str]:
    found, have = read_headers(path, COLUMNS, given, encoding=encoding)
    if not {"reporter", "contact"} <= found.keys():
        raise InputError(
            f"{path.name} needs columns reporter and contact; it has {have}. "
            "Name them: --map COLUMN=reporter",
            f"{path.name} 需要 reporter（报告人）与 contact（接触者）列；现有 {have}。"
            "请指明：--map 列=reporter",
            field="map",
        )
    return found
