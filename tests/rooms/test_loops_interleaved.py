"""Any interleaving in the database: events late and twice, sweeps early, late and again, the clock moved
back, duties
done, waived, undone and handed over. Afterwards what is stored equals a plain replay of the log."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.loops import bindings
from bihuan.loops.actions import complete_duty, hand_over, replan, sweep, undo_completion, waive
from bihuan.loops.errors import CannotTakeOver
from bihuan.loops.models import Duty, Escalation
from bihuan.loops.queries import check
from tests.rules.loop_examples import local

from .loop_room import SYSTEM, Room, assert_stored_is_replayed, at, in_force_policy
from .loop_room import packs_in_force as packs_in_force
from .loop_room import room as room

CONTACT_EVENTS = (
    "contact.confirmed", "contact.located", "order.started", "contact.checked", "contact.tested",
    "order.ended",
    "contact.released", "contact.became_case", "contact.noted",
)  # fmt: skip
CASE_EVENTS = (
    "case.diagnosed", "case.reported", "case.admitted", "case.outcome", "case.follow_up", "case.discarded",
)  # fmt: skip
PLACES = ("420303003001-01", "420302001001")


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """What reaches us, in the order it does: (word, hours since the start, a number to choose by)."""
    words = (
        ["contact"] * 6
        + ["case"] * 3
        + ["sweep"] * 3
        + ["do", "do", "waive", "undo", "hand_over", "replan", "again"]
    )
    return draw(
        st.lists(
            st.tuples(st.sampled_from(words), st.integers(0, 110), st.integers(0, 10_000)),
            min_size=3,
            max_size=16,
        )
    )


@pytest.fixture
def undone(room: Room, packs_in_force: Any) -> Any:
    """Runs one example and takes it back, so that the cast is made once."""

    def play(listed: list[tuple[Any, ...]]) -> None:
        with transaction.atomic():
            bindings.forget()
            packs_in_force.policy = in_force_policy("example")
            _play(room, packs_in_force, listed)
            transaction.set_rollback(True)

    return play


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps())
def test_whatever_comes_in_whatever_order_the_rows_are_those_of_a_replay(undone: Any, listed: list[Any]):
    undone(listed)


def _play(room: Room, packs: Any, listed: list[tuple[Any, ...]]) -> None:
    latest = local(1, 15)
    room.start("K0")  # under observation from the first day
    said: list[tuple[Any, ...]] = []
    for number, (word, hours, pick) in enumerate(listed):
        moment = local(1) + timedelta(hours=hours)
        latest = max(latest, moment)
        if word in ("contact", "case"):
            kinds = CONTACT_EVENTS if word == "contact" else CASE_EVENTS
            said.append(
                (
                    f"{'K' if word == 'contact' else 'C'}{pick % 2}",
                    kinds[pick % len(kinds)],
                    moment,
                    pick,
                    number,
                )
            )
            _say(room, *said[-1])
        elif word == "again" and said:
            _say(room, *said[pick % len(said)])
        elif word == "sweep":
            sweep(moment)
        elif word == "replan":
            packs.policy = in_force_policy(
                f"example-{pick % 3}", transition="replan", observation__days=2 + pick % 3
            )
            replan(now=moment, actor=SYSTEM)
        else:
            _do(room, word, moment, pick)
        assert check().violations == []
    sweep(latest)
    assert_stored_is_replayed(latest)
    assert sweep(latest).slots == 0
    _assert_rungs_come_from_time(latest)


def _say(room: Room, subject: str, kind: str, moment: datetime, pick: int, number: int) -> None:
    data = {"check": "temperature", "value": 36.5, "temperature_value": 38.0 if pick % 7 == 0 else None}
    precision = "day" if pick % 5 == 0 else "minute"
    known = moment + timedelta(hours=pick % 30)
    room.say(
        subject, kind, moment, data if kind == "contact.checked" else {}, precision=precision,
        territory=PLACES[pick % 11 == 0], key=f"{subject}/{number}", now=known,
    )  # fmt: skip


def _do(room: Room, word: str, moment: datetime, pick: int) -> None:
    states = (1, 2) if word == "undo" else (0,)
    found = list(Duty.unscoped.filter(state__in=states).order_by("id"))
    if not found:
        return
    duty = found[pick % len(found)]
    if word == "undo" and duty.ended_event_id is None:
        return
    with at(moment):
        if word == "do":
            complete_duty(duty.id, {"value": 36.6}, moment - timedelta(hours=pick % 9), SYSTEM)
        elif word == "waive":
            waive(duty.id, "for a reason", SYSTEM)
        elif word == "undo":
            undo_completion(duty.id, "by mistake", SYSTEM)
        elif word == "hand_over":
            with suppress(CannotTakeOver):  # elsewhere, or the street's already
                hand_over(duty.id, room.cast.street.post.id, "nearer", SYSTEM, future=pick % 2 == 0)


def _assert_rungs_come_from_time(now: datetime) -> None:
    """Open duties have exactly the rungs their deadline gives them (offsets 0 h and 4 h in the example)."""
    for duty in Duty.unscoped.filter(state=0):
        due = {(n, duty.due_at + after) for n, after in ((1, timedelta()), (2, timedelta(hours=4)))}
        noted = set(Escalation.unscoped.filter(duty_id=duty.id, due_at=duty.due_at).values_list("step", "at"))
        assert {rung for rung in due if rung[1] <= now} <= noted <= due
