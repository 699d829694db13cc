"""`bihuan token`: keys of other systems."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from bihuan.doors.cli.output import Json, show, table
from bihuan.registry.actions import tokens
from bihuan.registry.actor import Actor

app = typer.Typer(no_args_is_help=True, help="Tokens: create, list, revoke keys of other systems.")

ACTOR = Actor.system("bihuan token", door="cli")


@app.command()
def create(
    organization: Annotated[str, typer.Option(help="Public id of the organization (G-…).")],
    name: Annotated[str, typer.Option(help="Whose key it is.")],
    post: Annotated[str, typer.Option(help="Public id of the post it acts in (T-…).")] = "",
    expires: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day (UTC).")] = None,
    json: Json = False,
) -> None:
    """Make a token. It is shown once, now; only its hash is kept."""
    made = tokens.create_token(
        organization=organization,
        name=name,
        post=post or None,
        expires_at=expires.replace(hour=23, minute=59, tzinfo=UTC) if expires else None,
        actor=ACTOR,
    )

    def human(console: Console) -> None:
        table(console, [made], ["id", "name", "organization", "post", "territory_code", "expires_at"])
        console.print(made.secret, soft_wrap=True, highlight=False, markup=False)

    show(made, json=json, human=human)


@app.command("list")
def list_all(json: Json = False) -> None:
    """List the tokens, without their secrets."""
    show(tokens.list_tokens(), json=json)


@app.command()
def revoke(token_id: int, json: Json = False) -> None:
    """End a token at once."""
    tokens.revoke_token(token_id=token_id, actor=ACTOR)
    show({"revoked": token_id}, json=json)
