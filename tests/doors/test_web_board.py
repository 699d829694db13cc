"""The board: what is mine first on a phone, figures that lead to the duties they count, names that break."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import translation

from bihuan.care.verbs import VERBS
from bihuan.doors.web import forms, words
from bihuan.registry import clock
from tests import cast as people
from tests.doors.web_room import logged_in

NOW = datetime(2020, 2, 17, 12, 40, tzinfo=UTC)


@pytest.fixture
def town(db):
    """A case of a day ago, whose investigation is late, and a contact of three hours ago, not yet found."""
    from bihuan.cases.actions import CaseInput, report_case
    from bihuan.registry import scope
    from bihuan.registry.people import PersonInput
    from bihuan.tracing.actions import ContactInput, confirm_contact

    with clock.frozen(NOW):
        cast = people.make_cast()
        actor = cast.officer.actor
        with scope.system():
            ill = PersonInput(territory_code=people.COMMUNITY, name="张小伟")
            near = PersonInput(territory_code=people.COMMUNITY, name="周小明")
            case = report_case(
                CaseInput(person=ill, territory_code=people.COMMUNITY),
                actor=actor,
                now=NOW - timedelta(hours=30),
            )
            confirm_contact(
                ContactInput(person=near, case=case.public_id, territory_code=people.COMMUNITY),
                actor=actor,
                now=NOW - timedelta(hours=3),
            )
        yield cast


def board(member, **asked) -> str:
    return logged_in(member).get(reverse("web:board"), asked).content.decode()


def tiles(page: str) -> list[dict[str, str]]:
    """The tiles with a figure: where the name, the figure and what stands behind it lead."""
    found = []
    for tile in re.findall(r'<div class="tile (.*?)</div>', page, re.S):
        links = dict(re.findall(r'<a class="(name|v|m)" href="([^"]*)"', tile))
        links["figure"] = re.sub(r"\D", "", re.search(r'class="v"[^>]*>([^<]*)<', tile)[1])
        found.append({key: unescape(value) for key, value in links.items()})
    return found


@pytest.mark.parametrize("figure", ["late", "open", "late:data.feedback", "open:data.act"])
def test_the_figure_of_a_tile_leads_to_exactly_the_duties_it_counts(town, figure):
    client = logged_in(town.officer)
    page = client.get(reverse("web:board"), {"map": figure}).content.decode()
    if f'value="{figure}"' not in page:
        pytest.skip("the rings have no such stage")
    counted = [tile for tile in tiles(page) if tile["figure"] not in ("", "0")]
    if figure in ("late", "open"):
        assert counted
    for tile in counted:
        assert tile["name"].startswith(reverse("web:board"))
        listed = client.get(tile["v"]).content.decode()
        rows = len(re.findall(r"<tr data-row", listed))
        assert rows == int(tile["figure"])


def test_a_tile_without_late_duties_links_to_no_empty_list(town):
    figures = set(re.findall(r'<option value="(late:[a-z_.]+)"', board(town.officer)))
    every = [tile for figure in figures for tile in tiles(board(town.officer, map=figure))]
    none = [tile for tile in every if tile["figure"] == "0"]
    assert none
    assert all("v" not in tile for tile in none)


def test_who_owes_something_finds_her_own_duties_first_on_the_board(town):
    page = board(town.officer)
    mine = re.search(r'<section class="card phone mine".*?</section>', page, re.S)
    assert mine
    assert f"{reverse('web:my_duties')}?show=late" in mine[0]


def test_looking_back_shows_no_duties_as_mine(town):
    assert 'class="card phone mine"' not in board(town.officer, as_of="2020-02-17T12:00")


def test_what_folds_on_a_phone_is_said_in_one_line(town):
    page = board(town.officer)
    folded = re.findall(r'<details class="card folds[^>]*data-open-wide><summary>(.*?)</summary>', page, re.S)
    said = [re.sub(r"<svg.*?</svg>|<[^>]+>", " ", one) for one in folded]
    assert any("收治闭环" in one for one in said)
    assert any("数据闭环" in one and "超时" in one for one in said)
    assert any("按地区" in one for one in said)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Huanglong", ["Huang", "long"]),
        ("Chechenglu", ["Che", "cheng", "lu"]),
        ("Shiyangongye", ["Shi", "yan", "gong", "ye"]),
        ("Maojian", ["Maojian"]),
        ("Manchester", ["Manchester"]),
        ("张湾", ["张湾"]),
    ],
)
def test_long_pinyin_names_break_between_syllables_and_other_names_stay_whole(name, parts):
    assert words.soft(name).split(words.SOFT_HYPHEN) == parts


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_placeholder_of_a_reading_is_its_unit_and_its_name_is_read_out(language):
    with translation.override(language):
        form = forms.quick_form(VERBS["contact.temperature"], now=NOW, card=1)
        attributes = form.fields["value"].widget.attrs
    assert attributes["placeholder"] == "°C"
    assert attributes["aria-label"] in ("Temperature °C", "体温 °C")


def test_the_tabs_of_gap_lists_keep_territory_and_moment(town):
    asked = {"territory": people.COMMUNITY, "as_of": "2020-02-17T12:00"}
    page = logged_in(town.officer).get(reverse("web:gap", args=["isolate"]), asked).content.decode()
    tabs = re.findall(r'href="(/gaps/[a-z_-]+/[^"]*)"', page)
    assert tabs
    assert all("territory=" in tab and "as_of=" in tab for tab in tabs)


@pytest.mark.parametrize("moment", ["9999-12-31", "0001-01-01", "0001-01-01T00:00", "nonsense", "2020-02-30"])
def test_a_moment_nobody_can_mean_is_now(town, moment):
    assert 'class="card phone mine"' in board(town.officer, as_of=moment)


@pytest.mark.parametrize(
    ("page", "asked"),
    [("duties", {"due_to": "9999-12-31"}), ("people", {"q": "\0"}), ("cases", {"q": "张\0"})],
)
def test_lists_stand_whatever_is_typed(town, page, asked):
    assert logged_in(town.officer).get(reverse(f"web:{page}"), asked).status_code == 200
