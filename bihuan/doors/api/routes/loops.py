"""Loops: lists, one whole, and the proof that nothing is in limbo."""

from datetime import datetime
from typing import Any, Literal

from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.doors.api import paging, persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import HEALTH, PersonRef
from bihuan.doors.api.reading import AsOf
from bihuan.doors.api.routes.duties import DutyOut, RungOut, told_duties
from bihuan.doors.api.shapes import PostRef, place, post, told
from bihuan.loops import queries
from bihuan.loops.queries import EventRow, LoopRow, Ring
from bihuan.loops.queries.sight import classes_of, require_whole
from bihuan.registry.text import label

router = Router()


class LoopOut(Schema):
    """A loop: what it follows, since when, how it ended."""

    id: str
    definition: str
    label: str
    group: str
    subject_kind: str
    subject_id: str
    person: PersonRef | None
    territory_code: str
    opened_at: datetime
    closed_at: datetime | None
    outcome: str
    policy: str
    handed_to: str | None


class LoopPage(Schema):
    items: list[LoopOut]
    next: str | None


class StageOut(Schema):
    """An arc of the ring. `state`: ahead, open, late or done; `fraction` of its duties that have ended."""

    stage: str
    label: str
    state: str
    fraction: float
    done: int
    open: int
    late: int


class EventOut(Schema):
    """An event of the log: when it was true, when it became known. `data` needs the field class health."""

    id: int
    kind: str
    at: datetime
    at_precision: str
    recorded_at: datetime
    data: dict[str, Any] | None
    post: PostRef | None
    door: str
    source: str
    taken_back: bool


class LoopRungOut(RungOut):
    duty: str


class LoopWhole(Schema):
    """A loop with its ring, duties, events and escalations."""

    loop: LoopOut
    is_closed: bool
    stages: list[StageOut]
    duties: list[DutyOut]
    events: list[EventOut]
    escalations: list[LoopRungOut]


class ViolationOut(Schema):
    rule: str
    message: str
    ids: list[str]


class CheckOut(Schema):
    """The proof: created = open + done + waived + superseded, and what breaks the promise (nothing)."""

    holds: bool
    created: int
    open: int
    done: int
    waived: int
    superseded: int
    loops_open: int
    loops_closed: int
    violations: list[ViolationOut]


class LoopQuery(Schema):
    territory: str = Field("", max_length=40)
    state: Literal["open", "closed", "all"] = "open"
    definition: str = Field("", max_length=40)
    subject_kind: str = Field("", max_length=20)
    subject_id: str = Field("", max_length=40)
    cursor: str = Field("", max_length=1000)
    limit: int = Field(paging.LIMIT_DEFAULT, ge=1, le=paging.LIMIT_MOST)


@operation(router, "GET", "/loops", right="loop.view", response=LoopPage, personal=True)
def list_loops(call: Call, asked: Query[LoopQuery]) -> LoopPage:
    """Loops by opening, the newest first"""
    require_whole("loop.view")
    after = paging.decode_number("loops", asked.cursor)
    page = queries.find_loops(
        place(call, asked.territory, "loop.view") if asked.territory else "",
        state="" if asked.state == "all" else asked.state,
        definition=asked.definition,
        subject=(asked.subject_kind, asked.subject_id) if asked.subject_id else None,
        page=None if after is None else str(after),
        limit=asked.limit,
    )
    persons.note(call, [row.person_id for row in page.rows], [persons.OPERATIONAL])
    return LoopPage(items=_loops(page.rows), next=paging.encode("loops", page.next))


@operation(router, "GET", "/loops/check", right="loop.view", response=CheckOut)
def check_loops(call: Call, territory: str = Query("", max_length=40)) -> CheckOut:
    """Prove that nothing is in limbo, within the post's territory"""
    require_whole("loop.view")
    found = queries.check(place(call, territory, "loop.view"))
    return CheckOut(
        holds=found.holds,
        created=found.created,
        open=found.open,
        done=found.done,
        waived=found.waived,
        superseded=found.superseded,
        loops_open=found.loops_open,
        loops_closed=found.loops_closed,
        violations=[ViolationOut(rule=v.rule, message=v.message, ids=v.ids) for v in found.violations],
    )


@operation(router, "GET", "/loops/{loop}", right="loop.view", response=LoopWhole, personal=True)
def get_loop(call: Call, loop: str, as_of: AsOf | None = None) -> LoopWhole:
    """One loop, whole: its ring, duties, log and escalations"""
    found = queries.loop_detail(loop, as_of=as_of)
    one = found.loop
    shown = classes_of(
        "loop.view",
        territory_code=one.territory_code,
        person_id=one.person_id,
        subject=(one.subject_kind, one.subject_ref),
    )
    persons.note(call, [one.person_id], shown)
    return LoopWhole(
        loop=_loops([one])[0],
        is_closed=found.ring.is_closed,
        stages=_stages(found.ring),
        duties=told_duties(call, list(found.duties)),
        events=[_event(event, shown) for event in found.events],
        escalations=[
            LoopRungOut(
                duty=r.duty, step=r.step, target=r.target, at=r.at, to=post(r.to_post_id), told_at=r.told_at
            )
            for r in found.rungs
        ],
    )


def _loops(rows: list[LoopRow]) -> list[LoopOut]:
    known = persons.refs(row.person_id for row in rows)
    return [
        LoopOut(
            id=row.public_id,
            definition=row.definition,
            label=label(row.label),
            group=row.group,
            subject_kind=row.subject_kind,
            subject_id=row.subject_ref,
            person=known.get(row.person_id or 0),
            territory_code=row.territory_code,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
            outcome=row.outcome,
            policy=row.policy,
            handed_to=row.handed_to,
        )
        for row in rows
    ]


def _stages(ring: Ring) -> list[StageOut]:
    return [
        StageOut(
            stage=s.stage,
            label=label(s.label),
            state=s.state,
            fraction=s.fraction,
            done=s.done,
            open=s.open,
            late=s.late,
        )
        for s in ring.stages
    ]


def _event(event: EventRow, shown: frozenset[str]) -> EventOut:
    return EventOut(
        id=event.id,
        kind=event.kind,
        at=event.at,
        at_precision=event.at_precision,
        recorded_at=event.recorded_at,
        data=told(event.data) if HEALTH in shown else None,
        post=post(event.post_id),
        door=event.door,
        source=event.source,
        taken_back=event.taken_back,
    )
