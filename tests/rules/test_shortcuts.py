"""What is usual takes a short way; it must lead where the long way leads."""

from __future__ import annotations

from django.db import models
from hypothesis import example, given
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from benchmarks.synthetic_people import GIVEN
from bihuan.doors.exchange import words
from bihuan.registry import bulk, ids, names
from bihuan.registry.identity import normalize_phone

HAN = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)
MIXED = st.text(
    st.one_of(HAN, st.characters(codec="utf-8"), st.sampled_from("0123456789aZéßㄧ　ﾞ")), max_size=8
)


def spelled(text: str) -> tuple[str, ...]:
    parts = (names.fold(part).replace(" ", "") for part in lazy_pinyin(text, v_to_u=False))
    return tuple(part for part in parts if part)


def test_two_characters_that_are_no_phrase_are_read_as_the_dictionary_reads_them():
    pairs = [a + b for a in GIVEN for b in GIVEN] + ["重庆", "音乐", "长大", "行李", "单于", "乐乐"]
    assert {pair: names._syllables(pair) for pair in pairs} == {pair: spelled(pair) for pair in pairs}


@given(st.text(HAN, min_size=1, max_size=3))
@example("龥龦")
def test_any_characters_are_read_as_the_dictionary_reads_them(text):
    assert names._syllables(text) == spelled(text)


@given(st.one_of(MIXED, st.text(HAN)))
def test_a_name_of_characters_alone_is_clean_already(text):
    assert names.clean(text) == names.clean(f" {text} ")


@given(st.one_of(MIXED, st.text(st.one_of(HAN, st.sampled_from("0123456789abcxyz")))))
def test_plain_text_is_plain_already(text):
    assert words.plain(text) == words._plain(text)


@given(
    st.one_of(
        st.from_regex(r"(\+86|86|0086)?1[0-9]{10}", fullmatch=True), st.text("+0123456789 -", max_size=16)
    ),
    st.sampled_from(["86", "1"]),
)
def test_a_mobile_number_is_known_at_a_glance(text, country):
    assert normalize_phone(text, country=country) == normalize_phone(f" {text} ", country=country)


def test_ids_made_together_are_like_those_made_one_by_one():
    made = ids.new_ids("C", 2_000)
    assert len(set(made)) == 2_000
    assert {len(one) for one in made} == {2 + ids.LENGTH}
    assert {letter for one in made for letter in one[2:]} == set(ids.ALPHABET)
    assert ids.kind_of(made[0]) == "C"


def test_words_of_a_choice_go_into_a_cell_as_their_value():
    class Kind(models.TextChoices):
        ONE = "one", "One"

    assert bulk.line([Kind.ONE, True, 1, None, b"\x01"]) == "one\tt\t1\t\\N\t\\\\x01"
