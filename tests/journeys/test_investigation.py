"""An investigator with one confirmed case: opened, drafted, told on a phone, closed, and the report taken
along."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from pypdf import PdfReader

from tests import cast as people
from tests.journeys.test_web import PASSWORD, log_in
from tests.rooms.care_room import local
from tests.rooms.investigation_room import CASE, UNKNOWN, a_case, market, visited


@pytest.fixture
def found(live: str, settings: Any, tmp_path: Path) -> Any:
    """The evening of 12 February: a case confirmed in the morning, who was at the market on the 10th."""
    from bihuan.registry import clock, scope

    settings.BIHUAN_HOME = tmp_path
    with clock.frozen(local("02-01 08:00")):
        cast = people.make_cast()
        with scope.system():
            cast.officer.account.set_password(PASSWORD)
            cast.officer.account.save()
        with cast.officer.acting():
            market(cast.officer)
    visited([(CASE, "market", "02-10 09:00", 60), (UNKNOWN, "market", "02-10 09:30", 30)])
    with clock.frozen(local("02-12 18:00")):
        yield a_case(cast.officer)


def tell(page: Any, day: str, where: str) -> None:
    form = page.locator("#add-entry")
    if not form.evaluate("e => e.open"):
        form.locator("summary").click()
    form.get_by_label("日期", exact=False).first.fill(day)
    form.get_by_label("或用文字说明地点").fill(where)
    form.get_by_role("button", name="保存").click()
    page.locator(".inv-entry", has_text=where).wait_for()


def test_from_a_case_to_a_closed_investigation_with_its_report(phone: Any, found: Any) -> None:
    page = phone
    log_in(page, "officer")
    page.goto(f"/cases/{found.public_id}/")
    page.get_by_role("link", name="开始流调").click()
    page.get_by_role("button", name="开始流调").click()
    page.get_by_role("heading", name="逐日行踪").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    page.get_by_role("button", name="查看并起草").click()
    entry = page.locator(".inv-entry.unconfirmed")
    entry.wait_for()
    assert "张湾市场" in entry.inner_text()
    entry.locator("label.inv-pick").click()
    page.get_by_role("button", name="本人到过").click()
    page.locator(".inv-entry.confirmed").wait_for()

    page.get_by_text("缺 2 天").wait_for()
    for day, where in (("2020-02-11", "家中"), ("2020-02-12", "发热门诊")):
        tell(page, day, where)

    page.get_by_text("每日均有记录").wait_for()
    page.get_by_role("heading", name="结束流调").click()
    page.get_by_label("调查结论").fill("市场内感染")
    page.locator("#close").get_by_role("button").click()
    page.get_by_text("流调已按时结束").wait_for()
    page.route("**/report/", lambda route: (sleep(0.4), route.continue_()))
    page.evaluate(
        """() => new MutationObserver(() => {
            window.waited = document.querySelector(".waiting p")?.textContent || window.waited;
        }).observe(document.body, { subtree: true, childList: true })"""
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="报告（PDF）").click()
    page.locator(".waiting").wait_for(state="detached")
    assert page.evaluate("window.waited") == "正在生成报告"
    text = PdfReader(BytesIO(Path(download.value.path()).read_bytes())).pages[0].extract_text()
    assert "张湾市场" in text
    assert "发热门诊" in text

    page.goto(f"/cases/{found.public_id}/")
    assert page.get_by_text("病例的行踪").first.is_visible()


def test_what_was_typed_is_still_there_when_the_session_has_ended(phone: Any, found: Any) -> None:
    page = phone
    log_in(page, "officer")
    page.goto(f"/cases/{found.public_id}/")
    page.get_by_role("link", name="开始流调").click()
    page.get_by_role("button", name="开始流调").click()
    page.get_by_role("heading", name="逐日行踪").wait_for()
    page.clock.install()
    page.reload()
    page.clock.fast_forward(61_000)
    form = page.locator("#add-entry")
    form.get_by_label("日期", exact=False).first.fill("2020-02-11")
    form.get_by_label("或用文字说明地点").fill("单位食堂靠窗一桌")
    page.context.clear_cookies(name="sessionid")
    form.get_by_role("button", name="保存").click()
    way = page.get_by_role("link", name="在新窗口登录后再次提交")
    way.wait_for()
    assert page.locator(".inv-entry").count() == 0
    with page.expect_popup() as opened:
        way.click()
    log_in(opened.value, "officer")
    opened.value.close()
    page.clock.fast_forward(61_000)
    form.get_by_role("button", name="保存").click()
    page.locator(".inv-entry", has_text="单位食堂靠窗一桌").wait_for()
