"""Release from observation: ask the rule, end the order, close the contact. One or many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.translation import gettext as _

from bihuan.care.errors import NotObserved, NotReleasable
from bihuan.care.models import Order
from bihuan.care.queries.obliged import obliged_until
from bihuan.care.queries.release_facts import ReleaseReader
from bihuan.care.queries.secondary import secondary_among
from bihuan.care.rules import EndReason, ReleaseReason, may_release
from bihuan.cases.actions.common import Day, authorize, moment_now, writing, zone_of
from bihuan.cases.rules import Decision, Moment, moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import news
from bihuan.tracing.actions.follow import RIGHTS, all_locked
from bihuan.tracing.models import Contact
from bihuan.tracing.rules import Status

END_REASON = {
    ReleaseReason.COMPLETED: EndReason.RELEASED,
    ReleaseReason.SOURCE_EXCLUDED: EndReason.SOURCE_EXCLUDED,
    ReleaseReason.GENERAL_CONTACT: EndReason.GENERAL_CONTACT,
    ReleaseReason.APPEAL_UPHELD: EndReason.APPEAL_UPHELD,
    ReleaseReason.APPEAL_UNANSWERED: EndReason.APPEAL_UNANSWERED,
    ReleaseReason.DIED: EndReason.DIED,
    ReleaseReason.NAMED_IN_ERROR: EndReason.NAMED_IN_ERROR,
    ReleaseReason.JOINED: EndReason.JOINED,
}
ORDER_END = ["ended_at", "end_reason", "end_text", "ended_by"]
BATCH = 500  # rows an UPDATE names; more makes its text long and no faster


@dataclass(frozen=True, slots=True)
class ReleaseInput:
    """One release. `at` = when it took place (None = now)."""

    contact: str
    at: Day = None
    reason: str = ReleaseReason.COMPLETED.value
    text: str = ""


def release_contact(
    contact_id: str,
    *,
    actor: Actor,
    reason: str = ReleaseReason.COMPLETED.value,
    text: str = "",
    at: Day = None,
    now: datetime | None = None,
) -> Contact:
    """Release one contact. Raises NotReleasable with the rule's reasons, ContactClosed, NotAllowed."""
    given = ReleaseInput(contact_id, at, reason, text)
    return release_contacts([given], actor=actor, now=now)[0]


def release_contacts(
    inputs: Sequence[ReleaseInput], *, actor: Actor, now: datetime | None = None
) -> list[Contact]:
    """Release many, in one transaction: all, or none with the reasons of the first that may not be."""
    known_at = moment_now(now)
    with writing(actor):
        batch = _Releases(all_locked([given.contact for given in inputs]))
        for given in inputs:
            batch.add(given, actor=actor, now=known_at)
        batch.write(actor=actor, now=known_at)
        return [batch.contacts[given.contact] for given in inputs]


class _Releases:
    """Releases decided one by one on facts read together, and written together."""

    def __init__(self, contacts: Mapping[str, Contact]) -> None:
        self.contacts = contacts
        self.reader = ReleaseReader(list(contacts.values()))
        newest = Order.objects.select_for_update(of=("self",)).filter(
            contact__in=[c.id for c in contacts.values()]
        )
        self.orders = {order.contact_id: order for order in newest.order_by("id")}
        self.ended: list[Order] = []
        self.told: list[NewEvent] = []

    def add(self, given: ReleaseInput, *, actor: Actor, now: datetime) -> None:
        """Decide one. Raises NotObserved, NotReleasable, NotAllowed."""
        reason = ReleaseReason(given.reason)
        contact = self.contacts[given.contact]
        authorize(RIGHTS, contact.territory_code, subject=("contact", given.contact))
        when = moment(given.at if given.at is not None else now, zone_of(contact.territory_code))
        assert when is not None
        order = self.orders.get(contact.id)
        if order is None and reason == ReleaseReason.COMPLETED and not _is_over(contact, when):
            raise NotObserved(
                _("Contact %(id)s was never under observation.") % {"id": given.contact},
                hint=_("Release for another reason, or place the person first."),
            )
        if order is not None:
            decision = may_release(self.reader.facts(contact, order, when), reason)
            if not decision:
                raise NotReleasable(decision)
            if order.ended_at is None:
                self.ended.append(order)
        self.told += decide(contact, order, reason=reason, text=given.text, when=when, by=actor.name)

    def write(self, *, actor: Actor, now: datetime) -> None:
        save_ends(self.contacts.values(), self.ended)
        tell_loops(self.told, actor=actor, now=now)


def decide_release(
    contact_id: str, *, reason: str = ReleaseReason.COMPLETED.value, now: datetime | None = None
) -> Decision:
    """What the rule says of a release now, without doing it: for the page's "why"."""
    contact = Contact.objects.get(public_id=contact_id)
    order = Order.objects.filter(contact=contact, ended_at__isnull=True).first()
    if order is None:
        raise NotObserved(_("No order runs for contact %(id)s.") % {"id": contact_id})
    known_at = moment_now(now)
    facts = ReleaseReader([contact]).facts(contact, order, Moment(_local(contact, known_at), known_at))
    return may_release(facts, ReleaseReason(reason))


def _local(contact: Contact, at: datetime) -> date:
    return at.astimezone(zone_of(contact.territory_code)).date()


def _is_over(contact: Contact, when: Moment) -> bool:
    """Have the days passed that an order would have had? Then nothing obliges any more, observed or not."""
    tz = zone_of(contact.territory_code)
    return when.day > obliged_until(
        contact.exposure_last,
        contact.confirmed_at.astimezone(tz).date(),
        contact.territory_code,
        secondary=bool(secondary_among([contact])),
    )


def finish(
    contact: Contact, order: Order | None, *, reason: ReleaseReason, text: str, when: Moment, by: str
) -> list[NewEvent]:
    """Write a release that was decided, and return what the loops are to hear."""
    runs = order is not None and order.ended_at is None
    told = decide(contact, order, reason=reason, text=text, when=when, by=by)
    save_ends([contact], [order] if order is not None and runs else [])
    return told


def decide(
    contact: Contact, order: Order | None, *, reason: ReleaseReason, text: str, when: Moment, by: str
) -> list[NewEvent]:
    """Set a release on the contact and its running order, unsaved; what the loops are to hear."""
    told = []
    if order is not None and order.ended_at is None:
        told.append(_set_end(contact, order, reason=END_REASON[reason], text=text, when=when, by=by))
    contact.status = (Status.GENERAL if reason == ReleaseReason.GENERAL_CONTACT else Status.RELEASED).value
    contact.released_at = when.instant(zone_of(contact.territory_code))
    contact.release_reason = reason.value
    told.append(news(contact, "contact.released", when, {"reason": reason.value}, key="contact.released"))
    return told


def save_ends(contacts: Iterable[Contact], orders: Sequence[Order]) -> None:
    """Save what `decide` set, in a statement for the contacts and one for the orders."""
    Contact.objects.bulk_update(contacts, ["status", "released_at", "release_reason"], batch_size=BATCH)
    if orders:
        Order.objects.bulk_update(orders, ORDER_END, batch_size=BATCH)


def end_order(
    contact: Contact, order: Order, *, reason: EndReason, when: Moment, by: str, text: str = ""
) -> NewEvent:
    """Write the end of a running order, within its start and its own end; what the loops are to hear."""
    told = _set_end(contact, order, reason=reason, when=when, by=by, text=text)
    order.save(update_fields=ORDER_END)
    return told


def _set_end(
    contact: Contact, order: Order, *, reason: EndReason, when: Moment, by: str, text: str = ""
) -> NewEvent:
    tz = zone_of(contact.territory_code)
    order.ended_at = max(min(when.instant(tz), order.end_at), order.start_at)
    order.end_reason, order.end_text, order.ended_by = reason.value, text[:300], by
    ended = Moment(order.ended_at.astimezone(tz).date(), order.ended_at) if when.at else when
    return ended_event(contact, order, ended)


def ended_event(contact: Contact, order: Order, when: Moment) -> NewEvent:
    data = {"order": order.public_id, "order_running": False, "reason": order.end_reason}
    return news(contact, "order.ended", when, data, key=f"order.ended:{order.public_id}")
