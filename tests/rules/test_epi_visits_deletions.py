"""Days that were deleted stay deleted, also when the store's folder is put back from a backup."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bihuan.epi.visits import VisitStore, deletions, snapshot
from bihuan.epi.visits.deletions import Deletion
from bihuan.epi.visits.layout import StoreError
from bihuan.epi.visits.manifest import Manifest
from tests.rules.visits_writer import DAY_ONE, DAYS, batch

SECOND_DAY = str(np.datetime64(DAY_ONE + 1, "D"))


@pytest.fixture
def store(tmp_path: Path) -> VisitStore:
    """Three days, and a backup of them beside it."""
    made = VisitStore.create(tmp_path / "visits")
    made.append(batch(0))
    snapshot.take(made.folder, tmp_path / "backup")
    return made


def put_back(store: VisitStore) -> VisitStore:
    """The folder as whoever copies files back leaves it."""
    shutil.rmtree(store.folder)
    shutil.copytree(store.folder.parent / "backup", store.folder)
    return VisitStore(store.folder)


def days_of(store: VisitStore) -> set[int]:
    return {s.day - DAY_ONE for s in store.segments()}


def test_a_store_put_back_does_not_answer_for_days_that_were_deleted(store: VisitStore) -> None:
    assert days_of(store) == {0, 1, 2}
    store.forget(DAY_ONE + 1, by="somebody", at="2020-06-06T00:00:00+00:00")
    [told] = deletions.read(store.folder)
    assert (told.before, told.by, told.at) == (SECOND_DAY, "somebody", "2020-06-06T00:00:00+00:00")
    back = put_back(store)
    assert days_of(back) == {1, 2}
    assert back.forgotten == DAY_ONE + 1
    assert (store.folder / f"day-{np.datetime64(DAY_ONE, 'D')}").exists()
    said = back.append(batch(1))  # whoever writes first deletes the files too
    assert 0 < said.refused < 600
    assert not (store.folder / f"day-{np.datetime64(DAY_ONE, 'D')}").exists()
    assert days_of(VisitStore(store.folder)) == {1, 2}


def test_people_whom_only_deleted_days_named_are_blanked_again(store: VisitStore) -> None:
    store.forget(DAY_ONE + DAYS)
    back = put_back(store)
    assert np.count_nonzero(back.people.keys) == 50
    with back.writer():
        pass
    assert np.count_nonzero(VisitStore(store.folder).people.keys) == 0


def test_a_deletion_cut_off_after_its_line_is_done_by_the_next_writer(
    store: VisitStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_manifest: Manifest, _path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "write", cut)
        with pytest.raises(KeyboardInterrupt):
            store.forget(DAY_ONE + 2)
    after = VisitStore(store.folder)
    assert days_of(after) == {2}
    with after.writer():
        pass
    assert [p.name for p in store.folder.glob("day-*")] == [f"day-{np.datetime64(DAY_ONE + 2, 'D')}"]


def test_a_new_store_in_the_same_place_is_not_that_store(store: VisitStore) -> None:
    store.forget(DAY_ONE + DAYS)
    shutil.rmtree(store.folder)
    new = VisitStore.create(store.folder)
    assert new.append(batch(0)).added == 600


def test_a_line_that_a_crash_cut_off_does_not_count_and_is_written_over(store: VisitStore) -> None:
    store.forget(DAY_ONE + 1)
    path = deletions.path_of(store.folder)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"before": "2020-0')
    assert len(deletions.read(store.folder)) == 1
    store.forget(DAY_ONE + 2)
    assert path.read_bytes().startswith(whole)
    assert len(deletions.read(store.folder)) == 2


@pytest.mark.parametrize("change", [b"somebody else", b""])
def test_a_list_that_was_changed_is_refused_by_name(store: VisitStore, change: bytes) -> None:
    store.forget(DAY_ONE + 1, by="somebody")
    store.forget(DAY_ONE + 2, by="somebody")
    path = deletions.path_of(store.folder)
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first.replace(b"somebody", change) + second if change else second)
    with pytest.raises(StoreError, match=r"line 1 of .*visits\.deletions"):
        VisitStore(store.folder).segments()


@pytest.fixture
def moved(store: VisitStore, tmp_path: Path) -> Path:
    """The store on another machine, from a backup made after the first of two deletions."""
    store.forget(DAY_ONE + 1, by="first")
    copy, elsewhere = tmp_path / "copy", tmp_path / "elsewhere" / "visits"
    elsewhere.parent.mkdir()
    snapshot.take(store.folder, copy)
    snapshot.put_in_place(copy, elsewhere, deleted=deletions.read(store.folder))
    store.forget(DAY_ONE + 2, by="second")
    return elsewhere


def test_a_later_list_deletes_on_another_machine_what_was_deleted_since(
    store: VisitStore, moved: Path
) -> None:
    newer = deletions.path_of(store.folder)
    opened = VisitStore(moved)
    assert days_of(opened) == {1, 2}
    over = sum(segment.stays for segment in opened.segments(DAY_ONE + 1, DAY_ONE + 1))
    added, done = snapshot.follow(moved, newer)
    assert (added, done.before, done.days) == (1, str(np.datetime64(DAY_ONE + 2, "D")), 1)
    assert done.stays == over > 100
    assert days_of(opened) == {2}, "who has the store open sees it too"
    assert [path.name for path in moved.glob("day-*")] == [f"day-{np.datetime64(DAY_ONE + 2, 'D')}"]
    assert deletions.path_of(moved).read_bytes() == newer.read_bytes(), "the chain goes on"
    assert f'"stays": {over}' in (moved / "retention.log").read_text().splitlines()[-1]
    log = (moved / "retention.log").read_bytes()
    assert snapshot.follow(moved, newer)[0] == 0, "again changes nothing"
    assert (moved / "retention.log").read_bytes() == log


def test_a_list_that_does_not_go_on_from_the_one_here_is_refused(
    store: VisitStore, moved: Path, tmp_path: Path
) -> None:
    newer, here = deletions.path_of(store.folder), deletions.path_of(moved)
    stood = here.read_bytes()
    first, second = newer.read_bytes().splitlines(keepends=True)

    def refused(raw: bytes, match: str) -> None:
        (tmp_path / "list").write_bytes(raw)
        with pytest.raises(StoreError, match=match):
            snapshot.follow(moved, tmp_path / "list")
        assert (here.read_bytes(), days_of(VisitStore(moved))) == (stood, {1, 2})

    refused(second, "line 1 of .* was changed")
    refused(first + second.replace(b"second", b"nobody"), "line 2 of .* was changed")
    refused(b"", "is older than the list here")
    other = VisitStore.create(tmp_path / "other")
    other.forget(DAY_ONE + DAYS)
    refused(deletions.path_of(other.folder).read_bytes(), "does not go on from the list here")
    VisitStore(moved).forget(DAY_ONE + 1, by="here, since")
    stood = here.read_bytes()
    refused(first + second, "days were deleted here since")


def test_a_list_of_another_store_is_refused_and_one_before_the_store_waits_for_it(
    store: VisitStore, tmp_path: Path
) -> None:
    other = VisitStore.create(tmp_path / "other")
    other.forget(DAY_ONE + DAYS)
    with pytest.raises(StoreError, match="does not name the store"):
        snapshot.follow(store.folder, deletions.path_of(other.folder))
    with pytest.raises(StoreError, match="is not there"):
        snapshot.follow(store.folder, tmp_path / "nothing")
    store.forget(DAY_ONE + 1)
    store.forget(DAY_ONE + 2)
    early, empty = deletions.read(store.folder)[:1], tmp_path / "empty" / "visits"
    assert snapshot.follow(empty, deletions.path_of(store.folder))[0] == 2
    snapshot.put_in_place(tmp_path / "backup", empty, deleted=early)  # as a restore does
    assert days_of(VisitStore(empty)) == {2}
    assert deletions.path_of(empty).read_bytes() == deletions.path_of(store.folder).read_bytes()


def test_a_list_that_came_with_a_backup_joins_the_one_here_once(store: VisitStore) -> None:
    store.forget(DAY_ONE + 1)
    listed = deletions.read(store.folder)
    more = [*listed, Deletion(listed[0].store, str(np.datetime64(DAY_ONE + 2, "D")))]
    for _n in range(2):
        copy = store.folder.parent / "copy"
        shutil.copytree(store.folder.parent / "backup", copy)
        snapshot.put_in_place(copy, store.folder, deleted=more)
        assert deletions.read(store.folder) == more
        assert days_of(VisitStore(store.folder)) == {2}
        assert len(list(store.folder.glob("day-*"))) == 1


def test_killed_at_any_moment_of_a_restore_no_deleted_day_is_answered_for(store: VisitStore) -> None:
    store.forget(DAY_ONE + 2)
    chance = random.Random(4)
    for _n in range(4):
        command = [sys.executable, "-m", "tests.rules.visits_writer", str(store.folder), "restore"]
        restorer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert restorer.stdout is not None
        while not restorer.stdout.readline().startswith("done"):
            pass
        time.sleep(chance.random() * 0.05)
        restorer.kill()
        restorer.wait()
        restorer.stdout.close()
        if store.folder.exists():  # else cut off between the old one and the new
            assert days_of(VisitStore(store.folder)) == {2}
