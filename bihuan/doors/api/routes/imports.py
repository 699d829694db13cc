"""Imports: send a file, correct its mapping, look at the first rows, start, follow, read the ledger."""

from datetime import date, datetime
from typing import Any, Literal

from ninja import File, Form, Query, Router, Schema
from ninja.files import UploadedFile
from pydantic import Field

from bihuan.doors.api import paging
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.reading import Day
from bihuan.doors.api.shapes import place, told
from bihuan.doors.exchange import jobs, mapping
from bihuan.doors.exchange.findings import CellError
from bihuan.doors.exchange.models import ImportJob

router = Router()
LEDGER_PAGE = 200
PREVIEWED = 50

Kind = Literal["linelist", "contacts", "links"]


class ImportOut(Schema):
    """A job: `rows = accepted + duplicate + rejected`; `revised` of the accepted changed earlier ones."""

    id: str
    kind: str
    state: str
    file_name: str
    territory_code: str
    as_of: date | None
    is_mapped: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    rows: int
    accepted: int
    revised: int
    duplicate: int
    rejected: int
    total: int | None
    share: float | None
    error: str
    notes: list[str]


class Imports(Schema):
    items: list[ImportOut]


class MappingOut(Schema):
    """`mapping` is YAML, as the command line takes it; `guessed` when nobody has set it yet."""

    mapping: str
    guessed: bool


class MappingIn(Schema):
    mapping: str = Field(max_length=mapping.MAX_BYTES)
    territory: str = Field(
        "", max_length=40, description="Where rows without a territory of their own belong."
    )
    as_of: Day | None = None


class MappingSet(Schema):
    notes: list[str]


class FindingOut(Schema):
    """What is wrong with one cell, and what to do. `how`: rejected, or a warning."""

    column: str
    value: str
    rule: str
    message: str
    hint: str
    how: str


class PreviewRowOut(Schema):
    line: int
    cells: list[str]
    values: dict[str, Any]
    territory_code: str
    rejected: bool
    findings: list[FindingOut]


class PreviewOut(Schema):
    headers: list[str]
    fields: dict[str, list[str]]
    rows: list[PreviewRowOut]
    notes: list[str]


class LedgerRowOut(Schema):
    """What became of one row of the file. `subject`: the case or contact it became."""

    number: int
    line: int
    status: str
    is_revision: bool
    key: str
    subject: str
    findings: list[FindingOut]


class LedgerPage(Schema):
    items: list[LedgerRowOut]
    next: str | None


@operation(router, "GET", "/imports", right="import.run", response=Imports)
def list_imports(call: Call) -> Imports:
    """The newest imports of the post's territory"""
    return Imports(items=[_job(job) for job in jobs.recent()])


@operation(router, "POST", "/imports", right="import.run", response=ImportOut, status=201)
def create_import(
    call: Call,
    file: File[UploadedFile],
    kind: Form[Kind] = "linelist",
    territory: Form[str] = "",
    as_of: Form[Day | None] = None,
) -> ImportOut:
    """Send a file (CSV, TSV, XLS, XLSX, ODS); nothing is imported yet"""
    made = jobs.create_job(
        file,
        name=file.name or "list",
        actor=call.actor,
        kind=kind,
        territory_code=place(call, territory, "import.run") if territory else "",
        as_of=as_of,
    )
    return _job(made)


@operation(router, "GET", "/imports/{job}", right="import.run", response=ImportOut)
def get_import(call: Call, job: str) -> ImportOut:
    """How far an import is"""
    return _job(jobs.get(job))


@operation(router, "GET", "/imports/{job}/mapping", right="import.run", response=MappingOut)
def get_mapping(call: Call, job: str) -> MappingOut:
    """The mapping of an import: as set, or a guess from its columns"""
    found = jobs.get(job)
    if found.mapping:
        return MappingOut(mapping=found.mapping, guessed=False)
    return MappingOut(mapping=mapping.dumps(jobs.guess_mapping(found)), guessed=True)


@operation(router, "PUT", "/imports/{job}/mapping", right="import.run", response=MappingSet)
def set_mapping(call: Call, job: str, body: MappingIn) -> MappingSet:
    """Set the mapping of an import; it is held against the file"""
    found = jobs.get(job)
    chosen = mapping.loads(body.mapping, name=found.file_name)
    code = place(call, body.territory, "import.run") if body.territory else None
    return MappingSet(
        notes=[str(n) for n in jobs.set_mapping(found, chosen, territory_code=code, as_of=body.as_of)]
    )


@operation(router, "GET", "/imports/{job}/preview", right="import.run", response=PreviewOut)
def preview_import(call: Call, job: str, n: int = Query(PREVIEWED, ge=1, le=500)) -> PreviewOut:
    """The first rows as they will be read, each wrong cell with its rule and the way out"""
    found = jobs.get(job)
    chosen = None if found.mapping else jobs.guess_mapping(found)
    seen = jobs.preview(found, chosen, n=n)
    return PreviewOut(
        headers=list(seen.headers),
        fields={header: [field.key for field in fields] for header, fields in seen.fields.items()},
        rows=[
            PreviewRowOut(
                line=row.line,
                cells=list(row.cells),
                values=told(row.values),
                territory_code=row.territory_code,
                rejected=row.rejected,
                findings=[_finding(e) for e in row.findings],
            )
            for row in seen.rows
        ],
        notes=[str(note) for note in seen.notes],
    )


@operation(router, "POST", "/imports/{job}/start", right="import.run", response=ImportOut, status=202)
def start_import(call: Call, job: str) -> ImportOut:
    """Hand a mapped import to the worker; a stopped one goes on where it stopped"""
    found = jobs.get(job)
    jobs.start(found)
    return _job(jobs.get(job))


@operation(router, "GET", "/imports/{job}/ledger", right="import.run", response=LedgerPage)
def get_import_ledger(
    call: Call,
    job: str,
    status: Literal["accepted", "duplicate", "rejected", ""] = "",
    cursor: str = Query("", max_length=1000),
) -> LedgerPage:
    """What became of every row"""
    found = jobs.get(job)
    page = paging.decode_number("ledger", cursor) or 1
    rows = jobs.ledger_rows(found, status=status, page=page, size=LEDGER_PAGE)
    return LedgerPage(
        items=[
            LedgerRowOut(
                number=row.number,
                line=row.line,
                status=row.status,
                is_revision=row.is_revision,
                key=row.key,
                subject=row.subject_id,
                findings=[_finding(e) for e in row.findings],
            )
            for row in rows
        ],
        next=paging.encode("ledger", page + 1) if len(rows) == LEDGER_PAGE else None,
    )


def _job(job: ImportJob) -> ImportOut:
    now = jobs.progress(job)
    counts = now.counts
    return ImportOut(
        id=job.public_id,
        kind=job.kind,
        state=now.state,
        file_name=job.file_name,
        territory_code=job.given_territory,
        as_of=job.as_of,
        is_mapped=bool(job.mapping),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        rows=counts.rows,
        accepted=counts.accepted,
        revised=counts.revised,
        duplicate=counts.duplicate,
        rejected=counts.rejected,
        total=now.total,
        share=now.share,
        error=now.error,
        notes=[str(note) for note in job.notes],
    )


def _finding(e: CellError) -> FindingOut:
    return FindingOut(
        column=e.column,
        value="" if e.value is None else str(e.value),
        rule=e.rule,
        message=str(e.message),
        hint=str(e.hint),
        how=e.how,
    )
