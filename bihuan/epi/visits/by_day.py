"""Stays known by the day: line lists, bulletins, routes of cases. A store of them holds nothing else.

A stay of a day is kept from 0:00 to 23:59, once a person, place and day; a stay from day to day is one of
each of its days. Nothing finer is known, also where a time stood: so that a whole day never looks like 1,439
minutes spent together, such stays are never beside exact ones. The store says so (`is_by_day`), and whoever
asks it answers in days.
"""

from __future__ import annotations

import csv
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from bihuan.epi.errors import InputError
from bihuan.epi.visits import roles, secret
from bihuan.epi.visits.batch import DAY_MINUTES, Batch
from bihuan.epi.visits.cases import parse_time
from bihuan.epi.visits.ingest import BATCH, Ingested, Rejected, limits
from bihuan.epi.visits.layout import read_json, write_json
from bihuan.epi.visits.numbers import keyed_number
from bihuan.epi.visits.reading import Rows, open_rows
from bihuan.epi.visits.store import VisitStore

#: Days a stay may last. Longer ones are mostly a wrong year.
LONGEST_DAYS = 31
ROLES = ("person", "place", "start", "end", "how")
#: What a column is called that is not read, though its name is known.
UNREAD = "none"
#: Cells that say "nowhere", besides those that say "not known".
_NOWHERE = ("无",)
#: Minutes from the first to the last of a day.
WHOLE_DAY = DAY_MINUTES - 1
_LONGEST_ID = 128  # bytes, as for entry records
_PRECISION = "precision"

_REASONS = {
    "no-person": ("", "nobody is named; fill in the person", "缺少人员；请补上"),
    "no-place": ("", "no place is named; fill in the place", "缺少场所；请补上"),
    "too-long": ("", "an id of more than 128 bytes; is it the right column?", "编号超过 128 字节；列对吗？"),
    "no-start": ("", "the first day is missing; fill it in", "缺少开始日期；请补上"),
    "bad-start": (
        "start", "not a day that can be read; write it as 2020-02-05", "不是可识别的日期；请写成 2020-02-05",
    ),
    "bad-end": (
        "end", "not a day that can be read; write it as 2020-02-05, or leave it empty",
        "不是可识别的日期；请写成 2020-02-05，或留空",
    ),
    "end-before-start": (
        "end", "the last day is before the first; correct one of them", "结束早于开始；请更正其一",
    ),
    "too-many-days": (
        "end", f"more than {LONGEST_DAYS} days at one place; is the year right?",
        f"在一处超过 {LONGEST_DAYS} 天；年份是否正确？",
    ),
    "future": ("start", "more than a day in the future; correct the day", "晚于当前一天以上；请更正日期"),
    "too-old": ("start", "before the year 2000; correct the day", "早于 2000 年；请更正日期"),
    "forgotten": (
        "start", "this day was deleted from the store and does not come back; take the row out",
        "该日已按期删除，不再收录；请去掉该行",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Places:
    """How cells name places. `split`: a cell lists several, with this sign between them. `cut`: only what
    stands before this sign (a train before its carriage and seat)."""

    split: str = ""
    cut: str = ""

    def of(self, cells: Sequence[str]) -> list[str]:
        """The places a row names: the cells side by side, each in its plain form."""
        if self.split:
            rest = [plain(part) for part in cells[0].split(self.split)]
            return list(dict.fromkeys(" ".join([part, *cells[1:]]).strip() for part in rest if part))
        whole = " ".join(plain(c.partition(self.cut)[0] if self.cut else c) for c in cells)
        return [whole.strip()] if plain(cells[0]) else []


def plain(text: str) -> str:
    """The form in which two names of a place are one: letters of full width as usual, one space for many.
    Nothing else is made alike: whether two names mean one place is for a person to say."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def is_by_day(store: VisitStore) -> bool:
    """Whether the store knows days only."""
    return bool(read_json(store.folder / "store.json").get(_PRECISION) == "day")


def create(folder: Path, *, offset_minutes: int = 480) -> VisitStore:
    """A store that knows days only; one that is there is opened. InputError for one of exact times."""
    store = VisitStore.create(folder, offset_minutes=offset_minutes)
    if not is_by_day(store):
        if store.segments():
            raise _mixed(folder)
        about = folder / "store.json"
        write_json(about, read_json(about) | {_PRECISION: "day"})
    return store


def refuse_exact(store: VisitStore) -> None:
    """InputError for a store that knows days only, before exact times are put into it."""
    if is_by_day(store):
        raise _mixed(store.folder)


def _mixed(folder: Path) -> InputError:
    return InputError(
        f"{folder} holds the other kind of stays; exact times and whole days are kept in two stores: --store",
        f"{folder} 存放的是另一类记录；精确时间与整日记录须分库存放：--store",
        field="store",
    )


def ingest_days(
    store: VisitStore,
    files: Sequence[Path],
    *,
    key: bytes,
    now: datetime,
    given: Mapping[str, Sequence[str]] | None = None,
    places: Places | None = None,
    encoding: str = "",
    on_rejected: Callable[[Rejected], None] | None = None,
) -> Ingested:
    """Read files of stays from day to day into a store made by `create`.

    `given`: role (person, place, start, end, how; none: not read) to its columns; several make one name of a
    place. Without an end a stay is of one day. A day as end counts; the time 0:00 as end does not begin that
    day. A row of n days and m places is n × m stays: `added` and `duplicate` count stays, `rows` and
    `rejected` rows.
    """
    began, done = time.perf_counter(), Ingested()
    if not is_by_day(store):
        raise _mixed(store.folder)
    store.check_key(secret.fingerprint(key))
    reader = _Reader(store, key, now, places or Places(), done, on_rejected)
    with store.writer():
        for file in files:
            with open_rows(file, encoding=encoding) as rows:
                reader.read(rows, _positions(rows, given or {}))
    done.seconds = time.perf_counter() - began
    return done


def _positions(rows: Rows, given: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    given, unread = {r: c for r, c in given.items() if r != UNREAD}, given.get(UNREAD, ())
    first = {columns[0]: role for role, columns in given.items()}
    by_name = roles.find(rows.columns, first, file=rows.path.name)
    found = {
        role: [by_name[role]]
        for role in ROLES
        if role in by_name and rows.columns[by_name[role]] not in unread
    }
    for role, columns in given.items():
        for column in columns[1:]:
            other = {c: r for c, r in first.items() if r != role} | {column: role}
            found[role].append(roles.find(rows.columns, other, file=rows.path.name)[role])
    return found


class _Refused(Exception):
    """A row is not taken: args[0] is the reason."""


class _Reader:
    def __init__(
        self,
        store: VisitStore,
        key: bytes,
        now: datetime,
        places: Places,
        done: Ingested,
        on_rejected: Callable[[Rejected], None] | None,
    ) -> None:
        self.store, self.key, self.places, self.done, self.on_rejected = store, key, places, done, on_rejected
        self.event_key = secret.event_key(key)
        self.bounds = [int(minute) // DAY_MINUTES for minute in limits(store, now)]
        self.stays: list[tuple[int, int, str, int, int]] = []

    def read(self, rows: Rows, at: dict[str, list[int]]) -> None:
        self.done.columns[rows.path.name] = {
            role: " + ".join(rows.columns[i] for i in columns) for role, columns in at.items()
        }
        for number, cells in enumerate(csv.reader(_lines(rows), delimiter=rows.delimiter), rows.header + 1):
            if not any(cell.strip() for cell in cells):
                continue
            said = {role: [cells[i] if i < len(cells) else "" for i in where] for role, where in at.items()}
            self.done.rows += 1
            try:
                self.stays += self._stays(said)
            except _Refused as refusal:
                self._reject(rows, number, refusal.args[0], at, said)
            if len(self.stays) >= BATCH:
                self._keep()
        self._keep()

    def _stays(self, said: dict[str, list[str]]) -> list[tuple[int, int, str, int, int]]:
        person = _known(said["person"][0])
        if not person:
            raise _Refused("no-person")
        places = self.places.of([_known(cell) for cell in said["place"]])
        if not places:
            raise _Refused("no-place")
        if max(len(text.encode()) for text in (person, *places)) > _LONGEST_ID:
            raise _Refused("too-long")
        first, last = self._days(said["start"][0], said.get("end", [""])[0])
        number = keyed_number(self.key, person)
        how = self._how(said.get("how", [""])[0])
        return [
            (secret.event_number(f"{number} {day} {place}", self.event_key), number, place, day, how)
            for place in places
            for day in range(first, last + 1)
        ]

    def _days(self, start: str, end: str) -> tuple[int, int]:
        begin, until = _known(start), _known(end)
        if not begin:
            raise _Refused("no-start")
        found = parse_time(begin, self.store.offset)
        if found is None:
            raise _Refused("bad-start")
        over = parse_time(until, self.store.offset) if until else found
        if over is None:
            raise _Refused("bad-end")
        first, last = found[0] // DAY_MINUTES, over[1] // DAY_MINUTES
        if over[0] == over[1] and over[1] % DAY_MINUTES == 0 and last > first:
            last -= 1  # the time 0:00 ends the day before
        for reason, is_so in (
            ("end-before-start", last < first),
            ("too-many-days", last - first >= LONGEST_DAYS),
            ("future", last > self.bounds[1]),
            ("too-old", first < self.bounds[0]),
            ("forgotten", first < self.bounds[2]),
        ):
            if is_so:
                raise _Refused(reason)
        return first, last

    def _how(self, said: str) -> int:
        code = roles.code_of(said)
        if code is None:
            self.done.unknown_how[said[:40]] += 1
        return code or 0

    def _keep(self) -> None:
        if not self.stays:
            return
        event, person, place, day, how = zip(*self.stays, strict=True)
        start = np.array(day, np.int64) * DAY_MINUTES
        said = self.store.append(
            Batch(
                np.array(event, np.uint64), np.array(person, np.uint64), np.array(place, object), start,
                start + WHOLE_DAY, how=np.array(how, np.uint8),
            )
        )  # fmt: skip
        self.done.added += said.added
        self.done.duplicate += said.duplicate
        self.stays.clear()

    def _reject(
        self, rows: Rows, number: int, reason: str, at: dict[str, list[int]], said: dict[str, list[str]]
    ) -> None:
        role, en, zh = _REASONS[reason]
        column = rows.columns[at[role][0]] if role in at else ""
        shown = said[role][0].strip()[:40] if column else ""
        self.done.reject(Rejected(rows.path.name, number, reason, column, shown, en, zh), self.on_rejected)


def _known(cell: str) -> str:
    text = cell.strip()
    return "" if text.casefold() in roles.NOT_KNOWN or text in _NOWHERE else text


def _lines(rows: Rows) -> Iterator[str]:
    held = b""
    while block := rows.read():
        *whole, held = (held + block).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace") + "\n"
    if held:
        yield held.decode("utf-8", "replace")
