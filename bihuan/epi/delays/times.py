"""Dates or numbers of days, and windows of them, on one axis of days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats

_DAY = 86_400_000_000
#: A value of a time: a calendar date, an instant, an ISO date, or a number of days.
When = date | datetime | str | float | None


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Days since 1970-01-01 (or on the caller's own axis of numbers), NaN where unknown."""

    values: Floats
    dated: bool


def read(values: Iterable[Any], *, field: str) -> Times:
    """Dates, ISO strings, datetimes or numbers; None, NaT and NaN are unknown. InputError names the first
    that cannot be read."""
    given = np.asarray(values if isinstance(values, np.ndarray) else list(values))
    if np.issubdtype(given.dtype, np.floating) and np.isinf(given).any():
        raise InputError(f"{field} holds an infinite value", f"{field} 含无穷大", field=field)
    if given.ndim != 1:
        raise InputError(f"{field} must be one list of dates", f"{field} 应为一列日期", field=field)
    if np.issubdtype(given.dtype, np.number) and given.dtype != object:
        return Times(given.astype(np.float64), dated=False)
    if np.issubdtype(given.dtype, np.datetime64):
        return Times(_days(given.astype("datetime64[us]")), dated=True)
    return _from_objects(given, field)


def _from_objects(given: np.ndarray, field: str) -> Times:
    out = np.full(given.size, np.nan)
    kinds = set()
    for i, value in enumerate(given.tolist()):
        if value is None or value == "" or value != value:
            continue
        try:
            number, dated = _one(value)
        except (TypeError, ValueError):
            raise InputError(
                f"{field} {i + 1} is {value!r}: not a date; write it as 2020-02-05",
                f"{field} 第 {i + 1} 个值 {value!r} 不是日期；请写成 2020-02-05",
                field=field,
            ) from None
        out[i] = number
        kinds.add(dated)
    if len(kinds) > 1:
        raise InputError(
            f"{field} mixes dates and numbers of days", f"{field} 同时含有日期和天数", field=field
        )
    return Times(out, dated=kinds != {False})


def _one(value: Any) -> tuple[float, bool]:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, int | float):
        return float(value), False
    if isinstance(value, datetime):
        # Whatever its zone: the wall clock there counts, as local calendar dates do.
        return float(_days(np.array([np.datetime64(value.replace(tzinfo=None), "us")]))[0]), True
    return float(_days(np.array([np.datetime64(value, "us")]))[0]), True


def _days(instants: np.ndarray) -> Floats:
    out = instants.astype(np.int64) / _DAY
    out[np.isnat(instants)] = np.nan
    return np.asarray(out, dtype=np.float64)


def same_axis(*times: Times) -> None:
    """InputError unless all are dates, or all numbers (a list with nothing known fits either)."""
    kinds = {t.dated for t in times if not np.isnan(t.values).all()}
    if len(kinds) > 1:
        raise InputError(
            "some of the times are dates and others numbers of days",
            "部分时间为日期、部分为天数",
            field="dates",
        )


def pair_up(first: Times, second: Times, *, names: tuple[str, str]) -> None:
    if first.values.size != second.values.size:
        raise InputError(
            f"{names[0]} has {first.values.size} dates and {names[1]} has {second.values.size}; "
            "they must pair up",
            f"{names[0]} 有 {first.values.size} 个日期，{names[1]} 有 {second.values.size} 个；必须一一对应",
            field=names[1],
        )
