"""Draws from the posterior of who infected whom, compiled.

Given all dates of infection and the parameters, each case's infector is independent of the others' (Jombart
2014), so infectors are summed out while a date is drawn: what is sampled is short, what is reported is the
exact conditional probability of every infector, averaged over the draws.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Pseudo-counts of the Beta priors of μ (mutations a site and transmission), of contact given transmission
#: and of contact without: flat (Jombart 2014; Campbell 2019).
_FLAT = 1.0
#: Weight of "none of those listed" where the caller allows no outside source: taken only when no date
#: leaves anything else.
NEVER = 1e-200
#: Prior of the share of cases that were sampled, Beta(10, 1) (outbreaker2's documented default).
_SAMPLED = (10.0, 1.0)


@njit(cache=True, nogil=True)
def _evidence(
    out: NDArray[np.float64],
    distance: NDArray[np.float64],
    contact: NDArray[np.float64],
    sites: float,
    mu: float,
    with_contact: float,
    without: float,
    estimate_contact: bool,
) -> None:
    """What sequences and contacts say of each pair (infectee, infector, generations − 1), up to a factor.

    Sequences: μᵈ(1−μ)^(κL−d) (Jombart 2014). Contacts: a recorded one is `with_contact` times as likely
    between infector and infectee as elsewhere, none recorded `without` times (Campbell 2019), or as the
    caller weighs. The factor is the same for all infectors of a case: the best of them has 1.
    """
    n, _, generations = out.shape
    for i in range(n):
        highest = -math.inf
        for j in range(n):
            for k in range(generations):
                value = 0.0
                if sites > 0.0 and not math.isnan(distance[i, j]):
                    d = distance[i, j]
                    value = d * math.log(mu) + ((k + 1) * sites - d) * math.log1p(-mu)
                if contact[i, j] < 0.0:
                    value = -math.inf
                elif k == 0:
                    if contact[i, j] > 0.0:
                        value += math.log(contact[i, j])
                        if estimate_contact:
                            value += math.log(with_contact)
                    elif estimate_contact:
                        value += math.log(without)
                elif estimate_contact:
                    value += math.log(without)
                out[i, j, k] = value
                if i != j:
                    highest = max(highest, value)
        for j in range(n):
            for k in range(generations):
                out[i, j, k] = math.exp(out[i, j, k] - highest) if highest > -math.inf else 0.0


@njit(cache=True, nogil=True)
def _weight(
    i: int, j: int, gap: int, evidence: NDArray[Any], generation: NDArray[Any], missed: NDArray[Any]
) -> float:
    """Weight of j as the infector of i, `gap` days apart, over the number of generations between."""
    if i == j or gap < 1 or gap >= generation.shape[1]:
        return 0.0
    total = 0.0
    for k in range(evidence.shape[2]):
        total += missed[k] * generation[k, gap] * evidence[i, j, k]
    return total


@njit(cache=True, nogil=True)
def run(
    seed: int,
    draws: int,
    burn_in: int,
    earliest: NDArray[np.int64],
    infection: NDArray[np.float64],
    generation: NDArray[np.float64],
    distance: NDArray[np.float64],
    contact: NDArray[np.float64],
    estimate_contact: bool,
    sites: float,
    imported: NDArray[np.bool_],
    outside: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Support [infectee, infector; last column: none of those listed], the probability of each infection day
    (day `earliest[i]` + column), and the draws of (μ, P(contact | transmission), P(contact | none), sampled).

    `infection[i, d]` is the probability of infection on day `earliest[i] + d` from the onset alone.
    `generation[k, g]`: probability that k + 1 generations take g days. `contact`: weight above 0 recorded, 0
    none, below 0 impossible.
    """
    np.random.seed(seed)
    n, options = infection.shape
    generations = generation.shape[0]
    top = generation.max()
    mu, with_contact, without, sampled = 1.0 / max(sites, 2.0), 1.0, 1.0, 1.0
    missed = np.ones(generations)
    if generations > 1:
        sampled = _SAMPLED[0] / (_SAMPLED[0] + _SAMPLED[1])
    evidence, weights, sums = np.empty((n, n, generations)), np.zeros((n, n)), np.empty(n)
    support, days = np.zeros((n, n + 1)), np.zeros((n, options))
    kept = np.zeros((draws, 4))
    at = np.empty(n, np.int64)
    for i in range(n):
        at[i] = np.argmax(infection[i])
    chance_with, chance_without = 0.5, 0.1
    beyond = outside * top
    for sweep in range(burn_in + draws):
        for k in range(generations):
            missed[k] = sampled * (1.0 - sampled) ** k if generations > 1 else 1.0
        with_contact, without = chance_with / chance_without, (1.0 - chance_with) / (1.0 - chance_without)
        _evidence(evidence, distance, contact, sites, mu, with_contact, without, estimate_contact)
        for i in range(n):
            sums[i] = beyond
            for j in range(n):
                gap = earliest[i] + at[i] - earliest[j] - at[j]
                weights[i, j] = _weight(i, j, gap, evidence, generation, missed)
                sums[i] += weights[i, j]
        for _ in range(n):
            _redate(
                np.random.randint(n), at, earliest, infection, evidence, generation, missed, weights, sums,
                imported, beyond,
            )  # fmt: skip
        # Subtracting leaves dust behind; sums are made anew before anything is read from them.
        transmissions, mutations, sites_seen, touching, skipped = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            if sweep >= burn_in:
                days[i, at[i]] += 1.0
            if imported[i]:
                if sweep >= burn_in:
                    support[i, n] += 1.0
                continue
            total = beyond
            for j in range(n):
                total += weights[i, j]
            pick, chosen = np.random.random() * total, n
            for j in range(n):
                pick -= weights[i, j]
                if chosen == n and weights[i, j] > 0.0 and pick < 0.0:
                    chosen = j
                if sweep >= burn_in:
                    support[i, j] += weights[i, j] / total
            if sweep >= burn_in:
                support[i, n] += beyond / total
            if chosen == n:
                continue
            k = _generations(i, chosen, earliest, at, evidence, generation, missed)
            skipped += k
            transmissions += 1.0
            if k == 0 and contact[i, chosen] > 0.0:
                touching += 1.0
            if not math.isnan(distance[i, chosen]):
                mutations += distance[i, chosen]
                sites_seen += (k + 1) * sites
        if sites > 0.0:
            mu = np.random.beta(_FLAT + mutations, _FLAT + max(sites_seen - mutations, 0.0))
            mu = min(max(mu, 1e-12), 1.0 - 1e-12)
        if estimate_contact:
            pairs, recorded = n * (n - 1) / 2.0, 0.0
            for i in range(n):
                for j in range(i):
                    recorded += 1.0 if contact[i, j] > 0.0 or contact[j, i] > 0.0 else 0.0
            chance_with = np.random.beta(_FLAT + touching, _FLAT + transmissions - touching)
            chance_without = np.random.beta(
                _FLAT + recorded - touching, _FLAT + max(pairs - recorded - transmissions + touching, 0.0)
            )
            chance_with = min(max(chance_with, 1e-9), 1.0 - 1e-9)
            chance_without = min(max(chance_without, 1e-9), 1.0 - 1e-9)
        if generations > 1:
            sampled = np.random.beta(_SAMPLED[0] + transmissions, _SAMPLED[1] + skipped)
        if sweep >= burn_in:
            kept[sweep - burn_in] = mu, chance_with, chance_without, sampled
    return support / draws, days / draws, kept


@njit(cache=True, nogil=True)
def _redate(
    i: int,
    at: NDArray[np.int64],
    earliest: NDArray[np.int64],
    infection: NDArray[np.float64],
    evidence: NDArray[np.float64],
    generation: NDArray[np.float64],
    missed: NDArray[np.float64],
    weights: NDArray[np.float64],
    sums: NDArray[np.float64],
    imported: NDArray[np.bool_],
    beyond: float,
) -> None:
    """Draw the infection day of case i given all other days, all infectors summed out."""
    n, options = infection.shape
    logs = np.full(options, -math.inf)
    for option in range(options):
        if infection[i, option] <= 0.0:
            continue
        day = earliest[i] + option
        value = math.log(infection[i, option])
        own = beyond
        for k in range(n):
            there = earliest[k] + at[k]
            if k == i:
                continue
            if not imported[i]:
                own += _weight(i, k, day - there, evidence, generation, missed)
            if not imported[k]:
                new = _weight(k, i, there - day, evidence, generation, missed)
                if new != weights[k, i]:
                    value += math.log(max(sums[k] - weights[k, i] + new, beyond) / sums[k])
        if not imported[i]:
            value += math.log(own)
        logs[option] = value
    top = logs.max()
    chances = np.exp(logs - top)
    pick = np.random.random() * chances.sum()
    chosen = at[i]
    for option in range(options):
        pick -= chances[option]
        if pick < 0.0 and chances[option] > 0.0:
            chosen = option
            break
    if chosen == at[i]:
        return
    at[i] = chosen
    day = earliest[i] + chosen
    sums[i] = beyond
    for k in range(n):
        if k == i:
            continue
        there = earliest[k] + at[k]
        weights[i, k] = _weight(i, k, day - there, evidence, generation, missed)
        sums[i] += weights[i, k]
        new = _weight(k, i, there - day, evidence, generation, missed)
        sums[k] = max(sums[k] - weights[k, i] + new, beyond)
        weights[k, i] = new


@njit(cache=True, nogil=True)
def _generations(
    i: int,
    j: int,
    earliest: NDArray[np.int64],
    at: NDArray[np.int64],
    evidence: NDArray[np.float64],
    generation: NDArray[np.float64],
    missed: NDArray[np.float64],
) -> int:
    """Unseen cases between j and i, drawn: generations − 1."""
    generations = generation.shape[0]
    if generations == 1:
        return 0
    gap = earliest[i] + at[i] - earliest[j] - at[j]
    total = 0.0
    for k in range(generations):
        total += missed[k] * generation[k, gap] * evidence[i, j, k]
    pick = np.random.random() * total
    for k in range(generations):
        pick -= missed[k] * generation[k, gap] * evidence[i, j, k]
        if pick < 0.0:
            return k
    return generations - 1
