"""`bihuan registry`: the registry's own upkeep."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from bihuan.doors.cli.output import Json, show, table
from bihuan.loops import actions as loops
from bihuan.registry import delivery, outbox
from bihuan.registry.actions import roles
from bihuan.registry.actor import Actor

app = typer.Typer(no_args_is_help=True, help="Registry: roles; digests; what is kept no longer.")


@app.callback()
def _registry() -> None:
    """Registry: roles; digests; what is kept no longer."""


@app.command("sync-roles")
def sync_roles(json: Json = False) -> None:
    """Bring the roles of packs/roles.yaml into force."""
    show(roles.sync_roles(actor=Actor.system("bihuan registry", door="cli")), json=json)


@app.command()
def deliver(json: Json = False) -> None:
    """Send the digests that are due by the ways that are switched on, as the worker does."""
    found = [{"channel": one.channel, **asdict(outbox.deliver(one))} for one in delivery.adapters()]

    def human(console: Console) -> None:
        if found:
            table(console, found)
        else:
            console.print(_("No way out of the house is switched on (BIHUAN_WEBHOOK_URL, BIHUAN_MAIL_URL)."))

    show(found, json=json, human=human)


@app.command()
def shred(
    territory: Annotated[str, typer.Option(help="Territory code; empty for everywhere.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell who is due.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many people.")] = None,
    json: Json = False,
) -> None:
    """Destroy the personal data of people whose retention is over. The worker does it every night.

    It cannot be undone. Facts stay under the public id, and an entry says what was done and by which rule.
    """
    run = loops.shred_due(
        actor=Actor.system("bihuan registry shred", door="cli"),
        territory=territory,
        dry_run=dry_run,
        limit=limit,
    )
    show(run, json=json, human=lambda console: _show_shredded(console, run))


def _show_shredded(console: Console, run: loops.ShredRun) -> None:
    words = (
        _("%(n)d people are due; nothing was destroyed.")
        if run.dry_run
        else _("Destroyed the personal data of %(n)d people.")
    )
    console.print(words % {"n": run.due - len(run.held) if run.dry_run else run.shredded})
    rows = [
        {_("person"): one.public_id, _("territory"): one.territory_code, _("kept until"): one.keep_until,
         _("rule"): f"{one.days} d, {one.pack}",
         _("still needed"): ", ".join(run.held.get(one.public_id, ()))}
        for one in run.people
    ]  # fmt: skip
    if rows:
        table(console, rows)
    if run.held:
        console.print(escape(_("Still needed, and kept: %(n)d.") % {"n": len(run.held)}))
