"""farringtonFlexible beside surveillance::farringtonFlexible, in one run.

nbPlugin, noPeriods 10, five years of baseline: 20 series x 104 weeks, and the newest week of 3,000 series.
Bar: at least 30 times as fast per point as the peer. Mode "compatible", so that the numbers are the peer's
and can be compared; "corrected" is timed beside it. The peer's time for the 3,000 is scaled up from fewer.

    python3 bihuan.py bench farrington [--series 3000] [--peer-series 300]
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import peer_r

BAR = 30.0
YEARS, WEEKS = 10, 104
CONTROL = (
    "list(range = {first}:nrow(x), b = 5, w = 3, noPeriods = 10, pastWeeksNotIncluded = 26, alpha = 0.005,"
    ' thresholdMethod = "nbPlugin", pThresholdTrend = 1, weightsThreshold = 2.58, glmWarnings = FALSE)'
)


def main(words: Sequence[str] = ()) -> int:
    """Run it and print the table; 1 when a bar is missed or a number differs."""
    options = _options(words)
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print("farringtonFlexible, nbPlugin, noPeriods 10; milliseconds a point, ours median of five")
    many = made_up(options.series)
    tasks = (
        (f"20 series x {WEEKS} weeks", many[:20], WEEKS, 20),
        (f"newest week of {options.series} series", many, 1, options.peer_series),
    )
    lines, good = [], True
    for label, counts, weeks, asked in tasks:
        said, met = _measure(label, counts, weeks, asked)
        lines += said
        good &= met
    print(peer_r.HEAD, *lines, sep="\n")
    return 0 if good else 1


def _measure(label: str, counts: np.ndarray[Any, Any], weeks: int, asked: int) -> tuple[list[str], bool]:
    from bihuan.epi.detection.farrington import farrington_flexible

    at = np.arange(counts.shape[1] - weeks, counts.shape[1])

    def run(mode: Any) -> Any:
        return farrington_flexible(counts, mode=mode, alpha=0.005, by_date=False, frequency="weekly", at=at)

    found, first, seconds = peer_r.seconds_of(lambda: run("compatible"))
    _, _, corrected = peer_r.seconds_of(lambda: run("corrected"))
    peer = peer_r.ask(
        counts[:asked],
        before="s <- sts(observed = x, frequency = 52, start = c(2010, 1))",
        call=f"farringtonFlexible(s, control = {CONTROL.format(first=counts.shape[1] - weeks + 1)})",
    )
    points = counts.shape[0] * weeks
    theirs = 1000 * peer.seconds / (min(asked, counts.shape[0]) * weeks) if peer else None
    line, met = peer_r.row(label, ours=1000 * seconds / points, peer=theirs, bar=BAR, unit="ms/point")
    said = [line, f"    whole {seconds:.3f} s, first call {first:.3f} s; corrected {corrected:.3f} s"]
    return said, met and peer is not None and _equal(found, peer)


def _equal(found: Any, peer: peer_r.Peer) -> bool:
    n = peer.upper.shape[0]
    known = ~np.isnan(peer.upper)
    bounds = int(np.sum((found.upper[:n] != peer.upper) & known))
    alarms = int(np.sum((found.alarm[:n] != peer.alarm) & known))
    print(f"  bounds that differ {bounds}, alarms that differ {alarms} of {known.sum()} compared")
    return bounds == 0 and alarms == 0


def made_up(n: int, *, seed: int = 20200123) -> np.ndarray[Any, Any]:
    """Weekly counts of ten years with season, trend and overdispersion, from rare to hundreds a week."""
    rng = np.random.default_rng(seed)
    t = np.arange(52 * YEARS)
    level = np.exp(rng.uniform(np.log(0.3), np.log(300), n))[:, None]
    season = rng.uniform(0, 0.8, n)[:, None] * np.sin(2 * np.pi * (t / 52 + rng.random(n)[:, None]))
    mean = level * np.exp(season + rng.normal(0, 0.3, n)[:, None] * t / t.size)
    phi = rng.uniform(1.1, 3, n)[:, None]
    return rng.poisson(rng.gamma(mean / (phi - 1), phi - 1))


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench farrington")
    parser.add_argument("--series", type=int, default=3000)
    parser.add_argument(
        "--peer-series", type=int, default=300, help="the peer's time is scaled up from these"
    )
    return parser.parse_args(list(words))


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
