"""`likely_infectors`: who may have infected whom, from dates, contacts and sequences."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.chains.dates import same_kind
from bihuan.epi.chains.given import (
    NEVER,
    Contacts,
    Facts,
    Given,
    Window,
    contact_weights,
    days_pmf,
    distances,
    generation_days,
    imported_cases,
    infection_days,
    possible_pairs,
    read_cases,
)
from bihuan.epi.chains.results import Candidate, CaseInfectors, Infectors
from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats

DRAWS = 2000
BURN_IN = 500
SEED = 20141
#: Independent runs, so that their difference shows the error of sampling.
_RUNS = 2
_SHOWN = 1e-4
_MIDDLE = (0.025, 0.975)

#: Of a run: support, the probability of each infection day, the draws of the parameters.
_Run = tuple[Floats, Floats, Floats]


def likely_infectors(
    onsets: Mapping[str, Any] | Sequence[Any],
    *,
    generation_time: ArrayLike,
    incubation: ArrayLike,
    ids: Sequence[Any] | None = None,
    contacts: Contacts | None = None,
    contacts_directed: bool = False,
    snp_distance: ArrayLike | None = None,
    genome_length: int | None = None,
    imported: Iterable[Any] | None = None,
    exposure: Mapping[str, Window] | None = None,
    outside: float = 0.0,
    max_generations: int = 1,
    draws: int = DRAWS,
    burn_in: int = BURN_IN,
    seed: int = SEED,
) -> Infectors:
    """The probability of every possible infector of every case (Jombart 2014; contacts: Campbell 2019).

    `onsets`: case → date (or day number), or a list with `ids`. `generation_time[k]`: probability of k days
    from infection to infecting, that of day 0 being 0; `incubation[k]`: of k days from infection to onset.
    Evidence, each optional:
    - `contacts`: (case, case) as recorded; how often transmission and other pairs are on record is learned.
      (case, case, weight) instead: such a pair is `weight` times as likely as one without a contact.
    - `snp_distance` (case × case, NaN unknown) with `genome_length`: the mutation rate is learned.
    - `exposure`: case → (first, last) day it can have been infected; None leaves an end open.
    `imported` were infected elsewhere (default: the earliest onset). `outside` is how likely a source that is
    not on the list is, relative to the best candidate on its best day: 0 only where dates leave nothing else.
    `max_generations` above 1 allows unseen cases between. Infection days are drawn by Gibbs sampling,
    infectors summed out exactly. Same seed, same numbers.
    """
    given = read_cases(onsets, ids)
    _check(draws, burn_in, outside, max_generations)
    earliest, infection = infection_days(given, days_pmf(incubation, "incubation"), exposure)
    generation = generation_days(
        days_pmf(generation_time, "generation_time", first_zero=True), max_generations
    )
    contact, is_learned = contact_weights(given, contacts, directed=contacts_directed)
    recorded = float(np.triu((contact > 0) | (contact.T > 0), 1).sum())
    contact[~possible_pairs(earliest, infection, generation)] = -1.0
    distance, sites = distances(given, snp_distance, genome_length)
    facts = Facts(
        earliest=earliest,
        infection=infection,
        generation=generation,
        distance=distance,
        sites=sites,
        contact=contact,
        is_learned=is_learned,
        recorded=recorded,
        imported=imported_cases(given, imported),
        beyond=max(outside, NEVER) * float(generation.max()),
    )
    evidence = ["dates"]
    evidence += ["contacts"] if contacts is not None else []
    evidence += ["sequences"] if sites else []
    return _told(given, facts, _runs(facts, draws, burn_in, seed), tuple(evidence))


def _runs(facts: Facts, draws: int, burn_in: int, seed: int) -> list[_Run]:
    """Runs from seeds of their own, side by side where there are processors for it."""
    from bihuan.epi.chains import sampler

    def work(number: int) -> _Run:
        return sampler.run((seed + number * 7919) % 2**32, draws, burn_in, facts)

    with ThreadPoolExecutor(min(_RUNS, len(os.sched_getaffinity(0)))) as pool:
        return list(pool.map(work, range(_RUNS)))


def _check(draws: int, burn_in: int, outside: float, max_generations: int) -> None:
    if draws < 1 or burn_in < 0:
        raise InputError(
            "draws is at least 1, burn_in at least 0", "draws 至少为 1，burn_in 至少为 0", field="draws"
        )
    if not 0 <= outside <= 1:
        raise InputError(
            f"outside {outside:g} is not between 0 and 1",
            f"outside {outside:g} 不在 0 与 1 之间",
            field="outside",
        )
    if max_generations < 1:
        raise InputError("max_generations is at least 1", "max_generations 至少为 1", field="max_generations")


def _told(given: Given, facts: Facts, runs: Sequence[_Run], evidence: tuple[str, ...]) -> Infectors:
    """The runs put together; cases in the order they were given."""
    support, days = (np.mean([run[part] for run in runs], axis=0) for part in (0, 1))
    parameters = np.concatenate([run[2] for run in runs])
    told = [
        _case(given, i, support[i], days[i], int(facts.earliest[i]), bool(facts.imported[i]))
        for i in range(given.n)
    ]
    return Infectors(
        cases=tuple(told[i] for i in np.argsort(given.order)),
        draws=len(parameters),
        apart=float(np.abs(runs[0][0] - runs[1][0]).max()),
        mutation_rate=_interval(parameters[:, 0]) if facts.sites else None,
        contact_given_transmission=_interval(parameters[:, 1]) if facts.is_learned else None,
        evidence=evidence,
        parameters=parameters,
    )


def _case(
    given: Given, i: int, support: Floats, days: Floats, earliest: int, imported: bool
) -> CaseInfectors:
    order = sorted(range(given.n + 1), key=lambda j: (-support[j], j))
    named = [j for rank, j in enumerate(order) if rank == 0 or support[j] >= _SHOWN]
    total = float(sum(support[j] for j in named))
    candidates = tuple(
        Candidate(given.names[j] if j < given.n else None, float(support[j]) / total) for j in named
    )
    low, high = (int(np.searchsorted(np.cumsum(days), q)) for q in _MIDDLE)
    ends = tuple(same_kind(earliest + min(d, days.size - 1), given.example) for d in (low, high))
    return CaseInfectors(
        given.names[i], same_kind(int(given.days[i]), given.example), imported, candidates, (ends[0], ends[1])
    )


def _interval(values: Floats) -> tuple[float, float, float]:
    """Mean and 95 % credible interval."""
    low, high = np.quantile(values, _MIDDLE)
    return float(values.mean()), float(low), float(high)
