"""Baselines as Noufaily 2013 simulates them: negative-binomial weeks with and without trend and season."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats, Frequency, Panel, panel

#: Weeks of a year in the paper, also the period of its Fourier terms.
WEEKS = 52
#: Weeks of a series, and the newest of them in which detection is judged (Noufaily 2013).
N_TIMES, N_CURRENT = 624, 49


@dataclass(frozen=True, slots=True)
class Scenario:
    """log μ(t) = θ + βt + Σⱼ γ₁cos(2πjt/52) + γ₂sin(2πjt/52), j up to `harmonics`; variance φμ (Noufaily
    2013). `trend` False leaves β out."""

    theta: float
    beta: float
    gamma1: float
    gamma2: float
    phi: float
    harmonics: int = 0
    trend: bool = False

    @property
    def name(self) -> str:
        season = ("no season", "one harmonic", "two harmonics")[min(self.harmonics, 2)]
        return f"θ={self.theta:g} φ={self.phi:g} {'trend' if self.trend else 'no trend'} {season}"

    def mean(self, n_times: int, *, period: int = WEEKS) -> Floats:
        """μ of periods 1..n."""
        t = np.arange(1, n_times + 1, dtype=np.float64)
        level = np.full(n_times, self.theta) + (self.beta * t if self.trend else 0.0)
        for j in range(1, self.harmonics + 1):
            angle = 2 * np.pi * j * t / period
            level += self.gamma1 * np.cos(angle) + self.gamma2 * np.sin(angle)
        return np.asarray(np.exp(level))

    def deviation(self, n_times: int, *, period: int = WEEKS) -> Floats:
        """Standard deviation of periods 1..n."""
        return np.asarray(np.sqrt(self.phi * self.mean(n_times, period=period)))


#: θ, β, γ₁, γ₂, φ of the seven groups (Noufaily 2013).
_GROUPS = (
    (0.1, 0.0025, 0.6, 0.6, 1.5),
    (-2.0, 0.005, 0.1, 0.3, 2.0),
    (1.5, 0.003, 0.2, -0.4, 1.0),
    (0.5, 0.002, 0.5, 0.5, 5.0),
    (2.5, 0.001, 1.0, 0.1, 3.0),
    (3.75, 0.001, 0.1, -0.1, 1.1),
    (5.0, 0.0001, 0.05, 0.01, 1.2),
)
#: The 42 scenarios: each group with and without trend, with none, one and two harmonics.
SCENARIOS: tuple[Scenario, ...] = tuple(
    Scenario(*group, harmonics=harmonics, trend=trend)
    for group in _GROUPS
    for harmonics in (0, 1, 2)
    for trend in (False, True)
)


def simulate(
    scenario: Scenario,
    *,
    n_series: int = 100,
    n_times: int = N_TIMES,
    seed: int = 1,
    frequency: Frequency = "weekly",
    start: date | str | None = None,
) -> Panel:
    """`n_series` baselines without an outbreak: negative binomial with variance φμ (Poisson when φ is 1)."""
    if n_series < 1 or n_times < 1:
        raise InputError(
            f"{n_series} series of {n_times} periods: both must be at least one",
            f"{n_series} 条序列、{n_times} 期：均须至少为 1",
            field="n_series",
        )
    if scenario.phi < 1:
        raise InputError(f"phi is {scenario.phi}; it must be at least 1", "phi 不得小于 1", field="phi")
    random = np.random.default_rng(seed)
    counts = negative_binomial(random, scenario.mean(n_times), scenario.phi, n_series)
    return panel(counts, start=start, frequency=frequency)


def negative_binomial(random: np.random.Generator, mean: Floats, phi: float, n_series: int) -> Floats:
    """Draws of the given mean with variance `phi` times it."""
    shape = (n_series, mean.size)
    if phi == 1:
        return np.asarray(random.poisson(mean, size=shape), dtype=np.float64)
    return np.asarray(random.negative_binomial(mean / (phi - 1), 1 / phi, size=shape), dtype=np.float64)
