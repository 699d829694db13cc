"""`bihuan assistance`: requests between territories and installations (协查)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from bihuan.doors.cli.output import Json, figures, show, table
from bihuan.registry import clock
from bihuan.registry.actor import Actor
from bihuan.registry.masking import mask_name
from bihuan.registry.queries import person_by_public_id
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.queries import assistance as queries

app = typer.Typer(no_args_is_help=True, help="Assistance requests (协查): list, show, ask, carry.")

ACTOR = Actor.system("bihuan assistance", door="cli")
SIDES = {"out": "asking", "in": "asked"}


@app.command("list")
def list_all(
    side: Annotated[str, typer.Option(help="in (asked of us) or out (asked by us).")] = "in",
    show_: Annotated[str, typer.Option("--show", help="waiting, open or all.")] = "open",
    territory: Annotated[str, typer.Option(help="Territory code; default: all.")] = "",
    json: Json = False,
) -> None:
    """List requests, the newest first, with the clock of the reply. Names are masked."""
    if side not in SIDES:
        raise typer.BadParameter("say in or out", param_hint="--side")
    now = clock.now()
    given = queries.AssistanceFilter(side=SIDES[side], show=show_, territory=territory)
    rows = [
        {
            "id": row.public_id,
            "need": row.need,
            "who": mask_name(row.name) or (f"#{row.number}" if row.number else ""),
            "territory": row.territory_code,
            "other": row.peer or row.other_territory,
            "status": row.status,
            "due": row.reply_due_at,
            "late": row.is_late,
        }
        for row in queries.list_requests(given, now=now, limit=500)
    ]
    show(rows, json=json)


@app.command("show")
def show_one(request: Annotated[str, typer.Argument(help="R-…")], json: Json = False) -> None:
    """Show one request: where it stands and every message with its proof. What was told stays closed."""
    found = queries.find_request(request, now=clock.now())
    row = found.row
    told: dict[str, object] = {"id": row.public_id, "side": row.side, "need": row.need, "status": row.status}
    told |= {"shared": list(found.request.shared), "told": found.is_told, "thread": found.request.thread}
    told |= {"contact": found.contact or None, "handed_over_at": found.request.handed_over_at}
    told |= {"offers": sorted(found.offers)}
    if queries.LINK in found.offers:
        likely = queries.likely_contacts(request, on=clock.today())
        told |= {"likely_contacts": [key for key, _name in likely]}
    messages = [
        {
            "said": m.said,
            "own": m.is_own,
            "at": m.recorded_at,
            "verified": m.verified,
            "delivered": m.delivered_at,
            "attempts": m.attempts,
            "error": m.error,
        }
        for m in found.messages
    ]

    def human(console: Console) -> None:
        figures(console, told)
        table(console, messages)

    show({**told, "messages": messages}, json=json, human=human)


@app.command()
def ask(
    person: Annotated[str, typer.Argument(help="P-…")],
    to: Annotated[str, typer.Option(help="Territory code that is asked.")],
    from_: Annotated[str, typer.Option("--from", help="Territory code that asks.")],
    need: Annotated[str, typer.Option(help="locate, place_under_observation, interview, …")],
    reason: Annotated[str, typer.Option(help="Why: the other side acts on it.")],
    contact: Annotated[str, typer.Option(help="K-… she is here: handed over when named one there.")] = "",
    dry_run: Annotated[bool, typer.Option(help="Only show which fields would be shared.")] = False,
    json: Json = False,
) -> None:
    """Ask another territory about one person, for one need."""
    given = verbs.AssistanceInput(
        to_territory=to,
        need=need,
        reason=reason,
        person_id=person_by_public_id(person).pk,
        from_territory=from_,
        contact_id=contact,
    )
    if dry_run:
        shown = verbs.preview(given)
        fields = [name for name, _text in shown.fields]
        show({"fields": fields, "to": shown.office, "peer": shown.peer, "due": shown.due_at}, json=json)
        return
    row = verbs.ask(given, actor=ACTOR)
    show({"id": row.public_id, "status": row.status, "shared": list(row.shared)}, json=json)


@app.command()
def link(
    request: Annotated[str, typer.Argument(help="R-…")],
    contact: Annotated[str, typer.Option(help="K-…, the contact here that it is about.")],
    json: Json = False,
) -> None:
    """Name the contact of a request that was lost here and taken up again from the other side's copy."""
    row = verbs.link(request, contact=contact, actor=ACTOR)
    show({"id": row.public_id, "status": row.status, "contact": contact}, json=json)


@app.command()
def settle(request: Annotated[str, typer.Argument(help="R-…")], json: Json = False) -> None:
    """Close a request that the other side has lost and cannot take up: what it told is deleted here."""
    row = verbs.settle_lost(request, actor=ACTOR)
    show({"id": row.public_id, "status": row.status}, json=json)


@app.command()
def send(json: Json = False) -> None:
    """Carry what waits for other installations now (the worker does so every minute)."""
    result = verbs.sweep_assistance()
    show({"at": datetime.now(UTC), "delivered": result.delivered, "failed": result.failed}, json=json)
