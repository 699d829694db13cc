"""The likelihood of delays known by windows, of which only those ended by a day were seen.

Double interval censoring: the first event lies in [a, b], the second in [c, d] (Reich 2009, eq. 1-3, with
the first event uniform in its window, or growing as exp(r·t) as in an epidemic that grows, Britton and
Scalia Tomba 2019). Right truncation: a record is seen only if its second event came by T, so its likelihood
is divided by the chance of that (Seaman 2022; Park 2024). A window of no width is a moment known exactly:
then the likelihood is a density (single censoring, or none).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bihuan.epi.delays.families import Curve, Family
from bihuan.epi.series import Floats

#: Below this a probability is taken as this: log-likelihoods stay finite, and such parameters lose.
_FLOOR = 1e-300
#: Nodes of Gauss-Legendre quadrature a smooth piece, where growth leaves no closed form.
_NODES = 24
_X, _W = np.polynomial.legendre.leggauss(_NODES)


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Records relative to the start of their first window: first event in [0, width], second in [low, high],
    seen only up to `cut` (infinite: no truncation). Equal records stand once, with their `weight`.
    """

    width: Floats
    low: Floats
    high: Floats
    cut: Floats
    weight: Floats

    @property
    def n(self) -> float:
        return float(self.weight.sum())

    @property
    def middle(self) -> Floats:
        """The delay between the middles of the two windows."""
        return (self.low + self.high - self.width) / 2


def gather(first: Floats, first_end: Floats, second: Floats, second_end: Floats, cut: Floats) -> Windows:
    """Windows from absolute times; equal records are counted, not repeated."""
    table = np.column_stack([first_end - first, second - first, second_end - first, cut - first])
    rows, weight = np.unique(table, axis=0, return_counts=True)
    return Windows(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], weight.astype(np.float64))


def possible(windows: Windows) -> np.ndarray:
    """Which records a delay of zero or more can explain."""
    return np.asarray(windows.high > 0)


def log_likelihood(windows: Windows, family: Family, parameters: tuple[float, float], growth: float) -> float:
    """Sum over the records, weighted; never NaN."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        top = np.log(np.maximum(_seen(windows, family, parameters, growth), _FLOOR))
        cut = np.isfinite(windows.cut)
        if cut.any():
            top[cut] -= np.log(np.maximum(_by_cut(windows, family, parameters, growth)[cut], _FLOOR))
        total = float((windows.weight * top).sum())
    return total if np.isfinite(total) else -1e300


def _seen(w: Windows, family: Family, parameters: tuple[float, float], growth: float) -> Floats:
    """Probability (or density) of the second window, given the first."""
    out = np.empty_like(w.low)
    point, moment = w.width == 0, w.high == w.low
    exact = point & moment
    out[exact] = np.exp(family.log_pdf(w.low[exact], *parameters))
    one = point & ~moment
    out[one] = _between(family, parameters, w.low[one], w.high[one])
    wide = ~point
    if growth:
        out[wide] = _by_quadrature(w, wide, family, parameters, growth)
        return out
    single = wide & moment
    out[single] = (
        _between(family, parameters, w.low[single] - w.width[single], w.low[single]) / w.width[single]
    )
    double = wide & ~moment
    out[double] = _second_difference(family, parameters, w, double) / w.width[double]
    return out


def _between(family: Family, parameters: tuple[float, float], low: Floats, high: Floats) -> Floats:
    """F(high) − F(low), from whichever tail keeps the digits."""
    mean = family.moments(*parameters)[0]
    left = family.cdf(high, *parameters) - family.cdf(low, *parameters)
    right = family.sf(low, *parameters) - family.sf(high, *parameters)
    return np.where(low > mean, right, left)


def _second_difference(
    family: Family, parameters: tuple[float, float], w: Windows, rows: np.ndarray
) -> Floats:
    """∫ over the first window of F(high − p) − F(low − p), from whichever tail keeps the digits."""
    width, low, high = w.width[rows], w.low[rows], w.high[rows]
    mean = family.moments(*parameters)[0]

    def second(integral: Curve) -> Floats:
        a, b = parameters
        rise = integral(high, a, b) - integral(high - width, a, b)
        return rise - integral(low, a, b) + integral(low - width, a, b)

    return np.where(low - width > mean, second(family.above), second(family.below))


def _by_cut(w: Windows, family: Family, parameters: tuple[float, float], growth: float) -> Floats:
    """Probability that the second event has come by the cut."""
    out = np.asarray(family.cdf(w.cut, *parameters), dtype=np.float64).copy()
    wide = (w.width > 0) & np.isfinite(w.cut)
    if not wide.any():
        return out
    if growth:
        start, end = np.zeros(wide.sum()), np.minimum(w.width[wide], np.maximum(w.cut[wide], 0.0))
        top = _integrate(
            start, end, lambda p: np.exp(growth * p) * family.cdf(w.cut[wide][:, None] - p, *parameters)
        )
        out[wide] = top / _mass(w.width[wide], growth)
        return out
    below = family.below(w.cut[wide], *parameters) - family.below(w.cut[wide] - w.width[wide], *parameters)
    out[wide] = below / w.width[wide]
    return out


def _by_quadrature(
    w: Windows, rows: np.ndarray, family: Family, parameters: tuple[float, float], growth: float
) -> Floats:
    """As `_seen`, with the first event weighted by exp(growth·p): two smooth pieces, cut where p meets the
    second window."""
    width, low, high = w.width[rows], w.low[rows], w.high[rows]
    moment = (low == high)[:, None]

    def chance(p: Floats) -> Floats:
        density = np.exp(family.log_pdf(np.maximum(low[:, None] - p, 1e-12), *parameters))
        between = _between(family, parameters, low[:, None] - p, high[:, None] - p)
        return np.exp(growth * p) * np.where(moment, density, between)

    bend = np.clip(low, 0.0, width)
    end = np.clip(high, bend, width) if family.positive else width
    total = _integrate(np.zeros_like(width), bend, chance) + _integrate(bend, end, chance)
    return total / _mass(width, growth)


def _integrate(start: Floats, end: Floats, function: Callable[[Floats], Floats]) -> Floats:
    half = (end - start)[:, None] / 2
    nodes = start[:, None] + half * (_X[None, :] + 1)
    return np.asarray((function(nodes) * _W * half).sum(axis=1))


def _mass(width: Floats, growth: float) -> Floats:
    return np.expm1(growth * width) / growth
