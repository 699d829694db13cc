"""Assistance requests (协查): lists, one request, asking, taking in, sending back, answering, ending."""

from datetime import date, datetime
from typing import Any

from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.doors.api import paging, persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.shapes import place
from bihuan.loops.queries.sight import require_whole
from bihuan.registry import access, clock
from bihuan.registry.masking import mask_name
from bihuan.registry.queries import person_by_public_id
from bihuan.tracing.actions import assistance as actions
from bihuan.tracing.queries import assistance as queries
from bihuan.tracing.queries.assistance import FIELD_CLASS, AssistanceFilter, AssistanceRow, MessageView

router = Router()
IDENTITY, HEALTH = "identity", "health"
SIDES = {"in": "asked", "out": "asking"}


class RequestOut(Schema):
    """A request in the list. `name` is masked; "" where this side may not know, and after deletion."""

    id: str
    side: str
    need: str
    name: str
    status: str
    outcome: str
    territory_code: str
    other_territory: str
    peer: str
    created_at: datetime
    reply_due_at: datetime | None
    answered_at: datetime | None
    late: bool


class RequestPage(Schema):
    items: list[RequestOut]
    next: str | None


class MessageOut(Schema):
    """One message. `verified` true: it came signed and was checked; null: said or kept inside this
    installation. `delivered_at` is when the other installation's signed receipt was here."""

    said: str
    own: bool
    said_at: datetime
    recorded_at: datetime
    outcome: str
    reason: str
    final: bool
    note: str | None
    verified: bool | None
    digest: str
    delivered_at: datetime | None
    attempts: int
    error: str


class RequestWhole(Schema):
    """One request. `shared` names every field that crossed; `fields` what they hold, null for those not for
    your role, {} after deletion. `offers` is what you may say or do now: request (send the draft), accept,
    return, answer, end, deleted (delete before its time), link, settle."""

    request: RequestOut
    thread: str
    clause: str
    shared: list[str]
    fields: dict[str, str | None]
    reason: str | None
    question: str | None
    deleted: bool
    contact: str
    offers: list[str]
    messages: list[MessageOut]


class AskIn(Schema):
    """`fields` null: the usual ones of the need. `dry_run`: only tell what would be shared."""

    person: str
    to_territory: str
    need: str
    reason: str = Field(max_length=1000)
    question: str = Field("", max_length=1000)
    fields: list[str] | None = None
    contact: str = ""
    case: str = ""
    exposure_kind: str = ""
    exposure_last: date | None = None
    setting: str = Field("", max_length=200)
    dry_run: bool = False


class AskedOut(Schema):
    """`id` is "" for a dry run. `shared` are the fields that go, or would go."""

    id: str
    status: str
    shared: list[str]
    missing: list[str]
    office: str
    reply_due_at: datetime | None


class AcceptIn(Schema):
    territory_code: str = ""
    person: str = ""
    confirm: bool = False
    note: str = Field("", max_length=300)


class ReturnIn(Schema):
    reason: str
    note: str = Field("", max_length=300)


class AnswerIn(Schema):
    """`final` null: as the need says (found is not yet placed)."""

    outcome: str
    note: str = Field("", max_length=2000)
    final: bool | None = None


class LinkIn(Schema):
    """`contact` is of this side, K-…"""

    contact: str


class StandsOut(Schema):
    id: str
    status: str
    contact: str


class RequestQuery(Schema):
    side: str = Field("in", pattern="^(in|out)$")
    show: str = Field("open", pattern="^(open|waiting|all)$")
    territory: str = ""
    cursor: paging.Cursor = ""
    limit: int = Field(paging.LIMIT_DEFAULT, ge=1, le=paging.LIMIT_MOST)


@operation(router, "GET", "/assistance", right="assistance.view", response=RequestPage, personal=True)
def list_assistance(call: Call, asked: Query[RequestQuery]) -> RequestPage:
    """Assistance requests asked of this territory, or by it; the newest first"""
    require_whole("assistance.view")
    code = place(call, asked.territory, "assistance.view")
    before = paging.decode_number("assistance", asked.cursor)
    given = AssistanceFilter(SIDES[asked.side], asked.show, code, before)
    rows = queries.list_requests(given, now=clock.now(), limit=asked.limit)
    shown = access.field_classes(None, "assistance.view")
    persons.note(call, [row.person_id for row in rows if row.person_id], shown)
    more = paging.encode("assistance", rows[-1].id) if len(rows) == asked.limit else None
    return RequestPage(items=[_row(row) for row in rows], next=more)


@operation(
    router, "GET", "/assistance/{request_id}", right="assistance.view", response=RequestWhole, personal=True
)
def get_assistance(call: Call, request_id: str) -> RequestWhole:
    """One assistance request: what was shared, every message with its proof, deletion"""
    found = queries.find_request(request_id, now=clock.now())
    row = found.row
    shown = access.field_classes(None, "assistance.view", territory_code=row.territory_code)
    persons.note(call, [row.person_id] if row.person_id else [], shown)
    health = HEALTH in shown
    return RequestWhole(
        request=_row(row),
        thread=found.request.thread,
        clause=found.request.clause,
        shared=list(found.request.shared),
        fields={n: text if FIELD_CLASS[n] in shown else None for n, text in found.fields.items()},
        reason=found.reason if health else None,
        question=found.question if health else None,
        deleted=not found.is_told,
        contact=found.contact,
        offers=sorted(found.offers),
        messages=[_message(m, health=health) for m in found.messages],
    )


@operation(router, "POST", "/assistance", right="assistance.write", response=AskedOut, status=201)
def ask_assistance(call: Call, body: AskIn) -> AskedOut:
    """Ask another territory about one person, for one need; with `dry_run` only see what would be shared"""
    given = actions.AssistanceInput(
        to_territory=body.to_territory,
        need=body.need,
        reason=body.reason,
        question=body.question,
        person_id=person_by_public_id(body.person).pk,
        contact_id=body.contact,
        case_id=body.case,
        fields=tuple(body.fields) if body.fields is not None else None,
        exposure_kind=body.exposure_kind,
        exposure_last=body.exposure_last,
        setting=body.setting,
    )
    would = actions.preview(given)
    row = None if body.dry_run else actions.ask(given, actor=call.actor)
    return AskedOut(
        id=row.public_id if row else "",
        status=row.status if row else "draft",
        shared=[name for name, _text in would.fields],
        missing=list(would.missing),
        office=would.office,
        reply_due_at=would.due_at,
    )


@operation(router, "POST", "/assistance/{request_id}/accept", right="assistance.write", response=StandsOut)
def accept_assistance(call: Call, request_id: str, body: AcceptIn) -> StandsOut:
    """Take a request in; with `confirm` the person is named a close contact at her place"""
    wanted = actions.AcceptInput(request_id, body.territory_code, body.person, body.confirm, body.note)
    return _stands(actions.accept(wanted, actor=call.actor))


@operation(router, "POST", "/assistance/{request_id}/return", right="assistance.write", response=StandsOut)
def return_assistance(call: Call, request_id: str, body: ReturnIn) -> StandsOut:
    """Send a request back; what it told is deleted here"""
    return _stands(actions.give_back(request_id, reason=body.reason, note=body.note, actor=call.actor))


@operation(router, "POST", "/assistance/{request_id}/answer", right="assistance.write", response=StandsOut)
def answer_assistance(call: Call, request_id: str, body: AnswerIn) -> StandsOut:
    """Feed back what was found"""
    row = actions.answer(request_id, outcome=body.outcome, note=body.note, final=body.final, actor=call.actor)
    return _stands(row)


@operation(router, "POST", "/assistance/{request_id}/link", right="assistance.write", response=StandsOut)
def link_assistance(call: Call, request_id: str, body: LinkIn) -> StandsOut:
    """Name the contact of a request that was lost here and taken up again from the other side's copy"""
    row = actions.link(request_id, contact=body.contact, actor=call.actor)
    return StandsOut(id=row.public_id, status=row.status, contact=body.contact)


@operation(router, "POST", "/assistance/{request_id}/settle", right="assistance.write", response=StandsOut)
def settle_assistance(call: Call, request_id: str) -> StandsOut:
    """Close a request that the other side has lost and cannot take up: what it told is deleted here"""
    return _stands(actions.settle_lost(request_id, actor=call.actor))


@operation(router, "POST", "/assistance/{request_id}/end", right="assistance.write", response=StandsOut)
def end_assistance(call: Call, request_id: str) -> StandsOut:
    """The need has ended: the other side is asked to delete, and confirms it"""
    return _stands(actions.end(request_id, actor=call.actor))


def _row(row: AssistanceRow) -> RequestOut:
    return RequestOut(
        id=row.public_id,
        side={"asked": "in", "asking": "out"}[row.side],
        need=row.need,
        name=mask_name(row.name),
        status=row.status,
        outcome=row.outcome,
        territory_code=row.territory_code,
        other_territory=row.other_territory,
        peer=row.peer,
        created_at=row.created_at,
        reply_due_at=row.reply_due_at,
        answered_at=row.answered_at,
        late=row.is_late,
    )


def _message(message: MessageView, *, health: bool) -> MessageOut:
    return MessageOut(
        said=message.said,
        own=message.is_own,
        said_at=message.said_at,
        recorded_at=message.recorded_at,
        outcome=message.outcome,
        reason=message.reason,
        final=message.is_final,
        note=message.note if health else None,
        verified=message.verified,
        digest=message.digest,
        delivered_at=message.delivered_at,
        attempts=message.attempts,
        error=message.error,
    )


def _stands(row: Any) -> StandsOut:
    made = row.made_contact
    return StandsOut(id=row.public_id, status=row.status, contact=made.public_id if made else "")
