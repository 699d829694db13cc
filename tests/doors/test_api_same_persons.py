"""Records that look alike are listed, joined, told apart and parted through the API."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bihuan.registry import clock, scope
from bihuan.registry.actions.people import register_or_find
from bihuan.registry.models import Person
from bihuan.tracing.models import Contact
from tests.cast import Cast
from tests.doors.api_room import api_of
from tests.rooms.care_room import local, make_contact, zhou

NOW = local("02-14 12:00")
REASON = "核实为同一人"
pytestmark = pytest.mark.in_office_since(local("02-01 08:00"))


@pytest.fixture
def two(cast: Cast) -> list[Person]:
    """周小明 registered twice, with the same telephone, and a contact under both records."""
    with cast.officer.acting(), clock.frozen(local("02-13 08:00")):
        made = [
            register_or_find([zhou(phone="13871234567", **told)], cast.officer.actor)[0].person
            for told in ({}, {"occupation": "教师"})
        ]
    for n, one in enumerate(made):
        make_contact(cast.officer, f"02-13 1{n}:00", person=one.public_id, exposure_last=date(2020, 2, 10))
    return made


def post(cast: Cast, path: str, body: Any) -> Any:
    with clock.frozen(NOW):
        return api_of(cast.officer).post(f"/same-persons{path}", body)


def test_a_pair_waits_in_the_list_masked_and_with_its_reasons(cast: Cast, two: list[Person]) -> None:
    with clock.frozen(NOW):
        pairs = api_of(cast.officer).get("/same-persons").json()["items"]
    assert len(pairs) == 1
    assert {pairs[0][side]["id"] for side in ("one", "other")} == {one.public_id for one in two}
    assert pairs[0]["one"]["name"] == "周*明"
    assert "phone" in {reason["field"] for reason in pairs[0]["why"]}


def test_joined_she_is_one_contact_and_parted_two_again(cast: Cast, two: list[Person]) -> None:
    keep, other = (one.public_id for one in two)
    done = post(cast, "/join", {"keep": keep, "other": other, "reason": REASON})
    assert done.status_code == 200, done.content
    assert (len(done.json()["ended"]), done.json()["apart"]) == (1, [])
    with clock.frozen(NOW):
        assert api_of(cast.officer).get("/same-persons").json()["items"] == []
    parted = post(cast, f"/{done.json()['merge']}/part", {"reason": "是两个人"})
    assert len(parted.json()["named"]) == 1
    with scope.system():
        live = Contact.objects.filter(status="confirmed").values_list("person_id", flat=True)
    assert sorted(live) == sorted(one.pk for one in two)


def test_told_apart_they_are_not_brought_up_again_and_cannot_be_joined_until_it_is_reopened(
    cast: Cast, two: list[Person]
) -> None:
    one, other = (found.public_id for found in two)
    assert post(cast, "/tell-apart", {"one": one, "other": other, "reason": "兄弟"}).status_code == 200
    refused = post(cast, "/join", {"keep": one, "other": other, "reason": REASON})
    assert refused.status_code == 409
    assert "decided-different" in refused.content.decode()
    assert post(cast, "/reopen", {"one": one, "other": other, "reason": "再核"}).status_code == 200
    assert post(cast, "/join", {"keep": one, "other": other, "reason": REASON}).status_code == 200


def test_posts_without_the_right_and_posts_of_other_counties_join_nobody(
    cast: Cast, two: list[Person]
) -> None:
    body = {"keep": two[0].public_id, "other": two[1].public_id, "reason": REASON}
    with clock.frozen(NOW):
        assert api_of(cast.command).post("/same-persons/join", body).status_code == 403
        assert api_of(cast.neighbor).post("/same-persons/join", body).status_code == 404
        assert api_of(cast.neighbor).get("/same-persons").json()["items"] == []
        assert api_of(cast.officer).post(f"/same-persons/{10**30}/part", {"reason": "x"}).status_code == 404
        assert api_of(cast.officer).post("/same-persons/join", {**body, "reason": ""}).status_code == 422
        same = {**body, "other": body["keep"]}
        assert api_of(cast.officer).post("/same-persons/join", same).status_code == 422
