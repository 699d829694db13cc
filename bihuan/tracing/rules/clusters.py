"""Decisions about clusters: attack rates, what may be published, which cases look like one. No Django."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from bihuan.epi.proportions import Proportion, attack_rate

#: Counts from 1 to below this leave this house only as "fewer than": one could be told from them (house
#: rule; five is usual in health statistics).
SMALL = 5
#: A cluster is two cases or more within the longest incubation (D1-11); so many make a suggestion.
FEWEST = 2


class Standing(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


class Role(StrEnum):
    INDEX = "index"  # first identified
    PRIMARY = "primary"  # first infected
    CO_PRIMARY = "co_primary"
    SECONDARY = "secondary"
    UNKNOWN = "unknown"


class Because(StrEnum):
    """What cases of a suggestion have in common."""

    LINKS = "links"
    PLACE = "place"
    SETTING = "setting"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Cases that may be one event: `key` says what they share (a place's id, a setting's words). A person
    decides whether it is one."""

    because: Because
    key: str
    cases: tuple[str, ...]
    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class AttackRate:
    """`shown` is None where nobody knows how many were exposed, or fewer than the cases themselves."""

    cases: int
    exposed: int | None
    shown: Proportion | None
    contradicts: bool = False


def rate_of(cases: int, exposed: int | None) -> AttackRate:
    """The attack rate of a cluster, with Wilson's interval; the cases are among the exposed."""
    if not exposed:
        return AttackRate(cases, exposed, None)
    if cases > exposed:
        return AttackRate(cases, exposed, None, contradicts=True)
    return AttackRate(cases, exposed, attack_rate(cases, exposed))


def protected(n: int, *, least: int = SMALL) -> int | None:
    """A count as it may be published: None where it is above 0 and too small."""
    return None if 0 < n < least else n


def published_rate(rate: AttackRate, *, least: int = SMALL) -> Proportion | None:
    """An attack rate as it may be published: not where cases, or those who stayed well, are too few."""
    shown = rate.shown
    if shown is None or protected(shown.n, least=least) is None:
        return None
    return None if protected(shown.of - shown.n, least=least) is None else shown


def suggest(
    groups: Mapping[tuple[Because, str], Iterable[str]],
    days: Mapping[str, date | None],
    taken: Sequence[frozenset[str]],
    *,
    within_days: int,
    fewest: int = FEWEST,
) -> list[Suggestion]:
    """Suggestions from what cases share, the largest first.

    Cases of one group whose days lie further apart than `within_days` are taken apart. What is wholly within
    a cluster already is not suggested again; of two suggestions with the same cases the first stays.
    """
    found: list[Suggestion] = []
    seen: set[frozenset[str]] = set()
    for (because, key), cases in groups.items():
        for run in _runs(sorted(set(cases)), days, within_days):
            whole = frozenset(run)
            if len(run) < fewest or whole in seen or any(whole <= one for one in taken):
                continue
            seen.add(whole)
            known = sorted(day for case in run if (day := days.get(case)) is not None)
            found.append(
                Suggestion(
                    because, key, tuple(run), known[0] if known else None, known[-1] if known else None
                )
            )
    return sorted(found, key=lambda one: (-len(one.cases), one.because, one.key))


def _runs(cases: Sequence[str], days: Mapping[str, date | None], within: int) -> list[list[str]]:
    """Cases in the order of their days, parted where more than `within` days lie between; undated ones join
    the first."""
    dated: dict[date, list[str]] = defaultdict(list)
    undated = []
    for case in cases:
        day = days.get(case)
        if day is None:
            undated.append(case)
        else:
            dated[day].append(case)
    runs: list[list[str]] = []
    last: date | None = None
    for day in sorted(dated):
        if last is None or (day - last).days > within:
            runs.append([])
        runs[-1].extend(dated[day])
        last = day
    if not runs:
        return [undated] if undated else []
    runs[0].extend(undated)
    return runs


def roles_of(cases: Sequence[tuple[str, date | None, date | None]]) -> dict[str, Role]:
    """A first guess of roles from (case, onset, identified): the first identified is the index case, the
    first to fall ill the primary one (who may be both, and then is the primary one); whoever fell ill on her
    day or the next is co-primary."""
    if not cases:
        return {}
    onsets = sorted((onset, case) for case, onset, _seen in cases if onset is not None)
    found = {case: Role.UNKNOWN for case, _onset, _seen in cases}
    for onset, case in onsets:
        gap = (onset - onsets[0][0]).days
        found[case] = Role.CO_PRIMARY if gap <= 1 else Role.SECONDARY
    if onsets:
        found[onsets[0][1]] = Role.PRIMARY
    seen = sorted((day, case) for case, _onset, day in cases if day is not None)
    first = onsets[0][1] if onsets else ""
    if seen and (seen[0][0], first) not in seen:  # the primary case was not among the first identified
        found[seen[0][1]] = Role.INDEX
    return found
