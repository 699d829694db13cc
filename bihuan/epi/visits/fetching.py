"""Asking for memory before it is needed: a core that waits for a line can do nothing else."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _fetch_ahead(write: int) -> Any:
    """Ask for the cache line at an address, which is about to be read or written."""

    def typed(typing_context: Any, address: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            known = builder.module.globals.get("llvm.prefetch.p0i8")
            fetch = known or ir.Function(builder.module, kind, "llvm.prefetch.p0i8")
            builder.call(fetch, [builder.inttoptr(arguments[0], byte), word(write), word(3), word(1)])
            return context.get_dummy_value()

        return types.void(types.int64), build

    return intrinsic(typed)


#: Ask for a line that will be read, or written.
ask: Any = _fetch_ahead(0)
prefetch: Any = _fetch_ahead(1)
