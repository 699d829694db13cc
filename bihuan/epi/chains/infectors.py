"""`likely_infectors`: who may have infected whom, from dates, contacts and sequences."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.chains.dates import day_number, same_kind
from bihuan.epi.chains.results import Candidate, CaseInfectors, Infectors
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.series import Floats

DRAWS = 2000
BURN_IN = 500
SEED = 20141
#: Independent runs, so that their difference shows the error of sampling.
_RUNS = 2
_SHOWN = 1e-4
_MIDDLE = (0.025, 0.975)

Contacts = Iterable[tuple[Any, Any] | tuple[Any, Any, float]]
Window = tuple[Any, Any]


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
    given = _read(onsets, ids)
    _check(draws, burn_in, outside, max_generations)
    earliest, infection = _infection_days(given, _pmf(incubation, "incubation", first_zero=False), exposure)
    generation = _generations(_pmf(generation_time, "generation_time", first_zero=True), max_generations)
    contact, learned = _contact(given, contacts, contacts_directed)
    contact[~_possible(earliest, infection, generation)] = -1.0
    distance, sites = _distance(given, snp_distance, genome_length)
    first = _imported(given, imported)
    from bihuan.epi.chains import sampler

    facts = sampler.Facts(
        earliest, infection, generation, distance, sites, contact, learned,
        float(np.triu((contact > 0) | (contact.T > 0), 1).sum()), first,
        max(outside, sampler.NEVER) * float(generation.max()),
    )  # fmt: skip

    def work(run: int) -> tuple[Floats, Floats, Floats]:
        return sampler.run((seed + run * 7919) % 2**32, draws, burn_in, facts)

    with ThreadPoolExecutor(min(_RUNS, len(os.sched_getaffinity(0)))) as pool:
        runs = list(pool.map(work, range(_RUNS)))
    support = np.mean([run[0] for run in runs], axis=0)
    days = np.mean([run[1] for run in runs], axis=0)
    parameters = np.concatenate([run[2] for run in runs])
    evidence = ["dates"]
    evidence += ["contacts"] if contacts is not None else []
    evidence += ["sequences"] if sites else []
    told = [_case(given, i, support[i], days[i], int(earliest[i]), bool(first[i])) for i in range(given.n)]
    return Infectors(
        cases=tuple(told[i] for i in np.argsort(given.order)),
        draws=draws * _RUNS,
        apart=float(np.abs(runs[0][0] - runs[1][0]).max()),
        mutation_rate=_interval(parameters[:, 0]) if sites else None,
        contact_given_transmission=_interval(parameters[:, 1]) if learned else None,
        evidence=tuple(evidence),
        parameters=parameters,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """Cases by onset and name, so that the order they come in changes nothing; `order` leads back to it."""

    names: tuple[str, ...]
    days: NDArray[np.int64]
    order: NDArray[np.intp]
    example: Any

    @property
    def n(self) -> int:
        return len(self.names)

    def at(self, case: Any, field: str) -> int:
        try:
            return self.names.index(str(case))
        except ValueError:
            raise InputError(
                f"{case!r} is in {field} but has no onset", f"{case!r} 见于 {field} 但无发病日期", field=field
            ) from None


def _read(onsets: Mapping[str, Any] | Sequence[Any], ids: Sequence[Any] | None) -> _Given:
    if isinstance(onsets, Mapping):
        names, days = [str(case) for case in onsets], list(onsets.values())
    else:
        days = list(onsets)
        names = [str(case) for case in (ids if ids is not None else range(1, len(days) + 1))]
    if len(names) != len(days) or len(set(names)) != len(names):
        raise InputError(
            f"{len(days)} onsets need as many different ids; there are {len(set(names))}",
            f"{len(days)} 个发病日期需要同样多的不同编号；现有 {len(set(names))} 个",
            field="ids",
        )
    if len(days) < 2:
        raise NotEnoughData("there must be two cases to link", "至少要有两例才能关联", field="onsets")
    for name, day in zip(names, days, strict=True):
        if day is None or day != day:  # NaN and NaT are not themselves
            raise InputError(
                f"{name} has no onset; leave it out, or use its specimen date and say so",
                f"{name} 无发病日期；请剔除，或改用采样日期并注明",
                field="onsets",
            )
    numbers = np.array([day_number(day, name) for name, day in zip(names, days, strict=True)], np.int64)
    order = np.lexsort((np.array(names), numbers))
    return _Given(tuple(names[i] for i in order), numbers[order], order, days[0])


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


def _pmf(values: ArrayLike, field: str, *, first_zero: bool) -> Floats:
    try:
        pmf = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        pmf = np.empty(0)
    if pmf.ndim != 1 or not pmf.size or not np.isfinite(pmf).all() or (pmf < 0).any() or pmf.sum() <= 0:
        raise InputError(
            f"{field} must be probabilities of 0, 1, 2, … days, none negative",
            f"{field} 应为 0、1、2……天的概率，且不得为负",
            field=field,
        )
    if first_zero and (pmf[0] > 0 or pmf.size < 2):
        raise InputError(
            f"{field}[0] must be 0: nobody infects on the day of infection; put a 0 before the first day",
            f"{field}[0] 必须为 0：感染当天不传染；请在第 1 天之前补 0",
            field=field,
        )
    return np.asarray(pmf / pmf.sum())


def _infection_days(
    given: _Given, incubation: Floats, exposure: Mapping[str, Window] | None
) -> tuple[NDArray[np.int64], Floats]:
    """First possible day of each, and the probability of it and the days that follow."""
    earliest = given.days - (incubation.size - 1)
    infection = np.tile(incubation[::-1], (given.n, 1))
    for case, (first, last) in (exposure or {}).items():
        i = given.at(case, "exposure")
        days = earliest[i] + np.arange(incubation.size)
        low = -np.inf if first is None else day_number(first, case)
        high = np.inf if last is None else day_number(last, case)
        infection[i, (days < low) | (days > high)] = 0.0
        if not infection[i].any():
            raise InputError(
                f"{case} cannot have been infected from {first} to {last} and fall ill on its onset: the "
                "incubation period has no such length",
                f"{case} 不可能在 {first} 至 {last} 感染并于其发病日发病：潜伏期分布无此长度",
                field="exposure",
            )
    return earliest, np.ascontiguousarray(infection / infection.sum(axis=1, keepdims=True))


def _generations(pmf: Floats, most: int) -> Floats:
    """Days of 1, 2, … generations: the pmf convolved with itself."""
    width = (pmf.size - 1) * most + 1
    table, sums = np.zeros((most, width)), np.ones(1)
    for k in range(most):
        sums = np.convolve(sums, pmf)
        table[k, : sums.size] = sums
    return table


def _possible(earliest: NDArray[np.int64], infection: Floats, generation: Floats) -> NDArray[np.bool_]:
    """[infectee, infector]: whether any two infection days are a possible number of days apart."""
    days = infection > 0
    first = earliest + days.argmax(axis=1)
    last = earliest + infection.shape[1] - 1 - days[:, ::-1].argmax(axis=1)
    spans = np.flatnonzero(generation.sum(axis=0))
    possible = (last[:, None] - first[None, :] >= spans[0]) & (first[:, None] - last[None, :] <= spans[-1])
    np.fill_diagonal(possible, val=False)
    return np.asarray(possible)


def _contact(given: _Given, contacts: Contacts | None, directed: bool) -> tuple[Floats, bool]:
    """[infectee, infector] weight of the contact, 0 without; and whether its meaning is to be learned."""
    table = np.zeros((given.n, given.n))
    weighted = False
    if contacts is None:
        return table, False
    for contact in contacts:
        one, other = (given.at(case, "contacts") for case in contact[:2])
        weight = float(contact[2]) if len(contact) > 2 else 1.0
        weighted |= len(contact) > 2
        if not np.isfinite(weight) or weight <= 0:
            raise InputError(
                f"the contact of {contact[0]} and {contact[1]} has weight {weight:g}; it must be above 0",
                f"{contact[0]} 与 {contact[1]} 的接触权重为 {weight:g}；必须大于 0",
                field="contacts",
            )
        table[other, one] = max(table[other, one], weight)
        if not directed:
            table[one, other] = max(table[one, other], weight)
    return table, not weighted


def _distance(
    given: _Given, snp_distance: ArrayLike | None, genome_length: int | None
) -> tuple[Floats, float]:
    if snp_distance is None:
        return np.full((given.n, given.n), np.nan), 0.0
    table = np.asarray(snp_distance, dtype=np.float64)
    if table.shape != (given.n, given.n) or (table < 0).any() or np.isinf(table).any():
        raise InputError(
            f"snp_distance must be {given.n} × {given.n}, none negative; it has shape {table.shape}",
            f"snp_distance 应为 {given.n} × {given.n} 且非负；现形状为 {table.shape}",
            field="snp_distance",
        )
    if genome_length is None or genome_length < max(2, np.nanmax(table, initial=0)):
        raise InputError(
            "snp_distance needs genome_length, the number of sites compared, above every distance",
            "使用 snp_distance 须给出 genome_length（比对位点数），且大于任何距离",
            field="genome_length",
        )
    return np.ascontiguousarray(table[np.ix_(given.order, given.order)]), float(genome_length)


def _imported(given: _Given, imported: Iterable[Any] | None) -> NDArray[np.bool_]:
    first = np.zeros(given.n, np.bool_)
    if imported is None:
        first[int(np.argmin(given.days))] = True
    for case in imported or ():
        first[given.at(case, "imported")] = True
    return first


def _case(
    given: _Given, i: int, support: Floats, days: Floats, earliest: int, imported: bool
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
