"""A sender to be killed: `python -m tests.rules.spool_sender FOLDER NUMBER`. Sends batches NUMBER, NUMBER +
10 … into a spool and settles each. "done N" on stdout is given after batch N is durable."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from bihuan.epi.visits import Batch
from bihuan.epi.visits.spool import Spool
from tests.rules.visits_writer import A_BATCH, batch

__all__ = ["A_BATCH", "named"]


def named(number: int) -> Batch:
    """Batch `number` of the writer, with its places numbered as a spool wants them."""
    told = batch(number)
    names, place = np.unique(told.place.astype(str), return_inverse=True)
    return Batch(
        told.event, told.person_key, place.astype(np.int32), told.start, told.end,
        np.full(told.size, 36.6), np.full(told.size, 5, np.uint8), names.astype(object),
    )  # fmt: skip


def main(folder: str, first: str) -> None:
    spool = Spool(Path(folder))
    print("ready", flush=True)
    number = int(first)
    while True:
        name = spool.put(named(number))
        print(f"done {number}", flush=True)
        spool.settle(name, seconds=5)
        number += 10


if __name__ == "__main__":
    main(*sys.argv[1:])
