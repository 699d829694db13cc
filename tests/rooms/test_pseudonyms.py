"""Keyed numbers: people get theirs, a door learns of its own people only, and of others the county."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from bihuan.registry import clock, scope
from bihuan.registry.actions import people as verbs
from bihuan.registry.actor import Actor
from bihuan.registry.models import Person, Territory
from bihuan.registry.people import PersonInput
from bihuan.registry.scope import Granted, Scope
from bihuan.tracing import visits
from bihuan.tracing.actions import pseudonyms
from bihuan.tracing.models import Pseudonym

ACTOR = Actor.system("test", door="web")
HERE, THERE = "420302001", "420303001"
PHONE, OTHER_PHONE = "13800001111", "13900002222"


@pytest.fixture(autouse=True)
def _world(db, settings, tmp_path):
    settings.BIHUAN_HOME = tmp_path
    for code in (HERE, THERE):
        told = {"name": code, "level": 4, "parent_code": code[:6]}
        Territory.objects.get_or_create(code=code, defaults=told)
    with clock.frozen(datetime(2020, 2, 5, 4, tzinfo=UTC)):
        yield


@contextmanager
def door(lo: str = "420302"):
    cells = frozenset({Granted("person.view", "identity", "below")})
    with scope.acting_as(Scope(lo=lo, role="cdc_officer", grants=cells)), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE bihuan_door")
        yield
        if not connection.needs_rollback:
            cursor.execute("RESET ROLE")


def registered(code: str = HERE, **told: str) -> Person:
    with scope.system():
        given = {"name": "周小明", "phone": PHONE, **told}
        return verbs.register_people([PersonInput(territory_code=code, **given)], ACTOR)[0]


def number(identity: str) -> int:
    return visits.number_of(identity, with_key=visits.key())


def test_everybody_with_a_number_gets_a_keyed_one_once():
    person = registered(id_number="420303198103040022")
    registered(name="李芳", phone="")
    assert pseudonyms.catch_up() == 5
    assert pseudonyms.catch_up() == 0
    with scope.system():
        assert set(pseudonyms.keys_of([person.pk])[person.pk]) == {
            number(form)
            for form in ("420303198103040022", PHONE, "86" + PHONE, "+86" + PHONE, "0086" + PHONE)
        }


def test_a_fixed_line_is_known_as_gates_write_it():
    assert pseudonyms.written("+867198881234") == (
        "+867198881234",
        "867198881234",
        "00867198881234",
        "07198881234",
    )
    assert pseudonyms.written("+821012345678") == ("+821012345678", "821012345678", "00821012345678")


def test_a_corrected_number_is_added_and_the_old_one_kept():
    person = registered()
    pseudonyms.catch_up()
    with scope.system():
        verbs.update_person(person.pk, {"phone": OTHER_PHONE}, ACTOR, reason="misheard")
    assert pseudonyms.catch_up(everybody=True) == 4
    with scope.system():
        assert pseudonyms.persons_of([number(PHONE), number(OTHER_PHONE)]) == {
            number(PHONE): person.pk,
            number(OTHER_PHONE): person.pk,
        }


def test_a_door_finds_its_own_people_and_of_others_learns_the_county():
    mine, theirs = registered(), registered(THERE, name="吴小红", phone=OTHER_PHONE)
    pseudonyms.catch_up()
    asked = [number(PHONE), number(OTHER_PHONE), 12345]
    with door():
        assert pseudonyms.persons_of(asked) == {number(PHONE): mine.pk}
        keys = pseudonyms.keys_of([mine.pk, theirs.pk])
        assert set(keys) == {mine.pk}
        assert number(PHONE) in keys[mine.pk]
        assert pseudonyms.counties_of(asked) == {number(PHONE): "420302", number(OTHER_PHONE): "420303"}


def test_a_door_that_names_wider_bounds_than_its_own_learns_no_more():
    registered(THERE)
    pseudonyms.catch_up()
    with door(), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM tracing_persons_of(%s, '', '~')", [[number(PHONE)]])
        assert cursor.fetchall() == []


def test_a_door_cannot_read_the_numbers_themselves():
    registered()
    pseudonyms.catch_up()
    with door(), pytest.raises(DatabaseError), transaction.atomic():
        Pseudonym.objects.count()


def test_nobody_acting_learns_nothing():
    registered()
    pseudonyms.catch_up()
    assert pseudonyms.persons_of([number(PHONE)]) == {}


def test_a_joined_person_answers_for_both_records():
    kept, merged = registered(), registered(name="周晓明", phone=OTHER_PHONE)
    pseudonyms.catch_up()
    with scope.system():
        verbs.merge_people(keep=kept.pk, merge=merged.pk, reason="same person", actor=ACTOR)
        assert pseudonyms.persons_of([number(OTHER_PHONE)]) == {number(OTHER_PHONE): kept.pk}
        assert {number(PHONE), number(OTHER_PHONE)} <= set(pseudonyms.keys_of([merged.pk])[kept.pk])
