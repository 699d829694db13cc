"""People: registered, corrected, joined and parted, found again. A small made-up tree of one city."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.registry import clock, duplicates, scope
from bihuan.registry.actions import people as verbs
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid, NotAllowed, NotFound, UnknownTerritory
from bihuan.registry.models import DuplicateDecision, MergeRecord, Person, Territory
from bihuan.registry.people import PersonInput, prepare_many
from bihuan.registry.sameness import Join, roots
from bihuan.registry.scope import Granted, Scope
from tests.rules.test_identity import number

ACTOR = Actor.system("test")
STREET = "420302001"
NEXT_COUNTY = "420303001"


@pytest.fixture(autouse=True)
def _world(db):
    units = [("42", 1), ("4203", 2), ("420302", 3), ("420303", 3), (STREET, 4), (NEXT_COUNTY, 4)]
    Territory.objects.bulk_create(
        Territory(code=c, name=c, level=level, kind="", parent_code=c[: len(c) - 2] if level < 4 else c[:6])
        for c, level in units
        if not Territory.objects.filter(code=c).exists()
    )
    with scope.system(), clock.frozen(datetime(2020, 2, 5, 4, tzinfo=UTC)):
        yield


def report(**told) -> PersonInput:
    return PersonInput(**{"territory_code": STREET, **told})


def county_officer(lo: str = "420302", *rights: str) -> Scope:
    cells = {Granted(right, "identity", "below") for right in rights or ("case.write", "person.merge")}
    return Scope(lo=lo, post_id=None, account_id=None, role="cdc_officer", grants=frozenset(cells))


def test_it_keeps_what_was_reported_and_opens_the_numbers_again():
    told = report(name="单 小明", id_number=number(), phone="138 0000 1111", address="汉江路12号")
    person = Person.objects.get(id=verbs.register_person(told, ACTOR).pk)
    assert (person.name, person.name_pinyin, person.sex) == ("单小明", "shanxiaoming", "M")
    assert (person.date_birth, person.birth_year, person.root_id) == (date(1980, 1, 1), 1980, person.pk)
    opened = verbs.as_input(person)
    assert (opened.id_number, opened.phone) == (number(), "+8613800001111")


def test_no_number_stands_in_the_clear_anywhere_in_the_database():
    verbs.register_person(report(name="周小明", id_number=number(), phone="13800001111"), ACTOR)
    with connection.cursor() as cursor:
        for table in ("registry_person", "registry_personevent"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            text = "".join(row[0] for row in cursor.fetchall())
            assert text
            for secret in (number(), "13800001111"):
                assert secret not in text
                assert secret.encode().hex() not in text


def test_a_bad_report_names_field_rule_and_way_out_and_stores_nothing():
    bad = report(id_number=number()[:-1] + "?", phone="12", sex="X", date_birth=date(2020, 2, 6))
    with pytest.raises(Invalid) as caught:
        verbs.register_people([report(), bad], ACTOR)
    assert {(e["row"], e["field"]) for e in caught.value.errors} == {
        (1, "id_number"),
        (1, "phone"),
        (1, "sex"),
        (1, "date_birth"),
    }
    assert all(e["message"] and e["rule"] for e in caught.value.errors)
    assert not Person.objects.exists()


def test_a_card_that_contradicts_the_form_is_not_silently_mended():
    with pytest.raises(Invalid) as caught:
        verbs.register_person(report(id_number=number(), date_birth=date(1980, 1, 2), sex="F"), ACTOR)
    assert {e["rule"] for e in caught.value.errors} == {"identity.birth_differs", "identity.sex_differs"}


def test_an_unknown_territory_is_refused_and_a_grid_below_a_known_one_is_not():
    with pytest.raises(UnknownTerritory):
        verbs.register_person(PersonInput(territory_code="990302001"), ACTOR)
    assert verbs.register_person(PersonInput(territory_code="420302001003-01"), ACTOR).pk


def test_the_officer_of_the_next_county_may_not_register_here():
    with scope.acting_as(county_officer("420303")), pytest.raises(NotAllowed):
        verbs.register_person(report(name="周小明"), ACTOR)
    with scope.acting_as(county_officer("420302")):
        assert verbs.register_person(report(name="周小明"), ACTOR).pk


def test_a_correction_keeps_the_old_version_with_actor_and_reason():
    person = verbs.register_person(report(name="周小明", phone="13800001111"), ACTOR)
    verbs.update_person(person.pk, {"name": "周晓明"}, ACTOR, reason="misheard")
    versions = list(Person.pgh_event_model.objects.filter(pgh_obj_id=person.pk).order_by("pgh_id"))
    assert [v.name for v in versions] == ["周小明", "周晓明"]
    assert versions[1].pgh_context["reason"] == "misheard"
    assert versions[1].pgh_context["name"] == "test"
    assert bytes(versions[0].phone_cipher) == bytes(versions[1].phone_cipher)
    assert Person.objects.get(id=person.pk).name_initials == "zxm"


def test_a_correction_that_changes_nothing_leaves_no_version():
    person = verbs.register_person(report(name="周小明", phone="13800001111", id_number=number()), ACTOR)
    verbs.update_person(person.pk, {"phone": "+86 138 0000 1111"}, ACTOR)
    assert Person.pgh_event_model.objects.filter(pgh_obj_id=person.pk).count() == 1


def _corrected(told: PersonInput, **changes) -> PersonInput:
    person = verbs.register_person(told, ACTOR)
    return verbs.as_input(verbs.update_person(person.pk, changes, ACTOR, reason="told"))


def test_another_document_number_brings_its_own_date_of_birth_and_sex():
    told = report(name="周小明", id_number=number())
    after = _corrected(told, id_number=number(born="19910203", serial="002"))
    assert (after.date_birth, after.sex) == (date(1991, 2, 3), "F")


def test_with_a_number_that_is_not_hers_goes_what_was_read_from_it():
    after = _corrected(report(name="周小明", id_number=number()), id_number="")
    assert (after.id_number, after.id_kind, after.date_birth, after.sex) == ("", "", None, "U")


def test_what_she_told_of_her_birth_stays_when_a_passport_changes():
    born = date(1980, 1, 1)
    told = report(name="周小明", id_kind="passport", id_number="E12345678", date_birth=born, sex="M")
    after = _corrected(told, id_number="E87654321")
    assert (after.id_kind, after.id_number) == ("passport", "E87654321")
    assert (after.date_birth, after.sex) == (born, "M")


def test_a_card_number_that_lost_a_digit_is_not_taken_for_another_document():
    person = verbs.register_person(report(name="周小明", id_number=number()), ACTOR)
    with pytest.raises(Invalid) as wrong:
        verbs.update_person(person.pk, {"id_number": number()[:-2]}, ACTOR, reason="told")
    assert [fault["rule"] for fault in wrong.value.errors] == ["identity.length"]


def test_an_age_told_anew_is_of_that_day_and_a_date_of_birth_takes_its_place():
    told = report(name="周小明", age_years=30, age_reported_on=date(2019, 3, 1))
    older = _corrected(told, age_years=34)
    assert (older.age_years, older.age_reported_on) == (34, date(2020, 2, 5))
    born = _corrected(told, date_birth=date(1985, 6, 1))
    assert (born.age_years, born.age_reported_on, born.date_birth) == (None, None, date(1985, 6, 1))


def test_a_number_that_contradicts_what_is_told_at_once_is_refused_and_nothing_changes():
    person = verbs.register_person(report(name="周小明", id_number=number()), ACTOR)
    wanted = {"id_number": number(born="19910203"), "date_birth": date(1980, 1, 1)}
    with pytest.raises(Invalid) as wrong:
        verbs.update_person(person.pk, wanted, ACTOR, reason="told")
    assert [fault["field"] for fault in wrong.value.errors] == ["date_birth"]
    assert verbs.as_input(Person.objects.get(pk=person.pk)).id_number == number()


def test_history_can_neither_be_changed_nor_deleted():
    person = verbs.register_person(report(name="周小明"), ACTOR)
    history = Person.pgh_event_model.objects.filter(pgh_obj_id=person.pk)
    for attempt in (lambda: history.update(name="x"), history.delete):
        with pytest.raises(Exception, match="may not be changed"), scope.transaction.atomic():
            attempt()


# --- duplicates ------------------------------------------------------------------------------------


BORN = date(1980, 3, 7)
AGED = {"age_years": 39, "age_reported_on": date(2020, 2, 1)}


def ids(matches) -> list[int]:
    return [match.person_id for match in matches]


def test_it_finds_the_same_number_in_its_old_form():
    full = number(born="19610704", serial="013")
    known = verbs.register_person(report(name="周小明", id_number=full), ACTOR)
    found = duplicates.find_duplicates(report(name="其他", id_number=full[:6] + full[8:17]))
    assert ids(found) == [known.pk]
    assert found[0].is_sure


@pytest.mark.parametrize(
    ("asked", "hit"),
    [
        ({"name": "周小明", "date_birth": date(1980, 3, 7)}, True),
        ({"name": "周晓明", "date_birth": date(1980, 3, 7)}, True),
        ({"name": "周小朋", "date_birth": date(1980, 3, 7), "address": "汉江路12号"}, True),
        ({"name": "周小明", "phone": "13800001111"}, True),
        ({"name": "周小明", "date_birth": date(1980, 7, 3), "phone": "13800001111"}, True),
        (
            {"name": "周小明", "address": "汉江路12号", **AGED},
            True,
        ),
        ({"name": "周小明", **AGED}, False),
        ({"name": "王大伟", "phone": "13800001111"}, False),
        ({"name": "周小明", "date_birth": date(1951, 9, 9)}, False),
        (
            {"name": "", "date_birth": BORN, "phone": "13800001111", "address": "汉江路12号"},
            False,
        ),
        ({"name": "周某某", "date_birth": date(1980, 3, 7)}, False),
    ],
)
def test_it_suggests_two_agreements_and_no_less(asked, hit):
    known = report(name="周小明", date_birth=date(1980, 3, 7), phone="13800001111", address="汉江路12号")
    person = verbs.register_person(known, ACTOR)
    assert ids(duplicates.find_duplicates(report(**asked))) == ([person.pk] if hit else [])


def test_a_latin_name_is_found_with_its_words_in_another_order():
    person = verbs.register_person(report(name="José Pérez Gómez", date_birth=date(1990, 5, 5)), ACTOR)
    assert ids(duplicates.find_duplicates(report(name="PEREZ GOMEZ JOSE", date_birth=date(1990, 5, 5)))) == [
        person.pk
    ]


def test_rows_of_a_line_list_without_names_are_never_each_others_duplicate():
    rows = [report(sex="F", local_id=f"TJ-{i}", **AGED) for i in range(50)]
    answered = verbs.register_or_find(rows, ACTOR)
    assert all(answer.is_new and not answer.matches for answer in answered)
    again = duplicates.find_duplicates_bulk(rows)
    assert again == [[]] * 50


def test_the_search_sees_what_the_scope_sees():
    known = report(territory_code=NEXT_COUNTY, name="周小明", id_number=number())
    person = verbs.register_person(known, ACTOR)
    with scope.acting_as(county_officer("420302")):
        assert duplicates.find_duplicates(report(name="周小明", id_number=number())) == []
    with scope.acting_as(county_officer("4203")):
        assert ids(duplicates.find_duplicates(report(name="周小明", id_number=number()))) == [person.pk]


def test_many_at_once_answer_as_one_by_one():
    verbs.register_people(
        [
            report(name=name, date_birth=date(1980, 3, day), phone=f"1380000{day:04}")
            for name in ("周小明", "李明", "Ana Pérez")
            for day in range(1, 6)
        ],
        ACTOR,
    )
    asked = [report(name="周小明", date_birth=date(1980, 3, d)) for d in range(1, 8)] + [report(name="李明")]
    assert duplicates.find_duplicates_bulk(asked) == [duplicates.find_duplicates(a) for a in asked]


def test_an_import_registers_the_unknown_answers_the_known_and_keeps_the_similar_for_a_decision():
    known = verbs.register_person(report(name="周小明", id_number=number(), phone="13800001111"), ACTOR)
    same, similar, new, twice, once_more = verbs.register_or_find(
        [
            report(name="周小明", id_number=number()),
            report(name="周晓明", phone="13800001111"),
            report(name="李明", date_birth=date(1970, 1, 1)),
            report(name="王芳", id_number=number(serial="004")),
            report(name="王芳", id_number=number(serial="004")),
        ],
        ACTOR,
    )
    assert (same.is_new, same.person.pk) == (False, known.pk)
    assert (similar.is_new, ids(similar.matches)) == (True, [known.pk])
    assert (new.is_new, new.matches) == (True, ())
    assert (twice.is_new, once_more.is_new, twice.person.pk) == (True, False, once_more.person.pk)
    pair = DuplicateDecision.objects.get()
    assert (pair.low_id, pair.high_id, pair.verdict) == (known.pk, similar.person.pk, "open")


def test_two_rows_of_one_file_that_look_alike_are_kept_for_a_decision():
    rows = [
        report(name="周小明", date_birth=BORN),
        report(name="王芳", date_birth=BORN),
        report(name="周晓明", date_birth=BORN),
    ]
    first, _other, third = verbs.register_or_find(rows, ACTOR)
    assert ids(third.matches) == [first.person.pk]
    assert first.matches == ()
    pair = DuplicateDecision.objects.get()
    assert (pair.low_id, pair.high_id) == (first.person.pk, third.person.pk)


def test_a_batch_finds_within_itself_what_the_database_would_find():
    rows = [
        report(name=name, date_birth=date(1980, 3, day), phone=phone)
        for name in ("周小明", "周晓明", "李明", "")
        for day in (7, 8)
        for phone in ("", "13800001111")
    ]
    stored = verbs.register_people(rows, ACTOR)
    told = duplicates.find_duplicates_of_many([person.pk for person in stored])
    in_database = {frozenset((person, match.record_id)) for person in told for match in told[person]}
    prepared = prepare_many(rows, on=clock.today())
    twins = duplicates.search_within(prepared)
    assert {frozenset((stored[t.first].pk, stored[t.second].pk)) for t in twins} == in_database


def test_text_that_no_database_takes_is_refused_as_a_fault():
    with pytest.raises(Invalid) as caught:
        verbs.register_person(report(name="周\x00明"), ACTOR)
    assert caught.value.errors[0]["rule"] == "characters"


def test_a_pair_decided_to_be_two_people_is_not_brought_up_again():
    a, b = verbs.register_people([report(name="周小明", date_birth=date(1980, 3, 7))] * 2, ACTOR)
    assert ids(duplicates.find_duplicates_of(a.pk)) == [b.pk]
    verbs.decide_not_same(a.pk, b.pk, reason="twins with the same name at two addresses", actor=ACTOR)
    assert duplicates.find_duplicates_of(a.pk) == []
    assert duplicates.find_duplicates_of_many([a.pk, b.pk]) == {}
    with pytest.raises(Conflict, match=a.public_id):
        verbs.merge_people(keep=a.pk, merge=b.pk, reason="same", actor=ACTOR)
    verbs.reopen_decision(a.pk, b.pk, reason="new papers", actor=ACTOR)
    assert verbs.merge_people(keep=a.pk, merge=b.pk, reason="same", actor=ACTOR).pk


# --- joining and parting ---------------------------------------------------------------------------


def test_a_merge_loses_nothing_and_a_look_alike_is_answered_with_the_survivor():
    a = verbs.register_person(report(name="周小明", phone="13800001111"), ACTOR)
    b = verbs.register_person(report(name="周晓明", id_number=number()), ACTOR)
    before = Person.objects.filter(id=b.pk).values().get()
    verbs.merge_people(keep=a.pk, merge=b.pk, reason="same phone", actor=ACTOR)
    after = Person.objects.filter(id=b.pk).values().get()
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"root_id", "merged_into_id"}
    assert ids(duplicates.find_duplicates(report(id_number=number()))) == [a.pk]


def test_merging_needs_a_reason_two_records_and_the_right_on_both():
    a = verbs.register_person(report(name="周小明"), ACTOR)
    b = verbs.register_person(report(territory_code=NEXT_COUNTY, name="周小明"), ACTOR)
    with pytest.raises(Invalid):
        verbs.merge_people(keep=a.pk, merge=b.pk, reason=" ", actor=ACTOR)
    with pytest.raises(Invalid):
        verbs.merge_people(keep=a.pk, merge=a.pk, reason="same", actor=ACTOR)
    with scope.acting_as(county_officer("420302")), pytest.raises(NotFound):
        verbs.merge_people(keep=a.pk, merge=b.pk, reason="same", actor=ACTOR)
    with scope.acting_as(county_officer("4203", "case.write")), pytest.raises(NotAllowed):
        verbs.merge_people(keep=a.pk, merge=b.pk, reason="same", actor=ACTOR)


def test_people_with_two_different_cards_are_not_merged_even_through_a_third_record():
    a = verbs.register_person(report(name="周小明", id_number=number()), ACTOR)
    b = verbs.register_person(report(name="周小明"), ACTOR)
    c = verbs.register_person(report(name="周小明", id_number=number(serial="003")), ACTOR)
    verbs.merge_people(keep=b.pk, merge=a.pk, reason="same", actor=ACTOR)
    with pytest.raises(Conflict, match="different numbers"), translation.override("en"):
        verbs.merge_people(keep=b.pk, merge=c.pk, reason="same", actor=ACTOR)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8), st.randoms())
def test_any_order_of_merging_and_taking_back_ends_where_it_began(pairs, random):
    records = verbs.register_people([report(name=n) for n in "赵钱孙李周吴"], ACTOR)
    rows = Person.objects.filter(id__in=[p.pk for p in records]).order_by("id")
    before = list(rows.values())
    made = []
    for keep, merge in pairs:
        try:
            made.append(_merge(records[keep], records[merge]))
        except (Conflict, Invalid):
            continue
        if made and random.random() < 0.3:
            verbs.unmerge(made.pop(random.randrange(len(made))).pk, reason="no", actor=ACTOR)
        _assert_roots_follow_from_what_holds(rows)
    random.shuffle(made)
    for record in made:
        verbs.unmerge(record.pk, reason="no", actor=ACTOR)
    assert list(rows.values()) == before


def _merge(keep: Person, merge: Person) -> MergeRecord:
    return verbs.merge_people(keep=keep.pk, merge=merge.pk, reason="x", actor=ACTOR)


def _assert_roots_follow_from_what_holds(rows) -> None:
    holding = MergeRecord.objects.filter(undone_at__isnull=True, kept_id__in=rows.values("id"))
    joins = [Join(*row) for row in holding.values_list("id", "kept_id", "merged_id")]
    found = dict(rows.values_list("id", "root_id"))
    assert found == roots(found, joins)


def test_a_merge_is_taken_back_once():
    a, b = verbs.register_people([report(name="周小明")] * 2, ACTOR)
    record = verbs.merge_people(keep=a.pk, merge=b.pk, reason="same", actor=ACTOR)
    verbs.unmerge(record.pk, reason="not", actor=ACTOR)
    with pytest.raises(Conflict):
        verbs.unmerge(record.pk, reason="not", actor=ACTOR)
