"""People as read: searched, masked by role, with their history."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from bihuan.registry import clock, masking, queries, scope
from bihuan.registry.actions import people as verbs
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotAllowed, NotFound
from bihuan.registry.models import Person, Territory
from bihuan.registry.people import PersonInput
from bihuan.registry.scope import Granted, Scope
from tests.rules.test_identity import number

ACTOR = Actor.system("test")
STREET = "420302001"
TODAY = date(2020, 2, 5)


@pytest.fixture
def person(db):
    told = {"name": "街道", "level": 4, "parent_code": "420302"}
    Territory.objects.get_or_create(code=STREET, defaults=told)
    with scope.system(), clock.frozen(datetime(2020, 2, 5, 4, tzinfo=UTC)):
        yield verbs.register_person(
            PersonInput(
                territory_code=STREET,
                name="覃小明",
                id_number=number(),
                phone="13800001111",
                address="汉江路12号",
                occupation="teacher",
            ),
            ACTOR,
        )


def reader(*classes: str, lo: str = "420302", relation: str = "below", post_id: int | None = None) -> Scope:
    cells = frozenset(Granted("person.view", name, relation) for name in classes)
    return Scope(lo=lo, post_id=post_id, role="reader", grants=cells)


def test_the_county_officer_sees_identity_but_the_number_only_on_asking(person):
    officer = reader("operational", "identity", "location")
    view = masking.shown(person, officer, on=TODAY)
    assert (view.name, view.phone, view.address) == ("覃小明", "+8613800001111", "汉江路12号")
    assert (view.id_number, view.is_masked) == ("4203************" + number()[-2:], False)
    assert "id_number" not in view.fields
    asked = masking.shown(person, officer, on=TODAY, with_number=True)
    assert asked.id_number == number()
    assert set(asked.fields) == {"name", "date_birth", "phone", "id_number", "address", "occupation"}


@pytest.mark.parametrize(
    ("scope_of", "name"),
    [
        (reader("operational"), "覃*明"),
        (reader("operational", "identity", lo="420303"), "覃*明"),
        (reader("identity", relation="assigned", post_id=7), "覃*明"),
        (reader(), "覃*明"),
    ],
)
def test_without_the_right_everything_is_masked_and_nothing_is_to_be_logged(person, scope_of, name):
    view = masking.shown(person, scope_of, on=TODAY, with_number=True)
    assert (view.name, view.phone, view.address, view.fields) == (name, "138****1111", "汉江路**", ())
    assert (view.date_birth, view.occupation, view.age_years, view.is_masked) == (None, "", 40, True)
    assert number() not in repr(view)


def test_a_grid_worker_sees_whom_she_has_a_duty_for(person):
    worker = reader("identity", "location", relation="assigned", post_id=7)
    assert masking.shown(person, worker, on=TODAY, post_id=7).name == "覃小明"
    assert masking.shown(person, worker, on=TODAY, post_id=8).name == "覃*明"


@pytest.mark.parametrize(
    "typed", ["覃小", "覃小明", "qinx", "tanxiaoming", "xiaoming", "qxm", "138 0000 1111", "{number}", "{id}"]
)
def test_she_is_found_by_name_reading_initials_and_numbers(person, typed):
    text = typed.format(number=number(), id=person.public_id.lower())
    assert queries.search_people(text, on=TODAY) == [person]


@pytest.mark.parametrize("typed", ["", "q", "wang", "1380000111", "13800001112", "%", "__", "P-0000000000"])
def test_she_is_not_found_by_anything_else(person, typed):
    assert queries.search_people(typed, on=TODAY) == []


def test_numbers_are_searched_only_for_who_may_see_them(person):
    with scope.acting_as(reader("operational")):
        assert queries.search_people("13800001111", on=TODAY) == []
        assert queries.search_people("qxm", on=TODAY) == [person]
    with scope.acting_as(Scope(lo="420302")), pytest.raises(NotAllowed):
        queries.search_people("qxm", on=TODAY)


def test_the_next_county_finds_nobody(person):
    with scope.acting_as(reader("operational", "identity", lo="420303")):
        assert queries.search_people("覃小明", on=TODAY) == []
        with pytest.raises(NotFound):
            queries.person_by_public_id(person.public_id)


def test_history_tells_what_changed_but_no_number(person):
    verbs.update_person(person.pk, {"name": "谭小明", "phone": "13900001111"}, ACTOR, reason="misheard")
    first, second = queries.revisions(person.pk)
    assert (first.label, first.changes, second.reason, second.who) == ("insert", (), "misheard", "test")
    told = {change.field: (change.old, change.new) for change in second.changes}
    assert told == {"name": ("覃小明", "谭小明"), "phone": (None, None)}


def test_joined_records_come_together_the_survivor_first(person):
    other = verbs.register_person(PersonInput(territory_code=STREET, name="覃晓明"), ACTOR)
    verbs.merge_people(keep=other.pk, merge=person.pk, reason="same", actor=ACTOR)
    assert [row.pk for row in queries.records_of(person.pk)] == [other.pk, person.pk]
    assert [m.merged_id for m in queries.merges_of(other.pk)] == [person.pk]


def test_suspected_pairs_wait_for_a_decision(person):
    verbs.register_or_find([PersonInput(territory_code=STREET, name="覃晓明", phone="13800001111")], ACTOR)
    pair = queries.suspected_pairs(territory_code="4203")[0]
    assert pair.low_id == person.pk
    verbs.decide_not_same(pair.low_id, pair.high_id, reason="brothers", actor=ACTOR)
    assert queries.suspected_pairs() == []
    assert len(queries.suspected_pairs(verdict="different")) == 1


def test_an_age_as_reported_is_brought_forward():
    told = Person(age_years=39, age_reported_on=date(2019, 1, 1))
    assert masking.age_on(told, date(2020, 2, 1)) == 40
    assert masking.age_on(Person(date_birth=date(1980, 2, 6)), TODAY) == 39
    assert masking.age_on(Person(), TODAY) is None
