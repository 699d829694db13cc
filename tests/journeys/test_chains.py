"""An officer looks at a chain, follows it by keys, makes a cluster of it, and takes the picture along."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import cast as people
from tests.journeys.test_web import log_in

NOW = datetime(2020, 2, 17, 12, 40, tzinfo=UTC)


@pytest.fixture
def chain(live: str) -> Any:
    """甲 infected 乙 and 丙 at a meal; a link to 丁 whose dates cannot be."""
    from bihuan.cases.actions import CaseInput, report_cases
    from bihuan.registry import clock, scope
    from bihuan.registry.people import PersonInput
    from bihuan.tracing.actions import LinkInput, link_cases

    with clock.frozen(NOW):
        cast = people.make_cast()
        with scope.system():
            cast.officer.account.set_password(people.PASSWORD)
            cast.officer.account.save()
            inputs = [
                CaseInput(
                    person=PersonInput(territory_code=people.COMMUNITY, name=name, sex="F", age_years=50),
                    territory_code=people.COMMUNITY,
                    classification="confirmed",
                    date_onset=onset,
                    date_report=date(2020, 2, 16),
                )
                for name, onset in (
                    ("甲小红", date(2020, 2, 1)), ("乙小兰", date(2020, 2, 5)),
                    ("丙小青", date(2020, 2, 7)), ("丁小紫", date(2020, 1, 3)),
                )
            ]  # fmt: skip
            ids = [one for _pk, one in report_cases(inputs, actor=cast.officer.actor).cases]
            pairs = [(0, 1), (0, 2), (1, 3)]
            links = [LinkInput(ids[a], ids[b], kind="meal_or_gathering", source="流调") for a, b in pairs]
            link_cases(links, actor=cast.officer.actor)
        yield ids


def test_a_chain_is_followed_by_keys_to_the_person(page: Any, chain: list[str], tmp_path: Path) -> None:
    log_in(page, "officer")
    page.goto("/chains/")
    page.locator("[data-state=drawn]").wait_for()
    expect(page.locator(".chains-stats")).to_contain_text("日期上不可能的关联")
    page.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    card = page.locator("[data-chains-card]")
    expect(card).to_contain_text("乙*兰")
    expect(page.locator("[data-chains-live]")).to_contain_text("2020-02-05")
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").click()
    saved.value.save_as(tmp_path / "chains.png")
    assert (tmp_path / "chains.png").read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as saved:
        page.get_by_role("link", name="GraphML").click()
    saved.value.save_as(tmp_path / "chains.graphml")
    assert (tmp_path / "chains.graphml").read_text("utf-8").count("<edge ") == 3
    card.get_by_role("link", name="打开病例").click()
    page.wait_for_url(lambda url: "/chains" not in url)
    page.get_by_role("heading", name="乙小兰").wait_for()


def test_linked_cases_become_a_cluster_with_its_attack_rate(page: Any, chain: list[str]) -> None:
    log_in(page, "officer")
    page.goto("/clusters/")
    page.get_by_role("button", name="按聚集查看").first.click()
    page.get_by_label("事件名称").fill("元宵聚餐")
    page.locator("#id_setting").select_option("restaurant")
    page.get_by_label("暴露人数").fill("40")
    page.get_by_role("button", name="保存").click()
    page.get_by_role("heading", name="元宵聚餐").wait_for()
    expect(page.get_by_text("40 名暴露者中")).to_be_visible()
    expect(page.get_by_text("人数过少")).to_be_visible()
    page.get_by_role("link", name="查看传播链").click()
    page.locator("[data-state=drawn]").wait_for()
    assert "cluster=E-" in page.url


def test_on_a_phone_the_picture_fits_and_the_list_says_the_same(phone: Any, chain: list[str]) -> None:
    log_in(phone, "officer")
    phone.goto("/chains/")
    phone.locator("[data-state=drawn]").wait_for()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.get_by_role("link", name="列表").click()
    first = phone.locator("tbody tr").first
    expect(first).to_contain_text("日期上不可能")
    expect(first).to_contain_text("丁*紫")
