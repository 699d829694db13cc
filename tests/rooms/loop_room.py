"""A room for loop tests: the example definitions as the pack in force, and short words for events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bihuan.loops import bindings
from bihuan.loops.actions import NewEvent, RecordResult, record
from bihuan.loops.models import Duty, Loop
from bihuan.loops.queries import check
from bihuan.loops.rules.engine import replay
from bihuan.loops.rules.slots import start_of_day
from bihuan.loops.rules.state import Event, State
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from tests.cast import GRID, Cast, make_cast
from tests.rules.loop_examples import CASE, CONTACT, SHANGHAI, Policy, hot, local

SYSTEM = Actor.system("test", door="test")


@dataclass
class Packs:
    """Stands in for bihuan.policy.packs: one policy everywhere, which a test may exchange."""

    policy: Any = field(default_factory=lambda: in_force_policy("example"))

    def in_force(self, territory: str, on: Any) -> Any:
        return self.policy

    def first_day(self, policy_id: str) -> None:
        return None

    def replans(self, territory: str, after: Any, until: Any) -> list[Any]:
        return [self.policy] if self.policy.transition == "replan" else []


def in_force_policy(name: str, *, transition: str = "keep", date_from: Any = None, **changed: Any) -> Any:
    policy = Policy(**changed)
    loops = {
        key: SimpleNamespace(name=key, definition=raw, file="example.yaml")
        for key, raw in (("contact", CONTACT), ("case", CASE))
    }
    found = SimpleNamespace(
        id=name,
        loops=loops,
        value=policy.value,
        transition=transition,
        date_from=date_from,
        tz="Asia/Shanghai",
    )
    return Hashed(found)


class Hashed:
    def __init__(self, inner: Any) -> None:
        self.__dict__.update(inner.__dict__)


@pytest.fixture
def packs_in_force(monkeypatch: pytest.MonkeyPatch) -> Iterator[Packs]:
    from bihuan.loops.actions import transitions

    packs = Packs()
    monkeypatch.setattr(bindings, "packs", packs)
    monkeypatch.setattr(transitions, "packs", packs)
    monkeypatch.setattr(bindings, "compile_for", lambda subject: lambda text: hot)
    bindings.forget()
    yield packs
    bindings.forget()


@pytest.fixture
def room(db: None, cast: Cast, packs_in_force: Packs) -> Iterator[Room]:
    with scope.system():
        yield Room(cast)


@pytest.fixture
def open_room(transactional_db: None, packs_in_force: Packs) -> Iterator[Room]:
    """The same without a surrounding transaction, for threads and killed processes."""
    with scope.system():
        yield Room(make_cast())


@dataclass
class Room:
    cast: Cast

    def say(
        self, subject: str, kind: str, at: datetime, data: dict[str, Any] | None = None, *,
        now: datetime | None = None,
        precision: str = "minute", territory: str = GRID, key: str | None = None, revises: str | None = None,
    ) -> RecordResult:  # fmt: skip
        about = "case" if subject.startswith("C") else "contact"
        event = NewEvent(about, subject, kind, at, territory, precision, data or {}, None, key, "", revises)
        return record([event], actor=SYSTEM, now=now or at)

    def start(self, subject: str = "K1", *, day: int = 1) -> None:
        """A contact confirmed at 10:00, found at 11:00, under an order from 15:00 for three days."""
        for kind, hour in (("contact.confirmed", 10), ("contact.located", 11), ("order.started", 15)):
            self.say(subject, kind, local(day, hour))

    def duties(self, subject: str = "K1") -> dict[str, Duty]:
        return {d.key: d for d in Duty.unscoped.filter(loop__subject_ref=subject).order_by("id")}

    def loop(self, subject: str = "K1") -> Loop:
        return Loop.unscoped.get(subject_ref=subject)


def at(moment: datetime) -> Any:
    return clock.frozen(moment)


def plain_replay(loop: Loop, until: datetime) -> State:
    """What the pure engine says of a stored loop's log."""
    from bihuan.loops.models import LogEvent

    log = [
        Event(
            e.id,
            e.kind,
            e.at,
            e.data,
            e.at_precision,
            e.recorded_at,
            e.territory_code,
            e.account_id,
            e.post_id,
        )
        for e in LogEvent.unscoped.filter(subject_id=loop.subject_id)
    ]
    bound = bindings.load([loop.binding_id])[loop.binding_id]
    digests = {str(e.data["policy"]) for e in log if e.kind == "loop.replanned"}
    known = {digest: found for digest, (_n, found) in bindings.by_digest(digests).items()}
    return replay(bound, log, until, SHANGHAI, bindings=known)


def assert_stored_is_replayed(until: datetime) -> None:
    """Every stored loop equals a plain replay of its log, and the promise holds."""
    for loop in Loop.unscoped.all():
        passed = max(until, loop.passed_to)
        for schedule in loop.schedules.all():
            passed = max(passed, start_of_day(schedule.next_day - timedelta(days=1), SHANGHAI))
        state = plain_replay(loop, passed)
        stored = {d.key: d for d in Duty.unscoped.filter(loop_id=loop.id)}
        for key, duty in state.duties.items():
            row = stored.pop(key)
            assert (row.state, row.opened_at, row.due_at, row.warn_at, row.ended_at, row.reason,
            row.territory_code) == (
                duty.state, duty.opened_at, duty.due_at, duty.warn_at, duty.ended_at, duty.reason,
                duty.territory_code,
            ), (key, row.__dict__, duty)  # fmt: skip
        assert all(row.state != 0 for row in stored.values()), stored
        assert (loop.state == 0) == state.is_open
    assert check().violations == []
