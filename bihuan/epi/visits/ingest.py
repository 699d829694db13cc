"""Files of visits into the store: read in blocks, checked row by row, pseudonymous before they are kept."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.visits import cells, roles, secret
from bihuan.epi.visits.batch import DAY_MINUTES, Batch
from bihuan.epi.visits.reading import Rows, open_rows
from bihuan.epi.visits.store import VisitStore

#: Visits that are sorted and made durable together: about 100 MB, and at most a few seconds of a busy gate.
BATCH = 2_000_000
REJECTED = 250_000  # rows not taken that are held before they are handed on
_AT_ONCE = 1 << 16  # rows that are taken apart together
AHEAD_MINUTES = DAY_MINUTES  # a clock may be that much fast
EARLIEST = (np.datetime64("2000-01-01", "D").astype(np.int64) * DAY_MINUTES).item()
SHOWN = 20
_EMPTY_LINE = 255  # in `state`
LONGEST_LINE = 1 << 24  # bytes without an end of line after which a file is no table

#: Reason to its word, the role of its cell ("" for none that may be shown), and what it says.
REASONS: dict[int, tuple[str, str, str, str]] = {
    cells.BROKEN: (
        "broken", "", "a quote does not close, or the row is longer than 64 KB; mend the row",
        "引号未闭合，或该行超过 64 KB；请修正该行",
    ),
    cells.MORE_CELLS: (
        "more-cells", "", "more cells than the header has; put a cell with a separator in it into quotes",
        "单元格多于表头；含分隔符的单元格请加引号",
    ),
    cells.NO_PERSON: ("no-person", "", "nobody is named; fill in the person", "缺少人员；请补上"),
    cells.NO_PLACE: ("no-place", "", "no place is named; fill in the place", "缺少场所；请补上"),
    cells.TOO_LONG: (
        "too-long", "", "an id of more than 128 bytes; is it the right column? Name it with --map",
        "编号超过 128 字节；列是否正确？请用 --map 指明",
    ),
    cells.NO_START: ("no-start", "", "the time in is missing; fill it in", "缺少进入时间；请补上"),
    cells.BAD_START: (
        "bad-start", "start", "not a time that can be read; write it as 2020-02-05 08:03",
        "不是可识别的时间；请写成 2020-02-05 08:03",
    ),
    cells.BAD_END: (
        "bad-end", "end", "not a time that can be read; write it as 2020-02-05 08:03, or leave it empty",
        "不是可识别的时间；请写成 2020-02-05 08:03，或留空",
    ),
    cells.END_FIRST: (
        "end-before-start", "end", "the time out is before the time in; correct one of them",
        "离开时间早于进入时间；请更正其一",
    ),
    cells.FUTURE: (
        "future", "start", "more than a day in the future; correct the time, or the clock of the gate",
        "晚于当前一天以上；请更正时间或闸机时钟",
    ),
    cells.TOO_OLD: ("too-old", "start", "before the year 2000; correct the time", "早于 2000 年；请更正时间"),
    cells.FORGOTTEN: (
        "forgotten", "start", "this day was deleted from the store and does not come back; take the row out",
        "该日已按期删除，不再收录；请去掉该行",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken. `said` is the cell, where it holds no identity."""

    file: str
    row: int
    reason: str
    column: str
    said: str
    en: str
    zh: str

    def text(self, lang: str = "en") -> str:
        return self.zh if lang.startswith("zh") else self.en


@dataclass(slots=True)
class Ingested:
    """What became of the rows: rows = added + duplicate + rejected, always."""

    rows: int = 0
    added: int = 0
    duplicate: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[Rejected] = field(default_factory=list)
    unread_temperatures: int = 0  # taken without it
    bounded: int = 0  # stays of more than a day, kept as one day
    unknown_how: Counter[str] = field(default_factory=Counter)  # taken as "not said"
    columns: dict[str, dict[str, str]] = field(default_factory=dict)  # file to role to column
    seconds: float = 0.0

    def reject(self, row: Rejected, told: Callable[[Rejected], None] | None) -> None:
        """Count a row that is not taken, keep the first SHOWN and the first of each reason, and tell."""
        self.rejected += 1
        self.reasons[row.reason] += 1
        if len(self.examples) < SHOWN or self.reasons[row.reason] == 1:
            self.examples.append(row)
        if told:
            told(row)


def ingest(
    store: VisitStore,
    files: Sequence[Path],
    *,
    key: bytes,
    now: datetime,
    given: Mapping[str, str] | None = None,
    encoding: str = "",
    on_rejected: Callable[[Rejected], None] | None = None,
    on_batch: Callable[[int], None] | None = None,
    batch: int = BATCH,
) -> Ingested:
    """Read `files` into `store`. `given`: column to role, for columns whose names do not tell. `now` (with
    its zone): what begins more than a day later is rejected. `on_rejected` gets every row not taken, in
    order; `on_batch` the number of rows done. A file that ends in an error leaves what was read before in the
    store; reading it again adds the rest only.
    """
    began, done = time.perf_counter(), Ingested()
    store.check_key(secret.fingerprint(key))
    for file in files:  # all files are looked at before the first is read
        with open_rows(file, encoding=encoding) as rows:
            found = roles.find(rows.columns, given or {}, file=file.name)
            done.columns[file.name] = {role: rows.columns[at] for role, at in found.items()}
    with store.writer():
        bounds = limits(store, now)
        for file in files:
            with open_rows(file, encoding=encoding) as rows:
                reader = FileReader(
                    rows, roles.find(rows.columns, given or {}, file=file.name), key, bounds, store.offset
                )
                for part in _one_ahead(reader.parts(batch)):
                    _keep(store, part, done, on_rejected)
                    if on_batch:
                        on_batch(done.rows)
    done.seconds = time.perf_counter() - began
    return done


def limits(store: VisitStore, now: datetime) -> NDArray[np.int64]:
    """Minutes of the store's clock: the earliest and the latest a visit may begin, the first that was not
    deleted."""
    clock = int(now.astimezone(UTC).timestamp() // 60) + store.offset
    return np.array([EARLIEST, clock + AHEAD_MINUTES, store.forgotten * DAY_MINUTES], np.int64)


def _keep(
    store: VisitStore, part: Part, done: Ingested, on_rejected: Callable[[Rejected], None] | None
) -> None:
    said = store.append(part.batch)
    done.rows += part.rows
    done.added += said.added
    done.duplicate += said.duplicate
    done.rejected += said.refused
    done.unread_temperatures += part.unread
    done.bounded += part.bounded
    done.unknown_how += part.unknown_how
    for row in part.rejected:
        done.reject(row, on_rejected)


@dataclass(slots=True)
class Part:
    """Rows that go into the store together, and those that do not."""

    batch: Batch
    rows: int
    rejected: list[Rejected]
    unread: int
    bounded: int
    unknown_how: Counter[str]


class FileReader:
    """One file as parts of a bounded size."""

    def __init__(
        self, rows: Rows, found: dict[str, int], key: bytes, limits: NDArray[np.int64], offset: int
    ) -> None:
        self.rows, self.found, self.limits, self.offset = rows, found, limits, offset
        self.role_of = np.full(len(rows.columns), -1, np.int64)
        for role, at in found.items():
            self.role_of[at] = roles.POSITION[role]
        self.words = np.array(roles.not_known(), np.uint64)
        self.states = cells.state_of(key), np.frombuffer(secret.event_key(key), "<u8").astype(np.uint64)
        self.row = rows.header
        n = _AT_ONCE
        self.at, self.till = np.empty((n, cells.N_ROLES), np.int32), np.empty((n, cells.N_ROLES), np.int32)
        self.state = np.empty(n, np.uint8)
        self._begin()

    def _begin(self) -> None:
        self.columns: list[tuple[NDArray[Any], ...]] = []
        self.places, self.hows = _Texts(), _Texts()
        self.rejected: list[Rejected] = []
        self.unknown: Counter[str] = Counter()
        self.count = self.taken = self.unread = self.bounded = 0

    def parts(self, size: int) -> Iterator[Part]:
        buffer, held, final = np.empty(1 << 20, np.uint8), 0, False
        while not final:
            block = self.rows.read()
            final = not block
            if held + len(block) > buffer.size:
                buffer = np.concatenate([buffer[:held], np.empty(len(block) + cells.LONGEST_ROW, np.uint8)])
            buffer[held : held + len(block)] = np.frombuffer(block, np.uint8)
            end, at = held + len(block), 0
            while at < end:
                used = self._some(buffer[at:end], final)
                at += used
                if self.taken >= size or len(self.rejected) >= REJECTED:
                    yield self._part()
                if not used:
                    break
            held = end - at
            if held > LONGEST_LINE:
                raise self._endless()
            buffer[:held] = buffer[at:end].copy()
        if self.count:
            yield self._part()

    def _endless(self) -> InputError:
        name, row = self.rows.path.name, self.row + 1
        return InputError(
            f"row {row} of {name} has no end within {LONGEST_LINE >> 20} MB; is it a table? Mend or take "
            "out the row. What was read before stays; read the file again",
            f"{name} 第 {row} 行超过 {LONGEST_LINE >> 20} MB 仍未结束；是否为表格？请修正或去掉该行。"
            "此前读入的保留；请重新读取该文件",
            field="path",
        )

    def _some(self, data: NDArray[np.uint8], final: bool) -> int:
        n, used = cells.split(
            data, data.size, ord(self.rows.delimiter), self.role_of, final, self.at, self.till, self.state
        )
        if n:
            self._take(data, int(n))
        return int(used)

    def _take(self, data: NDArray[np.uint8], n: int) -> None:
        numbers, times = np.empty((n, 2), np.uint64), np.empty((n, 2), np.int64)
        codes, degrees, counts = np.empty((n, 2), np.int32), np.empty(n), np.empty(2, np.int64)
        for texts in (self.places, self.hows):
            texts.make_room(n, data.size)
        cells.read(
            data, n, self.at, self.till, self.state, self.words, self.offset, self.limits, *self.states,
            numbers, times, codes, degrees, self.places.arrays, self.places.counts,
            self.hows.arrays, self.hows.counts, counts,
        )  # fmt: skip
        state = self.state[:n]
        bad = np.flatnonzero(state != cells.TAKEN)
        good = np.flatnonzero(state == cells.TAKEN) if bad.size else slice(None)
        taken = (
            numbers[good, 0], numbers[good, 1], codes[good, 0], times[good, 0], times[good, 1],
            degrees[good], codes[good, 1],
        )  # fmt: skip
        self.columns.append(taken)
        self.unread += int(counts[0])
        self.bounded += int(counts[1])
        self.taken += n - bad.size
        for i in bad:
            if state[i] != _EMPTY_LINE:
                self.rejected.append(self._rejection(data, int(i)))
        self.count += n - int((state[bad] == _EMPTY_LINE).sum())
        self.row += n

    def _how_codes(self, chosen: NDArray[np.int32]) -> NDArray[np.uint8]:
        words = self.hows.all()
        codes = [roles.code_of(word) for word in words]
        often = np.bincount(chosen, minlength=len(words))
        for word, code, n in zip(words, codes, often.tolist(), strict=True):
            if code is None:
                self.unknown[word[:40]] += n
        return np.array([code or 0 for code in codes] or [0], np.uint8)[chosen]

    def _rejection(self, data: NDArray[np.uint8], i: int) -> Rejected:
        word, role, en, zh = REASONS[int(self.state[i])]
        column, said = "", ""
        if role:
            at = roles.POSITION[role]
            column = self.rows.columns[self.found[role]]
            said = (
                bytes(data[self.at[i, at] : self.till[i, at]][:120]).decode("utf-8", "replace").strip()[:40]
            )
        return Rejected(self.rows.path.name, self.row + i + 1, word, column, said, en, zh)

    def _part(self) -> Part:
        event, person, place, start, end, degrees, how = (
            np.concatenate(column) for column in zip(*self.columns, strict=True)
        )
        names = np.array([*self.places.all(), ""], dtype=object)[:-1]
        batch = Batch(event, person, place, start, end, degrees, self._how_codes(how), names)
        part = Part(batch, self.count, self.rejected, self.unread, self.bounded, self.unknown)
        self._begin()
        return part


class _Texts:
    """Distinct texts of a part, numbered as they come; the compiled reading fills it."""

    def __init__(self) -> None:
        self.counts = np.zeros(2, np.int64)  # texts, bytes
        self.slots, self.held = np.zeros(1 << 12, np.int32), np.empty(1 << 16, np.uint8)
        self.begins, self.ends = np.empty(1 << 11, np.int64), np.empty(1 << 11, np.int64)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        return self.slots, self.begins, self.ends, self.held

    def make_room(self, texts: int, size: int) -> None:
        """For as many more texts, of as many bytes together."""
        n, used = (int(count) for count in self.counts)
        if used + size > self.held.size:
            self.held = np.concatenate([self.held[:used], np.empty(used + 2 * size, np.uint8)])
        if n + texts > self.begins.size:
            more = np.empty(n + 2 * texts, np.int64)
            self.begins = np.concatenate([self.begins[:n], more])
            self.ends = np.concatenate([self.ends[:n], more])
        if 2 * (n + texts) > self.slots.size:
            self.slots = np.zeros(1 << (4 * (n + texts)).bit_length(), np.int32)
            cells.place_again(self.slots, self.begins, self.ends, self.held, n)

    def all(self) -> list[str]:
        n, used = (int(count) for count in self.counts)
        raw = self.held[:used].tobytes()
        return [
            raw[a:b].decode("utf-8", "replace")
            for a, b in zip(self.begins[:n].tolist(), self.ends[:n].tolist(), strict=True)
        ]


def _one_ahead(parts: Iterator[Part]) -> Iterator[Part]:
    """Read the next part while the one before is written; the compiled reading leaves the other core free."""
    waiting: queue.Queue[Part | BaseException | None] = queue.Queue(maxsize=1)
    stop = threading.Event()

    def put(item: Part | BaseException | None) -> None:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for part in parts:
                put(part)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
