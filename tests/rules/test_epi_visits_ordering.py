"""Sorting by one packed number is sorting by three columns."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bihuan.epi.visits import ordering

ROWS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 7, 2**31, 2**32 - 1]),
        st.one_of(st.integers(-3, 3), st.sampled_from([-(2**31), 2**31 - 1])),
        st.sampled_from([0, 5, 2**20, 2**32 - 1]),
    ),
    max_size=30,
)


@given(ROWS)
def test_sorting_by_one_packed_number_is_sorting_by_three_columns(rows):
    high, middle, low = (
        np.array([row[i] for row in rows], kind) for i, kind in enumerate((np.uint32, np.int32, np.uint32))
    )
    order = ordering.order_of(high, middle, low)
    assert [rows[i] for i in order] == sorted(rows)
    key = ordering.packed(high, middle, low)
    assert key is None or ordering.is_ordered(high, middle, low) == (rows == sorted(rows))
