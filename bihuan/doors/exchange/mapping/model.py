"""A mapping as it stands, checked: what each column of a file means."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field

from bihuan.doors.exchange.parse import EARLIEST, Conventions
from bihuan.doors.exchange.reader import FileHints

DEFAULT_TIMEZONE = "Asia/Shanghai"


@dataclass(frozen=True)
class ColumnMap:
    """One column of the file. No fields: read, kept nowhere."""

    header: str
    fields: tuple[str, ...] = ()
    values: AnyMapping[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    implies: AnyMapping[str, str] = field(default_factory=dict)
    confidence: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class TerritoryRule:
    """How a row finds its territory: by code or name columns, else the constant, else the fallback."""

    constant: str | None = None
    within: str | None = None
    fallback: str | None = None
    names: AnyMapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mapping:
    """A checked mapping."""

    name: str
    kind: str
    list_id: str
    columns: tuple[ColumnMap, ...]
    title: AnyMapping[str, str] = field(default_factory=dict)
    source: str = ""
    disease: str | None = None
    file: FileHints = field(default_factory=FileHints)
    territory: TerritoryRule = field(default_factory=TerritoryRule)
    day_first: bool | None = None
    year: int | None = None
    timezone: str = DEFAULT_TIMEZONE
    era_from: dt.date | None = None
    era_to: dt.date | None = None
    constants: AnyMapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def conventions(self, as_of: dt.date | None) -> Conventions:
        return Conventions(
            day_first=self.day_first,
            year=self.year,
            timezone=self.timezone,
            era_from=self.era_from or EARLIEST,
            era_to=self.era_to,
            as_of=as_of,
        )

    def feeds(self, key: str) -> list[ColumnMap]:
        """The columns that feed a field, in the order of the mapping."""
        return [c for c in self.columns if key in c.fields]

    def all_required(self) -> tuple[str, ...]:
        """What a row of this kind must have, beyond what the mapping asks."""
        own = {
            "linelist": ("case.classification",),
            "contacts": ("contact.case_id",),
            "links": ("contact.case_id", "contact.to_case_id"),
        }[self.kind]
        return tuple(dict.fromkeys((*own, *self.required)))
