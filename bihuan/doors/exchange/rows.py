"""Raw rows to parsed rows: every mapped cell through its converter, then what a whole row must satisfy.

Rules of the row, in this order:
- a cell that cannot be read is set aside and the row goes on; if the row must have it, the row is rejected;
- a date later than the as-of date is not known yet and set aside, and so is what only it could have told
  (the outcome with the outcome's date, the final status before the observation has ended);
- a line-list row whose every date is later than the as-of date is rejected as not known yet;
- dates in an odd order are kept and flagged.
Nothing here touches the database.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import findings as f
from .fields import CONTACTS, FIELDS, LINELIST, LINKS
from .findings import CellError
from .mapping import Mapping as ColumnMapping
from .parse import Column, Conventions, converter, day_of
from .reader import RawRow, Table

# (earlier, later): the pairs whose order is expected; odd ones are flagged, never changed.
EXPECTED_ORDER = (
    ("person.birth_date", "case.date_onset"),
    ("case.date_onset", "case.date_visit"),
    ("case.date_onset", "case.date_diagnosis"),
    ("case.date_onset", "case.date_confirmation"),
    ("case.date_onset", "case.date_report"),
    ("case.date_onset", "case.date_outcome"),
    ("case.date_sample", "case.date_result"),
    ("case.date_admission", "case.date_outcome"),
    ("contact.date_first_exposure", "contact.date_last_exposure"),
    ("contact.date_follow_up_start", "contact.date_follow_up_end"),
)
# The end of an observation is planned when it starts; it may lie ahead.
PLANNED = frozenset({"contact.date_follow_up_end"})
# What is only known once another date has come.
KNOWN_WITH = {"case.outcome": "case.date_outcome", "case.sample_result": "case.date_result"}
ID_OF = {LINELIST: "case.local_id", CONTACTS: "contact.local_id"}
_JOIN = "; "


@dataclass
class ParsedRow:
    """A row as values of fields (only those known), with its findings.

    `key`: the row's identity within its list: its identifier, else a hash of its contents.
    `content`: hash of the values; an equal hash means nothing new.
    """

    number: int
    line: int
    values: dict[str, Any] = field(default_factory=dict)
    findings: list[CellError] = field(default_factory=list)
    key: str = ""
    content: str = ""

    @property
    def rejected(self) -> bool:
        return bool(self.findings) and any(e.how == f.REJECTED for e in self.findings)

    def reject(self, rule: str, *, column: str = "", value: str = "", **params: Any) -> None:
        self.findings.append(
            CellError(column, value, rule, f.REJECTED, {k: str(v) for k, v in params.items()})
        )

    def warn(self, rule: str, *, column: str = "", value: str = "", **params: Any) -> None:
        self.findings.append(
            CellError(column, value, rule, f.WARNING, {k: str(v) for k, v in params.items()})
        )


@dataclass(frozen=True)
class _Cell:
    place: int
    header: str
    key: str
    text: bool
    convert: Callable[[Any], Any]
    implies: Mapping[str, str]


class RowReader:
    """Reads the rows of one table by one mapping. Make it once a run: converters remember their answers."""

    def __init__(self, mapping: ColumnMapping, positions: Mapping[str, int], how: Conventions) -> None:
        self.mapping, self.how = mapping, how
        self.required = frozenset(mapping.all_required())
        self.cells = [c for column in mapping.columns for c in self._cells(column, positions)]
        self.column_of = {c.key: c.header for c in reversed(self.cells)}
        told = {*self.column_of, *mapping.constants}
        for cell in self.cells:
            told.update(cell.implies)
        self.order = [pair for pair in EXPECTED_ORDER if told.issuperset(pair)]

    def _cells(self, column: Any, positions: Mapping[str, int]) -> list[_Cell]:
        place = positions.get(column.header)
        if place is None:
            return []
        out = []
        for key in column.fields:
            spec = FIELDS[key]
            how = replace(self.how, as_of=None) if key in PLANNED else self.how
            read = converter(
                Column(column.header, spec, column.values, column.missing),
                how,
                label=key,
            )
            implies = column.implies if key == column.fields[0] else {}
            out.append(_Cell(place, column.header, key, spec.kind == "text", read, implies))
        return out

    def read(self, raw: RawRow, number: int) -> ParsedRow:
        """Parse one row. Never raises on contents."""
        row = ParsedRow(number, raw.line)
        values, found = row.values, row.findings
        implied: dict[str, str] = {}
        bad: set[str] = set()
        cells = raw.cells
        for cell in self.cells:
            given = cells[cell.place]
            if isinstance(given, str):
                given = given.strip()
            value = cell.convert(given)
            if value is None:
                continue
            if value.__class__ is CellError:
                found.append(value)
                bad.add(cell.key)
                continue
            if cell.implies:
                implied.update(cell.implies)
            if cell.key not in values:
                values[cell.key] = value
            elif cell.text and value not in values[cell.key]:
                values[cell.key] = f"{values[cell.key]}{_JOIN}{value}"[: FIELDS[cell.key].longest]
        for key, value in implied.items():
            values.setdefault(key, value)
        for key, value in self.mapping.constants.items():
            if key not in bad:
                values.setdefault(key, value)
        self._not_known_yet(row)
        self._require(row)
        self._dates(row)
        self._identify(row)
        return row

    def _require(self, row: ParsedRow) -> None:
        for key in self.required:
            if key in row.values:
                continue
            header = self.column_of.get(key, "")
            faults = [i for i, e in enumerate(row.findings) if e.column == header and header]
            if faults:
                for i in faults:
                    row.findings[i] = replace(row.findings[i], how=f.REJECTED)
            else:
                row.reject("required", column=header, field=key)

    def _not_known_yet(self, row: ParsedRow) -> None:
        late = {e.column for e in row.findings if e.rule == "date.later"}
        if late:
            for key, date_key in KNOWN_WITH.items():
                if key in row.values and self.column_of.get(date_key) in late and date_key not in row.values:
                    del row.values[key]
        end = row.values.get("contact.date_follow_up_end")
        if end is not None and self.how.as_of is not None and end > self.how.as_of:
            row.values.pop("contact.final_status", None)

    def _dates(self, row: ParsedRow) -> None:
        values = row.values
        for first, second in self.order:
            a, b = values.get(first), values.get(second)
            if a is not None and b is not None and day_of(a) > day_of(b):
                row.warn(
                    "dates.order",
                    column=self.column_of.get(first, ""),
                    value=str(a),
                    first_name=first,
                    first=a,
                    second_name=second,
                    second=b,
                )
        if self.mapping.kind == LINELIST and not any(k.startswith("case.date_") for k in values):
            if any(e.rule == "date.later" for e in row.findings):
                row.reject("dates.not_yet", as_of=self.how.as_of)
            else:
                row.warn("dates.none", day=self.how.as_of or "")

    def _identify(self, row: ParsedRow) -> None:
        row.content = digest(row.values)
        if self.mapping.kind == LINKS:
            pair = (row.values.get("contact.case_id", ""), row.values.get("contact.to_case_id", ""))
            row.key = "\u001f".join(pair)
            return
        row.key = str(row.values.get(ID_OF[self.mapping.kind]) or "h:" + row.content)


def digest(values: Mapping[str, Any]) -> str:
    """24 hex characters that change when a value does."""
    return hashlib.blake2b(repr(sorted(values.items())).encode(), digest_size=12).hexdigest()


def read_all(reader: RowReader, table: Table) -> Sequence[ParsedRow]:
    """All rows of a small table, numbered from 1."""
    return [reader.read(raw, n) for n, raw in enumerate(table.rows(), start=1)]


def first_day(values: Mapping[str, Any], keys: Sequence[str]) -> dt.date | None:
    """The earliest known day among some date fields."""
    days = [day_of(values[k]) for k in keys if k in values]
    return min(days) if days else None
