"""Of several contacts of one person one goes on, and nothing that is owed or decided is lost by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bihuan.care.rules.joining import Held, settle

DAY_ONE = datetime(2020, 2, 1, tzinfo=UTC)
days = st.integers(0, 30).map(lambda n: DAY_ONE + timedelta(days=n))


@st.composite
def several(draw) -> list[Held]:
    held = []
    for key in range(draw(st.integers(0, 5))):
        ends = draw(st.none() | days)
        kind = draw(st.sampled_from(["home", "facility"])) if ends is not None else ""
        flags = {name: draw(st.booleans()) for name in ("pending", "asked", "lost")}
        held.append(Held(key, draw(days), kind, ends, **flags))
    return held


@given(several())
def test_every_contact_goes_on_or_ends_or_stays_apart_and_only_one_goes_on_for_others(held):
    found = settle(held)
    told = [*found.ends, *found.apart, *([] if found.goes_on is None else [found.goes_on])]
    assert sorted(told) == ([one.key for one in held] if len(held) > 1 else [])
    assert bool(found.ends) == (found.goes_on is not None)


@given(several())
def test_nothing_ends_that_waits_for_a_decision_or_is_with_another_territory(held):
    found, by_key = settle(held), {one.key: one for one in held}
    assert not [key for key in found.ends if by_key[key].pending or by_key[key].asked]
    assert found.goes_on is None or not by_key[found.goes_on].asked


@given(several())
def test_no_observation_is_shortened_or_changed_in_kind(held):
    found, by_key = settle(held), {one.key: one for one in held}
    for one in (by_key[key] for key in found.ends):
        on = by_key[found.goes_on]
        if one.order_ends is not None:
            assert on.order_ends is not None
            assert on.order_ends >= one.order_ends
            assert on.order_kind == one.order_kind


@given(several(), st.randoms())
def test_which_goes_on_does_not_hang_on_the_order_they_are_asked_in(held, random):
    shuffled = list(held)
    random.shuffle(shuffled)
    first, second = settle(held), settle(shuffled)
    assert (first.goes_on, set(first.ends), set(first.apart)) == (
        second.goes_on, set(second.ends), set(second.apart),
    )  # fmt: skip


def test_who_was_named_first_goes_on_where_nothing_else_decides():
    older, newer = Held(2, DAY_ONE), Held(1, DAY_ONE + timedelta(days=1))
    assert settle([newer, older]).goes_on == older.key


def test_a_contact_alone_needs_nothing():
    assert settle([Held(1, DAY_ONE)]) == settle([])
