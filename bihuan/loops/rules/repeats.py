"""Duties that repeat: their schedules begin and stop, their slots open as days come, their listed days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from .bound import BoundDuty, BoundRepeat
from .instants import as_day
from .owing import Owing
from .slots import day_key, local_day, slot_instant, slot_key, start_of_day
from .state import DutyState, Event, Schedule


class Repeats(Owing):
    """What is owed, with what is owed again and again."""

    # --- days come ------------------------------------------------------------------------------------

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
        for slot, minute in enumerate(repeat_of(duty).slots, start=1):
            self.open_slot(duty, schedule, day, slot, minute, opened_at)

    def open_slot(
        self, duty: BoundDuty, schedule: Schedule, day: date, slot: int, minute: int, opened_at: datetime
    ) -> None:
        key = slot_key(duty.kind, day, slot, schedule.run)
        due_at = slot_instant(day, minute, self.state.tz)
        if key in self.state.duties or due_at <= schedule.from_at:
            return
        self.add(duty, key, opened_at, due_at, day=day, post_id=schedule.post_id)

    def open_next_slot(self, event: Event) -> bool:
        running = [s for s in self.state.schedules.values() if s.is_running]
        for schedule in sorted(running, key=lambda s: s.next_open_at):
            duty = self.bound.duties[schedule.kind]
            day = schedule.next_day
            while day <= schedule.last_day:
                for slot, minute in enumerate(repeat_of(duty).slots, start=1):
                    self.open_slot(duty, schedule, day, slot, minute, event.at)
                    if self.state.open_keys:
                        return True
                day += timedelta(days=1)
        return False

    # --- beginning and stopping -----------------------------------------------------------------------

    def start(self, word: str, event: Event) -> None:
        for duty in self.bound.starters.get(word, ()):
            if self.allowed(duty, event):
                self.begin(duty, event)

    def begin(self, duty: BoundDuty, event: Event) -> None:
        if any(
            s.kind == duty.kind and s.until_at is None and s.is_running for s in self.state.schedules.values()
        ):
            return
        if repeat_of(duty).form == "days":
            self.begin_days(duty, event)
        else:
            self.begin_daily(duty, event)

    def begin_days(self, duty: BoundDuty, event: Event) -> None:
        state = self.state
        if any(state.duties[key].kind == duty.kind for key in state.open_keys):
            return
        run = state.counts.get(duty.kind, 0) + 1
        state.counts[duty.kind] = run
        for number, day in self.listed_days(repeat_of(duty), event.at).items():
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
            last_day=self.last_day(repeat_of(duty), event.at), next_day=first,
            next_open_at=start_of_day(first, state.tz), policy=state.policy,
        )  # fmt: skip
        state.schedules[(duty.kind, run)] = self.open_days(schedule, event.at)

    def stop_schedules(self, event: Event, kinds: Sequence[str] | None = None) -> None:
        for key, schedule in self.state.schedules.items():
            if schedule.until_at is None and (kinds is None or schedule.kind in kinds):
                self.state.schedules[key] = _stopped(schedule, event.at)

    # --- which days -----------------------------------------------------------------------------------

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
        return as_day(self.state.facts.get(name), self.state.tz) if name else None

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

    # --- a new pack -----------------------------------------------------------------------------------

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


def repeat_of(duty: BoundDuty) -> BoundRepeat:
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
