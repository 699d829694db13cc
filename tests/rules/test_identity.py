"""Identity and telephone numbers. All numbers here are made up: 420399 is no county."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.registry import identity
from bihuan.registry.identity import check_identity, find_phones, guess_kind, normalize_phone

ON = date(2020, 2, 5)


def number(place: str = "420399", born: str = "19800101", serial: str = "001") -> str:
    """A well-formed number, its check character computed here from the standard's weights."""
    body = place + born + serial
    weights = [2 ** (17 - i) % 11 for i in range(17)]
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def test_it_reads_birth_date_and_sex_from_a_resident_number():
    judged = check_identity(number(serial="002"), on=ON)
    assert (judged.problem, judged.date_birth, judged.sex) == (None, date(1980, 1, 1), "F")


@pytest.mark.parametrize("slip", [slice(0, 17), slice(0, 16), slice(1, 18), slice(0, 14)])
def test_a_card_number_that_lost_a_digit_is_refused_and_not_taken_for_another_document(slip):
    typed = number()[slip]
    assert guess_kind(typed) == "resident"
    assert check_identity(typed, kind=guess_kind(typed), on=ON).problem is not None


@pytest.mark.parametrize("typed", ["E12345678", "H01234567", "1234567890123", "军字第1234567号"])
def test_what_does_not_look_like_a_card_number_is_another_document(typed):
    assert guess_kind(typed) == "other"


@pytest.mark.parametrize("spelled", ["{0}", " {0} ", "'{0}", "{1}-{2}", "{1} {2}"])
def test_it_takes_the_same_number_however_it_is_spelled(spelled):
    full = number()
    judged = check_identity(spelled.format(full, full[:6], full[6:]), on=ON)
    assert judged.canonical == full


def test_it_takes_full_width_digits_and_a_small_x():
    full = next(n for n in (number(serial=f"{i:03}") for i in range(1, 99)) if n.endswith("X"))
    wide = "".join(chr(ord(c) + 0xFEE0) for c in full.lower())
    assert check_identity(wide, on=ON).canonical == full


def test_the_old_form_of_fifteen_digits_meets_the_new_one():
    full = number(born="19610704", serial="013")
    judged = check_identity(full[:6] + full[8:17], on=ON)
    assert (judged.canonical, judged.date_birth, judged.sex) == (full, date(1961, 7, 4), "M")


def test_the_old_form_gives_serials_from_996_to_people_born_before_1900():
    assert check_identity("420399" + "960101" + "996", on=date(1999, 1, 1)).date_birth == date(1896, 1, 1)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "empty"),
        ("123", "length"),
        ("42039919800101001A", "characters"),
        ("4.20399E+17", "spreadsheet"),
        ("420399198001010000", "spreadsheet"),
        ("000399198001010011", "place"),
        (number(born="19801301"), "birth"),
        (number(born="20200206"), "birth_future"),
        (number(born="18500101"), "birth_old"),
    ],
)
def test_it_names_the_rule_that_is_broken(typed, code):
    judged = check_identity(typed, on=ON)
    assert judged.problem is not None
    assert judged.problem.code == code
    assert judged.canonical is None


@given(st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_never_passes(position, shift):
    full = number()
    wrong = full[:position] + str((int(full[position].replace("X", "9")) + shift) % 10) + full[position + 1 :]
    judged = check_identity(wrong, on=ON)
    assert wrong == full or judged.problem is not None


@given(st.text(max_size=25))
def test_it_answers_to_any_text_and_never_repeats_it(text):
    judged = check_identity(text, on=ON)
    if judged.problem and len(identity.compact(text)) > 4:
        assert identity.compact(text) not in judged.problem.message + judged.problem.hint + repr(judged)


def test_a_repr_shows_no_number():
    full = number()
    assert full not in repr(check_identity(full, on=ON))
    assert "13800001111" not in repr(normalize_phone("13800001111"))


def test_a_passport_is_taken_as_printed():
    assert check_identity("e 1234-5678", kind="passport", on=ON).canonical == "E12345678"


def test_an_unknown_kind_names_the_known_ones():
    problem = check_identity("1", kind="library", on=ON).problem
    assert problem is not None
    assert "passport" in problem.hint


@pytest.mark.parametrize(
    ("typed", "canonical", "kind"),
    [
        ("138 0000 1111", "+8613800001111", "mobile"),
        ("+86 138-0000-1111", "+8613800001111", "mobile"),
        ("008613800001111", "+8613800001111", "mobile"),
        ("8613800001111", "+8613800001111", "mobile"),
        ("13800001111.0", "+8613800001111", "mobile"),
        ("１３８００００１１１１", "+8613800001111", "mobile"),
        ("0719-8000111", "+867198000111", "fixed"),
        ("(010) 80001111", "+861080001111", "fixed"),
        ("+502 5000 1111", "+50250001111", "foreign"),
    ],
)
def test_one_telephone_has_one_form(typed, canonical, kind):
    phone = normalize_phone(typed)
    assert (phone.canonical, phone.kind) == (canonical, kind)


@pytest.mark.parametrize(
    ("typed", "code"),
    [("", "phone_empty"), ("none", "phone_characters"), ("1380000", "phone_mobile"), ("12", "phone_length")],
)
def test_it_says_what_is_wrong_with_a_telephone(typed, code):
    problem = normalize_phone(typed).problem
    assert problem is not None
    assert problem.code == code


def test_a_number_without_country_belongs_to_the_country_asked_for():
    assert normalize_phone("5000-1111", country="502").canonical == "+50250001111"


def test_it_finds_every_number_of_a_cell():
    assert [p.canonical for p in find_phones("13800001111/13900001111、0719-8000111 （家）")] == [
        "+8613800001111",
        "+8613900001111",
    ]


def test_every_problem_has_a_message():
    assert set(identity.HINTS) <= set(identity.MESSAGES)
