"""A source of a contact falls away: what is left decides, observation ends earlier, the loop follows."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.care import actions as care
from bihuan.care.models import Order
from bihuan.care.queries import person_page
from bihuan.care.verbs import perform
from bihuan.loops.models import Loop
from bihuan.registry import scope
from bihuan.registry.errors import Invalid, NotAllowed, NotFound
from bihuan.tracing.actions import ContactInput, confirm_contacts
from bihuan.tracing.models import Contact, NamingEnd
from tests.cast import GRID, Cast
from tests.rooms.care_room import assert_holds, do, due, duties, make_contact, owed, sweep
from tests.rooms.test_namings import UndoError, cases, feb, named, person_of

pytestmark = pytest.mark.django_db
__all__ = ["cases"]


def kept(contact: Contact) -> Contact:
    with scope.system():
        return Contact.objects.get(pk=contact.pk)


def order_of(contact: Contact) -> Order:
    with scope.system():
        return Order.objects.filter(contact=contact).latest("id")


@pytest.fixture
def twice(cast: Cast, cases):
    """A contact of two cases: exposed on 10 February to the first, on the 12th to the second; placed, and her
    order lengthened by decision until the 26th."""
    contact = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    do(cast.command, "02-13 10:00", care.record_placed, care.OrderInput(contact=contact.public_id))
    again = ContactInput(
        person_of(contact), GRID, case=cases[1].public_id, exposure_last=feb(12), source_key="list|1"
    )
    named(cast.officer, "02-14 09:00", again)
    do(cast.command, "02-14 10:00", care.extend_observation, contact.public_id, evidence="再次暴露")
    assert order_of(contact).last_day == feb(26)
    return contact


def days_of(contact: Contact) -> set[str]:
    return {due(d)[:5] for d in duties(contact.public_id, state=0).values() if d.kind == "temperature"}


def test_the_observation_ends_when_what_is_left_ends_and_the_loop_is_planned_anew(cast, cases, twice):
    assert do(cast.officer, "02-15 09:00", care.exclude_case, cases[1].public_id, reason="阴性") == []
    contact, order = kept(twice), order_of(twice)
    assert (contact.exposure_last, order.last_day, order.day_zero) == (feb(10), feb(24), feb(10))
    assert order.ended_at is None
    assert all(day <= feb(24) for day in order.tests_on)
    release = [d for d in duties(twice.public_id, state=0).values() if d.kind == "release"]
    assert [due(d)[:5] for d in release] == ["02-25"]
    assert_holds()
    sweep("02-25 00:30")
    assert order_of(twice).ended_at is not None
    assert not {day for day in days_of(twice) if day > "02-24"}
    assert_holds()


def test_it_stands_on_the_timeline_with_its_reason_and_until_when(cast, cases, twice):
    do(cast.officer, "02-15 09:00", care.exclude_case, cases[1].public_id, reason="阴性")
    with cast.officer.acting():
        page = person_page(person_of(twice))
    told = [e for e in page.entries if e.what == "contact.exposure_ended"]
    assert [(e.data["why"], e.data["last_day"]) for e in told] == [("source_excluded", "2020-02-24")]
    assert [e.at.date().day for e in page.entries if e.what == "contact.exposed"] == [9]  # 10 February, local


def test_the_one_that_fell_may_be_the_one_first_named(cast, cases, twice):
    do(cast.officer, "02-15 09:00", care.exclude_case, cases[0].public_id, reason="阴性")
    assert (kept(twice).exposure_last, order_of(twice).last_day) == (feb(12), feb(26))
    assert do(cast.officer, "02-15 10:00", care.exclude_case, cases[1].public_id, reason="阴性") == [
        twice.public_id
    ]
    assert kept(twice).release_reason == "source_excluded"
    assert order_of(twice).end_reason == "source_excluded"
    assert_holds()


def test_where_what_is_left_is_over_by_then_the_person_is_released_at_once(cast, cases, twice):
    sweep("02-25 08:00")
    assert do(cast.officer, "02-25 09:00", care.exclude_case, cases[1].public_id, reason="阴性") == [
        twice.public_id
    ]
    contact = kept(twice)
    assert (contact.status, contact.release_reason) == ("released", "completed")
    assert not owed(twice.public_id)
    assert_holds()


def test_a_decision_nobody_took_yet_is_no_longer_owed(cast, cases):
    contact = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    do(cast.command, "02-13 10:00", care.record_placed, care.OrderInput(contact=contact.public_id))
    again = ContactInput(person_of(contact), GRID, case=cases[1].public_id, exposure_last=feb(12))
    named(cast.officer, "02-14 09:00", again)
    assert "extend" in owed(contact.public_id)
    do(cast.officer, "02-14 12:00", care.exclude_case, cases[1].public_id, reason="阴性")
    assert "extend" not in owed(contact.public_id)
    assert order_of(contact).last_day == feb(24)
    assert_holds()
    again = ContactInput(person_of(contact), GRID, case=cases[2].public_id, exposure_last=feb(12))
    named(cast.officer, "02-14 15:00", again)
    assert "extend" in owed(contact.public_id)
    assert_holds()


def test_a_case_discarded_by_another_door_is_followed_by_the_sweep_once(cast, cases, twice):
    from bihuan.cases.actions import revise_case

    do(
        cast.officer, "02-15 09:00", revise_case, cases[1].public_id, {"classification": "discarded"},
        reason="阴性",
    )  # fmt: skip
    sweep("02-15 09:05")
    sweep("02-15 09:10")
    assert order_of(twice).last_day == feb(24)
    with scope.system():
        assert NamingEnd.objects.count() == 1
    assert_holds()


def test_an_exposure_is_withdrawn_by_hand_with_a_reason(cast, cases, twice):
    with pytest.raises(Invalid):
        do(cast.officer, "02-15 09:00", care.withdraw_exposure, twice.public_id, reason=" ")
    with pytest.raises(Invalid):  # two sources: which?
        do(cast.officer, "02-15 09:00", care.withdraw_exposure, twice.public_id, reason="登记错误")
    with pytest.raises(Invalid):
        do(
            cast.officer, "02-15 09:00", care.withdraw_exposure, twice.public_id, reason="登记错误",
            case=cases[2].public_id,
        )  # fmt: skip
    data = {"case": cases[1].public_id, "reason": "登记错误"}
    result = do(cast.officer, "02-15 09:00", perform, "contact.withdraw", "contact", twice.public_id, data)
    assert result.data == {"released": False, "last_day": "2020-02-24"}
    data = {"case": "", "reason": "登记错误"}
    result = do(cast.officer, "02-15 10:00", perform, "contact.withdraw", "contact", twice.public_id, data)
    assert result.data["released"]
    assert kept(twice).release_reason == "named_in_error"
    assert_holds()


def test_an_exposure_told_on_the_page_of_the_contact_and_withdrawn_leaves_the_first_one(cast, cases):
    contact = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    do(cast.command, "02-13 10:00", care.record_placed, care.OrderInput(contact=contact.public_id))
    again = {"last": "2020-02-12", "case": cases[1].public_id, "evidence": "再次暴露"}
    told = do(cast.command, "02-14 09:00", perform, "contact.expose", "contact", contact.public_id, again)
    assert told.data["last_day"] == "2020-02-26"
    data = {"case": cases[1].public_id, "reason": "登记错误"}
    result = do(cast.officer, "02-15 09:00", perform, "contact.withdraw", "contact", contact.public_id, data)
    assert result.data == {"released": False, "last_day": "2020-02-24"}
    assert kept(contact).exposure_last == feb(10)
    assert_holds()


def test_only_who_may_write_contacts_there_withdraws(cast, cases, twice):
    for who in (cast.neighbor, cast.other_city, cast.grid):
        with pytest.raises((NotFound, NotAllowed)):
            do(who, "02-15 09:00", care.withdraw_exposure, twice.public_id, reason="x")


WHEN = st.integers(1, 12)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(WHEN, WHEN, WHEN),
    st.permutations([0, 1, 2]),
    st.permutations([0, 1, 2]),
    st.booleans(),
)
def test_however_cases_come_and_fall_the_longest_that_stands_decides(cast, cases, at, come, fall, placed):
    """Three cases in any order, then excluded in any order: the latest of those that stand decides, and with
    the last of them the person is free."""
    try:
        with transaction.atomic():
            contact = make_contact(
                cast.officer, "02-13 09:00", case=cases[come[0]].public_id, exposure_last=feb(at[come[0]])
            )
            for n in come[1:]:
                more = ContactInput(
                    person_of(contact), GRID, case=cases[n].public_id, exposure_last=feb(at[n])
                )
                do(cast.officer, "02-13 09:30", confirm_contacts, [more])
            if placed:
                do(cast.command, "02-13 10:00", care.record_placed, care.OrderInput(contact.public_id))
            left = {0, 1, 2}
            for n in fall:
                left.remove(n)
                free = do(cast.officer, "02-13 11:00", care.exclude_case, cases[n].public_id, reason="阴性")
                assert free == ([] if left else [contact.public_id])
                if left:
                    last = max(feb(at[m]) for m in left)
                    assert kept(contact).exposure_last == last
                    if placed:
                        assert order_of(contact).last_day == date.fromordinal(last.toordinal() + 14)
            with scope.system():
                assert Loop.objects.filter(subject_ref=contact.public_id).count() == 1
            assert_holds()
            raise UndoError
    except UndoError:
        pass
