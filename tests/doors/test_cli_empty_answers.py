"""An answer without rows is a table with the columns it would have; so is one whose cells are not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bihuan.doors.cli.epi import columns
from bihuan.doors.cli.main import run
from bihuan.epi.errors import InputError
from bihuan.epi.tables import write_rows
from tests.doors.cli_room import files

#: A command that finds something, what is changed so that it finds nothing, and the columns of both.
ASKED: dict[str, tuple[str, dict[str, str], Any]] = {
    "alarms": (
        "epi detect {outbreak} --method ears-c1 --alarms",
        {"{outbreak}": "{quiet}"},
        {**columns.ALARMS, **columns.EXPLAINED},
    ),
    "alarms among many, with marks": (
        "epi detect {outbreak} --method ears-c1 --alarms --q bh --mark 2020-01-02:correction:x",
        {"{outbreak}": "{quiet}"},
        {**columns.ALARMS, **columns.MARKED, **columns.Q_VALUE, **columns.EXPLAINED},
    ),
    "clusters": (
        "epi scan {outbreak} --series county --locations {points} --replications 9 --model expectation",
        {"{outbreak}": "{none}"},
        columns.CLUSTERS,
    ),
    "links": (
        "chains export {cases} --links {links}",
        {"{links}": "{strangers}"},
        columns.LINKS,
    ),
    "cases": ("chains export {cases} --cases", {}, columns.CASES),
    "marks": ("chains graph {cases}", {}, columns.MARKS),
    "infectors": ("chains infectors {cases} --generation 5,2 --incubation 5,2", {}, columns.INFECTORS),
    "candidates": (
        "trace --cases {asked} --second-order",
        {"{asked}": "{long_ago}"},
        columns.CANDIDATES,
    ),
    "candidates by the day": (
        "trace --cases {asked} --store {days} --second-order",
        {"{asked}": "{long_ago}"},
        columns.CANDIDATES_BY_DAY,
    ),
    "present": ("trace place cafe --from 2020-02-08 --to 2020-02-08", {"02-08": "03-08"}, columns.PRESENT),
    "common": ("trace common --cases {asked}", {"{asked}": "{long_ago}"}, columns.COMMON),
    "common by the day": (
        "trace common --cases {asked} --store {days}",
        {"{asked}": "{long_ago}"},
        columns.COMMON_BY_DAY,
    ),
    "recalled": (
        "trace recalled --diaries {diaries} --from 2020-02-08 --to 2020-02-08",
        {},
        columns.RECALLED,
    ),
    "drawn": ("trace common --cases {asked} --any-time", {"{asked}": "{long_ago}"}, columns.DRAWN),
}


@pytest.fixture
def world(tmp_path: Path, settings: Any) -> dict[str, Path]:
    settings.BIHUAN_HOME = tmp_path
    read = files(tmp_path) | {"days": tmp_path / "days"}
    head = "date,county,count\n"
    days = [f"2020-01-{i:02d}" for i in range(1, 32)]
    shapes = {"outbreak": lambda i: 90 if i > 28 else 2, "quiet": lambda i: 2, "none": lambda i: 2}
    for name, count in shapes.items():
        read[name] = tmp_path / f"{name}.csv"
        lines = [f"{d},{c},{count(i) if c == 'A' else 2}" for i, d in enumerate(days) for c in "AB"]
        read[name].write_text(head + "\n".join(lines), "utf-8")
    read["long_ago"] = tmp_path / "long_ago.csv"
    read["long_ago"].write_text(
        "person,from,to\nANNA,2019-02-09,2019-02-09\nBERT,2019-02-09,2019-02-09\n", "utf-8"
    )
    read["strangers"] = tmp_path / "strangers.csv"
    read["strangers"].write_text("from,to\nx,y\n", "utf-8")
    read["by_day"] = tmp_path / "by_day.csv"
    read["by_day"].write_text(
        "person,place,start,end\n"
        + "".join(f"{p},shop,2020-02-08,2020-02-08\n" for p in ("ANNA", "BERT", "C")),
        "utf-8",
    )
    assert run(["visits", "ingest", str(read["visits"])]) == 0
    assert run(["visits", "ingest-days", str(read["by_day"]), "--store", str(read["days"])]) == 0
    return read


def written(words: str, world: dict[str, Path], folder: Path) -> tuple[list[str], dict[str, str], int]:
    """Header of the CSV, columns and types of the Parquet file, and how many rows the answer has."""
    outs = [folder / f"out{suffix}" for suffix in (".csv", ".parquet", ".json")]
    typed = [word.format(**world) for word in words.split()]
    assert run([*typed, *(word for out in outs for word in ("--out", str(out)))]) == 0
    table, parquet, listed = outs
    found = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{parquet}')").fetchall()
    header = table.read_text("utf-8-sig").splitlines()[0].split(",")
    return header, {name: kind for name, kind, *_more in found}, len(json.loads(listed.read_text("utf-8")))


TYPES = {"str": "VARCHAR", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "date": "DATE"}


@pytest.mark.parametrize("what", ASKED)
def test_an_answer_without_rows_has_the_columns_of_one_with_rows(
    what: str, world: dict[str, Path], tmp_path: Path
) -> None:
    words, changed, meant = ASKED[what]
    expected = {name: TYPES[kind.__name__] for name, kind in meant.items()}
    header, kinds, n = written(words, world, tmp_path)
    assert n
    assert header == list(meant)
    assert kinds == expected
    if not changed:
        return
    for old, new in changed.items():
        assert old in words
        words = words.replace(old, new)
    assert written(words, world, tmp_path) == (list(meant), expected, 0)


def test_delays_of_which_none_could_be_fitted_are_a_table_too(tmp_path: Path) -> None:
    file = tmp_path / "few.csv"
    file.write_text("a,b,county\n2020-02-01,2020-02-02,A\n2020-02-01,2020-02-03,B\n", "utf-8")
    words = f"epi delays {file} --from a --to b --by county"
    assert written(words, {}, tmp_path)[0] == ["county", *columns.DELAYS]


def test_a_column_of_which_nothing_is_known_keeps_its_kind(tmp_path: Path) -> None:
    kinds = {"n": int, "x": float, "t": str, "ok": bool}
    path = write_rows([dict.fromkeys(kinds)], tmp_path / "a.parquet", columns=kinds)
    found = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
    assert [str(kind) for kind in found.types] == ["BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN"]
    assert found.fetchall() == [(None, None, None, None)]


def test_a_table_of_nobody_knows_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there are no rows to write to a\.csv"):
        write_rows([], tmp_path / "a.csv")
    assert json.loads(write_rows([], tmp_path / "a.json").read_text()) == []
