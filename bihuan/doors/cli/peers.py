"""`bihuan peers`: installations that this one exchanges assistance requests with, and its own key."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bihuan.doors.cli.given import to_write
from bihuan.doors.cli.output import Json, figures, show, table
from bihuan.registry.actor import Actor
from bihuan.tracing.actions.assistance import peers as verbs
from bihuan.tracing.queries import peers as queries

app = typer.Typer(
    no_args_is_help=True, help="Other installations: pair by exchanging cards, list, revoke; our own key."
)

ACTOR = Actor.system("bihuan peers", door="cli")


@app.command()
def init(
    name: Annotated[str, typer.Option(help="What people elsewhere call this installation.")],
    url: Annotated[str, typer.Option(help="Its address for others, https://…")],
    serves: Annotated[
        list[str], typer.Option(help="Territory code it answers for (with all below). May be repeated.")
    ],
    json: Json = False,
) -> None:
    """Name this installation for others and make its key; again, to change name, address or territories."""
    verbs.name_installation(name=name, url=url, serves=serves, actor=ACTOR)
    _show_card(json)


@app.command("show-key")
def show_key(
    out: Annotated[Path | None, typer.Option(callback=to_write, help="Write the card to this file.")] = None,
    json: Json = False,
) -> None:
    """Show our card (public keys only) and its fingerprint, to be read to the people who add us."""
    if out is not None:
        card, _fingerprint = _own_card()
        out.write_text(json_module.dumps(card, ensure_ascii=False, indent=2) + "\n")
    _show_card(json)


@app.command()
def add(
    source: Annotated[str, typer.Argument(help="The other side's card: a file, or its address https://…")],
    fingerprint: Annotated[
        str, typer.Option(help="What people there read to you; without it you are asked to compare.")
    ] = "",
    json: Json = False,
) -> None:
    """Trust another installation, after comparing the fingerprint of its card with people there."""
    card = verbs.read_card(source)
    shown = verbs.fingerprint_of(card)
    if fingerprint:
        verbs.require_fingerprint(card, fingerprint)
    else:
        console = Console(stderr=True)
        console.print(f"{card['name']} · {card['url']} · {', '.join(card['serves'])}", markup=False)
        console.print(shown, style="bold", markup=False)
        typer.confirm("Is this the fingerprint that people there read to you?", abort=True, err=True)
    peer = verbs.add_peer(card, actor=ACTOR)
    show({"installation": peer.installation, "name": peer.name, "fingerprint": shown}, json=json)


@app.command("list")
def list_all(json: Json = False) -> None:
    """List the installations trusted now or before."""
    rows = queries.peers()
    columns = [
        "installation",
        "name",
        "url",
        "serves",
        "waiting",
        "last_reached_at",
        "last_error",
        "revoked_at",
    ]
    show(rows, json=json, human=lambda console: table(console, rows, columns))


@app.command()
def revoke(
    installation: Annotated[str, typer.Argument(help="Its number, N-…")],
    reason: Annotated[str, typer.Option(help="Why it is no longer trusted.")],
    json: Json = False,
) -> None:
    """Trust an installation no more: nothing comes from it, nothing goes there."""
    peer = verbs.revoke_peer(installation, reason=reason, actor=ACTOR)
    show({"revoked": peer.installation, "name": peer.name}, json=json)


@app.command("rotate-key")
def rotate_key(json: Json = False) -> None:
    """Make a new key. The worker tells it to every peer, signed with the old one, which then goes."""
    verbs.rotate_key(actor=ACTOR)
    _show_card(json)


@app.command()
def refused(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    json: Json = False,
) -> None:
    """List the messages refused at the door: when, why, who they said they were."""
    rows = [
        {"at": row.at, "code": row.code, "claimed": row.claimed, "bytes": row.size}
        for row in queries.refusals(limit=limit)
    ]
    show(rows, json=json)


@app.command()
def history(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    json: Json = False,
) -> None:
    """List who named this installation or changed its key, and who trusted or suspended others."""
    rows = queries.decisions(limit=limit)
    short = [
        {
            "at": row.at,
            "what": f"{row.label} ({row.reason})" if row.reason else row.label,
            "name": row.name,
            "fingerprint": row.fingerprint,
            "by": row.by,
        }
        for row in rows
    ]
    show(rows, json=json, human=lambda console: table(console, short))


def _own_card() -> tuple[dict[str, Any], str]:
    found = queries.own_card()
    if found is None:
        raise verbs.not_named()
    return found


def _show_card(json: bool) -> None:
    card, fingerprint = _own_card()

    def human(console: Console) -> None:
        told = {name: card[name] for name in ("installation", "name", "url")}
        figures(console, told | {"serves": ", ".join(card["serves"]), "fingerprint": fingerprint})

    show({"card": card, "fingerprint": fingerprint}, json=json, human=human)
