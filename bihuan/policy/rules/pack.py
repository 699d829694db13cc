"""A pack, and everything it says: values, rules of the rule language, loop definitions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bihuan.policy.rules.keys import Key, Labels, in_words
from bihuan.policy.rules.source import Path

CONFIDENCES = ("verified", "unverified")
TRANSITIONS = ("keep", "replan")
ANYWHERE = ""

BASES: dict[str, tuple[str, Labels]] = {
    "text": ("verified", {"zh": "见于文件原文", "en": "read in the text of the document"}),
    "document": ("verified", {"zh": "见于所附文件", "en": "read in one of the project's own documents"}),
    "repost": ("verified", {"zh": "仅见于转载", "en": "read only in a repost or summary"}),
    "recalled": ("unverified", {"zh": "据记忆，未找到出处", "en": "recalled, no source found"}),
    "default": ("unverified", {"zh": "本系统默认值", "en": "a default of this pack"}),
}
"""How each confidence came about: basis -> (confidence, label)."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who says so: document, clause, how sure, and where in the packs it stands."""

    pack: str
    territory: str
    source: Labels
    source_ids: tuple[str, ...]
    clause: str
    basis: str
    note: Labels
    date_from: dt.date | None
    date_to: dt.date | None
    file: str
    line: int

    @property
    def confidence(self) -> str:
        return BASES[self.basis][0]


@dataclass(frozen=True, slots=True)
class Value:
    """A policy value with its reason.

    `value` is a plain immutable value (number, text, tuple, FrozenDict), `unit` its unit ("hours", "days",
    …). `pack` is the layer that gave it; `chain` the values of lower layers it covers, nearest first.
    `source` and `says` are {zh, en}; `sentence(lang)` is `says` with the value filled in.
    """

    key: str
    value: Any
    unit: str
    pack: str
    source: Labels
    clause: str
    confidence: str
    says: Labels
    provenance: Provenance
    chain: tuple[Value, ...] = ()
    spec: Key = field(repr=False, default=None)  # type: ignore[assignment]

    @property
    def territory(self) -> str:
        return self.provenance.territory

    @property
    def basis(self) -> str:
        return self.provenance.basis

    def words(self, lang: str) -> str:
        return in_words(self.spec, self.value, lang)

    def sentence(self, lang: str) -> str:
        """Return what the value means, in "zh" or "en", as one plain sentence."""
        short = "zh" if lang.startswith("zh") else "en"
        return self.says[short].replace("{value}", self.words(short))


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule of the rule language as it stands in a pack; `subject` names the facts it may use."""

    key: str
    subject: str
    expr: str
    pack: str
    source: Labels
    clause: str
    confidence: str
    title: Labels
    provenance: Provenance
    chain: tuple[RuleText, ...] = ()


@dataclass(frozen=True)
class LoopText:
    """A loop definition as written: the raw mapping, and where each of its places stands."""

    name: str
    definition: Mapping[str, Any]
    pack: str
    file: str
    line: int
    lines: Mapping[Path, int] = field(repr=False, default_factory=dict)

    def line_of(self, path: Path) -> int:
        """Return the line of a path inside the definition, such as ("duties", "locate", "due")."""
        path = tuple(path)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.line)


@dataclass(frozen=True)
class Pack:
    """One edition for one territory. `territory`: "" anywhere, an area such as CN, or a code such as 42.

    `date_from` None: since ever; `date_to` None: until the next edition of the same territory (inclusive
    dates, local days of `tz`). `values` and `rules` hold one or more dated variants a key.
    """

    id: str
    extends: str
    title: Labels
    territory: str
    date_from: dt.date | None
    date_to: dt.date | None
    tz: str
    transition: str
    sunset: dt.date | None
    about: Labels
    values: Mapping[str, tuple[Value, ...]]
    rules: Mapping[str, tuple[RuleText, ...]]
    loops: Mapping[str, LoopText]
    file: str
    line: int = 1
