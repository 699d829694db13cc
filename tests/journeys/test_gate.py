"""A gate on a phone: recorded in seconds without a network, sent once when there is one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from bihuan.registry import scope
from bihuan.registry.models import Account
from bihuan.tracing.actions.places import PlaceInput, change_place, close_place, register_place
from bihuan.tracing.models import GateCheck
from tests.cast import GRID
from tests.journeys.test_web import NOW, PASSWORD, log_in, town

__all__ = ["town"]
ID_NUMBER = "420303198103040022"


@pytest.fixture
def phone(browser: Any, live: str) -> Iterator[Any]:
    """A phone at 390 px whose network goes and comes; the console may say so, and nothing else."""
    context = browser.new_context(
        base_url=live, locale="zh-CN", timezone_id="Asia/Shanghai", has_touch=True, is_mobile=True,
        viewport={"width": 390, "height": 844},
    )  # fmt: skip
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert [text for text in wrong if "net::ERR_" not in text and "favicon" not in text] == []


@pytest.fixture
def gate(town: Any, settings: Any, tmp_path: Path) -> str:
    settings.BIHUAN_HOME = tmp_path
    with town.community.acting():
        return register_place(PlaceInput("南门", GRID, capacity=50), actor=town.community.actor)[1]


def pass_by(phone: Any, who: str, degrees: str = "36.5") -> None:
    phone.fill("#who", who)
    phone.fill("#temperature", degrees)
    phone.check("input[name=mask][value=yes]", force=True)
    phone.click(".gate-record")


def counted() -> int:
    with scope.system():
        return int(GateCheck.unscoped.count())


def settle(phone: Any, n: int) -> None:
    """Wait until the server counted `n` and the device has nothing left to send."""
    for _try in range(100):
        if counted() >= n and phone.get_attribute("#gate-queue", "data-n") == "0":
            break
        phone.wait_for_timeout(100)
    phone.wait_for_load_state("networkidle")
    assert counted() == n
    expect(phone.locator("#gate-queue")).to_have_attribute("data-n", "0")


def test_a_gate_records_without_a_network_and_sends_each_once(phone: Any, gate: str) -> None:
    log_in(phone, "grid")
    phone.goto(f"/gate/{gate}/")
    phone.wait_for_selector("html[data-kept=yes]", state="attached")
    pass_by(phone, ID_NUMBER)
    settle(phone, 1)

    phone.context.set_offline(True)
    phone.reload()  # the page itself opens without a network
    phone.wait_for_selector("html[data-ready=yes]", state="attached")
    for who in ("13871234567", "13871234568", ""):
        pass_by(phone, who, "37.9" if not who else "36.4")
        expect(phone.locator("#gate-said")).to_contain_text("已登记")
    expect(phone.locator("#gate-fever")).to_be_visible()
    phone.click("#gate-medical")
    expect(phone.locator("#gate-queue")).to_have_attribute("data-n", "4")
    held = phone.evaluate(
        """async () => {
            const db = await new Promise((yes) => {
                const asked = indexedDB.open("bihuan-gate", 1);
                asked.onsuccess = () => yes(asked.result);
            });
            const all = await new Promise((yes) => {
                const asked = db.transaction("outbox").objectStore("outbox").getAll();
                asked.onsuccess = () => yes(asked.result);
            });
            return all.map((k) => new TextDecoder().decode(k.sealed) + JSON.stringify(k)).join();
        }"""
    )
    assert "1387123456" not in held
    assert counted() == 1

    phone.context.set_offline(False)
    settle(phone, 5)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_answer_that_was_lost_is_asked_for_again_and_counts_once(phone: Any, gate: str) -> None:
    log_in(phone, "grid")
    phone.goto(f"/gate/{gate}/")
    phone.wait_for_selector("html[data-kept=yes]", state="attached")
    lost: list[str] = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append("once")
        route.fetch()  # the server has it; the gate does not hear of it
        route.abort()

    phone.context.route("**/records/", lose)
    pass_by(phone, ID_NUMBER)
    phone.wait_for_timeout(800)
    phone.evaluate("window.dispatchEvent(new Event('online'))")
    settle(phone, 1)
    assert lost == ["once"]


def test_a_wrong_digit_is_seen_before_it_is_recorded(phone: Any, gate: str) -> None:
    log_in(phone, "grid")
    phone.goto(f"/gate/{gate}/")
    phone.wait_for_selector("html[data-ready=yes]", state="attached")
    pass_by(phone, "420303198103040023")
    expect(phone.locator("#gate-said")).to_contain_text("证件号有误")
    assert counted() == 0


def test_pressed_twice_while_a_network_hangs_records_once_and_keeps_what_is_typed_next(
    phone: Any, gate: str
) -> None:
    log_in(phone, "grid")
    hung: list[Any] = []
    phone.context.route("**/records/", lambda route: hung.append(route) if not hung else route.continue_())
    phone.goto(f"/gate/{gate}/")
    phone.wait_for_selector("html[data-ready=yes]", state="attached")
    pass_by(phone, ID_NUMBER)
    phone.click(".gate-record", force=True)
    phone.fill("#who", "13871234567")
    phone.keyboard.press("Enter")
    expect(phone.locator("#gate-said")).to_contain_text("已登记")
    expect(phone.locator("#who")).to_have_value("13871234567")
    phone.click(".gate-record")
    expect(phone.locator("#who")).to_have_value("")
    hung[0].continue_()
    settle(phone, 2)


def others(phone: Any, n: int) -> None:
    expect(phone.locator("#gate-others")).to_have_attribute("data-n", str(n))


def kept(phone: Any, gate: str) -> None:
    phone.goto(f"/gate/{gate}/")
    phone.wait_for_selector("html[data-kept=yes]", state="attached")


def taken() -> list[tuple[str, str]]:
    """Who took each record, and who sent it when that was another, the oldest first."""
    with scope.system():
        names = dict(Account.objects.values_list("pk", "username"))
        rows = GateCheck.unscoped.order_by("at").values_list("account_id", "hand_over__sent_account_id")
        return [(names.get(taker, ""), names.get(sender, "")) for taker, sender in rows]


def test_two_people_on_one_phone_each_send_what_they_took(phone: Any, gate: str) -> None:
    log_in(phone, "grid")
    kept(phone, gate)
    expect(phone.locator("#gate-whose")).to_contain_text("grid")
    phone.context.set_offline(True)
    for who in ("13871234567", "13871234568"):
        pass_by(phone, who)
    expect(phone.locator("#gate-queue")).to_have_attribute("data-n", "2")

    # somebody takes over before there is a network, then logs in: nothing goes out by itself
    phone.click("#gate-leave")
    expect(phone.locator("#gate-whose")).to_contain_text("未登录时登记")
    pass_by(phone, "13871234569")
    expect(phone.locator("#gate-queue")).to_have_attribute("data-n", "1")
    others(phone, 2)
    phone.reload()
    phone.wait_for_selector("html[data-ready=yes]", state="attached")
    others(phone, 2)
    phone.context.set_offline(False)
    phone.get_by_role("button", name="登录").click()
    phone.wait_for_url("**/accounts/login/**")
    assert counted() == 0
    phone.get_by_label("用户名").fill("community")
    phone.get_by_label("密码", exact=True).fill(PASSWORD)
    phone.get_by_role("button", name="登录").click()
    phone.wait_for_url(f"**/gate/{gate}/")
    phone.wait_for_selector("html[data-kept=yes]", state="attached")
    others(phone, 3)
    assert "1387123456" not in phone.content()
    pass_by(phone, ID_NUMBER)
    settle(phone, 1)
    assert taken() == [("community", "")]

    # she says which are hers; those of the first wait for her
    phone.get_by_role("button", name="这是我登记的").click()
    settle(phone, 2)
    others(phone, 2)
    expect(phone.locator("#gate-others")).to_contain_text("grid")
    phone.get_by_role("button", name="换人登记").click()
    phone.wait_for_url("**/accounts/login/**")
    log_in(phone, "grid")
    kept(phone, gate)
    settle(phone, 4)
    expect(phone.locator("#gate-others")).to_be_hidden()
    assert sorted(taken()) == [("", "community"), ("community", ""), ("grid", ""), ("grid", "")]
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_page_left_open_sends_nothing_in_the_name_of_who_logged_in_since(phone: Any, gate: str) -> None:
    log_in(phone, "grid")
    kept(phone, gate)
    phone.context.set_offline(True)
    pass_by(phone, ID_NUMBER)
    phone.context.route("**/records/", lambda route: route.abort())
    phone.context.set_offline(False)
    phone.context.clear_cookies()
    other = phone.context.new_page()
    log_in(other, "community")
    other.close()
    phone.context.unroute("**/records/")
    phone.evaluate("window.dispatchEvent(new Event('online'))")
    others(phone, 1)
    assert counted() == 0
    pass_by(phone, "13871234567")
    settle(phone, 1)
    phone.get_by_role("button", name="代发").click()
    settle(phone, 2)
    expect(phone.locator("#gate-others")).to_be_hidden()
    assert sorted(taken()) == [("community", ""), ("grid", "community")]
    phone.goto(f"/places/{gate}/")
    expect(phone.locator("main")).to_contain_text("代发的登记")


def test_a_phone_whose_place_was_closed_meanwhile_sends_what_was_before_and_shows_what_was_not_taken(
    phone: Any, gate: str, town: Any
) -> None:
    def at(minutes: int) -> None:
        phone.clock.set_fixed_time(NOW + timedelta(minutes=minutes))

    log_in(phone, "grid")
    kept(phone, gate)
    phone.context.set_offline(True)
    for minutes, who in ((-11, "13871234567"), (-2, "13871234568"), (-1, "13871234569")):
        at(minutes)
        pass_by(phone, who)
        expect(phone.locator("#gate-said")).to_contain_text("已登记")
    expect(phone.locator("#gate-queue")).to_have_attribute("data-n", "3")
    with town.community.acting():
        close_place(gate, actor=town.community.actor, now=NOW - timedelta(minutes=5))

    at(0)
    phone.context.set_offline(False)
    settle(phone, 1)
    refused = phone.locator("#gate-refused")
    expect(refused).to_have_attribute("data-n", "2")
    expect(refused).to_contain_text("该场所已于 2020-02-17 20:35 关闭")
    expect(refused).to_contain_text("20:38")
    expect(phone.locator("#gate-closed")).to_be_visible()
    expect(phone.locator("#gate")).to_be_hidden()
    phone.reload()
    expect(refused).to_have_attribute("data-n", "2")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390

    with town.community.acting():  # closed by mistake
        change_place(gate, {"active": True}, actor=town.community.actor)
    refused.get_by_role("button", name="重新发送").click()
    settle(phone, 3)
    expect(refused).to_be_hidden()
    expect(phone.locator("#gate")).to_be_visible()


def test_what_is_not_taken_is_said_at_once_and_stays_until_it_was_seen(phone: Any, gate: str) -> None:
    log_in(phone, "grid")
    kept(phone, gate)
    pass_by(phone, "?")
    expect(phone.locator("#gate-said")).to_contain_text("未收录")
    phone.reload()
    refused = phone.locator("#gate-refused")
    expect(refused).to_have_attribute("data-n", "1")
    expect(refused.get_by_role("button", name="重新发送")).to_have_count(0)
    refused.locator("div").first.evaluate("node => { node.dataset.mine = 'yes'; }")
    pass_by(phone, ID_NUMBER)
    settle(phone, 1)
    expect(refused.locator("[data-mine]")).to_have_count(1)  # what did not change is not said again
    refused.get_by_role("button", name="已知晓").click()
    expect(refused).to_be_hidden()
    phone.reload()
    phone.wait_for_selector("html[data-ready=yes]", state="attached")
    expect(refused).to_be_hidden()
    phone.wait_for_load_state("networkidle")
