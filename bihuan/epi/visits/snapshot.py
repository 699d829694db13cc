"""A consistent copy of a store for a backup: its segments never change, so they are linked, not copied.

The writer's lock is held for the linking only. What can be made again (indexes, the table of people) and what
was set aside stay behind.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bihuan.epi.visits import deletions
from bihuan.epi.visits.deletions import Deletion
from bihuan.epi.visits.layout import (
    StoreBusy,
    StoreError,
    append_line,
    flush_folder,
    linked,
    read_json,
)
from bihuan.epi.visits.manifest import Forgotten
from bihuan.epi.visits.spool import FOLDER as SPOOL
from bihuan.epi.visits.spool import WAITING
from bihuan.epi.visits.store import VisitStore

_ALONE = ("store.json", "manifest.json", "people.log", "places.log", "retention.log")
_PAUSE = 0.1


def take(folder: Path, target: Path, *, seconds: float = 120.0) -> int:
    """Lay a store as it is now into `target` (made here); how many stays it holds. Raises StoreBusy when
    another process writes for longer than `seconds`."""
    store, until = VisitStore(folder), time.monotonic() + seconds
    while True:
        try:
            with store.writer():
                return _take(store, target)
        except StoreBusy:
            if time.monotonic() >= until:
                raise
            time.sleep(_PAUSE)


def _take(store: VisitStore, target: Path) -> int:
    target.mkdir(mode=0o700)
    segments = store.segments()
    for segment in segments:
        places = {path.parent for path in store.files_of(segment, "place")}
        for day in places:
            (target / day.name).mkdir(exist_ok=True)
            for name in segment.files:
                linked(day / name, target / day.name / name)
            receipts = day / f"{segment.seq:08d}.events"
            if receipts.exists():
                linked(receipts, target / day.name / receipts.name)
    for name in _ALONE:
        if (store.folder / name).exists():
            shutil.copyfile(store.folder / name, target / name)
    for batch in (store.folder / SPOOL).glob(f"*{WAITING}"):
        (target / SPOOL).mkdir(exist_ok=True)
        linked(batch, target / SPOOL / batch.name)
    return sum(segment.stays for segment in segments)


def check(folder: Path) -> None:
    """Raise StoreError unless every file that the manifest of a copy names is there in its size."""
    for segment in read_json(folder / "manifest.json")["segments"]:
        for name, (size, _crc) in segment["files"].items():
            found = list(folder.glob(f"day-*/{name}"))
            if not found or found[0].stat().st_size != size:
                raise StoreError(
                    f"{name} is missing in the copy of the visit store or is cut off",
                    f"到访记录库副本缺少 {name} 或文件不完整",
                    field="store",
                )


def follow(folder: Path, newer: Path) -> tuple[int, Forgotten]:
    """Take over a later copy of the list of deleted days (`deletions.extend`), and delete here what it adds:
    how many lines those were, and what was deleted. Where no store stands yet the list waits for it. Raises
    StoreError as `extend` does, StoreBusy while another process writes."""
    nothing = Forgotten("", 0, 0, 0, 0)
    if not (folder / "store.json").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        return len(deletions.extend(folder, newer)), nothing
    store = VisitStore(folder)
    with store.writer():
        held, people = store.segments(), int(np.count_nonzero(store.people.keys))
        added = deletions.extend(folder, newer)
    with store.writer():  # who writes first deletes what the list says
        pass
    left = {segment.seq for segment in store.segments()}
    gone = [segment for segment in held if segment.seq not in left]
    done = Forgotten(
        before=str(np.datetime64(store.forgotten, "D")),
        days=len({segment.day for segment in gone}),
        stays=sum(segment.stays for segment in gone),
        bytes=sum(size for segment in gone for size, _crc in segment.files.values()),
        people=people - int(np.count_nonzero(store.people.keys)),
    )
    if gone:
        append_line(folder / "retention.log", asdict(done))
    return len(added), done


def put_in_place(copy: Path, folder: Path, *, deleted: Sequence[Deletion] = ()) -> None:
    """Move a checked copy to where the store stands; what stood there is deleted after.

    `deleted`: the list the backup brought. It joins the one beside `folder` first, so that whenever this is
    cut off the days on either list are not answered for; they are deleted from the copy before this returns.
    """
    deletions.add(folder, deleted)
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    copy.rename(folder)
    flush_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)
    with VisitStore(folder).writer():
        pass  # who writes first deletes what the list says
