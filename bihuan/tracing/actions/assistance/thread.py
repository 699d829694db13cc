"""The log of a request: a message is kept, where the thread stands is read from all of them, loops are told.

Everything here runs as the system, within a transaction of the calling verb, which has judged the right: the
two rows of a request inside one installation lie in two territories.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import stamp
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.models import AccessLog, Person
from bihuan.registry.secrets import keyring
from bihuan.tracing.actions.assistance import handover
from bihuan.tracing.errors import AssistanceClosed, UnknownAssistance
from bihuan.tracing.models import (
    AssistanceDelivery,
    AssistanceMessage,
    AssistanceNote,
    AssistanceRequest,
)
from bihuan.tracing.rules.assistance import (
    SETTLED,
    Message,
    Said,
    Side,
    Standing,
    Status,
    may_say,
    next_sequence,
    stand,
)

SUBJECT: Final = "assistance"
#: What the loops hear when a message is said or comes; a final answer is another event than one on the way.
_HEARD: Final[Mapping[Said, str]] = {
    Said.ACCEPT: "assistance.accepted",
    Said.RETURN: "assistance.returned",
    Said.ANSWER: "assistance.progress",
    Said.END: "assistance.ended",
    Said.DELETED: "assistance.deleted",
}
_LOCKS: Final = 0x1B5  # namespace of the advisory locks on threads


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as it is to be kept. `note` is its free text; the rest is of a message that came by wire."""

    said: Said
    message: str
    sequence: int
    data: Mapping[str, Any]
    said_at: datetime
    note: str = ""
    digest: str = ""
    key: str = ""
    envelope: Mapping[str, Any] | None = None


def lock_thread(thread: str, peer_id: int | None) -> None:
    """Hold a thread until the transaction ends, also one that has no row yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCKS, f"{peer_id or 0}/{thread}"])


def held(request_id: str) -> AssistanceRequest:
    """A request within the scope acted in, its thread held on both sides. Raises UnknownAssistance."""
    row = AssistanceRequest.objects.filter(public_id=request_id).first()
    if row is None:
        raise UnknownAssistance(request_id)
    lock_thread(row.thread, row.peer_id)
    row.refresh_from_db()
    return row


def messages_of(row: AssistanceRequest) -> list[Message]:
    """The messages of a row as the rules see them."""
    rows = AssistanceMessage.unscoped.filter(request=row).order_by("id")
    return [Message(Said(m.said), m.sequence, m.data) for m in rows]


def other_side(row: AssistanceRequest) -> AssistanceRequest | None:
    """The other row of a request inside this installation; None when the other side is another
    installation."""
    if row.peer_id is not None:
        return None
    side = Side(row.side).other.value
    return AssistanceRequest.unscoped.filter(thread=row.thread, peer=None, side=side).first()


def say(
    row: AssistanceRequest,
    said: Said,
    *,
    actor: Actor,
    at: datetime,
    data: Mapping[str, Any] | None = None,
    note: str = "",
) -> AssistanceMessage:
    """Say something to the other side: kept here, and there at once if that is in this house, else to be
    sent.

    Raises AssistanceClosed when the request does not stand where this could be said.
    """
    with scope.system():  # the other side's row lies in another territory
        side, known = Side(row.side), messages_of(row)
        if not may_say(said, status=Status(row.status), side=side):
            raise AssistanceClosed(
                _("Request %(id)s stands at “%(status)s”; this can no longer be done, or not yet.")
                % {"id": row.public_id, "status": row.get_status_display()}
            )
        kept = Kept(said, uuid.uuid4().hex, next_sequence(known, side), dict(data or {}), at, note)
        message = keep(row, kept, is_own=True, actor=actor, at=at)
        if row.peer_id is not None:
            is_settled = AssistanceDelivery.unscoped.filter(request=row, error=SETTLED).exists()
            AssistanceDelivery.unscoped.create(
                message=message,
                request=row,
                peer_id=row.peer_id,
                territory_code=row.territory_code,
                next_try_at=at,
                error=SETTLED if is_settled else "",
            )
            return message
        there = other_side(row)
        if there is not None:
            keep(there, kept, is_own=False, actor=actor, at=at)
            if said is Said.RETURN:
                handover.let_go(row, at=at, actor=actor)
        return message


def keep(
    row: AssistanceRequest, kept: Kept, *, is_own: bool, actor: Actor, at: datetime
) -> AssistanceMessage:
    """Add a message to a row's log and bring the row, and its loop, to where the thread now stands."""
    message = AssistanceMessage.unscoped.create(
        request=row,
        territory_code=row.territory_code,
        message=kept.message,
        said=kept.said.value,
        is_own=is_own,
        sequence=kept.sequence,
        data=dict(kept.data),
        said_at=kept.said_at,
        recorded_at=at,
        digest=kept.digest,
        key=kept.key,
        envelope=dict(kept.envelope or {}),
        **_by(actor, is_own=is_own, row=row),
    )
    ended = row.status in (Status.DELETION_ASKED, Status.DELETED) or kept.said in (Said.END, Said.DELETED)
    if kept.note and not ended:  # what comes after the need has ended is not kept any more
        AssistanceNote.unscoped.create(
            message=message,
            request=row,
            territory_code=row.territory_code,
            cipher=keyring().encrypt(kept.note, place=note_place(message)),
        )
    was = row.status
    standing = settle(row, at=at)
    tell(row, message, at=at, actor=actor)
    is_new = standing.status is Status.DELETED and was != Status.DELETED
    if is_new and kept.said is not Said.DELETED:  # the other side had deleted before
        record_event(row, _HEARD[Said.DELETED], at=at, actor=actor, key=message.message)
    handover.follow(row, messages_of(row), standing, at=at, actor=actor)
    return message


def _by(actor: Actor, *, is_own: bool, row: AssistanceRequest) -> dict[str, Any]:
    """Who said it: our own people by name, the other side by its office."""
    if is_own:
        return stamp(actor)
    return {"by_account_id": None, "by_post_id": None, "by_name": row.other_office[:120]}


def settle(row: AssistanceRequest, *, at: datetime) -> Standing:
    """Read the log and write where the row stands; the first time of each step is kept."""
    standing = stand(messages_of(row), is_received=not row.is_asking or row.received_at is not None)
    row.status, row.outcome, row.returned = standing.status.value, standing.outcome, standing.returned
    row.is_answered = standing.is_answered
    status = standing.status
    if status is not Status.DRAFT and row.sent_at is None:
        row.sent_at = at
    if status in (Status.ACCEPTED, Status.ANSWERED) and row.accepted_at is None:
        row.accepted_at = at
    if standing.is_answered and row.answered_at is None:
        row.answered_at = at
    if standing.is_over and row.ended_at is None:
        row.ended_at = at
    if status is Status.DELETED and row.deleted_at is None:
        row.deleted_at = at
        forget_told(row)
    row.save()
    return standing


def forget_told(row: AssistanceRequest) -> None:
    """Destroy what was told about the person, on this side."""
    row.told, row.number = None, None
    AssistanceNote.unscoped.filter(request=row).delete()


def tell(row: AssistanceRequest, message: AssistanceMessage, *, at: datetime, actor: Actor) -> None:
    """Tell the loops what a message means for this side's row, as it stands with it."""
    said = Said(message.said)
    if said is Said.REQUEST:
        kind = "assistance.sent" if row.is_asking else "assistance.arrived"
        record_event(row, kind, at=at, actor=actor, data={"need": row.need})
        if row.is_asking and row.peer_id is None:
            mark_received(row, at=at, actor=actor)
        return
    kind = "assistance.answered" if said is Said.ANSWER and message.data.get("final") else _HEARD[said]
    if said is Said.DELETED and row.status == Status.RETURNED:
        kind = _HEARD[Said.RETURN]  # nobody answered: who is asked now is owed here
    record_event(row, kind, at=at, actor=actor, data=message.data, key=message.message)


def mark_received(row: AssistanceRequest, *, at: datetime, actor: Actor) -> None:
    """The other side has it: by its signed receipt, or because it is in this house."""
    if row.received_at is None:
        row.received_at = at
        settle(row, at=at)
        record_event(row, "assistance.received", at=at, actor=actor)


def record_event(
    row: AssistanceRequest,
    kind: str,
    *,
    at: datetime,
    actor: Actor,
    data: Mapping[str, Any] | None = None,
    key: str = "",
) -> None:
    if not row.is_served:
        return  # it was never ours to do
    event = NewEvent(
        subject_kind=SUBJECT,
        subject_id=row.public_id,
        kind=kind,
        at=at,
        data=dict(data or {}),
        territory_code=row.territory_code,
        person_id=row.person_id,
        idempotency_key=f"{row.public_id}:{kind}:{key}",
    )
    tell_loops([event], actor=actor, now=at)


# --- what was told, encrypted -------------------------------------------------------------------------


def told_place(row: AssistanceRequest) -> str:
    return f"assistance.told:{row.public_id}"


def note_place(message: AssistanceMessage) -> str:
    return f"assistance.note:{message.message}"


def lock_away(row: AssistanceRequest, told: Mapping[str, Any]) -> bytes:
    """The cipher of what a request tells."""
    return keyring().encrypt(json.dumps(told, ensure_ascii=False, sort_keys=True), place=told_place(row))


def told_of(row: AssistanceRequest) -> dict[str, Any]:
    """What a request tells: {fields, reason, question}; empty when it was destroyed."""
    if row.told is None:
        return {}
    found: dict[str, Any] = json.loads(keyring().decrypt(row.told, place=told_place(row)))
    return found


def log_shared(
    row: AssistanceRequest, person: Person, fields: list[str], *, at: datetime, actor: Actor
) -> None:
    """Note on the person's page that her data were shared, with whom and for what."""
    purpose = _("assistance request %(id)s to %(place)s: %(need)s") % {
        "id": row.public_id,
        "place": row.other_office or row.other_territory,
        "need": row.get_need_display(),
    }
    AccessLog.unscoped.create(
        at=at,
        account_id=actor.account_id,
        post_id=actor.post_id,
        actor_name=actor.name[:120],
        person=person,
        territory_code=person.territory_code,
        fields=sorted(set(fields)) or ["operational"],
        purpose=purpose[:200],
        door=actor.door[:20],
    )
