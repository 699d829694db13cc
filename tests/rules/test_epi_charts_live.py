"""Ours beside surveillance on random series and parameters, in one run of R."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bihuan.epi.oracles import find_cases, run_case
from tests.rules.peers import Asked, answer

pytestmark = pytest.mark.slow


def _series(rng: np.random.Generator, length: int, frequency: int) -> np.ndarray[Any, Any]:
    times = np.arange(length)
    level = rng.choice([0.3, 2.0, 8.0, 40.0])
    mean = level * np.exp(0.5 * np.sin(2 * np.pi * times / frequency) + rng.uniform(-0.3, 0.3))
    size = rng.choice([0.0, 3.0, 20.0])
    counts = rng.poisson(mean) if size == 0 else rng.negative_binomial(size, size / (size + mean))
    begin = rng.integers(length // 2, length - 8)
    counts[begin : begin + 6] += rng.poisson(2 * np.sqrt(mean[begin : begin + 6]) + 1)
    return np.asarray(counts)


def _r(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dict):
        return "list(" + ",".join(f"{k}={_r(v)}" for k, v in value.items()) + ")"
    return f'"{value}"' if isinstance(value, str) else repr(float(value))


def _control(params: dict[str, Any], first: int, last: int) -> str:
    words = [f"{key}={_r(value)}" for key, value in params.items()]
    return f"list(range={first}:{last},{','.join(words)})"


def _asked(name: str, counts: np.ndarray[Any, Any], params: dict[str, Any], *, start: int) -> Asked:
    """A call of algo.METHOD of surveillance, METHOD being the beginning of `name`."""
    method, last = name.partition("__")[0], len(counts)
    own = {key: value for key, value in params.items() if key != "frequency"}
    call = (
        f"d <- create.disProg(week=seq_along(x), observed=x, state=0*x, freq={params['frequency']})\n"
        f"r <- algo.{method}(d, control={_control(own, start, last)})\n"
    )
    columns = [f"t={start}:{last}", "alarm=as.vector(r$alarm)+0"]
    if method == "cusum":
        columns.append("cusum=as.vector(r$cusum)")
    is_score = method == "glrnb" and params["ret"] == "value"
    columns.append(("glr" if is_score else "upperbound") + "=as.vector(r$upperbound)")
    return Asked(name, counts, params, call + f"out <- data.frame({', '.join(columns)})")


def _draws(seed: int) -> list[Asked]:
    rng = np.random.default_rng(seed)
    drawn: list[Asked] = []
    for i in range(12):
        frequency = int(rng.choice([52, 12]))
        length = frequency * 5
        counts = _series(rng, length, frequency)
        start = int(rng.integers(frequency * 3 + 1, frequency * 4))
        for transform in ("standard", "rossi", "anscombe", "anscombe2nd", "pearsonNegBin", "anscombeNegBin"):
            params = {
                "k": float(rng.choice([0.5, 1.04])),
                "h": float(rng.choice([2.26, 4.0])),
                "m": rng.choice(["glm", None]),
                "trans": transform,
                "alpha": float(rng.choice([0.1, 0.4])) if "NegBin" in transform else None,
            }
            # The peer's table for anscombeNegBin takes one expected count only.
            single = params["m"] is None or transform == "anscombeNegBin"
            params["m"] = None if single else "glm"
            name = f"cusum__{i}_{transform}"
            drawn.append(_asked(name, counts, params | {"frequency": frequency}, start=start))
        b, w = int(rng.integers(0, 3)), int(rng.integers(1, 5))
        act = bool(b == 0 or rng.random() < 0.5)
        windows: dict[str, Any] = {"b": b, "w": w, "actY": act}
        drawn.append(_asked(f"rki__{i}", counts, windows | {"frequency": frequency}, start=start))
        params = windows | {"alpha": float(rng.choice([0.01, 0.05]))}
        drawn.append(_asked(f"bayes__{i}", counts, params | {"frequency": frequency}, start=start))
        for ret in ("value", "cases"):
            params = {"k": float(rng.choice([20, 100])), "ret": ret}
            name = f"outbreakP__{i}_{ret}"
            drawn.append(_asked(name, counts[-40:], params | {"frequency": 52}, start=1))
    return drawn


def _glr_draws(seed: int) -> list[Asked]:
    rng = np.random.default_rng(seed)
    drawn: list[Asked] = []
    for i in range(16):
        # Where counts vary no more than Poisson counts, the peer's alpha is wherever its iterations ended.
        wave = 6 * np.exp(0.5 * np.sin(np.arange(260) / 8) + 0.5 * (np.arange(260) > 200))
        counts = rng.negative_binomial(4, 4 / (4 + wave))
        mean = {"S": int(rng.integers(0, 3)), "trend": bool(rng.random() < 0.5), "refit": bool(i % 2)}
        params: dict[str, Any] = {
            "c.ARL": float(rng.choice([3.0, 5.0])),
            "mu0": mean,
            "Mtilde": int(rng.choice([1, 3])),
            "M": int(rng.choice([-1, 8])),
            "change": "intercept",
            "theta": [None, None, 0.4][i % 3],
            "dir": "inc" if i % 3 == 2 else str(rng.choice(["inc", "dec"])),
            "ret": "value",
            "alpha": [None, 0.0, 0.15][int(rng.integers(0, 3))],
        }
        drawn.append(_asked(f"glrnb__{i}", counts, params | {"frequency": 52}, start=157))
        cases = params | {"ret": "cases", "dir": "inc", "alpha": 0.0, "M": -1, "Mtilde": 1}
        drawn.append(_asked(f"glrnb__{i}_cases", counts, cases | {"frequency": 52}, start=157))
    return drawn


def _hold(asked: list[Asked], folder: Path) -> None:
    stopped = answer(asked, folder, library="surveillance")
    assert len(stopped) <= len(asked) / 4, stopped
    wrong = {one.name: differences for one in find_cases(folder) if (differences := run_case(one))}
    assert not wrong, "\n".join(f"{name}: {[str(d) for d in found[:3]]}" for name, found in wrong.items())


@pytest.mark.parametrize("seed", [1, 2])
def test_charts_agree_with_surveillance_on_random_series_and_parameters(seed: int, tmp_path: Path) -> None:
    _hold(_draws(seed), tmp_path)


@pytest.mark.parametrize("seed", [3])
def test_likelihood_ratio_charts_agree_with_surveillance(seed: int, tmp_path: Path) -> None:
    _hold(_glr_draws(seed), tmp_path)
