"""Writes that run behind: in their order, within their transaction, seen by every later statement."""

from __future__ import annotations

import hashlib
import sys
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.loops.actions import NewEvent, record
from bihuan.loops.actions import fresh as fresh_events
from bihuan.loops.models import Duty, LogEvent, Loop, Subject
from bihuan.loops.queries import check
from bihuan.registry import bulk, scope
from bihuan.registry.actions.people import register_rows
from bihuan.registry.actor import Actor
from bihuan.registry.audit import attributed
from bihuan.registry.models import Person
from bihuan.registry.people import PersonInput
from tests.rules.loop_examples import local

from .loop_room import SYSTEM, Room, open_room, packs_in_force, room  # noqa: F401 - fixtures

COUNTY = "420302"


@pytest.fixture
def notes(db):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE note (n int PRIMARY KEY, said text)")
    return lambda: _rows("SELECT n, said FROM note ORDER BY n")


def _rows(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _put(*rows):
    bulk.put("note", ("n", "said"), [bulk.line(row) for row in rows])


def _put_and_fail(row):
    with transaction.atomic():
        _put(row)
        raise RuntimeError


def _twice_and_then(look, told):
    with transaction.atomic(), bulk.lane():
        _put((1, "twice"))
        _put((2, "left out"))
        told.append(look())


def test_a_statement_sees_every_write_put_before_it(notes):
    with transaction.atomic(), bulk.lane():
        for n in range(50):
            _put((n, "copied"))
            bulk.write("UPDATE note SET said = said || %s WHERE n = %s", ["!", n])
        assert notes() == [(n, "copied!") for n in range(50)]


def test_an_error_behind_is_raised_by_the_next_statement_and_the_transaction_is_taken_back(notes):
    _put((1, "there"))
    told = []
    with pytest.raises(IntegrityError):
        _twice_and_then(notes, told)
    assert told == []
    assert notes() == [(1, "there")]


def test_an_error_behind_is_raised_at_the_end_of_the_lane_at_the_latest(notes):
    with pytest.raises(IntegrityError), transaction.atomic(), bulk.lane():
        _put((1, "one"), (1, "two"))
    assert notes() == []


def _swallow(look):
    with transaction.atomic(), bulk.lane():
        _put((1, "one"), (1, "two"))
        with pytest.raises(IntegrityError):
            look()


def test_whoever_swallows_an_error_behind_hears_of_it_again_at_the_end(notes):
    with pytest.raises(IntegrityError):
        _swallow(notes)
    assert notes() == []


def test_what_was_done_once_is_done_again_when_a_savepoint_took_it_back(notes):
    with transaction.atomic(), bulk.lane():
        assert bulk.first_time("a")
        assert not bulk.first_time("a")
        with pytest.raises(RuntimeError):
            _put_and_fail((1, "goes"))
        assert bulk.first_time("a")


def test_lanes_that_overlap_leave_the_interval_of_threads_as_it_was():
    before = sys.getswitchinterval()
    first, second = bulk._switching_soon(), bulk._switching_soon()
    first.__enter__()
    during = sys.getswitchinterval()
    second.__enter__()
    first.__exit__(None, None, None)
    assert sys.getswitchinterval() == during < before
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == before


def test_what_a_savepoint_takes_back_is_gone_and_the_rest_stays(notes):
    with transaction.atomic(), bulk.lane():
        _put((1, "stays"))
        with pytest.raises(RuntimeError):
            _put_and_fail((2, "goes"))
        with transaction.atomic():
            _put((3, "stays"))
    assert notes() == [(1, "stays"), (3, "stays")]


@pytest.mark.parametrize("value", ["a\tb\\c\nd\re", "\\N", "\\.", "张三", "", None, "—\u2028x"])
def test_any_text_comes_out_of_copy_as_it_went_in(notes, value):
    _put((1, value))
    assert notes() == [(1, value)]


def test_numbers_drawn_ahead_are_taken_in_order_and_more_are_drawn_when_they_end(db):
    with transaction.atomic(), bulk.lane():
        bulk.reserve({"registry_person_id_seq": 3})
        first = bulk.take("registry_person_id_seq", 2)
        second = bulk.take("registry_person_id_seq", 5)
    assert first == sorted(first)
    assert second == sorted(second)
    assert not set(first) & set(second)


def test_history_says_who_did_it_also_for_what_is_copied_behind(room):  # noqa: F811
    actor = Actor(None, None, "Clerk of the list", "import")
    inputs = [PersonInput(territory_code=COUNTY, name=f"甲{n}", source="x") for n in range(30)]
    with transaction.atomic(), bulk.lane():
        ids = register_rows(inputs, actor)
    assert Person.unscoped.filter(id__in=ids).count() == 30
    rows = _rows(
        "SELECT count(*), min(pgh_context->>'name'), max(pgh_context->>'door') FROM registry_personevent"
        f" WHERE pgh_obj_id BETWEEN {ids[0]} AND {ids[-1]}"
    )
    assert rows == [(30, "Clerk of the list", "import")]


def test_where_row_level_security_closes_copy_the_same_rows_come_in_otherwise(room):  # noqa: F811
    inputs = [PersonInput(territory_code=COUNTY, name=f"乙{n}", phone="13912345678") for n in range(30)]
    with transaction.atomic(), attributed(SYSTEM), scope.system():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE bihuan_door")
        with bulk.lane() as running:
            assert not running.copies
            ids = register_rows(inputs, SYSTEM)
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
    assert Person.unscoped.filter(id__in=ids, name__startswith="乙").exclude(phone_index="").count() == 30


# --- loops of subjects that are new -----------------------------------------------------------------

KINDS = (
    *("case.diagnosed", "case.reported", "case.admitted", "case.outcome", "case.follow_up", "case.discarded"),
    *("case.isolated", "case.found"),
)


@st.composite
def batches(draw: st.DrawFn):
    events = []
    for n in range(draw(st.integers(1, 6))):
        place = draw(st.sampled_from(["420302001", "420302002", "420303001"]))
        day = draw(st.integers(0, 20))
        kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4, unique=True))
        for kind in kinds:
            minutes = draw(st.sampled_from([0, 0, 60, 600, 1500]))
            data = draw(st.sampled_from([{}, {"organization_id": 3}, {"since": "2020-02-01"}, {"a": [1]}]))
            events.append((f"C{n}", kind, local(1) + timedelta(days=day, minutes=minutes), place, data))
    return events


def _stored():
    """All that was stored of loops, without numbers of its own."""
    subjects = {s.id: s.ref for s in Subject.unscoped.all()}
    loops = {loop.id: (subjects[loop.subject_id], loop.definition) for loop in Loop.unscoped.all()}
    numbers = {e.id: (subjects[e.subject_id], e.kind, e.at) for e in LogEvent.unscoped.all()}
    dropped = {"id", "public_id", "subject_id", "loop_id", "ended_event_id", "binding_id", "ruling_id"}
    out = {}
    for model in (Subject, LogEvent, Loop, Duty):
        names = [f.attname for f in model._meta.concrete_fields]
        rows = []
        for row in model.unscoped.values(*names):
            kept = {k: v for k, v in row.items() if k not in dropped}
            kept["about"] = subjects.get(row.get("subject_id")) or loops.get(row.get("loop_id"))
            kept["ended_by"] = numbers.get(row.get("ended_event_id"))
            rows.append(sorted((k, repr(v)) for k, v in kept.items()))
        out[model.__name__] = sorted(rows)
    return out


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(batches())
def test_what_is_told_of_new_subjects_is_stored_as_record_would_store_it(room, events):  # noqa: F811
    def news():
        return [
            NewEvent("case", ref, kind, at, place, "minute" if at.minute else "day", data, None,
                     hashlib.md5(repr((ref, kind, at)).encode()).hexdigest())
            for ref, kind, at, place, data in events
        ]  # fmt: skip

    answers, found = [], []
    for quick in (False, True):
        with transaction.atomic():
            answer = record(news(), actor=SYSTEM, now=local(25), fresh=quick)
            found.append(_stored())
            assert check().violations == []
            answers.append((answer.recorded, answer.loops_opened, answer.loops_closed, answer.duties_opened,
                            answer.duties_ended, len(answer.event_ids)))  # fmt: skip
            transaction.set_rollback(True)
    assert found[0] == found[1]
    assert answers[0] == answers[1]


def test_a_thousand_alike_are_read_by_the_engine_once(room, monkeypatch):  # noqa: F811
    reads = []
    plain = fresh_events.replay
    monkeypatch.setattr(fresh_events, "replay", lambda *a, **k: reads.append(1) or plain(*a, **k))
    monkeypatch.setattr(fresh_events, "_plans", {})
    days = [local(1) + timedelta(days=n % 10) for n in range(1_000)]
    events = [NewEvent("case", f"C{n}", "case.diagnosed", at, "420302001") for n, at in enumerate(days)]
    answer = record(events, actor=SYSTEM, now=local(25), fresh=True)
    assert answer.loops_opened == 1_000
    assert len(reads) <= 10
    assert check().violations == []
