"""One reading of a loop's log, event by event: what each is evidence for, what follows from it, and how the
loop closes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from .bound import BoundDuty
from .definition import DECIDE, DONE_OF, LOOP_CLOSED, LOOP_OPENED, WAIVED_OF
from .instants import plain_day
from .repeats import Repeats, repeat_of
from .slots import local_day, nearest, start_of_day
from .state import Duty, DutyState, Event
from .words import DUTY_HANDED_OVER, DUTY_KEY, DUTY_WAIVED, FUTURE, OWN, REPLANNED


class Reading(Repeats):
    """Takes the events of a log in their order. Changes its own state in place."""

    # --- an event -------------------------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """Keep an event in the log without any effect: a retraction, or what it took back."""
        self.state.log.append(event)

    def take(self, event: Event) -> None:
        state = self.state
        self.pass_time(event.at)
        state.log.append(event)
        heard = self.take_own(event) if event.kind in OWN else self.take_fact(event)
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

    # --- what it is evidence for ----------------------------------------------------------------------

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
        if repeat_of(duty).form == "daily":
            open_ones = [d for d in open_ones if d.day == day]
        if not open_ones:
            return None
        if event.precision == "day" and repeat_of(duty).form == "daily":
            return min(open_ones, key=lambda d: d.due_at)
        alike = [
            d
            for d in self.state.duties.values()
            if d.kind == duty.kind and d.state is not DutyState.SUPERSEDED
        ]
        if repeat_of(duty).form == "daily":
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
        taken = plain_day(event.data.get(taken_on)) or local_day(event.at, self.state.tz)
        kinds = [d.kind for d in self.bound.finishers[event.kind] if d.repeat and d.repeat.taken_on]
        alike = [d for kind in kinds for d in self.newest_run(kind) if d.day is not None and d.day <= taken]
        found = max(alike, key=lambda d: (d.day, d.is_open), default=None)
        return found if found is not None and found.is_open and found.kind == duty.kind else None

    def newest_run(self, kind: str) -> list[Duty]:
        """Duties of a kind that were opened last, but for what fell away."""
        known = [d for d in self.state.duties.values() if d.kind == kind]
        opened = max((d.opened_at for d in known), default=None)
        return [d for d in known if d.opened_at == opened and d.state is not DutyState.SUPERSEDED]

    # --- what follows ---------------------------------------------------------------------------------

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

    def open_on(self, word: str, event: Event) -> list[str]:
        heard = []
        for duty in self.bound.openers.get(word, ()):
            if self.allowed(duty, event):
                heard += self.open_once(duty, event)
        return heard

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

    def reclock(self, event: Event) -> None:
        """Give duties whose clock waited for this event their real deadline."""
        if event.kind not in self.bound.clock_starts:
            return
        for duty in self.state.open_duties():
            if not duty.clock_known and duty.clock == event.kind:
                self.state.duties[duty.key] = self.clocked(duty, self.bound.duties[duty.kind])

    # --- the end --------------------------------------------------------------------------------------

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

    # --- no limbo -------------------------------------------------------------------------------------

    def guard(self, event: Event) -> None:
        """An open loop owes something: the next slot, opened before its day, or a decision by the command."""
        state = self.state
        deciding = [d for d in state.open_duties() if d.kind == DECIDE]
        if len(state.open_keys) > len(deciding):
            for duty in deciding:
                self.end(duty, DutyState.SUPERSEDED, event, reason="moved_on")
        elif not state.open_keys and not self.open_next_slot(event):
            self.open_decision(event)

    def open_decision(self, event: Event) -> None:
        state, duty = self.state, self.bound.duties[DECIDE]
        number = state.counts.get(DECIDE, 0) + 1
        state.counts[DECIDE] = number
        due_at, clock, known = self.due(duty, event.at, event.precision)
        stage = next((d.stage for d in reversed(state.duties.values()) if d.kind != DECIDE), duty.stage)
        self.add(duty, f"{DECIDE}#{number}", event.at, due_at, clock=clock, clock_known=known, stage=stage)

    # --- a new pack -----------------------------------------------------------------------------------

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


def is_evidence(duty: BoundDuty, event: Event) -> bool:
    """Whether an event of a kind that ends the duty also matches and carries what is asked."""
    data = event.data
    return all(data.get(k) in v if isinstance(v, list) else data.get(k) == v for k, v in duty.match) and all(
        data.get(k) not in (None, "") for k in duty.evidence
    )
