"""Facts a rule may use: name, type, label, and for words the allowed ones."""

from __future__ import annotations

import datetime as dt
import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bihuan.policy.errors import FactMissing, say

Labels = Mapping[str, str]


class FactType(StrEnum):
    """What a fact can be. In SQL: boolean, bigint, double precision, text, date, timestamp with time zone."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    NULL = "null"


@dataclass(frozen=True)
class Fact:
    """One fact. `words` maps each word a text fact may hold to its label."""

    name: str
    type: FactType
    label: Labels = field(default_factory=dict)
    words: Mapping[str, Labels] = field(default_factory=dict)


NOW = Fact("now", FactType.TIMESTAMP, {"zh": "当前时间", "en": "now"})


@dataclass(frozen=True)
class FactRegistry(Mapping[str, Fact]):
    """The facts of one subject, by name. `now` is always among them."""

    subject: str
    facts: Mapping[str, Fact]

    @classmethod
    def of(cls, subject: str, facts: Iterable[Fact]) -> FactRegistry:
        return cls(subject, {NOW.name: NOW, **{f.name: f for f in facts}})

    @classmethod
    def from_data(cls, subject: str, data: Mapping[str, Mapping[str, Any]]) -> FactRegistry:
        """Return the registry written as data: {name: {type, label, words}}."""
        return cls.of(
            subject,
            [
                Fact(name, FactType(entry["type"]), entry.get("label", {}), entry.get("words", {}))
                for name, entry in data.items()
            ],
        )

    def __getitem__(self, name: str) -> Fact:
        return self.facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)


# --- reading a value of a row -----------------------------------------------------------------------


def _wrong(name: str, value: Any, kind: str) -> FactMissing:
    return FactMissing(
        "The fact {name} must be {kind}, not {value}.",
        {"name": name, "kind": say(kind), "value": repr(value)[:80]},
    )


def read_boolean(name: str, value: Any) -> bool:
    if type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise _wrong(name, value, "true or false")


def read_integer(name: str, value: Any) -> int:
    if isinstance(value, bool):
        raise _wrong(name, value, "a whole number")
    try:
        return operator.index(value)
    except TypeError:
        raise _wrong(name, value, "a whole number") from None


def read_number(name: str, value: Any) -> float:
    good = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    if good and math.isfinite(value):
        return float(value)
    raise _wrong(name, value, "a number")


def read_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    raise _wrong(name, value, "text")


def read_date(name: str, value: Any) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    raise _wrong(name, value, "a date")


def read_timestamp(name: str, value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value
    raise _wrong(name, value, "an instant with a time zone")


READERS = {
    FactType.BOOLEAN: (bool, read_boolean),
    FactType.INTEGER: (int, read_integer),
    FactType.NUMBER: (float, read_number),
    FactType.TEXT: (str, read_text),
    FactType.DATE: (dt.date, read_date),
    FactType.TIMESTAMP: (dt.datetime, read_timestamp),
}
"""For each type: the exact Python class it usually has, and how anything else is read or refused."""


def read_fact(fact: Fact, value: Any) -> Any:
    """Return the value as the type of the fact (None stays None), or raise FactMissing."""
    return None if value is None else READERS[fact.type][1](fact.name, value)
