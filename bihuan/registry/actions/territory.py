"""Loading a territory tree: the shipped one, or any country's own."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

from django.db import connection, transaction
from django.utils.translation import gettext as _

from bihuan.registry import stamps, territory
from bihuan.registry.access import require
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.registry.models.territory import Level
from bihuan.registry.place_names import english, kind_of
from bihuan.registry.territory_rules import TerritoryInput, check_tree, inherit_zones, make_paths, parse_rows

_DATA = files("bihuan.registry") / "data"
_LEVEL_BY_LENGTH = {2: 1, 4: 2, 6: 3, 9: 4, 12: 5}
_PARENT_LENGTH = {2: 0, 4: 2, 6: 4, 9: 6, 12: 9}
_DEFAULT_TZ = "Asia/Shanghai"
_COLUMNS = (
    "code, name, name_en, level, kind, parent_code, valid_from, valid_to, successor_code, tz, geometry_tile, "
    "population"
)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did: units added, changed (of these retired), and found as they were."""

    added: int
    changed: int
    retired: int
    unchanged: int

    @property
    def total(self) -> int:
        return self.added + self.changed + self.unchanged


def load_builtin(*, actor: Actor) -> LoadReport:
    """Load the shipped tree of China (see data/README.md). Doing it again changes nothing."""
    require("account.admin")
    return store_units(list(builtin_units()))


def load_file(path: Path, *, actor: Actor, paths: bool = False) -> LoadReport:
    """Load a CSV of units (columns in docs of `bihuan territory load`). All or nothing: any bad row refuses
    the file with every error listed. `paths` makes path codes of codes that are none."""
    require("account.admin")
    units, errors = parse_rows(_csv_rows(path))
    if not errors:
        if paths:
            units = make_paths(units)
        errors = check_tree(units, frozenset(territory.tree().by_code))
    if errors:
        raise Invalid(
            _("%(name)s is not a territory list: %(count)d rows are wrong.")
            % {"name": path.name, "count": len({e.row for e in errors})},
            errors=[
                {
                    "row": e.row,
                    "field": e.field,
                    "rule": e.rule,
                    "message": _("row %(row)d: %(what)s") % {"row": e.row, "what": _(e.message) % e.values},
                    "hint": _(e.hint) % e.values if e.hint else "",
                }
                for e in errors
            ],
            hint=_("Nothing was changed. Mend the rows and load the file again."),
        )
    return store_units(inherit_zones(units))


def builtin_units() -> Iterator[TerritoryInput]:
    """The shipped units, with former codes."""
    people = {code: int(count) for code, count in _gz_pairs("cn-population-2020.csv.gz") if count}
    tiles = {row["code"]: (int(row["x"]), int(row["y"])) for row in _csv_data("hubei-tiles.csv")}
    changes = list(_csv_data("cn-changes.csv"))
    begins = {row["successor"]: row["valid_to"] for row in changes if row["below"] == "same"}
    current = list(_gz_pairs("cn-2023.csv.gz"))
    for code, name in current:
        level = _LEVEL_BY_LENGTH[len(code)]
        yield TerritoryInput(
            code=code,
            name=name,
            level=level,
            parent_code=code[: _PARENT_LENGTH[len(code)]],
            name_en=_english(name, level),
            kind=kind_of(name, level),
            valid_from=_day(begins.get(code[:6])),
            tz=_DEFAULT_TZ,
            tile=tiles.get(code),
            population=people.get(code),
        )
    for row in changes:
        yield _former(row["code"], row["name"], _day(row["valid_to"]), row["successor"] or None)
        if row["below"] == "same":
            for code, name in current:
                if code.startswith(row["successor"]) and code != row["successor"]:
                    was = row["code"] + code[len(row["successor"]) :]
                    yield _former(was, name, _day(row["valid_to"]), code)


def _former(code: str, name: str, until: date | None, successor: str | None) -> TerritoryInput:
    level = _LEVEL_BY_LENGTH[len(code)]
    return TerritoryInput(
        code=code,
        name=name,
        level=level,
        parent_code=code[: _PARENT_LENGTH[len(code)]],
        name_en=_english(name, level),
        kind=kind_of(name, level),
        valid_to=until,
        successor_code=successor,
        tz=_DEFAULT_TZ,
    )


def _english(name: str, level: int) -> str:
    """Villages get their English name when it is read: there are tens of thousands."""
    return english(name, level) if level <= Level.STREET else ""


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _gz_pairs(name: str) -> Iterator[tuple[str, str]]:
    for line in gzip.decompress((_DATA / name).read_bytes()).decode().splitlines():
        code, _comma, value = line.partition(",")
        yield code, value


def _csv_data(name: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(io.StringIO((_DATA / name).read_text(encoding="utf-8")))


def _csv_rows(path: Path) -> Iterable[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="gb18030", errors="strict")
    except OSError as error:
        raise Invalid(
            _("%(path)s cannot be read: %(why)s.") % {"path": path, "why": error.strerror}
        ) from error
    if not text.strip():
        raise Invalid(_("%(path)s is empty.") % {"path": path})
    return csv.DictReader(io.StringIO(text))


@transaction.atomic
def store_units(units: list[TerritoryInput]) -> LoadReport:
    """Add and change units in bulk; those that are as they were stay untouched. They have been checked."""
    require("account.admin")
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE territory_in (LIKE registry_territory INCLUDING DEFAULTS) ON COMMIT DROP"
        )
        cursor.execute("ALTER TABLE territory_in ALTER tz DROP NOT NULL")
        with cursor.copy(f"COPY territory_in ({_COLUMNS}) FROM STDIN") as copy:
            for unit in units:
                copy.write_row(_as_row(unit))
        cursor.execute(_COUNT)
        added, retired = cursor.fetchone()
        cursor.execute(_MERGE)
        touched = cursor.rowcount
        cursor.execute("DROP TABLE territory_in")
    stamps.look_again()
    return LoadReport(added, touched - added, retired, len(units) - touched)


def _as_row(unit: TerritoryInput) -> tuple[object, ...]:
    tile = json.dumps(unit.tile) if unit.tile else None
    return (
        unit.code,
        unit.name,
        unit.name_en,
        unit.level,
        unit.kind,
        unit.parent_code,
        unit.valid_from,
        unit.valid_to,
        unit.successor_code,
        unit.tz,
        tile,
        unit.population,
    )


_COUNT = """
SELECT count(*) FILTER (WHERE old.code IS NULL),
       count(*) FILTER (WHERE old.code IS NOT NULL AND old.valid_to IS NULL AND new.valid_to IS NOT NULL)
FROM territory_in new LEFT JOIN registry_territory old USING (code)
"""

# What a list does not say (time zone, tile, population) stays as it was.
_MERGE = f"""
INSERT INTO registry_territory AS old ({_COLUMNS})
SELECT code, name, name_en, level, kind, parent_code, valid_from, valid_to, successor_code,
       coalesce(tz, (SELECT p.tz FROM registry_territory p WHERE p.code = territory_in.parent_code),
                '{_DEFAULT_TZ}'), geometry_tile, population
FROM territory_in
ON CONFLICT (code) DO UPDATE SET
    name = excluded.name, name_en = excluded.name_en, level = excluded.level, kind = excluded.kind,
    parent_code = excluded.parent_code, valid_from = excluded.valid_from, valid_to = excluded.valid_to,
    successor_code = excluded.successor_code, tz = excluded.tz,
    geometry_tile = coalesce(excluded.geometry_tile, old.geometry_tile),
    population = coalesce(excluded.population, old.population)
WHERE (old.name, old.name_en, old.level, old.kind, old.parent_code, old.valid_from, old.valid_to,
       old.successor_code) IS DISTINCT FROM (excluded.name, excluded.name_en, excluded.level, excluded.kind,
       excluded.parent_code, excluded.valid_from, excluded.valid_to, excluded.successor_code)
   OR excluded.tz IS DISTINCT FROM old.tz AND EXISTS (
       SELECT 1 FROM territory_in given WHERE given.code = excluded.code AND given.tz IS NOT NULL)
   OR excluded.geometry_tile IS NOT NULL AND old.geometry_tile IS DISTINCT FROM excluded.geometry_tile
   OR excluded.population IS NOT NULL AND old.population IS DISTINCT FROM excluded.population
"""
