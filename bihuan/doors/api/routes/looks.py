"""Looks at entry records for an open investigation, through the one gate: each is noted, with its purpose."""

from datetime import datetime

from ninja import Router, Schema
from pydantic import Field

from bihuan.doors.api import persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import PersonRef
from bihuan.doors.api.reading import Moment
from bihuan.doors.api.routes.investigations import LOOK, PurposeIn
from bihuan.tracing.actions.looks import (
    MetRow,
    PlaceName,
    look_common,
    look_met,
    look_place,
    look_track,
)

router = Router()


class TrackLookIn(PurposeIn):
    since: Moment | None = None
    until: Moment | None = None


class MetLookIn(TrackLookIn):
    """`margin` in minutes; null = that of the pack in force."""

    margin: int | None = Field(None, ge=0, le=1440)
    second_order: bool = False


class PlaceLookIn(PurposeIn):
    """`place`: L-…, or the id a gate gave it; only places of the track or of a hypothesis."""

    place: str = Field(min_length=1, max_length=120)
    since: Moment
    until: Moment


class CommonLookIn(PurposeIn):
    investigations: list[str] = Field(min_length=2, max_length=200)


class PlaceRef(Schema):
    """A place as a look shows it; `id` null where it is not registered."""

    id: str | None
    name: str
    setting: str


class StayOut(Schema):
    """`until` null: only the entry is known. `how`: as in the entries of the track."""

    place: PlaceRef
    since: datetime
    until: datetime | None
    how: str | None


class TrackLookOut(Schema):
    """`state`: found, no_store, no_number, not_held (of these days nothing is held), not_seen."""

    state: str
    since: datetime
    until: datetime
    items: list[StayOut]


class MeetingOut(StayOut):
    minutes: int


class MetOut(Schema):
    """Somebody who was where the case was; being listed restricts nobody. `person` null: she does not
    belong to the territory acted in; `county` is then all that is told ("" = not in the register)."""

    rank: int
    person: PersonRef | None
    county: str
    score: float
    encounters: int
    minutes: int
    first: datetime
    last: datetime
    order: int
    meetings: list[MeetingOut]


class MetLookOut(Schema):
    """`total`: how many were met; `items` the first of them."""

    state: str
    since: datetime
    until: datetime
    margin: int
    total: int
    items: list[MetOut]


class PresentOut(Schema):
    person: PersonRef | None
    county: str
    since: datetime
    until: datetime | None
    how: str | None


class PlaceLookOut(Schema):
    """`state`: found, no_store, not_held (of these days nothing is held)."""

    state: str
    place: PlaceRef
    total: int
    items: list[PresentOut]


class CommonOut(Schema):
    """A place where cases were in `hours` that follow each other, `span_since` to `span_until`; `span_cases`
    in any of them. All figures are of the least likely hour alone, `since` to `until`: `cases` there, `stays`
    of all people, `expected` cases by chance, `p`, and `q`, adjusted for all places and hours."""

    place: PlaceRef
    since: datetime
    until: datetime
    cases: list[str]
    stays: int
    expected: float
    p: float
    q: float
    span_since: datetime
    span_until: datetime
    span_cases: list[str]
    hours: int


class CommonLookOut(Schema):
    """`unseen`: cases no gate recorded; `unheld`: cases of whose days nothing is held."""

    state: str
    unseen: list[str]
    unheld: list[str]
    items: list[CommonOut]


@operation(
    router, "POST", "/investigations/{investigation}/looks/track", right=LOOK, response=TrackLookOut,
    personal=True,
)  # fmt: skip
def look_at_track(call: Call, investigation: str, body: TrackLookIn) -> TrackLookOut:
    """Where the case was, as gates recorded it"""
    found = look_track(
        investigation, purpose=body.purpose, since=body.since, until=body.until, actor=call.actor
    )
    return TrackLookOut(
        state=found.state, since=found.since, until=found.until,
        items=[StayOut(place=_place(r.place), since=r.since, until=r.until, how=r.how) for r in found.rows],
    )  # fmt: skip


@operation(
    router, "POST", "/investigations/{investigation}/looks/met", right=LOOK, response=MetLookOut,
    personal=True,
)  # fmt: skip
def look_at_met(call: Call, investigation: str, body: MetLookIn) -> MetLookOut:
    """Who was where the case was while it could infect"""
    found = look_met(
        investigation, purpose=body.purpose, margin=body.margin, second_order=body.second_order,
        since=body.since, until=body.until, actor=call.actor,
    )  # fmt: skip
    rows = (*found.rows, *found.second)
    refs = persons.refs(row.person_id for row in rows)
    return MetLookOut(
        state=found.state, since=found.since, until=found.until, margin=found.margin, total=found.total,
        items=[_met(row, refs.get(row.person_id or 0)) for row in rows],
    )  # fmt: skip


@operation(
    router, "POST", "/investigations/{investigation}/looks/place", right=LOOK, response=PlaceLookOut,
    personal=True,
)  # fmt: skip
def look_at_place(call: Call, investigation: str, body: PlaceLookIn) -> PlaceLookOut:
    """Who was at a place of the track"""
    found = look_place(
        investigation, body.place, since=body.since, until=body.until, purpose=body.purpose,
        actor=call.actor,
    )  # fmt: skip
    refs = persons.refs(row.person_id for row in found.rows)
    return PlaceLookOut(
        state=found.state, place=_place(found.place), total=found.total,
        items=[
            PresentOut(
                person=refs.get(row.person_id or 0), county=row.county, since=row.since, until=row.until,
                how=row.how,
            )
            for row in found.rows
        ],
    )  # fmt: skip


@operation(router, "POST", "/investigation-looks/common", right=LOOK, response=CommonLookOut, personal=True)
def look_at_common(call: Call, body: CommonLookIn) -> CommonLookOut:
    """Where the cases of several open investigations were together"""
    found = look_common(body.investigations, purpose=body.purpose, actor=call.actor)
    return CommonLookOut(
        state=found.state, unseen=list(found.unseen), unheld=list(found.unheld),
        items=[
            CommonOut(
                place=_place(r.place), since=r.since, until=r.until, cases=list(r.cases), stays=r.stays,
                expected=r.expected, p=r.p, q=r.q, span_since=r.span_since, span_until=r.span_until,
                span_cases=list(r.span_cases), hours=r.hours,
            )
            for r in found.rows
        ],
    )  # fmt: skip


def _place(one: PlaceName) -> PlaceRef:
    return PlaceRef(id=one.public_id or None, name=one.name, setting=one.kind)


def _met(row: MetRow, person: PersonRef | None) -> MetOut:
    return MetOut(
        rank=row.rank, person=person, county=row.county, score=row.score, encounters=row.encounters,
        minutes=row.minutes, first=row.first, last=row.last, order=row.order,
        meetings=[
            MeetingOut(place=_place(m.place), since=m.since, until=m.until, minutes=m.minutes, how=m.how)
            for m in row.meetings
        ],
    )  # fmt: skip
