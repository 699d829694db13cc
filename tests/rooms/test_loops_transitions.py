"""New packs over open loops: replanned at their midnight or kept, as the pack says; what they would do."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bihuan.doors.cli.main import run
from bihuan.loops import bindings, store
from bihuan.loops.actions import NewEvent, RecordResult, record, replan, sweep
from bihuan.loops.actions import transitions as made_in
from bihuan.loops.models import Duty, LogEvent, Loop, Schedule, Transition
from bihuan.loops.queries import check, impact
from bihuan.loops.tasks import replan_loops
from bihuan.policy import packs
from bihuan.policy.errors import UnknownPack
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
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


# --- what a pack would change -----------------------------------------------------------------------

CITY_PACK = """
pack: shiyan-2020-02
extends: hubei-2020-02
title: {zh: 十堰市细则, en: Rules of Shiyan}
territory: "4203"
effective: {from: 2020-02-20, tz: Asia/Shanghai}
transition: TRANSITION
values:
  clocks.locate_hours: {value: 1, source: bihuan, confidence: unverified, basis: default}
  observation.follow_up_slots: {value: ["10:00"], source: bihuan, confidence: unverified, basis: default}
  observation.tests_on: {value: [1, 7], source: bihuan, confidence: unverified, basis: default}
"""


def city_pack(settings: Any, folder: Path, transition: str) -> None:
    (folder / "shiyan.yaml").write_text(CITY_PACK.replace("TRANSITION", transition), encoding="utf-8")
    if folder not in settings.BIHUAN_PACKS:
        settings.BIHUAN_PACKS = [*settings.BIHUAN_PACKS, folder]
    packs.forget()
    bindings.forget()


@pytest.fixture
def draft(house: None, settings: Any, tmp_path: Path) -> Any:
    """A pack of one city from the 20th; three contacts on the 18th and 19th, one under an order at home."""
    city_pack(settings, tmp_path, "replan")
    confirm("K1", "02-19 23:30")
    confirm("K2", "02-19 23:30", place=OTHER_PROVINCE)
    confirm("K3", "02-18 08:00")
    for kind, hour, data in (
        ("contact.located", 9, {"at": "09:00"}),
        ("contact.placed", 10, {"at": "10:00", "order": "O-1"}),
        ("order.started", 10, {"order_kind": "home", "observe_until": "2020-03-01",
                               "observe_ends_at": "2020-03-02T00:00+08:00", "test_day_one": "2020-02-18"}),
    ):  # fmt: skip
        when = local(f"02-18 {hour:02d}:00")
        record([NewEvent("contact", "K3", kind, when, GRID, data=data)], actor=SYSTEM, now=when)
    sweep(local("02-19 23:50"))
    yield
    packs.forget()


def as_stored() -> dict[tuple[str, str], tuple[int, datetime]]:
    rows = Duty.unscoped.values_list("loop__subject_ref", "key", "state", "due_at")
    return {(ref, key): (state, due) for ref, key, state, due in rows}


def test_impact_tells_what_replanning_then_does(draft: None):
    with clock.frozen(local("02-19 23:50")):
        told = impact("shiyan-2020-02")
    assert (told.on.isoformat(), told.loops_open, told.loops_reached, told.loops_changed) == (
        "2020-02-20", 3, 2, 2,
    )  # fmt: skip
    sweep(local("02-20 00:01"))
    before = as_stored()
    replan(now=local("02-20 00:02"), actor=SYSTEM)
    after = as_stored()
    was_open = [key for key, (state, _due) in before.items() if state == 0]
    assert told.duties_superseded == sum(after[key][0] == 3 for key in was_open)
    assert (
        told.deadlines_moved == sum(after[k][0] == 0 and after[k][1] != before[k][1] for k in was_open) == 1
    )
    assert told.duties_opened == len([key for key in after.keys() - before.keys() if after[key][0] == 0])
    follow_up = next(row for row in told.rows if row.kind == "follow_up")
    schedule = Schedule.unscoped.get(loop__subject_ref="K3", kind="follow_up")
    days_ahead = (schedule.last_day - schedule.next_day).days + 1
    assert (follow_up.repeats, follow_up.slots, list(schedule.slots)) == (1, -2 * days_ahead, [600])
    assert {loop.subject_ref for loop in told.loops} == {"K1", "K3"}


def test_asking_for_the_impact_writes_nothing(draft: None):
    events, duties = LogEvent.unscoped.count(), as_stored()
    with clock.frozen(local("02-19 23:50")), CaptureQueriesContext(connection) as said:
        impact("shiyan-2020-02")
    written = [q["sql"] for q in said if q["sql"].lstrip().split()[0] in ("INSERT", "UPDATE", "DELETE")]
    assert written == []
    assert (LogEvent.unscoped.count(), as_stored()) == (events, duties)


def test_a_pack_that_keeps_would_change_no_open_loop_unless_asked_otherwise(
    draft: None, settings: Any, tmp_path: Path
):
    city_pack(settings, tmp_path, "keep")
    with clock.frozen(local("02-19 23:50")):
        assert (impact("shiyan-2020-02").loops_reached, impact("shiyan-2020-02").loops_changed) == (2, 0)
        assert impact("shiyan-2020-02", transition="replan").loops_changed == 2


def test_impact_is_told_within_the_territory_of_who_asks(draft: None, cast: Cast):
    with clock.frozen(local("02-19 23:50")):
        with cast.officer.acting():
            assert impact("shiyan-2020-02").loops_changed == 2
        with cast.other_city.acting():
            assert impact("shiyan-2020-02").loops_open == 0
        assert impact("shiyan-2020-02", territory="4206").loops_open == 0


def test_a_pack_is_not_asked_about_a_day_it_does_not_run(draft: None):
    with pytest.raises(Invalid, match="shiyan-2020-02"):
        impact("shiyan-2020-02", on=date(2020, 2, 19))
    with pytest.raises(UnknownPack):
        impact("shiyan-2021")


def test_the_command_prints_the_impact(draft: None, capsys: pytest.CaptureFixture[str]):
    with clock.frozen(local("02-19 23:50")):
        assert run(["policy", "impact", "shiyan-2020-02", "--territory", "4203", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["loops_changed"], told["transition"]) == (2, "replan")
        assert run(["policy", "impact", "shiyan-2020-02"]) == 0
    assert "shiyan-2020-02" in capsys.readouterr().out
