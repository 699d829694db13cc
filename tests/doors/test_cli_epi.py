"""`bihuan epi` and `bihuan oracles`: what is read, said and written, and how refusals look. No database."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bihuan import epi
from bihuan.doors.cli.epi.output import Progress
from bihuan.doors.cli.main import run
from bihuan.epi.tables import Wanted, read_columns

ROOT = Path(__file__).resolve().parents[2]
PNG = b"\x89PNG"
Said = tuple[int, str, str]


@pytest.fixture
def bihuan(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`bihuan WORDS`: exit code, what stood on stdout, what on stderr."""

    def call(*words: object) -> Said:
        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def weekly(tmp_path: Path) -> Path:
    """Two quiet series of four years, one with an outbreak in its newest week."""
    random = np.random.default_rng(7)
    counts = random.poisson(6, (2, 208))
    counts[0, -1] = 40
    days = _mondays(208)
    path = tmp_path / "weekly.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("date,county,count,outbreak\n")
        for i, name in enumerate(("张湾区", "茅箭区")):
            for t in range(208):
                file.write(f"{days[t]},{name},{counts[i, t]},{int(i == 0 and t == 207)}\n")
    return path


def _mondays(n: int) -> np.ndarray:
    return np.datetime64("2016-01-04") + np.arange(n) * np.timedelta64(7, "D")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# --- detect ------------------------------------------------------------------------------------------


def test_detect_writes_every_form_it_is_asked_for_and_explains_the_alarm(bihuan, weekly, tmp_path):
    outs = [tmp_path / f"found{suffix}" for suffix in (".csv", ".parquet", ".json", ".png", ".svg")]
    words = [word for out in outs for word in ("--out", out)]
    code, out, err = bihuan("epi", "detect", weekly, "--method", "ears-c1", "--lang", "en", *words)
    assert code == 0, err
    assert "张湾区" in out
    table, parquet, listed, png, svg = outs
    rows = rows_of(table)
    assert len(rows) == 416
    newest = [row for row in rows if row["date"] == "2019-12-23"]
    assert [row["alarm"] for row in newest] == ["true", "false"]
    assert "40 cases" in newest[0]["explained"]
    assert len(json.loads(listed.read_text())) == 416
    assert read_columns(parquet, {"x": Wanted("observed", "number")})["x"].size == 416
    assert png.read_bytes().startswith(PNG)
    assert "<svg" in svg.read_text()


def test_detect_speaks_the_language_asked_for(bihuan, weekly):
    words = ("epi", "detect", weekly, "--method", "ears-c1", "--newest", 1)
    assert "预警" in bihuan(*words)[1]
    assert "alarm" in bihuan(*words, "--lang", "en")[1]


def test_detect_as_json_is_one_document_and_equals_the_function(bihuan, weekly):
    words = ("epi", "detect", weekly, "--method", "ears-c1", "--set", "baseline=14", "--newest", 3, "--json")
    code, out, err = bihuan(*words)
    assert code == 0, err
    said = json.loads(out)
    assert said["series"] == 2
    panel = epi.read_counts(weekly).panel
    found = epi.ears(panel, method="C1", baseline=14, at=[205, 206, 207])
    assert [row["upper"] for row in said["rows"]] == pytest.approx(found.upper.ravel().tolist())


def test_rows_of_alarms_only_when_asked(bihuan, weekly):
    said = json.loads(bihuan("epi", "detect", weekly, "--method", "ears-c1", "--alarms", "--json")[1])
    assert said["alarms"] == len(said["rows"]) > 0
    assert all(row["alarm"] for row in said["rows"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--method", "magic"], "no method is called 'magic'; there are auto, ears-c1"),
        (["--method", "ears-c1", "--set", "speed=9"], "ears-c1 has no parameter 'speed'; it takes"),
        (["--method", "ears-c1", "--set", "baseline=-1"], "baseline"),
        (["--count", "cases"], "no column 'cases'; it has date, county, count, outbreak"),
        (["--where", "county"], "COLUMN=VALUE"),
        (["--out", "found.docx"], "end the name with one of .csv, .parquet, .json, .png"),
        (["--out", "no/such/folder/found.csv"], "there is no folder"),
        (["--frequency", "daily"], "the file counts weekly periods; they cannot be read as daily"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_way_out_and_exit_code_2(bihuan, weekly, words, says):
    from django.utils import translation

    with translation.override("en"):
        code, out, err = bihuan("epi", "detect", weekly, *words)
    assert code == 2
    assert says in " ".join(err.split())
    assert not out
    assert "Traceback" not in err


def test_a_refusal_as_json_names_the_field(bihuan, weekly):
    code, _out, err = bihuan("epi", "detect", weekly, "--count", "cases", "--lang", "en", "--json")
    error = json.loads(err)["error"]
    assert code == 2
    assert error["details"]["field"] == "column"
    assert "no column 'cases'" in error["message"]


@pytest.mark.parametrize("method", ["ears-c1", "ears-c2", "ears-c3", "ears-c3-cdc", "cusum", "bayes", "rki"])
def test_methods_run_by_their_name(bihuan, weekly, method):
    code, out, err = bihuan("epi", "detect", weekly, "--method", method, "--json")
    assert code == 0, err
    assert json.loads(out)["assessed"] > 0


# --- real files --------------------------------------------------------------------------------------


def labelled(shared: Path) -> list[object]:
    path = shared / "data" / "earlywarning_rki_labelled" / "rki_labelled_weekly.csv"
    return [path, "--date", "index", "--start", "2001-01-01", "--frequency", "weekly"]


def test_the_labelled_series_are_evaluated_by_their_labels(bihuan, shared, tmp_path):
    out = tmp_path / "found.csv"
    words = ("--outbreak", "outbreak", "--method", "ears-c1", "--method", "bayes", "--equal", "--out", out)
    code, said, err = bihuan("epi", "evaluate", *labelled(shared), *words, "--lang", "en")
    assert code == 0, err
    assert "outbreaks 14" in said
    first, second = rows_of(out)
    assert first["detector"] == "ears-c1"
    assert float(first["false_alarm_rate"]) == pytest.approx(float(second["false_alarm_rate"]))


def test_a_peers_output_is_evaluated_like_our_own(bihuan, shared, tmp_path):
    ours = tmp_path / "peer.csv"
    assert bihuan("epi", "detect", *labelled(shared), "--method", "ears-c1", "--out", ours)[0] == 0
    words = ("--outbreak", "outbreak", "--method", "ears-c1", "--results", ours, "--json")
    code, out, err = bihuan("epi", "evaluate", *labelled(shared), *words)
    assert code == 0, err
    mine, peer = json.loads(out)["rows"]
    assert {**mine, "detector": ""} == {**peer, "detector": ""}


def test_outbreaks_are_injected_where_there_are_no_labels(bihuan, shared):
    words = ("--method", "ears-c1", "--size", "4,8", "--seed", 3, "--json")
    code, out, err = bihuan("epi", "evaluate", *labelled(shared), *words)
    assert code == 0, err
    said = json.loads(out)
    assert said["injected"] is True
    assert said["outbreaks"] == 14


def test_hubei_is_read_from_totals_and_drawn_in_chinese(bihuan, shared, tmp_path):
    path = shared / "data" / "covid_china_daily" / "hubei_city_daily.csv"
    picture = tmp_path / "wuhan.png"
    words = ("--count", "confirmed", "--cumulative", "--negative", "missing", "--until", "2020-03-01")
    more = ("--method", "ears-c2", "--plot", "武汉市", "--out", picture)
    code, out, err = bihuan("epi", "detect", path, *words, *more)
    assert code == 0, err
    assert "负数按未报告处理" in out
    assert picture.read_bytes().startswith(PNG)


def test_what_is_known_to_be_no_outbreak_is_marked_and_what_nobody_marked_is_warned_of(bihuan, shared):
    path = shared / "data" / "covid_china_daily" / "hubei_city_daily.csv"
    words = ["--count", "confirmed", "--cumulative", "--negative", "missing", "--where", "city=武汉市"]
    words += ["--until", "2020-05-01", "--method", "ears-c1", "--lang", "en"]
    _code, out, _err = bihuan("epi", "detect", path, *words)
    assert "武汉市, 2020-02-12: 13436 new, more than 3 times" in out
    assert "武汉市, 2020-02-12: 13436 cases" in out
    marks = ["--mark", "2020-02-12/2020-02-13:definition_change:clinical diagnosis counted"]
    marks += ["--mark", "2020-04-16/2020-04-17:correction:deaths and cases corrected:武汉市"]
    code, out, err = bihuan("epi", "detect", path, *words, *marks)
    assert code == 0, err
    assert "13436" not in out
    assert "2020-04-16" not in out
    assert "a change of definition or a correction (4)" in out
    code, _out, err = bihuan("epi", "detect", path, *words, "--mark", "soon:change")
    assert code == 2
    assert "is not DATE:KIND:NOTE" in " ".join(err.split())


def test_monthly_counts_of_a_disease_and_mmwr_weeks_are_read(bihuan, shared):
    data = shared / "data"
    hubei = data / "earlywarning_china_notifiable_monthly" / "hubei_monthly.csv"
    words = ("--where", "disease=Influenza", "--method", "ears-c1", "--json")
    assert json.loads(bihuan("epi", "detect", hubei, *words)[1])["periods"] == "192 monthly"
    states = data / "earlywarning_ilinet" / "ilinet_state_weekly.csv.gz"
    words = ("--count", "ili_visits", "--weeks", "mmwr", "--method", "ears-c1", "--newest", 1, "--json")
    assert "weekly" in json.loads(bihuan("epi", "detect", states, *words)[1])["periods"]


def test_rt_of_a_published_outbreak_equals_the_peer(bihuan, shared, tmp_path):
    case = shared / "oracles" / "analytics" / "estimateR__flu2009_parametric"
    out, picture = tmp_path / "rt.csv", tmp_path / "rt.png"
    words = ("--start", "2009-04-27", "--si-mean", 2.6, "--si-sd", 1.5, "--out", out, "--out", picture)
    code, _said, err = bihuan("epi", "rt", case / "input.csv", *words)
    assert code == 0, err
    with (case / "expected.csv").open() as file:
        peer = [float(row["mean"]) for row in csv.DictReader(file)]
    assert [float(row["mean"]) for row in rows_of(out)] == pytest.approx(peer, rel=1e-9)
    assert picture.read_bytes().startswith(PNG)


def test_rt_without_a_serial_interval_says_what_is_needed(bihuan, weekly):
    code, _out, err = bihuan("epi", "rt", weekly, "--lang", "en")
    assert code == 2
    assert "--si-mean and --si-sd" in err


def test_growth_is_a_method_of_rt(bihuan, weekly):
    code, out, err = bihuan("epi", "rt", weekly, "--method", "growth", "--json")
    assert code == 0, err
    assert [row["series"] for row in json.loads(out)["rows"]] == ["张湾区", "茅箭区"]


def test_a_nowcast_stands_beside_the_peers_numbers(bihuan, shared, tmp_path):
    case = shared / "oracles" / "analytics" / "nowcast_lawless__hus_0602"
    words = ("--event", "dHosp", "--report", "dReport", "--now", "2011-06-02", "--method", "lawless")
    out, picture = tmp_path / "now.csv", tmp_path / "now.png"
    code, _said, err = bihuan("epi", "nowcast", case / "input.csv", *words, "--out", out, "--out", picture)
    assert code == 0, err
    ours = {row["date"]: float(row["estimate"]) for row in rows_of(out)}
    with (case / "expected.csv").open() as file:
        peer = {row["date"]: float(row["nowcast"]) for row in csv.DictReader(file)}
    both = [day for day in ours if peer.get(day, 0) > 20]
    assert len(both) > 5
    assert [ours[day] for day in both] == pytest.approx([peer[day] for day in both], abs=1)
    assert picture.read_bytes().startswith(PNG)


def test_a_nowcast_carries_into_rt(bihuan, shared):
    case = shared / "oracles" / "analytics" / "nowcast_lawless__hus_0602"
    words = ("--event", "dHosp", "--report", "dReport", "--now", "2011-06-02", "--rt")
    code, out, err = bihuan(
        "epi", "nowcast", case / "input.csv", *words, "--si-mean", 6, "--si-sd", 3, "--json"
    )
    assert code == 0, err
    assert "q0.5" in json.loads(out)["rows"][0]


def test_a_scan_finds_the_cluster_that_satscan_finds(bihuan, shared, tmp_path):
    case = shared / "oracles" / "analytics" / "satscan_permutation_prospective__grid36"
    picture = tmp_path / "scan.png"
    words = ("--date", "t", "--start", "2024-01-01", "--locations", case / "input_geo.csv", "--duration", 14)
    code, out, err = bihuan(
        "epi", "scan", case / "input_counts.csv", *words, "--out", picture, "--replications", 99
    )
    assert code == 0, err
    assert "C014、C015、C016、C020、C021" in out
    assert picture.read_bytes().startswith(PNG)


def test_places_without_a_point_are_named(bihuan, shared, tmp_path):
    case = shared / "oracles" / "analytics" / "satscan_permutation_prospective__grid36"
    places = tmp_path / "places.csv"
    places.write_text("id,x,y\nC001,1,2\n")
    words = ("--date", "t", "--start", "2024-01-01", "--locations", places, "--lang", "en")
    code, _out, err = bihuan("epi", "scan", case / "input_counts.csv", *words)
    assert code == 2
    assert "35 places of the cases have no location, such as 'C002'" in " ".join(err.split())


def test_delays_of_a_real_list_by_group(bihuan, shared, tmp_path):
    path = shared / "data" / "linelist_tianjin_2020" / "linelist.csv"
    out, picture = tmp_path / "delays.csv", tmp_path / "delays.png"
    words = ("--from", "symptom_onset", "--to", "confirm_date", "--by", "severity", "--lang", "en")
    code, said, err = bihuan("epi", "delays", path, *words, "--out", out, "--out", picture)
    assert code == 0, err
    assert "normal: From symptom_onset to confirm_date: median" in said
    assert "not assessed" in said  # groups of one
    assert {row["severity"] for row in rows_of(out)} == {"normal", "severe"}
    assert picture.read_bytes().startswith(PNG)


def test_the_past_is_replayed_from_what_was_known(bihuan, shared):
    path = shared / "data" / "linelist_tianjin_2020" / "linelist.csv"
    words = ("--line-list", "--known", "confirm_date", "--method", "ears-c1", "--lang", "en")
    code, out, err = bihuan("epi", "evaluate", path, *words)
    assert code == 0, err
    assert "as known then" in out


# --- oracles -----------------------------------------------------------------------------------------


def test_oracles_names_what_differs_counts_and_exits_with_1(bihuan, shared, tmp_path):
    good = shared / "oracles" / "analytics" / "epiweeks"
    for name in ("epiweeks", "epiweeks_off", "epiweeks_broken", "epiweeks_bare", "nothing__known"):
        shutil.copytree(good, tmp_path / name)
    off = tmp_path / "epiweeks_off" / "expected.csv"
    for path in tmp_path.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    off.write_text(_with_another_last_cell(off.read_text()))
    (tmp_path / "epiweeks_broken" / "params.json").write_text("{")
    (tmp_path / "epiweeks_bare" / "input.csv").unlink()
    about = json.loads((good / "params.json").read_text())
    (tmp_path / "nothing__known" / "params.json").write_text(json.dumps(about | {"case": "nothing__known"}))
    code, out, _err = bihuan("oracles", tmp_path)
    assert code == 1
    assert out.splitlines()[-1] == "1 passed, 4 failed"
    assert "params.json cannot be read" in out
    assert "input*.csv is missing" in out
    assert "nothing here answers it" in out
    assert ", ours " in out


def _with_another_last_cell(text: str) -> str:
    *rows, last = text.strip().splitlines()
    cells = last.split(",")
    return "\n".join([*rows, ",".join([*cells[:-1], "99"])]) + "\n"


def test_a_green_run_exits_with_0_and_one_case_may_be_named_itself(bihuan, shared):
    code, out, _err = bihuan("oracles", shared / "oracles" / "analytics" / "epiweeks")
    assert (code, out.splitlines()[-1]) == (0, "1 passed, 0 failed")
    said = json.loads(bihuan("oracles", shared / "oracles" / "analytics", "--only", "epiweeks", "--json")[1])
    assert said["passed"] == 1


def test_an_answer_that_breaks_fails_its_case_and_not_the_run(bihuan, shared, tmp_path, monkeypatch):
    from bihuan.epi.oracles import cases, running

    def breaks(_case: Any) -> None:
        raise ZeroDivisionError("no")

    monkeypatch.setattr(running, "run_case", breaks)
    code, out, err = bihuan("oracles", shared / "oracles" / "analytics" / "epiweeks")
    assert cases
    assert code == 1
    assert "ZeroDivisionError: no" in out
    assert "Traceback" not in out + err


@pytest.mark.parametrize("name", ["empty", "none"])
def test_a_folder_without_cases_is_a_clear_error(bihuan, tmp_path, name):
    (tmp_path / "empty").mkdir()
    code, _out, err = bihuan("oracles", tmp_path / name)
    assert code == 2
    assert "用例" in err


# --- the room by itself ------------------------------------------------------------------------------


def test_the_room_is_imported_in_less_than_a_second_without_django_or_a_database():
    program = (
        "import sys, time; began = time.perf_counter(); import bihuan.epi; "
        "assert time.perf_counter() - began < 1; "
        "assert not {'django', 'numba', 'matplotlib', 'psycopg'} & set(sys.modules); "
        "from bihuan.epi import estimate_r, ears, read_counts; "
        "assert not {'django', 'psycopg', 'matplotlib'} & set(sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("DJANGO_SETTINGS_MODULE", "DATABASE_URL")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", epi.__all__)
def test_every_name_of_the_face_is_there(name):
    assert getattr(epi, name) is not None


def test_a_function_keeps_its_name_when_the_module_of_that_name_is_imported():
    import bihuan.epi.nowcast
    import bihuan.epi.scan  # noqa: F401

    assert callable(epi.scan)
    assert callable(epi.nowcast)


def test_commands_run_where_there_is_no_database(tmp_path, weekly):
    environment = os.environ | {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "BIHUAN_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "bihuan", "epi", "detect", str(weekly), "--method", "ears-c1", "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["alarms"] > 0


def test_work_that_takes_longer_than_patience_tells_how_far_it_is(capsys, monkeypatch):
    from bihuan.doors.cli.epi import output

    monkeypatch.setattr(output, "PATIENCE", 0.02)
    with Progress("scanning", 3) as progress:
        progress.advance()
        time.sleep(0.1)
    assert "scanning 1/3" in capsys.readouterr().err
    with Progress("scanning", 3):
        pass
    assert not capsys.readouterr().err


# --- awkward input -----------------------------------------------------------------------------------


def _days(n: int, step: int = 1) -> list[str]:
    return [str(np.datetime64("2020-01-06") + i * step) for i in range(n)]


AWKWARD = {
    "one point": [f"{day},3" for day in _days(1)],
    "all zeros": [f"{day},0" for day in _days(100)],
    "nothing reported": [f"{day}," for day in _days(100)],
    "every second day": [f"{day},{i % 4 if i % 2 else ''}" for i, day in enumerate(_days(200))],
    "gaps": [f"{day},{i % 5}" for i, day in enumerate(_days(200)) if i % 7 != 3],
    "a year of 53 weeks": [f"{day},{i % 9}" for i, day in enumerate(_days(330, 7))],
    "leap day": [f"2020-02-{i:02d},{i}" for i in range(1, 30)],
    "huge counts": [f"{day},{10**12 + i}" for i, day in enumerate(_days(60))],
    "one spike": [f"{day},{50 if i == 60 else 0}" for i, day in enumerate(_days(100))],
}


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize(
    "words",
    [("detect", "--q", "bh"), ("rt", "--si-mean", 2.6, "--si-sd", 1.5), ("rt", "--method", "growth")],
    ids=["detect", "rt", "growth"],
)
def test_awkward_series_give_an_answer_or_a_refusal_and_never_a_bare_nan(bihuan, tmp_path, name, words):
    path, picture = tmp_path / "awkward.csv", tmp_path / "awkward.png"
    path.write_text("\n".join(["date,count", *AWKWARD[name]]) + "\n")
    code, out, err = bihuan("epi", words[0], path, *words[1:], "--json", "--out", picture)
    assert code in (0, 2)
    assert "Traceback" not in err
    if code == 0:
        json.loads(out, parse_constant=lambda constant: pytest.fail(constant))
        assert picture.read_bytes().startswith(PNG)
    else:
        assert json.loads(err)["error"]["message"]


def test_a_serial_interval_of_one_period_or_less_is_refused(bihuan, weekly):
    code, _out, err = bihuan("epi", "rt", weekly, "--si-mean", 1, "--si-sd", 1.5, "--lang", "en")
    assert code == 2
    assert "1" in err
