"""The bulk question on Spark: one machine, or a cluster that sees the store's folder. PySpark is an extra.

    with on_spark(master="spark://host:7077", folder="hdfs:///bihuan/visits") as engine:
        engine(store, windows, margin=15)

What goes to the cluster are small numbers of people and minutes, never a keyed number, the key or an
identity. Executors need no Python: everything there is SQL. How to point it at a cluster, and what was tried,
is told in docs/how-to/spark.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import EpiError
from bihuan.epi.visits import bulk, question
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.met import Met
from bihuan.epi.visits.store import VisitStore
from bihuan.epi.visits.trace import Engine
from bihuan.epi.visits.windows import AnyWindows, Windows

#: All cores of this machine, when nobody names a cluster.
HERE = "local[*]"
#: What a session begins with; options of the caller stand above.
DEFAULTS = {
    "spark.app.name": "bihuan trace",
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
}
#: One machine has no use for the network; a name of it that does not resolve is then no trouble.
_ALONE = {"spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false"}
_WINDOWS = "c LONG, person LONG, since LONG, until LONG"
_STAYS = "person LONG, place LONG, start INT, minutes INT"


#: Windows up to which every executor is told all of them (32 bytes each).
_TOLD = 1_000_000


class SparkError(EpiError):
    """Spark is not there, or did not answer."""


@contextmanager
def on_spark(
    *, master: str = "", options: Mapping[str, str] | None = None, folder: str = ""
) -> Iterator[Engine]:
    """An engine like `trace.meet` on Spark: on the session that runs already, or one that ends afterwards.

    `master`: where it runs, as Spark writes it (yarn, k8s://…, spark://…, local[4]); without it what
    `options` or Spark's own configuration say, else this machine. `folder`: the store's folder as the cluster
    sees it (hdfs://…, s3a://…, file:///mnt/…), where that is another path than here; the manifest is read
    here. Raises SparkError when PySpark or Java is missing, or the cluster does not answer.
    """
    running = _running()
    session = running or _session(master, dict(options or {}))
    machine = _Spark(session, folder)

    def engine(store: VisitStore, windows: AnyWindows, *, margin: int = 0) -> Met:
        machine.root = store.folder
        try:
            return bulk.ask(machine, store, windows, margin=margin)
        except _failures() as error:
            raise _said(error) from error
        finally:
            machine.drop()

    try:
        yield engine
    finally:
        if running is None:
            session.stop()


def _running() -> Any:
    """The session of this process, None when there is none. SparkError when PySpark is missing."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise SparkError(
            "PySpark is not installed; pip install 'bihuan[spark]' (and Java 17 or later on this machine)",
            "未安装 PySpark；请运行 pip install 'bihuan[spark]'（本机还需 Java 17 或以上）",
            field="engine",
        ) from None
    return SparkSession.getActiveSession()


def _session(master: str, options: dict[str, str]) -> Any:
    import pyspark
    from pyspark.sql import SparkSession

    chosen = master or options.get("spark.master", "") or _configured() or HERE
    settings = {**DEFAULTS, **(_ALONE if chosen.startswith("local") else {}), **options}
    if chosen.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))  # local-cluster's workers ask
    builder = SparkSession.builder.master(chosen)
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except _failures() as error:
        raise _said(error) from error
    session.sparkContext.setLogLevel(settings["spark.log.level"])
    return session


def _configured() -> str:
    """The master that spark-defaults.conf of an installed Spark names, if any."""
    folder = os.environ.get("SPARK_CONF_DIR") or os.path.join(os.environ.get("SPARK_HOME", ""), "conf")
    try:
        lines = Path(folder, "spark-defaults.conf").read_text("utf-8").splitlines()
    except OSError:
        return ""
    found = [line.split(None, 1) for line in lines if line.startswith("spark.master")]
    return found[0][1].strip() if found and len(found[0]) == 2 else ""


def _failures() -> tuple[type[Exception], ...]:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return PySparkException, Py4JError


def _said(error: Exception) -> SparkError:
    first = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
    return SparkError(f"Spark: {first}", f"Spark：{first}", field="engine")


class _Spark:
    dialect = "pyspark"

    def __init__(self, session: Any, folder: str) -> None:
        self.session, self.folder = session, folder.rstrip("/")
        self.root = Path()
        self.kept: list[Any] = []

    def windows(self, asked: Windows) -> None:
        columns = (range(asked.size), asked.person.tolist(), asked.since.tolist(), asked.until.tolist())
        made = self.session.createDataFrame(list(zip(*columns, strict=True)), schema=_WINDOWS)
        if asked.size <= _TOLD:  # Spark cannot know that they are few, and would exchange every stay
            made = made.hint("broadcast")
        made.createOrReplaceTempView(question.WINDOWS)

    def stays(self, name: str, files: bulk.Files) -> None:
        """The days below each other. The schema is given, so that no file is opened to look for it."""
        days = [
            self._read([path for path, _day in of_day], day)
            for day, of_day in groupby(sorted(files, key=lambda f: f[1]), key=lambda f: f[1])
        ]
        reduce(lambda one, other: one.unionAll(other), days).createOrReplaceTempView(name)

    def _read(self, paths: Sequence[Path], day: int) -> Any:
        begin = f"start + {day * DAY_MINUTES}"
        return (
            self.session.read.schema(_STAYS)
            .parquet(*(self._where(path) for path in paths))
            .selectExpr("person", "place", f"{begin} AS a", f"{begin} + minutes AS b")
        )

    def _where(self, path: Path) -> str:
        if self.folder:
            return f"{self.folder}/{path.relative_to(self.root).as_posix()}"
        return path.resolve().as_uri()

    def keep(self, name: str, sql: str) -> None:
        found = self.session.sql(sql).persist()
        self.kept.append(found)
        found.createOrReplaceTempView(name)

    def rows(self, sql: str, names: Sequence[str]) -> list[NDArray[np.int64]]:
        found = self.session.sql(sql).select(*names).collect()
        return list(np.array(found, np.int64).reshape(-1, len(names)).T)

    def drop(self) -> None:
        while self.kept:
            self.kept.pop().unpersist()
