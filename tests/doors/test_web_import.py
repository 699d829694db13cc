"""The import wizard: what holds for every row, and what the list's own names of places mean."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from bihuan.doors.exchange import jobs
from bihuan.registry import scope

LIST = (
    "病例编号,姓名,发病日期,确诊日期,县区\n"
    "SY-1,李静,2020-02-10,2020-02-13,老城\n"
    "SY-2,王伟,2020-02-11,2020-02-14,张湾区\n"
)


@pytest.fixture
def officer(cast) -> Client:
    client = Client()
    client.force_login(cast.officer.account, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def wizard(officer, settings, tmp_path):
    """The address of the second step for a list with a place nobody knows."""
    settings.BIHUAN_HOME = tmp_path
    file = SimpleUploadedFile("名单.csv", LIST.encode())
    answer = officer.post(reverse("web:importing"), {"file": file, "kind": "linelist"})
    assert answer.status_code == 302
    return answer["Location"]


def typed(page: str) -> dict[str, list[str]]:
    """What the form would send as it stands."""
    found: dict[str, list[str]] = {}
    for name, body in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        found.setdefault(name, []).append(chosen[1] if chosen else "")
    for name, value in re.findall(r'<input[^>]* name="([^"]+)"[^>]*? value="([^"]*)"', page):
        if name not in ("csrfmiddlewaretoken", "next"):
            found.setdefault(name, []).append(value)
    found.pop("language", None)
    return found


def mapping_of(address: str):
    with scope.system():
        return jobs.mapping_of(jobs.get(address.split("/")[2]))


def test_a_place_that_nobody_knows_is_asked_for_by_name(officer, wizard):
    page = officer.get(wizard).content.decode()
    assert 'name="place-name" value="老城"' in page
    assert "1 个不认识" in page


def test_a_place_is_explained_by_its_name_and_kept_as_its_code(officer, wizard):
    given = typed(officer.get(wizard).content.decode())
    given |= {"place-name": ["老城"], "place-code": ["张湾区"], "stay": ["1"]}
    answer = officer.post(wizard, given)
    assert answer.status_code == 302, re.findall(r"form-errors[^>]*>([^<]*)", answer.content.decode())
    assert dict(mapping_of(wizard).territory.names) == {"老城": "420303"}
    page = officer.get(wizard).content.decode()
    assert 'name="place-code" value="420303"' in page
    assert "不认识" not in page


def test_a_value_for_every_row_is_given_by_code_or_by_word_and_reaches_the_preview(officer, wizard):
    given = typed(officer.get(wizard).content.decode())
    given |= {
        "constant-key": ["case.origin", "case.disease", ""],
        "constant-value": ["本地", "covid-19", ""],
        "stay": ["1"],
    }
    answer = officer.post(wizard, given)
    if answer.status_code == 422:
        said = re.findall(r'class="error">([^<]*)<', answer.content.decode())
        pytest.fail(str(said))
    constants = mapping_of(wizard).constants
    assert constants["case.origin"] == "local"
    assert constants["case.disease"] == "covid-19"
    with scope.system():
        rows = jobs.preview(jobs.get(wizard.split("/")[2])).rows
    assert {row.values["case.origin"] for row in rows} == {"local"}


def test_what_was_typed_comes_back_with_its_error_and_nothing_is_kept(officer, wizard):
    given = typed(officer.get(wizard).content.decode())
    given |= {
        "constant-key": ["case.origin"],
        "constant-value": ["火星"],
        "place-name": ["老城"],
        "place-code": ["没有这个地方"],
    }
    answer = officer.post(wizard, given)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="火星"' in page
    assert 'value="没有这个地方"' in page
    assert len(re.findall(r'<p class="error">', page)) == 2
    with scope.system():
        assert not jobs.get(wizard.split("/")[2]).mapping


def test_a_row_left_empty_takes_its_value_away(officer, wizard):
    given = typed(officer.get(wizard).content.decode())
    given |= {"constant-key": ["case.disease"], "constant-value": ["covid-19"], "stay": ["1"]}
    officer.post(wizard, given)
    assert "case.disease" in mapping_of(wizard).constants
    again = typed(officer.get(wizard).content.decode()) | {
        "constant-key": [""],
        "constant-value": ["covid-19"],
    }
    officer.post(wizard, again)
    assert "case.disease" not in mapping_of(wizard).constants
    assert mapping_of(wizard).constants["case.classification"]


def test_the_preview_leads_back_to_names_of_places_that_nobody_knows(officer, wizard):
    given = typed(officer.get(wizard).content.decode())
    given |= {"place-name": [""], "place-code": [""]}
    answer = officer.post(wizard, given)
    page = officer.get(answer["Location"]).content.decode()
    assert f"{wizard}#places" in page
