"""Run the server and the worker, apply migrations, tell how things stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from django.utils.translation import gettext as _
from rich.console import Console

from bihuan import __version__
from bihuan.config import command, home, serving
from bihuan.config import messages as catalogs
from bihuan.config.postgres import Cluster
from bihuan.doors.cli.main import needs_no_database
from bihuan.doors.cli.output import Json, show

Port = Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)]


@needs_no_database
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1)] = 1,
) -> None:
    """Serve pages and the API until ended. Run `bihuan worker` beside it."""
    serving.require_free_port(host, port)
    home.make_secret(home.SECRET_KEY)
    with command.on_the_database():
        serving.collect_static()
        _foreground(serving.server_command(host=host, port=port, workers=workers), role="door")


@needs_no_database
def worker() -> None:
    """Do the queued and the timed work (sweeps, imports) until ended."""
    with command.on_the_database():
        _foreground(serving.worker_command(), role="owner")


@needs_no_database
def migrate(
    territories: Annotated[bool, typer.Option(help="Load the built-in tree into an empty database.")] = True,
) -> None:
    """Bring the database to this version's schema."""
    with command.database_up():
        command.migrate(with_territories=territories)
    Console().print("[green]✓[/]", _("The database has the schema of this version."))


@needs_no_database
def status(json: Json = False) -> None:
    """Tell which data folder, database and processes this installation has."""
    show(_status(), json=json)


def _status() -> dict[str, Any]:
    told: dict[str, Any] = {"version": __version__, "home": str(home.home()), "mode": home.mode()}
    if command.is_outside():
        told["database"] = "outside (DATABASE_URL)"
    else:
        cluster = Cluster(home.home())
        told["database"] = "embedded, running" if cluster.is_running() else "embedded, stopped"
        told["attached"] = [process.pid for process in cluster.users()]
    record = serving.Record.read()
    told["demo"] = record.address if record and record.supervisor.is_alive() else None
    return told


@needs_no_database
def messages(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail when a text is missing.")
    ] = False,
    json: Json = False,
) -> None:
    """Compile the translations, or check that none is missing."""
    if not check:
        show({"written": catalogs.compile_all()}, json=json)
        return
    missing = [{"text": text, "place": place} for text, place in catalogs.untranslated().items()]
    empty = [{"text": text, "place": found.path} for found in catalogs.check_all() for text in found.missing]
    found = missing + empty
    show({"missing": found}, json=json, human=lambda console: _list_missing(console, found))
    if found:
        raise typer.Exit(1)


def _list_missing(console: Console, found: list[dict[str, str]]) -> None:
    for one in found:
        console.print(f"{one['place']}  {one['text']!r}", markup=False, highlight=False, soft_wrap=True)
    lack = _("%(n)d texts lack a translation.") % {"n": len(found)}
    console.print(lack if found else _("Every text is translated."))


def _foreground(words: list[str], *, role: str) -> None:
    """Run a child in the foreground, in our own process group, so that Ctrl-C reaches it."""
    environment = {**os.environ, "BIHUAN_DB_ROLE": role}
    child = subprocess.Popen(words, env=environment, cwd=Path(sys.prefix))
    try:
        code = child.wait()
    except KeyboardInterrupt:
        code = child.wait()
    if code not in (0, -2, -15, 130):
        raise typer.Exit(code if code > 0 else 1)
