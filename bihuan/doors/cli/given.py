"""What somebody typed after an option: a value no command can mean is refused before the command begins.

One place for all commands. Refused, with what to do (Invalid, exit 2): nothing where something has to stand;
bytes that are no text; a file name the system cannot hold; a whole number no machine word holds, a number
without an end; a day in no year that is meant. What a value means is for the command to judge.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from bihuan.epi import years
from bihuan.registry.errors import Invalid

#: A whole number is kept in eight bytes, in the database and in arrays.
LARGEST = 2**63 - 1
#: A file that is not there yet is no reason to refuse its name.
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


def guard(command: Any) -> Any:
    """The command, its arguments and options checked as they are read; of a group, all below it too."""
    for child in getattr(command, "commands", {}).values():
        guard(child)
    for parameter in command.params:
        if "process_value" not in vars(parameter):
            parameter.process_value = _checking(parameter, parameter.process_value)
    return command


def is_meant(at: datetime) -> bool:
    """Whether somebody can mean this moment: one in another year is a slip, and no arithmetic goes on it."""
    return at.year in years.MEANT


def _checking(parameter: Any, process: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def checked(context: Any, value: Any) -> Any:
        source = context.get_parameter_source(parameter.name)
        if context.resilient_parsing or source is None or source.name != "COMMANDLINE":
            return process(context, value)
        for typed in _each(value):
            if isinstance(typed, str):
                _check_text(parameter, typed)
                if parameter.type_descriptor.annotation is Path:  # before a callback looks at it
                    _check_path(parameter, Path(typed))
        meant = process(context, value)
        for one in _each(meant):
            _check_meaning(parameter, one)
        return meant

    return checked


def _each(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _check_text(parameter: Any, typed: str) -> None:
    if not typed.strip() and parameter.default != "":  # where that is the default, it says "not given"
        raise _refused(parameter, _("%(option)s is empty."))
    if any("\ud800" <= sign <= "\udfff" for sign in typed):
        raise _refused(parameter, _("%(option)s holds bytes that are no text; write it in UTF-8."))


def _check_meaning(parameter: Any, value: Any) -> None:
    if isinstance(value, Path):
        _check_path(parameter, value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _refused(parameter, _("%(option)s is no number with an end."))
    if isinstance(value, int) and abs(value) > LARGEST:
        raise _refused(parameter, _("%(option)s is too large a number."))
    if isinstance(value, datetime) and not is_meant(value):
        words = {"year": value.year, "first": years.FIRST, "last": years.LAST}
        raise _refused(
            parameter,
            _("%(option)s: the year %(year)d is none between %(first)d and %(last)d."),
            words,
        )


def _check_path(parameter: Any, path: Path) -> None:
    try:
        path.lstat()
    except OSError as error:
        if error.errno not in _ABSENT:
            said = {"reason": os.strerror(error.errno or 0)}
            raise _refused(parameter, _("%(option)s cannot be used: %(reason)s."), said) from None


def _refused(parameter: Any, told: str, more: dict[str, Any] | None = None) -> Invalid:
    """Names the option; the way out is what its help says it takes."""
    name = parameter.opts[-1] if parameter.param_type_name == "option" else _shown(parameter)
    what = getattr(parameter, "help", None) or ""
    hint = _("Write after %(option)s: %(what)s") % {"option": name, "what": what} if what else ""
    if not parameter.required:
        hint = f"{hint} {_('Or leave it out.')}".strip()
    return Invalid(told % ({"option": name} | (more or {})), code="bad-value", hint=hint)


def _shown(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def to_write(path: Path | None) -> Path | None:
    """Callback of options that name a file to be written: its folder is there before the work begins."""
    if path is None:
        return None
    folder = path.absolute().parent
    if not folder.is_dir():
        raise Invalid(
            _("There is no folder %(folder)s.") % {"folder": folder},
            hint=_("Make it first, or name another place."),
        )
    if path.is_dir():
        raise Invalid(_("%(folder)s is a folder.") % {"folder": path}, hint=_("Name a file in it."))
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise Invalid(
            _("%(path)s must not be written by you.") % {"path": path}, hint=_("Name another place.")
        )
    return path
