"""Chains of transmission: cases and links of the scope as one graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from bihuan.cases.models import Case
from bihuan.cases.queries.lines import within
from bihuan.cases.rules import Classification, Origin
from bihuan.epi.chains import CaseFact, ChainGraph, Tie, chain_graph
from bihuan.epi.chains.relative import relative_support
from bihuan.epi.reproduction import discretized_si
from bihuan.tracing.models import CaseLink, ClusterMember
from bihuan.tracing.rules import ExposureKind

#: Nishiura H, Linton NM, Akhmetzhanov AR (2020) Int J Infect Dis 93:284: serial interval of COVID-19, mean
#: and SD in days, for what nobody has linked.
SERIAL_INTERVAL = (4.7, 2.9)
#: Day 0 of the graph's days.
EPOCH = date(1970, 1, 1).toordinal()
#: The kind of a link nobody has stated: no setting, so that the link's own words may tell one.
NOT_STATED = ExposureKind.UNKNOWN.value
#: So many cases are named one by one in a question for their links; more are described.
FEW = 500
#: Inferred links are leads; weaker ones are not drawn.
LEAST_SUPPORT = 0.2


@dataclass(frozen=True, slots=True)
class ChainFilter:
    """Which cases: at or below a territory, in a cluster, with onset (else report) in a range of local days,
    in the tree below a case (`root`, which is shown whenever it fell ill), all joined by "and". `infer` adds
    likely infectors within a cluster.
    """

    territory: str = ""
    cluster: str = ""
    since: date | None = None
    until: date | None = None
    root: str = ""
    infer: bool = False


class ChainCase(NamedTuple):
    """What a chain shows of a case beside the graph: no name."""

    id: int
    person_id: int
    origin: str
    outcome: str
    dated: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The graph, its cases by public id, and `outside`: links whose other end is out of sight or filtered
    out."""

    graph: ChainGraph
    cases: Mapping[str, ChainCase]
    outside: int


class _Cases(Mapping[str, ChainCase]):
    """Rows by public id, told one by one: of very many cases few are shown."""

    def __init__(self, rows: dict[str, tuple[Any, ...]]) -> None:
        self.rows = rows

    def __getitem__(self, name: str) -> ChainCase:
        pk, _id, person, _place, onset, report, confirmed, _word, origin, outcome = self.rows[name]
        return ChainCase(pk, person, origin, outcome, _dated(onset, report or confirmed))

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def how_many(given: ChainFilter) -> int:
    """How many cases a chain has, without making it; below a `root`, at most so many."""
    return _cases(given).count()


def chain_of(given: ChainFilter) -> Chain:
    """Cases and links within the scope as a graph. Discarded cases have no part in it."""
    rows = list(
        _cases(given).values_list(
            "id", "public_id", "person_id", "territory_code", "date_onset", "date_report",
            "date_confirmation", "classification", "origin", "outcome",
        )
    )  # fmt: skip
    names = {row[0]: row[1] for row in rows}
    links = _links(given, names)
    ties = [
        Tie(names[a], names[b], kind="" if kind == NOT_STATED else kind, setting=setting, source=source)
        for a, b, kind, setting, source in links
        if a in names and b in names
    ]
    facts = [
        CaseFact(public_id, _number(onset), _number(report or confirmed), None, territory, "", word)
        for _pk, public_id, _person, territory, onset, report, confirmed, word, _origin, _outcome in rows
    ]
    known = _Cases({row[1]: row for row in rows})
    graph = chain_graph(facts, ties)
    if given.root:
        graph, facts, ties = _below(graph, given, facts, ties)
        known = _Cases({fact.id: known.rows[fact.id] for fact in facts})
    if given.infer and given.cluster:
        graph = chain_graph(facts, [*ties, *_inferred(graph, known)])
    return Chain(graph, known, len(links) - len(ties) if not given.root else 0)


def _number(day: date | None) -> int | None:
    return None if day is None else day.toordinal() - EPOCH


def _dated(onset: date | None, report: date | None) -> str:
    return "onset" if onset else "report" if report else ""


def _cases(given: ChainFilter) -> QuerySet[Case]:
    rows = within(Case, given.territory).exclude(classification=Classification.DISCARDED.value)
    rows = rows.exclude(origin=Origin.EXPORTED_NOTICE.value)
    if given.cluster:
        members = ClusterMember.objects.filter(cluster__public_id=given.cluster, removed_at__isnull=True)
        rows = rows.filter(id__in=members.values("case_id"))
    if (given.since or given.until) and not given.root:
        rows = rows.annotate(day=Coalesce("date_onset", "date_report", "date_confirmation"))
        if given.since:
            rows = rows.filter(day__gte=given.since)
        if given.until:
            rows = rows.filter(day__lte=given.until)
    return rows.order_by("id")


def _links(given: ChainFilter, names: Mapping[int, str]) -> list[tuple[int, int, str, str, str]]:
    """Links that touch one of the cases; of many cases the database is told which they are, not each."""
    rows = CaseLink.objects.order_by("id")
    if len(names) <= FEW:
        rows = rows.filter(Q(to_case_id__in=list(names)) | Q(from_case_id__in=list(names)))
    elif given.territory or given.cluster:
        asked = _cases(given).order_by().values("id")
        rows = rows.filter(Q(to_case_id__in=asked) | Q(from_case_id__in=asked))
    found = rows.values_list("from_case_id", "to_case_id", "kind", "setting", "source")
    return [row for row in found if row[0] in names or row[1] in names]


def _below(
    graph: ChainGraph, given: ChainFilter, facts: list[CaseFact], ties: list[Tie]
) -> tuple[ChainGraph, list[CaseFact], list[Tie]]:
    """The tree below a case, itself included, of the days asked for; nothing if it is not there. A case
    without a date stands on the day the picture gives it."""
    kept, root = np.zeros(graph.n, np.bool_), np.zeros(graph.n, np.bool_)
    if given.root in graph.ids:
        root[graph.ids.index(given.root)] = True
    kept |= root
    for level in graph.levels[1:]:
        kept[level] |= kept[graph.parent[level]]
    if given.since:
        kept &= root | (graph.day >= (_number(given.since) or 0))
    if given.until:
        kept &= root | (graph.day <= (_number(given.until) or 0))
    inside = {graph.ids[i] for i in np.flatnonzero(kept)}
    facts = [fact for fact in facts if fact.id in inside]
    ties = [tie for tie in ties if tie.infector in inside and tie.infectee in inside]
    return chain_graph(facts, ties), facts, ties


def _inferred(graph: ChainGraph, cases: Mapping[str, ChainCase]) -> list[Tie]:
    """Likely infectors of those whom nobody has linked: from onsets alone, so they are leads."""
    imported = {name for name, one in cases.items() if one.origin == Origin.IMPORTED}
    pmf = discretized_si(*SERIAL_INTERVAL)
    return [
        Tie(infector, infectee, support, declared=False)
        for infector, infectee, support in relative_support(graph, pmf, imported=imported)
        if support >= LEAST_SUPPORT
    ]


def span(chain: Chain) -> tuple[date, date] | None:
    """The first and last day shown."""
    if not chain.graph.n:
        return None
    epoch = date(1970, 1, 1)
    first, last = int(chain.graph.day.min()), int(chain.graph.day.max())
    return epoch + timedelta(days=first), epoch + timedelta(days=last)
