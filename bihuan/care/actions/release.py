"""Release from observation: ask the rule, end the order, close the contact. One or many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.translation import gettext as _

from bihuan.care.errors import NotObserved, NotReleasable
from bihuan.care.models import DailyCheck, Order
from bihuan.care.queries.obliged import obliged_until
from bihuan.care.rules import EndReason, ReleaseFacts, ReleaseReason, may_release
from bihuan.cases.actions.common import Day, authorize, moment_now, writing, zone_of
from bihuan.cases.models import Test
from bihuan.cases.rules import Decision, Moment, TestResult, moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.policy.packs import in_force
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import locked, news
from bihuan.tracing.actions.follow import RIGHTS
from bihuan.tracing.models import Contact
from bihuan.tracing.rules import Status

END_REASON = {
    ReleaseReason.COMPLETED: EndReason.RELEASED,
    ReleaseReason.SOURCE_EXCLUDED: EndReason.SOURCE_EXCLUDED,
    ReleaseReason.GENERAL_CONTACT: EndReason.GENERAL_CONTACT,
    ReleaseReason.APPEAL_UPHELD: EndReason.APPEAL_UPHELD,
    ReleaseReason.APPEAL_UNANSWERED: EndReason.APPEAL_UNANSWERED,
    ReleaseReason.DIED: EndReason.DIED,
}


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
        told: list[NewEvent] = []
        done = [_release(given, actor=actor, now=known_at, told=told) for given in inputs]
        tell_loops(told, actor=actor, now=known_at)
        return done


def decide_release(
    contact_id: str, *, reason: str = ReleaseReason.COMPLETED.value, now: datetime | None = None
) -> Decision:
    """What the rule says of a release now, without doing it: for the page's "why"."""
    contact = Contact.objects.get(public_id=contact_id)
    order = Order.objects.filter(contact=contact, ended_at__isnull=True).first()
    if order is None:
        raise NotObserved(_("No order runs for contact %(id)s.") % {"id": contact_id})
    known_at = moment_now(now)
    return may_release(
        facts_for(contact, order, Moment(_local(contact, known_at), known_at)), ReleaseReason(reason)
    )


def _local(contact: Contact, at: datetime) -> date:
    return at.astimezone(zone_of(contact.territory_code)).date()


def _release(given: ReleaseInput, *, actor: Actor, now: datetime, told: list[NewEvent]) -> Contact:
    reason = ReleaseReason(given.reason)
    contact = locked(given.contact)
    authorize(RIGHTS, contact.territory_code, subject=("contact", given.contact))
    tz = zone_of(contact.territory_code)
    when = moment(given.at if given.at is not None else now, tz)
    assert when is not None
    order = Order.objects.select_for_update(of=("self",)).filter(contact=contact).order_by("-id").first()
    if order is None and reason == ReleaseReason.COMPLETED and not _is_over(contact, when):
        raise NotObserved(
            _("Contact %(id)s was never under observation.") % {"id": given.contact},
            hint=_("Release for another reason, or place the person first."),
        )
    if order is not None:
        decision = may_release(facts_for(contact, order, when), reason)
        if not decision:
            raise NotReleasable(decision)
    told += finish(contact, order, reason=reason, text=given.text, when=when, by=actor.name)
    return contact


def _is_over(contact: Contact, when: Moment) -> bool:
    """Have the days passed that an order would have had? Then nothing obliges any more, observed or not."""
    tz = zone_of(contact.territory_code)
    return when.day > obliged_until(
        contact.exposure_last, contact.confirmed_at.astimezone(tz).date(), contact.territory_code
    )


def finish(
    contact: Contact, order: Order | None, *, reason: ReleaseReason, text: str, when: Moment, by: str
) -> list[NewEvent]:
    """Write a release that was decided, and return what the loops are to hear."""
    tz = zone_of(contact.territory_code)
    told = []
    if order is not None and order.ended_at is None:
        told.append(end_order(contact, order, reason=END_REASON[reason], text=text, when=when, by=by))
    contact.status = (Status.GENERAL if reason == ReleaseReason.GENERAL_CONTACT else Status.RELEASED).value
    contact.released_at, contact.release_reason = when.instant(tz), reason.value
    contact.save(update_fields=["status", "released_at", "release_reason"])
    told.append(news(contact, "contact.released", when, {"reason": reason.value}, key="contact.released"))
    return told


def end_order(
    contact: Contact, order: Order, *, reason: EndReason, when: Moment, by: str, text: str = ""
) -> NewEvent:
    """Write the end of a running order, within its start and its own end; what the loops are to hear."""
    tz = zone_of(contact.territory_code)
    order.ended_at = max(min(when.instant(tz), order.end_at), order.start_at)
    order.end_reason, order.end_text, order.ended_by = reason.value, text[:300], by
    order.save(update_fields=["ended_at", "end_reason", "end_text", "ended_by"])
    ended = Moment(order.ended_at.astimezone(tz).date(), order.ended_at) if when.at else when
    return ended_event(contact, order, ended)


def ended_event(contact: Contact, order: Order, when: Moment) -> NewEvent:
    data = {"order": order.public_id, "order_running": False, "reason": order.end_reason}
    return news(contact, "order.ended", when, data, key=f"order.ended:{order.public_id}")


def facts_for(contact: Contact, order: Order, when: Moment) -> ReleaseFacts:
    """What the release rule sees, as of `when`. Tests are required only where the pack's release rule
    asks.
    """
    tz = zone_of(contact.territory_code)
    now = when.instant(tz)
    if when.at is None:  # a date stands for its end: whatever that day brought has happened
        now = min(Moment(when.day).instant(tz).replace(hour=23, minute=59), order.end_at)
    policy = in_force(contact.territory_code, order.first_day)
    needs_tests = policy.value("observation.release_rule").value == "no_symptoms_and_negative"
    return ReleaseFacts(
        now=now,
        today=when.day,
        last=order.last_day,
        ends_at=order.end_at,
        tests=_results(contact, order, now) if needs_tests else {},
        symptoms_open=_symptoms_open(contact, now),
        other_last=_other_last(contact, order, now),
    )


def _results(contact: Contact, order: Order, now: datetime) -> Mapping[date, str]:
    """The result that answers each test day: of the first specimen from that day to before the next test day.

    A positive anywhere outweighs a negative of the same span; an inconclusive one does not answer.
    """
    tz = zone_of(contact.territory_code)
    tests = Test.objects.filter(subject_kind="contact", subject_id=contact.public_id, recorded_at__lte=now)
    found: dict[date, str] = {}
    spans = list(zip(order.tests_on, [*order.tests_on[1:], date.max], strict=True))
    for test in tests.exclude(result=TestResult.PENDING.value):
        taken = test.sampled_at or test.result_at
        day = taken.astimezone(tz).date() if taken else None
        for start, following in spans:
            if day is not None and start <= day < following and found.get(start) != TestResult.POSITIVE:
                found[start] = _heavier(found.get(start, ""), test.result)
    return {day: found.get(day, "") for day in order.tests_on}


def _heavier(one: str, other: str) -> str:
    weight = {
        "": 0,
        TestResult.INCONCLUSIVE.value: 1,
        TestResult.NEGATIVE.value: 2,
        TestResult.POSITIVE.value: 3,
    }
    return one if weight[one] >= weight[other] else other


def _symptoms_open(contact: Contact, now: datetime) -> bool:
    last = (
        DailyCheck.objects.filter(contact=contact, at__lte=now).exclude(symptoms=[]).order_by("-at").first()
    )
    told = max(
        (t for t in (last.at if last else None, contact.symptomatic_at) if t is not None), default=None
    )
    if told is None or told > now:
        return False
    tested = Test.objects.filter(subject_kind="contact", subject_id=contact.public_id, sampled_at__gte=told)
    answered = Test.objects.filter(subject_kind="contact", subject_id=contact.public_id, result_at__gte=told)
    return not (tested | answered).exclude(result=TestResult.PENDING.value).exists()


def _other_last(contact: Contact, order: Order, now: datetime) -> date | None:
    """The last day of another live order of the same person: the longest obligation wins."""
    root = contact.person.root_id
    others = Order.objects.filter(person__root_id=root, ended_at__isnull=True, end_at__gt=now).exclude(
        id=order.id
    )
    return others.order_by("-last_day").values_list("last_day", flat=True).first()
