"""EARS C1, C2, C3 of many series beside surveillance::earsC, in one run.

1,000 daily series of 365 days, every day assessed that can be. Bar: at least 200 times as fast as the peer,
which gets all series in one object and one call. Loading packages does not count; numbers are compared too.

    python3 bihuan.py bench ears [--series 1000] [--days 365] [--peer-series 1000]
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import peer_r

BAR = 200.0
FIRST = {"C1": 8, "C2": 10, "C3": 12}


def main(words: Sequence[str] = ()) -> int:
    """Run it and print the table; 1 when a bar is missed or a number differs."""
    options = _options(words)
    counts = np.random.default_rng(20200123).negative_binomial(
        4, 4 / (4 + 6.0), (options.series, options.days)
    )
    from bihuan.epi.detection.ears import ears

    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(f"EARS, {options.series} series x {options.days} days, baseline 7; seconds, ours median of five")
    lines, good = [], True
    for method, first_t in FIRST.items():
        found, first, seconds = peer_r.seconds_of(lambda m=method: ears(counts, method=m, guard=False))
        peer = peer_r.ask(
            counts[: options.peer_series],
            before="s <- sts(observed = x, frequency = 365, start = c(2020, 1))",
            call=f'earsC(s, control = list(method = "{method}", baseline = 7, range = {first_t}:nrow(x)))',
        )
        whole = peer.seconds * options.series / min(options.series, options.peer_series) if peer else None
        line, met = peer_r.row(f"{method} (first call {first:.3f} s)", ours=seconds, peer=whole, bar=BAR)
        lines.append(line)
        good &= met and _equal(found, peer, first_t)
    print(peer_r.HEAD, *lines, sep="\n")
    return 0 if good else 1


def _equal(found: Any, peer: peer_r.Peer, first_t: int) -> bool:
    n = peer.upper.shape[0]
    upper, alarm = found.upper[:n, first_t - 1 :], found.alarm[:n, first_t - 1 :]
    apart = float(np.nanmax(np.abs(upper - peer.upper)))
    alarms = int(np.sum((alarm != peer.alarm) & ~np.isnan(peer.alarm)))
    print(f"  largest difference of an upper bound {apart:.1e}, alarms that differ {alarms} of {alarm.size}")
    return apart < 1e-9 and alarms == 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench ears")
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument(
        "--peer-series", type=int, default=1000, help="the peer's time is scaled up from these"
    )
    return parser.parse_args(list(words))


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
