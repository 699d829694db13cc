"""Chains and clusters through the web and the API: what is shown of whom, and what is noted."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from datetime import date

import pytest
from django.core.cache import cache

from bihuan.doors.web.views import chains as views
from bihuan.registry import clock, scope
from bihuan.registry.models import AccessLog
from tests.cast import COUNTY, Cast, Member
from tests.doors.api_room import Api, token_for
from tests.doors.web_room import browser
from tests.rooms.care_room import local
from tests.rooms.test_chains import NOW, case, link, opened

pytestmark = [pytest.mark.django_db, pytest.mark.in_office_since(local("01-01 00:00"))]
NAMES = ("甲小红", "乙小兰", "丙小青")
MASKED = ("甲*红", "乙*兰", "丙*青")


@pytest.fixture
def chain(cast: Cast) -> list[str]:
    """甲 infected 乙, and 乙 丙; a link from 丙 to somebody whose dates cannot be."""
    ids = [case(cast.officer, date(2020, 2, 1 + 4 * i), name=name) for i, name in enumerate(NAMES)]
    early = case(cast.officer, date(2020, 1, 2), name="丁小紫")
    link(cast.officer, (ids[0], ids[1]), (ids[1], ids[2]), (ids[2], early), kind="household")
    return [*ids, early]


def get(who: Member, path: str):
    with clock.frozen(local(NOW)):
        return browser(who).get(path)


def text(answer) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode("utf-8-sig")


def noted() -> list[tuple[str, int]]:
    with scope.system():
        return list(AccessLog.objects.values_list("purpose", "person_id"))


# ---- the web


def test_the_picture_holds_no_name(cast: Cast, chain: list[str]):
    answer = get(cast.officer, "/chains/data.json")
    found = json.loads(answer.content)
    assert found["marks"]["id"] == chain
    assert found["marks"]["g"] == [0, 1, 2, 0]
    assert found["lines"]["odd"] == [0, 0, 3]
    assert not any(name in text(answer) for name in (*NAMES, *MASKED))
    assert answer["Cache-Control"] == "private, no-store"
    assert noted() == []


def test_a_card_shows_the_masked_name_and_that_is_noted(cast: Cast, chain: list[str]):
    page = text(get(cast.officer, f"/chains/card/{chain[1]}/"))
    assert MASKED[1] in page
    assert NAMES[1] not in page
    assert chain[0] in page
    assert [purpose for purpose, _person in noted()] == ["§page.chains"]
    assert get(cast.neighbor, f"/chains/card/{chain[1]}/").status_code == 404


def test_the_numbers_name_the_links_that_cannot_be(cast: Cast, chain: list[str]):
    page = text(get(cast.officer, "/chains/statistics/"))
    assert "日期上不可能" in page
    assert f"/cases/{chain[3]}/" in page


def test_of_very_many_cases_the_numbers_wait_for_the_picture_and_are_kept_by_territory(
    cast: Cast, chain: list[str], monkeypatch: pytest.MonkeyPatch
):
    few = text(get(cast.officer, "/chains/"))
    assert "正在绘图" in few
    assert 'hx-trigger="load"' in few
    monkeypatch.setattr(views, "MANY", 1)
    cache.clear()
    page = text(get(cast.officer, "/chains/"))
    assert "正在绘制 4 例病例的图" in page
    assert 'hx-trigger="drawn from:closest .chains-page"' in page
    assert chain[3] in text(get(cast.officer, "/chains/statistics/"))
    monkeypatch.setattr(views, "chain_of", lambda given: pytest.fail("made twice"))
    assert chain[3] in text(get(cast.officer, "/chains/statistics/"))
    monkeypatch.undo()
    monkeypatch.setattr(views, "MANY", 1)
    assert chain[3] not in text(get(cast.neighbor, "/chains/statistics/"))
    cache.clear()


def test_the_list_says_the_same_and_begins_with_what_cannot_be(cast: Cast, chain: list[str]):
    page = text(get(cast.officer, "/chains/list/"))
    assert page.index("丁*紫") < page.index(MASKED[1])
    assert not any(name in page for name in NAMES)
    assert len(noted()) == 4


def test_files_hold_names_as_far_as_the_role_may_carry_them_out(cast: Cast, chain: list[str]):
    whole = list(csv.DictReader(io.StringIO(text(get(cast.officer, "/chains/export/cases.csv")))))
    assert [row["name"] for row in whole][:3] == list(NAMES)
    assert {purpose for purpose, _person in noted()} == {"§export.chains|cases.csv"}
    masked = list(csv.DictReader(io.StringIO(text(get(cast.command, "/chains/export/cases.csv")))))
    assert [row["name"] for row in masked][:3] == list(MASKED)
    graph = ET.fromstring(text(get(cast.command, "/chains/export/chains.graphml")))
    assert len(graph.findall(".//{*}edge")) == 3
    assert get(cast.inspector, "/chains/export/links.csv").status_code == 403
    assert get(cast.officer, "/chains/export/all.zip").status_code == 404


def test_who_does_not_see_the_health_of_a_territory_sees_no_chains(cast: Cast, chain: list[str]):
    for who in (cast.inspector, cast.doctor, cast.grid):
        assert get(who, "/chains/").status_code == 403
        assert get(who, "/chains/data.json").status_code == 403


def test_a_day_that_cannot_be_read_is_told_at_its_field(cast: Cast, chain: list[str]):
    page = text(get(cast.officer, "/chains/?since=yesterday"))
    assert "2020-02-17" in page
    assert "field bad" in page


def test_without_cases_the_page_says_where_they_come_from(cast: Cast):
    assert json.loads(get(cast.officer, "/chains/data.json").content)["cases"] == 0
    assert "/import/" in text(get(cast.officer, "/chains/"))


def test_a_cluster_is_opened_changed_and_closed_by_forms(cast: Cast, chain: list[str]):
    officer = browser(cast.officer)
    with clock.frozen(local(NOW)):
        given = {"name": "年夜饭", "setting": "gathering", "territory": COUNTY, "cases": " ".join(chain[:2])}
        made = officer.post("/clusters/new/", given | {"exposed": "20"})
        assert made.status_code == 302
        address = made["Location"]
        page = text(officer.get(address))
        assert "10.0 %" in page
        assert "人数过少" in page  # two cases are too few to publish
        assert officer.post(f"{address}do/", {"do": "add", "cases": "C-nobody"}).status_code == 422
        officer.post(f"{address}do/", {"do": "add", "cases": chain[2]})
        officer.post(f"{address}do/", {"do": "remove", "case": chain[0], "reason": "未到场"})
        assert "未到场" in text(officer.get(address))
        days = {"date_first": "2020-01-24", "date_last": "2020-01-25"}
        assert officer.post(f"{address}edit/", given | days | {"exposed": "1"}).status_code == 302
        form = text(officer.get(f"{address}edit/"))  # a date field shows, and so keeps, this format alone
        assert 'value="2020-01-24"' in form
        assert 'value="2020-01-25"' in form
        assert "请核对暴露人数" in text(officer.get(address))
        officer.post(f"{address}do/", {"do": "close", "reason": "14 天无新病例"})
        assert "14 天无新病例" in text(officer.get(address))
        refused = officer.post("/clusters/new/", given | {"cases": "TJ999"})
        assert refused.status_code == 422
        assert "TJ999" in text(refused)


# ---- the API


def test_the_api_gives_the_graph_its_picture_and_its_numbers(cast: Cast, chain: list[str]):
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        found = api.get("/chains").json()
        assert [one["generation"] for one in found["cases"]] == [0, 1, 2, 0]
        assert [one["odd"] for one in found["links"]] == ["", "", "impossible"]
        assert not any(name in json.dumps(found, ensure_ascii=False) for name in NAMES)
        drawn = api.get("/chains/picture").json()
        assert sum(mark["n"] for mark in drawn["marks"]) == 4
        numbers = api.get("/chains/statistics", {"territory": COUNTY}).json()
        assert (numbers["links"], numbers["odd"], numbers["serial_interval_mean"]) == (
            3, {"impossible": 1}, 4.0,
        )  # fmt: skip
    with scope.system():
        assert AccessLog.objects.filter(door="api").count() == 4


def test_the_api_opens_clusters_and_suggests_them(cast: Cast, chain: list[str]):
    api = Api(token_for(cast.officer))
    with clock.frozen(local(NOW)):
        (suggested,) = api.get("/clusters/suggestions").json()["items"]
        assert suggested["because"] == "links"
        body = {"name": "年夜饭", "territory_code": COUNTY, "exposed": 30, "cases": chain[:3]}
        made = api.post("/clusters", body)
        assert made.status_code == 201
        one = made.json()["id"]
        whole = api.get(f"/clusters/{one}").json()
        assert whole["cluster"]["attack_rate"]["publishable"] is False
        assert whole["cluster"]["attack_rate"]["share"] == pytest.approx(0.1)
        assert [m["person"]["name"] for m in whole["members"]] == list(MASKED)
        assert api.post(f"/clusters/{one}/cases", {"cases": [chain[3]]}).json()["cases"] == 4
        removed = api.post(f"/clusters/{one}/remove", {"case": chain[3], "reason": "未到场"})
        assert removed.json()["cases"] == 3
        other = opened(cast.officer, name="宴席")
        assert api.post(f"/clusters/{other}/merge", {"into": one, "reason": "同一事件"}).json()["id"] == one
        assert api.post(f"/clusters/{one}/close", {"reason": "14 天无新病例"}).status_code == 200
        assert api.post(f"/clusters/{one}/cases", {"cases": [chain[3]]}).status_code == 409
    assert Api(token_for(cast.neighbor)).get(f"/clusters/{one}").status_code == 404
