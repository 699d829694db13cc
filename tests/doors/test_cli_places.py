"""`bihuan places` and `bihuan visits expire`: a list in, old days away; gates while a file is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bihuan.doors.cli.main import run
from bihuan.epi.visits import VisitStore
from bihuan.epi.visits.spool import Spool
from bihuan.registry import clock, scope
from bihuan.tracing.queries.visit_store import deletions
from tests.cast import COMMUNITY, load_small_tree
from tests.rooms.care_room import local
from tests.rules.spool_sender import A_BATCH, named

TODAY = local("06-20 09:00")


@pytest.fixture
def home(db: None, settings: Any, tmp_path: Path) -> Any:
    settings.BIHUAN_HOME = tmp_path
    with scope.system():
        load_small_tree()
    with clock.frozen(TODAY):
        yield tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    capsys.readouterr()
    code = run([*(str(word) for word in words), "--json"])
    out = capsys.readouterr()
    assert code == 0, out.err
    return json.loads(out.out)


def test_places_are_loaded_listed_and_shown(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "places.csv"
    file.write_text("name,kind,capacity,id\n超市,shop,80,shop-1\n南门,community_gate,,\n", "utf-8")
    told = said(capsys, "places", "load", file, "--territory", COMMUNITY)
    assert (told["made"], told["changed"], told["known"]) == (2, 0, 0)
    assert said(capsys, "places", "load", file, "--territory", COMMUNITY)["known"] == 2
    (shop,) = said(capsys, "places", "list", "--search", "超")
    found = said(capsys, "places", "show", shop["public_id"])
    assert (found["store_id"], found["limit"], found["today"]["entries"]) == ("shop-1", 80, 0)


def test_old_days_go_by_the_rule_and_stand_under_the_chain(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = home / "gate.csv"
    table.write_text("person,place,start\na,shop,2020-06-01 08:00\nb,shop,2020-06-19 08:00\n", "utf-8")
    said(capsys, "visits", "ingest", table)
    rule = said(capsys, "visits", "expire", "--dry-run")
    assert (rule["days"], rule["before"]) == (14, "2020-06-06")
    assert said(capsys, "visits", "expire")["stays"] == 1
    assert deletions()[0].by_name == "bihuan visits expire"
    assert said(capsys, "visits", "expire", "--before", "2020-06-20")["stays"] == 1
    assert VisitStore(home / "visits").stats().stays == 0


def test_what_gates_sent_is_merged_while_a_file_is_read(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = home / "gate.csv"
    table.write_text("person,place,start\na,shop,2020-06-19 08:00\n", "utf-8")
    said(capsys, "visits", "ingest", table)
    spool = Spool(home / "visits")
    spool.put(named(1))
    table.write_text("person,place,start\nb,shop,2020-06-19 08:00\n", "utf-8")
    said(capsys, "visits", "ingest", table)
    assert spool.names() == []
    assert VisitStore(home / "visits").stats().stays == A_BATCH + 2
