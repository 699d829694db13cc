"""`bihuan investigations`: the list with its clocks, and the report of one as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from rich.console import Console

from bihuan.doors.cli.given import to_write
from bihuan.doors.cli.output import Json, show, table
from bihuan.doors.cli.spoken import LANGUAGES, language
from bihuan.doors.exchange.reports import investigation_report
from bihuan.registry import audit
from bihuan.registry.errors import Invalid
from bihuan.tracing.queries.investigations import InvestigationRow, list_investigations

app = typer.Typer(no_args_is_help=True, help="Investigations: list them, write the report of one.")


@app.command("list")
def list_all(
    territory: Annotated[str, typer.Option("--territory", help="Territory code; empty for everywhere.")] = "",
    status: Annotated[str, typer.Option("--status", help="open, late, closed; empty for all.")] = "",
    json: Json = False,
) -> None:
    """List investigations, open ones by deadline."""
    rows = list_investigations(status=status, territory=territory)
    data = [
        {
            "id": row.public_id,
            "case": row.case,
            "clock": row.clock,
            "opened_at": row.opened_at.isoformat(),
            "due_at": row.due_at.isoformat() if row.due_at else None,
            "entries": row.entries,
            "territory": row.territory_code,
        }
        for row in rows
    ]
    show(data, json=json, human=lambda console: _show(console, rows))


def _show(console: Console, rows: list[InvestigationRow]) -> None:
    clocks = {
        "open": _("open"), "soon": _("due soon"), "late": _("late"), "done": _("closed in time"),
        "done_late": _("closed late"),
        "in_error": _("opened in error"),
    }  # fmt: skip
    table(
        console,
        [
            {
                _("investigation"): row.public_id,
                _("case"): row.case,
                _("state"): clocks[row.clock],
                _("due"): f"{timezone.localtime(row.due_at):%Y-%m-%d %H:%M}" if row.due_at else "–",
                _("entries"): row.entries,
                _("territory"): row.territory_code,
            }
            for row in rows
        ],
    )


@app.command()
def report(
    investigation: Annotated[str, typer.Argument(help="Number of the investigation, I-…")],
    out: Annotated[
        Path, typer.Option("--out", callback=to_write, help="The PDF to write; it must not exist yet.")
    ],
    lang: Annotated[str, typer.Option("--lang", help="zh-hans or en; default: that of the house.")] = "",
) -> None:
    """Write the report of an investigation as PDF. It holds names; that it was written is logged."""
    if out.exists():
        raise Invalid(_("%(path)s exists already.") % {"path": out}, hint=_("Choose another name."))
    with audit.through("cli", name=_("command line")), override(LANGUAGES[language(lang)[:2]]):
        made = investigation_report(investigation)
    out.write_bytes(made)
    typer.echo(str(out))
