"""The newcomer's first hour from a terminal: staff, import twice, contacts, check, what is late."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from bihuan.doors.cli.main import run
from bihuan.registry import clock
from tests.doors import tianjin

ROOT = Path(__file__).resolve().parents[2]
MAPPINGS = ROOT / "packs" / "mappings"
NOW = datetime(2020, 3, 1, 1, 0, tzinfo=UTC)
DAY = date(2020, 2, 5)
Command = Callable[..., Any]


@pytest.fixture
def command(db: None, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """`bihuan WORDS --json`, its exit code 0, its document read; in Tianjin, with the standard posts."""
    from bihuan.registry import scope
    from bihuan.registry.actions import roles, territory
    from bihuan.registry.actor import Actor

    def bihuan(*words: object) -> Any:
        capsys.readouterr()
        code = run([str(word) for word in words] + ["--json"])
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out)

    with clock.frozen(NOW):
        with scope.system():
            territory.store_units([u for u in territory.builtin_units() if u.code == "12"])
            roles.sync_roles(actor=Actor.system("newcomer", door="test"))
        (made,) = bihuan("territory", "staff", "12")
        assert made["new_posts"] > 0
        yield bihuan


@pytest.fixture
def lists(shared: Path) -> tuple[Path, Path]:
    folder = shared / "data" / tianjin.FOLDER
    found = folder / "linelist.csv", folder / "contacts.csv"
    if not all(path.is_file() for path in found):
        pytest.skip(f"{tianjin.FOLDER} is not among the input data")
    return found


def bring(command: Command, kind: str, file: Path, *more: object) -> tuple[int, int, int, int]:
    mapping = MAPPINGS / f"tianjin-2020-{'cases' if kind == 'linelist' else 'links'}.yaml"
    told = command("import", kind, file, "--map", mapping, "--territory", "12", "--as-of", DAY, *more)
    return told["rows"], told["accepted"], told["duplicate"], told["rejected"]


def test_the_list_comes_in_once_as_of_a_day_and_the_loop_holds(
    command: Command, lists: tuple[Path, Path], tmp_path: Path
) -> None:
    linelist, contacts = lists
    rows = tianjin.read(linelist)
    known = tianjin.known(rows, DAY)
    assert (len(rows), len(known)) == (135, 71)

    dry = bring(command, "linelist", linelist, "--dry-run")
    assert command("loops", "check")["created"] == 0
    ledger = tmp_path / "ledger.csv"
    assert bring(command, "linelist", linelist, "--ledger", ledger) == dry == (135, 71, 0, 64)
    with ledger.open(encoding="utf-8-sig", newline="") as stream:
        told = Counter(line["status"] for line in csv.DictReader(stream))
    assert told["accepted"] >= 71  # a line for each remark
    first = command("loops", "check")

    assert bring(command, "linelist", linelist) == (135, 0, 71, 64)
    assert command("loops", "check") == first

    with contacts.open(encoding="utf-8", newline="") as stream:
        ids = {row.case_id for row in known}
        among = sum(line["from_case"] in ids and line["to_case"] in ids for line in csv.DictReader(stream))
    assert bring(command, "contacts", contacts) == (91, among, 0, 91 - among)
    assert bring(command, "contacts", contacts) == (91, 0, among, 91 - among)

    checked = command("loops", "check")
    assert checked["violations"] == []
    owed = sum(len(tianjin.still_owed(rows, kind, DAY)) for kind in tianjin.STAGES)
    assert checked["open"] == owed
    assert checked["created"] == len(known) * len(tianjin.STAGES)
    assert checked["superseded"] == checked["created"] - owed
    assert checked["loops_open"] == len(known)


def test_what_was_late_on_a_day_is_listed_with_its_clause(command: Command, lists: tuple[Path, Path]) -> None:
    linelist, _contacts = lists
    rows = tianjin.read(linelist)
    bring(command, "linelist", linelist)
    moment = f"{DAY}T23:59"
    found = command(
        *("duties", "list", "--territory", 12, "--status", "late", "--as-of", moment, "--limit", 1000)
    )
    late = {kind: tianjin.late(rows, kind, DAY) for kind in tianjin.STAGES}
    assert Counter(duty["kind"] for duty in found["rows"]) == {kind: len(of) for kind, of in late.items()}
    assert {duty["kind"]: duty["clause"] for duty in found["rows"]} == {
        kind: clause for kind, (_stage, clause) in tianjin.STAGES.items()
    }
    due = Counter((duty["kind"], due_day(duty)) for duty in found["rows"])
    assert due == Counter((kind, row.last_day(kind)) for kind, of in late.items() for row in of)
    assert all(duty["owner"].startswith("天津市") and not duty["owner_fallback"] for duty in found["rows"])


def due_day(duty: dict[str, Any]) -> date:
    """The local day whose end is the deadline."""
    at = datetime.fromisoformat(duty["due_at"]).astimezone(clock.zone())
    assert (at.hour, at.minute) == (0, 0)
    return at.date() - tianjin.NEXT_DAY


def test_a_duty_done_from_the_terminal_leaves_the_loop_whole(
    command: Command, lists: tuple[Path, Path]
) -> None:
    bring(command, "linelist", lists[0])
    before = command("loops", "check")
    duty = command("duties", "list", "--kind", "investigation", "--limit", 1)["rows"][0]
    told = ("--at", "2020-02-06T10:00", "-e", "no_track=paper_form")
    assert command("duties", "complete", duty["ref"], *told) == {"done": 1}
    after = command("loops", "check")
    assert (after["open"], after["done"]) == (before["open"] - 1, before["done"] + 1)
    assert (after["created"], after["violations"]) == (before["created"], [])


def test_an_account_is_put_in_a_post_by_function_and_place(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("closed-loop-2020\n"))
    made = command("account", "create", "tianjin", "--post", "cdc_investigation@12")
    assert made == {"username": "tianjin", "posts": ["天津市疾病预防控制中心 流行病学调查"]}
    assert run(["account", "create", "other", "--post", "nobody@12"]) == 4
    said = capsys.readouterr().err
    assert "12 没有职能为 nobody 的岗位" in said
    assert "cdc_investigation" in said
