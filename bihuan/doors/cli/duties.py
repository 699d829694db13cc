"""`bihuan duties`: what is owed, by whom, until when; done or waived from the terminal."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from django.utils.translation import gettext as _
from rich.console import Console

from bihuan.care.duties import do_duties, do_duty
from bihuan.doors.cli.moments import moment_of
from bihuan.doors.cli.output import Json, show, table
from bihuan.loops import actions, queries
from bihuan.loops.queries import DutyFilter
from bihuan.registry import posts
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.registry.territory import tz_of
from bihuan.registry.text import label

app = typer.Typer(no_args_is_help=True, help="Duties: list, complete, waive, hand over.")

AsOf = Annotated[
    str, typer.Option("--as-of", help="A moment, such as 2020-02-05 or 2020-02-05T08:00. Default: now.")
]
Ids = Annotated[list[str], typer.Argument(help="Duties, such as D-17 or 17.")]


@app.command("list")
def list_duties(
    territory: Annotated[str, typer.Option(help="Territory code; empty for everywhere.")] = "",
    status: Annotated[
        str, typer.Option(help="open, due_soon, late, done, waived, superseded or all.")
    ] = "open",
    post: Annotated[str, typer.Option(help="Only what this post owes (its public id).")] = "",
    definition: Annotated[str, typer.Option(help="Only of this loop definition.")] = "",
    kind: Annotated[str, typer.Option(help="Only of this kind, such as temperature.")] = "",
    loop: Annotated[str, typer.Option(help="Only of this loop (its public id).")] = "",
    as_of: AsOf = "",
    page: Annotated[str, typer.Option(help="The mark at the end of the page before.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    json: Json = False,
) -> None:
    """List duties by deadline, the most urgent first."""
    asked = DutyFilter(
        territory=territory,
        status="" if status == "all" else status,
        post_id=posts.by_public_id(post).id if post else None,
        definitions=[definition] if definition else (),
        kinds=[kind] if kind else (),
        loop=loop,
    )
    at = moment_of(as_of, tz=tz_of(territory) if territory else "")
    found = queries.find_duties(asked, as_of=at, page=page or None, limit=limit)

    def human(console: Console) -> None:
        rows = [
            {
                _("duty"): row.ref,
                _("what"): label(dict(row.label)),
                _("about"): f"{row.subject_kind} {row.subject_ref}",
                _("owed by"): row.owner,
                _("due"): row.due_at,
                _("status"): row.status,
                _("clause"): row.clause,
            }
            for row in found.rows
        ]
        table(console, rows)
        if found.next:
            console.print(f"--page {found.next}")

    show(found, json=json, human=human)


@app.command()
def complete(
    duties: Ids,
    evidence: Annotated[
        list[str],
        typer.Option("--evidence", "-e", help="key=value, as often as needed: fields of the duty's form."),
    ] = [],  # noqa: B006
    at: Annotated[str, typer.Option(help="When it was done. Default: now.")] = "",
    json: Json = False,
) -> None:
    """Do duties, each by its own form as on its page; duties without one end with evidence."""
    given = {**dict(_pair(e) for e in evidence), **({"at": at.strip()} if at.strip() else {})}
    actor = Actor.system("bihuan duties complete", door="cli")
    ids = list(dict.fromkeys(_id(d) for d in duties))
    said = do_duty(ids[0], given, actor) if len(ids) == 1 else ""
    if not said:
        do_duties(ids, given, actor)
    rows = queries.find_duties(DutyFilter(ids=ids, status=""), limit=len(ids)).rows
    done = sum(row.state != "open" for row in rows)
    show({"done": done, **({"said": said} if said and not done else {})}, json=json)


@app.command()
def waive(
    duties: Ids,
    reason: Annotated[str, typer.Option(help="Why it is not going to be done. Required.")],
    json: Json = False,
) -> None:
    """End duties without their being done; the reason stays with them."""
    result = actions.waive_bulk(
        [_id(d) for d in duties], reason, Actor.system("bihuan duties waive", door="cli")
    )
    show({"waived": result.duties_ended}, json=json)


@app.command("hand-over")
def hand_over(
    duty: Annotated[str, typer.Argument(help="A duty, such as D-17.")],
    to: Annotated[str, typer.Option(help="The post that is to owe it (its public id).")],
    reason: Annotated[str, typer.Option(help="Why. Required.")],
    future: Annotated[
        bool, typer.Option("--future", help="Also what a repeating duty owes later in its loop.")
    ] = False,
    json: Json = False,
) -> None:
    """Let another post owe an open duty; the post must hold the duty's territory."""
    wanted = posts.by_public_id(to)
    actor = Actor.system("bihuan duties hand-over", door="cli")
    actions.hand_over(_id(duty), wanted.id, reason, actor, future=future)
    show({"duty": duty, "owner": wanted.label}, json=json)


@app.command("take-back")
def take_back(
    duty: Annotated[str, typer.Argument(help="A duty, such as D-17.")],
    reason: Annotated[str, typer.Option(help="Why. Required.")],
    json: Json = False,
) -> None:
    """Undo the last hand-over of an open duty: who owed it before owes it again."""
    actions.take_back(_id(duty), reason, Actor.system("bihuan duties take-back", door="cli"))
    row = queries.get_duty(_id(duty))
    show({"duty": duty, "owner": row.owner if row else ""}, json=json)


def _id(text: str) -> int:
    number = text.upper().removeprefix("D-")
    if not number.isdigit():
        raise Invalid(
            _("“%(text)s” is no duty.") % {"text": text}, hint=_("Write it as in duties list: D-17.")
        )
    return int(number)


def _pair(text: str) -> tuple[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise Invalid(
            _("“%(text)s” is no evidence.") % {"text": text}, hint=_("Write key=value, as in value=36.5.")
        )
    try:
        return key.strip(), float(value) if "." in value else int(value)
    except ValueError:
        return key.strip(), value
