"""`bihuan loops`: the proof that nobody is between two desks, loops listed and shown, the sweep by hand."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated

import typer
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from bihuan.doors.cli.moments import moment_of
from bihuan.doors.cli.output import Json, show, table
from bihuan.loops import actions, queries
from bihuan.loops.queries import CheckResult, LoopDetail
from bihuan.registry import clock, territory
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.registry.text import label

app = typer.Typer(no_args_is_help=True, help="Loops: check that they hold, list, show, sweep, replan.")

Territory = Annotated[str, typer.Option("--territory", help="Territory code; empty for everywhere.")]


@app.command()
def check(territory: Territory = "", json: Json = False) -> None:
    """Prove that every open loop owes something and that no duty was lost. Exits 1 naming the offenders."""
    result = queries.check(territory)
    show(result, json=json, human=lambda console: _show_check(console, result))
    if not result.holds:
        raise typer.Exit(1)


def _show_check(console: Console, result: CheckResult) -> None:
    figures = {
        _("loops open"): result.loops_open,
        _("loops closed"): result.loops_closed,
        _("duties created"): result.created,
        _("open"): result.open,
        _("done"): result.done,
        _("waived"): result.waived,
        _("superseded"): result.superseded,
    }
    table(console, [{_("figure"): key, "n": value} for key, value in figures.items()])
    for violation in result.violations:
        console.print(f"[red]✗[/red] {escape(violation.message)} {escape(', '.join(violation.ids))}")
    if result.holds:
        console.print(_("The loop holds: nobody is between two desks."))


@app.command("list")
def list_loops(
    territory: Territory = "",
    state: Annotated[str, typer.Option(help="open, closed or all.")] = "open",
    definition: Annotated[str, typer.Option(help="Only loops of this definition, such as contact.")] = "",
    page: Annotated[str, typer.Option(help="The mark at the end of the page before.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    json: Json = False,
) -> None:
    """List loops, the newest first."""
    found = queries.find_loops(
        territory,
        state="" if state == "all" else state,
        definition=definition,
        page=page or None,
        limit=limit,
    )

    def human(console: Console) -> None:
        rows = [
            {
                _("loop"): row.public_id,
                _("what"): label(dict(row.label)),
                _("about"): f"{row.subject_kind} {row.subject_ref}",
                _("territory"): row.territory_code,
                _("opened"): row.opened_at,
                _("closed"): row.closed_at or "",
                _("outcome"): row.outcome,
            }
            for row in found.rows
        ]
        table(console, rows)
        if found.next:
            console.print(f"--page {found.next}")

    show(found, json=json, human=human)


@app.command("show")
def show_loop(public_id: str, as_of: Annotated[str,
typer.Option(help="A moment, such as 2020-02-05T08:00.")] = "", json: Json = False) -> None:  # fmt: skip
    """Show one loop whole: its ring, what is owed, what happened, how far it climbed."""
    found = queries.loop_detail(public_id, as_of=moment_of(as_of))
    show(found, json=json, human=lambda console: _show_loop(console, found))


def _show_loop(console: Console, found: LoopDetail) -> None:
    marks = {"done": "●", "open": "◐", "late": "[red]◐[/red]", "ahead": "○"}
    loop = found.loop
    place = territory.name_path(loop.territory_code)
    console.print(
        f"{loop.public_id}  {escape(label(dict(loop.label)))}  {loop.subject_kind} {loop.subject_ref} "
        f" {escape(place)}"
    )
    console.print(" — ".join(f"{marks[s.state]} {escape(label(dict(s.label)))}" for s in found.ring.stages))
    table(
        console,
        [
            {
                _("duty"): d.ref,
                _("what"): label(dict(d.label)),
                _("status"): d.status,
                _("owed by"): d.owner,
                _("due"): d.due_at,
                _("ended"): d.ended_at or "",
                _("clause"): d.clause,
            }
            for d in found.duties
        ],
    )
    table(console, [{_("event"): e.kind, _("true at"): e.at, _("known at"): e.recorded_at,
    _("by"): e.actor} for e in found.events])  # fmt: skip


@app.command()
def sweep(json: Json = False) -> None:
    """Do now what the worker does every minute. Safe at any time, any number of times."""
    show(asdict(actions.sweep()), json=json)


@app.command()
def replan(
    territory: Territory = "",
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only what was in force by this local day. Default: today."),
    ] = None,
    json: Json = False,
) -> None:
    """Bring open loops under packs that came into force and say so (transition: replan). The worker does
    it at their midnight; here by hand, safe any number of times. What a pack would do: bihuan policy impact.
    """
    result = actions.replan(
        now=clock.now(),
        actor=Actor.system("bihuan loops replan", door="cli"),
        territory=territory,
        by=_end_of(on.date(), territory) if on else None,
    )
    show(result, json=json, human=lambda console: _show_replanned(console, result))


def _end_of(day: date, place: str) -> datetime:
    """The last moment of a local day. Raises Invalid for a day that has not come."""
    tz = territory.tz_of(place)
    if day > clock.today(tz):
        raise Invalid(
            _("%(day)s has not come yet.") % {"day": day},
            hint=_("bihuan policy impact tells what a pack would change."),
        )
    return clock.start_of_day(day + timedelta(days=1), tz) - timedelta(seconds=1)


def _show_replanned(console: Console, result: actions.ReplanResult) -> None:
    if not result.applied:
        console.print(_("No open loop waits for a new pack."))
        return
    rows = [
        {_("pack"): a.pack, _("territory"): a.territory or "*", _("from"): a.day, _("loops"): a.loops}
        for a in result.applied
    ]
    table(console, rows)
