"""`bihuan chains` on files: what is read, said and written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from bihuan.doors.cli import main

CASES = """编号,发病日期,报告日期,感染场所
甲,2020-02-01,2020-02-03,家庭
乙,2020-02-05,2020-02-07,聚餐
丙,2020-02-09,,聚餐
丁,,2020-02-10,
戊,2020-01-10,2020-01-20,
"""
LINKS = "from,to\n甲,乙\n乙,丙\n乙,丁\n丙,戊\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "cases.csv").write_text(CASES, "utf-8")
    (tmp_path / "links.csv").write_text(LINKS, "utf-8")
    return str(tmp_path / "cases.csv"), str(tmp_path / "links.csv")


def said(capsys, *words: str) -> dict:
    assert main.run(["chains", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_statistics_come_with_the_links_that_cannot_be(files, capsys):
    cases, links = files
    found = said(capsys, "stats", cases, "--links", links, "--lang", "zh")
    values = {row["measure"]: row["value"] for row in found["rows"]}
    assert (values["cases"], values["links"], values["chains"], values["largest"]) == (5, 4, 1, 4)
    assert values["serial interval mean"] == 4
    assert "丙 → 戊: 日期上不可能" in found["explained"]


def test_a_column_of_the_line_list_may_name_the_infector(tmp_path, capsys):
    path = tmp_path / "one.csv"
    path.write_text("id,onset,infected_by\na,2020-02-01,\nb,2020-02-05,a\nc,2020-02-06,zz\n", "utf-8")
    found = said(capsys, "stats", str(path), "--lang", "en")
    assert found["links"] == 1
    assert found["notes"] == ["1 links name a case that is not listed, or one case only; they are left out"]


def test_the_graph_is_written_for_network_programs_and_as_tables(files, tmp_path, capsys):
    cases, links = files
    table, net = tmp_path / "links.csv", tmp_path / "chains.graphml"
    said(capsys, "export", cases, "--links", links, "--out", str(net), "--out", str(table))
    rows = list(csv.DictReader(table.open(encoding="utf-8-sig")))
    assert [(row["infector"], row["infectee"], row["odd"]) for row in rows] == [
        ("甲", "乙", ""), ("乙", "丙", ""), ("乙", "丁", "no date"), ("丙", "戊", "impossible"),
    ]  # fmt: skip
    assert net.read_text("utf-8").count("<edge ") == 4


def test_a_picture_and_its_marks_are_drawn(files, tmp_path, capsys):
    cases, links = files
    path = tmp_path / "chains.png"
    said(capsys, "graph", cases, "--links", links, "--out", str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    marks = said(capsys, "graph", cases, "--links", links)["rows"]
    assert [(row["case"], row["parent"], row["generation"]) for row in marks[:4]] == [
        ("甲", None, 0), ("乙", 0, 1), ("丙", 1, 2), ("丁", 1, 2),
    ]  # fmt: skip


def test_infectors_come_with_their_support(files, capsys):
    cases, links = files
    found = said(capsys, "infectors", cases, "--links", links, "--generation", "4,2", "--incubation", "5,2")
    of = {row["case"]: row for row in found["rows"] if row["rank"] == 1}
    assert of["丙"]["infector"] in ("乙", "甲")
    assert 0 < of["丙"]["support"] <= 1
    assert len(found["notes"]) == 1


def test_infectors_are_sought_by_onsets_alone_where_no_links_are_told(files, capsys):
    cases, _links = files
    found = said(capsys, "infectors", cases, "--generation", "4,2", "--incubation", "5,2", "--lang", "en")
    of = {row["case"]: row["infector"] for row in found["rows"] if row["rank"] == 1}
    assert of["丙"] in ("甲", "乙")
    assert found["notes"] == ["1 cases without onset are left out"]


def test_a_link_of_somebody_not_listed_is_told_beside_the_infectors(tmp_path, capsys):
    path = tmp_path / "one.csv"
    path.write_text("id,onset,infected_by\na,2020-02-01,\nb,2020-02-05,a\nc,2020-02-06,zz\n", "utf-8")
    words = ("--generation", "4,2", "--incubation", "5,2", "--lang", "en")
    found = said(capsys, "infectors", str(path), *words)
    assert found["notes"] == ["1 links name a case that is not listed, or one case only; they are left out"]


def test_a_file_without_links_says_which_columns_there_are(tmp_path, capsys):
    path = tmp_path / "one.csv"
    path.write_text("id,onset\na,2020-02-01\n", "utf-8")
    assert main.run(["chains", "stats", str(path), "--lang", "en"]) == 2
    assert "has no column for infector; it has id, onset" in capsys.readouterr().err


def test_a_column_of_nothing_that_is_read_is_refused_with_what_there_is(files, capsys):
    cases, links = files
    words = ("stats", cases, "--links", links, "--column", "onsett=发病日期", "--lang", "en")
    assert main.run(["chains", *words]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "'onsett' is not read from cases.csv; there are id, onset, day" in told


def test_a_link_that_names_one_case_only_is_told(files, tmp_path, capsys):
    cases, _links = files
    half = tmp_path / "half.csv"
    half.write_text("from,to\n甲,乙\n甲,\n,乙\n,\n", "utf-8")
    found = said(capsys, "stats", cases, "--links", str(half), "--lang", "en")
    assert found["links"] == 1
    assert found["notes"] == ["2 links name a case that is not listed, or one case only; they are left out"]


@pytest.mark.parametrize("where", ["gone/chains.graphml", "chains.graphml/"])
def test_a_graph_that_cannot_be_written_is_refused_before_work_begins(files, tmp_path, capsys, where: str):
    cases, links = files
    (tmp_path / "chains.graphml").mkdir()
    words = ["chains", "export", cases, "--links", links, "--out", str(tmp_path / where)]
    assert main.run(words) == 2
    assert "→" in capsys.readouterr().err
