"""New packs over open loops: replanned at their midnight or kept, as the pack says; what they would do."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from bihuan.doors.cli.main import run
from bihuan.loops import bindings, store
from bihuan.loops.actions import NewEvent, RecordResult, record, replan
from bihuan.loops.actions import transitions as made_in
from bihuan.loops.models import LogEvent, Loop, Transition
from bihuan.loops.queries import check
from bihuan.loops.tasks import replan_loops
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from tests.cast import GRID, Cast, make_cast

from .care_room import local

SYSTEM = Actor.system("test", door="test")
OTHER_PROVINCE = "130102001001"


@pytest.fixture
def house(db: None, cast: Cast) -> Any:
    bindings.forget()
    with scope.system():
        yield
    bindings.forget()


@pytest.fixture
def open_house(transactional_db: None) -> Any:
    """Without a surrounding transaction: what was committed stays when the rest is killed."""
    bindings.forget()
    with scope.system():
        make_cast()
        yield
    bindings.forget()


def confirm(ref: str, when: str, *, now: str = "", place: str = GRID) -> RecordResult:
    """A contact confirmed at a local time, known at another."""
    event = NewEvent("contact", ref, "contact.confirmed", local(when), place)
    return record([event], actor=SYSTEM, now=local(now or when))


def ruling(ref: str) -> str:
    bindings.forget()
    return Loop.unscoped.get(subject_ref=ref).ruling.policy_id


def replanned(ref: str) -> list[datetime]:
    rows = LogEvent.unscoped.filter(subject__ref=ref, kind="loop.replanned").order_by("at", "id")
    return list(rows.values_list("at", flat=True))


def test_a_pack_that_asks_for_it_takes_open_loops_over_at_its_midnight(house: None):
    confirm("K1", "02-16 10:00")
    assert ruling("K1").startswith("cn-nhc-2020-01")
    assert replan(now=local("02-16 23:59"), actor=SYSTEM).recorded == 0
    result = replan(now=local("02-17 00:03"), actor=SYSTEM)
    assert result.recorded == 1
    assert [(a.pack, a.territory, a.day, a.loops) for a in result.applied] == [
        ("hubei-2020-02", "42", "2020-02-17", 1)
    ]
    assert ruling("K1").startswith("hubei-2020-02")
    assert replanned("K1") == [local("02-17 00:00")]
    assert check().violations == []


def test_a_pack_that_keeps_leaves_open_loops_alone(house: None):
    confirm("K1", "01-20 10:00")
    assert replan(now=local("01-26 00:03"), actor=SYSTEM).recorded == 0
    assert ruling("K1") == "generic-respiratory"


def test_a_pack_of_one_province_is_none_of_the_next_ones(house: None):
    confirm("K1", "02-16 10:00", place=OTHER_PROVINCE)
    assert replan(now=local("02-18 00:03"), actor=SYSTEM).recorded == 0


def test_looking_twice_changes_nothing_and_the_house_remembers_the_day(house: None):
    confirm("K1", "02-16 10:00")
    replan(now=local("02-17 00:03"), actor=SYSTEM)
    assert replan(now=local("02-17 00:08"), actor=SYSTEM).recorded == 0
    [row] = Transition.objects.filter(day="2020-02-17")
    assert (row.pack, row.territory, row.n_loops) == ("hubei-2020-02", "42", 1)
    assert (row.begun_at, row.finished_at) == (local("02-17 00:03"), local("02-17 00:03"))


def test_nothing_is_missed_when_the_worker_slept_over_the_midnight_and_a_later_edition_keeps(house: None):
    confirm("K1", "02-16 10:00")
    assert replan(now=local("03-10 09:00"), actor=SYSTEM).recorded >= 1
    assert "hubei-2020-02" in ruling("K1")
    assert replanned("K1")[0] == local("02-17 00:00")


def test_a_loop_of_days_gone_by_is_taken_over_when_it_is_recorded(house: None):
    replan(now=local("02-17 00:03"), actor=SYSTEM)
    confirm("K2", "02-15 10:00", now="02-18 09:00")
    assert ruling("K2").startswith("cn-nhc-2020-01")
    assert replan(now=local("02-18 09:05"), actor=SYSTEM).recorded == 1
    assert replanned("K2") == [local("02-17 00:00")]


def test_a_pass_that_is_killed_goes_on_where_it_stopped(open_house: None, monkeypatch: pytest.MonkeyPatch):
    for n in range(3):
        confirm(f"K{n}", "02-16 10:00")
    monkeypatch.setattr(made_in, "LOOPS_A_TURN", 1)
    turns: list[int] = []

    def dying(*given: Any, **more: Any) -> RecordResult:
        turns.append(1)
        if len(turns) == 2:
            raise KeyboardInterrupt
        return record(*given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(made_in, "record", dying)
        with pytest.raises(KeyboardInterrupt):
            replan(now=local("02-17 00:03"), actor=SYSTEM)
    assert Transition.objects.get(day="2020-02-17").finished_at is None
    assert replan(now=local("02-17 00:08"), actor=SYSTEM).recorded == 2
    assert [len(replanned(f"K{n}")) for n in range(3)] == [1, 1, 1]
    row = Transition.objects.get(day="2020-02-17")
    assert (row.n_loops, row.finished_at) == (3, local("02-17 00:08"))


def test_the_worker_does_it_by_the_clock_of_the_house(house: None):
    confirm("K1", "02-16 10:00")
    with clock.frozen(local("02-17 00:05")):
        replan_loops(timestamp=0)
    assert ruling("K1").startswith("hubei-2020-02")


def test_the_command_takes_a_territory_and_a_day(house: None, capsys: pytest.CaptureFixture[str]):
    confirm("K1", "02-16 10:00")
    with clock.frozen(local("02-20 09:00")):
        assert run(["loops", "replan", "--territory", "4206", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["recorded"] == 0
        assert run(["loops", "replan", "--on", "2020-02-16", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["recorded"] == 0
        assert run(["loops", "replan", "--on", "2020-02-21"]) == 2
        capsys.readouterr()
        assert run(["loops", "replan", "--territory", "4203", "--on", "2020-02-17"]) == 0
    assert "hubei-2020-02" in capsys.readouterr().out
    [event] = store.fetch("SELECT recorded_at FROM loops_event WHERE kind = 'loop.replanned'", [])
    assert event[0] == local("02-20 09:00")
