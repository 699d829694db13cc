"""Orders: what restricts a person, why, until when, and how it may end earlier."""

from datetime import date, datetime
from typing import Any

from ninja import Query, Router, Schema

from bihuan.care import queries
from bihuan.care.queries import OrderView
from bihuan.doors.api import persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import HEALTH, LOCATION, PersonRef
from bihuan.doors.api.shapes import place
from bihuan.loops.queries.sight import classes_of, require_whole

router = Router()


class AppealOut(Schema):
    """Without an answer by `due_at` the order ends. `text` needs the field class health."""

    id: str
    order: str
    territory_code: str
    filed_at: datetime
    due_at: datetime
    decided_at: datetime | None
    decision: str
    text: str | None


class Appeals(Schema):
    items: list[AppealOut]


class OrderOut(Schema):
    """The decision record of an order. `day` of `days`: today's day; `exposure_day` counts from the exposure.
    `stage` of `stages`: `stage_day` of `stage_days`, to the end of `stage_last`; `home_from` is the first day
    of a second stage at home, `moved_at` when the person came home for it.

    `place` needs the field class location, `evidence` the class health.
    """

    id: str
    contact: str
    person: PersonRef | None
    territory_code: str
    kind: str
    place: str | None
    proposer: str
    approver: str
    evidence: str | None
    pack: str
    rule: str
    clause: str
    start_at: datetime
    first_day: date
    last_day: date
    end_at: datetime
    review_on: date
    day: int
    days: int
    exposure_day: int
    tests_on: list[date]
    stage: int
    stages: int
    stage_day: int
    stage_days: int
    stage_last: date
    home_from: date | None
    home_kind: str
    moved_at: datetime | None
    ends_earlier: list[str]
    ended_at: datetime | None
    end_reason: str
    appeals: list[AppealOut]


@operation(router, "GET", "/orders/{order}", right="order.view", response=OrderOut, personal=True)
def get_order(call: Call, order: str) -> OrderOut:
    """One order: why, until when, how to appeal"""
    found = queries.find_order(order)
    one = found.order
    shown = classes_of(
        "order.view",
        territory_code=one.territory_code,
        person_id=one.person_id,
        subject=("contact", found.contact),
    )
    persons.note(call, [one.person_id], shown)
    return order_out(found, shown)


@operation(router, "GET", "/appeals", right=("order.view", "appeal.decide"), response=Appeals)
def list_appeals(call: Call, territory: str = Query("", max_length=40)) -> Appeals:
    """Appeals that wait for an answer, the most urgent first"""
    require_whole("order.view")
    waiting = queries.appeals_waiting(place(call, territory, "order.view"))
    return Appeals(
        items=[_appeal(one, one.order.public_id, None) for one in waiting.select_related("order")[:500]]
    )


def order_out(found: OrderView, shown: frozenset[str]) -> OrderOut:
    one = found.order
    return OrderOut(
        id=one.public_id,
        contact=found.contact,
        person=persons.refs([one.person_id]).get(one.person_id),
        territory_code=one.territory_code,
        kind=one.kind,
        place=one.place if LOCATION in shown else None,
        proposer=one.proposer,
        approver=one.approver,
        evidence=one.evidence if HEALTH in shown else None,
        pack=one.pack,
        rule=one.rule,
        clause=one.clause,
        start_at=one.start_at,
        first_day=one.first_day,
        last_day=one.last_day,
        end_at=one.end_at,
        review_on=one.review_on,
        day=found.day,
        days=found.days,
        exposure_day=found.exposure_day,
        tests_on=list(one.tests_on),
        stage=found.stage,
        stages=found.stages,
        stage_day=found.stage_day,
        stage_days=found.stage_days,
        stage_last=found.stage_last,
        home_from=one.home_from,
        home_kind=one.home_kind,
        moved_at=one.moved_at,
        ends_earlier=list(found.ends_earlier),
        ended_at=one.ended_at,
        end_reason=one.end_reason,
        appeals=[_appeal(a, one.public_id, a.text if HEALTH in shown else None) for a in found.appeals],
    )


def _appeal(one: Any, order: str, text: str | None) -> AppealOut:
    return AppealOut(
        id=one.public_id,
        order=order,
        territory_code=one.territory_code,
        filed_at=one.filed_at,
        due_at=one.due_at,
        decided_at=one.decided_at,
        decision=one.decision,
        text=text,
    )
