"""Two records are found to be one person, or one turns out to be two: what was owed about them follows.

Whoever is a contact under both records is observed once: one contact goes on and takes the exposures of the
other, which ends; the longest obligation wins, as with every further exposure (`tracing.actions.merge`). What
still waits for a decision ends nowhere: then both stay. Whoever is a case under one record is a contact under
the other no longer. Taken back, whoever is somebody else is named anew, so that nobody is free by a mistake,
and what the other was never exposed to no longer obliges her.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from django.db.models import F

from bihuan.care.actions.convert import become, cases_of
from bihuan.care.actions.sources import end_namings
from bihuan.care.models import Appeal, Order
from bihuan.care.queries.obliged import obliged_until
from bihuan.care.rules import ReleaseReason
from bihuan.care.rules.joining import Held, settle
from bihuan.cases.actions.common import moment_now, writing, zone_of
from bihuan.cases.models import Case
from bihuan.cases.rules import CONFIRMED_LIKE, Moment
from bihuan.loops.actions import take_hand_over_back
from bihuan.loops.models import Duty
from bihuan.registry import scope
from bihuan.registry.actions.people import merge_people, unmerge
from bihuan.registry.actor import Actor
from bihuan.registry.models import MergeRecord, Person
from bihuan.registry.queries import person_by_public_id
from bihuan.tracing.actions import record_located
from bihuan.tracing.actions.merge import LIVE, hand_namings_over, inputs_of, name_contacts
from bihuan.tracing.actions.naming import ContactInput
from bihuan.tracing.actions.namings import carried, joined_by, lender_of, places_of, sources_of
from bihuan.tracing.models import AssistanceRequest, CaseLink, Contact, Exposure
from bihuan.tracing.rules import Status

#: Duties of the contact loop by which somebody decides about a symptom or a positive test.
DECIDING: Final = ("symptoms", "confirm")


@dataclass(frozen=True, slots=True)
class Joined:
    """What joining two records came to. `merge` is the number by which it is taken back. `ended`: contacts
    that ended, each with the one that goes on, by public id. `apart`: contacts of hers that stay beside each
    other, as something about them is still to be decided. `became`: contacts of hers that became her case,
    each with that. Told of are those within the scope acted in."""

    merge: int
    ended: tuple[tuple[str, str], ...] = ()
    apart: tuple[str, ...] = ()
    became: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Parted:
    """What parting came to. `named`: contacts named anew for who is somebody else, by public id."""

    named: tuple[str, ...] = ()


def join_records(keep: str, other: str, *, reason: str, actor: Actor, now: datetime | None = None) -> Joined:
    """Two records (public ids) are one person; `keep` stands for both. Asks for `person.merge` on both.

    Raises NotFound, NotAllowed, Invalid (no reason, the same record), Conflict (joined already, decided to be
    different, two different documents).
    """
    at = moment_now(now)
    with writing(actor):
        kept, joined = person_by_public_id(keep), person_by_public_id(other)
        record = merge_people(keep=kept.pk, merge=joined.pk, reason=reason, actor=actor)
        with scope.system():  # a contact of hers may be followed in another territory
            done = _one_contact(record, reason=reason, actor=actor, at=at)
        sight = _in_sight(one for pair in (*done.ended, done.apart, *done.became) for one in pair)
        return replace(
            done,
            ended=tuple(pair for pair in done.ended if sight.issuperset(pair)),
            apart=tuple(one for one in done.apart if one in sight),
            became=tuple(pair for pair in done.became if sight.issuperset(pair)),
        )


def part_records(merge: int, *, reason: str, actor: Actor, now: datetime | None = None) -> Parted:
    """Take a join back (`merge` of `Joined`): they are two people. Asks for `person.merge` on both.

    Raises NotFound, NotAllowed, Invalid (no reason), Conflict (taken back before).
    """
    at = moment_now(now)
    with writing(actor):
        record = unmerge(merge, reason=reason, actor=actor)
        with scope.system():
            named = _two_people(record, reason=reason, actor=actor, at=at)
        sight = _in_sight(named)
        return Parted(tuple(one for one in named if one in sight))


def _in_sight(public_ids: Iterable[str]) -> set[str]:
    """Those of these contacts and cases that the scope acted in sees: what lies elsewhere is not told."""
    asked = set(public_ids)
    contacts = Contact.objects.filter(public_id__in=asked).values_list("public_id", flat=True)
    return {*contacts, *Case.objects.filter(public_id__in=asked).values_list("public_id", flat=True)}


def _one_contact(record: MergeRecord, *, reason: str, actor: Actor, at: datetime) -> Joined:
    root = Person.objects.values_list("root_id", flat=True).get(pk=record.kept_id)
    rows = Contact.objects.select_for_update(of=("self",)).filter(
        person__root_id=root, status__in=[s.value for s in LIVE]
    )
    contacts = {contact.pk: contact for contact in rows.order_by("id")}
    held = _held(list(contacts.values()))
    became = _became(root, contacts, held, actor=actor, at=at)
    gone = {contact for contact, _case in became}
    settled = settle([one for one in held if contacts[one.key].public_id not in gone])
    apart = tuple(contacts[key].public_id for key in settled.apart)
    if settled.goes_on is None:
        return Joined(record.pk, apart=apart, became=became)
    goes_on, ending = contacts[settled.goes_on], [contacts[key] for key in settled.ends]
    hand_namings_over([(goes_on, one) for one in ending], merge=record.pk, actor=actor, at=at)
    end_namings(
        ending,
        lambda _contact, _naming: True,
        release=ReleaseReason.JOINED,
        reason=f"{goes_on.public_id}: {reason.strip()}",
        actor=actor,
        now=at,
    )
    _found_too(goes_on, ending, actor=actor, at=at)
    ended = tuple((one.public_id, goes_on.public_id) for one in ending)
    return Joined(record.pk, ended, apart, became)


def _became(
    root: int, contacts: Mapping[int, Contact], held: Sequence[Held], *, actor: Actor, at: datetime
) -> tuple[tuple[str, str], ...]:
    """Whoever is a case under the one record is observed for that disease as a contact under the other no
    longer: the contact became that case. What another territory asked about, and whose source has another
    disease, stays. Contacts that ended, each with the case."""
    settled = list(cases_of(root).filter(classification__in=CONFIRMED_LIKE))
    if not settled:
        return ()
    sources = sources_of(list(contacts.values()))
    wanted = {case for named in sources.values() for case in named}
    diseases = dict(Case.objects.filter(id__in=wanted).values_list("id", "disease"))
    found = []
    for one in held:
        exposed_to = {diseases[case] for case in sources[one.key]}
        case = next((case for case in settled if exposed_to <= {case.disease}), None)
        if case is not None and not one.asked:
            when = Moment(at.astimezone(zone_of(case.territory_code)).date(), at)
            become(contacts[one.key], case, when=when, actor=actor, now=at)
            found.append((contacts[one.key].public_id, case.public_id))
    return tuple(found)


def _held(contacts: Sequence[Contact]) -> list[Held]:
    """What decides which of them goes on, in a fixed number of statements."""
    ids = [contact.pk for contact in contacts]
    running = Order.objects.select_for_update(of=("self",)).filter(contact__in=ids, ended_at__isnull=True)
    orders = {order.contact_id: order for order in running.order_by("id")}
    waiting = Appeal.objects.filter(order__contact__in=ids, decided_at__isnull=True)
    appeals = set(waiting.values_list("order__contact_id", flat=True))
    owed = Duty.objects.filter(
        state=0, kind__in=DECIDING, loop__subject_kind="contact",
        loop__subject_ref__in=[contact.public_id for contact in contacts],
    )  # fmt: skip
    deciding = set(owed.values_list("loop__subject_ref", flat=True))
    requests = AssistanceRequest.objects.filter(deleted_at__isnull=True)
    asked = {
        *requests.filter(contact__in=ids).values_list("contact_id", flat=True),
        *requests.filter(made_contact__in=ids).values_list("made_contact_id", flat=True),
    }
    return [
        Held(
            key=contact.pk,
            confirmed_at=contact.confirmed_at,
            order_kind=orders[contact.pk].kind if contact.pk in orders else "",
            order_ends=orders[contact.pk].end_at if contact.pk in orders else None,
            pending=contact.pk in appeals or contact.public_id in deciding,
            asked=contact.pk in asked,
            lost=contact.status == Status.LOST,
        )
        for contact in contacts
    ]


def _found_too(goes_on: Contact, ended: Sequence[Contact], *, actor: Actor, at: datetime) -> None:
    """Whoever was found under the other record need not be looked for under this one."""
    times = [one.located_at for one in ended if one.located_at is not None]
    is_missing = goes_on.located_at is None or goes_on.status == Status.LOST
    if times and is_missing:
        record_located(goes_on.public_id, at=max(times), actor=actor, now=at)


def _two_people(record: MergeRecord, *, reason: str, actor: Actor, at: datetime) -> tuple[str, ...]:
    """The exposures that one took from the other go back, wherever they count by now: they no longer oblige
    her, and oblige the other."""
    lent = Exposure.objects.filter(source_key__startswith=joined_by(record.pk)).select_related(
        "case", "contact"
    )
    standing: dict[int, set[int]] = {}
    back: list[Exposure] = []
    for exposure in lent.order_by("id"):
        places = places_of([(exposure.contact.public_id, exposure.pk)])
        back += [exposure] if places else []
        for contact, keys in places.items():
            standing.setdefault(contact, set()).update(keys)
    held = Contact.objects.select_for_update(of=("self",)).filter(id__in=standing)
    end_namings(
        list(held.order_by("id")),
        lambda contact, naming: naming.key in standing[contact.pk],
        release=ReleaseReason.NAMED_IN_ERROR,
        reason=reason.strip(),
        actor=actor,
        now=at,
    )
    whose = [lender_of(exposure.source_key) for exposure in back]
    lenders = Contact.objects.in_bulk(whose, field_name="public_id")
    inputs = [(lenders[of], _told_of(exposure)) for exposure, of in zip(back, whose, strict=True)]
    inputs += _no_case_of_hers(record, actor=actor, at=at)
    obliging = [
        replace(given, person=lender.person_id, territory_code=lender.territory_code)
        for lender, given in inputs
        if _is_obliging(given, lender, at)
    ]
    made = name_contacts(obliging, actor=actor, now=at)
    return tuple(dict.fromkeys(one.public_id for one in made))


def _no_case_of_hers(
    record: MergeRecord, *, actor: Actor, at: datetime
) -> list[tuple[Contact, ContactInput]]:
    """Contacts that became the case of who is somebody else now: no case of theirs, and named as before."""
    roots = Person.objects.filter(id__in=[record.kept_id, record.merged_id]).values("root_id")
    rows = Contact.objects.select_for_update(of=("self",)).filter(
        person__root_id__in=roots, became_case__isnull=False
    )
    found: list[tuple[Contact, ContactInput]] = []
    for contact in rows.exclude(became_case__person__root_id=F("person__root_id")).order_by("id"):
        CaseLink.objects.filter(to_case=contact.became_case_id, source=contact.public_id).delete()
        contact.became_case, contact.status = None, Status.RELEASED.value
        contact.released_at, contact.release_reason = at, ReleaseReason.JOINED.value
        contact.save(update_fields=["became_case", "status", "released_at", "release_reason"])
        take_hand_over_back("contact", contact.public_id)
        key = partial(carried, None, contact.public_id)
        found += [(contact, given) for given in inputs_of(contact, key)]
    return found


def _told_of(exposure: Exposure) -> ContactInput:
    """A naming that another contact took over, as it would be told again."""
    return ContactInput(
        person=exposure.contact.person_id,
        territory_code=exposure.contact.territory_code,
        case=exposure.case.public_id if exposure.case is not None else "",
        exposure_kind=exposure.kind,
        setting=exposure.setting,
        exposure_first=exposure.first,
        exposure_last=exposure.last,
        criterion=exposure.criterion,
        source_key=carried(None, exposure.contact.public_id, exposure.pk),
    )


def _is_obliging(given: ContactInput, lender: Contact, at: datetime) -> bool:
    """Whether the days of a naming are not over yet."""
    tz = zone_of(lender.territory_code)
    named = lender.confirmed_at.astimezone(tz).date()
    return obliged_until(given.exposure_last, named, lender.territory_code) >= at.astimezone(tz).date()
