"""The contact loop as shipped, bound to the later editions: two stages, any order of what is told."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from bihuan.care.rules import Course, course_tests, observation
from bihuan.loops.rules.bound import BoundDefinition, bind
from bihuan.loops.rules.definition import parse
from bihuan.loops.rules.engine import advance, find_broken, replay, tick
from bihuan.loops.rules.state import DutyState, Event, State
from bihuan.policy.language import FactRegistry, FactType, compile_rule
from bihuan.policy.rules.library import load_all

TZ = ZoneInfo("Asia/Shanghai")
LIBRARY = load_all([Path(__file__).resolve().parents[2] / "packs"])
EDITIONS = {
    "seventh": date(2021, 1, 10), "eighth": date(2021, 6, 1), "ninth": date(2022, 7, 10),
    "twenty": date(2022, 11, 15),
}  # fmt: skip


def compiled(text: str) -> Any:
    facts = FactRegistry.from_data("contact", LIBRARY.vocabulary.facts["contact"])
    rule = compile_rule(text, facts, returns=FactType.BOOLEAN)
    used = [name for name in rule.uses if name != "now"]
    return lambda known, now: rule.closure({name: known.get(name) for name in used}, now)


def bound(on: date) -> BoundDefinition:
    policy = LIBRARY.in_force("120101", on)
    return bind(parse("contact", policy.loops["contact"].definition), policy, compiled)


def course(on: date) -> Course:
    def value(key: str) -> Any:
        return LIBRARY.in_force("120101", on).value(f"observation.{key}").value

    return Course(value("days"), value("tests_on"), value("home_days"), value("home_tests_on"))


BOUND = {name: bound(on) for name, on in EDITIONS.items()}
COURSE = {name: course(on) for name, on in EDITIONS.items()}


def at(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=TZ)


def ordered(edition: str, exposed: date, started: date, kind: str) -> dict[str, Any]:
    """What `order.started` says: as care tells it."""
    asked = COURSE[edition]
    plan = observation(
        last_exposure=exposed, started=started, days=asked.days, home_days=asked.home_days, tz=TZ
    )
    return {
        "order_running": True,
        "order_kind": kind,
        "observe_until": plan.last.isoformat(),
        "observe_ends_at": plan.ends_at.isoformat(),
        "test_day_one": started.isoformat(),
        "two_stages": plan.home_from is not None,
        "stage_until": plan.stage_last.isoformat(),
        "stage_ends_at": at(plan.stage_last + timedelta(days=1), 0).isoformat(),
        "home_from": plan.home_from.isoformat() if plan.home_from else None,
    }


@st.composite
def courses(draw: st.DrawFn) -> tuple[str, list[Event], datetime]:
    """A course under an edition: named, found, ordered; tests, checks, the way home, an end; some absent."""
    edition = draw(st.sampled_from(list(EDITIONS)))
    asked, exposed = COURSE[edition], EDITIONS[edition]
    late = draw(st.integers(0, asked.days))
    started = exposed + timedelta(days=late)
    kind = draw(st.sampled_from(["facility", "home"]))
    facts = ordered(edition, exposed, started, kind)
    over = datetime.fromisoformat(facts["observe_ends_at"])
    events: list[tuple[str, datetime, dict[str, Any]]] = [
        ("contact.confirmed", at(started, 8), {}),
        ("contact.located", at(started, 9), {}),
        ("order.started", at(started, 10), facts),
        ("contact.placed", at(started, 10), {"order": "O"}),
    ]
    for n in draw(st.lists(st.integers(0, asked.days + asked.home_days), max_size=6, unique=True)):
        day = started + timedelta(days=n)
        stage = {"stage": "home"} if facts["home_from"] and day.isoformat() >= facts["home_from"] else {}
        result = draw(st.sampled_from(["negative", "negative", "positive", "inconclusive"]))
        events.append(("contact.tested", at(day, 14), {"result": result, **stage}))
    for n in draw(st.lists(st.integers(0, asked.days + asked.home_days), max_size=3)):
        events.append(("contact.temperature", at(started + timedelta(days=n), 20), {"value": 36.5}))
    if facts["two_stages"] and kind == "facility" and draw(st.booleans()):
        hours = draw(st.integers(0, 30))
        moved = datetime.fromisoformat(facts["stage_ends_at"]) + timedelta(hours=hours - 6)
        events.append(("contact.came_home", moved, {"order_kind": "home"}))
    if draw(st.booleans()):
        events.append(("order.ended", over, {"order_running": False}))
        if draw(st.booleans()):
            events.append(("contact.released", over + timedelta(hours=2), {"reason": "completed"}))
    elif draw(st.booleans()):
        case = at(started + timedelta(days=draw(st.integers(0, asked.days + asked.home_days))), 16)
        events += [
            ("order.ended", case, {"order_running": False}),
            ("contact.became_case", case, {"case": "C"}),
        ]
    made = [
        Event(n, kind, when, data, territory_code="120101001")
        for n, (kind, when, data) in enumerate(sorted(events, key=lambda e: e[1]), start=1)
    ]
    return edition, made, max(over, made[-1].at) + timedelta(days=2)


@settings(max_examples=120, deadline=None)
@given(courses())
def test_at_no_moment_of_a_course_is_a_contact_open_with_nothing_owed(drawn: Any):
    edition, events, end = drawn
    state, waiting = State(tz=TZ), list(events)
    now = events[0].at
    while now <= end:
        while waiting and waiting[0].at <= now:
            state = advance(BOUND[edition], state, waiting.pop(0), now).state
            assert find_broken(state) == []
        state = tick(BOUND[edition], state, now).state
        assert find_broken(state) == []
        assert all(state.duties[key].stage for key in state.open_keys)
        now += timedelta(hours=6)
    assert tick(BOUND[edition], state, end).state == replay(BOUND[edition], events, end, TZ)


@settings(max_examples=120, deadline=None)
@given(courses(), st.randoms(use_true_random=False))
def test_what_is_told_late_or_in_another_order_leads_to_the_same_course(drawn: Any, random: Any):
    edition, events, end = drawn
    shuffled = list(events)
    random.shuffle(shuffled)
    state = State(tz=TZ)
    for event in shuffled:
        state = advance(BOUND[edition], state, event, end).state
        assert find_broken(state) == []
    assert tick(BOUND[edition], state, end).state == replay(BOUND[edition], events, end, TZ)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(EDITIONS)), st.dates(date(2021, 1, 1), date(2024, 3, 5)), st.integers(0, 25))
def test_a_course_has_the_days_and_the_tests_of_its_edition(edition: str, exposed: date, late: int):
    asked = COURSE[edition]
    started = exposed + timedelta(days=late)
    plan = observation(
        last_exposure=exposed, started=started, days=asked.days, home_days=asked.home_days, tz=TZ
    )
    assert plan.last == exposed + timedelta(days=asked.days + asked.home_days)
    if plan.home_from is not None:
        assert plan.home_from == max(exposed + timedelta(days=asked.days + 1), started)
        assert plan.stage_last == plan.home_from - timedelta(days=1)
    else:
        assert not asked.home_days or started > plan.last
    days = course_tests(asked, plan, day_one=started)
    assert list(days) == sorted(set(days))
    assert all(started <= day <= plan.last for day in days)
    if late <= 1 and asked.tests_on:
        assert len(days) == len(asked.tests_on) + len(asked.home_tests_on)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(EDITIONS)), st.integers(0, 14))
def test_the_loop_owes_the_tests_of_the_order_on_their_days(edition: str, late: int):
    asked, exposed = COURSE[edition], EDITIONS[edition]
    started = exposed + timedelta(days=min(late, asked.days))
    plan = observation(
        last_exposure=exposed, started=started, days=asked.days, home_days=asked.home_days, tz=TZ
    )
    log = [
        Event(1, "contact.confirmed", at(started, 8), territory_code="120101001"),
        Event(2, "order.started", at(started, 10), ordered(edition, exposed, started, "facility")),
    ]
    state = replay(BOUND[edition], log, at(started, 10), TZ)
    owed = [d.day for d in state.duties.values() if d.kind in ("test", "home_test")]
    assert sorted(day for day in owed if day) == list(course_tests(asked, plan, day_one=started))
    assert all(d.state is DutyState.OPEN for d in state.duties.values())
