"""Appeals against an order, with a clock that ends in the person's favor if nobody answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from bihuan.care.actions.release import finish
from bihuan.care.errors import AppealWaiting, NotObserved, RecordIncomplete, UnknownAppeal, UnknownOrder
from bihuan.care.models import Appeal, Order
from bihuan.care.rules import AppealDecision, ReleaseReason, answer_due
from bihuan.cases.actions.common import authorize, moment_now, writing, zone_of
from bihuan.cases.rules import Moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.policy.values import value
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, NotAllowed
from bihuan.registry.ids import new_id
from bihuan.tracing.models import Contact
from bihuan.tracing.rules import OPEN_STATUSES, Status


def file_appeal(
    order_id: str, *, text: str, filed_by: str, actor: Actor, now: datetime | None = None
) -> Appeal:
    """Ask whether an order stands. `filed_by` is the person herself or who speaks for her.

    Raises AppealWaiting if one waits already, NotObserved if the order has ended.
    """
    at = moment_now(now)
    _needed({"text": text, "filed_by": filed_by})
    with writing(actor):
        order = Order.objects.select_for_update(of=("self",)).filter(public_id=order_id).first()
        if order is None:
            raise UnknownOrder(order_id)
        authorize(
            ("appeal.file", "appeal.decide"),
            order.territory_code,
            subject=("contact", order.contact.public_id),
        )
        if order.ended_at is not None:
            raise NotObserved(_("Order %(id)s has ended.") % {"id": order_id})
        if Appeal.objects.filter(order=order, decided_at__isnull=True).exists():
            raise AppealWaiting(_("An appeal against order %(id)s waits for its answer.") % {"id": order_id})
        hours = float(value("appeal.answer_hours", order.territory_code, at).value)
        appeal = Appeal.objects.create(
            public_id=new_id("A"),
            order=order,
            person_id=order.person_id,
            territory_code=order.territory_code,
            text=text,
            filed_by=filed_by[:120],
            filed_at=at,
            due_at=answer_due(at, hours),
            recorded_at=at,
        )
        tell_loops([_news(appeal, "appeal.filed", at, {"order": order_id})], actor=actor, now=at)
        return appeal


def decide_appeal(
    appeal_id: str, *, decision: str, reason: str, actor: Actor, now: datetime | None = None
) -> Appeal:
    """Answer: upheld (the order ends) or rejected (it stands). Nobody answers an appeal against her own
    order.
    """
    at = moment_now(now)
    _needed({"reason": reason})
    if decision not in (AppealDecision.UPHELD, AppealDecision.REJECTED):
        message = _("%(value)s is not allowed here.") % {"value": decision}
        error = {"field": "decision", "rule": "choice", "message": message, "hint": "upheld, rejected"}
        raise RecordIncomplete(message, errors=[error])
    with writing(actor):
        appeal = waiting(appeal_id)
        authorize("appeal.decide", appeal.territory_code)
        approver = appeal.order.approver_account_id
        if actor.account_id is not None and actor.account_id == approver:
            raise NotAllowed(
                _("Whoever approved an order does not answer the appeal against it."),
                code="own-decision",
                hint=_("Hand the duty over to another post of the command."),
            )
        answer(appeal, AppealDecision(decision), reason=reason, by=actor, at=at, now=at)
        return appeal


def withdraw_appeal(appeal_id: str, *, actor: Actor, now: datetime | None = None) -> Appeal:
    """The person takes the appeal back; the order stands."""
    at = moment_now(now)
    with writing(actor):
        appeal = waiting(appeal_id)
        authorize(("appeal.file", "appeal.decide"), appeal.territory_code)
        answer(appeal, AppealDecision.WITHDRAWN, reason="", by=actor, at=at, now=at)
        return appeal


def waiting(appeal_id: str) -> Appeal:
    """The appeal, held, if it still waits for its answer. Raises UnknownAppeal, Conflict."""
    appeal = Appeal.objects.select_for_update(of=("self",)).filter(public_id=appeal_id).first()
    if appeal is None:
        raise UnknownAppeal(appeal_id)
    if appeal.decided_at is not None:
        raise Conflict(_("Appeal %(id)s was answered already.") % {"id": appeal_id}, code="appeal-answered")
    return appeal


EVENT = {
    AppealDecision.UPHELD: "appeal.decided",
    AppealDecision.REJECTED: "appeal.decided",
    AppealDecision.LAPSED: "appeal.lapsed",
    AppealDecision.WITHDRAWN: "appeal.withdrawn",
}
RELEASES = {
    AppealDecision.UPHELD: ReleaseReason.APPEAL_UPHELD,
    AppealDecision.LAPSED: ReleaseReason.APPEAL_UNANSWERED,
}


def answer(
    appeal: Appeal, decision: AppealDecision, *, reason: str, by: Actor, at: datetime, now: datetime
) -> None:
    """Write an answer given at `at`, end the order if it is in the person's favor, and tell the loops."""
    appeal.decided_at, appeal.decision = at, decision.value
    appeal.decision_reason, appeal.decided_by = reason[:300], by.name
    appeal.decided_by_account_id, appeal.decided_by_post_id = by.account_id, by.post_id
    appeal.save()
    told = [_news(appeal, EVENT[decision], at, {"decision": decision.value, "reason": decision.value})]
    order = Order.objects.select_for_update(of=("self",)).get(id=appeal.order_id)
    if decision in RELEASES and order.ended_at is None:
        contact = Contact.objects.select_for_update(of=("self",)).get(id=order.contact_id)
        if contact.status in (*OPEN_STATUSES, Status.LOST):
            when = Moment(at.astimezone(zone_of(contact.territory_code)).date(), at)
            told += finish(contact, order, reason=RELEASES[decision], text=reason, when=when, by=by.name)
    tell_loops(told, actor=by, now=now)


def _needed(texts: Mapping[str, str]) -> None:
    errors = [
        {"field": name, "rule": "required", "message": _("This may not be empty."), "hint": ""}
        for name, text in texts.items()
        if not text.strip()
    ]
    if errors:
        raise RecordIncomplete(_("Something is missing."), errors=errors)


def _news(appeal: Appeal, kind: str, at: datetime, data: dict[str, Any]) -> NewEvent:
    return NewEvent(
        subject_kind="appeal",
        subject_id=appeal.public_id,
        kind=kind,
        at=at,
        data=data,
        territory_code=appeal.territory_code,
        person_id=appeal.person_id,
        idempotency_key=f"{appeal.public_id}:{kind}",
    )
