"""A list of places (CSV, TSV, XLS, XLSX, ODS) as what `register_places` takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from django.utils.translation import gettext as _

from bihuan.doors.exchange.reader import FileHints, open_table
from bihuan.registry import territory
from bihuan.registry.errors import BihuanError, Invalid
from bihuan.tracing.actions.places import MOST, PlaceInput
from bihuan.tracing.queries.places import KINDS

#: Field to the names its column goes by.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "store_id": ("store_id", "place_id", "id", "编号", "场所编号", "场所码", "卡口编号"),
    "name": ("name", "名称", "场所名称", "场所", "卡口", "nombre"),
    "name_en": ("name_en", "english_name", "英文名称"),
    "kind": ("kind", "type", "setting", "类型", "场所类型", "tipo"),
    "territory_code": ("territory_code", "territory", "区划", "区划代码", "行政区划", "社区", "辖区"),
    "address": ("address", "地址", "详细地址", "dirección", "direccion"),
    "latitude": ("latitude", "lat", "纬度", "latitud"),
    "longitude": ("longitude", "lon", "lng", "经度", "longitud"),
    "capacity": ("capacity", "limit", "容量", "额定人数", "限流人数", "aforo"),
    "active": ("active", "在用", "是否在用"),
}
_NO: Final = frozenset({"0", "no", "false", "否", "关闭", "停用"})
#: Of these an empty cell says nothing: a known place stays where it is, and as open or closed as it is.
_STANDING: Final = ("territory_code", "active")
_NUMBERS: Final = {"latitude": float, "longitude": float, "capacity": int}


def read_places(path: Path, *, territory_code: str = "", encoding: str = "") -> list[PlaceInput]:
    """The places of a file. `territory_code`: of rows without one. Raises FileRefused for what is no table,
    Invalid naming rows (by line) and columns that cannot be read.
    """
    table = open_table(path, hints=FileHints(encoding=encoding or None))
    at = _columns(table.headers)
    if "name" not in at:
        message = _("No column holds the name of the places.")
        hint = _("Columns: %(names)s") % {"names": ", ".join(names[0] for names in COLUMNS.values())}
        raise Invalid(message, errors=[{"field": "name", "rule": "missing", "message": message}], hint=hint)
    found: list[PlaceInput] = []
    errors: list[dict[str, Any]] = []
    for row in table.rows():
        if len(found) >= MOST:
            raise Invalid(_("At most %(n)s places in a file.") % {"n": MOST})
        told = {name: str(row.cells[i] if row.cells[i] is not None else "").strip() for name, i in at.items()}
        wrong = dict(_read(told, territory_code))
        errors += [
            {"row": row.line, "field": name, "rule": "cell", "message": text} for name, text in wrong.items()
        ]
        if not wrong:
            found.append(PlaceInput(**_facts(told, territory_code)))
    if errors:
        n = len(errors)
        first = "; ".join(f"{e['row']}: {e['message']}" for e in errors[:3])
        raise Invalid(
            _("%(n)s cells cannot be read; nothing was recorded. %(first)s") % {"n": n, "first": first},
            errors=errors,
        )
    return found


def _columns(headers: tuple[str, ...]) -> dict[str, int]:
    folded = ["_".join(h.strip().casefold().split()) for h in headers]
    return {
        field: next(folded.index(name) for name in names if name in folded)
        for field, names in COLUMNS.items()
        if any(name in folded for name in names)
    }


def _read(told: Mapping[str, str], territory_code: str) -> Iterator[tuple[str, str]]:
    """What is wrong, by field."""
    for name, kind in _NUMBERS.items():
        try:
            if told.get(name):
                kind(float(told[name]))
        except ValueError:
            yield name, _("“%(text)s” is no number.") % {"text": told[name][:40]}
    if told.get("kind") and _kind(told["kind"]) is None:
        yield "kind", _("There is no kind of place “%(kind)s”.") % {"kind": told["kind"][:40]}
    try:
        _territory(told.get("territory_code", "") or territory_code)
    except BihuanError as error:
        yield "territory_code", str(error)


def _facts(told: Mapping[str, str], territory_code: str) -> dict[str, Any]:
    facts: dict[str, Any] = {name: told.get(name, "") for name in ("name", "name_en", "store_id", "address")}
    for name, kind in _NUMBERS.items():
        facts[name] = kind(float(told[name])) if told.get(name) else None
    facts["kind"] = _kind(told.get("kind", "")) or "unknown"
    facts["territory_code"] = _territory(told.get("territory_code", "") or territory_code)
    facts["active"] = told.get("active", "").casefold() not in _NO
    facts["told"] = frozenset(told) - {name for name in _STANDING if not told.get(name)}
    return facts


def _kind(text: str) -> str | None:
    """A kind by its word or its name in the reader's language."""
    if not text:
        return "unknown"
    word = text.casefold()
    return next((key for key, label in KINDS if word in (key, str(label).casefold())), None)


def _territory(text: str) -> str:
    """A territory's code, by code or name."""
    known = territory.find(text)
    if known is not None:
        return known.code
    return (territory.resolve(text) if text[:1].isdigit() or not text else territory.one_by_name(text)).code
