"""Calling an R peer in the same run as ours: counts in, seconds and results out."""

from __future__ import annotations

import csv
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: Runs of ours; the peer runs once (it takes minutes).
RUNS = 5
_SCRIPT = """
suppressMessages(library(surveillance))
x <- t(as.matrix(read.csv("counts.csv", header = FALSE))); dimnames(x) <- NULL
{before}
seconds <- system.time(found <- suppressWarnings({call}))[["elapsed"]]
write.table(t(upperbound(found)), "upper.csv", sep = ",", row.names = FALSE, col.names = FALSE)
write.table(t(alarms(found) + 0), "alarm.csv", sep = ",", row.names = FALSE, col.names = FALSE)
cat(seconds, file = "seconds.txt")
"""


@dataclass(frozen=True, slots=True)
class Peer:
    seconds: float
    upper: np.ndarray[Any, Any]
    alarm: np.ndarray[Any, Any]


def ask(counts: np.ndarray[Any, Any], *, before: str, call: str) -> Peer | None:
    """Run `call` on the counts (`x`, time x series) and time it; None where R or the package is absent."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-r-") as name:
        folder = Path(name)
        np.savetxt(folder / "counts.csv", counts, delimiter=",", fmt="%d")
        (folder / "run.R").write_text(_SCRIPT.format(before=before, call=call), encoding="utf-8")
        done = subprocess.run(["Rscript", "run.R"], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            print(f"  the peer did not run: {done.stderr.strip().splitlines()[-1:]}")
            return None
        return Peer(
            float((folder / "seconds.txt").read_text()),
            _table(folder / "upper.csv"),
            _table(folder / "alarm.csv"),
        )


def _table(path: Path) -> np.ndarray[Any, Any]:
    with path.open(encoding="utf-8", newline="") as file:
        return np.array(
            [[np.nan if c in ("NA", "NaN") else float(c) for c in row] for row in csv.reader(file)]
        )


def seconds_of(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result, the first call, and the median of those that follow."""
    result, first = _timed(work)
    return result, first, statistics.median(_timed(work)[1] for _run in range(RUNS))


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def row(label: str, *, ours: float, peer: float | None, bar: float, unit: str = "s") -> tuple[str, bool]:
    """One line of the table, and whether the bar is met."""
    if peer is None:
        return f"  {label:34}{ours:>11.4g}{'-':>11}{'-':>9}{bar:>7.0f}x  {unit}", False
    return (
        f"  {label:34}{ours:>11.4g}{peer:>11.4g}{peer / ours:>8.0f}x{bar:>7.0f}x  {unit}",
        peer / ours >= bar,
    )


HEAD = f"  {'':34}{'ours':>11}{'peer':>11}{'ratio':>9}{'bar':>8}"
