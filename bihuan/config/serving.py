"""Server and worker as processes: how they are called, where they are written down, how they end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from bihuan.config import home, processes, static
from bihuan.registry.errors import Conflict

APPLICATION = "bihuan.config.wsgi:application"
END_PATIENCE_SECONDS = 15.0


def server_command(*, host: str, port: int, workers: int = 1) -> list[str]:
    """Granian, WSGI. Threads answer: Django stays synchronous."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)),
        *("--workers", str(workers), "--blocking-threads", "4", "--no-ws", "--log-level", "warning"),
        *("--respawn-failed-workers", APPLICATION),
    ]


def worker_command() -> list[str]:
    return [sys.executable, "-m", "django", "procrastinate", "worker", "--concurrency", "1"]


def require_free_port(host: str, port: int) -> None:
    """Raise Conflict when somebody listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Conflict(
                _("Port %(port)d on %(host)s cannot be used: %(why)s.")
                % {"port": port, "host": host, "why": error.strerror},
                code="port-taken",
                hint=_("End the program that uses it, or choose another with --port N."),
            ) from error


def collect_static() -> None:
    """Gather and compress the static files, unless those gathered are current."""
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders
    from django.core.management import call_command

    folders = {
        Path(storage.location)
        for finder in get_finders()
        for storage in getattr(finder, "storages", {}).values()
        if Path(storage.location).is_dir()
    }
    stamp = static.stamp(sorted(folders))
    note = Path(settings.STATIC_ROOT) / ".stamp"
    if note.exists() and note.read_text() == stamp:
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    note.write_text(stamp)


@dataclass
class Record:
    """What a demo started, written down so that `stop` ends that and nothing else."""

    supervisor: processes.Process
    address: str
    children: dict[str, processes.Process] = field(default_factory=dict)

    @staticmethod
    def path() -> Path:
        return home.home() / "run" / "demo.json"

    @classmethod
    def read(cls) -> Record | None:
        try:
            told = json.loads(cls.path().read_text())
        except (OSError, ValueError):
            return None
        return cls(
            supervisor=processes.Process(**told["supervisor"]),
            address=told["address"],
            children={name: processes.Process(**child) for name, child in told["children"].items()},
        )

    def write(self) -> None:
        self.path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        making = self.path().with_suffix(".making")
        making.write_text(json.dumps(asdict(self)))
        making.replace(self.path())

    @classmethod
    def remove(cls) -> None:
        cls.path().unlink(missing_ok=True)


def start(words: list[str], *, log: Path, environment: dict[str, str]) -> processes.Process:
    """Start a child in a session of its own (Ctrl-C is for the supervisor), its output in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            words,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return processes.find(child.pid) or processes.Process(child.pid, "gone")


def end_all(children: dict[str, processes.Process], *, patience: float = END_PATIENCE_SECONDS) -> None:
    """End children and what they started: all are asked at once, then the slow ones are made to."""
    for child in children.values():
        child.send(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and any(child.is_alive() for child in children.values()):
        time.sleep(0.05)
    for child in children.values():
        _kill_group(child)


def _kill_group(leader: processes.Process) -> None:
    """Kill what is left of the session a child led. A group's number is not given again while it has members;
    a living process that bears it and began at another time means that the group is gone."""
    if processes.began_at(leader.pid) in (None, leader.began):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader.pid, signal.SIGKILL)


def wait_until_ready(address: str, *, child: processes.Process, seconds: float) -> bool:
    """Whether /readyz says yes in time; False as soon as the server is gone."""
    deadline = time.monotonic() + seconds
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline and child.is_alive():
        try:
            with opener.open(f"{address}/readyz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False
