"""Options that several commands share, said once.

    def source_of(file: File, links: Links = None, where: Where = None) -> Source: ...

    @app.command("stats")
    @grouped(source=source_of)
    def stats_command(source: Source, json: Json = False) -> None: ...

`bihuan … stats` takes FILE, --json, --links and --where; it is handed what `source_of` makes of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from typer.models import ArgumentInfo

Command = Callable[..., None]


def grouped(**makers: Callable[..., Any]) -> Callable[[Command], Command]:
    """A command whose parameters of these names are made from options of the command line. Listed are all
    arguments, then the command's own options, then those of each group."""

    def of(function: Command) -> Command:
        groups = {name: _parameters(maker) for name, maker in makers.items()}
        own = {name: p for name, p in _parameters(function).items() if name not in makers}
        listed = [p for group in (own, *groups.values()) for p in group.values()]

        def command(**given: Any) -> None:
            made = {
                name: maker(**{option: given.pop(option) for option in groups[name]})
                for name, maker in makers.items()
            }
            function(**given, **made)

        return as_command(command, sorted(listed, key=lambda p: not _is_argument(p)), like=function)

    return of


def as_command(command: Command, listed: Iterable[inspect.Parameter], *, like: Command) -> Command:
    """`command` as Typer reads it: with these parameters, called and described like another one."""
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in listed]
    command.__name__, command.__doc__, command.__module__ = like.__name__, like.__doc__, like.__module__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function, eval_str=True).parameters)


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(one, ArgumentInfo) for one in getattr(parameter.annotation, "__metadata__", ()))
