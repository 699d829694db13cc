"""`bihuan oracles FOLDER`: reference numbers of trusted peers, held against ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from bihuan.doors.cli.output import Json, show
from bihuan.epi.errors import EpiError
from bihuan.epi.oracles.running import Outcome, case_folders, run_folder
from bihuan.registry.errors import Invalid

SLOW_SECONDS = 2.0

app = typer.Typer(
    invoke_without_command=True,
    subcommand_metavar="",
    context_settings={"allow_interspersed_args": True},
    add_completion=False,
    help="Oracles: run every case of reference numbers in a folder, and say what differs.",
)


@app.callback()
def oracles(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Cases, or folders of cases.")],
    only: Annotated[str, typer.Option(help="Only cases whose name holds this word.")] = "",
    json: Json = False,
) -> None:
    """Run every case at or below FOLDER: params.json, input*.csv, expected*.csv. Needs no database.

    A case that cannot be run has failed, with the reason. The last line is `N passed, M failed`;
    exit code 1 when any failed.
    """
    outcomes = _run(_folders(folder, only), Console(stderr=True), quiet=json)
    failed = sum(not outcome.passed for outcome in outcomes)
    if json:
        found = [outcome.row() for outcome in outcomes]
        show({"passed": len(outcomes) - failed, "failed": failed, "cases": found}, json=True)
    else:
        print(f"{len(outcomes) - failed} passed, {failed} failed")
    if failed:
        raise typer.Exit(1)


def _folders(folder: Path, only: str) -> list[Path]:
    try:
        found = case_folders(folder)
    except EpiError as error:
        raise Invalid(error.text(get_language() or "en")) from None
    chosen = [path for path in found if only in path.name]
    if not chosen:
        raise Invalid(
            _("No case of %(folder)s has “%(word)s” in its name.") % {"folder": folder, "word": only},
            hint=_("There are %(n)d, such as %(name)s.") % {"n": len(found), "name": found[0].name},
        )
    return chosen


def _run(folders: Sequence[Path], status: Console, *, quiet: bool) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with status.status("") as line:
        for i, folder in enumerate(folders, start=1):
            line.update(f"{i}/{len(folders)} {escape(folder.name)}")
            outcomes.append(run_folder(folder))
            if not quiet:
                _tell(outcomes[-1])
    return outcomes


def _tell(outcome: Outcome) -> None:
    """Plain lines, so that they are the same in a pipe and in a terminal."""
    mark = "✓" if outcome.passed else "✗"
    slow = f"  {outcome.seconds:.1f} s" if outcome.seconds >= SLOW_SECONDS else ""
    print(f"{mark} {outcome.name}{slow}")
    for difference in outcome.differences:
        print(f"    {difference}")
    sys.stdout.flush()
