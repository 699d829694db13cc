"""Threads that share the work of one compiled call: who does which part, and who waits for whom.

A question of eight milliseconds is several steps, each of which needs the whole of the one before. Handing
every step to other threads from Python costs a tenth of a millisecond each time; here all threads go through
the steps of one call together. A step is done in parts. Each thread takes the next part that nobody has, so
whoever is late, or never comes, is not waited for; only parts that somebody has begun are.

`turns` is an array of zeros, `ROOM` numbers a step.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from bihuan.epi.compiled import njit

#: Numbers a step: those who take a part and those who have done one do not share a cache line.
ROOM = 16
_TAKEN, _DONE = 0, 8
#: How often to look before another process is let onto the core.
_PATIENCE = 256


def _add_one(typing_context: Any, address: Any) -> Any:
    """Add 1 to the number at an address, as the only one to do so at that moment; what it was before."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", at, ir.IntType(64)(1), "seq_cst")

    return types.int64(types.int64), build


def _look_at(typing_context: Any, address: Any) -> Any:
    """The number at an address, and with it all that was written before it was."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(at, "seq_cst", 8)

    return types.int64(types.int64), build


_add: Any = intrinsic(_add_one)
_look: Any = intrinsic(_look_at)
_has_yield = hasattr(os, "sched_yield")
_let_others: Any = types.ExternalFunction("sched_yield", types.int32())


@njit(cache=True, nogil=True)
def take(turns: Any, step: int) -> Any:
    """The number of the next part of a step that nobody has; beyond the last one if none is left."""
    return _add(turns.ctypes.data + 8 * (step * ROOM + _TAKEN))


@njit(cache=True, nogil=True)
def done(turns: Any, step: int) -> None:
    """A part of a step is done."""
    _add(turns.ctypes.data + 8 * (step * ROOM + _DONE))


@njit(cache=True, nogil=True)
def wait(turns: Any, step: int, parts: int) -> None:
    """Come back when all parts of a step are done."""
    at, looks = turns.ctypes.data + 8 * (step * ROOM + _DONE), 0
    while _look(at) < parts:
        looks += 1
        if _has_yield and looks % _PATIENCE == 0:
            _let_others()


def turns_of(steps: int) -> Any:
    """Turns for so many steps."""
    return np.zeros(steps * ROOM, np.int64)
