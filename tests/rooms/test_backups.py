"""Backup and restore: what comes back is what was, on another machine too; on any error nothing changes."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bihuan.config import backups
from bihuan.config.backups import Manifest, Place
from bihuan.config.postgres import Cluster

pytestmark = pytest.mark.usefixtures("english")
KEYS = "1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"


class Machine:
    """An installation: a data folder and its embedded database."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cluster = Cluster(home, durable=False)
        self.cluster.start()

    @property
    def place(self) -> Place:
        word = self.cluster.secret.read_text().strip()
        told = {"PGHOST": str(self.cluster.socket_folder), "PGUSER": "bihuan", "PGPASSWORD": word}
        return Place(environment={**told, "PGDATABASE": "bihuan"}, major=16)

    def ask(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.cluster.url()) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def backup(self, file: Path, *, keys: bool = True, passphrase: str = "") -> Manifest:
        return backups.write(
            file, self.place, home=self.home, mode="demo", mark="", keys=keys, passphrase=passphrase
        )

    def restore(self, file: Path, *, passphrase: str = "", replace: bool = False) -> None:
        is_empty = self.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
        with backups.opened(file) as (manifest, folder):
            backups.restore(
                manifest, folder, self.place,
                home=self.home, passphrase=passphrase, replace=replace, is_empty=is_empty,
            )  # fmt: skip


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="bh-bk-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def here(folder: Path) -> Iterator[Machine]:
    """A machine with a fenced, partitioned, triggered table and keys."""
    machine = Machine(folder / "here")
    machine.ask("CREATE ROLE bihuan_door NOLOGIN")
    machine.ask('CREATE TABLE duty (id bigint, code text COLLATE "C", due date) PARTITION BY RANGE (due)')
    machine.ask(
        "CREATE TABLE duty_2020_02 PARTITION OF duty FOR VALUES FROM ('2020-02-01') TO ('2020-03-01')"
    )
    machine.ask("ALTER TABLE duty ENABLE ROW LEVEL SECURITY")
    machine.ask("CREATE POLICY scope ON duty TO bihuan_door USING (code >= '42')")
    machine.ask("GRANT SELECT ON duty TO bihuan_door")
    machine.ask("INSERT INTO duty SELECT n, '4203-' || n, '2020-02-05' FROM generate_series(1, 1000) n")
    (machine.home / "secrets" / "field.key").write_text(KEYS)
    yield machine
    machine.cluster.stop("immediate")


@pytest.fixture
def there(folder: Path) -> Iterator[Machine]:
    """A fresh machine."""
    machine = Machine(folder / "there")
    yield machine
    machine.cluster.stop("immediate")
    shutil.rmtree(machine.home)


FINGERPRINT = "SELECT count(*), md5(string_agg(duty::text, ',' ORDER BY id)) FROM duty"


def test_a_fresh_machine_gets_rows_fences_and_keys(here: Machine, there: Machine, folder: Path) -> None:
    manifest = here.backup(folder / "a.bak")
    there.restore(folder / "a.bak")
    assert there.ask(FINGERPRINT) == here.ask(FINGERPRINT)
    fences = "SELECT polname, polroles::regrole[]::text FROM pg_policy"
    assert there.ask(fences) == here.ask(fences) == [("scope", "{bihuan_door}")]
    assert (there.home / "secrets" / "field.key").read_text() == KEYS
    assert (there.home / "secrets" / "field.key").stat().st_mode & 0o777 == 0o600
    assert (folder / "a.bak").stat().st_mode & 0o777 == 0o600
    assert manifest.keys == "plain"


def test_it_refuses_to_lay_itself_over_data_unless_asked_to(
    here: Machine, there: Machine, folder: Path
) -> None:
    here.backup(folder / "b.bak")
    there.ask("CREATE TABLE mine AS SELECT 1 AS n")
    with pytest.raises(backups.NotEmpty, match="holds data already"):
        there.restore(folder / "b.bak")
    assert there.ask("SELECT n FROM mine") == [(1,)]
    there.restore(folder / "b.bak", replace=True)
    assert there.ask("SELECT to_regclass('mine')") == [(None,)]
    assert there.ask(FINGERPRINT) == here.ask(FINGERPRINT)


def test_a_restore_that_fails_midway_leaves_what_was_there(
    here: Machine, there: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.backup(folder / "c.bak")
    there.ask("CREATE TABLE mine AS SELECT 1 AS n")
    monkeypatch.setattr(backups, "CREATE_DOOR_ROLE", "")  # then the policy names a role that is not there
    with pytest.raises(backups.BackupError, match="bihuan_door"):
        there.restore(folder / "c.bak", replace=True)
    assert there.ask("SELECT n FROM mine") == [(1,)]


def test_a_restore_does_not_wait_for_ever_for_those_who_use_the_database(
    here: Machine, there: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.backup(folder / "d.bak")
    there.ask("CREATE TABLE mine AS SELECT 1 AS n")
    monkeypatch.setattr(backups, "LOCK_PATIENCE", "200ms")
    with psycopg.connect(there.cluster.url()) as user:
        user.execute("SELECT * FROM mine")
        with pytest.raises(backups.BackupError) as met:
            there.restore(folder / "d.bak", replace=True)
    assert "stop the server" in met.value.hint


def test_keys_under_a_passphrase_open_with_it_and_not_without(
    here: Machine, there: Machine, folder: Path
) -> None:
    file = folder / "e.bak"
    assert here.backup(file, passphrase="two words").keys == "encrypted"
    assert KEYS.strip().encode() not in file.read_bytes()
    with pytest.raises(backups.WrongPassphrase, match="are encrypted"):
        there.restore(file)
    with pytest.raises(backups.WrongPassphrase, match="does not open"):
        there.restore(file, passphrase="other words")
    there.restore(file, passphrase="two words")
    assert (there.home / "secrets" / "field.key").read_text() == KEYS


def test_keys_stay_behind_when_asked_to(here: Machine, there: Machine, folder: Path) -> None:
    assert here.backup(folder / "f.bak", keys=False).keys == "none"
    there.restore(folder / "f.bak")
    assert not (there.home / "secrets" / "field.key").exists()


def test_other_keys_are_not_overwritten(here: Machine, there: Machine, folder: Path) -> None:
    here.backup(folder / "g.bak")
    (there.home / "secrets" / "field.key").write_text("1:b3RoZXI=\n")
    with pytest.raises(backups.NotEmpty, match="other keys"):
        there.restore(folder / "g.bak")
    assert there.ask("SELECT to_regclass('duty')") == [(None,)]


@pytest.mark.parametrize("harm", ["cut", "garbage", "empty", "changed"])
def test_a_damaged_file_is_refused_before_anything_is_touched(here: Machine, folder: Path, harm: str) -> None:
    file, bad = folder / "h.bak", folder / "bad.bak"
    here.backup(file)
    raw = file.read_bytes()
    if harm == "changed":
        at = raw.index(b"PGDMP") + 200
        raw = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
    bad.write_bytes({"cut": raw[: len(raw) // 2], "garbage": b"\x00" * 5000, "empty": b""}.get(harm, raw))
    with pytest.raises(backups.NotABackup), backups.opened(bad):
        pass


def test_a_member_that_points_outside_is_not_followed(here: Machine, folder: Path) -> None:
    bad = folder / "link.bak"
    with tarfile.open(bad, "w") as tar:
        link = tarfile.TarInfo("manifest.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(backups.NotABackup), backups.opened(bad):
        pass


def test_a_backup_of_a_later_postgresql_is_refused_by_name(
    here: Machine, there: Machine, folder: Path
) -> None:
    here.backup(folder / "i.bak")
    with backups.opened(folder / "i.bak") as (_manifest, members):
        told = json.loads((members / "manifest.json").read_text()) | {"postgres_major": 18}
        with pytest.raises(backups.TooNew, match="PostgreSQL 18"):
            backups.restore(
                Manifest(**told), members, there.place,
                home=there.home, passphrase="", replace=False, is_empty=True,
            )  # fmt: skip


def _store_with(home: Path, *days: int) -> Any:
    """A visit store in a data folder with one stay each day."""
    import numpy as np

    from bihuan.epi.visits import Batch, VisitStore

    store = VisitStore.create(home / "visits")
    start = np.array([day * 1440 for day in days], np.int64)
    ids = np.arange(1, len(days) + 1, dtype=np.uint64)
    store.append(Batch(ids, ids, np.array(["shop"] * len(days), object), start, start))
    return store


def test_the_visit_store_goes_along_and_comes_back_whole(here: Machine, there: Machine, folder: Path) -> None:
    from bihuan.epi.visits import VisitStore
    from bihuan.epi.visits.spool import Spool
    from tests.rules.spool_sender import A_BATCH, named

    store = _store_with(here.home, 18_300, 18_301)
    Spool(store.folder).put(named(1))
    manifest = here.backup(folder / "v.bak")
    assert manifest.visits == 2
    there.restore(folder / "v.bak")
    back = VisitStore(there.home / "visits")
    assert back.stats().stays == 2
    assert back.verify() == []
    done = Spool(back.folder).merge()
    assert done is not None
    assert done.added == A_BATCH
    assert [path.name for path in there.home.glob("visits-*")] == []


def test_a_visit_store_here_is_not_overwritten_unless_asked_to(
    here: Machine, there: Machine, folder: Path
) -> None:
    from bihuan.epi.visits import VisitStore

    if not (here.home / "visits").exists():
        _store_with(here.home, 18_300)
    here.backup(folder / "w.bak")
    _store_with(there.home, 18_310, 18_311, 18_312)
    with pytest.raises(backups.NotEmpty, match="visit store"):
        there.restore(folder / "w.bak")
    assert VisitStore(there.home / "visits").stats().days == 3
    there.restore(folder / "w.bak", replace=True)
    assert VisitStore(there.home / "visits").stats().days < 3
    assert not (there.home / "visits.old").exists()


def test_days_deleted_after_a_backup_do_not_come_back_with_it(
    here: Machine, there: Machine, folder: Path
) -> None:
    from bihuan.epi.visits import VisitStore

    if not (here.home / "visits").exists():
        _store_with(here.home, 18_300, 18_301)
    store = VisitStore(here.home / "visits")
    first = min(s.day for s in store.segments())
    here.backup(folder / "early.bak")
    store.forget(first + 1, by="somebody")
    [told] = here.backup(folder / "late.bak").deletions
    assert told["by"] == "somebody"
    there.restore(folder / "late.bak", replace=True)  # the list comes along,
    there.restore(folder / "early.bak", replace=True)  # and what was written before it obeys it
    back = VisitStore(there.home / "visits")
    assert min(s.day for s in back.segments()) > first
    assert back.forgotten == first + 1


def test_a_backup_that_is_kept_long_leaves_the_visits_out(here: Machine, folder: Path) -> None:
    if not (here.home / "visits").exists():
        _store_with(here.home, 18_300)
    manifest = backups.write(
        folder / "x.bak", here.place, home=here.home, mode="demo", mark="", keys=True, passphrase="",
        visits=False,
    )  # fmt: skip
    assert manifest.visits is None
    with tarfile.open(folder / "x.bak") as tar:
        assert "visits.tar" not in tar.getnames()
