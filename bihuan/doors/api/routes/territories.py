"""The territory tree: one, its children, and finding one by name. Public knowledge."""

from datetime import date

from ninja import Query, Router, Schema

from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.reading import Day
from bihuan.registry import territory
from bihuan.registry.territory import Territory

router = Router()
FOUND = 50


class TerritoryOut(Schema):
    """`path`: names from the top down. A retired code names what followed it in `successor_code`."""

    code: str
    name: str
    name_en: str
    level: int
    kind: str
    parent_code: str
    path: str
    valid_from: date | None
    valid_to: date | None
    successor_code: str | None
    tz: str


class Territories(Schema):
    items: list[TerritoryOut]


@operation(router, "GET", "/territories", right="territory.view", response=Territories)
def find_territories(
    call: Call, q: str = Query(..., min_length=1, max_length=100), within: str = Query("", max_length=40)
) -> Territories:
    """Find territories by name, the highest level first"""
    found = territory.find_by_name(q, within or None)
    return Territories(items=[_territory(one) for one in found[:FOUND]])


@operation(router, "GET", "/territories/{code}", right="territory.view", response=TerritoryOut)
def get_territory(call: Call, code: str, on: Day | None = None) -> TerritoryOut:
    """One territory; an old code leads to what followed it"""
    return _territory(territory.resolve(code, on))


@operation(router, "GET", "/territories/{code}/children", right="territory.view", response=Territories)
def list_children(call: Call, code: str, on: Day | None = None) -> Territories:
    """The territories directly below, those in force"""
    here = territory.resolve(code, on)
    return Territories(items=[_territory(one) for one in territory.children(here.code, on=on)])


def _territory(one: Territory) -> TerritoryOut:
    return TerritoryOut(
        code=one.code,
        name=one.name,
        name_en=one.name_en,
        level=one.level,
        kind=one.kind,
        parent_code=one.parent_code,
        path=territory.name_path(one.code),
        valid_from=one.valid_from,
        valid_to=one.valid_to,
        successor_code=one.successor_code,
        tz=one.tz,
    )
