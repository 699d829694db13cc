"""What was reported of a person is set right on a page or through the API; the version before stays."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.urls import reverse

from bihuan.registry import audit, clock, scope
from bihuan.registry.actions.people import as_input, register_person
from bihuan.registry.models import Person
from bihuan.registry.people import PersonInput
from tests.cast import Cast, Member
from tests.doors.api_room import api_of
from tests.doors.web_room import browser
from tests.rooms.care_room import local, make_case, make_contact, zhou
from tests.rules.test_identity import number

NOW = local("02-14 12:00")
REASON = "本人来电说明"
pytestmark = pytest.mark.in_office_since(local("02-01 08:00"))


@pytest.fixture
def hers(cast: Cast) -> Person:
    """周小明, a contact of 李芳."""
    case = make_case(cast.officer, "02-12 10:00")
    contact = make_contact(
        cast.officer, "02-13 10:00", person=zhou(phone="13871234567", id_number=number()),
        case=case.public_id, criterion="dining: 与李芳同桌",
        exposure_last=local("02-10 12:00").date(), setting="李芳家宴",
    )  # fmt: skip
    return stored(contact.person_id)


def stored(pk: int) -> Person:
    with scope.system():
        return Person.objects.get(pk=pk)


def told(person: Person) -> PersonInput:
    return as_input(stored(person.pk))


def way(person: Person) -> str:
    return reverse("web:person_correct", args=[person.public_id])


def opened(who: Member, person: Person) -> dict[str, str]:
    """The fields of the page as a browser would send them again."""
    with clock.frozen(NOW):
        page = browser(who).get(way(person)).content.decode()
    form = page[page.index('<form class="form"') :]
    tags = re.findall(r"<input[^>]*>", form.partition("</form>")[0])
    attributes = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in tags]
    sent = {a["name"]: a.get("value", "") for a in attributes if "name" in a and a.get("type") != "checkbox"}
    sent["sex"] = sent["initial-sex"]
    return sent


def sent(who: Member, person: Person, form: dict[str, str], **typed: str) -> Any:
    with clock.frozen(NOW):
        return browser(who).post(way(person), {**form, "reason": REASON, **typed}, follow=True)


def test_a_misheard_name_is_set_right_and_the_version_before_stays_with_the_reason(
    cast: Cast, hers: Person
) -> None:
    answer = sent(cast.officer, hers, opened(cast.officer, hers), name="周晓明", address="汉江路21号")
    assert "已更正" in answer.content.decode()
    assert (told(hers).name, told(hers).address) == ("周晓明", "汉江路21号")
    with scope.system():
        versions = list(Person.pgh_event_model.objects.filter(pgh_obj_id=hers.pk).order_by("pgh_id"))
    assert [v.name for v in versions] == ["周小明", "周晓明"]
    assert versions[1].pgh_context["reason"] == REASON


def test_her_document_number_is_not_on_the_page_and_stays_when_nothing_is_typed(
    cast: Cast, hers: Person
) -> None:
    form = opened(cast.officer, hers)
    assert number() not in str(form)
    sent(cast.officer, hers, form, phone="139 0000 1111")
    after = told(hers)
    assert (after.id_number, after.phone, after.name) == (number(), "+8613900001111", "周小明")
    assert after.date_birth == date(1980, 1, 1)


def test_a_number_with_a_slip_is_said_at_its_field_and_what_was_typed_stays(cast: Cast, hers: Person) -> None:
    answer = sent(
        cast.officer, hers, opened(cast.officer, hers), id_number=number()[:-1] + "0", name="周晓明"
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="id_id_number_error"' in page
    assert 'value="周晓明"' in page
    assert told(hers).name == "周小明"


def test_the_right_number_brings_its_date_of_birth_and_one_that_is_not_hers_is_removed(
    cast: Cast, hers: Person
) -> None:
    sent(cast.officer, hers, opened(cast.officer, hers), id_number=number(born="19910203"))
    assert (told(hers).id_number, told(hers).date_birth) == (number(born="19910203"), date(1991, 2, 3))
    sent(cast.officer, hers, opened(cast.officer, hers), no_number="on")
    assert (told(hers).id_number, told(hers).date_birth) == ("", None)


def test_of_two_who_correct_at_once_each_changes_only_what_she_typed(cast: Cast, hers: Person) -> None:
    first, second = opened(cast.officer, hers), opened(cast.colleague, hers)
    sent(cast.officer, hers, first, name="周晓明")
    sent(cast.colleague, hers, second, phone="13900001111")
    assert (told(hers).name, told(hers).phone) == ("周晓明", "+8613900001111")


def test_a_correction_needs_a_reason(cast: Cast, hers: Person) -> None:
    answer = sent(cast.officer, hers, opened(cast.officer, hers), name="周晓明", reason=" ")
    assert answer.status_code == 422
    assert told(hers).name == "周小明"


def test_whoever_corrects_is_among_those_who_looked(cast: Cast, hers: Person) -> None:
    before = len(audit.who_looked(hers.pk))
    opened(cast.officer, hers)
    with scope.system():
        looks = audit.who_looked(hers.pk)
    assert len(looks) == before + 1
    assert set(looks[0].fields) == {"identity", "location"}


def test_a_post_that_reports_nobody_finds_no_way_to_correct(cast: Cast, hers: Person) -> None:
    page = browser(cast.officer).get(reverse("web:person", args=[hers.public_id])).content.decode()
    assert way(hers) in page
    for who in (cast.inspector, cast.administrator, cast.laboratory, cast.neighbor, cast.other_city):
        client = browser(who)
        assert way(hers) not in client.get(reverse("web:person", args=[hers.public_id])).content.decode()
        assert client.get(way(hers)).status_code in (403, 404), who
        assert client.post(way(hers), {"name": "x", "sex": "U", "reason": "x"}).status_code in (403, 404)
    assert told(hers).name == "周小明"


def test_with_a_telephone_entered_a_code_for_her_own_page_can_be_given(cast: Cast) -> None:
    with cast.officer.acting():
        person = register_person(zhou(), cast.officer.actor)
    make_contact(
        cast.officer, "02-13 10:00", person=person.public_id, criterion="dining: 同桌",
        exposure_last=local("02-10 12:00").date(), setting="家宴",
    )  # fmt: skip
    with clock.frozen(NOW):
        client = browser(cast.officer)
        give = reverse("web:own_code", args=[person.public_id])
        assert 'class="code"' not in client.post(give).content.decode()
    sent(cast.officer, person, opened(cast.officer, person), phone="13900001111")
    with clock.frozen(NOW):
        assert 'class="code"' in client.post(give).content.decode()


def test_the_api_corrects_what_is_named_and_tells_each_fault(cast: Cast, hers: Person) -> None:
    api, path = api_of(cast.officer), f"/persons/{hers.public_id}"
    with clock.frozen(NOW):
        done = api.patch(path, {"phone": None, "occupation": "教师", "reason": REASON})
        assert done.status_code == 200, done.content
        wrong = api.patch(path, {"id_number": "42030019800101", "reason": REASON})
        unreasoned = api.patch(path, {"name": "x"})
        stranger = api_of(cast.neighbor).patch(path, {"name": "x", "reason": REASON})
        no_writer = api_of(cast.inspector).patch(path, {"name": "x", "reason": REASON})
        odd = api.patch(path, {"name": "x", "reason": "a\x00b"})
    after = told(hers)
    assert (after.phone, after.occupation, after.name, after.id_number) == ("", "教师", "周小明", number())
    assert [fault["field"] for fault in wrong.json()["errors"]] == ["id_number"]
    assert (wrong.status_code, unreasoned.status_code, stranger.status_code) == (422, 422, 404)
    assert no_writer.status_code in (403, 404)
    assert odd.status_code == 422
