"""Duties: lists, one, doing it, waiving, undoing, handing over; single and in bulk."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.care.duties import do_duties, do_duty, verb_of
from bihuan.doors.api import paging, persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import HEALTH, PersonRef
from bihuan.doors.api.reading import AsOf, Moment
from bihuan.doors.api.shapes import Done, Many, PostRef, place, post, told
from bihuan.loops import actions, queries
from bihuan.loops.queries import DutyFilter, DutyRow
from bihuan.registry import access, posts
from bihuan.registry.errors import NotFound
from bihuan.registry.queries import person_by_public_id
from bihuan.registry.text import label

router = Router()
MOST = 5000
"""Duties in one bulk call: our own rule."""

Status = Literal["open", "due_soon", "late", "done", "waived", "superseded", "all"]
Ref = Annotated[str, Field(pattern=r"^D-[0-9]{1,18}$")]
Fields = Annotated[dict[Annotated[str, Field(max_length=60)], Any], Field(max_length=40)]
Reason = Annotated[str, Field(min_length=1, max_length=300)]


class DutyOut(Schema):
    """One owed step. To complete it, give the fields that `verb` asks for (see /verbs); without a verb, what
    `evidence_asked` says. `clock` names what the deadline counts from."""

    id: str
    loop: str
    definition: str
    kind: str
    key: str
    stage: str
    label: str
    verb: str
    status: str
    owner: PostRef | None
    owner_fallback: bool
    territory_code: str
    person: PersonRef | None
    subject_kind: str
    subject_id: str
    opened_at: datetime
    due_at: datetime
    warn_at: datetime
    clock: str
    clock_known: bool
    recorded_at: datetime
    ended_at: datetime | None
    ended_day_only: bool
    ended_recorded_at: datetime | None
    ended_by: PostRef | None
    reason: str
    evidence: dict[str, Any] | None
    evidence_asked: list[str]
    pack: str
    rule: str
    clause: str


class DutyPage(Schema):
    items: list[DutyOut]
    next: str | None


class RungOut(Schema):
    """A rung a duty climbed, from time alone. `told_at`: when its post was told, null if not yet."""

    step: int
    target: str
    at: datetime
    to: PostRef | None
    told_at: datetime | None


class Rungs(Schema):
    items: list[RungOut]


class DutyQuery(Schema):
    """Which duties; empty asks nothing. Times: due from (inclusive) to (exclusive)."""

    territory: str = Field("", max_length=40)
    status: Status = "open"
    mine: bool = Field(False, description="Only what lies on the token's own post.")
    definition: str = Field("", max_length=40)
    kind: str = Field("", max_length=40)
    stage: str = Field("", max_length=40)
    due_from: Moment | None = None
    due_to: Moment | None = None
    loop: str = Field("", max_length=20)
    subject_kind: str = Field("", max_length=20)
    subject_id: str = Field("", max_length=40)
    person: str = Field("", max_length=20)
    as_of: AsOf | None = None
    cursor: str = Field("", max_length=1000)
    limit: int = Field(paging.LIMIT_DEFAULT, ge=1, le=paging.LIMIT_MOST)


class Evidence(Schema):
    """`fields`: what the form of the duty's verb asks; or `at` (a date, or a time) and evidence by name."""

    fields: Fields = {}


class BulkEvidence(Evidence):
    duties: list[Ref] = Field(min_length=1, max_length=MOST)


class ReasonIn(Schema):
    reason: Reason


class BulkReason(ReasonIn):
    duties: list[Ref] = Field(min_length=1, max_length=MOST)


class HandOver(ReasonIn):
    to: str = Field(max_length=20, description="Public id of the post.")
    future: bool = Field(False, description="Also what a repeating duty owes later in its loop.")


@operation(router, "GET", "/duties", right="duty.view", response=DutyPage, personal=True)
def list_duties(call: Call, asked: Query[DutyQuery]) -> DutyPage:
    """What is owed, by deadline

    A post that sees only its own desk gets only that.
    """
    given = DutyFilter(
        territory=place(call, asked.territory, "duty.view") if asked.territory else "",
        status="" if asked.status == "all" else asked.status,
        post_id=call.post_id if asked.mine else None,
        definitions=[asked.definition] if asked.definition else (),
        kinds=[asked.kind] if asked.kind else (),
        stages=[asked.stage] if asked.stage else (),
        due_from=asked.due_from,
        due_to=asked.due_to,
        loop=asked.loop,
        subject=(asked.subject_kind, asked.subject_id) if asked.subject_id else None,
        person_id=person_by_public_id(asked.person).pk if asked.person else None,
    )
    page = queries.find_duties(
        given, as_of=asked.as_of, page=paging.decode("duties", asked.cursor) or None, limit=asked.limit
    )
    return DutyPage(items=told_duties(call, page.rows), next=paging.encode("duties", page.next))


@operation(router, "GET", "/duties/{duty}", right="duty.view", response=DutyOut, personal=True)
def get_duty(call: Call, duty: str, as_of: AsOf | None = None) -> DutyOut:
    """One duty"""
    row = queries.get_duty(number(duty), as_of=as_of)
    if row is None:
        raise _unknown(duty)
    return told_duties(call, [row])[0]


@operation(router, "GET", "/duties/{duty}/escalations", right="duty.view", response=Rungs)
def list_escalations(call: Call, duty: str, as_of: AsOf | None = None) -> Rungs:
    """Whom a duty has climbed to"""
    rows = queries.escalations(number(duty), as_of=as_of)
    return Rungs(
        items=[
            RungOut(step=r.step, target=r.target, at=r.at, to=post(r.to_post_id), told_at=r.told_at)
            for r in rows
        ]
    )


@operation(router, "POST", "/duties/complete", right="duty.bulk", response=Many)
def complete_duties(call: Call, body: BulkEvidence) -> Many:
    """Complete many duties with the same evidence, all or none

    Duties that ask for a value of each person, or restrict one, are refused here.
    """
    n = do_duties([number(ref) for ref in body.duties], body.fields, call.actor)
    return Many(n=n, message=ngettext("%(n)s duty ended.", "%(n)s duties ended.", n) % {"n": n})


@operation(router, "POST", "/duties/waive", right="duty.waive", response=Many)
def waive_duties(call: Call, body: BulkReason) -> Many:
    """Waive many duties for one reason, all or none"""
    ids = list(dict.fromkeys(number(ref) for ref in body.duties))
    actions.waive_bulk(ids, body.reason, call.actor)
    return Many(
        n=len(ids), message=ngettext("%(n)s duty ended.", "%(n)s duties ended.", len(ids)) % {"n": len(ids)}
    )


@operation(router, "POST", "/duties/{duty}/complete", right="duty.do", response=Done)
def complete_duty(call: Call, duty: str, body: Evidence) -> Done:
    """Do a duty"""
    return Done(message=do_duty(number(duty), body.fields, call.actor), subject=duty)


@operation(router, "POST", "/duties/{duty}/waive", right="duty.waive", response=Done)
def waive_duty(call: Call, duty: str, body: ReasonIn) -> Done:
    """End a duty without its being done: reason and name stay with it"""
    actions.waive(number(duty), body.reason, call.actor)
    return Done(message=_("Waived."), subject=duty)


@operation(router, "POST", "/duties/{duty}/undo", right="duty.do", response=Done)
def undo_duty(call: Call, duty: str, body: ReasonIn) -> Done:
    """Take back what ended a duty; it is owed again"""
    actions.undo_completion(number(duty), body.reason, call.actor)
    return Done(message=_("Taken back; the duty is owed again."), subject=duty)


@operation(router, "POST", "/duties/{duty}/hand-over", right="duty.do", response=Done)
def hand_over_duty(call: Call, duty: str, body: HandOver) -> Done:
    """Let another post owe a duty

    The post must hold the duty's territory, or one of its holders have been lent a post that does.
    """
    to = posts.by_public_id(body.to)
    actions.hand_over(number(duty), to.id, body.reason, call.actor, future=body.future)
    return Done(message=_("Handed over to %(post)s.") % {"post": to.label}, subject=duty)


@operation(router, "POST", "/duties/{duty}/take-back", right="duty.do", response=Done)
def take_back_duty(call: Call, duty: str, body: ReasonIn) -> Done:
    """Undo the last hand-over of a duty: who owed it before owes it again"""
    actions.take_back(number(duty), body.reason, call.actor)
    return Done(message=_("Taken back; who owed it before owes it again."), subject=duty)


def number(ref: str) -> int:
    """The row id in D-123. Raises NotFound for any other text."""
    digits = ref[2:]
    if ref[:2] != "D-" or not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise _unknown(ref)
    return int(digits)


def _unknown(ref: str) -> NotFound:
    return NotFound(_("There is no duty %(id)s here.") % {"id": ref[:40]}, code="unknown-duty")


def told_duties(call: Call, rows: list[DutyRow]) -> list[DutyOut]:
    """Duties as answers hold them; that they were shown is noted."""
    known = persons.refs(row.person_id for row in rows)
    seen = {
        (row.territory_code, row.owner_post_id): access.field_classes(
            None, "duty.view", territory_code=row.territory_code, post_id=row.owner_post_id
        )
        for row in rows
    }
    for classes in set(seen.values()):
        shown = [row.person_id for row in rows if seen[row.territory_code, row.owner_post_id] == classes]
        persons.note(call, shown, classes)
    return [_duty(row, known, seen[row.territory_code, row.owner_post_id]) for row in rows]


def _duty(row: DutyRow, known: Mapping[int, PersonRef], shown: frozenset[str]) -> DutyOut:
    return DutyOut(
        id=row.ref,
        loop=row.loop,
        definition=row.definition,
        kind=row.kind,
        key=row.key,
        stage=row.stage,
        label=label(row.label),
        verb=row.verb if verb_of(row) is not None else "",
        status=row.status,
        owner=post(row.owner_post_id),
        owner_fallback=row.owner_fallback,
        territory_code=row.territory_code,
        person=known.get(row.person_id or 0),
        subject_kind=row.subject_kind,
        subject_id=row.subject_ref,
        opened_at=row.opened_at,
        due_at=row.due_at,
        warn_at=row.warn_at,
        clock=row.clock,
        clock_known=row.clock_known,
        recorded_at=row.recorded_at,
        ended_at=row.ended_at,
        ended_day_only=row.ended_day_only,
        ended_recorded_at=row.ended_recorded_at,
        ended_by=post(row.ended_by_post_id),
        reason=row.reason,
        evidence=told(row.evidence) if row.evidence is not None and HEALTH in shown else None,
        evidence_asked=list(row.evidence_asked),
        pack=row.pack,
        rule=row.rule,
        clause=row.clause,
    )
