"""The contact line list: filter, sort, page, count, export. Always within the scope acted in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.db.models import Q, QuerySet

from bihuan.cases.models import Case
from bihuan.cases.queries import people
from bihuan.cases.queries.lines import within
from bihuan.cases.queries.owing import DUE, Owed, by_deadline, natural_sort, owed_by, owing, owing_at_all
from bihuan.cases.queries.pages import Count, Page, count, page_size, read_page, read_sort
from bihuan.cases.queries.people import PersonBrief
from bihuan.tracing.models import Contact, Exposure, NamingEnd

SORTS = {"confirmed_at": False, "exposure_last": True}


@dataclass(frozen=True, slots=True)
class ContactFilter:
    """All parts are optional and joined by "and". Dates are local and inclusive.

    `text` as for cases. `case` is the public id of a source case. `sort`: confirmed_at or exposure_last; a
    leading minus = latest first; due = nearest deadline first. "" = due for what is late, else newest.
    """

    text: str = ""
    territory: str = ""
    status: tuple[str, ...] = ()
    exposure_kind: tuple[str, ...] = ()
    case: str = ""
    exposed_from: date | None = None
    exposed_to: date | None = None
    stage: str = ""
    late: bool | None = None
    as_of: datetime | None = None
    sort: str = ""


@dataclass(frozen=True, slots=True)
class ContactRow:
    """One row. `person` is None when she lives out of sight; `case` is "" when the source is unknown or
    out of sight.
    """

    id: int
    public_id: str
    local_id: str
    person_id: int
    person: PersonBrief | None
    case: str
    territory_code: str
    status: str
    exposure_kind: str
    setting: str
    exposure_first: date | None
    exposure_last: date | None
    confirmed_at: datetime
    confirmed_precision: str
    released_at: datetime | None
    release_reason: str
    symptomatic_at: datetime | None
    owed: Owed
    whys: tuple[Why, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """One naming that stands: its source case ("" = not known, or out of sight), why it counts as it was
    recorded (`queries.named.parted`), where, and the post that recorded it."""

    case: str
    criterion: str
    setting: str
    post_id: int | None


def list_contacts(given: ContactFilter, *, cursor: str = "", size: int | None = None) -> Page[ContactRow]:
    """One page. The reader's door logs whose names it shows."""
    wanted = page_size(size)
    if (given.sort or natural_sort(given.late)) == DUE:
        rows = filtered(replace(given, stage="", late=None))
        found, following = by_deadline(rows, "contact", given, cursor=cursor, size=wanted)
    else:
        sort = read_sort(given.sort or "-confirmed_at", SORTS)
        found, following = read_page(filtered(given), sort, cursor=cursor, size=wanted)
    return Page(tuple(rows_of(found, given.as_of)), following)


def count_contacts(given: ContactFilter) -> Count:
    """How many rows the filter finds, exact up to ten thousand."""
    rows = filtered(replace(given, stage="", late=None))
    return count(owing_at_all(rows, "contact", given))


def export_contacts(given: ContactFilter, *, chunk: int = 500) -> Iterator[ContactRow]:
    """Every row, read page by page, so that memory stays flat."""
    cursor = ""
    while True:
        page = list_contacts(given, cursor=cursor, size=chunk)
        yield from page.rows
        if not page.next:
            return
        cursor = page.next


def of_cases(cases: Any) -> Q:
    """Contacts of these cases (row ids, or a query of them): named for one, or further exposed."""
    return Q(case__in=cases) | Q(pk__in=Exposure.objects.filter(case__in=cases).values("contact"))


def filtered(given: ContactFilter) -> QuerySet[Contact]:
    """The contacts a filter finds within the scope, not yet ordered."""
    rows: QuerySet[Contact] = within(Contact, given.territory)
    if given.status:
        rows = rows.filter(status__in=given.status)
    if given.exposure_kind:
        rows = rows.filter(exposure_kind__in=given.exposure_kind)
    if given.case:
        rows = rows.filter(of_cases(Case.objects.filter(public_id=given.case).values("id")))
    if given.exposed_from is not None:
        rows = rows.filter(exposure_last__gte=given.exposed_from)
    if given.exposed_to is not None:
        rows = rows.filter(exposure_last__lte=given.exposed_to)
    if given.text.strip():
        rows = _named(rows, given.text.strip())
    return owing(
        rows, "contact", territory=given.territory, stage=given.stage, late=given.late, as_of=given.as_of
    )


def _named(rows: QuerySet[Contact], text: str) -> QuerySet[Contact]:
    if people.is_public_id(text):
        return rows.filter(Q(public_id=text.upper()) | Q(person__public_id=text.upper()))
    ids = people.few(text)
    if ids is None:
        return rows.filter(person_id__in=people.many(text).order_by().values("id"))
    return rows.filter(Q(person_id__in=ids) | Q(local_id__gte=text, local_id__lt=text + people.LAST))


def rows_of(found: Sequence[Contact], as_of: datetime | None) -> list[ContactRow]:
    known = people.briefs(contact.person_id for contact in found)
    ids = [contact.pk for contact in found]
    further = list(Exposure.objects.filter(contact__in=ids).order_by("id")) if ids else []
    ended = set(NamingEnd.objects.filter(contact__in=ids).values_list("contact_id", "exposure_id"))
    sources = {one.case_id for one in (*found, *further) if one.case_id is not None}
    cases = dict(Case.objects.filter(id__in=sources).values_list("id", "public_id")) if sources else {}
    whys: dict[int, list[Why]] = {pk: [] for pk in ids}
    for contact in found:
        if (contact.pk, None) not in ended:
            case = cases.get(contact.case_id or 0, "")
            told = Why(case, contact.criterion, contact.setting, contact.recorded_by_post_id)
            whys[contact.pk].append(told)
    for e in further:
        if (e.contact_id, e.pk) not in ended:
            told = Why(cases.get(e.case_id or 0, ""), e.criterion, e.setting, e.by_post_id)
            whys[e.contact_id].append(told)
    owed = owed_by("contact", [contact.public_id for contact in found], as_of)
    nothing = Owed()
    return [
        ContactRow(
            id=contact.id,
            public_id=contact.public_id,
            local_id=contact.local_id,
            person_id=contact.person_id,
            person=known.get(contact.person_id),
            case=cases.get(contact.case_id or 0, ""),
            territory_code=contact.territory_code,
            status=contact.status,
            exposure_kind=contact.exposure_kind,
            setting=contact.setting,
            exposure_first=contact.exposure_first,
            exposure_last=contact.exposure_last,
            confirmed_at=contact.confirmed_at,
            confirmed_precision=contact.confirmed_precision,
            released_at=contact.released_at,
            release_reason=contact.release_reason,
            symptomatic_at=contact.symptomatic_at,
            owed=owed.get(contact.public_id, nothing),
            whys=tuple(whys[contact.pk]),
        )
        for contact in found
    ]
