"""The administrator gives the installation its name and a new key, on a phone with a keyboard."""

from __future__ import annotations

from typing import Any

import pytest

from bihuan.tracing.peers import keys
from tests.cast import PASSWORD, Cast, make_cast
from tests.journeys.test_web import log_in


@pytest.fixture
def cast(live: str, settings: Any, tmp_path: Any) -> Cast:
    settings.BIHUAN_HOME = tmp_path
    made = make_cast()
    made.administrator.account.set_password(PASSWORD)
    made.administrator.account.save()
    return made


def test_named_and_given_a_new_key_by_keyboard_on_a_phone(page: Any, cast: Cast) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    log_in(page, "administrator")
    page.goto("/peers/")
    page.focus("a[href='/peers/this/']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/peers/this/")
    page.focus("input[name=name]")
    for text in ("十堰疾控", "https://bihuan.shiyan.example", "十堰市"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/peers/")
    first = keys.own()
    assert (first.name, first.serves) == ("十堰疾控", ("4203",))
    page.wait_for_selector(f"text={keys.fingerprint(first.newest.public)}")

    page.focus("a[href='/peers/this/key/']")
    page.keyboard.press("Enter")
    page.focus("input[name=sure]")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/peers/")
    assert keys.own().newest.id != first.newest.id
    page.wait_for_selector(f"text={keys.fingerprint(keys.own().newest.public)}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
