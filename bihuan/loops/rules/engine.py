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
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from .bound import BoundDefinition
from .owing import Bindings
from .reading import Reading
from .slots import start_of_day
from .state import Event, State, Step, compare
from .words import RETRACTED


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
    reading = Reading(bound, state.copy(), bindings or {})
    reading.take(event)
    reading.pass_time(_later(now, reading.state.passed_to))
    return compare(state, reading.state)


def tick(bound: BoundDefinition, state: State, now: datetime, *, bindings: Bindings | None = None) -> Step:
    """Let time pass to `now`; a clock moved back changes nothing."""
    reading = Reading(bound, state.copy(), bindings or {})
    reading.pass_time(now)
    return compare(state, reading.state)


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
    reading = Reading(bound, State(tz=tz, gone=gone), bindings or {})
    for event in log:
        if event.seq in gone or event.kind == RETRACTED:
            reading.note(event)
        else:
            reading.take(event)
    reading.pass_time(_later(now, reading.state.passed_to))
    return reading.state


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
