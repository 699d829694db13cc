"""Reading a territory list: what a row must be, and which codes are fit to be paths. No Django.

A code is a materialised path: the parent's code begins it, and no other code of the list lies between them.
That is what makes "at or below" an interval, so it is checked, not assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import date
from zoneinfo import ZoneInfo

from bihuan.registry.place_names import english, kind_of

LEVELS = {
    "province": 1, "state": 1, "region": 1, "city": 2, "prefecture": 2, "department": 2, "county": 3,
    "district": 3, "municipality": 3, "street": 4, "township": 4, "town": 4, "community": 5, "village": 5,
    "grid": 6, "unit": 7, "building": 7,
}  # fmt: skip
MAX_LEVEL = 7
CODE_CHARACTERS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_")
CODE_LENGTH = 64
REQUIRED = ("code", "name", "level")
SEPARATOR = "."


@dataclass(frozen=True, slots=True)
class TerritoryInput:
    """One unit of a list. Dates are local: `valid_from` inclusive, `valid_to` exclusive."""

    code: str
    name: str
    level: int
    parent_code: str
    name_en: str = ""
    kind: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    successor_code: str | None = None
    tz: str | None = None
    tile: tuple[int, int] | None = None
    population: int | None = None


def _(text: str) -> str:
    """Mark a text for translation; the action that shows it translates."""
    return text


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong in which row (counted from 1, the header not counted), and what to do.

    `message` and `hint` are to be translated and then filled with `values`.
    """

    row: int
    field: str
    rule: str
    message: str
    hint: str = ""
    values: Mapping[str, object] = dataclass_field(default_factory=dict)


def parse_rows(rows: Iterable[Mapping[str, str]]) -> tuple[list[TerritoryInput], list[RowError]]:
    """Return the units and, for each row that is not one, why."""
    units: list[TerritoryInput] = []
    errors: list[RowError] = []
    for number, row in enumerate(rows, start=1):
        cells = {key.strip(): (value or "").strip() for key, value in row.items() if key}
        try:
            units.append(_parse(cells, number))
        except _BadCell as bad:
            errors.append(bad.error)
    return units, errors


def check_tree(units: list[TerritoryInput], known: frozenset[str] = frozenset()) -> list[RowError]:
    """Return what keeps the list from being a tree of paths; `known` are codes that exist already."""
    codes = {unit.code for unit in units} | known
    seen: set[str] = set()
    errors = []
    for number, unit in enumerate(units, start=1):
        if unit.code in seen:
            message = _("The code %(code)s stands here twice.")
            errors.append(RowError(number, "code", "unique", message, values={"code": unit.code}))
        seen.add(unit.code)
        errors.extend(_path_error(number, unit, codes))
        if unit.successor_code and unit.successor_code not in codes:
            message = _("The successor %(successor)s of %(code)s is not in the list.")
            values: dict[str, object] = {"successor": unit.successor_code, "code": unit.code}
            errors.append(RowError(number, "successor", "exists", message, values=values))
    return errors


def inherit_zones(units: list[TerritoryInput]) -> list[TerritoryInput]:
    """Give a unit without a time zone that of its nearest forebear in the list that has one."""
    by_code = {unit.code: unit for unit in units}

    def zone(unit: TerritoryInput) -> str | None:
        seen = {unit.code}
        while unit.tz is None and unit.parent_code in by_code and unit.parent_code not in seen:
            unit = by_code[unit.parent_code]
            seen.add(unit.code)
        return unit.tz

    return [replace(unit, tz=zone(unit)) for unit in units]


def make_paths(units: list[TerritoryInput]) -> list[TerritoryInput]:
    """Give every unit a path made of the codes from the top down, each ended by a dot: `GB.E12.E0647.`

    For lists whose codes say nothing about their parent. The dot ends each step: E1 does not contain E10.
    """
    parents = {unit.code: unit.parent_code for unit in units}

    def path(code: str) -> str:
        steps = [code]
        while (up := parents.get(steps[-1], "")) and up not in steps:
            steps.append(up)
        return "".join(step.replace(SEPARATOR, "_") + SEPARATOR for step in reversed(steps))

    return [
        replace(
            unit,
            code=path(unit.code),
            parent_code=path(unit.parent_code) if unit.parent_code else "",
            successor_code=path(unit.successor_code) if unit.successor_code else None,
        )
        for unit in units
    ]


class _BadCell(Exception):
    def __init__(self, error: RowError) -> None:
        super().__init__(error.rule)
        self.error = error


def _path_error(number: int, unit: TerritoryInput, codes: set[str] | frozenset[str]) -> list[RowError]:
    above = next((unit.code[:n] for n in range(len(unit.code) - 1, 0, -1) if unit.code[:n] in codes), "")
    parent = unit.parent_code
    if parent == above:
        return []
    if not parent:
        message = _("%(code)s has no parent but begins with the code %(above)s.")
        hint = _("Write %(above)s as its parent_code.")
    elif parent not in codes:
        message = _("The parent %(parent)s of %(code)s is not in the list.")
        hint = _("Add it above, or mend parent_code.")
    elif not unit.code.startswith(parent):
        message = _("The code %(code)s does not begin with its parent's code %(parent)s.")
        hint = _("If the codes of this list are not paths, load it with --make-paths.")
    else:
        message = _("The code %(code)s also begins with %(above)s, which is not its parent.")
        hint = _("Give siblings codes of one length, or load the list with --make-paths.")
    values: dict[str, object] = {"code": unit.code, "parent": parent, "above": above}
    return [RowError(number, "parent_code", "path", message, hint, values)]


def _parse(cells: dict[str, str], number: int) -> TerritoryInput:
    values: dict[str, object]
    for name in REQUIRED:
        if not cells.get(name):
            hint = _("The columns %(columns)s are required.")
            values = {"name": name, "columns": ", ".join(REQUIRED)}
            raise _BadCell(RowError(number, name, "required", _("There is no %(name)s."), hint, values))
    code = cells["code"]
    if len(code) > CODE_LENGTH or not set(code) <= CODE_CHARACTERS:
        message = _("“%(code)s” is not a code: at most %(most)d Latin letters, digits and . - _")
        values = {"code": code, "most": CODE_LENGTH}
        raise _BadCell(RowError(number, "code", "characters", message, values=values))
    level = _level(cells["level"], number)
    valid_from, valid_to = _day(cells, "valid_from", number), _day(cells, "valid_to", number)
    if valid_from and valid_to and valid_to <= valid_from:
        message = _("%(code)s ends on %(end)s, not after its start %(start)s.")
        values = {"code": code, "end": valid_to, "start": valid_from}
        raise _BadCell(RowError(number, "valid_to", "order", message, values=values))
    name = cells["name"]
    return TerritoryInput(
        code=code,
        name=name,
        level=level,
        parent_code=cells.get("parent_code", ""),
        name_en=cells.get("name_en") or english(name, level),
        kind=cells.get("kind") or kind_of(name, level),
        valid_from=valid_from,
        valid_to=valid_to,
        successor_code=cells.get("successor") or cells.get("successor_code") or None,
        tz=_zone(cells, number),
        population=_count(cells, number),
    )


def _level(text: str, number: int) -> int:
    level = LEVELS.get(text.lower()) or (int(text) if text.isdecimal() else 0)
    if not 1 <= level <= MAX_LEVEL:
        hint = _("Write 1 to %(most)d, or one of %(words)s.")
        values: dict[str, object] = {"text": text, "most": MAX_LEVEL, "words": ", ".join(LEVELS)}
        raise _BadCell(RowError(number, "level", "known", _("“%(text)s” is not a level."), hint, values))
    return level


def _day(cells: dict[str, str], name: str, number: int) -> date | None:
    text = cells.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        message, hint = _("“%(text)s” is not a date."), _("Write it as 2020-02-05.")
        raise _BadCell(RowError(number, name, "date", message, hint, {"text": text})) from None


def _zone(cells: dict[str, str], number: int) -> str | None:
    name = cells.get("tz", "")
    if not name:
        return None
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        message, hint = _("“%(text)s” is not a time zone."), _("Write it as Asia/Shanghai.")
        raise _BadCell(RowError(number, "tz", "zone", message, hint, {"text": name})) from None


def _count(cells: dict[str, str], number: int) -> int | None:
    text = cells.get("population", "")
    if text and not text.isdecimal():
        message = _("“%(text)s” is not a whole number.")
        raise _BadCell(RowError(number, "population", "number", message, values={"text": text}))
    return int(text) if text else None
