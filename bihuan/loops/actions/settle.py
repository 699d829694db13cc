"""From states to rows: compare what the engine says with what is stored, write the difference in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.loops import bindings, store
from bihuan.loops.actions.owners import Owners
from bihuan.loops.models.loop import loop_id as new_loop_id
from bihuan.loops.rules.bound import BoundDefinition
from bihuan.loops.rules.ladder import find_rungs
from bihuan.loops.rules.slots import start_of_day
from bihuan.loops.rules.state import Duty, Schedule, State
from bihuan.loops.store import StoredDuty

LATE_FACT = "late_fact"
RETRACTED_OPENING = "retracted"
SUPERSEDED = 3

_LOOP_STATE = {
    "ruling_id": "bigint", "state": "smallint", "opened_at": "timestamptz", "closed_at": "timestamptz",
    "outcome": "text", "openings": "smallint", "waits": "boolean", "passed_to": "timestamptz",
    "territory_code": "text",
}  # fmt: skip
_LOOP_NEW = {
    "id": "bigint", "public_id": "text", "subject_id": "bigint", "subject_kind": "text",
    "subject_ref": "text",
    "person_id": "bigint", "definition": "text", '"group"': "text", "binding_id": "bigint", "tz": "text",
    **_LOOP_STATE,
}  # fmt: skip
_DUTY_STATE = {
    "state": "smallint", "opened_at": "timestamptz", "new_due_at": "timestamptz", "warn_at": "timestamptz",
    "clock_known": "boolean", "territory_code": "text", "owner_post_id": "bigint",
    "owner_fallback": "boolean",
    "ended_at": "timestamptz", "ended_day_only": "boolean", "ended_recorded_at": "timestamptz",
    "ended_by_account_id": "bigint", "ended_by_post_id": "bigint", "ended_event_id": "bigint",
    "reason": "text",
    "evidence": "jsonb", "binding_id": "bigint",
}  # fmt: skip
_SCHEDULE = {
    "loop_id": "bigint", "binding_id": "bigint", "definition": "text", "kind": "text", "run": "smallint",
    "stage": "text", "tz": "text", "from_at": "timestamptz", "last_day": "date", "next_day": "date",
    "next_open_at": "timestamptz", "until_at": "timestamptz", "slots": "smallint[]", "warn_lead": "interval",
    "owner_post_id": "bigint", "owner_fallback": "boolean", "person_id": "bigint", "territory_code": "text",
}  # fmt: skip


@dataclass(slots=True)
class StoredLoop:
    id: int
    subject_id: int
    definition: str
    bound: BoundDefinition
    binding_id: int
    tz: ZoneInfo
    person_id: int | None
    passed_to: datetime
    state: int
    row: tuple[Any, ...]


@dataclass
class Settling:
    """A batch being brought up to date. `take` and `open` gather, `write` writes."""

    now: datetime
    owners: Owners
    result: Any
    loops_of: dict[int, list[StoredLoop]] = field(default_factory=dict)
    duties_of: dict[int, dict[str, StoredDuty]] = field(default_factory=dict)
    schedules_of: dict[int, dict[tuple[str, int], tuple[Any, ...]]] = field(default_factory=dict)
    new_loops: list[list[Any]] = field(default_factory=list)
    opened: list[tuple[int, StoredLoop | None, BoundDefinition, ZoneInfo, int | None, State]] = field(
        default_factory=list
    )
    loop_rows: list[tuple[Any, ...]] = field(default_factory=list)
    duty_rows: list[tuple[Any, ...]] = field(default_factory=list)
    duty_changes: list[tuple[Any, ...]] = field(default_factory=list)
    schedule_rows: list[tuple[Any, ...]] = field(default_factory=list)
    rungs: list[tuple[Any, ...]] = field(default_factory=list)

    # --- reading -----------------------------------------------------------------------------------------

    def load(self, subject_ids: Sequence[int]) -> None:
        if not subject_ids:
            return
        rows = store.fetch(
            "SELECT id, subject_id, definition, binding_id, tz, person_id, passed_to, state, ruling_id,"
            " opened_at,"
            " closed_at, outcome, openings, waits, territory_code FROM loops_loop WHERE subject_id = ANY(%s)"
            " ORDER BY id",
            [list(subject_ids)],
        )
        bound = bindings.load(row[3] for row in rows)
        for n, subject, name, binding, tz, person, passed, state, *rest in rows:
            values = (rest[0], state, *rest[1:6], passed, rest[6])
            loop = StoredLoop(
                n, subject, name, bound[binding], binding, ZoneInfo(tz), person, passed, state, values
            )
            self.loops_of.setdefault(subject, []).append(loop)
        ids = [row[0] for row in rows]
        self.read_schedules(ids)
        self.duties_of = store.find_duties(ids)

    def read_schedules(self, ids: Sequence[int]) -> None:
        """Running repeats, locked: the sweep leaves them alone until we are done."""
        rows = store.fetch(
            "SELECT loop_id, kind, run, last_day, next_day, until_at, owner_post_id, territory_code,"
            " binding_id, tz"
            " FROM loops_schedule WHERE loop_id = ANY(%s) ORDER BY id FOR UPDATE",
            [list(ids)],
        )
        for loop, kind, run, *rest in rows:
            self.schedules_of.setdefault(loop, {})[(kind, run)] = tuple(rest)

    def horizon(self, loop: StoredLoop) -> datetime:
        """How far time has passed for a loop: now, or what a sweep has made already."""
        until = max(self.now, loop.passed_to)
        for row in self.schedules_of.get(loop.id, {}).values():
            until = max(until, start_of_day(row[1] - timedelta(days=1), loop.tz))
        return until

    # --- gathering ---------------------------------------------------------------------------------------

    def take(self, loop: StoredLoop, state: State) -> None:
        self.opened.append((loop.id, loop, loop.bound, loop.tz, loop.person_id, state))

    def open(
        self,
        subject_id: int,
        subject: tuple[str, str, int | None],
        bound: BoundDefinition,
        tz: ZoneInfo,
        state: State,
    ) -> None:
        kind, ref, person = subject
        head = [
            None, new_loop_id(), subject_id, kind, ref, person, bound.name, bound.group,
            bindings.id_of(bound), str(tz),
        ]  # fmt: skip
        self.new_loops.append(head)
        self.opened.append((-len(self.new_loops), None, bound, tz, person, state))

    # --- writing -----------------------------------------------------------------------------------------

    def write(self) -> None:
        ids = store.allocate("loops_loop_id_seq", len(self.new_loops)) if self.new_loops else []
        rows = []
        for n, loop, bound, tz, person, state in self.opened:
            number = ids[-n - 1] if n < 0 else n
            values = self.loop_values(loop, bound, state)
            if loop is None:
                rows.append((number, *self.new_loops[-n - 1][1:], *values))
                self.result.loops_opened += 1
                self.result.loops_closed += values[1]
            else:
                self.change_loop(loop, values)
            self.compare(number, bound, values[0], person, state)
            self.compare_schedules(number, bound, tz, person, state)
        store.insert("loops_loop", _LOOP_NEW, rows)
        store.update("loops_loop", {"id": "bigint"}, _LOOP_STATE, self.loop_rows)
        self.write_duties()
        self.write_schedules()
        store.insert(
            "loops_escalation",
            store.ESCALATION_TYPES,
            self.rungs,
            tail="ON CONFLICT (duty_id, step, at) DO NOTHING",
        )

    def loop_values(self, loop: StoredLoop | None, bound: BoundDefinition, state: State) -> tuple[Any, ...]:
        ruling = bindings.by_digest([state.policy])[state.policy][0] if state.policy else None
        ruling = ruling or (loop.binding_id if loop else bindings.id_of(bound))
        passed = max(self.now, state.passed_to or self.now)
        opened_at: datetime
        closed_at: datetime | None
        if state.opened_at is None:  # the opening itself was taken back
            opened_at = loop.row[2] if loop else self.now
            closed_at, outcome = self.now, RETRACTED_OPENING
            if loop and loop.row[4] == RETRACTED_OPENING:
                closed_at = loop.row[3]
        else:
            opened_at, closed_at, outcome = state.opened_at, state.closed_at, state.outcome
        territory = state.territory_code or (loop.row[-1] if loop else "")
        return (
            ruling, 0 if closed_at is None else 1, opened_at, closed_at, outcome, state.openings,
            bool(state.pending), passed, territory,
        )  # fmt: skip

    def change_loop(self, loop: StoredLoop, values: tuple[Any, ...]) -> None:
        if values[1] != loop.state:
            self.result.loops_closed += values[1] == 1
            self.result.loops_opened += values[1] == 0
        if values != loop.row:
            self.loop_rows.append((loop.id, *values))

    def compare(
        self, number: int, bound: BoundDefinition, ruling: int, person: int | None, state: State
    ) -> None:
        stored = self.duties_of.get(number, {})
        for key, duty in state.duties.items():
            old = stored.get(key)
            if old is None:
                self.add_duty(number, bound, ruling, person, duty, state)
            else:
                self.change_duty(old, bound, ruling, duty, state)
        for key, old in stored.items():
            if key not in state.duties and old.state == 0:
                self.drop_duty(old)

    def owner_of(self, bound: BoundDefinition, duty: Duty, state: State) -> tuple[int, bool]:
        if duty.post_id is not None and self.owners.is_active(duty.post_id):
            return duty.post_id, False
        rule = bound.duties.get(duty.kind)
        functions = rule.owed_by if rule else ("command",)
        return self.owners.owner(functions, duty.territory_code, _organization(state))

    def add_duty(
        self, number: int, bound: BoundDefinition, ruling: int, person: int | None, duty: Duty, state: State
    ) -> None:
        owner, fallback = self.owner_of(bound, duty, state)
        self.duty_rows.append((
            number, owner, person, duty.opened_at, duty.due_at, duty.warn_at, self.now, duty.ended_at,
            duty.ended_recorded_at, duty.ended_by_account_id, duty.ended_by_post_id, duty.ended_seq, ruling,
            int(duty.state), fallback, duty.clock_known, duty.ended_precision == "day", duty.territory_code,
            bound.name, duty.kind, duty.key, duty.stage, duty.reason,
            None if duty.evidence is None else store.dump(dict(duty.evidence)),
        ))  # fmt: skip
        self.result.duties_opened += 1
        self.result.duties_ended += not duty.is_open

    def change_duty(
        self, old: StoredDuty, bound: BoundDefinition, ruling: int, duty: Duty, state: State
    ) -> None:
        owner = self.owner_of(bound, duty, state) if duty.is_open else (old.owner_post_id, old.owner_fallback)
        same = (
            old.state == duty.state and old.due_at == duty.due_at and old.opened_at == duty.opened_at
            and old.ended_at == duty.ended_at and old.ended_event_id == duty.ended_seq
            and old.reason == duty.reason
            and old.territory_code == duty.territory_code and old.clock_known == duty.clock_known
            and old.warn_at == duty.warn_at and (old.owner_post_id, old.owner_fallback) == owner
        )  # fmt: skip
        if same:
            return
        binding = ruling if duty.policy else old.binding_id
        self.duty_changes.append((
            old.id, old.due_at, int(duty.state), duty.opened_at, duty.due_at, duty.warn_at, duty.clock_known,
            duty.territory_code, *owner, duty.ended_at, duty.ended_precision == "day", duty.ended_recorded_at,
            duty.ended_by_account_id, duty.ended_by_post_id, duty.ended_seq, duty.reason,
            None if duty.evidence is None else store.dump(dict(duty.evidence)), binding,
        ))  # fmt: skip
        if not duty.is_open and old.state == 0:
            self.result.duties_ended += 1
            self.note_rungs(old, bound, duty.ended_at)

    def drop_duty(self, old: StoredDuty) -> None:
        self.duty_changes.append((
            old.id, old.due_at, SUPERSEDED, old.opened_at, old.due_at, old.warn_at, old.clock_known,
            old.territory_code, old.owner_post_id, old.owner_fallback, self.now, False, self.now, None,
            None, None,
            LATE_FACT, None, old.binding_id,
        ))  # fmt: skip
        self.result.duties_ended += 1

    def note_rungs(self, old: StoredDuty, bound: BoundDefinition, ended_at: datetime | None) -> None:
        """Rungs a duty had climbed before it ended and no sweep has noticed yet."""
        for rung in find_rungs(bound.ladder, due_at=old.due_at, ended_at=ended_at, now=self.now):
            to = self.owners.target(rung.to, old.owner_post_id, old.territory_code)
            self.rungs.append(
                (old.id, old.due_at, rung.step, rung.to, to, rung.at, self.now, old.territory_code)
            )

    def compare_schedules(
        self, number: int, bound: BoundDefinition, tz: ZoneInfo, person: int | None, state: State
    ) -> None:
        stored = self.schedules_of.get(number, {})
        for key, schedule in state.schedules.items():
            rule = bindings.by_digest([schedule.policy])[schedule.policy][1] if schedule.policy else bound
            row = self.schedule_row(number, rule, tz, person, schedule, state)
            old = stored.get(key)
            if old is None or old != _comparable(row):
                self.schedule_rows.append(row)
        for key in stored.keys() - state.schedules.keys():
            if stored[key][2] is None:  # a late fact took the repeat away
                self.schedule_rows.append(
                    self.stopped_row(number, bound, tz, person, key, stored[key], state)
                )

    def schedule_row(
        self,
        number: int,
        bound: BoundDefinition,
        tz: ZoneInfo,
        person: int | None,
        schedule: Schedule,
        state: State,
    ) -> tuple[Any, ...]:
        rule = bound.duties[schedule.kind]
        territory = state.territory_code
        if schedule.post_id is not None and self.owners.is_active(schedule.post_id):
            owner, fallback = schedule.post_id, False
        else:
            owner, fallback = self.owners.owner(rule.owed_by, territory, _organization(state))
        slots = rule.repeat.slots if rule.repeat else ()
        return (
            number, bindings.id_of(bound), bound.name, schedule.kind, schedule.run, rule.stage, str(tz),
            schedule.from_at, schedule.last_day, schedule.next_day, schedule.next_open_at, schedule.until_at,
            "{" + ",".join(map(str, slots)) + "}", rule.warn_lead, owner, fallback, person, territory,
        )  # fmt: skip

    def stopped_row(
        self, number: int, bound: BoundDefinition, tz: ZoneInfo, person: int | None, key: tuple[str, int],
        old: tuple[Any, ...], state: State,
    ) -> tuple[Any, ...]:  # fmt: skip
        last_day, next_day, _until, owner, territory, binding, _tz = old
        rule = bound.duties[key[0]]
        return (
            number, binding, bound.name, key[0], key[1], rule.stage, str(tz), self.now, last_day, next_day,
            self.now,
            self.now, "{}", rule.warn_lead, owner, False, person, territory,
        )  # fmt: skip

    def write_duties(self) -> None:
        store.ensure_months([row[4] for row in self.duty_rows] + [row[4] for row in self.duty_changes])
        store.insert("loops_duty", store.DUTY_TYPES, self.duty_rows)
        change_duties(self.duty_changes)

    def write_schedules(self) -> None:
        sets = ", ".join(f"{c} = excluded.{c}" for c in _SCHEDULE if c not in ("loop_id", "kind", "run"))
        store.insert(
            "loops_schedule",
            _SCHEDULE,
            self.schedule_rows,
            tail=f"ON CONFLICT (loop_id, kind, run) DO UPDATE SET {sets}",
        )


def change_duties(rows: Sequence[tuple[Any, ...]]) -> int:
    """Update duties in one statement: (id, due_at, then the columns of _DUTY_STATE)."""
    if not rows:
        return 0
    types = {"id": "bigint", "due_at": "timestamptz", **_DUTY_STATE}
    sets = ", ".join(f"{'due_at' if c == 'new_due_at' else c} = new.{c}" for c in _DUTY_STATE)
    return store.update_from(
        "loops_duty", types, sets, "loops_duty.id = new.id AND loops_duty.due_at = new.due_at", rows
    )


def _comparable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (row[8], row[9], row[11], row[14], row[17], row[1], row[6])


def _organization(state: State) -> int | None:
    found = state.facts.get("organization_id")
    return found if isinstance(found, int) else None
