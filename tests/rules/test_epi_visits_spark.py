"""The bulk question on Spark: the same text, the same rows as the index and DuckDB give, row by row.

PySpark is an extra (requirements-spark.lock), so most of this is skipped where it is not installed; `.ci/run`
installs it and says so by BIHUAN_SPARK=1, and then nothing is skipped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlglot
from sqlglot import exp

from bihuan.doors.cli import main
from bihuan.epi.visits import Batch, VisitStore, bulk, question
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.spark import _NO_JAVA, _PATIENCE, SparkError, _said, on_spark
from bihuan.epi.visits.store import UNKNOWN_END
from bihuan.epi.visits.trace import Engine, Windows, meet, second_order

ZERO = 18_300 * DAY_MINUTES  # 2020-02-08
CLUSTER = "local-cluster[2,1,1024]"  # two workers, processes of their own, a core and 1 GB each
SMALL = {"spark.sql.shuffle.partitions": "4"}
MISSING = (
    "PySpark is not installed (pip install 'bihuan[spark]')"
    if importlib.util.find_spec("pyspark") is None
    else "no Java on this machine"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ
    else ""
)
needs_spark = pytest.mark.skipif(bool(MISSING) and "BIHUAN_SPARK" not in os.environ, reason=MISSING)


def town(
    folder: Path, seed: int, *, n: int = 20_000, people: int = 1_500, crowded: bool = True
) -> VisitStore:
    """Four days of stays: check-ins without an end, short and long ones, some over midnight; in two parts."""
    rng, places = np.random.default_rng(seed), 60 if crowded else 300
    start = ZERO + rng.integers(0, 4 * DAY_MINUTES, n)
    stay = np.where(rng.random(n) < 0.1, rng.integers(61, 1500, n), rng.integers(0, 61, n))
    end = np.where(rng.random(n) < 0.1, UNKNOWN_END, start + stay)
    at = rng.zipf(1.5, n) % places if crowded else rng.integers(0, places, n)
    where = np.array([f"place {w}" for w in at], object)
    keys = rng.integers(1, people, n).astype(np.uint64)
    store = VisitStore.create(folder)
    for rows in np.array_split(np.arange(n), 2):
        store.append(Batch(rows.astype(np.uint64) + 1, keys[rows], where[rows], start[rows], end[rows]))
    return store


def cases(k: int, *, seed: int = 0) -> Windows:
    """Windows of one to three days; among many some of one person overlap."""
    rng = np.random.default_rng([seed, k])
    since = ZERO + rng.integers(0, 3 * DAY_MINUTES, k)
    until = since + rng.integers(0, 3 * DAY_MINUTES, k)
    return Windows(rng.integers(0, 1_400, k).astype(np.uint32), since, until)


def joins(sql: str, dialect: str) -> list[tuple[str, set[str]]]:
    """Kind of each join, and the columns its two sides are made equal by."""
    found = []
    for join in sqlglot.parse_one(sql, dialect=dialect).find_all(exp.Join):
        condition = join.args.get("on")
        equal = set() if condition is None else {e.left.name for e in condition.find_all(exp.EQ)}
        found.append((join.side + join.kind, equal))
    return found


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
def test_stays_are_never_joined_on_the_place_alone(dialect: str):
    asked = question.question(dialect, margin=15, short=60, long=1440)
    found = joins(asked.met, {"pyspark": "spark"}.get(dialect, dialect))
    pairs = [equal for kind, equal in found if equal and "SEMI" not in kind]
    assert pairs == [{"place", "bucket"}]
    assert [equal for kind, equal in found if "SEMI" in kind] == [{"place"}]


def test_without_pyspark_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(SparkError, match=r"pip install 'bihuan\[spark\]'"), on_spark():
        pass


def test_a_patience_that_is_no_number_of_seconds_is_refused():
    with pytest.raises(SparkError, match="seconds are needed"), on_spark(options={_PATIENCE: "5min"}):
        pass


def test_settings_of_spark_are_refused_where_they_mean_nothing(tmp_path: Path, capsys, settings):
    settings.BIHUAN_HOME = str(tmp_path)
    town(tmp_path / "visits", 1, n=10)
    file = tmp_path / "cases.csv"
    file.write_text("keyed_number,from\n0000000000000001,2020-02-08\n", "utf-8")
    words = ["trace", "--cases", str(file), "--lang", "en"]
    assert main.run([*words, "--spark-master", "yarn"]) == 2
    assert "--engine spark" in capsys.readouterr().err
    assert main.run([*words, "--engine", "spark", "--spark-conf", "memory=8g"]) == 2
    assert "spark.executor.memory=8g" in capsys.readouterr().err


@needs_spark
def test_the_command_gives_the_same_rows_with_every_engine(tmp_path: Path, capsys, settings):
    settings.BIHUAN_HOME = str(tmp_path)
    town(tmp_path / "visits", 5)
    file = tmp_path / "cases.csv"
    rows = [f"{key:016x},2020-02-09,2020-02-10 13:00" for key in (3, 5, 700)]
    file.write_text("\n".join(["keyed_number,from,to", *rows]), "utf-8")
    said = {}
    for engine, more in (("index", []), ("duckdb", []), ("spark", ["--spark-master", "local[2]"])):
        words = ["trace", "--cases", str(file), "--second-order", "--margin", "15", "--engine", engine]
        assert main.run([*words, *more, "--json"]) == 0
        said[engine] = json.loads(capsys.readouterr().out)["rows"]
    assert len(said["index"]) > 1000
    assert said["spark"] == said["index"]
    assert said["duckdb"] == said["index"]


@pytest.fixture(scope="module")
def spark() -> Iterator[Engine]:
    from pyspark.sql import SparkSession

    with on_spark(master=CLUSTER, options=SMALL) as engine:
        assert SparkSession.getActiveSession().sparkContext.master == CLUSTER
        yield engine


@needs_spark
@pytest.mark.parametrize(("k", "margin"), [(1, 0), (40, 15), (400, 0), (400, 1440)])
def test_two_workers_give_the_rows_of_the_index_and_of_duckdb(
    tmp_path: Path, spark: Engine, k: int, margin: int
):
    store, asked = town(tmp_path, k), cases(k)
    there = spark(store, asked, margin=margin).table
    assert there.shape[0] > 10
    assert np.array_equal(there, meet(store, asked, margin=margin).table)
    assert np.array_equal(there, bulk.meet(store, asked, margin=margin).table)


@needs_spark
def test_whom_those_met_then_met_is_the_same(tmp_path: Path, spark: Engine):
    store, asked = town(tmp_path, 9, people=5_000, crowded=False), cases(8)
    first = meet(store, asked)
    there = second_order(store, asked, first, engine=spark).table
    assert there.shape[0] > 100
    assert np.array_equal(there, second_order(store, asked, first).table)


@needs_spark
def test_nobody_is_met_by_nobody_and_on_days_the_store_does_not_hold(tmp_path: Path, spark: Engine):
    store = town(tmp_path, 4, n=200)
    late = ZERO + 90 * DAY_MINUTES
    assert spark(store, Windows.of([])).size == 0
    assert spark(store, Windows(np.zeros(1, np.uint32), np.array([late]), np.array([late + 60]))).size == 0
    unseen = Windows(np.array([4_000_000], np.uint32), np.array([ZERO]), np.array([ZERO + 60]))
    assert spark(store, unseen).size == 0


@needs_spark
def test_the_cluster_may_see_the_folder_under_another_name(tmp_path: Path, spark: Engine):
    store, asked = town(tmp_path / "here", 6), cases(30)
    wanted = meet(store, asked).table
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    for path in (tmp_path / "here").glob("day-*/*.parquet"):
        path.unlink()
    with on_spark(folder=(tmp_path / "there").as_uri()) as engine:  # on the session that runs
        assert np.array_equal(engine(store, asked).table, wanted)


@needs_spark
def test_what_spark_cannot_read_is_an_error_of_ours(tmp_path: Path, spark: Engine):
    store, asked = town(tmp_path, 6, n=300), cases(30)
    for path in tmp_path.glob("day-*/*.parquet"):
        path.unlink()
    with pytest.raises(SparkError, match="Spark: "):
        spark(store, asked)


@needs_spark
def test_a_merge_in_the_middle_of_a_question_is_a_second_try(
    tmp_path: Path, spark: Engine, monkeypatch: pytest.MonkeyPatch
):
    store, asked = town(tmp_path, 8, n=2_000), cases(30)
    wanted = meet(store, asked).table
    named, merged = VisitStore.files_of, []

    def files_of(reader: VisitStore, segment: Any, order: str) -> list[Path]:
        found = named(reader, segment, order)
        if reader is store and order == "place" and not merged:  # its list of files is already an old one
            merged.append(VisitStore(tmp_path).compact(least=2))
        return found

    monkeypatch.setattr(VisitStore, "files_of", files_of)
    assert np.array_equal(spark(store, asked).table, wanted)
    assert merged == [4]


def test_a_machine_without_java_is_told_what_to_install():
    said = _said(RuntimeError(f"[{_NO_JAVA}] Java gateway process exited before sending its port number."))
    assert "install Java 17" in said.en
    assert "安装 Java 17" in said.zh
