"""`bihuan import`: line lists, contacts and links from files; see docs/how-to/import-a-line-list.md."""

from __future__ import annotations

import csv
import os
import sys
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bihuan.doors.cli.given import to_write
from bihuan.doors.cli.grouped import grouped
from bihuan.doors.cli.output import Json, show
from bihuan.doors.exchange import jobs, mapping, run
from bihuan.doors.exchange.fields import CONTACTS, KINDS, LINELIST
from bihuan.doors.exchange.mapping import Mapping
from bihuan.doors.exchange.models import ImportJob
from bihuan.doors.exchange.reader import FileHints, open_table, safe_cell
from bihuan.registry import access
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Import line lists, contacts and links from files.")

File = Annotated[Path, typer.Argument(help="CSV, TSV, XLS, XLSX or ODS.", metavar="FILE")]
Map = Annotated[
    str | None,
    typer.Option("--map", help="Mapping file (YAML) or the name of a shipped one. Without it: guessed."),
]
ListId = Annotated[
    str | None, typer.Option("--list", help="Name of the list the identifiers belong to, over the mapping's.")
]
Territory = Annotated[
    str,
    typer.Option("--territory", help="Code of rows without a place of their own; names are sought below it."),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", formats=["%Y-%m-%d"], help="Nothing later than this day is known. Default: today."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and write nothing.")]
Ledger = Annotated[
    Path | None,
    typer.Option("--ledger", callback=to_write, help="Write what became of each row as CSV."),
]
Again = Annotated[
    bool, typer.Option("--duplicates/--no-duplicates", help="Look whether people are known already.")
]


@app.command("guess")
def guess_command(
    file: File,
    kind: Annotated[str | None, typer.Option(help=f"One of {', '.join(KINDS)}. Default: guessed.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of a spreadsheet.")] = None,
    json: Json = False,
) -> None:
    """Print a mapping for FILE that --map takes, with how sure each column is and why."""
    if kind not in (None, *KINDS):
        raise Invalid(
            _("“%(kind)s” is no kind of list.") % {"kind": kind},
            hint=_("Use one of: %(list)s.") % {"list": ", ".join(KINDS)},
        )
    table = open_table(file, hints=FileHints(sheet=sheet))
    proposed = jobs.propose(table, kind=kind)
    if json:
        columns = [
            {
                "column": c.header,
                "fields": list(c.fields),
                "confidence": c.confidence,
                "reason": c.reason,
            }
            for c in proposed.columns
        ]
        show({"kind": proposed.kind, "columns": columns, "mapping": mapping.dumps(proposed)}, json=True)
        return
    sys.stdout.write(mapping.dumps(proposed))


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is to be imported, and how."""

    file: Path
    mapping: str | None
    list_id: str | None
    territory: str
    as_of: date | None
    look_for_duplicates: bool

    def job(self, kind: str) -> ImportJob:
        """The job of it, ready to run."""
        chosen = _mapping(self.file, kind, self.mapping)
        if self.list_id:
            chosen = replace(chosen, list_id=self.list_id)
        job = jobs.create_job(
            self.file,
            name=self.file.name,
            actor=Actor.system("command line", door="import"),
            kind=kind,
            territory_code=self.territory,
            as_of=self.as_of,
            look_for_duplicates=self.look_for_duplicates,
        )
        try:
            jobs.set_mapping(job, chosen)
        except Exception:
            job.delete()
            raise
        return job


def upload_of(
    file: File,
    map_: Map = None,
    list_id: ListId = None,
    territory: Territory = "",
    as_of: AsOf = None,
    duplicates: Again = True,
) -> Upload:
    """The options on a file that is to be imported."""
    return Upload(file, map_, list_id, territory, as_of.date() if as_of else None, duplicates)


@app.command()
@grouped(upload=upload_of)
def linelist(upload: Upload, dry_run: DryRun = False, ledger: Ledger = None, json: Json = False) -> None:
    """Import the cases of a line list."""
    _go(upload.job(LINELIST), dry_run=dry_run, ledger=ledger, json=json)


@app.command()
@grouped(upload=upload_of)
def contacts(upload: Upload, dry_run: DryRun = False, ledger: Ledger = None, json: Json = False) -> None:
    """Import contacts of known cases, or links between known cases."""
    _go(upload.job(CONTACTS), dry_run=dry_run, ledger=ledger, json=json)


@app.command()
def resume(
    job_id: Annotated[str, typer.Argument(metavar="JOB")], ledger: Ledger = None, json: Json = False
) -> None:
    """Go on with an import that was stopped."""
    access.require(jobs.RIGHT)
    _go(jobs.get(job_id), dry_run=False, ledger=ledger, json=json)


@app.command()
def status(
    job_id: Annotated[str | None, typer.Argument(metavar="[JOB]")] = None,
    ledger: Ledger = None,
    json: Json = False,
) -> None:
    """Show one import, or the newest ones."""
    if job_id is None:
        show([_told(job) for job in jobs.recent()], json=json)
        return
    job = jobs.get(job_id)
    _write_ledger(job, ledger)
    show(_told(job) | {"notes": job.notes, "error": job.error}, json=json)


def _mapping(file: Path, kind: str, map_: str | None) -> Mapping:
    if map_ is None:
        return jobs.propose(open_table(file), kind=None if kind == CONTACTS else kind)
    is_file = os.path.exists(map_)  # False too for what no file can be called
    return mapping.load(Path(map_) if is_file else jobs.shipped().get(map_, Path(map_)))


def _go(job: ImportJob, *, dry_run: bool, ledger: Path | None, json: bool) -> None:
    if dry_run:
        try:
            counts = run.dry_run(job.public_id, look=lambda done: _write_ledger(done, ledger))
        finally:
            job.delete()
    else:
        counts = _run_shown(job, quiet=json)
        job.refresh_from_db()
        _write_ledger(job, ledger)
    told: dict[str, Any] = {"job": "" if dry_run else job.public_id, "dry_run": dry_run, "list": job.list_id}
    show(told | counts.as_dict() | {"notes": job.notes}, json=json)


def _run_shown(job: ImportJob, *, quiet: bool) -> run.Counts:
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return run.run(job.public_id)
    total = sum(1 for _row in jobs.table_of(job, jobs.mapping_of(job)).rows())
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task(job.file_name, total=total, completed=job.n_rows)
        return run.run(job.public_id, progress=lambda counts: bar.update(task, completed=counts.rows))


def _write_ledger(job: ImportJob, path: Path | None) -> None:
    if path is None:
        return
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(jobs.LEDGER_HEADER)
        writer.writerows([safe_cell(cell) for cell in line] for line in jobs.ledger_lines(job))


def _told(job: ImportJob) -> dict[str, Any]:
    counts = run.counts_of(job).as_dict()
    return {"job": job.public_id, "file": job.file_name, "list": job.list_id, "state": job.state, **counts}
