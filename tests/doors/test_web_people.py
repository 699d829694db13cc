"""Whose data a page shows to whom, and what a file of them holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from django.test import Client
from django.urls import reverse
from python_calamine import CalamineWorkbook

from bihuan.doors.web import exporting
from bihuan.registry import clock
from tests import cast as people
from tests.doors.web_room import logged_in

NOW = datetime(2020, 2, 17, 12, 40, tzinfo=UTC)


@pytest.fixture
def town(db):
    """A case and a contact named two hours ago in the cast's community; the clock stands."""
    from bihuan.cases.actions import CaseInput, report_case
    from bihuan.registry import scope
    from bihuan.registry.people import PersonInput
    from bihuan.tracing.actions import ContactInput, confirm_contact

    with clock.frozen(NOW):
        cast = people.make_cast()
        with scope.system():
            ill = PersonInput(territory_code=people.COMMUNITY, name="张小伟", sex="M", age_years=50)
            near = PersonInput(
                territory_code=people.COMMUNITY,
                name="周小明",
                sex="M",
                age_years=34,
                address="8号楼2单元302室",
            )
            actor = cast.officer.actor
            case = report_case(
                CaseInput(person=ill, territory_code=people.COMMUNITY, local_id="=SY-1"),
                actor=actor,
                now=NOW - timedelta(hours=3),
            )
            contact = confirm_contact(
                ContactInput(person=near, case=case.public_id, territory_code=people.COMMUNITY),
                actor=actor,
                now=NOW - timedelta(hours=2),
            )
        yield cast, case, contact


def text(client: Client, name: str, *args, **params) -> str:
    answer = client.get(reverse(f"web:{name}", args=args), params)
    assert answer.status_code == 200, answer.content.decode()[:2000]
    return answer.content.decode()


def test_lists_and_board_name_everybody_masked(town):
    cast, _case, _contact = town
    client = logged_in(cast.officer)
    for page in (text(client, "contacts"), text(client, "board"), text(client, "duties", status="late")):
        assert "周小明" not in page
    assert "周*明" in text(client, "contacts")


@pytest.mark.in_office_since(datetime(2020, 2, 1, tzinfo=UTC))
def test_whoever_may_know_it_can_call_her_from_her_page_and_nobody_else_reads_the_number(cast):
    from bihuan.registry.people import PersonInput
    from tests.rooms.care_room import make_contact

    told = PersonInput(
        territory_code=people.GRID, name="李芳", phone="13871234567", id_number="420303198103040022"
    )
    person = make_contact(cast.officer, "02-13 10:00", person=told).person.public_id
    with clock.frozen(NOW):
        page = text(logged_in(cast.officer), "person", person)
        assert 'href="tel:+8613871234567"' in page
        assert "4203************22" in page
        assert "420303198103040022" not in page
        answer = logged_in(cast.inspector).get(reverse("web:person", args=[person]))
    assert b"1387123" not in answer.content


def test_the_persons_own_page_names_her_to_who_may_know_and_notes_it(town):
    cast, _case, contact = town
    page = logged_in(cast.officer).get(reverse("web:contact", args=[contact.public_id]), follow=True)
    assert "周小明" in page.content.decode()
    again = logged_in(cast.colleague).get(reverse("web:contact", args=[contact.public_id]), follow=True)
    assert "officer" in again.content.decode()


def test_the_province_sees_the_person_but_not_her_name(town):
    cast, _case, contact = town
    page = logged_in(cast.province).get(reverse("web:contact", args=[contact.public_id]), follow=True)
    assert page.status_code == 200
    assert "周小明" not in page.content.decode()
    assert "周*明" in page.content.decode()


def test_the_next_county_and_another_city_find_nothing(town):
    cast, case, contact = town
    for stranger in (cast.neighbor, cast.other_city):
        client = logged_in(stranger)
        assert client.get(reverse("web:contact", args=[contact.public_id])).status_code == 404
        assert client.get(reverse("web:case", args=[case.public_id])).status_code == 404
        assert "周" not in text(client, "contacts")


def test_a_doctor_gets_no_list_of_the_county(town):
    cast, _case, _contact = town
    assert logged_in(cast.doctor).get(reverse("web:cases")).status_code == 403


def test_a_territory_outside_the_scope_in_the_address_is_not_followed(town):
    cast, _case, _contact = town
    page = text(logged_in(cast.neighbor), "board", territory=people.COUNTY)
    assert "茅箭" in page
    assert ">张湾区<" not in page


def test_a_csv_has_no_formula_and_leaves_an_entry(town):
    cast, _case, _contact = town
    client = logged_in(cast.officer)
    answer = client.get(reverse("web:cases"), {"export": "csv"})
    body = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert body.splitlines()[0].startswith("病例")
    assert not any(cell.startswith(("=", "+", "@")) for line in body.splitlines() for cell in line.split(","))
    assert "张小伟" not in body


def test_a_spreadsheet_opens_and_holds_strings_where_formulas_could_be(town):
    cast, _case, _contact = town
    answer = logged_in(cast.officer).get(reverse("web:contacts"), {"export": "xlsx"})
    book = CalamineWorkbook.from_filelike(BytesIO(b"".join(answer.streaming_content)))
    rows = book.get_sheet_by_index(0).to_python()
    assert len(rows) == 2


@pytest.mark.parametrize("cell", ["=1+1", "+86", "-2", "@x", "\tx", "＝1+1", " =1", "|calc"])
def test_what_a_spreadsheet_would_run_is_kept_as_text(cell):
    assert exporting.plain(cell) == f"'{cell}"


def test_a_number_stays_a_number_in_a_file():
    assert exporting.plain(-2) == "-2"


def test_a_saved_view_keeps_the_filters_and_belongs_to_one_account(town):
    cast, _case, _contact = town
    client = logged_in(cast.officer)
    client.post(
        reverse("web:save_view"), {"list": "cases", "name": "留意", "query": "late=1&after=x&export=csv"}
    )
    assert "?late=1" in text(client, "cases")
    assert "留意" in text(client, "cases")
    assert "留意" not in text(logged_in(cast.colleague), "cases")


def test_a_duty_is_done_with_one_tap_and_taken_back(town):
    cast, _case, _contact = town
    client = logged_in(cast.community)
    from bihuan.loops import queries
    from bihuan.loops.queries import DutyFilter

    with cast.community.acting():
        [duty] = queries.find_duties(DutyFilter(kinds=["locate"])).rows
    answer = client.post(reverse("web:duty", args=[duty.id]), headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert reverse("web:duty_undo", args=[duty.id]) in answer.content.decode()
    with cast.community.acting():
        assert queries.get_duty(duty.id).state == "done"
    client.post(reverse("web:duty_undo", args=[duty.id]))
    with cast.community.acting():
        assert queries.get_duty(duty.id).state == "open"


def test_a_reading_that_cannot_be_is_refused_at_its_field_and_kept(town):
    cast, _case, contact = town
    client = logged_in(cast.community)
    address = reverse("web:act", args=["contact", contact.public_id, "contact.temperature"])
    answer = client.post(address, {"value": "63"}, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert 'value="63"' in page
    assert 'class="error"' in page


def test_bulk_refuses_what_must_be_decided_for_each_person(town):
    cast, _case, _contact = town
    client = logged_in(cast.community)
    from bihuan.loops import queries
    from bihuan.loops.queries import DutyFilter

    with cast.community.acting():
        ids = [row.id for row in queries.find_duties(DutyFilter()).rows if row.verb == "contact.locate"]
    client.post(reverse("web:duties_bulk"), {"duty": ids, "do": "complete", "note": "入户"})
    with cast.community.acting():
        assert all(queries.get_duty(one).state == "done" for one in ids)
        [place] = [row for row in queries.find_duties(DutyFilter()).rows if row.verb == "contact.place"]
    answer = client.post(reverse("web:duties_bulk"), {"duty": [place.id], "do": "complete"}, follow=True)
    assert "逐人" in answer.content.decode()
