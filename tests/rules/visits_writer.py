"""A writer to be killed: `python -m tests.rules.visits_writer FOLDER WHAT`. Says "ready" and then works.

It appends batches for ever (`append`), merges days again and again (`compact`), or deletes them (`forget`).
A line "done N" on stdout is given after batch N is durable.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from bihuan.epi.visits import Batch, VisitStore

DAY_ONE = 18_300
DAYS, A_BATCH = 3, 600


def batch(number: int) -> Batch:
    """Batch `number`, always the same: events number * A_BATCH …, over all days."""
    event = np.arange(A_BATCH, dtype=np.uint64) + np.uint64(number * A_BATCH + 1)
    start = DAY_ONE * 1440 + (event.astype(np.int64) * 37) % (DAYS * 1440)
    place = np.array([f"place {e % 7}" for e in event.tolist()], dtype=object)
    return Batch(event, event % np.uint64(50) + np.uint64(1), place, start, start + 1 + number % 90)


def main(folder: str, what: str) -> None:
    store = VisitStore(Path(folder))
    print("ready", flush=True)
    number = 0
    while True:
        if what == "forget":
            store.forget(DAY_ONE + 1 + number % 2)
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
