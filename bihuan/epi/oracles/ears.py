"""EARS against surveillance::earsC: upper bounds within 1e-9, alarms exact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bihuan.epi.detection.ears import ears
from bihuan.epi.oracles.cases import Case, Difference, case, compare

BOUND = 1e-9
_KNOWN = {"method", "baseline", "minSigma", "alpha", "first_t", "range_first_t", "range_last_t", "frequency"}


@case("ears")
def answer(one: Case) -> Iterator[Difference]:
    """The peer has no small-count guard, so ours is off; where it says NA, so do we."""
    for name in sorted(set(one.params) - _KNOWN):
        yield Difference(f"params.{name}", one.params[name], "a parameter not known here")
    expected = one.numbers("expected")
    at = expected["t"].astype(np.intp) - 1
    found = ears(
        one.numbers()["observed"],
        method=one.params.get("method", "C1"),
        baseline=int(one.params.get("baseline", 7)),
        alpha=one.params.get("alpha"),
        min_sigma=float(one.params.get("minSigma") or 0),
        guard=False,
        at=at,
    )
    labels = [f"t={t + 1}" for t in at]
    yield from compare("upperbound", expected["upperbound"], found.upper[0], absolute=BOUND, labels=labels)
    alarm = np.where(np.isnan(found.upper[0]), np.nan, found.alarm[0])
    yield from compare("alarm", expected["alarm"], alarm, labels=labels)
