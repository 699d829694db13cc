"""Cases of surveillance's CUSUM, Bayes and RKI systems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bihuan.epi.detection.bayes import bayes
from bihuan.epi.detection.cusum import cusum, expected_before
from bihuan.epi.detection.results import Detection
from bihuan.epi.detection.rki import rki
from bihuan.epi.oracles.cases import Case, Difference, case, compare
from bihuan.epi.series import Floats, panel

_TRANSFORMS = {
    "standard": "standard",
    "rossi": "rossi",
    "anscombe": "anscombe",
    "anscombe2nd": "anscombe2nd",
    "pearsonNegBin": "pearson_negbin",
    "anscombeNegBin": "anscombe_negbin",
    "none": "none",
}
#: Transforms of which the peer's upper bound is not the count that would have given an alarm.
_NO_UPPER = {"anscombe2nd", "anscombeNegBin", "none"}
#: The peer reads the hypergeometric function of anscombeNegBin from a table; each period adds this error.
_TABLE_STEP = 0.001
#: The peer's dispersion where none is given.
_PEER_ALPHA = 0.1
_PEER_FREQUENCY = 52


def assessed(one: Case) -> tuple[Floats, list[int], dict[str, Floats]]:
    """Counts, 0-based positions the peer assessed, and its columns."""
    expected = one.numbers("expected")
    where = [int(t) - 1 for t in expected["t"]]
    return one.numbers()["observed"], where, expected


def unknown_parameters(one: Case, known: set[str]) -> Iterator[Difference]:
    """A Difference for each parameter nothing here reads."""
    for name in sorted(set(one.params or {}) - known - {"range_first_t", "range_last_t", "frequency"}):
        yield Difference("params", name, "not read", "this parameter is not known here")


def known_alarm(detection: Detection) -> Floats:
    """Alarms as 0 and 1, NaN where the period was not assessed."""
    return np.where(detection.reason[0] == 0, detection.alarm[0].astype(np.float64), np.nan)


@case("cusum")
def cusum_case(one: Case) -> Iterator[Difference]:
    yield from unknown_parameters(one, {"k", "h", "m", "trans", "alpha", "m_used"})
    counts, where, expected = assessed(one)
    params = one.params
    transform = str(params.get("trans") or "standard")
    if transform not in _TRANSFORMS:
        yield Difference("trans", transform, "not known")
        return
    period = float(params.get("frequency") or _PEER_FREQUENCY)
    monitored = panel(counts[: where[-1] + 1])
    found = cusum(
        monitored,
        k=float(params.get("k", 1.04)),
        h=float(params.get("h", 2.26)),
        transform=_TRANSFORMS[transform],  # type: ignore[arg-type]
        baseline=expected_before(monitored, where[0], _baseline(params.get("m")), period=period, as_r=True),
        alpha=float(params.get("alpha") or _PEER_ALPHA),
        monitor_from=where[0],
    )
    if params.get("m_used") is not None:
        used = np.broadcast_to(np.asarray(params["m_used"], dtype=float), (len(where),))
        yield from compare("m", used, found.expected[0], rel=1e-9, labels=expected["t"])
    near = _TABLE_STEP * len(where) if transform == "anscombeNegBin" else 1e-12
    yield from compare("cusum", expected["cusum"], found.score[0], rel=1e-9, absolute=near)
    if "upperbound" in expected and transform not in _NO_UPPER:
        yield from compare("upperbound", expected["upperbound"], found.upper[0], rel=1e-9, absolute=1e-9)
    yield from compare("alarm", expected["alarm"], known_alarm(found), labels=expected["t"])


def _baseline(m: Any) -> Any:
    return "mean" if m is None or m == [] else m


@case("bayes")
def bayes_case(one: Case) -> Iterator[Difference]:
    yield from unknown_parameters(one, {"b", "w", "actY", "alpha"})
    counts, where, expected = assessed(one)
    params = one.params
    found = bayes(
        counts,
        b=int(params.get("b", 0)),
        w=int(params.get("w", 6)),
        act_y=bool(params.get("actY", True)),
        alpha=float(params.get("alpha", 0.05)),
        year=int(params.get("frequency") or _PEER_FREQUENCY),
        at=where,
    )
    yield from compare("upperbound", expected["upperbound"], found.upper[0], labels=expected["t"])
    yield from compare("alarm", expected["alarm"], known_alarm(found), labels=expected["t"])


@case("rki")
def rki_case(one: Case) -> Iterator[Difference]:
    yield from unknown_parameters(one, {"b", "w", "actY"})
    counts, where, expected = assessed(one)
    params = one.params
    found = rki(
        counts,
        b=int(params.get("b", 2)),
        w=int(params.get("w", 4)),
        act_y=bool(params.get("actY", False)),
        year=int(params.get("frequency") or _PEER_FREQUENCY),
        at=where,
    )
    # Two ways of adding up a standard deviation differ in the last bit.
    yield from compare("upperbound", expected["upperbound"], found.upper[0], rel=1e-12, labels=expected["t"])
    yield from compare("alarm", expected["alarm"], known_alarm(found), labels=expected["t"])
