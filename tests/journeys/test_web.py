"""A worker and an officer at their screens: board, a duty on a phone, a file, the other language, keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import cast as people

NOW = datetime(2020, 2, 17, 12, 40, tzinfo=UTC)
PASSWORD = people.PASSWORD


@pytest.fixture
def town(live: str) -> Any:
    """The cast with passwords, the clock at 2020-02-17 20:40, one case and one contact of two hours ago."""
    from bihuan.cases.actions import CaseInput, report_case
    from bihuan.registry import clock, scope
    from bihuan.registry.actions.people import register_person
    from bihuan.registry.people import PersonInput
    from bihuan.tracing.actions import ContactInput, confirm_contact

    with clock.frozen(NOW):
        cast = people.make_cast()
        with scope.system():
            for member in (cast.officer, cast.community, cast.grid):
                member.account.set_password(PASSWORD)
                member.account.save()
            actor = cast.officer.actor
            ill = register_person(PersonInput(territory_code=people.COMMUNITY, name="张伟", sex="M"), actor)
            near = register_person(
                PersonInput(territory_code=people.COMMUNITY, name="周小明", sex="M", age_years=34), actor
            )
            case = report_case(
                CaseInput(person=ill.public_id, territory_code=people.COMMUNITY, classification="confirmed"),
                actor=actor,
                now=NOW - timedelta(hours=3),
            )
            confirm_contact(
                ContactInput(person=near.public_id, case=case.public_id, territory_code=people.COMMUNITY),
                actor=actor,
                now=NOW - timedelta(hours=2),
            )
        yield cast


def log_in(page: Any, username: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("用户名").fill(username)
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(lambda url: "login" not in url)
    page.wait_for_load_state("networkidle")


def test_an_officer_logs_in_and_sees_both_rings_and_what_is_owed(page: Any, town: Any) -> None:
    log_in(page, "officer")
    assert page.get_by_role("heading", name="张湾区").is_visible()
    assert page.get_by_role("heading", name="收治闭环").is_visible()
    assert page.get_by_role("heading", name="数据闭环").is_visible()
    assert page.get_by_text("守恒").is_visible()
    page.get_by_text("应隔未隔").wait_for()


def test_a_worker_does_a_duty_with_one_tap_on_a_phone_and_takes_it_back(phone: Any, town: Any) -> None:
    log_in(phone, "community")
    phone.goto("/duties/")
    card = phone.locator(".duty", has_text="周*明").first
    assert card.is_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    before = phone.locator(".duty").count()
    card.locator("[data-done]").first.click()
    phone.get_by_role("button", name="撤销").wait_for()
    expect(phone.locator(".duty")).to_have_count(before - 1)
    phone.get_by_role("button", name="撤销").click()
    expect(phone.locator(".duty")).to_have_count(before)


def test_why_opens_in_a_panel_with_rule_and_clause(page: Any, town: Any) -> None:
    log_in(page, "community")
    page.goto("/duties/")
    page.get_by_role("link", name="为什么").first.click()
    panel = page.get_by_role("dialog")
    panel.get_by_text("规则").wait_for()
    assert "clocks." in panel.inner_text()


def test_the_language_is_switched_from_the_account_menu(page: Any, town: Any) -> None:
    log_in(page, "officer")
    page.locator("details.account summary").click()
    page.get_by_role("button", name="English").click()
    page.get_by_role("heading", name="Admission loop").wait_for()
    page.wait_for_load_state("networkidle")


def test_a_list_is_dropped_looked_at_and_handed_to_the_worker(page: Any, town: Any, tmp_path: Path) -> None:
    file = tmp_path / "名单.csv"
    file.write_text(
        "病例编号,姓名,性别,年龄,发病日期,确诊日期\nSY-1,李静,女,41,2020-02-10,2020-02-13\n", "utf-8"
    )
    log_in(page, "officer")
    page.goto("/import/")
    page.set_input_files("input[type=file]", str(file))
    page.wait_for_url("**/columns/")
    assert page.get_by_label("发病日期").input_value() == "case.date_onset"
    page.get_by_role("button", name="查看预览").click()
    page.wait_for_url("**/preview/")
    assert page.get_by_text("SY-1").is_visible()
    page.get_by_role("button", name="开始导入").click()
    page.wait_for_url(lambda url: "/import/J-" in url and "preview" not in url)
    assert page.get_by_text("逐行台账").is_visible()
    page.goto("/settings/")  # ends the asking for progress before the database goes
    page.wait_for_load_state("networkidle")


def test_keys_move_through_a_list_and_open_its_rows(page: Any, town: Any) -> None:
    log_in(page, "officer")
    page.goto("/cases/")
    page.keyboard.press("j")
    assert page.locator("tr.at").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url("**/people/P-*/")
    assert page.get_by_text("查看记录").first.is_visible()
