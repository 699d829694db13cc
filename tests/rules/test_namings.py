"""One person named for several cases: the longest obligation wins, whatever came first and whatever falls."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bihuan.tracing.rules.namings import Naming, deciding_last, is_obliged, is_told, own_last

DAY = date(2020, 2, 1)
days = st.none() | st.integers(0, 20).map(lambda n: DAY + timedelta(days=n))
namings = st.lists(
    st.builds(
        Naming, key=st.integers(0, 9), case=st.none() | st.integers(1, 4), last=days, stands=st.booleans()
    ),
    max_size=8,
)


@given(namings, st.randoms())
def test_the_order_in_which_namings_came_decides_nothing(told, chance):
    other = list(told)
    chance.shuffle(other)
    assert deciding_last(other) == deciding_last(told)
    assert is_obliged(other) == is_obliged(told)


@given(namings)
def test_the_longest_obligation_that_stands_wins(told):
    standing = [n.last for n in told if n.stands and n.last is not None]
    last = deciding_last(told)
    assert all(last is not None and day <= last for day in standing)
    assert last is None or last in standing


@given(namings, st.builds(Naming, st.just(10), st.integers(1, 4), days))
def test_one_more_naming_never_shortens_and_its_end_leaves_what_was_before(told, more):
    before, after = deciding_last(told), deciding_last([*told, more])
    assert before is None or (after is not None and after >= before)
    fallen = Naming(more.key, more.case, more.last, stands=False)
    assert deciding_last([*told, fallen]) == before
    assert is_obliged([*told, fallen]) == is_obliged(told)


@given(namings, st.none() | st.integers(1, 4), days)
def test_what_is_told_already_would_change_nothing(told, case, last):
    if is_told(told, case, last):
        assert deciding_last([*told, Naming(10, case, last)]) == deciding_last(told)


@given(days, st.lists(days, max_size=6))
def test_what_a_record_told_itself_is_found_again_however_often_others_moved_it(own, further):
    kept, deciding = None, own
    for day in further:
        kept = own_last(kept, first=own, deciding=deciding)
        deciding = max((d for d in (deciding, day) if d is not None), default=None)
    assert own_last(kept, first=own, deciding=deciding) == own


def test_somebody_named_without_a_day_is_obliged_all_the_same():
    assert is_obliged([Naming(0, 1, None)])
    assert deciding_last([Naming(0, 1, None)]) is None
