"""From one county's contact to the next county's street and back: asked, accepted, answered, ended,
deleted."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bihuan.registry import scope
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import ContactInput, confirm_contact
from bihuan.tracing.models import AssistanceRequest, Contact
from tests.cast import GRID, PASSWORD, Cast, make_cast
from tests.journeys.test_web import log_in

NAME, STREET = "欧阳晓岚", "420302001"


@pytest.fixture
def world(live: str) -> tuple[Cast, Contact]:
    cast = make_cast()
    for who in (cast.officer, cast.neighbor):
        who.account.set_password(PASSWORD)
        who.account.save()
    with cast.officer.acting():
        contact = confirm_contact(
            ContactInput(
                person=PersonInput(territory_code=GRID, name=NAME, phone="13871234567"),
                territory_code=GRID,
                exposure_kind="household",
                exposure_last=date(2020, 2, 12),
            ),
            actor=cast.officer.actor,
        )
    return cast, contact


def enter(page: Any, who: str) -> None:
    page.context.clear_cookies()
    log_in(page, who)


def test_a_request_goes_to_the_next_county_and_its_answer_comes_back(page: Any, world: Any) -> None:
    _cast, contact = world
    enter(page, "officer")
    page.goto(f"/people/{contact.person.public_id}/")
    page.click("text=发起协查")
    page.fill("input[name=to_territory]", "茅箭区")
    page.check("input[value=place_under_observation]", force=True)
    page.fill("textarea[name=reason]", "确诊病例同住家人，已返回贵区")
    page.click("button[value=preview]")
    assert page.locator("input[name=fields]:checked").count() >= 3
    page.uncheck("input[name=fields][value=sex]")
    page.click("button[value=send]")
    page.wait_for_selector("text=已签收，待受理")
    here = page.url

    enter(page, "neighbor")
    page.goto("/assistance/")
    page.click("text=欧阳*岚")
    page.click(".btn.primary.big >> text=受理")
    page.select_option("#panel-body select[name=territory_code]", STREET)
    page.check("#panel-body input[name=confirm]")
    page.click("#panel-body .btn.primary")
    page.wait_for_selector(".chip >> text=已接收")
    page.click(".btn.primary.big >> text=反馈")
    page.check("#panel-body input[value=placed]", force=True)
    page.fill("#panel-body textarea[name=note]", "已集中隔离")
    page.click("#panel-body .btn.primary")
    page.wait_for_selector(".chip >> text=已反馈")

    enter(page, "officer")
    page.goto(here)
    assert "已集中隔离" in page.inner_text("main")
    page.click("text=办结并请对方删除")
    page.click("#panel-body .btn.primary")
    page.wait_for_selector(".chip >> text=已办结，已确认删除")
    assert "13871234567" not in page.inner_text("main")
    with scope.system():
        assert {row.told for row in AssistanceRequest.objects.all()} == {None}
        assert Contact.objects.filter(territory_code=STREET).count() == 1
