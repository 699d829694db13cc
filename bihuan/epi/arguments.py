"""Arguments of the wrong kind, refused in words: `alpha="x"` is an InputError, not a TypeError inside."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import wraps
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

import numpy as np

from bihuan.epi.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")

#: What an annotation asks for, in both languages.
_KINDS = {
    "int": ("a whole number", "整数"),
    "float": ("a number", "数字"),
    "bool": ("true or false", "true 或 false"),
    "str": ("a word", "文字"),
}

#: Whole numbers that are never negative, whatever the function.
_LEAST = {"seed": 0}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with every argument annotated as int, float, bool or str (or None) checked when given.

    Whole floats pass as int, 0 and 1 as bool; NaN is no number. Other annotations are the function's affair.
    """
    parameters = inspect.signature(function).parameters
    order = list(parameters)
    asked = {name: found for name, p in parameters.items() if (found := _asked(str(p.annotation)))}

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        given: Any = kwargs
        for name in asked.keys() & given.keys():
            given[name] = _as(name, given[name], *asked[name])
        first = tuple(
            _as(name, value, *asked[name]) if name in asked else value
            for name, value in zip(order, args, strict=False)
        )
        return function(*first, *args[len(first) :], **kwargs)  # type: ignore[arg-type]

    return call


def _asked(annotation: str) -> tuple[str, bool] | None:
    kind, _bar, rest = annotation.partition(" | ")
    return (kind, rest == "None") if kind in _KINDS and rest in ("", "None") else None


def _as(name: str, value: Any, kind: str, may_be_none: bool) -> Any:
    if value is None and may_be_none:
        return None
    if kind == "bool" and isinstance(value, bool | np.bool_ | Integral) and value in (0, 1):
        return bool(value)
    if kind == "str" and isinstance(value, str):
        return str(value)
    if kind in ("int", "float") and isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        if kind == "float" and not math.isnan(number):
            return number
        whole = math.isfinite(number) and number == int(number)
        if kind == "int" and whole and number >= _LEAST.get(name, number):
            return int(number)
    en, zh = _KINDS[kind]
    raise InputError(
        f"{name} must be {en}; it is {value!r}",
        f"参数 {name} 应为{zh}；现为 {value!r}",
        field=name,
    )
