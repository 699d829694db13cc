"""The contacts of a case with why each is one: what the list of an investigation and its report tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from bihuan.cases.models import Case
from bihuan.cases.queries import people
from bihuan.cases.queries.people import PersonBrief
from bihuan.registry import clock, posts
from bihuan.registry.territory import tz_of
from bihuan.tracing.models import Contact, ContactProposal, Exposure, NamingEnd
from bihuan.tracing.models.proposals import CONFIRMED
from bihuan.tracing.queries.lines import of_cases
from bihuan.tracing.rules.criteria import Criterion

#: How the key of a naming begins that a decided proposal made (`actions.proposals_decide`).
PROPOSAL_KEY = "proposal:"


@dataclass(frozen=True, slots=True)
class NamedContact:
    """One contact of a case as she was named for it. `criterion` a word of `rules.criteria` ("" where a list
    or somebody's own words named her), `by` who confirmed, `at` UTC; `first`, `last` local days. `minutes`
    together and `encounters` (as proposals keep them) only where she was decided on in the investigation;
    `case` her source case, told by `namings_beside` alone ("" = not known, or out of sight)."""

    public_id: str
    person_id: int
    person: PersonBrief | None
    territory_code: str
    status: str
    criterion: str
    clause: str
    reason: str
    by: str
    at: datetime
    first: date | None
    last: date | None
    setting: str
    minutes: int | None = None
    encounters: tuple[dict[str, Any], ...] = ()
    proposal: str = ""
    case: str = ""


def named_for(case_id: int) -> list[NamedContact]:
    """Everybody within the scope who is a contact of this case by a naming that stands, in the order they
    were named. Whoever shows them logs it."""
    contacts = list(Contact.objects.filter(of_cases([case_id])).order_by("confirmed_at", "id"))
    ids = [contact.pk for contact in contacts]
    ended = set(NamingEnd.objects.filter(contact__in=ids).values_list("contact_id", "exposure_id"))
    decided: dict[int, list[ContactProposal]] = {}
    rows = ContactProposal.objects.filter(
        contact__in=ids, state=CONFIRMED, investigation__case_id=case_id
    ).select_related("investigation")
    for proposal in rows.order_by("decided_at", "id"):
        decided.setdefault(proposal.contact_id or 0, []).append(proposal)
    further: dict[int, list[Exposure]] = {}
    for exposure in Exposure.objects.filter(contact__in=ids, case_id=case_id).order_by("id"):
        if (exposure.contact_id, exposure.pk) not in ended:
            further.setdefault(exposure.contact_id, []).append(exposure)
    known = people.briefs({contact.person_id for contact in contacts})
    made = []
    for contact in contacts:
        person = known.get(contact.person_id)
        is_own = contact.case_id == case_id and (contact.pk, None) not in ended
        if not is_own and contact.pk not in further:
            continue
        told = [_decided(contact, person, proposal) for proposal in decided.get(contact.pk, ())]
        if not told and is_own:
            told = [_own(contact, person)]
        if not told:
            told = [_further(contact, person, exposure) for exposure in further.get(contact.pk, ())]
        made += told
    return made


def namings_beside(contact: Contact, *, decisions: bool = False) -> list[NamedContact]:
    """Namings of a contact that stand and were not decided from a proposal: of a list, or told by hand. With
    `decisions` those too, as far as the record tells them (for readers who do not see the proposals)."""
    gone = set(NamingEnd.objects.filter(contact=contact).values_list("exposure_id", flat=True))
    rows = [e for e in Exposure.objects.filter(contact=contact).order_by("id") if e.pk not in gone]
    ids = {one.case_id for one in (contact, *rows)}
    cases = dict(Case.objects.filter(id__in=ids).values_list("id", "public_id"))
    found = []
    if None not in gone and (decisions or not _is_decision(contact.source_key)):
        found.append(replace(_own(contact, None), case=cases.get(contact.case_id or 0, "")))
    for e in rows:
        if decisions or not _is_decision(e.source_key):
            found.append(replace(_further(contact, None, e), case=cases.get(e.case_id or 0, "")))
    return found


def _is_decision(source_key: str | None) -> bool:
    return (source_key or "").startswith(PROPOSAL_KEY)


def count_for(case_ids: Sequence[int]) -> int:
    """How many people within the scope are contacts of one of these cases by a naming that stands."""
    ended = NamingEnd.objects.filter(contact=OuterRef("pk"), exposure__isnull=True)
    own = Q(case__in=case_ids) & ~Exists(ended)
    further = Exposure.objects.filter(case__in=case_ids, end__isnull=True)
    return Contact.objects.filter(own | Q(pk__in=further.values("contact"))).count()


def _decided(contact: Contact, person: PersonBrief | None, p: ContactProposal) -> NamedContact:
    tz = clock.zone(tz_of(contact.territory_code))
    first, last = (at.astimezone(tz).date() if at else None for at in (p.first_at, p.last_at))
    names = dict.fromkeys(str(e.get("place_name") or "") for e in p.encounters)
    return NamedContact(
        contact.public_id, contact.person_id, person, contact.territory_code, contact.status, p.criterion,
        p.clause, p.reason, p.decided_by_name, p.decided_at or contact.confirmed_at, first, last,
        "；".join(name for name in names if name), p.minutes, tuple(p.encounters), p.public_id,
    )  # fmt: skip


def _own(contact: Contact, person: PersonBrief | None) -> NamedContact:
    criterion, reason = parted(contact.criterion)
    return NamedContact(
        contact.public_id, contact.person_id, person, contact.territory_code, contact.status, criterion, "",
        reason, by_post(contact.recorded_by_post_id), contact.confirmed_at, contact.exposure_first,
        contact.own_last or contact.exposure_last, contact.setting,
    )  # fmt: skip


def _further(contact: Contact, person: PersonBrief | None, e: Exposure) -> NamedContact:
    criterion, reason = parted(e.criterion)
    return NamedContact(
        contact.public_id, contact.person_id, person, contact.territory_code, contact.status, criterion, "",
        reason, e.by_name, e.recorded_at, e.first, e.last, e.setting,
    )  # fmt: skip


def parted(criterion: str) -> tuple[str, str]:
    """A criterion as a record keeps it ("kind: reason", or free words of a list): its word, and the rest."""
    kind, _sign, reason = criterion.partition(": ")
    return (kind, reason) if kind in set(Criterion) else ("", criterion)


def by_post(post_id: int | None) -> str:
    """The post that recorded something, in the reader's language; "" where it is not known."""
    found = posts.directory().by_id.get(post_id or 0)
    return found.label if found is not None else ""


def persons_of(rows: Sequence[NamedContact]) -> list[int]:
    return sorted({row.person_id for row in rows})
