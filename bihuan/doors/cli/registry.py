"""`bihuan registry`: the registry's own upkeep."""

from __future__ import annotations

import typer

from bihuan.doors.cli.output import Json, show
from bihuan.registry.actions import roles
from bihuan.registry.actor import Actor

app = typer.Typer(no_args_is_help=True, help="Registry: roles.")


@app.callback()
def _registry() -> None:
    """Registry: roles."""


@app.command("sync-roles")
def sync_roles(json: Json = False) -> None:
    """Bring the roles of packs/roles.yaml into force."""
    show(roles.sync_roles(actor=Actor.system("bihuan registry", door="cli")), json=json)
