"""What the peer's dispersion after reweighting changes: mode "compatible" beside "corrected".

1,000 series of seven years of weeks without any trend, season and overdispersion as in surveillance, the last
26 weeks assessed; once as they are, once with three outbreaks put into the past. The table of
docs/reference/farrington.md.

    python3 bihuan.py bench farrington_effect [--series 1000]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

WEEKS, ASSESSED, SEED = 52 * 7, 26, 20200123
ASKED = (
    ("delta", 0.05),
    ("delta", 1.0),
    ("nbPlugin", 0.05),
    ("nbPlugin", 1.0),
    ("muan", 0.05),
    ("muan", 1.0),
)


def main(words: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="bench farrington_effect")
    parser.add_argument("--series", type=int, default=1000)
    calm, shaken = made_up(parser.parse_args(list(words)).series)
    print(f"{'':9}{'bound':10}{'p trend':>8}{'median ratio':>14}{'differ/1000':>13}", end="")
    print(f"{'alarms/1000':>20}{'trend kept %':>20}")
    for label, counts in (("calm", calm), ("shaken", shaken)):
        for bound, p_trend in ASKED:
            print(_line(label, counts, bound, p_trend))
    return 0


def _line(label: str, counts: np.ndarray[Any, Any], bound: Any, p_trend: float) -> str:
    from bihuan.epi.detection.farrington import farrington_flexible

    peer, ours = (
        farrington_flexible(
            counts,
            mode=mode,
            threshold_method=bound,
            p_threshold_trend=p_trend,
            by_date=False,
            frequency="weekly",
            at=np.arange(WEEKS - ASSESSED, WEEKS),
        )
        for mode in ("compatible", "corrected")
    )
    ratio = np.nanmedian(peer.upper / ours.upper)
    differ = 1000 * np.mean(peer.alarm != ours.alarm)
    alarms = " -> ".join(f"{1000 * found.alarm.mean():.1f}" for found in (peer, ours))
    kept = " -> ".join(f"{100 * np.isfinite(found.extra['trend']).mean():.0f}" for found in (peer, ours))
    return f"{label:9}{bound:10}{p_trend:>8}{ratio:>14.3f}{differ:>13.1f}{alarms:>20}{kept:>20}"


def made_up(n: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The same counts without and with three past outbreaks of six weeks."""
    rng = np.random.default_rng(SEED)
    t = np.arange(WEEKS)
    level = np.exp(rng.uniform(0, np.log(200), n))[:, None]
    mean = level * np.exp(
        rng.uniform(0, 0.8, n)[:, None] * np.sin(2 * np.pi * (t / 52 + rng.random(n)[:, None]))
    )
    phi = rng.uniform(1.1, 3, n)[:, None]
    calm = rng.poisson(rng.gamma(mean / (phi - 1), phi - 1))
    shaken = calm.copy()
    for i, starts in enumerate(rng.integers(0, WEEKS - 60, (n, 3))):
        for start in starts:
            shaken[i, start : start + 6] += rng.poisson(4 * np.sqrt(mean[i, start] * phi[i, 0]) + 3, 6)
    return calm, shaken


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
