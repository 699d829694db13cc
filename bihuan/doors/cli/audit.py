"""`bihuan audit`: prove that history and the access log were not rewritten."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from bihuan.doors.cli.output import Json, show, table
from bihuan.registry import chain

app = typer.Typer(no_args_is_help=True, help="Audit: seal new rows into the hash chain, and prove the chain.")


@app.command()
def seal(
    wait: Annotated[float, typer.Option(help="Seconds to wait for running transactions.")] = 10.0,
    json: Json = False,
) -> None:
    """Seal all new rows. Keep the head that it prints outside of this machine."""
    result = chain.seal(wait_seconds=wait)
    show(
        {
            "block": result.number,
            "rows": result.rows,
            "head": result.head,
            "waiting_since": result.waiting_since,
        },
        json=json,
    )
    if result.waiting_since:
        raise typer.Exit(1)


@app.command()
def verify(
    head: Annotated[str, typer.Option(help="A head hash kept elsewhere that the chain must hold.")] = "",
    deep: Annotated[bool, typer.Option(help="Also compare the live rows with history.")] = False,
    json: Json = False,
) -> None:
    """Compute the whole chain again; name the first rows altered, deleted or put in. Exit 1 on any."""
    result = chain.verify(expected_head=head, deep=deep)
    said: dict[str, Any] = {
        "ok": result.ok,
        "blocks": result.blocks,
        "rows": result.rows,
        "unsealed": result.unsealed,
        "head": result.head,
        "breaches": result.breaches,
        "notes": result.notes,
    }
    show(said, json=json, human=lambda console: _draw(console, result))
    if not result.ok:
        raise typer.Exit(1)


def _draw(console: Console, result: chain.VerifyResult) -> None:
    mark = "[bold green]✓[/]" if result.ok else "[bold red]✗[/]"
    told = _("%(blocks)d blocks, %(rows)d rows proven, %(unsealed)d rows not sealed yet")
    numbers = {"blocks": result.blocks, "rows": result.rows, "unsealed": result.unsealed}
    console.print(f"{mark} {told % numbers}")
    console.print(f"  {_('head')} {result.head}")
    for note in result.notes:
        console.print(f"  · {escape(note)}")
    if result.breaches:
        table(console, result.breaches, columns=["block", "kind", "table", "first", "last", "message"])
