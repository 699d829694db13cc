"""Cases: the line list, one case, reporting one or many."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any

from django.utils.translation import ngettext
from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.cases import actions, queries
from bihuan.cases.actions import CaseInput
from bihuan.cases.queries import CaseFilter, CaseRow
from bihuan.cases.queries.people import is_public_id
from bihuan.cases.rules import DATED, TIMED
from bihuan.doors.api import paging, persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import HEALTH, PersonRef
from bihuan.doors.api.reading import AsOf, Day, DayOrMoment
from bihuan.doors.api.routes.people_in import PersonIn, person_input
from bihuan.doors.api.shapes import OwedOut, owed, place, place_of_record
from bihuan.loops.queries.sight import classes_of, require_whole
from bihuan.registry import access
from bihuan.tracing.queries import links_of

router = Router()
MOST = 5000
"""Cases in one call: our own rule; longer lists are imported."""

Words = Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=20)]


class CaseOut(Schema):
    """A case in the list. What belongs to the field class health is null for a role without it."""

    id: str
    local_id: str
    person: PersonRef | None
    territory_code: str
    found_at: datetime
    found_precision: str
    owed: OwedOut
    classification: str | None
    severity: str | None
    outcome: str | None
    origin: str | None
    date_onset: date | None
    date_report: date | None
    date_confirmation: date | None
    date_isolation: date | None
    date_admission: date | None
    date_outcome: date | None
    facility: str | None


class CasePage(Schema):
    """`total`: counted on the first page only; beyond ten thousand an estimate (`total_exact` false)."""

    items: list[CaseOut]
    next: str | None
    total: int | None
    total_exact: bool


class RevisionOut(Schema):
    """What was said before and since: `at` when it became so, `recorded_at` when that was known."""

    field: str
    old: str
    new: str
    at: datetime
    recorded_at: datetime
    reason: str


class TestOut(Schema):
    id: str
    result: str
    sampled_at: datetime | None
    result_at: datetime | None


class LinkOut(Schema):
    """The other case ("" when out of sight); `infected_it`: that one is said to have infected this one."""

    case: str
    infected_it: bool
    kind: str


class CaseWhole(Schema):
    """`dates` by name (onset, visit, …); `instants` where the time of day is known."""

    case: CaseOut
    disease: str
    test_result: str | None
    dates: dict[str, date] | None
    instants: dict[str, datetime] | None
    revisions: list[RevisionOut]
    tests: list[TestOut]
    links: list[LinkOut]


class CaseQuery(Schema):
    """All parts joined by "and". `sort`: found_at, date_onset, date_report; a minus = the latest first."""

    q: str = Field("", max_length=100, description="Name, pinyin, initials or number, from the beginning.")
    territory: str = Field("", max_length=40)
    classification: Words = []
    severity: Words = []
    outcome: Words = []
    origin: Words = []
    onset_from: Day | None = None
    onset_to: Day | None = None
    report_from: Day | None = None
    report_to: Day | None = None
    stage: str = Field("", max_length=40)
    late: bool | None = None
    as_of: AsOf | None = None
    sort: str = Field("-found_at", max_length=40)
    cursor: str = Field("", max_length=1000)
    limit: int = Field(paging.LIMIT_DEFAULT, ge=1, le=paging.LIMIT_MOST)


class CaseIn(Schema):
    """A case as reported. A date is a local day, or an instant where the time is known.

    `source_key` is the caller's own number of the report: the same key is taken once.
    """

    person: str | PersonIn = Field(description="Public id of a known person, or the facts of a new one.")
    territory_code: str = Field(min_length=1, max_length=40)
    classification: str = Field("confirmed", max_length=40)
    severity: str = Field("unknown", max_length=40)
    disease: str = Field("covid-19", max_length=40)
    local_id: str = Field("", max_length=80)
    date_onset: DayOrMoment | None = None
    date_visit: DayOrMoment | None = None
    date_diagnosis: DayOrMoment | None = None
    date_sample: DayOrMoment | None = None
    date_result: DayOrMoment | None = None
    date_report: DayOrMoment | None = None
    date_confirmation: DayOrMoment | None = None
    date_isolation: DayOrMoment | None = None
    date_admission: DayOrMoment | None = None
    date_outcome: DayOrMoment | None = None
    test_result: str = Field("", max_length=40)
    outcome: str = Field("unknown", max_length=40)
    origin: str = Field("under_investigation", max_length=40)
    facility: str = Field("", max_length=200)
    source_text: str = Field("", max_length=4000)
    source_key: str = Field("", max_length=80)


class CasesIn(Schema):
    cases: list[CaseIn] = Field(min_length=1, max_length=MOST)


class WarningOut(Schema):
    row: int
    field: str
    rule: str
    message: str
    hint: str


class CaseReported(Schema):
    id: str
    known: bool
    warnings: list[WarningOut]


class CasesReported(Schema):
    """`ids` in the order sent; `known`: how many had been taken before by their source key."""

    ids: list[str]
    known: int
    warnings: list[WarningOut]
    message: str


@operation(router, "GET", "/cases", right="case.view", response=CasePage, personal=True)
def list_cases(call: Call, asked: Query[CaseQuery]) -> CasePage:
    """The case line list"""
    require_whole("case.view")
    given = CaseFilter(
        text=searchable(asked.q),
        territory=place(call, asked.territory, "case.view") if asked.territory else "",
        classification=tuple(asked.classification),
        severity=tuple(asked.severity),
        outcome=tuple(asked.outcome),
        origin=tuple(asked.origin),
        onset_from=asked.onset_from,
        onset_to=asked.onset_to,
        report_from=asked.report_from,
        report_to=asked.report_to,
        stage=asked.stage,
        late=asked.late,
        as_of=asked.as_of,
        sort=asked.sort,
    )
    shown = access.field_classes(None, "case.view")
    _require_health_to_filter(asked, shown)
    page = queries.list_cases(given, cursor=paging.decode("cases", asked.cursor), size=asked.limit)
    total = None if asked.cursor else queries.count_cases(given)
    persons.note(call, [row.person_id for row in page.rows if row.person], shown)
    return CasePage(
        items=[case_out(row, shown) for row in page.rows],
        next=paging.encode("cases", page.next),
        total=total.n if total else None,
        total_exact=total.exact if total else True,
    )


@operation(router, "GET", "/cases/{case}", right="case.view", response=CaseWhole, personal=True)
def get_case(call: Call, case: str) -> CaseWhole:
    """One case: its dates, revisions, tests and links"""
    found = queries.find_case(case)
    row = found.row
    shown = classes_of(
        "case.view",
        territory_code=row.territory_code,
        person_id=row.person_id,
        subject=("case", row.public_id),
    )
    persons.note(call, [row.person_id], shown)
    health = HEALTH in shown
    return CaseWhole(
        case=case_out(row, shown),
        disease=found.case.disease,
        test_result=found.case.test_result if health else None,
        dates=_dates(found.case) if health else None,
        instants=_instants(found.case) if health else None,
        revisions=[
            RevisionOut(
                field=r.field, old=r.old, new=r.new, at=r.at, recorded_at=r.recorded_at, reason=r.reason
            )
            for r in found.revisions
            if health
        ],
        tests=tests_out(found.tests) if health else [],
        links=[
            LinkOut(case=k.case, infected_it=k.infected_it, kind=k.kind) for k in links_of(case) if health
        ],
    )


@operation(router, "POST", "/cases", right="case.write", response=CaseReported, status=201)
def report_case(call: Call, body: CaseIn) -> CaseReported:
    """Report a case; its loop opens"""
    result = actions.report_cases([_input(call, body, None)], actor=call.actor)
    return CaseReported(
        id=result.cases[0][1], known=bool(result.known), warnings=[_warning(w) for w in result.warnings]
    )


@operation(router, "POST", "/cases/batch", right="case.write", response=CasesReported, status=201)
def report_cases(call: Call, body: CasesIn) -> CasesReported:
    """Report many cases, all or none; errors name their row"""
    inputs = [_input(call, one, row) for row, one in enumerate(body.cases)]
    result = actions.report_cases(inputs, actor=call.actor)
    n = len(result.cases) - result.known
    return CasesReported(
        ids=[public_id for _pk, public_id in result.cases],
        known=result.known,
        warnings=[_warning(w) for w in result.warnings],
        message=ngettext("%(n)s case was reported.", "%(n)s cases were reported.", n) % {"n": n},
    )


OF_HEALTH = (
    "classification",
    "severity",
    "outcome",
    "origin",
    "facility",
    *(name for name in CaseOut.model_fields if name.startswith("date_")),
)


def case_out(row: CaseRow, shown: frozenset[str]) -> CaseOut:
    """A row as far as the classes of fields allow."""
    health = HEALTH in shown
    return CaseOut(
        id=row.public_id,
        local_id=row.local_id,
        person=persons.ref(row.person),
        territory_code=row.territory_code,
        found_at=row.found_at,
        found_precision=row.found_precision,
        owed=owed(row.owed),
        **{name: getattr(row, name) if health else None for name in OF_HEALTH},
    )


def tests_out(tests: Sequence[Any]) -> list[TestOut]:
    return [
        TestOut(id=t.public_id, result=t.result, sampled_at=t.sampled_at, result_at=t.result_at)
        for t in tests
    ]


def _dates(case: Any) -> dict[str, date]:
    return {name: day for name in DATED if (day := getattr(case, f"date_{name}")) is not None}


def _instants(case: Any) -> dict[str, datetime]:
    return {name: at for name in TIMED if (at := getattr(case, f"{name}_at")) is not None}


def searchable(text: str) -> str:
    """A name is looked for by whoever may see names; numbers by everybody."""
    if text.strip() and not is_public_id(text):
        access.require("person.view", field_class=persons.IDENTITY)
    return text


def _require_health_to_filter(asked: CaseQuery, shown: frozenset[str]) -> None:
    """A filter or an order by what one may not see would tell it."""
    filters = (asked.classification, asked.severity, asked.outcome, asked.origin)
    days = (asked.onset_from, asked.onset_to, asked.report_from, asked.report_to)
    if HEALTH not in shown and (any(filters) or any(days) or "date_" in asked.sort):
        access.require("case.view", field_class=HEALTH)


def _input(call: Call, body: CaseIn, row: int | None) -> CaseInput:
    given = body.dict(exclude={"person", "source_key", "territory_code"})
    code = place_of_record(body.territory_code, row=row)
    return CaseInput(
        person=person_input(body.person, code),
        territory_code=code,
        reported_by_id=call.scope.organization_id,
        source_key=source_key(call, body.source_key),
        **given,
    )


def source_key(call: Call, key: str) -> str | None:
    """The caller's key among those of its organization: no one meets another's by guessing."""
    return f"api:{call.scope.organization_id}:{key}" if key else None


def _warning(problem: Any) -> WarningOut:
    return WarningOut(**problem.as_dict())
