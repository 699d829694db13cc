"""The reading half of the visit store. Readers take no lock: a segment never changes, and they look whether
the manifest did. What a writer merges or deletes meanwhile is asked for again, of what stands in its place.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits import index, kernels, parquet
from bihuan.epi.visits.batch import Stays
from bihuan.epi.visits.layout import StoreError, read_json
from bihuan.epi.visits.manifest import Manifest, Segment, StoreStats, identity, name_of
from bihuan.epi.visits.numbers import People, Places

VERSION = 1
#: How often a question is begun again because a writer took away what it was about to read.
_AGAIN = 20
#: Stretches of days whose rows for the kernels are kept.
_MATRICES = 64
log = logging.getLogger("bihuan.visits")
_T = TypeVar("_T")


class Reader:
    """What can be asked of a store, by any number of processes at once. Open it as `VisitStore`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "store.json").is_file():
            raise StoreError(
                f"{folder} is not a visit store; `bihuan visits ingest` makes one",
                f"{folder} 不是到访记录库；运行 `bihuan visits ingest` 会建立一个",
                field="store",
            )
        about = read_json(folder / "store.json")
        if about.get("version") != VERSION:
            raise StoreError(
                f"{folder} is of version {about.get('version')}; this program reads version {VERSION}",
                f"{folder} 的版本为 {about.get('version')}；本程序读取版本 {VERSION}",
                field="store",
            )
        #: Minutes the store's clock is ahead of UTC: fixed, so that no hour comes twice or not at all.
        self.offset = int(about["offset_minutes"])
        self._seen: tuple[int, int, int] | None = None
        self._told = folder / "manifest.json"
        self._manifest = Manifest()
        self._open: dict[int, index.Index] = {}
        self._matrices: dict[Any, tuple[NDArray[np.int64], list[index.Index]]] = {}
        self._opening = threading.Lock()
        self._writing = False
        self._places, self._people = Places(folder), People(folder)

    # --- what is there -----------------------------------------------------------------------------

    def _look(self) -> None:
        """Read the manifest again if it was replaced."""
        seen = identity(self._told)
        if seen != self._seen:
            self._manifest = Manifest.read(self.folder / "manifest.json")
            self._matrices.clear()
            self._changed()
            if not self._writing:
                self._look_at_numbers()
            self._seen = seen
            for seq in self._open.keys() - self._manifest.segments.keys():
                del self._open[seq]

    def _changed(self) -> None:
        """Another process wrote."""

    def _look_at_numbers(self) -> None:
        """Read the logs of places and people again if they changed."""
        if not self._places.is_current():
            self._places = Places(self.folder)
        if not self._people.is_current():
            self._people = People(self.folder)

    @property
    def places(self) -> Places:
        """The numbers of places, as of the newest manifest."""
        if not self._writing:
            self._look()
        return self._places

    @property
    def people(self) -> People:
        """The numbers of people, as of the newest manifest."""
        if not self._writing:
            self._look()
        return self._people

    @property
    def forgotten(self) -> int:
        """Days before this one (days since 1970) were deleted and are refused."""
        if not self._writing:
            self._look()
        return self._manifest.forgotten

    def segments(self, since: int | None = None, until: int | None = None) -> list[Segment]:
        """Segments of the days [since, until] (days since 1970, None = open), by day."""
        if not self._writing:
            self._look()
        return self._of_days(since, until)

    def _of_days(self, since: int | None, until: int | None) -> list[Segment]:
        return sorted(
            (
                s for s in self._manifest.segments.values()
                if (since is None or s.day >= since) and (until is None or s.day <= until)
            ),
            key=lambda s: (s.day, s.seq),
        )  # fmt: skip

    def indexes(self, since: int | None = None, until: int | None = None) -> list[index.Index]:
        """The index of each segment of the days [since, until]; all of one manifest."""
        return self.steadily(lambda: [self.index_of(s) for s in self.segments(since, until)])

    def matrix(self, since: int, until: int) -> tuple[NDArray[np.int64], list[index.Index]]:
        """The rows for the kernels of all segments of the days [since, until], and the indexes they are of,
        which must live as long as the rows are used. Made once for a manifest."""

        def made() -> tuple[NDArray[np.int64], list[index.Index]]:
            key = (since, until, self._seen)
            found = self._matrices.get(key)
            if found is None:
                keep = [self.index_of(s) for s in self._of_days(since, until)]
                rows = [k.matrix for k in keep]
                found = np.concatenate(rows) if rows else np.empty((0, kernels.N_COLUMNS), np.int64), keep
                if len(self._matrices) >= _MATRICES:
                    self._matrices.clear()
                self._matrices[key] = found
            return found

        return self.steadily(made)

    def steadily(self, read: Callable[[], _T], *, failures: tuple[type[Exception], ...] = ()) -> _T:
        """What `read` gives; begun again when a writer merged or deleted meanwhile what it was reading.
        `failures`: how else but by the errors of files and of DuckDB it may say so."""
        expected: tuple[type[Exception], ...] = (StoreError, OSError, duckdb.Error, *failures)
        for _n in range(_AGAIN):
            self._look()
            before = self._seen
            try:
                return read()
            except expected:
                if identity(self.folder / "manifest.json") == before:
                    raise
        return read()

    def index_of(self, segment: Segment) -> index.Index:
        """The index of a segment, made again from the truth where it is missing or damaged."""
        found = self._open.get(segment.seq)
        if found is None:
            with self._opening:  # many who ask at once make it once
                found = self._open.get(segment.seq) or self._opened(segment)
                self._open[segment.seq] = found
        return found

    def _opened(self, segment: Segment) -> index.Index:
        path = self._path(segment, "index")
        try:
            return index.Index(path)
        except (OSError, ValueError) as error:
            log.warning("%s; it is made again from the truth", error)
            return index.made(path, segment.day, self.stays_of(segment))

    def stays_of(self, segment: Segment) -> Stays:
        """The stays of a segment, from the truth. Raises StoreError naming a damaged file."""
        paths = self.files_of(segment, "place")
        for path in paths:
            if not path.exists() or path.stat().st_size != segment.files[path.name][0]:
                raise damaged(path)
        try:
            return parquet.read(paths, segment.day)
        except (duckdb.Error, OSError) as error:
            raise damaged(paths[0]) from error

    def files_of(self, segment: Segment, order: str) -> list[Path]:
        """Parquet files of a segment in one sort order: "place" or "person"."""
        names = sorted(n for n in segment.files if n.endswith(f"-{order}.parquet"))
        return [self.folder / name_of(segment.day) / n for n in names]

    def _path(self, segment: Segment, ending: str) -> Path:
        return self.folder / name_of(segment.day) / f"{segment.seq:08d}.{ending}"

    def stats(self) -> StoreStats:
        segments = self.segments()
        folder = self.folder
        aside = sorted(str(p.relative_to(folder)) for p in folder.glob("set-aside/*/*.parquet"))
        return StoreStats(
            stays=sum(s.stays for s in segments),
            days=len({s.day for s in segments}),
            segments=len(segments),
            people=self.people.known(),
            places=len(self.places.ids),
            truth_bytes=sum(size for s in segments for size, _crc in s.files.values()),
            index_bytes=sum(_size(self._path(s, "index")) for s in segments),
            receipt_bytes=sum(_size(self._path(s, "events")) for s in segments),
            set_aside=tuple(aside),
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def damaged(path: Path) -> StoreError:
    return StoreError(
        f"{path} is damaged; `bihuan visits verify --set-aside` names what is lost and lets the rest answer",
        f"{path} 已损坏；运行 `bihuan visits verify --set-aside` 可列出缺失部分并使其余部分继续可查",
        field="store",
    )
