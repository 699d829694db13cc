"""What makes two reports look like one person, and which records stand for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from bihuan.registry import names
from bihuan.registry.likeness import SUGGEST, SURE, Likeness, compare
from bihuan.registry.sameness import Join, common_code, roots


def likeness(name: str = "周小明", **told) -> Likeness:
    found = names.keys(name)
    silent = {
        "sex": "M",
        "date_birth": None,
        "birth_year": None,
        "id_kind": "",
        "id_index": "",
        "phone_index": "",
        "address": "",
        "territory_code": "420302001001",
    }
    told = {**silent, **told}
    if told["date_birth"]:
        told["birth_year"] = told["date_birth"].year
    return Likeness(name=name, key=names.sorting_key(name, found), pinyin=found.pinyin, **told)


BORN = date(1980, 3, 7)


def score(a: Likeness, b: Likeness) -> int:
    return compare(a, b)[0]


def test_the_same_document_number_is_sure():
    a = likeness(id_kind="resident", id_index="x")
    assert score(a, replace(a, name="other", key="other", pinyin="other")) == SURE


def test_name_and_birth_date_are_enough_to_ask():
    assert score(likeness(date_birth=BORN), likeness(date_birth=BORN)) >= SUGGEST


def test_a_homophone_with_the_same_birth_date_is_enough_to_ask():
    assert score(likeness(date_birth=BORN), likeness("周晓明", date_birth=BORN)) >= SUGGEST


def test_a_slip_in_the_birth_date_is_found_when_the_phone_agrees():
    other = likeness(date_birth=date(1980, 7, 3), phone_index="p")
    assert score(likeness(date_birth=BORN, phone_index="p"), other) >= SUGGEST


def test_a_common_name_of_the_same_age_is_not_enough():
    assert score(likeness("王伟", birth_year=1980), likeness("王伟", birth_year=1980)) < SUGGEST


def test_a_family_that_shares_a_phone_is_not_one_person():
    father = likeness("周大明", phone_index="p", date_birth=date(1950, 1, 1), address="汉江路12号")
    assert score(father, likeness(phone_index="p", date_birth=BORN, address="汉江路12号")) < SUGGEST


def test_two_numbers_of_one_kind_speak_against_everything_else():
    a = likeness(date_birth=BORN, phone_index="p", id_kind="resident", id_index="x")
    assert score(a, replace(a, id_index="y")) < SUGGEST


def test_records_without_a_told_name_never_resemble_each_other():
    nameless = likeness("", date_birth=BORN, phone_index="p", address="汉江路12号")
    assert score(nameless, nameless) == 0
    withheld = likeness("周某某", date_birth=BORN, phone_index="p", address="汉江路12号")
    assert score(withheld, withheld) == 0


def test_every_score_comes_with_its_points():
    total, why = compare(likeness(date_birth=BORN), likeness("周晓明", date_birth=BORN))
    assert total == sum(reason.points for reason in why)
    assert {reason.field for reason in why} == {"name", "date_birth", "territory_code", "sex"}


people = st.builds(
    likeness,
    name=st.sampled_from(["周小明", "周晓明", "Ana Pérez", "", "王伟"]),
    sex=st.sampled_from("MFU"),
    date_birth=st.none() | st.dates(date(1930, 1, 1), date(2020, 1, 1)),
    phone_index=st.sampled_from(["", "p", "q"]),
    id_index=st.sampled_from(["", "x", "y"]),
    address=st.sampled_from(["", "汉江路12号", "汉江路12号3单元", "人民路1号"]),
)


@given(people, people)
def test_likeness_is_mutual_and_bounded(a, b):
    assert score(a, b) == score(b, a)
    assert 0 <= score(a, b) <= SURE


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda p: p[0] != p[1])), st.data())
def test_taking_joins_back_gives_what_there_would_be_without_them(pairs, data):
    joins = [Join(number, *pair) for number, pair in enumerate(pairs)]
    kept = [join for join in joins if data.draw(st.booleans())]
    answer = roots(range(8), kept)
    assert roots(range(8), []) == {record: record for record in range(8)}
    assert all(answer[root] == root for root in answer.values())
    assert all(answer[join.kept] == answer[join.merged] for join in kept)


def test_the_group_of_the_kept_record_gives_the_root():
    assert roots([1, 2, 3], [Join(1, 1, 2), Join(2, 3, 1)]) == {1: 3, 2: 3, 3: 3}


def test_two_codes_meet_at_their_common_start():
    assert common_code("420302001", "420302002") == "42030200"
    assert common_code("420302", "420302") == "420302"
    assert common_code("42", "43") == "4"
