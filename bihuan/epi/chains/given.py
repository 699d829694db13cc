"""What `likely_infectors` is told, checked and put in arrays: cases stand by onset and name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.chains.dates import day_number
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.series import Floats

Contacts = Iterable[tuple[Any, Any] | tuple[Any, Any, float]]
Window = tuple[Any, Any]
#: Weight of "none of those listed" where the caller allows no outside source: taken only when no date
#: leaves anything else.
NEVER = 1e-200


class Facts(NamedTuple):
    """What is known before anything is drawn. Days of infection are counted as options: option d of case i
    is the day `earliest[i] + d`, and from the onset alone its probability is `infection[i, d]`.

    `generation[k, g]`: probability that k + 1 generations take g days. `distance`: sites that differ (NaN
    unknown) of `sites` compared, 0 for none. `contact[infectee, infector]`: weight above 0 recorded, 0 none,
    below 0 impossible; `is_learned`: what a contact means is learned, `recorded` pairs having one, those that
    are impossible among them. `beyond`: the weight of "none of those listed".
    """

    earliest: NDArray[np.int64]
    infection: NDArray[np.float64]
    generation: NDArray[np.float64]
    distance: NDArray[np.float64]
    sites: float
    contact: NDArray[np.float64]
    is_learned: bool
    recorded: float
    imported: NDArray[np.bool_]
    beyond: float


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Cases by onset and name, so that the order they come in changes nothing; `order` leads back to it."""

    names: tuple[str, ...]
    days: NDArray[np.int64]
    order: NDArray[np.intp]
    example: Any

    @property
    def n(self) -> int:
        return len(self.names)

    def at(self, case: Any, field: str) -> int:
        """The place of a case that `field` names. InputError if it has no onset."""
        try:
            return self.names.index(str(case))
        except ValueError:
            raise InputError(
                f"{case!r} is in {field} but has no onset", f"{case!r} 见于 {field} 但无发病日期", field=field
            ) from None


def read_cases(onsets: Mapping[str, Any] | Sequence[Any], ids: Sequence[Any] | None) -> Given:
    """Raises InputError for ids that do not fit or a case without onset, NotEnoughData under two cases."""
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
    return Given(tuple(names[i] for i in order), numbers[order], order, days[0])


def days_pmf(values: ArrayLike, field: str, *, first_zero: bool = False) -> Floats:
    """Probabilities of 0, 1, 2, … days, adding up to 1."""
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


def infection_days(
    given: Given, incubation: Floats, exposure: Mapping[str, Window] | None
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


def generation_days(pmf: Floats, most: int) -> Floats:
    """Days of 1, 2, … generations: the pmf convolved with itself."""
    width = (pmf.size - 1) * most + 1
    table, sums = np.zeros((most, width)), np.ones(1)
    for k in range(most):
        sums = np.convolve(sums, pmf)
        table[k, : sums.size] = sums
    return table


def possible_pairs(earliest: NDArray[np.int64], infection: Floats, generation: Floats) -> NDArray[np.bool_]:
    """[infectee, infector]: whether any two infection days are a possible number of days apart."""
    days = infection > 0
    first = earliest + days.argmax(axis=1)
    last = earliest + infection.shape[1] - 1 - days[:, ::-1].argmax(axis=1)
    spans = np.flatnonzero(generation.sum(axis=0))
    possible = (last[:, None] - first[None, :] >= spans[0]) & (first[:, None] - last[None, :] <= spans[-1])
    np.fill_diagonal(possible, val=False)
    return np.asarray(possible)


def contact_weights(given: Given, contacts: Contacts | None, *, directed: bool) -> tuple[Floats, bool]:
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


def distances(
    given: Given, snp_distance: ArrayLike | None, genome_length: int | None
) -> tuple[Floats, float]:
    """Sites that differ between each two cases (NaN unknown), and how many were compared; 0 of none."""
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


def imported_cases(given: Given, imported: Iterable[Any] | None) -> NDArray[np.bool_]:
    """Those said to be imported; the first to fall ill where nothing is said."""
    first = np.zeros(given.n, np.bool_)
    if imported is None:
        first[int(np.argmin(given.days))] = True
    for case in () if imported is None else imported:
        first[given.at(case, "imported")] = True
    return first
