"""Visits that systems send, as rows or as a table; what the store holds, in counts. Nothing here reads who
was where: that takes an open investigation."""

from datetime import date, datetime

from django.utils.translation import gettext as _
from ninja import File, Form, Router, Schema
from ninja.files import UploadedFile
from pydantic import Field

from bihuan.doors.api import problems
from bihuan.doors.api.operation import Call, operation
from bihuan.registry.errors import Invalid
from bihuan.tracing.actions.record_visits import VisitsRecorded, record_rows, record_table
from bihuan.tracing.queries import visit_store

router = Router()
MOST = 20_000
"""Rows in one JSON call: our own rule, some four megabytes; a table may hold a hundred thousand."""
TABLE_BYTES = 10 * 2**20
"""Of a table: it is read in memory and never lies on a disk."""


class VisitIn(Schema):
    """One entry record. `person`: identity number, phone, or the number a system knows the person by; it
    becomes a keyed number at once and is kept nowhere. `place`: id of a registered place of the territory.
    `start`, `end` as 2020-02-05 08:03 (the store's clock) or with a time zone. `event`: the sender's own id
    of the record, unique on its day; sent again, it is the same visit. `how`: code, card, face, hand, gate,
    self, interview or transport (a ticket, a passenger list); a code scanned, or a name on a list, alone is
    no proof of presence."""

    event: str = Field(min_length=1, max_length=120)
    person: str = Field(min_length=1, max_length=120)
    place: str = Field(min_length=1, max_length=120)
    start: str = Field(min_length=1, max_length=40)
    end: str = Field("", max_length=40)
    temperature: float | None = None
    how: str = Field("", max_length=40)


class VisitsIn(Schema):
    visits: list[VisitIn] = Field(min_length=1, max_length=MOST)


class ReasonOut(Schema):
    """Why rows were not taken: `rows` are the first of them by number, from 1 (in a table: its line)."""

    reason: str
    message: str
    n: int
    rows: list[int]
    said: str


class VisitsOut(Schema):
    """rows = added + duplicate + rejected + waiting. All but the rejected are durable when this is answered;
    `waiting` rows are merged once another process has finished writing. `unread_temperatures` were left out,
    `bounded` stays cut to a day."""

    rows: int
    added: int
    duplicate: int
    rejected: int
    waiting: int
    reasons: list[ReasonOut]
    unread_temperatures: int
    bounded: int


class StoreDay(Schema):
    day: date
    stays: int
    bytes: int


class DeletionOut(Schema):
    """`reason`: retention or by hand. Counts of what was deleted; each stands under the audit chain."""

    at: datetime
    before: date
    days: int
    stays: int
    bytes: int
    people: int
    reason: str


class StoreOut(Schema):
    stays: int
    people: int
    places: int
    bytes: int
    days: list[StoreDay]
    forgotten_before: date | None
    changed_at: datetime | None
    waiting_batches: int
    set_aside: list[str]
    deletions: list[DeletionOut]


@operation(router, "POST", "/visits", right="visits.record", response=VisitsOut)
def record_visits(call: Call, body: VisitsIn) -> VisitsOut:
    """Record visits; durable before the answer, each event once"""
    rows = [
        {
            "event": one.event,
            "person": one.person,
            "place": one.place,
            "start": one.start,
            "end": one.end,
            "temperature": "" if one.temperature is None else f"{one.temperature:g}",
            "how": one.how,
        }
        for one in body.visits
    ]
    return _told(record_rows(rows))


@operation(router, "POST", "/visits/table", right="visits.record", response=VisitsOut)
def record_visit_table(call: Call, file: File[UploadedFile], columns: Form[str] = "") -> VisitsOut:
    """Record visits from a table: CSV (also gzipped) or Parquet

    `columns` says what a column is where its name does not: `刷码时间=start,卡号=person`.
    """
    if (file.size or 0) > TABLE_BYTES:
        raise problems.too_large(TABLE_BYTES)
    return _told(record_table(file.read(), columns=_columns(columns), name=file.name or ""))


@operation(router, "GET", "/visits/store", right="audit.view", response=StoreOut)
def get_visit_store(call: Call) -> StoreOut:
    """What the visit store holds and what was deleted of it: counts only

    Of all that the installation serves, so to posts only that cover all of it.
    """
    visit_store.require_whole()
    found = visit_store.view_store()
    return StoreOut(
        stays=found.stays,
        people=found.people,
        places=found.places,
        bytes=found.size,
        days=[StoreDay(day=d.day, stays=d.stays, bytes=d.size) for d in found.days],
        forgotten_before=found.forgotten_before,
        changed_at=found.changed_at,
        waiting_batches=found.waiting,
        set_aside=list(found.aside),
        deletions=[
            DeletionOut(
                at=d.at, before=d.before, days=d.days, stays=d.stays, bytes=d.size, people=d.people,
                reason=d.reason,
            )
            for d in visit_store.deletions()
        ],
    )  # fmt: skip


def _columns(text: str) -> dict[str, str]:
    found = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        column, sign, role = pair.rpartition("=")
        if not sign:
            message = _("Write column=meaning, parted by commas.")
            raise Invalid(message, errors=[{"field": "columns", "rule": "pair", "message": message}])
        found[column.strip()] = role.strip()
    return found


def _told(done: VisitsRecorded) -> VisitsOut:
    return VisitsOut(
        rows=done.rows,
        added=done.added,
        duplicate=done.duplicate,
        rejected=done.rejected,
        waiting=done.waiting,
        reasons=[
            ReasonOut(reason=r.reason, message=r.message, n=r.n, rows=list(r.rows), said=r.said)
            for r in done.reasons
        ],
        unread_temperatures=done.unread_temperatures,
        bounded=done.bounded,
    )
