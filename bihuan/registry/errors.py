"""The house's errors. Every room draws its own below these.

    BihuanError
    ├── Invalid            422, exit 2   what came in breaks a rule; `.errors` says which and where
    ├── NotAllowed         403, exit 5   the post acted in does not carry the right
    │   └── NoScope                      nobody is acting: no post chosen, no token
    ├── NotFound           404, exit 4
    │   ├── UnknownTerritory             names the nearest codes and names
    │   ├── AmbiguousTerritory           a name that several territories carry; lists them with their path
    │   └── UnknownPost
    └── Conflict           409, exit 6   true, but not compatible with what is already so

A door only translates: HTTP status from `status`, exit code from `exit_code`, text from `message` and `hint`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class BihuanError(Exception):
    """Something the person can understand and act on.

    `message` names the offender and the rule, `hint` the way out; both are in the reader's language.
    `code` is a stable slug for programs, `details` what they may want to read.
    """

    code = "error"
    status = 500
    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(str(message))
        self.message = str(message)
        self.hint = str(hint)
        self.details: dict[str, Any] = dict(details or {})
        if code:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class Invalid(BihuanError):
    """What came in breaks a rule. `errors` is a list of {field, rule, message, hint}."""

    code = "invalid"
    status = 422
    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        errors: Iterable[Mapping[str, Any]] = (),
        code: str | None = None,
        hint: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, details=details)
        self.errors: list[dict[str, Any]] = [dict(e) for e in errors]


class NotAllowed(BihuanError):
    code = "not-allowed"
    status = 403
    exit_code = 5


class NoScope(NotAllowed):
    code = "no-scope"


class NotFound(BihuanError):
    code = "not-found"
    status = 404
    exit_code = 4


class UnknownTerritory(NotFound):
    code = "unknown-territory"


class AmbiguousTerritory(NotFound):
    code = "ambiguous-territory"


class UnknownPost(NotFound):
    code = "unknown-post"


class Conflict(BihuanError):
    code = "conflict"
    status = 409
    exit_code = 6
