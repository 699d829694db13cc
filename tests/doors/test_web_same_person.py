"""One person or two: records beside each other on a page, joined, parted, and told apart."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.urls import reverse

from bihuan.care.actions.joining import Joined, Parted
from bihuan.doors.web.two_records import lines, may_decide, side_of
from bihuan.doors.web.views import same_person as pages
from bihuan.registry import audit, clock, scope
from bihuan.registry.actions.people import (
    decide_not_same,
    merge_people,
    note_suspects,
    register_people,
    unmerge,
)
from bihuan.registry.duplicates import find_duplicates_of_many
from bihuan.registry.errors import Conflict
from bihuan.registry.models import DuplicateDecision, MergeRecord, Person
from bihuan.registry.people import PersonInput
from bihuan.tracing.models import Contact
from tests.cast import GRID, Cast, Member
from tests.doors.web_room import browser, logged_in
from tests.rooms.care_room import local, make_case, make_contact, zhou
from tests.rules.test_identity import number

NOW = local("02-14 12:00")
REASON = "电话核实"
pytestmark = pytest.mark.in_office_since(local("02-01 08:00"))


@pytest.fixture(autouse=True)
def _noon() -> Any:
    with clock.frozen(NOW):
        yield


@pytest.fixture
def two(cast: Cast) -> list[Person]:
    """周小明, as two lists told of him: a contact of 李芳, and 周晓明 with the same phone and address."""
    case = make_case(cast.officer, "02-12 10:00")
    contact = make_contact(
        cast.officer, "02-13 10:00", person=zhou(phone="13871234567", id_number=number()),
        case=case.public_id, criterion="dining: 与李芳同桌", exposure_last=local("02-10 12:00").date(),
        setting="李芳家宴",
    )  # fmt: skip
    with cast.officer.acting():
        other = register(
            cast.officer, name="周晓明", sex="M", date_birth=date(1980, 1, 1), phone="13871234567",
            address="汉江路21号", source="返乡名单", local_id="77",
        )  # fmt: skip
    return [stored(contact.person_id), other]


def register(who: Member, **told: Any) -> Person:
    with who.acting():
        return register_people([PersonInput(territory_code=GRID, **told)], who.actor)[0]


def stored(pk: int) -> Person:
    with scope.system():
        return Person.objects.get(pk=pk)


def suspected(*people: Person) -> None:
    with scope.system():
        note_suspects(find_duplicates_of_many([one.pk for one in people]))


def between(two: list[Person]) -> str:
    return reverse("web:same_decide", args=[two[0].public_id, two[1].public_id])


def about(person: Person) -> str:
    return reverse("web:same_person", args=[person.public_id])


def page(who: Member, address: str) -> str:
    answer = browser(who).get(address)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def decided(who: Member, two: list[Person], **typed: str) -> Any:
    sent = {"do": "decide", "answer": "one", "keep": two[0].public_id, "reason": REASON, **typed}
    return browser(who).post(between(two), sent, follow=True)


def verdict(two: list[Person]) -> str:
    with scope.system():
        return DuplicateDecision.objects.get(low=two[0], high=two[1]).verdict


def contacts_of(person: Person) -> list[str]:
    with scope.system():
        return list(
            Contact.objects.filter(person=person.pk).order_by("id").values_list("public_id", flat=True)
        )


def joined(cast: Cast, two: list[Person]) -> MergeRecord:
    with cast.officer.acting():
        return merge_people(keep=two[0].pk, merge=two[1].pk, reason=REASON, actor=cast.officer.actor)


@pytest.fixture
def joining(monkeypatch: pytest.MonkeyPatch, cast: Cast) -> list[tuple[Any, ...]]:
    """What the pages asked to be joined and parted; done in the registry alone."""
    asked: list[tuple[Any, ...]] = []

    def join(keep: str, other: str, *, reason: str, actor: Any) -> Joined:
        asked.append((keep, other, reason))
        a, b = (Person.objects.get(public_id=one).pk for one in (keep, other))
        record = merge_people(keep=a, merge=b, reason=reason, actor=actor)
        return Joined(record.pk, (("K-ENDED00000", "K-GOESON0000"),), ("K-APART00000",))

    def part(merge: int, *, reason: str, actor: Any) -> Parted:
        asked.append((merge, reason))
        unmerge(merge, reason=reason, actor=actor)
        return Parted(("K-ANEW000000",))

    monkeypatch.setattr(pages, "join_records", join)
    monkeypatch.setattr(pages, "part_records", part)
    return asked


def test_the_list_of_people_leads_to_the_pairs_that_wait_with_their_points_and_why(
    cast: Cast, two: list[Person]
) -> None:
    suspected(*two)
    assert reverse("web:same_pairs") in page(cast.officer, reverse("web:people"))
    shown = page(cast.officer, reverse("web:same_pairs"))
    assert between(two) in shown
    assert "周*明" in shown
    assert "周小明" not in shown
    assert "电话相同 +35" in shown
    assert "姓名同音 +38" in shown
    assert "共显示 1 条" in shown
    assert between(two) not in page(cast.neighbor, reverse("web:same_pairs"))


def test_where_no_pair_waits_the_page_says_so(cast: Cast, two: list[Person]) -> None:
    assert "没有待判定的记录" in page(cast.officer, reverse("web:same_pairs"))


def test_a_pair_that_became_one_person_by_way_of_a_third_waits_no_more(cast: Cast, two: list[Person]) -> None:
    third = register(cast.officer, name="周小明", address="汉江路12号")
    suspected(*two)
    with cast.officer.acting():
        for one in two:
            merge_people(keep=third.pk, merge=one.pk, reason=REASON, actor=cast.officer.actor)
    assert between(two) not in page(cast.officer, reverse("web:same_pairs"))
    assert "经由其他记录合并" in page(cast.officer, between(two))


def test_the_most_pairs_shown_are_said_with_that_more_follow(
    cast: Cast, two: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    third = register(cast.officer, name="周小明", phone="13871234567", address="汉江路12号")
    suspected(*two, third)
    monkeypatch.setattr(pages, "PAIRS_SHOWN", 2)
    shown = page(cast.officer, reverse("web:same_pairs"))
    assert shown.count("<tr data-row>") == 2
    assert "已显示 2 条，还有更多" in shown


def test_both_records_stand_beside_each_other_and_what_differs_is_said_in_words(
    cast: Cast, two: list[Person]
) -> None:
    shown = page(cast.officer, between(two))
    rows = {row[0]: row[1] for row in re.findall(r'main-cell">([^<]+)</td>(.*?)</tr>', shown, re.DOTALL)}
    assert "周小明" in rows["姓名"]
    assert "周晓明" in rows["姓名"]
    assert "≠ 不同" in rows["姓名"]
    assert "≠ 不同" in rows["住址"]
    assert "= 相同" in rows["电话"]
    assert "= 相同" in rows["出生与年龄"]
    assert "1980-01-01" in rows["出生与年龄"]
    assert "返乡名单" in rows["来源与来源编号"]
    assert "77" in rows["来源与来源编号"]
    assert "K-" in rows["病例与密接"]
    assert number() not in shown
    assert number()[-2:] in rows["证件"]


def test_two_records_become_one_person_and_what_came_of_it_is_told(
    cast: Cast, two: list[Person], joining: list[tuple[Any, ...]]
) -> None:
    answer = decided(cast.officer, two, keep=two[1].public_id)
    assert joining == [(two[1].public_id, two[0].public_id, REASON)]
    assert answer.redirect_chain[-1][0] == about(two[1])
    shown = answer.content.decode()
    assert "K-ENDED00000" in shown
    assert "K-GOESON0000" in shown
    assert "K-APART00000" in shown
    assert REASON in shown
    assert cast.officer.post.label in shown


def test_whoever_was_a_contact_under_both_records_is_observed_once_and_parted_is_named_anew(
    cast: Cast, two: list[Person]
) -> None:
    first, *_ = contacts_of(two[0])
    second = make_contact(
        cast.officer, "02-13 11:00", person=two[1].public_id, criterion="dining: 同桌",
        exposure_last=local("02-11 12:00").date(), setting="聚餐",
    )  # fmt: skip
    shown = decided(cast.officer, two).content.decode()
    assert f"密接 {second.public_id} 已结束，以 {first} 继续" in shown
    with scope.system():
        merge = MergeRecord.objects.get()
    sent = {"do": "part", "merge": str(merge.pk), f"part-{merge.pk}-reason": "不同人"}
    shown = browser(cast.officer).post(about(two[0]), sent, follow=True).content.decode()
    anew = set(contacts_of(two[1])) - {second.public_id}
    assert anew
    assert all(one in shown for one in anew)


def test_two_people_are_told_apart_and_the_question_can_be_opened_again(
    cast: Cast, two: list[Person]
) -> None:
    suspected(*two)
    answer = browser(cast.officer).post(
        f"{between(two)}?from=pairs", {"do": "decide", "answer": "two", "reason": REASON}, follow=True
    )
    assert answer.redirect_chain[-1][0] == reverse("web:same_pairs")
    assert verdict(two) == "different"
    shown = page(cast.officer, between(two))
    assert "已判定为两个人" in shown
    assert REASON in shown
    assert between(two) in page(cast.officer, about(two[0]))
    again = browser(cast.officer).post(between(two), {"do": "reopen", "reason": "重查"}, follow=True)
    assert verdict(two) == "open"
    assert 'name="answer"' in again.content.decode()


def test_a_refusal_is_said_on_the_form_and_what_was_typed_stays(
    cast: Cast, two: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Joined:
        raise Conflict("两人证件不同。", hint="先更正。")

    monkeypatch.setattr(pages, "join_records", refuse)
    answer = decided(cast.officer, two, keep=two[1].public_id)
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "两人证件不同。 先更正。" in shown
    assert f'value="{REASON}"' in shown
    assert re.search(rf'value="{two[1].public_id}"[^>]*checked', shown)


@pytest.mark.parametrize(
    "typed", [{"reason": " "}, {"answer": ""}, {"keep": ""}, {"keep": "P-0000000000"}, {"reason": "长" * 301}]
)
def test_a_decision_needs_an_answer_a_record_that_stands_and_a_reason(
    cast: Cast, two: list[Person], joining: list[tuple[Any, ...]], typed: dict[str, str]
) -> None:
    answer = decided(cast.officer, two, **typed)
    assert answer.status_code == 422
    assert "_error" in answer.content.decode()
    assert joining == []


def test_joined_records_are_parted_from_the_page_of_one_with_a_reason(
    cast: Cast, two: list[Person], joining: list[tuple[Any, ...]]
) -> None:
    merge = joined(cast, two)
    shown = page(cast.officer, about(two[0]))
    assert REASON in shown
    assert two[1].public_id in shown
    sent = {"do": "part", "merge": str(merge.pk)}
    empty = browser(cast.officer).post(about(two[0]), sent)
    assert empty.status_code == 422
    assert joining == []
    done = browser(cast.officer).post(
        about(two[0]), {**sent, f"part-{merge.pk}-reason": "不同人"}, follow=True
    )
    assert joining == [(merge.pk, "不同人")]
    assert "K-ANEW000000" in done.content.decode()
    assert stored(two[1].pk).root_id == two[1].pk
    late = browser(cast.officer).post(about(two[0]), {**sent, f"part-{merge.pk}-reason": "不同人"})
    assert late.status_code == 404


def test_joined_records_are_parted_where_they_stand_beside_each_other(
    cast: Cast, two: list[Person], joining: list[tuple[Any, ...]]
) -> None:
    merge = joined(cast, two)
    assert 'name="answer"' not in page(cast.officer, between(two))
    browser(cast.officer).post(between(two), {"do": "part", "reason": "不同人"})
    assert joining == [(merge.pk, "不同人")]


def test_who_joined_meanwhile_is_said_to_whoever_decides_later(
    cast: Cast, two: list[Person], joining: list[tuple[Any, ...]]
) -> None:
    joined(cast, two)
    answer = decided(cast.officer, two)
    assert answer.status_code == 422
    assert "已经是同一人" in answer.content.decode()


def test_look_alikes_are_found_and_another_record_is_named_by_its_number_or_the_address_of_its_page(
    cast: Cast, two: list[Person]
) -> None:
    assert between(two) in page(cast.officer, about(two[0]))
    client = browser(cast.officer)
    link = f"http://testserver{reverse('web:person', args=[two[1].public_id])}"
    for typed in (two[1].public_id.lower(), link):
        answer = client.post(about(two[0]), {"do": "name", "other": typed})
        assert answer["Location"] == between(two)
    for wrong in ("周晓明", "P-0000000000", two[0].public_id, ""):
        answer = client.post(about(two[0]), {"do": "name", "other": wrong})
        assert answer.status_code == 422, wrong
        assert 'id="id_other_error"' in answer.content.decode()


def test_a_decision_about_a_joined_record_is_told_before_these_two_are_joined(
    cast: Cast, two: list[Person]
) -> None:
    third = register(cast.officer, name="周小明", address="汉江路12号")
    with cast.officer.acting():
        merge_people(keep=two[1].pk, merge=third.pk, reason=REASON, actor=cast.officer.actor)
        decide_not_same(two[0].pk, third.pk, reason="两人同名", actor=cast.officer.actor)
    shown = page(cast.officer, between(two))
    assert between([two[0], third]) in shown
    assert "两人同名" in shown
    assert 'name="answer"' not in shown


def test_each_look_at_the_records_is_noted_with_its_purpose(cast: Cast, two: list[Person]) -> None:
    suspected(*two)
    for address in (reverse("web:same_pairs"), about(two[0]), between(two)):
        before = {one.pk: len(audit.who_looked(one.pk)) for one in two}
        page(cast.officer, address)
        with scope.system():
            after = {one.pk: len(audit.who_looked(one.pk)) for one in two}
        assert all(after[pk] > before[pk] for pk in before), address


def test_only_posts_that_join_records_find_the_way_there(cast: Cast, two: list[Person]) -> None:
    assert about(two[0]) in page(cast.officer, reverse("web:person", args=[two[0].public_id]))
    assert browser(cast.city).get(between(two)).status_code == 200
    for who in (cast.command, cast.inspector, cast.administrator, cast.laboratory, cast.grid):
        client = browser(who)
        for address in (reverse("web:same_pairs"), about(two[0]), between(two)):
            assert client.get(address).status_code == 403, who
            assert client.post(address, {"answer": "two", "reason": "x"}).status_code == 403, who
        person = client.get(reverse("web:person", args=[two[0].public_id])).content.decode()
        assert about(two[0]) not in person
        assert reverse("web:same_pairs") not in client.get(reverse("web:people")).content.decode()
    for who in (cast.neighbor, cast.other_city):
        for address in (about(two[0]), between(two)):
            assert browser(who).get(address).status_code == 404, who
            assert browser(who).post(address, {"answer": "two", "reason": "x"}).status_code == 404, who
    assert not DuplicateDecision.objects.exists()


def test_of_a_pair_across_two_counties_the_city_decides_and_neither_county_sees_the_other(
    cast: Cast, two: list[Person]
) -> None:
    with scope.system():
        there = register_people([PersonInput(territory_code="420302001", name="周小明")], cast.city.actor)[0]
    pair = [two[0], there]
    assert browser(cast.officer).get(between(pair)).status_code == 404
    assert 'name="answer"' in page(cast.city, between(pair))
    asked = browser(cast.officer).post(about(two[0]), {"do": "name", "other": there.public_id})
    assert asked.status_code == 422


def test_of_whoever_moved_out_of_sight_nothing_is_told_to_those_who_joined_or_suspected_her(
    cast: Cast, two: list[Person]
) -> None:
    suspected(*two)
    third = register(cast.officer, name="周小明", address="汉江路12号")
    with cast.officer.acting():
        merge_people(keep=two[0].pk, merge=third.pk, reason=REASON, actor=cast.officer.actor)
    with scope.system():
        Person.objects.filter(pk__in=[two[1].pk, third.pk]).update(territory_code="420302001")
    for address in (reverse("web:same_pairs"), about(two[0])):
        shown = page(cast.officer, address)
        assert two[1].public_id not in shown, address
        assert third.public_id not in shown, address


def test_through_a_broken_glass_nothing_is_joined(cast: Cast, two: list[Person]) -> None:
    client = browser(cast.neighbor)
    opened = client.post(
        reverse("web:glass"),
        {"territory_code": "420303", "reason": "接触者跨区转运，需立即核对"},
        follow=True,
    )
    assert opened.status_code == 200
    person = client.get(reverse("web:person", args=[two[0].public_id]))
    assert person.status_code == 200
    assert about(two[0]) not in person.content.decode()
    assert client.get(between(two)).status_code == 403
    assert client.post(between(two), {"answer": "two", "reason": "x"}).status_code == 403


def test_a_post_that_does_not_see_who_they_are_sees_masks_that_tell_no_difference_and_decides_nothing(
    cast: Cast, two: list[Person]
) -> None:
    kept = [g for g in cast.officer.scope.grants if (g.right, g.field_class) != ("person.view", "identity")]
    with scope.acting_as(replace(cast.officer.scope, grants=frozenset(kept))):
        a, b = (side_of(one.public_id) for one in two)
        assert not may_decide(a.person, b.person)
        told = lines(a, b)
    texts = " ".join(str(one.text) for line in told for _side, row in line.sides for one in row)
    assert "周*明" in texts
    for secret in ("周小明", "周晓明", "13871234567", "1980-01-01", number()):
        assert secret not in texts
    differing = {line.term for line in told if line.differs is not None}
    assert not differing & {"姓名", "电话", "证件", "Name of the person", "Phone", "Document"}


def test_the_pages_speak_english(cast: Cast, two: list[Person]) -> None:
    client = logged_in(cast.officer)
    client.cookies["django_language"] = "en"
    shown = client.get(between(two)).content.decode()
    assert "One person or two?" in shown
    assert "≠ differs" in shown
