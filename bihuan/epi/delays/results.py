"""A delay's fitted distribution: what the fit says, with intervals, and a sentence for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.series import Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval; low and high are None where the data do not tell them."""

    value: float
    low: float | None = None
    high: float | None = None

    def text(self, lang: str = "en", digits: int = 1) -> str:
        between = "至" if lang.startswith("zh") else " to "
        if self.low is None or self.high is None:
            return f"{self.value:.{digits}f}"
        open_, close = ("（", "）") if lang.startswith("zh") else (" (", ")")
        return f"{self.value:.{digits}f}{open_}{self.low:.{digits}f}{between}{self.high:.{digits}f}{close}"


@dataclass(frozen=True, slots=True)
class DelayFit:
    """One family fitted by maximum likelihood. `parameters` are its natural ones by name; `quantiles` by
    probability. `settled` is False when the data do not hold the parameters (then there are no intervals).
    """

    family: str
    parameters: dict[str, Estimate]
    mean: Estimate
    sd: Estimate
    quantiles: dict[float, Estimate]
    log_likelihood: float
    n: int
    settled: bool

    @property
    def aic(self) -> float:
        """Akaike 1974: −2 log L + 2 × 2 parameters."""
        return 4.0 - 2.0 * self.log_likelihood

    @property
    def _natural(self) -> tuple[float, float]:
        first, second = (e.value for e in self.parameters.values())
        return first, second

    def cdf(self, days: ArrayLike) -> Floats:
        """Chance that the delay is at most `days`."""
        from bihuan.epi.delays.families import FAMILIES

        return np.asarray(FAMILIES[self.family].cdf(np.asarray(days, dtype=np.float64), *self._natural))

    def pmf(self, longest: int) -> Floats:
        """Chance of each whole number of days 0..`longest` between two calendar dates, the first event
        falling anywhere in its day; what remains beyond is left out, so it sums to at most one.
        """
        from bihuan.epi.delays.families import FAMILIES

        below = FAMILIES[self.family].below(np.arange(-1, longest + 2, dtype=np.float64), *self._natural)
        return np.maximum(np.diff(below, n=2), 0.0)


@dataclass(frozen=True, slots=True)
class DelayDistribution:
    """Fits in order of AIC (the best first), and what went into them.

    `n` records told of the delay; `missing` lacked a date; `impossible` ended before they began and no family
    asked for can hold them; `later` ended after `until` and were not yet known then. `naive_mean` is the mean
    of what was seen, before any correction. `censoring` is "double" (both days are windows), "single" or
    "none"; `until` is the last day of observation when the fit corrects for truncation.
    """

    what_en: str
    what_zh: str
    fits: tuple[DelayFit, ...]
    n: int
    missing: int
    impossible: int
    later: int
    naive_mean: float
    naive_median: float
    censoring: str
    until: date | float | None
    level: float
    growth_rate: float = 0.0

    @property
    def best(self) -> DelayFit:
        return self.fits[0]

    def fit(self, family: str) -> DelayFit:
        """The fit of one family; KeyError when it was not asked for."""
        for one in self.fits:
            if one.family == family:
                return one
        raise KeyError(family)

    def weights(self) -> dict[str, float]:
        """Akaike weights (Burnham and Anderson 2002): how much of the evidence each family holds."""
        aic = np.array([f.aic for f in self.fits])
        likelihood = np.exp(-(aic - aic.min()) / 2)
        return {f.family: float(w) for f, w in zip(self.fits, likelihood / likelihood.sum(), strict=True)}

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict a family and quantity: value, low, high, aic, weight."""
        weights = self.weights()
        for fit in self.fits:
            named = {"mean": fit.mean, "sd": fit.sd, **fit.parameters}
            named |= {f"q{100 * q:g}": e for q, e in fit.quantiles.items()}
            for name, e in named.items():
                yield {
                    "delay": self.what_en,
                    "family": fit.family,
                    "quantity": name,
                    "value": e.value,
                    "low": e.low,
                    "high": e.high,
                    "aic": fit.aic,
                    "weight": weights[fit.family],
                    "n": fit.n,
                    "settled": fit.settled,
                }

    def explain(self, lang: str = "en") -> str:
        """One sentence: median and mean with intervals, family and AIC, what was corrected, what was left."""
        from bihuan.epi.delays.sentences import explain

        return explain(self, lang)

    def plot(self, *, lang: str = "en", path: str | None = None) -> Any:
        """A Matplotlib figure of the fitted distributions."""
        from bihuan.epi.figures.delays import plot_delay

        return plot_delay(self, lang=lang, path=path)
