from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bihuan.loops.rules.engine import advance, find_broken, replay, tick
from bihuan.loops.rules.state import DutyState, Event, State

from .loop_examples import CASE, CONTACT, SHANGHAI, bound, local

CONTACTS, CASES = bound(CONTACT), bound(CASE)


def log(*events: tuple[Any, ...]) -> list[Event]:
    """Events from (kind, at, data?, precision?), numbered in the order given."""
    return [
        Event(n, kind, at, rest[0] if rest else {}, *rest[1:2], territory_code="420302001")
        for n, (kind, at, *rest) in enumerate(events, start=1)
    ]


def states(state: State) -> dict[str, str]:
    return {key: duty.state.name.lower() for key, duty in state.duties.items()}


STARTED = (
    ("contact.confirmed", local(1, 10)),
    ("contact.located", local(1, 11)),
    ("order.started", local(1, 15)),
)


def reading(at: Any, value: float = 36.5, **more: Any) -> tuple[Any, ...]:
    return (
        "contact.checked",
        at,
        {"check": "temperature", "value": value, "temperature_value": value, **more},
    )


def test_an_opening_event_opens_the_loop_and_its_first_duty():
    state = replay(CONTACTS, log(STARTED[0]), local(1, 10), SHANGHAI)
    [duty] = state.open_duties()
    assert (duty.key, duty.due_at, duty.warn_at) == ("locate#1", local(1, 12), local(1, 11))


def test_slots_open_at_local_midnight_whether_or_not_yesterday_was_done():
    state = replay(CONTACTS, log(*STARTED), local(2, 0), SHANGHAI)
    assert states(state)["temperature@2020-02-01/2"] == "open"
    assert state.duties["temperature@2020-02-02/1"].due_at == local(2, 9)
    assert "temperature@2020-02-01/1" not in state.duties  # its time had passed when the order began


def test_slots_end_with_the_last_day():
    state = replay(CONTACTS, log(*STARTED), local(20), SHANGHAI)
    assert max(d.day for d in state.duties.values() if d.day).isoformat() == "2020-02-03"


def test_a_reading_ends_the_slot_nearest_to_it_and_a_missed_one_stays_missed():
    state = replay(CONTACTS, log(*STARTED, reading(local(2, 19))), local(2, 21), SHANGHAI)
    assert states(state)["temperature@2020-02-02/1"] == "open"
    assert states(state)["temperature@2020-02-02/2"] == "done"


def test_one_more_reading_ends_no_further_slot():
    twice = (reading(local(2, 8, 50)), reading(local(2, 9, 10)))
    state = replay(CONTACTS, log(*STARTED, *twice), local(2, 12), SHANGHAI)
    assert states(state)["temperature@2020-02-02/2"] == "open"


def test_a_reading_known_only_to_the_day_ends_the_first_open_slot():
    known_to_day = [("contact.checked", local(2), {"check": "temperature", "value": 36}, "day")] * 2
    state = replay(CONTACTS, log(*STARTED, *known_to_day), local(2, 12), SHANGHAI)
    assert states(state)["temperature@2020-02-02/1"] == states(state)["temperature@2020-02-02/2"] == "done"


def test_an_event_without_the_evidence_asked_ends_nothing():
    state = replay(
        CONTACTS,
        log(*STARTED, ("contact.checked", local(1, 19), {"check": "temperature"})),
        local(1, 20),
        SHANGHAI,
    )
    assert states(state)["temperature@2020-02-01/2"] == "open"


def test_a_named_duty_is_the_one_that_ends():
    late = reading(local(2, 21), duty="temperature@2020-02-02/1")
    state = replay(CONTACTS, log(*STARTED, late), local(2, 22), SHANGHAI)
    assert states(state)["temperature@2020-02-02/1"] == "done"
    assert states(state)["temperature@2020-02-02/2"] == "open"


def test_evidence_older_than_the_duty_ends_it_at_once_with_its_own_time():
    state = replay(
        CASES, log(("case.admitted", local(1)), ("case.diagnosed", local(2, 8))), local(2, 9), SHANGHAI
    )
    admit = state.duties["admit#1"]
    assert (admit.state, admit.ended_at) == (DutyState.DONE, local(1))
    assert states(state)["outcome#1"] == "open"


def test_a_condition_unknown_waits_for_the_fact():
    quiet = ("contact.checked", local(1, 19), {"check": "temperature", "value": 36})
    state = replay(CONTACTS, log(*STARTED, quiet), local(1, 20), SHANGHAI)
    assert "symptoms#1" not in state.duties
    told = ("contact.noted", local(1, 21), {"temperature_value": 38.0})
    state = replay(CONTACTS, log(*STARTED, quiet, told), local(1, 22), SHANGHAI)
    assert state.duties["symptoms#1"].opened_at == local(1, 21)


def test_closing_supersedes_what_is_open_and_ends_the_schedule():
    state = replay(CONTACTS, log(*STARTED, ("contact.became_case", local(2, 12))), local(9), SHANGHAI)
    assert (state.is_open, state.outcome) == (False, "became_case")
    assert state.duties["release#1"].reason == "closed:became_case"
    assert "temperature@2020-02-03/1" not in state.duties


def test_a_clock_whose_start_is_unknown_counts_from_the_opening_and_says_so():
    events = log(("case.reported", local(2, 10)), ("case.diagnosed", local(2, 12)))
    first = replay(CASES, events[:1], local(2, 11), SHANGHAI).duties["admit#1"]
    assert (first.clock, first.clock_known, first.due_at) == ("case.diagnosed", False, local(3))
    then = replay(CASES, events, local(2, 13), SHANGHAI).duties["admit#1"]
    assert then.clock_known is True


def test_a_start_known_only_to_the_day_gives_a_deadline_known_only_to_the_day():
    events = log(("case.diagnosed", local(25, month=1), {}, "day"))
    assert replay(CASES, events, local(25, month=1), SHANGHAI).duties["report#1"].due_at == local(26, month=1)


def test_a_late_fact_is_read_at_its_own_time():
    events = log(*STARTED, ("order.ended", local(2, 1)), ("contact.released", local(2, 2)))
    state = replay(CONTACTS, events[:3], local(3, 12), SHANGHAI)
    assert "temperature@2020-02-03/1" in state.duties
    step = advance(CONTACTS, state, events[3], local(3, 12))
    assert set(step.dropped) >= {"temperature@2020-02-03/1"}
    assert step.state == replay(CONTACTS, events[:4], local(3, 12), SHANGHAI)


def test_undoing_a_completion_takes_back_what_followed_from_it():
    events = log(*STARTED)
    back = Event(9, "loop.retracted", local(1, 16), {"event": 2})
    step = advance(CONTACTS, replay(CONTACTS, events, local(1, 16), SHANGHAI), back, local(1, 16))
    assert states(step.state)["locate#1"] == "open"
    assert "place#1" in step.dropped


def test_waiving_the_last_duty_leaves_a_decision_owed_by_the_command():
    events = log(STARTED[0], ("duty.waived", local(1, 11), {"duty": "locate#1", "reason": "abroad"}))
    state = replay(CONTACTS, events, local(1, 12), SHANGHAI)
    assert states(state) == {"locate#1": "waived", "decide#1": "open"}
    assert state.duties["locate#1"].reason == "abroad"
    moved_on = replay(CONTACTS, [*events, Event(9, "contact.located", local(1, 13))], local(1, 14), SHANGHAI)
    assert states(moved_on)["decide#1"] == "superseded"
    assert states(moved_on)["place#1"] == "open"


def test_a_command_may_close_a_loop_by_decision():
    events = log(STARTED[0], ("loop.closed", local(1, 12), {"outcome": "left the country"}))
    state = replay(CONTACTS, events, local(2), SHANGHAI)
    assert (state.outcome, state.open_keys) == ("left the country", {})


def test_a_new_duty_pre_empts_those_it_names():
    events = log(STARTED[0], ("contact.located", local(1, 11), {"duty": "none"}))
    state = replay(CONTACTS, events, local(1, 12), SHANGHAI)
    assert state.duties["locate#1"].reason == "place#1"


def test_an_opening_event_after_closure_opens_the_loop_again():
    events = log(*STARTED, ("contact.released", local(5)), ("contact.confirmed", local(9, 8)))
    state = replay(CONTACTS, events, local(9, 9), SHANGHAI)
    assert (state.is_open, state.openings) == (True, 2)
    assert [d.key for d in state.open_duties()] == ["locate#2"]


def test_after_all_closes_when_every_listed_day_is_over():
    events = log(
        ("case.diagnosed", local(1, 8)), ("case.reported", local(1, 9)), ("case.admitted", local(1, 10)),
        ("case.outcome", local(20)), ("case.follow_up", local(5, month=3)), ("case.follow_up", local(19,
        month=3)),
    )  # fmt: skip
    assert replay(CASES, events[:5], local(6, month=3), SHANGHAI).is_open
    assert replay(CASES, events, local(20, month=3), SHANGHAI).outcome == "completed"


def test_a_hand_over_stays_with_the_duty():
    events = log(STARTED[0], ("duty.handed_over", local(1, 11), {"duty": "locate#1", "post": 7}))
    assert replay(CONTACTS, events, local(1, 12), SHANGHAI).duties["locate#1"].post_id == 7


def test_a_move_takes_the_open_duties_along_and_leaves_the_ended():
    events = [*log(*STARTED), Event(9, "contact.moved", local(1, 16), territory_code="420303001")]
    state = replay(CONTACTS, events, local(1, 17), SHANGHAI)
    assert state.duties["release#1"].territory_code == "420303001"
    assert state.duties["locate#1"].territory_code == "420302001"


def test_a_new_pack_replans_what_is_open_and_leaves_what_has_ended():
    longer = bound(CONTACT, observation__days=5, observation__tests_on=[1, 4, 5], clocks__place_hours=1)
    events = [*log(*STARTED), Event(9, "loop.replanned", local(2, 12), {"policy": longer.digest})]
    state = replay(CONTACTS, events, local(9), SHANGHAI, bindings={longer.digest: longer})
    assert max(d.day for d in state.duties.values() if d.kind == "temperature" and d.day).day == 5
    assert states(state)["test/3"] == "superseded"
    assert states(state)["test/5"] == "open"
    assert state.duties["release#1"].due_at == local(7)
    assert state.duties["place#1"].due_at == local(1, 19)  # done under the old rule, judged by it


def test_a_shorter_pack_ends_the_days_beyond():
    shorter = bound(CONTACT, observation__days=2)
    events = [*log(*STARTED), Event(9, "loop.replanned", local(1, 16), {"policy": shorter.digest})]
    state = replay(CONTACTS, events, local(9), SHANGHAI, bindings={shorter.digest: shorter})
    assert max(d.day for d in state.duties.values() if d.kind == "temperature" and d.day).day == 2


# --- any order, any clock -------------------------------------------------------------------------------

KINDS = {
    "contact": ["contact.confirmed", "contact.located", "order.started", "contact.checked", "contact.checked",
                "contact.tested", "contact.examined", "order.ended", "contact.released",
                "contact.became_case",
                "duty.waived", "duty.done", "duty.handed_over", "loop.retracted", "loop.replanned",
                "loop.closed"],
    "case": ["case.diagnosed", "case.reported", "case.admitted", "case.outcome", "case.follow_up",
    "case.discarded",
             "duty.waived", "loop.retracted", "loop.decided"],
}  # fmt: skip
KEYS = [
    "locate#1",
    "place#1",
    "release#1",
    "temperature@2020-02-02/1",
    "test/1",
    "decide#1",
    "report#1",
    "admit#1",
]
REBOUND = bound(CONTACT, observation__days=5, observation__tests_on=[2])


@st.composite
def events_and_clock(draw: st.DrawFn, name: str) -> list[Any]:
    """Actions in the order they reach us: events with any time, clock readings, sweeps."""
    actions: list[Any] = []
    for seq in range(1, draw(st.integers(1, 14)) + 1):
        kind = draw(st.sampled_from(KINDS[name]))
        hours = draw(st.integers(0, 120))
        data: dict[str, Any] = {}
        if kind == "contact.checked":
            data = {
                "check": "temperature",
                "value": 36,
                "temperature_value": draw(st.sampled_from([36.0, 38.5, None])),
            }
        if kind.startswith("duty."):
            data = {"duty": draw(st.sampled_from(KEYS)), "reason": "r", "post": 3}
        if kind == "loop.retracted":
            data = {"event": draw(st.integers(1, seq))}
        if kind == "loop.replanned":
            data = {"policy": REBOUND.digest}
        precision = draw(st.sampled_from(["minute", "day"]))
        code = draw(st.sampled_from(["", "420302001", "420303002"]))
        actions.append(
            Event(seq, kind, local(1) + timedelta(hours=hours), data, precision, territory_code=code)
        )
        if draw(st.booleans()):
            actions.append(local(1) + timedelta(hours=draw(st.integers(0, 160))))
        if draw(st.booleans()) and actions:
            actions.append(draw(st.sampled_from(actions)))  # a duplicate, or the clock moved back
    return actions


def played(bound_: Any, actions: list[Any]) -> State:
    state, bindings = State(tz=SHANGHAI), {REBOUND.digest: REBOUND}
    known: dict[int, Event] = {}
    latest = local(1)
    for action in actions:
        before = state
        if isinstance(action, Event):
            known[action.seq] = action
            latest = max(latest, action.at)
            step = advance(bound_, state, action, action.at, bindings=bindings)
        else:
            latest = max(latest, action)
            step = tick(bound_, state, action, bindings=bindings)
        state = step.state
        assert find_broken(state) == []
        assert {d.key for d in step.opened} == state.duties.keys() - before.duties.keys()
        assert set(step.dropped) == before.duties.keys() - state.duties.keys()
        assert state == replay(bound_, known.values(), latest, SHANGHAI, bindings=bindings)
    return state


@settings(max_examples=300, deadline=None)
@given(events_and_clock("contact"))
def test_any_interleaving_keeps_the_invariant_and_equals_a_plain_replay(actions: list[Any]):
    played(CONTACTS, actions)


@settings(max_examples=150, deadline=None)
@given(events_and_clock("case"))
def test_any_interleaving_of_a_case_does_so_too(actions: list[Any]):
    played(CASES, actions)


@settings(max_examples=100, deadline=None)
@given(events_and_clock("contact"), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(actions: list[Any], random: Any):
    events = {a.seq: a for a in actions if isinstance(a, Event)}
    shuffled = list(events.values())
    random.shuffle(shuffled)
    end = local(1) + timedelta(days=10)
    first, second = (played(CONTACTS, [*order, end]) for order in (list(events.values()), shuffled))
    assert first == second
