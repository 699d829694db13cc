"""Reads of assistance requests: lists with clocks, one request with its messages and what was shared, peers.

What stands in `told` is opened here only; which of it a reader may see is the door's to ask (`FIELD_CLASS`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from bihuan.registry import access, territory
from bihuan.registry.duplicates import Match, find_duplicates
from bihuan.registry.models import Person
from bihuan.registry.people import SEXES, PersonInput, judge
from bihuan.registry.secrets import keyring
from bihuan.tracing.errors import UnknownAssistance
from bihuan.tracing.models import (
    NEED_LABELS,
    OUTCOME_LABELS,
    RETURN_LABELS,
    AssistanceDelivery,
    AssistanceMessage,
    AssistanceNote,
    AssistanceRequest,
    Contact,
)
from bihuan.tracing.peers.envelope import MOST_BYTES
from bihuan.tracing.rules.assistance import (
    FIELD_CLASS,
    LOST_THERE,
    OUTCOMES,
    SETTLED,
    TAKEN_UP,
    UNKNOWN_THREAD,
    Need,
    Said,
    Side,
    Status,
    allowed_fields,
    may_say,
    usual_fields,
)

__all__ = [
    "FIELD_CLASS",
    "LINK",
    "LOST_THERE",
    "MOST_BYTES",
    "NEED_LABELS",
    "OUTCOME_LABELS",
    "RETURN_LABELS",
    "UNKNOWN_THREAD",
    "AssistanceFilter",
    "AssistanceRow",
    "AssistanceView",
    "Candidate",
    "HandOver",
    "MessageView",
    "allowed_fields",
    "candidates",
    "count_requests",
    "field_words",
    "find_request",
    "hand_over_of",
    "is_lost_there",
    "is_unlinked",
    "likely_contacts",
    "list_requests",
    "outcomes_for",
    "person_input",
    "requests_about",
    "usual_fields",
]

WAITING: Final = (Status.SENT.value, Status.RECEIVED.value, Status.ACCEPTED.value)
OVER: Final = (Status.DELETED.value,)
SETTLE: Final = "settle"
"""Offered beside what may be said: close here what the other side has lost."""
LINK: Final = "link"
"""The same: name the contact of a request that was taken up again."""


def field_words() -> Mapping[str, str]:
    """What the fields that may be shared are called."""
    return {
        "name": _("Name of the person"),
        "sex": _("Sex"),
        "age_years": _("Age"),
        "phone": _("Phone"),
        "id_number": _("Identity number"),
        "address": _("Address"),
        "exposure_kind": _("Kind of exposure"),
        "exposure_last": _("Last exposure"),
        "setting": _("Setting"),
        "case_onset": _("Onset of the source case"),
    }


@dataclass(frozen=True, slots=True)
class AssistanceFilter:
    """`side` asking or asked; `show`: waiting (no final answer yet), open (not over), all; `before`: row
    id."""

    side: str = Side.ASKED.value
    show: str = "open"
    territory: str = ""
    before: int | None = None


@dataclass(frozen=True, slots=True)
class AssistanceRow:
    """A request in a list. `name` is the whole name, to be masked by the door; "" where this side may not
    know, and after deletion. `is_late`: the reply clock has run out without a final answer."""

    id: int
    public_id: str
    side: str
    need: str
    need_label: str
    status: str
    status_label: str
    outcome: str
    outcome_label: str
    name: str
    number: int | None
    person_id: int | None
    territory_code: str
    other_territory: str
    other_place: str
    peer: str
    reply_due_at: datetime | None
    created_at: datetime
    answered_at: datetime | None
    is_late: bool
    is_over: bool


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message of the log. `verified`: signed and checked when it came (True), said or kept inside this
    installation (None). `delivered_at` None with `attempts`: still on its way, unless `is_settled`: the other
    side has lost the request, and it is sent no more. `is_taken_up`: a request of ours that stands here by
    the other side's copy. `note`: its text, unless destroyed."""

    said: str
    label: str
    is_own: bool
    by: str
    said_at: datetime
    recorded_at: datetime
    outcome: str
    outcome_label: str
    reason: str
    reason_label: str
    is_final: bool
    note: str
    verified: bool | None
    key: str
    digest: str
    is_sent: bool
    delivered_at: datetime | None
    receipt_at: str
    attempts: int
    next_try_at: datetime | None
    error: str
    is_taken_up: bool
    is_settled: bool


@dataclass(frozen=True, slots=True)
class AssistanceView:
    """One request: the row, what was told (fields, reason, question), the messages, what may be said now."""

    row: AssistanceRow
    request: AssistanceRequest
    fields: Mapping[str, str]
    reason: str
    question: str
    is_told: bool
    messages: tuple[MessageView, ...]
    offers: frozenset[str]
    contact: str
    case: str


def list_requests(given: AssistanceFilter, *, now: datetime, limit: int = 50) -> list[AssistanceRow]:
    """Requests of one side within the scope, newest first."""
    rows = _filtered(given)
    if given.before is not None:
        rows = rows.filter(id__lt=given.before)
    return rows_of(rows.select_related("person", "peer").order_by("-id")[:limit], now=now)


@dataclass(frozen=True, slots=True)
class HandOver:
    """With whom a contact is now: the request that led there, and the other side's message that said so
    (`digest` of its signed envelope, "" inside this installation)."""

    request: str
    territory_code: str
    office: str
    at: datetime
    message: str
    digest: str


def hand_over_of(contact_id: int) -> HandOver | None:
    """Who has taken a contact over by an assistance request, within the scope; None while it is ours."""
    ours = Q(contact_id=contact_id, side=Side.ASKING) | Q(made_contact_id=contact_id, side=Side.ASKED)
    rows = AssistanceRequest.objects.filter(ours, handed_over_at__isnull=False)
    row = rows.order_by("handed_over_at", "id").first()
    if row is None or row.handed_over_at is None:
        return None
    said = Said.ACCEPT if row.is_asking else Said.RETURN
    message = AssistanceMessage.objects.filter(request=row, said=said).order_by("-sequence", "-id").first()
    return HandOver(
        request=row.public_id,
        territory_code=row.other_territory,
        office=row.other_office or _place(row.other_territory),
        at=row.handed_over_at,
        message=message.message if message else "",
        digest=message.digest if message else "",
    )


def count_requests(given: AssistanceFilter, *, now: datetime) -> tuple[int, int]:
    """How many of them, and how many of these are late."""
    rows = _filtered(given)
    late = rows.filter(status__in=WAITING, reply_due_at__lt=now)
    return rows.count(), late.count()


def _filtered(given: AssistanceFilter) -> QuerySet[AssistanceRequest]:
    rows: QuerySet[AssistanceRequest] = AssistanceRequest.objects.below(given.territory).filter(
        side=given.side, is_served=True
    )
    if given.show == "waiting":
        return rows.filter(status__in=WAITING)
    return rows if given.show == "all" else rows.exclude(status__in=OVER)


def requests_about(person_ids: Iterable[int], *, now: datetime) -> list[AssistanceRow]:
    """The requests about a person, on either side, within the scope; newest first."""
    rows = AssistanceRequest.objects.filter(Q(person_id__in=list(person_ids)))
    return rows_of(rows.select_related("person", "peer").order_by("-id")[:20], now=now)


def rows_of(rows: Iterable[AssistanceRequest], *, now: datetime) -> list[AssistanceRow]:
    return [_row(row, now) for row in rows]


def _row(row: AssistanceRequest, now: datetime) -> AssistanceRow:
    told = told_of(row)
    waits = row.status in WAITING
    return AssistanceRow(
        id=row.pk,
        public_id=row.public_id,
        side=row.side,
        need=row.need,
        need_label=str(row.get_need_display()),
        status=row.status,
        status_label=str(row.get_status_display()),
        outcome=row.outcome,
        outcome_label=str(row.get_outcome_display()) if row.outcome else "",
        name=str(told.get("fields", {}).get("name", "")) or _name_here(row),
        number=row.number,
        person_id=row.person_id,
        territory_code=row.territory_code,
        other_territory=row.other_territory,
        other_place=_place(row.other_territory),
        peer=row.peer.name if row.peer else "",
        reply_due_at=row.reply_due_at,
        created_at=row.created_at,
        answered_at=row.answered_at,
        is_late=bool(waits and row.reply_due_at and row.reply_due_at < now),
        is_over=row.status in OVER,
    )


def _name_here(row: AssistanceRequest) -> str:
    """The name the own register has, where the person is in it and in the scope."""
    return row.person.name if row.person_id is not None and row.person is not None else ""


def _place(code: str) -> str:
    found = territory.find(code)
    return found.label if found else code


def told_of(row: AssistanceRequest) -> dict[str, Any]:
    """What a request tells, opened; {} when it was destroyed."""
    if row.told is None:
        return {}
    found: dict[str, Any] = json.loads(keyring().decrypt(row.told, place=f"assistance.told:{row.public_id}"))
    return found


def find_request(public_id: str, *, now: datetime) -> AssistanceView:
    """Raises UnknownAssistance when there is none in the scope."""
    row = (
        AssistanceRequest.objects.select_related("person", "peer", "contact", "made_contact", "case")
        .filter(public_id=public_id)
        .first()
    )
    if row is None:
        raise UnknownAssistance(public_id)
    told = told_of(row)
    contact = row.made_contact or row.contact
    return AssistanceView(
        row=_row(row, now),
        request=row,
        fields=told.get("fields", {}),
        reason=told.get("reason", ""),
        question=told.get("question", ""),
        is_told=row.told is not None,
        messages=_messages(row),
        offers=_offers(row),
        contact=contact.public_id if contact else "",
        case=row.case.public_id if row.case and row.is_asking else "",
    )


def _offers(row: AssistanceRequest) -> frozenset[str]:
    """What this side may say now, and this post has the right to."""
    if not access.may(None, "assistance.write", territory_code=row.territory_code):
        return frozenset()
    side, status = Side(row.side), Status(row.status)
    offers = frozenset(said.value for said in Said if may_say(said, status=status, side=side))
    if is_unlinked(row):
        return offers | {LINK}
    if row.is_asking or not (status is Status.DELETED or Said.DELETED.value in offers):
        return offers
    if status is Status.ANSWERED and row.told is None and not is_lost_there(row):
        return frozenset()  # deleted here; the worker finishes it and says so
    # closing it here deletes, too
    return offers - {Said.DELETED.value} | {SETTLE} if is_lost_there(row) else offers


def is_unlinked(row: AssistanceRequest) -> bool:
    """Whether this is a request of ours that was taken up from a copy, and nobody said yet whom of the
    contacts here it is about."""
    if not row.is_asking or row.contact_id is not None or row.person_id is not None or row.told is None:
        return False
    said = AssistanceMessage.objects.filter(request=row, said=Said.REQUEST)
    return said.filter(**{f"data__{TAKEN_UP}": True}).exists()


def likely_contacts(public_id: str, *, on: date) -> list[tuple[str, str]]:
    """The contacts of the scope that a request taken up again may be about (K-…, name), the likeliest
    first."""
    row = AssistanceRequest.objects.filter(public_id=public_id, side=Side.ASKING).first()
    if row is None:
        raise UnknownAssistance(public_id)
    near = {person.pk: (n, person.name) for n, (person, _match) in enumerate(_alike(row, on))}
    rows = Contact.objects.filter(person_id__in=near).order_by("-id").values_list("public_id", "person_id")
    return [(key, near[person][1]) for key, person in sorted(rows, key=lambda one: near[one[1]][0])]


def is_lost_there(row: AssistanceRequest) -> bool:
    """Whether the other side has lost a request of this, the asked side, and has not taken it up again from
    the copy that goes with the second try."""
    waiting = AssistanceDelivery.objects.filter(request=row, delivered_at__isnull=True)
    refused = Q(error__in=LOST_THERE - {UNKNOWN_THREAD}) | Q(error=UNKNOWN_THREAD, attempts__gt=1)
    return not row.is_asking and waiting.filter(refused).exists()


def _messages(row: AssistanceRequest) -> tuple[MessageView, ...]:
    rows = list(AssistanceMessage.objects.filter(request=row).select_related("delivery").order_by("id"))
    notes = {
        note.message_id: keyring().decrypt(note.cipher, place=f"assistance.note:{note.message.message}")
        for note in AssistanceNote.objects.filter(request=row).select_related("message")
    }
    return tuple(_message(one, notes.get(one.pk, "")) for one in rows)


def _message(one: AssistanceMessage, note: str) -> MessageView:
    delivery = getattr(one, "delivery", None)
    outcome, reason = one.data.get("outcome", ""), one.data.get("reason", "")
    return MessageView(
        said=one.said,
        label=str(one.get_said_display()),
        is_own=one.is_own,
        by=one.by_name,
        said_at=one.said_at,
        recorded_at=one.recorded_at,
        outcome=str(outcome),
        outcome_label=str(dict(OUTCOME_LABELS).get(outcome, "")),
        reason=str(reason),
        reason_label=str(dict(RETURN_LABELS).get(reason, "")),
        is_final=bool(one.data.get("final")),
        note=note,
        verified=True if one.digest else None,
        key=one.key,
        digest=one.digest,
        is_sent=delivery is not None,
        delivered_at=delivery.delivered_at if delivery else None,
        receipt_at=str((delivery.receipt or {}).get("received_at", "")) if delivery else "",
        attempts=delivery.attempts if delivery else 0,
        next_try_at=delivery.next_try_at if delivery and delivery.delivered_at is None else None,
        error=delivery.error if delivery else "",
        is_taken_up=bool(one.data.get(TAKEN_UP)),
        is_settled=bool(delivery and delivery.delivered_at is None and delivery.error == SETTLED),
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody of the own register who may be the person asked about. `name` whole; `is_sure`: the same
    number."""

    public_id: str
    name: str
    territory_code: str
    score: int
    is_sure: bool


def candidates(public_id: str, *, on: date) -> list[Candidate]:
    """Whom of the own register a request may be about, the likeliest first; a person chooses, not the
    likeness."""
    row = AssistanceRequest.objects.filter(public_id=public_id, side=Side.ASKED).first()
    if row is None:
        raise UnknownAssistance(public_id)
    return [
        Candidate(p.public_id, p.name, p.territory_code, match.score, match.is_sure)
        for p, match in _alike(row, on)
    ]


def _alike(row: AssistanceRequest, on: date) -> list[tuple[Person, Match]]:
    """Who of the own register is like the person of a request, the likeliest first."""
    told = told_of(row).get("fields", {})
    if not any(told.get(name) for name in ("name", "phone", "id_number")):
        return []
    given = person_input(told, source=row.thread, where=row.territory_code, reported_on=on)
    found = [match for match in find_duplicates(given) if match.person_id][:5]
    known = {p.pk: p for p in Person.objects.filter(id__in=[match.person_id for match in found])}
    return [(p, match) for match in found if (p := known.get(match.person_id)) is not None]


def person_input(told: Mapping[str, str], *, source: str, where: str, reported_on: date) -> PersonInput:
    """The person as a request tells her. What the register could not hold (a telephone number of no form) is
    left out: it still stands on the page of the request."""
    age, sex = told.get("age_years", ""), told.get("sex", "")
    given = PersonInput(
        territory_code=where,
        name=told.get("name", ""),
        sex=sex if sex in SEXES else "U",
        age_years=int(age) if age.isdecimal() else None,
        age_reported_on=reported_on if age.isdecimal() else None,
        id_number=told.get("id_number", ""),
        phone=told.get("phone", ""),
        address=told.get("address", ""),
        source="assistance",
        local_id=source,
    )
    wrong = {fault.field for fault in judge(given, on=reported_on)}
    empty: dict[str, Any] = dict.fromkeys(("name", "id_number", "phone", "address"), "")
    empty |= dict.fromkeys(("age_years", "age_reported_on"))
    return replace(given, **{name: value for name, value in empty.items() if name in wrong})


def outcomes_for(need: str) -> list[tuple[str, str]]:
    """The answers offered for a need, with their labels."""
    words = dict(OUTCOME_LABELS)
    return [(one.value, str(words[one.value])) for one in OUTCOMES[Need(need)]]
