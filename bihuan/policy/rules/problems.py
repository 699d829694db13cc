"""A problem found in a pack: where, which rule, and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bihuan.policy.errors import say


@dataclass(frozen=True)
class Problem:
    """`template` is an English sentence with named gaps (a translation id); `severity` is error or
    warning."""

    file: str
    line: int
    key: str
    code: str
    template: str
    params: Mapping[str, Any] = field(default_factory=dict)
    severity: str = "error"

    def text(self) -> str:
        return say(self.template, **self.params)

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{where}: {self.key}: {self.text()}" if self.key else f"{where}: {self.text()}"
