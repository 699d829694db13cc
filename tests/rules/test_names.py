"""Names: reading, folding, what is no name, masks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.registry import masking, names


@pytest.mark.parametrize(
    ("name", "pinyin", "initials"),
    [
        ("单小明", "shanxiaoming", "sxm"),
        ("曾小明", "zengxiaoming", "zxm"),
        ("解小明", "xiexiaoming", "xxm"),
        ("仇小明", "qiuxiaoming", "qxm"),
        ("查小明", "zhaxiaoming", "zxm"),
        ("区小明", "ouxiaoming", "oxm"),
        ("盖小明", "gexiaoming", "gxm"),
        ("任小明", "renxiaoming", "rxm"),
        ("华小明", "huaxiaoming", "hxm"),
        ("朴小明", "piaoxiaoming", "pxm"),
        ("翟小明", "zhaixiaoming", "zxm"),
        ("缪小明", "miaoxiaoming", "mxm"),
        ("尉迟小明", "yuchixiaoming", "ycxm"),
        ("万俟小明", "moqixiaoming", "mqxm"),
        ("欧阳明", "ouyangming", "oym"),
        ("周小明", "zhouxiaoming", "zxm"),
        ("吕绿", "lvlv", "ll"),
    ],
)
def test_a_surname_is_read_as_a_surname(name, pinyin, initials):
    assert (names.keys(name).pinyin, names.keys(name).initials) == (pinyin, initials)


def test_a_given_name_with_the_same_character_is_not_read_as_a_surname():
    assert names.keys("王单").pinyin == "wangdan"


def test_a_surname_with_two_readings_is_found_by_both():
    assert {"qinxiaoming", "tanxiaoming"} <= set(names.keys("覃小明").tokens)


def test_a_latin_name_is_found_by_each_word_without_accents():
    found = names.keys("José María Pérez-Güell")
    assert set(found.tokens) == {"josemariaperezguell", "jose", "maria", "perez", "guell"}
    assert found.initials == "jmpg"


def test_word_order_and_homophones_share_a_sorting_key():
    assert names.sorting_key("Pérez José") == names.sorting_key("Jose Perez")
    assert names.sorting_key("周晓明") == names.sorting_key("周小明")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "张某某",
        "李某",
        "患者1",
        "Case 12",
        "unknown",
        "张*",
        "王XX",
        "XXX",
        "No Name",
        "密接3",
        "—",
        "Caso 7",
    ],
)
def test_a_name_that_is_not_told_is_known_as_such(text):
    assert names.is_withheld(text)
    assert names.sorting_key(text) == ""


@pytest.mark.parametrize("text", ["周小明", "Maxx Power", "Ana", "李", "Alexis Foxx", "买买提·艾力"])
def test_a_told_name_is_not_taken_for_a_withheld_one(text):
    assert not names.is_withheld(text)


def test_cleaning_folds_width_and_spaces_and_changes_nothing_else():
    assert names.clean("　周 小明 ") == "周小明"
    assert names.clean("买买提•艾力") == "买买提·艾力"
    assert names.clean("José  Pérez") == "José Pérez"


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("周小明", "周*明"),
        ("李明", "李*"),
        ("欧阳小明", "欧阳*明"),
        ("欧阳明", "欧阳*"),
        ("阿依努尔", "阿**尔"),
        ("买买提·艾力", "买**"),
        ("Ana Pérez", "A*** P***"),
        ("", ""),
        ("李", "*"),
    ],
)
def test_a_mask_keeps_what_acquaintances_need(name, mask):
    assert masking.mask_name(name) == mask


def test_numbers_and_addresses_are_masked():
    assert masking.mask_phone("+8613800001111") == "138****1111"
    assert masking.mask_phone("+50250001178") == "****78"
    assert masking.mask_id("42039919800101001X") == "4203************1X"
    assert masking.mask_address("张湾区汉江路12号3单元") == "张湾区汉江路**"
    assert masking.mask_address("12 Main Street") == "**"


@given(st.text(min_size=1, max_size=30))
def test_no_text_breaks_reading_or_masking_and_no_long_name_survives_its_mask(text):
    cleaned = names.clean(text)
    found = names.keys(cleaned)
    assert " " not in found.pinyin
    mask = masking.mask_name(text)
    assert len(cleaned) < 2 or mask != cleaned or set(cleaned) <= {"*", " "}


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(text):
    assert names.fold(names.fold(text)) == names.fold(text)
