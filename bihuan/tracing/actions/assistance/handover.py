"""A contact whom another territory has taken over: this side's loop ends as handed over, and opens again as
it was when the person comes back.

The side that gives her away lets go last: the asking side when the acceptance that names her a contact there
is here, the asked side when the other has her return. So for a while both have her, and at no time nobody.
Everything runs in the transaction that keeps the message or its receipt, as the system.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import Q
from django.utils.translation import gettext as _

from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.loops.models import LogEvent, Subject
from bihuan.loops.rules.definition import LOOP_CLOSED
from bihuan.loops.rules.words import RETRACTED
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.tracing.errors import AssistanceClosed
from bihuan.tracing.models import AssistanceMessage, AssistanceRequest, Contact
from bihuan.tracing.rules import Status
from bihuan.tracing.rules.assistance import Message, Said, Side, Standing, is_taken_over

HANDED_OVER: Final = "contact.handed_over"
OUTCOME: Final = "handed_over"
_LIVE: Final = (Status.CONFIRMED, Status.LOST)
_ORDER_RUNS: Final = "order_running"


def follow(
    row: AssistanceRequest, messages: list[Message], standing: Standing, *, at: datetime, actor: Actor
) -> None:
    """The asking side, after a message was kept: its contact goes to the other side, or comes back.

    What is accepted after the need has ended here moves nobody: who took the request back has the person.
    """
    if not row.is_asking or row.contact_id is None:
        return
    is_theirs = is_taken_over(messages)
    if is_theirs == (row.handed_over_at is not None) or (is_theirs and standing.is_over):
        return
    row.handed_over_at = at if is_theirs else None
    row.save(update_fields=["handed_over_at"])
    _settle(row.contact_id, at=at, actor=actor)


def let_go(row: AssistanceRequest, *, at: datetime, actor: Actor) -> None:
    """The asked side, when the other has the return: the contact it had named goes back there."""
    if row.is_asking or row.made_contact_id is None or row.handed_over_at is not None:
        return
    row.handed_over_at = at
    row.save(update_fields=["handed_over_at"])
    _settle(row.made_contact_id, at=at, actor=actor)


def lost_there(row: AssistanceRequest, *, at: datetime, actor: Actor) -> None:
    """The asking side, when the other has lost the request: who knows whether anybody there has the person,
    so she is ours again until they accept anew."""
    if not row.is_asking or row.contact_id is None or row.handed_over_at is None:
        return
    row.handed_over_at = None
    row.save(update_fields=["handed_over_at"])
    _settle(row.contact_id, at=at, actor=actor)


def require_returnable(row: AssistanceRequest) -> None:
    """Raises AssistanceClosed while the person is under an order here, or is a case here: then she is nobody
    else's."""
    contact = row.made_contact
    if contact is None:
        return
    with scope.system():
        if contact.status != Status.BECAME_CASE and not _is_under_order(contact):
            return
    raise AssistanceClosed(
        _("Contact %(id)s is under observation or a case here; the request cannot be sent back.")
        % {"id": contact.public_id},
        hint=_("End the observation with its reason first, or answer the request."),
    )


def _settle(contact_id: int, *, at: datetime, actor: Actor) -> None:
    """Bring a contact to where its requests say it is; one after another if several say so at once."""
    contact = Contact.unscoped.select_for_update(of=("self",)).get(id=contact_id)
    holder = (
        AssistanceRequest.unscoped.filter(
            Q(contact=contact, side=Side.ASKING) | Q(made_contact=contact, side=Side.ASKED),
            handed_over_at__isnull=False,
        )
        .order_by("handed_over_at", "id")
        .first()
    )
    if holder is not None and contact.status in _LIVE and not _is_under_order(contact):
        _hand_over(contact, holder, at=at, actor=actor)
    elif holder is None and contact.status == Status.HANDED_OVER:
        _take_back(contact, at=at, actor=actor)


def _hand_over(contact: Contact, holder: AssistanceRequest, *, at: datetime, actor: Actor) -> None:
    contact.status, contact.handed_over_at = Status.HANDED_OVER.value, at
    contact.save(update_fields=["status", "handed_over_at"])
    done = _tell(contact, HANDED_OVER, proof_of(holder), at=at, actor=actor)
    if not done:  # it was opened under a pack that does not know the word, and keeps its rules
        _tell(contact, LOOP_CLOSED, {"outcome": OUTCOME}, at=at, actor=actor)


def _take_back(contact: Contact, *, at: datetime, actor: Actor) -> None:
    """The hand-over is read as if it had never come: what was owed is owed again, by its own deadlines."""
    contact.status = (Status.CONFIRMED if contact.lost_at is None else Status.LOST).value
    contact.handed_over_at = None
    contact.save(update_fields=["status", "handed_over_at"])
    for event in heard_of(contact):
        is_ours = event.kind == HANDED_OVER or (
            event.kind == LOOP_CLOSED and event.data.get("outcome") == OUTCOME
        )
        if is_ours:
            _tell(contact, RETRACTED, {"event": event.pk, "reason": "returned"}, at=at, actor=actor)


def proof_of(row: AssistanceRequest) -> dict[str, str]:
    """With whom the person is, and by what: the request, and the message that said so. `digest` names the
    signed envelope of another installation, "" inside this one."""
    said = Said.ACCEPT if row.is_asking else Said.RETURN
    messages = AssistanceMessage.unscoped.filter(request=row, said=said)
    message = messages.order_by("-sequence", "-id").first()
    return {
        "request": row.public_id,
        "territory": row.other_territory,
        "office": row.other_office,
        "message": message.message if message else "",
        "digest": message.digest if message else "",
    }


def _tell(contact: Contact, kind: str, data: Mapping[str, Any], *, at: datetime, actor: Actor) -> bool:
    """Whether it closed the loop."""
    event = NewEvent(
        subject_kind="contact",
        subject_id=contact.public_id,
        kind=kind,
        at=at,
        data=dict(data),
        territory_code=contact.territory_code,
        person_id=contact.person_id,
    )
    return tell_loops([event], actor=actor, now=at).loops_closed > 0


def _is_under_order(contact: Contact) -> bool:
    """Whether an observation order runs, by the contact's own log: orders are a matter of a room above."""
    said = [event.data[_ORDER_RUNS] for event in heard_of(contact) if _ORDER_RUNS in event.data]
    return bool(said and said[-1])


def heard_of(contact: Contact) -> list[LogEvent]:
    """What was recorded of a contact and not taken back since, in the order of when it was true."""
    log = _log(contact)
    gone = {event.data.get("event") for event in log if event.kind == RETRACTED}
    return [event for event in log if event.pk not in gone]


def _log(contact: Contact) -> list[LogEvent]:
    subjects = Subject.objects.filter(kind="contact", ref=contact.public_id).values("id")
    return list(LogEvent.objects.filter(subject_id__in=subjects).order_by("at", "id"))
