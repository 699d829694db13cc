"""Reproduction numbers of many series: estimate_r beside EpiEstim::estimate_R, in one run.

1,000 series of 200 days, parametric serial interval (mean 4.7, SD 2.9 days), sliding weeks, seven quantiles.
Bar: at least 60 times as fast as EpiEstim, which takes one series a call. Both sides get the same counts,
already in memory; loading packages does not count; neither starts processes or threads of its own (a small
matrix product of ours may use more than one core of the BLAS). Means and quantiles are compared besides.

    python3 bihuan.py bench rt [--series 1000] [--days 200] [--peer-series 1000]
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

BAR = 60.0
MEAN_SI, SD_SI = 4.7, 2.9
RUNS = 5

PEER = """
options(warn=-1); suppressMessages(library(EpiEstim)); suppressMessages(library(utils))
x <- as.matrix(read.csv("counts.csv", header=FALSE))
one <- function(i) suppressMessages(estimate_R(x[i,], method="parametric_si",
  config=make_config(list(mean_si={mean}, std_si={sd}))))$R
invisible(one(1))
seconds <- system.time(for (i in seq_len(nrow(x))) r <- one(i))[["elapsed"]]
write.csv(data.frame(seconds=seconds), "seconds.csv", row.names=FALSE)
write.csv(r, "last.csv", row.names=FALSE)
"""


def main(words: Sequence[str] = ()) -> int:
    """Run it and print the table; 1 when the bar is missed or the numbers differ."""
    options = _options(words)
    counts = made_up(options.series, options.days)
    started = time.perf_counter()
    from bihuan.epi.reproduction import estimate_r

    loaded = time.perf_counter() - started

    def ours() -> Any:
        return estimate_r(counts, mean_si=MEAN_SI, sd_si=SD_SI)

    found, first = _timed(ours)
    seconds = statistics.median(_timed(ours)[1] for _run in range(RUNS))
    peer = _peer(counts[: options.peer_series])
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(
        f"estimate_R, {options.series} series x {options.days} days, {found.windows.n} windows, 7 quantiles"
    )
    print(f"  import {loaded:.2f} s, first call {first:.3f} s, then median of {RUNS}: {seconds:.3f} s")
    if peer is None:
        print("  EpiEstim: not installed (apt install r-cran-epiestim); no ratio")
        return 1
    whole = peer["seconds"] * options.series / min(options.peer_series, options.series)
    apart = _apart(found, min(options.peer_series, options.series) - 1, peer["table"])
    print(f"  {'':24}{'ours':>10}{'EpiEstim':>12}{'ratio':>10}{'bar':>8}")
    print(f"  {'seconds':24}{seconds:>10.3f}{whole:>12.2f}{whole / seconds:>9.0f}x{BAR:>7.0f}x")
    print(f"  largest relative difference of the last series: {apart:.1e}")
    return 0 if whole / seconds >= BAR and apart < 1e-7 else 1


def made_up(n: int, days: int, *, seed: int = 20200123) -> np.ndarray[Any, Any]:
    """Counts around levels that wander, from a few a day to hundreds."""
    rng = np.random.default_rng(seed)
    drift = np.cumsum(rng.normal(0, 0.05, (n, days)), axis=1) + rng.uniform(1, 5, n)[:, None]
    mean = np.exp(np.clip(drift, 0, 8))
    return rng.negative_binomial(10, 10 / (10 + mean))


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench rt")
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--days", type=int, default=200)
    parser.add_argument("--peer-series", type=int, default=1000, help="how many of them the peer computes")
    return parser.parse_args(list(words))


def _timed(work: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def _peer(counts: np.ndarray[Any, Any]) -> dict[str, Any] | None:
    """Seconds of EpiEstim over all series and its table of the last; None when it is not installed."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        place = Path(folder)
        np.savetxt(place / "counts.csv", counts, fmt="%d", delimiter=",")
        (place / "run.R").write_text(PEER.format(mean=MEAN_SI, sd=SD_SI), encoding="utf-8")
        environment = os.environ | {"TZ": "UTC", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [rscript, "run.R"], cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(done.stderr[-500:])
            return None
        with (place / "last.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))[1:]
        seconds = float((place / "seconds.csv").read_text(encoding="utf-8").split()[1])
    return {"seconds": seconds, "table": np.array(rows, dtype=np.float64)}


def _apart(found: Any, series: int, table: np.ndarray[Any, Any]) -> float:
    """Largest relative difference of mean, SD and quantiles, where the peer has numbers."""
    ours = np.column_stack([found.mean[series], found.sd[series], found.quantiles[series]])
    with np.errstate(invalid="ignore"):
        return float(np.nanmax(np.abs(ours / table[:, 2:] - 1)))


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
