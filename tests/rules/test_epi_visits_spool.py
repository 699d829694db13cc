"""Many writers at once: each batch is kept from the moment it lies in the spool, and merged once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bihuan.epi.errors import InputError
from bihuan.epi.visits import VisitStore
from bihuan.epi.visits.layout import StoreBusy
from bihuan.epi.visits.receiving import at_known_places, receive
from bihuan.epi.visits.spool import Spool, set_aside
from tests.rules.spool_sender import A_BATCH, named
from tests.rules.test_epi_visits_durable import ROOT, content
from tests.rules.visits_writer import batch

KEY = bytes(range(32))
NOW = datetime(2020, 2, 20, tzinfo=UTC)
IDENTITY = "420303198103040022"
ROWS = (
    "event_id,person,place,time_in,temperature,how\n"
    f"a,{IDENTITY},shop,2020-02-19 08:00,36.5,gate\n"
    f"b,{IDENTITY},elsewhere,2020-02-19 09:00,,code\n"
    "c,13871234567,shop,2020-02-31 09:00,,code\n"
    "d,13871234567,shop,2020-02-19 09:30,37.9,code\n"
)


@pytest.fixture
def store(tmp_path: Path) -> VisitStore:
    return VisitStore.create(tmp_path / "visits")


def test_a_batch_in_the_spool_is_merged_and_the_same_again_adds_nothing(store: VisitStore) -> None:
    spool = Spool(store.folder)
    first = spool.settle(spool.put(named(1)), seconds=5)
    again = spool.settle(spool.put(named(1)), seconds=5)
    assert first is not None
    assert (first.added, first.duplicate) == (A_BATCH, 0)
    assert again is not None
    assert (again.added, again.duplicate) == (0, A_BATCH)
    assert store.stats().stays == A_BATCH
    assert spool.names() == []


def test_of_batches_merged_together_each_sender_hears_of_its_own(store: VisitStore) -> None:
    spool = Spool(store.folder)
    store.append(batch(2))
    with store.writer():  # the lock is held: all three wait
        names = [spool.put(named(n)) for n in (1, 2, 1)]
        assert [spool.settle(name, seconds=0) for name in names] == [None] * 3
    told = [spool.settle(name, seconds=5) for name in names]
    assert [(t.added, t.duplicate) for t in told if t] == [(A_BATCH, 0), (0, A_BATCH), (0, A_BATCH)]


def test_a_long_reading_merges_what_waits_between_its_parts(store: VisitStore) -> None:
    spool = Spool(store.folder)
    with store.writer():
        name = spool.put(named(1))
        done = spool.merge(store)
        assert done is not None
        assert done.added == A_BATCH
        store.append(batch(2))
    assert spool.settle(name, seconds=1) is not None
    assert store.stats().stays == 2 * A_BATCH


def test_a_damaged_batch_is_set_aside_by_name_and_the_rest_is_merged(store: VisitStore) -> None:
    spool = Spool(store.folder)
    bad, good = spool.put(named(1)), spool.put(named(2))
    path = spool.folder / f"{bad}.batch"
    path.write_bytes(path.read_bytes()[:-3])
    done = spool.merge()
    assert done is not None
    assert done.aside == (f"set-aside/spool/{bad}.batch",)
    assert [p.name for p in set_aside(store.folder)] == [f"{bad}.batch"]
    assert spool.settle(good, seconds=1) is not None
    assert store.stats().stays == A_BATCH


def test_no_identity_lies_in_the_spool_or_is_told(store: VisitStore) -> None:
    got = receive(ROWS.encode(), store=store, key=KEY, now=NOW, most=100)
    assert (got.rows, got.batch.size, [r.reason for r in got.rejected]) == (4, 3, ["bad-start"])
    known = at_known_places(got, {"shop": "L-1"})
    assert (known.batch.size, dict(known.strange)) == (2, {"elsewhere": 1})
    spool = Spool(store.folder)
    name = spool.put(known.batch)
    held = (spool.folder / f"{name}.batch").read_bytes()
    assert IDENTITY.encode() not in held
    assert b"13871234567" not in held
    assert "13871234567" not in repr(got.rejected)
    assert spool.settle(name, seconds=5) is not None
    assert store.places.find("L-1") >= 0
    assert store.places.find("elsewhere") == -1


def test_more_rows_than_allowed_are_refused_whole(store: VisitStore) -> None:
    with pytest.raises(InputError, match="more than 3"):
        receive(ROWS.encode(), store=store, key=KEY, now=NOW, most=3)


def test_many_senders_at_once_and_a_reader_of_files_lose_and_double_nothing(store: VisitStore) -> None:
    spools = [Spool(store.folder) for _n in range(3)]
    told: list[int] = []

    def send(spool: Spool, numbers: range) -> None:
        for number in numbers:
            said = spool.settle(spool.put(named(number)), seconds=20)
            assert said is not None
            told.append(said.added)

    threads = [threading.Thread(target=send, args=(s, range(4 * i, 4 * i + 6))) for i, s in enumerate(spools)]
    for thread in threads:
        thread.start()
    mine = VisitStore(store.folder)
    for number in (20, 21):
        until = time.monotonic() + 60
        while True:
            try:
                mine.append(batch(number))
                break
            except StoreBusy:  # a sender writes
                assert time.monotonic() < until
                time.sleep(0.01)
    for thread in threads:
        thread.join()
    numbers = {n for i in range(3) for n in range(4 * i, 4 * i + 6)} | {20, 21}
    assert store.stats().stays == len(numbers) * A_BATCH
    assert sum(told) == (len(numbers) - 2) * A_BATCH
    assert len(set(content(store))) == len(content(store))


@pytest.mark.parametrize("after", [0.02, 0.07, 0.16])
def test_killed_at_any_moment_what_was_called_durable_is_there_once(store: VisitStore, after: float) -> None:
    words = [sys.executable, "-m", "tests.rules.spool_sender", str(store.folder)]
    senders = [
        subprocess.Popen([*words, str(n)], cwd=ROOT, stdout=subprocess.PIPE, text=True) for n in (1, 2)
    ]
    for sender in senders:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "ready\n"
    seen = [sender.stdout.readline() for sender in senders if sender.stdout]
    time.sleep(after)
    for sender in senders:
        sender.kill()
        assert sender.stdout is not None
        seen += sender.stdout.readlines()
        sender.wait()
        sender.stdout.close()
    promised = {int(line.split()[1]) for line in seen if line.startswith("done") and line.endswith("\n")}
    again = VisitStore(store.folder)
    Spool(store.folder).merge()
    held = {int(e) for segment in again.segments() for e in _events(again, segment)}
    for number in promised:
        assert {int(e) for e in named(number).event} <= held
    assert again.stats().stays == len(held)
    assert len(held) % A_BATCH == 0


def _events(store: VisitStore, segment: object) -> np.ndarray:
    paths = store.folder.glob(f"day-*/{segment.seq:08d}.events")  # type: ignore[attr-defined]
    return np.concatenate([np.fromfile(path, "<u8") for path in paths])


def test_tidying_writes_small_parts_together_and_leaves_large_ones(store: VisitStore) -> None:
    day = 18_300
    big = batch(0)
    for number in range(12):
        one = batch(number)
        rows = np.flatnonzero(one.start // 1440 == day)[: None if number == 0 else 10]
        columns = (one.event, one.person_key, one.place, one.start, one.end)
        store.append(type(big)(*(c[rows] for c in columns)))
    before = content(store)
    assert store.tidy() == 1
    assert len(store.segments(day, day)) == 2
    assert content(store) == before
    store.append(batch(3))
    assert len(set(content(store))) == len(content(store))
