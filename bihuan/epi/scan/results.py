"""What a scan found: clusters, most likely first, with what chance makes of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from bihuan.epi.scan.design import Design, Model
from bihuan.epi.scan.inference import PMethod
from bihuan.epi.series import Floats


class Outcome(StrEnum):
    """Why there are clusters, or none."""

    SCANNED = "scanned"
    NO_CASES = "no cases"  # nothing to scan
    NO_EXCESS = "no excess"  # no window has more cases than expected
    ALL_BY_CHANCE = "all by chance"  # every replication reaches what was found


@dataclass(frozen=True, slots=True)
class Cluster:
    """`observed` cases among `members` from `first` to `last` (both inclusive), where `expected` were.

    `relative_risk` is the rate inside over that outside (None where the model gives none); `llr` the log
    likelihood ratio; `p_value` is adjusted for all zones and windows looked at, None without replications.
    `recurrence_days`: chance alone gives one as strong once in so many days of analyses at every period; None
    for a retrospective scan.
    """

    rank: int
    center: str
    members: tuple[str, ...]
    radius: float
    first: date
    last: date
    periods: int
    observed: int
    expected: float
    relative_risk: float | None
    llr: float
    p_value: float | None
    p_method: PMethod | None
    recurrence_days: float | None

    @property
    def ratio(self) -> float:
        """Observed over expected."""
        return self.observed / self.expected if self.expected > 0 else float("inf")


@dataclass(frozen=True, slots=True)
class Window:
    """One zone over the last `periods`: what a prospective scan looks at."""

    members: tuple[str, ...]
    periods: int
    observed: int
    expected: float
    relative_risk: float | None
    llr: float


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Clusters that overlap nowhere in both place and time, most likely first.

    `simulated` holds the largest ratio of each replication: the null distribution all p-values come from.
    """

    model: Model
    prospective: bool
    spatial: bool
    outcome: Outcome
    clusters: tuple[Cluster, ...]
    names: tuple[str, ...]
    first: date
    last: date
    n_periods: int
    days_a_period: float
    n_zones: int
    longest: int
    total: int
    seed: int
    simulated: Floats
    design: Design = field(repr=False)

    @property
    def replications(self) -> int:
        return int(self.simulated.size)

    def significant(self, alpha: float = 0.05) -> tuple[Cluster, ...]:
        """Those with a p-value of at most `alpha`."""
        return tuple(one for one in self.clusters if one.p_value is not None and one.p_value <= alpha)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict a cluster, for a table; members joined by `|`."""
        for one in self.clusters:
            yield {
                "cluster": one.rank,
                "members": "|".join(one.members),
                "center": one.center,
                "radius": one.radius,
                "first": one.first,
                "last": one.last,
                "observed": one.observed,
                "expected": one.expected,
                "ratio": one.ratio,
                "relative_risk": one.relative_risk,
                "llr": one.llr,
                "p_value": one.p_value,
                "p_method": one.p_method,
                "recurrence_days": one.recurrence_days,
                "method": self.model,
            }

    def windows(self, most: int = 20) -> list[Window]:
        """The `most` most likely windows of a prospective scan, overlapping or not: each set of places and
        duration once.
        """
        from bihuan.epi.scan.search import ranked_windows

        return ranked_windows(self.design, self.names, most)

    def explain(self, lang: str = "en", *, cluster: int = 1) -> str:
        """One sentence on the cluster of that rank, or on why there is none."""
        from bihuan.epi.scan.sentences import explain

        return explain(self, lang, cluster)

    def plot(
        self,
        *,
        locations: Mapping[str, tuple[float, float]] | None = None,
        lang: str = "en",
        path: str | None = None,
    ) -> Any:
        """A Matplotlib figure of the clusters, with `locations` (place → x, y) a map beside them; saved to
        `path` when given."""
        from bihuan.epi.figures.scan import plot_scan

        return plot_scan(self, locations=locations, lang=lang, path=path)
