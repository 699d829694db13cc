"""Times and temperatures as gates write them, read where they lie in a block of bytes (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bihuan.epi.compiled import njit

#: What stands for a time that cannot be read, or is not there.
NO_END = np.iinfo(np.int64).min
DAY = 1440
#: Temperatures outside of these, in degrees Celsius, are none of a living person.
COOLEST, HOTTEST = 25.0, 45.0


@njit(cache=True, nogil=True, inline="always")
def _digits(data: Any, a: int, b: int, most: int) -> Any:
    """A whole number of at most `most` digits at a: (value, how many digits)."""
    value, n = np.int64(0), 0
    while a + n < b and n < most and 48 <= data[a + n] <= 57:
        value = value * 10 + np.int64(data[a + n] - 48)
        n += 1
    return value, n


@njit(cache=True, nogil=True)
def _sign(data: Any, a: int, b: int) -> Any:
    """The separator at a: (which, bytes). 1 between parts of a date, 2 of a time, 3 ends a date, 4 ends a
    time, 0 none."""
    if a >= b:
        return 0, 0
    byte = data[a]
    if byte == 45 or byte == 47 or byte == 46:  # - / .
        return 1, 1
    if byte == 58:
        return 2, 1
    if a + 2 < b:
        code = (np.int64(byte) << 16) | (np.int64(data[a + 1]) << 8) | np.int64(data[a + 2])
        if code == 0xE5B9B4 or code == 0xE69C88:  # 年 月
            return 1, 3
        if code == 0xE697A5:  # 日
            return 3, 3
        if code == 0xE697B6 or code == 0xE782B9 or code == 0xE58886 or code == 0xEFBC9A:  # 时 点 分 ：
            return 2, 3
        if code == 0xE7A792:  # 秒
            return 4, 3
    return 0, 0


@njit(cache=True, nogil=True)
def _minutes(year: int, month: int, day: int, hour: int, minute: int) -> Any:
    """Minutes since 1970-01-01 00:00, NO_END for what no calendar holds (days by Hinnant's count)."""
    if year < 1000 or month < 1 or month > 12 or day < 1 or minute > 59 or hour > 24:
        return NO_END
    if hour == 24 and minute:
        return NO_END
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    length = 30 if month in (4, 6, 9, 11) else 31
    if month == 2:
        length = 29 if leap else 28
    if day > length:
        return NO_END
    y = year - (1 if month <= 2 else 0)
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return np.int64(days) * DAY + hour * 60 + minute


@njit(cache=True, nogil=True, inline="always")
def _two(data: Any, at: int) -> Any:
    """The number of two digits at `at`, or one above 255 when they are none."""
    high, low = np.int64(data[at]) - 48, np.int64(data[at + 1]) - 48
    return high * 10 + low if 0 <= high <= 9 and 0 <= low <= 9 else np.int64(999)


@njit(cache=True, nogil=True)
def _plain(data: Any, a: int, b: int) -> Any:
    """2020-02-05 08:03 and 2020-02-05 08:03:00, the usual case, NO_END for all else."""
    if data[a + 4] != 45 or data[a + 7] != 45 or data[a + 13] != 58:
        return NO_END
    if data[a + 10] != 32 and data[a + 10] != 84:
        return NO_END
    century, rest = _two(data, a), _two(data, a + 2)
    if century > 99 or rest > 99:
        return NO_END
    if b - a == 19 and (data[a + 16] != 58 or _two(data, a + 17) > 60):
        return NO_END
    return _minutes(
        century * 100 + rest, _two(data, a + 5), _two(data, a + 8), _two(data, a + 11), _two(data, a + 14)
    )


@njit(cache=True, nogil=True)
def minutes_of(data: Any, a: int, b: int, offset: int) -> Any:
    """A time as minutes on the store's clock, NO_END when it cannot be read. Takes ISO 8601 and its looser
    kin with the year first, YYYYMMDDhhmm(ss), and epochs in s, ms, µs, ns."""
    if b - a == 16 or b - a == 19:
        found = _plain(data, a, b)
        if found != NO_END:
            return found
    value, n = _digits(data, a, b, 19)
    if n >= 9:
        rest = a + n
        if rest < b and data[rest] == 46:
            _fraction, k = _digits(data, rest + 1, b, 18)
            rest += 1 + k
        if rest != b:
            return NO_END
        if n == 12 or n == 14:
            short = value if n == 12 else value // 100
            if n == 14 and value % 100 > 60:
                return NO_END
            return _minutes(
                short // 100000000,
                short // 1000000 % 100,
                short // 10000 % 100,
                short // 100 % 100,
                short % 100,
            )
        if n == 13:
            value //= 1000
        elif n == 16:
            value //= 1000000
        elif n == 19:
            value //= 1000000000
        elif n > 10:
            return NO_END
        return value // 60 + offset
    if n != 4:
        return NO_END
    year, at = value, a + 4
    kind, k = _sign(data, at, b)
    month, n = _digits(data, at + k, b, 2)
    if kind != 1 or n == 0:
        return NO_END
    at += k + n
    kind, k = _sign(data, at, b)
    day, n = _digits(data, at + k, b, 2)
    if kind != 1 or n == 0:
        return NO_END
    at += k + n
    kind, k = _sign(data, at, b)
    gap = kind == 3
    if gap:
        at += k
    while at < b and (data[at] == 32 or data[at] == 84 or data[at] == 116):  # space, T, t
        at += 1
        gap = True
    hour, n = _digits(data, at, b, 2)
    if n == 0 or not gap:
        return NO_END
    at += n
    kind, k = _sign(data, at, b)
    minute, n = _digits(data, at + k, b, 2)
    if kind != 2 or n == 0:
        return NO_END
    at += k + n
    kind, k = _sign(data, at, b)
    if kind == 2:
        at += k
        second, n = _digits(data, at, b, 2)
        at += n
        if second > 60:
            return NO_END
        if n and at < b and (data[at] == 46 or data[at] == 44):
            _fraction, n = _digits(data, at + 1, b, 18)
            at += 1 + n
        kind, k = _sign(data, at, b)
    if kind == 4:
        at += k
    found = _minutes(year, month, day, hour, minute)
    while at < b and data[at] == 32:
        at += 1
    if at == b or found == NO_END:
        return found
    return _shifted(found, data, at, b, offset)


@njit(cache=True, nogil=True)
def _shifted(found: Any, data: Any, at: int, b: int, offset: int) -> Any:
    """A time followed by Z, +08, +0800 or +08:00, on the store's clock."""
    if data[at] == 90 or data[at] == 122:
        return found + offset if at + 1 == b else NO_END
    if data[at] != 43 and data[at] != 45:
        return NO_END
    hours, n = _digits(data, at + 1, b, 2)
    rest = at + 1 + n
    if rest < b and data[rest] == 58:
        rest += 1
    minutes, k = _digits(data, rest, b, 2)
    if n != 2 or rest + k != b or k == 1 or hours > 14 or minutes > 59:
        return NO_END
    ahead = hours * 60 + minutes
    return found - (ahead if data[at] == 43 else -ahead) + offset


@njit(cache=True, nogil=True)
def degrees_of(data: Any, a: int, b: int) -> float:
    """A body temperature in degrees Celsius, NaN when it is none."""
    whole, n = _digits(data, a, b, 2)
    if n != 2:
        return np.nan
    at, value, scale = a + 2, float(whole), 0.1
    if at < b and (data[at] == 46 or data[at] == 44):
        at += 1
        while at < b and 48 <= data[at] <= 57:
            value += scale * (data[at] - 48)
            scale /= 10
            at += 1
    while at < b and data[at] == 32:
        at += 1
    if at < b and data[at] == 0xE2 and at + 3 == b and data[at + 1] == 0x84 and data[at + 2] == 0x83:  # ℃
        at = b
    if at + 2 < b and data[at] == 0xC2 and data[at + 1] == 0xB0:  # °
        at += 2
    if at + 1 == b and (data[at] == 67 or data[at] == 99):
        at = b
    if at != b or value < COOLEST or value > HOTTEST:
        return np.nan
    return value
