"""Naming somebody who is an open contact already: by hand, for several cases, in any order."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.care import actions as care
from bihuan.loops.models import Loop
from bihuan.registry import scope
from bihuan.registry.models import Person
from bihuan.tracing.actions import ContactInput, confirm_contacts
from bihuan.tracing.actions.namings import namings_of, sources_of
from bihuan.tracing.models import Contact, Exposure
from tests.cast import GRID, Cast
from tests.rooms.care_room import assert_holds, do, li, make_case, make_contact, owed, zhou

pytestmark = pytest.mark.django_db


class UndoError(Exception):
    """Takes an example back."""


def person_of(contact: Contact) -> str:
    with scope.system():
        return Person.objects.get(contacts=contact).public_id


def named(who, when: str, *given: ContactInput):
    return do(who, when, confirm_contacts, list(given))


def feb(day: int) -> date:
    return date(2020, 2, day)


@pytest.fixture
def cases(cast: Cast):
    return [make_case(cast.officer, f"02-1{n} 10:00", person=li(local_id=f"{n}")) for n in range(3)]


def test_naming_an_open_contact_for_another_case_keeps_one_record_and_one_loop(cast: Cast, cases):
    first = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    do(cast.command, "02-13 10:00", care.record_placed, care.OrderInput(contact=first.public_id))
    again = ContactInput(
        person_of(first), GRID, case=cases[1].public_id, exposure_last=feb(12), criterion="dining: 家宴",
        setting="家宴",
    )  # fmt: skip
    result = named(cast.officer, "02-14 09:00", again)
    assert (result.joined, result.known, result.contacts[0][1]) == (1, 0, first.public_id)
    with scope.system():
        contact = Contact.objects.get()
        further = Exposure.objects.get()
        assert Loop.objects.filter(definition="contact").count() == 1
        assert sources_of([contact])[contact.pk] == [cases[0].pk, cases[1].pk]
    assert (contact.exposure_last, contact.own_last) == (feb(12), feb(10))
    assert (further.case_id, further.criterion, further.setting) == (cases[1].pk, "dining: 家宴", "家宴")
    assert "extend" in owed(first.public_id)
    assert_holds()


def test_another_case_without_a_date_still_obliges(cast: Cast, cases):
    first = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    named(cast.officer, "02-14 09:00", ContactInput(person_of(first), GRID, case=cases[1].public_id))
    assert do(cast.officer, "02-15 09:00", care.exclude_case, cases[0].public_id, reason="阴性") == []
    assert_holds()


def test_the_same_naming_again_by_its_key_is_known_also_where_it_joined(cast: Cast, cases):
    first = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    again = ContactInput(
        person_of(first), GRID, case=cases[1].public_id, exposure_last=feb(12), source_key="list|7"
    )
    assert named(cast.officer, "02-14 09:00", again).joined == 1
    do(cast.command, "02-14 10:00", care.release_contact, first.public_id, reason="general_contact", text="x")
    result = named(cast.officer, "02-14 11:00", again)
    assert (result.known, result.contacts[0][1]) == (1, first.public_id)
    with scope.system():
        assert (Contact.objects.count(), Exposure.objects.count()) == (1, 1)


def test_the_same_person_twice_in_one_call_is_one_contact_and_whoever_was_released_is_a_new_one(
    cast: Cast, cases
):
    first = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    do(cast.command, "02-13 10:00", care.release_contact, first.public_id, reason="general_contact", text="x")
    who = person_of(first)
    result = named(
        cast.officer, "02-14 09:00",
        ContactInput(who, GRID, case=cases[1].public_id, exposure_last=feb(12)),
        ContactInput(who, GRID, case=cases[2].public_id, exposure_last=feb(11)),
        ContactInput(zhou(), GRID, case=cases[2].public_id, exposure_last=feb(11)),
    )  # fmt: skip
    ids = [public_id for _pk, public_id in result.contacts]
    assert ids[0] == ids[1] != first.public_id
    assert len(set(ids)) == 2
    assert_holds()


def test_a_contact_of_another_county_is_neither_seen_nor_touched(cast: Cast, cases):
    first = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    with scope.system():
        Contact.objects.filter(pk=first.pk).update(territory_code="420304001")
    result = named(
        cast.officer, "02-14 09:00",
        ContactInput(person_of(first), GRID, case=cases[1].public_id, exposure_last=feb(12)),
    )  # fmt: skip
    assert result.joined == 0
    with scope.system():
        assert not Exposure.objects.exists()


def test_naming_many_who_are_contacts_already_takes_no_more_statements(cast: Cast, cases):
    people = [zhou(local_id=f"{n}") for n in range(30)]
    made = named(
        cast.officer, "02-13 09:00",
        *(ContactInput(p, GRID, case=cases[0].public_id, exposure_last=feb(10)) for p in people),
    ).contacts  # fmt: skip
    with scope.system():
        contacts = Contact.objects.select_related("person").in_bulk([pk for pk, _public in made])
    who = [contacts[pk].person.public_id for pk, _public in made]

    def count(few: list[str], case: int) -> int:
        given = [ContactInput(p, GRID, case=cases[case].public_id, exposure_last=feb(12)) for p in few]
        with CaptureQueriesContext(connection) as seen:
            named(cast.officer, "02-14 09:00", *given)
        return len(seen)

    count(who[:1], 1)  # what is read once a process
    assert count(who[1:3], 1) == count(who[3:], 1)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2), st.none() | st.integers(1, 12)), min_size=1, max_size=6))
def test_however_somebody_is_named_there_is_one_contact_whose_last_exposure_is_the_latest(
    cast: Cast, cases, told
):
    try:
        with transaction.atomic():
            first = make_contact(cast.officer, "02-13 09:00", case=cases[told[0][0]].public_id,
                                 exposure_last=feb(told[0][1]) if told[0][1] else None)  # fmt: skip
            who = person_of(first)
            for case, day in told[1:]:
                last = feb(day) if day else None
                named(
                    cast.officer, "02-14 09:00",
                    ContactInput(who, GRID, case=cases[case].public_id, exposure_last=last),
                )  # fmt: skip
            with scope.system():
                contact = Contact.objects.get(person__public_id=who)
                assert Loop.objects.filter(subject_ref=contact.public_id).count() == 1
                assert contact.exposure_last == max((feb(d) for _c, d in told if d), default=None)
                namings = namings_of([contact])[contact.pk]
                assert {n.case for n in namings} == {cases[c].pk for c, _day in told}
                assert namings[0].last == (feb(told[0][1]) if told[0][1] else None)
            raise UndoError
    except UndoError:
        pass
