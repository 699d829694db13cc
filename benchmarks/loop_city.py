"""A made-up city under observation, for the benchmarks of duties: contacts at home, owing readings and
calls."""

from __future__ import annotations

import json
import os
import platform
import time
from datetime import UTC, date, datetime
from typing import Any

CITY = "4203"
STARTED = datetime(2020, 2, 18, 4, 0, tzinfo=UTC)
FIRST_DAY = date(2020, 2, 19)
MIDNIGHT = datetime(2020, 2, 18, 16, 0, tzinfo=UTC)  # local 00:00 of the first day
SLOTS_A_DAY = 5  # two temperatures and three follow-ups


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def durability() -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), current_setting('fsync'), current_setting('synchronous_commit')")
        version, fsync, commit = cursor.fetchone()
    return f"{version.split(',')[0].split(' on ')[0]}, fsync {fsync}, synchronous_commit {commit}"


def build(contacts: int) -> float:
    """Fill the connected empty database: the tree, the posts of the city's counties, and so many open contact
    loops with their two daily repeats. Written straight into the tables; seconds it took."""
    from django.db import connection, transaction

    from bihuan.loops import bindings
    from bihuan.registry import posts
    from bihuan.registry.actions import organizations, roles, territory
    from bihuan.registry.actor import Actor

    begun, system = time.perf_counter(), Actor.system("bench")
    units = [u for u in territory.builtin_units() if u.code.startswith("42")]
    territory.store_units(units)
    roles.sync_roles(actor=system)
    for unit in units:
        if unit.level == 3 and unit.code.startswith(CITY):
            organizations.establish_county(unit.code, actor=system)
    places = sorted(u.code for u in units if u.level == 5 and u.code.startswith(CITY))
    owners = [posts.resolve_owner(["grid_worker", "community_follow_up"], code).post_id for code in places]
    bound = bindings.definitions(CITY, STARTED)["contact"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE place ON COMMIT DROP AS"
            " SELECT row_number() OVER () - 1 AS n, * FROM unnest(%s::text[], %s::bigint[]) AS t (code,"
            " post)",
            [places, owners],
        )
        given = {"n": contacts, "places": len(places), "binding": bindings.id_of(bound), "started": STARTED,
                 "day": FIRST_DAY, "midnight": MIDNIGHT}  # fmt: skip
        for statement in _STATEMENTS:
            cursor.execute(statement, given)
        for kind in ("temperature", "follow_up"):
            repeat = bound.duties[kind].repeat
            assert repeat is not None
            slots = list(repeat.slots)
            cursor.execute(
                _SCHEDULES, {**given, "kind": kind, "slots": slots, "warn": bound.duties[kind].warn_lead}
            )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return time.perf_counter() - begun


_STATEMENTS = (
    "SELECT loops_ensure_month('2020-02-01'), loops_ensure_month('2020-03-01')",
    "INSERT INTO loops_subject (id, kind, ref, territory_code)"
    " SELECT g, 'contact', 'K' || g, p.code FROM generate_series(1, %(n)s) g JOIN place p ON p.n = g %%"
    " %(places)s",
    'INSERT INTO loops_loop (id, public_id, subject_id, subject_kind, subject_ref, definition, "group",'
    " binding_id,"
    " ruling_id, tz, state, opened_at, outcome, openings, waits, passed_to, territory_code)"
    " SELECT id, 'L-' || id, id, 'contact', ref, 'contact', 'data', %(binding)s, %(binding)s,"
    " 'Asia/Shanghai', 0,"
    " %(started)s, '', 1, false, %(started)s, territory_code FROM loops_subject",
    "INSERT INTO loops_duty (loop_id, owner_post_id, opened_at, due_at, warn_at, recorded_at, binding_id,"
    " territory_code, definition, kind, key, stage)"
    " SELECT l.id, p.post, %(started)s, %(midnight)s + interval '14 days', %(midnight)s + interval '14"
    " days -1 hour',"
    " %(started)s, %(binding)s, l.territory_code, 'contact', 'release', 'release#1', 'release'"
    " FROM loops_loop l JOIN place p ON p.code = l.territory_code",
    "SELECT setval('loops_subject_id_seq', %(n)s), setval('loops_loop_id_seq', %(n)s)",
)
_SCHEDULES = """
    INSERT INTO loops_schedule (loop_id, binding_id, definition, kind, run, stage, tz, from_at, last_day,
    next_day,
        next_open_at, slots, warn_lead, owner_post_id, owner_fallback, territory_code)
    SELECT l.id, %(binding)s, 'contact', %(kind)s, 1, 'observe', 'Asia/Shanghai', %(started)s, %(day)s::date
    + 13,
        %(day)s, %(midnight)s, %(slots)s, %(warn)s, p.post, false, l.territory_code
    FROM loops_loop l JOIN place p ON p.code = l.territory_code ORDER BY l.id
"""


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[max(0, round(len(seconds) * 0.95) - 1)]


def shown(figures: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    return figures
