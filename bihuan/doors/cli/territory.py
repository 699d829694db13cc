"""`bihuan territory`: load, look up and staff the territory tree."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bihuan.doors.cli.output import Json, show
from bihuan.registry import territory as tree
from bihuan.registry.actions import organizations, roles
from bihuan.registry.actions import territory as actions
from bihuan.registry.actor import Actor

app = typer.Typer(no_args_is_help=True, help="Territory: load a tree, look a place up, staff it.")

ACTOR = Actor.system("bihuan territory", door="cli")
On = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="As of this day; default: today.")]


@app.command("load-builtin")
def load_builtin(json: Json = False) -> None:
    """Load the shipped tree of China (Hubei to the village), the roles, and the administrator's post."""
    report = actions.load_builtin(actor=ACTOR)
    synced = roles.sync_roles(actor=ACTOR)
    organizations.ensure_administration(actor=ACTOR)
    show(
        {
            "added": report.added,
            "changed": report.changed,
            "retired": report.retired,
            "unchanged": report.unchanged,
            "roles": synced.roles,
        },
        json=json,
    )


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="CSV: code, name, level, parent_code and more, see below.")],
    make_paths: Annotated[bool, typer.Option(help="The codes are no paths: make paths of them.")] = False,
    json: Json = False,
) -> None:
    """Load any country's tree from a CSV (UTF-8 or GB18030).

    Columns: code, name, level (1-7, or province, city, county, street, community, grid, unit), parent_code;
    if known valid_from, valid_to, successor, name_en, kind, tz, population. A child's code begins with its
    parent's.
    Loading the same file again changes nothing; a bad row refuses the whole file.
    """
    show(actions.load_file(file, actor=ACTOR, paths=make_paths), json=json)


@app.command("show")
def show_one(code: str, on: On = None, json: Json = False) -> None:
    """Show a territory; an old code shows what followed it."""
    found = tree.resolve(code, on.date() if on else None)
    data = _row(found)
    if found.code != code:
        data["followed"] = code
    data |= {
        "tz": found.tz,
        "population": found.population,
        "valid_from": found.valid_from,
        "valid_to": found.valid_to,
        "successor_code": found.successor_code,
        "children": len(tree.children(found.code)),
    }
    show(data, json=json)


@app.command()
def find(
    name: str,
    within: Annotated[str, typer.Option(help="Only below this code.")] = "",
    json: Json = False,
) -> None:
    """List the places of a name (Chinese or English; "十堰 张湾" narrows from the top)."""
    rows = [_row(t) for t in tree.find_by_name(name, within or None)]
    if not rows:
        tree.one_by_name(name, within or None)  # raises, naming the nearest
    show(rows, json=json)


@app.command()
def children(code: Annotated[str, typer.Argument()] = "", on: On = None, json: Json = False) -> None:
    """List what lies directly below a territory."""
    if code:
        code = tree.resolve(code).code
    show([_row(t) for t in tree.children(code, on=on.date() if on else None)], json=json)


@app.command()
def staff(
    codes: Annotated[list[str], typer.Argument(help="Counties, cities, streets, a province.")],
    communities: Annotated[bool, typer.Option(help="Also all community committees.")] = True,
    grids: Annotated[int, typer.Option(help="So many grids with a worker in each community.")] = 0,
    json: Json = False,
) -> None:
    """Create the standard organizations and posts of a territory. Again: adds only what is missing."""
    done: list[dict[str, Any]] = []
    for code in codes:
        place = tree.resolve(code)
        made = organizations.establish(place.code, actor=ACTOR, communities=communities, grids=grids)
        done.append({"code": place.code, "name": place.label, **_plain(made)})
    show(done, json=json)


def _row(t: tree.Territory) -> dict[str, Any]:
    return {
        "code": t.code,
        "name": t.name,
        "name_en": t.name_en,
        "level": t.level,
        "kind": t.kind,
        "path": tree.name_path(t.code),
    }


def _plain(made: organizations.Establishment) -> dict[str, int]:
    return {
        "organizations": made.organizations,
        "posts": made.posts,
        "new_organizations": made.new_organizations,
        "new_posts": made.new_posts,
    }
