"""Days of infection are drawn with the probabilities of the definition, however they are computed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bihuan.epi.chains import sampler
from bihuan.epi.chains.given import NEVER, Facts


def by_definition(
    i: int, at: Any, earliest: Any, infection: Any, evidence: Any, chance: Any, imported: Any, beyond: float
) -> list[float]:
    """Each day of case i in turn: every pair of cases weighed anew, one by one."""
    n, options = infection.shape
    told = []
    for option in range(options):
        days = earliest + at
        days[i] = earliest[i] + option
        value = math.log(infection[i, option]) if infection[i, option] > 0 else -math.inf
        for k in range(n):
            if imported[k]:
                continue
            total = beyond
            for j in range(n):
                gap = days[k] - days[j]
                if j != k and 0 < gap < chance.shape[1]:
                    total += float((chance[:, gap] * evidence[k, j]).sum())
            value += math.log(total)
        told.append(value)
    return told


def known(earliest: Any, infection: Any, generation: Any, imported: Any, beyond: float) -> Facts:
    """Cases of whom only dates are known."""
    n = earliest.size
    return Facts(
        earliest, infection, generation, np.full((n, n), np.nan), 0.0, np.zeros((n, n)), False, 0.0, imported,
        beyond,
    )  # fmt: skip


@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(2, 12), options=st.integers(1, 30),
    longest=st.integers(1, 40), generations=st.integers(1, 3), beyond=st.sampled_from([1e-9, 0.01, 0.3]),
)  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_days_are_weighed_as_the_definition_says(
    seed: int, n: int, options: int, longest: int, generations: int, beyond: float
) -> None:
    random = np.random.default_rng(seed)
    earliest = np.sort(random.integers(0, random.integers(1, 60), n)).astype(np.int64)
    infection = random.random((n, options)) * (random.random((n, options)) > 0.2)
    infection[:, 0] += 0.01
    at = np.array([random.choice(np.flatnonzero(row)) for row in infection], np.int64)
    chance = random.random((generations, longest + 1))
    chance[:, 0] = 0.0
    chance /= chance.sum()
    evidence = random.random((n, n, generations)) * (random.random((n, n, 1)) > 0.3)
    evidence[np.arange(n), np.arange(n)] = 0.0
    imported = random.random(n) < 0.2
    gaps = (earliest + at)[:, None] - (earliest + at)[None, :]
    inside = (gaps > 0) & (gaps <= longest)
    weights = (chance[:, np.clip(gaps, 0, longest)].transpose(1, 2, 0) * evidence).sum(axis=2) * inside
    onward = np.zeros((2, generations, longest + 1 + 2 * options))
    onward[0, :, options : options + longest + 1] = chance
    onward[1, :, options : options + longest + 1] = chance[:, ::-1]
    i = int(random.integers(n))
    found = sampler._log_chances(
        i,
        known(earliest, infection, chance, imported, beyond),
        sampler.State(
            at, chance, onward, evidence, weights, beyond + weights.sum(axis=1), chance.max(axis=1).sum()
        ),
    )
    wanted = np.array(by_definition(i, at, earliest, infection, evidence, chance, imported, beyond))
    possible = infection[i] > 0
    assert not np.isfinite(found[~possible]).any()
    # Both up to a constant: compared by their differences from one day.
    assert_allclose(
        found[possible] - found[possible][0], wanted[possible] - wanted[possible][0], rtol=1e-6, atol=1e-6
    )


def test_a_product_of_many_small_factors_does_not_vanish() -> None:
    """Sixty cases whom only one can have infected, and a source outside that is next to impossible."""
    n, options = 60, 3
    earliest = np.array([0] + [6] * (n - 1), np.int64)
    infection, at = np.ones((n, options)), np.ones(n, np.int64)
    chance = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5]])
    evidence = np.zeros((n, n, 1))
    evidence[1:, 0] = 1.0
    imported = np.zeros(n, np.bool_)
    imported[0] = True
    onward = np.zeros((2, 1, 7 + 2 * options))
    onward[0, 0, options : options + 7], onward[1, 0, options : options + 7] = chance[0], chance[0, ::-1]
    weights = np.zeros((n, n))
    weights[1:, 0] = 0.5
    sums = NEVER + weights.sum(axis=1)
    found = sampler._log_chances(
        0,
        known(earliest, infection, chance, imported, NEVER),
        sampler.State(at, chance, onward, evidence, weights, sums, 0.5),
    )
    # Seven days before all others nobody is infected by the first: each of them came from nowhere.
    assert_allclose(found - found[1], [(n - 1) * math.log(NEVER / 0.5), 0.0, 0.0], atol=1e-6)


def test_what_is_picked_has_the_chance_of_its_weight() -> None:
    weights = np.array([0.0, 1.0, 0.0, 3.0])
    picked = [sampler._pick(weights, 8.0, 9) for _ in range(20_000)]
    shares = {option: picked.count(option) / len(picked) for option in set(picked)}
    assert set(shares) == {1, 3, 9}
    assert_allclose([shares[1], shares[3], shares[9]], [1 / 8, 3 / 8, 4 / 8], atol=0.02)
