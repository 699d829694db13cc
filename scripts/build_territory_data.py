"""Rebuild the shipped territory tree from public lists.

    python scripts/build_territory_data.py DIVISIONS [POPULATION]

DIVISIONS holds `china_province_city_county.csv` and `hubei_five_levels.csv.gz` (columns code, name;
statistical division codes of 2023), POPULATION holds `china_counties.csv`, `china_provinces.csv`,
`hubei_cities.csv` (seventh census, 2020). What comes out, and where it is from, is told in
bihuan/registry/data/README.md.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "bihuan" / "registry" / "data"


def main(divisions: Path, population: Path | None) -> None:
    units = {row["code"]: row["name"] for row in rows(divisions / "china_province_city_county.csv")}
    units |= {row["code"]: row["name"] for row in rows(divisions / "hubei_five_levels.csv.gz")}
    write(OUT / "cn-2023.csv.gz", sorted(units.items()))
    if population:
        people = {row["province_code"]: row["population"] for row in rows(population / "china_provinces.csv")}
        people |= {row["city_code"]: row["population"] for row in rows(population / "hubei_cities.csv")}
        people |= {row["code"]: row["population"] for row in rows(population / "china_counties.csv")}
        write(OUT / "cn-population-2020.csv.gz", sorted((c, n) for c, n in people.items() if c in units))


def rows(path: Path) -> Iterator[dict[str, str]]:
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def write(path: Path, lines: list[tuple[str, str]]) -> None:
    text = "".join(f"{code},{value}\n" for code, value in lines)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{path.name}: {len(lines)} lines, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
