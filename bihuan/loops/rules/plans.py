"""What follows from a log, told apart from when and about whom: alike logs are read by the engine once.

Thousands of rows of a list tell the same story on different days ("confirmed, reported the same day"). The
engine is a function of the log, so the same story has the same consequences, each at its distance from the
first day. A `Plan` holds these distances. Two logs may share one when `likeness` gives them the same key:

- their events are of the same kinds, say the same, and stand at the same distances from local midnight
  before the first;
- nothing else can tell the days apart: neither what the events say nor a condition of the definition
  speaks of dates, and the clocks of the place are not put forward or back in those years. Where one of these
  fails, the key holds the day itself, and only logs of the same day share.

What repeats daily depends on how far time has passed: it has no plan (`plan_of` gives None) and is read
singly.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from .bound import BoundDefinition
from .slots import local_day, start_of_day
from .state import Event, State
from .words import REPLANNED, RETRACTED

_UNPLANNED = frozenset({REPLANNED, RETRACTED})
_SAYS_A_DAY = re.compile(r"\d{4}-?\d\d|\d{8}")
_REACH = timedelta(days=366)


class Told(Protocol):
    """What of an event makes logs alike."""

    @property
    def kind(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def at_precision(self) -> str: ...
    @property
    def data(self) -> Mapping[str, Any]: ...
    @property
    def territory_code(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Owed:
    """A duty of a plan. Times are distances from the plan's midnight; `ended_by` is the place of the event
    that ended it in the log sorted by time."""

    kind: str
    key: str
    stage: str
    opened: timedelta
    due: timedelta
    warn: timedelta
    clock_known: bool
    state: int
    ended: timedelta | None
    ended_day_only: bool
    ended_by: int | None
    reason: str
    evidence: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a loop is and owes after its log. `opened` None: such a log opens no loop."""

    opened: timedelta | None
    closed: timedelta | None
    outcome: str
    openings: int
    waits: bool
    organization_id: int | None
    duties: tuple[Owed, ...]


def midnight_of(at: datetime, tz: ZoneInfo) -> datetime:
    """Local midnight before an instant, from which a plan counts."""
    return start_of_day(local_day(at, tz), tz)


def story(events: Sequence[Told], base: datetime, says: Sequence[str]) -> tuple[Hashable, ...]:
    """What makes the logs of one definition alike; `says`: the data of each event as JSON text."""
    return tuple([(e.kind, e.at - base, e.at_precision, text) for e, text in zip(events, says, strict=True)])


def may_share(events: Sequence[Told]) -> bool:
    """Whether a log can have a plan: of one place, of plain facts, without corrections."""
    place = events[0].territory_code
    for event in events:
        if event.kind in _UNPLANNED or event.territory_code != place or not place:
            return False
        for value in event.data.values():
            if value is not None and value.__class__ not in (str, int, bool, float):
                return False
    return True


def needs_day(bound: BoundDefinition, base: datetime, tz: ZoneInfo, says: Sequence[str]) -> bool:
    """Whether logs must be of the same day to be alike."""
    if not is_timeless(bound) or not _is_even(tz, base.year):
        return True
    return any(_SAYS_A_DAY.search(text) for text in says)


def is_timeless(bound: BoundDefinition) -> bool:
    """Whether no condition of a definition can tell one day from another."""
    return all(getattr(condition, "timeless", False) for condition in bound.conditions.values())


@lru_cache(maxsize=512)
def _is_even(tz: ZoneInfo, year: int) -> bool:
    """Whether the clocks of a zone run evenly from a year before to two years after."""
    begin = datetime(year - 1, 1, 1)
    return len({(begin + timedelta(days=n)).replace(tzinfo=tz).utcoffset() for n in range(4 * 366)}) == 1


def plan_of(state: State, log: Sequence[Event], base: datetime) -> Plan | None:
    """The plan of a state that `replay` made of `log`, counted from `base`; None when it cannot be shared."""
    if state.opened_at is None:
        return Plan(None, None, "", 0, False, None, ())
    if state.schedules or state.policy or any(d.post_id is not None for d in state.duties.values()):
        return None
    if any(
        abs(at - base) > _REACH for d in state.duties.values() for at in (d.opened_at, d.due_at, d.warn_at)
    ):
        return None
    places = {event.seq: place for place, event in enumerate(log)}
    found = state.facts.get("organization_id")
    return Plan(
        opened=state.opened_at - base,
        closed=None if state.closed_at is None else state.closed_at - base,
        outcome=state.outcome,
        openings=state.openings,
        waits=bool(state.pending),
        organization_id=found if isinstance(found, int) else None,
        duties=tuple(
            Owed(
                duty.kind, duty.key, duty.stage, duty.opened_at - base, duty.due_at - base,
                duty.warn_at - base, duty.clock_known, int(duty.state),
                None if duty.ended_at is None else duty.ended_at - base, duty.ended_precision == "day",
                None if duty.ended_seq is None else places[duty.ended_seq], duty.reason, duty.evidence,
            )
            for duty in state.duties.values()
        ),
    )  # fmt: skip
