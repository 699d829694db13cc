"""Loops in the database: what is stored equals a plain replay of the log, whatever came in which order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, transaction

from bihuan.loops.actions import (
    NewEvent,
    complete_bulk,
    complete_duty,
    hand_over,
    record,
    replan,
    sweep,
    take_back,
    undo_completion,
    waive,
)
from bihuan.loops.actions.quiet import Quiet
from bihuan.loops.errors import (
    CannotTakeOver,
    EvidenceMissing,
    NotHandedOver,
    NotOpen,
    ReasonMissing,
    UnknownDuty,
)
from bihuan.loops.models import Duty, DutyHistory, Escalation, LogEvent, Loop, Schedule
from bihuan.loops.queries import check, find_duties, my_duties, takers
from bihuan.registry import posts, scope
from bihuan.registry.models import Assignment, Grant, Post, Territory
from tests.cast import COMMUNITY, COUNTY, GRID, NEXT_COUNTY
from tests.rules.loop_examples import local

from .loop_room import SYSTEM, Room, assert_stored_is_replayed, at, in_force_policy
from .loop_room import open_room as open_room
from .loop_room import packs_in_force as packs_in_force
from .loop_room import room as room


def reading(day: int, hour: int, minute: int = 0, **more: object) -> dict[str, object]:
    return {"check": "temperature", "value": 36.5, **more}


def test_an_event_opens_a_loop_whose_duty_has_owner_deadline_and_reason(room: Room):
    result = room.say("K1", "contact.confirmed", local(1, 10))
    assert (result.recorded, result.loops_opened, result.duties_opened) == (1, 1, 1)
    with at(local(1, 10, 30)):
        [row] = find_duties().rows
    assert (row.key, row.due_at, row.status, row.rule, row.clause) == (
        "locate#1", local(1, 12), "open", "clocks.locate_hours", "E-1",
    )  # fmt: skip
    owner = posts.get(row.owner_post_id)
    assert (owner.function, owner.territory_code, row.owner_fallback) == (
        "community_follow_up",
        COMMUNITY,
        False,
    )


def test_nobody_to_owe_falls_to_the_command_post_marked_so(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10), territory="429004")
    [duty] = room.duties().values()
    assert duty.owner_fallback
    assert posts.get(duty.owner_post_id).function in ("command", "administration")


def test_the_same_event_twice_is_one(room: Room):
    for _ in range(2):
        result = room.say("K1", "contact.confirmed", local(1, 10), key="file:1")
    assert (result.recorded, result.duplicates) == (0, 1)
    assert LogEvent.unscoped.count() == Loop.unscoped.count() == Duty.unscoped.count() == 1


def test_a_whole_file_of_events_goes_in_with_a_fixed_number_of_statements(
    room: Room, django_assert_max_num_queries
):
    events = [
        NewEvent("contact", f"K{n}", kind, local(1, hour), GRID)
        for n in range(200)
        for kind, hour in (("contact.confirmed", 10), ("contact.located", 11), ("order.started", 15))
    ]
    with django_assert_max_num_queries(30):
        result = record(events, actor=SYSTEM, now=local(2, 12))
    assert result.loops_opened == 200
    assert_stored_is_replayed(local(2, 12))


def test_the_sweep_makes_the_rows_a_replay_makes(room: Room):
    for n in range(3):
        room.start(f"K{n}")
    first = sweep(local(3, 12))
    assert first.slots == 3 * 4
    assert sweep(local(3, 12)).slots == 0
    assert_stored_is_replayed(local(3, 12))
    swept = {
        k: (d.opened_at, d.due_at, d.warn_at, d.stage, d.owner_post_id, d.territory_code)
        for k, d in room.duties().items()
    }
    room.say("K9", "contact.confirmed", local(1, 10))
    room.start("K8")
    room.say("K8", "contact.noted", local(3, 12))  # no sweep: the engine made these
    recorded = {
        k: (d.opened_at, d.due_at, d.warn_at, d.stage, d.owner_post_id, d.territory_code)
        for k, d in room.duties("K8").items()
    }
    assert swept == recorded


def test_catching_up_after_downtime_gives_what_steady_sweeping_gives(room: Room):
    room.start("K1")
    for hours in range(0, 96, 5):
        sweep(local(1, 16) + timedelta(hours=hours))
    steady = [(d.key, d.opened_at, d.due_at) for d in room.duties("K1").values()]
    rungs = set(Escalation.unscoped.values_list("duty_id", "step", "at"))
    room.start("K2")
    sweep(local(1, 16) + timedelta(hours=95))
    caught_up = [(d.key, d.opened_at, d.due_at) for d in room.duties("K2").values()]
    assert sorted(steady) == sorted(caught_up)
    ids = {d.id: d.key for d in room.duties("K1").values()} | {
        d.id: d.key for d in room.duties("K2").values()
    }
    late = set(Escalation.unscoped.values_list("duty_id", "step", "at")) - rungs
    assert {(ids[d], s, m) for d, s, m in rungs} == {(ids[d], s, m) for d, s, m in late}


def test_a_rung_has_the_moment_of_the_deadline_and_leads_up_the_tree(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10))
    assert sweep(local(1, 11, 59)).escalations == 0
    sweep(local(2, 9))
    first, second = Escalation.unscoped.order_by("step")
    assert (first.at, second.at) == (local(1, 12), local(1, 16))
    assert posts.get(second.to_post_id).function == "command"
    assert posts.get(second.to_post_id).territory_code == COUNTY
    assert sweep(local(2, 10)).escalations == 0


def test_ending_a_late_duty_notes_the_rungs_no_sweep_saw(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10))
    room.say("K1", "contact.located", local(1, 13))
    assert [e.step for e in Escalation.unscoped.all()] == [1]


def test_each_post_gets_one_digest_not_a_message_per_duty(room: Room):
    from bihuan.registry.models import Digest

    for n in range(20):
        room.say(f"K{n}", "contact.confirmed", local(1, 10))
    sweep(local(1, 13))
    told = Digest.objects.all()
    assert 1 <= len(told) <= 3
    assert len({d.post_id for d in told}) == len(told)
    sweep(local(1, 13))
    assert sum(d.n_notices for d in Digest.objects.all()) == sum(d.n_notices for d in told)


def test_completing_keeps_evidence_both_times_and_history(room: Room):
    room.start()
    duty = room.duties()["temperature@2020-02-01/2"]
    with at(local(1, 21)):
        complete_duty(duty.id, {"value": 36.6}, local(1, 19, 50), room.cast.grid.actor)
    done = room.duties()["temperature@2020-02-01/2"]
    assert (done.state, done.ended_at, done.ended_recorded_at, done.evidence["value"]) == (
        1, local(1, 19, 50), local(1, 21), 36.6,
    )  # fmt: skip
    [change] = DutyHistory.unscoped.filter(duty_id=duty.id)
    assert (change.old_state, change.new_state, change.account_id) == (0, 1, room.cast.grid.account.id)
    assert_stored_is_replayed(local(1, 21))


def test_evidence_asked_for_and_not_given_is_named(room: Room):
    room.start()
    with at(local(1, 21)), pytest.raises(EvidenceMissing, match="value"):
        complete_duty(room.duties()["temperature@2020-02-01/2"].id, {}, local(1, 19), SYSTEM)


def test_completing_twice_is_a_conflict_and_undoing_owes_it_again(room: Room):
    room.start()
    number = room.duties()["temperature@2020-02-01/2"].id
    with at(local(1, 21)):
        complete_duty(number, {"value": 36.6}, local(1, 19), SYSTEM)
        with pytest.raises(NotOpen):
            complete_duty(number, {"value": 36.6}, local(1, 19), SYSTEM)
        undo_completion(number, "wrong person", SYSTEM)
    assert room.duties()["temperature@2020-02-01/2"].state == 0
    assert_stored_is_replayed(local(1, 21))


def test_waiving_asks_for_a_reason_and_leaves_no_limbo(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10))
    number = room.duties()["locate#1"].id
    with at(local(1, 11)):
        with pytest.raises(ReasonMissing):
            waive(number, " ", SYSTEM)
        waive(number, "left the country", SYSTEM)
    duties = room.duties()
    assert (duties["locate#1"].state, duties["locate#1"].reason) == (2, "left the country")
    assert posts.get(duties["decide#1"].owner_post_id).function == "command"
    assert_stored_is_replayed(local(1, 11))


def test_a_duty_handed_over_is_owed_by_the_other_post_also_after_more_events(room: Room):
    room.start()
    number = room.duties()["release#1"].id
    with at(local(1, 16)):
        hand_over(number, room.cast.community.post.id, "moved in with parents", SYSTEM)
    room.say("K1", "contact.noted", local(1, 17))
    assert room.duties()["release#1"].owner_post_id == room.cast.community.post.id


def test_a_post_takes_over_duties_of_its_own_territory_only(room: Room):
    room.start()
    duty = room.duties()["release#1"]
    with at(local(1, 16)):
        for member in (room.cast.neighbor, room.cast.other_city):
            with pytest.raises(CannotTakeOver, match=GRID) as refused:
                hand_over(duty.id, member.post.id, "too much to do", SYSTEM)
            assert refused.value.errors[0]["field"] == "to"
        with pytest.raises(CannotTakeOver, match="D-"):
            hand_over(duty.id, duty.owner_post_id, "to myself", SYSTEM)
        hand_over(duty.id, room.cast.city.post.id, "the city takes it", SYSTEM)
    assert room.duties()["release#1"].owner_post_id == room.cast.city.post.id


def test_a_post_that_is_not_active_or_does_no_duties_takes_nothing_over(room: Room):
    room.start()
    duty = room.duties()["release#1"]
    grid = room.cast.grid.post
    with at(local(1, 16)):
        Grant.objects.filter(role_id=grid.role, right="duty.do").delete()
        assert grid.id not in {post.id for post in takers(GRID)}
        with pytest.raises(CannotTakeOver):
            hand_over(duty.id, grid.id, "nearer", SYSTEM)
        Post.objects.filter(id=room.cast.street.post.id).update(active_to=local(1, 8))
        with pytest.raises(CannotTakeOver):
            hand_over(duty.id, room.cast.street.post.id, "nearer", SYSTEM)
    assert room.duties()["release#1"].owner_post_id == duty.owner_post_id


def test_who_was_lent_a_post_there_takes_over_in_its_own_post_too(room: Room):
    room.start()
    duty = room.duties()["release#1"]
    cast = room.cast
    with at(local(1, 16)):
        Assignment.objects.update(from_at=local(1))
        lent = Assignment.objects.get(account=cast.officer.account, post_id=cast.officer.post.id)
        Assignment.objects.create(
            post_id=cast.officer.post.id, account=cast.neighbor.account, from_at=local(1, 8),
            delegated_from=lent, reason="on leave",
        )  # fmt: skip
        hand_over(duty.id, cast.neighbor.post.id, "stands in", SYSTEM)
    assert room.duties()["release#1"].owner_post_id == cast.neighbor.post.id
    assert check().violations == []


def test_slots_to_come_are_handed_over_too_when_asked(room: Room):
    room.start()
    city, grid = room.cast.city.post.id, room.duties()["temperature@2020-02-01/2"].owner_post_id
    with at(local(1, 16)):
        hand_over(room.duties()["temperature@2020-02-01/2"].id, city, "one evening", SYSTEM)
    sweep(local(2, 1))
    assert room.duties()["temperature@2020-02-02/1"].owner_post_id == grid
    with at(local(2, 8)):
        hand_over(room.duties()["temperature@2020-02-02/1"].id, city, "from now on", SYSTEM, future=True)
    assert room.duties()["temperature@2020-02-02/2"].owner_post_id == city
    assert Schedule.unscoped.get(kind="temperature").owner_post_id == city
    sweep(local(3, 1))
    assert {room.duties()[f"temperature@2020-02-03/{n}"].owner_post_id for n in (1, 2)} == {city}
    room.say("K1", "contact.noted", local(3, 2))
    assert Schedule.unscoped.get(kind="temperature").owner_post_id == city
    assert_stored_is_replayed(local(3, 2))
    with at(local(3, 3)):
        take_back(room.duties()["temperature@2020-02-02/1"].id, "not so", SYSTEM)
    assert Schedule.unscoped.get(kind="temperature").owner_post_id == grid
    assert {room.duties()[f"temperature@2020-02-03/{n}"].owner_post_id for n in (1, 2)} == {grid}
    assert check().violations == []


def test_listed_days_still_open_are_handed_over_too_when_asked(room: Room):
    room.start()
    city = room.cast.city.post.id
    with at(local(1, 16)):
        hand_over(room.duties()["test/1"].id, city, "from now on", SYSTEM, future=True)
    assert {room.duties()[key].owner_post_id for key in ("test/1", "test/3")} == {city}
    assert room.duties()["release#1"].owner_post_id != city


def test_what_was_handed_to_a_post_that_is_gone_goes_to_who_owes_it_by_rule(room: Room):
    room.start()
    before, city = room.duties()["release#1"], room.cast.city.post.id
    with at(local(1, 16)):
        hand_over(before.id, city, "the city takes it", SYSTEM)
    Post.objects.filter(id=city).update(active_to=local(2, 8))
    assert sweep(local(2, 12)).rehomed >= 1
    assert room.duties()["release#1"].owner_post_id == before.owner_post_id
    assert sweep(local(2, 13)).rehomed == 0


def test_a_hand_over_is_taken_back_by_who_made_it(room: Room):
    room.start()
    before = room.duties()["release#1"]
    giver = next(m for m in (room.cast.street, room.cast.community) if m.post.id == before.owner_post_id)
    with at(local(1, 16)), giver.acting():
        hand_over(before.id, room.cast.city.post.id, "by mistake", giver.actor)
        assert room.duties()["release#1"].owner_post_id == room.cast.city.post.id
        take_back(before.id, "the wrong one", giver.actor)
        with pytest.raises(NotHandedOver):
            take_back(before.id, "again", giver.actor)
    assert room.duties()["release#1"].owner_post_id == before.owner_post_id
    assert_stored_is_replayed(local(1, 17))


def test_a_contact_that_moves_takes_its_open_duties_to_the_new_place(room: Room):
    room.start()
    room.say("K1", "contact.moved", local(1, 16), territory=NEXT_COUNTY + "001")
    duties = room.duties()
    assert duties["release#1"].territory_code == NEXT_COUNTY + "001"
    assert posts.get(duties["release#1"].owner_post_id).territory_code.startswith(NEXT_COUNTY)
    assert duties["locate#1"].territory_code == GRID
    sweep(local(2, 1))
    assert room.duties()["temperature@2020-02-02/1"].territory_code == NEXT_COUNTY + "001"
    assert_stored_is_replayed(local(2, 1))


def test_a_late_end_of_the_order_takes_swept_slots_back(room: Room):
    room.start()
    sweep(local(3, 12))
    room.say("K1", "order.ended", local(2, 1), now=local(3, 13))
    late = room.duties()["temperature@2020-02-03/1"]
    assert (late.state, late.reason, late.ended_at) == (3, "late_fact", local(3, 13))
    assert Schedule.unscoped.get(kind="temperature").until_at == local(2, 1)
    assert_stored_is_replayed(local(3, 13))


def test_a_correction_takes_the_old_event_back(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10), key="a")
    room.say("K1", "contact.confirmed", local(1, 8), key="b", revises="a", now=local(1, 11))
    assert room.duties()["locate#1"].due_at == local(1, 10)
    assert LogEvent.unscoped.count() == 3
    assert_stored_is_replayed(local(1, 11))


def test_taking_the_opening_back_closes_the_loop(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10), key="a")
    room.say("K1", "contact.noted", local(1, 10), key="b", revises="a", now=local(1, 11))
    assert (room.loop().state, room.loop().outcome) == (1, "retracted")
    room.say("K1", "contact.confirmed", local(1, 12))
    assert room.loop().state == 0
    assert_stored_is_replayed(local(1, 12))


def test_bulk_completion_goes_the_short_way_and_equals_a_replay(room: Room, monkeypatch: pytest.MonkeyPatch):
    for n in range(30):
        room.start(f"K{n}")
    sweep(local(2, 1))
    ids = list(Duty.unscoped.filter(kind="test", state=0).values_list("id", flat=True))
    module = sys.modules["bihuan.loops.actions.record"]
    with at(local(2, 9)):
        monkeypatch.setattr(module, "replay", None)  # the long way would fail
        assert complete_bulk(ids, {"result": "negative"}, local(2, 8, 30), SYSTEM) == len(ids) == 60
    assert_stored_is_replayed(local(2, 9))


def test_a_quiet_reading_gives_the_rows_the_long_way_gives(room: Room, monkeypatch: pytest.MonkeyPatch):
    module = sys.modules["bihuan.loops.actions.record"]
    for subject in ("K1", "K2"):
        room.start(subject)
    sweep(local(2, 1))
    room.say("K1", "contact.tested", local(2, 9, 20))
    monkeypatch.setattr(module, "take_quietly", lambda *a, **k: Quiet())
    room.say("K2", "contact.tested", local(2, 9, 20))
    told = [
        {k: (d.state, d.ended_at, d.evidence, d.reason) for k, d in room.duties(s).items()}
        for s in ("K1", "K2")
    ]
    assert told[0] == told[1]
    assert told[0]["test/1"][0] == 1 or told[0]["test/3"][0] == 1
    assert_stored_is_replayed(local(2, 10))


def test_the_database_refuses_an_open_loop_that_owes_nothing(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10))
    with (
        pytest.raises(IntegrityError, match="would owe nothing"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE loops_duty SET state = 1, ended_at = now()")


def test_the_database_refuses_a_closed_loop_that_owes(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10))
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("UPDATE loops_loop SET state = 1, closed_at = now()")
        with pytest.raises(IntegrityError, match="still owes"):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


def test_check_names_what_was_broken_by_hand(room: Room):
    room.start()
    assert check().violations == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE loops_duty SET owner_post_id = 999999 WHERE key = 'release#1'")
        cursor.execute("DELETE FROM loops_duty WHERE key = 'test/1'")
    found = {v.rule: v.ids for v in check().violations}
    assert found["owner-missing"] == [f"D-{room.duties()['release#1'].id}"]
    assert any("contact.test" in i for i in found["not-conserved"])


def test_check_names_days_by_the_clock_of_the_territory(room: Room):
    Territory.objects.filter(code__startswith=GRID[:6]).update(tz="America/Guatemala")
    room.start()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM loops_duty WHERE key = 'release#1' RETURNING due_at")
        [due_at] = cursor.fetchone()
    [told] = next(v.ids for v in check().violations if v.rule == "not-conserved")
    last = due_at - timedelta(seconds=1)
    there, here = (last.astimezone(ZoneInfo(n)).date() for n in ("America/Guatemala", "Asia/Shanghai"))
    assert there != here
    assert told.endswith(there.isoformat())


def test_check_counts_what_the_tally_counts(room: Room):
    for n in range(3):
        room.start(f"K{n}")
    sweep(local(2, 12))
    result = check()
    assert (
        result.created
        == result.open + result.done + result.waived + result.superseded
        == Duty.unscoped.count()
    )


def test_a_deadline_in_a_far_year_is_kept_and_found(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10).replace(year=1920))
    room.say("K2", "contact.confirmed", local(1, 10).replace(year=2199), now=local(1, 10))
    assert Duty.unscoped.count() == 2
    assert check().violations == []


def test_rows_that_waited_in_the_default_partition_move_to_their_month(room: Room):
    with connection.cursor() as cursor:
        cursor.execute("SELECT loops_ensure_month('2031-05-01')")
        assert cursor.fetchone()[0] is True
        cursor.execute("SELECT to_regclass('loops_duty_203105') IS NOT NULL")
        assert cursor.fetchone()[0] is True


def test_a_colleague_sees_it_a_neighbor_does_not(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10))
    with at(local(1, 11)):
        with room.cast.officer.acting():
            assert len(find_duties().rows) == 1
        with room.cast.neighbor.acting():
            assert find_duties().rows == []


def test_a_role_that_sees_only_its_desk_sees_only_its_desk(room: Room):
    room.start()
    with at(local(1, 16)), room.cast.grid.acting():
        rows = find_duties().rows
        assert {r.kind for r in rows} == {"temperature"}
        assert rows == my_duties(room.cast.grid.post.id).rows


def test_pages_go_on_where_the_last_ended(room: Room):
    for n in range(7):
        room.say(f"K{n}", "contact.confirmed", local(1, 10))
    with at(local(1, 11)):
        first = find_duties(limit=4)
        second = find_duties(limit=4, page=first.next)
    assert (len(first.rows), len(second.rows), second.next) == (4, 3, None)
    assert not {r.id for r in first.rows} & {r.id for r in second.rows}


def test_without_a_scope_nothing_is_seen(room: Room):
    room.say("K1", "contact.confirmed", local(1, 10))
    token = scope._state.set(None)
    try:
        assert find_duties().rows == []
    finally:
        scope._state.reset(token)


@contextmanager
def as_the_door() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE bihuan_door")
        yield
        cursor.execute("RESET ROLE")


def test_the_door_may_record_and_complete_and_sees_only_its_scope(room: Room):
    with room.cast.officer.acting(), as_the_door():
        room.start()
        room.say("K1", "contact.moved", local(1, 16), territory="420602001001")
    with room.cast.officer.acting(), as_the_door(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM loops_duty WHERE state = 0")
        assert cursor.fetchone()[0] == 0  # they are owed in the other city now
    with at(local(1, 17)), room.cast.other_city.acting(), as_the_door():
        assert {r.kind for r in find_duties().rows} == {"temperature", "test", "release"}
        found = find_duties().rows[0]
    with at(local(1, 21)), room.cast.neighbor.acting(), as_the_door(), pytest.raises(UnknownDuty):
        complete_duty(found.id, {"value": 36.5, "result": "negative"}, local(1, 17), room.cast.neighbor.actor)


def test_row_level_security_alone_shows_nothing_of_another_county(room: Room):
    room.start()
    sweep(local(2, 12))
    room.say("K1", "contact.tested", local(2, 12))
    tables = (
        "subject", "event", "loop", "duty", "dutyhistory", "schedule", "escalation", "tally", "tallydelta",
    )  # fmt: skip
    for member, seen in ((room.cast.neighbor, False), (room.cast.city, True)):
        with member.acting(), as_the_door(), connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"SELECT count(*) FROM loops_{table}")
                found = cursor.fetchone()[0] > 0
                assert found == seen or (seen and table == "tallydelta"), table


def test_a_policy_that_changes_replans_open_loops_when_it_says_so(room: Room, packs_in_force: Any):
    room.start()
    packs_in_force.policy = in_force_policy("longer", transition="keep", observation__days=5)
    assert replan(now=local(2, 12), actor=SYSTEM).recorded == 0
    packs_in_force.policy = in_force_policy("longer", transition="replan", observation__days=5)
    assert replan(now=local(2, 12), actor=SYSTEM).recorded == 1
    assert replan(now=local(2, 13), actor=SYSTEM).recorded == 0
    assert room.duties()["release#1"].due_at == local(7)
    sweep(local(5, 12))
    assert "temperature@2020-02-05/1" in room.duties()
    assert room.loop().ruling.policy_id == "longer"
    assert room.loop().binding.policy_id == "example"
    assert_stored_is_replayed(local(5, 12))


def test_an_owner_that_is_gone_is_replaced_by_the_next_sweep(room: Room):
    room.start()
    post = room.duties()["release#1"].owner_post_id
    Post.objects.filter(id=post).update(active_to=local(2, 8))
    result = sweep(local(2, 12))
    assert result.rehomed >= 1
    assert room.duties()["release#1"].owner_post_id != post
    assert check().violations == []


def test_a_slot_opened_early_is_not_opened_again_by_the_sweep(room: Room):
    room.start()
    with at(local(1, 19)):
        open_now = {d.key: d.id for d in room.duties().values() if d.state == 0}
        for key in ("test/1", "test/3", "release#1"):
            waive(open_now[key], "not needed", SYSTEM)
        complete_duty(open_now["temperature@2020-02-01/2"], {"value": 36.5}, local(1, 19), SYSTEM)
    early = room.duties()["temperature@2020-02-02/1"]
    assert (early.state, early.opened_at) == (0, local(1, 19))
    assert sweep(local(2, 1)).slots == 1
    assert_stored_is_replayed(local(2, 1))
