"""Events of subjects that are new: nothing of them is stored, so nothing is looked for, and alike logs are
read once (`rules/plans.py`). What this writes is what `record` would have written; a test holds the two
together.

Rows go by COPY, as lines of text: what they have in common is written once for each story and day, what is
their own (numbers, person, place, owner) is put before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.loops import bindings, store
from bihuan.loops.actions.owners import Owners
from bihuan.loops.rules.bound import BoundDefinition
from bihuan.loops.rules.engine import replay
from bihuan.loops.rules.plans import Owed, Plan, may_share, midnight_of, needs_day, plan_of, story
from bihuan.loops.rules.state import Event
from bihuan.registry import bulk, territory
from bihuan.registry.actor import Actor
from bihuan.registry.bulk import NULL, cell, text
from bihuan.registry.ids import new_ids

_SUBJECT = ("id", "kind", "ref", "person_id", "territory_code")
_EVENT = (
    "id", "subject_id", "kind", "at", "at_precision", "data", "source", "idempotency_key", "territory_code",
    "recorded_at", "account_id", "post_id", "actor", "door",
)  # fmt: skip
_LOOP = (
    "id", "public_id", "subject_id", "person_id", "subject_ref", "territory_code", "subject_kind",
    "definition", '"group"', "binding_id", "ruling_id", "tz", "state", "opened_at", "closed_at", "outcome",
    "openings", "waits", "passed_to",
)  # fmt: skip
_DUTY = (
    "loop_id", "person_id", "territory_code", "owner_post_id", "owner_fallback", "ended_event_id",
    "definition", "kind", "key", "stage", "opened_at", "due_at", "warn_at", "recorded_at", "binding_id",
    "state", "clock_known", "ended_at", "ended_day_only", "ended_recorded_at", "ended_by_account_id",
    "ended_by_post_id", "reason", "evidence",
)  # fmt: skip
_NOT_ENDED = "\t".join((NULL, "f", NULL, NULL, NULL, "", NULL))  # from ended_at to evidence
_MOST_PLANS = 20_000

_plans: dict[tuple[Any, ...], Plan | None] = {}
"""Plans by digest of the definition, zone, and story; None: such logs have none."""


@dataclass(slots=True)
class _Subject:
    id: int
    kind: str
    ref: str
    person: str  # as a cell
    territory: str
    events: list[Any]  # NewEvent
    numbers: list[int]


@dataclass(slots=True)
class _Written:
    """A plan on its day, as text: what all such loops have in common."""

    plan: Plan
    bound: BoundDefinition
    loop: str
    duties: tuple[str, ...]
    ended_by: tuple[int | None, ...]
    functions: tuple[tuple[str, ...], ...]
    n_ended: int


@dataclass(slots=True)
class Left:
    """Subjects to be settled one by one: what `record` must know of them."""

    subjects: dict[int, tuple[str, str, int | None]]
    added: dict[int, list[Event]]


class Fresh:
    """One batch. `run` writes subjects and events, and the loops and duties of those that have a plan."""

    def __init__(self, *, actor: Actor, now: datetime, result: Any) -> None:
        self.actor, self.now, self.result = actor, now, result
        self.owners = Owners(now)
        self.said: dict[str, str] = {}  # data as told: its JSON text
        self.instants: dict[datetime, str] = {}
        self.opening: dict[tuple[str, str, datetime], list[BoundDefinition]] = {}
        self.zones: dict[str, ZoneInfo] = {}
        self.written: dict[tuple[Any, ...], _Written | None] = {}
        self.owing: dict[tuple[int, str], tuple[str, ...]] = {}
        self.loops: list[tuple[_Subject, _Written]] = []
        self.heads: dict[tuple[str, ...], str] = {}
        self.by = f"{cell(actor.account_id)}\t{cell(actor.post_id)}"

    def run(self, events: Sequence[Any]) -> Left:
        subjects = self.write_facts(events)
        left = Left({}, {})
        for subject in subjects:
            if not self.plan(subject):
                left.subjects[subject.id] = (subject.kind, subject.ref, subject.events[-1].person_id)
                left.added[subject.id] = self.log_of(subject)
        self.write_loops()
        return left

    # --- facts -------------------------------------------------------------------------------------------

    def write_facts(self, events: Sequence[Any]) -> list[_Subject]:
        numbers = bulk.take("loops_event_id_seq", len(events))
        found: dict[tuple[str, str], _Subject] = {}
        for event, number in zip(events, numbers, strict=True):
            key = (event.subject_kind, event.subject_id)
            subject = found.get(key)
            if subject is None:
                subject = found[key] = _Subject(0, *key, NULL, "", [], [])
            subject.events.append(event)
            subject.numbers.append(number)
        subjects = list(found.values())
        ids = bulk.take("loops_subject_id_seq", len(subjects))
        for subject, n in zip(subjects, ids, strict=True):
            last = subject.events[-1]
            subject.id, subject.person = n, cell(last.person_id)
            subject.territory = last.territory_code
        bulk.put(
            "loops_subject",
            _SUBJECT,
            [f"{s.id}\t{text(s.kind)}\t{text(s.ref)}\t{s.person}\t{text(s.territory)}" for s in subjects],
        )
        tail = f"{self.instant(self.now)}\t{self.by}\t{text(self.actor.name[:120])}\t{text(self.actor.door)}"
        lines = [
            f"{number}\t{subject.id}\t{event.kind}\t{self.instant(event.at)}\t{event.at_precision}\t"
            f"{text(self.says(event.data))}\t{text(event.source[:120])}\t"
            f"{NULL if event.idempotency_key is None else text(event.idempotency_key)}\t"
            f"{text(event.territory_code)}\t{tail}"
            for subject in subjects
            for event, number in zip(subject.events, subject.numbers, strict=True)
        ]
        bulk.put("loops_event", _EVENT, lines)
        self.result.recorded = len(events)
        self.result.event_ids = list(numbers)
        return subjects

    def says(self, data: Mapping[str, Any]) -> str:
        told = repr(data)
        found = self.said.get(told)
        if found is None:
            found = self.said[told] = store.dump(dict(data))
        return found

    def instant(self, at: datetime) -> str:
        found = self.instants.get(at)
        if found is None:
            found = self.instants[at] = at.isoformat()
        return found

    def log_of(self, subject: _Subject) -> list[Event]:
        return [
            Event(
                number, e.kind, e.at, e.data, e.at_precision, self.now, e.territory_code,
                self.actor.account_id, self.actor.post_id,
            )
            for e, number in zip(subject.events, subject.numbers, strict=True)
        ]  # fmt: skip

    # --- plans -------------------------------------------------------------------------------------------

    def plan(self, subject: _Subject) -> bool:
        """Find the plan of every loop a subject's log opens; False when one of them has none."""
        if not may_share(subject.events):
            return False
        if len(subject.events) > 1:
            order = sorted(range(len(subject.events)), key=lambda n: subject.events[n].at)
            subject.events = [subject.events[n] for n in order]
            subject.numbers = [subject.numbers[n] for n in order]
        tz = self.zone(subject.territory)
        made = []
        for bound in self.openings(subject):
            written = self.written_for(subject, bound, tz)
            if written is None:
                return False
            if written.plan.opened is not None:
                made.append((subject, written))
        self.loops += made
        return True

    def zone(self, code: str) -> ZoneInfo:
        found = self.zones.get(code)
        if found is None:
            found = self.zones[code] = ZoneInfo(territory.tz_of(code))
        return found

    def openings(self, subject: _Subject) -> list[BoundDefinition]:
        """Definitions the log would open: of each name the first, as the policy of that day binds it."""
        found: dict[str, BoundDefinition] = {}
        for event in subject.events:
            key = (subject.kind, event.territory_code, event.at)
            possible = self.opening.get(key)
            if possible is None:
                possible = self.opening[key] = bindings.opening(*key)
            for bound in possible:
                if event.kind in bound.opens_on and bound.name not in found:
                    found[bound.name] = bound
        return list(found.values())

    def written_for(self, subject: _Subject, bound: BoundDefinition, tz: ZoneInfo) -> _Written | None:
        events = subject.events
        base = midnight_of(events[0].at, tz)
        says = [self.says(e.data) for e in events]
        told = story(events, base, says)
        key = (bound.digest, tz.key, base, told)
        if key in self.written:
            return self.written[key]
        shared = (bound.digest, tz.key, base if needs_day(bound, base, tz, says) else None, told)
        if shared not in _plans:
            if len(_plans) >= _MOST_PLANS:
                _plans.clear()
            log = self.log_of(subject)
            _plans[shared] = plan_of(replay(bound, log, self.now, tz), log, base)
        plan = _plans[shared]
        found = self.written[key] = self.write_out(plan, bound, tz, base, events[-1].at) if plan else None
        return found

    def write_out(
        self, plan: Plan, bound: BoundDefinition, tz: ZoneInfo, base: datetime, last: datetime
    ) -> _Written:
        if plan.opened is None:
            return _Written(plan, bound, "", (), (), (), 0)
        store.ensure_months([base + duty.due for duty in plan.duties])
        binding = bindings.id_of(bound)
        loop = [
            bound.name, bound.group, binding, binding, str(tz), 0 if plan.closed is None else 1,
            base + plan.opened, None if plan.closed is None else base + plan.closed, plan.outcome,
            plan.openings, plan.waits, max(self.now, last),
        ]  # fmt: skip
        return _Written(
            plan,
            bound,
            bulk.line(loop),
            tuple(self.duty_tail(duty, bound, binding, base) for duty in plan.duties),
            tuple(duty.ended_by for duty in plan.duties),
            tuple(_owed_by(bound, duty) for duty in plan.duties),
            sum(duty.state != 0 for duty in plan.duties),
        )

    def duty_tail(self, duty: Owed, bound: BoundDefinition, binding: int, base: datetime) -> str:
        names = (bound.name, duty.kind, duty.key, duty.stage)
        head = self.heads.get(names)
        if head is None:
            head = self.heads[names] = bulk.line(names)
        instant = self.instant
        times = f"{instant(base + duty.opened)}\t{instant(base + duty.due)}\t{instant(base + duty.warn)}"
        stands = f"{instant(self.now)}\t{binding}\t{duty.state}\t{cell(duty.clock_known)}"
        if duty.ended is None:
            return f"{head}\t{times}\t{stands}\t{_NOT_ENDED}"
        evidence = NULL if duty.evidence is None else text(store.dump(dict(duty.evidence)))
        return (
            f"{head}\t{times}\t{stands}\t{instant(base + duty.ended)}\t{cell(duty.ended_day_only)}\t"
            f"{instant(self.now)}\t{self.by}\t{text(duty.reason)}\t{evidence}"
        )

    # --- rows --------------------------------------------------------------------------------------------

    def write_loops(self) -> None:
        ids = bulk.take("loops_loop_id_seq", len(self.loops)) if self.loops else []
        names = new_ids("L", len(ids))
        loops, duties = [], []
        for n, name, (subject, written) in zip(ids, names, self.loops, strict=True):
            place = text(subject.territory)
            loops.append(
                f"{n}\t{name}\t{subject.id}\t{subject.person}\t{text(subject.ref)}\t{place}\t"
                f"{text(subject.kind)}\t{written.loop}"
            )
            head = f"{n}\t{subject.person}\t{place}\t"
            numbers = subject.numbers
            for owner, ended_by, tail in zip(
                self.owners_of(written, subject.territory), written.ended_by, written.duties, strict=True
            ):
                ended = NULL if ended_by is None else numbers[ended_by]
                duties.append(f"{head}{owner}\t{ended}\t{tail}")
            self.count(written)
        bulk.put("loops_loop", _LOOP, loops)
        bulk.put("loops_duty", _DUTY, duties)

    def owners_of(self, written: _Written, place: str) -> tuple[str, ...]:
        """Owner and whether only the command stands in, of each duty, as two cells."""
        key = (id(written), place)
        found = self.owing.get(key)
        if found is None:
            organization = written.plan.organization_id
            owners = [self.owners.owner(f, place, organization) for f in written.functions]
            found = self.owing[key] = tuple(f"{post}\t{cell(fallback)}" for post, fallback in owners)
        return found

    def count(self, written: _Written) -> None:
        result = self.result
        result.loops_opened += 1
        result.loops_closed += written.plan.closed is not None
        result.duties_opened += len(written.duties)
        result.duties_ended += written.n_ended


def _owed_by(bound: BoundDefinition, duty: Owed) -> tuple[str, ...]:
    rule = bound.duties.get(duty.kind)
    return rule.owed_by if rule else ("command",)


def is_open_to(events: Sequence[Any]) -> bool:
    """Whether a batch can come in this way: no corrections, no key twice, and COPY is open."""
    keys = [e.idempotency_key for e in events if e.idempotency_key is not None]
    if len(set(keys)) < len(keys) or any(e.revises for e in events):
        return False
    return bulk.copies("loops_duty")


__all__ = ["Fresh", "Left", "is_open_to"]
