"""The sweep: what time alone brings about, for all loops at once.

Slots of days that have begun, rungs of duties that are late, one digest for each post that is told something,
partitions, folded tallies. Each part is a short transaction that claims its rows and adds only what is
missing, so
two sweeps at once, one killed in the middle, or a week without any, come to the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction

from bihuan.loops import bindings, store
from bihuan.loops.actions.notices import tell_escalated, tell_posts
from bihuan.loops.actions.owners import Owners
from bihuan.loops.actions.record import refresh
from bihuan.registry import clock, posts, scope, stamps
from bihuan.registry.actor import Actor

SCHEDULES_A_TURN = 25_000
HANDS = 2
RUNGS_A_TURN = 20_000
MONTHS_AHEAD = 2
_ONE_AT_A_TIME = 5_044_203


@dataclass(slots=True)
class SweepResult:
    """What a sweep added. All zero when nothing was missing."""

    slots: int = 0
    escalations: int = 0
    rehomed: int = 0
    told: int = 0


def sweep(now: datetime | None = None) -> SweepResult:
    """Bring every loop to `now` (default: the clock). Opens its own transactions; call it outside of one."""
    moment = now or clock.now()
    result = SweepResult()
    with scope.system(), stamps.steady():
        _ensure_partitions(moment)
        result.slots = open_slots(moment)
        result.rehomed = _rehome(moment)
        while added_rungs := _rungs_turn(moment):
            result.escalations += added_rungs
        result.told = tell_posts(moment)
        fold_tallies()
    return result


def _ensure_partitions(now: datetime) -> None:
    """The months around now, and those that rows in the default partition ask for."""
    asked = store.fetch(
        "SELECT DISTINCT date_trunc('month', due_at AT TIME ZONE 'UTC') FROM loops_duty_other"
        " WHERE due_at >= make_timestamptz(%s, 1, 1, 0, 0, 0, 'UTC')"
        " AND due_at < make_timestamptz(%s, 1, 1, 0, 0, 0, 'UTC')",
        [store.FIRST_YEAR, store.LAST_YEAR + 1],
    )
    ahead = [now + timedelta(days=31 * n) for n in range(MONTHS_AHEAD + 1)]
    for at in [*ahead, *(row[0] for row in asked)]:
        with transaction.atomic():
            store.ensure_months([at])
    store.note_months()


_SLOTS = """
WITH claimed AS (
    SELECT s.*, least(s.last_day, (%(now)s AT TIME ZONE s.tz)::date) AS upto
    FROM loops_schedule s
    WHERE s.until_at IS NULL AND s.next_day <= s.last_day AND s.next_open_at <= %(now)s
    ORDER BY s.next_open_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), slots AS (
    SELECT c.*, day::date AS day, slot.n,
        (day + make_interval(mins => slot.minute)) AT TIME ZONE c.tz AS slot_due,
        greatest(day AT TIME ZONE c.tz, c.from_at) AS slot_opened
    FROM claimed c, generate_series(c.next_day::timestamp, c.upto::timestamp, interval '1 day') AS day,
        unnest(c.slots) WITH ORDINALITY AS slot (minute, n)
), added AS (
    INSERT INTO loops_duty (loop_id, binding_id, definition, kind, key, stage, owner_post_id, owner_fallback,
        territory_code, person_id, opened_at, due_at, warn_at, recorded_at)
    SELECT loop_id, binding_id, definition, kind,
        kind || '@' || day || '/' || n || CASE WHEN run > 1 THEN '~' || run ELSE '' END,
        stage, owner_post_id, owner_fallback, territory_code, person_id, slot_opened, slot_due,
        slot_due - warn_lead, %(now)s
    FROM slots WHERE slot_due > from_at
    {conflict}
    RETURNING 1
), moved AS (
    UPDATE loops_schedule s
    SET next_day = c.upto + 1, next_open_at = (c.upto + 1)::timestamp AT TIME ZONE s.tz
    FROM claimed c WHERE s.id = c.id RETURNING 1
)
SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM moved)
"""


def open_slots(now: datetime) -> int:
    """Open the slots of every repeat whose day has begun; with several hands if it is more than a turn."""
    with transaction.atomic():  # its own, so that the lock it takes is held for a moment only
        _ensure_slot_months(now)
    added, claimed = _slots_turn(now)
    if claimed < SCHEDULES_A_TURN:
        return added
    if connection.in_atomic_block:
        return added + _slot_turns(now)
    with ThreadPoolExecutor(HANDS) as hands:
        return added + sum(hands.map(_in_own_connection, [now] * HANDS))


def _in_own_connection(now: datetime) -> int:
    try:
        with scope.system():
            return _slot_turns(now)
    finally:
        connection.close()


def _slot_turns(now: datetime) -> int:
    total = 0
    while True:
        added, claimed = _slots_turn(now)
        total += added
        if claimed == 0:
            return total


def _slots_turn(now: datetime) -> tuple[int, int]:
    """Open the slots of up to SCHEDULES_A_TURN repeats. Returns slots added, repeats claimed."""
    with transaction.atomic(), scope.system(), connection.cursor() as cursor:
        # What a crash right after the commit loses, the next sweep makes again.
        cursor.execute("SELECT set_config('jit', 'off', true), set_config('synchronous_commit', 'off', true)")
        given: dict[str, Any] = {"now": now, "limit": SCHEDULES_A_TURN}
        try:
            with transaction.atomic():
                cursor.execute(_SLOTS.format(conflict=""), given)
        except IntegrityError:  # some slots are there already: opened early, or taken back by a late fact
            cursor.execute(_SLOTS.format(conflict="ON CONFLICT (loop_id, key, due_at) DO NOTHING"), given)
        added, claimed = cursor.fetchone()
        return int(added), int(claimed)


def _ensure_slot_months(now: datetime) -> None:
    rows = store.fetch(
        "SELECT min(next_day), max(least(last_day, %s::date + 1)) FROM loops_schedule"
        " WHERE until_at IS NULL AND next_day <= last_day AND next_open_at <= %s",
        [now, now],
    )
    first, last = rows[0]
    if first is None:
        return
    day = datetime(first.year, first.month, 1, tzinfo=now.tzinfo)
    while day.date() <= last + timedelta(days=1):
        store.ensure_months([day])
        day = (day + timedelta(days=32)).replace(day=1)


# --- owners that are gone -------------------------------------------------------------------------


def _rehome(now: datetime) -> int:
    """Give open duties and repeats of posts that are not active any more to who owes them now."""
    active = [n for n, post in posts.directory().by_id.items() if post.is_active(now)]
    gone = _inactive_owners(active)
    if not gone:
        return 0
    subjects = store.fetch(
        "SELECT DISTINCT l.subject_id FROM loops_duty d JOIN loops_loop l ON l.id = d.loop_id"
        " WHERE d.state = 0 AND d.owner_post_id = ANY(%s)",
        [gone],
    )
    refresh((row[0] for row in subjects), actor=Actor.system("sweep"), now=now)
    return len(subjects)


def _inactive_owners(active: Sequence[int]) -> list[int]:
    """Posts that owe something open and are not among the active: found by skipping from owner to owner."""
    rows = store.fetch(
        "WITH RECURSIVE owners (id) AS ("
        " (SELECT owner_post_id FROM loops_duty WHERE state = 0 ORDER BY owner_post_id LIMIT 1)"
        " UNION ALL SELECT (SELECT owner_post_id FROM loops_duty WHERE state = 0 AND owner_post_id >"
        " owners.id"
        "   ORDER BY owner_post_id LIMIT 1) FROM owners WHERE owners.id IS NOT NULL)"
        " SELECT id FROM owners WHERE id IS NOT NULL AND id <> ALL(%s)",
        [list(active)],
    )
    return [row[0] for row in rows]


# --- escalation -----------------------------------------------------------------------------------

_LATE = """
SELECT d.id, d.due_at, ladder.step, ladder.target, d.owner_post_id, d.territory_code, d.due_at + ladder.after
FROM unnest(%(bindings)s::bigint[], %(steps)s::smallint[], %(targets)s::text[], %(afters)s::interval[])
    AS ladder (binding_id, step, target, after)
JOIN loops_duty d ON d.binding_id = ladder.binding_id AND d.state = 0 AND d.due_at <= %(now)s - ladder.after
    AND d.due_at <= %(now)s
WHERE NOT EXISTS (SELECT FROM loops_escalation e
    WHERE e.duty_id = d.id AND e.step = ladder.step AND e.at = d.due_at + ladder.after)
LIMIT %(limit)s
"""


def _rungs_turn(now: datetime) -> int:
    """Note up to RUNGS_A_TURN rungs that open duties have climbed. Their moment is the deadline plus the
    offset."""
    with transaction.atomic(), scope.system(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ONE_AT_A_TIME])
        ladders = _ladders()
        if not ladders:
            return 0
        columns = [list(column) for column in zip(*ladders, strict=True)]
        names = ("bindings", "steps", "targets", "afters")
        cursor.execute(_LATE, {**dict(zip(names, columns, strict=True)), "now": now, "limit": RUNGS_A_TURN})
        found = cursor.fetchall()
        owners = Owners(now)
        rows = [
            (duty, due_at, step, target, owners.target(target, owner, place), at, now, place)
            for duty, due_at, step, target, owner, place, at in found
        ]
        tell_escalated(rows, now)
        return store.insert(
            "loops_escalation",
            store.ESCALATION_TYPES,
            rows,
            tail="ON CONFLICT (duty_id, step, at) DO NOTHING",
        )


def _ladders() -> list[tuple[int, int, str, timedelta]]:
    from_rows: Iterable[int] = [row[0] for row in store.fetch("SELECT id FROM loops_binding", [])]
    return [
        (n, step, rung.to, rung.after)
        for n, bound in bindings.load(from_rows).items()
        for step, rung in enumerate(bound.ladder, start=1)
    ]


# --- tallies --------------------------------------------------------------------------------------


def fold_tallies() -> int:
    """Add the appended changes to the tallies. Readers add both, so it matters only for speed."""
    with transaction.atomic(), scope.system(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_ONE_AT_A_TIME + 1])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(
            """
            WITH taken AS (DELETE FROM loops_tallydelta RETURNING *)
            INSERT INTO loops_tally (bucket, territory_code, definition, kind, stage, lead, state, n)
            SELECT bucket, territory_code, definition, kind, stage, lead, state, sum(n) FROM taken
            GROUP BY 1, 2, 3, 4, 5, 6, 7
            ON CONFLICT (territory_code, definition, kind, stage, state, bucket, lead)
            DO UPDATE SET n = loops_tally.n + excluded.n
            """
        )
        folded = int(cursor.rowcount)
        cursor.execute("DELETE FROM loops_tally WHERE n = 0")
        return folded
