"""From contact to case, and from suspected case to no case: what either means for the others (traps 7 and
8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from bihuan.care.actions.release import end_order
from bihuan.care.actions.sources import end_namings
from bihuan.care.models import Order
from bihuan.care.queries.obliged import SECONDARY_RULE
from bihuan.care.rules import EndReason, ReleaseReason
from bihuan.cases.actions import CaseInput, report_case, revise_case
from bihuan.cases.actions.common import Day, authorize, moment_now, writing, zone_of
from bihuan.cases.models import Case
from bihuan.cases.queries.facts import moments_from
from bihuan.cases.queries.lines import still_cases
from bihuan.cases.rules import Classification, Moment, moment
from bihuan.loops.actions import hand_loop_over
from bihuan.loops.actions import record as tell_loops
from bihuan.loops.models import Loop
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import locked, news
from bihuan.tracing.actions.merge import LIVE, reclassify_contacts_of
from bihuan.tracing.actions.namings import sources_of
from bihuan.tracing.models import CaseLink, Contact, Exposure
from bihuan.tracing.rules import Status


def convert_contact_to_case(
    contact_id: str,
    given: CaseInput | None = None,
    *,
    actor: Actor,
    classification: str = Classification.CONFIRMED.value,
    at: Day = None,
    now: datetime | None = None,
) -> Case:
    """A contact is a case: report it, end the order, close the contact loop and hand it over to
    the case loop.

    `given` may carry more facts (its person and territory are those of the contact). A person decides this;
    every exposure becomes a link to its source case. Contacts of this contact are contacts of a case now.
    Whoever is a case already is not reported a second time: the contact became that case, whose facts stand;
    a suspected one is revised to the classification, and an onset it lacks is added.
    """
    known_at = moment_now(now)
    with writing(actor):
        contact = locked(contact_id)
        authorize("case.write", contact.territory_code, subject=("contact", contact_id))
        tz = zone_of(contact.territory_code)
        when = moment(at if at is not None else known_at, tz)
        assert when is not None
        facts = _case_input(contact, given, classification, when)
        case = _known_case(contact, facts, actor=actor, at=when, now=known_at)
        if case is None:
            case = report_case(facts, actor=actor, now=known_at)
        become(contact, case, when=when, actor=actor, now=known_at)
        return case


def become(contact: Contact, case: Case, *, when: Moment, actor: Actor, now: datetime) -> None:
    """A contact, held by the caller, became this case of hers, in the caller's transaction."""
    for source in sources_of([contact])[contact.pk]:
        _link(contact, source, case, now)
    contact.status, contact.became_case = Status.BECAME_CASE.value, case
    contact.save(update_fields=["status", "became_case"])
    told = []
    running = Order.objects.select_for_update(of=("self",)).filter(contact=contact, ended_at__isnull=True)
    order = running.first()
    if order is not None:
        told.append(end_order(contact, order, reason=EndReason.BECAME_CASE, when=when, by=actor.name))
    told.append(
        news(contact, "contact.became_case", when, {"case": case.public_id}, key="contact.became_case")
    )
    tell_loops(told, actor=actor, now=now)
    _hand_over(contact, case)
    again = reclassify_contacts_of(contact, case, actor=actor, now=now)
    _ask_again(again, case, actor=actor, now=now)


def cases_of(root_id: int) -> QuerySet[Case]:
    """The cases that somebody (all records joined as her) still is, the first found first."""
    return still_cases().filter(person__root_id=root_id).order_by("found_at", "id")


def _known_case(
    contact: Contact, facts: CaseInput, *, actor: Actor, at: Moment, now: datetime
) -> Case | None:
    with scope.system():  # she may be a case in another territory
        found = cases_of(contact.person.root_id).filter(disease=facts.disease).first()
    if found is None:
        return None
    changes: dict[str, Any] = {}
    if found.classification == Classification.SUSPECTED.value != facts.classification:
        changes["classification"] = facts.classification
    if facts.date_onset is not None and "onset" not in moments_from(found):
        changes["date_onset"] = facts.date_onset
    if not changes:
        return found
    reason = _("Contact %(id)s became this case.") % {"id": contact.public_id}
    return revise_case(found.public_id, changes, reason=reason, actor=actor, at=at.at or at.day, now=now)


def _ask_again(contacts: Sequence[str], case: Case, *, actor: Actor, now: datetime) -> None:
    """Contacts of a contact who are close contacts now, under an order shorter than that asks for: their
    loops ask for a decision, whether or not the last exposure moved."""
    with scope.system():  # they may live elsewhere
        orders = Order.objects.filter(
            contact__public_id__in=contacts, ended_at__isnull=True, rule=SECONDARY_RULE
        )
        told = [
            news(
                order.contact,
                "contact.exposed_again",
                Moment(now.astimezone(zone_of(order.territory_code)).date(), now),
                {"case": case.public_id},
                key=f"contact.exposed_again:{case.public_id}",
            )
            for order in orders.select_related("contact")
        ]
        tell_loops(told, actor=actor, now=now)


def _case_input(contact: Contact, given: CaseInput | None, classification: str, when: Moment) -> CaseInput:
    facts = (
        given if given is not None else CaseInput(person="", territory_code="", classification=classification)
    )
    facts = replace(facts, person=contact.person.public_id, territory_code=contact.territory_code)
    if facts.date_diagnosis is None and facts.date_confirmation is None:
        facts = replace(facts, date_diagnosis=when.at or when.day)
    return facts


def _link(contact: Contact, source: int, case: Case, at: datetime) -> None:
    if source == case.id:
        return
    CaseLink.unscoped.get_or_create(
        from_case_id=source,
        to_case=case,
        defaults={
            "territory_code": case.territory_code,
            "kind": contact.exposure_kind,
            "setting": contact.setting,
            "source": contact.public_id,
            "recorded_at": at,
        },
    )


def _hand_over(contact: Contact, case: Case) -> None:
    with scope.system():  # either loop may lie in a territory the actor does not see
        old = _loop("contact", contact.public_id)
        new = _loop("case", case.public_id)
    if old is not None and new is not None:
        hand_loop_over(old, new)


def _loop(kind: str, ref: str) -> str | None:
    rows = Loop.objects.filter(subject_kind=kind, subject_ref=ref, definition=kind)
    return rows.values_list("public_id", flat=True).first()


def exclude_case(
    case_id: str, *, reason: str, actor: Actor, at: Day = None, now: datetime | None = None
) -> list[str]:
    """A suspected case is none: discard it and release its contacts at once, unless something else
    obliges them.

    Returns the contacts released.
    """
    known_at = moment_now(now)
    with writing(actor):
        changes = {"classification": Classification.DISCARDED.value}
        case = revise_case(case_id, changes, reason=reason, actor=actor, at=at, now=known_at)
        return release_contacts_of_excluded(case.id, actor=actor, now=known_at)


def release_contacts_of_excluded(case_pk: int, *, actor: Actor, now: datetime) -> list[str]:
    """A discarded case obliges nobody: release its live contacts, in their favor, so that nobody needs to ask
    (trap 8). Returns who was released.

    Whoever is named for another case that stands is observed for that one, as long as it asks and no longer.
    """
    with scope.system():  # contacts may live in other territories; freedom does not wait for their desk
        further = Exposure.objects.filter(case_id=case_pk).values("contact")
        waiting = (
            Contact.objects.select_for_update(of=("self",))
            .filter(Q(case_id=case_pk) | Q(pk__in=further), status__in=[s.value for s in LIVE])
            .order_by("id")
        )
        return end_namings(
            list(waiting),
            lambda _contact, naming: naming.case == case_pk,
            release=ReleaseReason.SOURCE_EXCLUDED,
            reason=_("The source case was excluded."),
            actor=actor,
            now=now,
        ).released
