"""Contacts: the line list, one contact, naming one or many."""

from dataclasses import asdict
from datetime import date, datetime

from django.utils.translation import ngettext
from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.doors.api import paging, persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import HEALTH, PersonRef
from bihuan.doors.api.reading import AsOf, Day, DayOrMoment
from bihuan.doors.api.routes.cases import TestOut, Words, searchable, source_key, tests_out
from bihuan.doors.api.routes.people_in import PersonIn, person_input
from bihuan.doors.api.shapes import OwedOut, owed, place, place_of_record
from bihuan.loops.queries.sight import classes_of, require_whole
from bihuan.registry import access
from bihuan.tracing import actions, queries
from bihuan.tracing.actions import ContactInput
from bihuan.tracing.queries import ContactFilter, ContactRow

router = Router()
MOST = 5000
"""Contacts in one call: our own rule; longer lists are imported."""

OF_HEALTH = ("exposure_kind", "setting", "exposure_first", "exposure_last", "symptomatic_at")


class WhyOut(Schema):
    """One naming that stands. `case` null = not known or out of sight; `criterion` as it was recorded: a word
    of the edition and the reason ("other: …"), or words of a list."""

    case: str | None
    criterion: str
    setting: str


class ContactOut(Schema):
    """A contact in the list; `whys`: the namings that stand, the record's own first. What belongs to the
    field class health is null for a role without it."""

    id: str
    local_id: str
    person: PersonRef | None
    territory_code: str
    status: str
    confirmed_at: datetime
    confirmed_precision: str
    released_at: datetime | None
    release_reason: str
    owed: OwedOut
    case: str | None
    exposure_kind: str | None
    setting: str | None
    exposure_first: date | None
    exposure_last: date | None
    symptomatic_at: datetime | None
    whys: list[WhyOut] | None


class ContactPage(Schema):
    """`total`: counted on the first page only; beyond ten thousand an estimate (`total_exact` false)."""

    items: list[ContactOut]
    next: str | None
    total: int | None
    total_exact: bool


class ExposureOut(Schema):
    """A further exposure. `case` null = not known or out of sight; `ended`: why it no longer counts (empty
    while it does)."""

    first: date | None
    last: date | None
    kind: str
    setting: str
    recorded_at: datetime
    case: str | None
    criterion: str
    ended: str


class HandOverOut(Schema):
    """Who has taken the person over: the assistance request, and the other side's message that said so.

    `digest`: SHA-256 of its signed envelope, "" inside this installation.
    """

    request: str
    territory_code: str
    office: str
    at: datetime
    message: str
    digest: str


class ContactWhole(Schema):
    contact: ContactOut
    handed_over: HandOverOut | None
    criterion: str | None
    located_at: datetime | None
    lost_at: datetime | None
    exposures: list[ExposureOut]
    tests: list[TestOut]


class ContactQuery(Schema):
    """All parts joined by "and". `sort`: confirmed_at or exposure_last; a minus = the latest first."""

    q: str = Field("", max_length=100, description="Name, pinyin, initials or number, from the beginning.")
    territory: str = Field("", max_length=40)
    status: Words = []
    exposure_kind: Words = []
    case: str = Field("", max_length=20, description="Public id of the source case.")
    exposed_from: Day | None = None
    exposed_to: Day | None = None
    stage: str = Field("", max_length=40)
    late: bool | None = None
    as_of: AsOf | None = None
    sort: str = Field("-confirmed_at", max_length=40)
    cursor: str = Field("", max_length=1000)
    limit: int = Field(paging.LIMIT_DEFAULT, ge=1, le=paging.LIMIT_MOST)


class ContactIn(Schema):
    """One close contact as named by an investigator; `criterion` says why.

    `confirmed`: when named (default now). `source_key` is the caller's own number of the record: the same key
    is taken once.
    """

    person: str | PersonIn = Field(description="Public id of a known person, or the facts of a new one.")
    territory_code: str = Field(min_length=1, max_length=40)
    case: str = Field("", max_length=20, description="Public id of the source case.")
    exposure_kind: str = Field("unknown", max_length=40)
    setting: str = Field("", max_length=200)
    exposure_first: Day | None = None
    exposure_last: Day | None = None
    criterion: str = Field("", max_length=120)
    confirmed: DayOrMoment | None = None
    local_id: str = Field("", max_length=80)
    source_key: str = Field("", max_length=80)


class ContactsIn(Schema):
    contacts: list[ContactIn] = Field(min_length=1, max_length=MOST)


class ContactConfirmed(Schema):
    """`joined`: the person was an open contact already, who took this exposure."""

    id: str
    known: bool
    joined: bool


class ContactsConfirmed(Schema):
    """`ids` in the order sent; `known`: how many had been taken before by their source key;
    `joined`: how many were open contacts already, who took the exposure."""

    ids: list[str]
    known: int
    joined: int
    message: str


@operation(router, "GET", "/contacts", right="contact.view", response=ContactPage, personal=True)
def list_contacts(call: Call, asked: Query[ContactQuery]) -> ContactPage:
    """The contact line list"""
    require_whole("contact.view")
    shown = access.field_classes(None, "contact.view")
    _require_health_to_filter(asked, shown)
    given = ContactFilter(
        text=searchable(asked.q),
        territory=place(call, asked.territory, "contact.view") if asked.territory else "",
        status=tuple(asked.status),
        exposure_kind=tuple(asked.exposure_kind),
        case=asked.case,
        exposed_from=asked.exposed_from,
        exposed_to=asked.exposed_to,
        stage=asked.stage,
        late=asked.late,
        as_of=asked.as_of,
        sort=asked.sort,
    )
    page = queries.list_contacts(given, cursor=paging.decode("contacts", asked.cursor), size=asked.limit)
    total = None if asked.cursor else queries.count_contacts(given)
    persons.note(call, [row.person_id for row in page.rows if row.person], shown)
    return ContactPage(
        items=[contact_out(row, shown) for row in page.rows],
        next=paging.encode("contacts", page.next),
        total=total.n if total else None,
        total_exact=total.exact if total else True,
    )


@operation(router, "GET", "/contacts/{contact}", right="contact.view", response=ContactWhole, personal=True)
def get_contact(call: Call, contact: str) -> ContactWhole:
    """One contact: its exposures and tests"""
    found = queries.find_contact(contact)
    row = found.row
    shown = classes_of(
        "contact.view",
        territory_code=row.territory_code,
        person_id=row.person_id,
        subject=("contact", row.public_id),
    )
    persons.note(call, [row.person_id], shown)
    health = HEALTH in shown
    return ContactWhole(
        contact=contact_out(row, shown),
        handed_over=HandOverOut(**asdict(found.handed_over)) if found.handed_over else None,
        criterion=found.contact.criterion if health else None,
        located_at=found.contact.located_at,
        lost_at=found.contact.lost_at,
        exposures=[
            ExposureOut(
                first=e.first,
                last=e.last,
                kind=e.kind,
                setting=e.setting,
                recorded_at=e.recorded_at,
                case=e.case or None,
                criterion=e.criterion,
                ended=e.ended,
            )
            for e in found.exposures
            if health
        ],
        tests=tests_out(found.tests) if health else [],
    )


@operation(router, "POST", "/contacts", right="contact.write", response=ContactConfirmed, status=201)
def confirm_contact(call: Call, body: ContactIn) -> ContactConfirmed:
    """Name a close contact; its loop opens"""
    result = actions.confirm_contacts([_input(call, body, None)], actor=call.actor)
    one = result.named[0]
    return ContactConfirmed(id=one.public_id, known=one.known, joined=one.joined)


@operation(router, "POST", "/contacts/batch", right="contact.write", response=ContactsConfirmed, status=201)
def confirm_contacts(call: Call, body: ContactsIn) -> ContactsConfirmed:
    """Name many close contacts, all or none; errors name their row"""
    inputs = [_input(call, one, row) for row, one in enumerate(body.contacts)]
    result = actions.confirm_contacts(inputs, actor=call.actor)
    n = len(result.named) - result.known
    return ContactsConfirmed(
        ids=[public_id for _pk, public_id in result.contacts],
        known=result.known,
        joined=result.joined,
        message=ngettext("%(n)s contact was named.", "%(n)s contacts were named.", n) % {"n": n},
    )


def contact_out(row: ContactRow, shown: frozenset[str]) -> ContactOut:
    """A row as far as the classes of fields allow."""
    health = HEALTH in shown
    return ContactOut(
        id=row.public_id,
        local_id=row.local_id,
        person=persons.ref(row.person),
        territory_code=row.territory_code,
        status=row.status,
        confirmed_at=row.confirmed_at,
        confirmed_precision=row.confirmed_precision,
        released_at=row.released_at,
        release_reason=row.release_reason,
        owed=owed(row.owed),
        case=(row.case or None) if health else None,
        whys=[WhyOut(case=why.case or None, criterion=why.criterion, setting=why.setting) for why in row.whys]
        if health
        else None,
        **{name: getattr(row, name) if health else None for name in OF_HEALTH},
    )


def _require_health_to_filter(asked: ContactQuery, shown: frozenset[str]) -> None:
    """A filter or an order by what one may not see would tell it."""
    by_health = asked.exposure_kind or asked.case or asked.exposed_from or asked.exposed_to
    if HEALTH not in shown and (by_health or "exposure" in asked.sort):
        access.require("contact.view", field_class=HEALTH)


def _input(call: Call, body: ContactIn, row: int | None) -> ContactInput:
    given = body.dict(exclude={"person", "source_key", "territory_code"})
    code = place_of_record(body.territory_code, row=row)
    return ContactInput(
        person=person_input(body.person, code),
        territory_code=code,
        source_key=source_key(call, body.source_key),
        **given,
    )
