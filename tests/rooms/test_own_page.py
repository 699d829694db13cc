"""Somebody's own page: who gives a code, who opens it, and how far it reaches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.care import actions as care
from bihuan.care.actions import own_page as own
from bihuan.care.errors import AppealWaiting, HasCode, HasDied, NoProof, OwnPageClosed
from bihuan.care.models import Appeal, Order, OwnAccess
from bihuan.care.queries import person_page
from bihuan.care.queries.own_page import (
    LookedAfter,
    code_of,
    last_code_of,
    last_sheets,
    looked_after,
    without_code,
)
from bihuan.care.rules.own_page import (
    CODE_LENGTH,
    TRIES,
    VALID_DAYS,
    grouped,
    is_hers,
    plain_answer,
    plain_code,
)
from bihuan.cases.actions import CaseInput, record_outcome, report_case
from bihuan.cases.models import Case
from bihuan.registry import access, clock, scope, shredder
from bihuan.registry.actions.people import merge_people, register_person, update_person
from bihuan.registry.errors import NotAllowed, NotFound
from bihuan.registry.ids import ALPHABET
from bihuan.registry.models import Person
from bihuan.registry.people import PersonInput
from bihuan.tracing.models import Contact
from tests.cast import GRID, NEXT_COUNTY, Cast, Member
from tests.rooms.care_room import do, local, make_case, make_contact, zhou

PHONE = "13871234567"
DAY = "02-14 12:00"
pytestmark = pytest.mark.in_office_since(local("02-01 08:00"))


@pytest.fixture
def hers(cast: Cast) -> Person:
    """周小明, a contact under an order, whose telephone is held."""
    contact = make_contact(cast.officer, "02-13 10:00", person=zhou(phone=PHONE))
    do(cast.command, "02-13 11:00", care.record_placed, care.OrderInput(contact=contact.public_id))
    with scope.system():
        return Person.objects.get(pk=contact.person_id)


def given_by(who: Member, person: Person, when: str = DAY) -> own.Given:
    return do(who, when, own.give_code, person.public_id)


def opens(code: str, answer: str = "4567", when: str = "02-14 13:00") -> bool:
    return own.open_own_page(code, answer, now=local(when)) is not None


def only() -> OwnAccess:
    with scope.system():
        return OwnAccess.objects.order_by("-id").first()


def test_a_code_and_the_end_of_one_of_her_numbers_open_her_page(cast: Cast, hers: Person) -> None:
    made = given_by(cast.officer, hers)
    assert made.until - local(DAY) == timedelta(days=VALID_DAYS)
    assert opens(made.code)
    assert opens(f" {grouped(made.code).lower()} ", "4567 ")
    assert (only().opened, only().opened_at) == (2, local("02-14 13:00"))
    with own.on_own_page(only().public_id, now=local("02-14 13:01")) as person:
        page = person_page(person.public_id)
        assert page.order is not None
        assert person.pk == hers.pk
        assert not access.may(None, "person.view"), "who looks at her own page holds no right"


def test_of_the_code_nothing_is_kept_that_opens(cast: Cast, hers: Person) -> None:
    made = given_by(cast.officer, hers)
    kept = {str(value) for value in OwnAccess.unscoped.values().get().values()}
    assert not any(made.code in text for text in kept)
    assert made.code not in repr(made)


def test_a_wrong_answer_opens_nothing_and_too_many_end_the_code(cast: Cast, hers: Person) -> None:
    made = given_by(cast.officer, hers)
    for _n in range(TRIES - 1):
        assert not opens(made.code, "0000")
    assert opens(made.code), "the right answer begins the count anew"
    for _n in range(TRIES):
        assert not opens(made.code, "0000")
    assert not opens(made.code)
    assert only().end_reason == "guessed"
    assert opens(given_by(cast.officer, hers).code)


def test_nobody_opens_with_no_code_or_one_of_another_installation(cast: Cast, hers: Person) -> None:
    given_by(cast.officer, hers)
    for code in ("", "X", "0" * CODE_LENGTH, "周" * CODE_LENGTH, "7" * 300):
        assert not opens(code)
    assert only().wrong == 0


def test_a_newer_code_one_taken_back_and_one_whose_days_are_over_open_nothing(
    cast: Cast, hers: Person
) -> None:
    first = given_by(cast.officer, hers)
    assert opens(first.code)
    access_id = only().public_id
    second = given_by(cast.officer, hers)
    assert (opens(first.code), opens(second.code)) == (False, True)
    with pytest.raises(OwnPageClosed), own.on_own_page(access_id, now=local(DAY)):
        pass
    assert not opens(second.code, when="03-15 12:01")
    assert opens(second.code, when="03-15 11:59")
    assert do(cast.officer, DAY, own.take_code_back, hers.public_id) == 1
    assert do(cast.officer, DAY, own.take_code_back, hers.public_id) == 0
    assert not opens(second.code)


def test_only_a_post_that_sees_all_of_it_gives_a_code(cast: Cast, hers: Person) -> None:
    for who in (cast.neighbor, cast.laboratory, cast.transfer, cast.administrator):
        with pytest.raises((NotAllowed, NotFound)):
            given_by(who, hers)
    with pytest.raises((NotAllowed, NotFound)):
        do(cast.neighbor, DAY, own.take_code_back, hers.public_id)
    looking = replace(cast.officer.scope, glass="B-0000000000")
    with scope.acting_as(looking), pytest.raises(NotAllowed), clock.frozen(local(DAY)):
        own.give_code(hers.public_id, actor=cast.officer.actor)
    assert not OwnAccess.unscoped.exists()


def test_somebody_of_whom_no_number_is_held_gets_no_code(cast: Cast) -> None:
    contact = make_contact(cast.officer, "02-13 10:00")
    with pytest.raises(NoProof):
        given_by(cast.officer, contact.person)


def test_a_serial_of_a_list_is_no_number_of_hers(cast: Cast) -> None:
    contact = make_contact(cast.officer, "02-13 10:00", person=zhou(id_number="2020-0012", id_kind="local"))
    with pytest.raises(NoProof):
        given_by(cast.officer, contact.person)


def test_who_moved_away_gets_a_code_there_and_the_one_before_opens_nothing(cast: Cast, hers: Person) -> None:
    first = given_by(cast.officer, hers)
    moved = {"territory_code": f"{NEXT_COUNTY}001001"}
    with scope.system(), clock.frozen(local(DAY)):
        update_person(hers.pk, moved, cast.city.actor, reason="搬家")
    with pytest.raises(OwnPageClosed), own.on_own_page(only().public_id, now=local(DAY)):
        pass
    second = given_by(cast.neighbor, hers)
    assert (opens(first.code), opens(second.code)) == (False, True)


def test_records_joined_in_two_counties_have_one_code(cast: Cast, hers: Person) -> None:
    lives = replace(zhou(phone=PHONE), territory_code=f"{NEXT_COUNTY}001001")
    there = do(cast.neighbor, "02-13 10:30", register_person, lives)
    first = given_by(cast.officer, hers)
    with scope.system(), clock.frozen(local(DAY)):
        merge_people(keep=hers.pk, merge=there.pk, reason="同一人", actor=cast.city.actor)
    second = given_by(cast.neighbor, there)
    assert (opens(first.code), opens(second.code)) == (False, True)


def test_the_page_reaches_no_further_than_the_post_that_gave_the_code(cast: Cast, hers: Person) -> None:
    elsewhere = make_contact(cast.officer, "02-13 10:30", person=zhou(phone="13800000000"))
    with scope.system():
        Contact.objects.filter(pk=elsewhere.pk).update(person=hers, territory_code="420602001001")
    given_by(cast.officer, hers)
    with own.on_own_page(only().public_id, now=local(DAY)) as person:
        assert elsewhere.public_id not in [c.public_id for c in person_page(person.public_id).contacts]


def test_she_appeals_against_her_own_order_and_against_no_other(cast: Cast, hers: Person) -> None:
    given_by(cast.officer, hers)
    mine = only().public_id
    other = make_contact(cast.officer, "02-13 10:00", person=zhou(phone="13900001111"))
    do(cast.command, "02-13 11:00", care.record_placed, care.OrderInput(contact=other.public_id))
    with scope.system():
        orders = {order.person_id: order.public_id for order in Order.objects.all()}
    with pytest.raises(OwnPageClosed):
        own.appeal_own(mine, orders[other.person_id], text="不是我", now=local(DAY))
    made = own.appeal_own(mine, orders[hers.pk], text="我没有坐那趟车", now=local(DAY))
    assert (made.filed_by, made.text) == ("周小明", "我没有坐那趟车")
    assert made.due_at > local(DAY)
    with pytest.raises(AppealWaiting):
        own.appeal_own(mine, orders[hers.pk], text="又一次", now=local(DAY))
    with scope.system():
        assert Appeal.objects.count() == 1


def test_the_page_of_somebody_whose_data_were_destroyed_is_closed_and_its_code_ended(
    cast: Cast,
) -> None:
    hers = do(cast.officer, "02-13 10:30", register_person, zhou(phone=PHONE))
    made = given_by(cast.officer, hers)
    shredder.shred_person(hers.pk, reason="保存期满", actor=cast.administrator.actor)
    assert only().ended_at is not None
    assert set(shredder.remains(hers.pk).values()) == {0}
    assert not opens(made.code)
    with pytest.raises(OwnPageClosed), own.on_own_page(only().public_id, now=local(DAY)):
        pass
    with scope.system():
        OwnAccess.objects.update(ended_at=None)
    with pytest.raises(OwnPageClosed), own.on_own_page(only().public_id, now=local(DAY)):
        pass


def test_a_sheet_gives_a_code_to_everybody_who_can_be_given_one_and_says_of_the_others_why(
    cast: Cast, hers: Person
) -> None:
    numberless = make_contact(cast.officer, "02-13 10:00", person=replace(zhou(), name="王五"))
    with scope.system():
        other = Person.objects.get(pk=numberless.person_id)
    with cast.officer.acting():
        before, first = looked_after("", now=local(DAY)), without_code("", most=10, now=local(DAY))
    assert (before.with_code, before.unprovable, first) == (0, 1, (hers.public_id,))
    wanted = [hers.public_id, other.public_id, "P-0000000000", hers.public_id]
    made, refused = do(cast.officer, DAY, own.give_codes, wanted)
    assert [one.access.person_id for one in made] == [hers.pk]
    assert [one.person_id for one in refused] == [other.public_id, "P-0000000000"]
    assert isinstance(refused[0].why, NoProof)
    assert opens(made[0].code)
    with cast.officer.acting():
        after, first = looked_after("", now=local(DAY)), without_code("", most=10, now=local(DAY))
    assert (after.with_code, after.without_code, first) == (1, 0, ())


def test_a_second_sheet_leaves_the_codes_of_the_first_unless_asked(cast: Cast, hers: Person) -> None:
    first, _none = do(cast.officer, DAY, own.give_codes, [hers.public_id])
    again, refused = do(cast.officer, DAY, own.give_codes, [hers.public_id])
    assert (again, [type(one.why) for one in refused]) == ([], [HasCode])
    assert opens(first[0].code)
    newer, _none = do(cast.officer, DAY, own.give_codes, [hers.public_id], renew=True)
    assert opens(newer[0].code)
    assert not opens(first[0].code)


def test_who_is_looked_after_in_the_next_county_is_counted_there_alone(cast: Cast, hers: Person) -> None:
    with cast.neighbor.acting():
        assert without_code("", most=10, now=local(DAY)) == ()
        assert looked_after("", now=local(DAY)) == LookedAfter(0, 0, 0, 0)
    with cast.officer.acting():
        assert without_code(NEXT_COUNTY, most=10, now=local(DAY)) == ()


def joined_there(cast: Cast, hers: Person, **more: object) -> Person:
    """A record of the next county that is joined with hers."""
    lives = replace(zhou(**more), territory_code=f"{NEXT_COUNTY}001001")
    there = do(cast.neighbor, "02-13 10:30", register_person, lives)
    with scope.system(), clock.frozen(local(DAY)):
        merge_people(keep=hers.pk, merge=there.pk, reason="同一人", actor=cast.city.actor)
    return there


def test_somebody_named_by_two_of_her_records_gets_one_code_that_opens(cast: Cast, hers: Person) -> None:
    there = joined_there(cast, hers, phone=PHONE)
    both = [hers.public_id, there.public_id]
    for renew in (False, True):
        made, refused = do(cast.city, DAY, own.give_codes, both, renew=renew)
        assert [one.person_id for one in made] == both[:1]
        assert [type(one.why) for one in refused] == [HasCode]
        assert opens(made[0].code)
        do(cast.city, DAY, own.take_code_back, there.public_id)


def test_who_may_give_none_is_not_told_whether_there_is_one(cast: Cast, hers: Person) -> None:
    given_by(cast.officer, hers)
    for who in (cast.neighbor, cast.inspector, cast.laboratory):
        _none, (refused,) = do(who, DAY, own.give_codes, [hers.public_id])
        assert isinstance(refused.why, NotAllowed | NotFound)


def test_who_got_a_code_or_died_in_another_county_holds_up_no_sheet(cast: Cast, hers: Person) -> None:
    there = joined_there(cast, hers)
    assert given_by(cast.neighbor, there).access.territory_code.startswith(NEXT_COUNTY)
    with cast.officer.acting():
        assert without_code("", most=10, now=local(DAY)) == ()
        assert looked_after("", now=local(DAY)) == LookedAfter(1, 0, 0, 0)
    do(cast.neighbor, DAY, own.take_code_back, there.public_id)
    with cast.officer.acting():
        assert without_code("", most=10, now=local(DAY)) == (hers.public_id,)
    with scope.system():
        code = f"{NEXT_COUNTY}001001"
        told = CaseInput(territory_code=code, person=replace(zhou(), territory_code=code))
        case = do(cast.neighbor, DAY, report_case, told)
        Case.objects.filter(pk=case.pk).update(person_id=there.pk, outcome="died")
    with cast.officer.acting():
        assert without_code("", most=10, now=local(DAY)) == ()
        assert looked_after("", now=local(DAY)) == LookedAfter(0, 0, 0, 0)


def test_a_number_held_in_another_county_opens_and_is_enough(cast: Cast) -> None:
    contact = make_contact(cast.officer, "02-13 10:00")
    with scope.system():
        hers = Person.objects.get(pk=contact.person_id)
    joined_there(cast, hers, phone=PHONE)
    with cast.officer.acting():
        assert without_code("", most=10, now=local(DAY)) == (hers.public_id,)
    assert opens(given_by(cast.officer, hers).code)


def test_who_is_looked_after_here_and_registered_elsewhere_is_counted_and_given_no_code(
    cast: Cast, hers: Person
) -> None:
    moved = {"territory_code": f"{NEXT_COUNTY}001001"}
    with scope.system(), clock.frozen(local(DAY)):
        update_person(hers.pk, moved, cast.city.actor, reason="搬家")
    with cast.officer.acting():
        assert looked_after("", now=local(DAY)) == LookedAfter(0, 0, 0, elsewhere=1)
    assert do(cast.officer, DAY, own.give_sheet, "", most=10) == ([], [])


def test_posts_see_whether_a_code_opens_and_if_not_since_when_and_why(cast: Cast, hers: Person) -> None:
    def told(who: Member, when: str) -> tuple[bool, str, int, str]:
        with who.acting():
            found = last_code_of(hers, now=local(when))
            assert found is not None
            assert (code_of(hers, now=local(when)) is None) == bool(found.end)
            return (found.until_at > local(when), found.end, found.wrong, found.given_by)

    with cast.officer.acting():
        assert last_code_of(hers, now=local(DAY)) is None
    code = given_by(cast.officer, hers).code
    by = cast.officer.actor.name
    assert told(cast.officer, "02-14 12:01") == (True, "", 0, by)
    assert not opens(code, "0000")
    assert told(cast.officer, "02-14 13:01") == (True, "", 1, by)
    assert told(cast.neighbor, "02-14 13:01") == (True, "", 1, "其他辖区的单位")
    assert told(cast.officer, "03-20 12:00") == (False, "已过有效期", 1, by)
    for _n in range(TRIES):
        opens(code, "0000")
    assert told(cast.officer, "02-14 13:02")[:3] == (False, "多次答错", TRIES)
    given_by(cast.officer, hers, "02-14 14:00")
    do(cast.officer, "02-14 15:00", own.take_code_back, hers.public_id)
    assert told(cast.officer, "02-14 15:01")[:2] == (False, "已收回")


def test_of_a_sheet_that_was_lost_new_codes_go_to_who_has_not_opened_her_page(
    cast: Cast, hers: Person
) -> None:
    for n in (1, 2):
        make_contact(cast.officer, "02-13 10:00", person=zhou(phone=f"139000{n}{n}{n}{n}{n}"))
    first = {one.person_id: one for one in do(cast.officer, DAY, own.give_sheet, "", most=10)[0]}
    assert len(first) == 3
    assert opens(first.pop(hers.public_id).code)
    given_by(cast.officer, hers, "02-14 12:10")
    with cast.colleague.acting():
        (sheet,) = last_sheets(now=local(DAY))
    assert (sheet.given_at, set(sheet.unopened)) == (local(DAY), set(first))
    with cast.command.acting():
        assert last_sheets(now=local(DAY)) == [], "another post's"
    assert do(cast.command, "02-14 12:20", own.give_sheet_again, sheet.given_at) == ([], [])
    anew, refused = do(cast.colleague, "02-14 12:20", own.give_sheet_again, sheet.given_at)
    assert ({one.person_id for one in anew}, refused) == (set(first), [])
    with scope.system():
        ends = {one.person_id: own._numbers(one.access.person)[0][-4:] for one in anew}
    assert all(opens(one.code, ends[one.person_id]) for one in anew)
    assert not any(opens(one.code, ends[one.person_id]) for one in first.values())
    assert do(cast.officer, "02-14 13:30", own.give_sheet_again, local("02-14 12:20")) == ([], [])


def test_a_sheet_reaches_no_further_than_its_territory_and_the_scope(cast: Cast, hers: Person) -> None:
    for who, code in ((cast.officer, NEXT_COUNTY), (cast.neighbor, "420303"), (cast.neighbor, "")):
        assert do(who, DAY, own.give_sheet, code, most=10) == ([], [])
    assert len(do(cast.community, DAY, own.give_sheet, GRID, most=10)[0]) == 1


def test_a_sheet_needs_the_whole_of_it(cast: Cast, hers: Person) -> None:
    for who in (cast.grid, cast.doctor, cast.laboratory, cast.inspector, cast.administrator):
        with pytest.raises(NotAllowed):
            do(who, DAY, own.give_sheet, "", most=10)
    looking = replace(cast.officer.scope, glass="B-0000000000")
    with scope.acting_as(looking), clock.frozen(local(DAY)), pytest.raises(NotAllowed):
        own.give_sheet("", most=10, actor=cast.officer.actor)
    assert not OwnAccess.unscoped.exists()


def test_records_joined_are_counted_as_one_who_is_looked_after(cast: Cast, hers: Person) -> None:
    case = make_case(cast.doctor, "02-13 10:00", person=zhou(phone=PHONE))
    with scope.system():
        second = Person.objects.get(pk=case.person_id)
    assert second.pk != hers.pk
    with scope.system(), clock.frozen(local(DAY)):
        merge_people(keep=hers.pk, merge=second.pk, reason="同一人", actor=cast.city.actor)
    with cast.officer.acting():
        found, first = looked_after("", now=local(DAY)), without_code("", most=10, now=local(DAY))
    assert (found.without_code, len(first)) == (1, 1)


def test_when_she_has_died_her_code_opens_nothing_and_no_other_is_given(cast: Cast) -> None:
    case = make_case(cast.doctor, "02-13 10:00", person=zhou(phone=PHONE))
    with scope.system():
        person = Person.objects.get(pk=case.person_id)
    made = given_by(cast.officer, person)
    do(cast.doctor, "02-14 12:30", record_outcome, case.public_id, outcome="died")
    assert not opens(made.code)
    with pytest.raises(OwnPageClosed), own.on_own_page(only().public_id, now=local("02-14 13:00")):
        pass
    with pytest.raises(HasDied):
        given_by(cast.officer, person)


def test_the_code_of_a_contact_who_died_under_an_order_opens_nothing(cast: Cast, hers: Person) -> None:
    made = given_by(cast.officer, hers)
    assert opens(made.code)
    with scope.system():
        Order.objects.update(ended_at=local(DAY), end_reason="died")
    assert not opens(made.code)


def test_who_was_said_to_have_died_by_mistake_is_given_a_code_under_a_new_order(
    cast: Cast, hers: Person
) -> None:
    given_by(cast.officer, hers)
    with scope.system():
        contact = Contact.objects.get(person_id=hers.pk).public_id
    do(cast.command, "02-14 12:10", care.release_contact, contact, reason="died")
    with pytest.raises(HasDied):
        given_by(cast.officer, hers, "02-14 12:20")
    again = make_contact(cast.officer, "02-14 13:00", person=zhou(phone=PHONE))
    with scope.system():
        Person.objects.filter(pk=again.person_id).update(root_id=hers.root_id, merged_into=hers)
    do(cast.command, "02-14 13:10", care.record_placed, care.OrderInput(contact=again.public_id))
    assert opens(given_by(cast.officer, hers, "02-14 13:20").code, when="02-14 13:30")
    with cast.officer.acting():
        assert looked_after("", now=local("02-14 13:30")).with_code == 1


def test_her_codes_are_among_what_is_held(cast: Cast, hers: Person) -> None:
    made = given_by(cast.officer, hers)
    assert opens(made.code)
    assert not opens(made.code, "0000")
    with cast.officer.acting():
        (fact,) = next(one for one in shredder.held_about(hers.pk) if "本人页面" in one.kind).facts
    assert (fact["opened"], fact["wrong"], fact["end"]) == (1, 1, "")
    assert made.code not in str(fact)


def test_a_doctor_of_a_case_gives_a_code_too(cast: Cast) -> None:
    case = make_case(
        cast.doctor,
        "02-13 10:00",
        person=PersonInput(territory_code=GRID, name="李芳", id_number="420303198103040022"),
    )
    with scope.system():
        person = Person.objects.get(pk=case.person_id)
    assert opens(given_by(cast.officer, person).code, "0022")


@given(
    st.text(alphabet=ALPHABET, min_size=CODE_LENGTH, max_size=CODE_LENGTH),
    st.sampled_from(["-", " ", "", "."]),
)
def test_a_code_is_read_as_it_was_printed_however_it_is_typed(code: str, between: str) -> None:
    typed = grouped(code).replace("-", between).lower()
    assert plain_code(typed) == code
    assert plain_code(typed.replace("0", "o").replace("1", "l")) == code


@given(st.text(alphabet=ALPHABET, min_size=CODE_LENGTH, max_size=CODE_LENGTH))
def test_a_code_typed_in_wide_characters_is_the_same_code(code: str) -> None:
    assert plain_code(wide(grouped(code))) == code


@given(st.text(max_size=6), st.lists(st.text("0123456789X", max_size=18), max_size=3))
def test_an_answer_is_hers_only_if_a_number_longer_than_it_ends_so(answer: str, numbers: list[str]) -> None:
    told = plain_answer(answer)
    assert len(told) in (0, 4)
    assert is_hers(answer, numbers) == any(len(n) > 4 and n[-4:] == told for n in numbers)


@given(st.text("0123456789X", min_size=5, max_size=18))
def test_the_end_of_a_number_is_hers_however_it_is_typed(number: str) -> None:
    end = number[-4:]
    for typed in (end, end.lower(), wide(end), f" {end[:2]} {end[2:]}"):
        assert is_hers(typed, [number])


def test_signs_within_a_document_number_are_not_asked_for() -> None:
    assert is_hers("6789", ["R123456(789)"])
    assert not is_hers("789", ["R123456(789)"])


def wide(text: str) -> str:
    """As a Chinese keyboard types it: ＡＢＣ１２３."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
