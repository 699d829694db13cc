"""Clusters: the list, one with its members and attack rate, suggestions from what cases share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Q

from bihuan.cases.models import Case
from bihuan.cases.queries import people
from bihuan.cases.queries.lines import within
from bihuan.cases.queries.people import PersonBrief
from bihuan.cases.rules import Classification
from bihuan.policy import packs
from bihuan.registry import clock
from bihuan.tracing.errors import UnknownCluster
from bihuan.tracing.models import (
    CLUSTER_STATUS_LABELS,
    ROLE_LABELS,
    SETTING_LABELS,
    CaseLink,
    Cluster,
    ClusterMember,
    Place,
    TrackEntry,
)
from bihuan.tracing.rules.clusters import (
    AttackRate,
    Because,
    Standing,
    Suggestion,
    published_rate,
    rate_of,
    suggest,
)

__all__ = [
    "CLUSTER_STATUS_LABELS",
    "ROLE_LABELS",
    "SETTING_LABELS",
    "AttackRate",
    "ClusterRow",
    "ClusterView",
    "MemberRow",
    "Suggestion",
    "cases_named",
    "cluster_choices",
    "clusters_of",
    "find_cluster",
    "list_clusters",
    "place_choices",
    "place_names",
    "published_rate",
    "roles_by_case",
    "suggestions",
]
#: Suggestions look back so many days for links and shared places.
LOOK_BACK = timedelta(days=60)
#: Cases of a named setting that are asked about at most; more are a matter of the whole epidemic.
MOST_SHARING = 500
LIST_MOST = 500


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """One cluster of a list. `rate` is that of all members, whoever sees them."""

    public_id: str
    name: str
    territory_code: str
    setting: str
    place: str
    place_id: str
    date_first: date | None
    date_last: date | None
    status: str
    opened_at: datetime
    cases: int
    rate: AttackRate


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A case of a cluster. `case` is "" and `person` None when the case lies out of sight."""

    case: str
    person_id: int | None
    person: PersonBrief | None
    role: str
    date_onset: date | None
    classification: str
    territory_code: str
    added_at: datetime
    by_name: str
    removed_at: datetime | None
    removed_reason: str


@dataclass(frozen=True, slots=True)
class ClusterView:
    row: ClusterRow
    cluster: Cluster
    members: tuple[MemberRow, ...]
    removed: tuple[MemberRow, ...]
    merged_into: str


def list_clusters(*, territory: str = "", status: str = "", text: str = "") -> list[ClusterRow]:
    """Clusters of the scope, the newest first; at most LIST_MOST."""
    rows = Cluster.objects.select_related("place")
    if territory:
        rows = rows.filter(territory_code__gte=territory, territory_code__lt=territory + "~")
    if status:
        rows = rows.filter(status=status)
    if text.strip():
        rows = rows.filter(Q(name__icontains=text.strip()) | Q(public_id=text.strip().upper()))
    rows = rows.annotate(n=Count("members", filter=Q(members__removed_at__isnull=True)))
    return [_row(cluster, cluster.n) for cluster in rows.order_by("-opened_at", "-id")[:LIST_MOST]]


def find_cluster(public_id: str) -> ClusterView:
    """One cluster with its members. Raises UnknownCluster when there is none in the scope."""
    cluster = Cluster.objects.select_related("place", "merged_into").filter(public_id=public_id).first()
    if cluster is None:
        raise UnknownCluster(public_id)
    members = list(ClusterMember.objects.filter(cluster=cluster).order_by("added_at", "id"))
    cases = {case.id: case for case in Case.objects.filter(id__in={m.case_id for m in members})}
    known = people.briefs(case.person_id for case in cases.values())
    rows = [_member(one, cases.get(one.case_id), known) for one in members]
    inside = sorted(
        (r for r in rows if r.removed_at is None), key=lambda r: (r.date_onset or date.max, r.case)
    )
    return ClusterView(
        row=_row(cluster, len(inside)),
        cluster=cluster,
        members=tuple(inside),
        removed=tuple(r for r in rows if r.removed_at is not None),
        merged_into=cluster.merged_into.public_id if cluster.merged_into else "",
    )


def cluster_choices(territory: str = "") -> list[tuple[str, str]]:
    """(public id, name) of clusters that are not merged away, for a filter."""
    rows = list_clusters(territory=territory)
    return [(row.public_id, row.name) for row in rows if row.status != Standing.MERGED]


def clusters_of(case: str) -> list[tuple[str, str]]:
    """(public id, name) of the clusters a case is in."""
    rows = Cluster.objects.filter(members__case__public_id=case, members__removed_at__isnull=True).order_by(
        "id"
    )
    return list(rows.values_list("public_id", "name"))


def suggestions(*, territory: str = "", now: datetime | None = None) -> list[Suggestion]:
    """Cases of the scope that share links, a place of their tracks or the setting of a link, and are in no
    cluster together. Each is a question to a person, not an answer."""
    since = clock.local_day(now or clock.now()) - LOOK_BACK
    cases = {
        pk: (public_id, onset or report)
        for pk, public_id, onset, report in within(Case, territory)
        .exclude(classification=Classification.DISCARDED.value)
        .filter(Q(date_onset__gte=since) | Q(date_onset__isnull=True, date_report__gte=since))
        .values_list("id", "public_id", "date_onset", "date_report")
    }
    days = dict(cases.values())
    names = {pk: public_id for pk, (public_id, _day) in cases.items()}
    groups = {**_by_place(names), **_by_setting(names), **_by_links(names)}
    return suggest(groups, days, _taken(), within_days=_longest_incubation(territory))


def _by_place(names: Mapping[int, str]) -> dict[tuple[Because, str], set[str]]:
    found: dict[tuple[Because, str], set[str]] = defaultdict(set)
    entries = TrackEntry.objects.filter(place__isnull=False, retracted_at__isnull=True)
    for case, place in entries.values_list("investigation__case_id", "place__public_id").distinct():
        if case in names:
            found[Because.PLACE, place].add(names[case])
    return _small(found)


def _by_setting(names: Mapping[int, str]) -> dict[tuple[Because, str], set[str]]:
    found: dict[tuple[Because, str], set[str]] = defaultdict(set)
    links = CaseLink.objects.exclude(setting="").values_list("from_case_id", "to_case_id", "setting")
    for one, other, setting in links:
        found[Because.SETTING, setting].update(names[end] for end in (one, other) if end in names)
    return _small(found)


def _by_links(names: Mapping[int, str]) -> dict[tuple[Because, str], set[str]]:
    """Whoever hangs together by links, told by its first case."""
    above = {pk: pk for pk in names}

    def top(pk: int) -> int:
        while above[pk] != pk:
            above[pk] = above[above[pk]]
            pk = above[pk]
        return pk

    for one, other in CaseLink.objects.values_list("from_case_id", "to_case_id"):
        if one in above and other in above:
            a, b = sorted((top(one), top(other)))
            above[b] = a
    found: dict[tuple[Because, str], set[str]] = defaultdict(set)
    for pk, public_id in names.items():
        found[Because.LINKS, names[top(pk)]].add(public_id)
    return _small(found)


def _small(found: Mapping[tuple[Because, str], set[str]]) -> dict[tuple[Because, str], set[str]]:
    return {key: cases for key, cases in found.items() if 1 < len(cases) <= MOST_SHARING}


def _taken() -> list[frozenset[str]]:
    """The cases of each cluster."""
    found: dict[int, set[str]] = defaultdict(set)
    rows = ClusterMember.objects.filter(removed_at__isnull=True)
    for cluster, case in rows.values_list("cluster_id", "case__public_id"):
        found[cluster].add(case)
    return [frozenset(cases) for cases in found.values()]


def _longest_incubation(territory: str) -> int:
    return int(packs.in_force(territory, clock.now()).value("incubation.days").value)


def _row(cluster: Cluster, n: int) -> ClusterRow:
    return ClusterRow(
        public_id=cluster.public_id,
        name=cluster.name,
        territory_code=cluster.territory_code,
        setting=cluster.setting,
        place=cluster.place.name if cluster.place else "",
        place_id=cluster.place.public_id if cluster.place else "",
        date_first=cluster.date_first,
        date_last=cluster.date_last,
        status=cluster.status,
        opened_at=cluster.opened_at,
        cases=n,
        rate=rate_of(n, cluster.exposed),
    )


def _member(one: ClusterMember, case: Case | None, known: Mapping[int, PersonBrief]) -> MemberRow:
    return MemberRow(
        case=case.public_id if case else "",
        person_id=case.person_id if case else None,
        person=known.get(case.person_id) if case else None,
        role=one.role,
        date_onset=case.date_onset if case else None,
        classification=case.classification if case else "",
        territory_code=case.territory_code if case else "",
        added_at=one.added_at,
        by_name=one.by_name,
        removed_at=one.removed_at,
        removed_reason=one.removed_reason,
    )


def roles_by_case(public_id: str) -> dict[str, str]:
    """The role of each case of a cluster."""
    rows: Sequence[tuple[str, str]] = list(
        ClusterMember.objects.filter(cluster__public_id=public_id, removed_at__isnull=True).values_list(
            "case__public_id", "role"
        )
    )
    return dict(rows)


def cases_named(text: str) -> tuple[list[str], list[str]]:
    """Public ids of the cases named in a text by public id or number of their list, parted by spaces, commas
    or lines; and the words that name none, or more than one."""
    words = list(dict.fromkeys(re.split(r"[\s,，、;；]+", text.strip()))) if text.strip() else []
    upper = [word.upper() for word in words]
    rows = Case.objects.filter(Q(public_id__in=upper) | Q(local_id__in=words))
    named: dict[str, set[str]] = defaultdict(set)
    for public_id, local_id in rows.values_list("public_id", "local_id"):
        named[public_id].add(public_id)
        if local_id:
            named[local_id].add(public_id)
    found: list[str] = []
    unknown: list[str] = []
    for word in words:
        hits = named.get(word.upper()) or named.get(word) or set()
        if len(hits) == 1:
            found.extend(hits)
        else:
            unknown.append(word)
    return list(dict.fromkeys(found)), unknown


def place_choices(territory: str = "") -> list[tuple[str, str]]:
    """(public id, name) of the places in use, for a form; at most LIST_MOST."""
    rows = Place.objects.filter(active=True)
    if territory:
        rows = rows.filter(territory_code__gte=territory, territory_code__lt=territory + "~")
    return list(rows.order_by("name").values_list("public_id", "name")[:LIST_MOST])


def place_names(ids: Sequence[str]) -> dict[str, str]:
    """The names of places by public id."""
    return dict(Place.objects.filter(public_id__in=ids).values_list("public_id", "name"))
