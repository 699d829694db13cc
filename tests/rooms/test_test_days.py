"""A test stands for its day, not for a later one: duties of tests end by the rule by which release counts."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.care import actions as care
from bihuan.care.duties import do_duty
from bihuan.care.errors import NotMovable, NotReleasable
from bihuan.care.rules import test_day as day_of
from bihuan.registry import clock
from bihuan.tracing.models import Contact
from tests.cast import Cast
from tests.rooms.care_room import TZ, assert_holds, duties
from tests.rooms.test_editions import EIGHTH, NINTH, Edition, do, due_days, on, placed, swab

pytestmark = pytest.mark.django_db


def owed_days(contact: Contact, edition: Edition) -> list[int]:
    """Exposure days whose tests are owed."""
    tick = timedelta(microseconds=1)
    return sorted(
        ((duty.due_at - tick).astimezone(TZ).date() - edition.exposed).days
        for duty in duties(contact.public_id, state=0).values()
        if duty.kind in ("test", "home_test")
    )


def test_a_test_a_day_early_keeps_the_days_duty_and_says_so(cast: Cast):
    contact, _order = placed(cast, EIGHTH)
    swab(cast, contact, on(EIGHTH.day(1), 12))
    duty = next(d for d in duties(contact.public_id, state=0).values() if d.key == "test/4")
    early = on(EIGHTH.day(3), 9)
    told = {"result": "negative", "sampled": early.isoformat(), "at": early.isoformat()}
    with cast.community.acting(), clock.frozen(early):
        said = do_duty(duty.id, told, cast.community.actor)
    assert EIGHTH.day(4).isoformat() in said
    assert owed_days(contact, EIGHTH) == [4, 7, 14, 16, 21]
    swab(cast, contact, on(EIGHTH.day(5), 9))
    assert owed_days(contact, EIGHTH) == [7, 14, 16, 21], "late, and before the next day, it counts"
    assert_holds()


def test_whoever_owes_no_test_of_the_first_stage_goes_home_without_another(cast: Cast):
    """What the loop calls done the rule of release calls done: no day that was ended early holds anybody."""
    contact, _order = placed(cast, EIGHTH)
    for number in (1, 4, 7):
        swab(cast, contact, on(EIGHTH.day(number), 12))
    swab(cast, contact, on(EIGHTH.day(13), 12))
    assert 14 in owed_days(contact, EIGHTH)
    move = (care.record_moved, contact.public_id)
    with pytest.raises(NotMovable, match=EIGHTH.day(14).isoformat()):
        do(cast.community, on(EIGHTH.day(14), 8), *move)
    swab(cast, contact, on(EIGHTH.day(14), 9))
    assert owed_days(contact, EIGHTH) == [16, 21]
    do(cast.community, on(EIGHTH.day(14), 15), *move)


def test_a_result_of_the_next_day_answers_the_day_of_the_specimen(cast: Cast):
    contact, _order = placed(cast, NINTH)
    taken, known = on(NINTH.day(2), 20), on(NINTH.day(3), 2)
    do(
        cast.community, known, care.record_contact_test, contact.public_id, result="negative",
        sampled=taken, at=known,
    )  # fmt: skip
    assert 2 not in owed_days(contact, NINTH)
    assert 3 in owed_days(contact, NINTH)


def test_a_test_that_is_not_conclusive_ends_no_day_and_its_repeat_does(cast: Cast):
    contact, _order = placed(cast, NINTH)
    swab(cast, contact, on(NINTH.day(1), 12), "inconclusive")
    assert 1 in owed_days(contact, NINTH)
    swab(cast, contact, on(NINTH.day(1), 18))
    assert 1 not in owed_days(contact, NINTH)


def test_a_specimen_of_the_home_stage_ends_no_day_at_the_site(cast: Cast):
    contact, _order = placed(cast, NINTH)
    for number in (1, 2, 3, 5):
        swab(cast, contact, on(NINTH.day(number), 12))
    swab(cast, contact, on(NINTH.day(10), 9))
    assert owed_days(contact, NINTH) == [7], "what is missing stays missing, as release tells it"
    assert due_days(contact, "home_test") == [NINTH.day(10)]
    with pytest.raises(NotReleasable, match=NINTH.day(7).isoformat()):
        do(cast.community, on(NINTH.day(10), 10), care.release_contact, contact.public_id, reason="completed")


@given(st.lists(st.integers(0, 60), unique=True, max_size=8), st.integers(0, 60))
def test_a_day_is_answered_from_itself_to_before_the_next(numbers: list[int], taken: int):
    first = date(2022, 2, 20)
    days = [first + timedelta(days=n) for n in sorted(numbers)]
    found = day_of(first + timedelta(days=taken), days)
    before = [n for n in numbers if n <= taken]
    assert found == (first + timedelta(days=max(before)) if before else None)
