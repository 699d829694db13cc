"""What is said to who typed a command as it cannot be meant: in the words of the house, in both languages.

The library of the command line speaks English only; its errors are told anew here. One that is not known here
is told as the library says it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.output import complain
from bihuan.registry.errors import Invalid

#: Shown in the place of a format that only programs read.
_EXAMPLE: Final = datetime(2020, 2, 14, 18, 30)


def in_our_words(wrong: typer.TyperException, *, as_json: bool) -> int:
    """Tell what was wrong, and where the help is; returns the exit code. A bare group shows its help."""
    if type(wrong).__name__ == "NoArgsIsHelpError":
        print(wrong.format_message(), file=sys.stderr)
        return wrong.exit_code
    hints = [_near(wrong), _help_of(wrong)]
    error = Invalid(_told(wrong), code="usage", hint=" ".join(hint for hint in hints if hint))
    complain(error, as_json=as_json)
    return wrong.exit_code


@contextmanager
def headings() -> Iterator[None]:
    """The headings of help in the language of the command line; the library fixes them when it is loaded."""
    from typer import rich_utils
    from typer._click import decorators

    words = {
        "OPTIONS_PANEL_TITLE": _("Options"),
        "COMMANDS_PANEL_TITLE": _("Commands"),
        "ARGUMENTS_PANEL_TITLE": _("Arguments"),
        "ERRORS_PANEL_TITLE": _("Error"),
        "DEFAULT_STRING": _("[default: {}]"),
        "ENVVAR_STRING": _("[env var: {}]"),
        "REQUIRED_LONG_STRING": _("[required]"),
        "ABORTED_TEXT": _("Aborted."),
    }
    before = {name: getattr(rich_utils, name) for name in words}
    make = decorators.option

    def speaking(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("help") == "Show this message and exit.":
            kwargs["help"] = _("Show this message and exit.")
        return make(*args, **kwargs)

    try:
        decorators.option = speaking
        for name, word in words.items():
            setattr(rich_utils, name, word)
        yield
    finally:
        decorators.option = make
        for name, word in before.items():
            setattr(rich_utils, name, word)


def _told(wrong: typer.TyperException) -> str:
    message = str(getattr(wrong, "message", "") or wrong)
    if isinstance(wrong, typer.BadParameter):
        option = _name(wrong)
        if type(wrong).__name__ == "MissingParameter":
            return _("%(option)s is missing.") % {"option": option}
        return _of_value(option, message.removeprefix("Value error, "))
    for pattern, told in (
        (r"No such command '(?P<name>.*)'\.?", _("There is no command %(name)s.")),
        (r"Missing command\.?", _("A command is missing.")),
        (r"No such option: (?P<name>.*)", _("There is no option %(name)s.")),
        (r"Option '(?P<name>.*)' requires an argument\.", _("%(name)s needs a value after it.")),
        (
            r"Option '(?P<name>.*)' requires (?P<n>\d+) arguments\.",
            _("%(name)s needs %(n)s values after it."),
        ),
        (r"Option '(?P<name>.*)' does not take a value\.", _("%(name)s takes no value.")),
        (r"Argument '(?P<name>.*)' takes (?P<n>\d+) values\.", _("%(name)s takes %(n)s values.")),
        (r"Got unexpected extra argument\(s\) \((?P<name>.*)\)", _("Nothing is known to do with: %(name)s")),
    ):
        if found := re.fullmatch(pattern, message, re.DOTALL):
            return told % found.groupdict()
    return message


def _of_value(option: str, message: str) -> str:
    """What is wrong with the value of an option."""
    for pattern, told in (
        (r"(?P<value>.*) does not match the formats (?P<like>.*)\.",
         _("%(option)s: %(value)s is not written like %(like)s.")),
        (r"(?P<value>.*) is not one of (?P<choices>.*)\.",
         _("%(option)s: %(value)s is none of %(choices)s.")),
        (r"Input should be a valid integer.*", _("%(option)s is to be a whole number.")),
        (r"Input should be a valid number.*", _("%(option)s is to be a number.")),
        (r"Input should be greater than or equal to (?P<n>\S+)", _("%(option)s is to be %(n)s or more.")),
        (r"Input should be less than or equal to (?P<n>\S+)", _("%(option)s is to be %(n)s or less.")),
        (r"Input should be greater than (?P<n>\S+)", _("%(option)s is to be more than %(n)s.")),
        (r"Input should be less than (?P<n>\S+)", _("%(option)s is to be less than %(n)s.")),
        (r"\w+ (?P<value>'.*') does not exist\.", _("%(option)s: there is no %(value)s.")),
        (r"\w+ (?P<value>'.*') is a directory\.", _("%(option)s: %(value)s is a folder.")),
        (r"\w+ (?P<value>'.*') is a file\.", _("%(option)s: %(value)s is a file.")),
        (r"\w+ (?P<value>'.*') is not readable\.", _("%(option)s: %(value)s cannot be read.")),
        (r"\w+ (?P<value>'.*') is not writable\.", _("%(option)s: %(value)s cannot be written.")),
    ):  # fmt: skip
        if found := re.fullmatch(pattern, message, re.DOTALL):
            words = found.groupdict() | {"option": option}
            if "like" in words:
                words["like"] = ", ".join(
                    _EXAMPLE.strftime(one) for one in re.findall("'(.*?)'", words["like"])
                )
            return told % words
    return f"{option}: {message}"


def _name(wrong: typer.BadParameter) -> str:
    parameter: Any = wrong.param
    if parameter is None:
        return str(wrong.param_hint or "")
    named = parameter.param_type_name == "option"
    return str(parameter.opts[-1] if named else parameter.metavar or parameter.name.upper())


def _near(wrong: typer.TyperException) -> str:
    """Options that are written much alike."""
    near = getattr(wrong, "possibilities", None)
    return _("Is %(options)s meant?") % {"options": ", ".join(sorted(near))} if near else ""


def _help_of(wrong: typer.TyperException) -> str:
    context = getattr(wrong, "ctx", None)
    command = context.command_path if context is not None else "bihuan"
    return _("`%(command)s --help` tells how.") % {"command": command}
