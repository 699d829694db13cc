"""The visit store: one folder, one manifest that says which segments are there, one writer at a time.

A batch becomes segments (a segment belongs to one day), written beside the others and made durable; then
the manifest is replaced in one step. Whatever a crash leaves behind is not in the manifest and so was never
there. Readers take no lock: a segment never changes, and they look whether the manifest did.
"""

from __future__ import annotations

import fcntl
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import deletions, index, ordering, parquet
from bihuan.epi.visits.batch import DAY_MINUTES, Batch, Stays
from bihuan.epi.visits.layout import (
    UNFINISHED,
    StoreBusy,
    StoreError,
    append_line,
    flush_folder,
    full_is_told,
    linked,
    placed,
    read_json,
    write_json,
)
from bihuan.epi.visits.manifest import (
    Appended,
    Forgotten,
    Manifest,
    Segment,
    StoreStats,
    day_of,
    identity,
    name_of,
)
from bihuan.epi.visits.reader import VERSION, Reader
from bihuan.epi.visits.receipts import Receipts

__all__ = ["UNKNOWN_END", "Appended", "Forgotten", "Segment", "StoreStats", "VisitStore"]

#: A day in more segments than this is compacted: a question then opens fewer.
MANY_SEGMENTS = 8
#: Days after its end that a day still remembers event ids, so that a gate may send again what it sent. Later
#: the same person at the same place in the same minute is the same visit.
RECEIPT_DAYS = 7
#: What came on a day (UTC) began at most so many days later, by a gate whose clock is fast or far east.
AHEAD_DAYS = 2
#: A reader makes the table of people within seconds; a file it left unfinished so long ago is nobody's.
STALE_SECONDS = 600.0


class VisitStore(Reader):
    """Open with `VisitStore(folder)`; `VisitStore.create` makes one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._receipts = Receipts(self._known_events)

    def _changed(self) -> None:
        self._receipts.drop()

    @classmethod
    def create(cls, folder: Path, *, offset_minutes: int = 480) -> VisitStore:
        """A new, empty store; an existing one is opened. `offset_minutes`: of its clock (default UTC+8)."""
        if not (folder / "store.json").exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(folder):  # of two who begin one at once, the second finds it
                if not (folder / "store.json").exists():
                    about = {"version": VERSION, "offset_minutes": offset_minutes, "id": _new_id()}
                    Manifest().write(folder / "manifest.json")
                    write_json(folder / "store.json", about)
                    flush_folder(folder.parent)
        return cls(folder)

    def check_key(self, fingerprint: str) -> None:
        """Refuse another key than the one this store was begun with; the first is remembered."""
        path = self.folder / "store.json"
        about = read_json(path)
        known = about.get("key")
        if known is None:
            with self.writer():  # of two who write first, the key of one counts
                about = read_json(path)
                known = about.setdefault("key", fingerprint)
                write_json(path, about)
        if known != fingerprint:
            raise StoreError(
                f"{self.folder} was written with another key; with this one nobody in it would be found",
                f"{self.folder} 是用另一把密钥写入的；用当前密钥无法找到其中任何人",
                field="key",
            )

    # --- writing ---------------------------------------------------------------------------------------

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Only one at a time, this process or another; gone by itself when the process dies."""
        if self._writing:
            yield
            return
        with _locked(self.folder):
            self._writing = True
            try:
                self._look()
                self._look_at_numbers()
                for segment in self._manifest.leave_out(deletions.first_kept(self.folder)):
                    self._open.pop(segment.seq, None)
                self._sweep_orphans()
                if not self._manifest.blanked:
                    self._blank()
                with full_is_told(self.folder):
                    yield
            except BaseException:
                self._seen = None  # what the manifest on the disk says counts, not what was to be written
                raise
            finally:
                self._writing = False

    def append(self, batch: Batch, *, since: int | None = None, until: int | None = None) -> Appended:
        """Add visits, durable and visible when this returns. The same event id again is left out.

        Visits that begin outside [since, until] (minutes, both may be None) are refused: clocks far wrong,
        and days that are over. So are those of days that were forgotten.
        """
        with self.writer():
            try:
                return self._append(batch, since, until)
            except BaseException:
                self._receipts.drop()  # what was not kept must not count as seen
                raise

    def _append(self, batch: Batch, since: int | None, until: int | None) -> Appended:
        good = batch.start >= self._manifest.forgotten * DAY_MINUTES
        if since is not None:
            good &= batch.start >= since
        if until is not None:
            good &= batch.start <= until
        fresh = good.copy()
        for day, rows in _by_day(batch.start, np.flatnonzero(good)):
            fresh[rows] = self._receipts.first_time(day, batch.event[rows])
        self._receipts.give_way()
        rows = np.flatnonzero(fresh)
        stays = Stays(
            person=self.people.number(np.ascontiguousarray(batch.person_key[rows])),
            place=self._place_numbers(batch, rows),
            start=batch.start[rows].astype(np.int32),
            minutes=batch.minutes()[rows],
            temperature=batch.temperatures()[rows],
            how=np.zeros(rows.size, np.uint8) if batch.how is None else batch.how[rows],
        )
        new = ~self._among_closed_days(stays)
        if not new.all():
            rows, stays = rows[new], stays.take(new)
        self._commit(stays, batch.event[rows])
        turned = int(((batch.end < batch.start) & (batch.end != UNKNOWN_END) & fresh).sum())
        refused = int(batch.size - good.sum())
        n = int(rows.size)
        return Appended(batch.size, n, batch.size - refused - n, refused, turned, np.sort(rows))

    def _place_numbers(self, batch: Batch, rows: NDArray[np.intp]) -> NDArray[np.uint32]:
        """Small numbers of the places of `rows`; only places that are there get one."""
        chosen = batch.place[rows]
        if batch.place_names is None:
            distinct, inverse = np.unique(chosen.astype(str), return_inverse=True)
            return self.places.number([str(n) for n in distinct])[inverse]
        there = np.zeros(batch.place_names.size, np.bool_)
        there[chosen] = True
        numbers = np.zeros(there.size, np.uint32)
        numbers[there] = self.places.number([str(n) for n in batch.place_names[there]])
        return numbers[chosen]

    def _among_closed_days(self, stays: Stays) -> NDArray[np.bool_]:
        """Which stays stand in a day that has forgotten its event ids: the same person at the same place in
        the same minute is the same visit there."""
        found = np.zeros(stays.size, np.bool_)
        for day, rows in _by_day(stays.start, np.arange(stays.size)):
            for segment in self.segments(day, day):
                if not self._path(segment, "events").exists():
                    found[rows] |= ordering.is_among(stays.take(rows), self.stays_of(segment))
        return found

    def _known_events(self, day: int) -> NDArray[np.uint64]:
        return self._events_of(self.segments(day, day))

    def _events_of(self, parts: Sequence[Segment]) -> NDArray[np.uint64]:
        paths = [self._path(s, "events") for s in parts]
        found = [np.fromfile(p, "<u8") for p in paths if p.exists()]
        return np.concatenate(found) if found else np.empty(0, np.uint64)

    def _commit(self, stays: Stays, events: NDArray[np.uint64]) -> None:
        made = []
        try:
            for day, rows in _by_day(stays.start, np.arange(stays.size)):
                made.append(self._write_segment(day, stays.take(rows), events[rows]))
            if made:
                self._manifest.segments |= {s.seq: s for s in made}
                self._write_manifest()
        except BaseException:
            for segment in made:
                self._manifest.segments.pop(segment.seq, None)
            raise

    def _write_segment(self, day: int, stays: Stays, events: NDArray[np.uint64] | None) -> Segment:
        seq = self._manifest.next_seq
        self._manifest.next_seq += 1
        folder = self.folder / name_of(day)
        if not folder.exists():
            folder.mkdir()
            flush_folder(self.folder)
        stays = stays.take(ordering.by_place(stays))
        files = parquet.write(folder, seq, day, stays)
        segment = Segment(seq, day, stays.size, files)
        if events is not None:
            with placed(self._path(segment, "events")) as path:
                path.write_bytes(np.where(events == 0, np.uint64(1), events).astype("<u8").data)
        index.made(self._path(segment, "index"), day, stays)
        flush_folder(folder)
        return segment

    def put_day(self, day: int, stays: Stays) -> None:
        """Add a segment of stays that are known to be new, with numbers of people and places given already;
        no event ids are kept. For restoring and for benchmarks."""
        with self.writer():
            made = self._write_segment(day, stays, None)
            self._manifest.segments[made.seq] = made
            self._write_manifest()

    def compact(self, *, day: int | None = None, today: int | None = None, least: int = MANY_SEGMENTS) -> int:
        """Merge the segments of each day that has `least` or more (or of `day`) into one; how many days.

        `today` (days since 1970): days longer past than RECEIPT_DAYS forget their event ids.
        """
        done = 0
        with self.writer():
            for each in sorted({s.day for s in self._manifest.segments.values()}):
                parts = self.segments(each, each)
                over = today is not None and today - each > RECEIPT_DAYS
                wanted = day == each if day is not None else len(parts) >= least or over
                has_receipts = any(self._path(s, "events").exists() for s in parts)
                if wanted and (len(parts) > 1 or (over and has_receipts)):
                    self._merge(each, parts, keep_events=not over)
                    done += 1
        return done

    def tidy(self) -> int:
        """Merge what small batches left, of each day in MANY_SEGMENTS parts or more: the smallest parts up to
        one larger than all of them, so that no stay is written again often. Returns the days done."""
        done = 0
        with self.writer():
            for day in sorted({s.day for s in self._manifest.segments.values()}):
                parts = [s for s in self.segments(day, day) if self._path(s, "events").exists()]
                small = _small(parts) if len(parts) >= MANY_SEGMENTS else []
                if len(small) > 1:
                    self._merge(day, small, keep_events=True)
                    done += 1
        return done

    def _merge(self, day: int, parts: Sequence[Segment], *, keep_events: bool) -> None:
        stays = Stays.join([self.stays_of(s) for s in parts])
        events = self._events_of(parts) if keep_events else None
        merged = self._write_segment(day, stays, events)
        for part in parts:
            del self._manifest.segments[part.seq]
        self._manifest.segments[merged.seq] = merged
        self._write_manifest()
        for part in parts:
            self._remove(part)

    def forget(self, before: int, *, by: str = "", at: str = "") -> Forgotten:
        """Delete every day before `before` (days since 1970), also what was set aside of them, for good: its
        visits are refused from then on. The numbers of people whom no remaining day names are blanked. One
        line of `retention.log` tells what was deleted. A crash on the way is made good by the next writer.

        `by` and `at` (UTC, ISO) stand in the list of deletions beside the store, which a backup that is
        restored does not take back.
        """
        with self.writer():
            told = deletions.Deletion(self._id(), str(np.datetime64(before, "D")), at, by)
            deletions.add(self.folder, [told])
            gone = self._manifest.leave_out(before)
            self._manifest.blanked = False
            self._write_manifest()
            for segment in gone:
                self._open.pop(segment.seq, None)
            blanked = self._blank()
            done = Forgotten(
                before=str(np.datetime64(before, "D")),
                days=len({s.day for s in gone}),
                stays=sum(s.stays for s in gone),
                bytes=sum(size for s in gone for size, _crc in s.files.values()),
                people=blanked,
            )
            append_line(self.folder / "retention.log", asdict(done))
            return done

    def _id(self) -> str:
        """What tells this store and its backups from any other."""
        path = self.folder / "store.json"
        about = read_json(path)
        if "id" not in about:
            about["id"] = _new_id()
            write_json(path, about)
        return str(about["id"])

    def _blank(self) -> int:
        """Remove the files of forgotten days and blank the people only they named; how many."""
        until = self._manifest.forgotten
        for path in [*self.folder.glob("day-*"), *self.folder.glob("set-aside/day-*")]:
            if day_of(path) < until:
                shutil.rmtree(path)
        for path in self.folder.glob("set-aside/spool/*"):  # damaged: when it came is all that is known
            came = int(path.name[:20]) // 86_400_000_000_000 if path.name[:20].isdigit() else until
            if came + AHEAD_DAYS < until:
                path.unlink()
        self._receipts.drop(before=until)
        flush_folder(self.folder)
        before = int(np.count_nonzero(self.people.keys))
        try:
            present = self._people_present()
        except StoreError:
            return 0  # a remaining day is damaged: who is in it is not known until it is set aside
        if before > int(present.sum()):
            self.people.keep_only(present)
        self._manifest.blanked = True
        self._write_manifest()
        return before - int(np.count_nonzero(self.people.keys))

    def _people_present(self) -> NDArray[np.bool_]:
        present = np.zeros(self.people.count, np.bool_)
        for segment in self.segments():
            for part in self.index_of(segment).columns:
                present[part["people"]] = True
        return present

    def _remove(self, segment: Segment) -> None:
        self._open.pop(segment.seq, None)
        for path in (self.folder / name_of(segment.day)).glob(f"{segment.seq:08d}*"):
            path.unlink(missing_ok=True)

    def _sweep_orphans(self) -> None:
        """Remove what a crash left: files of segments the manifest does not name."""
        known = {(name_of(s.day), f"{s.seq:08d}") for s in self._manifest.segments.values()}
        for folder in self.folder.glob("day-*"):
            for path in folder.iterdir():
                if (folder.name, path.name[:8]) not in known or path.name.endswith(UNFINISHED):
                    path.unlink(missing_ok=True)
        for path in self.folder.glob(f"*{UNFINISHED}"):  # not from a writer: there is none but this one
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - STALE_SECONDS:
                    path.unlink()

    def _write_manifest(self) -> None:
        path = self.folder / "manifest.json"
        self._manifest.write(path)
        self._seen = identity(path)  # our own, so what is remembered still holds

    # --- health ----------------------------------------------------------------------------------------

    def verify(self, *, set_aside: bool = False) -> list[Path]:
        """Damaged files of the truth, by checksum. With `set_aside`, their segments are moved out of the way
        into `set-aside/`, so that the rest answers."""
        damaged = []
        with self.writer():
            for segment in self.segments():
                folder = self.folder / name_of(segment.day)
                bad = [
                    folder / n for n, (_size, crc) in segment.files.items() if not _is_sound(folder / n, crc)
                ]
                damaged += bad
                if bad and set_aside:
                    self._put_aside(segment)
        return damaged

    def mend(self) -> list[Path]:
        """Make indexes again that are not as they were written; which. Where the truth is damaged too,
        `verify` says so."""
        remade = []
        for segment in self.segments():
            path = self._path(segment, "index")
            if index.is_sound(path):
                continue
            with suppress(StoreError):
                self._open[segment.seq] = index.made(path, segment.day, self.stays_of(segment))
                remade.append(path)
        return remade

    def _put_aside(self, segment: Segment) -> None:
        target = self.folder / "set-aside" / name_of(segment.day)
        target.mkdir(parents=True, exist_ok=True)
        for path in (self.folder / name_of(segment.day)).glob(f"{segment.seq:08d}*"):
            linked(path, target / path.name)
        flush_folder(target)  # what the manifest does not name is removed: it stands there before
        flush_folder(target.parent)
        del self._manifest.segments[segment.seq]
        self._write_manifest()
        self._remove(segment)
        self._receipts.drop(day=segment.day)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of those who write; gone by itself when the process dies."""
    with (folder / "writer.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreBusy(
                "another process is writing to this store; try again when it has finished",
                "另一进程正在写入该库；请待其完成后再试",
                field="store",
            ) from None
        yield


def _new_id() -> str:
    return secrets.token_hex(8)


#: The end of a stay nobody recorded.
UNKNOWN_END = np.iinfo(np.int64).min


def _by_day(start: NDArray[Any], rows: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Rows of each day, in the order they came."""
    days = start[rows] // DAY_MINUTES
    if not rows.size:
        return
    if days.min() == days.max():
        yield int(days[0]), rows
        return
    order = np.argsort(days, kind="stable")
    cuts = np.flatnonzero(np.diff(days[order])) + 1
    for part in np.split(order, cuts):
        yield int(days[part[0]]), rows[part]


def _small(parts: Sequence[Segment]) -> list[Segment]:
    """The parts below the first that is larger than all smaller ones together, by size."""
    by_size = sorted(parts, key=lambda s: s.stays)
    total = 0
    for n, part in enumerate(by_size):
        if n >= MANY_SEGMENTS - 1 and part.stays > total:
            return by_size[:n]
        total += part.stays
    return by_size


def _is_sound(path: Path, crc: int) -> bool:
    try:
        return parquet.checksum(path) == crc
    except OSError:
        return False
