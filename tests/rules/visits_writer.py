"""A writer to be killed: `python -m tests.rules.visits_writer FOLDER WHAT`. Says "ready" and then works.

It appends batches for ever (`append`), merges days again and again (`compact`; `merge`, with visits that meet
nobody), deletes them (`forget`), makes their indexes again (`index`), or puts back what lies in `backup`
beside the folder (`restore`). A line "done N" on stdout is given after batch N is durable.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import numpy as np

from bihuan.epi.visits import Batch, VisitStore, snapshot

DAY_ONE = 18_300
DAYS, A_BATCH = 3, 600


def batch(number: int) -> Batch:
    """Batch `number`, always the same: events number * A_BATCH …, over all days."""
    event = np.arange(A_BATCH, dtype=np.uint64) + np.uint64(number * A_BATCH + 1)
    start = DAY_ONE * 1440 + (event.astype(np.int64) * 37) % (DAYS * 1440)
    place = np.array([f"place {e % 7}" for e in event.tolist()], dtype=object)
    return Batch(event, event % np.uint64(50) + np.uint64(1), place, start, start + 1 + number % 90)


def elsewhere(number: int) -> Batch:
    """One visit a day at a place of its own, by somebody of her own."""
    event = np.arange(DAYS, dtype=np.uint64) + np.uint64((1 << 40) + number * DAYS)
    start = (DAY_ONE + np.arange(DAYS)) * 1440 + number % 1440
    place = np.full(DAYS, f"elsewhere {number}", dtype=object)
    return Batch(event, np.full(DAYS, 1 << 20, np.uint64), place, start, start + 1)


def main(folder: str, what: str) -> None:
    store = VisitStore(Path(folder))
    print("ready", flush=True)
    number = 0
    while True:
        if what == "restore":
            copy = store.folder.with_name(f"copy-{time.time_ns()}")
            shutil.copytree(store.folder.parent / "backup", copy)
            snapshot.put_in_place(copy, store.folder)
        elif what == "forget":
            store.forget(DAY_ONE + 1 + number % 2)
        elif what == "index":
            for path in store.folder.glob("day-*/*.index"):
                path.unlink()
            VisitStore(store.folder).indexes()
        elif what == "merge":
            store.append(elsewhere(number))
            for day in range(DAY_ONE, DAY_ONE + DAYS):
                store.compact(day=day)
        elif what == "compact":
            store.append(batch(1000 + number))
            for day in range(DAY_ONE, DAY_ONE + DAYS):
                store.compact(day=day)
        else:
            store.append(batch(number))
        print(f"done {number}", flush=True)
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
