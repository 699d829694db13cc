"""Two records of one person who is a contact under both: observed once; parted, nobody is free by mistake."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.care import actions as care
from bihuan.care.actions.joining import Joined, join_records, part_records
from bihuan.care.models import Order
from bihuan.care.queries.indicators import tracing_indicators
from bihuan.cases.models import Case
from bihuan.loops.models import Loop
from bihuan.registry import scope
from bihuan.registry.errors import Conflict, Invalid, NotAllowed, NotFound
from bihuan.registry.models import MergeRecord, Person
from bihuan.tracing.actions import ContactInput, confirm_contacts, record_located
from bihuan.tracing.actions.namings import sources_of
from bihuan.tracing.actions.proposals import name_person
from bihuan.tracing.actions.proposals_decide import confirm_proposals
from bihuan.tracing.errors import ContactClosed
from bihuan.tracing.models import CaseLink, Contact
from tests.cast import GRID, NEXT_COUNTY, Cast, Member
from tests.rooms.care_room import assert_holds, do, li, local, loop_of, make_case, make_contact, owed, zhou
from tests.rooms.investigation_room import opened

pytestmark = [pytest.mark.django_db, pytest.mark.in_office_since(local("02-01 08:00"))]
REASON = "电话核实为同一人"


def feb(day: int) -> date:
    return date(2020, 2, day)


@pytest.fixture
def cases(cast: Cast):
    return [make_case(cast.officer, f"02-1{n} 10:00", person=li(local_id=f"{n}")) for n in range(2)]


@pytest.fixture
def two(cast: Cast, cases):
    """周小明 named for one case, and again under another spelling for the other."""
    first = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    second = make_contact(
        cast.officer, "02-13 10:00", case=cases[1].public_id, exposure_last=feb(12),
        person=zhou(phone="13871234567"), criterion="dining: 家宴", setting="家宴",
    )  # fmt: skip
    return first, second


def person_of(contact: Contact) -> str:
    with scope.system():
        return Person.objects.get(contacts=contact).public_id


def again(contact: Contact) -> Contact:
    with scope.system():
        return Contact.objects.get(pk=contact.pk)


def join(who: Member, two: tuple[Contact, Contact], when: str = "02-14 09:00", **more: Any) -> Joined:
    keep, other = (person_of(one) for one in two)
    return do(who, when, join_records, keep, other, reason=REASON, **more)


def placed(who: Member, contact: Contact, when: str = "02-13 11:00", **more: Any) -> Order:
    return do(who, when, care.record_placed, care.OrderInput(contact=contact.public_id, **more))


def test_whoever_is_a_contact_under_both_records_is_observed_once_for_both_cases(cast: Cast, cases, two):
    first, second = two
    placed(cast.command, first)
    done = join(cast.officer, two)
    assert done.ended == ((second.public_id, first.public_id),)
    kept, gone = again(first), again(second)
    with scope.system():
        assert sources_of([kept])[kept.pk] == [cases[0].pk, cases[1].pk]
    assert (kept.exposure_last, kept.status) == (feb(12), "confirmed")
    assert (gone.status, gone.release_reason) == ("released", "joined")
    assert loop_of(second.public_id).closed_at is not None
    assert "extend" in owed(first.public_id)
    assert owed(second.public_id) == set()
    assert_holds()


def test_the_order_of_the_one_that_ends_ends_with_it(cast: Cast, two):
    first, second = two
    placed(cast.command, first)
    placed(cast.command, second)
    done = join(cast.officer, two)
    assert done.ended == ((first.public_id, second.public_id),)  # the later exposure, the longer order
    with scope.system():
        ended, running = Order.objects.order_by("id")
    assert (ended.end_reason, running.ended_at) == ("joined", None)
    assert_holds()


def test_orders_of_two_kinds_stay_until_somebody_decides(cast: Cast, two):
    placed(cast.command, two[0], kind="home")
    placed(cast.command, two[1], kind="facility", place="一号隔离点")
    done = join(cast.officer, two)
    assert (done.ended, set(done.apart)) == ((), {two[0].public_id, two[1].public_id})
    with scope.system():
        assert not Order.objects.filter(ended_at__isnull=False).exists()
    assert_holds()


def test_a_symptom_told_under_one_record_is_lost_by_no_joining(cast: Cast, two):
    first, second = two
    placed(cast.command, first)
    placed(cast.command, second)
    do(
        cast.community, "02-13 18:00", care.record_daily_check,
        care.CheckInput(contact=first.public_id, kind="temperature", value=38.6, symptoms=("fever",)),
    )  # fmt: skip
    assert "symptoms" in owed(first.public_id)
    done = join(cast.officer, two)
    assert "symptoms" in owed(first.public_id)
    assert (done.ended, set(done.apart)) == ((), {first.public_id, second.public_id})
    assert_holds()


def test_whoever_was_found_under_one_record_is_not_looked_for_under_the_other(cast: Cast, two):
    first, second = two
    do(cast.community, "02-13 15:00", record_located, second.public_id)
    join(cast.officer, two)
    assert again(first).located_at == again(second).located_at
    assert "locate" not in owed(first.public_id)
    assert "place" in owed(first.public_id)
    assert_holds()


def test_whoever_was_a_contact_under_two_records_counts_once_from_then_on(cast: Cast, two):
    def placed_in_a_day(when: str) -> tuple[int, int]:
        with cast.officer.acting():
            rows = {one.key: one for one in tracing_indicators(GRID, as_of=local(when)).rows}
        return rows["placed_24h"].numerator, rows["placed_24h"].denominator

    placed(cast.command, two[0])
    join(cast.officer, two, "02-14 20:00")
    assert placed_in_a_day("02-14 19:00") == (1, 2)
    assert placed_in_a_day("02-14 21:00") == (1, 1)


def test_of_the_record_that_ended_one_is_sent_to_the_other(cast: Cast, two):
    join(cast.officer, two)
    with translation.override("en"), pytest.raises(ContactClosed) as wrong:
        do(cast.community, "02-14 12:00", record_located, two[1].public_id)
    assert "other record" in wrong.value.hint


def test_a_contact_followed_in_another_county_is_joined_and_not_told_of(cast: Cast, two):
    second = two[1]
    with scope.system():
        Contact.objects.filter(pk=second.pk).update(territory_code=f"{NEXT_COUNTY}001")
    assert join(cast.officer, two).ended == ()
    assert again(second).release_reason == "joined"


def test_taken_back_each_is_obliged_by_what_she_herself_was_exposed_to(cast: Cast, cases, two):
    first, second = two
    placed(cast.command, first)
    merge = join(cast.officer, two).merge
    parted = do(cast.officer, "02-15 09:00", part_records, merge, reason="是同名的两个人")
    kept = again(first)
    with scope.system():
        anew = Contact.objects.get(public_id=parted.named[0])
        assert sources_of([kept])[kept.pk] == [cases[0].pk]
        assert sources_of([anew])[anew.pk] == [cases[1].pk]
    assert (kept.exposure_last, kept.status) == (feb(10), "confirmed")
    assert (anew.person_id, anew.exposure_last, anew.criterion) == (second.person_id, feb(12), "dining: 家宴")
    assert "locate" in owed(anew.public_id)
    assert_holds()


def test_taken_back_after_her_days_are_over_nobody_is_named_anew(cast: Cast, two):
    merge = join(cast.officer, two).merge
    parted = do(cast.officer, "03-20 09:00", part_records, merge, reason="是同名的两个人")
    assert parted.named == ()


@pytest.mark.parametrize("first_parted", [0, 1])
def test_of_three_records_joined_in_a_row_each_gets_her_own_exposures_back_in_whatever_order(
    cast: Cast, cases, first_parted: int
):
    third = make_case(cast.officer, "02-12 10:00", person=li(local_id="3"))
    three = [
        make_contact(
            cast.officer, f"02-13 1{n}:00", case=case.public_id, exposure_last=feb(10), person=zhou()
        )
        for n, case in enumerate([third, *cases])
    ]
    merges = [
        join(cast.officer, (three[1], three[2]), "02-14 09:00").merge,
        join(cast.officer, (three[0], three[1]), "02-14 10:00").merge,
    ]
    with scope.system():
        assert Contact.objects.filter(status="confirmed").count() == 1
    for n, merge in enumerate(merges if first_parted == 0 else merges[::-1]):
        do(cast.officer, f"02-14 1{n + 1}:00", part_records, merge, reason="是两个人")
        assert_holds()
    with scope.system():
        live = list(Contact.objects.filter(status="confirmed"))
        found = {contact.person_id: sources_of([contact])[contact.pk] for contact in live}
    assert found == {one.person_id: [case.pk] for one, case in zip(three, [third, *cases], strict=True)}


def test_a_confirmation_taken_back_after_joining_obliges_nobody_any_more(cast: Cast, cases):
    first = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    inquiry = opened(cast.officer, cases[1])
    named = do(
        cast.officer, "02-13 10:00", name_person, inquiry.public_id, zhou(phone="13871234567"),
        last=local("02-12 12:00"),
    )  # fmt: skip
    ids = [named.public_id]
    do(cast.officer, "02-13 11:00", confirm_proposals, ids, criterion="other", reason="同桌吃饭")
    with scope.system():
        second = Contact.objects.exclude(pk=first.pk).get()
    join(cast.officer, (first, second))
    assert again(first).exposure_last == feb(12)
    do(cast.officer, "02-14 12:00", care.take_back, named.public_id, reason="不是她")
    assert again(first).exposure_last == feb(10)
    with scope.system():
        assert sources_of([again(first)])[first.pk] == [cases[0].pk]
    assert_holds()


@pytest.fixture
def contact_and_case(cast: Cast, cases):
    """周小明, under observation for the first case; under another record a hospital found her to be one."""
    contact = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    placed(cast.command, contact)
    told = {"person": zhou(phone="13871234567"), "classification": "confirmed", "date_onset": feb(13)}
    return contact, make_case(cast.officer, "02-14 08:00", **told)


def join_case(cast: Cast, contact: Contact, case: Case) -> Joined:
    with scope.system():
        ill = Person.objects.get(cases=case).public_id
    return do(cast.officer, "02-14 09:00", join_records, ill, person_of(contact), reason=REASON)


def test_whoever_is_a_case_under_the_one_record_is_a_contact_under_the_other_no_longer(
    cast: Cast, cases, contact_and_case
):
    contact, case = contact_and_case
    done = join_case(cast, contact, case)
    assert (done.became, done.ended) == (((contact.public_id, case.public_id),), ())
    with scope.system():
        assert Order.objects.get().end_reason == "became_case"
        assert CaseLink.objects.get().to_case_id == case.pk
        assert Case.objects.filter(person__root_id=again(contact).person.root_id).count() == 1
    assert (again(contact).status, again(contact).became_case_id) == ("became_case", case.pk)
    assert owed(contact.public_id) == set()
    assert_holds()


def test_parted_from_who_is_a_case_she_is_a_contact_again_and_linked_with_nobody(
    cast: Cast, cases, contact_and_case
):
    contact, case = contact_and_case
    done = join_case(cast, contact, case)
    parted = do(cast.officer, "02-14 15:00", part_records, done.merge, reason="是同名的两个人")
    with scope.system():
        anew = Contact.objects.get(public_id=parted.named[0])
        assert sources_of([anew])[anew.pk] == [cases[0].pk]
        assert not CaseLink.objects.exists()
        assert Loop.objects.get(subject_ref=contact.public_id).handed_to_id is None
    assert (anew.person_id, anew.exposure_last) == (contact.person_id, feb(10))
    assert again(contact).became_case_id is None
    assert "locate" in owed(anew.public_id)
    assert_holds()


def test_a_case_of_another_disease_ends_no_observation(cast: Cast, contact_and_case):
    contact, case = contact_and_case
    with scope.system():
        Case.objects.filter(pk=case.pk).update(disease="measles")
    assert join_case(cast, contact, case).became == ()
    assert again(contact).status == "confirmed"


def test_a_case_that_is_only_suspected_ends_no_observation(cast: Cast, cases):
    contact = make_contact(cast.officer, "02-13 09:00", case=cases[0].public_id, exposure_last=feb(10))
    ill = zhou(phone="13871234567")
    case = make_case(cast.officer, "02-14 08:00", person=ill, classification="suspected")
    assert join_case(cast, contact, case).became == ()
    assert again(contact).status == "confirmed"
    made = do(cast.officer, "02-14 12:00", care.convert_contact_to_case, contact.public_id)
    assert (made.pk, made.classification) == (case.pk, "confirmed")
    with scope.system():
        assert Case.objects.count() == len(cases) + 1
    assert_holds()


def test_joined_and_parted_again_and_again_the_loops_hold(cast: Cast, two):
    for day in (14, 15, 16):
        merge = join(cast.officer, two, f"02-{day} 09:00").merge
        do(cast.officer, f"02-{day} 15:00", part_records, merge, reason="是同名的两个人")
        assert_holds()
    with scope.system():
        live = Contact.objects.filter(status="confirmed")
        assert sorted(live.values_list("person_id", flat=True)) == sorted(one.person_id for one in two)


def test_records_that_are_no_contacts_are_joined_and_nothing_else_happens(cast: Cast, cases):
    with scope.system():
        a, b = Person.objects.filter(cases__in=cases).values_list("public_id", flat=True)
    done = do(cast.officer, "02-14 09:00", join_records, a, b, reason=REASON)
    assert (done.ended, done.apart) == ((), ())


def test_joining_needs_a_reason_two_records_and_the_right_on_both(cast: Cast, two):
    with pytest.raises(Invalid):
        do(cast.officer, "02-14 09:00", join_records, *map(person_of, two), reason=" ")
    with pytest.raises(NotAllowed):
        join(cast.command, two)
    with pytest.raises(NotFound):
        join(cast.neighbor, two)
    join(cast.officer, two)
    with pytest.raises(Conflict):
        join(cast.officer, two)
    with scope.system():
        assert MergeRecord.objects.count() == 1


def test_named_again_under_either_record_she_is_the_same_contact(cast: Cast, cases, two):
    first, second = two
    join(cast.officer, two)
    given = ContactInput(person_of(second), GRID, case=cases[1].public_id, exposure_last=feb(13))
    result = do(cast.officer, "02-14 12:00", confirm_contacts, [given])
    assert (result.joined, result.contacts[0][1]) == (1, first.public_id)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["join", "part", "place", "exclude"]), max_size=7))
def test_whatever_is_joined_parted_placed_or_excluded_nothing_is_lost(cast: Cast, steps):
    with scope.transaction.atomic():
        _walk(cast, steps)
        scope.transaction.set_rollback(True)


def _walk(cast: Cast, steps: list[str]) -> None:
    cases = [make_case(cast.officer, "02-11 10:00", person=li(local_id=n)) for n in "ab"]
    two = tuple(
        make_contact(cast.officer, "02-13 09:00", case=case.public_id, exposure_last=feb(10), person=zhou())
        for case in cases
    )
    merges: list[int] = []
    excluded: list[str] = []
    for n, step in enumerate(steps):
        when = f"02-14 {9 + n:02}:00"
        if step == "join" and not merges:
            merges.append(join(cast.officer, two, when).merge)
        elif step == "part" and merges:
            do(cast.officer, when, part_records, merges.pop(), reason="两个人")
        elif step == "exclude" and len(excluded) < 2:
            excluded.append(cases[len(excluded)].public_id)
            do(cast.officer, when, care.exclude_case, excluded[-1], reason="阴性")
        elif step == "place":
            with scope.system():
                free = Contact.objects.filter(status="confirmed", orders__isnull=True)
                contact = free.filter(person__in=[c.person_id for c in two]).first()
            if contact is not None:
                placed(cast.command, contact, when)
        assert_holds()
        _assert_obliged_by_what_stands(two, cases, excluded, joined=bool(merges))


def _assert_obliged_by_what_stands(two, cases, excluded, *, joined: bool) -> None:
    """Who was exposed to a case that still is one is under observation, or to be; nobody else is."""
    with scope.system():
        live = Contact.objects.filter(person__in=[c.person_id for c in two], status="confirmed")
        whose = {one.person_id for one in live}
    owing = [c.person_id for c, case in zip(two, cases, strict=True) if case.public_id not in excluded]
    assert (bool(whose) == bool(owing)) if joined else whose == set(owing)
