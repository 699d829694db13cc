"""Pages of places, gates and the visit store: what each post may do there, and that none tells who."""

from __future__ import annotations

import base64
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from bihuan.registry import clock, scope
from bihuan.tracing.actions import gate_takers as takers
from bihuan.tracing.models import GateCheck, GateHandOver, Place
from bihuan.tracing.rules import seal
from tests.cast import COMMUNITY, GRID, Cast, Member
from tests.doors.web_room import browser
from tests.rooms.care_room import local

pytestmark = pytest.mark.django_db
MORNING = local("06-01 08:00")
ID_NUMBER = "420303198103040022"


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> Any:
    settings.BIHUAN_HOME = tmp_path
    with clock.frozen(MORNING):
        yield tmp_path


@pytest.fixture
def gate(cast: Cast) -> str:
    form = {"name": "南门", "kind": "community_gate", "territory_code": GRID, "capacity": "1"}
    answer = browser(cast.community).post("/places/new/", form)
    assert answer.status_code == 302, answer.content.decode()
    with cast.community.acting():
        return str(Place.objects.get().public_id)


def token(who: Member) -> str:
    return takers.token_of(takers.taker_of(who.actor))


def sent(*records: dict[str, Any], by: Member | None = None, **more: Any) -> str:
    told = {"sent_at": MORNING.isoformat(), "taker": token(by) if by else "", "records": list(records)}
    return json.dumps({**told, **more})


def one(event: str, **facts: Any) -> dict[str, Any]:
    return {"event": event, "at": MORNING.isoformat(), "who": ID_NUMBER, "mask": True, **facts}


def send(who: Member, gate: str, body: str) -> Any:
    return browser(who).post(f"/gate/{gate}/records/", body, content_type="application/json")


def test_a_grid_worker_records_and_reads_counts_only(cast: Cast, gate: str) -> None:
    answer = send(
        cast.grid, gate, sent(one("a", temperature=36.5), one("b", who="13871234567"), by=cast.grid)
    )
    told = answer.json()
    assert [a["status"] for a in told["answers"]] == ["recorded", "recorded"]
    assert (told["inside"], told["limit"], told["over"]) == (2, 1, True)
    page = browser(cast.grid).get(f"/places/{gate}/").content.decode()
    assert ID_NUMBER not in page + answer.content.decode()
    assert "超出限流" in page


def test_a_phone_whose_clock_began_anew_is_heard(cast: Cast, gate: str) -> None:
    then = "1970-01-01T00:10:00+00:00"
    answer = send(cast.grid, gate, sent(one("a", at=then), by=cast.grid, sent_at=then))
    assert [a["status"] for a in answer.json()["answers"]] == ["recorded"]


def test_what_cannot_be_read_is_refused_whole_and_not_repeated(cast: Cast, gate: str) -> None:
    for wrong in (
        "x", "{}", sent(one("a", temperature=99)), sent(one("a", direction="up")), sent({"event": "a"}),
        sent(one("a", at="2020-06-01 08:00")), sent(one("a" * 65)), sent(one("a"), taker="1.1:made-up"),
        "[" * 100_000, sent(ask=["x"] * 51),
    ):  # fmt: skip
        answer = send(cast.grid, gate, wrong)
        assert answer.status_code == 422, wrong
        assert ID_NUMBER not in answer.content.decode()


def test_half_a_character_holds_up_nothing(cast: Cast, gate: str) -> None:
    stranger = {"name": "外地人\ud83d", "phone": "13871234567", "origin": "襄阳\udc00"}
    answer = send(cast.grid, gate, sent(one("a\ud800", who="", stranger=stranger), by=cast.grid))
    assert [a["status"] for a in answer.json()["answers"]] == ["recorded"]


def test_a_gate_elsewhere_is_not_found_and_an_officer_does_not_stand_at_one(cast: Cast, gate: str) -> None:
    assert send(cast.officer, gate, sent(one("a"))).status_code == 403
    assert browser(cast.officer).get(f"/gate/{gate}/").status_code == 403
    assert browser(cast.neighbor).get(f"/places/{gate}/").status_code == 404


def test_whoever_is_not_logged_in_is_sent_to_the_log_in(gate: str) -> None:
    answer = Client().post(f"/gate/{gate}/records/", sent(), content_type="application/json")
    assert answer.status_code == 302


def test_the_page_that_a_device_keeps_names_no_account(cast: Cast, gate: str) -> None:
    page = browser(cast.grid).get(f"/gate/{gate}/").content.decode()
    assert cast.grid.account.username not in page
    assert "<script>" not in page
    worker = Client().get("/gate/worker.js")
    assert worker["Service-Worker-Allowed"] == "/gate/"


def closed(event: str, gate: str, by: Member, **facts: Any) -> dict[str, str]:
    """A record as the device closes it for the server."""
    about = seal.bound_to(place=gate, event=event, taker=token(by))
    text = json.dumps(one(event, **facts)).encode()
    done = seal.closed(text, public=takers.public_seal(), about=about, nonce=os.urandom(12))
    return {"event": event, "sealed": base64.b64encode(done).decode()}


def taken() -> list[tuple[Any, Any, bool]]:
    with scope.system():
        rows = GateCheck.unscoped.order_by("id").values_list("account_id", "post_id", "hand_over")
        return [(account, post, over is not None) for account, post, over in rows]


def test_what_one_took_does_not_go_out_in_the_name_of_whoever_is_logged_in(cast: Cast, gate: str) -> None:
    answer = send(cast.community, gate, sent(closed("a", gate, cast.grid), by=cast.grid))
    assert answer.status_code == 409
    assert answer.json()["taker"] == token(cast.community)
    assert taken() == []
    answer = send(cast.grid, gate, sent(closed("a", gate, cast.grid), by=cast.grid))
    assert [a["status"] for a in answer.json()["answers"]] == ["recorded"]
    assert taken() == [(cast.grid.account.pk, cast.grid.post.id, False)]


def test_records_handed_over_name_both_once_and_are_shown_at_the_place(cast: Cast, gate: str) -> None:
    body = sent(closed("a", gate, cast.grid), closed("b", gate, cast.grid), by=cast.grid, hand_over=True)
    for _again in range(2):
        assert send(cast.community, gate, body).status_code == 200
    assert taken() == [(cast.grid.account.pk, cast.grid.post.id, True)] * 2
    with scope.system():
        row = GateHandOver.unscoped.get()
    assert (row.records, row.sent_account_id, row.sent_post_id) == (
        2, cast.community.account.pk, cast.community.post.id,
    )  # fmt: skip
    page = browser(cast.community).get(f"/places/{gate}/").content.decode()
    assert row.taken_by.startswith("grid · ")
    assert row.taken_by in page
    assert row.sent_by in page
    english = browser(cast.community)
    english.cookies["django_language"] = "en"
    assert "community · Yanhu Community" in english.get(f"/places/{gate}/").content.decode()


def test_what_was_taken_without_a_log_in_waits_until_somebody_says_it_is_hers(cast: Cast, gate: str) -> None:
    body = {"taker": "", "records": [one("a")]}
    assert send(cast.community, gate, sent(**body)).status_code == 409
    assert send(cast.community, gate, sent(**body, hand_over=True)).status_code == 200
    assert taken() == [(None, None, True)]


def test_a_closed_record_opens_for_its_taker_and_gate_only_and_holds_up_no_other(
    cast: Cast, gate: str
) -> None:
    mine, hers = closed("a", gate, cast.community), closed("b", gate, cast.grid)
    elsewhere, moved = closed("c", "L-OTHER", cast.community), {**mine, "event": "d"}
    answer = send(cast.community, gate, sent(mine, hers, elsewhere, moved, by=cast.community))
    told = {a["event"]: a["status"] for a in answer.json()["answers"]}
    assert told == {"a": "recorded", "b": "rejected", "c": "rejected", "d": "rejected"}
    assert ID_NUMBER not in json.dumps(mine) + answer.content.decode()


def test_a_device_is_told_who_is_logged_in_and_the_names_it_asks_for(cast: Cast, gate: str) -> None:
    body = sent(by=cast.grid, ask=[token(cast.grid)])
    told = send(cast.community, gate, body).json()
    assert told["taker"] == token(cast.community)
    assert told["names"][token(cast.grid)].startswith("grid · ")
    assert send(cast.community, gate, sent(ask=["7.7:made-up"])).status_code == 422


def test_a_taker_of_another_territory_took_nothing_here(cast: Cast, gate: str) -> None:
    body = sent(one("a"), by=cast.neighbor, hand_over=True)
    assert send(cast.grid, gate, body).status_code == 422
    assert taken() == []


def test_the_gate_of_a_closed_place_opens_to_send_what_the_device_keeps(cast: Cast, gate: str) -> None:
    browser(cast.community).post(f"/places/{gate}/active/", {"active": "0"})
    page = browser(cast.grid).get(f"/gate/{gate}/")
    assert page.status_code == 200
    assert "2020-06-01 08:00" in page.context["about"]["closed"]
    earlier = local("06-01 07:59").isoformat()
    told = send(cast.grid, gate, sent(one("a", at=earlier), one("b"), by=cast.grid)).json()
    assert [(a["status"], a["closed"]) for a in told["answers"]] == [("recorded", False), ("rejected", True)]
    assert "2020-06-01 08:00" in told["closed"]
    assert "关闭于" in browser(cast.grid).get(f"/places/{gate}/").content.decode()
    browser(cast.community).post(f"/places/{gate}/active/", {"active": "1"})
    assert send(cast.grid, gate, sent(one("b"), by=cast.grid)).json()["closed"] == ""


def test_a_gate_closed_lately_is_found_among_the_gates_until_nothing_of_it_is_taken(
    cast: Cast, gate: str
) -> None:
    assert browser(cast.grid).get("/gate/").status_code == 302
    browser(cast.community).post(f"/places/{gate}/active/", {"active": "0"})
    page = browser(cast.grid).get("/gate/").content.decode()
    assert f"/gate/{gate}/" in page
    assert "近期关闭" in page
    with clock.frozen(MORNING + timedelta(hours=49)):
        assert f"/gate/{gate}/" not in browser(cast.grid).get("/gate/").content.decode()


def test_a_list_is_loaded_whole_or_not_at_all(cast: Cast) -> None:
    good = f"名称,类型,区划,容量,编号\n超市,商店,{COMMUNITY},80,shop-1\n市场,market,,200,m-1\n"
    bad = good + "学校,月球,,x,s-1\n"
    client = browser(cast.community)
    for text, status, n in ((bad, 422, 0), (good, 302, 2)):
        file = SimpleUploadedFile("list.csv", text.encode())
        answer = client.post("/places/load/", {"file": file, "territory_code": COMMUNITY})
        assert answer.status_code == status, answer.content.decode()
        with cast.community.acting():
            assert Place.objects.count() == n


def test_the_whole_store_is_shown_in_counts_to_posts_of_all_the_installation_only(
    cast: Cast, gate: str
) -> None:
    send(cast.grid, gate, sent(one("a"), by=cast.grid))
    for who, whole in ((cast.administrator, True), (cast.province, True), (cast.inspector, False)):
        answer = browser(who).get("/visits/")
        page = answer.content.decode()
        assert answer.status_code == 200
        assert ID_NUMBER not in page
        assert ("人员密钥编号" in page, "store" in answer.context, "南门" in page) == (whole, whole, True)
    assert browser(cast.community).get("/visits/").status_code == 403


def test_a_person_page_tells_how_many_days_are_held_and_issues_a_code(cast: Cast, gate: str) -> None:
    from bihuan.registry.actions.people import register_person
    from bihuan.registry.people import PersonInput
    from bihuan.tracing.actions.pseudonyms import catch_up

    send(cast.grid, gate, sent(one("a"), by=cast.grid))
    with cast.officer.acting():
        given = PersonInput(territory_code=GRID, name="欧阳晓岚", id_number=ID_NUMBER)
        person = register_person(given, cast.officer.actor).public_id
    assert "还没有通行码" in browser(cast.officer).get(f"/people/{person}/code/").content.decode()
    catch_up(everybody=True)
    page = browser(cast.officer).get(f"/people/{person}/").content.decode()
    assert "有到访记录的日期共 1 天" in page
    code = browser(cast.officer).get(f"/people/{person}/code/").content.decode()
    assert "data:image/svg+xml;base64," in code
    assert ID_NUMBER not in code
