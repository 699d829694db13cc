"""`bihuan places`: load and list the places people visit."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bihuan.doors.cli.output import Json, show
from bihuan.doors.exchange.place_list import read_places
from bihuan.registry.actor import Actor
from bihuan.tracing.actions.places import register_places
from bihuan.tracing.queries import places as queries
from bihuan.tracing.queries.places import PlaceFilter

app = typer.Typer(no_args_is_help=True, help="Places: load a list, look one up, how full and how complete.")

ACTOR = Actor.system("bihuan places", door="cli")
Territory = Annotated[str, typer.Option("--territory", help="Code or name; of rows without one.")]


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, XLS, XLSX or ODS with a column name.")],
    territory: Territory = "",
    encoding: Annotated[str, typer.Option(help="Of a CSV; recognized by itself.")] = "",
    json: Json = False,
) -> None:
    """Register places from a list, all or none. The same id again is the same place.

    Columns: name, kind, territory_code, address, capacity, store_id, name_en, latitude, longitude, active.
    """
    done = register_places(read_places(file, territory_code=territory, encoding=encoding), actor=ACTOR)
    show({"made": done.made, "changed": done.changed, "known": done.known}, json=json)


@app.command("list")
def list_command(
    search: Annotated[str, typer.Option("--search", help="A piece of name or address, or an id.")] = "",
    territory: Annotated[str, typer.Option("--territory", help="Code.")] = "",
    json: Json = False,
) -> None:
    """Places, the first five hundred by name."""
    page = queries.list_places(PlaceFilter(text=search, territory=territory), size=500)
    names = ("public_id", "store_id", "name", "kind", "territory_code", "capacity", "is_over")
    show([{name: getattr(row, name) for name in names} for row in page.rows], json=json)


@app.command("show")
def show_one(place: Annotated[str, typer.Argument(help="Its id, L-…")], json: Json = False) -> None:
    """One place: facts, how full it is, what its gate did today. Counts only."""
    found = queries.find_place(place)
    facts = asdict(found.place)
    day = asdict(found.day) | {"inside": found.day.inside, "percent": found.day.percent}
    show(facts | {"limit": found.limit, "records_today": found.records, "today": day}, json=json)
