"""Both Farrington methods against surveillance: bounds within a relative 1e-8 (discrete ones exactly), alarms
exactly. `expected_corrected.csv` is held against mode "corrected".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bihuan.epi.detection.farrington import farrington, farrington_flexible
from bihuan.epi.detection.farrington.settings import Mode
from bihuan.epi.detection.farrington.threshold import BEYOND_COUNTS
from bihuan.epi.detection.results import Detection, Reason
from bihuan.epi.oracles.cases import Case, Difference, case, compare
from bihuan.epi.series import Floats, Frequency, Panel, panel

#: Relative; the classic method has its own in the README of the oracles.
FLEXIBLE, CLASSIC = 1e-8, 1e-9
#: Where a fit gives no bound these have nothing to be held against.
_OF_THE_BOUND = ("upperbound", "expected", "pvalue", "mu0")
#: Discrete bounds above this agree as continuous ones do: the tails on both sides are no more exact.
_WHOLE = 1e8
#: Classic bounds that differ by less than this part of a case are the same bound.
_NO_CASE = 1e-9
#: Expected cases so few that the trend which made them so has lost its digits.
_NOTHING = 1e-6
#: Absolute: the trend of a constant series, the score of a count that is just as expected, a p-value far out
#: and an expectation of nothing are rounding noise on both sides.
_NOISE = {"trend_coef": 1e-10, "score": 1e-10, "pvalue": 1e-12, "expected": 1e-12, "mu0": 1e-12}

_MODES: dict[str, Mode] = {"expected": "compatible", "expected_corrected": "corrected"}
_FREQUENCIES: dict[int, Frequency] = {365: "daily", 52: "weekly", 12: "monthly"}
_SHARED = {
    "b": "b",
    "w": "w",
    "reweight": "reweight",
    "alpha": "alpha",
    "trend": "trend",
    "powertrans": "power_transform",
}
_FLEXIBLE = _SHARED | {
    "weightsThreshold": "weights_threshold",
    "pThresholdTrend": "p_threshold_trend",
    "populationOffset": "population_offset",
    "noPeriods": "no_periods",
    "pastWeeksNotIncluded": "past_not_included",
    "thresholdMethod": "threshold_method",
}
#: What the peer takes where its caller says nothing.
_PEER_DEFAULTS: dict[str, Any] = {
    "alpha": 0.05,
    "p_threshold_trend": 0.05,
    "no_periods": 1,
    "threshold_method": "delta",
}
_BESIDE = {
    "limit54",
    "range_first_t",
    "range_last_t",
    "frequency",
    "epochAsDate",
    "verbose",
    "glmWarnings",
    "fitFun",
    "start",
    "plot",
}


@case("farflex")
def answer_flexible(one: Case) -> Iterator[Difference]:
    """Upper bound, expected, p-value, dispersion and trend; the score only with delta (see the README)."""
    yield from _unknown(one, _FLEXIBLE)
    asked = _PEER_DEFAULTS | _asked(one, _FLEXIBLE)
    if asked.get("past_not_included") is None:
        asked["past_not_included"] = int(asked.get("w", 3))
    discrete = asked["threshold_method"] != "delta"
    for name, mode in _MODES.items():
        if not one.has(name):
            continue
        expected = one.numbers(name)
        found = farrington_flexible(_panel(one), mode=mode, at=_at(expected), **asked)
        yield from _compare(name, expected, _columns(found, score=not discrete), discrete=discrete)


@case("farrington")
def answer_classic(one: Case) -> Iterator[Difference]:
    """Upper bound (0 where the peer sees too few cases) and alarm."""
    yield from _unknown(one, _SHARED)
    asked = _asked(one, _SHARED)
    asked["population_offset"] = str(one.params.get("fitFun", "")).endswith("populationOffset")
    expected = one.numbers("expected")
    found = farrington(_panel(one), at=_at(expected), **asked)
    columns = _columns(found, score=False)
    columns["upperbound"] = np.where(found.reason[0] == Reason.TOO_FEW_CASES, 0.0, columns["upperbound"])
    for name in ("upperbound", "alarm"):
        rel, absolute = (CLASSIC, _NO_CASE) if name == "upperbound" else (0.0, 0.0)
        labels = _labels(expected)
        yield from compare(name, expected[name], columns[name], rel=rel, absolute=absolute, labels=labels)


def _columns(found: Detection, *, score: bool) -> dict[str, Floats]:
    """Our numbers under the peer's names and with its NA: no bound and no expectation with too few cases,
    nothing but the fit where that gives no bound.
    """
    reason = found.reason[0]
    hidden = (reason == Reason.NO_CONVERGENCE) | (reason == Reason.TOO_FEW_CASES)
    columns = {
        "upperbound": np.where(hidden, np.nan, found.upper[0]),
        "expected": np.where(hidden, np.nan, found.expected[0]),
        "alarm": found.alarm[0].astype(np.float64),
        "pvalue": found.p_value[0],
        "phi": found.extra["phi"][0],
        "mu0": found.extra["center"][0],
        "trend_coef": found.extra["trend"][0],
        "trend_used": np.isfinite(found.extra["trend"][0]).astype(np.float64),
    }
    return columns | ({"score": found.score[0]} if score else {})


def _compare(
    where: str, expected: dict[str, Floats], ours: dict[str, Floats], *, discrete: bool
) -> Iterator[Difference]:
    labels = _labels(expected)
    # A fit that did not settle is NA here and there in the peer's cells, 0 in others; ours say the reason.
    given_up = np.isnan(expected.get("phi", np.zeros(labels.size)))
    # muan puts its distribution past every count where the windows hold no case: ours has no bound then.
    senseless = ~np.isfinite(ours["mu0"]) | (ours["mu0"] > BEYOND_COUNTS)
    # Where all cases are long past the trend is as steep as the iteration happened to make it.
    nothing = senseless | (ours["mu0"] < _NOTHING)
    for name, values in ours.items():
        if name not in expected:
            continue
        exact = name in ("alarm", "trend_used") or (name == "upperbound" and discrete)
        left_out = given_up | (senseless & (name in _OF_THE_BOUND)) | (nothing & (name == "trend_coef"))
        peer = np.where(left_out, values, expected[name])
        if exact:
            values = np.where((peer > _WHOLE) & np.isclose(values, peer, rtol=FLEXIBLE), peer, values)
        rel = 0.0 if exact else FLEXIBLE
        yield from compare(
            f"{where}.{name}", peer, values, rel=rel, absolute=_NOISE.get(name, 0.0), labels=labels
        )


def _unknown(one: Case, known: dict[str, str]) -> Iterator[Difference]:
    for name in sorted(set(one.params) - set(known) - _BESIDE):
        yield Difference(f"params.{name}", one.params[name], "a parameter not known here")


def _asked(one: Case, known: dict[str, str]) -> dict[str, Any]:
    asked = {ours: one.params[peer] for peer, ours in known.items() if one.params.get(peer) is not None}
    if one.params.get("limit54") is not None:
        cases, periods = one.params["limit54"]
        asked["limit54"] = (cases, int(periods))
    asked["by_date"] = _by_date(one)
    asked["periods_a_year"] = int(one.params.get("frequency", 52))
    return asked


def _by_date(one: Case) -> bool:
    return bool(one.params.get("epochAsDate", False)) and "date" in one.text()


def _panel(one: Case) -> Panel:
    columns = one.numbers()
    frequency = _FREQUENCIES.get(int(one.params.get("frequency", 52)), "weekly")
    dates = one.text()["date"] if _by_date(one) else None
    population = columns.get("population")
    return panel(columns["observed"], dates=dates, frequency=frequency, population=population)


def _at(expected: dict[str, Floats]) -> np.ndarray[Any, np.dtype[np.intp]]:
    return expected["t"].astype(np.intp) - 1


def _labels(expected: dict[str, Floats]) -> np.ndarray[Any, np.dtype[np.str_]]:
    return np.array([f"t={int(t)}" for t in expected["t"]])
