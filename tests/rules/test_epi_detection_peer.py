"""Our detectors against R surveillance on random series with random parameters: no alarm may differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bihuan.epi.oracles.cases import find_cases, run_case
from tests.rules.epi_peer_cases import ask_peer, random_counts, write_case

pytestmark = pytest.mark.slow

SEED = 20200123
#: The peer refuses some of what is asked at random (by its own rule of history); most it must answer.
LEAST_ANSWERED = 0.9


def differences(root: Path) -> tuple[int, list[str]]:
    ask_peer(root)
    cases = [one for one in find_cases(root) if one.has("expected")]
    found = [f"{one.name}: {each}" for one in cases for each in run_case(one)]
    return len(cases), found


def start_days(rng: np.random.Generator, n: int, *, frequency: int) -> np.ndarray[Any, Any]:
    first = np.datetime64("2003-01-01") + int(rng.integers(0, 3000))
    if frequency == 12:
        day = int(rng.choice([0, 14, 27]))
        return (first.astype("datetime64[M]") + np.arange(n)).astype("datetime64[D]") + day
    return first + np.arange(n) * (7 if frequency == 52 else 1)


def flexible_case(root: Path, rng: np.random.Generator, i: int) -> None:
    frequency = int(rng.choice([52, 52, 52, 12, 365], p=[0.3, 0.3, 0.2, 0.17, 0.03]))
    b = int(rng.integers(1, 7)) if frequency < 365 else int(rng.integers(1, 4))
    w = int(rng.integers(0, {52: 6, 12: 3, 365: 8}[frequency])) if b > 2 else int(rng.integers(1, 3))
    most = {52: 10, 12: 4, 365: 10}[frequency]
    # In one year alone a block may hold a single period; its residual is noise over noise.
    blocks = int(rng.choice([1, most, rng.integers(2, most + 1)])) if b > 1 else 1
    past = int(rng.choice([w, rng.integers(0, frequency // 2 + 1)]))
    n = frequency * b + w + int(rng.integers(10, 40)) + frequency // 20
    assessed = int(rng.integers(3, 9))
    control: dict[str, Any] = {
        "b": b,
        "w": w,
        "noPeriods": blocks,
        "pastWeeksNotIncluded": past,
        "thresholdMethod": str(rng.choice(["delta", "nbPlugin", "muan"])),
        "reweight": bool(rng.random() < 0.75),
        "weightsThreshold": float(rng.choice([1.0, 1.5, 2.58])),
        "alpha": float(rng.choice([0.001, 0.005, 0.01, 0.05, 0.1])),
        "trend": bool(rng.random() < 0.75),
        "pThresholdTrend": float(rng.choice([0.05, 0.2, 1.0])),
        "limit54": [int(rng.choice([0, 2, 5])), int(rng.choice([1, 4, 6]))],
        "powertrans": str(rng.choice(["2/3", "1/2", "none"])),
        "populationOffset": bool(rng.random() < 0.3),
    }
    by_date = bool(rng.random() < 0.6)
    series: dict[str, Any] = {"observed": random_counts(rng, n, year=frequency)}
    if by_date:
        series = {"date": start_days(rng, n, frequency=frequency), **series}
    if control["populationOffset"]:
        series["population"] = np.round(rng.uniform(1e4, 1e6) * np.exp(np.linspace(0, rng.normal(0, 0.3), n)))
    params = {**control, "frequency": frequency, "epochAsDate": by_date}
    control["range"] = np.arange(n - assessed + 1, n + 1)
    write_case(root, f"farflex__{i}", series=series, params=params, control=control)


def classic_case(root: Path, rng: np.random.Generator, i: int) -> None:
    frequency = int(rng.choice([52, 52, 12]))
    b, w = int(rng.integers(1, 7)), int(rng.integers(1, 5 if frequency == 52 else 3))
    n = frequency * b + w + 20
    control: dict[str, Any] = {
        "b": b,
        "w": w,
        "reweight": bool(rng.random() < 0.7),
        "alpha": float(rng.choice([0.001, 0.01, 0.05, 0.1])),
        "trend": bool(rng.random() < 0.7),
        "limit54": [int(rng.choice([0, 5])), int(rng.choice([2, 4]))],
        "powertrans": str(rng.choice(["2/3", "1/2", "none"])),
    }
    by_date = bool(rng.random() < 0.4)
    series: dict[str, Any] = {"observed": random_counts(rng, n, year=frequency)}
    if by_date:
        series = {"date": start_days(rng, n, frequency=frequency), **series}
    if rng.random() < 0.3:
        control["fitFun"] = "algo.farrington.fitGLM.populationOffset"
        series["population"] = np.round(rng.uniform(1e4, 1e6) * np.exp(np.linspace(0, rng.normal(0, 0.3), n)))
    params = {**control, "frequency": frequency, "epochAsDate": by_date}
    control["range"] = np.arange(n - 7, n + 1)
    write_case(root, f"farrington__{i}", series=series, params=params, control=control)


def ears_case(root: Path, rng: np.random.Generator, i: int) -> None:
    control: dict[str, Any] = {
        "method": str(rng.choice(["C1", "C2", "C3"])),
        "baseline": int(rng.integers(3, 29)),
        "minSigma": float(rng.choice([0.0, 0.0, 0.5, 1.0])),
        "alpha": float(rng.choice([0.001, 0.01, 0.025, 0.1])),
    }
    n, params = 90, dict(control)
    control["range"] = np.arange(control["baseline"] + 6, n + 1)
    series = {"observed": random_counts(rng, n, year=365)}
    write_case(root, f"ears_{control['method']}__{i}", series=series, params=params, control=control)


@pytest.mark.parametrize(("make", "number"), [(flexible_case, 500), (classic_case, 150), (ears_case, 200)])
def test_nothing_differs_from_the_peer_on_random_series(tmp_path: Path, make: Any, number: int) -> None:
    rng = np.random.default_rng(SEED)
    for i in range(number):
        make(tmp_path, rng, i)
    answered, found = differences(tmp_path)
    assert found == []
    assert answered >= LEAST_ANSWERED * number
