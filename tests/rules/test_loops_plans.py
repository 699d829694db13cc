"""A plan is the engine's answer apart from the day: put on any other day it equals a plain replay there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bihuan.loops.rules.engine import replay
from bihuan.loops.rules.plans import Plan, may_share, midnight_of, needs_day, plan_of, story
from bihuan.loops.rules.state import Event

from .loop_examples import CASE, CONTACT, SHANGHAI, bound, local

CASES, CONTACTS = bound(CASE), bound(CONTACT)
BERLIN = ZoneInfo("Europe/Berlin")
KINDS = (
    *("case.diagnosed", "case.reported", "case.reviewed", "case.isolated", "case.admitted", "case.outcome"),
    *("case.follow_up", "case.discarded", "contact.confirmed", "contact.located", "contact.released"),
    *("order.started", "order.ended", "contact.became_case"),
)


@st.composite
def stories(draw: st.DrawFn) -> list[Event]:
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    events = []
    for n, kind in enumerate(kinds, start=1):
        minutes = draw(st.integers(0, 6 * 24 * 60))
        precision = draw(st.sampled_from(["minute", "day"]))
        at = local(1) + timedelta(minutes=minutes)
        at = midnight_of(at, SHANGHAI) if precision == "day" else at
        data: dict[str, Any] = {"facility": "H1"} if draw(st.booleans()) else {}
        events.append(Event(n, kind, at, data, precision, local(20), "420302001", 7, 8))
    return sorted(events, key=lambda e: e.order)


def unfold(plan: Plan, log: list[Event], base: datetime) -> dict[str, tuple[Any, ...]]:
    """The duties of a plan put on a day and a log, as comparable rows."""
    return {
        owed.key: (
            owed.kind, owed.stage, base + owed.opened, base + owed.due, base + owed.warn, owed.clock_known,
            owed.state, None if owed.ended is None else base + owed.ended, owed.ended_day_only,
            None if owed.ended_by is None else log[owed.ended_by].seq, owed.reason, owed.evidence,
        )
        for owed in plan.duties
    }  # fmt: skip


def plain(log: list[Event], definition: Any) -> tuple[Any, dict[str, tuple[Any, ...]]]:
    state = replay(definition, log, local(25), SHANGHAI)
    rows = {
        d.key: (
            d.kind, d.stage, d.opened_at, d.due_at, d.warn_at, d.clock_known, int(d.state), d.ended_at,
            d.ended_precision == "day", d.ended_seq, d.reason, d.evidence,
        )
        for d in state.duties.values()
    }  # fmt: skip
    return state, rows


@settings(max_examples=300)
@given(stories(), st.integers(-300, 300), st.sampled_from([CASES, CONTACTS]))
def test_a_plan_put_on_another_day_equals_a_plain_replay_of_that_day(log, days, definition):
    base = midnight_of(log[0].at, SHANGHAI)
    plan = plan_of(replay(definition, log, local(25), SHANGHAI), log, base)
    assume(plan is not None)
    moved = [replace(e, seq=e.seq + 1_000, at=e.at + timedelta(days=days)) for e in log]
    other = midnight_of(moved[0].at, SHANGHAI)
    assert story(_told(moved), other, _says(moved)) == story(_told(log), base, _says(log))
    state, rows = plain(moved, definition)
    assert unfold(plan, moved, other) == rows
    assert (plan.opened is None) == (state.opened_at is None)
    if plan.opened is not None:
        assert other + plan.opened == state.opened_at
        assert (None if plan.closed is None else other + plan.closed) == state.closed_at
        assert (plan.outcome, plan.openings, plan.waits) == (
            state.outcome,
            state.openings,
            bool(state.pending),
        )


def _told(log: list[Event]) -> list[Any]:
    return [
        SimpleNamespace(
            kind=e.kind, at=e.at, at_precision=e.precision, data=e.data, territory_code=e.territory_code
        )
        for e in log
    ]


def _says(log: list[Event]) -> list[str]:
    return [repr(e.data) for e in log]


def test_what_repeats_daily_has_no_plan():
    log = [
        Event(1, "contact.confirmed", local(1, 10), {}, territory_code="42"),
        Event(2, "contact.located", local(1, 11), {}, territory_code="42"),
        Event(3, "order.started", local(1, 15), {}, territory_code="42"),
    ]
    assert plan_of(replay(CONTACTS, log, local(3), SHANGHAI), log, local(1)) is None


@pytest.mark.parametrize("said", ['{"since":"2020-02-01T00:00:00+08:00"}', '{"last":"20200201"}'])
def test_a_date_in_what_was_said_binds_a_plan_to_its_day(said):
    timeless = SimpleNamespace(conditions={})
    assert needs_day(timeless, local(1), SHANGHAI, [said])
    assert not needs_day(timeless, local(1), SHANGHAI, ['{"classification":"confirmed"}'])


def test_a_condition_that_looks_at_time_binds_plans_to_their_day():
    blind, seeing = (lambda known, now: True), (lambda known, now: now)
    blind.timeless = True  # type: ignore[attr-defined]
    assert not needs_day(SimpleNamespace(conditions={"a": blind}), local(1), SHANGHAI, ["{}"])
    assert needs_day(SimpleNamespace(conditions={"a": blind, "b": seeing}), local(1), SHANGHAI, ["{}"])


def test_clocks_that_are_put_forward_bind_plans_to_their_day():
    assert needs_day(SimpleNamespace(conditions={}), local(1), BERLIN, ["{}"])


@pytest.mark.parametrize(
    ("changed", "shared"),
    [
        ({}, True),
        ({"kind": "loop.retracted"}, False),
        ({"territory_code": "43"}, False),
        ({"data": {"a": [1]}}, False),
    ],
)
def test_corrections_moves_and_odd_facts_are_not_shared(changed, shared):
    first = SimpleNamespace(kind="case.found", at=local(1), at_precision="day", data={}, territory_code="42")
    second = SimpleNamespace(**{**first.__dict__, **changed})
    assert may_share([first, second]) is shared
