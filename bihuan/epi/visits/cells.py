"""The compiled reading of visits: a block of UTF-8 CSV into cells, cells into numbers.

No cell becomes a Python object; a person's identity is hashed where it lies in the block.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: What a column is for, by position.
EVENT, PERSON, PLACE, START, END, TEMPERATURE, HOW = range(7)
N_ROLES = 7
#: Why a row is not taken.
(
    TAKEN, BROKEN, MORE_CELLS, NO_PERSON, NO_PLACE, TOO_LONG, NO_START, BAD_START, BAD_END,
    END_FIRST, FUTURE, TOO_OLD, FORGOTTEN,
) = range(13)  # fmt: skip
#: Bytes a row may have; a quote that never closes ends there.
LONGEST_ROW = 65_536
LONGEST_CELL = 128
NO_END = np.iinfo(np.int64).min
DAY = 1440
COOLEST, HOTTEST = 25.0, 45.0

_QUOTE, _NEWLINE, _RETURN = np.uint8(34), np.uint8(10), np.uint8(13)
_IV = np.array(
    [0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
     0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179], np.uint64,
)  # fmt: skip
_SIGMA = np.array(
    [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
     [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
     [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
     [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
     [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
     [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
     [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
     [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
     [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
     [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0]], np.uint8,
)  # fmt: skip


# --- rows and cells ---------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def split(
    data: Any, size: int, delimiter: int, role_of: Any, final: bool, at: Any, till: Any, state: Any
) -> Any:
    """Cells of the rows in data[:size]: where those with a role begin and end. A row that is not whole yet
    is left for the next block, unless this one is `final`. Returns rows and bytes used. Empty lines are
    rows with state 255.
    """
    n, pos, n_columns = 0, 0, role_of.size
    room = at.shape[0]
    quoted = np.zeros(N_ROLES, np.bool_)
    while pos < size and n < room:
        first, column, whole, wrong = pos, 0, False, TAKEN
        for role in range(N_ROLES):
            at[n, role] = till[n, role] = pos
            quoted[role] = False
        while True:
            a, has_quote, closed = pos, False, True
            if pos < size and data[pos] == _QUOTE:
                a, pos, closed = pos + 1, pos + 1, False
                while pos < size and pos - first < LONGEST_ROW:
                    if data[pos] == _QUOTE:
                        if pos + 1 < size and data[pos + 1] == _QUOTE:
                            has_quote = True
                            pos += 2
                            continue
                        closed = True
                        break
                    pos += 1
            b = pos
            if closed and a > first and data[a - 1] == _QUOTE and pos < size and data[pos] == _QUOTE:
                pos += 1
                begun = pos
                while pos < size and data[pos] != delimiter and data[pos] != _NEWLINE:
                    if data[pos] > 32:
                        wrong = BROKEN
                    pos += 1
                b = begun - 1
            elif closed:
                while pos < size and data[pos] != delimiter and data[pos] != _NEWLINE:
                    pos += 1
                b = pos
            if not closed or pos - first > LONGEST_ROW:
                wrong = BROKEN
                break
            if column < n_columns:
                role = role_of[column]
                if role >= 0:
                    at[n, role], till[n, role], quoted[role] = a, b, has_quote
            elif b > a and not (b == a + 1 and data[a] == _RETURN):
                wrong = max(wrong, MORE_CELLS)
            column += 1
            if pos >= size:
                whole = final
                break
            pos += 1
            if data[pos - 1] == _NEWLINE:
                whole = True
                break
        if wrong == BROKEN and not whole:
            if size - first <= LONGEST_ROW and not final:
                return n, first
            pos = first  # take the line alone, and go on behind it
            while pos < size and data[pos] != _NEWLINE:
                pos += 1
            if pos >= size and not final:
                return n, first
            pos = min(pos + 1, size)
            whole = True
        if not whole:
            return n, first
        blank = True
        for i in range(first, min(pos, first + LONGEST_CELL)):
            if data[i] > 32:
                blank = False
                break
        state[n] = 255 if blank else wrong
        for role in range(N_ROLES):
            if quoted[role]:
                till[n, role] = _unescape(data, at[n, role], till[n, role])
        n += 1
    return n, pos


@njit(cache=True, nogil=True)
def _unescape(data: Any, a: int, b: int) -> int:
    """Make two quotes one, in place; the new end."""
    out = a
    while a < b:
        data[out] = data[a]
        if data[a] == _QUOTE and a + 1 < b and data[a + 1] == _QUOTE:
            a += 1
        a += 1
        out += 1
    return out


@njit(cache=True, nogil=True, inline="always")
def _trim(data: Any, a: int, b: int) -> Any:
    while a < b and data[a] <= 32:
        a += 1
    while b > a and data[b - 1] <= 32:
        b -= 1
    return a, b


@njit(cache=True, nogil=True, inline="always")
def _is_empty(data: Any, a: int, b: int, words: Any) -> bool:
    """Whether a trimmed cell is empty or one of the words (at most 8 bytes, lower case) for it. `words`
    begin with 256 bits that tell which bytes such a word may begin with."""
    found = a == b
    if not found and b - a <= 8:
        begin = np.uint64(data[a])
        if (words[begin >> np.uint64(6)] >> (begin & np.uint64(63))) & np.uint64(1):
            found = _is_word(data, a, b, words)
    return found


@njit(cache=True, nogil=True)
def _is_word(data: Any, a: int, b: int, words: Any) -> bool:
    word = np.uint64(0)
    for i in range(a, b):
        byte = data[i]
        if 65 <= byte <= 90:
            byte += np.uint8(32)
        word = (word << np.uint64(8)) | np.uint64(byte)
    for other in words[4:]:  # noqa: SIM110 (numba compiles no generators)
        if other == word:
            return True
    return False


# --- times and numbers ------------------------------------------------------------------------------


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


# --- keyed numbers (BLAKE2b, RFC 7693) --------------------------------------------------------------


@njit(cache=True, nogil=True, inline="always")
def _turn(x: Any, n: Any) -> Any:
    return (x >> np.uint64(n)) | (x << np.uint64(64 - n))


@njit(cache=True, nogil=True, inline="always")
def _mix(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    a = a + b + x
    d = _turn(d ^ a, 32)
    c = c + d
    b = _turn(b ^ c, 24)
    a = a + b + y
    d = _turn(d ^ a, 16)
    c = c + d
    b = _turn(b ^ c, 63)
    return a, b, c, d


@njit(cache=True, nogil=True)
def compress(h: Any, m: Any, count: int, last: bool, out: Any) -> None:
    """One block `m` (16 words) into the state `h`; the new state into `out`."""
    v0, v1, v2, v3, v4, v5, v6, v7 = h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
    v8, v9, va, vb = _IV[0], _IV[1], _IV[2], _IV[3]
    vc, vd, ve, vf = _IV[4] ^ np.uint64(count), _IV[5], _IV[6], _IV[7]
    if last:
        ve = ~ve
    for r in range(12):
        s = _SIGMA[r % 10]
        v0, v4, v8, vc = _mix(v0, v4, v8, vc, m[s[0]], m[s[1]])
        v1, v5, v9, vd = _mix(v1, v5, v9, vd, m[s[2]], m[s[3]])
        v2, v6, va, ve = _mix(v2, v6, va, ve, m[s[4]], m[s[5]])
        v3, v7, vb, vf = _mix(v3, v7, vb, vf, m[s[6]], m[s[7]])
        v0, v5, va, vf = _mix(v0, v5, va, vf, m[s[8]], m[s[9]])
        v1, v6, vb, vc = _mix(v1, v6, vb, vc, m[s[10]], m[s[11]])
        v2, v7, v8, vd = _mix(v2, v7, v8, vd, m[s[12]], m[s[13]])
        v3, v4, v9, ve = _mix(v3, v4, v9, ve, m[s[14]], m[s[15]])
    out[0] = h[0] ^ v0 ^ v8
    out[1] = h[1] ^ v1 ^ v9
    out[2] = h[2] ^ v2 ^ va
    out[3] = h[3] ^ v3 ^ vb
    out[4] = h[4] ^ v4 ^ vc
    out[5] = h[5] ^ v5 ^ vd
    out[6] = h[6] ^ v6 ^ ve
    out[7] = h[7] ^ v7 ^ vf


def state_of(key: bytes) -> Any:
    """The state after the block of the key, from which every number begins (digest of 8 bytes)."""
    h = _IV.copy()
    h[0] ^= np.uint64(0x01010000 ^ (len(key) << 8) ^ 8)
    block = np.frombuffer(key.ljust(128, b"\0"), "<u8").astype(np.uint64)
    out = np.empty(8, np.uint64)
    compress(h, block, 128, False, out)
    return out


@njit(cache=True, nogil=True)
def number_of(state: Any, data: Any, a: int, b: int, m: Any, out: Any) -> Any:
    """Keyed number of 1 to 128 bytes, ASCII letters as capitals."""
    m[:] = np.uint64(0)
    word, shift, n = np.uint64(0), np.uint64(0), 0
    for i in range(a, b):
        byte = data[i]
        if 97 <= byte <= 122:
            byte -= np.uint8(32)
        word |= np.uint64(byte) << shift
        shift += np.uint64(8)
        if shift == np.uint64(64):
            m[n] = word
            word, shift, n = np.uint64(0), np.uint64(0), n + 1
    if shift:
        m[n] = word
    compress(state, m, 128 + b - a, True, out)
    return max(out[0], np.uint64(1))


@njit(cache=True, nogil=True, inline="always")
def _sip(v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    v0 = v0 + v1
    v1 = ((v1 << np.uint64(13)) | (v1 >> np.uint64(51))) ^ v0
    v0 = (v0 << np.uint64(32)) | (v0 >> np.uint64(32))
    v2 = v2 + v3
    v3 = ((v3 << np.uint64(16)) | (v3 >> np.uint64(48))) ^ v2
    v0 = v0 + v3
    v3 = ((v3 << np.uint64(21)) | (v3 >> np.uint64(43))) ^ v0
    v2 = v2 + v1
    v1 = ((v1 << np.uint64(17)) | (v1 >> np.uint64(47))) ^ v2
    v2 = (v2 << np.uint64(32)) | (v2 >> np.uint64(32))
    return v0, v1, v2, v3


@njit(cache=True, nogil=True)
def sip_hash(key: Any, data: Any, a: int, b: int) -> Any:
    """SipHash-2-4 (Aumasson and Bernstein 2012) of data[a:b] under two 64-bit words."""
    v0, v1 = key[0] ^ np.uint64(0x736F6D6570736575), key[1] ^ np.uint64(0x646F72616E646F6D)
    v2, v3 = key[0] ^ np.uint64(0x6C7967656E657261), key[1] ^ np.uint64(0x7465646279746573)
    word, shift = np.uint64(0), np.uint64(0)
    for i in range(a, b):
        word |= np.uint64(data[i]) << shift
        shift += np.uint64(8)
        if shift == np.uint64(64):
            v3 ^= word
            v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
            v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
            v0 ^= word
            word, shift = np.uint64(0), np.uint64(0)
    word |= np.uint64((b - a) & 255) << np.uint64(56)
    v3 ^= word
    v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
    v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
    v0 ^= word
    v2 ^= np.uint64(255)
    for _round in range(4):
        v0, v1, v2, v3 = _sip(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@njit(cache=True, nogil=True, inline="always")
def _slot(data: Any, a: int, b: int, mask: Any) -> Any:
    """Where a text is looked for first (FNV-1a)."""
    h = np.uint64(14695981039346656037)
    for i in range(a, b):
        h = (h ^ np.uint64(data[i])) * np.uint64(1099511628211)
    return np.int64(h ^ (h >> np.uint64(29))) & mask


@njit(cache=True, nogil=True)
def _intern(data: Any, a: int, b: int, words: Any, counts: Any) -> Any:
    """The number of a text among the distinct ones met; a new one gets the next. `words`: slots, where the
    texts begin and end, and their bytes; `counts`: how many texts, how many bytes."""
    slots, begins, ends, held = words
    mask = np.int64(slots.size - 1)
    where = _slot(data, a, b, mask)
    while slots[where]:
        other = slots[where] - 1
        begin = begins[other]
        if ends[other] - begin == b - a:
            same = True
            for i in range(b - a):
                if held[begin + i] != data[a + i]:
                    same = False
                    break
            if same:
                return np.int64(other)
        where = (where + 1) & mask
    n, begin = counts[0], counts[1]
    slots[where] = n + 1
    begins[n], ends[n] = begin, begin + b - a
    for i in range(b - a):
        held[begin + i] = data[a + i]
    counts[0], counts[1] = n + 1, begin + b - a
    return n


@njit(cache=True, nogil=True)
def place_again(slots: Any, begins: Any, ends: Any, held: Any, n: int) -> None:
    """Put the first n texts into empty slots."""
    mask = np.int64(slots.size - 1)
    for i in range(n):
        where = _slot(held, begins[i], ends[i], mask)
        while slots[where]:
            where = (where + 1) & mask
        slots[where] = i + 1


# --- rows into numbers ------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def read(
    data: Any, n: int, at: Any, till: Any, state: Any, words: Any, offset: int, limits: Any,
    person_state: Any, event_key: Any, numbers: Any, times: Any, codes: Any, degrees: Any,
    places: Any, place_counts: Any, hows: Any, how_counts: Any, counts: Any,
) -> None:  # fmt: skip
    """Cells as numbers, and in `state` why a row is not taken.

    `numbers`: event, person. `times`: start, end. `codes`: place, how, as numbers of their texts (see
    `_intern`). `counts`: temperatures that are none, stays cut to a day. `limits`: earliest, latest start,
    first minute not forgotten.
    """
    m, out, pair = np.empty(16, np.uint64), np.empty(8, np.uint64), np.empty(2, np.uint64)
    counts[:] = 0
    for i in range(n):
        if state[i] != TAKEN:
            continue
        a, b = _trim(data, at[i, PERSON], till[i, PERSON])
        if _is_empty(data, a, b, words):
            state[i] = NO_PERSON
            continue
        c, d = _trim(data, at[i, PLACE], till[i, PLACE])
        if _is_empty(data, c, d, words):
            state[i] = NO_PLACE
            continue
        e, f = _trim(data, at[i, EVENT], till[i, EVENT])
        if b - a > LONGEST_CELL or d - c > LONGEST_CELL or f - e > LONGEST_CELL:
            state[i] = TOO_LONG
            continue
        state[i] = _times(data, i, at, till, words, offset, limits, times)
        if state[i] != TAKEN:
            continue
        counts[1] += times[i, 1] != NO_END and times[i, 1] - times[i, 0] > DAY
        numbers[i, 1] = number_of(person_state, data, a, b, m, out)
        if f > e and not _is_empty(data, e, f, words):
            numbers[i, 0] = max(sip_hash(event_key, data, e, f), np.uint64(1))
        else:
            pair[0], pair[1] = numbers[i, 1], np.uint64(times[i, 0])
            pair[0] ^= event_key[0]
            pair[1] ^= event_key[1]
            numbers[i, 0] = max(sip_hash(pair, data, c, d), np.uint64(1))
        codes[i, 0] = _intern(data, c, d, places, place_counts)
        e, f = _trim(data, at[i, HOW], till[i, HOW])
        codes[i, 1] = _intern(data, e, f, hows, how_counts)
        e, f = _trim(data, at[i, TEMPERATURE], till[i, TEMPERATURE])
        degrees[i] = np.nan
        if not _is_empty(data, e, f, words):
            degrees[i] = degrees_of(data, e, f)
            counts[0] += np.isnan(degrees[i])


@njit(cache=True, nogil=True)
def _times(data: Any, i: int, at: Any, till: Any, words: Any, offset: int, limits: Any, times: Any) -> Any:
    a, b = _trim(data, at[i, START], till[i, START])
    if _is_empty(data, a, b, words):
        return NO_START
    start = minutes_of(data, a, b, offset)
    times[i, 0], times[i, 1] = start, NO_END
    if start == NO_END:
        return BAD_START
    if start > limits[1]:
        return FUTURE
    if start < limits[0]:
        return TOO_OLD
    if start < limits[2]:
        return FORGOTTEN
    a, b = _trim(data, at[i, END], till[i, END])
    if _is_empty(data, a, b, words):
        return TAKEN
    end = minutes_of(data, a, b, offset)
    if end == NO_END:
        return BAD_END
    if end < start:
        return END_FIRST
    times[i, 1] = end
    return TAKEN
