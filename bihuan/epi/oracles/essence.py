"""Cases of Rnssp: alert_ewma, alert_regression, alert_switch, alert_nbinom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bihuan.epi.detection.essence import ewma, nbinom_alert, regression, switch
from bihuan.epi.detection.essence.baselines import ALERT, WARNING
from bihuan.epi.detection.results import Detection
from bihuan.epi.oracles.cases import Case, Difference, case, compare
from bihuan.epi.oracles.charts import unknown_parameters
from bihuan.epi.series import Panel, panel

_DAILY = {"B", "g", "w1", "w2", "alert"}
_NBINOM = {"baseline_end", "include_time", "period", "alpha"}


def _panel(one: Case, column: str = "count") -> Panel:
    return panel(one.numbers()[column], dates=one.text()["date"])


def _window(one: Case) -> dict[str, Any]:
    return {"baseline": int(one.params.get("B", 28)), "guard": int(one.params.get("g", 2))}


def _weights(one: Case) -> dict[str, Any]:
    return {"w1": float(one.params.get("w1", 0.4)), "w2": float(one.params.get("w2", 0.9))}


def _daily(one: Case, found: Detection) -> Iterator[Difference]:
    expected = one.numbers("expected")
    ours = {
        "baseline_expected": found.expected,
        "test_statistic": found.score,
        "p.value": found.p_value,
        "sigma": found.extra.get("sigma"),
        "adjusted_r_squared": found.extra.get("adjusted_r_squared"),
    }
    assessed = np.isfinite(found.score[0])
    for name, values in ours.items():
        if name in expected and values is not None:
            shown = np.where(assessed, values[0], np.nan)
            yield from compare(name, expected[name], shown, rel=1e-8, absolute=1e-10)
    colors = np.select(
        [~assessed, found.p_value[0] < ALERT, found.p_value[0] < WARNING], ["grey", "red", "yellow"], "blue"
    )
    # Short baselines leave colors without a p-value at the peer: no statement that could be compared.
    stated = np.isfinite(expected["p.value"]) | assessed
    theirs = np.array(one.text("expected")["alert"])
    yield from _words("alert", list(theirs[stated]), list(colors[stated]))


def _words(where: str, expected: list[str], ours: list[str]) -> Iterator[Difference]:
    for i, (theirs, own) in enumerate(zip(expected, ours, strict=True)):
        if theirs != own:
            yield Difference(f"{where}[{i + 1}]", theirs, own)


@case("essence_ewma")
def ewma_case(one: Case) -> Iterator[Difference]:
    yield from unknown_parameters(one, _DAILY)
    yield from _daily(one, ewma(_panel(one), **_window(one), **_weights(one)))


@case("essence_regression")
def regression_case(one: Case) -> Iterator[Difference]:
    yield from unknown_parameters(one, _DAILY)
    yield from _daily(one, regression(_panel(one), **_window(one)))


@case("essence_switch")
def switch_case(one: Case) -> Iterator[Difference]:
    yield from unknown_parameters(one, _DAILY)
    found = switch(_panel(one), **_window(one), **_weights(one))
    yield from _daily(one, found)
    if "detector" in one.text("expected"):
        assessed, line = np.isfinite(found.score[0]), found.extra["regression"][0] == 1
        names = np.select([~assessed, line], ["NA", "Adaptive Multiple Regression"], "EWMA")
        yield from _words("detector", one.text("expected")["detector"], list(names))


@case("essence_nbinom")
def nbinom_case(one: Case) -> Iterator[Difference]:
    yield from unknown_parameters(one, _NBINOM)
    params = one.params
    found = nbinom_alert(
        _panel(one),
        baseline_end=params.get("baseline_end"),
        trend=bool(params.get("include_time", True)),
        period=float(params["period"]) if params.get("period") else None,
        alpha=float(params.get("alpha", 0.05)),
    )
    expected = one.numbers("expected")
    yield from compare("estimate", expected["estimate"], found.expected[0], rel=1e-4)
    yield from compare("threshold", expected["threshold"], found.upper[0], absolute=1.0)
    yield from compare("alarm", expected["alarm"], found.alarm[0].astype(np.float64))
