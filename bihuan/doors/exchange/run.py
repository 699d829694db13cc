"""Runs an import job: chunk by chunk, each chunk with its ledger rows in one transaction.

- Conservation: each row of the file gets exactly one ledger row: accepted, duplicate or rejected.
- Resume: a job goes on after the last ledger row; a chunk that was cut off left nothing.
- The same file again: every row is held against what it became before; unchanged is a duplicate, changed is a
  revision (accepted, counted in `n_revised`).
- Dry run: the same work in one transaction that is taken back at the end.
"""

from __future__ import annotations

import datetime as dt
import gc
import hashlib
import json
import time as machine
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import insert_rows
from bihuan.epi.tables.called import called
from bihuan.registry import access, bulk, clock, posts, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import BihuanError, Invalid
from bihuan.registry.stamps import steady

from . import mapping as mappings
from .errors import FileRefused, JobBusy
from .facts import Work, Writer
from .fields import LINKS
from .mapping import Mapping as ColumnMapping
from .models import ACCEPTED, DONE, DUPLICATE, FAILED, REJECTED, RUNNING, ImportJob, ImportRow
from .places import PlaceFinder
from .reader import RawRow, open_table
from .rows import RowReader
from .writers import writer_of

CHUNK = 4_000
_FIRST_CHUNK = 500  # the first is read while nothing is stored: a small one, so that storing begins soon
LEDGER_COLUMNS = (
    *("job_id", "territory_code", "number", "line", "status", "is_revision"),
    *("row_key", "subject_id", "findings"),
)
_PATIENCE_SECONDS = 2.0
_LOCK_SPACE = 0x1B0  # namespace of advisory locks of import jobs


@dataclass(frozen=True)
class Counts:
    """`rows = accepted + duplicate + rejected`; `revised` of the accepted changed an earlier import."""

    rows: int
    accepted: int
    revised: int
    duplicate: int
    rejected: int

    def as_dict(self) -> dict[str, int]:
        return {
            "rows": self.rows,
            "accepted": self.accepted,
            "revised": self.revised,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
        }


Progress = Callable[[Counts], None]


class DryRun(Exception):
    """Carries a dry run out of its transaction."""


def run(job_id: str, *, progress: Progress | None = None, chunk: int = CHUNK) -> Counts:
    """Run a job to its end, or from where it stopped. Raises JobBusy when another process runs it.

    An error of the house (a damaged file, a territory that is not there) ends the job as failed, with every
    chunk before it kept; resuming after mending goes on. Any other error leaves it to be resumed.
    """
    try:
        with scope.system(), _only_one(job_id):
            job = ImportJob.objects.get(public_id=job_id)
            if job.state != DONE:
                _Runner(job, progress=progress, chunk=chunk).go()
            return counts_of(job)
    except JobBusy:
        raise
    except BihuanError as error:
        with scope.system():
            stopped = ImportJob.objects.filter(public_id=job_id)
            stopped.update(state=FAILED, error=str(error), finished_at=clock.now())
        raise


def dry_run(job_id: str, *, look: Callable[[ImportJob], None] | None = None, chunk: int = CHUNK) -> Counts:
    """What `run` would count, writing nothing. `look` sees the job and its ledger before they are undone."""
    counts: list[Counts] = []
    try:
        with scope.system(), transaction.atomic():
            job = ImportJob.objects.get(public_id=job_id)
            _Runner(job, progress=None, chunk=chunk).go()
            counts.append(counts_of(job))
            if look is not None:
                look(job)
            raise DryRun
    except DryRun:
        return counts[0]


def counts_of(job: ImportJob) -> Counts:
    return Counts(job.n_rows, job.n_accepted, job.n_revised, job.n_duplicate, job.n_rejected)


@contextmanager
def _only_one(job_id: str) -> Iterator[None]:
    """An advisory lock of this connection: gone by itself when the process dies, as soon as PostgreSQL has
    ended the statement it was at."""
    key = int.from_bytes(hashlib.blake2b(job_id.encode(), digest_size=4).digest(), "big", signed=True)
    patience = machine.monotonic() + _PATIENCE_SECONDS
    while not _locked(key):
        if machine.monotonic() > patience:
            raise JobBusy(
                _("Import %(job)s is running in another process.") % {"job": job_id},
                hint=_("Wait for it: bihuan import status %(job)s.") % {"job": job_id},
            )
        machine.sleep(0.05)
    try:
        yield
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, key])


def _locked(key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_SPACE, key])
        return bool(cursor.fetchone()[0])


def fingerprint(path: Path) -> tuple[str, int]:
    """(SHA-256, bytes) of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest(), path.stat().st_size


def moment_of(as_of: dt.date | None, zone: ZoneInfo) -> tuple[dt.datetime, dt.date]:
    """(the moment facts count as known, its local date): the end of the as-of day, or now. Raises Invalid."""
    now = clock.now()
    today = now.astimezone(zone).date()
    if as_of is None or as_of == today:
        return now, today
    if as_of > today:
        message = _("%(as_of)s lies in the future (today is %(today)s).") % {"as_of": as_of, "today": today}
        hint = _("Give a day up to today.")
        raise Invalid(
            message,
            hint=hint,
            errors=[{"field": "as_of", "rule": "future", "message": message, "hint": hint}],
        )
    end = dt.datetime.combine(as_of, dt.time(23, 59, 59), tzinfo=zone)
    return min(end.astimezone(dt.UTC), now), as_of


class _Before(NamedTuple):
    """What a row of this list said when it came in last."""

    content: str
    subject_id: str
    last_job_id: int
    last_line: int


class _Ahead:
    """What is read before it is needed. An error waits until what came before it is stored."""

    def __init__(self, fetch: Callable[[], list[Work]]) -> None:
        self._fetch = fetch
        self._works: list[Work] = []
        self._error: Exception | None = None

    def read(self) -> None:
        try:
            self._works = self._fetch()
        except Exception as error:
            self._works, self._error = [], error

    def take(self) -> list[Work]:
        if self._error is not None:
            raise self._error
        return self._works


@contextmanager
def _rarely_collecting() -> Iterator[None]:
    """Rows are many, live briefly and hold no cycles: looking for cycles among them costs a fifth of the
    time. What little arises is collected when the run ends."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Runner:
    """One run of one job: opens everything once, then walks the chunks."""

    def __init__(self, job: ImportJob, *, progress: Progress | None, chunk: int) -> None:
        self.job, self.progress, self.chunk = job, progress, chunk
        self.next_chunk = min(chunk, _FIRST_CHUNK)
        self.path = called(Path(job.path), job.file_name)
        self.mapping: ColumnMapping = mappings.loads(job.mapping, name=job.list_id or "mapping")
        zone = ZoneInfo(self.mapping.timezone)
        self.now, self.as_of = moment_of(job.as_of, zone)
        self.space = job.territory_code
        self.actor = Actor(job.by_account_id, job.by_post_id, job.by_name, "import")

    def go(self) -> None:
        self._check_file()
        table = open_table(self.path, hints=self.mapping.file)
        positions, notes = mappings.bind(self.mapping, table)
        reader = RowReader(self.mapping, positions, self.mapping.conventions(self.as_of))
        places = PlaceFinder(self.mapping.territory, given=self.job.given_territory, scope=self.space)
        with self._as_importer():
            writer = self._writer()
        if self.job.n_rows == 0:  # a file that breaks off half way must not come in half
            self.job.n_total = sum(1 for _row in table.rows())
        self._begin([*table.notes, *notes])
        rows = islice(enumerate(table.rows(), start=1), self.job.n_rows, None)
        ahead = _Ahead(lambda: self._read(rows, reader, places, writer))
        with _rarely_collecting():
            with steady():
                ahead.read()
            while works := ahead.take():
                self._chunk(works, writer, ahead)
                if self.progress:
                    self.progress(counts_of(self.job))
        self.job.state, self.job.finished_at = DONE, clock.now()
        self.job.n_total = self.job.n_rows
        self.job.save(update_fields=["state", "finished_at", "n_total"])

    def _check_file(self) -> None:
        name = self.job.file_name
        if not self.path.is_file():
            raise FileRefused(
                rule="file.exists",
                message=_("The file %(file)s of import %(job)s is no longer there.")
                % {"file": name, "job": self.job.public_id},
                hint=_("Import the file again; rows that came in already count as duplicates."),
            )
        if self.job.n_rows and fingerprint(self.path)[0] != self.job.sha256:
            raise FileRefused(
                rule="file.changed",
                message=_("The file %(file)s has changed since import %(job)s began.")
                % {"file": name, "job": self.job.public_id},
                hint=_("Import it as a new file; rows that came in already count as duplicates."),
            )

    def _writer(self) -> Writer:
        return writer_of(self.mapping.kind)(
            mapping=self.mapping,
            actor=self.actor,
            now=self.now,
            as_of=self.as_of,
            source=f"{self.space}|{self.mapping.list_id}",
            look_for_duplicates=self.job.look_for_duplicates,
        )

    def _as_importer(self) -> AbstractContextManager[Any]:
        """The scope of the post that imports: the system for the command line."""
        if self.actor.post_id is None:
            return nullcontext()
        return scope.acting_as(access_scope(self.actor))

    def _begin(self, notes: Sequence[str]) -> None:
        self.job.state, self.job.error = RUNNING, ""
        self.job.notes = list(dict.fromkeys(str(n) for n in notes))
        self.job.started_at = self.job.started_at or clock.now()
        self.job.save(update_fields=["state", "error", "notes", "started_at", "n_total"])

    def _read(
        self, rows: Iterator[tuple[int, RawRow]], reader: RowReader, places: PlaceFinder, writer: Writer
    ) -> list[Work]:
        """The next rows, parsed, placed and prepared: all that can be done without asking the database."""
        works = []
        size, self.next_chunk = self.next_chunk, min(self.chunk, 2 * self.next_chunk)
        for number, raw in islice(rows, size):
            row = reader.read(raw, number)
            code = places.place(row, reader.column_of) if self.mapping.kind != LINKS else self._near()
            works.append(Work(row, code))
        writer.prepare(works)
        return works

    def _chunk(self, works: Sequence[Work], writer: Writer, ahead: _Ahead) -> None:
        """Facts, ledger and counts of a chunk in one transaction. While PostgreSQL still stores them, the
        next chunk is read."""
        with steady(), transaction.atomic():
            with bulk.lane():
                with self._as_importer():
                    self._settle(works, writer)
                self._book(works)
                ahead.read()
            self._move_on(works)

    def _near(self) -> str:
        return self.job.given_territory or self.space

    def _settle(self, works: Sequence[Work], writer: Writer) -> None:
        """Decide each row: rejected, a repetition, a revision, or new; and write the last two."""
        self.known = self._known(works)
        fresh: dict[str, Work] = {}
        met: dict[str, Work] = {}  # of this chunk; those of earlier chunks the database knows
        for work in works:
            row = work.row
            if row.rejected:
                continue
            before = self.known.get(row.key)
            if before is not None and before.last_job_id == self.job.id:
                self._twice(work, before.content, before.last_line)
            elif (earlier := met.setdefault(row.key, work)) is not work:
                self._twice(work, earlier.row.content, earlier.row.line)
            elif before is not None and before.content == row.content:
                work.subject = before.subject_id
                work.note_duplicate("same.imported", subject=before.subject_id)
            else:
                fresh[row.key] = work
                work.subject = before.subject_id if before else ""
        writer.create([w for w in fresh.values() if not w.subject])
        for work in fresh.values():
            if work.row.key in self.known and work.open:
                writer.revise(work)

    def _twice(self, work: Work, content: str, line: int) -> None:
        if content == work.row.content:
            work.note_duplicate("same.row", line=line)
        else:
            work.row.reject("id.twice", value=work.row.key, line=line)

    def _known(self, works: Sequence[Work]) -> dict[str, _Before]:
        keys = [w.row.key for w in works if not w.row.rejected]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT row_key, content, subject_id, last_job_id, last_line FROM exchange_importedrow"
                " WHERE list_id = %s AND kind = %s AND space = %s AND row_key = ANY(%s)",
                [self.mapping.list_id, self.mapping.kind, self.space, keys],
            )
            return {row[0]: _Before(*row[1:]) for row in cursor.fetchall()}

    def _book(self, works: Sequence[Work]) -> None:
        """Ledger rows, what each row became, and the job's counts: with the facts, or not at all."""
        statuses = [status_of(w) for w in works]
        insert_rows(
            ImportRow,
            LEDGER_COLUMNS,
            [
                [
                    self.job.id,
                    w.territory if status != REJECTED and w.territory else self.space,
                    w.row.number,
                    w.row.line,
                    status,
                    w.revised,
                    w.row.key[:160],
                    w.subject,
                    json.dumps([e.as_json() for e in w.row.findings], ensure_ascii=False)
                    if w.row.findings
                    else "[]",
                ]
                for w, status in zip(works, statuses, strict=True)
            ],
            answer=False,
        )
        self._remember(works, statuses)

    def _move_on(self, works: Sequence[Work]) -> None:
        """The job's counts, last of all; only if nobody else has moved them."""
        job, statuses = self.job, [status_of(w) for w in works]
        job.n_rows += len(works)
        job.n_accepted += statuses.count(ACCEPTED)
        job.n_duplicate += statuses.count(DUPLICATE)
        job.n_rejected += statuses.count(REJECTED)
        job.n_revised += sum(w.revised for w in works)
        moved = ImportJob.objects.filter(id=job.id, n_rows=job.n_rows - len(works)).update(
            n_rows=job.n_rows,
            n_accepted=job.n_accepted,
            n_duplicate=job.n_duplicate,
            n_rejected=job.n_rejected,
            n_revised=job.n_revised,
        )
        if not moved:
            raise JobBusy(_("Import %(job)s was moved on by another process.") % {"job": job.public_id})

    def _remember(self, works: Sequence[Work], statuses: Sequence[str]) -> None:
        """Keep, for every row that is a fact, what it said last; also when this job only repeats it."""
        rows = [
            (w.row.key[:160], w.territory, w.row.content, w.subject, w.row.line)
            for w, status in zip(works, statuses, strict=True)
            if w.subject and status != REJECTED and not (status == DUPLICATE and w.row.key not in self.known)
        ]
        if not rows:
            return
        bulk.write(
            """
                INSERT INTO exchange_importedrow
                    (space, list_id, kind, row_key, territory_code, content, subject_id, last_line,
                     first_job_id, last_job_id)
                SELECT %s, %s, %s, k, t, c, s, l, %s, %s
                FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int[]) AS r(k, t, c, s, l)
                ON CONFLICT (list_id, kind, row_key, space) DO UPDATE SET
                    content = excluded.content, last_line = excluded.last_line,
                    last_job_id = excluded.last_job_id
                """,
            [
                self.space,
                self.mapping.list_id,
                self.mapping.kind,
                self.job.id,
                self.job.id,
                *(list(column) for column in zip(*rows, strict=True)),
            ],
        )


def status_of(work: Work) -> str:
    if work.row.rejected:
        return REJECTED
    return DUPLICATE if work.duplicate else ACCEPTED


def access_scope(actor: Actor) -> scope.Scope:
    """The scope of the importing post as it is now. Raises NotFound when the post is gone."""
    assert actor.post_id is not None
    post = posts.get(actor.post_id)
    return scope.Scope(
        lo=post.territory_code,
        post_id=post.id,
        account_id=actor.account_id,
        role=post.role,
        grants=access.grants_of(post.role),
        organization_id=post.organization_id,
    )
