"""Records are joined while the same person is named again: she stays one contact with one loop."""

from __future__ import annotations

from datetime import date
from threading import Barrier

import pytest

from bihuan.care.actions.joining import join_records, part_records
from bihuan.registry import scope
from bihuan.registry.models import MergeRecord, Person
from bihuan.tracing.actions import ContactInput, confirm_contacts
from bihuan.tracing.models import Contact
from tests.cast import GRID, Cast
from tests.rooms.care_room import assert_holds, do, li, make_case, make_contact, zhou
from tests.rooms.test_own_page_at_once import at_once, cast_at_once

__all__ = ["cast_at_once"]

TURNS = 5


def live_of(people: list[Person]) -> int:
    with scope.system():
        return Contact.objects.filter(person__in=people, status="confirmed").count()


@pytest.mark.parametrize("late_named", [False, True])
def test_whoever_is_named_while_her_records_are_joined_stays_one_contact(
    cast_at_once: Cast, late_named: bool
) -> None:
    cast = cast_at_once
    case = make_case(cast.officer, "02-11 10:00", person=li())
    two = [
        make_contact(cast.officer, "02-13 09:00", person=zhou(local_id=n), exposure_last=date(2020, 2, 10))
        for n in "ab"
    ]
    with scope.system():
        people = list(Person.objects.filter(contacts__in=two).order_by("id"))
    keep, other = (one.public_id for one in people)
    for turn in range(TURNS):
        when, gate = f"02-14 {9 + turn:02}:00", Barrier(2)

        def join(when: str = when, gate: Barrier = gate) -> None:
            gate.wait()
            do(cast.officer, when, join_records, keep, other, reason="同一人")

        def name(when: str = when, gate: Barrier = gate, n: int = turn) -> None:
            given = ContactInput(
                other if late_named else keep, GRID, case=case.public_id, exposure_last=date(2020, 2, 12),
                source_key=f"list|{late_named}|{n}",
            )  # fmt: skip
            gate.wait()
            do(cast.officer, when, confirm_contacts, [given])

        at_once(join, name)
        assert live_of(people) == 1
        assert_holds()
        with scope.system():
            merge = MergeRecord.objects.order_by("-id").values_list("id", flat=True)[0]
        do(cast.officer, f"02-14 {9 + turn:02}:30", part_records, merge, reason="两个人")
        assert live_of(people) == 2
