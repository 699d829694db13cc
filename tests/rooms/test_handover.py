"""A contact whom another county takes over: never between two desks, whatever is lost, late or doubled."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.care.actions import OrderInput, order_observation
from bihuan.loops.models import Duty, Loop
from bihuan.loops.queries.check import check
from bihuan.registry import scope
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import ContactInput, confirm_contact, record_located
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.actions.assistance import handover
from bihuan.tracing.errors import AssistanceClosed, ContactClosed
from bihuan.tracing.models import AssistanceRequest, Contact
from tests.cast import NEXT_COUNTY, Cast
from tests.rooms.care_room import local
from tests.rooms.exchange_room import SYSTEM, House
from tests.rooms.test_exchange import carry, fresh, there

NOON = local("02-14 12:00")
STREET = "420602001"


def named(code: str = NEXT_COUNTY) -> Contact:
    person = PersonInput(territory_code=code, name="欧阳晓岚", phone="13871234567", sex="F")
    given = ContactInput(person=person, territory_code=code, exposure_last=date(2020, 2, 12))
    with scope.system():
        return confirm_contact(given, actor=SYSTEM, now=NOON)


def ask(house: House, contact: Contact, at: datetime = NOON) -> AssistanceRequest:
    with house.acting():
        given = verbs.AssistanceInput(
            to_territory="420602",
            need="locate",
            reason="密切接触者",
            person_id=contact.person_id,
            contact_id=contact.public_id,
            from_territory=NEXT_COUNTY,
        )
        return verbs.ask(given, actor=SYSTEM, now=at)


def take(house: House, row: AssistanceRequest, at: datetime = NOON) -> Contact:
    with house.acting():
        wanted = verbs.AcceptInput(there(row).public_id, territory_code=STREET, confirm=True)
        return verbs.accept(wanted, actor=SYSTEM, now=at).made_contact  # type: ignore[return-value]


def loop_of(contact: Contact) -> Loop:
    with scope.system():
        return Loop.objects.get(subject_kind="contact", subject_ref=contact.public_id)


def owed(contact: Contact) -> set[str]:
    with scope.system():
        return set(Duty.objects.filter(loop=loop_of(contact).pk, state=0).values_list("kind", flat=True))


def state(contact: Contact) -> str:
    return Contact.unscoped.get(pk=contact.pk).status


def proven() -> bool:
    with scope.system():
        return check().holds


def test_the_asking_side_owes_until_the_acceptance_is_here_and_then_no_more(houses, noon) -> None:
    asking, asked, line = houses
    contact = named()
    row = ask(asking, contact)
    carry(asking, line)
    made = take(asked, row)
    assert (state(contact), owed(contact), owed(made)) == ("confirmed", {"locate"}, {"locate"})
    carry(asked, line)
    assert (state(contact), owed(contact), owed(made)) == ("handed_over", set(), {"locate"})
    closed = loop_of(contact)
    assert (closed.state, closed.outcome) == (1, "handed_over")
    assert fresh(row).handed_over_at is not None
    assert proven()
    with scope.system(), pytest.raises(ContactClosed):
        record_located(contact.public_id, actor=SYSTEM)


def test_accepting_without_naming_her_a_contact_leaves_her_here(houses, noon) -> None:
    asking, asked, line = houses
    contact = named()
    row = ask(asking, contact)
    carry(asking, line)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
    carry(asked, line)
    assert (state(contact), owed(contact)) == ("confirmed", {"locate"})


def test_sent_back_she_is_owed_here_again_by_her_own_deadline_and_there_no_more(houses, noon) -> None:
    asking, asked, line = houses
    contact = named()
    row = ask(asking, contact)
    with scope.system():
        due = Duty.objects.get(loop=loop_of(contact).pk, kind="locate").due_at
    carry(asking, line)
    made = take(asked, row)
    carry(asked, line)
    with asked.acting():
        verbs.give_back(there(row).public_id, reason="wrong_place", actor=SYSTEM)
    assert (owed(contact), owed(made)) == (set(), {"locate"}), "whoever gives her away lets go last"
    line.loses_answer = True
    carry(asked, line)
    assert (owed(contact), owed(made)) == ({"locate"}, {"locate"})
    line.loses_answer = False
    carry(asked, line, NOON + timedelta(hours=1))
    assert (state(contact), owed(contact)) == ("confirmed", {"locate"})
    assert (state(made), owed(made)) == ("handed_over", set())
    with scope.system():
        assert Duty.objects.get(loop=loop_of(contact).pk, kind="locate", state=0).due_at == due
    assert proven()


def test_not_to_be_found_there_she_is_looked_for_here_again(houses, noon) -> None:
    asking, asked, line = houses
    contact = named()
    row = ask(asking, contact)
    carry(asking, line)
    made = take(asked, row)
    with asked.acting():
        verbs.answer(there(row).public_id, outcome="not_found", actor=SYSTEM)
    carry(asked, line)
    assert (state(contact), owed(contact)) == ("confirmed", {"locate"})
    assert owed(made) == {"locate"}, "the other side ends its own search with its own reason"
    with asked.acting():
        verbs.answer(there(row).public_id, outcome="found", actor=SYSTEM)
    carry(asked, line)
    assert (state(contact), owed(contact)) == ("handed_over", set())
    assert proven()


def test_who_took_the_request_back_before_it_was_accepted_keeps_the_person(houses, noon) -> None:
    asking, asked, line = houses
    contact = named()
    row = ask(asking, contact)
    carry(asking, line)
    take(asked, row)
    with asking.acting():
        verbs.end(row.public_id, actor=SYSTEM)
    carry(asked, line)
    assert (state(contact), owed(contact)) == ("confirmed", {"locate"})


def test_under_an_order_here_she_stays_here(houses, noon) -> None:
    asking, asked, line = houses
    contact = named()
    row = ask(asking, contact)
    with scope.system():
        record_located(contact.public_id, actor=SYSTEM)
        _observe(contact)
    carry(asking, line)
    made = take(asked, row)
    carry(asked, line)
    assert state(contact) == "confirmed"
    assert {"temperature", "release"} <= owed(contact)
    with scope.system():
        _observe(made)
    with asked.acting(), pytest.raises(AssistanceClosed):
        verbs.give_back(there(row).public_id, reason="wrong_place", actor=SYSTEM)


def _observe(contact: Contact) -> None:
    order_observation(
        OrderInput(contact=contact.public_id, kind="home", approver="王主任"),
        actor=SYSTEM,
        now=NOON,
    )


def test_inside_one_installation_both_rows_change_at_once(cast: Cast, noon) -> None:
    contact = named("420303001")
    with scope.system():
        given = verbs.AssistanceInput(
            to_territory="420302",
            need="locate",
            reason="密切接触者",
            person_id=contact.person_id,
            contact_id=contact.public_id,
            from_territory="420303",
        )
        row = verbs.ask(given, actor=SYSTEM)
        over = there(row)
        made = verbs.accept(
            verbs.AcceptInput(over.public_id, territory_code="420302001", confirm=True), actor=SYSTEM
        ).made_contact
        assert made is not None
        assert (state(contact), owed(contact), owed(made)) == ("handed_over", set(), {"locate"})
        verbs.give_back(over.public_id, reason="wrong_place", actor=SYSTEM)
        assert (state(contact), owed(contact), owed(made)) == ("confirmed", {"locate"}, set())
    assert proven()


def test_a_loop_of_an_older_pack_that_lacks_the_word_ends_and_opens_again_too(
    houses, noon, monkeypatch
) -> None:
    monkeypatch.setattr(handover, "HANDED_OVER", "contact.no_word_of_its_pack")
    asking, asked, line = houses
    contact = named()
    row = ask(asking, contact)
    carry(asking, line)
    take(asked, row)
    carry(asked, line)
    assert (owed(contact), loop_of(contact).outcome) == (set(), "handed_over")
    with asked.acting():
        verbs.give_back(there(row).public_id, reason="wrong_place", actor=SYSTEM)
    carry(asked, line)
    assert (state(contact), owed(contact)) == ("confirmed", {"locate"})
    assert proven()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(["take", "take", "return", "found", "not_found", "end"])),
        st.tuples(st.just("carry"), st.sampled_from(["asking", "asked"])),
        st.tuples(st.just("lose"), st.booleans()),
        st.tuples(st.just("again"), st.integers(0, 50)),
    ),
    max_size=12,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_lost_doubled_and_late_somebody_always_owes_something_of_her(
    houses, noon, steps: list[tuple[str, object]]
) -> None:
    asking, asked, line = houses
    at = NOON
    with transaction.atomic():
        contact = named()
        row = ask(asking, contact)
        for what, how in steps:
            at += timedelta(minutes=3)
            if what == "carry":
                carry(asking if how == "asking" else asked, line, at)
            elif what == "lose":
                line.loses_answer = bool(how)
            elif what == "again" and line.carried:
                line.again(int(str(how)))
            elif what == "say":
                _say(str(how), row, asking, asked, at)
            assert _desks(contact, row), (what, how)
        line.loses_answer = False
        for _round in range(4):
            at += timedelta(hours=2)
            carry(asking, line, at)
            carry(asked, line, at)
            assert _desks(contact, row)
        assert proven()
        over = there(row)
        if over.status == "returned":
            assert _desks(contact, row) == ["here"]
        transaction.set_rollback(True)
    line.carried.clear()


def _desks(contact: Contact, row: AssistanceRequest) -> list[str]:
    made = Contact.unscoped.filter(came_by__thread=row.thread).first()
    return [name for name, one in (("here", contact), ("there", made)) if one is not None and owed(one)]


def _say(how: str, row: AssistanceRequest, asking: House, asked: House, at: datetime) -> None:
    arrived = AssistanceRequest.unscoped.filter(thread=row.thread, side="asked").first()
    try:
        if how == "end":
            with asking.acting():
                verbs.end(row.public_id, actor=SYSTEM, now=at)
        elif arrived is not None and how == "take":
            take(asked, row, at)
        elif arrived is not None:
            with asked.acting():
                if how == "return":
                    verbs.give_back(arrived.public_id, reason="wrong_place", actor=SYSTEM, now=at)
                else:
                    verbs.answer(arrived.public_id, outcome=how, actor=SYSTEM, now=at)
    except AssistanceClosed:
        pass
