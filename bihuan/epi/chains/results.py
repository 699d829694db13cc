"""What is known of a chain: links with their intervals, and infectors, each with its support."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from bihuan.epi.series import Floats

#: Candidates with less support than this are added up, not named one by one.
NAMED = 0.01


class Odd(StrEnum):
    """What is odd about the dates of a link."""

    NONE = ""
    NO_DATE = "no date"  # one of the two has no onset
    BACKWARD = "backward"  # the infector fell ill after the infectee: before symptoms, or the other way round
    IMPOSSIBLE = "impossible"  # the infectee fell ill before the infector can have been infected
    CIRCLE = "circle"  # following the links leads back to the infector


@dataclass(frozen=True, slots=True)
class Link:
    """`infector` infected `infectee`; `interval` is onset to onset in days (None without both dates)."""

    infector: str
    infectee: str
    interval: int | None
    odd: Odd = Odd.NONE


@dataclass(frozen=True, slots=True)
class Chains:
    """Cases and links as reported. `components` hold the cases connected with one another, largest first;
    onsets and degrees stand in the order of `cases`.
    """

    cases: tuple[str, ...]
    onsets: tuple[date | int | None, ...]
    links: tuple[Link, ...]
    components: tuple[tuple[str, ...], ...]
    out_degrees: tuple[int, ...]
    in_degrees: tuple[int, ...]
    directed: bool

    @property
    def degrees(self) -> tuple[int, ...]:
        """Links at each case, either way."""
        return tuple(a + b for a, b in zip(self.out_degrees, self.in_degrees, strict=True))

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(one) for one in self.components)

    @property
    def intervals(self) -> tuple[int, ...]:
        """Onset to onset in days, of the links that have both dates and whose dates can be."""
        wrong = (Odd.IMPOSSIBLE, Odd.CIRCLE)
        return tuple(one.interval for one in self.links if one.interval is not None and one.odd not in wrong)

    @property
    def odd_links(self) -> tuple[Link, ...]:
        return tuple(one for one in self.links if one.odd)

    def out_degree(self, case: str) -> int:
        return self.out_degrees[self.cases.index(case)]

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict a link."""
        for one in self.links:
            yield {
                "infector": one.infector,
                "infectee": one.infectee,
                "interval": one.interval,
                "odd": one.odd.value,
            }

    def case_rows(self) -> Iterator[dict[str, Any]]:
        """One dict a case: its component (1 is the largest) and degrees."""
        component = {case: i + 1 for i, one in enumerate(self.components) for case in one}
        for case, out, into in zip(self.cases, self.out_degrees, self.in_degrees, strict=True):
            yield {
                "case": case,
                "component": component[case],
                "size": len(self.components[component[case] - 1]),
                "out_degree": out,
                "in_degree": into,
                "degree": out + into,
            }

    def explain(self, lang: str = "en") -> str:
        from bihuan.epi.chains.sentences import explain_chains

        return explain_chains(self, lang)

    def plot(self, *, lang: str = "en", path: str | None = None) -> Any:
        """A Matplotlib figure of the links; saved to `path` when given."""
        from bihuan.epi.figures.chains import plot_chains

        return plot_chains(self, lang=lang, path=path)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible infector and the probability that it was this one. None: nobody on the list."""

    infector: str | None
    support: float


@dataclass(frozen=True, slots=True)
class CaseInfectors:
    """Every candidate of one case, most supported first; supports add up to 1.

    `infected` are the days that hold the middle 95 % of the probability of its infection.
    """

    case: str
    onset: date | int
    imported: bool
    candidates: tuple[Candidate, ...]
    infected: tuple[date | int, date | int]

    @property
    def best(self) -> Candidate:
        """The most supported one, with its support: read both, or neither."""
        return self.candidates[0]

    def support(self, infector: str | None) -> float:
        return sum(one.support for one in self.candidates if one.infector == infector)


@dataclass(frozen=True, slots=True, eq=False)
class Infectors:
    """Who may have infected whom. `apart` is the widest difference between the supports of two independent
    runs: the error of the sampling; above 0.05 ask for more draws.
    """

    cases: tuple[CaseInfectors, ...]
    draws: int
    apart: float
    mutation_rate: tuple[float, float, float] | None
    contact_given_transmission: tuple[float, float, float] | None
    evidence: tuple[str, ...]
    parameters: Floats

    def of(self, case: str) -> CaseInfectors:
        """The candidates of the case called `case`; InputError if there is none."""
        from bihuan.epi.errors import InputError

        found = next((one for one in self.cases if one.case == case), None)
        if found is None:
            raise InputError(f"no case is called {case!r}", f"没有名为 {case!r} 的病例", field="case")
        return found

    def rows(self, *, least: float = NAMED) -> Iterator[dict[str, Any]]:
        """One dict a case and candidate with a support of at least `least` (the best one always)."""
        for one in self.cases:
            for rank, candidate in enumerate(one.candidates, start=1):
                if rank > 1 and candidate.support < least:
                    break
                yield {
                    "case": one.case,
                    "onset": one.onset,
                    "rank": rank,
                    "infector": candidate.infector,
                    "support": candidate.support,
                    "imported": one.imported,
                    "infected_from": one.infected[0],
                    "infected_to": one.infected[1],
                }

    def links(self, *, least: float) -> list[tuple[str, str, float]]:
        """(infector, infectee, support) of every pair supported by at least `least`: there is no
        default, since a link without its support is a rumor.
        """
        return [
            (candidate.infector, one.case, candidate.support)
            for one in self.cases
            for candidate in one.candidates
            if candidate.infector is not None and candidate.support >= least
        ]

    def explain(self, lang: str = "en", *, case: str | None = None) -> str:
        """One sentence on one case (or on all of them): the candidates, each with its support."""
        from bihuan.epi.chains.sentences import explain_case, explain_infectors

        return explain_infectors(self, lang) if case is None else explain_case(self, self.of(case), lang)

    def plot(self, *, lang: str = "en", path: str | None = None) -> Any:
        """A Matplotlib figure of supports; saved to `path` when given."""
        from bihuan.epi.figures.chains import plot_infectors

        return plot_infectors(self, lang=lang, path=path)
