"""The board from tallies equals the raw count, whatever the minute; rings and details show what is stored."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pytest

from bihuan.loops.actions import complete_duty, fold_tallies, sweep, waive
from bihuan.loops.models import Duty
from bihuan.loops.queries import (
    board,
    escalations,
    find_duties,
    find_loops,
    loop_detail,
    loops_owing,
    rings,
    same_day,
)
from tests.cast import CITY, COUNTY, NEXT_COUNTY, PROVINCE, STREET
from tests.rules.loop_examples import local

from .loop_room import SYSTEM, Room, at
from .loop_room import packs_in_force as packs_in_force
from .loop_room import room as room


def fill(room: Room) -> None:
    for n in range(6):
        room.start(f"K{n}", day=1 + n % 2)
        room.say(f"C{n}", "case.diagnosed", local(2, 8 + n, 7 * n))
    room.say("C3", "case.reported", local(2, 12))
    room.say("C4", "case.admitted", local(2, 12, 30))
    room.say("K9", "contact.confirmed", local(2, 9), territory=NEXT_COUNTY + "001001")
    sweep(local(2, 12))


def figures(found: Any) -> dict[Any, Any]:
    return {key: counts for key, counts in found.cells.items() if counts.created}


def test_the_tallied_board_is_the_raw_count(room: Room, monkeypatch: pytest.MonkeyPatch):
    fill(room)
    module = sys.modules["bihuan.loops.queries.board"]
    for code in (PROVINCE, CITY, COUNTY):
        for minute in (0, 7, 15, 59, 61, 240):
            with at(local(2, 12) + timedelta(minutes=minute)):
                tallied = board(code)
                monkeypatch.setattr(module, "STREET_CODE_LENGTH", 0)
                raw = board(code)
                monkeypatch.undo()
            assert (tallied.source, raw.source) == ("tally", "raw")
            assert figures(tallied) == figures(raw)
            assert tallied.conservation.holds
            assert tallied.conservation.created == raw.total.created


def test_folding_changes_no_figure(room: Room):
    fill(room)
    room.say("K0", "contact.tested", local(2, 13))
    with at(local(2, 13)):
        before = figures(board(CITY))
        fold_tallies()
        assert figures(board(CITY)) == before


def test_a_board_of_the_past_shows_what_truly_was(room: Room):
    fill(room)
    with at(local(3, 12)):
        then = board(COUNTY, as_of=local(1, 11, 30))
        assert then.source == "raw"
        contact = next(loop for loop in then.loops if loop.definition == "contact")
        assert (contact.loops_open, contact.counts.open, contact.counts.done) == (3, 3, 3)
        assert {s.stage for s in contact.stages if s.counts.open} == {"place"}


def test_children_add_up_to_the_whole(room: Room):
    fill(room)
    with at(local(2, 12)):
        found = board(CITY)
    assert sum(c.counts.open for c in found.children) == found.total.open
    assert {c.code for c in found.children if c.counts.open} == {COUNTY, NEXT_COUNTY}


def test_a_street_is_counted_from_the_rows(room: Room):
    fill(room)
    with at(local(2, 12)):
        assert board(STREET).source == "raw"
        assert board(STREET).total.open == board(COUNTY).total.open


def test_another_countys_officer_sees_only_his_part(room: Room):
    fill(room)
    with at(local(2, 12)), room.cast.neighbor.acting():
        found = board(CITY)
        assert found.total.created == 1
    with at(local(2, 12)), room.cast.other_city.acting():
        assert board(CITY).total.created == 0


def test_same_day_counts_what_was_owed_and_done_that_day(room: Room):
    room.start("K1")
    room.start("K2")
    with at(local(1, 21)):
        complete_duty(room.duties("K1")["temperature@2020-02-01/2"].id, {"value": 36}, local(1, 19), SYSTEM)
        complete_duty(
            room.duties("K2")["temperature@2020-02-01/2"].id, {"value": 36}, local(1, 20, 30), SYSTEM
        )
        found = same_day(COUNTY, local(1, 12).date(), kinds=("temperature", "test"))
    assert (found.owed, found.done_in_time, found.done_late, found.left) == (4, 1, 1, 2)
    assert found.share == 0.25


def test_the_ring_shows_done_open_late_and_ahead(room: Room):
    room.start()
    sweep(local(2, 10))
    public = room.loop().public_id
    with at(local(2, 10)):
        ring = rings([public])[public]
    assert [(s.stage, s.state) for s in ring.stages] == [
        ("locate", "done"), ("place", "done"), ("observe", "late"), ("release", "open"),
    ]  # fmt: skip
    with at(local(2, 10)):
        early = rings([public], as_of=local(1, 10, 30))[public]
    assert [s.state for s in early.stages] == ["open", "ahead", "ahead", "ahead"]


def test_a_loop_is_shown_whole(room: Room):
    room.start()
    with at(local(2, 10)):
        waive(room.duties()["test/1"].id, "no kits", SYSTEM)
        sweep(local(2, 10))
        [row] = find_loops(definition="contact").rows
        found = loop_detail(row.public_id)
    assert [e.kind for e in found.events][:3] == ["contact.confirmed", "contact.located", "order.started"]
    assert len(found.duties) == Duty.unscoped.count()
    assert {r.duty for r in found.rungs} >= {d.ref for d in found.duties if d.status == "late"}
    assert all(r.told_at for r in found.rungs)


def test_rungs_come_from_time_also_where_no_sweep_ran(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10))
    number = room.duties()["locate#1"].id
    with at(local(1, 17)):
        assert [(r.step, r.at, r.told_at) for r in escalations(number)] == [
            (1, local(1, 12), None),
            (2, local(1, 16), None),
        ]


def test_loops_that_owe_something_in_given_stages_are_counted_once_each(room: Room):
    fill(room)
    with at(local(2, 12)):
        found = {(row.definition, row.stage, row.loop) for row in find_duties(limit=500).rows}
        for stages in ({("case", "report")}, {("case", "report"), ("case", "act")}, {("contact", "observe")}):
            loops = {loop for definition, stage, loop in found if (definition, stage) in stages}
            assert loops_owing(stages) == len(loops)
        assert loops_owing({("case", "report"), ("case", "act")}, NEXT_COUNTY) == 0
        assert loops_owing(set()) == 0
