"""Errors of the exchange door.

Invalid
├── FileRefused        the file cannot or must not be read; nothing was changed
└── MappingError       a mapping does not say what it must
Conflict
└── JobBusy            the job is already running, or is not in a state that allows the step
NotFound
└── UnknownJob         no import job of that name within reach
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from bihuan.registry.errors import Conflict, Invalid, NotFound


class FileRefused(Invalid):
    """The file cannot or must not be read. `.errors` has one entry with rule, message and hint."""

    def __init__(self, *, rule: str, message: Any, hint: Any, **details: Any) -> None:
        super().__init__(
            message,
            hint=hint,
            details={"rule": rule, **details},
            errors=[{"field": "file", "rule": rule, "message": message, "hint": hint}],
        )
        self.rule = rule


class MappingError(Invalid):
    """A mapping is wrong. `.errors` lists every fault with file, line and key."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        first = errors[0]["message"] if errors else _("The mapping is empty.")
        super().__init__(
            str(first),
            hint=_("Correct the mapping file and try again; `bihuan import guess FILE` prints a fresh one."),
            errors=errors,
        )


class JobBusy(Conflict):
    """The job is already running, or not in a state that allows the step."""


class UnknownJob(NotFound):
    """No import job of that name within reach."""
