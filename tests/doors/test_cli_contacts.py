"""`bihuan contacts`: who was proposed, masked and without whereabouts; how tracing goes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bihuan.doors.cli.main import run
from bihuan.registry import clock, scope
from bihuan.registry.models import AccessLog
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions.proposals import name_person
from tests.cast import COUNTY, GRID, Cast
from tests.rooms.care_room import do, local
from tests.rooms.investigation_room import a_case, opened

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_home")]


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    with clock.frozen(local("02-12 18:00")):
        answer = run(list(words))
    out = capsys.readouterr()
    assert answer == code, out.err
    return out.out + out.err


def test_names_are_masked_places_are_not_told_and_the_look_is_logged(cast: Cast, capsys) -> None:
    scene = opened(cast.officer, a_case(cast.officer))
    feng = PersonInput(territory_code=GRID, name="冯小梅", phone="13800003333")
    do(
        cast.officer, "02-12 17:30", name_person, scene.public_id, feng, last=local("02-11 12:00"),
        place="家宴", minutes=90,
    )  # fmt: skip
    text = said(capsys, "contacts", "list", scene.public_id, "--json")
    told: Any = json.loads(text)
    assert told["counts"]["open"] == 1
    assert (told["contacts"][0]["name"], told["contacts"][0]["minutes"]) == ("冯*梅", 90)
    assert "家宴" not in text
    assert "冯*梅" in said(capsys, "contacts", "list", scene.public_id)
    with scope.system():
        assert AccessLog.objects.filter(purpose=f"bihuan contacts list {scene.public_id}").count() == 2
    said(capsys, "contacts", "list", scene.public_id, "--part", "all", code=2)
    said(capsys, "contacts", "list", "I-0000000000", code=4)


def test_indicators_as_of_a_day_are_those_of_its_end(cast: Cast, capsys) -> None:
    a_case(cast.officer)
    asked = ("contacts", "indicators", "--territory", COUNTY)
    told = json.loads(said(capsys, *asked, "--as-of", "2020-02-12", "--json"))
    assert told["as_of"].startswith("2020-02-12T23:59")
    found = {one["key"]: one for one in told["indicators"]}
    assert (found["unlinked"]["numerator"], found["unlinked"]["denominator"]) == (1, 1)
    before = json.loads(said(capsys, *asked, "--as-of", "2020-02-11", "--json"))
    assert {one["denominator"] for one in before["indicators"]} == {0}
    assert "1 / 1" in said(capsys, *asked)
    said(capsys, *asked, "--as-of", "yesterday", code=2)


def test_a_day_is_that_of_the_territory_asked_about(cast: Cast, capsys, tmp_path) -> None:
    tree = tmp_path / "tree.csv"
    tree.write_text(
        "code,name,level,parent_code,tz\nGT,Guatemala,1,,America/Guatemala\nGT01,Guatemala,2,GT,\n", "utf-8"
    )
    said(capsys, "territory", "load", str(tree))
    told = json.loads(
        said(capsys, "contacts", "indicators", "--territory", "GT01", "--as-of", "2020-02-10", "--json")
    )
    assert datetime.fromisoformat(told["as_of"]) == datetime(2020, 2, 11, 5, 59, tzinfo=UTC)
    asked = ("duties", "list", "--territory", "GT01", "--as-of", "2020-02-10", "--json")
    assert json.loads(said(capsys, *asked))


def test_a_passenger_list_is_read_and_those_near_are_proposed(cast: Cast, capsys, tmp_path) -> None:
    scene = opened(cast.officer, a_case(cast.officer))
    listed = tmp_path / "bus.csv"
    listed.write_text("name,seat\n甲一,5A\n乙二,5C\n丙三,19B\n", encoding="utf-8")
    asked = ("contacts", "manifest", scene.public_id, str(listed), "--kind", "coach", "--row", "4")
    told = json.loads(said(capsys, *asked, "--ended", "2020-02-11T12:00", "--ventilated", "--json"))
    assert told == {"proposed": 2, "joined": 0, "judged": 0, "apart": 1}
    said(capsys, *asked, "--ended", "2020-02-13", code=2)  # still to come
    said(capsys, *asked, "--ended", "", code=2)
    said(capsys, *asked[:2], "I-0000000000", str(listed), "--kind", "coach", "--ended", "2020-02-11", code=4)


def test_a_list_with_numbers_for_names_proposes_nobody(cast: Cast, capsys, tmp_path) -> None:
    scene = opened(cast.officer, a_case(cast.officer))
    listed = tmp_path / "list.csv"
    listed.write_text("person,row\n1,3\n2,4\n", encoding="utf-8")
    words = ("contacts", "manifest", scene.public_id, str(listed), "--kind", "coach", "--row", "4")
    text = said(capsys, *words, "--ended", "2020-02-11T12:00", code=2)
    assert "第 2 行的姓名处是数字" in text.replace("\n", "")
    assert json.loads(said(capsys, "contacts", "list", scene.public_id, "--json"))["counts"]["open"] == 0
