"""Cases of EpiEstim (discr_si, overall_infectivity, estimate_R, wallinga_teunis) and of incidence::fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from bihuan.epi.oracles.cases import Case, Difference, case, compare
from bihuan.epi.reproduction import (
    RtEstimate,
    UncertainSI,
    discretized_si,
    estimate_r,
    growth_rate,
    infectivity,
    wallinga_teunis,
)
from bihuan.epi.series import Floats

#: Columns of quantiles and the probabilities they stand for; others read as q<digits after the point>.
MEDIAN = {"median": 0.5}
REL, REL_QUANTILE = 1e-9, 1e-7
#: Monte-Carlo peers: mean, quantiles in between, tails (README of the cases).
REL_SAMPLED, REL_SAMPLED_TAIL = 0.03, 0.06
#: Trees drawn, and how far two runs of them may lie apart: SD relative, bounds in SDs of the estimate.
TREES, REL_TREES, SDS_TREES = 4000, 0.15, 0.5

KNOWN = {
    "si_distr", "si_sample", "mean_si", "std_si", "std_mean_si", "min_mean_si", "max_mean_si", "std_std_si",
    "min_std_si", "max_std_si", "n1", "n2", "seed", "method", "window", "t_start", "t_end", "mean_prior",
    "std_prior", "cv_posterior", "n_sim",
}  # fmt: skip


def unknown(params: dict[str, Any], known: set[str]) -> Iterator[Difference]:
    """A parameter we have no ear for is a difference, unless it is null."""
    for name, value in params.items():
        if name not in known and value is not None:
            yield Difference(f"params.{name}", value, "not read by this case function")


@case("discr_si")
def discr_si(one: Case) -> Iterator[Difference]:
    yield from unknown(one.params, {"k"})
    table = one.numbers("expected")
    pairs = np.stack([table["mu"], table["sigma"]])
    ours = np.empty(table["k"].size)
    for mu, sigma in np.unique(pairs, axis=1).T:
        rows = (table["mu"] == mu) & (table["sigma"] == sigma)
        ours[rows] = discretized_si(float(mu), float(sigma), table["k"][rows])
    # the formula takes differences of numbers near k: what is left of 1e-16 · k counts as zero
    yield from compare("pmf", table["pmf"], ours, rel=REL, absolute=1e-13)


@case("overall_infectivity")
def overall_infectivity(one: Case) -> Iterator[Difference]:
    yield from unknown(one.params, {"si_distr"})
    total, _imported = _incidence(one)
    yield from compare(
        "lambda", one.numbers("expected")["lambda"], infectivity(total, one.params["si_distr"]), rel=REL
    )


@case("estimateR", "estimate_R")
def estimate(one: Case) -> Iterator[Difference]:
    yield from unknown(one.params, KNOWN)
    table = one.numbers("expected")
    total, imported = _incidence(one)
    columns = _quantile_columns(table)
    sampled = str(one.params.get("method", "")) in ("uncertain_si", "si_from_sample", "si_from_data")
    ours = estimate_r(
        total,
        imported=imported,
        windows=_windows(one, table, total.size),
        mean_prior=one.params.get("mean_prior", 5),
        sd_prior=one.params.get("std_prior", 5),
        probabilities=sorted(columns.values()) or (0.5,),
        compatible=True,
        **_serial(one),
    )
    labels = [f"{a:g}-{b:g}" for a, b in zip(table["t_start"], table["t_end"], strict=True)]
    yield from compare(
        "mean", table["mean"], ours.mean[0], rel=REL_SAMPLED if sampled else REL, labels=labels
    )
    if "sd" in table:
        yield from compare(
            "sd", table["sd"], ours.sd[0], rel=REL_SAMPLED_TAIL if sampled else REL, labels=labels
        )
    for name, p in columns.items():
        rel = REL_QUANTILE if not sampled else REL_SAMPLED if 0.2 < p < 0.8 else REL_SAMPLED_TAIL
        yield from compare(name, table[name], ours.quantile(p)[0], rel=rel, labels=labels)
    yield from _moments(one, ours, sampled=sampled)


@case("wallinga_teunis")
def wallinga(one: Case) -> Iterator[Difference]:
    yield from unknown(one.params, KNOWN)
    table = one.numbers("expected")
    total, _imported = _incidence(one)
    sd = table.get("sd", np.full(table["mean"].shape, np.nan))
    trees = TREES if np.isfinite(sd).any() else 0
    ours = wallinga_teunis(total, windows=_windows(one, table, total.size), n_sim=trees, **_serial(one))
    labels = [f"{a:g}-{b:g}" for a, b in zip(table["t_start"], table["t_end"], strict=True)]
    yield from compare("mean", table["mean"], ours.mean[0], rel=REL, labels=labels)
    if not trees:
        return
    spread = float(np.nanmax(ours.sd[0]))
    yield from compare("sd", sd, ours.sd[0], rel=REL_TREES, labels=labels)
    for name, p in _quantile_columns(table).items():
        if p in ours.probabilities:
            yield from compare(
                name, table[name], ours.quantile(p)[0], absolute=SDS_TREES * spread, labels=labels
            )


@case("growth_fit")
def growth(one: Case) -> Iterator[Difference]:
    """`model` names the periods as `t<=30` or `t>=5`; the peer drops periods without cases."""
    yield from unknown(one.params, {"model", "alpha", "level", "first", "last"})
    total, _imported = _incidence(one)
    model = str(one.params.get("model", ""))
    method = "negbin" if re.search(r"glm\.nb|negbin|neg\.bin", model) else "loglinear"
    table = {name: values[0] for name, values in one.numbers("expected").items()}
    ours = growth_rate(
        total,
        method=method,  # type: ignore[arg-type]
        window=_periods(one, model, total.size),
        level=one.params.get("level", 1 - one.params.get("alpha", 0.05)),
    )
    with np.errstate(divide="ignore"):
        double = np.log(2) / np.array([ours.rate[0], ours.high[0], ours.low[0]])
    halve = -np.log(2) / np.array([ours.rate[0], ours.low[0], ours.high[0]])
    values = {
        "r": ours.rate[0], "r_lo": ours.low[0], "r_hi": ours.high[0],
        "doubling": double[0], "d_lo": double[1], "d_hi": double[2],
        "halving": halve[0], "h_lo": halve[1], "h_hi": halve[2], "theta": ours.dispersion[0],
    }  # fmt: skip
    rel = REL if method == "loglinear" else 1e-5  # the peer's own iterations stop at 1e-8 of the deviance
    for name, expected in table.items():
        if name not in values:
            yield Difference(name, expected, "no such column of ours")
            continue
        yield from compare(name, np.array([expected]), np.array([values[name]]), rel=rel)


def _incidence(one: Case) -> tuple[Floats, Floats | None]:
    table = one.numbers("input")
    if "local" in table:
        return table["local"] + table["imported"], table["imported"]
    for name in ("I", "incid", "observed", "count", "counts"):
        if name in table:
            return table[name], table.get("imported")
    raise ValueError(f"{one.name}: input.csv has no column I, nor local and imported")


def _serial(one: Case) -> dict[str, Any]:
    p = one.params
    if p.get("si_sample") is not None:
        return {"si": np.asarray(p["si_sample"], dtype=np.float64)}
    if p.get("si_distr") is not None:
        return {"si": np.asarray(p["si_distr"], dtype=np.float64)}
    if p.get("method") == "uncertain_si" or p.get("std_mean_si") is not None:
        return {
            "si": UncertainSI(
                p["mean_si"],
                p["std_mean_si"],
                p["min_mean_si"],
                p["max_mean_si"],
                p["std_si"],
                p["std_std_si"],
                p["min_std_si"],
                p["max_std_si"],
            )
        }
    return {"mean_si": p["mean_si"], "sd_si": p["std_si"]}


def _windows(one: Case, table: dict[str, Floats], n: int) -> tuple[Any, Any]:
    """As the parameters say; else the windows that the expected table lists."""
    if one.params.get("t_start") is not None:
        return one.params["t_start"], one.params["t_end"]
    if "t_start" in table:
        return table["t_start"], table["t_end"]
    return np.arange(2, n - 5), np.arange(8, n + 1)


def _quantile_columns(table: dict[str, Floats]) -> dict[str, float]:
    found = {name: p for name, p in MEDIAN.items() if name in table}
    for name in table:
        digits = re.fullmatch(r"q(?:0\.)?(\d+)", name)
        if digits:
            found[name] = float("0." + digits[1])
    return found


def _moments(one: Case, ours: RtEstimate, *, sampled: bool) -> Iterator[Difference]:
    expected = one.about.get("si_moments_mean")
    if expected is None or sampled:  # of a sample the peer's file gives the first draw only
        return
    pairs = (("si_moments_mean", ours.si.mean), ("si_moments_sd", ours.si.sd))
    for name, value in pairs:
        if one.about.get(name) is not None:
            yield from compare(name, np.array([one.about[name]]), np.array([value]), rel=REL)


def _periods(one: Case, model: str, n: int) -> tuple[int, int]:
    last, first = re.search(r"t\s*<=?\s*(\d+)", model), re.search(r"t\s*>=?\s*(\d+)", model)
    return (
        int(one.params.get("first") or (first[1] if first else 1)),
        min(n, int(one.params.get("last") or (last[1] if last else n))),
    )
