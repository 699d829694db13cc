"""Draws from the posterior of who infected whom, compiled.

Given all dates of infection and the parameters, each case's infector is independent of the others' (Jombart
2014), so infectors are summed out while a date is drawn: what is sampled is short, what is reported is the
exact conditional probability of every infector, averaged over the draws.

A day is drawn for all its candidates side by side: the weights of a pair on days in a row lie in a row, and
what a day does to the infectees multiplies up, so that a logarithm is taken per candidate day, not per pair.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Pseudo-counts of the Beta priors of μ (mutations a site and transmission), of contact given transmission
#: and of contact without: flat (Jombart 2014; Campbell 2019).
_FLAT = 1.0
#: Weight of "none of those listed" where the caller allows no outside source: taken only when no date
#: leaves anything else.
NEVER = 1e-200
#: Products are turned into logarithms before they leave these bounds: with a factor of NEVER they still hold.
_SMALL, _LARGE = 1e-80, 1e80
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
    changed, kept = math.log(mu), math.log1p(-mu)
    is_with, is_without = math.log(with_contact), math.log(without)
    for i in range(n):
        highest = -math.inf
        for j in range(n):
            for k in range(generations):
                value = 0.0
                if sites > 0.0 and not math.isnan(distance[i, j]):
                    d = distance[i, j]
                    value = d * changed + ((k + 1) * sites - d) * kept
                if contact[i, j] < 0.0:
                    value = -math.inf
                elif k == 0 and contact[i, j] > 0.0:
                    value += math.log(contact[i, j])
                    if estimate_contact:
                        value += is_with
                elif estimate_contact:
                    value += is_without
                out[i, j, k] = value
                if i != j:
                    highest = max(highest, value)
        for j in range(n):
            for k in range(generations):
                possible = i != j and highest > -math.inf
                out[i, j, k] = math.exp(out[i, j, k] - highest) if possible else 0.0


@njit(cache=True, nogil=True)
def _weight(gap: int, evidence: NDArray[np.float64], chance: NDArray[np.float64]) -> float:
    """Weight of a pair `gap` days apart, over the number of generations between."""
    if gap < 1 or gap >= chance.shape[1]:
        return 0.0
    total = 0.0
    for k in range(evidence.size):
        total += chance[k, gap] * evidence[k]
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
    chance = np.empty(generation.shape)  # of each number of generations and days, as the share sampled has it
    onward = np.zeros((2, generations, generation.shape[1] + 2 * options))
    most = 0.0
    for k in range(generations):
        most += generation[k].max()
    learning = sites > 0.0 or estimate_contact
    recorded, pairs = 0.0, n * (n - 1) / 2.0
    for i in range(n):
        for j in range(i):
            recorded += 1.0 if contact[i, j] > 0.0 or contact[j, i] > 0.0 else 0.0
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
            chance[k] = missed[k] * generation[k]
            onward[0, k, options : options + generation.shape[1]] = chance[k]
            onward[1, k, options : options + generation.shape[1]] = chance[k, ::-1]
        with_contact, without = chance_with / chance_without, (1.0 - chance_with) / (1.0 - chance_without)
        if learning or sweep == 0:
            _evidence(evidence, distance, contact, sites, mu, with_contact, without, estimate_contact)
        for i in range(n):
            sums[i] = beyond
            for j in range(n):
                gap = earliest[i] + at[i] - earliest[j] - at[j]
                weights[i, j] = _weight(gap, evidence[i, j], chance)
                sums[i] += weights[i, j]
        for _ in range(n):
            _redate(
                np.random.randint(n), at, earliest, infection, evidence, chance, onward, weights, sums,
                imported, beyond, most,
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
            k = _generations(i, chosen, earliest, at, evidence, chance)
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


# The three below stand alone, on rows without gaps: so they are compiled for many numbers at once.


@njit(cache=True, nogil=True)
def _add(out: NDArray[np.float64], row: NDArray[np.float64], factor: float) -> None:
    for d in range(out.size):
        out[d] += row[d] * factor


@njit(cache=True, nogil=True)
def _set(out: NDArray[np.float64], row: NDArray[np.float64], factor: float) -> None:
    for d in range(out.size):
        out[d] = row[d] * factor


@njit(cache=True, nogil=True)
def _multiply(
    product: NDArray[np.float64], new: NDArray[np.float64], rest: float, least: float, share: float
) -> None:
    for d in range(product.size):
        value = rest + new[d]
        product[d] *= (value if value > least else least) * share


@njit(cache=True, nogil=True)
def _log_chances(
    i: int,
    at: NDArray[np.int64],
    earliest: NDArray[np.int64],
    infection: NDArray[np.float64],
    evidence: NDArray[np.float64],
    chance: NDArray[np.float64],
    onward: NDArray[np.float64],
    weights: NDArray[np.float64],
    sums: NDArray[np.float64],
    imported: NDArray[np.bool_],
    beyond: float,
    most: float,
) -> NDArray[np.float64]:
    """The logarithm of the probability of each infection day of case i given all other days, all infectors
    summed out; up to a constant.

    `onward[0]` and `onward[1]` hold `chance` by days ascending and descending, with room for all options on
    either side. `most`: no weight is above it.
    """
    n, options = infection.shape
    generations, longest = chance.shape[0], chance.shape[1] - 1
    logs, product = np.zeros(options), np.ones(options)
    own, new = np.full(options, beyond), np.empty(options)
    lowest, highest = 1.0, 1.0  # what the products lie between
    for k in range(n):
        if k == i:
            continue
        ahead = earliest[k] + at[k] - earliest[i]  # the day of k, counted from the first option
        if not imported[i] and -longest <= ahead < options - 1:
            first = options - ahead
            for g in range(generations):
                _add(own, onward[0, g, first : first + options], evidence[i, k, g])
        if not imported[k] and 1 <= ahead < longest + options:
            first = options + longest - ahead
            _set(new, onward[1, 0, first : first + options], evidence[k, i, 0])
            for g in range(1, generations):
                _add(new, onward[1, g, first : first + options], evidence[k, i, g])
            rest, share = sums[k] - weights[k, i], 1.0 / sums[k]
            _multiply(product, new, rest, beyond, share)
            lowest *= max(rest, beyond) * share
            highest *= max(rest + most, beyond) * share
            if lowest < _SMALL or highest > _LARGE:
                for option in range(options):
                    logs[option] += math.log(product[option])
                    product[option] = 1.0
                lowest, highest = 1.0, 1.0
    for option in range(options):
        if infection[i, option] > 0.0:
            logs[option] += math.log(infection[i, option] * product[option])
            if not imported[i]:
                logs[option] += math.log(own[option])
        else:
            logs[option] = -math.inf
    return logs


@njit(cache=True, nogil=True)
def _redate(
    i: int,
    at: NDArray[np.int64],
    earliest: NDArray[np.int64],
    infection: NDArray[np.float64],
    evidence: NDArray[np.float64],
    chance: NDArray[np.float64],
    onward: NDArray[np.float64],
    weights: NDArray[np.float64],
    sums: NDArray[np.float64],
    imported: NDArray[np.bool_],
    beyond: float,
    most: float,
) -> None:
    """Draw the infection day of case i given all other days."""
    n, options = infection.shape
    logs = _log_chances(
        i, at, earliest, infection, evidence, chance, onward, weights, sums, imported, beyond, most
    )
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
        weights[i, k] = _weight(day - there, evidence[i, k], chance)
        sums[i] += weights[i, k]
        again = _weight(there - day, evidence[k, i], chance)
        sums[k] = max(sums[k] - weights[k, i] + again, beyond)
        weights[k, i] = again


@njit(cache=True, nogil=True)
def _generations(
    i: int,
    j: int,
    earliest: NDArray[np.int64],
    at: NDArray[np.int64],
    evidence: NDArray[np.float64],
    chance: NDArray[np.float64],
) -> int:
    """Unseen cases between j and i, drawn: generations − 1."""
    generations = chance.shape[0]
    if generations == 1:
        return 0
    gap = earliest[i] + at[i] - earliest[j] - at[j]
    total = 0.0
    for k in range(generations):
        total += chance[k, gap] * evidence[i, j, k]
    pick = np.random.random() * total
    for k in range(generations):
        pick -= chance[k, gap] * evidence[i, j, k]
        if pick < 0.0:
            return k
    return generations - 1
