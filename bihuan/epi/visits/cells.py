"""The compiled reading of visits: a block of UTF-8 CSV into cells, cells into numbers.

No cell becomes a Python object; a person's identity is hashed where it lies in the block.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bihuan.epi.compiled import njit
from bihuan.epi.visits.hashes import number_of, sip_hash, state_of
from bihuan.epi.visits.written import DAY, NO_END, degrees_of, minutes_of

__all__ = ["minutes_of", "number_of", "read", "sip_hash", "split", "state_of"]

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

_QUOTE, _NEWLINE, _RETURN = np.uint8(34), np.uint8(10), np.uint8(13)

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
            if data[i] > 32 or data[i] == 0:  # zeros are what a crash leaves in a file, and no empty line
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


# --- texts ------------------------------------------------------------------------------------------


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
