"""Codes of own pages, given by several at once: nobody has two that open, and no slip just given is void."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from bihuan.care.actions import own_page as own
from bihuan.care.errors import HasCode
from bihuan.care.models import OwnAccess
from bihuan.registry import clock, scope, shredder
from bihuan.registry.actions.people import merge_people, register_person, unmerge
from bihuan.registry.errors import Conflict
from bihuan.registry.models import MergeRecord, Person
from tests.cast import NEXT_COUNTY, Cast, make_cast
from tests.rooms.care_room import do, local, make_contact, zhou

DAY = "02-14 12:00"
N = 12


@pytest.fixture
def cast_at_once(transactional_db: None) -> Iterator[Cast]:
    """The cast without a surrounding transaction, for threads."""
    with clock.frozen(local("02-01 08:00")):
        yield make_cast()


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Each work in a thread and a connection of its own; what it returned, or the error it raised."""

    def run(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Conflict as wrong:
            return wrong
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def people(cast: Cast, n: int = N) -> list[Person]:
    """Contacts of the county, of each of whom a telephone is held."""
    made = [make_contact(cast.officer, "02-13 10:00", person=zhou(phone=f"1387120{i:04}")) for i in range(n)]
    with scope.system():
        return list(Person.objects.filter(id__in=[one.person_id for one in made]).order_by("id"))


def no_two_open() -> bool:
    with scope.system():
        roots = OwnAccess.objects.filter(ended_at__isnull=True).values_list("person__root_id", flat=True)
        return len(roots) == len(set(roots))


def test_of_two_sheets_at_once_the_second_goes_on_where_the_first_ends(cast_at_once: Cast) -> None:
    people(cast_at_once)
    sheets = at_once(*[
        lambda: do(cast_at_once.officer, DAY, own.give_sheet, "", most=N // 3) for _n in range(3)
    ])  # fmt: skip
    given = [one.person_id for made, refused in sheets for one in made if not refused]
    assert len(given) == len(set(given)) == N
    assert OwnAccess.unscoped.filter(ended_at__isnull=True).count() == N


def test_lists_that_name_the_same_people_in_another_order_give_each_one_code(cast_at_once: Cast) -> None:
    ids = [one.public_id for one in people(cast_at_once)]
    found = at_once(*[
        lambda one=one: do(cast_at_once.officer, DAY, own.give_codes, one) for one in (ids, ids[::-1]) * 2
    ])  # fmt: skip
    given = [one.person_id for made, _refused in found for one in made]
    assert sorted(given) == sorted(ids)
    assert {type(one.why) for _made, refused in found for one in refused} == {HasCode}


def test_two_counties_at_once_give_somebody_with_records_in_both_one_code(cast_at_once: Cast) -> None:
    cast = cast_at_once
    here = people(cast, 4)
    there = []
    for n, one in enumerate(here):
        lives = replace(zhou(phone=f"1387121{n:04}"), territory_code=f"{NEXT_COUNTY}001001")
        there.append(do(cast.neighbor, "02-13 10:30", register_person, lives))
        with scope.system(), clock.frozen(local(DAY)):
            merge_people(keep=one.pk, merge=there[-1].pk, reason="同一人", actor=cast.city.actor)
    mine, theirs = [one.public_id for one in here], [one.public_id for one in there]
    for _turn in range(4):
        with scope.system():
            OwnAccess.objects.update(ended_at=local(DAY), end_reason="taken_back")
        found = at_once(
            lambda: do(cast.officer, DAY, own.give_codes, mine),
            lambda: do(cast.neighbor, DAY, own.give_codes, theirs),
        )
        assert sum(len(made) for made, _refused in found) == 4
        assert no_two_open()


def test_a_code_given_while_records_are_joined_and_parted_is_the_only_one(cast_at_once: Cast) -> None:
    cast = cast_at_once
    found = people(cast, 6)
    ids, pairs = [one.public_id for one in found], list(zip(found[3:], found[:3], strict=True))

    def join() -> None:
        for keep, merge in pairs:
            with scope.system(), clock.frozen(local(DAY)):
                merge_people(keep=keep.pk, merge=merge.pk, reason="同一人", actor=cast.city.actor)

    def part() -> None:
        with scope.system(), clock.frozen(local(DAY)):
            for record in MergeRecord.objects.filter(undone_at__isnull=True):
                unmerge(record.pk, reason="不是", actor=cast.city.actor)

    for turn in (join, part) * 3:
        done = at_once(turn, *[
            lambda one=one: do(cast.officer, DAY, own.give_codes, one, renew=True) for one in (ids, ids[::-1])
        ])  # fmt: skip
        assert done[0] is None
        for made, _refused in done[1:]:
            assert len(made) in range(3, 7)


def test_whoever_is_shredded_while_a_sheet_is_made_has_no_code_that_opens(cast_at_once: Cast) -> None:
    cast = cast_at_once
    gone = [do(cast.officer, "02-13 10:30", register_person, zhou(phone=f"1387122{n:04}")) for n in range(6)]
    ids = [one.public_id for one in gone]

    def shred() -> None:
        for one in gone:
            with clock.frozen(local(DAY)):
                shredder.shred_person(one.pk, reason="保存期满", actor=cast.administrator.actor)

    at_once(lambda: do(cast.officer, DAY, own.give_codes, ids), shred)
    assert not OwnAccess.unscoped.filter(ended_at__isnull=True).exists()
    assert all(set(shredder.remains(one.pk).values()) == {0} for one in gone)


def test_a_page_opened_while_new_codes_are_given_waits_for_nobody_for_ever(cast_at_once: Cast) -> None:
    cast = cast_at_once
    (hers,) = people(cast, 1)
    code = do(cast.officer, DAY, own.give_code, hers.public_id).code
    opened = at_once(
        *[lambda: own.open_own_page(code, "9999", now=local("02-14 12:30")) for _n in range(3)],
        *[lambda: do(cast.officer, DAY, own.give_code, hers.public_id) for _n in range(3)],
    )
    assert opened[:3] == [None] * 3
    assert OwnAccess.unscoped.filter(ended_at__isnull=True).count() == 1
