"""A side came back from an older backup and has lost a request: both go on, or the asked side closes it.

The sender learns it by the word `unknown-thread`, by a receipt that calls new what had a receipt before, or
when the two compare what they hold (`compare`). It then says all that it said in the thread again, under the
same numbers. The asked side's messages carry a copy of the request, from which the asking side takes it up
again: nothing but what that side itself had told, sealed for its key. A copy makes a row and links nobody;
people there look whether they asked, and name the contact.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize, moment_now, writing
from bihuan.registry import scope, territory
from bihuan.registry.actor import Actor
from bihuan.tracing.actions.assistance import handover, thread
from bihuan.tracing.actions.assistance.ask import contact_of, office_of, reply_due
from bihuan.tracing.actions.assistance.end import confirm_deletion
from bihuan.tracing.errors import AssistanceClosed
from bihuan.tracing.models import AssistanceDelivery, AssistanceMessage, AssistanceRequest, Peer
from bihuan.tracing.queries.assistance import is_lost_there, is_unlinked
from bihuan.tracing.rules.assistance import (
    SETTLED,
    TAKEN_UP,
    UNKNOWN_THREAD,
    Need,
    Said,
    Side,
    Status,
    may_say,
    stand,
)
from bihuan.tracing.rules.comparing import mark

RIGHT: Final = "assistance.write"


def say_again(requests: Sequence[int], *, at: datetime, is_whole: bool = True) -> None:
    """The other side has lost these requests, or (not `is_whole`) something said in them: what it had of ours
    goes again."""
    had = AssistanceDelivery.unscoped.filter(request__in=requests, delivered_at__isnull=False)
    free = list(had.select_for_update(skip_locked=True).order_by("id").values_list("id", flat=True))
    AssistanceDelivery.unscoped.filter(id__in=free).update(
        delivered_at=None, next_try_at=at, attempts=0, error=UNKNOWN_THREAD if is_whole else ""
    )


def copy_of(row: AssistanceRequest) -> dict[str, Any]:
    """A request as the asked side has it, for the side that asked; without what was told once that is
    deleted."""
    first = AssistanceMessage.unscoped.filter(request=row, said=Said.REQUEST).order_by("id")[0]
    return {
        "need": row.need,
        "clause": row.clause,
        "to_territory": row.territory_code,
        "from_territory": row.other_territory,
        "office": "",
        "shared": list(row.shared),
        "told": thread.told_of(row) or {"fields": {}},
        "message": first.message,
        "sequence": first.sequence,
        "created_at": first.envelope.get("created_at", ""),
    }


def send_copy(row: AssistanceRequest, unsaid: Container[str], *, at: datetime) -> bool:
    """The asked side, which has said nothing yet, of a request that the other side does not know any more:
    its request goes back there as a copy. False when that is not so, or the copy is on its way."""
    own = AssistanceMessage.unscoped.filter(request=row, is_own=True)
    asked = AssistanceMessage.unscoped.filter(request=row, said=Said.REQUEST).order_by("id").first()
    if row.is_asking or row.peer is None or asked is None or own.exists():
        return False
    if mark(asked.message) not in unsaid:
        return False
    before = AssistanceDelivery.unscoped.filter(message=asked)
    if before.exists():
        had = before.filter(delivered_at__isnull=False)
        return had.update(delivered_at=None, next_try_at=at, attempts=0, error=UNKNOWN_THREAD) > 0
    AssistanceDelivery.unscoped.create(
        message=asked,
        request=row,
        peer=row.peer,
        territory_code=row.territory_code,
        next_try_at=at,
        error=UNKNOWN_THREAD,
    )
    return True


def take_up(
    peer: Peer,
    thread_id: str,
    copy: Mapping[str, Any],
    *,
    draft: AssistanceRequest | None,
    said_at: datetime,
    actor: Actor,
    at: datetime,
) -> AssistanceRequest:
    """The asking side's row anew, from the other side's copy (its form checked); or the `draft` that it still
    was in the backup, which has been sent."""
    row = draft or _anew(peer, thread_id, copy, at)
    kept = thread.Kept(Said.REQUEST, copy["message"], copy["sequence"], {TAKEN_UP: True}, said_at)
    message = thread.keep(row, kept, is_own=True, actor=actor, at=at)
    AssistanceDelivery.unscoped.create(
        message=message,
        request=row,
        peer=peer,
        territory_code=row.territory_code,
        next_try_at=at,
        delivered_at=at,
    )
    thread.mark_received(row, at=at, actor=actor)
    return row


def _anew(peer: Peer, thread_id: str, copy: Mapping[str, Any], at: datetime) -> AssistanceRequest:
    row = AssistanceRequest(
        public_id=thread_id,
        territory_code=copy["from_territory"],
        side=Side.ASKING.value,
        thread=thread_id,
        other_territory=copy["to_territory"],
        other_office=office_of(copy["to_territory"], peer),
        own_office=territory.name_path(copy["from_territory"])[:200],
        peer=peer,
        need=copy["need"],
        clause=copy["clause"],
        shared=copy["shared"],
        status=Status.DRAFT.value,
        reply_due_at=reply_due(Need(copy["need"]), copy["to_territory"], copy["from_territory"], at),
        created_at=at,
        by_name=peer.name[:120],
    )
    if copy["told"]["fields"] or copy["told"]["reason"]:
        row.told = thread.lock_away(row, copy["told"])
    row.save()
    return row


def settle_lost(request_id: str, *, actor: Actor, now: datetime | None = None) -> AssistanceRequest:
    """The asked side closes a request that the other side has lost and does not take up: what was told is
    deleted, and what did not arrive is sent no more, unless the other side is heard in the thread again.

    Raises UnknownAssistance, NotAllowed, AssistanceClosed while it is not lost there, or is neither answered
    nor sent back: what was found is told by telephone, and kept here as the answer.
    """
    at = moment_now(now)
    with writing(actor):
        row = thread.held(request_id)
        authorize(RIGHT, row.territory_code)
        with scope.system():  # what waits for the worker
            if not is_lost_there(row):
                raise AssistanceClosed(
                    _("The other side has not lost request %(id)s.") % {"id": row.public_id}
                )
            if row.status != Status.DELETED:
                if not may_say(Said.DELETED, status=Status(row.status), side=Side.ASKED):
                    raise AssistanceClosed(
                        _("Request %(id)s is neither answered nor sent back.") % {"id": row.public_id},
                        hint=_("Do so first, and tell the other side by telephone."),
                    )
                confirm_deletion(row, at=at)
            waiting = AssistanceDelivery.objects.filter(request=row, delivered_at__isnull=True)
            waiting.update(error=SETTLED)
        row.refresh_from_db()
        return row


def link(request_id: str, *, contact: str, actor: Actor, now: datetime | None = None) -> AssistanceRequest:
    """Say which contact here (K-…) a request is about that was taken up again from a copy. From then on it is
    as if it had never been lost: who was taken over there is handed over here.

    Raises UnknownAssistance, NotAllowed, NotFound, AssistanceClosed for any other request.
    """
    at = moment_now(now)
    with writing(actor):
        row = thread.held(request_id)
        authorize(RIGHT, row.territory_code)
        named = contact_of(contact)
        with scope.system():  # the log of the person, who may live elsewhere
            if not is_unlinked(row) or named is None:
                raise AssistanceClosed(_("Request %(id)s asks for no contact.") % {"id": row.public_id})
            row.contact, row.person, row.case = named, named.person, named.case
            row.save(update_fields=["contact", "person", "case"])
            thread.log_shared(row, named.person, list(row.shared), at=at, actor=actor)
            messages = thread.messages_of(row)
            handover.follow(row, messages, stand(messages, is_received=True), at=at, actor=actor)
        row.refresh_from_db()
        return row


def heard_again(requests: Sequence[int], *, at: datetime) -> None:
    """The other side speaks in these threads: what was settled goes after all."""
    settled = AssistanceDelivery.unscoped.filter(
        request__in=requests, delivered_at__isnull=True, error=SETTLED
    )
    settled.update(error="", next_try_at=at)
