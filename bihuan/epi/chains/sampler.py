"""Draws from the posterior of who infected whom, compiled.

Given all dates of infection and the parameters, each case's infector is independent of the others' (Jombart
2014), so infectors are summed out while a date is drawn: what is sampled is short, what is reported is the
exact conditional probability of every infector, averaged over the draws.

A sweep: all pairs are weighed, every case is given a new date in turn, infectors are drawn and counted, and
the parameters are drawn from what was counted.

A day is drawn for all its candidates side by side: the weights of a pair on days in a row lie in a row, and
what a day does to the infectees multiplies up, so that a logarithm is taken per candidate day, not per pair.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.chains.given import Facts
from bihuan.epi.compiled import njit

#: Pseudo-counts of the Beta priors of μ (mutations a site and transmission), of contact given transmission
#: and of contact without: flat (Jombart 2014; Campbell 2019).
_FLAT = 1.0
#: Products are turned into logarithms before they leave these bounds: with a factor of
#: `given.NEVER` they still hold.
_SMALL, _LARGE = 1e-80, 1e80
#: Prior of the share of cases that were sampled, Beta(10, 1) (outbreaker2's documented default).
_SAMPLED = (10.0, 1.0)
#: Where P(contact | transmission) and P(contact | none) start from.
_WITH, _WITHOUT = 0.5, 0.1


class Parameters(NamedTuple):
    """What is learned beside the dates: mutations a site and transmission, P(contact | transmission),
    P(contact | none), and the share of cases that were sampled."""

    mutation: float
    with_contact: float
    without: float
    sampled: float


class State(NamedTuple):
    """Where a run stands; every array is changed in place.

    `at[i]`: the option drawn for case i. `chance`: `generation` as the share sampled has it; `onward[0]` and
    `onward[1]` hold it by days ascending and descending, with room for all options on either side. Of a pair
    [infectee, infector], `evidence` (by generations − 1) is what contacts and sequences say, `weights` that
    and the days drawn; no weight is above `most`. `sums`: the weights of each infectee, `beyond` among them.
    """

    at: NDArray[np.int64]
    chance: NDArray[np.float64]
    onward: NDArray[np.float64]
    evidence: NDArray[np.float64]
    weights: NDArray[np.float64]
    sums: NDArray[np.float64]
    most: float


class _Seen(NamedTuple):
    """What one draw of all infectors holds, added up. `skipped`: unseen cases between."""

    transmissions: float
    mutations: float
    sites: float
    touching: float
    skipped: float


@njit(cache=True, nogil=True)
def run(
    seed: int, draws: int, burn_in: int, facts: Facts
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Support [infectee, infector; last column: none of those listed], the probability of each infection day
    (day `earliest[i]` + column), and the draws of `Parameters`, a row each."""
    np.random.seed(seed)
    n, options = facts.infection.shape
    support, days, kept = np.zeros((n, n + 1)), np.zeros((n, options)), np.zeros((draws, 4))
    state = _begin(facts)
    share = _SAMPLED[0] / (_SAMPLED[0] + _SAMPLED[1]) if facts.generation.shape[0] > 1 else 1.0
    parameters = Parameters(1.0 / max(facts.sites, 2.0), _WITH, _WITHOUT, share)
    _weigh_evidence(facts, parameters, state.evidence)
    for sweep in range(burn_in + draws):
        if sweep and (facts.sites > 0.0 or facts.is_learned):
            _weigh_evidence(facts, parameters, state.evidence)
        _share_out(facts, parameters.sampled, state)
        _weigh_pairs(facts, state)
        _redate(facts, state)
        _add_up(facts, state)
        if sweep >= burn_in:
            _count(facts, state, support, days)
        parameters = _learn(facts, _draw_infectors(facts, state), parameters)
        if sweep >= burn_in:
            for column in range(4):
                kept[sweep - burn_in, column] = parameters[column]
    return support / draws, days / draws, kept


@njit(cache=True, nogil=True)
def _begin(facts: Facts) -> State:
    """Every case at its likeliest day; nothing is weighed yet."""
    n, options = facts.infection.shape
    generations, width = facts.generation.shape
    at = np.empty(n, np.int64)
    for i in range(n):
        at[i] = np.argmax(facts.infection[i])
    most = 0.0
    for k in range(generations):
        most += facts.generation[k].max()
    return State(
        at,
        np.empty((generations, width)),
        np.zeros((2, generations, width + 2 * options)),
        np.empty((n, n, generations)),
        np.zeros((n, n)),
        np.empty(n),
        most,
    )


# --- what a pair weighs ----------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _weigh_evidence(facts: Facts, parameters: Parameters, out: NDArray[np.float64]) -> None:
    """What sequences and contacts say of each pair (infectee, infector, generations − 1), up to a factor.

    Sequences: μᵈ(1−μ)^(κL−d) (Jombart 2014). Contacts: a recorded one is P(contact | transmission) over
    P(contact | none) times as likely between infector and infectee as elsewhere, none recorded as often as
    the rest of the two has it (Campbell 2019), or as the caller weighs. The factor is the same for all
    infectors of a case: the best of them has 1.
    """
    n, _, generations = out.shape
    distance, contact, sites = facts.distance, facts.contact, facts.sites
    changed, kept = math.log(parameters.mutation), math.log1p(-parameters.mutation)
    touched = math.log(parameters.with_contact / parameters.without)
    untouched = math.log((1.0 - parameters.with_contact) / (1.0 - parameters.without))
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
                    if facts.is_learned:
                        value += touched
                elif facts.is_learned:
                    value += untouched
                out[i, j, k] = value
                if i != j:
                    highest = max(highest, value)
        for j in range(n):
            for k in range(generations):
                possible = i != j and highest > -math.inf
                out[i, j, k] = math.exp(out[i, j, k] - highest) if possible else 0.0


@njit(cache=True, nogil=True)
def _share_out(facts: Facts, sampled: float, state: State) -> None:
    """The chance of each number of generations and days: so many cases between were not sampled."""
    options, (generations, width) = facts.infection.shape[1], facts.generation.shape
    for k in range(generations):
        missed = sampled * (1.0 - sampled) ** k if generations > 1 else 1.0
        state.chance[k] = missed * facts.generation[k]
        state.onward[0, k, options : options + width] = state.chance[k]
        state.onward[1, k, options : options + width] = state.chance[k, ::-1]


@njit(cache=True, nogil=True)
def _weigh_pairs(facts: Facts, state: State) -> None:
    at, earliest, weights = state.at, facts.earliest, state.weights
    evidence, chance = state.evidence, state.chance
    for i in range(at.size):
        for j in range(at.size):
            gap = earliest[i] + at[i] - earliest[j] - at[j]
            weights[i, j] = _weight(gap, evidence[i, j], chance)
    _add_up(facts, state)


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
def _add_up(facts: Facts, state: State) -> None:
    """Sums made anew: taking a weight out of one again leaves dust behind."""
    weights, sums = state.weights, state.sums
    for i in range(sums.size):
        total = facts.beyond
        for j in range(sums.size):
            total += weights[i, j]
        sums[i] = total


# --- days of infection -----------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _redate(facts: Facts, state: State) -> None:
    """Draw the infection days of as many cases as there are, one after the other, given all other days."""
    at = state.at
    for _ in range(at.size):
        i = np.random.randint(at.size)
        logs = _log_chances(i, facts, state)
        chances = np.exp(logs - logs.max())
        chosen = _pick(chances, chances.sum(), at[i])
        if chosen != at[i]:
            at[i] = chosen
            _weigh_again(i, facts, state)


@njit(cache=True, nogil=True)
def _weigh_again(i: int, facts: Facts, state: State) -> None:
    """The weights of case i with all others, either way, once its day has changed."""
    at, sums, weights, evidence = state.at, state.sums, state.weights, state.evidence
    earliest, chance, beyond = facts.earliest, state.chance, facts.beyond
    day = earliest[i] + at[i]
    sums[i] = beyond
    for k in range(at.size):
        if k == i:
            continue
        there = earliest[k] + at[k]
        weights[i, k] = _weight(day - there, evidence[i, k], chance)
        sums[i] += weights[i, k]
        again = _weight(there - day, evidence[k, i], chance)
        sums[k] = max(sums[k] - weights[k, i] + again, beyond)
        weights[k, i] = again


@njit(cache=True, nogil=True)
def _log_chances(i: int, facts: Facts, state: State) -> NDArray[np.float64]:
    """The logarithm of the probability of each infection day of case i given all other days, all infectors
    summed out; up to a constant."""
    at, earliest, infection, imported = state.at, facts.earliest, facts.infection, facts.imported
    evidence, weights, sums, onward = state.evidence, state.weights, state.sums, state.onward
    beyond, most = facts.beyond, state.most
    n, options = infection.shape
    generations, longest = state.chance.shape[0], state.chance.shape[1] - 1
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


# --- infectors and parameters ----------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _count(facts: Facts, state: State, support: NDArray[np.float64], days: NDArray[np.float64]) -> None:
    """Add the day drawn for each case, and the probability of each of its infectors."""
    at, weights, sums = state.at, state.weights, state.sums
    n = at.size
    for i in range(n):
        days[i, at[i]] += 1.0
        if facts.imported[i]:
            support[i, n] += 1.0
            continue
        total = sums[i]
        for j in range(n):
            support[i, j] += weights[i, j] / total
        support[i, n] += facts.beyond / total


@njit(cache=True, nogil=True)
def _draw_infectors(facts: Facts, state: State) -> _Seen:
    """One infector for each case that was not imported: what these transmissions hold."""
    transmissions, mutations, sites, touching, skipped = 0.0, 0.0, 0.0, 0.0, 0.0
    weights, sums, contact, distance = state.weights, state.sums, facts.contact, facts.distance
    imported, n = facts.imported, state.at.size
    for i in range(n):
        if imported[i]:
            continue
        chosen = _pick(weights[i], sums[i], n)
        if chosen == n:
            continue
        k = _unseen_between(i, chosen, facts, state) if state.chance.shape[0] > 1 else 0
        skipped += k
        transmissions += 1.0
        if k == 0 and contact[i, chosen] > 0.0:
            touching += 1.0
        if not math.isnan(distance[i, chosen]):
            mutations += distance[i, chosen]
            sites += (k + 1) * facts.sites
    return _Seen(transmissions, mutations, sites, touching, skipped)


@njit(cache=True, nogil=True)
def _unseen_between(i: int, j: int, facts: Facts, state: State) -> int:
    """How many unseen cases stand between j and i, drawn: generations − 1."""
    gap = facts.earliest[i] + state.at[i] - facts.earliest[j] - state.at[j]
    each = state.chance[:, gap] * state.evidence[i, j]
    return _pick(each, _weight(gap, state.evidence[i, j], state.chance), each.size - 1)


@njit(cache=True, nogil=True)
def _learn(facts: Facts, seen: _Seen, known: Parameters) -> Parameters:
    """Draw the parameters given the infectors; what nothing is learned of stays as it is."""
    mutation, with_contact, without, sampled = known
    if facts.sites > 0.0:
        mutation = np.random.beta(_FLAT + seen.mutations, _FLAT + max(seen.sites - seen.mutations, 0.0))
        mutation = min(max(mutation, 1e-12), 1.0 - 1e-12)
    if facts.is_learned:
        n = facts.earliest.size
        # of all pairs those without transmission, with and without a contact
        with_none = facts.recorded - seen.touching
        with_neither = max(n * (n - 1) / 2.0 - facts.recorded - seen.transmissions + seen.touching, 0.0)
        with_contact = np.random.beta(_FLAT + seen.touching, _FLAT + seen.transmissions - seen.touching)
        without = np.random.beta(_FLAT + with_none, _FLAT + with_neither)
        with_contact = min(max(with_contact, 1e-9), 1.0 - 1e-9)
        without = min(max(without, 1e-9), 1.0 - 1e-9)
    if facts.generation.shape[0] > 1:
        sampled = np.random.beta(_SAMPLED[0] + seen.transmissions, _SAMPLED[1] + seen.skipped)
    return Parameters(mutation, with_contact, without, sampled)


@njit(cache=True, nogil=True)
def _pick(weights: NDArray[np.float64], total: float, otherwise: int) -> int:
    """A number drawn with the chance its weight has of `total`; `otherwise` has the rest."""
    pick = np.random.random() * total
    for option in range(weights.size):
        pick -= weights[option]
        if pick < 0.0 and weights[option] > 0.0:
            return option
    return otherwise
