"""People behind the second fence: what the door's own role can do in the database, managers or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from bihuan.registry import audit, clock, duplicates, queries, scope, shredder
from bihuan.registry.actions import people as verbs
from bihuan.registry.actor import Actor
from bihuan.registry.models import AccessLog, Household, Person, Territory
from bihuan.registry.people import PersonInput
from bihuan.registry.scope import Granted, Scope

ACTOR = Actor.system("test", door="web")
HERE, THERE = "420302001", "420303001"
TODAY = date(2020, 2, 5)


@pytest.fixture(autouse=True)
def _world(db):
    for code in (HERE, THERE):
        told = {"name": code, "level": 4, "parent_code": code[:6]}
        Territory.objects.get_or_create(code=code, defaults=told)
    with clock.frozen(datetime(2020, 2, 5, 4, tzinfo=UTC)):
        yield


@contextmanager
def door(lo: str = "420302") -> Iterator[None]:
    """A request of the county officer: her scope, and the restricted role."""
    rights = ("person.view", "case.write", "person.merge")
    cells = frozenset(Granted(r, c, "below") for r in rights for c in ("operational", "identity", "location"))
    with scope.acting_as(Scope(lo=lo, role="cdc_officer", grants=cells)), _as_door():
        yield


@contextmanager
def _as_door() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE bihuan_door")
    yield
    if not connection.needs_rollback:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")


def report(code: str = HERE, **told) -> PersonInput:
    return PersonInput(**{"territory_code": code, "name": "周小明", **told})


def test_the_door_registers_corrects_joins_and_finds_in_its_own_county():
    with door():
        a, b = verbs.register_people(
            [report(phone="13800001111"), report(date_birth=date(1980, 3, 7))], ACTOR
        )
        verbs.update_person(a.pk, {"occupation": "teacher"}, ACTOR, reason="told")
        verbs.register_household(address="汉江路12号", territory_code=HERE, actor=ACTOR)
        assert [m.person_id for m in duplicates.find_duplicates(report(phone="13800001111"))] == [a.pk]
        verbs.merge_people(keep=a.pk, merge=b.pk, reason="same", actor=ACTOR)
        assert audit.log_read([a, b], ["name"], "work") == 2
        assert {row.pk for row in queries.search_people("zhou", on=TODAY)} == {a.pk, b.pk}
        assert len(queries.revisions(a.pk)) == 4


def test_a_pair_across_two_counties_is_decided_from_above():
    with scope.system():
        here, there = verbs.register_people([report(), report(THERE)], ACTOR)
    with door("4203"):
        record = verbs.merge_people(keep=here.pk, merge=there.pk, reason="moved", actor=ACTOR)
        verbs.unmerge(record.pk, reason="no", actor=ACTOR)
        verbs.decide_not_same(here.pk, there.pk, reason="two people", actor=ACTOR)


@pytest.mark.parametrize("model", [Person, Person.pgh_event_model, AccessLog, Household])
def test_with_the_managers_off_the_door_still_sees_its_own_county_only(model):
    with scope.system():
        people = verbs.register_people([report(), report(THERE)], ACTOR)
        audit.log_read(people, ["name"], "work")
        for code in (HERE, THERE):
            verbs.register_household(address="a", territory_code=code, actor=ACTOR)
    with door():
        assert set(model._base_manager.values_list("territory_code", flat=True)) == {HERE}
    with transaction.atomic(), _as_door():
        assert not model._base_manager.exists()


def test_the_door_cannot_write_into_the_next_county_nor_move_somebody_there():
    with door():
        person = verbs.register_person(report(), ACTOR)
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Person._base_manager.filter(id=person.pk).update(territory_code=THERE)
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Person(territory_code=THERE, created_at=clock.now()).save()


def test_the_door_can_neither_rewrite_history_nor_shred():
    with door():
        person = verbs.register_person(report(), ACTOR)
        audit.log_read([person], ["name"], "work")
        for table in ("registry_personevent", "registry_accesslog", "registry_chainblock"):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                connection.cursor().execute(f"DELETE FROM {table}")
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            shredder.shred_person(person.pk, reason="x", actor=ACTOR)
