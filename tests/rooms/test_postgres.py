"""The embedded PostgreSQL: it keeps data through anything, lets several in, and says what is wrong."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bihuan.config import postgres, processes
from bihuan.config.postgres import Cluster

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that an unprivileged user may reach, gone afterwards with all that ran in it."""
    folder = Path(tempfile.mkdtemp(prefix="bh-pg-"))
    folder.chmod(0o711)
    yield folder / "home"
    if (folder / "home").exists():
        Cluster(folder / "home", durable=False).stop("immediate")
    shutil.rmtree(folder)


@pytest.fixture
def cluster(home: Path) -> Cluster:
    return Cluster(home, durable=False)


def ask(cluster: Cluster, statement: str) -> object:
    with psycopg.connect(cluster.url()) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


def do(cluster: Cluster, statement: str) -> None:
    with psycopg.connect(cluster.url()) as connection:
        connection.execute(statement)


def server_of(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


def kill_whole_server(cluster: Cluster) -> None:
    """kill -9 of the server and of every child of it, all at once."""
    parent = server_of(cluster)
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    for pid in [parent, *(pid for pid, ppid in pairs if ppid == parent)]:
        os.kill(pid, signal.SIGKILL)


def in_another_process(home: Path, statement: str, *, meanwhile: str = "") -> subprocess.Popen[str]:
    code = (
        "import sys, psycopg; from pathlib import Path; from bihuan.config.postgres import Cluster\n"
        f"cluster = Cluster(Path({str(home)!r}), durable=False); cluster.attach()\n"
        f"with psycopg.connect(cluster.url()) as c: row = c.execute({statement!r}).fetchone()\n"
        "print(row[0], flush=True)\n"
        f"{meanwhile}\ncluster.detach()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_it_keeps_what_was_committed_through_kill_9_of_everything(home: Path) -> None:
    cluster = Cluster(home)  # durable, as outside of tests
    cluster.start()
    do(cluster, "CREATE TABLE kept AS SELECT 42 AS n")
    kill_whole_server(cluster)
    assert (cluster.data / "postmaster.pid").exists()
    cluster.start()
    assert ask(cluster, "SELECT n FROM kept") == 42


def test_it_comes_back_when_only_the_parent_was_killed(home: Path) -> None:
    cluster = Cluster(home)
    cluster.start()
    do(cluster, "CREATE TABLE kept AS SELECT 42 AS n")
    os.kill(server_of(cluster), signal.SIGKILL)
    cluster.start()
    assert ask(cluster, "SELECT n FROM kept") == 42


def test_a_stale_note_with_a_number_that_others_bear_now_does_not_stop_it(cluster: Cluster) -> None:
    cluster.start()
    note = (cluster.data / "postmaster.pid").read_text().split("\n")
    cluster.stop()
    user: dict[str, Any] = {}
    if cluster.run_as:
        user = {"user": cluster.run_as.uid, "group": cluster.run_as.gid}
    other = subprocess.Popen(["sleep", "60"], cwd="/", **user)
    try:
        stale = "\n".join([str(other.pid), *note[1:]])
        (cluster.data / "postmaster.pid").write_text(stale)
        (cluster.socket_folder / ".s.PGSQL.5432.lock").write_text(stale)
        assert not cluster.is_running()
        cluster.start()
        assert ask(cluster, "SELECT 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_two_processes_attach_at_once_and_the_last_one_out_stops_it(home: Path, cluster: Cluster) -> None:
    both = [in_another_process(home, "SELECT 7", meanwhile="sys.stdin.readline()") for _ in range(2)]
    assert [one.stdout.readline().strip() for one in both if one.stdout] == ["7", "7"]
    assert len(cluster.users()) == 2
    both[0].communicate("\n")
    assert cluster.is_running()
    both[1].communicate("\n")
    assert not cluster.is_running()
    assert [one.returncode for one in both] == [0, 0]


def test_a_process_that_was_killed_does_not_count_as_attached(home: Path, cluster: Cluster) -> None:
    other = in_another_process(home, "SELECT 7", meanwhile="sys.stdin.readline()")
    assert other.stdout is not None
    assert other.stdout.readline().strip() == "7"
    other.kill()
    other.wait()
    cluster.attach()
    cluster.detach()
    assert not cluster.is_running()


def test_a_home_with_a_very_long_path_gets_a_socket_folder_that_fits(home: Path) -> None:
    deep = home.joinpath(*["a-folder-with-quite-a-long-name"] * 5)
    cluster = Cluster(deep, durable=False)
    try:
        cluster.start()
        assert len(str(cluster.socket_folder / ".s.PGSQL.5432")) <= postgres.SOCKET_PATH_LIMIT
        assert cluster.socket_folder.stat().st_mode & 0o777 == 0o700
        assert ask(cluster, "SELECT 1") == 1
    finally:
        cluster.stop("immediate")
        shutil.rmtree(cluster.socket_folder, ignore_errors=True)


def test_a_socket_folder_laid_by_somebody_else_is_refused(home: Path) -> None:
    cluster = Cluster(home.joinpath(*["a-folder-with-quite-a-long-name"] * 5), durable=False)
    trap = home.parent / "trap"
    trap.mkdir(mode=0o777)
    cluster.socket_folder.symlink_to(trap)
    try:
        with pytest.raises(postgres.HomeUnusable, match="belongs to somebody else"):
            cluster.start()
    finally:
        cluster.socket_folder.unlink()


def test_data_of_another_major_version_are_left_alone_and_named(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    (cluster.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(postgres.OtherVersion, match=r"written by PostgreSQL 14.*restore"):
        cluster.start()
    (cluster.data / "PG_VERSION").write_text(f"{cluster.major}\n")
    cluster.start()


def test_a_folder_without_data_in_the_place_of_data_is_named(cluster: Cluster) -> None:
    cluster.data.mkdir(parents=True)
    with pytest.raises(postgres.DoesNotStart, match="PG_VERSION is missing"):
        cluster.start()


def test_a_full_disk_is_said_before_anything_is_made(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: small)
    with pytest.raises(postgres.DiskTooSmall, match="Only 0 MB are free"):
        cluster.start()
    assert not cluster.data.exists()


def test_a_disk_that_runs_full_while_starting_is_told_as_such(cluster: Cluster) -> None:
    said = 'FATAL:  could not write lock file "postmaster.pid": No space left on device'
    assert isinstance(cluster._told(said), postgres.DiskTooSmall)


def test_a_broken_setting_is_told_with_the_words_of_the_server(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    with (cluster.data / "postgresql.conf").open("a") as conf:
        conf.write("no_such_setting = 1\n")
    with pytest.raises(postgres.DoesNotStart, match="no_such_setting"):
        cluster.start()


def test_a_half_made_cluster_is_made_anew(cluster: Cluster) -> None:
    (cluster.folder / "making" / "data").mkdir(parents=True)
    (cluster.folder / "making" / "data" / "PG_VERSION").write_text("16")
    if cluster.run_as:
        os.chown(cluster.folder / "making", cluster.run_as.uid, cluster.run_as.gid)
    cluster.start()
    assert ask(cluster, "SELECT 1") == 1


def test_nobody_comes_in_without_the_password_or_by_network(cluster: Cluster) -> None:
    cluster.start()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=str(cluster.socket_folder), user="bihuan", dbname="bihuan", password="guess")
    assert ask(cluster, "SHOW listen_addresses") == ""
    assert cluster.secret.stat().st_mode & 0o777 == 0o600
    assert cluster.socket_folder.stat().st_mode & 0o777 == 0o700
    assert "trust" not in (cluster.data / "pg_hba.conf").read_text()


def test_statements_and_parameters_are_not_logged(cluster: Cluster) -> None:
    cluster.start()
    with psycopg.connect(cluster.url(), autocommit=True) as connection, pytest.raises(psycopg.Error):
        connection.execute("SELECT 1/0, %s::text", ["420302199001011234"])
    time.sleep(0.1)
    assert "420302199001011234" not in cluster.log.read_text()


def test_fsync_is_on_unless_it_is_a_test(home: Path) -> None:
    assert Cluster(home)._conf().get("fsync") is None
    assert Cluster(home, durable=False)._conf()["fsync"] == "off"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must step down to another user")
def test_root_runs_it_as_another_user_from_a_copy(cluster: Cluster) -> None:
    cluster.start()
    owner = Path(f"/proc/{server_of(cluster)}").stat().st_uid
    assert owner != 0
    assert cluster.data.stat().st_uid == owner
    assert cluster.programs.is_relative_to(cluster.home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must step down to another user")
def test_root_is_told_of_a_home_that_the_other_user_cannot_reach(home: Path) -> None:
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    before = closed.stat().st_mode
    with pytest.raises(postgres.HomeUnusable, match=r"may not enter .*closed.*BIHUAN_HOME"):
        Cluster(closed / "home", durable=False).start()
    assert closed.stat().st_mode == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_runs_it_where_the_programs_lie(home: Path) -> None:
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("no user nobody")
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    programs = Cluster(
        home.parent / "copy", durable=False
    )  # a copy that nobody can read, like a venv of hers
    programs.home.mkdir()
    programs._lay_home()
    bin_folder = programs.programs
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            mine = Cluster(home, durable=False, using=bin_folder)
            mine.start()
            said = str((mine.run_as, ask(mine, "SELECT 5")))
            mine.stop()
        except BaseException as error:
            said = repr(error)
        os.write(writer, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 4000).decode() == "(None, 5)"


def test_it_stops_what_it_started_and_nothing_else(cluster: Cluster) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        cluster.start()
        server = processes.find(server_of(cluster))
        cluster.stop()
        assert server is not None
        assert not server.is_alive()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
