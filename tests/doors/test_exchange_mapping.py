"""Mappings: checked with file, line and key; guessed from words and cells; shipped for known lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from bihuan.doors.exchange import mapping
from bihuan.doors.exchange.errors import MappingError
from bihuan.doors.exchange.guess import guess
from bihuan.doors.exchange.reader import open_table

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = sorted((ROOT / "packs" / "mappings").glob("*.yaml"))
GOOD = """mapping: test
kind: linelist
list: test-list
columns:
  编号: {field: case.local_id}
  性别: {field: person.sex, values: {甲: M}}
  死亡: {field: case.date_outcome, implies: {case.outcome: died}}
constants: {case.classification: confirmed}
dates: {day_first: true, era: {from: 2019-12-01, to: 2020-06-30}}
territory: {constant: "12", names: {天津: "12"}}
"""


def faults(text):
    with pytest.raises(MappingError) as wrong:
        mapping.loads(text, name="bad.yaml")
    return wrong.value.errors


def test_a_mapping_reads_back_as_it_was_written():
    built = mapping.loads(GOOD)
    assert mapping.loads(mapping.dumps(built)) == built


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_every_shipped_mapping_is_sound_and_reads_back(path):
    built = mapping.load(path)
    again = mapping.loads(mapping.dumps(built))
    assert again.columns == built.columns
    assert (again.kind, again.list_id, again.territory) == (built.kind, built.list_id, built.territory)


@pytest.mark.parametrize(
    ("change", "line", "key", "way_out"),
    [
        (("kind: linelist", "kind: list"), 2, "kind", "linelist"),
        (("field: case.local_id", "field: case.localid"), 5, "columns.编号.field", "case.local_id"),
        (("甲: M", "甲: X"), 6, "columns.性别.values.甲", "F, M"),
        (("case.outcome: died", "case.outcome: gone"), 7, "columns.死亡.implies.case.outcome", "died"),
        (("constants: {case.classification: confirmed}", ""), 4, "columns", "constants"),
        (("day_first: true", "day_first: maybe"), 9, "dates.day_first", ""),
        (("from: 2019-12-01", "from: 2021-12-01"), 9, "dates.era", ""),
        (('constant: "12"', "constant: 12"), 10, "territory.constant", ""),
        (("territory:", "teritory:"), 10, "teritory", "territory"),
    ],
)
def test_a_wrong_mapping_names_file_line_key_and_way_out(change, line, key, way_out):
    found = faults(GOOD.replace(*change))
    assert (found[0]["line"], found[0]["field"]) == (line, key)
    assert found[0]["message"].startswith(f"bad.yaml:{line}: ")
    assert way_out in found[0]["hint"]


def test_every_fault_is_listed_at_once():
    assert (
        len(
            faults(
                GOOD.replace("person.sex", "person.sox")
                .replace("甲: M", "甲: Q")
                .replace("kind: l", "kind: x")
            )
        )
        >= 2
    )


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b", "a: &x 1\nb: *x", "a: [", "\x00"])
def test_what_is_no_mapping_is_refused(text):
    assert faults(text)


def table(tmp_path, text):
    path = tmp_path / "cases.csv"
    path.write_text(text, encoding="utf-8")
    return open_table(path)


def test_a_mapping_finds_its_columns_whatever_their_case_and_spacing(tmp_path):
    built = mapping.loads(GOOD)
    found, notes = mapping.bind(built, table(tmp_path, "备注, 性 别,编号 ,死亡\nx,甲,1,\n"))
    assert found == {"编号": 2, "性别": 1, "死亡": 3}
    assert any("备注" in note for note in notes)


def test_a_missing_column_is_an_error_only_if_the_row_needs_it(tmp_path):
    built = mapping.loads(GOOD + "required: [case.local_id]\n")
    with pytest.raises(MappingError) as wrong:
        mapping.bind(built, table(tmp_path, "号码,性别,死亡\n1,甲,\n"))
    assert "编号" in wrong.value.errors[0]["message"]
    _found, notes = mapping.bind(built, table(tmp_path, "编号,性别\n1,甲\n"))
    assert any("死亡" in note for note in notes)


CHINESE = """病例编号,姓名,性别,年龄,身份证号,联系电话,现住址,发病日期,确诊日期,临床分型,转归
1,张三,男,45,,13912345678,某街道1号,1月20日,2020-01-25,普通型,治愈
2,李四,女,30,,13912345679,某街道2号,1月22日,2020-01-26,重型,在院
"""
SPANISH = """Número de caso;Sexo;Edad;Fecha de inicio de síntomas;Fecha de notificación;Clasificación
1;Femenino;40;13/08/2020;14/08/2020;Sospechoso
2;Masculino;41;05/08/2020;06/08/2020;Confirmado
"""


def fields(built):
    return {c.header: c.fields[0] for c in built.columns if c.fields}


def test_it_guesses_a_chinese_line_list(tmp_path):
    built = guess(table(tmp_path, CHINESE))
    assert built.kind == "linelist"
    assert fields(built) == {
        "病例编号": "case.local_id",
        "姓名": "person.name",
        "性别": "person.sex",
        "年龄": "person.age",
        "身份证号": "person.id_number",
        "联系电话": "person.phone",
        "现住址": "person.address",
        "发病日期": "case.date_onset",
        "确诊日期": "case.date_confirmation",
        "临床分型": "case.severity",
        "转归": "case.outcome",
    }
    assert built.year == 2020
    assert dict(built.columns[9].values) == {"普通型": "moderate", "重型": "severe"}
    assert all(0 < c.confidence <= 1 and c.reason for c in built.columns)


def test_it_guesses_a_spanish_line_list_and_that_days_come_first(tmp_path):
    built = guess(table(tmp_path, SPANISH))
    assert fields(built) == {
        "Número de caso": "case.local_id",
        "Sexo": "person.sex",
        "Edad": "person.age",
        "Fecha de inicio de síntomas": "case.date_onset",
        "Fecha de notificación": "case.date_report",
        "Clasificación": "case.classification",
    }
    assert built.day_first is True


def test_a_guess_is_a_mapping_that_is_accepted(tmp_path):
    for text in (CHINESE, SPANISH):
        text = mapping.dumps(guess(table(tmp_path, text)))
        assert mapping.loads(text).columns


def test_cells_outweigh_a_misleading_header(tmp_path):
    built = guess(table(tmp_path, "id,onset,sex\n1,fever,40\n2,cough,41\n3,none,42\n"))
    assert "case.date_onset" not in fields(built).values()
    assert "person.sex" not in fields(built).values()


def test_it_tells_contacts_and_links_from_cases(tmp_path):
    assert guess(table(tmp_path, "from,to\nA1,A2\nA1,A3\n")).kind == "links"
    contacts = guess(
        table(
            tmp_path, "密接编号,关联病例编号,姓名,末次接触日期\nM1,1,王五,2020-01-20\nM2,1,赵六,2020-01-21\n"
        )
    )
    assert contacts.kind == "contacts"
    assert fields(contacts)["关联病例编号"] == "contact.case_id"
    assert fields(contacts)["末次接触日期"] == "contact.date_last_exposure"


@pytest.mark.parametrize(
    ("folder", "file", "kind"),
    [
        ("linelist_tianjin_2020", "linelist.csv", "linelist"),
        ("linelist_tianjin_2020", "contacts.csv", "links"),
        ("linelist_mers_korea_2015", "linelist.csv", "linelist"),
        ("linelist_mers_korea_2015", "contacts.csv", "links"),
        ("linelist_guatemala_followup_2020", "cases.csv", "linelist"),
        ("linelist_guatemala_followup_2020", "contacts.csv", "contacts"),
        ("linelist_china_trajectories", "cases.csv", "linelist"),
        ("linelist_china_trajectories", "links.csv", "links"),
        ("linelist_ebola_sim_2014", "contacts.csv", "links"),
        ("linelist_bets_2020", "linelist.csv", "linelist"),
    ],
)
def test_it_guesses_real_lists(shared, folder, file, kind):
    path = shared / "data" / folder / file
    if not path.is_file():
        pytest.skip(f"{folder}/{file} is not among the input data")
    built = guess(open_table(path))
    assert built.kind == kind
    assert mapping.loads(mapping.dumps(built)).kind == kind
    used = [f for c in built.columns for f in c.fields]
    assert len(used) == len(set(used))
