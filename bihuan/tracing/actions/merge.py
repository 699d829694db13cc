"""The same person named for several cases: one contact, one observation; the longest obligation wins.

Somebody whose contact record is open gets the further exposure there, with its own source case; no second
loop opens. Where that moves the last exposure, a running order is not lengthened by itself: the loop asks
for a decision (`contact.exposed_again`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import F, Q

from bihuan.cases.actions.common import authorize_all, moment_now, stamp, writing, zone_of
from bihuan.cases.models import Case
from bihuan.cases.rules import Moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.policy.values import value
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.models import Person
from bihuan.tracing.actions.confirm import ContactInput, confirm_contacts
from bihuan.tracing.actions.follow import news
from bihuan.tracing.models import Contact, ContactProposal, Exposure
from bihuan.tracing.rules import OPEN_STATUSES, Status, later_exposure

#: A contact of these is still owed something: a further exposure belongs to it.
LIVE = (*OPEN_STATUSES, Status.LOST)
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Named:
    """What became of one naming: the contact; `joined` = it was open already and took the exposure; `moved` =
    the last exposure is later now than it was."""

    pk: int
    public_id: str
    joined: bool = False
    moved: bool = False


def name_contacts(
    inputs: Sequence[ContactInput], *, actor: Actor, now: datetime | None = None
) -> list[Named]:
    """Name contacts like `confirm_contacts`, but never the same person twice: `person` is a row id (as
    joined) or, for somebody new, the facts of a person. In the order of `inputs`; a fixed number of
    statements.

    Raises what `confirm_contacts` raises.
    """
    at = moment_now(now)
    authorize_all("contact.write", (given.territory_code for given in inputs))
    with writing(actor):
        held = _hold(sorted({given.person for given in inputs if isinstance(given.person, int)}))
        opens: dict[int | str, int] = {}  # by whom: the input that opens the record
        joins: list[int] = []
        for n, given in enumerate(inputs):
            who = given.person if isinstance(given.person, int) else f"new {n}"
            if who in held or who in opens:
                joins.append(n)
            else:
                opens[who] = n
        made = confirm_contacts([inputs[n] for n in opens.values()], actor=actor, now=at).contacts
        new = dict(zip(opens, made, strict=True))
        opened = Contact.objects.in_bulk([new[_who(inputs[n])][0] for n in joins if _who(inputs[n]) in new])
        target = {n: held[who] if (who := _who(inputs[n])) in held else opened[new[who][0]] for n in joins}
        moved = _expose([(target[n], inputs[n]) for n in joins], actor=actor, at=at)
        named = {n: Named(*new[who]) for who, n in opens.items()}
        named |= {n: Named(c.pk, c.public_id, joined=True, moved=c.pk in moved) for n, c in target.items()}
        return [named[n] for n in range(len(inputs))]


def _who(given: ContactInput) -> int:
    assert isinstance(given.person, int)
    return given.person


def _hold(people: Sequence[int]) -> dict[int, Contact]:
    """The newest live contact of each person, held; the people too, so that nobody opens a second one now."""
    if not people:
        return {}
    rows = Person.objects.select_for_update(no_key=True, of=("self",)).filter(id__in=people).order_by("id")
    list(rows.values_list("id", flat=True))
    found = (
        Contact.objects.select_for_update(of=("self",))
        .filter(person__root_id__in=people, status__in=[s.value for s in LIVE])
        .order_by("id")
        .annotate(root=F("person__root_id"))
    )
    return {contact.root: contact for contact in found}


def _expose(named: Sequence[tuple[Contact, ContactInput]], *, actor: Actor, at: datetime) -> set[int]:
    """Write further exposures of open contacts; the contacts whose last exposure moved."""
    if not named:
        return set()
    cases = _cases({given.case for _contact, given in named if given.case})
    known = {
        (e.contact_id, e.case_id, e.last)
        for e in Exposure.objects.filter(contact__in={c.pk for c, _given in named})
    }
    rows: list[Exposure] = []
    before = {contact.pk: contact.exposure_last for contact, _given in named}
    for contact, given in named:
        last = given.exposure_last or given.exposure_first
        case_id = cases.get(given.case)
        if last is None or (contact.pk, case_id, last) in known or _is_told(contact, case_id, given):
            continue
        known.add((contact.pk, case_id, last))
        rows.append(
            Exposure(
                contact=contact,
                territory_code=contact.territory_code,
                case_id=case_id,
                first=given.exposure_first,
                last=last,
                kind=given.exposure_kind,
                setting=given.setting,
                recorded_at=at,
                **stamp(actor),
            )
        )
        contact.exposure_last = later_exposure(contact.exposure_last, last)
    Exposure.objects.bulk_create(rows, batch_size=_BATCH)
    moved = {c.pk: c for c, _given in named if c.exposure_last != before[c.pk]}
    if moved:
        Contact.objects.bulk_update(moved.values(), ["exposure_last"], batch_size=_BATCH)
        tell_loops([e for c in moved.values() for e in _exposed_again(c, at)], actor=actor, now=at)
    return set(moved)


def _is_told(contact: Contact, case_id: int | None, given: ContactInput) -> bool:
    """Does the contact record say as much itself: the same case, no later day?"""
    last = given.exposure_last or given.exposure_first
    known = contact.exposure_last
    return contact.case_id == case_id and known is not None and last is not None and last <= known


def _exposed_again(contact: Contact, at: datetime) -> list[NewEvent]:
    """What the loop hears: somebody is to decide whether observation lasts longer, where a new exposure may
    lengthen it at all (`observation.reexposure`)."""
    on = value("observation.reexposure", contact.territory_code, at)
    if on.value == "credited" or contact.exposure_last is None:
        return []
    last = contact.exposure_last.isoformat()
    when = Moment(at.astimezone(zone_of(contact.territory_code)).date(), at)
    data = {"last_exposure_again": last}
    return [news(contact, "contact.exposed_again", when, data, key=f"contact.exposed_again:{last}")]


def _cases(wanted: set[str]) -> dict[str, int]:
    with scope.system():  # a source may live elsewhere: its number is enough to name it
        return dict(Case.objects.filter(public_id__in=wanted).values_list("public_id", "id"))


# --- a contact became a case ----------------------------------------------------------------------------


def reclassify_contacts_of(contact: Contact, case: Case, *, actor: Actor, now: datetime) -> list[str]:
    """A contact became `case`: whoever was a contact of that contact is now a contact of a case.

    Those confirmed as contacts of contacts get the exposure to the new case (their loops go on); those still
    proposed are shown as of the first order. Other open contact records of the same person are left to
    `care`. Returns the public ids of the contacts that were re-classified.
    """
    with writing(actor), scope.system():  # they may live elsewhere, and so may the investigation
        keys = _keys_of(contact)
        if not keys:
            return []
        behind = Q()
        for key in keys:
            behind |= Q(encounters__contains=[{"other": [key]}])
        found = list(
            ContactProposal.objects.select_for_update(of=("self",))
            .select_related("contact")
            .filter(behind, order=2)
            .order_by("id")
        )
        named = [
            (proposal.contact, _again(proposal, case))
            for proposal in found
            if proposal.contact is not None and proposal.contact.status in LIVE
        ]
        _expose(named, actor=actor, at=now)
        for proposal in found:
            proposal.order = 1
        ContactProposal.objects.bulk_update(found, ["order"], batch_size=_BATCH)
        return sorted({held.public_id for held, _given in named})


def _keys_of(contact: Contact) -> list[int]:
    from bihuan.tracing.actions.pseudonyms import keys_of  # late: it brings the visit store along

    return [key for keys in keys_of([contact.person_id]).values() for key in keys]


def _again(proposal: ContactProposal, case: Case) -> ContactInput:
    assert proposal.contact is not None
    tz = zone_of(proposal.contact.territory_code)
    first, last = (_day(at, tz) for at in (proposal.first_at, proposal.last_at))
    return ContactInput(
        person=proposal.contact.person_id,
        territory_code=proposal.contact.territory_code,
        case=case.public_id,
        exposure_kind=proposal.contact.exposure_kind,
        setting=proposal.contact.setting,
        exposure_first=first,
        exposure_last=last,
    )


def _day(at: datetime | None, tz: ZoneInfo) -> date | None:
    return at.astimezone(tz).date() if at is not None else None


def sources_of(contacts: Sequence[Contact]) -> Mapping[int, list[int]]:
    """All source cases of each contact, its own first, then those of further exposures."""
    found: dict[int, list[int]] = {c.pk: [c.case_id] if c.case_id else [] for c in contacts}
    further = Exposure.objects.filter(contact__in=found, case__isnull=False).order_by("id")
    for contact_id, case_id in further.values_list("contact_id", "case_id"):
        if case_id not in found[contact_id]:
            found[contact_id].append(case_id)
    return found
