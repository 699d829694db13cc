"""One person or two: records that look alike, joined, told apart, and parted again."""

from datetime import datetime

from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.care.actions.joining import join_records, part_records
from bihuan.doors.api import persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import IDENTITY, PersonRef
from bihuan.doors.api.shapes import Done, place
from bihuan.registry.actions.people import decide_not_same, reopen_decision
from bihuan.registry.queries import person_by_public_id, suspected_pairs

router = Router()
MOST = 500


class Likeness(Schema):
    """In what two records agree (`how`) or differ, and the points of it."""

    field: str
    how: str
    points: int


class PairOut(Schema):
    """Two records that look like one person. `score` is 70 to 100, null where somebody named the pair."""

    one: PersonRef | None
    other: PersonRef | None
    score: int | None
    why: list[Likeness]
    found_at: datetime


class Pairs(Schema):
    items: list[PairOut]


class PairIn(Schema):
    """Two records by their public ids, and why."""

    one: str = Field(max_length=20)
    other: str = Field(max_length=20)
    reason: str = Field(min_length=1, max_length=300)


class JoinIn(Schema):
    """`keep` stands for both from then on."""

    keep: str = Field(max_length=20)
    other: str = Field(max_length=20)
    reason: str = Field(min_length=1, max_length=300)


class ReasonIn(Schema):
    reason: str = Field(min_length=1, max_length=300)


class EndedOut(Schema):
    """A contact that ended, and the one of the same person that goes on with its exposures."""

    contact: str
    goes_on: str


class BecameOut(Schema):
    contact: str
    case: str


class JoinedOut(Schema):
    """`merge` is the number by which it is taken back. `apart`: contacts of hers that stay beside each other,
    as something about them is still to be decided. `became`: contacts of hers that became her case."""

    merge: int
    ended: list[EndedOut]
    apart: list[str]
    became: list[BecameOut]


class PartedOut(Schema):
    """Contacts named anew for who was taken for somebody else."""

    named: list[str]


@operation(router, "GET", "/same-persons", right="person.merge", response=Pairs, personal=True)
def list_same_persons(call: Call, territory: str = "", limit: int = Query(50, ge=1, le=MOST)) -> Pairs:
    """Pairs of records that look like one person and wait for a decision, the likeliest first"""
    code = place(call, territory, "person.merge")
    pairs = suspected_pairs(territory_code=code, limit=limit)
    ids = [n for pair in pairs for n in (pair.low_id, pair.high_id)]
    persons.note(call, ids, [IDENTITY])
    known = persons.refs(ids)
    return Pairs(
        items=[
            PairOut(
                one=known.get(pair.low_id),
                other=known.get(pair.high_id),
                score=pair.score,
                why=[Likeness(**reason) for reason in pair.why],
                found_at=pair.found_at,
            )
            for pair in pairs
        ]
    )


@operation(router, "POST", "/same-persons/join", right="person.merge", response=JoinedOut)
def join_persons(call: Call, body: JoinIn) -> JoinedOut:
    """Two records are one person: whoever is a contact under both is observed once"""
    done = join_records(body.keep, body.other, reason=body.reason, actor=call.actor)
    ended = [EndedOut(contact=contact, goes_on=goes_on) for contact, goes_on in done.ended]
    became = [BecameOut(contact=contact, case=case) for contact, case in done.became]
    return JoinedOut(merge=done.merge, ended=ended, apart=list(done.apart), became=became)


@operation(router, "POST", "/same-persons/tell-apart", right="person.merge", response=Done)
def tell_persons_apart(call: Call, body: PairIn) -> Done:
    """Two records are two people: they are not brought up again"""
    one, other = (person_by_public_id(public_id) for public_id in (body.one, body.other))
    decide_not_same(one.pk, other.pk, reason=body.reason, actor=call.actor)
    return Done(message=_("They are two people, and not brought up again."), subject=one.public_id)


@operation(router, "POST", "/same-persons/reopen", right="person.merge", response=Done)
def reopen_persons(call: Call, body: PairIn) -> Done:
    """Whether two records are one person is open again"""
    one, other = (person_by_public_id(public_id) for public_id in (body.one, body.other))
    reopen_decision(one.pk, other.pk, reason=body.reason, actor=call.actor)
    return Done(message=_("It is to be decided again."), subject=one.public_id)


@operation(router, "POST", "/same-persons/{merge}/part", right="person.merge", response=PartedOut)
def part_persons(call: Call, merge: int, body: ReasonIn) -> PartedOut:
    """Take a join back: they are two people, each obliged by what she herself was exposed to"""
    return PartedOut(named=list(part_records(merge, reason=body.reason, actor=call.actor).named))
