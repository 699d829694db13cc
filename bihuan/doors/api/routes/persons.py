"""People: one, masked by the post's role; what is held about her; who looked; search by name or number."""

from datetime import date, datetime
from typing import Any

from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.care.queries import Entry, PersonPage, person_page
from bihuan.doors.api import persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import HEALTH, IDENTITY, LOCATION, PersonRef
from bihuan.doors.api.reading import AsOf
from bihuan.doors.api.routes.orders import OrderOut, order_out
from bihuan.doors.api.shapes import told
from bihuan.loops.queries.sight import classes_of, require_whole
from bihuan.registry import access, audit, clock
from bihuan.registry.actions.people import require_correcting, update_person
from bihuan.registry.masking import shown
from bihuan.registry.queries import person_by_public_id, search_people
from bihuan.tracing.actions.held_visits import visits_held

router = Router()
FOUND = 50
#: What null puts in place of a value; of texts it is "".
_NOTHING = {"sex": "U", "date_birth": None, "age_years": None}


class PersonOut(Schema):
    """A person as this token's post may see her: what it may not is masked or null. `shown` names what is
    not masked. The document number is always masked here."""

    id: str
    name: str
    sex: str
    age_years: int | None
    date_birth: date | None
    id_kind: str
    id_number: str
    phone: str
    address: str
    occupation: str
    territory_code: str
    shown: list[str]


class PersonChange(Schema):
    """What is to be set right; what is not named stays, null or an empty text removes it. An age is of today.
    With a document number go the date of birth and the sex that were read from it."""

    name: str | None = None
    sex: str | None = None
    date_birth: date | None = None
    age_years: int | None = None
    id_kind: str | None = None
    id_number: str | None = None
    phone: str | None = None
    address: str | None = None
    occupation: str | None = None
    reason: str = Field(min_length=1, max_length=200)


class People(Schema):
    items: list[PersonRef]


class LookOut(Schema):
    """One reading of the person's data."""

    at: datetime
    who: str
    post: str
    fields: list[str]
    purpose: str
    door: str
    glass: str


class Looks(Schema):
    items: list[LookOut]


class EntryOut(Schema):
    """One line of the timeline: `at` when it was true, `recorded_at` when it became known."""

    at: datetime
    precision: str
    kind: str
    what: str
    subject_kind: str
    subject_id: str
    recorded_at: datetime | None
    data: dict[str, Any] | None


class VisitsHeldOut(Schema):
    """Days with entry records, and the day on which the last of them is deleted unless somebody needs it."""

    days: int
    first: date
    last: date
    until: date
    needed_longer: bool


class HeldOut(Schema):
    """Everything held about a person: numbers of her records, the order she is under, and the timeline.

    Entries that tell about health (dates, tests, checks) need that field class; without it they are left out.
    `visits` needs the class location; which places they are of is seen only in an open investigation.
    """

    person: PersonOut
    cases: list[str]
    contacts: list[str]
    loops: list[str]
    duties: list[str]
    order: OrderOut | None
    entries: list[EntryOut]
    visits: VisitsHeldOut | None


@operation(router, "GET", "/persons", right="person.view", response=People, personal=True)
def find_persons(call: Call, q: str = Query(..., min_length=2, max_length=100)) -> People:
    """Find people by name, pinyin, initials, public id; or by a telephone or document number in full"""
    require_whole("person.view")
    access.require("person.view", field_class=IDENTITY)
    found = search_people(q, on=clock.today(), limit=FOUND)
    persons.note(call, [one.pk for one in found], [IDENTITY])
    known = persons.refs(one.pk for one in found)
    return People(items=[known[one.pk] for one in found if one.pk in known])


@operation(router, "GET", "/persons/{person}", right="person.view", response=PersonOut, personal=True)
def get_person(call: Call, person: str) -> PersonOut:
    """One person, as far as the role of the token's post reaches"""
    one = person_by_public_id(person)
    classes_of("person.view", territory_code=one.territory_code, person_id=one.pk)
    return _person(call, one)


@operation(router, "PATCH", "/persons/{person}", right="person.view", response=PersonOut, personal=True)
def correct_person(call: Call, person: str, body: PersonChange) -> PersonOut:
    """Set right what was reported of a person; the version before stays in the history"""
    one = person_by_public_id(person)
    require_correcting(one, classes_of("person.view", territory_code=one.territory_code, person_id=one.pk))
    given = body.dict(exclude_unset=True, exclude={"reason"})
    changes = {name: _NOTHING.get(name, "") if value is None else value for name, value in given.items()}
    return _person(call, update_person(one.pk, changes, call.actor, reason=body.reason))


@operation(router, "GET", "/persons/{person}/looks", right="person.view", response=Looks)
def list_looks(call: Call, person: str) -> Looks:
    """Who looked at a person's data, and what for"""
    one = person_by_public_id(person)
    classes_of("person.view", territory_code=one.territory_code, person_id=one.pk)
    return Looks(
        items=[
            LookOut(
                at=look.at,
                who=look.who,
                post=look.post,
                fields=list(look.fields),
                purpose=look.purpose,
                door=look.door,
                glass=look.glass,
            )
            for look in audit.who_looked(one.pk)
        ]
    )


@operation(router, "GET", "/persons/{person}/held", right="person.view", response=HeldOut, personal=True)
def get_held(call: Call, person: str, as_of: AsOf | None = None) -> HeldOut:
    """What is held about a person"""
    one = person_by_public_id(person)
    classes = classes_of("person.view", territory_code=one.territory_code, person_id=one.pk)
    found = person_page(person, as_of=as_of, looks=0)
    persons.note(call, [one.pk], classes)
    return HeldOut(
        person=_person(call, one),
        cases=[case.public_id for case in found.cases],
        contacts=[contact.public_id for contact in found.contacts],
        loops=[loop.public_id for loop in found.loops],
        duties=[f"D-{duty.id}" for duty in found.duties],
        order=_order(found),
        entries=[_entry(entry) for entry in found.entries if HEALTH in classes],
        visits=_visits(one.pk) if LOCATION in classes else None,
    )


def _visits(person_id: int) -> VisitsHeldOut | None:
    held = visits_held(person_id)
    if held is None:
        return None
    return VisitsHeldOut(
        days=held.days, first=held.first, last=held.last, until=held.until, needed_longer=held.is_held
    )


def _person(call: Call, one: Any) -> PersonOut:
    view = shown(one, on=clock.today(), post_id=call.post_id)
    persons.note(call, [view.id], view.fields or (persons.OPERATIONAL,))
    return PersonOut(
        id=view.public_id,
        name=view.name,
        sex=view.sex,
        age_years=view.age_years,
        date_birth=view.date_birth,
        id_kind=view.id_kind,
        id_number=view.id_number,
        phone=view.phone,
        address=view.address,
        occupation=view.occupation,
        territory_code=view.territory_code,
        shown=list(view.fields),
    )


def _order(found: PersonPage) -> OrderOut | None:
    """The order she is under, for posts that may see orders."""
    if found.order is None:
        return None
    code = found.order.order.territory_code
    classes = access.field_classes(None, "order.view", territory_code=code)
    return order_out(found.order, classes) if classes else None


def _entry(entry: Entry) -> EntryOut:
    return EntryOut(
        at=entry.at,
        precision=entry.precision,
        kind=entry.kind,
        what=entry.what,
        subject_kind=entry.subject_kind,
        subject_id=entry.subject_id,
        recorded_at=entry.recorded_at,
        data=told(entry.data),
    )
