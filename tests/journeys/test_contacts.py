"""From a case to a contact whose duties stand with her community, and whose page says why."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests import cast as people
from tests.journeys.test_web import PASSWORD, log_in
from tests.rooms.care_room import local
from tests.rooms.investigation_room import CASE, UNKNOWN, ZHOU, a_case, market, registered, visited


@pytest.fixture
def found(live: str, settings: Any, tmp_path: Path) -> Any:
    """The evening of 12 February: a case who was at the market on the 10th, where 周小明 was too."""
    from bihuan.registry import clock, scope

    settings.BIHUAN_HOME = tmp_path
    with clock.frozen(local("02-01 08:00")):
        cast = people.make_cast()
        with scope.system():
            for member in (cast.officer, cast.community):
                member.account.set_password(PASSWORD)
                member.account.save()
        with cast.officer.acting():
            market(cast.officer)
        registered("周小明", ZHOU)
    visited([
        (CASE, "market", "02-10 09:00", 60), (ZHOU, "market", "02-10 09:10", 40),
        (UNKNOWN, "market", "02-10 09:30", 30),
    ])  # fmt: skip
    registered_at_the_gate(UNKNOWN, name="吴远", phone="13871234567", origin="襄阳")
    with clock.frozen(local("02-12 18:00")):
        yield a_case(cast.officer)


def registered_at_the_gate(who: str, **told: str) -> None:
    from bihuan.registry import scope
    from bihuan.registry.secrets import keyring
    from bihuan.tracing import visits
    from bihuan.tracing.models import Place, Stranger
    from bihuan.tracing.queries.gates import stranger_place

    with scope.system():
        gate = Place.objects.get()
        Stranger.objects.create(
            place=gate, territory_code=gate.territory_code, event=1, at=local("02-10 09:30"),
            key=visits.number_of(who, with_key=visits.key()),
            told=keyring().encrypt(json.dumps(told), place=stranger_place(gate.pk, 1)),
        )  # fmt: skip


def press_twice(page: Any, button: str) -> None:
    """Press it twice in a row, and keep what the page said while the answer was on its way."""
    page.evaluate(
        """button => {
          const keep = () => {
            const strip = document.querySelector(".waiting p");
            if (strip?.textContent) sessionStorage.said = strip.textContent;
          };
          new MutationObserver(keep).observe(document.body, {childList: true, subtree: true});
          document.querySelector(button).click();
          document.querySelector(button).click();
        }""",
        button,
    )


def test_from_a_case_to_a_contact_whose_duties_stand_with_her_community(
    page: Any, found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bihuan.tracing.actions import proposals

    asked, find = [], proposals.find_contacts

    def slow(*args: Any, **named: Any) -> Any:
        asked.append(args)
        time.sleep(0.6)
        return find(*args, **named)

    monkeypatch.setattr(proposals, "find_contacts", slow)
    log_in(page, "officer")
    page.goto(f"/cases/{found.public_id}/")
    page.get_by_role("link", name="开始流调").click()
    page.get_by_role("button", name="开始流调").click()
    page.get_by_role("heading", name="逐日行踪").wait_for()
    page.locator("a[href*='/investigations/'][href$='/contacts/']").first.click()
    press_twice(page, ".prop-look button")

    row = page.locator("tr[data-row]", has_text="周*明")
    row.wait_for()
    assert page.evaluate("sessionStorage.said") == "正在查询到访记录"
    assert len(asked) == 1, "sent once, however often the button is pressed"
    assert "张湾市场" in row.inner_text()

    page.get_by_role("link", name="身份不明").click()
    page.locator("thead [data-select-all]").check()
    press_twice(page, ".bulk-ask button")
    page.get_by_text("查到 1 人在入口自报的姓名").first.wait_for()
    assert page.evaluate("sessionStorage.said") == "正在查询入口登记"
    page.locator("tr[data-row]", has_text="吴*").get_by_text("姓名为入口自报").wait_for()
    row.locator("[data-select]").check()
    page.locator("#bulk-criterion").select_option("other")
    page.locator("#bulk-reason").fill("同桌交谈")
    page.get_by_role("button", name="判定为密接").click()
    page.get_by_text("已判定密接 1 人").first.wait_for()

    page.goto(page.url.split("?")[0] + "?part=confirmed")
    page.get_by_role("link", name="流调人员判定").click()
    why = page.locator("section", has=page.get_by_role("heading", name="为何是密切接触者"))
    why.wait_for()
    for text in ("流调人员判定", "同桌交谈", "张湾市场", "officer"):
        assert text in why.inner_text(), text

    page.context.clear_cookies()
    log_in(page, "community")
    page.goto("/duties/")
    duty = page.locator(".duty", has_text="周*明")
    duty.first.wait_for()
    assert duty.count() == 1
