"""kill -9 while the visit store writes: no event lost or doubled, and it answers throughout."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import duckdb
import numpy as np
import pytest

from bihuan.epi.visits import VisitStore, bulk, index, numbers, parquet
from bihuan.epi.visits import store as store_module
from bihuan.epi.visits.layout import StoreFull
from bihuan.epi.visits.manifest import Manifest, Segment
from bihuan.epi.visits.trace import Engine, Windows, meet
from tests.rules.visits_writer import A_BATCH, DAY_ONE, DAYS, batch

ROOT = Path(__file__).resolve().parents[2]
FULL = Path("/dev/full")


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


def answer(store: VisitStore, engine: Engine = meet) -> list[list[int]]:
    """Who was met by ten of the people who are in every batch."""
    people = store.people.find(np.arange(1, 11, dtype=np.uint64)).astype(np.uint32)
    since = np.full(people.size, DAY_ONE * 1440)
    return engine(store, Windows(people, since, since + DAYS * 1440), margin=10).table.tolist()


@pytest.fixture(autouse=True, scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Stores of the first batches, written once each: tests work on copies."""
    _kept[0] = tmp_path_factory.mktemp("kept") / "0"
    VisitStore.create(_kept[0])
    yield
    _kept.clear()


_kept: dict[int, Path] = {}


def made(folder: Path, n_batches: int) -> VisitStore:
    """A store in which the first batches were appended."""
    at_hand = max(n for n in _kept if n <= n_batches)
    shutil.copytree(_kept[at_hand], folder, dirs_exist_ok=True)
    store = VisitStore(folder)
    for number in range(at_hand, n_batches):
        store.append(batch(number))
    if n_batches not in _kept:
        _kept[n_batches] = _kept[0].parent / str(n_batches)
        shutil.copytree(folder, _kept[n_batches])
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
    wanted = made(tmp_path / "whole", held // A_BATCH + 2)
    assert content(store) == content(wanted)
    assert store.verify() == []


@pytest.mark.parametrize("after", [0.009, 0.051])
def test_killed_while_merging_nothing_is_lost_or_doubled(tmp_path: Path, after: float):
    store = made(tmp_path / "killed", 9)
    killed(store.folder, "compact", after)
    again = VisitStore(store.folder)
    more = (again.stats().stays - 9 * A_BATCH) // A_BATCH
    wanted = made(tmp_path / "whole", 9)
    for number in range(1000, 1000 + more):
        wanted.append(batch(number))
    assert content(again) == content(wanted)
    assert again.append(batch(3)).added == 0
    assert again.verify() == []


@pytest.mark.parametrize("after", [0.0, 0.02])
def test_killed_while_deleting_the_rest_is_whole_and_the_next_writer_finishes(tmp_path: Path, after: float):
    store = made(tmp_path / "killed", 4)
    killed(store.folder, "forget", after, at_least=0)
    again = VisitStore(store.folder)
    day = max(again.forgotten, DAY_ONE)
    again.append(batch(0))  # a writer: makes good what was left over
    wanted = made(tmp_path / "whole", 4)
    rest = [row for row in content(wanted) if row[2] >= day * 1440]
    assert content(again) == rest
    named = {row[0] for row in rest}
    assert {int(k) for k in again.people.keys if k} == named
    gone = range(DAY_ONE, day)
    assert not any((store.folder / f"day-{np.datetime64(d, 'D')}").exists() for d in gone)


def test_a_deletion_cut_off_after_its_promise_is_finished_by_the_next_writer(tmp_path: Path):
    store = made(tmp_path, 2)
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
    store = made(tmp_path, 3)
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


@pytest.mark.parametrize("after", [0.0, 0.004, 0.013, 0.037])
def test_killed_while_an_index_is_made_every_answer_is_right(tmp_path: Path, after: float):
    store = made(tmp_path, 5)
    wanted = answer(store)
    killed(store.folder, "index", after)
    again = VisitStore(tmp_path)
    assert answer(again) == wanted
    assert all(index.is_sound(path) for path in tmp_path.glob("day-*/*.index"))
    again.append(batch(5))  # a writer: removes what was left half written
    assert not list(tmp_path.glob("day-*/*.tmp"))


def test_a_half_written_index_is_named_and_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    wanted = answer(made(tmp_path, 2))
    path = sorted(tmp_path.glob("day-*/*.index"))[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert answer(VisitStore(tmp_path)) == wanted
    assert path.name in caplog.text
    assert index.is_sound(path)


def test_an_index_in_which_a_byte_changed_is_named_and_made_again(tmp_path: Path):
    store = made(tmp_path, 2)
    wanted = answer(store)
    path = sorted(tmp_path.glob("day-*/*.index"))[0]
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    assert store.mend() == [path]
    assert store.mend() == []
    assert answer(VisitStore(tmp_path)) == wanted


def test_a_store_that_cannot_be_written_to_is_asked_without_its_index(tmp_path: Path, monkeypatch):
    wanted = answer(made(tmp_path, 2))
    for path in tmp_path.glob("day-*/*.index"):
        path.unlink()
    monkeypatch.setattr("os.access", lambda *_given: False)
    assert answer(VisitStore(tmp_path)) == wanted
    assert not list(tmp_path.glob("day-*/*.index"))


@pytest.mark.parametrize("engine", [meet, bulk.meet])
def test_a_day_merged_between_looking_and_opening_is_asked_again(tmp_path: Path, engine: Engine):
    store = made(tmp_path, 3)
    wanted = answer(store)
    reader, merged = VisitStore(tmp_path), []

    def of_days(*given: int) -> list[Segment]:
        found = VisitStore._of_days(reader, *given)
        if not merged:
            merged.extend(store.compact(day=day) for day in range(DAY_ONE, DAY_ONE + DAYS))
        return found

    reader._of_days = of_days  # type: ignore[method-assign]
    assert answer(reader, engine) == wanted
    assert merged == [1] * DAYS


def test_questions_are_answered_right_while_days_are_merged_under_them(tmp_path: Path):
    wanted = answer(made(tmp_path, 4))
    held, asked = VisitStore(tmp_path), 0
    words = [sys.executable, "-m", "tests.rules.visits_writer", str(tmp_path), "merge"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        while writer.stdout.readline() != "done 1\n":
            pass
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert answer(held) == wanted
            assert answer(VisitStore(tmp_path)) == wanted
            asked += 2
        writer.kill()
    assert asked > 20
    assert held.verify() == []


def test_a_disk_that_is_full_is_told_and_costs_nothing_that_was_kept(tmp_path: Path):
    store = made(tmp_path / "store", 2)
    before = content(store)
    said = 'Could not write file "x": No space left on device'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "_copy", lambda *_: (_ for _ in ()).throw(duckdb.IOException(said)))
        with pytest.raises(StoreFull, match="Make room"):
            store.append(batch(2))
    assert content(store) == before
    store.append(batch(2))
    assert content(store) == content(made(tmp_path / "other", 3))


def test_a_merge_whose_manifest_could_not_be_written_takes_no_part_away(tmp_path: Path):
    store = made(tmp_path / "store", 3)
    before = content(store)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Manifest, "write", full)
        with pytest.raises(StoreFull):
            store.compact(least=2)
    with store.writer():
        pass  # the next writer of the same process sweeps what the manifest on the disk does not name
    assert content(VisitStore(tmp_path / "store")) == before
    assert store.compact(least=2) == DAYS
    assert content(VisitStore(tmp_path / "store")) == before


@pytest.mark.skipif(not FULL.exists(), reason="Linux has a device that is always full")
def test_a_disk_that_fills_while_event_ids_are_written_is_told(tmp_path: Path):
    store = made(tmp_path / "store", 2)
    before = content(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "placed", lambda _path: nullcontext(FULL))
        with pytest.raises(StoreFull, match="Make room"):
            store.append(batch(2))
    assert content(store) == before
    store.append(batch(2))
    assert content(store) == content(made(tmp_path / "other", 3))


@pytest.mark.skipif(not FULL.exists(), reason="Linux has a device that is always full")
def test_a_disk_that_fills_while_people_are_blanked_is_told_and_the_days_stay_deleted(tmp_path: Path):
    store = made(tmp_path / "store", 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbers, "placed", lambda _path, **_more: nullcontext(FULL))
        with pytest.raises(StoreFull):
            store.forget(DAY_ONE + DAYS)
    assert content(VisitStore(tmp_path / "store")) == []
    again = VisitStore(tmp_path / "store")
    with again.writer():
        pass
    assert not again.people.keys.any()
