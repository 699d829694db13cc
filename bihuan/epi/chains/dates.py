"""Days as numbers: calendar dates, or days counted by the caller."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from bihuan.epi.errors import InputError

_EPOCH = date(1970, 1, 1)


def day_number(day: Any, case: str) -> int:
    """Days since 1970-01-01 of a date, or the whole number itself. InputError names the case."""
    if isinstance(day, date):
        return date(day.year, day.month, day.day).toordinal() - _EPOCH.toordinal()
    if isinstance(day, np.datetime64 | str):
        number = _of_text(str(day))
        if number is not None:
            return number
    elif _is_number(day) and np.isfinite(day) and float(day).is_integer():
        return int(day)
    raise InputError(
        f"the date of {case}, {day!r}, cannot be read; write it as 2020-02-05",
        f"{case} 的日期 {day!r} 无法识别；请写成 2020-02-05",
        field="onsets",
    )


def _of_text(text: str) -> int | None:
    try:
        day = np.datetime64(text, "D")
    except ValueError:
        return None
    return None if np.isnat(day) else int(day.astype(np.int64))


def _is_number(day: Any) -> bool:
    return isinstance(day, int | float | np.integer | np.floating) and not isinstance(day, bool)


def same_kind(number: int, example: Any) -> date | int:
    """A day number as the caller writes days: a date where the example is one."""
    if _is_number(example):
        return number
    return date.fromordinal(number + _EPOCH.toordinal())
