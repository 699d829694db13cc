"""What a phone shows first, what folds there, and what comes out on paper."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.journeys.test_web import log_in, town

__all__ = ["town"]


def is_at(page: Any, selector: str) -> float:
    return float(page.locator(selector).first.bounding_box()["y"])


def test_a_phone_shows_first_what_is_mine_and_late_and_folds_the_rest(phone: Any, town: Any) -> None:
    log_in(phone, "officer")
    phone.goto("/board/")
    phone.wait_for_load_state("networkidle")
    assert (
        is_at(phone, ".mine") < is_at(phone, ".longest") < is_at(phone, ".missing") < is_at(phone, ".rings")
    )
    rings = phone.locator("details.rings").first
    assert not rings.locator(".stage-table").is_visible()
    rings.locator("summary").click()
    assert rings.locator(".stage-table").is_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_desk_shows_every_card_of_the_board_open(page: Any, town: Any) -> None:
    log_in(page, "officer")
    page.goto("/board/")
    page.wait_for_load_state("networkidle")
    expect(page.locator(".stage-table").first).to_be_visible()
    expect(page.locator(".tiles").first).to_be_visible()
    expect(page.locator(".mine")).to_be_hidden()


def test_rules_fold_by_chapter_on_a_phone_and_open_by_keyboard(phone: Any, town: Any) -> None:
    log_in(phone, "officer")
    phone.goto("/policy/?on=2020-02-17")
    first = phone.locator("details.folds").first
    assert not first.locator("table").first.is_visible()
    assert phone.evaluate("document.documentElement.scrollHeight") < 4000
    first.locator("summary").focus()
    phone.keyboard.press("Enter")
    expect(first.locator("table").first).to_be_visible()
    phone.wait_for_load_state("networkidle")


def test_paper_is_black_on_white_without_navigation_whatever_the_screen_wears(page: Any, town: Any) -> None:
    log_in(page, "officer")
    page.context.add_cookies([{"name": "theme", "value": "dark", "url": page.url}])
    for address in ("/board/", "/duties/all/", "/people/?q=zhou"):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.emulate_media(media="print")
        style = "getComputedStyle(document.body)"
        assert page.evaluate(f"{style}.backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate(f"{style}.color") == "rgb(0, 0, 0)"
        for hidden in (".side", ".tabs-bottom", ".menu", ".filters"):
            if page.locator(hidden).count():
                assert not page.locator(hidden).first.is_visible(), f"{hidden} is printed on {address}"
        page.emulate_media(media="screen")


def test_what_is_folded_stands_open_on_paper_and_folds_again(phone: Any, town: Any) -> None:
    log_in(phone, "officer")
    phone.goto("/policy/?on=2020-02-17")
    phone.wait_for_load_state("networkidle")
    open_ones = "document.querySelectorAll('main details.folds[open]').length"
    before = phone.evaluate(open_ones)
    phone.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert phone.evaluate(open_ones) == phone.locator("main details.folds").count()
    phone.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert phone.evaluate(open_ones) == before
