"""What is wrong in a pack is said with file, line, key and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import translation

from bihuan.policy.errors import PacksBroken
from bihuan.policy.rules.library import load_all, read_all
from bihuan.policy.rules.lint import find_problems
from bihuan.policy.rules.source import read_text


@pytest.fixture(autouse=True)
def english():
    """The messages are read word for word, in the language they are written in."""
    with translation.override("en"):
        yield


VOCABULARY = """
keys:
  clocks.report_hours:
    type: deadline
    title: {zh: 报告, en: Report}
    says: {zh: "{value}报告。", en: "Reported {value}."}
  observation.days:
    type: days
    also: [days_of_observation]
    title: {zh: 天数, en: Days}
    says: {zh: "{value}。", en: "{value}."}
  observation.slots_per_day:
    type: count
    title: {zh: 次数, en: Times}
    says: {zh: "{value}。", en: "{value}."}
  observation.slots:
    type: slots
    counts: observation.slots_per_day
    title: {zh: 时点, en: Times}
    says: {zh: "{value}。", en: "{value}."}
  observation.place:
    type: choice
    title: {zh: 地点, en: Place}
    says: {zh: "{value}。", en: "{value}."}
    allowed: {home: {zh: 居家, en: home}, facility: {zh: 集中, en: facility}}
  escalation.default: {type: ladder, title: {zh: 督办, en: Ladder}, says: {zh: "{value}。", en: "{value}."}}
sources:
  s1: {zh: 文件, en: Document}
areas:
  CN: {codes: ["12", "42"]}
facts:
  case:
    age: {type: integer, label: {zh: 年龄, en: age}}
"""
HEAD = """pack: base
title: {zh: 基础, en: Base}
territory: ""
"""


def write(folder: Path, **packs: str) -> Path:
    (folder / "vocabulary.yaml").write_text(VOCABULARY, encoding="utf-8")
    for name, text in packs.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def problems_of(folder: Path, **packs: str) -> list[str]:
    found = find_problems([write(folder, **packs)])
    return [str(p).replace(f"{folder}/", "") for p in found]


def value(text: str, key: str = "observation.days") -> str:
    return f"{HEAD}values:\n  {key}: {text}\n"


GOOD = "source: s1, confidence: verified, basis: text"


def test_a_good_pack_has_no_problems(tmp_path):
    assert problems_of(tmp_path, base=value(f"{{value: 14, {GOOD}}}")) == []


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        (f"{{value: 14, {GOOD}}}", "observation.dayz",
         "There is no policy key observation.dayz. Nearest: observation.days"),
        (f"{{value: two, {GOOD}}}", "observation.days", "values.observation.days.value: two is not a whole number."),  # noqa: E501
        (f"{{value: true, {GOOD}}}", "observation.days", "true is not a whole number."),
        (f"{{value: -1, {GOOD}}}", "observation.days", "-1 is outside the allowed range, 0 to …."),
        (f"{{value: hotel, {GOOD}}}", "observation.place",
         "hotel is not allowed here. Allowed: home, facility."),
        (f"{{value: [09:00, 25:00], {GOOD}}}", "observation.slots", '25:00 is not a time of day ("HH:MM", to "24:00").'),  # noqa: E501
        (f"{{value: [21:00, 09:00], {GOOD}}}", "observation.slots", "must be in order and without repeats."),
        (f"{{value: {{end_of_day: 1}}, {GOOD}}}", "clocks.report_hours",
         "Write a number of hours, or {end_of_day: true, plus_days: 0}."),
        (f"{{value: [{{to: mayor, after_hours: 0}}], {GOOD}}}", "escalation.default",
         "mayor is not allowed here. Allowed: superior, county_command, city_command, province_command."),
        (f"{{value: [{{to: superior, after_hours: 4}}, {{to: city_command, after_hours: 4}}], {GOOD}}}",
         "escalation.default", "The steps of a ladder must come later and later."),
        ("{value: 14, confidence: verified, basis: text}", "observation.days", "The source is missing."),
        ("{value: 14, source: s9, confidence: verified}", "observation.days", "There is no source s9. Nearest: s1."),  # noqa: E501
        ("{value: 14, source: s1}", "observation.days", "The confidence is missing."),
        ("{value: 14, source: s1, confidence: certain}", "observation.days",
         "certain is not allowed here. Allowed: verified, unverified."),
        ("{value: 14, source: s1, confidence: verified, basis: recalled}", "observation.days",
         "A value with basis recalled is unverified, not verified."),
        (f"{{value: 14, {GOOD}, form: x}}", "observation.days", "Unknown key form. Allowed: value, unit, source"),  # noqa: E501
        (f"{{value: 14, {GOOD}, from: 2020-02-30}}", "observation.days", "2020-02-30 cannot be read."),
        (f"{{value: 14, {GOOD}, from: 2020-03-02, to: 2020-03-01}}", "observation.days",
         "It ends on 2020-03-01, before it begins on 2020-03-02."),
        (f"[{{value: 14, {GOOD}, to: 2020-03-01}}, {{value: 7, {GOOD}, from: 2020-03-01}}]", "observation.days",  # noqa: E501
         "Two variants of observation.days hold on the same day."),
        (f"{{value: 14, {GOOD}}}", "days_of_observation",
         "days_of_observation is another name; write observation.days."),
    ],
)  # fmt: skip
def test_a_wrong_value_names_file_line_key_and_what_is_allowed(tmp_path, text, key, said):
    found = problems_of(tmp_path, base=value(text, key))
    assert len(found) >= 1
    assert all(p.startswith("base.yaml:5: values.") for p in found), found
    assert said in found[0]


def test_loading_stops_with_every_problem_at_once(tmp_path):
    folder = write(tmp_path, base=f"{HEAD}values:\n  a: {{}}\n  b: {{}}\n")
    with pytest.raises(PacksBroken) as caught:
        load_all([folder])
    assert [p.line for p in caught.value.problems] == [5, 6]
    assert caught.value.errors[0]["field"] == "values.a"


def edition(name: str, territory: str, dates: str, extends: str = "") -> str:
    line = f"extends: {extends}\n" if extends else ""
    return (
        f'pack: {name}\n{line}title: {{zh: 甲, en: A}}\nterritory: "{territory}"\n'
        f"effective: {{{dates}}}\nvalues:\n  observation.days: {{value: 7, {GOOD}}}\n"
    )


@pytest.mark.parametrize(
    ("packs", "said"),
    [
        ({"a": edition("a", "42", "from: 2020-01-01, to: 2020-03-01"), "b": edition("b", "42", "from: 2020-03-01")},  # noqa: E501
         "It overlaps a in the same territory: both hold on 2020-03-01."),
        ({"a": edition("a", "42", "from: 2020-01-01"), "b": edition("b", "42", "from: 2020-01-01")},
         "It overlaps a in the same territory: both hold on 2020-01-01."),
        ({"a": edition("a", "42", "", "b"), "b": edition("b", "42", "from: 2020-01-01", "a")},
         "It extends itself: a > b > a."),
        ({"a": edition("a", "42", "from: 2020-01-01", "c")}, "It extends c, which does not exist."),
        ({"a": edition("a", "42", "from: 2020-01-01"), "b": edition("b", "12", "from: 2020-01-01", "a")},
         "It extends a, which is for another territory (42)."),
        ({"a": edition("a", "CN", "from: 2020-02-01"), "b": edition("b", "42", "from: 2020-01-01", "a")},
         "It extends a, which begins later."),
        ({"a": edition("a", "42", "from: 2020-01-01, tz: Asia/Wuhan")}, "There is no time zone Asia/Wuhan."),
        ({"a": edition("a", "42", "from: 2020-01-01"), "b": edition("a", "12", "from: 2020-01-01")},
         "The pack a is also in"),
    ],
)  # fmt: skip
def test_packs_that_do_not_fit_together_are_named(tmp_path, packs, said):
    assert any(said in p for p in problems_of(tmp_path, **packs))


def test_an_open_edition_ends_when_the_next_begins(tmp_path):
    import datetime as dt

    folder = write(
        tmp_path,
        base=value(f"{{value: 1, {GOOD}}}"),
        a=edition("a", "42", "from: 2020-01-01"),
        b=edition("b", "42", "from: 2020-03-01"),
    )
    library = load_all([folder])
    assert library.last_day(library.pack("a")) == dt.date(2020, 2, 29)
    assert library.last_day(library.pack("b")) is None
    assert library.in_force("42", dt.date(2020, 2, 29)).value("observation.days").pack == "a"
    assert library.in_force("42", dt.date(2020, 3, 1)).value("observation.days").pack == "b"
    assert library.in_force("12", dt.date(2020, 3, 1)).value("observation.days").pack == "base"


def test_a_pack_inherits_from_the_one_it_extends_in_its_own_territory(tmp_path):
    import datetime as dt

    second = (
        'pack: b\nextends: a\ntitle: {zh: 乙, en: B}\nterritory: "42"\neffective: {from: 2020-03-01}\n'
        f"values:\n  observation.place: {{value: home, {GOOD}}}\n"
    )
    library = load_all([write(tmp_path, a=edition("a", "42", "from: 2020-01-01"), b=second)])
    policy = library.in_force("42", dt.date(2020, 4, 1))
    assert policy.id == "b+a@2020-03-01"
    assert policy.value("observation.days").pack == "a"


def test_included_files_belong_to_the_pack_and_keep_their_own_lines(tmp_path):
    (tmp_path / "loops").mkdir()
    (tmp_path / "loops/case.yaml").write_text("# a loop\nloops:\n  case:\n    label: x\n", encoding="utf-8")
    library = read_all([write(tmp_path, base=HEAD + "include: [loops/case.yaml]\n")])
    assert list(library.problems) == []
    loop = library.packs["base"].loops["case"]
    assert (loop.file.endswith("loops/case.yaml"), loop.line, loop.line_of(("label",))) == (True, 3, 4)
    found = problems_of(tmp_path, base=HEAD + "include: [loops/none.yaml, ../x.yaml]\n")
    assert "The included file loops/none.yaml does not exist." in found[0]
    assert "../x.yaml lies outside the folder of the pack." in found[1]


def test_a_broken_rule_is_named_with_its_place(tmp_path):
    rule = f"rules:\n  case.old: {{facts: case, expr: agee > 60, title: {{zh: 老, en: Old}}, {GOOD}}}\n"
    found = problems_of(tmp_path, base=HEAD + rule)
    assert found == [
        "base.yaml:5: rules.case.old.expr: There is no fact agee about a case. Nearest: age. "
        "(at character 1 of the expression)"
    ]


def test_a_list_of_times_must_have_as_many_as_the_number_a_day(tmp_path):
    text = (
        f"{HEAD}values:\n  observation.slots_per_day: {{value: 3, {GOOD}}}\n"
        f"  observation.slots: {{value: [09:00, 21:00], {GOOD}}}\n"
    )
    assert problems_of(tmp_path, base=text) == [
        "base.yaml:6: values.observation.slots: observation.slots lists 2 times, "
        "but observation.slots_per_day is 3 (from base)."
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "This is not YAML"),
        ("a: 1\na: 2", "a is given twice here."),
        ("a: !!python/object/apply:os.system [x]", ""),
        ("a: &x [*x]", "This anchor contains itself."),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line(text, said):
    document = read_text(text, file="f.yaml")
    if said:
        assert said in str(document.problems[0])
    else:
        assert document.data == {"a": ["x"]}  # a tag is not run


def test_on_and_no_are_words_and_a_time_is_text():
    data = read_text(
        "on: loop.opened\nanswer: no\nslot: 09:00\nday: 2020-02-29\nn: 12\nf: 37.3\nt: true"
    ).data
    assert data["on"] == "loop.opened"
    assert data["answer"] == "no"
    assert data["slot"] == "09:00"
    assert (str(data["day"]), data["n"], data["f"], data["t"]) == ("2020-02-29", 12, 37.3, True)
