"""`bihuan token`: keys of other systems."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from bihuan.doors.cli.account import post_id_of
from bihuan.doors.cli.output import Json, show, table
from bihuan.registry import posts
from bihuan.registry.actions import tokens
from bihuan.registry.actor import Actor
from bihuan.registry.tokens import organization_of

app = typer.Typer(no_args_is_help=True, help="Tokens: create, list, revoke keys of other systems.")

ACTOR = Actor.system("bihuan token", door="cli")


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Whose key it is.")],
    organization: Annotated[
        str, typer.Option(help="Its public id (G-…), or one of its posts, as in cdc_investigation@420303.")
    ] = "",
    post: Annotated[
        str, typer.Option(help="The post it acts in (T-… or function@territory). Default: a partner's.")
    ] = "",
    expires: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day (UTC).")] = None,
    json: Json = False,
) -> None:
    """Make a token. It is shown once, now; only its hash is kept."""
    desk = posts.get(post_id_of(post)) if post else None
    made = tokens.create_token(
        organization=_organization(organization, desk),
        name=name,
        post=desk.public_id if desk else None,
        expires_at=expires.replace(hour=23, minute=59, tzinfo=UTC) if expires else None,
        actor=ACTOR,
    )

    def human(console: Console) -> None:
        table(console, [made], ["id", "name", "organization", "post", "territory_code", "expires_at"])
        console.print(made.secret, soft_wrap=True, highlight=False, markup=False)

    show(made, json=json, human=human)


def _organization(text: str, desk: posts.PostView | None) -> str:
    """The public id of the organization named, or of the one the post belongs to."""
    if "@" in text:
        return organization_of(post_id_of(text))
    if text or desk is None:
        return text
    return organization_of(desk.id)


@app.command("list")
def list_all(json: Json = False) -> None:
    """List the tokens, without their secrets."""
    show(tokens.list_tokens(), json=json)


@app.command()
def revoke(token_id: int, json: Json = False) -> None:
    """End a token at once."""
    tokens.revoke_token(token_id=token_id, actor=ACTOR)
    show({"revoked": token_id}, json=json)
