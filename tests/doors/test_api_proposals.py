"""Contacts of an investigation through the API: looked for, decided by a person, and the duties from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from bihuan.doors.api.models import Answer
from bihuan.registry import clock, scope
from bihuan.registry.models import AccessLog
from bihuan.registry.secrets import keyring
from bihuan.tracing import visits
from bihuan.tracing.actions.investigate import close_investigation
from bihuan.tracing.models import Contact, ContactProposal, Place, Stranger, VisitLook
from bihuan.tracing.queries.gates import stranger_place
from tests.cast import COMMUNITY, COUNTY, NEXT_COUNTY, Cast, make_cast
from tests.doors.api_room import Api, token_for
from tests.rooms.care_room import assert_holds, do, local, owed
from tests.rooms.investigation_room import (
    CASE,
    NEXT,
    UNKNOWN,
    ZHOU,
    a_case,
    checked,
    market,
    opened,
    registered,
    visited,
)

NOW = "02-12 18:00"
WU = checked("42030319720101003")


@pytest.fixture
def cast(db: Any, settings: Any, tmp_path: Path) -> Cast:
    settings.BIHUAN_HOME = tmp_path
    with clock.frozen(local("02-01 08:00")):
        made = make_cast()
        with made.officer.acting():
            market(made.officer)
        registered("周小明", ZHOU)
        registered("武强", WU)
        registered("孙晓梅", NEXT, territory_code=f"{NEXT_COUNTY}001")
    visited(
        [
            (CASE, "market", "02-10 09:00", 60),
            (ZHOU, "market", "02-10 09:10", 40),
            (WU, "market", "02-10 09:30", 30),
            (NEXT, "market", "02-10 09:30", 20),
            (UNKNOWN, "market", "02-10 09:50", 10),
        ]
    )
    return made


@pytest.fixture
def at(cast: Cast) -> str:
    return f"/investigations/{opened(cast.officer, a_case(cast.officer)).public_id}/contacts"


def listed(api: Api, at: str, **asked: Any) -> list[dict[str, Any]]:
    return api.get(at, asked).json()["items"]


def test_from_a_look_to_duties_at_the_street(cast: Cast, at: str) -> None:
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        found = api.post(f"{at}/find", {"purpose": "contacts"}).json()
        assert found == {"state": "found", "total": 4, "made": 4, "updated": 0, "same": 0, "again": 0}
        page = api.get(at).json()
        assert (page["counts"]["open"], page["counts"]["elsewhere"], page["counts"]["unknown"]) == (2, 1, 1)
        first = page["items"][0]
        assert (first["person"]["name"], first["minutes"], first["contact"]) == ("周*明", 40, None)
        assert first["encounters"][0]["place"] == "张湾市场"
        assert "other" in page["criteria"]
        body = {"proposals": [first["id"]], "criterion": "other", "reason": "同桌"}
        done = api.post(f"{at}/confirm", body, idempotency_key="once")
        assert done.status_code == 200, done.content
        again = api.post(f"{at}/confirm", body, idempotency_key="once")
        assert again.json() == done.json()
        assert again["Idempotent-Replay"] == "true"
        assert done.json()["made"] == 1
        contact = done.json()["contacts"][0]
        (row,) = listed(api, at, part="confirmed")
        assert (row["contact"], row["criterion"], row["reason"]) == (contact, "other", "同桌")
        assert api.get(f"/contact-proposals/{row['id']}").json() == row
    assert owed(contact) == {"locate"}
    assert_holds()
    with scope.system():
        assert [look.kind for look in VisitLook.objects.all()] == ["met"]
        assert AccessLog.objects.filter(fields__contains=["location"]).exists()


def test_one_is_dismissed_one_sent_one_told_and_one_taken_back(cast: Cast, at: str) -> None:
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        api.post(f"{at}/find", {"purpose": "contacts"})
        zhou, wu = (row["id"] for row in listed(api, at))
        far, who = (listed(api, at, part=part)[0]["id"] for part in ("elsewhere", "unknown"))
        assert listed(api, at, part="elsewhere")[0]["person"] is None
        assert api.post(f"{at}/dismiss", {"proposals": [wu], "reason": "戴口罩"}).json()["n"] == 1
        assert api.post(f"{at}/reconsider", {"proposals": [wu], "reason": "同桌"}).json()["n"] == 1
        sent = api.post(f"{at}/send", {"proposals": [far], "reason": "密接"}).json()
        assert sent["requests"][far].startswith("R-")
        told = {"person": {"name": "吴远", "phone": "13800002222", "territory_code": COMMUNITY}}
        assert api.post(f"/contact-proposals/{who}/resolve", told).json()["id"] == who
        body = {"proposals": [zhou, wu, who], "criterion": "other", "reason": "x"}
        assert api.post(f"{at}/confirm", body).json()["made"] == 3
        back = api.post(f"/contact-proposals/{zhou}/take-back", {"reason": "认错人"}).json()
        assert back == {"id": zhou, "released": True}
        named = api.post(f"{at}/name", {"person": {"name": "冯梅"}, "last": "2020-02-11T12:00:00+08:00"})
        assert (named.status_code, named.json()["state"]) == (201, "proposed")
    assert_holds()


def test_the_list_goes_page_by_page_and_loses_nobody_to_a_decision_in_between(cast: Cast, at: str) -> None:
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        api.post(f"{at}/find", {"purpose": "contacts"})
        first = api.get(at, {"limit": 1}).json()
        assert [row["person"]["name"] for row in first["items"]] == ["周*明"]
        api.post(f"{at}/dismiss", {"proposals": [first["items"][0]["id"]], "reason": "x"})
        second = api.get(at, {"limit": 1, "cursor": first["next"]}).json()
        assert [row["person"]["name"] for row in second["items"]] == ["武*"]
        assert second["next"] is None
        assert api.get(at, {"cursor": "nonsense"}).status_code == 422
        assert listed(api, at, least_minutes=31) == []


def test_strangers_find_nothing_and_those_who_may_not_look_cannot(cast: Cast, at: str) -> None:
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        api.post(f"{at}/find", {"purpose": "contacts"})
        one = listed(api, at)[0]["id"]
        body = {"proposals": [one], "criterion": "other", "reason": "x"}
        stranger = Api(token_for(cast.neighbor))
        assert stranger.get(at).status_code == 404
        assert stranger.get(f"/contact-proposals/{one}").status_code == 404
        assert stranger.post(f"{at}/find", {"purpose": "x"}).status_code == 404
        assert stranger.post(f"{at}/confirm", body).status_code == 404
        assert stranger.post(f"/contact-proposals/{one}/take-back", {"reason": "x"}).status_code == 404
        command = Api(token_for(cast.command))
        assert command.post(f"{at}/find", {"purpose": "x"}).status_code == 403
        assert command.post(f"{at}/confirm", body).status_code == 403
    with scope.system():
        assert not Contact.objects.exists()


def test_no_purpose_no_reason_and_no_criterion_of_the_edition_are_refused(cast: Cast, at: str) -> None:
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        for purpose in ("", "  "):
            assert api.post(f"{at}/find", {"purpose": purpose}).status_code == 422
        api.post(f"{at}/find", {"purpose": "contacts"})
        one = listed(api, at)[0]["id"]
        refused = api.post(f"{at}/confirm", {"proposals": [one], "criterion": "secondary", "reason": "x"})
        assert refused.status_code == 422
        assert "criterion-not-counted" in refused.json()["type"]
        for body in ({"proposals": [one], "criterion": "other", "reason": " "},
                     {"proposals": [], "criterion": "other", "reason": "x"}):  # fmt: skip
            assert api.post(f"{at}/confirm", body).status_code == 422
        body = {"proposals": ["N-0000000000"], "criterion": "other", "reason": "x"}
        assert api.post(f"{at}/confirm", body).status_code == 404
        assert api.get(at, {"part": "everybody"}).status_code == 422
    with scope.system():
        assert not Contact.objects.exists()


def test_a_closed_investigation_shows_decisions_and_no_whereabouts(cast: Cast, at: str) -> None:
    api = Api(token_for(cast.officer))
    number = at.split("/")[2]
    with clock.frozen(local(NOW)):
        api.post(f"{at}/find", {"purpose": "contacts"})
        one = listed(api, at)[0]["id"]
    do(cast.officer, NOW, close_investigation, number, summary="s", no_track_reason="拒绝配合")
    with clock.frozen(local(NOW)):
        row = listed(api, at)[0]
        assert (row["encounters"], row["setting"], row["last"]) == ([], None, None)
        assert api.get(at, {"place": "market"}).status_code == 409
        assert api.post(f"{at}/find", {"purpose": "x"}).status_code == 409
        body = {"proposals": [one], "criterion": "other", "reason": "x"}
        assert api.post(f"{at}/confirm", body).status_code == 409


def test_proposals_of_another_investigation_are_not_decided_under_this_one(cast: Cast, at: str) -> None:
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        api.post(f"{at}/find", {"purpose": "contacts"})
        one = listed(api, at)[0]["id"]
        other = api.post("/cases", {"territory_code": COMMUNITY, "person": {"name": "柳"}}).json()["id"]
        made = api.post("/investigations", {"case": other, "purpose": "x"}).json()["id"]
        body = {"proposals": [one], "reason": "x"}
        assert api.post(f"/investigations/{made}/contacts/dismiss", body).status_code == 404


def test_indicators_of_a_territory_with_what_they_are_made_of(cast: Cast, at: str) -> None:
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        found = api.get("/contact-indicators", {"territory": COUNTY}).json()
        told = {one["key"]: one for one in found["items"]}
        assert (found["territory"], found["days"], len(told)) == (COUNTY, 14, 11)
        assert (told["unlinked"]["numerator"], told["unlinked"]["denominator"]) == (1, 1)
        assert (told["followed_today"]["value"], told["followed_today"]["met"]) == (None, None)
        before = api.get("/contact-indicators", {"territory": COUNTY, "as_of": "2020-02-05"}).json()
        assert {one["denominator"] for one in before["items"]} == {0}
        assert api.get("/contact-indicators", {"territory": NEXT_COUNTY}).status_code == 403
        assert Api(token_for(cast.laboratory)).get("/contact-indicators").status_code == 403


# --- passenger lists, and what gates registered ----------------------------------------------------------

LIST = "姓名,身份证号,车厢,排\n周小明,{zhou},7,4\n甲一,,7,5\n乙二,,8,4\n"


def passengers(api: Api, at: str, text: str, **told: str) -> Any:
    file = SimpleUploadedFile("g1234.csv", text.encode("gb18030"))
    journey = {"kind": "train", "vehicle": "G1234", "ended_at": "2020-02-11T12:00:00+08:00", **told}
    return api.send(f"{at}/manifest", {"file": file, **journey})


def test_a_passenger_list_proposes_who_sat_near_and_keeps_no_others(cast: Cast, at: str) -> None:
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        api.post(f"{at}/find", {"purpose": "contacts"})
        done = passengers(api, at, LIST.format(zhou=ZHOU), carriage="7", row="4", sealed="true")
        assert (done.status_code, done.json()) == (
            200, {"proposed": 1, "joined": 1, "judged": 0, "apart": 1}
        )  # fmt: skip
        again = passengers(api, at, "name,id\n", carriage="7")
        assert again.status_code == 422, "it names nobody"
        assert passengers(api, at, "a,b\n1,2\n").status_code == 422
        assert passengers(api, at, LIST, kind="rocket").status_code == 422
        assert passengers(Api(token_for(cast.neighbor)), at, LIST).status_code == 404
        assert passengers(Api(token_for(cast.command)), at, LIST).status_code == 403
    with scope.system():
        assert not ContactProposal.objects.filter(person__name="乙二").exists()
        assert {p.origin for p in ContactProposal.objects.filter(person__name="甲一")} == {"manifest"}


def at_a_gate(**told: str) -> None:
    with scope.system():
        gate, number = Place.objects.get(), visits.number_of(UNKNOWN, with_key=visits.key())
        text = json.dumps(
            {"name": "吴远", "phone": "13871234567", "origin": "襄阳", "purpose": "送货"} | told
        )
        Stranger.objects.create(
            place=gate, territory_code=gate.territory_code, event=7, key=number, at=local("02-10 09:50"),
            told=keyring().encrypt(text, place=stranger_place(gate.pk, 7)),
        )  # fmt: skip


def test_what_a_gate_registered_of_a_number_is_told_with_a_purpose_and_noted(cast: Cast, at: str) -> None:
    at_a_gate()
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        api.post(f"{at}/find", {"purpose": "contacts"})
        who, zhou = listed(api, at, part="unknown")[0]["id"], listed(api, at)[0]["id"]
        url = f"/contact-proposals/{who}/registered"
        told = api.post(url, {"purpose": "核实身份"}, idempotency_key="look")
        assert told.json() == {"found": True, "name": "吴远", "phone": "13871234567", "origin": "襄阳"}
        assert "Idempotent-Replay" not in api.post(url, {"purpose": "x"}, idempotency_key="look")
        assert api.post(url, {"purpose": " "}).status_code == 422
        assert api.post(f"/contact-proposals/{zhou}/registered", {"purpose": "x"}).status_code == 409
        assert Api(token_for(cast.command)).post(url, {"purpose": "x"}).status_code == 403
        assert Api(token_for(cast.neighbor)).post(url, {"purpose": "x"}).status_code == 404
    with scope.system():
        looks = VisitLook.objects.filter(kind="stranger")
        assert [(look.purpose, look.rows) for look in looks] == [("核实身份", 1), ("x", 1)]
        assert not Answer.objects.exists(), "what a look showed is kept nowhere"


def test_gates_are_asked_of_many_numbers_and_the_names_stand_in_the_list(cast: Cast, at: str) -> None:
    at_a_gate()
    api, url = Api(token_for(cast.officer)), f"{at}/registered"
    with clock.frozen(local(NOW)):
        api.post(f"{at}/find", {"purpose": "contacts"})
        who, zhou = listed(api, at, part="unknown")[0]["id"], listed(api, at)[0]["id"]
        body = {"proposals": [who, zhou], "purpose": "核实身份"}
        told = api.post(url, body, idempotency_key="many")
        done = {"named": 1, "known": 0, "elsewhere": 0, "unnamed": [], "unregistered": []}
        assert (told.status_code, told.json()) == (200, done)
        again = api.post(url, body, idempotency_key="many")
        assert again.headers["Idempotent-Replay"] == "true"
        assert again.json() == done
        assert api.post(url, body).json()["named"] == 0, "sent twice adds nobody"
        wu = next(one for one in listed(api, at) if one["id"] == who)
        assert (wu["person"]["name"], wu["at_gate"]) == ("吴*", True)
        assert api.post(url, body | {"purpose": " "}).status_code == 422
        assert api.post(url, body | {"proposals": [who, "T-0000000000"]}).status_code == 404
        assert Api(token_for(cast.command)).post(url, body).status_code == 403
        assert Api(token_for(cast.neighbor)).post(url, body).status_code == 404
    with scope.system():
        assert VisitLook.objects.filter(kind="stranger").count() == 1
        assert "吴远" not in json.dumps([str(one.body) for one in Answer.objects.all()], ensure_ascii=False)


def test_a_look_is_taken_and_noted_each_time_and_its_answer_is_kept_nowhere(cast: Cast, at: str) -> None:
    api = Api(token_for(cast.officer))
    url = f"{at.removesuffix('/contacts')}/looks/met"
    with clock.frozen(local(NOW)):
        first = api.post(url, {"purpose": "x"}, idempotency_key="met")
        again = api.post(url, {"purpose": "x"}, idempotency_key="met")
    assert (first.json(), again.status_code) == (again.json(), 200)
    with scope.system():
        assert VisitLook.objects.count() == 2
        assert not Answer.objects.exists()
