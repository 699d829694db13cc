"""The bulk question on Spark: one machine, or a cluster that sees the store's folder. PySpark is an extra.

    with on_spark(master="spark://host:7077", folder="hdfs:///bihuan/visits") as engine:
        engine(store, windows, margin=15)

What goes to the cluster are small numbers of people and minutes, never a keyed number, the key or an
identity. Executors need no Python: everything there is SQL. How to point it at a cluster, and what was tried,
is told in docs/how-to/spark.md.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
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


#: Seconds without a single worker after which a question is given up; Spark itself waits without end.
PATIENCE_S = 300
#: The option that says another number, and the seconds after which the waiting is told.
_PATIENCE, _TOLD_AFTER_S = "spark.bihuan.patience", 15
log = logging.getLogger("bihuan.visits")
logging.getLogger("py4j").setLevel(logging.WARNING)  # it tells of every connection it closes
#: What Spark calls it when the Java of this machine did not come up.
_NO_JAVA = "JAVA_GATEWAY_EXITED"
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
    here. Raises SparkError when PySpark or Java is missing, or the cluster does not answer; also a question
    does when no worker was there for PATIENCE_S seconds (option spark.bihuan.patience). What workers that die
    held is done again by others: an answer is whole or an error. On a session that ran already its owner
    decides how long to wait.
    """
    asked = dict(options or {})
    patience = _seconds(asked.get(_PATIENCE, str(PATIENCE_S)))
    running = _running()
    session = running or _session(master, asked)
    machine = _Spark(session, folder)
    waits = running is not None or _alone(session.sparkContext.master)

    def engine(store: VisitStore, windows: AnyWindows, *, margin: int = 0) -> Met:
        machine.root = store.folder
        watch = _Watch(session.sparkContext, patience)

        def once() -> Met:
            try:
                return bulk.ask(machine, store, windows, margin=margin)
            finally:
                machine.drop()

        try:
            with nullcontext() if waits else watch:
                return store.steadily(once, failures=_failures())
        except _failures() as error:
            raise (_nobody(patience) if watch.gave_up else _said(error)) from error

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
    here = chosen.startswith("local")
    settings = {**DEFAULTS, **(_ALONE if here else {}), **options}
    if here:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))  # local-cluster's workers ask
    builder = SparkSession.builder.master(chosen)
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except _failures() as error:
        raise _said(error, "" if here else chosen) from error
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


def _said(error: Exception, cluster: str = "") -> SparkError:
    """What Spark says, without its stack; of a `cluster` that gave no session also which one."""
    text = str(error)
    with suppress(Exception):  # py4j's own words name only the call; and the Java side may be gone
        text = error.java_exception.getMessage() or text  # type: ignore[attr-defined]
    first = next(iter(text.strip().splitlines()), type(error).__name__)[:300]
    if _NO_JAVA in first:
        return SparkError(
            f"Java did not start; install Java 17 or later, or set JAVA_HOME to it. Spark: {first}",
            f"Java 未能启动；请安装 Java 17 或以上，或将 JAVA_HOME 指向它。Spark：{first}",
            field="engine",
        )
    if not cluster:
        return SparkError(f"Spark: {first}", f"Spark：{first}", field="engine")
    return SparkError(
        f"no session on {cluster}; is it running, and can it and this machine reach each other?"
        f" Spark: {first}",
        f"未能连接 {cluster}；请确认集群在运行，且与本机可互相访问。Spark：{first}",
        field="engine",
    )


def _nobody(patience: float) -> SparkError:
    return SparkError(
        f"for {patience:g} s no worker of the cluster was there, so the question was given up; are workers"
        f" running, with cores and memory free? ({_PATIENCE} says how long to wait)",
        f"{patience:g} 秒内集群没有可用的工作节点，查询已放弃；请确认工作节点在运行且有空闲核与内存"
        f"（等待时长由 {_PATIENCE} 指定）",
        field="engine",
    )


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if found > 0:
        return found
    raise SparkError(
        f"{_PATIENCE}={text}: seconds are needed, such as {PATIENCE_S}",
        f"{_PATIENCE}={text}：应为秒数，例如 {PATIENCE_S}",
        field="engine",
    )


def _alone(master: str) -> bool:
    """Whether the driver does the work itself, and there are no workers to wait for."""
    return master == "local" or master.startswith("local[")


class _Watch:
    """Within it, all jobs of the session are given up when no worker was there for `patience` seconds."""

    def __init__(self, context: Any, patience: float) -> None:
        self.context, self.patience = context, patience
        self.gave_up = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="bihuan-spark-watch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_failed: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        seen, told = time.monotonic(), False
        with suppress(*_failures()):  # the session has ended: the question hears it itself
            while not self._over.wait(1.0):
                # The driver is one of those that keep blocks.
                if self.context._jsc.sc().getExecutorMemoryStatus().size() > 1:
                    seen, told = time.monotonic(), False
                    continue
                alone = time.monotonic() - seen
                if alone > min(_TOLD_AFTER_S, self.patience) and not told:
                    told = True
                    log.warning("no worker of the Spark cluster is there; waiting up to %g s", self.patience)
                if alone > self.patience:
                    self.gave_up = True
                    self.context.cancelAllJobs()


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
        with suppress(*_failures()):  # a session that has ended keeps nothing
            while self.kept:
                self.kept.pop().unpersist()
        self.kept.clear()
