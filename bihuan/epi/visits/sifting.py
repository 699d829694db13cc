"""Which of the rows beside a visit meet it, sixteen at a time.

One row after the other, what is kept is moved up by a number that the row before it decides, and a processor
that could weigh sixteen rows at once waits for one. Here sixteen are weighed as vectors and those that meet
are pressed together by one instruction where the processor has one (AVX-512 `vpcompressd`); elsewhere the
compiler spells it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from bihuan.epi.compiled import njit
from bihuan.epi.visits.kernels import _pointer

#: Rows weighed at a time.
LANES = 16
#: A meeting in two halves of 32 bits. Lower: place in the bucket of people, minutes shared; upper: when met
#: (minutes from `zero` on), case.
PEOPLE_BITS, SHARED_AT, MET_AT, CASE_AT = 14, 16, 32, 53
_LOCAL = (1 << PEOPLE_BITS) - 1
_WORD, _BYTE = ir.IntType(32), ir.IntType(8)
_WORDS, _BITS = ir.VectorType(_WORD, LANES), ir.VectorType(ir.IntType(1), LANES)


def _everywhere(builder: Any, number: Any) -> Any:
    """A number in all lanes."""
    one = builder.insert_element(ir.Constant(_WORDS, ir.Undefined), number, _WORD(0))
    return builder.shuffle_vector(one, one, ir.Constant(_WORDS, [0] * LANES))


def _column(builder: Any, address: Any, bits: int) -> Any:
    """The next rows of a column of 8, 16 or 32 bits."""
    kind = ir.VectorType(ir.IntType(bits), LANES)
    found = builder.load(builder.inttoptr(address, kind.as_pointer()), align=1)
    return found if bits == _WORD.width else builder.zext(found, _WORDS)


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_signed(">", a, b), a, b)


def _smaller(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def _pressed(builder: Any, rows: Any, which: Any, address: Any) -> None:
    """Write the lanes that are set one behind the other; what follows them is open."""
    name = f"llvm.experimental.vector.compress.v{LANES}i32"
    kind = ir.FunctionType(_WORDS, [_WORDS, _BITS, _WORDS])
    press = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    found = builder.call(press, [rows, which, ir.Constant(_WORDS, ir.Undefined)])
    builder.store(found, builder.inttoptr(address, _WORDS.as_pointer()), align=4)


def _weigh(minutes_bits: int) -> Any:
    """The rows at three addresses, from lane `skip` on, weighed against a visit; those that meet go to three
    addresses: who, lower and upper half of the meeting. How many they are."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        columns, skip, visit, to = arguments
        person, starts, minutes = _parts(builder, columns, 3)
        base, earliest, v_start, v_end, own, high = (
            _everywhere(builder, number) for number in _parts(builder, visit, 6)
        )
        who = _column(builder, person, 32)
        start = builder.add(_column(builder, starts, 16), base)
        end = builder.add(start, _column(builder, minutes, minutes_bits))
        together = builder.sub(_smaller(builder, end, v_end), _larger(builder, start, v_start))
        shared = _larger(builder, together, ir.Constant(_WORDS, [0] * LANES))
        met = _larger(builder, _smaller(builder, start, v_end), _smaller(builder, v_start, end))
        meets = builder.and_(builder.icmp_signed(">=", end, earliest), builder.icmp_unsigned("!=", who, own))
        later = builder.icmp_signed(">=", ir.Constant(_WORDS, list(range(LANES))), _everywhere(builder, skip))
        meets = builder.and_(meets, later)
        local = builder.and_(who, ir.Constant(_WORDS, [_LOCAL] * LANES))
        low = builder.or_(builder.shl(shared, ir.Constant(_WORDS, [SHARED_AT] * LANES)), local)
        halves: Sequence[Any] = (who, low, builder.or_(met, high))
        for rows, address in zip(halves, _parts(builder, to, 3), strict=True):
            _pressed(builder, rows, meets, address)
        return builder.zext(builder.ctpop(builder.bitcast(meets, ir.IntType(LANES))), ir.IntType(64))

    def typed(typing_context: Any, columns: Any, skip: Any, visit: Any, to: Any) -> Any:
        addresses, numbers = types.UniTuple(types.int64, 3), types.UniTuple(types.int32, 6)
        return types.int64(addresses, types.int32, numbers, addresses), build

    return intrinsic(typed)


def _parts(builder: Any, tuple_: Any, n: int) -> list[Any]:
    return [builder.extract_value(tuple_, i) for i in range(n)]


_weigh_narrow: Any = _weigh(8)
_weigh_wide: Any = _weigh(16)


@njit(cache=True, nogil=True)
def sift(
    person: Any, starts: Any, minutes: Any, wide: Any, a: Any, b: Any, visit: Any, who: Any, low: Any,
    high: Any,
) -> Any:  # fmt: skip
    """How many of the rows [a, b) meet a visit; they stand in `who`, `low` and `high`, whose room is
    b - a + LANES.

    `person`, `starts`, `minutes`: addresses of the columns (4, 2 and 1 or, if `wide`, 2 bytes). `visit`: base
    of the starts, earliest end, start and end of the visit, all in minutes from one zero; the case's own
    number; and the case where it stands in a meeting (all of 4 bytes).
    """
    to_who, to_low, to_high = who.ctypes.data, low.ctypes.data, high.ctypes.data
    n = np.int64(0)
    if b < LANES:
        return _one_by_one(person, starts, minutes, wide, a, b, visit, who, low, high)
    width = 2 if wide else 1
    i = a
    while i < b:
        # the last rows are read together with some before them, which do not count again
        at = min(i, b - LANES)
        columns = (person + 4 * at, starts + 2 * at, minutes + width * at)
        to = (to_who + 4 * n, to_low + 4 * n, to_high + 4 * n)
        if wide:
            n += _weigh_wide(columns, np.int32(i - at), visit, to)
        else:
            n += _weigh_narrow(columns, np.int32(i - at), visit, to)
        i = at + LANES
    return n


@njit(cache=True, nogil=True)
def _one_by_one(
    person: Any, starts: Any, minutes: Any, wide: Any, a: Any, b: Any, visit: Any, who: Any, low: Any,
    high: Any,
) -> Any:  # fmt: skip
    """Like `sift`, of the first rows of a column."""
    base, earliest, v_start, v_end, own, case = visit
    n = np.int64(0)
    for row in range(a, b):
        start = base + np.int32(carray(_pointer(starts + 2 * row), 1, np.uint16)[0])
        end = start
        if wide:
            end += np.int32(carray(_pointer(minutes + 2 * row), 1, np.uint16)[0])
        else:
            end += np.int32(carray(_pointer(minutes + row), 1, np.uint8)[0])
        other = carray(_pointer(person + 4 * row), 1, np.uint32)[0]
        if end < earliest or np.int32(other) == own:
            continue
        shared = max(min(end, v_end) - max(start, v_start), np.int32(0))
        who[n] = other
        low[n] = np.uint32(shared) << np.uint32(SHARED_AT) | other & np.uint32(_LOCAL)
        high[n] = np.uint32(max(min(start, v_end), min(v_start, end)) | case)
        n += 1
    return n
