"""Import jobs as the doors see them: make one, map it, look at it, start it, read its ledger.

Everything here checks the right `import.run` and stays within the territory acted in.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from bihuan.epi.tables.called import called
from bihuan.registry import access, clock, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid

from . import guess, lookups, words
from . import mapping as mappings
from .errors import FileRefused, JobBusy, UnknownJob
from .fields import CONTACTS, FIELDS, LINELIST, LINKS, Field, fields_of
from .findings import CellError
from .limits import LIMITS
from .mapping import Mapping
from .models import DONE, FAILED, MAPPED, NEW, QUEUED, RUNNING, ImportJob, ImportRow
from .places import PlaceFinder
from .reader import Table, open_table, safe_cell
from .rows import RowReader
from .run import Counts, counts_of, fingerprint, moment_of

RIGHT = "import.run"
PAGE = 50
KEEP_DAYS = 30  # how long an uploaded file is kept after its job; settings.BIHUAN_UPLOAD_DAYS overrides
SUFFIXES = (".csv", ".tsv", ".txt", ".xls", ".xlsx", ".xlsm", ".xlsb", ".ods")
LEDGER_HEADER = (
    "line",
    "status",
    "revised",
    "identifier",
    "subject",
    "column",
    "value",
    "rule",
    "message",
    "what to do",
)


# --- make and map -----------------------------------------------------------------------------------


def create_job(
    file: Path | IO[bytes],
    *,
    name: str,
    actor: Actor,
    kind: str = LINELIST,
    territory_code: str = "",
    as_of: dt.date | None = None,
    look_for_duplicates: bool = True,
) -> ImportJob:
    """A job for a file: a path on this machine (read in place) or an open upload (stored).

    Opens the file to see that it can be read: raises FileRefused (nothing kept) or NotAllowed.
    """
    space = _space()
    job = ImportJob(
        kind=kind,
        file_name=os.path.basename(name)[:255] or "list",
        is_upload=not isinstance(file, Path),
        given_territory=territory_code,
        as_of=as_of,
        look_for_duplicates=look_for_duplicates,
        territory_code=space,
        created_at=clock.now(),
        by_account_id=actor.account_id,
        by_post_id=actor.post_id,
        by_name=actor.name[:120],
    )
    path = file.resolve() if isinstance(file, Path) else _store(job, file)
    try:
        open_table(called(path, job.file_name))
        job.path = str(path)
        job.sha256, job.size = fingerprint(path)
        job.save()
    except Exception:
        if job.is_upload:
            path.unlink(missing_ok=True)
        raise
    return job


def _space() -> str:
    """The territory whose office imports; "" for the system. Raises NotAllowed, NoScope."""
    access.require(RIGHT)
    acting = scope.current()
    return acting.lo if acting is not None else ""


def uploads() -> Path:
    """Where uploaded files lie; only the owner of the process may look into it."""
    folder = Path(settings.BIHUAN_HOME) / "uploads"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _store(job: ImportJob, file: IO[bytes]) -> Path:
    suffix = Path(job.file_name).suffix.lower()
    path = uploads() / f"{job.public_id}{suffix if suffix in SUFFIXES else '.dat'}"
    size = 0
    with open(path, "xb", opener=lambda p, flags: os.open(p, flags, 0o600)) as out:
        while piece := file.read(1 << 20):
            size += len(piece)
            if size > LIMITS.file_bytes:
                out.close()
                path.unlink()
                raise FileRefused(
                    rule="file.size",
                    message=_("%(file)s has more than %(limit)d MB.")
                    % {"file": job.file_name, "limit": LIMITS.file_bytes // 2**20},
                    hint=_("Split the list into several files."),
                )
            out.write(piece)
    return path


def get(job_id: str) -> ImportJob:
    """The job of that public id, within the territory acted in. Raises UnknownJob."""
    job = _seen().filter(public_id=job_id).first()
    if job is None:
        raise UnknownJob(
            _("There is no import %(id)s here.") % {"id": job_id}, hint=_("bihuan import status lists them.")
        )
    return job


def recent(limit: int = 20) -> list[ImportJob]:
    """The newest jobs within the territory acted in."""
    return list(_seen().order_by("-created_at")[:limit])


def _seen() -> QuerySet[ImportJob]:
    """The jobs whose files may be looked into: files hold names, so a post that may not see names (a partner
    system's) sees only what it sent itself."""
    rows: QuerySet[ImportJob] = ImportJob.objects.all()
    acting = scope.current()
    if acting is None or access.may(None, "person.view", field_class="identity"):
        return rows
    return rows.filter(by_post_id=acting.post_id)


def table_of(job: ImportJob, mapping: Mapping | None = None) -> Table:
    """The job's file, opened by the hints of its mapping."""
    return open_table(file_of(job), hints=mapping.file if mapping else None)


def file_of(job: ImportJob) -> Path:
    """Where the job's file lies, by the name it came under."""
    return called(Path(job.path), job.file_name)


def guess_mapping(job: ImportJob) -> Mapping:
    """A shipped mapping whose columns are exactly those of the file, else a guess."""
    return propose(table_of(job), kind=None if job.kind == CONTACTS else job.kind, name=job.file_name)


def propose(table: Table, *, kind: str | None = None, name: str = "") -> Mapping:
    """A shipped mapping that fits the columns exactly, else a guess from words and cells.

    For contacts and links, the list their case identifiers belong to is looked up among imported lists.
    """
    known = _shipped_for(table, kind)
    if known is not None:
        return known
    mapping = guess.guess(table, kind=kind)
    if name and table.path.parent == Path(settings.BIHUAN_HOME) / "uploads":
        mapping = replace(mapping, name=Path(name).stem[:60], list_id=Path(name).stem[:60])
    if mapping.kind != LINELIST:
        mapping = replace(mapping, list_id=_list_of(table, mapping) or mapping.list_id)
    return mapping


def _shipped_for(table: Table, kind: str | None) -> Mapping | None:
    headers = {words.header_key(h) for h in table.headers}
    for path in shipped().values():
        mapping = mappings.load(path)
        fits = {words.header_key(c.header) for c in mapping.columns} == headers
        if fits and kind in (None, mapping.kind):
            return mapping
    return None


def shipped() -> dict[str, Path]:
    """The mapping files under the packs, by name."""
    folders = [Path(p) / "mappings" for p in settings.BIHUAN_PACKS]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def _list_of(table: Table, mapping: Mapping) -> str:
    feeds = mapping.feeds("contact.case_id")
    if not feeds:
        return ""
    place = table.headers.index(feeds[0].header)
    keys = [str(row.cells[place]).strip() for row, _n in zip(table.rows(), range(200), strict=False)]
    return lookups.likely_list(keys)


def set_mapping(
    job: ImportJob, mapping: Mapping, *, territory_code: str | None = None, as_of: dt.date | None = None
) -> list[str]:
    """Keep a mapping for a job after holding it against the file.

    Returns notes; raises MappingError, NotFound, Invalid (an as-of day in the future).
    """
    if job.state not in (NEW, MAPPED, FAILED) or job.n_rows:
        raise JobBusy(_("Import %(job)s has begun; its mapping stays.") % {"job": job.public_id})
    if mapping.kind != job.kind and not (job.kind == CONTACTS and mapping.kind == LINKS):
        raise Invalid(
            _("The mapping is for %(mapping)s, the import for %(job)s.")
            % {"mapping": mapping.kind, "job": job.kind},
            hint=_("Choose the other command, or correct `kind` in the mapping."),
        )
    if territory_code is not None:
        job.given_territory = territory_code
    if as_of is not None:
        job.as_of = as_of
    moment_of(job.as_of, clock.zone(mapping.timezone))
    _positions, notes = mappings.bind(mapping, table_of(job, mapping))
    PlaceFinder(mapping.territory, given=job.given_territory, scope=job.territory_code)
    job.mapping, job.kind, job.list_id = mappings.dumps(mapping), mapping.kind, mapping.list_id[:80]
    job.state, job.notes = MAPPED, notes
    job.save()
    return notes


def mapping_of(job: ImportJob) -> Mapping:
    return mappings.loads(job.mapping, name=job.list_id or "mapping")


# --- look at it -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PreviewRow:
    """One row before it is imported: the cells as they stand, what they mean, what is wrong with which."""

    line: int
    cells: tuple[str, ...]
    values: dict[str, Any]
    territory_code: str
    findings: tuple[CellError, ...]

    @property
    def rejected(self) -> bool:
        return any(e.how == "rejected" for e in self.findings)

    def of(self, header: str) -> list[CellError]:
        """The findings of one column."""
        return [e for e in self.findings if e.column == header]


@dataclass(frozen=True)
class Preview:
    headers: tuple[str, ...]
    fields: dict[str, tuple[Field, ...]]  # header of the file -> what it feeds
    rows: tuple[PreviewRow, ...]
    notes: tuple[str, ...]


def preview(job: ImportJob, mapping: Mapping | None = None, n: int = PAGE) -> Preview:
    """The first n rows through a mapping (default the job's own). Writes nothing."""
    mapping = mapping or mapping_of(job)
    table = table_of(job, mapping)
    positions, notes = mappings.bind(mapping, table)
    _now, as_of = moment_of(job.as_of, clock.zone(mapping.timezone))
    reader = RowReader(mapping, positions, mapping.conventions(as_of))
    places = PlaceFinder(mapping.territory, given=job.given_territory, scope=job.territory_code)
    rows = []
    for number, raw in enumerate(table.rows(), start=1):
        if number > n:
            break
        row = reader.read(raw, number)
        code = places.place(row, reader.column_of) if mapping.kind != LINKS else job.given_territory
        cells = tuple("" if c is None else str(c) for c in raw.cells[: len(table.headers)])
        rows.append(PreviewRow(raw.line, cells, row.values, code, tuple(row.findings)))
    fed = {table.headers[positions[c.header]]: c.fields for c in mapping.columns if c.header in positions}
    return Preview(
        headers=table.headers,
        fields={header: tuple(FIELDS[k] for k in keys) for header, keys in fed.items()},
        rows=tuple(rows),
        notes=(*table.notes, *notes),
    )


def choices(kind: str) -> list[Field]:
    """The fields a column may be mapped to, for a form."""
    return fields_of(kind)


# --- run it -----------------------------------------------------------------------------------------


def start(job: ImportJob) -> None:
    """Hand a mapped (or stopped) job to the worker. Raises JobBusy when it runs or is done, NotAllowed."""
    from .tasks import run_import

    access.require(RIGHT)
    with transaction.atomic():
        moved = ImportJob.objects.filter(id=job.id, state__in=(MAPPED, FAILED)).update(state=QUEUED)
        if not moved:
            raise JobBusy(
                _("Import %(job)s cannot be started: it is “%(state)s”.")
                % {"job": job.public_id, "state": get(job.public_id).get_state_display()}
            )
        run_import.defer(job_id=job.public_id)
    job.state = QUEUED


@dataclass(frozen=True)
class ProgressNow:
    """How far a job is. `share` from 0 to 1, None while the number of rows is not known."""

    state: str
    counts: Counts
    total: int | None
    share: float | None
    error: str

    @property
    def finished(self) -> bool:
        return self.state in (DONE, FAILED)


def progress(job: ImportJob) -> ProgressNow:
    """How far a job is, read afresh."""
    job = get(job.public_id)
    total = job.n_total
    if total is None and job.state in (QUEUED, RUNNING):
        total = _count_rows(job)
    share = min(1.0, job.n_rows / total) if total else (1.0 if job.state == DONE else None)
    return ProgressNow(job.state, counts_of(job), total, share, job.error)


def _count_rows(job: ImportJob) -> int | None:
    try:
        total = sum(1 for _row in table_of(job, mapping_of(job) if job.mapping else None).rows())
    except FileRefused:
        return None
    ImportJob.objects.filter(id=job.id).update(n_total=total)
    return total


# --- the ledger -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LedgerRow:
    """What became of one row."""

    number: int
    line: int
    status: str
    is_revision: bool
    key: str
    subject_id: str
    findings: tuple[CellError, ...]


def ledger_rows(job: ImportJob, *, status: str = "", page: int = 1, size: int = PAGE) -> list[LedgerRow]:
    """One page (from 1) of a job's ledger, all or of one status."""
    rows = ImportRow.objects.filter(job=job).order_by("number")
    if status:
        rows = rows.filter(status=status)
    return [_ledger_row(r) for r in rows[(page - 1) * size : page * size]]


def _ledger_row(row: ImportRow) -> LedgerRow:
    key = row.row_key.replace("\u001f", " → ")
    return LedgerRow(
        row.number,
        row.line,
        row.status,
        row.is_revision,
        "" if key.startswith("h:") else key,
        row.subject_id,
        tuple(CellError.from_json(e) for e in row.findings),
    )


def ledger_lines(job: ImportJob) -> Iterator[tuple[Any, ...]]:
    """The ledger as lines of a table, one a finding (one for a row without any), under LEDGER_HEADER."""
    rows = ImportRow.objects.filter(job=job).order_by("number")
    for row in map(_ledger_row, rows.iterator(chunk_size=2_000)):
        start = (row.line, row.status, "yes" if row.is_revision else "", row.key, row.subject_id)
        if not row.findings:
            yield (*start, "", "", "", "", "")
        for e in row.findings:
            yield (*start, e.column, e.value, e.rule, e.message, e.hint)


def ledger_csv(job: ImportJob) -> Iterator[str]:
    """The ledger as CSV text, line by line, safe to open in a spreadsheet."""
    yield "\ufeff" + _csv_line(LEDGER_HEADER)
    for line in ledger_lines(job):
        yield _csv_line(line)


def _csv_line(cells: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([safe_cell(c) for c in cells])
    return out.getvalue()


# --- retention --------------------------------------------------------------------------------------


def shred_uploads(now: dt.datetime) -> int:
    """Delete uploaded files whose job ended (or was made and left) longer ago than files are kept.

    The job and its ledger stay. Returns how many files were deleted. Run daily by the worker.
    """
    days = int(getattr(settings, "BIHUAN_UPLOAD_DAYS", KEEP_DAYS))
    old = ImportJob.unscoped.filter(
        is_upload=True, file_deleted_at__isnull=True, created_at__lt=now - dt.timedelta(days=days)
    ).exclude(state__in=(QUEUED, RUNNING))
    shredded = 0
    for job in old:
        Path(job.path).unlink(missing_ok=True)
        ImportJob.unscoped.filter(id=job.id).update(file_deleted_at=now)
        shredded += 1
    return shredded


def copy_to(job: ImportJob, target: IO[bytes]) -> None:
    """The file of a job, as it was given."""
    with Path(job.path).open("rb") as stream:
        shutil.copyfileobj(stream, target)
