"""Places people visit: the list, one with its load of today, registering many, changing one."""

from datetime import datetime
from typing import Any

from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.doors.api import paging
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.routes.cases import searchable
from bihuan.doors.api.shapes import place as territory_of
from bihuan.doors.api.shapes import place_of_record
from bihuan.tracing.actions.places import PlaceInput, change_place, register_places
from bihuan.tracing.queries import places as queries
from bihuan.tracing.queries.places import PlaceFilter, PlaceRow

router = Router()
MOST = 5000
"""Places in one call: our own rule; longer lists are loaded by `bihuan places load`."""


class PlaceOut(Schema):
    """A place. `store_id` is the id its gate writes into entry records; `capacity` people at once (null = no
    limit); `over_limit` while more are inside than allowed; `closed_at` unless it is `active`: what its gate
    recorded before is still taken."""

    id: str
    store_id: str
    name: str
    name_en: str
    kind: str
    territory_code: str
    address: str
    latitude: float | None
    longitude: float | None
    capacity: int | None
    active: bool
    closed_at: datetime | None
    over_limit: bool


class PlacePage(Schema):
    items: list[PlaceOut]
    next: str | None
    total: int | None


class GateDayOut(Schema):
    """What the gate did today. `complete` of `entries` lack none of the musts; `missing` counts each must
    that was lacking; `inside`: in less out."""

    entries: int
    exits: int
    medical_exits: int
    inside: int
    complete: int
    percent: int | None
    missing: dict[str, int]
    fever: int
    strangers: int
    sent_late: int
    clock_corrected: int


class AlertOut(Schema):
    began_at: datetime
    ended_at: datetime | None
    limit: int
    most: int


class PlaceWhole(Schema):
    """`limit`: people at once that the policy allows; `records`: visits of today from every source."""

    place: PlaceOut
    today: GateDayOut
    limit: int | None
    records: int
    required_checks: list[str]
    alerts: list[AlertOut]


class PlaceQuery(Schema):
    q: str = Field("", max_length=100, description="A piece of the name or address, or an id.")
    territory: str = Field("", max_length=40)
    kind: str = Field("", max_length=20)
    active: bool | None = True
    over_limit: bool = False
    cursor: str = Field("", max_length=1000)
    limit: int = Field(paging.LIMIT_DEFAULT, ge=1, le=paging.LIMIT_MOST)


class PlaceIn(Schema):
    """A place. One whose `store_id` is known already is brought to what is told, and to nothing that is not;
    "" = the id it gets here."""

    name: str = Field(min_length=1, max_length=200)
    territory_code: str = Field(min_length=1, max_length=40)
    kind: str = Field("unknown", max_length=20)
    store_id: str = Field("", max_length=120)
    name_en: str = Field("", max_length=200)
    address: str = Field("", max_length=300)
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    capacity: int | None = Field(None, ge=1, le=1_000_000)
    active: bool = True


class PlacesIn(Schema):
    places: list[PlaceIn] = Field(min_length=1, max_length=MOST)


class PlacesOut(Schema):
    """`ids` in the order sent: `made` new, `changed` brought to what was told, `known` as they were."""

    ids: list[str]
    made: int
    changed: int
    known: int


class PlaceChange(Schema):
    """Facts to change; those not named, or null, stay; only `capacity` null means no limit. `active` false
    closes the place."""

    name: str | None = Field(None, min_length=1, max_length=200)
    name_en: str | None = Field(None, max_length=200)
    kind: str | None = Field(None, max_length=20)
    address: str | None = Field(None, max_length=300)
    capacity: int | None = Field(None, ge=1, le=1_000_000)
    active: bool | None = None


@operation(router, "GET", "/places", right="territory.view", response=PlacePage)
def list_places(call: Call, asked: Query[PlaceQuery]) -> PlacePage:
    """Places of the territory"""
    given = PlaceFilter(
        text=searchable(asked.q),
        territory=territory_of(call, asked.territory, "territory.view") if asked.territory else "",
        kind=asked.kind,
        active=asked.active,
        over=asked.over_limit,
    )
    page = queries.list_places(given, cursor=paging.decode("places", asked.cursor), size=asked.limit)
    return PlacePage(
        items=[_place(row) for row in page.rows],
        next=paging.encode("places", page.next),
        total=None if asked.cursor else queries.count_places(given),
    )


@operation(router, "GET", "/places/{place}", right="territory.view", response=PlaceWhole)
def get_place(call: Call, place: str) -> PlaceWhole:
    """One place and its load of today: counts only"""
    return _whole(place)


@operation(router, "POST", "/places/batch", right="place.write", response=PlacesOut, status=201)
def register_many_places(call: Call, body: PlacesIn) -> PlacesOut:
    """Register places, all or none; the same `store_id` again is the same place"""
    given = []
    for row, one in enumerate(body.places):
        facts: dict[str, Any] = one.dict()
        facts["territory_code"] = place_of_record(one.territory_code, row=row)
        given.append(PlaceInput(**facts, told=frozenset(one.model_fields_set)))
    done = register_places(given, actor=call.actor)
    return PlacesOut(
        ids=[public_id for _pk, public_id in done.places],
        made=done.made,
        changed=done.changed,
        known=done.known,
    )


@operation(router, "PUT", "/places/{place}", right="place.write", response=PlaceWhole)
def update_place(call: Call, place: str, body: PlaceChange) -> PlaceWhole:
    """Change facts of a place, or close it"""
    told = body.dict(exclude_unset=True)
    facts = {name: value for name, value in told.items() if value is not None or name == "capacity"}
    change_place(place, facts, actor=call.actor)
    return _whole(place)


def _whole(place: str) -> PlaceWhole:
    found = queries.find_place(place)
    day = found.day
    return PlaceWhole(
        place=_place(found.place),
        today=GateDayOut(
            entries=day.entries,
            exits=day.exits,
            medical_exits=day.medical,
            inside=day.inside,
            complete=day.complete,
            percent=day.percent,
            missing=dict(day.missing),
            fever=day.febrile,
            strangers=day.strangers,
            sent_late=day.late,
            clock_corrected=day.skewed,
        ),
        limit=found.limit,
        records=found.records,
        required_checks=list(found.required),
        alerts=[
            AlertOut(began_at=a.began_at, ended_at=a.ended_at, limit=a.limit, most=a.most)
            for a in found.alerts
        ],
    )


def _place(row: PlaceRow) -> PlaceOut:
    return PlaceOut(
        id=row.public_id,
        store_id=row.store_id,
        name=row.name,
        name_en=row.name_en,
        kind=row.kind,
        territory_code=row.territory_code,
        address=row.address,
        latitude=row.latitude,
        longitude=row.longitude,
        capacity=row.capacity,
        active=row.active,
        closed_at=row.closed_at,
        over_limit=row.is_over,
    )
