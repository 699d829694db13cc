"""`bihuan account`: accounts of persons and the posts they hold."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.output import Json, show
from bihuan.registry import posts, territory
from bihuan.registry.actions import organizations
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotFound

app = typer.Typer(
    no_args_is_help=True, help="Accounts: create, assign to a post, list posts, set a password."
)

ACTOR = Actor.system("bihuan account", door="cli")


@app.command()
def create(
    username: str,
    name: Annotated[str, typer.Option(help="Name shown to others.")] = "",
    post: Annotated[
        list[str] | None,
        typer.Option(help="A post: FUNCTION@TERRITORY as in cdc_investigation@12, or T-…; repeatable."),
    ] = None,
    administrator: Annotated[bool, typer.Option(help="Hold the system administrator's post.")] = False,
    json: Json = False,
) -> None:
    """Create an account; the password is asked for, or read from standard input."""
    wanted = [post_id_of(text) for text in post or ()]
    if administrator:
        wanted.append(organizations.ensure_administration(actor=ACTOR).pk)
    account = organizations.create_account(
        username=username, password=_password(), display_name=name, post_ids=tuple(wanted), actor=ACTOR
    )
    show({"username": username, "posts": [h.post.label for h in posts.held_by(account.pk)]}, json=json)


@app.command()
def password(username: str, json: Json = False) -> None:
    """Set a new password; it is asked for, or read from standard input."""
    organizations.set_password(username=username, password=_password(), actor=ACTOR)
    show({"username": username, "password": "set"}, json=json)


@app.command("posts")
def list_posts(
    territory: Annotated[str, typer.Argument(help="Code of the territory.")],
    below: Annotated[bool, typer.Option(help="Also of everything below.")] = False,
    json: Json = False,
) -> None:
    """List the posts of a territory with their public ids."""
    rows = []
    for post in posts.of_territory(territory, below=below):
        rows.append(
            {
                "id": post.public_id,
                "territory": post.territory_code,
                "post": post.label,
                "function": post.function,
                "role": post.role,
            }
        )
    show(rows, json=json)


@app.command()
def assign(username: str, post: str, json: Json = False) -> None:
    """Put an account in a post from now on."""
    made = organizations.assign_by_name(username=username, post=post, actor=ACTOR)
    show({"username": username, "post": posts.get(made.post_id).label, "from": made.from_at}, json=json)


def post_id_of(text: str) -> int:
    """The post that a public id or `function@territory` names. Raises UnknownPost, NotFound."""
    function, sign, code = text.partition("@")
    if not sign:
        return posts.by_public_id(text).id
    here = posts.of_territory(territory.resolve(code).code)
    for post in here:
        if post.function == function:
            return post.id
    raise NotFound(
        _("%(code)s has no post of function %(function)s.") % {"code": code, "function": function or "–"},
        hint=_("Its functions: %(list)s.") % {"list": ", ".join(sorted({p.function for p in here}))}
        if here
        else _("bihuan territory staff %(code)s makes the standard ones.") % {"code": code},
    )


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")
