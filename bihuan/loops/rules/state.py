"""What the engine reads and gives: events in, the state of one loop, duties and their ends out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo


class DutyState(IntEnum):
    """How a duty stands. The numbers are those stored."""

    OPEN = 0
    DONE = 1
    WAIVED = 2
    SUPERSEDED = 3


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about a subject, as the log holds it. `at` is when it was true, `recorded_at` when known;
    `precision` "day" means only the local date is known. `seq` orders events of equal `at`."""

    seq: int
    kind: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "minute"
    recorded_at: datetime | None = None
    territory_code: str = ""
    account_id: int | None = None
    post_id: int | None = None

    @property
    def order(self) -> tuple[datetime, int]:
        return (self.at, self.seq)


@dataclass(slots=True)
class Duty:
    """One owed step. Never changed once made: the engine replaces it.

    `clock` names what the deadline counts from, `clock_known` is False while that has not happened and the
    count runs from the opening. `post_id` is set only by a hand-over; otherwise the shell finds the owner.
    """

    key: str
    kind: str
    stage: str
    opened_at: datetime
    due_at: datetime
    warn_at: datetime
    territory_code: str
    clock: str = ""
    clock_known: bool = True
    state: DutyState = DutyState.OPEN
    ended_at: datetime | None = None
    ended_precision: str = "minute"
    ended_recorded_at: datetime | None = None
    ended_seq: int | None = None
    ended_by_account_id: int | None = None
    ended_by_post_id: int | None = None
    reason: str = ""
    evidence: Mapping[str, Any] | None = None
    post_id: int | None = None
    day: date | None = None
    policy: str = ""

    @property
    def is_open(self) -> bool:
        return self.state is DutyState.OPEN

    def with_(self, **changes: Any) -> Duty:
        values = {name: getattr(self, name) for name in _DUTY_FIELDS}
        values.update(changes)
        return Duty(**values)


_DUTY_FIELDS = tuple(f.name for f in fields(Duty))


@dataclass(frozen=True, slots=True)
class Schedule:
    """A daily repeat that runs, or ran: slots exist for each local day from `first_day` to `last_day`.

    `next_day` is the first day whose slots do not exist yet; `until_at` is set when an event stopped it.
    `post_id` is set when its slots to come were handed over; otherwise the shell finds the owner.
    """

    kind: str
    run: int
    from_at: datetime
    first_day: date
    last_day: date
    next_day: date
    next_open_at: datetime
    until_at: datetime | None = None
    policy: str = ""
    post_id: int | None = None

    @property
    def is_running(self) -> bool:
        return self.until_at is None and self.next_day <= self.last_day


@dataclass(slots=True)
class State:
    """Everything that follows from a subject's log for one loop. Treat as a value: `advance` copies it.

    `log` is sorted by (at, seq). `passed_to` is the moment up to which time has been let pass.
    """

    tz: ZoneInfo
    log: list[Event] = field(default_factory=list)
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: str = ""
    openings: int = 0
    passed_to: datetime | None = None
    territory_code: str = ""
    policy: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    clocks: dict[str, Event] = field(default_factory=dict)
    duties: dict[str, Duty] = field(default_factory=dict)
    schedules: dict[tuple[str, int], Schedule] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    open_keys: dict[str, None] = field(default_factory=dict)
    pending: dict[str, None] = field(default_factory=dict)
    used: set[tuple[str, int]] = field(default_factory=set)
    earlier: dict[str, list[Event]] = field(default_factory=dict)
    gone: frozenset[Any] = frozenset()

    @property
    def is_open(self) -> bool:
        return self.opened_at is not None and self.closed_at is None

    def open_duties(self) -> list[Duty]:
        return [self.duties[key] for key in self.open_keys]

    def copy(self) -> State:
        return State(
            tz=self.tz, log=self.log.copy(), opened_at=self.opened_at, closed_at=self.closed_at,
            outcome=self.outcome, openings=self.openings, passed_to=self.passed_to,
            territory_code=self.territory_code, policy=self.policy, facts=self.facts.copy(),
            clocks=self.clocks.copy(), duties=self.duties.copy(), schedules=self.schedules.copy(),
            counts=self.counts.copy(), open_keys=self.open_keys.copy(), pending=self.pending.copy(),
            used=self.used.copy(), earlier={k: v.copy() for k, v in self.earlier.items()}, gone=self.gone,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """What one event changed: the state after, and how duties differ from the state before.

    `opened`: duties that did not exist. `ended`: duties that were open, or did not exist, and are now done,
    waived or superseded. `changed`: the rest that differ (re-clocked, reopened, handed over, corrected).
    `dropped`: keys that no longer follow from the log; the shell supersedes those still open (late_fact).
    """

    state: State
    opened: tuple[Duty, ...] = ()
    ended: tuple[Duty, ...] = ()
    changed: tuple[Duty, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def closed(self) -> bool:
        return self.state.closed_at is not None


def compare(before: State, after: State) -> Step:
    """The step from one state to the other."""
    opened, ended, changed = [], [], []
    for key, duty in after.duties.items():
        old = before.duties.get(key)
        if old is duty:
            continue
        if old is None:
            opened.append(duty)
        if not duty.is_open and (old is None or old.is_open):
            ended.append(duty)
        elif old is not None and old != duty:
            changed.append(duty)
    dropped = tuple(key for key in before.duties if key not in after.duties)
    return Step(after, tuple(opened), tuple(ended), tuple(changed), dropped)
