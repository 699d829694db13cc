"""Which post owes, who is above, who commands, and when somebody is on duty."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.registry import clock, posts, scope
from bihuan.registry.actions import organizations, territory
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid, UnknownPost, UnknownTerritory
from bihuan.registry.models import Organization, Post
from bihuan.registry.posts import Directory, PostView
from tests.cast import COMMUNITY, COUNTY, GRID, NEXT_COUNTY, OTHER_CITY, STREET, Cast, load_small_tree

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test", door="test")
NOON = datetime(2020, 2, 5, 4, 0, tzinfo=UTC)  # 12:00 in China, a Wednesday


def function_of(post_id: int) -> tuple[str, str]:
    post = posts.get(post_id)
    return post.function, post.territory_code


def test_the_nearest_post_above_owes(cast: Cast) -> None:
    found = posts.resolve_owner(["community_follow_up"], GRID)
    assert not found.fallback
    assert function_of(found.post_id) == ("community_follow_up", COMMUNITY)
    assert function_of(posts.resolve_owner(["sampling"], GRID).post_id) == ("sampling", COUNTY)


def test_the_order_of_functions_counts_before_the_distance(cast: Cast) -> None:
    found = posts.resolve_owner(["street_quarantine", "community_follow_up"], GRID)
    assert function_of(found.post_id) == ("street_quarantine", STREET)
    found = posts.resolve_owner(["inspector", "community_follow_up"], GRID)
    assert function_of(found.post_id) == ("inspector", "4203")


def test_no_owner_found_falls_to_the_nearest_command_post(cast: Cast) -> None:
    found = posts.resolve_owner(["grid_worker"], NEXT_COUNTY)
    assert found.fallback
    assert function_of(found.post_id) == ("command", NEXT_COUNTY)
    found = posts.resolve_owner(["transfer_team"], OTHER_CITY + "02001001")
    assert found.fallback
    assert function_of(found.post_id) == ("command", OTHER_CITY)


def test_without_any_command_post_the_administrator_owes(db: None) -> None:
    with scope.system():
        load_small_tree()
        from bihuan.registry.actions import roles

        roles.sync_roles(actor=SYSTEM)
        administrator = organizations.ensure_administration(actor=SYSTEM)
    found = posts.resolve_owner(["grid_worker"], GRID)
    assert (found.post_id, found.fallback) == (administrator.pk, True)


def test_an_empty_registry_says_how_to_begin(db: None) -> None:
    with pytest.raises(UnknownPost, match="load-builtin"):
        posts.resolve_owner(["grid_worker"], GRID)


def test_a_post_that_is_not_active_owes_nothing(cast: Cast) -> None:
    post_id = posts.resolve_owner(["community_follow_up"], GRID).post_id
    now = clock.now()
    Post.objects.filter(pk=post_id).update(active_to=now)
    found = posts.resolve_owner(["community_follow_up"], GRID, at=now + timedelta(seconds=1))
    assert found.fallback
    assert function_of(found.post_id) == ("command", STREET)
    before = posts.resolve_owner(["community_follow_up"], GRID, at=now - timedelta(days=1))
    assert before.post_id == post_id


def test_the_clinic_that_saw_the_patient_owes_before_another_of_the_county(cast: Cast) -> None:
    with scope.system():
        second = organizations.create_organization(
            name="second", kind="fever_clinic", territory_code=COUNTY, actor=SYSTEM
        )
        organizations.create_post(
            organization=second,
            title="report",
            function="clinic_report",
            role="clinic_doctor",
            actor=SYSTEM,
        )
    first = posts.resolve_owner(["clinic_report"], COUNTY)
    own = posts.resolve_owner(["clinic_report"], COUNTY, organization_id=second.pk)
    assert posts.get(own.post_id).organization_id == second.pk
    assert first.post_id != own.post_id


def test_superiors_lead_from_the_grid_to_the_province(cast: Cast) -> None:
    line = [cast.grid.post.id]
    while (above := posts.superior_of(line[-1])) is not None:
        line.append(above)
    assert [function_of(p) for p in line] == [
        ("grid_worker", GRID),
        ("community_follow_up", COMMUNITY),
        ("command", STREET),
        ("command", COUNTY),
        ("command", "4203"),
        ("command", "42"),
    ]


def test_a_level_has_its_command(cast: Cast) -> None:
    places = {
        level: function_of(posts.command_at(level, GRID).post_id)[1]
        for level in ("street", "county", "city", "province")
    }
    assert places == {"street": STREET, "county": COUNTY, "city": "4203", "province": "42"}


def test_a_county_led_as_a_city_is_its_own_city(cast: Cast) -> None:
    with scope.system():
        organizations.establish_county("429004", actor=SYSTEM, communities=False)
    assert function_of(posts.command_at("city", "429004").post_id)[1] == "429004"
    assert function_of(posts.command_at("county", "429004").post_id)[1] == "429004"
    assert posts.get(posts.command_at("city", "429004").post_id).role == "command_city"


def test_staffing_again_adds_nothing(cast: Cast) -> None:
    counts = Organization.objects.count(), Post.objects.count()
    with scope.system():
        made = organizations.establish_county(COUNTY, actor=SYSTEM, grids=1)
    assert (made.new_organizations, made.new_posts) == (0, 0)
    assert (Organization.objects.count(), Post.objects.count()) == counts


def test_staffing_covers_every_function_that_definitions_may_name(cast: Cast) -> None:
    for function in (
        "command", "cdc_report_review", "cdc_investigation", "clinic_report", "hospital_admission",
        "transfer_team", "street_quarantine", "community_follow_up", "grid_worker", "sampling",
        "hospital_follow_up", "inspector",
    ):  # fmt: skip
        assert not posts.resolve_owner([function], GRID).fallback, function


def test_a_municipality_is_staffed_as_a_province_and_as_a_city(cast: Cast) -> None:
    with scope.system():
        territory.store_units([u for u in territory.builtin_units() if u.code == "12"])
        organizations.establish("12", actor=SYSTEM)
    for function in ("cdc_investigation", "cdc_report_review", "clinic_report", "hospital_admission"):
        found = posts.resolve_owner([function], "12")
        assert (found.fallback, function_of(found.post_id)) == (False, (function, "12"))
    assert posts.get(posts.command_at("province", "12").post_id).role == "command_province"


def test_a_community_is_not_staffed_by_itself(cast: Cast) -> None:
    with scope.system(), pytest.raises(Invalid, match=STREET):
        organizations.establish(COMMUNITY, actor=SYSTEM)
    with scope.system(), pytest.raises(UnknownTerritory, match="420303"):
        organizations.establish("420399", actor=SYSTEM)


@pytest.mark.parametrize(
    ("hours", "local", "on"),
    [
        ({}, "2020-02-05T03:00", True),
        ({"from": "08:00", "to": "18:00"}, "2020-02-05T08:00", True),
        ({"from": "08:00", "to": "18:00"}, "2020-02-05T18:00", False),
        ({"days": [1, 2], "from": "08:00", "to": "18:00"}, "2020-02-05T12:00", False),
        ({"days": [2], "from": "20:00", "to": "08:00"}, "2020-02-05T07:59", True),
        ({"days": [3], "from": "20:00", "to": "08:00"}, "2020-02-05T07:59", False),
        ({"days": [3], "from": "20:00", "to": "08:00"}, "2020-02-05T20:00", True),
    ],
)
def test_duty_hours_follow_the_clock_of_the_territory(cast: Cast, hours: dict, local: str, on: bool) -> None:
    post = replace(cast.officer.post, duty_hours=hours)
    at = datetime.fromisoformat(local + "+08:00")
    assert posts.on_duty(post, at) is on


def _view(id_: int, function: str, code: str) -> PostView:
    return PostView(id_, f"T-{id_}", "t", "t", function, code, "r", id_, "o", "o", "k", None, None, {})


_codes = st.text("0123", min_size=0, max_size=5)


@given(places=st.lists(_codes, unique=True, max_size=12), code=_codes)
def test_the_owner_is_always_the_longest_code_that_begins_the_place(places: list[str], code: str) -> None:
    directory = Directory()
    for number, place in enumerate(["", *[p for p in places if p]], start=1):
        post = _view(number, "command" if place == "" else "sampling", place)
        directory.by_id[post.id] = post
        directory.by_place.setdefault((post.function, place), []).append(post)
    found = directory.resolve_owner(["sampling"], code, at=NOON)
    candidates = [p for p in places if p and code.startswith(p)]
    if candidates:
        assert directory.by_id[found.post_id].territory_code == max(candidates, key=len)
        assert not found.fallback
    else:
        assert (found.post_id, found.fallback) == (1, True)
