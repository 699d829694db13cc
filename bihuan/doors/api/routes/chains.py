"""Chains of transmission and clusters: the graph, its picture and statistics; events with attack rates."""

from datetime import date, datetime
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.cases.queries import people
from bihuan.doors.api import persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import HEALTH, IDENTITY, PersonRef
from bihuan.doors.api.reading import Day
from bihuan.doors.api.shapes import place, place_of_record
from bihuan.epi.chains import picture
from bihuan.epi.chains.files import case_rows, day_text, link_rows
from bihuan.epi.chains.graph import ODDS
from bihuan.epi.chains.statistics import describe
from bihuan.loops.queries.sight import require_whole
from bihuan.registry import access
from bihuan.registry.errors import Invalid
from bihuan.tracing.actions import clusters as actions
from bihuan.tracing.queries import clusters as reads
from bihuan.tracing.queries.chains import Chain, ChainFilter, chain_of

router = Router()
MOST_CASES = 20_000
"""Cases in one answer: our own rule; more are asked for as a picture, or by part."""
RIGHT = "case.view"
WRITE = "investigation.write"


class ChainQuery(Schema):
    """Which cases, all parts joined by "and". `root`: the tree below a case only. `infer`: within a cluster,
    likely infectors from onsets alone, as links with `declared` false."""

    territory: str = Field("", max_length=40)
    cluster: str = Field("", max_length=20)
    since: Day | None = None
    until: Day | None = None
    root: str = Field("", max_length=20)
    infer: bool = False


class ChainCaseOut(Schema):
    """A case in its tree: `generation` 0 begins one; `chain` 1 is the largest; `support` is that of the
    link to its infector."""

    id: str
    onset: date | None
    generation: int
    chain: int
    infected: int
    infector: str | None
    support: float | None
    territory_code: str
    setting: str
    classification: str


class ChainLinkOut(Schema):
    """`interval`: onset to onset in days. `tree`: of several sources the one in the tree. `odd`: "", "no
    date", "backward", "impossible" or "circle"; the last two take no part in the tree."""

    infector: str
    infectee: str
    interval: int | None
    support: float
    declared: bool
    tree: bool
    odd: str
    kind: str
    setting: str
    source: str


class ChainOut(Schema):
    """`outside`: links whose other end is not among the cases."""

    cases: list[ChainCaseOut]
    links: list[ChainLinkOut]
    outside: int


class MarkOut(Schema):
    """What is drawn: a case, or a bundle of `n` cases from `day` to `last`. `parent`: index of a mark."""

    case: str | None
    n: int
    day: date
    last: date
    lane: int
    parent: int | None
    generation: int


class LineOut(Schema):
    start: int
    end: int
    n: int
    support: float
    declared: bool
    tree: bool
    odd: str


class PictureOut(Schema):
    """At most 2,000 marks; their `n` add up to `cases`."""

    cases: int
    lanes: int
    marks: list[MarkOut]
    lines: list[LineOut]


class Estimated(Schema):
    """An estimate with its 95 % interval; null where it has no bound."""

    value: float | None
    low: float | None
    high: float | None


class ChainStatisticsOut(Schema):
    """`share`: of cases that caused 80 % of transmission. `generations[g]`: cases in generation g."""

    cases: int
    links: int
    inferred: int
    chains: int
    largest: int
    alone: int
    odd: dict[str, int]
    generations: list[int]
    by_offspring: dict[str, int]
    serial_interval_pairs: int
    serial_interval_mean: float | None
    serial_interval_sd: float | None
    r: Estimated | None
    k: Estimated | None
    share: float | None
    spreaders: dict[str, int]
    told: list[str]


class RateOut(Schema):
    """The attack rate with Wilson's interval. `publishable`: no count in it is so small that it tells of one
    person."""

    share: float
    low: float
    high: float
    publishable: bool


class ClusterOut(Schema):
    id: str
    name: str
    territory_code: str
    setting: str
    place: str | None
    date_first: date | None
    date_last: date | None
    status: str
    opened_at: datetime
    cases: int
    exposed: int | None
    attack_rate: RateOut | None


class ClusterPage(Schema):
    items: list[ClusterOut]


class MemberOut(Schema):
    """`case` and `person` are null for one who lives out of sight."""

    case: str | None
    person: PersonRef | None
    role: str
    onset: date | None
    added_at: datetime


class ClusterWhole(Schema):
    cluster: ClusterOut
    members: list[MemberOut]
    removed: int
    merged_into: str | None
    source: str
    note: str


class SuggestionOut(Schema):
    """Cases that share links, a place or a setting (`because`). A person decides whether it is an event."""

    because: str
    key: str
    cases: list[str]
    first: date | None
    last: date | None


class SuggestionPage(Schema):
    items: list[SuggestionOut]


class ClusterIn(Schema):
    """`exposed`: everybody at risk, the cases among them; null if nobody knows."""

    name: str = Field(min_length=1, max_length=120)
    territory_code: str = Field(min_length=1, max_length=40)
    setting: str = Field("unknown", max_length=20)
    place: str = Field("", max_length=20)
    date_first: Day | None = None
    date_last: Day | None = None
    exposed: int | None = Field(None, ge=1, le=2_000_000_000)
    source: str = Field("", max_length=200)
    note: str = Field("", max_length=4000)
    cases: list[str] = Field(default=[], max_length=actions.MOST)


class CasesIn(Schema):
    cases: list[str] = Field(min_length=1, max_length=actions.MOST)


class RemoveIn(Schema):
    case: str = Field(min_length=1, max_length=20)
    reason: str = Field(min_length=1, max_length=300)


class ReasonIn(Schema):
    reason: str = Field(min_length=1, max_length=300)


class MergeIn(Schema):
    into: str = Field(min_length=1, max_length=20)
    reason: str = Field(min_length=1, max_length=300)


class ClusterChanged(Schema):
    id: str
    cases: int


@operation(router, "GET", "/chains", right=RIGHT, response=ChainOut, personal=True)
def get_chains(call: Call, asked: Query[ChainQuery]) -> ChainOut:
    """Cases and links as one graph"""
    chain = _chain(call, asked)
    if chain.graph.n > MOST_CASES:
        raise Invalid(
            _("More than %(n)s cases match.") % {"n": f"{MOST_CASES:,}"},
            hint=_("Narrow it by territory, cluster or days, or ask for the picture."),
        )
    shown = access.field_classes(None, RIGHT) - {IDENTITY}
    persons.note(call, [one.person_id for one in chain.cases.values()], shown)
    return ChainOut(
        cases=[_case(row) for row in case_rows(chain.graph)],
        links=[ChainLinkOut(**row) for row in link_rows(chain.graph)],
        outside=chain.outside,
    )


@operation(router, "GET", "/chains/picture", right=RIGHT, response=PictureOut)
def get_chains_picture(call: Call, asked: Query[ChainQuery]) -> PictureOut:
    """What is drawn of the graph: single cases and bundles, in lanes by day"""
    drawn = picture(_chain(call, asked).graph)
    marks, lines, ids = drawn.marks, drawn.lines, drawn.graph.ids
    return PictureOut(
        cases=drawn.graph.n,
        lanes=drawn.layout.lanes,
        marks=[
            MarkOut(
                case=ids[marks.case[i]] if marks.case[i] >= 0 else None,
                n=int(marks.n[i]),
                day=date.fromisoformat(day_text(int(marks.day[i]))),
                last=date.fromisoformat(day_text(int(marks.last[i]))),
                lane=int(drawn.layout.lane[i]),
                parent=int(marks.parent[i]) if marks.parent[i] >= 0 else None,
                generation=int(marks.generation[i]),
            )
            for i in range(drawn.drawn)
        ],
        lines=[
            LineOut(
                start=int(lines.start[i]), end=int(lines.end[i]), n=int(lines.n[i]),
                support=float(lines.support[i]), declared=bool(lines.declared[i]),
                tree=bool(lines.tree[i]), odd=ODDS[lines.odd[i]].value,
            )
            for i in range(lines.n.size)
        ],
    )  # fmt: skip


@operation(router, "GET", "/chains/statistics", right=RIGHT, response=ChainStatisticsOut)
def get_chains_statistics(call: Call, asked: Query[ChainQuery]) -> ChainStatisticsOut:
    """Serial interval, generations, offspring distribution, superspreading"""
    found = describe(_chain(call, asked).graph)
    interval, offspring = found.serial_interval, found.offspring
    return ChainStatisticsOut(
        cases=found.cases, links=found.links, inferred=found.inferred, chains=found.chains,
        largest=found.largest, alone=found.alone,
        odd={odd.value: n for odd, n in found.odd.items()},
        generations=list(found.generations),
        by_offspring={str(number): n for number, n in found.by_offspring.items()},
        serial_interval_pairs=interval.n,
        serial_interval_mean=interval.mean,
        serial_interval_sd=interval.sd,
        r=_estimated(offspring.r) if offspring else None,
        k=_estimated(offspring.k) if offspring else None,
        share=offspring.share if offspring else None,
        spreaders={one.case: one.infected for one in found.spreaders[:100]},
        told=found.explain(get_language() or "zh"),
    )  # fmt: skip


@operation(router, "GET", "/clusters", right=RIGHT, response=ClusterPage)
def list_clusters(call: Call, territory: str = "", status: str = "") -> ClusterPage:
    """Clusters, the newest first"""
    _require()
    rows = reads.list_clusters(territory=place(call, territory, RIGHT) if territory else "", status=status)
    return ClusterPage(items=[_cluster(row) for row in rows])


@operation(router, "GET", "/clusters/suggestions", right=RIGHT, response=SuggestionPage, personal=True)
def list_cluster_suggestions(call: Call, territory: str = "") -> SuggestionPage:
    """What may be a cluster: cases that share links, a place or a setting"""
    _require()
    found = reads.suggestions(territory=place(call, territory, RIGHT) if territory else "")
    return SuggestionPage(
        items=[
            SuggestionOut(
                because=one.because.value, key=one.key, cases=list(one.cases), first=one.first, last=one.last
            )
            for one in found
        ]
    )


@operation(router, "GET", "/clusters/{cluster}", right=RIGHT, response=ClusterWhole, personal=True)
def get_cluster(call: Call, cluster: str) -> ClusterWhole:
    """One cluster with its members"""
    _require()
    view = reads.find_cluster(cluster)
    known = people.briefs(m.person_id for m in view.members if m.person_id is not None)
    shown = access.field_classes(None, RIGHT) - {IDENTITY}
    persons.note(call, [m.person_id for m in view.members], shown)
    return ClusterWhole(
        cluster=_cluster(view.row),
        members=[
            MemberOut(
                case=m.case or None,
                person=persons.ref(known.get(m.person_id)) if m.person_id is not None else None,
                role=m.role,
                onset=m.date_onset,
                added_at=m.added_at,
            )
            for m in view.members
        ],
        removed=len(view.removed),
        merged_into=view.merged_into or None,
        source=view.cluster.source,
        note=view.cluster.note,
    )


@operation(router, "POST", "/clusters", right=WRITE, response=ClusterChanged, status=201)
def open_cluster(call: Call, body: ClusterIn) -> ClusterChanged:
    """Name an event as a cluster, with its cases"""
    code = place_of_record(body.territory_code)
    given = body.dict(exclude={"cases", "territory_code"})
    made = actions.open_cluster(
        actions.ClusterInput(territory_code=code, **given), cases=body.cases, actor=call.actor
    )
    return _changed(made.public_id)


@operation(router, "POST", "/clusters/{cluster}/cases", right=WRITE, response=ClusterChanged)
def add_cluster_cases(call: Call, cluster: str, body: CasesIn) -> ClusterChanged:
    """Put cases into a cluster; those in it already stay"""
    actions.add_cases(cluster, body.cases, actor=call.actor)
    return _changed(cluster)


@operation(router, "POST", "/clusters/{cluster}/remove", right=WRITE, response=ClusterChanged)
def remove_cluster_case(call: Call, cluster: str, body: RemoveIn) -> ClusterChanged:
    """Take a case out of a cluster; the reason is kept"""
    actions.remove_case(cluster, body.case, reason=body.reason, actor=call.actor)
    return _changed(cluster)


@operation(router, "POST", "/clusters/{cluster}/close", right=WRITE, response=ClusterChanged)
def close_cluster(call: Call, cluster: str, body: ReasonIn) -> ClusterChanged:
    """Say that an event is over, and how that is known"""
    actions.close_cluster(cluster, reason=body.reason, actor=call.actor)
    return _changed(cluster)


@operation(router, "POST", "/clusters/{cluster}/merge", right=WRITE, response=ClusterChanged)
def merge_cluster(call: Call, cluster: str, body: MergeIn) -> ClusterChanged:
    """Make two clusters one; answers with the one that stays"""
    return _changed(
        actions.merge_clusters(cluster, body.into, reason=body.reason, actor=call.actor).public_id
    )


def _require() -> None:
    """Chains show who fell ill when: for posts that see the health of a whole territory."""
    require_whole(RIGHT)
    access.require(RIGHT, field_class=HEALTH)


def _chain(call: Call, asked: ChainQuery) -> Chain:
    _require()
    given: dict[str, Any] = asked.dict()
    given["territory"] = place(call, asked.territory, RIGHT) if asked.territory else ""
    return chain_of(ChainFilter(**given))


def _case(row: dict[str, Any]) -> ChainCaseOut:
    return ChainCaseOut(
        id=row["case"],
        onset=date.fromisoformat(row["onset"]) if row["onset"] else None,
        infector=row["infector"] or None,
        territory_code=row["territory"],
        **{
            name: row[name]
            for name in ("generation", "chain", "infected", "support", "setting", "classification")
        },
    )


def _estimated(values: tuple[float, float, float]) -> Estimated:
    value, low, high = (None if one == float("inf") else one for one in values)
    return Estimated(value=value, low=low, high=high)


def _cluster(row: reads.ClusterRow) -> ClusterOut:
    shown = row.rate.shown
    rate = None
    if shown is not None and shown.share is not None and shown.low is not None and shown.high is not None:
        rate = RateOut(
            share=shown.share,
            low=shown.low,
            high=shown.high,
            publishable=reads.published_rate(row.rate) is not None,
        )
    return ClusterOut(
        id=row.public_id,
        name=row.name,
        territory_code=row.territory_code,
        setting=row.setting,
        place=row.place_id or None,
        date_first=row.date_first,
        date_last=row.date_last,
        status=row.status,
        opened_at=row.opened_at,
        cases=row.cases,
        exposed=row.rate.exposed,
        attack_rate=rate,
    )


def _changed(public_id: str) -> ClusterChanged:
    return ClusterChanged(id=public_id, cases=reads.find_cluster(public_id).row.cases)
