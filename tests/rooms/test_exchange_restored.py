"""Two installations, one of which came back from an older backup and lost a request that the other has."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from bihuan.loops.models import Loop
from bihuan.registry import scope
from bihuan.registry.models import Person
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.actions.assistance import lost, thread
from bihuan.tracing.errors import AssistanceClosed
from bihuan.tracing.models import (
    AssistanceDelivery,
    AssistanceMessage,
    AssistanceNote,
    AssistanceRequest,
    Peer,
)
from bihuan.tracing.peers import envelope, keys
from bihuan.tracing.queries.assistance import find_request, likely_contacts
from bihuan.tracing.queries.peers import peers
from tests.rooms import test_handover as handover
from tests.rooms.exchange_room import SYSTEM, House, Line
from tests.rooms.test_exchange import NOON, ask, carry, fresh, there


def forget(row: AssistanceRequest) -> None:
    """A side as a backup knows it that is older than the request: nothing of it, and no loop."""
    with scope.system(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        AssistanceNote.objects.filter(request=row)._raw_delete("default")
        AssistanceDelivery.objects.filter(request=row)._raw_delete("default")
        AssistanceMessage.objects.filter(request=row)._raw_delete("default")
        AssistanceRequest.objects.filter(id=row.pk)._raw_delete("default")
        ref = [row.public_id]
        cursor.execute("UPDATE loops_subject SET ref = ref || '-' || id WHERE ref = %s", ref)
        cursor.execute(
            "UPDATE loops_loop SET subject_ref = subject_ref || '-' || id WHERE subject_ref = %s", ref
        )
        cursor.execute(
            "UPDATE loops_event SET idempotency_key = 'gone' || id WHERE idempotency_key LIKE %s",
            [f"{row.public_id}:%"],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")  # the test goes on in this transaction


def answered(houses: tuple[House, House, Line]) -> AssistanceRequest:
    """A request that is answered there, the answer not yet sent, and lost here."""
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id, territory_code="420602001"), actor=SYSTEM)
        verbs.answer(there(row).public_id, outcome="found", note="在家", actor=SYSTEM)
    forget(row)
    return row


def here(row: AssistanceRequest) -> AssistanceRequest:
    return AssistanceRequest.unscoped.get(thread=row.thread, side="asking")


def lines(house: House, row: AssistanceRequest) -> Any:
    with house.acting():
        return find_request(row.public_id, now=NOON)


def test_the_asking_side_back_from_before_it_asked_takes_the_request_up_again(houses, noon) -> None:
    asking, asked, line = houses
    row = answered(houses)
    assert carry(asked, line) == verbs.Delivered(failed=1)
    assert not AssistanceRequest.unscoped.filter(side="asking").exists()
    assert AssistanceDelivery.unscoped.filter(error="unknown-thread").exists()
    assert carry(asked, line, NOON + timedelta(minutes=2)) == verbs.Delivered(delivered=2)
    again = here(row)
    assert (again.public_id, again.status, again.outcome) == (row.public_id, "answered", "found")
    assert (again.territory_code, again.other_territory) == (row.territory_code, row.other_territory)
    assert (again.person_id, again.contact_id) == (None, None)
    found = lines(asking, again)
    assert found.fields["name"] == "欧阳晓岚"
    assert (found.reason, [m.is_taken_up for m in found.messages]) == ("密切接触者", [True, False, False])
    assert found.messages[-1].note == "在家"
    with scope.system():
        assert Loop.objects.filter(subject_ref=again.public_id, state=0).count() == 1
    with asking.acting():
        verbs.end(again.public_id, actor=SYSTEM)
    carry(asking, line, NOON + timedelta(minutes=3))
    carry(asked, line, NOON + timedelta(minutes=3))
    for one in (here(row), there(row)):
        assert (one.status, one.told) == ("deleted", None)
    assert not AssistanceDelivery.unscoped.filter(delivered_at__isnull=True).exists()
    assert handover.proven()


def test_what_had_a_receipt_before_the_backup_goes_again_too_and_nothing_twice(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
    carry(asked, line)
    forget(row)
    with asked.acting():
        verbs.answer(there(row).public_id, outcome="found", actor=SYSTEM)
    for minute in range(3):
        carry(asked, line, NOON + timedelta(minutes=minute))
    assert here(row).status == "answered"
    for n in range(len(line.carried)):
        line.again(n)
    said = AssistanceMessage.unscoped.filter(request=here(row)).values_list("said", flat=True)
    assert sorted(said) == ["accept", "answer", "request"]


def test_deleted_there_it_is_taken_up_without_what_was_told(houses, noon) -> None:
    _asking, asked, line = houses
    row = answered(houses)
    with asked.acting():
        verbs.delete_now(there(row).public_id, actor=SYSTEM)
    for minute in range(3):
        carry(asked, line, NOON + timedelta(minutes=minute))
    again = here(row)
    assert (again.status, again.told) == ("deleted", None)
    assert again.shared == there(row).shared
    assert not AssistanceNote.unscoped.exists()


def forged(house: House, row: AssistanceRequest, **change: Any) -> bytes:
    """A message of the asked side with a copy, changed."""
    with house.acting():
        own, peer = keys.own(), Peer.objects.get(revoked_at=None)
        copy = {**lost.copy_of(there(row)), **change}
        thread_id = copy.pop("thread", row.thread)
        bare = envelope.Envelope(
            sender=own.installation, receiver=peer.installation, key=own.newest.id,
            sealed_for=peer.key["id"], message="ab" * 16, thread=thread_id, kind="answer", sequence=1,
            created_at="2020-02-14T04:00:00Z",
        )  # fmt: skip
        content = {"data": {"outcome": "found", "final": True}, "note": "", "copy": copy}
        sealed = envelope.seal(
            json.loads(json.dumps(content)), reader=keys.raw(peer.key["seal"]), outside=bare.open_part()
        )
        made = replace(bare, sealed=sealed)
        signed = envelope.sign(own.newest.signing, "envelope", made.signed_part())
        return replace(made, signature=signed).as_bytes()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"from_territory": "420602"}, "not-asked"),
        ({"from_territory": "420399999"}, "not-asked"),
        ({"to_territory": "420303"}, "not-asked"),
        ({"thread": "D-0000000000"}, "not-asked"),
        ({"message": "ab" * 16}, "malformed"),
        ({"message": "x"}, "malformed"),
        ({"sequence": 0}, "malformed"),
        ({"created_at": ""}, "malformed"),
        ({"shared": ["name"]}, "malformed"),
        ({"need": "inform"}, "excess-fields"),
    ],
)
def test_a_copy_of_what_cannot_have_been_asked_makes_nothing(houses, noon, change, code) -> None:
    asking, asked, _line = houses
    row = answered(houses)
    with pytest.raises(verbs.Refused) as refused:
        asking.receive(forged(asked, row, **change))
    assert refused.value.code == code
    assert not AssistanceRequest.unscoped.filter(side="asking").exists()


def test_a_copy_takes_no_number_that_another_request_has(houses, noon) -> None:
    asking, asked, _line = houses
    row = answered(houses)
    other = there(row)
    with pytest.raises(verbs.Refused) as refused:
        asking.receive(forged(asked, row, thread=other.public_id))
    assert refused.value.code == "thread-taken"


def test_a_copy_changes_nothing_of_a_request_that_is_here(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asking.acting():
        told = thread.told_of(fresh(row))
    asking.receive(forged(asked, row, told={"fields": {}, "reason": "x"}, shared=[]))
    with asking.acting():
        assert thread.told_of(fresh(row)) == told


def test_what_is_not_taken_up_the_asked_side_closes_after_answering(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
    forget(row)
    Peer.objects.filter(installation=asked.number).update(serves=["4299"])  # nor could it have been asked
    for minute in range(3):
        carry(asked, line, NOON + timedelta(minutes=minute))
    assert "settle" not in lines(asked, there(row)).offers
    with asked.acting(), pytest.raises(AssistanceClosed):
        verbs.settle_lost(there(row).public_id, actor=SYSTEM)
    with asked.acting():
        verbs.answer(there(row).public_id, outcome="found", note="电话已告知", actor=SYSTEM)
    assert "settle" in lines(asked, there(row)).offers
    with asked.acting():
        verbs.settle_lost(there(row).public_id, actor=SYSTEM)
        assert [peer.waiting for peer in peers() if peer.installation == asking.number] == [0]
    assert (there(row).status, there(row).told) == ("deleted", None)
    assert carry(asked, line, NOON + timedelta(days=9)) == verbs.Delivered()
    with scope.system():
        assert not Loop.objects.filter(subject_ref=there(row).public_id, state=0).exists()


def test_what_arrives_is_closed_by_nobody(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
        verbs.answer(there(row).public_id, outcome="found", actor=SYSTEM)
        line.down = True
    carry(asked, line)
    with asked.acting(), pytest.raises(AssistanceClosed):
        verbs.settle_lost(there(row).public_id, actor=SYSTEM)


def test_closed_and_then_heard_of_again_what_was_said_goes_after_all(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
        verbs.answer(there(row).public_id, outcome="found", actor=SYSTEM)
        AssistanceDelivery.objects.filter(request=there(row)).update(error="not-asked")
        verbs.settle_lost(there(row).public_id, actor=SYSTEM)
    assert carry(asked, line).delivered == 0
    with asking.acting():  # it had it all along
        verbs.end(row.public_id, actor=SYSTEM)
    carry(asking, line)
    carry(asked, line, NOON + timedelta(minutes=1))
    assert (fresh(row).status, fresh(row).outcome, fresh(row).told) == ("deleted", "found", None)


def test_back_from_when_it_was_a_draft_it_is_sent_again_and_hears_all_that_was_said(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
        verbs.answer(there(row).public_id, outcome="found", actor=SYSTEM)
    carry(asked, line)
    draft = fresh(row)
    forget(row)
    draft.status, draft.outcome, draft.sent_at, draft.received_at = "draft", "", None, None
    draft.answered_at, draft.accepted_at, draft.is_answered = None, None, False
    with scope.system():
        draft.save(force_insert=True)
    with asking.acting():
        verbs.send_draft(row.public_id, actor=SYSTEM)
    assert carry(asking, line).failed == 0
    carry(asked, line, NOON + timedelta(minutes=1))
    assert (here(row).status, here(row).outcome) == ("answered", "found")
    assert AssistanceRequest.unscoped.filter(thread=row.thread, side="asked").count() == 1


def test_the_asked_side_back_from_before_it_received_has_the_request_again(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    forget(there(row))
    with asking.acting():
        verbs.end(row.public_id, actor=SYSTEM)
    assert carry(asking, line) == verbs.Delivered(delivered=1, failed=1)
    assert there(row).status == "received"
    carry(asking, line, NOON + timedelta(minutes=2))
    carry(asked, line, NOON + timedelta(minutes=3))
    for one in (fresh(row), there(row)):
        assert (one.status, one.told) == ("deleted", None)


@pytest.mark.parametrize("by", ["reminder", "end"])
def test_who_was_handed_over_to_a_side_that_lost_her_is_ours_again(houses, noon, by: str) -> None:
    asking, asked, line = houses
    contact = handover.named()
    row = handover.ask(asking, contact)
    carry(asking, line)
    handover.take(asked, row)
    carry(asked, line)
    assert handover.state(contact) == "handed_over"
    forget(there(row))
    with asking.acting():
        if by == "end":
            verbs.end(row.public_id, actor=SYSTEM)
        else:
            verbs.remind(row.public_id, actor=SYSTEM)
    carry(asking, line)
    assert (handover.state(contact), handover.owed(contact)) == ("confirmed", {"locate"})
    if by == "reminder":
        with asked.acting():
            verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
        carry(asked, line, NOON + timedelta(minutes=2))
        assert handover.state(contact) == "confirmed", "the newest acceptance names no contact"
    assert handover.proven()


def test_a_reminder_to_a_side_that_has_everything_takes_nobody_back(houses, noon) -> None:
    asking, asked, line = houses
    contact = handover.named()
    row = handover.ask(asking, contact)
    carry(asking, line)
    handover.take(asked, row)
    carry(asked, line)
    with asking.acting():
        verbs.remind(row.public_id, actor=SYSTEM)
    carry(asking, line)
    assert handover.state(contact) == "handed_over"


@pytest.mark.parametrize("lost_there", [False, True])
def test_deleted_at_a_door_the_worker_finishes_it_at_once(houses, noon, settings, lost_there: bool) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
        verbs.answer(there(row).public_id, outcome="found", actor=SYSTEM)
    if lost_there:
        AssistanceDelivery.unscoped.filter(request=there(row)).update(error="not-asked")
    else:
        carry(asked, line)
    settings.DATABASE_ROLE = "door"
    with asked.acting():
        close = verbs.settle_lost if lost_there else verbs.delete_now
        close(there(row).public_id, actor=SYSTEM)
    assert (there(row).status, there(row).told) == ("answered", None)
    assert lines(asked, there(row)).offers == frozenset()
    settings.DATABASE_ROLE = "owner"
    with asked.acting():
        assert verbs.erase_what_is_over(now=NOON + timedelta(minutes=1)) == 1
    assert there(row).status == "deleted"
    assert Person.unscoped.get(pk=there(row).person_id).shredded_at is not None
    assert carry(asked, line, NOON + timedelta(minutes=2)).delivered == (0 if lost_there else 1)


def test_named_again_the_contact_of_a_request_taken_up_is_handed_over_as_before(houses, noon) -> None:
    asking, asked, line = houses
    contact = handover.named()
    row = handover.ask(asking, contact)
    carry(asking, line)
    handover.take(asked, row)
    forget(row)
    for minute in range(3):
        carry(asked, line, NOON + timedelta(minutes=minute))
    assert handover.state(contact) == "confirmed"
    assert "link" in lines(asking, here(row)).offers
    with asking.acting():
        found = likely_contacts(here(row).public_id, on=NOON.date())
        assert contact.public_id in [key for key, _name in found]
        verbs.link(here(row).public_id, contact=contact.public_id, actor=SYSTEM)
    assert (handover.state(contact), handover.owed(contact)) == ("handed_over", set())
    assert "link" not in lines(asking, here(row)).offers
    with asking.acting(), pytest.raises(AssistanceClosed):
        verbs.link(here(row).public_id, contact=contact.public_id, actor=SYSTEM)
    assert handover.proven()


def test_no_contact_is_named_for_a_request_that_was_not_lost(houses, noon) -> None:
    asking, asked, line = houses
    contact = handover.named()
    row = ask(asking)
    carry(asking, line)
    for house, one in ((asking, row), (asked, there(row))):
        with house.acting(), pytest.raises(AssistanceClosed):
            verbs.link(one.public_id, contact=contact.public_id, actor=SYSTEM)
