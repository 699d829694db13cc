"""What a pack would change, before it does: open loops are read under both rules, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from bihuan.loops import bindings, store
from bihuan.loops.queries.reading import fence
from bihuan.loops.rules.bound import BoundDefinition
from bihuan.loops.rules.engine import advance, replay
from bihuan.loops.rules.state import Event, Schedule, State
from bihuan.loops.rules.words import REPLANNED
from bihuan.policy import packs
from bihuan.registry import clock, scope
from bihuan.registry.errors import Invalid

LOOPS_A_TURN = 1_000
REPLAN = "replan"


@dataclass(slots=True)
class ImpactRow:
    """What changes for duties of one kind in one loop definition.

    `opened` and `superseded`: duties that would be owed, and no more owed. `sooner` and `later`: open duties
    whose deadline would move. `repeats`: daily repeats whose last day would move, and by how many slots yet
    to come there would be more (`slots`, negative: fewer).
    """

    definition: str
    kind: str
    label: Mapping[str, str]
    opened: int = 0
    superseded: int = 0
    sooner: int = 0
    later: int = 0
    repeats: int = 0
    slots: int = 0

    @property
    def n(self) -> int:
        return self.opened + self.superseded + self.sooner + self.later + self.repeats


@dataclass(frozen=True, slots=True)
class ImpactLoop:
    """A loop that would change, and in how many duties and repeats."""

    public_id: str
    definition: str
    subject_kind: str
    subject_ref: str
    territory_code: str
    n: int


@dataclass(slots=True)
class Impact:
    """What a pack would change in open loops from the local midnight of `on`.

    `loops_open`: open loops at and below the territory; `loops_reached`: those where the pack would speak on
    that day; `loops_changed`: those of them in which anything differs. `transition` is what was asked about:
    under `keep` no open loop changes, and the counts say so. `loops` names at most as many as were asked for.
    """

    pack: str
    territory: str
    on: date
    transition: str
    loops_open: int = 0
    loops_reached: int = 0
    loops_changed: int = 0
    duties_opened: int = 0
    duties_superseded: int = 0
    deadlines_moved: int = 0
    repeats_moved: int = 0
    rows: list[ImpactRow] = field(default_factory=list)
    loops: list[ImpactLoop] = field(default_factory=list)


def impact(
    pack_id: str,
    *,
    territory: str = "",
    on: date | None = None,
    transition: str | None = None,
    limit: int = 50,
) -> Impact:
    """Tell what a pack would change on today's open loops at and below a territory, within the scope.

    `on`: local day from which it would hold; default its first day, or today for one that always held.
    `transition`: ask as if the pack said so ("keep" or "replan"; default: what it says). Raises UnknownPack,
    and Invalid for a day on which the pack is not in force.
    """
    pack = packs.library().pack(pack_id)
    day = on or pack.date_from or clock.today(pack.tz)
    _require_running(pack, day)
    found = Impact(pack_id, territory, day, transition or pack.transition)
    lo, hi = fence(territory)
    counted = _Count(found, limit)
    with scope.system():  # logs may hold events of other territories; what is named lies within the fence
        for loops in _turns(lo, hi):
            found.loops_open += len(loops)
            reached = [(loop, bound) for loop in loops if (bound := _after(loop, pack, day)) is not None]
            found.loops_reached += len(reached)
            if found.transition == REPLAN:
                _compare_all(reached, midnight=clock.start_of_day(day, pack.tz), counted=counted)
    return counted.whole()


def _require_running(pack: Any, day: date) -> None:
    last = packs.library().last_day(pack)
    if (pack.date_from is None or pack.date_from <= day) and (last is None or day <= last):
        return
    raise Invalid(
        _("%(pack)s is not in force on %(day)s.") % {"pack": pack.id, "day": day},
        hint=_("It runs from %(first)s to %(last)s.") % {"first": pack.date_from or "…", "last": last or "…"},
        errors=[{"field": "on", "rule": "in-force", "message": _("outside of the pack's days"), "hint": ""}],
    )


@dataclass(frozen=True, slots=True)
class _Loop:
    id: int
    public_id: str
    subject_id: int
    subject_kind: str
    subject_ref: str
    definition: str
    binding_id: int
    ruling_id: int
    tz: str
    territory_code: str
    opened_at: datetime
    passed_to: datetime


def _turns(lo: str, hi: str) -> Iterator[list[_Loop]]:
    last = 0
    while True:
        rows = store.fetch(
            "SELECT id, public_id, subject_id, subject_kind, subject_ref, definition, binding_id, ruling_id,"
            " tz, territory_code, opened_at, passed_to FROM loops_loop"
            " WHERE state = 0 AND territory_code >= %s AND territory_code < %s AND id > %s"
            " ORDER BY id LIMIT %s",
            [lo, hi, last, LOOPS_A_TURN],
        )
        if not rows:
            return
        yield [_Loop(*row) for row in rows]
        last = rows[-1][0]


def _after(loop: _Loop, pack: Any, day: date) -> BoundDefinition | None:
    """The loop's definition as it would be bound; None where the pack does not speak, or has no such loop."""
    policy = packs.in_force(loop.territory_code, day)
    return bindings.of(policy, loop.definition) if pack in policy.layers else None


def _compare_all(
    reached: Sequence[tuple[_Loop, BoundDefinition]], *, midnight: datetime, counted: _Count
) -> None:
    ruling = bindings.load({loop.ruling_id for loop, _bound in reached})
    open_before = clock.now()
    changed = [
        (loop, bound)
        for loop, bound in reached
        if ruling[loop.ruling_id].digest != bound.digest and loop.opened_at <= max(midnight, open_before)
    ]
    logs = _read_logs(loop.subject_id for loop, _bound in changed)
    opened_with = bindings.load({loop.binding_id for loop, _bound in changed})
    for loop, bound in changed:
        before = _read(loop, opened_with[loop.binding_id], logs[loop.subject_id], until=midnight)
        after = _replanned(loop, opened_with[loop.binding_id], before, bound, midnight=midnight)
        counted.add(loop, bound, before, after)


def _read_logs(subject_ids: Iterable[int]) -> dict[int, list[Event]]:
    ids = sorted(set(subject_ids))
    logs: dict[int, list[Event]] = {n: [] for n in ids}
    rows = ids and store.fetch(
        "SELECT subject_id, id, kind, at, data::text, at_precision, recorded_at, territory_code, account_id,"
        " post_id FROM loops_event WHERE subject_id = ANY(%s)",
        [ids],
    )
    for subject, number, kind, at, data, *rest in rows or ():
        logs[subject].append(Event(number, kind, at, json.loads(data), *rest))
    return logs


def _known(loop: _Loop, log: Iterable[Event]) -> dict[str, BoundDefinition]:
    digests = {str(e.data.get("policy")) for e in log if e.kind == REPLANNED}
    found = bindings.by_digest(digests) if digests else {}
    return {digest: bound for digest, (_n, bound) in found.items() if bound.name == loop.definition}


def _read(loop: _Loop, bound: BoundDefinition, log: list[Event], *, until: datetime) -> State:
    passed = max(until, clock.now(), loop.passed_to)
    return replay(bound, log, passed, ZoneInfo(loop.tz), bindings=_known(loop, log))


def _replanned(
    loop: _Loop, opened_with: BoundDefinition, before: State, bound: BoundDefinition, *, midnight: datetime
) -> State:
    """The state as it would be after the event that a new pack says in the log of every open loop."""
    number = max(event.seq for event in before.log) + 1
    event = Event(number, REPLANNED, max(midnight, loop.opened_at), {"policy": bound.digest})
    known = {**_known(loop, before.log), bound.digest: bound}
    passed = before.passed_to or event.at
    return advance(opened_with, before, event, passed, bindings=known).state


@dataclass(slots=True)
class _Count:
    """Adds up what differs, loop by loop."""

    found: Impact
    limit: int
    rows: dict[tuple[str, str], ImpactRow] = field(default_factory=dict)

    def row(self, kind: str, bound: BoundDefinition, loop: _Loop) -> ImpactRow:
        row = self.rows.get((loop.definition, kind))
        if row is None:
            duty = bound.duties.get(kind) or bindings.load([loop.ruling_id])[loop.ruling_id].duties.get(kind)
            label: Mapping[str, str] = duty.label if duty else {}
            row = self.rows[(loop.definition, kind)] = ImpactRow(loop.definition, kind, dict(label))
        return row

    def add(self, loop: _Loop, bound: BoundDefinition, before: State, after: State) -> None:
        n = self.add_duties(loop, bound, before, after) + self.add_repeats(loop, bound, before, after)
        if not n:
            return
        self.found.loops_changed += 1
        if len(self.found.loops) < self.limit:
            self.found.loops.append(
                ImpactLoop(
                    loop.public_id,
                    loop.definition,
                    loop.subject_kind,
                    loop.subject_ref,
                    loop.territory_code,
                    n,
                )
            )

    def add_duties(self, loop: _Loop, bound: BoundDefinition, before: State, after: State) -> int:
        n = 0
        for old in before.open_duties():
            new = after.duties.get(old.key)
            row = self.row(old.kind, bound, loop)
            if new is None or not new.is_open:
                row.superseded += 1
            elif new.due_at != old.due_at:
                row.sooner += new.due_at < old.due_at
                row.later += new.due_at > old.due_at
            else:
                continue
            n += 1
        for new in after.open_duties():
            if new.key not in before.duties:
                self.row(new.kind, bound, loop).opened += 1
                n += 1
        return n

    def add_repeats(self, loop: _Loop, bound: BoundDefinition, before: State, after: State) -> int:
        ruling = bindings.load([loop.ruling_id])[loop.ruling_id]
        n = 0
        for key, old in before.schedules.items():
            new = after.schedules.get(key, old)
            difference = _slots_ahead(new, bound) - _slots_ahead(old, ruling)
            if old.last_day == new.last_day and old.is_running == new.is_running and not difference:
                continue
            row = self.row(old.kind, bound, loop)
            row.repeats += 1
            row.slots += difference
            n += 1
        return n

    def whole(self) -> Impact:
        found = self.found
        found.rows = sorted(
            (r for r in self.rows.values() if r.n), key=lambda r: (r.definition, -r.n, r.kind)
        )
        found.duties_opened = sum(row.opened for row in found.rows)
        found.duties_superseded = sum(row.superseded for row in found.rows)
        found.deadlines_moved = sum(row.sooner + row.later for row in found.rows)
        found.repeats_moved = sum(row.repeats for row in found.rows)
        return found


def _slots_ahead(schedule: Schedule, bound: BoundDefinition) -> int:
    """Slots of the days that have not been opened yet."""
    duty = bound.duties.get(schedule.kind)
    if not schedule.is_running or duty is None or duty.repeat is None:
        return 0
    return ((schedule.last_day - schedule.next_day).days + 1) * len(duty.repeat.slots)
