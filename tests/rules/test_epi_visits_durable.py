"""kill -9 while the visit store writes: no event lost or doubled, and it answers throughout."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bihuan.epi.visits import VisitStore
from bihuan.epi.visits.manifest import Manifest
from tests.rules.visits_writer import A_BATCH, DAY_ONE, DAYS, batch

ROOT = Path(__file__).resolve().parents[2]


def killed(folder: Path, what: str, after: float, *, at_least: int = 1) -> int:
    """Let a writer work, kill it `after` seconds behind its first deed; the batches it called durable."""
    words = [sys.executable, "-m", "tests.rules.visits_writer", str(folder), what]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        seen = [writer.stdout.readline() for _n in range(at_least)]
        time.sleep(after)
        writer.kill()
        seen += writer.stdout.readlines()
    return len([line for line in seen if line.startswith("done") and line.endswith("\n")])


def content(store: VisitStore) -> list[tuple[int, ...]]:
    """Every stay, in one order, from the truth."""
    rows: list[tuple[int, ...]] = []
    for segment in store.segments():
        stays = store.stays_of(segment)
        names = (store.people.keys[stays.person], stays.place, stays.start, stays.minutes)
        rows += [tuple(int(v) for v in row) for row in zip(*names, strict=True)]
    return sorted(rows)


def made(folder: Path, numbers: range) -> VisitStore:
    store = VisitStore.create(folder)
    for number in numbers:
        store.append(batch(number))
    return store


@pytest.mark.parametrize("after", [0.003, 0.031, 0.077])
def test_killed_while_appending_every_batch_is_there_whole_or_not_at_all(tmp_path: Path, after: float):
    folder = tmp_path / "killed"
    VisitStore.create(folder)
    promised = killed(folder, "append", after)
    store = VisitStore(folder)
    held = store.stats().stays
    assert held % A_BATCH == 0
    assert held >= promised * A_BATCH
    for number in range(held // A_BATCH + 2):  # the gate sends again what it does not know to have arrived
        store.append(batch(number))
    wanted = made(tmp_path / "whole", range(held // A_BATCH + 2))
    assert content(store) == content(wanted)
    assert store.verify() == []


@pytest.mark.parametrize("after", [0.009, 0.051])
def test_killed_while_merging_nothing_is_lost_or_doubled(tmp_path: Path, after: float):
    store = made(tmp_path / "killed", range(9))
    killed(store.folder, "compact", after)
    again = VisitStore(store.folder)
    more = (again.stats().stays - 9 * A_BATCH) // A_BATCH
    wanted = made(tmp_path / "whole", range(9))
    for number in range(1000, 1000 + more):
        wanted.append(batch(number))
    assert content(again) == content(wanted)
    assert again.append(batch(3)).added == 0
    assert again.verify() == []


@pytest.mark.parametrize("after", [0.0, 0.02])
def test_killed_while_deleting_the_rest_is_whole_and_the_next_writer_finishes(tmp_path: Path, after: float):
    store = made(tmp_path / "killed", range(4))
    killed(store.folder, "forget", after, at_least=0)
    again = VisitStore(store.folder)
    day = max(again.forgotten, DAY_ONE)
    again.append(batch(0))  # a writer: makes good what was left over
    wanted = made(tmp_path / "whole", range(4))
    rest = [row for row in content(wanted) if row[2] >= day * 1440]
    assert content(again) == rest
    named = {row[0] for row in rest}
    assert {int(k) for k in again.people.keys if k} == named
    gone = range(DAY_ONE, day)
    assert not any((store.folder / f"day-{np.datetime64(d, 'D')}").exists() for d in gone)


def test_a_deletion_cut_off_after_its_promise_is_finished_by_the_next_writer(tmp_path: Path):
    store = made(tmp_path, range(2))
    manifest = Manifest.read(tmp_path / "manifest.json")  # as a crash between promise and deed leaves it
    manifest.segments = {k: s for k, s in manifest.segments.items() if s.day >= DAY_ONE + DAYS - 1}
    manifest.forgotten, manifest.blanked = DAY_ONE + DAYS - 1, False
    manifest.write(tmp_path / "manifest.json")
    again = VisitStore(tmp_path)
    assert again.append(batch(0)).added == 0
    assert not (tmp_path / f"day-{np.datetime64(DAY_ONE, 'D')}").exists()
    here = {row[0] for row in content(again)}
    assert {int(k) for k in again.people.keys if k} == here
    assert store.stats().days == 1


def test_a_reader_answers_while_days_are_merged_and_deleted(tmp_path: Path):
    store = made(tmp_path, range(3))
    words = [sys.executable, "-m", "tests.rules.visits_writer", str(tmp_path), "compact"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        counts = []
        for _n in range(3):
            writer.stdout.readline()
            counts.append(sum(s.stays for s in store.segments()))
        writer.kill()
    assert all(n % A_BATCH == 0 for n in counts)
    assert counts == sorted(counts)
    assert counts[0] >= 4 * A_BATCH
