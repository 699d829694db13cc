"""Two installations compare their open requests: what one has lost comes back though nobody says anything."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.loops.models import Loop
from bihuan.registry import scope
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.actions.assistance import compare
from bihuan.tracing.actions.assistance.carry import envelope_of
from bihuan.tracing.errors import AssistanceClosed, AssistanceInvalid
from bihuan.tracing.models import (
    AssistanceDelivery,
    AssistanceMessage,
    AssistanceRequest,
    Peer,
)
from bihuan.tracing.peers import keys
from bihuan.tracing.peers.envelope import Envelope
from bihuan.tracing.peers.wire import NotDelivered
from bihuan.tracing.queries.assistance import find_request
from bihuan.tracing.queries.peers import peers
from bihuan.tracing.rules import comparing
from bihuan.tracing.rules.assistance import Side
from tests.rooms import test_handover as handover
from tests.rooms.exchange_room import SYSTEM, House, Line
from tests.rooms.test_exchange import NOON, _say, _step, ask, carry, fresh, there
from tests.rooms.test_exchange_restored import forget, here

HOUR = timedelta(hours=1)


def worker(house: House, line: Line, at: datetime) -> int:
    """What the worker of a house does: compare, and carry what goes again."""
    with house.acting():
        again = verbs.compare_all(now=at, post=line.post)
    carry(house, line, at)
    return again


def take(asked: House, row: AssistanceRequest) -> None:
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id, territory_code="420602001"), actor=SYSTEM)


def test_the_asked_side_that_lost_a_request_has_it_again_though_nobody_says_anything(houses, noon) -> None:
    asking, _asked, line = houses
    row = ask(asking)
    carry(asking, line)
    forget(there(row))
    assert worker(asking, line, NOON + HOUR) == 1
    assert there(row).status == "received"
    with scope.system():
        assert Loop.objects.filter(subject_ref=there(row).public_id, state=0).exists()
    assert worker(asking, line, NOON + 2 * HOUR) == 0


def test_the_asking_side_that_lost_it_takes_it_up_from_a_side_that_has_said_nothing(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    forget(row)
    assert worker(asked, line, NOON + HOUR) == 1
    again = here(row)
    assert (again.public_id, again.status, again.other_territory) == (row.public_id, "received", "420602")
    with asking.acting():
        found = find_request(again.public_id, now=NOON)
    assert (found.fields["name"], found.reason) == ("欧阳晓岚", "密切接触者")
    with scope.system():
        assert Loop.objects.filter(subject_ref=again.public_id, state=0).exists()
    assert worker(asked, line, NOON + 2 * HOUR) == 0
    assert worker(asking, line, NOON + 2 * HOUR) == 0
    with asked.acting():
        verbs.give_back(there(row).public_id, reason="wrong_place", actor=SYSTEM)
    carry(asked, line, NOON + 2 * HOUR)
    with asking.acting():
        verbs.end(row.public_id, actor=SYSTEM)
    carry(asking, line, NOON + 2 * HOUR)
    carry(asked, line, NOON + 2 * HOUR)
    for one in (here(row), there(row)):
        assert (one.status, one.told) == ("deleted", None)


def test_what_was_answered_before_the_backup_comes_back_too(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    take(asked, row)
    with asked.acting():
        verbs.answer(there(row).public_id, outcome="found", note="在家", actor=SYSTEM)
    carry(asked, line)
    forget(row)
    with asked.acting():
        assert verbs.compare_all(now=NOON + HOUR, post=line.post) == 1
    assert carry(asked, line, NOON + HOUR) == verbs.Delivered(delivered=2), "with a copy at once"
    assert (here(row).status, here(row).outcome) == ("answered", "found")


def draft_again(row: AssistanceRequest) -> None:
    """The asking side as it was when the request was a draft."""
    draft = fresh(row)
    forget(row)
    draft.status, draft.sent_at, draft.received_at = "draft", None, None
    with scope.system():
        draft.save(force_insert=True)


@pytest.mark.parametrize("is_accepted", [False, True])
def test_back_from_when_it_was_a_draft_it_has_been_sent(houses, noon, is_accepted: bool) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    draft_again(row)
    if is_accepted:
        take(asked, row)
        carry(asked, line)
        carry(asked, line, NOON + timedelta(minutes=2))
    else:
        worker(asked, line, NOON + HOUR)
    again = here(row)
    assert (again.status, again.person_id) == ("accepted" if is_accepted else "received", row.person_id)
    with scope.system():
        assert Loop.objects.filter(subject_ref=again.public_id, state=0).exists()
    assert AssistanceMessage.unscoped.filter(request=again, said="request").count() == 1


def test_what_the_other_side_closed_and_we_lost_is_said_again_when_we_tell_that_it_is_open(
    houses, noon
) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    take(asked, row)
    with asked.acting():
        verbs.answer(there(row).public_id, outcome="found", actor=SYSTEM)
    carry(asked, line)
    with asked.acting():
        verbs.delete_now(there(row).public_id, actor=SYSTEM)
    open_still = AssistanceDelivery.unscoped.filter(request=there(row), delivered_at=None)
    open_still.update(delivered_at=NOON)  # it had arrived, and the backup does not know it
    assert fresh(row).status == "answered"
    worker(asking, line, NOON + HOUR)
    carry(asked, line, NOON + HOUR)
    assert fresh(row).status == "deleted"


@pytest.mark.parametrize("is_whole", [False, True])
def test_who_is_handed_over_to_a_side_that_lost_her_acceptance_is_owed_here_again(
    houses, noon, is_whole: bool
) -> None:
    asking, asked, line = houses
    contact = handover.named()
    row = handover.ask(asking, contact)
    carry(asking, line)
    handover.take(asked, row)
    carry(asked, line)
    assert handover.state(contact) == "handed_over"
    if is_whole:
        forget(there(row))
    else:
        unsay(there(row))
    worker(asking, line, NOON + HOUR)
    assert (handover.state(contact), handover.owed(contact)) == ("confirmed", {"locate"})
    handover.take(asked, row)
    carry(asked, line, NOON + HOUR)
    assert handover.state(contact) == "handed_over"
    worker(asking, line, NOON + 2 * HOUR)
    assert handover.state(contact) == "handed_over", "they have her, and say so"
    assert handover.proven()


def unsay(row: AssistanceRequest) -> None:
    """The asked side as it was when it had received and said nothing."""
    copied = AssistanceRequest.unscoped.get(pk=row.pk)
    said = list(AssistanceMessage.unscoped.filter(request=row, is_own=False).values())
    forget(row)
    copied.status, copied.accepted_at, copied.made_contact, copied.assigned_territory = (
        "received",
        None,
        None,
        "",
    )
    with scope.system():
        copied.save(force_insert=True)
        AssistanceMessage.objects.bulk_create([AssistanceMessage(**one) for one in said])


def test_when_both_hold_the_same_nothing_goes_and_nothing_is_told_of_anybody(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    take(asked, row)
    carry(asked, line)
    n = len(line.carried)
    pages: list[Any] = []
    with asking.acting():
        told = compare._told(AssistanceRequest.objects.filter(side="asking"))
        pages.append(comparing.written([one for one, _held in told]))
    assert set(pages[0][row.thread]) == {"side", "said", "heard"}
    assert [len(pages[0][row.thread][name]) for name in ("said", "heard")] == [1, 1]
    assert (worker(asking, line, NOON + HOUR), worker(asked, line, NOON + HOUR)) == (0, 0)
    assert len(line.carried) == n + 2
    assert (worker(asking, line, NOON + HOUR), len(line.carried)) == (0, n + 2), "once an interval"
    with asking.acting():
        assert [one.compared_at for one in peers() if one.installation == asked.number] == [NOON + HOUR]


def test_with_nothing_open_nobody_is_asked_and_nothing_is_claimed(houses, noon) -> None:
    asking, asked, line = houses
    assert worker(asking, line, NOON) == 0
    assert line.carried == []
    assert Peer.objects.get(installation=asked.number).compared_at is None


def test_an_old_page_heard_again_changes_nothing(houses, noon) -> None:
    asking, asked, line = houses
    contact = handover.named()
    row = handover.ask(asking, contact)
    carry(asking, line)
    worker(asking, line, NOON + HOUR)
    old = line.carried[-1]
    handover.take(asked, row)
    carry(asked, line, NOON + HOUR)
    asked.receive(old)
    carry(asked, line, NOON + HOUR)
    assert (fresh(row).status, handover.state(contact)) == ("accepted", "handed_over")
    assert AssistanceMessage.unscoped.filter(request=fresh(row)).count() == 2


def test_a_page_of_a_revoked_peer_is_refused_and_none_goes_there(houses, noon) -> None:
    asking, asked, line = houses
    ask(asking)
    carry(asking, line)
    worker(asking, line, NOON + HOUR)
    page = line.carried[-1]
    Peer.objects.filter(installation=asking.number).update(revoked_at=NOON)
    with pytest.raises(verbs.Refused) as refused, scope.system():
        asked.receive(page)
    assert refused.value.code == "revoked"
    n = len(line.carried)
    assert worker(asked, line, NOON + 2 * HOUR) == 0
    assert len(line.carried) == n


class OlderLine(Line):
    """The other side runs the version before: it does not know the kind."""

    def post(self, url: str, given: Envelope) -> Any:
        if given.kind == compare.KIND:
            self.carried.append(b"{}")
            raise NotDelivered("malformed", 400)
        return super().post(url, given)


def test_an_older_version_is_left_alone_for_a_day(houses, noon) -> None:
    asking, asked, _line = houses
    line = OlderLine(asking, asked)
    ask(asking)
    carry(asking, line)
    for hours in range(24):
        assert worker(asking, line, NOON + hours * HOUR) == 0
    assert line.carried.count(b"{}") == 1
    with asking.acting():
        found = next(one for one in peers() if one.installation == asked.number)
    assert (found.last_error, found.compare_error) == ("", "malformed")
    worker(asking, line, NOON + 25 * HOUR)
    assert line.carried.count(b"{}") == 2


def test_nobody_answers_and_the_next_time_it_is_found(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    forget(there(row))
    line.down = True
    assert worker(asking, line, NOON + HOUR) == 0
    with asking.acting():
        assert [one.last_error for one in peers() if one.installation == asked.number] == ["unreachable"]
    line.down = False
    assert worker(asking, line, NOON + 2 * HOUR) == 1
    assert there(row).status == "received"


def test_many_requests_go_page_by_page(houses, noon, monkeypatch) -> None:
    asking, _asked, line = houses
    monkeypatch.setattr(comparing, "MOST_THREADS", 2)
    monkeypatch.setattr(compare, "_MOST_PAGES", 2)
    rows = [ask(asking) for _n in range(5)]
    carry(asking, line)
    for row in rows:
        forget(there(row))
    assert worker(asking, line, NOON + HOUR) == 4
    assert worker(asking, line, NOON + HOUR + timedelta(minutes=1)) == 1
    assert {there(row).status for row in rows} == {"received"}


def test_what_it_cannot_have_asked_is_not_taken_up_and_can_be_closed(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    forget(row)
    Peer.objects.filter(installation=asked.number).update(serves=["4299"])
    for hours in (1, 2, 3):
        worker(asked, line, NOON + hours * HOUR)
    assert not AssistanceRequest.unscoped.filter(side="asking").exists()
    assert AssistanceDelivery.unscoped.get(request=there(row)).error == "not-asked"
    with asked.acting():
        verbs.give_back(there(row).public_id, reason="other", actor=SYSTEM)
        assert "settle" in find_request(there(row).public_id, now=NOON).offers
        verbs.settle_lost(there(row).public_id, actor=SYSTEM)
    assert there(row).status == "deleted"
    n = len(line.carried)
    worker(asked, line, NOON + 9 * HOUR)
    assert len(line.carried) == n


def test_closed_here_as_lost_and_told_of_by_the_other_side_it_goes_there_after_all(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    take(asked, row)
    with asked.acting():
        verbs.answer(there(row).public_id, outcome="found", actor=SYSTEM)
        AssistanceDelivery.objects.filter(request=there(row)).update(error="not-asked")
        verbs.settle_lost(there(row).public_id, actor=SYSTEM)
    worker(asking, line, NOON + HOUR)  # it had it all along
    carry(asked, line, NOON + HOUR)
    assert (fresh(row).status, fresh(row).outcome) == ("deleted", "found")


def test_a_page_of_no_form_is_refused_and_changes_nothing(houses, noon) -> None:
    asking, _asked, line = houses
    ask(asking)
    carry(asking, line)
    with asking.acting():
        own, peer = keys.own(), Peer.objects.get(revoked_at=None)
        for threads in (None, {"x": {}}, {"R-0000000000": {"side": "asking", "said": "", "heard": []}}):
            given = envelope_of(
                own, peer, own.newest, message="ab" * 16, thread_id="", kind=compare.KIND, sequence=0,
                content={"threads": threads}, said_at=NOON,
            )  # fmt: skip
            with pytest.raises(NotDelivered) as refused:
                line.post("", given)
            assert refused.value.code == "malformed"
    assert AssistanceDelivery.unscoped.filter(delivered_at=None).count() == 0


def test_a_page_tells_nothing_of_requests_with_others(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    AssistanceRequest.unscoped.filter(pk=there(row).pk).update(
        peer=Peer.objects.get(installation=asked.number)
    )
    with asked.acting():
        told = comparing.Told(row.thread, Side.ASKING, frozenset({"a" * 8}), frozenset())
        peer = Peer.objects.get(installation=asking.number)
        found = compare.heard(peer, {"threads": comparing.written([told])}, at=NOON)
    assert found == {row.thread: {"unheard": ["a" * 8], "unsaid": []}}, "as of any that is not there"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(["accept", "return", "found", "end"])),
        st.tuples(st.just("carry"), st.sampled_from(["both", "asking", "asked"])),
        st.tuples(st.just("compare"), st.sampled_from(["asking", "asked"])),
        st.tuples(st.just("forget"), st.sampled_from(["asking", "asked"])),
        st.tuples(st.just("lose"), st.booleans()),
        st.tuples(st.just("again"), st.integers(0, 50)),
    ),
    max_size=14,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_lost_in_restores_what_is_open_on_one_side_is_known_to_the_other(
    houses, noon, steps: list[tuple[str, object]]
) -> None:
    asking, asked, line = houses
    at = NOON
    with transaction.atomic():
        Peer.objects.update(compare_at=None, compare_after=0)
        row = ask(asking)
        for what, how in [("carry", "asking"), *steps]:
            at += HOUR
            if what == "compare":
                worker({"asking": asking, "asked": asked}[str(how)], line, at)
            elif what == "forget":
                lost = AssistanceRequest.unscoped.filter(thread=row.thread, side=str(how)).first()
                if lost is not None:
                    forget(lost)
            elif (
                what != "say" or AssistanceRequest.unscoped.filter(thread=row.thread, side="asking").exists()
            ):
                _step(what, how, row, (asking, asked, line), at)
        line.loses_answer = False
        for _round in range(3):
            at += 2 * HOUR
            worker(asking, line, at)
            worker(asked, line, at)
        sides = {one.side: one for one in AssistanceRequest.unscoped.filter(thread=row.thread)}
        if any(one.status != "deleted" for one in sides.values()):
            assert set(sides) == {"asking", "asked"}
        if len(sides) == 2:
            for one, other in (("asking", "asked"), ("asked", "asking")):
                own = AssistanceMessage.unscoped.filter(request=sides[one], is_own=True)
                there_too = AssistanceMessage.unscoped.filter(request=sides[other], is_own=False)
                assert set(own.values_list("message", flat=True)) <= set(
                    there_too.values_list("message", flat=True)
                )
        assert not AssistanceDelivery.unscoped.filter(delivered_at=None).exists()
        n = len(line.carried)
        assert (worker(asking, line, at + 2 * HOUR), worker(asked, line, at + 2 * HOUR)) == (0, 0)
        assert all(json.loads(raw)["kind"] == compare.KIND for raw in line.carried[n:]), "nothing goes again"
        assert handover.proven()
        transaction.set_rollback(True)
    line.carried.clear()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.sampled_from(["take", "return", "asking", "asked", "compare", "forget", "unsay", "lose", "found"]),
        max_size=12,
    )
)
def test_whatever_the_asked_side_loses_nobody_is_left_between_two_desks(
    houses, noon, steps: list[str]
) -> None:
    asking, asked, line = houses
    at = NOON
    with transaction.atomic():
        Peer.objects.update(compare_at=None, compare_after=0)
        contact = handover.named()
        row = handover.ask(asking, contact)
        carry(asking, line)
        for what in ["take", "asked", *steps]:
            at += HOUR
            line.loses_answer = what == "lose"
            if what in ("asking", "asked", "lose"):
                carry(asked if what == "asked" else asking, line, at)
            elif what == "compare":
                worker(asking, line, at)
            elif what in ("forget", "unsay"):
                if arrived(row):
                    (forget if what == "forget" else unsay)(there(row))
            elif arrived(row):
                with suppress(AssistanceClosed, AssistanceInvalid):  # or what was told is deleted
                    if what == "take":
                        handover.take(asked, row, at)
                    else:
                        _say(what, row, asking, asked, at)
        line.loses_answer = False
        for _round in range(3):
            at += 2 * HOUR
            worker(asking, line, at)
            worker(asked, line, at)
        own = AssistanceMessage.unscoped.filter(request=there(row), is_own=True).order_by("sequence")
        accepts = [one.data["confirmed"] for one in own.filter(said="accept")]
        has_her = bool(accepts) and accepts[-1] and not own.filter(said="return").exists()
        if handover.state(contact) == "handed_over":
            assert has_her, "who is not owed here is owed there"
        assert handover.proven()
        transaction.set_rollback(True)
    line.carried.clear()


def arrived(row: AssistanceRequest) -> bool:
    return AssistanceRequest.unscoped.filter(thread=row.thread, side="asked").exists()
