"""The policy room's errors.

    BihuanError
    ├── NotFound
    │   ├── UnknownPolicyKey    no such key; names the nearest ones
    │   ├── UnknownPolicyRule   no such rule in force there; names the nearest ones
    │   └── UnknownPack         no such pack; names the nearest ones
    └── Invalid
        ├── PacksBroken         packs on disk break their rules; `.problems` has every one with file and line
        └── RuleBroken          an expression is not in the rule language; `.position` says where
            └── FactMissing     a row given to a rule holds something a fact of that type cannot be

Messages are plain English templates with named gaps. `say` puts them into the reader's language by a
translator that the room's AppConfig sets (`speak_with`), so that the pure parts need no Django.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from bihuan.registry.errors import Invalid, NotFound

_translate: Callable[[str], str] = str


def speak_with(translate: Callable[[str], str]) -> None:
    global _translate
    _translate = translate


def say(template: str, **params: Any) -> str:
    return _translate(template).format(**params)


def nearest(word: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return up to `n` of the known words most like `word`; one that contains it, or its last part, counts
    as like."""
    words = sorted(set(known))
    close = difflib.get_close_matches(word, words, n=n, cutoff=0.6)
    tail = word.rsplit(".", 1)[-1]
    close += [w for w in words if w not in close and tail and (w.endswith("." + tail) or tail in w)]
    close += [w for w in difflib.get_close_matches(word, words, n=n, cutoff=0.4) if w not in close]
    return close[:n]


class UnknownPolicyKey(NotFound):
    code = "unknown-policy-key"

    def __init__(self, key: str, known: Iterable[str]) -> None:
        self.nearest = nearest(key, known)
        super().__init__(
            say("There is no policy key {key}.", key=key),
            hint=say("Nearest: {names}.", names=", ".join(self.nearest)) if self.nearest else "",
            details={"key": key, "nearest": self.nearest},
        )


class UnknownPolicyRule(NotFound):
    code = "unknown-policy-rule"

    def __init__(self, key: str, known: Iterable[str]) -> None:
        self.nearest = nearest(key, known)
        super().__init__(
            say("There is no rule {key} in force there.", key=key),
            hint=say("Nearest: {names}.", names=", ".join(self.nearest)) if self.nearest else "",
            details={"key": key, "nearest": self.nearest},
        )


class UnknownPack(NotFound):
    code = "unknown-pack"

    def __init__(self, pack: str, known: Iterable[str]) -> None:
        known = list(known)
        self.nearest = nearest(pack, known) or sorted(known)
        super().__init__(
            say("There is no policy pack {pack}.", pack=pack),
            hint=say("Nearest: {names}.", names=", ".join(self.nearest)),
            details={"pack": pack, "nearest": self.nearest},
        )


class Problem(Protocol):
    """What a broken pack says; `rules.problems.Problem` is one."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def code(self) -> str: ...

    def text(self) -> str: ...


class PacksBroken(Invalid):
    code = "packs-broken"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "\n".join(str(p) for p in problems),
            errors=[
                {
                    "field": p.key,
                    "rule": p.code,
                    "message": p.text(),
                    "hint": "",
                    "file": p.file,
                    "line": p.line,
                }
                for p in problems
            ],
        )


class RuleBroken(Invalid):
    """`position` is the offset in the expression, from 0; `pointer` shows the place under the text."""

    code = "rule-broken"

    def __init__(
        self,
        template: str,
        params: Mapping[str, Any] | None = None,
        *,
        text: str = "",
        position: int = 0,
        hint: str = "",
    ) -> None:
        self.template, self.params, self.text, self.position = template, dict(params or {}), text, position
        line = text.count("\n", 0, position) + 1
        column = position - (text.rfind("\n", 0, position) + 1) + 1
        self.line, self.column = line, column
        shown = (text.splitlines() or [""])[line - 1]
        self.pointer = f"{shown}\n{' ' * (column - 1)}^"
        message = say(template, **self.params)
        hint = _translate(hint) if hint else ""
        super().__init__(
            message,
            hint=hint,
            errors=[{"field": "expr", "rule": "rule-language", "message": message, "hint": hint}],
            details={"position": position, "line": line, "column": column, "expression": text},
        )


class FactMissing(RuleBroken):
    code = "fact-of-wrong-type"
