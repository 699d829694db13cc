"""Many contacts at once: released or lost together they end as one by one, in as many statements as a few."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bihuan.care import actions as care
from bihuan.care.actions import OrderInput, ReleaseInput
from bihuan.care.errors import NotReleasable
from bihuan.care.models import Order
from bihuan.registry import scope
from bihuan.tracing.actions import LostInput
from bihuan.tracing.errors import ContactClosed
from bihuan.tracing.models import Contact
from tests.cast import Cast
from tests.rooms.care_room import assert_holds, do, loop_of, make_contact

pytestmark = pytest.mark.django_db

EXPOSED = date(2020, 2, 12)
FREE = "02-27 08:00"  # fourteen days after the exposure, and a morning


def observed(cast: Cast, how_many: int) -> list[Contact]:
    contacts = [make_contact(cast.officer, "02-14 10:00", exposure_last=EXPOSED) for _n in range(how_many)]
    given = [OrderInput(contact=contact.public_id, kind="home") for contact in contacts]
    do(cast.command, "02-14 12:00", care.order_observations, given, placed=True)
    return contacts


def ends(contacts: list[Contact]) -> set[tuple[str, str, str, bool]]:
    """(status, reason of the order's end, outcome of the loop, order over) of all of them."""
    with scope.system():
        return {
            (
                Contact.objects.get(id=c.id).status,
                (order := Order.objects.get(contact=c)).end_reason,
                loop_of(c.public_id).outcome,
                order.ended_at is not None and order.ended_at <= order.end_at,
            )
            for c in contacts
        }


def test_released_together_they_end_as_one_by_one(cast: Cast):
    together, alone = observed(cast, 3), observed(cast, 2)
    do(cast.command, FREE, care.release_contacts, [ReleaseInput(c.public_id) for c in together])
    for contact in alone:
        do(cast.command, FREE, care.release_contact, contact.public_id)
    assert ends(together) == ends(alone) == {("released", "released", "released", True)}
    assert_holds()


def test_releasing_many_takes_as_many_statements_as_releasing_few(cast: Cast):
    counts = []
    for contacts in (observed(cast, 3), observed(cast, 9)):
        with (
            CaptureQueriesContext(connection) as seen,
            scope.system(),
        ):
            do(cast.command, FREE, care.release_contacts, [ReleaseInput(c.public_id) for c in contacts])
        counts.append(len(seen))
    assert counts[1] <= counts[0]


def test_if_one_may_not_be_released_nobody_is(cast: Cast):
    contacts = observed(cast, 3)
    too_early = [ReleaseInput(c.public_id, at=EXPOSED + timedelta(days=5)) for c in contacts[:1]]
    with pytest.raises(NotReleasable):
        do(
            cast.command,
            FREE,
            care.release_contacts,
            [ReleaseInput(c.public_id) for c in contacts[1:]] + too_early,
        )
    assert {status for status, *_rest in ends(contacts)} == {"confirmed"}
    assert_holds()


def test_another_running_order_of_the_same_person_holds_the_release_back(cast: Cast):
    first = observed(cast, 1)[0]
    with scope.system():
        person = first.person.public_id
    later = make_contact(
        cast.officer, "02-20 10:00", exposure_last=date(2020, 2, 19), person=person, alone=True
    )
    do(cast.command, "02-20 12:00", care.order_observation, OrderInput(contact=later.public_id, kind="home"))
    with pytest.raises(NotReleasable):
        do(cast.command, FREE, care.release_contacts, [ReleaseInput(first.public_id)])


def test_lost_together_their_orders_end_and_given_up_their_loops_close(cast: Cast):
    contacts = observed(cast, 3)
    given = [LostInput(c.public_id, "moved away", final=n > 0) for n, c in enumerate(contacts)]
    do(cast.officer, "02-16 10:00", care.record_all_lost, given)
    assert ends(contacts[:1]) == {("lost", "lost", "", True)}
    assert ends(contacts[1:]) == {("lost", "lost", "lost", True)}
    assert_holds()


def test_somebody_released_already_is_not_released_again_with_the_rest(cast: Cast):
    contacts = observed(cast, 2)
    do(cast.command, FREE, care.release_contact, contacts[0].public_id)
    with pytest.raises(ContactClosed):
        do(cast.command, FREE, care.release_contacts, [ReleaseInput(c.public_id) for c in contacts])
    assert {status for status, *_rest in ends(contacts[1:])} == {"confirmed"}
