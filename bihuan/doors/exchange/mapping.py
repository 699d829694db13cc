"""The mapping of a file's columns to the fields of Bihuan: its form as YAML, checked with file, line and key.

    mapping: tianjin-2020-cases          # name
    kind: linelist                       # linelist | contacts | links
    list: tianjin-2020                   # the list the identifiers belong to; contacts find cases by it
    title: {zh: …, en: …}
    file: {encoding: utf-8, delimiter: ",", sheet: 病例, header_row: 2}    # all optional: recognized
    disease: covid-19                    # constant; or a column of field case.disease
    territory:
      constant: "1201"                   # every row; or columns of fields territory.*
      within: "12"                       # names are looked for below it
      fallback: "12"                     # rows whose territory is not known go here, with a warning
      names: {宝坻: "120115"}            # names of the list -> codes
    dates: {day_first: true, year: 2020, timezone: Asia/Shanghai, era: {from: 2019-12-01, to: 2020-06-30}}
    columns:
      gender: {field: person.sex, values: {w: F}, missing: [x]}
      death: {field: case.date_outcome, implies: {case.outcome: died}}
      notes: {ignore: true}
    constants: {case.classification: confirmed}
    required: [case.local_id]            # a row without one of these is rejected

Several columns may feed one field: text is joined with "; ", anything else takes the first that is filled.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from django.utils.translation import gettext as _

from . import words
from .errors import MappingError
from .fields import FIELDS, KINDS, LINELIST, fields_of
from .parse import EARLIEST, Conventions
from .reader import FileHints, Table

MAX_BYTES = 1_000_000
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


# --- in ---------------------------------------------------------------------------------------------


def load(path: Path) -> Mapping:
    """Read and check a mapping file. Raises MappingError with every fault, naming file, line and key."""
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8-sig") if size <= MAX_BYTES else None
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(
            [_fault(path.name, 1, "", _("The mapping file cannot be read: %s") % error, "")]
        ) from error
    if text is None:
        raise MappingError([_fault(path.name, 1, "", _("The mapping file is larger than 1 MB."), "")])
    return loads(text, name=path.name)


def loads(text: str, *, name: str = "mapping") -> Mapping:
    """Read and check a mapping text. Raises MappingError."""
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        if any(isinstance(e, yaml.AliasEvent) for e in events):
            raise MappingError(
                [_fault(name, 1, "", _("A mapping has no anchors and aliases."), _("Write it out."))]
            )
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise MappingError(
            [
                _fault(
                    name,
                    mark.line + 1 if mark else 1,
                    "",
                    _("This is not YAML: %s") % error,
                    _("See the example."),
                )
            ]
        ) from error
    if not isinstance(data, dict):
        raise MappingError(
            [_fault(name, 1, "", _("A mapping is a list of keys, beginning with `mapping:`."), "")]
        )
    return _Check(name, data, _lines(node)).mapping()


def from_data(data: AnyMapping[str, Any], *, name: str = "mapping") -> Mapping:
    """Check a mapping given as data (from a form). Raises MappingError."""
    return _Check(name, dict(data), {}).mapping()


def _lines(node: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    out = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            out |= _lines(value, here)
            out[here] = key.start_mark.line + 1
    return out


def _fault(file: str, line: int | None, key: str, message: Any, hint: Any) -> dict[str, Any]:
    where = f"{file}:{line}" if line else file
    text = f"{where}: {key}: {message}" if key else f"{where}: {message}"
    return {"field": key, "rule": "mapping", "message": text, "hint": str(hint), "line": line}


# the allowed keys of each level
_TOP = (
    *("mapping", "kind", "list", "title", "source", "disease", "file", "territory", "dates"),
    *("columns", "constants", "required"),
)
_FILE = ("encoding", "delimiter", "sheet", "header_row")
_TERRITORY = ("constant", "within", "fallback", "names")
_DATES = ("day_first", "year", "timezone", "era")
_COLUMN = ("field", "fields", "values", "missing", "implies", "ignore", "confidence", "reason")


class _Check:
    """Walks the data once and collects every fault."""

    def __init__(self, name: str, data: dict[str, Any], lines: AnyMapping[tuple[str, ...], int]) -> None:
        self.name, self.data, self.lines = name, data, lines
        self.faults: list[dict[str, Any]] = []

    def fault(self, path: Sequence[str], message: Any, hint: Any = "") -> None:
        keys = tuple(str(p) for p in path)
        line = next((self.lines[keys[:n]] for n in range(len(keys), -1, -1) if keys[:n] in self.lines), None)
        self.faults.append(_fault(self.name, line, ".".join(keys), message, hint))

    def mapping(self) -> Mapping:
        data = self.data
        self.known(data, _TOP, ())
        kind = data.get("kind")
        if kind not in KINDS:
            self.fault(["kind"], _("“%s” is no kind of list.") % kind, _("One of: %s.") % ", ".join(KINDS))
            kind = LINELIST
        list_id = str(data.get("list") or "")
        columns = self.columns(kind)
        territory, dates = self.section("territory", _TERRITORY), self.section("dates", _DATES)
        era = dates.get("era") or {}
        if not isinstance(era, dict):
            self.fault(["dates", "era"], _("An era is {from: DATE, to: DATE}."))
            era = {}
        built = Mapping(
            name=str(data.get("mapping") or Path(self.name).stem),
            kind=kind,
            list_id=list_id,
            columns=columns,
            title=data.get("title") or {},
            source=str(data.get("source") or ""),
            disease=self.text(data, "disease", ()),
            file=self.file(),
            territory=TerritoryRule(
                constant=self.text(territory, "constant", ("territory",)),
                within=self.text(territory, "within", ("territory",)),
                fallback=self.text(territory, "fallback", ("territory",)),
                names={words.plain(str(k)): str(v) for k, v in (territory.get("names") or {}).items()},
            ),
            day_first=self.boolean(dates, "day_first"),
            year=self.year(dates),
            timezone=self.timezone(dates),
            era_from=self.day(era, "from"),
            era_to=self.day(era, "to"),
            constants=self.constants(kind),
            required=self.required(kind),
        )
        self.complete(built)
        if self.faults:
            raise MappingError(self.faults)
        return built

    def complete(self, m: Mapping) -> None:
        fed = {f for c in m.columns for f in c.fields} | set(m.constants)
        fed |= {k for c in m.columns for k in c.implies}
        for key in m.all_required():
            if key not in fed:
                self.fault(
                    ["columns"],
                    _("No column and no constant gives “%s”.") % key,
                    _("Map a column to it, or add it under `constants`."),
                )
        if m.kind != LINELIST and not m.list_id:
            self.fault(["list"], _("Contacts and links need the list their case identifiers belong to."))
        if m.era_from and m.era_to and m.era_from > m.era_to:
            self.fault(["dates", "era"], _("The era ends before it begins."))

    def known(self, data: AnyMapping[str, Any], allowed: Sequence[str], path: Sequence[str]) -> None:
        for key in data:
            if str(key) not in allowed:
                near = difflib.get_close_matches(str(key), allowed, 1)
                hint = _("Did you mean “%s”?") % near[0] if near else _("Allowed: %s.") % ", ".join(allowed)
                self.fault([*path, str(key)], _("Unknown key."), hint)

    def section(self, key: str, allowed: Sequence[str]) -> dict[str, Any]:
        data = self.data.get(key) or {}
        if not isinstance(data, dict):
            self.fault([key], _("This must be a list of keys: %s.") % ", ".join(allowed))
            return {}
        self.known(data, allowed, [key])
        return data

    def columns(self, kind: str) -> tuple[ColumnMap, ...]:
        data = self.data.get("columns")
        if not isinstance(data, dict) or not data:
            self.fault(["columns"], _("A mapping needs `columns`: header, then {field: …}."))
            return ()
        return tuple(self.column(str(header), spec, kind) for header, spec in data.items())

    def column(self, header: str, spec: Any, kind: str) -> ColumnMap:
        path = ["columns", header]
        if isinstance(spec, str):
            spec = {"field": spec}
        if spec is None or (isinstance(spec, dict) and spec.get("ignore")):
            return ColumnMap(header)
        if not isinstance(spec, dict):
            self.fault(path, _("A column is {field: …} or {ignore: true}."))
            return ColumnMap(header)
        self.known(spec, _COLUMN, path)
        names = spec.get("fields") or ([spec["field"]] if spec.get("field") else [])
        fields = tuple(str(n) for n in names) if isinstance(names, list) else (str(names),)
        for name in fields:
            self.field_known(name, kind, path)
        values = self.values(spec, fields, path)
        return ColumnMap(
            header,
            fields,
            values,
            frozenset(words.plain(_scalar(v)) for v in spec.get("missing") or ()),
            self.implied(spec, kind, path),
            spec.get("confidence"),
            str(spec.get("reason") or ""),
        )

    def field_known(self, name: str, kind: str, path: Sequence[str]) -> bool:
        allowed = [f.key for f in fields_of(kind)]
        if name in allowed:
            return True
        near = difflib.get_close_matches(name, allowed, 3)
        self.fault(
            [*path, "field"],
            _("“%(name)s” is no field of a %(kind)s.") % {"name": name, "kind": kind},
            _("Nearest: %s.") % ", ".join(near or allowed[:6]),
        )
        return False

    def values(
        self, spec: AnyMapping[str, Any], fields: Sequence[str], path: Sequence[str]
    ) -> dict[str, str]:
        given = spec.get("values") or {}
        if not isinstance(given, dict):
            self.fault([*path, "values"], _("Values are given as {cell: meaning}."))
            return {}
        out = {}
        for raw, meaning in given.items():
            canonical = "" if meaning is None else _scalar(meaning)
            for name in fields:
                self.code_known(name, canonical, [*path, "values", str(raw)])
            out[words.plain(_scalar(raw))] = canonical
        return out

    def code_known(self, name: str, canonical: str, path: Sequence[str]) -> None:
        f = FIELDS.get(name)
        if f is None or not canonical:
            return
        allowed = {"code": f.codes, "sex": ("F", "M", "O", "U"), "bool": ("true", "false")}.get(f.kind)
        if allowed and canonical not in allowed:
            self.fault(
                path,
                _("“%(value)s” is not a value of %(field)s.") % {"value": canonical, "field": name},
                _("One of: %s; or leave it empty for unknown.") % ", ".join(allowed),
            )

    def implied(self, spec: AnyMapping[str, Any], kind: str, path: Sequence[str]) -> dict[str, str]:
        given = spec.get("implies") or {}
        if not isinstance(given, dict):
            self.fault([*path, "implies"], _("`implies` is {field: value}."))
            return {}
        return self.fixed(given, kind, [*path, "implies"])

    def constants(self, kind: str) -> dict[str, str]:
        given = self.data.get("constants") or {}
        if not isinstance(given, dict):
            self.fault(["constants"], _("`constants` is {field: value}."))
            return {}
        return self.fixed(given, kind, ["constants"])

    def fixed(self, given: AnyMapping[str, Any], kind: str, path: Sequence[str]) -> dict[str, str]:
        out = {}
        for name, value in given.items():
            if self.field_known(str(name), kind, [*path, str(name)]):
                self.code_known(str(name), _scalar(value), [*path, str(name)])
                out[str(name)] = _scalar(value)
        return out

    def required(self, kind: str) -> tuple[str, ...]:
        given = self.data.get("required") or []
        if not isinstance(given, list):
            self.fault(["required"], _("`required` is a list of fields."))
            return ()
        return tuple(str(n) for n in given if self.field_known(str(n), kind, ["required"]))

    def file(self) -> FileHints:
        data = self.section("file", _FILE)
        row = data.get("header_row")
        if row is not None and (not isinstance(row, int) or row < 1):
            self.fault(["file", "header_row"], _("The header row is a number from 1."))
            row = None
        delimiter = data.get("delimiter")
        if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
            self.fault(["file", "delimiter"], _("A delimiter is one character."))
            delimiter = None
        return FileHints(
            encoding=self.text(data, "encoding", ("file",)),
            delimiter=delimiter,
            sheet=self.text(data, "sheet", ("file",)),
            header_row=row,
        )

    def text(self, data: AnyMapping[str, Any], key: str, path: Sequence[str]) -> str | None:
        value = data.get(key)
        if value is None:
            return None
        if isinstance(value, dict | list):
            self.fault([*path, key], _("This must be a text."))
            return None
        if key in ("constant", "within", "fallback") and not isinstance(value, str):
            self.fault([*path, key], _("Write the code in quotes, so that it stays a text."))
        return _scalar(value)

    def boolean(self, data: AnyMapping[str, Any], key: str) -> bool | None:
        value = data.get(key)
        if value is not None and not isinstance(value, bool):
            self.fault(["dates", key], _("This must be true or false."))
            return None
        return value

    def year(self, data: AnyMapping[str, Any]) -> int | None:
        value = data.get("year")
        if value is not None and (not isinstance(value, int) or not 1800 <= value <= 2200):
            self.fault(["dates", "year"], _("A year is a number such as 2020."))
            return None
        return value

    def timezone(self, data: AnyMapping[str, Any]) -> str:
        name = str(data.get("timezone") or DEFAULT_TIMEZONE)
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            self.fault(["dates", "timezone"], _("“%s” is no time zone.") % name, _("Such as Asia/Shanghai."))
            return DEFAULT_TIMEZONE
        return name

    def day(self, era: AnyMapping[str, Any], key: str) -> dt.date | None:
        value = era.get(key)
        if value is None or (isinstance(value, dt.date) and not isinstance(value, dt.datetime)):
            return value
        try:
            return dt.date.fromisoformat(str(value))
        except ValueError:
            self.fault(["dates", "era", key], _("“%s” is not a date.") % value, _("Write it as 2020-01-31."))
            return None


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


# --- against a file ---------------------------------------------------------------------------------


def bind(m: Mapping, table: Table) -> tuple[dict[str, int], list[str]]:
    """Find the mapping's columns in a file: (header of the mapping -> position, notes).

    Raises MappingError when a column that feeds a required field is not there, or most are not.
    """
    positions = {words.header_key(h): i for i, h in reversed(list(enumerate(table.headers)))}
    found, lost = {}, []
    for column in m.columns:
        place = positions.get(words.header_key(column.header))
        if place is None:
            lost.append(column)
        else:
            found[column.header] = place
    needed = set(m.all_required())
    fed = {f for c in m.columns if c.header in found for f in (*c.fields, *c.implies)} | set(m.constants)
    used = [c for c in m.columns if c.fields]
    missing_needed = [c for c in lost if set(c.fields) & needed - fed]
    if missing_needed or (used and 2 * len([c for c in lost if c.fields]) > len(used)):
        raise MappingError([_not_there(c, m, table) for c in (missing_needed or lost)])
    notes = [_("Column “%s” of the mapping is not in the file.") % c.header for c in lost if c.fields]
    extra = [
        h for h in table.headers if words.header_key(h) not in {words.header_key(c.header) for c in m.columns}
    ]
    if extra:
        notes.append(_("Columns of the file without a place in the mapping: %s.") % ", ".join(extra[:20]))
    return found, notes


def _not_there(column: ColumnMap, m: Mapping, table: Table) -> dict[str, Any]:
    near = difflib.get_close_matches(column.header, table.headers, 3, 0.4) or list(table.headers[:5])
    return _fault(
        m.name,
        None,
        f"columns.{column.header}",
        _("%(file)s has no column “%(header)s”.") % {"file": table.path.name, "header": column.header},
        _("Nearest in the file: %s.") % ", ".join(near),
    )


# --- out --------------------------------------------------------------------------------------------


def dumps(m: Mapping) -> str:
    """The mapping as YAML that `loads` takes; confidence and reason of a guess become comments."""
    lines = [f"mapping: {_q(m.name)}", f"kind: {m.kind}", f"list: {_q(m.list_id)}"]
    if m.title:
        lines.append("title: {" + ", ".join(f"{k}: {_q(v)}" for k, v in m.title.items()) + "}")
    if m.source:
        lines.append(f"source: {_q(m.source)}")
    if m.disease:
        lines.append(f"disease: {_q(m.disease)}")
    lines += _block("file", [(k, getattr(m.file, k)) for k in _FILE])
    lines += _block("territory", [(k, getattr(m.territory, k)) for k in _TERRITORY[:3]])
    if m.territory.names:
        if not any(getattr(m.territory, k) for k in _TERRITORY[:3]):
            lines.append("territory:")
        lines.append("  names:")
        lines += [f"    {_q(k)}: {_q(v)}" for k, v in m.territory.names.items()]
    era = [(k, v) for k, v in (("from", m.era_from), ("to", m.era_to)) if v]
    lines.append("dates:")
    lines += [
        f"  {k}: {_value(v)}" for k, v in (("day_first", m.day_first), ("year", m.year)) if v is not None
    ]
    lines.append(f"  timezone: {_q(m.timezone)}")
    if era:
        lines.append("  era: {" + ", ".join(f"{k}: {v.isoformat()}" for k, v in era) + "}")
    lines.append("columns:")
    for column in m.columns:
        lines += _column_lines(column)
    lines += _block("constants", list(m.constants.items()))
    if m.required:
        lines.append("required: [" + ", ".join(m.required) + "]")
    return "\n".join(lines) + "\n"


def _column_lines(c: ColumnMap) -> list[str]:
    note = ""
    if c.confidence is not None:
        note = f"  # {c.confidence:.0%}: {c.reason}".replace("\n", " ")
    elif c.reason:
        note = f"  # {c.reason}"
    if not c.fields:
        return [f"  {_q(c.header)}: {{ignore: true}}{note}"]
    lines = [f"  {_q(c.header)}:{note}"]
    if len(c.fields) == 1:
        lines.append(f"    field: {c.fields[0]}")
    else:
        lines.append("    fields: [" + ", ".join(c.fields) + "]")
    if c.values:
        lines.append("    values:")
        lines += [f"      {_q(k)}: {_q(v)}" for k, v in c.values.items()]
    if c.missing:
        lines.append("    missing: [" + ", ".join(_q(v) for v in sorted(c.missing)) + "]")
    if c.implies:
        lines.append("    implies: {" + ", ".join(f"{k}: {_q(v)}" for k, v in c.implies.items()) + "}")
    return lines


def _block(key: str, items: Sequence[tuple[str, Any]]) -> list[str]:
    kept = [f"  {k}: {_value(v)}" for k, v in items if v is not None]
    return [f"{key}:", *kept] if kept else []


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _q(str(value))


_BARE = re.compile(r"[A-Za-z_\u4e00-\u9fff][\w\-]*")
_YAML_WORDS = ("yes", "no", "true", "false", "on", "off", "null", "y", "n")


def _q(text: str) -> str:
    """A YAML scalar on one line; quoted whenever it could be read as anything but this text."""
    text = str(text)
    if _BARE.fullmatch(text) and words.plain(text) not in _YAML_WORDS:
        return text
    return yaml.dump(text, default_style='"', allow_unicode=True, width=10_000).strip().removesuffix("\n...")
