"""The same person named for several cases: one contact, one observation; the longest obligation wins.

Somebody whose contact record is open gets the further exposure there, with its own source case; no second
loop opens. Where that moves the last exposure, a running order is not lengthened by itself: the loop asks
for a decision (`contact.exposed_again`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from zoneinfo import ZoneInfo

from django.db.models import Q

from bihuan.cases.actions.common import moment_now, stamp, writing, zone_of
from bihuan.cases.actions.report import person_ids
from bihuan.cases.models import Case
from bihuan.cases.rules import Moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.policy.values import value
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.models import Person
from bihuan.registry.whole import hold_whole
from bihuan.tracing.actions.follow import news
from bihuan.tracing.actions.naming import ContactInput, open_records, require_sound, sources_named
from bihuan.tracing.actions.namings import DECIDING, carried, namings_of, put_aside
from bihuan.tracing.models import Contact, ContactProposal, Exposure
from bihuan.tracing.rules import OPEN_STATUSES, Status, later_exposure
from bihuan.tracing.rules.namings import Naming, is_told

#: A contact of these is still owed something: a further exposure belongs to it.
LIVE = (*OPEN_STATUSES, Status.LOST)
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Named:
    """What became of one naming: the contact; `joined` = it was open already and took the exposure; `moved` =
    the last exposure is later now than it was; `known` = taken before, by its source key."""

    pk: int
    public_id: str
    joined: bool = False
    moved: bool = False
    known: bool = False


def name_contacts(
    inputs: Sequence[ContactInput], *, actor: Actor, now: datetime | None = None
) -> list[Named]:
    """Name contacts, never the same person twice: whoever is an open contact within the scope acted in takes
    the exposure there, with its own source case and criterion. In the order of `inputs`; a fixed number of
    statements, all or none.

    Raises ContactInvalid, NotAllowed, NotFound.
    """
    at = moment_now(now)
    require_sound(inputs, now=at)
    with writing(actor):
        known = _known([given.source_key for given in inputs if given.source_key])
        fresh = [n for n, given in enumerate(inputs) if given.source_key not in known]
        named = _settle([inputs[n] for n in fresh], rows=fresh, actor=actor, at=at)
    new = dict(zip(fresh, named, strict=True))
    return [new[n] if n in new else known[given.source_key or ""] for n, given in enumerate(inputs)]


def _known(keys: Sequence[str]) -> dict[str | None, Named]:
    """What was taken before, as a record of its own or as a further exposure of one."""
    if not keys:
        return {}
    own = Contact.unscoped.filter(source_key__in=keys).values_list("source_key", "id", "public_id")
    more = Exposure.unscoped.filter(source_key__in=keys)
    further = more.values_list("source_key", "contact_id", "contact__public_id")
    return {key: Named(pk, public_id, known=True) for key, pk, public_id in (*own, *further)}


def _settle(fresh: Sequence[ContactInput], *, rows: Sequence[int], actor: Actor, at: datetime) -> list[Named]:
    """Open a record for whoever has none, and write what is further of the others. Errors name `rows`."""
    if not fresh:
        return []
    people = person_ids([given.person for given in fresh], actor, rows=rows)
    sources = sources_named(fresh)
    old = {p for p, g in zip(people, fresh, strict=True) if isinstance(g.person, int | str) and not g.alone}
    roots, held = _hold(old)
    opens: dict[int | str, int] = {}  # by whom: the input that opens the record
    joins: dict[int, int] = {}  # input to whom it is about
    for n, person in enumerate(people):
        who = None if fresh[n].alone else roots.get(person)
        if who is None:
            opens[f"new {n}"] = n
        elif who in held or who in opens:
            joins[n] = who
        else:
            opens[who] = n
    first = list(opens.values())
    made = open_records([fresh[n] for n in first], [people[n] for n in first], sources, actor=actor, at=at)
    new = dict(zip(opens, made, strict=True))
    opened = Contact.objects.in_bulk([new[who][0] for who in set(joins.values()) if who in new])
    target = {n: held[who] if who in held else opened[new[who][0]] for n, who in joins.items()}
    moved = _expose([(target[n], fresh[n]) for n in joins], sources, actor=actor, at=at)
    named = {n: Named(*new[who]) for who, n in opens.items()}
    named |= {n: Named(c.pk, c.public_id, joined=True, moved=c.pk in moved) for n, c in target.items()}
    return [named[n] for n in range(len(fresh))]


def _hold(people: set[int]) -> tuple[dict[int, int], dict[int, Contact]]:
    """The person behind each record (as joined), and by her the newest live contact, held; the people too, so
    that nobody opens a second one now, nor joins or parts their records.

    Reads by key, one after another: joined they would be planned on the statistics of tables that an import
    has only just filled.
    """
    if not people:
        return {}, {}
    hold_whole(people)
    rows = Person.objects.filter(id__in=people).values_list("id", "root_id")
    roots = {pk: root or pk for pk, root in rows}
    same = dict(Person.objects.filter(root_id__in=set(roots.values())).values_list("id", "root_id"))
    found = (
        Contact.objects.select_for_update(of=("self",))
        .filter(person__in={*same, *roots}, status__in=[s.value for s in LIVE])
        .order_by("id")
    )
    whose = {**same, **roots}
    return roots, {whose[contact.person_id]: contact for contact in found}


def _expose(
    named: Sequence[tuple[Contact, ContactInput]], sources: Mapping[str, int], *, actor: Actor, at: datetime
) -> set[int]:
    """Write further exposures of open contacts; the contacts whose last exposure moved."""
    if not named:
        return set()
    told = namings_of(contact for contact, _given in named)
    rows: list[Exposure] = []
    before = {contact.pk: contact.exposure_last for contact, _given in named}
    for contact, given in named:
        last = given.exposure_last or given.exposure_first
        case_id = sources.get(given.case)
        if given.source_key is None and is_told(told[contact.pk], case_id, last):
            continue
        told[contact.pk].append(Naming(-1, case_id, last))
        rows.append(_exposure(contact, given, case_id, actor=actor, at=at))
        put_aside(contact, later_exposure(contact.exposure_last, last))
    Exposure.objects.bulk_create(rows, batch_size=_BATCH)
    moved = {c.pk: c for c, _given in named if c.exposure_last != before[c.pk]}
    if moved:
        Contact.objects.bulk_update(moved.values(), DECIDING, batch_size=_BATCH)
        tell_loops([e for c in moved.values() for e in _exposed_again(c, at)], actor=actor, now=at)
    return set(moved)


def _exposure(
    contact: Contact, given: ContactInput, case_id: int | None, *, actor: Actor, at: datetime
) -> Exposure:
    return Exposure(
        contact=contact,
        territory_code=contact.territory_code,
        case_id=case_id,
        first=given.exposure_first,
        last=given.exposure_last or given.exposure_first,
        kind=given.exposure_kind,
        setting=given.setting,
        criterion=given.criterion,
        source_key=given.source_key,
        recorded_at=at,
        **stamp(actor),
    )


def hand_namings_over(
    pairs: Sequence[tuple[Contact, Contact]], *, merge: int, actor: Actor, at: datetime
) -> set[int]:
    """Each naming of the second that stands counts for the first from now on, as an exposure that says whose
    it was (`carried`), as their records were joined (`merge`). Both held by the caller, in its transaction.
    The contacts whose last exposure moved."""
    named = [
        (first, replace(one, person=first.person_id, territory_code=first.territory_code))
        for first, second in pairs
        for one in inputs_of(second, partial(carried, merge, second.public_id))
    ]
    cases = sources_named([given for _first, given in named])
    return _expose(named, cases, actor=actor, at=at)


def inputs_of(contact: Contact, key: Callable[[int], str]) -> list[ContactInput]:
    """What names a contact, by every naming that stands, as it would be told again; `key` makes the source
    key of each from the key of the naming."""
    namings = namings_of([contact])[contact.pk]
    further = {row.pk: row for row in Exposure.objects.filter(contact=contact)}
    ids = {naming.case for naming in namings if naming.case is not None}
    cases = dict(Case.objects.filter(id__in=ids).values_list("id", "public_id"))
    found = []
    for naming in namings:
        of = further.get(naming.key)
        if naming.stands:
            found.append(
                ContactInput(
                    person=contact.person_id,
                    territory_code=contact.territory_code,
                    case=cases.get(naming.case or 0, ""),
                    exposure_kind=of.kind if of is not None else contact.exposure_kind,
                    setting=(of or contact).setting,
                    exposure_first=of.first if of is not None else contact.exposure_first,
                    exposure_last=naming.last,
                    criterion=(of or contact).criterion,
                    source_key=key(naming.key),
                )
            )
    return found


def _exposed_again(contact: Contact, at: datetime) -> list[NewEvent]:
    """What the loop hears: somebody is to decide whether observation lasts longer, where a new exposure may
    lengthen it at all (`observation.reexposure`)."""
    on = value("observation.reexposure", contact.territory_code, at)
    if on.value == "credited" or contact.exposure_last is None:
        return []
    last = contact.exposure_last.isoformat()
    when = Moment(at.astimezone(zone_of(contact.territory_code)).date(), at)
    key = f"contact.exposed_again:{last}:{at.isoformat()}"  # the same day may come, go and come again
    return [news(contact, "contact.exposed_again", when, {"last_exposure_again": last}, key=key)]


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
        _expose(named, {case.public_id: case.pk}, actor=actor, at=now)
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
