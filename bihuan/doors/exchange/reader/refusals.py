"""Files that are refused: each names the file, the rule, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from bihuan.doors.exchange.errors import FileRefused
from bihuan.doors.exchange.limits import Limits
from bihuan.epi.tables.called import by_name


def refuse(path: Path, rule: str, message: Any, hint: Any, **details: Any) -> FileRefused:
    return FileRefused(rule=rule, message=message, hint=hint, file=path.name, **details)


def damaged(path: Path, text: str = "") -> FileRefused:
    return refuse(
        path,
        "file.damaged",
        _("%(file)s is damaged or not a spreadsheet.") % {"file": path.name},
        _("Open it in a spreadsheet program, save it again as .xlsx or .csv, and choose the new file."),
        reason=by_name(text, path)[:200],
    )


def locked(path: Path) -> FileRefused:
    return refuse(
        path,
        "file.password",
        _("%(file)s is protected by a password.") % {"file": path.name},
        _("Remove the password (File > Info > Protect) and save it again."),
    )


def bomb(path: Path, why: Any) -> FileRefused:
    return refuse(
        path,
        "file.bomb",
        _("%(file)s is refused: %(why)s.") % {"file": path.name, "why": why},
        _("Save only the sheet with the list, as .csv, and choose that file."),
    )


def too_wide(path: Path, line: int, n: int, limits: Limits) -> FileRefused:
    return refuse(
        path,
        "file.columns",
        _("%(file)s, line %(line)d has %(n)d columns; at most %(limit)d are read.")
        % {"file": path.name, "line": line, "n": n, "limit": limits.columns},
        _("Keep only the columns of the list, or name the right delimiter in the mapping."),
    )
