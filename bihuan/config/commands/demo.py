"""The demo: everything at once on one machine, with a synthetic county outbreak; and its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from django.utils.translation import gettext as _
from rich.cells import cell_len
from rich.console import Console

from bihuan.config import command, home, processes, serving
from bihuan.config.postgres import Cluster
from bihuan.doors.cli import main as doors
from bihuan.doors.cli.main import needs_no_database
from bihuan.registry.errors import BihuanError, Conflict

HOST = "127.0.0.1"
READY_SECONDS = 60.0
CHECKOUT = Path(__file__).resolve().parents[3]

MARK = "Bihuan demo"
WATCH_SECONDS = 1.0
#: Cells of the terminal that the name of a step takes.
STEP_CELLS = 32
SIGNS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

console = Console(highlight=False)


@needs_no_database
def demo(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Start a demo: database, a synthetic outbreak, worker and server. Ctrl-C ends it."""
    began = time.monotonic()
    _end_the_remains_of_an_earlier_one()
    serving.require_free_port(HOST, port)
    for sign in SIGNS:
        signal.signal(sign, _leave)
    record = serving.Record(supervisor=processes.myself(), address=f"http://{HOST}:{port}")
    record.write()
    front_end = FrontEnd()
    try:
        with _database():
            try:
                _lay_data()
                _serve(record, port=port, front_end=front_end)
                _tell(record.address, seconds=time.monotonic() - began)
                if browser:
                    threading.Thread(target=webbrowser.open, args=[record.address], daemon=True).start()
                _watch(record, port=port)
            finally:
                _ignore_further_signals()
                serving.end_all(record.children)
    except KeyboardInterrupt:
        console.print(_("Ended. The data stay in %(folder)s.") % {"folder": home.home()}, style="dim")
    finally:
        _ignore_further_signals()
        front_end.end()
        serving.Record.remove()


@needs_no_database
def stop() -> None:
    """End everything the demo of this data folder started, and nothing else."""
    record, cluster = serving.Record.read(), Cluster(home.home())
    if record is None and not cluster.is_running():
        console.print(_("Nothing of this data folder is running."))
        return
    if record:
        processes.end(record.supervisor, patience=serving.END_PATIENCE_SECONDS + 20)
        serving.end_all(record.children)
        serving.Record.remove()
    if cluster.is_running():
        cluster.stop_if_unused()
    console.print("[green]✓[/]", _("Ended."))


# Steps


@contextmanager
def _step(name: str, *, shows_itself: bool = False) -> Iterator[None]:
    """Show one step while it runs (unless it draws its own progress), and the seconds it took."""
    began = time.monotonic()
    with nullcontext() if shows_itself else console.status(f"{name} …"):
        yield
    room = " " * max(1, STEP_CELLS - cell_len(name))
    console.print(f"[green]✓[/] {name}{room}[dim]{time.monotonic() - began:5.1f} s[/]")


@contextmanager
def _database() -> Iterator[None]:
    with ExitStack() as stack:
        with _step(_("database")):
            stack.enter_context(command.database_up())
        yield


def _lay_data() -> None:
    with _step(_("schema and territory tree")):
        _lay_schema()
        _refuse_real_data()
        home.remember_mode("demo")
    if doors.has_command("drill", "play"):
        with _step(_("synthetic outbreak"), shows_itself=True), _without_waiting_for_the_disk():
            _do("drill", "play", "--if-empty")


@contextmanager
def _without_waiting_for_the_disk() -> Iterator[None]:
    """Commits return before they are on disk: a crash may lose the last moments of a made-up outbreak."""
    before = os.environ.get("PGOPTIONS")
    os.environ["PGOPTIONS"] = f"{before or ''} -c synchronous_commit=off"
    command.close_connections()
    try:
        yield
    finally:
        command.close_connections()
        os.environ.pop("PGOPTIONS")
        if before is not None:
            os.environ["PGOPTIONS"] = before


def _lay_schema() -> None:
    if not command.is_outside():
        command.migrate_if_older()
    else:
        command.migrate()


def _serve(record: serving.Record, *, port: int, front_end: FrontEnd) -> None:
    with _step(_("front end")):
        front_end.wait()
        serving.collect_static()
    with _step(_("worker and server")):
        home.make_secret(home.SECRET_KEY)
        for name in ("worker", "server"):
            _start(record, name, port=port)
        server = record.children["server"]
        if not serving.wait_until_ready(record.address, child=server, seconds=READY_SECONDS):
            raise BihuanError(
                _("The server does not answer."), hint=_("See %(file)s.") % {"file": _log("server")}
            )


def _start(record: serving.Record, name: str, *, port: int) -> None:
    words = serving.worker_command() if name == "worker" else serving.server_command(host=HOST, port=port)
    role = "owner" if name == "worker" else "door"
    record.children[name] = serving.start(words, log=_log(name), environment={"BIHUAN_DB_ROLE": role})
    record.write()


def _watch(record: serving.Record, *, port: int) -> None:
    """Until we are told to leave: start again whichever of the two has died, and the database too."""
    while True:
        time.sleep(WATCH_SECONDS)
        if not (command.is_outside() or Cluster(home.home()).is_running()):
            console.print("[yellow]![/]", _("The database ended and is started again."))
            Cluster(home.home()).start()
        for name, child in record.children.items():
            if not child.is_alive():
                told = _("The %(name)s ended and is started again; see %(file)s.")
                console.print("[yellow]![/]", told % {"name": name, "file": _log(name)})
                _start(record, name, port=port)
                time.sleep(WATCH_SECONDS)


def _tell(address: str, *, seconds: float) -> None:
    ready = _("ready after %(seconds)s s; Ctrl-C ends it") % {"seconds": f"{seconds:.1f}"}
    console.print(f"\n[bold]Bihuan 闭环[/]  {address}   [dim]{ready}[/]\n")
    if doors.has_command("drill", "accounts"):
        _do("drill", "accounts")


def _refuse_real_data() -> None:
    """A demo plays a made-up outbreak; it does not do so among real people."""
    if command.database_mark() == MARK:
        return
    if command.ask("SELECT EXISTS (SELECT FROM registry_person)"):
        raise Conflict(
            _("This database holds people already, and not from a demo."),
            code="not-a-demo",
            hint=_("Choose another data folder for the demo, for example BIHUAN_HOME=/tmp/bihuan-demo."),
        )
    command.mark_database(MARK)


def _end_the_remains_of_an_earlier_one() -> None:
    record = serving.Record.read()
    if record is None:
        return
    if record.supervisor.is_alive():
        raise Conflict(
            _("A demo of this data folder runs already at %(address)s.") % {"address": record.address},
            code="already-running",
            hint=_("End it with `python3 bihuan.py stop`, or choose another BIHUAN_HOME."),
        )
    serving.end_all(record.children)
    serving.Record.remove()


class FrontEnd:
    """The build of the front end, running beside the other steps; a wheel carries it built."""

    def __init__(self) -> None:
        script = CHECKOUT / "scripts" / "frontend.py"
        self._build: subprocess.Popen[str] | None = None
        if script.exists():
            self._build = subprocess.Popen(
                [sys.executable, str(script)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def wait(self) -> None:
        if self._build is None:
            return
        said, _nothing = self._build.communicate()
        if self._build.returncode != 0:
            told = _("The front end was not built.")
            raise BihuanError(f"{told}\n{said[-2000:]}", code="front-end")

    def end(self) -> None:
        if self._build is not None and self._build.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._build.pid, signal.SIGTERM)
            self._build.wait()


def _do(*words: str) -> None:
    """One command of the doors, in this process; an error of it ends the demo."""
    code = doors.run(words)
    if code:
        raise typer.Exit(code)


def _log(name: str) -> Path:
    return home.home() / "logs" / f"{name}.log"


def _leave(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _ignore_further_signals() -> None:
    for sign in SIGNS:
        signal.signal(sign, signal.SIG_IGN)
