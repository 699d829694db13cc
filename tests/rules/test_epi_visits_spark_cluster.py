"""The bulk question on a standalone Spark cluster: master and workers as processes of their own, which the
driver reaches by spark://host:port, as an operator's does; and what comes of it when they die.

Skipped where PySpark is not installed, as `test_epi_visits_spark`; `.ci/run` installs it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bihuan.epi.visits import bulk, spark
from bihuan.epi.visits.spark import SparkError, on_spark
from bihuan.epi.visits.trace import Engine, meet, second_order
from tests.rules.test_epi_visits_spark import SMALL, cases, needs_spark, town

pytestmark = [needs_spark]
HERE = "127.0.0.1"
MASTER, WORKER = "org.apache.spark.deploy.master.Master", "org.apache.spark.deploy.worker.Worker"
#: Seconds: on a busy machine a worker starts its executor slowly.
PATIENCE, SHORT_PATIENCE = 180, 4.0


class Cluster:
    """A master and its workers, a core and 1 GB each. A worker and its executors die together, as a machine
    does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind((HERE, 0))
            port = free.getsockname()[1]
        self.url = f"spark://{HERE}:{port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.begun = 0
        self.master = self._start("master", MASTER, "--port", str(port))
        self._hear("master", "I have been elected leader")

    def make(self, number: int) -> None:
        """Start workers until there are so many."""
        while len(self.workers) < number:
            self.begun += 1
            name = f"worker-{self.begun}"
            words = ("--cores", "1", "--memory", "1g", "-d", str(self.folder / name), self.url)
            self.workers.append(self._start(name, WORKER, *words))
            self._hear(name, "Successfully registered with master")

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process in self.workers:
            self.workers.remove(process)

    def end(self) -> None:
        for process in (*self.workers, self.master):
            self.kill(process)

    def _start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        import pyspark

        home = Path(pyspark.__file__).parent
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [home / "bin" / "spark-class", words[0], "--host", HERE, "--webui-port", "0", *words[1:]],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={
                    **os.environ,
                    "SPARK_HOME": str(home),
                    "SPARK_LOCAL_IP": HERE,
                    "SPARK_DAEMON_MEMORY": "256m",
                },
            )

    def _hear(self, name: str, words: str) -> None:
        until = time.monotonic() + 60
        while words not in (said := (self.folder / f"{name}.log").read_text("utf-8", "replace")):
            assert time.monotonic() < until, said[-2000:]
            time.sleep(0.1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.make(2)
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def asking(cluster: Cluster) -> Iterator[Engine]:
    settings = {**SMALL, "spark.driver.host": HERE, "spark.bihuan.patience": str(PATIENCE)}
    with on_spark(master=cluster.url, options=settings) as engine:
        assert _context().master == cluster.url
        yield engine


def _context() -> Any:
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession().sparkContext


def test_a_cluster_gives_the_rows_of_the_index_and_of_duckdb(tmp_path: Path, asking: Engine) -> None:
    store, asked = town(tmp_path, 9, people=5_000, crowded=False), cases(8)
    there = asking(store, asked, margin=15)
    assert there.size > 10
    assert np.array_equal(there.table, meet(store, asked, margin=15).table)
    assert np.array_equal(there.table, bulk.meet(store, asked, margin=15).table)
    later = second_order(store, asked, there, margin=15, engine=asking).table
    assert later.shape[0] > 100
    assert np.array_equal(later, second_order(store, asked, there, margin=15).table)


def test_a_worker_killed_while_it_works_takes_no_row_with_it(
    tmp_path: Path, cluster: Cluster, asking: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.make(2)
    store, asked = town(tmp_path, 2), cases(40)
    killed = _kill_in_the_second_question(cluster, monkeypatch)
    there = asking(store, asked, margin=15).table
    assert killed.wait(0), "the worker outlived the question: nothing was tried"
    assert there.shape[0] > 100
    assert np.array_equal(there, meet(store, asked, margin=15).table)


def test_when_no_worker_is_left_it_says_so_instead_of_waiting_without_end(
    tmp_path: Path, cluster: Cluster, asking: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked, real = town(tmp_path, 3, n=1_000), cases(5), spark._Watch
    for worker in list(cluster.workers):
        cluster.kill(worker)
    with monkeypatch.context() as patch:
        patch.setattr(spark, "_Watch", lambda context, _patience: real(context, SHORT_PATIENCE))
        with pytest.raises(SparkError, match="no worker of the cluster was there"):
            asking(store, asked)


def _kill_in_the_second_question(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A worker dies with tasks running on both, when the visits of the cases lie in the memory of both."""
    done, asked, real = threading.Event(), [0], spark._Spark.rows

    def watch(status: Any) -> None:
        while not done.is_set():
            about = [status.getStageInfo(stage) for stage in status.getActiveStageIds()]
            if any(one is not None and one.numActiveTasks >= 2 for one in about):
                cluster.kill(cluster.workers[-1])
                done.set()
            time.sleep(0.01)

    def rows(machine: Any, *words: Any) -> Any:
        asked[0] += 1
        if asked[0] == 2:
            threading.Thread(target=watch, args=(_context().statusTracker(),), daemon=True).start()
        return real(machine, *words)

    monkeypatch.setattr(spark._Spark, "rows", rows)
    return done
