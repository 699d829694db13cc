"""Two fences: what the scoped manager shows, and what PostgreSQL shows when the manager is forgotten."""

from __future__ import annotations

import json

import pytest
from django.db import ProgrammingError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from bihuan.registry import rls, scope
from bihuan.registry.models import Household, Post
from bihuan.registry.scope import Scope
from tests.cast import CITY, COMMUNITY, COUNTY, GRID, NEXT_COUNTY, OTHER_CITY, Cast

pytestmark = pytest.mark.django_db

PLACES = {
    "in the grid": GRID,
    "in the community": COMMUNITY,
    "next grid": COMMUNITY + "-02",
    "in the county": COUNTY,
    "next county": NEXT_COUNTY + "001001",
    "in the city": CITY,
    "other city": OTHER_CITY + "02001001",
    "other province": "410102001001",
}


@pytest.fixture
def households(cast: Cast) -> Cast:
    with scope.system():
        for name, code in PLACES.items():
            Household.objects.create(address=name, territory_code=code)
    return cast


SEES = {
    "officer": {"in the grid", "in the community", "next grid", "in the county"},
    "colleague": {"in the grid", "in the community", "next grid", "in the county"},
    "neighbor": {"next county"},
    "city": {"in the grid", "in the community", "next grid", "in the county", "next county", "in the city"},
    "other_city": {"other city"},
    "province": set(PLACES) - {"other province"},
    "community": {"in the grid", "in the community", "next grid"},
    "grid": {"in the grid"},
}


@pytest.mark.parametrize("name", SEES)
def test_a_post_reads_what_lies_at_or_below_its_territory_and_nothing_else(
    households: Cast, name: str
) -> None:
    with getattr(households, name).acting():
        assert set(Household.objects.values_list("address", flat=True)) == SEES[name]


@pytest.mark.parametrize("name", SEES)
def test_the_database_alone_shows_the_same_when_the_manager_is_forgotten(households: Cast, name: str) -> None:
    with getattr(households, name).acting():
        assert set(_raw_as_door()) == SEES[name]
        with _as_door():
            assert set(Household.unscoped.values_list("address", flat=True)) == SEES[name]


def test_nobody_reads_nothing(households: Cast) -> None:
    assert scope.current() is None
    assert Household.objects.count() == 0
    assert _raw_as_door() == []


def test_after_somebody_has_acted_nobody_reads_nothing_again(households: Cast) -> None:
    with households.officer.acting():
        assert Household.objects.count() == 4
    assert Household.objects.count() == 0
    assert _raw_as_door() == []


def test_the_system_reads_everything_also_as_the_role_of_the_doors(households: Cast) -> None:
    with scope.system():
        assert Household.objects.count() == len(PLACES)
        assert len(_raw_as_door()) == len(PLACES)


def test_a_scope_within_a_scope_ends_with_itself(households: Cast) -> None:
    with households.city.acting():
        with households.officer.acting():
            assert len(_raw_as_door()) == 4
        assert len(_raw_as_door()) == 6
        with scope.system():
            assert len(_raw_as_door()) == len(PLACES)
        assert len(_raw_as_door()) == 6


def test_a_scope_that_fails_inside_leaves_the_outer_one(households: Cast) -> None:
    with households.city.acting():
        with pytest.raises(RuntimeError, match="inside"), households.officer.acting():
            raise RuntimeError("inside")
        assert scope.current() == households.city.scope
        assert len(_raw_as_door()) == 6


def test_a_row_of_another_county_cannot_be_written_changed_or_deleted_by_the_doors(households: Cast) -> None:
    with households.officer.acting(), _as_door():
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Household.objects.create(address="smuggled", territory_code=NEXT_COUNTY)
        assert Household.unscoped.filter(address="next county").update(address="changed") == 0
        assert Household.unscoped.filter(address="next county").delete()[0] == 0


def test_a_row_is_found_by_its_index_under_row_level_security(households: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO registry_household (public_id, address, territory_code, unit_code)
            SELECT 'H-' || n, 'many', (420000 + n % 400)::text || lpad((n % 100000)::text, 6, '0'), ''
            FROM generate_series(1, 20000) n
            """
        )
        cursor.execute("ANALYZE registry_household")
    with households.officer.acting(), _as_door(), connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) SELECT * FROM registry_household")
        plan = json.dumps(cursor.fetchone()[0])
    assert "Index Cond" in plan
    assert "Seq Scan" not in plan


def test_what_is_only_added_to_cannot_be_changed_by_the_doors(cast: Cast) -> None:
    assert _rights("registry_accesslog") == {"SELECT", "INSERT"}
    assert _rights("registry_postevent") == {"SELECT", "INSERT"}
    assert _rights("registry_household") == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert _rights("django_migrations") == {"SELECT"}


def test_the_role_of_the_doors_passes_no_fence_and_cannot_log_in() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolbypassrls, rolcanlogin, rolcreaterole FROM pg_roles WHERE rolname = %s",
            [rls.DOOR_ROLE],
        )
        assert cursor.fetchone() == (False, False, False, False)


def test_every_table_with_a_territory_of_people_has_the_second_fence() -> None:
    """A new scoped model whose migration forgets enable_rls fails here."""
    from django.apps import apps

    from bihuan.registry.models import ScopedModel

    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_policies WHERE policyname = 'scope'")
        fenced = {row[0] for row in cursor.fetchall()}
    scoped = [m for m in apps.get_models() if issubclass(m, ScopedModel)]
    histories = [
        m for m in apps.get_models() if issubclass(getattr(m, "pgh_tracked_model", None) or int, ScopedModel)
    ]
    wanted = {m._meta.db_table for m in [*scoped, *histories] if m._meta.managed}
    assert wanted
    assert wanted - fenced == set()


def test_the_posts_of_all_territories_can_be_named_by_everybody(cast: Cast) -> None:
    with cast.grid.acting(), _as_door():
        assert Post.objects.filter(territory_code=OTHER_CITY).exists()


codes = st.from_regex(r"[1-9][0-9]{1,11}(-[0-9A-Z]{2}(-[UB][0-9]{2})?)?", fullmatch=True)


@given(lo=codes, code=codes)
def test_to_lie_in_scope_is_to_begin_with_its_code(lo: str, code: str) -> None:
    assert Scope(lo=lo).covers(code) == code.startswith(lo)


@given(code=codes)
def test_everywhere_covers_every_code_and_every_scope_covers_itself(code: str) -> None:
    assert Scope(lo="").covers(code)
    assert Scope(lo=code).covers(code)


def _raw_as_door() -> list[str]:
    with _as_door(), connection.cursor() as cursor:
        cursor.execute("SELECT address FROM registry_household")
        return [row[0] for row in cursor.fetchall()]


class _as_door:
    """Work as the role of the doors for a while, within the running transaction."""

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {rls.DOOR_ROLE}")

    def __exit__(self, *_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE NONE")


def _rights(table: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT privilege_type FROM information_schema.role_table_grants
            WHERE grantee = %s AND table_name = %s
            """,
            [rls.DOOR_ROLE, table],
        )
        return {row[0] for row in cursor.fetchall()}
