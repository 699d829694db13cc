"""The command line `bihuan`: one file a room, found by itself.

How to add commands: write `bihuan/doors/cli/<name>.py` with

    import typer
    from bihuan.doors.cli.output import Json, show

    app = typer.Typer(no_args_is_help=True, help="Loops: list, show, check.")

    @app.command()
    def check(territory: str = "", json: Json = False) -> None:
        '''Prove that nobody is between two desks.'''
        result = queries.check(territory)
        show(result, json=json, human=lambda console: console.print(...))
        if result.violations:
            raise typer.Exit(1)

and it is there as `bihuan <name> check`. A file whose name Python keeps for itself goes by NAMES below.
Room modules may be imported at the top of the file: Django is set up before it is loaded.
The command runs as the system (`registry.scope.system()`), on a database that answers and is migrated.
One that needs no database (`policy lint`) says so with `@needs_no_database` under `@app.command()`.
Errors of the house are raised, not printed: `run` turns them into a message and the exit code they carry.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any, TypeVar

import typer
from typer.core import TyperGroup

#: Command names that differ from the name of their file.
NAMES = {"importing": "import", "exporting": "export"}
NOT_COMMANDS = ("main", "output", "grouped", "given", "misused", "moments", "spoken")

Function = TypeVar("Function", bound=Callable[..., Any])
Around = Callable[[], AbstractContextManager[None]]


@contextmanager
def as_the_system() -> Iterator[None]:
    """Act as the system on whatever database the settings name."""
    from bihuan.registry.scope import system

    with system():
        yield


#: What is wrapped around a command that needs the database. The porch (`config.command`) replaces it.
around: Around = as_the_system


def needs_no_database(function: Function) -> Function:
    """Mark a command that runs without any database."""
    function.needs_database = False  # type: ignore[attr-defined]
    return function


def room_commands() -> dict[str, str]:
    """Command name to module name, for every file of this folder that offers commands."""
    files = (found.name for found in pkgutil.iter_modules([os.path.dirname(__file__)]))
    return {NAMES.get(f, f).replace("_", "-"): f for f in files if f not in NOT_COMMANDS and f[0] != "_"}


def has_command(room: str, name: str) -> bool:
    """Whether `bihuan ROOM NAME` exists."""
    module = room_commands().get(room)
    if module is None:
        return False
    set_up_django()
    group = typer.main.get_group(importlib.import_module(f"bihuan.doors.cli.{module}").app)
    return name in group.commands


class Rooms(TyperGroup):
    """A group that loads a room's commands when they are asked for, not before."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted({*super().list_commands(ctx), *room_commands()})

    def get_command(self, ctx: Any, name: str) -> Any:
        module_name = room_commands().get(name)
        if module_name is None:
            found = super().get_command(ctx, name)
        else:
            set_up_django()
            module = importlib.import_module(f"bihuan.doors.cli.{module_name}")
            found = typer.main.get_group(module.app)  # a group even while it holds one command only
            found.name = name
        return found and _in_language(_within_around(_guarded(found)))


def _guarded(command: Any) -> Any:
    """Values nobody can mean are refused before the command begins."""
    if "django.conf" not in sys.modules:
        return command
    from bihuan.doors.cli.given import guard

    return guard(command)


#: Where a line of Chinese may break: the help of a narrow terminal is cut off between spaces otherwise.
_BREAK = re.compile(r"([，；：。、])(?=\S)")


def _in_language(command: Any) -> Any:
    """Help in the language of the command line, as far as it is translated; examples stay as they are."""
    if "django.conf" not in sys.modules:
        return command
    for child in getattr(command, "commands", {}).values():
        _in_language(child)
    for told in (command, *command.params):
        _speak(told)
    return command


def _speak(told: Any) -> None:
    text = getattr(told, "help", None)
    if text:
        told.help = "\n\n".join(_translated(paragraph) for paragraph in text.split("\n\n"))


def _translated(paragraph: str) -> str:
    from django.utils.translation import gettext

    spoken = gettext(paragraph)
    return paragraph if spoken == paragraph else _BREAK.sub(r"\1 ", spoken)


def _within_around(command: Any) -> Any:
    """Wrap the leaves, so that asking for help starts nothing."""
    for child in getattr(command, "commands", {}).values():
        _within_around(child)
    callback = command.callback
    if hasattr(command, "commands") or callback is None or getattr(callback, "is_wrapped", False):
        return command
    if getattr(callback, "needs_database", True):

        @wraps(callback)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with around():
                return callback(*args, **kwargs)

        wrapped.is_wrapped = True  # type: ignore[attr-defined]
        command.callback = wrapped
    return command


app = typer.Typer(
    name="bihuan",
    cls=Rooms,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Bihuan 闭环: nobody who is ill, exposed or waiting is ever between two desks.",
)


@app.callback()
def _bihuan() -> None:
    """Bihuan 闭环: nobody who is ill, exposed or waiting is ever between two desks."""


def set_up_django() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bihuan.config.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()


def run_in_language(environment: Mapping[str, str]) -> int:
    """As `run`, in the language that the environment asks for."""
    from django.utils.translation import override

    from bihuan.doors.cli.output import complain
    from bihuan.doors.cli.spoken import of_the_command_line
    from bihuan.registry.errors import Invalid

    try:
        language = of_the_command_line(environment)
    except Invalid as error:
        return complain(error, as_json="--json" in sys.argv)
    with override(language):
        return run()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; errors of the house become a message and an exit code. Returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    set_up_django()
    from django.db import DataError
    from django.db import Error as DatabaseError

    from bihuan.doors.cli.misused import headings, in_our_words
    from bihuan.doors.cli.output import complain, complain_of_database, complain_of_value
    from bihuan.registry.errors import BihuanError

    as_json = "--json" in words
    try:
        whole = typer.main.get_command(app)
        _speak(whole)
        with headings():
            code = whole.main(args=words, prog_name="bihuan", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
    except typer.Abort:
        return 1
    except typer.TyperException as wrong:
        return in_our_words(wrong, as_json=as_json)
    except BihuanError as error:
        return complain(error, as_json=as_json)
    except DataError as error:
        return complain_of_value(error, as_json=as_json)
    except DatabaseError as error:
        return complain_of_database(error, as_json=as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":  # `python -m` runs this file as a second module; use the one others import
    sys.exit(importlib.import_module("bihuan.doors.cli.main").run())
