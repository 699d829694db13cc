"""The short way for the everyday event: a reading, a call, a tick that ends one duty and does nothing else.

An event is *quiet* when the definition shows that it can only end duties: it opens, closes, supersedes,
starts
and stops nothing, and no clock counts from it. If besides the loop owes something else that stands open since
before the event, reading the whole log again could give nothing but the duty's end. Then only that is
written.
Anything that is not plainly so goes the long way. A test holds the two ways equal.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.loops import bindings, store
from bihuan.loops.actions.owners import Owners
from bihuan.loops.rules.bound import BoundDefinition, BoundDuty
from bihuan.loops.rules.definition import DECIDE, DONE_OF
from bihuan.loops.rules.ladder import find_rungs
from bihuan.loops.rules.reading import is_evidence
from bihuan.loops.rules.slots import local_day, nearest
from bihuan.loops.rules.state import Event
from bihuan.loops.rules.words import DUTY_KEY
from bihuan.registry.actor import Actor


@dataclass(slots=True)
class Quiet:
    """Subjects fully dealt with, and how many duties ended."""

    subjects: set[int] = field(default_factory=set)
    ended: int = 0


def is_quiet(bound: BoundDefinition, kind: str) -> bool:
    """Whether events of this kind can only end duties of this definition."""
    return kind in _quiet_kinds(bound.digest, _Held(bound))


@dataclass(frozen=True, slots=True)
class _Held:
    """A bound definition as an argument of a cache: equal by digest."""

    bound: BoundDefinition

    def __hash__(self) -> int:
        return hash(self.bound.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.bound.digest == self.bound.digest


@lru_cache(maxsize=1024)
def _quiet_kinds(digest: str, held: _Held) -> frozenset[str]:
    bound = held.bound
    watched = {kind for close in bound.closes for kind in close.after_all}
    words: list[Container[str]] = [
        bound.openers,
        bound.enders,
        bound.starters,
        bound.stoppers,
        bound.closers,
        bound.opens_on,
    ]
    return frozenset(
        kind
        for kind, duties in bound.finishers.items()
        if not any(kind in heard for heard in words)
        and kind not in bound.clock_starts
        and all(
            d.kind not in watched and not any(DONE_OF + d.kind in heard for heard in words) for d in duties
        )
    )


@dataclass(slots=True)
class _Loop:
    id: int
    subject: int
    tz: ZoneInfo
    bound: BoundDefinition
    territory_code: str
    duties: list[_Duty] = field(default_factory=list)


@dataclass(slots=True)
class _Duty:
    """A duty in play. Instants are microseconds since 1970: reading tens of thousands of rows is quicker
    so."""

    id: int
    key: str
    kind: str
    state: int
    opened: int
    due: int
    owner_post_id: int
    territory_code: str

    @property
    def due_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.due)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def take_quietly(added: Mapping[int, Sequence[Event]], *, actor: Actor, now: datetime) -> Quiet:
    """End duties for those subjects whose new events are all quiet; the others are left as they are."""
    done = Quiet()
    ends: list[tuple[_Loop, _Duty, Event]] = []
    for loop in _find_loops(added, now):
        found = _find_ends(loop, added[loop.subject])
        if found:
            ends += found
            done.subjects.add(loop.subject)
    done.ended = _write(ends, actor=actor, now=now)
    return done


def _find_loops(events: Mapping[int, Sequence[Event]], now: datetime) -> list[_Loop]:
    """Open loops, the only ones of their subjects, in which all new events of the subject are quiet."""
    if not events:
        return []
    rows = store.fetch(
        "SELECT l.id, l.subject_id, l.tz, l.ruling_id, l.territory_code, l.state, l.waits,"
        " count(*) OVER (PARTITION BY l.subject_id) FROM loops_loop l WHERE l.subject_id = ANY(%s)",
        [list(events)],
    )
    bound = bindings.load({row[3] for row in rows})
    found = {
        row[0]: _Loop(row[0], row[1], ZoneInfo(row[2]), bound[row[3]], row[4])
        for row in rows
        if row[5] == 0 and not row[6] and row[7] == 1 and _fits(bound[row[3]], events[row[1]], row[4], now)
    }
    if found:
        _read_duties(found, events)
    return list(found.values())


def _fits(bound: BoundDefinition, events: Sequence[Event], territory_code: str, now: datetime) -> bool:
    stays = all(e.territory_code in ("", territory_code) for e in events)
    return stays and all(e.at <= now and is_quiet(bound, e.kind) for e in events)


def _read_duties(loops: Mapping[int, _Loop], events: Mapping[int, Sequence[Event]]) -> None:
    """The duties an event may end, and what else is open: kinds it finishes around its day, and all open
    ones."""
    kinds = sorted(
        {
            d.kind
            for loop in loops.values()
            for e in events[loop.subject]
            for d in loop.bound.finishers[e.kind]
        }
    )
    rows = store.fetch(
        "SELECT loop_id, id, key, kind, state, (extract(epoch from opened_at) * 1000000)::bigint,"
        " (extract(epoch from due_at) * 1000000)::bigint, owner_post_id, territory_code FROM loops_duty"
        " WHERE loop_id = ANY(%s) AND (state = 0 OR kind = ANY(%s) AND state < 3)",
        [list(loops), kinds],
    )
    for loop, *rest in rows:
        loops[loop].duties.append(_Duty(*rest))


def _find_ends(loop: _Loop, events: Sequence[Event]) -> list[tuple[_Loop, _Duty, Event]]:
    """The duties quiet events end, one each; empty when that is not plain for every event."""
    ends: list[tuple[_Loop, _Duty, Event]] = []
    for event in sorted(events, key=lambda e: e.order):
        found = _find_end(loop, event)
        if found is None:
            return []
        found.state = 1
        ends.append((loop, found, event))
    first = _micros(min(e.at for e in events))
    stays = any(d.state == 0 and d.kind != DECIDE and d.opened <= first for d in loop.duties)
    return ends if stays else []


def _find_end(loop: _Loop, event: Event) -> _Duty | None:
    """The one duty a quiet event ends, or None when that is not plain."""
    rules = loop.bound.finishers[event.kind]
    named = event.data.get(DUTY_KEY)
    if named is not None:
        rules = tuple(r for r in rules if str(named).startswith((r.kind + "@", r.kind + "/", r.kind + "#")))
    fitting = [rule for rule in rules if is_evidence(rule, event)]
    if len(fitting) != 1 or fitting[0].repeat is None:
        return None
    found = _pick(loop, fitting[0], event)
    return None if found is None or found.state != 0 or found.opened > _micros(event.at) else found


def _pick(loop: _Loop, rule: BoundDuty, event: Event) -> _Duty | None:
    named = event.data.get(DUTY_KEY)
    alike = [d for d in loop.duties if d.kind == rule.kind]
    if named is not None:
        return next((d for d in alike if d.key == named), None)
    if rule.repeat is None or rule.repeat.form != "daily" or event.precision == "day":
        return None
    day = f"@{local_day(event.at, loop.tz).isoformat()}/"
    alike = [d for d in alike if day in d.key]
    if not alike or any("~" in d.key for d in alike):
        return None
    key = nearest([(d.due_at, d.key) for d in alike], event.at)
    return next(d for d in alike if d.key == key)


_END = {
    "id": "bigint", "due_at": "timestamptz", "ended_at": "timestamptz", "ended_day_only": "boolean",
    "ended_event_id": "bigint", "evidence": "jsonb",
}  # fmt: skip


def _write(ends: Sequence[tuple[_Loop, _Duty, Event]], *, actor: Actor, now: datetime) -> int:
    if not ends:
        return 0
    rows = [
        (
            d.id,
            d.due_at,
            e.at,
            e.precision == "day",
            e.seq,
            store.dump({k: v for k, v in e.data.items() if k != DUTY_KEY}),
        )
        for _loop, d, e in ends
    ]
    by = [actor.account_id, actor.post_id]
    account, post = ("NULL" if n is None else str(int(n)) for n in by)
    store.update_from(
        "loops_duty",
        _END,
        "state = 1, ended_at = new.ended_at, ended_day_only = new.ended_day_only, evidence = new.evidence,"
        " ended_event_id = new.ended_event_id, ended_recorded_at = '" + now.isoformat() + "'::timestamptz,"
        f" ended_by_account_id = {account}, ended_by_post_id = {post}",
        "loops_duty.id = new.id AND loops_duty.due_at = new.due_at AND loops_duty.state = 0",
        rows,
    )
    _note_rungs(ends, now)
    return len(rows)


def _note_rungs(ends: Iterable[tuple[_Loop, _Duty, Event]], now: datetime) -> None:
    rows: list[tuple[Any, ...]] = []
    owners: Owners | None = None
    for loop, duty, event in ends:
        if event.at <= duty.due_at:
            continue
        owners = owners or Owners(now)
        for rung in find_rungs(loop.bound.ladder, due_at=duty.due_at, ended_at=event.at, now=now):
            to = owners.target(rung.to, duty.owner_post_id, duty.territory_code)
            rows.append((duty.id, duty.due_at, rung.step, rung.to, to, rung.at, now, duty.territory_code))
    store.insert(
        "loops_escalation", store.ESCALATION_TYPES, rows, tail="ON CONFLICT (duty_id, step, at) DO NOTHING"
    )
