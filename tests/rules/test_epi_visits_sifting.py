"""Rows pressed together sixteen at a time are those that one after the other finds."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bihuan.epi.visits import sifting

ROWS = 70
BASE, EARLIEST, START, END = 3_000, 3_395, 3_400, 3_460
CASE = 2_047 << (sifting.CASE_AT - sifting.MET_AT)  # the largest that fits; its highest bit is the sign


def columns(seed: int, *, wide: bool) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    minutes = rng.integers(0, 1_440 if wide else 61, ROWS).astype(np.uint16 if wide else np.uint8)
    starts = np.sort(rng.integers(300, END - BASE + 1, ROWS)).astype(np.uint16)
    return rng.integers(0, 40_000, ROWS).astype(np.uint32), starts, minutes


def by_hand(table: Any, a: int, b: int, own: int) -> list[tuple[int, int, int]]:
    found = []
    for person, start, minutes in zip(*(column[a:b].tolist() for column in table), strict=True):
        since, until = BASE + start, BASE + start + minutes
        if until >= EARLIEST and person != own:
            shared = max(min(until, END) - max(since, START), 0)
            met = max(min(since, END), min(START, until))
            local = person & ((1 << sifting.PEOPLE_BITS) - 1)
            found.append((person, shared << sifting.SHARED_AT | local, met | CASE))
    return found


@settings(deadline=None)  # the first call compiles
@given(
    st.integers(0, 2**20), st.booleans(), st.integers(0, ROWS), st.integers(0, ROWS), st.integers(0, ROWS - 1)
)
def test_any_stretch_of_rows_is_sifted_as_by_hand(seed: int, wide: bool, a: int, b: int, of: int):
    a, b = min(a, b), max(a, b)
    table = columns(seed, wide=wide)
    own = int(table[0][of])
    visit = tuple(np.uint32(number).astype(np.int32) for number in (BASE, EARLIEST, START, END, own, CASE))
    who, low, high = (np.empty(b - a + sifting.LANES, np.uint32) for _ in range(3))
    addresses = (column.ctypes.data for column in table)
    n = sifting.sift(*addresses, int(wide), a, b, visit, who, low, high)
    assert list(zip(who[:n].tolist(), low[:n].tolist(), high[:n].tolist(), strict=True)) == by_hand(
        table, a, b, own
    )
