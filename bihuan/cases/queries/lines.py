"""The case line list: filter, sort, page, count, export. Always within the scope acted in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from bihuan.cases.models import COUNTY, Case
from bihuan.cases.queries import people
from bihuan.cases.queries.owing import DUE, Owed, by_deadline, natural_sort, owed_by, owing, owing_at_all
from bihuan.cases.queries.pages import Count, Page, Sort, count, page_size, read_page, read_sort
from bihuan.cases.queries.people import PersonBrief
from bihuan.cases.rules import Classification, Outcome
from bihuan.registry import scope

M = TypeVar("M", bound=Model)
SORTS = {"found_at": False, "date_onset": True, "date_report": True}


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """All parts are optional and joined by "and". Dates are local and inclusive.

    `text`: name, pinyin, initials or case number from the beginning, or a public id. `territory` narrows the
    scope. `stage`: a stage of the case loop in which something is owed. `late`: something is (not) late at
    `as_of` (default now). `sort`: found_at, date_onset or date_report; a leading minus = latest first; due =
    nearest (longest passed) deadline first, of those that owe something. Empty:
    due for what is late, else newest.
    """

    text: str = ""
    territory: str = ""
    classification: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    onset_from: date | None = None
    onset_to: date | None = None
    report_from: date | None = None
    report_to: date | None = None
    stage: str = ""
    late: bool | None = None
    as_of: datetime | None = None
    sort: str = ""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One row. `person` is None when she lives out of sight."""

    id: int
    public_id: str
    local_id: str
    person_id: int
    person: PersonBrief | None
    territory_code: str
    classification: str
    severity: str
    outcome: str
    origin: str
    date_onset: date | None
    date_report: date | None
    date_confirmation: date | None
    date_isolation: date | None
    date_admission: date | None
    date_outcome: date | None
    found_at: datetime
    found_precision: str
    facility: str
    owed: Owed


def list_cases(given: CaseFilter, *, cursor: str = "", size: int | None = None) -> Page[CaseRow]:
    """One page. The reader's door logs whose names it shows."""
    wanted = page_size(size)
    if (given.sort or natural_sort(given.late)) == DUE:
        rows = filtered(replace(given, stage="", late=None))
        found, following = by_deadline(rows, "case", given, cursor=cursor, size=wanted)
    else:
        sort = read_sort(given.sort or "-found_at", SORTS)
        found, following = read_page(filtered(given), sort, cursor=cursor, size=wanted)
    return Page(tuple(rows_of(found, given.as_of)), following)


def count_cases(given: CaseFilter) -> Count:
    """How many rows the filter finds, exact up to ten thousand."""
    rows = filtered(replace(given, stage="", late=None))
    return count(owing_at_all(rows, "case", given))


def export_cases(given: CaseFilter, *, chunk: int = 500) -> Iterator[CaseRow]:
    """Every row, read page by page, so that memory stays flat."""
    cursor = ""
    while True:
        page = list_cases(given, cursor=cursor, size=chunk)
        yield from page.rows
        if not page.next:
            return
        cursor = page.next


def filtered(given: CaseFilter) -> QuerySet[Case]:
    """The cases a filter finds within the scope, not yet ordered."""
    rows: QuerySet[Case] = within(Case, given.territory)
    for name in ("classification", "severity", "outcome", "origin"):
        words = getattr(given, name)
        if words:
            rows = rows.filter(**{f"{name}__in": words})
    days = {
        "date_onset__gte": given.onset_from,
        "date_onset__lte": given.onset_to,
        "date_report__gte": given.report_from,
        "date_report__lte": given.report_to,
    }
    rows = rows.filter(**{name: day for name, day in days.items() if day is not None})
    if given.text.strip():
        rows = _named(rows, given.text.strip())
    return owing(
        rows, "case", territory=given.territory, stage=given.stage, late=given.late, as_of=given.as_of
    )


def within(model: type[M], territory: str) -> QuerySet[M]:
    """Rows at or below `territory` within the scope; nothing when it lies outside or nobody acts.

    From a county down, the rows are asked for by the column `county`, whose index has the order of lists. For
    exactly a county the interval of codes says the same and is left out: twice would mislead the planner.
    """
    bounds = scope.bounds()
    lo = bounds[0] if bounds else ""
    if bounds is None or not (territory.startswith(lo) or lo.startswith(territory)):
        return model.objects.none()  # type: ignore[attr-defined]
    place = max(territory, lo, key=len)
    rows: QuerySet[M] = model.objects.all()  # type: ignore[attr-defined]
    if len(place) >= COUNTY and hasattr(model, "county"):
        rows = model.unscoped.filter(county=place[:COUNTY])  # type: ignore[attr-defined]
        if len(place) == COUNTY:
            return rows
    elif place == lo:
        return rows
    return rows.filter(territory_code__gte=place, territory_code__lt=place + scope.LAST)


def _named(rows: QuerySet[Case], text: str) -> QuerySet[Case]:
    if people.is_public_id(text):
        return rows.filter(Q(public_id=text.upper()) | Q(person__public_id=text.upper()))
    ids = people.few(text)
    if ids is None:
        return rows.filter(person_id__in=people.many(text).order_by().values("id"))
    return rows.filter(Q(person_id__in=ids) | Q(local_id__gte=text, local_id__lt=text + people.LAST))


def rows_of(found: Sequence[Case], as_of: datetime | None) -> list[CaseRow]:
    known = people.briefs(case.person_id for case in found)
    owed = owed_by("case", [case.public_id for case in found], as_of)
    nothing = Owed()
    return [_row(case, known.get(case.person_id), owed.get(case.public_id, nothing)) for case in found]


def _row(case: Case, person: PersonBrief | None, owed: Owed) -> CaseRow:
    return CaseRow(
        id=case.id,
        public_id=case.public_id,
        local_id=case.local_id,
        person_id=case.person_id,
        person=person,
        territory_code=case.territory_code,
        classification=case.classification,
        severity=case.severity,
        outcome=case.outcome,
        origin=case.origin,
        date_onset=case.date_onset,
        date_report=case.date_report,
        date_confirmation=case.date_confirmation,
        date_isolation=case.date_isolation,
        date_admission=case.date_admission,
        date_outcome=case.date_outcome,
        found_at=case.found_at,
        found_precision=case.found_precision,
        facility=case.facility,
        owed=owed,
    )


__all__ = [
    "CaseFilter",
    "CaseRow",
    "Owed",
    "Sort",
    "count_cases",
    "export_cases",
    "filtered",
    "list_cases",
    "owed_by",
    "owing",
    "rows_of",
    "within",
]


def still_cases() -> QuerySet[Case]:
    """Cases that stand and have not recovered, within the scope: whoever is one is observed as no contact."""
    rows = Case.objects.exclude(classification=Classification.DISCARDED.value)
    return rows.exclude(outcome=Outcome.RECOVERED.value)
