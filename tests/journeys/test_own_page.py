"""Somebody gets a code for her own page, opens it on her phone, and appeals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from bihuan.care import actions as care
from bihuan.care.models import Appeal
from bihuan.registry import clock, scope
from bihuan.registry.models import Person
from tests.cast import PASSWORD, Cast, make_cast
from tests.journeys.test_web import log_in
from tests.rooms.care_room import do, local, make_case, make_contact, zhou

NOW = local("02-14 12:00")


@pytest.fixture
def hers(live: str) -> Iterator[tuple[Cast, Person]]:
    """周小明, a contact under an order, at noon of 14 February 2020."""
    with clock.frozen(local("02-01 08:00")):
        made = make_cast()
        made.officer.account.set_password(PASSWORD)
        made.officer.account.save()
    case = make_case(made.officer, "02-12 10:00")
    contact = make_contact(
        made.officer, "02-13 10:00", person=zhou(phone="13871234567"), case=case.public_id,
        criterion="dining: 与李芳同桌", exposure_last=local("02-10 12:00").date(),
    )  # fmt: skip
    do(made.command, "02-13 11:00", care.record_placed, care.OrderInput(contact=contact.public_id))
    with clock.frozen(NOW):
        with scope.system():
            person = Person.objects.get(pk=contact.person_id)
        yield made, person


def keep(page: Any, name: str) -> None:
    """Keep a picture of the step, where one is wanted."""
    folder = os.environ.get("BIHUAN_TEST_PICTURES")
    if folder:
        page.wait_for_load_state("networkidle")
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_she_opens_her_page_with_the_code_on_her_phone_and_appeals(
    page: Any, phone: Any, hers: tuple[Cast, Person]
) -> None:
    _cast, person = hers
    log_in(page, "officer")
    page.goto(f"/people/{person.public_id}/")
    page.get_by_role("button", name="发放查询码").click()
    code = page.locator("p.code").inner_text()
    keep(page, "own-code")

    seen: list[str] = []
    phone.on("request", lambda request: seen.append(request.url))
    phone.goto(f"/mine/?open#{code.replace('-', '')}")
    expect(phone.get_by_label("查询码")).to_have_value(code)
    assert phone.url.endswith("/mine/")
    expect(phone.get_by_label("末四位")).to_be_focused()
    keep(phone, "own-open")
    phone.keyboard.type("4567")
    phone.get_by_role("button", name="打开我的页面").click()
    phone.get_by_role("heading", name="后续安排").wait_for()
    keep(phone, "own-page")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert "李芳" not in phone.content()

    phone.get_by_text("对此申诉").click()
    phone.get_by_label("为何应当解除").fill("我没有坐那趟车")
    phone.get_by_role("button", name="提交申诉").click()
    phone.get_by_text("前无答复，措施即终止").wait_for()
    with scope.system():
        assert Appeal.objects.get().text == "我没有坐那趟车"
    phone.get_by_role("button", name="关闭我的页面").click()
    phone.get_by_role("button", name="打开我的页面").wait_for()
    assert not [url for url in seen if code in url or code.replace("-", "") in url.partition("#")[0]]

    page.goto(f"/people/{person.public_id}/")
    expect(page.get_by_text("已打开 1 次")).to_be_visible()
    keep(page, "own-person")


def test_a_misheard_telephone_is_set_right_and_its_last_digits_open_her_page(
    page: Any, phone: Any, hers: tuple[Cast, Person]
) -> None:
    _cast, person = hers
    log_in(page, "officer")
    page.goto(f"/people/{person.public_id}/")
    page.get_by_role("link", name="更正").press("Enter")
    page.get_by_label("电话").fill("138 7123 9876")
    page.get_by_label("理由").fill("本人来电说明")
    page.keyboard.press("Enter")
    page.get_by_text("已更正").wait_for()
    expect(page.get_by_role("link", name="+8613871239876")).to_be_visible()
    page.get_by_role("button", name="发放查询码").click()
    code = page.locator("p.code").inner_text()

    phone.goto(f"/mine/?open#{code.replace('-', '')}")
    phone.keyboard.type("9876")
    phone.get_by_role("button", name="打开我的页面").click()
    phone.get_by_role("heading", name="后续安排").wait_for()
