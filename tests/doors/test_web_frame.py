"""The menu says where one is, also on pages below its own."""

from __future__ import annotations

import re

import pytest

from tests.cast import Cast
from tests.doors.web_room import browser


@pytest.mark.parametrize(
    ("path", "item", "how"),
    [
        ("/assistance/", "/assistance/", "page"),
        ("/investigations/common/", "/investigations/", "true"),
        ("/duties/", "/duties/", "page"),
        ("/duties/all/", "/duties/all/", "page"),
        ("/places/load/", "/places/", "true"),
        ("/policy/diff/", "/policy/", "true"),
    ],
)
def test_the_menu_says_where_one_is(cast: Cast, path: str, item: str, how: str) -> None:
    page = browser(cast.officer).get(path).content.decode()
    menu = re.search(r'<nav class="nav".*?</nav>', page, re.DOTALL)[0]
    assert re.findall(r'href="([^"]+)" aria-current="(\w+)"', menu) == [(item, how)]


def test_pages_of_the_administrator_lie_below_the_other_installations(cast: Cast) -> None:
    page = browser(cast.administrator).get("/peers/this/").content.decode()
    assert re.findall(r'href="([^"]+)" aria-current="(\w+)"', page) == [("/peers/", "true")]


def test_a_search_that_finds_no_gate_says_so_and_leads_back(cast: Cast) -> None:
    page = browser(cast.grid).get("/gate/", {"q": "没有这个"}).content.decode()
    assert "没有符合的卡口" in page
    assert "登记" not in re.search(r'<section class="card">.*?</section>', page, re.DOTALL)[0]
