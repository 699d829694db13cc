"""Cells of line lists as dates, ages, sexes, codes and texts; what cannot be read says why."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.doors.exchange import parse, words
from bihuan.doors.exchange.fields import FIELDS
from bihuan.doors.exchange.findings import RULES, CellError
from bihuan.doors.exchange.parse import Bad, Column, Conventions, check_date, converter, parse_age, parse_date

JAN21 = dt.date(2020, 1, 21)


@pytest.mark.parametrize(
    "cell",
    [
        "2020-01-21",
        "2020-1-21",
        "2020/1/21",
        "2020/01/21",
        "2020.1.21",
        "2020. 01. 21",
        "2020,01,21",
        "2020年1月21日",
        "2020年01月21号",
        "２０２０年１月２１日",
        "20200121",
        20200121,
        "21.01.2020",
        "21.1.20",
        "21/01/2020",
        "01/21/2020",
        "21-1-2020",
        "21,01,2020",
        "21-Jan-20",
        "21 Jan 2020",
        "21st January 2020",
        "Jan 21, 2020",
        "January 21 2020",
        "21-ene-2020",
        "21 de enero de 2020",
        "2020-01-21T00:00",
        "2020-01-21 00:00:00",
        "2020-01-20T16:00:00Z",
        dt.date(2020, 1, 21),
        dt.datetime(2020, 1, 21),
        43851,
        43851.0,
        "43851",
        "43851.0",
    ],
)
def test_it_reads_one_day_in_every_form_met(cell):
    assert parse_date(cell, Conventions()) == JAN21


@pytest.mark.parametrize("cell", ["1月21日", "1月21", "21-Jan", "21Jan", "Jan 21", "1.21"])
def test_a_day_without_a_year_takes_the_year_of_the_mapping(cell):
    assert parse_date(cell, Conventions(year=2020)) == JAN21
    with pytest.raises(Bad) as bad:
        parse_date(cell, Conventions())
    assert bad.value.rule in ("date.no_year", "date.form")


def test_an_ambiguous_day_is_refused_until_the_mapping_decides():
    with pytest.raises(Bad) as bad:
        parse_date("03/02/2020", Conventions())
    assert bad.value.rule == "date.ambiguous"
    assert parse_date("03/02/2020", Conventions(day_first=True)) == dt.date(2020, 2, 3)
    assert parse_date("03/02/2020", Conventions(day_first=False)) == dt.date(2020, 3, 2)
    assert parse_date("03.02.2020", Conventions()) == dt.date(2020, 2, 3)


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("2020", "date.year_only"),
        (2020, "date.year_only"),
        ("2020年", "date.year_only"),
        ("2020-01", "date.month_only"),
        ("2020年1月", "date.month_only"),
        ("Jan 2020", "date.month_only"),
        ("2020-02-30", "date.calendar"),
        ("2020年13月1日", "date.calendar"),
        ("31.04.2020", "date.calendar"),
        ("23.01.2020 - 05.02.2020", "date.span"),
        ("22-Jan to 26-Jan", "date.span"),
        ("? to 23-Jan", "date.span"),
        ("1月21日至23日", "date.span"),
        ("end of December 2019", "date.vague"),
        ("pre 18.01.2020", "date.vague"),
        ("1月下旬", "date.vague"),
        ("2020年1月中旬", "date.vague"),
        ("2015_21", "date.vague"),
        ("290-Jan", "date.form"),
        ("发热", "date.form"),
        (17, "date.form"),
        (True, "date.form"),
    ],
)
def test_what_is_no_day_says_which_rule_it_breaks(cell, rule):
    with pytest.raises(Bad) as bad:
        parse_date(cell, Conventions(year=2020))
    assert bad.value.rule == rule


def test_a_time_of_day_is_kept_to_the_minute_in_the_zone_of_the_list():
    china = Conventions()
    assert parse_date("2020-01-21 14:30", china) == dt.datetime(2020, 1, 21, 14, 30)
    assert parse_date("2020年1月21日 14时30分", china) == dt.datetime(2020, 1, 21, 14, 30)
    assert parse_date("2020-01-21T14:30:00Z", china) == dt.datetime(2020, 1, 21, 22, 30)
    assert parse_date("2020-01-21T14:30:00-06:00", Conventions(timezone="America/Guatemala")) == dt.datetime(
        2020, 1, 21, 14, 30
    )
    assert parse_date(43851.5, china) == dt.datetime(2020, 1, 21, 12, 0)


def test_a_date_outside_the_era_or_after_the_as_of_day_is_refused():
    how = Conventions(era_from=dt.date(2019, 12, 1), era_to=dt.date(2020, 6, 30), as_of=dt.date(2020, 2, 5))
    assert check_date(JAN21, how) == JAN21
    for day, rule in (("2002-01-27", "date.era"), ("2020-12-31", "date.era"), ("2020-02-06", "date.later")):
        with pytest.raises(Bad) as bad:
            check_date(dt.date.fromisoformat(day), how)
        assert bad.value.rule == rule
    assert check_date(dt.datetime(2020, 2, 5, 23, 59), how)


@given(st.dates(dt.date(1900, 1, 1), dt.date(2100, 12, 31)))
def test_every_day_survives_every_way_of_writing_it(day):
    ways = [
        day.isoformat(),
        f"{day.year}年{day.month}月{day.day}日",
        f"{day.year}/{day.month}/{day.day}",
        f"{day.day:02}.{day.month:02}.{day.year}",
        f"{day:%Y%m%d}",
        day.strftime("%d %b %Y"),
        day,
    ]
    assert {parse_date(way, Conventions()) for way in ways} == {day}
    assert parse_date(f"{day.day}/{day.month}/{day.year}", Conventions(day_first=True)) == day


@given(st.one_of(st.text(max_size=40), st.integers(), st.floats(allow_nan=True), st.booleans(), st.none()))
def test_no_cell_makes_a_converter_fall(cell):
    for field in FIELDS.values():
        read = converter(Column("x", field, {}, frozenset()), Conventions(as_of=JAN21), label="x")
        value = read(cell)
        if isinstance(value, CellError):
            assert value.rule in RULES
            assert value.message
            assert value.hint is not None


@pytest.mark.parametrize(
    ("cell", "years"),
    [
        ("59", 59),
        (59, 59),
        (59.0, 59),
        ("59岁", 59),
        ("59 years", 59),
        ("59 y", 59),
        ("59 años", 59),
        ("0.5", 0.5),
        ("0,5", 0.5),
        ("8月", 8 / 12),
        ("8个月", 8 / 12),
        ("8 months", 8 / 12),
        ("3岁6个月", 3.5),
        ("0", 0),
        ("15天", 15 / 365.25),
    ],
)
def test_it_reads_ages_in_years_months_and_days(cell, years):
    assert parse_age(cell) == pytest.approx(years)


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("30s", "age.band"),
        ("60-69", "age.band"),
        ("40多岁", "age.band"),
        (">80", "age.band"),
        ("old", "age.form"),
        ("131", "age.range"),
        (-1, "age.range"),
        (True, "age.form"),
        ("-5", "age.form"),
    ],
)
def test_what_is_no_age_says_why(cell, rule):
    with pytest.raises(Bad) as bad:
        parse_age(cell)
    assert bad.value.rule == rule


def read(key, cell, values=None, missing=()):
    column = Column(
        "c", FIELDS[key], {words.plain(k): v for k, v in (values or {}).items()}, frozenset(missing)
    )
    return converter(column, Conventions(), label=key)(cell)


@pytest.mark.parametrize(
    ("cell", "sex"),
    [
        ("男", "M"),
        ("女性", "F"),
        ("FEMENINO", "F"),
        ("Masculino", "M"),
        ("male", "M"),
        ("f", "F"),
        ("SIN DATOS", None),
    ],
)
def test_it_reads_sexes_in_three_languages(cell, sex):
    assert read("person.sex", cell) == sex


@pytest.mark.parametrize(
    ("key", "cell", "value"),
    [
        ("case.classification", "确诊病例", "confirmed"),
        ("case.classification", "SOSPECHOSO", "suspected"),
        ("case.classification", "NO ES UN CASO (DESCARTADO)", "discarded"),
        ("case.severity", "危重型", "critical"),
        ("case.outcome", "Fallecido", "died"),
        ("case.sample_result", "阳性", "positive"),
        ("contact.final_status", "Perdido durante el seguimiento", "lost"),
        ("contact.exposure", "Vive en el mismo lugar", "household"),
        ("contact.reachable", "NO CONTACTABLE", False),
        ("case.severity", "未分型", None),
    ],
)
def test_it_reads_code_lists_in_three_languages(key, cell, value):
    assert read(key, cell) == value


def test_an_unknown_code_names_the_allowed_ones():
    error = read("case.classification", "maybe")
    assert isinstance(error, CellError)
    assert error.rule == "code.unknown"
    assert "confirmed" in error.hint


def test_values_of_the_mapping_win_over_the_usual_words():
    assert read("case.sample_result", "1", {"1": "positive"}) == "positive"
    assert read("case.outcome", "Vivo", {"Vivo": ""}) is None


def test_text_is_kept_as_plain_text_even_if_it_looks_like_a_formula():
    assert read("case.source_text", "=HYPERLINK(1)") == "=HYPERLINK(1)"
    assert read("case.source_text", "a\r\nb\x07\u202ec") == "a b c"
    assert read("case.source_text", "x" * 1001).rule == "text.length"


def test_a_name_needs_a_letter():
    assert read("person.name", " 张　三 ") == "张 三"
    assert read("person.name", "12345").rule == "name.form"


def test_numbers_of_documents_and_phones_are_never_repeated_in_a_finding():
    for key, cell in (("person.id_number", "42010619990230123X"), ("person.phone", "12")):
        error = read(key, cell)
        assert isinstance(error, CellError)
        assert cell not in f"{error.as_json()} {error.message} {error.hint}"


def test_a_finding_survives_the_ledger():
    error = read("case.date_onset", "2020")
    assert CellError.from_json(error.as_json()) == error
    assert "2020" in error.message


def test_a_converter_remembers_without_mixing_up_kinds():
    convert = converter(Column("c", FIELDS["case.date_onset"], {}, frozenset()), Conventions(), label="x")
    assert [convert("2020-01-21"), convert("x"), convert("2020-01-21")][::2] == [JAN21, JAN21]
    assert parse.shown("x" * 500, FIELDS["case.date_onset"]) == "x" * 120
