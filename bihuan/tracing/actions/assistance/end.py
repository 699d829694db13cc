"""The need ends: both sides delete what was shared, and the asked side confirms it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize, moment_now, writing
from bihuan.policy.values import value
from bihuan.registry import clock, posts, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict
from bihuan.registry.outbox import NewNotice, announce
from bihuan.registry.shredder import shred_person
from bihuan.tracing.actions.assistance import thread
from bihuan.tracing.errors import AssistanceClosed, AssistanceInvalid
from bihuan.tracing.models import AssistanceDelivery, AssistanceRequest
from bihuan.tracing.rules.assistance import SETTLED, Said, Side, Status, may_say

RIGHT: Final = "assistance.write"
RETENTION: Final = "retention.assistance_days"
REMINDED: Final = "assistance.reminded"


def end(request_id: str, *, actor: Actor, now: datetime | None = None) -> AssistanceRequest:
    """The asking side needs nothing more: the other side is to delete what it was told, and to confirm it.

    Also takes a request back that nobody answered. Raises UnknownAssistance,
    AssistanceClosed, AssistanceInvalid (only the asking side ends a request), NotAllowed.
    """
    at = moment_now(now)
    with writing(actor):
        row = thread.held(request_id)
        authorize(RIGHT, row.territory_code)
        if not row.is_asking:
            text = _("Only the side that asked can say that the need has ended.")
            raise AssistanceInvalid([{"field": "request", "rule": "side", "message": text, "hint": ""}])
        thread.say(row, Said.END, actor=actor, at=at)
        with scope.system():  # the other side's row lies in another territory
            there = thread.other_side(row)
            if there is not None:
                confirm_deletion(there, at=at)
        row.refresh_from_db()
        return row


def erase(row: AssistanceRequest, *, at: datetime) -> bool:
    """Destroy what was told on this side; True when nothing of it is left.

    A person who was registered for this request only goes, too, unless something here needs her by now. That
    is the owner of the tables' to do: with the door's role the worker follows.
    """
    thread.forget_told(row)
    row.save()
    if not row.made_person or row.made_contact_id is not None or row.person is None:
        return True
    if settings.DATABASE_ROLE == "door":
        return False
    if row.person.shredded_at is None:
        try:
            actor = Actor.system("assistance")
            shred_person(row.person.pk, reason=f"assistance request {row.thread} ended", actor=actor)
        except Conflict:
            return True  # she is needed here for a reason of its own, and kept by its rule
    return True


def confirm_deletion(row: AssistanceRequest, *, at: datetime) -> bool:
    """The asked side deletes and says so. False when the worker has to finish it."""
    row.refresh_from_db()
    if row.is_asking or row.status == Status.DELETED:
        return False
    if not erase(row, at=at):
        return False
    thread.say(row, Said.DELETED, actor=Actor.system("assistance"), at=at)
    return True


def delete_now(request_id: str, *, actor: Actor, now: datetime | None = None) -> AssistanceRequest:
    """The asked side deletes what it was told before its time, and says so. Raises AssistanceClosed while the
    request still waits for an answer, AssistanceInvalid on the asking side, UnknownAssistance, NotAllowed."""
    at = moment_now(now)
    with writing(actor):
        row = thread.held(request_id)
        authorize(RIGHT, row.territory_code)
        if not may_say(Said.DELETED, status=Status(row.status), side=Side(row.side)):
            raise AssistanceClosed(
                _("Request %(id)s stands at “%(status)s”; this can no longer be done, or not yet.")
                % {"id": row.public_id, "status": row.get_status_display()}
            )
        with scope.system():  # the other side's row lies in another territory
            confirm_deletion(row, at=at)
        row.refresh_from_db()
        return row


def remind(request_id: str, *, actor: Actor, now: datetime | None = None) -> bool:
    """Press the other side: in this installation the post that owes it gets a notice (once a day); to another
    one everything this side said goes again at the next minute, under the same numbers, so that one that came
    back from an older backup has it again, and any other nothing twice. Ends no duty. True when there was
    somebody to press."""
    at = moment_now(now)
    with writing(actor):
        row = thread.held(request_id)
        authorize(RIGHT, row.territory_code)
        with scope.system():  # the other side's row and posts lie in another territory
            there = thread.other_side(row)
            if there is None:
                said = AssistanceDelivery.objects.filter(request=row)
                if row.status == Status.DELETED:
                    said = said.filter(delivered_at__isnull=True)
                free = list(said.select_for_update(skip_locked=True).values_list("id", flat=True))
                again = AssistanceDelivery.objects.filter(id__in=free)
                return bool(again.update(next_try_at=at, delivered_at=None))
            post = posts.resolve_owner(("cdc_investigation",), there.territory_code).post_id
            day = clock.local_day(at).isoformat()
            payload = {"request": there.public_id}
            notice = NewNotice(post, REMINDED, f"assistance/{there.public_id}/{day}", payload)
            announce([notice], now=at)
            return True


def erase_what_is_over(*, now: datetime | None = None) -> int:
    """Delete and confirm where the need has ended, and where an answer is older than the pack's days of
    keeping.

    Runs as the system (worker). Returns how many requests were confirmed deleted.
    """
    at, n = moment_now(now), 0
    with scope.system():
        ended = AssistanceRequest.objects.filter(side=Side.ASKED, status=Status.DELETION_ASKED)
        for public_id in list(ended.order_by("id").values_list("public_id", flat=True)):
            n += _finish(public_id, at)
        old = AssistanceRequest.objects.filter(side=Side.ASKED, status__in=[Status.ANSWERED, Status.RETURNED])
        on_the_way = AssistanceDelivery.objects.filter(delivered_at__isnull=True).exclude(error=SETTLED)
        for row in list(old.exclude(id__in=on_the_way.values("request")).order_by("id")):
            since = row.answered_at or row.accepted_at or row.created_at
            is_begun = row.told is None and row.status == Status.ANSWERED  # deleted before its time
            if is_begun or since + timedelta(days=_days(row, at)) <= at:
                n += _finish(row.public_id, at)
    return n


def _finish(public_id: str, at: datetime) -> int:
    with writing(Actor.system("assistance")):
        return int(confirm_deletion(thread.held(public_id), at=at))


def _days(row: AssistanceRequest, at: datetime) -> float:
    return float(value(RETENTION, row.territory_code, at).value)
