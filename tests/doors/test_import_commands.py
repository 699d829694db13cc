"""`bihuan import …`: what a newcomer types, and what a program reads."""

from __future__ import annotations

import csv
import json

import pytest

from bihuan.doors.cli import importing
from bihuan.doors.cli.main import run
from bihuan.doors.exchange.models import ImportJob
from bihuan.registry import clock, scope
from tests.doors.import_room import HEADER, LATER, MAP, load_trees

ROWS = """1,,,男,40,2020-01-20,2020-01-25,普通型,
2,,,女,old,2020-01-21,2020-01-26,重型,
2,,,女,31,2020-01-21,2020-01-26,重型,
"""


@pytest.fixture
def folder(db, tmp_path):
    load_trees()
    (tmp_path / "cases.csv").write_text(HEADER + ROWS, encoding="utf-8")
    (tmp_path / "map.yaml").write_text(MAP, encoding="utf-8")
    with clock.frozen(LATER):
        yield tmp_path


def said(capsys, *words):
    code = run([str(w) for w in words])
    out = capsys.readouterr()
    return code, out.out, out.err


def counted(capsys, *words):
    code, out, err = said(capsys, *words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_guess_is_a_mapping_that_map_takes(folder, capsys):
    code, out, _err = said(capsys, "import", "guess", folder / "cases.csv")
    assert code == 0
    (folder / "guessed.yaml").write_text(out, encoding="utf-8")
    found = counted(
        capsys,
        "import",
        "linelist",
        folder / "cases.csv",
        "--map",
        folder / "guessed.yaml",
        "--territory",
        "420303",
    )
    assert (found["rows"], found["accepted"], found["duplicate"], found["rejected"]) == (3, 2, 0, 1)


def test_a_dry_run_counts_alike_and_leaves_no_job(folder, capsys):
    words = ("import", "linelist", folder / "cases.csv", "--map", folder / "map.yaml")
    dry = counted(capsys, *words, "--dry-run", "--ledger", folder / "dry.csv")
    with scope.system():
        assert ImportJob.objects.count() == 0
    real = counted(capsys, *words, "--ledger", folder / "real.csv")
    for key in ("rows", "accepted", "revised", "duplicate", "rejected"):
        assert dry[key] == real[key]

    def lines(name):
        with (folder / name).open(encoding="utf-8-sig", newline="") as stream:
            return [(r["line"], r["status"], r["rule"]) for r in csv.DictReader(stream)]

    assert lines("dry.csv") == lines("real.csv")
    assert ("4", "rejected", "id.twice") in lines("real.csv")


def test_a_dry_run_that_fails_leaves_no_job_either(folder, capsys, monkeypatch):
    words = ("import", "linelist", folder / "cases.csv", "--map", folder / "map.yaml")

    def full(job, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importing, "_write_ledger", full)
    with pytest.raises(OSError, match="No space"):
        said(capsys, *words, "--dry-run", "--ledger", folder / "dry.csv")
    with scope.system():
        assert ImportJob.objects.count() == 0


def test_status_lists_jobs_and_resume_of_a_finished_one_changes_nothing(folder, capsys):
    done = counted(capsys, "import", "linelist", folder / "cases.csv", "--map", folder / "map.yaml")
    assert [j["job"] for j in counted(capsys, "import", "status")] == [done["job"]]
    again = counted(capsys, "import", "resume", done["job"])
    assert again["rows"] == done["rows"] == again["accepted"] + again["duplicate"] + again["rejected"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("import", "linelist", "nothing.csv"), 2, "nothing.csv"),
        (("import", "guess", "cases.csv", "--kind", "poem"), 2, "linelist"),
        (("import", "resume", "J-0000000000"), 4, "J-0000000000"),
        (("import", "linelist", "cases.csv", "--map", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("import", "linelist", "cases.csv", "--map", "map.yaml", "--territory", "429999"), 4, "429999"),
        (("import", "linelist", "cases.csv", "--map", "map.yaml", "--as-of", "2031-01-01"), 2, "2031-01-01"),
    ],
)
def test_what_cannot_be_done_says_why_with_its_exit_code(folder, capsys, monkeypatch, words, code, says):
    monkeypatch.chdir(folder)
    found, _out, err = said(capsys, *words)
    assert found == code
    assert says in err
    with scope.system():
        assert ImportJob.objects.count() == 0


def test_a_ledger_into_a_folder_that_is_not_there_is_refused_before_anything_is_imported(folder, capsys):
    words = ("import", "linelist", folder / "cases.csv", "--map", folder / "map.yaml")
    for place in (folder / "nowhere" / "ledger.csv", folder):
        code, _out, err = said(capsys, *words, "--ledger", place)
        assert code == 2
        assert str(folder) in err
    with scope.system():
        assert not ImportJob.objects.exists()
