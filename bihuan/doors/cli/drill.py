"""`bihuan drill`: play the built-in outbreak, list its accounts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from django.utils.translation import gettext as _
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bihuan.doors.cli.output import Json, show
from bihuan.drill import queries
from bihuan.drill.actions import hire, number_people, record_visits, staff
from bihuan.drill.actions import play as play_out
from bihuan.drill.actions.cast import PASSWORD
from bihuan.drill.actions.cast import accounts as accounts_of_all
from bihuan.registry.errors import Conflict

app = typer.Typer(no_args_is_help=True, help="Drills: a synthetic outbreak played through the real verbs.")


@app.command()
def play(
    if_empty: bool = typer.Option(False, help="Do nothing when there are cases already."), json: Json = False
) -> None:
    """Staff the drill's city, create its accounts, play its outbreak up to 2020-02-17 20:40 local time."""
    if queries.is_cut_off([one.username for one in accounts_of_all()]):
        raise Conflict(
            _("A drill was interrupted here while it was being played; it is not whole."),
            code="drill-cut-off",
            hint=_("Delete the data folder, or choose another one with BIHUAN_HOME, and start again."),
        )
    if if_empty and not queries.is_empty():
        return
    staff()
    with (
        _walking(),
        Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), transient=True) as bar,
    ):
        task = bar.add_task("2020-01", total=1.0)
        played = play_out(
            progress=lambda share, day: bar.update(task, completed=share, description=f"2020-{day}")
        )
    number_people()
    hire()  # last: that they are there says that the play is whole
    result = {
        "cases": played.cases,
        "contacts": played.contacts,
        "checks": played.checks,
        "refused": played.refused,
    }
    text = _("%(cases)d cases, %(contacts)d contacts, %(checks)d daily checks played.")
    show(result, json=json, human=lambda console: console.print(text % result))


@contextmanager
def _walking() -> Iterator[None]:
    """The entry records come in on the other core, and are waited for; an interruption ends them, too."""
    child = subprocess.Popen([sys.executable, "-m", "bihuan", "drill", "visits"])
    try:
        yield
        if child.wait():
            raise typer.Exit(child.returncode)
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()


@app.command(hidden=True)
def visits() -> None:
    """Bring in the entry records of the drill; `play` does so by itself."""
    record_visits()


@app.command()
def accounts(json: Json = False) -> None:
    """List the accounts of the drill, one a role."""
    rows = [{"username": a.username, "password": PASSWORD, "zh": a.zh, "en": a.en} for a in hire()]

    table = Table("用户名 username", "密码 password", "岗位", "post")
    for row in rows:
        table.add_row(row["username"], row["password"], row["zh"], row["en"])
    show(rows, json=json, human=lambda console: console.print(table))
