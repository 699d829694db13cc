"""What a loop owes: the two changes a duty knows, it is added and it ends; its deadline; its condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from .bound import BoundDefinition, BoundDuty
from .instants import as_instant
from .slots import deadline, end_of_day
from .state import Duty, DutyState, Event, State
from .words import BOOKKEEPING

Bindings = Mapping[str, BoundDefinition]
"""Bound definitions by digest: those a log names in loop.replanned."""


class Owing:
    """The state of one loop under its rules. Changes it in place."""

    def __init__(self, bound: BoundDefinition, state: State, bindings: Bindings) -> None:
        self.bound, self.state, self.bindings = bound, state, bindings
        if state.policy and state.policy in bindings:
            self.bound = bindings[state.policy]

    def due(self, duty: BoundDuty, opened_at: datetime, precision: str) -> tuple[datetime, str, bool]:
        """The deadline, the name of its clock, and whether that clock had started."""
        start, clock, known = opened_at, duty.start_event or duty.start_fact or "opened", True
        if duty.start_event:
            event = self.state.clocks.get(duty.start_event)
            known = event is not None
            start, precision = (event.at, event.precision) if event else (opened_at, precision)
        elif duty.start_fact:
            found = as_instant(self.state.facts.get(duty.start_fact), self.state.tz)
            known = found is not None
            start, precision = found or (opened_at, precision)
        if duty.within is None:
            return end_of_day(start, self.state.tz, duty.plus_days), clock, known
        return deadline(start, duty.within, precision=precision, tz=self.state.tz), clock, known

    def clocked(self, duty: Duty, rule: BoundDuty) -> Duty:
        due_at, clock, known = self.due(rule, duty.opened_at, "minute")
        return duty.with_(due_at=due_at, warn_at=due_at - rule.warn_lead, clock=clock, clock_known=known)

    def add(
        self, duty: BoundDuty, key: str, opened_at: datetime, due_at: datetime, *, day: date | None = None,
        clock: str = "", clock_known: bool = True, stage: str = "", post_id: int | None = None,
    ) -> Duty:  # fmt: skip
        made = Duty(
            key, duty.kind, stage or duty.stage, opened_at, due_at, due_at - duty.warn_lead,
            self.state.territory_code, clock, clock_known, day=day, policy=self.state.policy,
            post_id=post_id,
        )  # fmt: skip
        self.state.duties[key] = made
        self.state.open_keys[key] = None
        return made

    def end(self, duty: Duty, state: DutyState, event: Event, *, reason: str = "") -> None:
        evidence = (
            {k: v for k, v in event.data.items() if k not in BOOKKEEPING} if state is DutyState.DONE else None
        )
        self.state.duties[duty.key] = duty.with_(
            state=state, ended_at=event.at, ended_precision=event.precision,
            ended_recorded_at=event.recorded_at,
            ended_seq=event.seq, ended_by_account_id=event.account_id, ended_by_post_id=event.post_id,
            reason=reason or str(event.data.get("reason", "")), evidence=evidence,
        )  # fmt: skip
        self.state.open_keys.pop(duty.key, None)

    def end_kinds(self, kinds: Sequence[str], event: Event, *, reason: str) -> None:
        for duty in self.state.open_duties():
            if duty.kind in kinds:
                self.end(duty, DutyState.SUPERSEDED, event, reason=reason)

    def allowed(self, duty: BoundDuty, event: Event) -> bool:
        """Whether the duty's condition holds; unknown waits for facts to come."""
        if not duty.when:
            return True
        answer = self.bound.conditions[duty.when](self.state.facts, event.at)
        if answer is None:
            self.state.pending[duty.kind] = None
        return answer is True

    def holds(self, when: str, event: Event) -> bool:
        return not when or self.bound.conditions[when](self.state.facts, event.at) is True
