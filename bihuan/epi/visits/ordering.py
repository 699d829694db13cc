"""Sorting stays: three columns packed into one 64-bit number, so that one vectorized sort does it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.visits.batch import Stays

_ROOM = 64  # bits of a packed key


def by_place(stays: Stays) -> NDArray[np.intp]:
    """Rows in the order of (place, start, person)."""
    return order_of(stays.place, stays.start, stays.person)


def by_person(stays: Stays) -> NDArray[np.intp]:
    """Rows in the order of (person, start, place)."""
    return order_of(stays.person, stays.start, stays.place)


def order_of(high: NDArray[Any], middle: NDArray[Any], low: NDArray[Any]) -> NDArray[np.intp]:
    """Rows in ascending order of three whole-number columns; which of equal rows comes first is open."""
    key = packed(high, middle, low)
    if key is None:
        return np.lexsort((low, middle, high))
    return np.argsort(key)


def is_ordered(high: NDArray[Any], middle: NDArray[Any], low: NDArray[Any]) -> bool:
    """Whether rows already stand in that order."""
    key = packed(high, middle, low)
    return key is not None and bool((key[1:] >= key[:-1]).all())


def is_among(stays: Stays, others: Stays) -> NDArray[np.bool_]:
    """Which stays have their like (person, place, start) among others."""
    both = Stays.join([stays, others])
    key = packed(both.person, both.place, both.start)
    if key is None:
        rows = np.stack([both.person, both.place, both.start], axis=1).astype(np.int64)
        key = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1).astype(np.uint64)
    return np.isin(key[: stays.size], key[stays.size :])


def packed(high: NDArray[Any], middle: NDArray[Any], low: NDArray[Any]) -> NDArray[np.uint64] | None:
    """One number a row that sorts like the three; None where they need more than 64 bits."""
    if not high.size:
        return np.empty(0, np.uint64)
    columns = [(column, int(column.min()), int(column.max())) for column in (high, middle, low)]
    bits = [(most - least).bit_length() for _column, least, most in columns]
    if sum(bits) > _ROOM or bits[0] == _ROOM:
        return None
    key = _above(high, columns[0][1])
    for (column, least, _most), width in zip(columns[1:], bits[1:], strict=True):
        key <<= np.uint64(width)
        key |= _above(column, least)
    return key


def _above(column: NDArray[Any], least: int) -> NDArray[np.uint64]:
    """How far each value lies above the least; modulo 2 ** 64, so negative ones are right too."""
    return np.subtract(column, np.uint64(least % 2**64), dtype=np.uint64, casting="unsafe")
