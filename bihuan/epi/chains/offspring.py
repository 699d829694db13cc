"""How unevenly cases infect: the offspring distribution (Lloyd-Smith 2005) and the share behind most of it.

Lloyd-Smith JO, Schreiber SJ, Kopp PE, Getz WM (2005) Superspreading and the effect of individual variation on
disease emergence. Nature 438:355. Endo A et al (2020) Wellcome Open Research 5:67 for the share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from bihuan.epi.arguments import checked
from bihuan.epi.errors import InputError, NotEnoughData

#: Dispersions above this are Poisson for every purpose, below it degenerate.
POISSON, LEAST_K = 1e5, 1e-4
FEWEST = 5
#: Lloyd-Smith 2005: a superspreader infects more than the 99th percentile of a Poisson of the same mean.
SUPER = 0.99


@dataclass(frozen=True, slots=True)
class Offspring:
    """Negative-binomial offspring: mean `r` and dispersion `k` (inf: Poisson; the smaller, the more uneven),
    each (estimate, low, high) at `level`. `share` of the cases caused `of` of the transmission as counted,
    `share_fitted` under the fit; `superspreaders` is the number from which one is one.
    """

    n: int
    transmissions: int
    most: int
    none: int
    r: tuple[float, float, float]
    k: tuple[float, float, float]
    of: float
    share: float | None
    share_fitted: float | None
    top_fifth: float | None
    superspreader_from: int
    level: float = 0.95

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "n": self.n, "transmissions": self.transmissions, "most": self.most, "none": self.none,
                "r": self.r[0], "r_low": self.r[1], "r_high": self.r[2],
                "k": self.k[0], "k_low": self.k[1], "k_high": self.k[2],
                "of": self.of, "share": self.share, "share_fitted": self.share_fitted,
                "top_fifth": self.top_fifth, "superspreader_from": self.superspreader_from,
            }
        ]  # fmt: skip

    def explain(self, lang: str = "en") -> str:
        """One sentence: R, k, the share, the paper."""
        r, k = (_with_interval(values) for values in (self.r, self.k))
        share = "–" if self.share is None else f"{100 * self.share:.0f} %"
        if lang.startswith("zh"):
            return (
                f"{self.n} 例共传播 {self.transmissions} 例，R {r}，离散参数 k {k}；"
                f"{share.replace(' ', '')}的病例造成 {self.of:.0%} 的传播（负二项，Lloyd-Smith 2005）。"
            )
        return (
            f"{self.n} cases infected {self.transmissions}: R {r}, dispersion k {k}; {share} of the cases "
            f"caused {100 * self.of:.0f} % of transmission (negative binomial, Lloyd-Smith 2005)."
        )


@checked
def offspring_distribution(counts: ArrayLike, *, of: float = 0.8, level: float = 0.95) -> Offspring:
    """Fit R and k to how many each case infected (zeros included), by maximum likelihood; intervals by the
    profile of the likelihood. Raises NotEnoughData under FEWEST cases or without any transmission.
    """
    y = _read(counts)
    if not 0 < level < 1 or not 0 < of < 1:
        raise InputError("level and of lie between 0 and 1", "level 与 of 应在 0 与 1 之间", field="level")
    if y.size < FEWEST or not y.sum():
        raise NotEnoughData(
            f"an offspring distribution takes {FEWEST} cases and one transmission; there are {y.size} and "
            f"{int(y.sum())}",
            f"子代分布至少需要 {FEWEST} 例病例和 1 次传播；现有 {y.size} 例、{int(y.sum())} 次",
            field="counts",
        )
    mean = float(y.mean())
    values, times = np.unique(y, return_counts=True)

    def likelihood(r: float, k: float) -> float:
        return float((times * _log_pmf(values, r, k)).sum())

    k = _best_k(likelihood, mean)
    drop = float(stats.chi2.ppf(level, 1)) / 2
    best = likelihood(mean, k)
    share_fitted = share_causing(*_tabulated(mean, k), of=of)
    return Offspring(
        n=int(y.size),
        transmissions=int(y.sum()),
        most=int(y.max()),
        none=int((y == 0).sum()),
        r=_bounds_of_r(likelihood, mean, best - drop),
        k=_bounds_of_k(likelihood, mean, k, best - drop),
        of=of,
        share=share_causing(y, of=of),
        share_fitted=share_fitted,
        top_fifth=_caused_by(y, 0.2),
        superspreader_from=int(stats.poisson.ppf(SUPER, mean)) + 1,
        level=level,
    )


def share_causing(counts: ArrayLike, weights: ArrayLike | None = None, *, of: float = 0.8) -> float | None:
    """The smallest share of cases that caused `of` of all transmission, a case in part where it takes only a
    part of it (Endo 2020). None without transmission."""
    y = np.asarray(counts, np.float64)
    w = np.ones(y.size) if weights is None else np.asarray(weights, np.float64)
    order = np.argsort(-y, kind="stable")
    caused, cases = np.cumsum(y[order] * w[order]), np.cumsum(w[order])
    if not caused.size or caused[-1] <= 0:
        return None
    aim = of * caused[-1]
    i = int(np.searchsorted(caused, aim))
    before, behind = (caused[i - 1], cases[i - 1]) if i else (0.0, 0.0)
    part = (aim - before) / (caused[i] - before)
    return float((behind + part * w[order][i]) / cases[-1])


def _caused_by(y: NDArray[np.float64], share: float) -> float | None:
    """The share of transmission caused by the most infectious `share` of cases."""
    total = y.sum()
    if not total:
        return None
    caused = np.concatenate(([0.0], np.cumsum(-np.sort(-y))))
    return float(np.interp(share * y.size, np.arange(y.size + 1), caused) / total)


def _read(counts: ArrayLike) -> NDArray[np.float64]:
    try:
        y = np.asarray(counts, np.float64).ravel()
    except (TypeError, ValueError):
        y = np.array([-1.0])
    if not np.isfinite(y).all() or (y < 0).any() or (y != np.floor(y)).any():
        raise InputError(
            "counts are whole numbers of at least 0, one a case",
            "应给出每例病例的传播人数，为不小于 0 的整数",
            field="counts",
        )
    return y


def _log_pmf(y: NDArray[np.float64], r: float, k: float) -> NDArray[np.float64]:
    if k >= POISSON:
        return np.asarray(special.xlogy(y, r) - r - special.gammaln(y + 1))
    return np.asarray(
        special.gammaln(y + k) - special.gammaln(k) - special.gammaln(y + 1)
        - k * np.log1p(r / k) + special.xlogy(y, r / (r + k))
    )  # fmt: skip


def _best_k(likelihood: Callable[[float, float], float], r: float) -> float:
    """The k of highest likelihood at mean r; inf where the likelihood still rises at the Poisson end."""
    grid = np.geomspace(LEAST_K, POISSON, 60)
    top = int(np.argmax([likelihood(r, k) for k in grid]))
    if top == grid.size - 1:
        return float("inf")
    low, high = np.log(grid[max(top - 1, 0)]), np.log(grid[min(top + 1, grid.size - 1)])
    found = optimize.minimize_scalar(
        lambda x: -likelihood(r, float(np.exp(x))), bounds=(low, high), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    return float(np.exp(found.x))


def _bounds_of_k(
    likelihood: Callable[[float, float], float], r: float, k: float, floor: float
) -> tuple[float, float, float]:
    def over(x: float) -> float:
        return likelihood(r, float(np.exp(x))) - floor

    middle = np.log(min(k, POISSON))
    low = _root(over, np.log(LEAST_K), middle)
    high = _root(over, middle, np.log(POISSON))
    return k, float(np.exp(low)) if low is not None else 0.0, _or_inf(high)


def _or_inf(high: float | None) -> float:
    return float("inf") if high is None else float(np.exp(high))


def _bounds_of_r(
    likelihood: Callable[[float, float], float], r: float, floor: float
) -> tuple[float, float, float]:
    def over(x: float) -> float:
        at = float(np.exp(x))
        return likelihood(at, min(_best_k(likelihood, at), POISSON)) - floor

    low, high = (_root(over, np.log(r) - 6, np.log(r)), _root(over, np.log(r), np.log(r) + 6))
    return r, float(np.exp(low)) if low is not None else 0.0, _or_inf(high)


def _root(over: Callable[[float], float], low: float, high: float) -> float | None:
    if high <= low or over(low) * over(high) >= 0:
        return None
    return float(optimize.brentq(over, low, high, xtol=1e-8))


def _tabulated(r: float, k: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and probabilities of the fit, to where nothing more is left."""
    spread = r + (r * r / k if np.isfinite(k) else 0.0)
    values = np.arange(int(r + 60 * np.sqrt(spread) + 60), dtype=np.float64)
    return values, np.exp(_log_pmf(values, r, min(k, POISSON)))


def _with_interval(values: tuple[float, float, float]) -> str:
    told = ["∞" if value == float("inf") else f"{value:.2f}" for value in values]
    return f"{told[0]} ({told[1]}–{told[2]})"
