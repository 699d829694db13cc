"""`bihuan visits`: what is taken, said, proven and deleted; and how refusals look. No database."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from bihuan.doors.cli.main import run

Said = tuple[int, str, str]
ID = "42032219900101001X"
TABLE = (
    "记录编号,身份证号,场所码,扫码时间,离开时间,体温\n"
    f"1,{ID},P1,2020/2/5 8:03,2020/2/5 9:10,36.5\n"
    f"2,{ID},P1,2020/2/6 8:03,,97\n"
    f"3,{ID},,2020/2/6 8:03,,\n"
    f"4,{ID},P1,=1+1,,\n"
)


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    settings.BIHUAN_HOME = tmp_path / "home"
    return tmp_path / "home"


@pytest.fixture
def bihuan(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`bihuan visits WORDS`: exit code, what stood on stdout, what on stderr."""

    def call(*words: object) -> Said:
        capsys.readouterr()
        code = run(["visits", *(str(word) for word in words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "gate.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_ingest_counts_every_row_and_says_where_the_key_lies(bihuan, home, table, tmp_path):
    ledger = tmp_path / "rejected.csv"
    code, out, err = bihuan("ingest", table, "--rejected", ledger, "--json")
    assert code == 0, err
    said = json.loads(out)
    assert (said["rows"], said["added"], said["duplicate"], said["rejected"]) == (4, 2, 0, 2)
    assert said["rows"] == said["added"] + said["duplicate"] + said["rejected"]
    assert said["columns"]["gate.csv"]["person"] == "身份证号"
    assert said["unread_temperatures"] == 1
    key = Path(said["key"])
    assert said["key_made"]
    assert key == home / "secrets" / "visits.key"
    assert key.stat().st_mode & 0o777 == 0o600
    with ledger.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["reason"], row["said"]) for row in rows] == [
        ("4", "no-place", ""),
        ("5", "bad-start", "'=1+1"),
    ]
    assert ID not in ledger.read_text(encoding="utf-8") + out
    again = json.loads(bihuan("ingest", table, "--json")[1])
    assert (again["added"], again["duplicate"], again["key_made"]) == (0, 2, False)


def test_ingest_tells_people_in_chinese_what_to_do(bihuan, home, table):
    code, out, err = bihuan("ingest", table, "--lang", "zh")
    assert code == 0, err
    assert "缺少场所" in out
    assert str(home / "visits") in out.replace("\n", "")


def test_a_column_nobody_knows_is_named_by_map(bihuan, home, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text(f"谁,哪里,何时\n{ID},P1,2020-02-05 08:03\n", encoding="utf-8")
    code, _out, err = bihuan("ingest", path, "--lang", "en")
    assert code == 2
    assert "--map COLUMN=person" in err.replace("\n", "")
    code, out, _err = bihuan(
        "ingest", path, "--map", "谁=person", "--map", "哪里=place", "--map", "何时=start", "--json"
    )
    assert (code, json.loads(out)["added"]) == (0, 1)


def test_stats_compact_and_verify_say_what_is_held(bihuan, home, table):
    bihuan("ingest", table)
    said = json.loads(bihuan("stats", "--json")[1])
    assert (said["stays"], said["days"], said["people"], said["places"]) == (2, 2, 1, 1)
    assert (said["first_day"], said["last_day"], said["receipt_bytes"]) == ("2020-02-05", "2020-02-06", 16)
    assert json.loads(bihuan("compact", "--json")[1])["segments"] == 2
    assert json.loads(bihuan("stats", "--json")[1])["receipt_bytes"] == 0
    assert json.loads(bihuan("ingest", table, "--json")[1])["added"] == 0
    assert bihuan("verify", "--json")[0] == 0


def test_a_damaged_index_is_named_and_made_again(bihuan, home, table):
    bihuan("ingest", table)
    path = sorted((home / "visits").glob("day-*/*.index"))[0]
    raw = bytearray(path.read_bytes())
    raw[-20] ^= 1
    path.write_bytes(raw)
    code, out, err = bihuan("verify", "--json")
    assert code == 0, err
    assert json.loads(out)["index_made_again"] == [str(path)]
    assert json.loads(bihuan("verify", "--json")[1])["index_made_again"] == []


def test_a_damaged_file_is_named_and_set_aside(bihuan, home, table):
    bihuan("ingest", table)
    victim = sorted((home / "visits").glob("day-2020-02-05/*-place.parquet"))[0]
    victim.write_bytes(victim.read_bytes()[:-5])
    code, out, _err = bihuan("verify", "--json")
    assert (code, json.loads(out)["damaged"]) == (1, [str(victim)])
    assert bihuan("verify", "--set-aside")[0] == 1
    assert bihuan("verify")[0] == 0
    assert json.loads(bihuan("stats", "--json")[1])["stays"] == 1


def test_forgotten_days_are_gone_and_do_not_come_back(bihuan, home, table):
    bihuan("ingest", table)
    code, out, err = bihuan("forget", "--before", "2020-02-06", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert (said["days"], said["stays"], said["people"]) == (1, 1, 0)
    assert not list((home / "visits").glob("**/day-2020-02-05*"))
    assert json.loads(Path(said["record"]).read_text())["before"] == "2020-02-06"
    again = json.loads(bihuan("ingest", table, "--json")[1])
    assert (again["added"], again["reasons"]["forgotten"]) == (0, 1)
    assert bihuan("forget", "--before", "2099-01-01")[0] == 2


def test_a_later_list_of_deletions_is_carried_to_a_restored_store(bihuan, home, table, tmp_path):
    bihuan("ingest", table)
    shutil.copytree(home / "visits", tmp_path / "restored")
    bihuan("forget", "--before", "2020-02-06")
    listed = json.loads(bihuan("deletions", "--json")[1])
    assert [one["before"] for one in listed["deletions"]] == ["2020-02-06"]
    assert listed["list"] == str(home / "visits.deletions")
    there = ("--store", tmp_path / "restored")
    assert json.loads(bihuan("stats", *there, "--json")[1])["stays"] == 2
    said = json.loads(bihuan("deletions", listed["list"], *there, "--json")[1])
    assert (said["added"], said["days"], said["stays"]) == (1, 1, 1)
    assert json.loads(bihuan("stats", *there, "--json")[1])["stays"] == 1
    bihuan("forget", "--before", "2020-02-07", *there)
    code, _out, err = bihuan("deletions", listed["list"], *there)
    assert code == 2
    assert "比此处的清单旧" in err


def test_a_store_without_its_key_makes_no_other_key(bihuan, home, table):
    bihuan("ingest", table)
    (home / "secrets" / "visits.key").unlink()
    code, _out, err = bihuan("ingest", table, "--lang", "en")
    assert code == 2
    assert "restore it from a backup" in err.replace("\n", " ")
    assert not (home / "secrets" / "visits.key").exists()


def test_no_way_in_makes_another_key_for_a_store_that_lost_its_own(bihuan, home, tmp_path, table):
    bihuan("ingest", table)
    (home / "secrets" / "visits.key").unlink()
    near = tmp_path / "near.csv"
    near.write_text("i,j,t\n1,2,40\n", "utf-8")
    code, _out, err = bihuan("ingest-near", near, "--map", "i=person", "--map", "j=other", "--map", "t=time")
    assert (code, "密钥" in err) == (2, True)
    stays = tmp_path / "stays.csv"
    stays.write_text("person,place,start\n1,A,2020-02-05\n", "utf-8")
    assert bihuan("ingest-days", stays, "--store", tmp_path / "stays")[0] == 0
    (home / "secrets" / "visits.key").unlink()
    assert bihuan("ingest-days", stays, "--store", tmp_path / "stays")[0] == 2
    assert not (home / "secrets" / "visits.key").exists()


def test_what_is_no_store_is_said_to_be_none(bihuan, home):
    code, _out, err = bihuan("stats", "--json")
    assert code == 2
    assert json.loads(err)["error"]["code"] == "epi"


def test_the_key_is_told_even_where_the_first_file_cannot_be_read(bihuan, home, tmp_path, table):
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("person\n1\n", encoding="utf-8")
    code, _out, err = bihuan("ingest", wrong, "--lang", "en")
    assert code == 2
    assert f"Key made: {home / 'secrets' / 'visits.key'}" in err
    assert "Key made" not in bihuan("ingest", table, "--lang", "en")[2]


def test_rows_not_taken_are_told_by_reason_and_counted(bihuan, home, tmp_path):
    path = tmp_path / "gate.csv"
    bad = "".join(f"1,,2020-02-05 08:{n:02d}\n" for n in range(30))
    path.write_text(f"person,place,start\n{bad}1,P1,soon\n", encoding="utf-8")
    code, out, _err = bihuan("ingest", path, "--lang", "en")
    assert code == 0
    assert "no place is named" in out
    assert "gate.csv, row 2, 3, 4" in out
    assert "soon" in out
    assert out.count("no place is named") == 1


def test_stays_of_several_days_are_not_called_rows(bihuan, tmp_path, home):
    path = tmp_path / "stays.csv"
    path.write_text("person,place,start,end\n1,P1,2020-02-05,2020-02-07\n2,,2020-02-05,\n", encoding="utf-8")
    out = bihuan("ingest-days", path, "--store", tmp_path / "days", "--lang", "en")[1]
    assert "2 rows, 1 rejected; the others hold 3 new stays and 0 that were there already." in out


def test_compact_leaves_one_part_a_day(bihuan, home, tmp_path):
    for n in range(3):
        path = tmp_path / f"{n}.csv"
        path.write_text(f"person,place,start\n{n},P1,2020-02-05 08:03\n", encoding="utf-8")
        bihuan("ingest", path)
    assert json.loads(bihuan("stats", "--json")[1])["segments"] == 3
    assert json.loads(bihuan("compact", "--json")[1]) == {"days": 1, "segments": 1}


def test_figures_are_told_in_the_language_of_who_reads(bihuan, home, table):
    bihuan("ingest", table)
    for words in (["stats"], ["compact"], ["forget", "--before", "2020-02-01"]):
        keys = json.loads(bihuan(*words, "--json")[1])
        with translation.override("en"):
            english = bihuan(*words)[1]
        assert [key for key in keys if key not in english] == []
        with translation.override("zh-hans"):
            chinese = bihuan(*words)[1]
            told = {key: translation.pgettext("figure", key) for key in keys}
        assert [key for key, word in told.items() if word == key or word not in chinese] == []


def test_what_the_system_refuses_is_told_without_a_fault_of_ours(bihuan, home, table, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    code, _out, err = bihuan("ingest", table, "--store", tmp_path / "file" / "store")
    assert code == 2
    assert "file" in err
    full = Path("/dev/full")
    if full.exists():
        code, _out, err = bihuan("ingest", table, "--rejected", full, "--json")
        assert (code, json.loads(err.splitlines()[-1])["error"]["code"]) == (2, "file")
        assert "No space left" in err


def test_the_clock_of_a_store_is_that_of_its_first_day(bihuan, home, table, tmp_path):
    assert bihuan("ingest", table, "--utc-offset", "60", "--json")[0] == 0
    for more in ([], ["--utc-offset", "60"]):
        assert json.loads(bihuan("ingest", table, *more, "--json")[1])["added"] == 0
    code, _out, err = bihuan("ingest", table, "--utc-offset", "480", "--lang", "en")
    assert code == 2
    assert "the clock of this store is 60 minutes ahead of UTC, not 480" in " ".join(err.split())
    assert bihuan("ingest-days", table, "--store", tmp_path / "days", "--utc-offset", "540")[0] == 0
    assert bihuan("ingest-days", table, "--store", tmp_path / "days", "--utc-offset", "480")[0] == 2
