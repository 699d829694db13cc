"""What a rule answers: a verdict and the reason, from one source.

`text` is an English message id with %(name)s places; a page shows `gettext(text) % params`. `values` names
the policy values used, so that "why" can show layer and clause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    text: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text % dict(self.params)


@dataclass(frozen=True, slots=True)
class Decision:
    """`allowed` with the reasons for or against it, the rule's name and clause, and the policy keys used."""

    allowed: bool
    reasons: tuple[Reason, ...]
    rule: str
    clause: str = ""
    values: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed
