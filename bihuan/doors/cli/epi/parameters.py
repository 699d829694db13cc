"""`--set name=value`: a method's own parameters, checked against what it takes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from bihuan.epi.errors import InputError

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the method, such as alpha=0.01."),
]
#: Parameters the commands fill in themselves.
OURS = ("counts", "incidence", "at", "dates", "start_date", "frequency", "names", "population")


def parameters_of(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = inspect.signature(function).parameters.values()
    return [p.name for p in found if p.kind in kinds and p.name not in OURS]


def settings(given: list[str] | None, function: Callable[..., Any], *, method: str) -> dict[str, Any]:
    """The given parameters by name; InputError lists what the method takes."""
    known, found = parameters_of(function), {}
    for text in given or ():
        name, sign, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or name not in known:
            raise InputError(
                f"{method} has no parameter {name!r}; it takes {', '.join(known) or 'none'}",
                f"方法 {method} 没有参数 {name!r}；可用的有 {'、'.join(known) or '无'}",
                field=name,
            )
        found[name] = _read(value.strip())
    return found


def _read(value: str) -> Any:
    """Numbers, true, false, null and lists as JSON writes them; anything else is text."""
    try:
        return json.loads(value)
    except ValueError:
        return value
