"""The second fence by itself: what the restricted role sees in every table, asked in plain SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import Error, connection, transaction

from bihuan.cases.actions import CaseInput, report_case
from bihuan.registry import audit, clock, rls, scope
from bihuan.registry.models import Person
from tests.cast import COUNTY, NEXT_COUNTY, Cast
from tests.doors.authorization_room import LATER, NOON, Facts, cast_and_facts
from tests.rooms.care_room import li, local

pytestmark = pytest.mark.django_db

#: Tables with a territory that tell of offices, not of people: everybody may name them (decision 0003).
DIRECTORY = frozenset({"registry_organization", "registry_post", "registry_postevent"})

_TABLES = """
    SELECT c.relname,
        bool_or(a.attname = 'territory_code') AS has_territory,
        bool_or(a.attname ~ '^(person|low|high|kept|merged|root|subject|case|contact|household)(_id|_ref)?$')
            AS names_people,
        c.relrowsecurity,
        EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND %(role)s::regrole = ANY (p.polroles)
            AND p.polcmd = '*') AS has_policy
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    GROUP BY c.oid, c.relname, c.relrowsecurity ORDER BY c.relname
"""


def tables() -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, {"role": rls.DOOR_ROLE})
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def fenced() -> list[str]:
    return [t["relname"] for t in tables() if t["has_territory"] and t["relname"] not in DIRECTORY]


@contextmanager
def as_door() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {rls.DOOR_ROLE}")
    try:
        yield
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL ROLE NONE")


def seen(table: str) -> set[str]:
    """The territories of all rows that a bare SELECT gives."""
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT DISTINCT territory_code FROM "{table}"')
        return {row[0] for row in cursor.fetchall()}


@pytest.fixture
def both_counties(db: None) -> tuple[Cast, Facts]:
    """Facts in two counties of one city, each by its own officer, and somebody who looked at them."""
    cast, facts = cast_and_facts()
    with cast.neighbor.acting(), clock.frozen(local(NOON)):
        given = CaseInput(person=replace(li(), territory_code=NEXT_COUNTY), territory_code=NEXT_COUNTY)
        case = report_case(given, actor=cast.neighbor.actor)
        audit.log_read([case.person_id], ["name"], "test")
    with cast.officer.acting(), clock.frozen(local(LATER)):
        audit.log_read(list(Person.objects.all()), ["name"], "test")
    return cast, facts


# --- no table is forgotten ----------------------------------------------------------------------------


def test_every_table_with_a_territory_is_fenced_by_row_level_security():
    """A new table with a territory_code whose migration forgets enable_rls fails here."""
    open_tables = [
        t["relname"]
        for t in tables()
        if t["has_territory"]
        and t["relname"] not in DIRECTORY
        and not (t["relrowsecurity"] and t["has_policy"])
    ]
    assert open_tables == [], "call enable_rls in the migration that creates the table"


def test_every_table_that_names_people_has_a_territory_to_fence_it_by():
    """A reference to a person, case, contact or subject without a territory_code fails here, unless the
    door's role may do nothing with the table at all."""
    unfenced = [t["relname"] for t in tables() if t["names_people"] and not t["has_territory"]]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) name"
            " WHERE has_table_privilege(%s, name, 'SELECT, INSERT, UPDATE, DELETE')",
            [unfenced, rls.DOOR_ROLE],
        )
        reached = [row[0] for row in cursor.fetchall()]
    assert reached == [], "give the table a territory_code, and enable_rls"


def test_a_new_table_without_the_fence_would_be_noticed():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE forgotten (id int, territory_code text, person_id bigint)")
    [found] = [t for t in tables() if t["relname"] == "forgotten"]
    assert found["has_territory"]
    assert found["names_people"]
    assert not found["relrowsecurity"]
    assert "forgotten" in fenced()


def test_partitions_are_reached_through_their_parent_only():
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname FROM pg_class c
            WHERE c.relispartition AND c.relnamespace = 'public'::regnamespace
              AND has_table_privilege(%s, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
            """,
            [rls.DOOR_ROLE],
        )
        assert cursor.fetchall() == []


def test_the_restricted_role_owns_nothing_and_passes_no_fence():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", [rls.DOOR_ROLE])
        assert cursor.fetchone()[0] == 0
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s", [rls.DOOR_ROLE])
        assert cursor.fetchone()[0] is False


# --- what is seen -------------------------------------------------------------------------------------


def test_without_a_scope_every_fenced_table_is_empty(both_counties):
    filled = {table for table in fenced() if seen(table)}
    assert {
        "cases_case",
        "tracing_contact",
        "care_order",
        "loops_duty",
        "registry_person",
        "registry_accesslog",
    } <= filled
    with as_door():
        assert {table: found for table in fenced() if (found := seen(table))} == {}


@pytest.mark.parametrize("name", ["officer", "neighbor", "city", "other_city", "community"])
def test_with_a_scope_every_fenced_table_shows_its_own_rows_and_all_of_them(both_counties, name):
    cast, _facts = both_counties
    who = getattr(cast, name)
    wanted = {table: {code for code in seen(table) if who.scope.covers(code)} for table in fenced()}
    with who.acting(), as_door():
        assert {table: seen(table) for table in fenced()} == wanted
    if name in ("officer", "city"):
        assert wanted["cases_case"]


def test_after_a_scope_nothing_is_left_open(both_counties):
    cast, _facts = both_counties
    with cast.officer.acting(), as_door():
        assert seen("registry_person")
    with as_door():
        assert seen("registry_person") == set()


def test_rows_of_another_county_are_neither_changed_nor_deleted_nor_planted(both_counties):
    cast, _facts = both_counties
    lo, hi = COUNTY, COUNTY + scope.LAST
    for table in fenced():
        for words in (f'UPDATE "{table}" SET territory_code = territory_code', f'DELETE FROM "{table}"'):
            with cast.neighbor.acting(), as_door():
                assert _rows(f"{words} WHERE territory_code >= %s AND territory_code < %s", [lo, hi]) in (
                    0,
                    None,
                ), table
        with cast.neighbor.acting(), as_door():
            moved = _rows(f'UPDATE "{table}" SET territory_code = %s', [COUNTY + "001"])
            assert moved in (0, None), table


def _rows(sql: str, params: list[Any]) -> int | None:
    """How many rows a statement touched; None when the database refused it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, params)
            return int(cursor.rowcount)
    except Error:
        return None
