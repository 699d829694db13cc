"""Records that two people were near each other (badges, phones) as stays: each pair is a place of its own.

A row says that two people were near each other during the `seconds` up to a time. Rows of a pair with breaks
of at most a minute are one meeting: a stay of both at the place of that pair, from its first minute on, as
long as they were near each other in it, in whole minutes; what is left of a minute goes to the pair's next
meeting, so that their minutes together are right in sum (a meeting without a whole minute is a check-in).
No place in the world is known or made up: who was near two others did not bring these two together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.tables import Wanted, open_table, read_columns
from bihuan.epi.visits import secret
from bihuan.epi.visits.batch import Batch
from bihuan.epi.visits.by_day import refuse_exact
from bihuan.epi.visits.cases import parse_time
from bihuan.epi.visits.ingest import Ingested, Rejected, limits
from bihuan.epi.visits.numbers import keyed_number
from bihuan.epi.visits.roles import NOT_KNOWN
from bihuan.epi.visits.store import VisitStore

#: Seconds without a record within one meeting: the store's clock knows minutes.
BREAK = 60
ROLES: dict[str, tuple[str, ...]] = {
    "person": ("person", "person_id", "i", "id1", "user_a", "人员", "人员1"),
    "other": ("other", "other_id", "contact", "j", "id2", "user_b", "对方", "人员2"),
    "time": ("time", "timestamp", "t", "start", "时间"),
}
_REASONS = {
    "no-person": ("", "one of the two is not named; fill in both", "两人中缺少一人；请补上"),
    "alone": ("", "a person near herself; correct one of them", "两人为同一人；请更正"),
    "no-start": ("", "the time is missing; fill it in", "缺少时间；请补上"),
    "bad-start": (
        "time", "not a time: seconds, or 2020-02-05 08:03", "不是可识别的时间；请写秒数或 2020-02-05 08:03",
    ),
    "future": ("time", "more than a day in the future; correct it", "晚于当前一天以上；请更正"),
    "too-old": (
        "time", "before the year 2000; seconds since a beginning need --clock-zero",
        "早于 2000 年；若为相对秒数请用 --clock-zero 指明起点",
    ),
    "forgotten": ("time", "this day was deleted from the store", "该日已按期删除"),
}  # fmt: skip


def ingest_near(
    store: VisitStore,
    files: Sequence[Path],
    *,
    key: bytes,
    now: datetime,
    seconds: int = 20,
    zero: int | None = None,
    given: Mapping[str, str] | None = None,
    encoding: str = "",
    on_rejected: Callable[[Rejected], None] | None = None,
) -> Ingested:
    """Read files of (person, other, time). `zero`: minute of the store's clock from which whole numbers count
    seconds; without it they count from 1970 UTC. `given`: column to role. `added` and `duplicate` count
    stays, two a meeting; `rows` and `rejected` rows. A meeting is made of the rows of one file.
    """
    began, done = time.perf_counter(), Ingested()
    refuse_exact(store)
    store.check_key(secret.fingerprint(key))
    with store.writer():
        for file in files:
            names = _names(file, given or {}, encoding)
            done.columns[file.name] = names
            read = read_columns(file, {r: Wanted(n) for r, n in names.items()}, encoding=encoding or None)
            good, pairs, at = _rows(store, read, key, now, zero, _noting(done, file, names, on_rejected))
            done.rows += int(read["row"].size)
            if good:
                said = store.append(
                    _meetings(np.array(pairs, np.uint64), np.array(at, np.int64), key, seconds)
                )
                done.added += said.added
                done.duplicate += said.duplicate
    done.seconds = time.perf_counter() - began
    return done


def _names(file: Path, given: Mapping[str, str], encoding: str) -> dict[str, str]:
    with open_table(file, encoding=encoding or None) as table:
        columns = table.columns
    folded = {name.strip().casefold(): name for name in columns}
    found = {}
    for role, names in ROLES.items():
        told = [column for column, r in given.items() if r == role]
        found[role] = next(
            (folded[n.strip().casefold()] for n in (*told, *names) if n.strip().casefold() in folded), ""
        )
        if not found[role]:
            have = ", ".join(columns[:12])
            raise InputError(
                f"which column of {file.name} is {role}? It has: {have}. Name it: --map COLUMN={role}",
                f"{file.name} 的哪一列是 {role}？现有：{have}。请指明：--map 列={role}",
                field=role,
            )
    return found


def _noting(
    done: Ingested, file: Path, names: Mapping[str, str], on_rejected: Callable[[Rejected], None] | None
) -> Callable[[int, str, str], None]:
    def note(row: int, reason: str, said: str) -> None:
        role, en, zh = _REASONS[reason]
        rejected = Rejected(
            file.name, row + 1, reason, names[role] if role else "", said[:40] if role else "", en, zh
        )
        done.reject(rejected, on_rejected)

    return note


def _rows(
    store: VisitStore,
    read: Mapping[str, NDArray[Any]],
    key: bytes,
    now: datetime,
    zero: int | None,
    note: Callable[[int, str, str], None],
) -> tuple[int, list[tuple[int, int]], list[int]]:
    """Of the good rows how many, the two keyed numbers (the smaller first), seconds of the store's clock."""
    numbers: dict[str, int] = {}
    bounds = limits(store, now) * 60
    begin = (store.offset if zero is None else zero) * 60
    pairs, at = [], []
    for row, *cells in zip(read["row"], read["person"], read["other"], read["time"], strict=True):
        one, two, when = (_known(str(cell)) for cell in cells)
        second = _second(when, begin, store.offset)
        reason = _wrong(one, two, when, second, bounds)
        if reason or second is None:
            note(int(row), reason, when)
            continue
        for text in (one, two):
            if text not in numbers:
                numbers[text] = keyed_number(key, text)
        a, b = sorted((numbers[one], numbers[two]))
        pairs.append((a, b))
        at.append(second)
    return len(pairs), pairs, at


def _wrong(one: str, two: str, when: str, second: int | None, bounds: NDArray[np.int64]) -> str:
    if not one or not two:
        return "no-person"
    if one == two:
        return "alone"
    if not when:
        return "no-start"
    if second is None:
        return "bad-start"
    if second > bounds[1]:
        return "future"
    if second < bounds[0]:
        return "too-old"
    return "forgotten" if second < bounds[2] else ""


def _known(cell: str) -> str:
    text = cell.strip()
    return "" if text.casefold() in NOT_KNOWN else text


def _second(text: str, begin: int, offset: int) -> int | None:
    if text.isascii() and text.isdigit():
        return begin + int(text)
    found = parse_time(text, offset)
    return None if found is None or found[0] != found[1] else found[0] * 60


def _meetings(pairs: NDArray[np.uint64], at: NDArray[np.int64], key: bytes, seconds: int) -> Batch:
    """Two stays of every meeting."""
    rows = np.unique(np.column_stack([pairs, at.astype(np.uint64)]), axis=0)
    same = (np.diff(rows[:, :2].astype(np.uint64), axis=0) == 0).all(axis=1)
    near = np.diff(rows[:, 2].astype(np.int64)) <= seconds + BREAK
    begins = np.flatnonzero(np.concatenate([[True], ~(same & near)]))
    count = np.diff(np.append(begins, rows.shape[0]))
    start = (rows[begins, 2].astype(np.int64) - seconds) // 60
    minutes = _whole_minutes(np.cumsum(count) * seconds, np.flatnonzero(~same) + 1, begins)
    secret_key = secret.event_key(key)
    place = np.array([_place(a, b, secret_key) for a, b in rows[begins, :2].tolist()], object)
    both = np.concatenate([rows[begins, 0], rows[begins, 1]])
    twice = np.concatenate([start, start])
    events = [
        secret.event_number(f"{who} {where} {when}", secret_key)
        for who, where, when in zip(both.tolist(), [*place, *place], twice.tolist(), strict=True)
    ]
    return Batch(
        np.array(events, np.uint64), both, np.concatenate([place, place]), twice,
        twice + np.concatenate([minutes, minutes]),
    )  # fmt: skip


def _whole_minutes(
    so_far: NDArray[np.int64], pairs: NDArray[np.int64], begins: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Minutes of each meeting, from the seconds of all up to it; what a pair has left goes to its next."""
    first = np.searchsorted(begins, np.concatenate([[0], pairs]))  # the first meeting of each pair
    before = np.concatenate([[0], so_far])
    of_pair = np.repeat(before[first], np.diff(np.append(first, begins.size)))
    whole = (so_far - of_pair + 30) // 60
    return np.asarray(whole - (before[:-1] - of_pair + 30) // 60)


def _place(a: int, b: int, key: bytes) -> str:
    return f"near-{secret.event_number(f'{a} {b}', key):016x}"
