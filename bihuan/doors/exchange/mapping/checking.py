"""A mapping as it was written, walked once; every fault is collected."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from bihuan.doors.exchange import words
from bihuan.doors.exchange.errors import MappingError
from bihuan.doors.exchange.fields import FIELDS, KINDS, LINELIST, fields_of
from bihuan.doors.exchange.mapping.faults import fault_of
from bihuan.doors.exchange.mapping.keys import COLUMN, DATES, FILE, TERRITORY, TOP
from bihuan.doors.exchange.mapping.model import DEFAULT_TIMEZONE, ColumnMap, Mapping, TerritoryRule
from bihuan.doors.exchange.reader import FileHints
from bihuan.epi import years


class Check:
    """Walks the data once and collects every fault."""

    def __init__(self, name: str, data: dict[str, Any], lines: AnyMapping[tuple[str, ...], int]) -> None:
        self.name, self.data, self.lines = name, data, lines
        self.faults: list[dict[str, Any]] = []

    def fault(self, path: Sequence[str], message: Any, hint: Any = "") -> None:
        keys = tuple(str(p) for p in path)
        line = next((self.lines[keys[:n]] for n in range(len(keys), -1, -1) if keys[:n] in self.lines), None)
        self.faults.append(fault_of(self.name, line, ".".join(keys), message, hint))

    def mapping(self) -> Mapping:
        data = self.data
        self.known(data, TOP, ())
        kind = data.get("kind")
        if kind not in KINDS:
            self.fault(["kind"], _("“%s” is no kind of list.") % kind, _("One of: %s.") % ", ".join(KINDS))
            kind = LINELIST
        list_id = str(data.get("list") or "")
        columns = self.columns(kind)
        territory, dates = self.section("territory", TERRITORY), self.section("dates", DATES)
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
        self.known(spec, COLUMN, path)
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
        data = self.section("file", FILE)
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
        if value is not None and (not isinstance(value, int) or value not in years.MEANT):
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
