"""Maximum likelihood of one family, with intervals by the delta method or the bootstrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize, special

from bihuan.epi.delays.families import Family
from bihuan.epi.delays.likelihood import Windows, log_likelihood
from bihuan.epi.delays.results import DelayFit, Estimate
from bihuan.epi.series import Floats

#: Lauer 2020 reports these of an incubation period; quartiles beside them.
QUANTILES = (0.025, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99)
#: A standard error of a free (log-scale) parameter above this means the data do not hold it: e^±10.
_LOOSE = 5.0
#: A mean beyond this many times the longest delay seen is no estimate but the likelihood running off.
_FAR = 10.0
#: A curvature above this is that of an estimate run to a single value.
_STEEP = 1e12
_STEP = 1e-4
#: A log-likelihood a record above minus this means every record is certain.
_CERTAIN = 1e-6


def fit_family(
    windows: Windows,
    family: Family,
    *,
    growth: float,
    level: float,
    quantiles: tuple[float, ...],
    bootstrap: int,
    seed: int,
) -> DelayFit:
    """The maximum of the likelihood by Nelder and Mead 1965 from the moments of the middles."""

    def cost(free: Floats) -> float:
        return -log_likelihood(windows, family, family.unpack(free), growth)

    free, value = _minimize(cost, _start(windows, family))
    # One delay that explains every record is no distribution: the spread has run to zero.
    certain = value < _CERTAIN * windows.n and bool((windows.high > windows.low).all())
    far = float(family.moments(*family.unpack(free))[0]) > _FAR * float(windows.high.max())
    covariance = None if certain or far else _covariance(cost, free)
    named = _quantities(family, quantiles)
    values = {name: float(f(free)) for name, f in named.items()}
    if bootstrap:
        bounds = _bootstrap(windows, family, growth, free, named, level, bootstrap, seed)
    else:
        bounds = _wald(family, free, covariance, named, level)
    parts = {name: Estimate(values[name], *bounds.get(name, (None, None))) for name in named}
    return DelayFit(
        family=family.key,
        parameters={family.first: parts["first"], family.second: parts["second"]},
        mean=parts["mean"],
        sd=parts["sd"],
        quantiles={q: parts[f"q{q}"] for q in quantiles},
        log_likelihood=-value,
        n=int(windows.n),
        settled=covariance is not None,
    )


def _start(windows: Windows, family: Family) -> Floats:
    middle, weight = windows.middle, windows.weight
    if family.positive:
        middle = np.maximum(middle, 0.25)
    mean = float(np.average(middle, weights=weight))
    sd = float(np.sqrt(np.average((middle - mean) ** 2, weights=weight)))
    return np.array(family.start(mean, max(sd, 0.1 * abs(mean), 0.1)))


def _minimize(cost: Callable[[Floats], float], start: Floats) -> tuple[Floats, float]:
    """Twice, the second time from where the first came to rest: the simplex can shrink too soon."""
    free = start
    for _ in range(2):
        found = optimize.minimize(
            cost, free, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 1000}
        )
        free = found.x
    return free, float(found.fun)


def _covariance(cost: Callable[[Floats], float], free: Floats) -> Floats | None:
    """Inverse of the observed information; None where it is not positive or too loose to mean anything."""
    eye = np.eye(2) * _STEP
    hessian = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            hessian[i, j] = (
                cost(free + eye[i] + eye[j])
                - cost(free + eye[i] - eye[j])
                - cost(free - eye[i] + eye[j])
                + cost(free - eye[i] - eye[j])
            ) / (4 * _STEP**2)
    if not np.isfinite(hessian).all() or np.abs(hessian).max() > _STEEP:
        return None
    if hessian[0, 0] <= 0 or np.linalg.det(hessian) <= 0:
        return None
    covariance: Floats = np.linalg.inv(hessian).astype(np.float64)
    return covariance if covariance[1, 1] < _LOOSE**2 and covariance[0, 0] < 1e6 else None


def _quantities(family: Family, quantiles: tuple[float, ...]) -> dict[str, Callable[[Floats], float]]:
    """What is reported, each as a function of the free parameters."""
    named: dict[str, Callable[[Floats], float]] = {
        "first": lambda free: family.unpack(free)[0],
        "second": lambda free: family.unpack(free)[1],
        "mean": lambda free: float(family.moments(*family.unpack(free))[0]),
        "sd": lambda free: float(family.moments(*family.unpack(free))[1]),
    }
    for q in quantiles:
        named[f"q{q}"] = lambda free, q=q: float(  # type: ignore[misc]
            family.quantile(np.array([q]), *family.unpack(free))[0]
        )
    return named


def _wald(
    family: Family,
    free: Floats,
    covariance: Floats | None,
    named: dict[str, Callable[[Floats], float]],
    level: float,
) -> dict[str, tuple[float, float]]:
    """Delta method: on the logarithm for what is positive, as it stands for what may be negative."""
    if covariance is None:
        return {}
    z = float(special.ndtri((1 + level) / 2))
    out = {}
    for name, function in named.items():
        logged = _is_positive(family, name) and function(free) > 0
        f = _logarithm(function) if logged else function
        slope = np.array([(f(free + step) - f(free - step)) / (2 * _STEP) for step in np.eye(2) * _STEP])
        spread = z * float(np.sqrt(max(slope @ covariance @ slope, 0.0)))
        low, high = f(free) - spread, f(free) + spread
        with np.errstate(over="ignore"):
            out[name] = (float(np.exp(low)), float(np.exp(high))) if logged else (float(low), float(high))
    return out


def _logarithm(function: Callable[[Floats], float]) -> Callable[[Floats], float]:
    return lambda free: float(np.log(function(free)))


def _is_positive(family: Family, name: str) -> bool:
    if name in ("second", "sd"):
        return True
    return family.positive and not (name == "first" and family.key == "lognormal")


def _bootstrap(
    windows: Windows,
    family: Family,
    growth: float,
    free: Floats,
    named: dict[str, Callable[[Floats], float]],
    level: float,
    times: int,
    seed: int,
) -> dict[str, tuple[float, float]]:
    """Percentiles over resampled records (Efron 1979), each fitted from the estimate on."""
    random = np.random.default_rng(seed)
    weights = random.multinomial(int(windows.n), windows.weight / windows.n, size=times)
    drawn: dict[str, list[float]] = {name: [] for name in named}
    for weight in weights:
        resampled = Windows(windows.width, windows.low, windows.high, windows.cut, weight.astype(np.float64))
        found = optimize.minimize(
            lambda x, w=resampled: -log_likelihood(w, family, family.unpack(x), growth),
            free,
            method="Nelder-Mead",
            options={"xatol": 1e-4, "fatol": 1e-5, "maxiter": 400},
        )
        for name, function in named.items():
            drawn[name].append(function(found.x))
    tails = [(1 - level) / 2, (1 + level) / 2]
    return {
        name: (float(low), float(high))
        for name, (low, high) in ((n, np.quantile(v, tails)) for n, v in drawn.items())
    }
