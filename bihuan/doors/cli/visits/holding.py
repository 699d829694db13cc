"""What a store holds: merged, counted, proven."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from bihuan.doors.cli.epi.options import on_file
from bihuan.doors.cli.epi.output import working
from bihuan.doors.cli.output import Json, show
from bihuan.doors.cli.visits.options import Store, store_folder, today
from bihuan.epi.visits import VisitStore


def register(app: typer.Typer) -> None:
    for command in (compact, stats, verify):
        app.command()(command)


@on_file
def compact(store: Store = None, json: Json = False) -> None:
    """Merge the parts of each day into one, and forget event ids of days a week past."""
    opened = VisitStore(store_folder(store))
    with working(_("compacting")):
        days = opened.compact(today=today(opened), least=2)
    show({"days": days, "segments": opened.stats().segments}, json=json)


@on_file
def stats(store: Store = None, json: Json = False) -> None:
    """How much the store holds, and in how many bytes."""
    opened = VisitStore(store_folder(store))
    found = opened.stats()
    days = [segment.day for segment in opened.segments()]
    per = max(found.stays, 1)
    show(
        asdict(found)
        | {
            "first_day": _date(min(days)) if days else None,
            "last_day": _date(max(days)) if days else None,
            "forgotten_before": _date(opened.forgotten) if opened.forgotten else None,
            "truth_bytes_per_stay": round(found.truth_bytes / per, 2),
            "index_bytes_per_stay": round(found.index_bytes / per, 2),
            "store": str(opened.folder),
        },
        json=json,
    )


@on_file
def verify(
    store: Store = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Move damaged parts out of the way; the rest answers.")
    ] = False,
    json: Json = False,
) -> None:
    """Read every file of the truth and compare its checksum. Exit 1 when one is damaged. A damaged index is
    made again."""
    opened = VisitStore(store_folder(store))
    with working(_("verifying")):
        damaged = opened.verify(set_aside=set_aside)
        remade = opened.mend()
    said = {
        "ok": not damaged,
        "damaged": [str(path) for path in damaged],
        "set_aside": bool(set_aside and damaged),
        "index_made_again": [str(path) for path in remade],
    }
    show(said, json=json, human=lambda console: _tell_damage(console, damaged, remade, set_aside=set_aside))
    if damaged:
        raise typer.Exit(1)


def _tell_damage(console: Console, damaged: list[Path], remade: list[Path], *, set_aside: bool) -> None:
    for path in remade:
        told = _("%(path)s: damaged, made again from the visits.") % {"path": path}
        console.print(escape(told), soft_wrap=True, highlight=False)
    if not damaged:
        console.print(f"[bold green]✓[/] {escape(_('All files are whole.'))}")
        return
    for path in damaged:
        console.print(f"[bold red]✗[/] {escape(str(path))}", soft_wrap=True, highlight=False)
    text = _("Set aside; the rest answers.") if set_aside else _("--set-aside lets the rest answer.")
    console.print(escape(text))


def _date(day: int) -> str:
    return str(np.datetime64(day, "D"))
