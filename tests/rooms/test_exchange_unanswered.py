"""A trusted installation says that it has deleted a request which it never answered: nobody there acts, so
the asking side goes on owing it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bihuan.loops.models import Duty, Loop
from bihuan.registry import scope
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.actions.assistance import thread
from bihuan.tracing.models import AssistanceRequest
from bihuan.tracing.queries.assistance import find_request
from bihuan.tracing.rules.assistance import Said
from tests.rooms import test_handover as handover
from tests.rooms.exchange_room import SYSTEM, House
from tests.rooms.test_exchange import NOON, ask, carry, fresh, there

LATER = NOON + timedelta(minutes=5)


def says(house: House, row: AssistanceRequest, said: Said, monkeypatch, **data: object) -> None:
    """A house says something that ours would not let it say now."""
    with house.acting(), monkeypatch.context() as patched:
        patched.setattr(thread, "may_say", lambda *_args, **_more: True)
        thread.say(there(row), said, actor=SYSTEM, at=NOON, data=data)


def owed(row: AssistanceRequest) -> set[str]:
    with scope.system():
        loops = Loop.objects.filter(subject_ref=row.public_id, state=0)
        return set(Duty.objects.filter(loop__in=loops, state=0).values_list("kind", flat=True))


def test_deleted_there_without_an_answer_it_is_ours_to_ask_elsewhere(houses, noon, monkeypatch) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    says(asked, row, Said.DELETED, monkeypatch)
    carry(asked, line)
    assert (fresh(row).status, fresh(row).returned, owed(row)) == ("returned", "", {"ask_elsewhere"})
    with asking.acting():
        found = find_request(row.public_id, now=NOON)
        assert (found.fields["name"], found.offers) == ("欧阳晓岚", {"end"})
        verbs.end(row.public_id, actor=SYSTEM)
    assert (fresh(row).status, fresh(row).told, owed(row)) == ("deleted", None, set())
    with scope.system():
        assert not Loop.objects.filter(subject_ref=row.public_id, state=0).exists()
    carry(asking, line, LATER)
    assert there(row).status == "deleted"
    assert handover.proven()


@pytest.mark.parametrize("is_final", [False, True])
def test_an_answer_that_comes_after_the_deletion_closes_it_only_if_it_is_one(
    houses, noon, monkeypatch, is_final: bool
) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    says(asked, row, Said.DELETED, monkeypatch)
    carry(asked, line)
    says(asked, row, Said.ANSWER, monkeypatch, outcome="found", final=is_final)
    carry(asked, line, LATER)
    assert fresh(row).status == ("deleted" if is_final else "returned")
    assert owed(row) == (set() if is_final else {"ask_elsewhere"})
    with scope.system():
        assert Loop.objects.filter(subject_ref=row.public_id, state=0).exists() is not is_final
    assert handover.proven()


def test_who_was_handed_over_to_a_side_that_deletes_without_an_answer_is_ours_again(
    houses, noon, monkeypatch
) -> None:
    asking, asked, line = houses
    contact = handover.named()
    row = handover.ask(asking, contact)
    carry(asking, line)
    handover.take(asked, row)
    carry(asked, line)
    assert handover.state(contact) == "handed_over"
    says(asked, row, Said.DELETED, monkeypatch)
    carry(asked, line, LATER)
    assert (handover.state(contact), handover.owed(contact)) == ("confirmed", {"locate"})
    assert handover.proven()


def test_deleted_after_we_ended_it_closes_as_ever(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asking.acting():
        verbs.end(row.public_id, actor=SYSTEM)
    carry(asking, line)
    carry(asked, line)
    assert (fresh(row).status, owed(row)) == ("deleted", set())
