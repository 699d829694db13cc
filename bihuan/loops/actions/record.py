"""`record`: events in, and everything that follows from them stored. The only way loops and duties change.

For a batch of any size: lock the subjects, add the events to their logs, read the logs again with the pure
engine, and write what differs from the stored rows. All in one transaction, with a fixed number of
statements.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from bihuan.loops import bindings, store
from bihuan.loops.actions.fresh import Fresh, is_open_to
from bihuan.loops.actions.owners import Owners
from bihuan.loops.actions.quiet import take_quietly
from bihuan.loops.actions.settle import Settling
from bihuan.loops.rules.bound import BoundDefinition
from bihuan.loops.rules.engine import replay
from bihuan.loops.rules.state import Event, State
from bihuan.loops.rules.words import REPLANNED, RETRACTED
from bihuan.registry import bulk, clock, scope, stamps, territory
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A fact to record. `at` aware, when it was true; `at_precision` "day" if only the local date is known
    (`at` is then local 00:00). `territory_code` is the subject's; when it changes, open duties move.

    `idempotency_key`: the same key twice is one event. `revises`: the key of an earlier event that this one
    replaces (it is taken back, never deleted). `source`: where it came from, such as a file and row.
    """

    subject_kind: str
    subject_id: str
    kind: str
    at: datetime
    territory_code: str
    at_precision: str = "minute"
    data: Mapping[str, Any] = field(default_factory=dict)
    person_id: int | None = None
    idempotency_key: str | None = None
    source: str = ""
    revises: str | None = None


@dataclass(slots=True)
class RecordResult:
    """What a batch did: events added and left out as known already, loops opened and closed, duties opened
    and ended. `event_ids` of the added events, in the order given; None for those left out."""

    recorded: int = 0
    duplicates: int = 0
    loops_opened: int = 0
    loops_closed: int = 0
    duties_opened: int = 0
    duties_ended: int = 0
    event_ids: list[int | None] = field(default_factory=list)


def record(
    events: Sequence[NewEvent], *, actor: Actor, now: datetime | None = None, fresh: bool = False
) -> RecordResult:
    """Add events to the logs of their subjects and bring their loops up to date.

    `fresh`: the caller made every one of these subjects in this transaction, under a new id, and tells of
    them for the first time. The same comes of it, sooner, as nothing needs to be looked for.

    Joins the caller's transaction. Subjects of other territories than the actor's may be touched (a contact
    moves, a duty is owed elsewhere), so the engine works as the system; the right to report the fact is
    the calling action's to check.
    """
    if not events:
        return RecordResult()
    moment = now or clock.now()
    _check(events)
    with transaction.atomic(), scope.system(), stamps.steady():
        store.tell_actor(actor)
        if bulk.first_time("loops.bindings"):
            bindings.look_again()
        batch = _Batch(actor=actor, now=moment)
        if fresh and is_open_to(events):
            return batch.run_fresh(events)
        return batch.run(list(events))


def get_ready(events: int, subjects: int) -> None:
    """Inside a `bulk.lane`, before writing begins: what `record` would otherwise ask in the midst of it."""
    with scope.system():
        if bulk.first_time("loops.bindings"):
            bindings.look_again()
    numbers = {"loops_event_id_seq": events, "loops_subject_id_seq": subjects, "loops_loop_id_seq": subjects}
    bulk.reserve(numbers)


def refresh(subject_ids: Iterable[int], *, actor: Actor, now: datetime) -> RecordResult:
    """Read the logs of these subjects again and write what differs; changes nothing when all is right."""
    with transaction.atomic(), scope.system(), stamps.steady():
        store.tell_actor(actor)
        bindings.look_again()
        batch = _Batch(actor=actor, now=now)
        batch.lock(sorted(set(subject_ids)))
        batch.settle(batch.subjects.keys())
        return batch.result


def _check(events: Sequence[NewEvent]) -> None:
    for n, event in enumerate(events):
        if event.at.tzinfo is None:
            raise Invalid(
                _("Event %(n)s (%(kind)s of %(subject)s) has a time without a zone.")
                % {"n": n, "kind": event.kind, "subject": event.subject_id},
                hint=_("Give it one, such as +08:00."),
            )


_EVENT = {
    "id": "bigint", "subject_id": "bigint", "kind": "text", "at": "timestamptz", "at_precision": "text",
    "recorded_at": "timestamptz", "data": "jsonb", "account_id": "bigint", "post_id": "bigint",
    "actor": "text",
    "door": "text", "source": "text", "idempotency_key": "text", "territory_code": "text",
}  # fmt: skip


@dataclass(slots=True)
class _Batch:
    actor: Actor
    now: datetime
    result: RecordResult = field(default_factory=RecordResult)
    subjects: dict[int, tuple[str, str, int | None]] = field(default_factory=dict)  # id: kind, ref, person
    added: dict[int, list[Event]] = field(default_factory=dict)
    new_subjects: set[int] = field(default_factory=set)

    def run(self, events: list[NewEvent]) -> RecordResult:
        ids = self.find_subjects(events)
        events = self.drop_known(events)
        self.write(events, ids)
        left = self.subjects.keys() - self.new_subjects
        quiet = take_quietly(
            {n: self.added[n] for n in left if n in self.added}, actor=self.actor, now=self.now
        )
        self.result.duties_ended += quiet.ended
        self.settle(n for n in self.added if n not in quiet.subjects)
        return self.result

    def run_fresh(self, events: Sequence[NewEvent]) -> RecordResult:
        left = Fresh(actor=self.actor, now=self.now, result=self.result).run(events)
        self.subjects.update(left.subjects)
        self.new_subjects.update(left.subjects)
        self.added.update(left.added)
        self.settle(left.subjects)
        return self.result

    # --- subjects --------------------------------------------------------------------------------------

    def find_subjects(self, events: Sequence[NewEvent]) -> dict[tuple[str, str], int]:
        """Ids of the subjects, made where missing, locked in id order until the transaction ends."""
        wanted = {(e.subject_kind, e.subject_id): e for e in events}
        kinds, refs = [kind for kind, _ref in wanted], [ref for _kind, ref in wanted]
        known = store.fetch(
            "SELECT s.kind, s.ref, s.id FROM loops_subject s JOIN unnest(%s::text[], %s::text[]) AS w"
            " (kind, ref)"
            " ON s.kind = w.kind AND s.ref = w.ref",
            [kinds, refs],
        )
        missing = sorted(wanted.keys() - {(k, r) for k, r, _n in known})
        if missing:
            made = store.allocate("loops_subject_id_seq", len(missing))
            rows = [
                (n, *key, wanted[key].person_id, wanted[key].territory_code)
                for n, key in zip(made, missing, strict=True)
            ]
            types = {
                "id": "bigint",
                "kind": "text",
                "ref": "text",
                "person_id": "bigint",
                "territory_code": "text",
            }
            added = store.insert("loops_subject", types, rows, tail="ON CONFLICT (kind, ref) DO NOTHING")
            if added < len(missing):  # another transaction made some first; it has committed by now
                return self.find_subjects(events)
            self.new_subjects.update(made)
            self.subjects.update({row[0]: (row[1], row[2], row[3]) for row in rows})
            known += [(row[1], row[2], row[0]) for row in rows]
        self.lock([n for _k, _r, n in known if n not in self.new_subjects])
        return {(k, r): n for k, r, n in known}

    def lock(self, ids: Sequence[int]) -> None:
        if not ids:
            return
        rows = store.fetch(
            "SELECT id, kind, ref, person_id FROM loops_subject WHERE id = ANY(%s) ORDER BY id FOR UPDATE",
            [list(ids)],
        )
        self.subjects.update({row[0]: row[1:] for row in rows})

    # --- events ----------------------------------------------------------------------------------------

    def drop_known(self, events: list[NewEvent]) -> list[NewEvent]:
        keys = [e.idempotency_key for e in events if e.idempotency_key]
        known = {
            row[0]
            for row in (
                store.fetch("SELECT idempotency_key FROM loops_event WHERE idempotency_key = ANY(%s)", [keys])
                if keys
                else []
            )
        }
        fresh = []
        for event in events:
            key = event.idempotency_key
            if key is not None and key in known:
                self.result.duplicates += 1
                self.result.event_ids.append(None)
                continue
            if key is not None:
                known.add(key)
            self.result.event_ids.append(0)
            fresh.append(event)
        return fresh

    def write(self, events: list[NewEvent], ids: Mapping[tuple[str, str], int]) -> None:
        revised = self.find_revised(events)
        numbers = iter(store.allocate("loops_event_id_seq", len(events) + len(revised)) if events else [])
        rows, places = [], iter([n for n, e in enumerate(self.result.event_ids) if e is not None])
        for event in events:
            subject = ids[(event.subject_kind, event.subject_id)]
            old = revised.get(event.revises or "")
            if old is not None:
                taken_back = replace(
                    event, kind=RETRACTED, at=self.now, at_precision="minute", data={"event": old},
                    idempotency_key=None,
                )  # fmt: skip
                rows.append(self.row(next(numbers), subject, taken_back))
            number = next(numbers)
            self.result.event_ids[next(places)] = number
            rows.append(self.row(number, subject, event))
        store.insert("loops_event", _EVENT, rows)
        self.result.recorded = len(events)

    def row(self, number: int, subject: int, event: NewEvent) -> tuple[Any, ...]:
        made = Event(
            number, event.kind, event.at, event.data, event.at_precision, self.now, event.territory_code,
            self.actor.account_id, self.actor.post_id,
        )  # fmt: skip
        self.added.setdefault(subject, []).append(made)
        return (
            number, subject, event.kind, event.at, event.at_precision, self.now, store.dump(dict(event.data)),
            self.actor.account_id, self.actor.post_id, self.actor.name[:120], self.actor.door,
            event.source[:120],
            event.idempotency_key, event.territory_code,
        )  # fmt: skip

    def find_revised(self, events: Sequence[NewEvent]) -> dict[str, int]:
        keys = [e.revises for e in events if e.revises]
        if not keys:
            return {}
        return dict(
            store.fetch("SELECT idempotency_key, id FROM loops_event WHERE idempotency_key = ANY(%s)", [keys])
        )

    # --- loops -----------------------------------------------------------------------------------------

    def settle(self, subject_ids: Iterable[int]) -> None:
        """Read the logs of these subjects with the engine and store what follows."""
        ids = sorted(set(subject_ids))
        if not ids:
            return
        logs = self.read_logs(ids)
        settling = Settling(now=self.now, owners=Owners(self.now), result=self.result)
        settling.load([n for n in ids if n not in self.new_subjects])
        for n in ids:
            log = logs[n]
            stored = settling.loops_of.get(n, [])
            for loop in stored:
                settling.take(loop, self.read(log, loop.bound, loop.tz, settling.horizon(loop)))
            names = {loop.definition for loop in stored}
            for bound, event in self.openings(self.subjects[n][0], log, names):
                tz = ZoneInfo(territory.tz_of(event.territory_code))
                state = self.read(log, bound, tz, self.now)
                if state.opened_at is not None:
                    settling.open(n, self.subjects[n], bound, tz, state)
        settling.write()

    def read_logs(self, ids: Sequence[int]) -> dict[int, list[Event]]:
        logs: dict[int, list[Event]] = {n: [] for n in ids}
        old = [n for n in ids if n not in self.new_subjects]
        for n in ids:
            if n in self.new_subjects:
                logs[n] = self.added.get(n, [])
        rows = old and store.fetch(
            "SELECT subject_id, id, kind, at, data::text, at_precision, recorded_at, territory_code,"
            " account_id,"
            " post_id FROM loops_event WHERE subject_id = ANY(%s)",
            [old],
        )
        for subject, number, kind, at, data, *rest in rows or ():
            logs[subject].append(Event(number, kind, at, _loads(data), *rest))
        return logs

    def openings(
        self, kind: str, log: Sequence[Event], names: set[str]
    ) -> Iterable[tuple[BoundDefinition, Event]]:
        """Definitions that a log would open, bound to the policy in force where and when it does."""
        found: dict[str, tuple[BoundDefinition, Event]] = {}
        gone = {e.data.get("event") for e in log if e.kind == RETRACTED}
        for event in sorted(log, key=lambda e: e.order):
            if event.seq in gone:
                continue
            for bound in bindings.opening(kind, event.territory_code, event.at):
                if bound.name not in found and bound.name not in names and event.kind in bound.opens_on:
                    found[bound.name] = (bound, event)
        return found.values()

    def read(self, log: Sequence[Event], bound: BoundDefinition, tz: ZoneInfo, until: datetime) -> State:
        digests = [str(e.data.get("policy")) for e in log if e.kind == REPLANNED]
        known = bindings.by_digest(digests) if digests else {}
        rebound = {d: b for d, (_n, b) in known.items() if b.name == bound.name}
        return replay(bound, log, until, tz, bindings=rebound)


def _loads(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text)
    return found


__all__ = ["NewEvent", "RecordResult", "get_ready", "record", "refresh"]
