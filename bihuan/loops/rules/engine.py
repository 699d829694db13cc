"""The loop engine, pure: a log of events and a moment in, the state of the loop out.

The state is a function of the log sorted by (at, seq) and of how far time has passed, nothing else. So a
late fact is no special case: its place in the log is found and the log is read again. How it works is told
in docs/concepts/loops.md.

    advance(bound, state, event, now) -> Step     one more event
    tick(bound, state, now) -> Step               only time passes
    replay(bound, events, now, tz) -> State       from nothing
    find_broken(state) -> list[str]               what breaks the invariant; empty always, or the engine is
    wrong
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .bound import BoundDefinition, BoundDuty, BoundRepeat
from .definition import DECIDE, DONE_OF, LOOP_CLOSED, LOOP_OPENED, WAIVED_OF
from .slots import day_key, deadline, end_of_day, local_day, nearest, slot_instant, slot_key, start_of_day
from .state import Duty, DutyState, Event, Schedule, State, Step, compare

RETRACTED = "loop.retracted"
REPLANNED = "loop.replanned"
DUTY_DONE = "duty.done"
DUTY_WAIVED = "duty.waived"
DUTY_HANDED_OVER = "duty.handed_over"
FUTURE = "future"
"""In a hand-over's data: true hands over the slots to come as well."""
DUTY_KEY = "duty"
"""In an event's data: the key of the one duty it speaks of."""

_OWN = frozenset({RETRACTED, REPLANNED, DUTY_DONE, DUTY_WAIVED, DUTY_HANDED_OVER})
_BOOKKEEPING = frozenset({DUTY_KEY, "reason", "post", "event", "policy", FUTURE})

Bindings = Mapping[str, BoundDefinition]
"""Bound definitions by digest: those a log names in loop.replanned."""


def advance(
    bound: BoundDefinition, state: State, event: Event, now: datetime, *, bindings: Bindings | None = None
) -> Step:
    """The step `event` causes. `state` is not touched. An event already in the log changes nothing."""
    late = bool(state.log) and event.order < state.log[-1].order
    early_time = state.passed_to is not None and event.at < state.passed_to
    unusual = event.kind == RETRACTED or event.seq in state.gone
    if late or unusual or (early_time and _time_mattered(state, event.at)):
        if any(e.seq == event.seq for e in state.log):
            return Step(state)
        log = state.log.copy()
        insort(log, event, key=lambda e: e.order)
        after = replay(bound, log, _later(now, state.passed_to), state.tz, bindings=bindings)
        return compare(state, after)
    if state.log and state.log[-1].seq == event.seq:
        return Step(state)
    run = _Run(bound, state.copy(), bindings or {})
    run.take(event)
    run.pass_time(_later(now, run.state.passed_to))
    return compare(state, run.state)


def tick(bound: BoundDefinition, state: State, now: datetime, *, bindings: Bindings | None = None) -> Step:
    """Let time pass to `now`; a clock moved back changes nothing."""
    run = _Run(bound, state.copy(), bindings or {})
    run.pass_time(now)
    return compare(state, run.state)


def replay(
    bound: BoundDefinition,
    events: Iterable[Event],
    now: datetime,
    tz: ZoneInfo,
    *,
    bindings: Bindings | None = None,
) -> State:
    """The state that follows from `events` (any order, each seq once) when time has passed to `now`."""
    log = sorted(events, key=lambda e: e.order)
    gone = frozenset(e.data.get("event") for e in log if e.kind == RETRACTED)
    run = _Run(bound, State(tz=tz, gone=gone), bindings or {})
    for event in log:
        if event.seq in gone or event.kind == RETRACTED:
            run.note(event)
        else:
            run.take(event)
    run.pass_time(_later(now, run.state.passed_to))
    return run.state


def find_broken(state: State) -> list[str]:
    """Sentences on what breaks the promise of the loop."""
    broken = []
    if state.is_open and not state.open_keys:
        broken.append("the loop is open and nothing is owed")
    if not state.is_open and state.open_keys:
        broken.append(f"the loop is not open and still owes {', '.join(state.open_keys)}")
    for key, duty in state.duties.items():
        if duty.is_open != (key in state.open_keys):
            broken.append(f"{key} is counted wrongly")
        if duty.is_open != (duty.ended_at is None):
            broken.append(f"{key} is {duty.state.name.lower()} with end {duty.ended_at}")
    return broken


def _later(a: datetime, b: datetime | None) -> datetime:
    return a if b is None or b < a else b


def _time_mattered(state: State, at: datetime) -> bool:
    """Whether letting time pass beyond `at` opened slots of a later day, which an event at `at` might
    forbid."""
    return any(start_of_day(s.next_day - timedelta(days=1), state.tz) > at for s in state.schedules.values())


class _Run:
    """One reading of the log. Changes its own state in place."""

    def __init__(self, bound: BoundDefinition, state: State, bindings: Bindings) -> None:
        self.bound, self.state, self.bindings = bound, state, bindings
        if state.policy and state.policy in bindings:
            self.bound = bindings[state.policy]

    # --- time -----------------------------------------------------------------------------------------

    def pass_time(self, now: datetime) -> None:
        """Open the slots of every day that has begun by `now`."""
        state = self.state
        if state.passed_to is not None and now < state.passed_to:
            return
        state.passed_to = now
        for key, schedule in state.schedules.items():
            if schedule.next_open_at <= now and schedule.is_running:
                state.schedules[key] = self.open_days(schedule, now)

    def open_days(self, schedule: Schedule, now: datetime) -> Schedule:
        today = min(local_day(now, self.state.tz), schedule.last_day)
        day = schedule.next_day
        while day <= today:
            self.open_day(schedule, day)
            day += timedelta(days=1)
        return _moved(schedule, day, self.state.tz)

    def open_day(self, schedule: Schedule, day: date) -> None:
        duty = self.bound.duties[schedule.kind]
        opened_at = max(start_of_day(day, self.state.tz), schedule.from_at)
        for slot, minute in enumerate(_repeat(duty).slots, start=1):
            self.open_slot(duty, schedule, day, slot, minute, opened_at)

    def open_slot(
        self, duty: BoundDuty, schedule: Schedule, day: date, slot: int, minute: int, opened_at: datetime
    ) -> None:
        key = slot_key(duty.kind, day, slot, schedule.run)
        due_at = slot_instant(day, minute, self.state.tz)
        if key in self.state.duties or due_at <= schedule.from_at:
            return
        self.add(duty, key, opened_at, due_at, day=day, post_id=schedule.post_id)

    # --- an event ----------------------------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """Keep an event in the log without any effect: a retraction, or what it took back."""
        self.state.log.append(event)

    def take(self, event: Event) -> None:
        state = self.state
        self.pass_time(event.at)
        state.log.append(event)
        heard = self.take_own(event) if event.kind in _OWN else self.take_fact(event)
        if not state.is_open:
            return
        self.settle(heard, event)
        if state.is_open:
            self.guard(event)

    def take_fact(self, event: Event) -> list[str]:
        state = self.state
        state.facts.update(event.data)
        state.facts[event.kind.replace(".", "_") + "_at"] = event.at
        state.clocks[event.kind] = event
        if event.territory_code and event.territory_code != state.territory_code:
            self.move(event.territory_code)
        if not state.is_open:
            if event.kind in self.bound.finishers:
                state.earlier.setdefault(event.kind, []).append(event)
            if event.kind not in self.bound.opens_on:
                return []
            self.open(event)
            return [LOOP_OPENED, event.kind]
        heard = self.finish(event)
        self.reclock(event)
        if event.kind in self.bound.finishers:
            state.earlier.setdefault(event.kind, []).append(event)
        return [*heard, event.kind]

    def take_own(self, event: Event) -> list[str]:
        """Events of the engine itself: about one duty, or about the policy in force."""
        if event.kind == REPLANNED:
            self.replan(event)
            return []
        duty = self.state.duties.get(str(event.data.get(DUTY_KEY, "")))
        if duty is None or not duty.is_open:
            return []
        if event.kind == DUTY_HANDED_OVER:
            self.hand_over(duty, event)
            return []
        if event.kind == DUTY_WAIVED:
            self.end(duty, DutyState.WAIVED, event, reason=str(event.data.get("reason", "")))
            return [WAIVED_OF + duty.kind]
        self.end(duty, DutyState.DONE, event)
        return [DONE_OF + duty.kind]

    def hand_over(self, duty: Duty, event: Event) -> None:
        """Another post owes the duty; with `future`, also what its kind owes later and its slots to come."""
        state, post = self.state, event.data.get("post")
        state.duties[duty.key] = duty.with_(post_id=post)
        if event.data.get(FUTURE) is not True:
            return
        for later in state.open_duties():
            if later.kind == duty.kind and later.due_at > duty.due_at:
                state.duties[later.key] = later.with_(post_id=post)
        for key, schedule in state.schedules.items():
            if schedule.kind == duty.kind and schedule.is_running:
                state.schedules[key] = replace(schedule, post_id=post)

    def open(self, event: Event) -> None:
        state = self.state
        state.opened_at, state.closed_at, state.outcome = event.at, None, ""
        state.openings += 1

    def move(self, territory_code: str) -> None:
        state = self.state
        state.territory_code = territory_code
        for key in state.open_keys:
            state.duties[key] = state.duties[key].with_(territory_code=territory_code)

    # --- consequences ----------------------------------------------------------------------------------

    def settle(self, heard: list[str], event: Event) -> None:
        """Follow words (event kinds, done:x, waived:x, loop.opened) until nothing more follows."""
        self.weigh_pending(event, heard)
        rounds = 0
        while heard and self.state.is_open:
            rounds += 1
            if rounds > 100:
                raise RuntimeError(f"{self.bound.name}: duties open one another without end at {event.kind}.")
            words, heard = heard, []
            for word in words:
                self.supersede(word, event)
                self.stop(word, event)
            for word in words:
                self.start(word, event)
                heard += self.open_on(word, event)
            self.close_if_over(words, event)

    def finish(self, event: Event) -> list[str]:
        """Complete what `event` is evidence for: at most one duty of each kind."""
        heard = []
        for duty in self.bound.finishers.get(event.kind, ()):
            found = self.find_finished(duty, event)
            if found is not None:
                self.end(found, DutyState.DONE, event)
                self.state.used.add((duty.kind, event.seq))
                heard.append(DONE_OF + duty.kind)
        return heard

    def find_finished(self, duty: BoundDuty, event: Event) -> Duty | None:
        if not is_evidence(duty, event):
            return None
        if duty.repeat is not None and duty.repeat.taken_on:
            return self.find_taken(duty, event, duty.repeat.taken_on)
        open_ones = [d for d in self.state.open_duties() if d.kind == duty.kind]
        named = event.data.get(DUTY_KEY)
        if named is not None:
            return next((d for d in open_ones if d.key == named), None)
        if duty.repeat is None:
            return open_ones[0] if open_ones else None
        return self.find_slot(duty, event, open_ones)

    def find_slot(self, duty: BoundDuty, event: Event, open_ones: Sequence[Duty]) -> Duty | None:
        """The slot an event belongs to: of its local day, the nearest in time; known only to the day, the
        first still open. A reading nearest to a slot already done is one more reading, no duty's end."""
        day = local_day(event.at, self.state.tz)
        if _repeat(duty).form == "daily":
            open_ones = [d for d in open_ones if d.day == day]
        if not open_ones:
            return None
        if event.precision == "day" and _repeat(duty).form == "daily":
            return min(open_ones, key=lambda d: d.due_at)
        alike = [
            d
            for d in self.state.duties.values()
            if d.kind == duty.kind and d.state is not DutyState.SUPERSEDED
        ]
        if _repeat(duty).form == "daily":
            key = nearest([(d.due_at, d.key) for d in alike if d.day == day], event.at)
        else:
            key = nearest(
                [(d.due_at, d.key) for d in alike], start_of_day(day + timedelta(days=1), self.state.tz)
            )
        found = self.state.duties[key]
        return found if found.is_open else None

    def find_taken(self, duty: BoundDuty, event: Event, taken_on: str) -> Duty | None:
        """The listed day that evidence answers: the last one up to the day it was taken, whichever duty was
        meant. Taken before the first day, or once more for one that is done, it ends nothing. Duties that
        the same event ends by days are one list of days."""
        taken = _day(event.data.get(taken_on)) or local_day(event.at, self.state.tz)
        kinds = [d.kind for d in self.bound.finishers[event.kind] if d.repeat and d.repeat.taken_on]
        alike = [d for kind in kinds for d in self.newest_run(kind) if d.day is not None and d.day <= taken]
        found = max(alike, key=lambda d: (d.day, d.is_open), default=None)
        return found if found is not None and found.is_open and found.kind == duty.kind else None

    def newest_run(self, kind: str) -> list[Duty]:
        """Duties of a kind that were opened last, but for what fell away."""
        known = [d for d in self.state.duties.values() if d.kind == kind]
        opened = max((d.opened_at for d in known), default=None)
        return [d for d in known if d.opened_at == opened and d.state is not DutyState.SUPERSEDED]

    def reclock(self, event: Event) -> None:
        """Give duties whose clock waited for this event their real deadline."""
        if event.kind not in self.bound.clock_starts:
            return
        for duty in self.state.open_duties():
            if not duty.clock_known and duty.clock == event.kind:
                self.state.duties[duty.key] = self.clocked(duty, self.bound.duties[duty.kind])

    def clocked(self, duty: Duty, rule: BoundDuty) -> Duty:
        due_at, clock, known = self.due(rule, duty.opened_at, "minute")
        return duty.with_(due_at=due_at, warn_at=due_at - rule.warn_lead, clock=clock, clock_known=known)

    def supersede(self, word: str, event: Event) -> None:
        kinds = self.bound.enders.get(word)
        if kinds:
            self.end_kinds(kinds, event, reason=word)
            for kind in kinds:
                self.state.pending.pop(kind, None)

    def stop(self, word: str, event: Event) -> None:
        kinds = self.bound.stoppers.get(word)
        if kinds:
            self.stop_schedules(event, kinds)
            self.end_kinds(kinds, event, reason=word)

    def stop_schedules(self, event: Event, kinds: Sequence[str] | None = None) -> None:
        for key, schedule in self.state.schedules.items():
            if schedule.until_at is None and (kinds is None or schedule.kind in kinds):
                self.state.schedules[key] = _stopped(schedule, event.at)

    def end_kinds(self, kinds: Sequence[str], event: Event, *, reason: str) -> None:
        for duty in self.state.open_duties():
            if duty.kind in kinds:
                self.end(duty, DutyState.SUPERSEDED, event, reason=reason)

    def open_on(self, word: str, event: Event) -> list[str]:
        heard = []
        for duty in self.bound.openers.get(word, ()):
            if self.allowed(duty, event):
                heard += self.open_once(duty, event)
        return heard

    def allowed(self, duty: BoundDuty, event: Event) -> bool:
        """Whether the duty's condition holds; unknown waits for facts to come."""
        if not duty.when:
            return True
        answer = self.bound.conditions[duty.when](self.state.facts, event.at)
        if answer is None:
            self.state.pending[duty.kind] = None
        return answer is True

    def weigh_pending(self, event: Event, heard: list[str]) -> None:
        for kind in list(self.state.pending):
            duty = self.bound.duties.get(kind)
            answer = self.bound.conditions[duty.when](self.state.facts, event.at) if duty else False
            if answer is None:
                continue
            del self.state.pending[kind]
            if answer is True and duty is not None:
                if duty.repeat:
                    self.begin(duty, event)
                else:
                    heard += self.open_once(duty, event)

    def open_once(self, duty: BoundDuty, event: Event) -> list[str]:
        """Open a one-time duty, unless one is open; done at once if its evidence came earlier."""
        state = self.state
        if any(state.duties[key].kind == duty.kind for key in state.open_keys):
            return []
        number = state.counts.get(duty.kind, 0) + 1
        state.counts[duty.kind] = number
        due_at, clock, known = self.due(duty, event.at, event.precision)
        made = self.add(duty, f"{duty.kind}#{number}", event.at, due_at, clock=clock, clock_known=known)
        if duty.preempts:
            self.end_kinds(duty.preempts, event, reason=made.key)
        return self.finish_from_earlier(duty, made)

    def finish_from_earlier(self, duty: BoundDuty, made: Duty) -> list[str]:
        if not duty.counts_earlier:
            return []
        found = [
            e for kind in duty.done_on for e in self.state.earlier.get(kind, ())
            if (duty.kind, e.seq) not in self.state.used and DUTY_KEY not in e.data and is_evidence(duty, e)
        ]  # fmt: skip
        if not found:
            return []
        evidence = max(found, key=lambda e: e.order)
        self.end(made, DutyState.DONE, evidence)
        self.state.used.add((duty.kind, evidence.seq))
        return [DONE_OF + duty.kind]

    def close_if_over(self, words: Sequence[str], event: Event) -> None:
        if LOOP_CLOSED in words:
            self.close(str(event.data.get("outcome", "closed")), event)
            return
        for word in words:
            for close in self.bound.closers.get(word, ()):
                if self.holds(close.when, event):
                    self.close(close.outcome, event)
                    return
        for close in self.bound.closes:
            if close.after_all and self.all_over(close.after_all) and self.holds(close.when, event):
                self.close(close.outcome, event)
                return

    def holds(self, when: str, event: Event) -> bool:
        return not when or self.bound.conditions[when](self.state.facts, event.at) is True

    def all_over(self, kinds: Sequence[str]) -> bool:
        """Whether each of these kinds was owed since the opening, and none of them is owed any more."""
        opened_at = self.state.opened_at
        since = [
            d
            for d in self.state.duties.values()
            if d.kind in kinds and opened_at and d.opened_at >= opened_at
        ]
        running = any(s.is_running and s.kind in kinds for s in self.state.schedules.values())
        return not running and {d.kind for d in since} == set(kinds) and not any(d.is_open for d in since)

    def close(self, outcome: str, event: Event) -> None:
        state = self.state
        state.closed_at, state.outcome = event.at, outcome
        self.stop_schedules(event)
        for duty in state.open_duties():
            self.end(duty, DutyState.SUPERSEDED, event, reason=f"closed:{outcome}")
        state.pending.clear()
        state.earlier.clear()

    # --- no limbo -------------------------------------------------------------------------------------------

    def guard(self, event: Event) -> None:
        """An open loop owes something: the next slot, opened before its day, or a decision by the command."""
        state = self.state
        deciding = [d for d in state.open_duties() if d.kind == DECIDE]
        if len(state.open_keys) > len(deciding):
            for duty in deciding:
                self.end(duty, DutyState.SUPERSEDED, event, reason="moved_on")
        elif not state.open_keys and not self.open_next_slot(event):
            self.open_decision(event)

    def open_next_slot(self, event: Event) -> bool:
        running = [s for s in self.state.schedules.values() if s.is_running]
        for schedule in sorted(running, key=lambda s: s.next_open_at):
            duty = self.bound.duties[schedule.kind]
            day = schedule.next_day
            while day <= schedule.last_day:
                for slot, minute in enumerate(_repeat(duty).slots, start=1):
                    self.open_slot(duty, schedule, day, slot, minute, event.at)
                    if self.state.open_keys:
                        return True
                day += timedelta(days=1)
        return False

    def open_decision(self, event: Event) -> None:
        state, duty = self.state, self.bound.duties[DECIDE]
        number = state.counts.get(DECIDE, 0) + 1
        state.counts[DECIDE] = number
        due_at, clock, known = self.due(duty, event.at, event.precision)
        stage = next((d.stage for d in reversed(state.duties.values()) if d.kind != DECIDE), duty.stage)
        self.add(duty, f"{DECIDE}#{number}", event.at, due_at, clock=clock, clock_known=known, stage=stage)

    # --- repeats -------------------------------------------------------------------------------------------

    def start(self, word: str, event: Event) -> None:
        for duty in self.bound.starters.get(word, ()):
            if self.allowed(duty, event):
                self.begin(duty, event)

    def begin(self, duty: BoundDuty, event: Event) -> None:
        if any(
            s.kind == duty.kind and s.until_at is None and s.is_running for s in self.state.schedules.values()
        ):
            return
        if _repeat(duty).form == "days":
            self.begin_days(duty, event)
        else:
            self.begin_daily(duty, event)

    def begin_days(self, duty: BoundDuty, event: Event) -> None:
        state = self.state
        if any(state.duties[key].kind == duty.kind for key in state.open_keys):
            return
        run = state.counts.get(duty.kind, 0) + 1
        state.counts[duty.kind] = run
        for number, day in self.listed_days(_repeat(duty), event.at).items():
            due_at = start_of_day(day + timedelta(days=1), state.tz)
            if due_at > event.at:
                self.add(duty, day_key(duty.kind, number, run), event.at, due_at, day=day)

    def begin_daily(self, duty: BoundDuty, event: Event) -> None:
        state = self.state
        run = state.counts.get(duty.kind, 0) + 1
        state.counts[duty.kind] = run
        first = local_day(event.at, state.tz)
        schedule = Schedule(
            kind=duty.kind, run=run, from_at=event.at, first_day=first,
            last_day=self.last_day(_repeat(duty), event.at), next_day=first,
            next_open_at=start_of_day(first, state.tz), policy=state.policy,
        )  # fmt: skip
        state.schedules[(duty.kind, run)] = self.open_days(schedule, event.at)

    def listed_days(self, repeat: BoundRepeat, at: datetime) -> dict[int, date]:
        """The date of each listed day. One beyond the last day is held on it; of several on one date the
        first counts."""
        last = self.fact_day(repeat.last_day)
        found: dict[int, date] = {}
        for number in repeat.days:
            day = self.day_of(repeat, number, at)
            day = day if last is None else min(day, last)
            if day not in found.values():
                found[number] = day
        return found

    def fact_day(self, name: str) -> date | None:
        """The date a fact holds; None where no fact is named, or it holds none."""
        return _as_day(self.state.facts.get(name), self.state.tz) if name else None

    def last_day(self, repeat: BoundRepeat, at: datetime) -> date:
        ends = [self.fact_day(repeat.last_day)] if repeat.last_day else []
        if repeat.for_days is not None:
            ends.append(self.day_of(repeat, repeat.for_days, at))
        known = [day for day in ends if day is not None]
        return min(known) if known else local_day(at, self.state.tz)

    def day_of(self, repeat: BoundRepeat, number: int, at: datetime) -> date:
        """The local date of day `number`; day one (or zero) is the start's, or that of a fact."""
        fact = self.fact_day(repeat.day_fact)
        if fact is not None:
            return fact + timedelta(days=number - repeat.day_base)
        return local_day(at, self.state.tz) + timedelta(days=number - repeat.day_base)

    # --- a new pack -------------------------------------------------------------------------------

    def replan(self, event: Event) -> None:
        """From this event on the rules of another binding hold. What has ended stays; what is open and has
        no place in the new rules is superseded; deadlines and last days are counted anew."""
        bound = self.bindings.get(str(event.data.get("policy", "")))
        if bound is None:
            return
        self.bound, self.state.policy = bound, bound.digest
        for duty in self.state.open_duties():
            rule = bound.duties.get(duty.kind)
            if rule is None:
                self.end(duty, DutyState.SUPERSEDED, event, reason="replanned")
            elif rule.repeat is None and duty.kind != DECIDE:
                self.state.duties[duty.key] = self.clocked(duty, rule).with_(policy=bound.digest)
        for kind in list(self.state.pending):
            if kind not in bound.duties:
                del self.state.pending[kind]
        for key, schedule in self.state.schedules.items():
            if schedule.is_running:
                self.state.schedules[key] = self.replan_schedule(schedule, event)
        self.replan_days(event)

    def replan_schedule(self, schedule: Schedule, event: Event) -> Schedule:
        rule = self.bound.duties.get(schedule.kind)
        if rule is None or rule.repeat is None or rule.repeat.form != "daily":
            return _stopped(schedule, event.at)
        last = self.last_day(rule.repeat, schedule.from_at)
        for duty in self.state.open_duties():
            if duty.kind == schedule.kind and duty.day and duty.day > last:
                self.end(duty, DutyState.SUPERSEDED, event, reason="replanned")
        return _with_last_day(schedule, last, self.bound.digest)

    def replan_days(self, event: Event) -> None:
        """Listed days (tests on day 1, 4, 7) that the new rules do not list are superseded, new ones
        added."""
        for duty in self.bound.duties.values():
            starts = [
                self.state.clocks[k]
                for k in (duty.repeat.start if duty.repeat else ())
                if k in self.state.clocks
            ]
            if duty.repeat is None or duty.repeat.form != "days" or not starts:
                continue
            run = self.state.counts.get(duty.kind, 0)
            if not run or not any(d.kind == duty.kind for d in self.state.open_duties()):
                continue
            begun = max(starts, key=lambda e: e.order)
            listed = self.listed_days(duty.repeat, begun.at)
            wanted = {day_key(duty.kind, n, run): day for n, day in listed.items()}
            for old in self.state.open_duties():
                if old.kind == duty.kind and old.key not in wanted:
                    self.end(old, DutyState.SUPERSEDED, event, reason="replanned")
            for key, day in wanted.items():
                due_at = start_of_day(day + timedelta(days=1), self.state.tz)
                if key not in self.state.duties and due_at > event.at:
                    self.add(duty, key, event.at, due_at, day=day)

    # --- the two changes a duty knows -----------------------------------------------------------------------

    def due(self, duty: BoundDuty, opened_at: datetime, precision: str) -> tuple[datetime, str, bool]:
        """The deadline, the name of its clock, and whether that clock had started."""
        start, clock, known = opened_at, duty.start_event or duty.start_fact or "opened", True
        if duty.start_event:
            event = self.state.clocks.get(duty.start_event)
            known = event is not None
            start, precision = (event.at, event.precision) if event else (opened_at, precision)
        elif duty.start_fact:
            found = _as_instant(self.state.facts.get(duty.start_fact), self.state.tz)
            known = found is not None
            start, precision = found or (opened_at, precision)
        if duty.within is None:
            return end_of_day(start, self.state.tz, duty.plus_days), clock, known
        return deadline(start, duty.within, precision=precision, tz=self.state.tz), clock, known

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
            {k: v for k, v in event.data.items() if k not in _BOOKKEEPING}
            if state is DutyState.DONE
            else None
        )
        self.state.duties[duty.key] = duty.with_(
            state=state, ended_at=event.at, ended_precision=event.precision,
            ended_recorded_at=event.recorded_at,
            ended_seq=event.seq, ended_by_account_id=event.account_id, ended_by_post_id=event.post_id,
            reason=reason or str(event.data.get("reason", "")), evidence=evidence,
        )  # fmt: skip
        self.state.open_keys.pop(duty.key, None)


def is_evidence(duty: BoundDuty, event: Event) -> bool:
    """Whether an event of a kind that ends the duty also matches and carries what is asked."""
    data = event.data
    return all(data.get(k) in v if isinstance(v, list) else data.get(k) == v for k, v in duty.match) and all(
        data.get(k) not in (None, "") for k in duty.evidence
    )


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _repeat(duty: BoundDuty) -> BoundRepeat:
    assert duty.repeat is not None
    return duty.repeat


def _moved(schedule: Schedule, next_day: date, tz: ZoneInfo) -> Schedule:
    return Schedule(
        schedule.kind, schedule.run, schedule.from_at, schedule.first_day, schedule.last_day,
        next_day, start_of_day(next_day, tz), schedule.until_at, schedule.policy, schedule.post_id,
    )  # fmt: skip


def _stopped(schedule: Schedule, at: datetime) -> Schedule:
    return Schedule(
        schedule.kind, schedule.run, schedule.from_at, schedule.first_day, schedule.last_day,
        schedule.next_day, schedule.next_open_at, at, schedule.policy, schedule.post_id,
    )  # fmt: skip


def _with_last_day(schedule: Schedule, last_day: date, policy: str) -> Schedule:
    return Schedule(
        schedule.kind, schedule.run, schedule.from_at, schedule.first_day, last_day,
        schedule.next_day, schedule.next_open_at, schedule.until_at, policy, schedule.post_id,
    )  # fmt: skip


def _as_day(raw: Any, tz: ZoneInfo) -> date | None:
    if isinstance(raw, datetime):
        return local_day(raw, tz)
    if isinstance(raw, date):
        return raw
    if not isinstance(raw, str):
        return None
    try:
        return date.fromisoformat(raw) if len(raw) <= 10 else local_day(datetime.fromisoformat(raw), tz)
    except ValueError:
        return None


def _as_instant(raw: Any, tz: ZoneInfo) -> tuple[datetime, str] | None:
    if isinstance(raw, datetime):
        return raw, "minute"
    if isinstance(raw, str) and len(raw) > 10:
        try:
            found = datetime.fromisoformat(raw)
        except ValueError:
            return None
        return (found if found.tzinfo else found.replace(tzinfo=tz)), "minute"
    day = _as_day(raw, tz)
    return None if day is None else (start_of_day(day, tz), "day")
