"""The pages of the looks: who was at a place, where cases were together, and the way to a case's chain."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from bihuan.registry import audit, clock, scope
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions.investigate import close_investigation, draft_track
from bihuan.tracing.models import Investigation, TrackEntry, VisitLook
from tests.cast import GRID, NEXT_COUNTY, Cast, Member
from tests.doors.web_room import logged_in
from tests.rooms.care_room import do, local
from tests.rooms.investigation_room import (
    CASE,
    NEXT,
    UNKNOWN,
    ZHOU,
    a_case,
    market,
    opened,
    registered,
    visited,
)

pytestmark = [pytest.mark.in_office_since(local("02-01 08:00")), pytest.mark.usefixtures("own_home")]

NOW = "02-12 18:00"
WHY = "查明同场所人员"
HOURS = {"since": "2020-02-10T08:00", "until": "2020-02-10T11:00"}


@pytest.fixture
def world(cast: Cast) -> Investigation:
    """A case who was at the market with three others; its track drafted from the records."""
    with scope.system():
        registered("周小明", ZHOU)
        registered("邻县人", NEXT, NEXT_COUNTY + "001")
    with cast.officer.acting():
        market(cast.officer)
    visited(
        [
            (CASE, "market", "02-10 09:00", 60),
            (ZHOU, "market", "02-10 09:30", 30),
            (NEXT, "market", "02-10 09:50", None),
            (UNKNOWN, "market", "02-10 08:00", 61),
        ]
    )
    made = opened(cast.officer, a_case(cast.officer))
    do(cast.officer, NOW, draft_track, made.public_id, purpose=WHY)
    return made


def get(member: Member, name: str, *args: Any, **query: Any) -> Any:
    with clock.frozen(local(NOW)):
        return logged_in(member).get(reverse(f"web:{name}", args=args), query)


def post(member: Member, name: str, *args: Any, **data: Any) -> Any:
    with clock.frozen(local(NOW)):
        return logged_in(member).post(reverse(f"web:{name}", args=args), data)


def the_place() -> str:
    with scope.system():
        return str(TrackEntry.objects.values_list("place__public_id", flat=True).get())


def asked(member: Member, world: Investigation, **more: Any) -> Any:
    data = {"place": the_place(), "purpose": WHY, **HOURS} | more
    return post(member, "look_place", world.public_id, **data)


def noted(kind: str) -> list[VisitLook]:
    with scope.system():
        return list(VisitLook.objects.filter(kind=kind))


def test_the_investigation_leads_to_who_was_at_a_place_with_the_hours_of_the_entry(
    cast: Cast, world: Investigation
) -> None:
    page = get(cast.officer, "investigation", world.public_id).content.decode()
    href = reverse("web:look_place", args=[world.public_id])
    with scope.system():
        entry = TrackEntry.objects.get()
    assert f'href="{href}"' in page
    assert f'href="{href}?entry={entry.pk}"' in page
    form = get(cast.officer, "look_place", world.public_id, entry=entry.pk).content.decode()
    assert 'value="2020-02-10T09:00"' in form
    assert 'value="2020-02-10T10:00"' in form
    assert "张湾市场" in form
    assert not noted("place"), "to see the form is no look"


def test_it_tells_names_masked_elsewhere_the_county_and_of_the_unknown_a_number(
    cast: Cast, world: Investigation
) -> None:
    body = asked(cast.officer, world).content.decode()
    assert "周*明" in body
    assert "周小明" not in body
    assert "邻县人" not in body
    assert "编号 …" in body
    assert "不详" in body, "one has come, and nobody knows when she left"
    assert reverse("web:proposals", args=[world.public_id]) in body
    assert "不等于密接" in body


def test_the_look_is_noted_with_the_investigation_and_with_whom_it_concerned(
    cast: Cast, world: Investigation
) -> None:
    assert asked(cast.officer, world).status_code == 200
    look = noted("place")[0]
    assert (look.purpose, look.rows, look.place) == (WHY, 4, "market")
    with scope.system():
        assert any(WHY in one.purpose for one in audit.who_looked(world.case.person_id))
        others = [one for one in look.persons if one != world.case.person_id]
        assert len(others) == 2
        for person in others:
            said = [one.purpose for one in audit.who_looked(person)]
            assert any(world.public_id in purpose for purpose in said)
            assert not any(WHY in purpose for purpose in said)


def test_outside_of_the_hours_the_form_says_what_is_allowed(cast: Cast, world: Investigation) -> None:
    refused = asked(cast.officer, world, since="2019-06-01T00:00")
    assert refused.status_code == 422
    body = refused.content.decode()
    assert world.public_id in body
    assert "2020-01-" in body
    assert 'value="2019-06-01T00:00"' in body, "what was typed stays"
    turned = asked(cast.officer, world, since="2020-02-10T12:00", until="2020-02-10T09:00")
    assert turned.status_code == 422
    assert not noted("place")


@pytest.mark.parametrize("purpose", ["", "   "])
def test_without_a_purpose_nobody_looks(cast: Cast, world: Investigation, purpose: str) -> None:
    assert asked(cast.officer, world, purpose=purpose).status_code == 422
    assert not noted("place")
    refused = post(cast.officer, "look_common", one=[world.public_id, world.public_id], purpose=purpose)
    assert refused.status_code == 422


def test_another_place_cannot_be_asked_about(cast: Cast, world: Investigation) -> None:
    with cast.officer.acting():
        other = market(cast.officer, store_id="shop-9", kind="shop")
    assert asked(cast.officer, world, place=other).status_code == 422
    assert not noted("place")


def test_a_closed_investigation_looks_no_more(cast: Cast, world: Investigation) -> None:
    place = the_place()
    do(
        cast.officer, NOW, close_investigation, world.public_id, summary="完", no_track_reason="病重不能问",
    )  # fmt: skip
    page = get(cast.officer, "look_place", world.public_id)
    assert page.status_code == 200
    assert 'name="purpose"' not in page.content.decode()
    for data in ({"place": place, "purpose": WHY, **HOURS}, {}):
        assert post(cast.officer, "look_place", world.public_id, **data).status_code == 409
    refused = post(cast.officer, "look_common", one=[world.public_id, "I-0000000000"], purpose=WHY)
    assert refused.status_code in (404, 409)
    assert not noted("place")


@pytest.mark.parametrize(
    "who", ["neighbor", "other_city", "command", "street", "grid", "doctor", "inspector"]
)
def test_nobody_else_looks(cast: Cast, world: Investigation, who: str) -> None:
    member = getattr(cast, who)
    refused = 404 if who in ("neighbor", "other_city") else 403
    assert get(member, "look_place", world.public_id).status_code == refused
    assert asked(member, world).status_code == refused
    together = post(member, "look_common", one=[world.public_id, "I-0000000000"], purpose=WHY)
    assert together.status_code == refused
    assert not noted("place")
    assert not noted("common")


def second_case(cast: Cast) -> Investigation:
    given = PersonInput(territory_code=GRID, name="周小明", id_number=ZHOU)
    return opened(cast.officer, a_case(cast.officer, person=given))


def test_where_cases_were_together_against_chance_and_a_cluster_made_of_it(
    cast: Cast, world: Investigation
) -> None:
    other = second_case(cast)
    both = [world.public_id, other.public_id]
    listed = get(cast.officer, "investigations").content.decode()
    assert f'action="{reverse("web:look_common")}"' in listed
    form = get(cast.officer, "look_common", one=both).content.decode()
    assert form.count(" checked") == 2
    answer = post(cast.officer, "look_common", one=both, purpose=WHY)
    body = answer.content.decode()
    assert answer.status_code == 200
    assert "2 例病例中有 2 例于 02-10 09:00 至 11:00 到过张湾市场" in body, "two hours, one row"
    assert "（02-10 09:00 至 10:00）有 2 例，该小时随机预期" in body
    assert "周*明" in body
    assert "周小明" not in body
    assert len(noted("common")) == 2
    with scope.system():
        assert any(WHY in one.purpose for one in audit.who_looked(other.case.person_id))
    href = body.split(f'href="{reverse("web:cluster_new")}?')[1].split('"')[0].replace("&amp;", "&")
    query = parse_qs(urlsplit("?" + href).query)
    assert set(query["cases"][0].split()) == {world.case.public_id, other.case.public_id}
    assert query["place"] == [the_place()]
    with clock.frozen(local(NOW)):
        filled = logged_in(cast.officer).get(f"{reverse('web:cluster_new')}?{href}").content.decode()
    assert world.case.public_id in filled
    assert f'<option value="{the_place()}" selected' in filled


def test_hours_of_a_common_place_are_told_in_the_time_zone_of_the_place(
    cast: Cast, world: Investigation
) -> None:
    both = [world.public_id, second_case(cast).public_id]
    with timezone.override("UTC"):
        body = post(cast.officer, "look_common", one=both, purpose=WHY).content.decode()
    assert "于 02-10 09:00 至 11:00 到过张湾市场" in body


def test_one_case_alone_has_no_common_place(cast: Cast, world: Investigation) -> None:
    refused = post(cast.officer, "look_common", one=[world.public_id], purpose=WHY)
    assert refused.status_code == 422
    assert "至少" in refused.content.decode()
    assert not noted("common")


def test_without_an_open_investigation_there_is_nothing_to_choose(cast: Cast) -> None:
    body = get(cast.officer, "look_common").content.decode()
    assert reverse("web:investigations") in body
    assert 'name="purpose"' not in body


def test_a_person_who_is_a_case_leads_to_her_chain(cast: Cast, world: Investigation) -> None:
    page = get(cast.officer, "person", world.case.person.public_id).content.decode()
    href = f"{reverse('web:chains')}?root={world.case.public_id}"
    assert f'href="{href}"' in page
    with clock.frozen(local(NOW)):
        assert logged_in(cast.officer).get(href).status_code == 200
