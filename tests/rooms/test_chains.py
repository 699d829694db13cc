"""Chains and clusters in the database: what of them is in sight, and how they are changed."""

from __future__ import annotations

from datetime import date

import pytest

from bihuan.cases.actions import CaseInput, report_case
from bihuan.registry import clock, scope, shredder
from bihuan.registry.errors import Invalid, NotAllowed
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import LinkInput, link_cases
from bihuan.tracing.actions.clusters import (
    ClusterInput,
    add_cases,
    close_cluster,
    merge_clusters,
    open_cluster,
    remove_case,
    revise_cluster,
    set_role,
)
from bihuan.tracing.errors import ClusterClosed, ClusterInvalid, UnknownCluster
from bihuan.tracing.models import ClusterMember
from bihuan.tracing.queries import chains
from bihuan.tracing.queries.chains import ChainFilter, chain_of
from bihuan.tracing.queries.clusters import (
    cases_named,
    clusters_of,
    find_cluster,
    list_clusters,
    suggestions,
)
from tests.cast import CITY, COUNTY, GRID, NEXT_COUNTY, Cast, Member
from tests.rooms.care_room import do, local

pytestmark = pytest.mark.django_db

NOW = "02-17 09:00"
NEXT_GRID = f"{NEXT_COUNTY}001"


def case(who: Member, onset: date | None, *, code: str = GRID, name: str = "某人", **facts) -> str:
    person = PersonInput(territory_code=code, name=name)
    given = CaseInput(
        person=person, territory_code=code, classification="confirmed", date_onset=onset,
        date_report=date(2020, 2, 16), **facts,
    )  # fmt: skip
    return do(who, NOW, report_case, given).public_id


def link(who: Member, *pairs: tuple[str, str], **more) -> None:
    do(who, NOW, link_cases, [LinkInput(a, b, source="流调", **more) for a, b in pairs])


@pytest.fixture
def chain(cast: Cast) -> tuple[str, str, str]:
    """甲 on the 1st infected 乙 on the 5th, and 乙 丙 on the 9th."""
    a, b, c = (
        case(cast.officer, date(2020, 2, d), name=n) for d, n in ((1, "甲某"), (5, "乙某"), (9, "丙某"))
    )
    link(cast.officer, (a, b), (b, c), kind="household")
    return a, b, c


def seen(who: Member, **given) -> object:
    with who.acting(), clock.frozen(local(NOW)):
        return chain_of(ChainFilter(**given))


# ---- chains


def test_links_make_one_chain_with_generations(cast: Cast, chain: tuple[str, str, str]):
    found = seen(cast.officer)
    assert found.graph.ids == chain
    assert list(found.graph.generation) == [0, 1, 2]
    assert found.graph.setting == ("", "household", "household")
    assert [found.cases[one].dated for one in chain] == ["onset"] * 3


def test_a_link_out_of_the_territory_is_counted_and_tells_nothing(cast: Cast, chain: tuple[str, str, str]):
    away = case(cast.neighbor, date(2020, 1, 28), code=NEXT_GRID)
    link(cast.city, (away, chain[0]))
    found = seen(cast.officer)
    assert away not in found.graph.ids
    assert found.outside == 1
    assert len(seen(cast.city).graph.ids) == 4
    assert seen(cast.neighbor).graph.ids == (away,)
    assert seen(cast.other_city).graph.ids == ()


@pytest.mark.parametrize("few", [500, 0])
def test_links_that_lead_out_are_counted_however_many_cases_there_are(
    cast: Cast, chain: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch, few: int
):
    """From a case shown or to one, of a territory, of a cluster, within days."""
    monkeypatch.setattr(chains, "FEW", few)
    before = case(cast.neighbor, date(2020, 1, 28), code=NEXT_GRID)
    after = case(cast.neighbor, date(2020, 2, 12), code=NEXT_GRID)
    link(cast.city, (before, chain[0]), (chain[1], after), (before, after))
    cluster = opened(cast.officer, cases=chain[:2])
    assert seen(cast.city, territory=COUNTY).outside == 2
    assert seen(cast.city, territory=COUNTY, until=date(2020, 2, 5)).outside == 3
    assert seen(cast.city, territory=NEXT_COUNTY).outside == 2
    assert seen(cast.city).outside == 0
    assert seen(cast.city, cluster=cluster).outside == 3
    assert seen(cast.city, territory=CITY, since=date(2020, 2, 9)).outside == 3


def test_an_impossible_link_is_listed_and_kept_out(cast: Cast, chain: tuple[str, str, str]):
    early = case(cast.officer, date(2020, 1, 2))
    link(cast.officer, (chain[2], early))
    found = seen(cast.officer).graph
    assert found.impossible() == [(chain[2], early, "impossible")]
    assert found.parent[found.ids.index(early)] == -1


def test_chains_are_narrowed_by_days_and_to_what_is_below_a_case(cast: Cast, chain: tuple[str, str, str]):
    assert seen(cast.officer, since=date(2020, 2, 4)).graph.ids == chain[1:]
    assert seen(cast.officer, until=date(2020, 2, 5)).graph.ids == chain[:2]
    assert seen(cast.officer, root=chain[1]).graph.ids == chain[1:]
    assert seen(cast.officer, root="C-0000000000").graph.ids == ()


def test_the_tree_below_a_case_is_narrowed_by_days_and_keeps_the_case(
    cast: Cast, chain: tuple[str, str, str]
):
    """A bundle of the picture opens so: below one case, in days after it."""
    assert seen(cast.officer, root=chain[1], since=date(2020, 2, 8)).graph.ids == chain[1:]
    assert seen(cast.officer, root=chain[0], until=date(2020, 2, 5)).graph.ids == chain[:2]
    assert seen(cast.officer, root=chain[0], since=date(2020, 2, 8)).graph.ids == (chain[0], chain[2])


def test_a_link_of_no_stated_kind_is_known_by_its_own_words(cast: Cast, chain: tuple[str, str, str]):
    late = case(cast.officer, date(2020, 2, 14))
    link(cast.officer, (chain[2], late), setting="百货大楼")
    found = seen(cast.officer).graph
    assert found.setting[found.ids.index(late)] == "百货大楼"
    assert "unknown" not in found.kind


def test_within_a_cluster_likely_infectors_are_leads(cast: Cast, chain: tuple[str, str, str]):
    alone = case(cast.officer, date(2020, 2, 12))
    cluster = opened(cast.officer, cases=[*chain, alone])
    found = seen(cast.officer, cluster=cluster, infer=True).graph
    leads = [found.ids[found.target[i]] for i in range(found.source.size) if not found.declared[i]]
    assert set(leads) == {alone}
    assert not found.declared[found.parent_link[found.ids.index(alone)]]
    assert seen(cast.officer, cluster=cluster).graph.parent[found.ids.index(alone)] == -1


# ---- clusters


def opened(who: Member, *, cases: list[str] | tuple[str, ...] = (), **facts) -> str:
    given = ClusterInput(**{"name": "年夜饭", "territory_code": COUNTY, "setting": "gathering", **facts})
    return do(who, NOW, open_cluster, given, cases=cases).public_id


def shown(who: Member, cluster: str):
    with who.acting():
        return find_cluster(cluster)


def test_early_in_the_morning_the_day_of_a_cluster_is_the_local_one(cast: Cast) -> None:
    given = ClusterInput(name="早市", territory_code=COUNTY, setting="market", date_first=date(2020, 2, 14))
    do(cast.officer, "02-14 06:00", open_cluster, given)
    with pytest.raises(ClusterInvalid):
        do(cast.officer, "02-13 23:59", open_cluster, given)


def test_a_cluster_has_members_with_roles_and_an_attack_rate(cast: Cast, chain: tuple[str, str, str]):
    cluster = opened(cast.officer, cases=chain, exposed=12)
    found = shown(cast.officer, cluster)
    assert [(one.case, one.role) for one in found.members] == [
        (chain[0], "primary"), (chain[1], "secondary"), (chain[2], "secondary"),
    ]  # fmt: skip
    assert found.row.rate.shown is not None
    assert found.row.rate.shown.share == 0.25
    with cast.officer.acting():
        assert clusters_of(chain[0]) == [(cluster, "年夜饭")]
        assert [row.cases for row in list_clusters()] == [3]


def test_a_cluster_is_not_there_for_the_next_county(cast: Cast, chain: tuple[str, str, str]):
    cluster = opened(cast.officer, cases=chain)
    with pytest.raises(UnknownCluster):
        shown(cast.neighbor, cluster)
    with pytest.raises(UnknownCluster):
        do(cast.neighbor, NOW, close_cluster, cluster, reason="不见了")


def test_who_may_only_look_cannot_open_one(cast: Cast):
    with pytest.raises(NotAllowed):
        opened(cast.command)


def test_a_case_taken_out_stays_on_record_with_the_reason(cast: Cast, chain: tuple[str, str, str]):
    cluster = opened(cast.officer, cases=chain)
    with pytest.raises(ClusterInvalid, match=r"reason|理由"):
        do(cast.officer, NOW, remove_case, cluster, chain[1], reason=" ")
    do(cast.officer, NOW, remove_case, cluster, chain[1], reason="未到场")
    found = shown(cast.officer, cluster)
    assert [one.case for one in found.members] == [chain[0], chain[2]]
    assert [(one.case, one.removed_reason) for one in found.removed] == [(chain[1], "未到场")]
    assert do(cast.officer, NOW, add_cases, cluster, chain) == [chain[1]]


def test_members_out_of_sight_are_counted_and_not_named(cast: Cast, chain: tuple[str, str, str]):
    away = case(cast.neighbor, date(2020, 2, 3), code=NEXT_GRID)
    cluster = opened(cast.city, cases=[*chain, away], exposed=20, territory_code=COUNTY)
    found = shown(cast.officer, cluster)
    assert found.row.cases == 4
    assert sorted(one.case for one in found.members) == sorted(["", *chain])
    with pytest.raises(ClusterInvalid):
        do(cast.officer, NOW, add_cases, cluster, [away])


def test_merged_clusters_lose_nobody_also_whom_the_merger_does_not_see(
    cast: Cast, chain: tuple[str, str, str]
):
    away = case(cast.neighbor, date(2020, 2, 3), code=NEXT_GRID)
    one = opened(cast.city, cases=[chain[0], away], date_first=date(2020, 1, 24))
    other = opened(cast.officer, cases=chain[:2], date_first=date(2020, 1, 25))
    do(cast.officer, NOW, merge_clusters, one, other, reason="同一顿饭")
    with scope.system():
        inside = ClusterMember.objects.filter(cluster__public_id=other, removed_at__isnull=True)
        assert set(inside.values_list("case__public_id", flat=True)) == {chain[0], chain[1], away}
    found = shown(cast.officer, one)
    assert (found.cluster.status, found.merged_into, found.members) == ("merged", other, ())
    assert shown(cast.officer, other).cluster.date_first == date(2020, 1, 24)


def test_a_closed_cluster_stays_as_it_is(cast: Cast, chain: tuple[str, str, str]):
    cluster = opened(cast.officer, cases=chain)
    do(cast.officer, NOW, close_cluster, cluster, reason="14 天无新病例")
    with pytest.raises(ClusterClosed):
        do(cast.officer, NOW, add_cases, cluster, chain)


def test_what_is_told_of_a_cluster_is_checked_and_can_be_changed(cast: Cast):
    wrong = {"name": "", "date_first": date(2020, 1, 25), "date_last": date(2020, 1, 20), "exposed": 0}
    with pytest.raises(ClusterInvalid) as refused:
        opened(cast.officer, **wrong)
    assert [error["field"] for error in refused.value.errors] == ["name", "date_last", "exposed"]
    cluster = opened(cast.officer)
    given = ClusterInput(name="宴席", territory_code=COUNTY, exposed=30)
    do(cast.officer, NOW, revise_cluster, cluster, given)
    assert shown(cast.officer, cluster).row.rate.exposed == 30


def test_a_role_is_said_by_a_person(cast: Cast, chain: tuple[str, str, str]):
    cluster = opened(cast.officer, cases=chain)
    do(cast.officer, NOW, set_role, cluster, chain[2], "index")
    assert shown(cast.officer, cluster).members[2].role == "index"
    with pytest.raises(Invalid):
        do(cast.officer, NOW, set_role, cluster, chain[2], "guilty")


def test_linked_cases_are_suggested_until_a_cluster_holds_them(cast: Cast, chain: tuple[str, str, str]):
    with cast.officer.acting(), clock.frozen(local(NOW)):
        assert [sorted(one.cases) for one in suggestions()] == [sorted(chain)]
    opened(cast.officer, cases=chain)
    with cast.officer.acting(), clock.frozen(local(NOW)):
        assert suggestions() == []


def test_cases_are_named_by_their_number_or_that_of_their_list(cast: Cast):
    one = case(cast.officer, date(2020, 2, 1), local_id="TJ1")
    with cast.officer.acting():
        assert cases_named(f"tj9, TJ1\n{one.lower()}") == ([one], ["tj9"])
        assert cases_named("  ") == ([], [])


# ---- what is kept of a person


def test_why_somebody_was_taken_out_goes_with_her_identity(cast: Cast, chain: tuple[str, str, str]):
    cluster = opened(cast.officer, cases=chain)
    do(cast.officer, NOW, remove_case, cluster, chain[1], reason="她当天在娘家")
    with scope.system():
        member = ClusterMember.objects.select_related("case").get(case__public_id=chain[1])
        held = shredder.what_is_held(member.case.person_id).held
        assert [fact["event"] for one in held for fact in one.facts if "event" in fact] == ["年夜饭"]
        assert shredder.remains(member.case.person_id)["clusters"] > 0
        (clusters,) = [one for one in shredder.shredders() if one.name == "clusters"]
        clusters.shred([member.case.person_id])
        assert shredder.remains(member.case.person_id)["clusters"] == 0
