"""`bihuan trace` on files: who was there, from a store of entry records; nobody's identity comes out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from bihuan.doors.cli import main

VISITS = """event,person,place,start,end
1,ANNA,cafe,2020-02-08 09:00,2020-02-08 10:00
2,BERT,cafe,2020-02-08 09:30,2020-02-08 10:30
3,BERT,bus,2020-02-08 18:00,2020-02-08 18:20
4,CARL,bus,2020-02-08 18:10,2020-02-08 18:40
5,DORA,park,2020-02-08 09:00,2020-02-08 10:00
"""


@pytest.fixture
def home(tmp_path: Path, settings, capsys):
    settings.BIHUAN_HOME = str(tmp_path)
    (tmp_path / "visits.csv").write_text(VISITS, "utf-8")
    assert main.run(["visits", "ingest", str(tmp_path / "visits.csv"), "--json"]) == 0
    capsys.readouterr()
    return tmp_path


def asked(capsys, *words: str) -> dict:
    assert main.run(["trace", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def cases(home: Path, text: str) -> str:
    path = home / "cases.csv"
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize("engine", ["index", "duckdb"])
def test_the_contact_and_the_contact_of_the_contact_are_found(home: Path, capsys, engine: str):
    file = cases(home, "person,onset\nanna,2020-02-09\n")
    found = asked(capsys, "--cases", file, "--second-order", "--engine", engine, "--lang", "en")
    assert [(r["order"], r["minutes"], r["status"]) for r in found["rows"]] == [
        (1, 30, "candidate"),
        (2, 10, "candidate"),
    ]
    said = json.dumps(found)
    assert not any(name in said for name in ("ANNA", "BERT", "CARL", "DORA"))
    assert "until a person confirms" in said


def test_a_keyed_number_asks_as_the_identity_does(home: Path, capsys):
    by_name = asked(capsys, "--cases", cases(home, "person,from,to\nBERT,2020-02-08,2020-02-08\n"))
    number = asked(capsys, "place", "cafe", "--from", "2020-02-08", "--to", "2020-02-08")["rows"][1]
    by_number = asked(
        capsys,
        "--cases",
        cases(home, f"keyed_number,from,to\n{number['keyed_number']},2020-02-08,2020-02-08\n"),
    )
    assert by_name["rows"] == by_number["rows"]
    assert len(by_name["rows"]) == 2


def test_a_file_with_numbers_of_cases_beside_is_read_by_who_they_are(home: Path, capsys):
    plain = asked(capsys, "--cases", cases(home, "person,from\nANNA,2020-02-08\n"))
    listed = asked(capsys, "--cases", cases(home, "id,case_id,person,onset,from\n1,A-7,ANNA,,2020-02-08\n"))
    assert listed["rows"] == plain["rows"] != []


def test_every_encounter_is_told_in_both_languages(home: Path, capsys):
    file = cases(home, "person,from\nANNA,2020-02-08\n")
    assert (
        "30 minutes together" in asked(capsys, "--cases", file, "--why", "1", "--lang", "en")["explained"][1]
    )
    assert "同处 30 分钟" in asked(capsys, "--cases", file, "--why", "1", "--lang", "zh")["explained"][1]


def test_a_file_is_written_whole_and_by_its_suffix(home: Path, capsys):
    out = home / "found.csv"
    asked(capsys, "--cases", cases(home, "person,from\nANNA,2020-02-08\n"), "--out", str(out))
    with out.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [(r["order"], r["rank"], r["minutes"]) for r in rows] == [("1", "1", "30")]


def test_common_places_are_listed(home: Path, capsys):
    file = cases(home, "person,onset\nANNA,2020-02-09\nBERT,2020-02-09\n")
    found = asked(capsys, "common", "--cases", file)
    assert [(r["place"], r["from"], r["n_cases"]) for r in found["rows"]] == [
        ("cafe", "2020-02-08 09:00", 2),
        ("cafe", "2020-02-08 10:00", 2),
    ]


def test_a_case_the_store_never_saw_is_said_by_her_record(home: Path, capsys):
    found = asked(capsys, "--cases", cases(home, "person,from\nEMIL,2020-02-08\n"), "--lang", "en")
    assert found["rows"] == []
    assert "1 cases were never seen" in found["notes"][0]
    assert "EMIL" not in json.dumps(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,when\nx,y\n", "needs a column person"),
        ("person,from\nANNA,soon\n", "has no time such as"),
        ("person,from,to\nANNA,2020-02-09,2020-02-08\n", "ends before it begins"),
        ("person,from\n,2020-02-09\n", "says nobody"),
        ("keyed_number,from\nxyz,2020-02-09\n", "hexadecimal"),
        ("keyed_number,from\n-1,2020-02-09\n", "hexadecimal"),
        ("keyed_number,from\n1_0,2020-02-09\n", "hexadecimal"),
        ("keyed_number,from\n00000000000000001,2020-02-09\n", "hexadecimal"),
        ("person,onset\nANNA,0001-01-01T00:00+14:00\n", "has no time such as"),
        ("person,from,to\nANNA,2020-02-09,9999-12-31T23:00-14:00\n", "has no time such as"),
        ("person,from,onset\nANNA,,\n", "neither from nor onset"),
    ],
)
def test_what_cannot_be_read_is_named_without_naming_a_person(home: Path, capsys, text: str, said: str):
    assert main.run(["trace", "--cases", cases(home, text), "--lang", "en"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "ANNA" not in error


def test_without_cases_or_with_an_unknown_place_it_says_what_is_missing(home: Path, capsys):
    assert main.run(["trace", "--lang", "en"]) == 2
    assert "--cases FILE" in capsys.readouterr().err
    assert (
        main.run(["trace", "place", "moon", "--from", "2020-02-08", "--to", "2020-02-08", "--lang", "en"])
        == 2
    )
    said = capsys.readouterr().err
    assert "knows no place" in said
    assert "such as" not in said


def test_weights_of_places_nobody_knows_are_told_and_two_of_one_place_are_refused(home: Path, capsys):
    file, weights = cases(home, "person,from\nANNA,2020-02-08\n"), home / "weights.csv"
    weights.write_text("place,weight\ncafe,2\nmoon,3\n", "utf-8")
    found = asked(capsys, "--cases", file, "--weights", str(weights), "--lang", "en")
    assert "1 weights are of places the store does not know" in found["notes"][-1]
    assert found["rows"][0]["score_minutes"] == 60
    weights.write_text("place,weight\ncafe,2\ncafe,3\n", "utf-8")
    assert main.run(["trace", "--cases", file, "--weights", str(weights), "--lang", "en"]) == 2
    assert "weighs 'cafe' twice" in capsys.readouterr().err


def test_a_place_called_almost_so_is_named(home: Path, capsys):
    day = ["--from", "2020-02-08", "--to", "2020-02-08", "--lang", "en"]
    for asked_for in ("Cafe", "caf", "the cafe"):
        assert main.run(["trace", "place", asked_for, *day]) == 2
        assert "such as 'cafe'" in " ".join(capsys.readouterr().err.split())


def test_a_time_no_calendar_has_on_the_clock_of_the_store_is_refused(home: Path, capsys):
    words = ["--from", "0001-01-01T00:00+14:00", "--to", "2020-02-08", "--lang", "en"]
    assert main.run(["trace", "place", "cafe", *words]) == 2
    assert "is no time such as" in capsys.readouterr().err


def test_an_empty_list_says_which_days_were_asked_and_which_are_held(home: Path, capsys):
    file = cases(home, "person,from,to\nANNA,2020-03-01,2020-03-02\n")
    for words in (["--cases", file], ["common", "--cases", file]):
        found = asked(capsys, *words, "--lang", "en")
        assert found["rows"] == []
        assert "between 2020-03-01 00:00 and " in found["notes"][0]
        assert "holds 2020-02-08 – 2020-02-08" in found["notes"][0]


def test_what_a_list_of_cases_alone_cannot_tell_is_said_without_advice_already_taken(home: Path, capsys):
    file = cases(home, "person,onset\nANNA,2020-02-09\nBERT,2020-02-09\nCARL,2020-02-09\n")
    by_chance = asked(capsys, "common", "--cases", file, "--lang", "en")
    by_cases = asked(capsys, "common", "--cases", file, "--sort", "cases", "--lang", "en")
    assert "use --sort cases" in by_chance["notes"][-1]
    assert "tell nothing" in by_cases["notes"][-1]
    assert "--sort" not in by_cases["notes"][-1]


def test_figures_of_a_trace_are_called_in_chinese(home: Path, capsys):
    file = cases(home, "person,onset\nANNA,2020-02-09\n")
    assert main.run(["trace", "--cases", file, "--lang", "zh"]) == 0
    out = capsys.readouterr().out
    assert "候选人数 1" in out
    assert "candidates" not in out
    assert main.run(["trace", "common", "--cases", file, "--any-time", "--lang", "zh"]) == 0
    assert "None" not in capsys.readouterr().out


DIARIES = """reporter,contact,told
ANNA,BERT,long
BERT,ANNA,long
BERT,CARL,short
BERT,DORA,short
CARL,EMIL,short
CARL,CARL,short
"""


def diaries(home: Path, text: str = DIARIES) -> str:
    path = home / "diaries.csv"
    path.write_text(text, "utf-8")
    return str(path)


DAY = ("--from", "2020-02-08", "--to", "2020-02-08")


def test_what_was_recalled_is_held_against_what_was_recorded(home: Path, capsys):
    found = asked(capsys, "recalled", "--diaries", diaries(home), *DAY, "--minutes", "15,60", "--lang", "en")
    assert (found["writers"], found["entries"], found["strangers"]) == (3, 6, 2)
    assert [tuple(row.values()) for row in found["rows"]] == [
        ("records", "0–14", 2, 1, 0.5, 10),  # bus: Bert named Carl, Carl did not name Bert
        ("records", "15–59", 2, 2, 1, 30),
        ("records", "60+", 0, 0, None, None),
        ("diaries", "long", 2, 2, 1, 30),
        ("diaries", "short", 2, 1, 0.5, 10),  # Dora was in the park, alone
    ]
    assert not any(name in json.dumps(found) for name in ("ANNA", "BERT", "CARL", "DORA"))


def test_only_records_of_the_time_the_diaries_tell_of_count(home: Path, capsys):
    found = asked(
        capsys,
        *("recalled", "--diaries", diaries(home), "--from", "2020-02-08 17:00", "--to", "2020-02-08 23:00"),
    )
    assert (found["writers"], found["strangers"]) == (2, 5)
    assert sum(row["contacts"] for row in found["rows"] if row["of"] == "records") == 2


def test_diaries_in_other_words_are_told_which_column_is_which(home: Path, capsys):
    file = diaries(home, "from_whom,met\nANNA,BERT\n")
    assert main.run(["trace", "recalled", "--diaries", file, *DAY, "--lang", "en"]) == 2
    assert "--map COLUMN=reporter" in " ".join(capsys.readouterr().err.split())
    told = asked(
        capsys, "recalled", "--diaries", file, *DAY, "--map", "from_whom=reporter", "--map", "met=contact"
    )
    assert told["rows"][-1] == {
        "of": "diaries", "class": "", "contacts": 1, "known": 1, "share": 1.0, "median_minutes": 30.0
    }  # fmt: skip


@pytest.mark.parametrize("minutes", ["", "0,5", "15,5", "5,5", "x"])
def test_classes_begin_one_after_the_other(home: Path, capsys, minutes: str):
    words = ("recalled", "--diaries", diaries(home), *DAY, "--minutes", minutes)
    assert main.run(["trace", *words, "--lang", "en"]) == 2
