"""`bihuan policy`: the rules in force, where they come from, and whether the packs hold together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from django.conf import settings
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from bihuan.doors.cli.main import needs_no_database
from bihuan.doors.cli.output import Json, show, table
from bihuan.doors.cli.spoken import language
from bihuan.loops import queries as loops
from bihuan.loops.conditions import compile_for
from bihuan.loops.rules.bound import CannotBind, bind
from bihuan.loops.rules.definition import InvalidDefinition, parse
from bihuan.policy import queries
from bihuan.policy.errors import RuleBroken
from bihuan.policy.packs import in_force
from bihuan.policy.rules.library import ResolvedPolicy
from bihuan.policy.rules.lint import find_problems
from bihuan.policy.rules.pack import LoopText
from bihuan.policy.rules.problems import Problem
from bihuan.registry import clock
from bihuan.registry.text import label

app = typer.Typer(
    no_args_is_help=True, help="Policy packs: list, lint, the rules in force, differences, impact."
)

Territory = Annotated[
    str, typer.Option("--territory", help="Territory code, such as 420302; empty for anywhere.")
]
On = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], help="Local day (YYYY-MM-DD). Default: today."),
]
Lang = Annotated[str, typer.Option("--lang", help="zh or en.")]


def _day(on: datetime | None) -> date:
    return on.date() if on else clock.local_day(clock.now(), settings.TIME_ZONE)


@app.command("list")
@needs_no_database
def list_packs(territory: Territory = "", on: On = None, lang: Lang = "", json: Json = False) -> None:
    """List the packs; with --territory or --on, those in force there and then, the narrowest first."""
    spoken = language(lang)
    asked = bool(territory or on)
    rows = queries.packs_in_force(territory, _day(on), spoken) if asked else queries.all_packs(spoken)

    def human(console: Console) -> None:
        flat = [
            {
                "pack": row.id,
                "territory": row.territory or "*",
                "from": row.date_from,
                "to": row.date_to,
                "transition": row.transition,
                "values": row.n_values,
                "unverified": row.n_unverified,
                "title": row.title,
            }
            for row in rows
        ]
        table(console, flat)

    show(rows, json=json, human=human)


@app.command()
@needs_no_database
def value(key: str, territory: Territory = "", on: On = None, lang: Lang = "", json: Json = False) -> None:
    """Show one value in force: what it means, the layer and clause that gave it, and what it covers."""
    row = queries.rule_in_force(key, territory, _day(on), language(lang))
    show(row, json=json, human=lambda console: _tell(console, row, language(lang)))


def _tell(console: Console, row: queries.RuleRow, lang: str) -> None:
    console.print(f"[bold]{escape(row.key)}[/] = [bold]{escape(row.shown)}[/] {escape(row.unit)}")
    console.print(escape(row.sentence(lang)))
    clause = f" · {row.clause}" if row.clause else ""
    console.print(escape(f"{row.pack} · {row.layer_title}{clause}"), style="cyan")
    console.print(escape(f"{row.source} · {row.confidence} ({row.basis})"), style="dim")
    if row.note:
        console.print(escape(row.note), style="dim")
    for below in row.overridden:
        console.print(escape(f"  ↳ {below.shown}  {below.pack} · {below.confidence}"), style="dim")


@app.command()
@needs_no_database
def rules(territory: Territory = "", on: On = None, lang: Lang = "", json: Json = False) -> None:
    """List every rule in force at a place on a day, with layer, clause and sentence."""
    spoken = language(lang)
    rows = queries.rules_in_force(territory, _day(on), spoken)
    policy = in_force(territory, _day(on))

    def human(console: Console) -> None:
        flat = [
            {
                "key": row.key,
                "value": row.words if row.kind == "value" else row.shown,
                "sentence": row.sentence(spoken),
                "pack": row.pack,
                "clause": row.clause,
                "confidence": row.confidence,
            }
            for row in rows
        ]
        table(console, flat, title=policy.id)

    show({"policy": policy.id, "territory": territory, "rules": rows}, json=json, human=human)


@app.command()
@needs_no_database
def diff(a: str, b: str, lang: Lang = "", json: Json = False) -> None:
    """Compare two packs, each as it stands on its first day on the layers below it."""
    rows = queries.diff(a, b, language(lang))

    def human(console: Console) -> None:
        flat = [{"key": r.key, a: r.a_shown, b: r.b_shown, "": r.title} for r in rows]
        table(console, flat, ["key", a, b, ""])

    show(rows, json=json, human=human)


@app.command()
def impact(
    pack: Annotated[str, typer.Argument(help="A pack of this installation, in force or to come.")],
    territory: Territory = "",
    on: On = None,
    if_replanned: Annotated[
        bool, typer.Option("--if-replanned", help="Ask as if the pack said transition: replan.")
    ] = False,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="How many of the loops are named.")] = 50,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Tell what a pack would change in today's open loops, before it does. Nothing is written.

    --on: the local day from which it would hold (default: its first). A pack that is still a draft is read
    from a further folder named in BIHUAN_PACKS.
    """
    found = loops.impact(
        pack,
        territory=territory,
        on=on.date() if on else None,
        transition="replan" if if_replanned else None,
        limit=limit,
    )
    show(found, json=json, human=lambda console: _show_impact(console, found, language(lang)))


def _show_impact(console: Console, found: loops.Impact, lang: str) -> None:
    words = _(
        "%(pack)s from %(on)s: %(changed)d of %(reached)d open loops it reaches would change"
        " (%(all)d open here)."
    )
    console.print(
        escape(
            words
            % {
                "pack": found.pack,
                "on": found.on,
                "changed": found.loops_changed,
                "reached": found.loops_reached,
                "all": found.loops_open,
            }
        )
    )
    if found.transition == "keep":
        console.print(_("The pack keeps: open loops go on as they were opened. Ask with --if-replanned."))
    if not found.rows:
        return
    rows = [
        {
            _("loop"): row.definition,
            _("duty"): label(dict(row.label), lang) or row.kind,
            _("opened"): row.opened,
            _("superseded"): row.superseded,
            _("due sooner"): row.sooner,
            _("due later"): row.later,
            _("repeats changed"): row.repeats,
            _("slots to come"): f"{row.slots:+d}" if row.slots else "",
        }
        for row in found.rows
    ]
    table(console, rows)
    named = [
        {_("loop"): loop.public_id, _("about"): f"{loop.subject_kind} {loop.subject_ref}",
         _("territory"): loop.territory_code, _("changes"): loop.n}
        for loop in found.loops
    ]  # fmt: skip
    if named:
        table(console, named)


@app.command()
@needs_no_database
def lint(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders of packs. Default: this installation's.")
    ] = None,
    json: Json = False,
) -> None:
    """Check packs: types, sources, dates, layers, rules, loops. Exit code 1 when anything is wrong."""
    asked = list(folders or settings.BIHUAN_PACKS)
    for folder in asked:
        if not Path(folder).is_dir():
            raise typer.BadParameter(_("%(folder)s is not a folder.") % {"folder": folder})
    problems = find_problems(asked, [_check_loop])
    errors = [p for p in problems if p.severity == "error"]

    def human(console: Console) -> None:
        for problem in problems:
            console.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        console.print(_("Problems: %(n)d") % {"n": len(problems)}, style="red" if errors else "green")

    show({"problems": [_plain(p) for p in problems]}, json=json, human=human)
    if errors:
        raise typer.Exit(1)


def _plain(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "key": problem.key,
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.text(),
    }


def _check_loop(loop: LoopText, policy: ResolvedPolicy) -> Iterable[Problem]:
    """Check a loop definition by the engine's own reading, and that it can be bound to a policy."""
    try:
        bind(parse(loop.name, loop.definition, where=f"loops.{loop.name}"), policy, compile_for(loop.name))
    except InvalidDefinition as error:
        return [
            _loop_problem(loop, p.where, f"{p.message} {', '.join(p.allowed)}".strip())
            for p in error.problems
        ]
    except CannotBind as error:
        return [
            _loop_problem(loop, f"loops.{loop.name}", f"{said} [{policy.id}]")
            for said in str(error).splitlines()
        ]
    except RuleBroken as error:
        return [_loop_problem(loop, f"loops.{loop.name}.when", str(error))]
    return []


def _loop_problem(loop: LoopText, where: str, said: str) -> Problem:
    path = tuple(where.split(".")[2:])
    return Problem(loop.file, loop.line_of(path), where, "loop", "{said}", {"said": said})
