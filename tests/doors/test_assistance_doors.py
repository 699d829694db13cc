"""Assistance requests by the web and the API: who sees what, what is sent, and the page that shows it
first."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bihuan.doors.cli.main import app
from bihuan.registry import clock, scope
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import ContactInput, confirm_contact
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.models import AssistanceDelivery, AssistanceRequest, Contact
from tests.cast import GRID, NEXT_COUNTY, OTHER_CITY, Cast
from tests.doors.api_room import Api, token_for
from tests.doors.web_room import browser
from tests.rooms import test_handover as handover
from tests.rooms.care_room import local
from tests.rooms.exchange_room import SYSTEM, Line, pair
from tests.rooms.test_exchange import ask, carry, there
from tests.rooms.test_exchange_restored import forget, here

NOON = local("02-14 12:00")
NAME, PHONE = "欧阳晓岚", "13871234567"


@pytest.fixture(autouse=True)
def _noon():
    with clock.frozen(NOON):
        yield


@pytest.fixture
def contact(cast: Cast) -> Contact:
    with cast.officer.acting():
        return confirm_contact(
            ContactInput(
                person=PersonInput(territory_code=GRID, name=NAME, phone=PHONE, sex="F"),
                territory_code=GRID,
                exposure_last=date(2020, 2, 12),
            ),
            actor=cast.officer.actor,
        )


def form_of(contact: Contact, **more: object) -> dict[str, object]:
    wanted = {"contact": contact.public_id, "to_territory": "茅箭区", "need": "inform", "reason": "请告知"}
    return {**wanted, **more}


def test_what_would_be_shared_is_shown_before_anything_is_sent(cast: Cast, contact: Contact) -> None:
    page = browser(cast.officer).post("/assistance/new/", form_of(contact, step="preview"))
    text = page.content.decode()
    assert NAME in text
    assert "+86" + PHONE in text
    assert 'value="id_number"' not in text, "a need offers no field that it does not justify"
    assert not AssistanceRequest.unscoped.exists()


def test_only_the_ticked_fields_are_sent(cast: Cast, contact: Contact) -> None:
    sent = form_of(contact, step="send", of="inform", fields=["name"])
    page = browser(cast.officer).post("/assistance/new/", sent)
    row = AssistanceRequest.unscoped.get(side="asking")
    assert page["Location"] == f"/assistance/{row.public_id}/"
    assert row.shared == ["name"]


def test_a_territory_that_is_none_is_told_at_its_field(cast: Cast, contact: Contact) -> None:
    page = browser(cast.officer).post(
        "/assistance/new/", form_of(contact, to_territory="无此地", step="preview")
    )
    assert page.status_code == 422
    assert "请告知" in page.content.decode(), "what was typed is kept"


def asked(cast: Cast, contact: Contact) -> tuple[str, str]:
    """The numbers of the request: on the asking side, on the asked side."""
    api = Api(token_for(cast.officer))
    body = {"person": contact.person.public_id, "to_territory": NEXT_COUNTY, "need": "locate", "reason": "x"}
    made = api.post("/assistance", {**body, "contact": contact.public_id})
    assert made.status_code == 201, made.content
    with scope.system():
        return made.json()["id"], AssistanceRequest.objects.get(side="asked").public_id


def test_a_dry_run_tells_what_would_be_shared_and_sends_nothing(cast: Cast, contact: Contact) -> None:
    body = {"person": contact.person.public_id, "to_territory": NEXT_COUNTY, "need": "locate", "reason": "x"}
    found = Api(token_for(cast.officer)).post("/assistance", {**body, "dry_run": True}).json()
    assert found["shared"] == ["name", "sex", "phone"]
    assert found["missing"] == ["age_years", "address"]
    assert not AssistanceRequest.unscoped.exists()


def test_the_whole_way_by_the_api(cast: Cast, contact: Contact) -> None:
    here, there = asked(cast, contact)
    asking, asked_side = Api(token_for(cast.officer)), Api(token_for(cast.neighbor))
    assert [one["id"] for one in asked_side.get("/assistance").json()["items"]] == [there]
    assert asked_side.get(f"/assistance/{there}").json()["fields"]["name"] == NAME
    taken = asked_side.post(f"/assistance/{there}/accept", {"territory_code": "420302001", "confirm": True})
    assert taken.json()["contact"].startswith("K-")
    asked_side.post(f"/assistance/{there}/answer", {"outcome": "found", "note": "在家"})
    whole = asking.get(f"/assistance/{here}").json()
    assert (whole["request"]["status"], whole["request"]["outcome"]) == ("answered", "found")
    assert [m["said"] for m in whole["messages"]] == ["request", "accept", "answer"]
    assert asking.post(f"/assistance/{here}/end").json()["status"] == "deleted"
    assert asked_side.get(f"/assistance/{there}").json()["fields"] == {}


@pytest.mark.parametrize("who", ["other_city", "neighbor"])
def test_a_side_is_found_by_nobody_beside_it(cast: Cast, contact: Contact, who: str) -> None:
    here, _there = asked(cast, contact)
    member = getattr(cast, who)
    assert Api(token_for(member)).get(f"/assistance/{here}").status_code == 404
    assert browser(member).get(f"/assistance/{here}/").status_code == 404
    assert browser(member).post(f"/assistance/{here}/end/").status_code == 404


@pytest.mark.parametrize("who", ["community", "doctor", "administrator"])
def test_posts_without_the_right_see_no_requests(cast: Cast, contact: Contact, who: str) -> None:
    here, _there = asked(cast, contact)
    assert browser(getattr(cast, who)).get(f"/assistance/{here}/").status_code == 403


def test_the_inspector_sees_the_clock_and_no_name(cast: Cast, contact: Contact) -> None:
    here, _there = asked(cast, contact)
    page = browser(cast.inspector).get(f"/assistance/{here}/")
    if page.status_code == 200:
        assert NAME not in page.content.decode()
        assert PHONE not in page.content.decode()


def test_the_pages_of_both_sides_show_the_proof_and_the_clock(cast: Cast, contact: Contact) -> None:
    here, there = asked(cast, contact)
    assert here in browser(cast.officer).get("/assistance/?side=out").content.decode()
    page = browser(cast.neighbor).get(f"/assistance/{there}/").content.decode()
    assert NAME in page
    assert f"/assistance/{there}/accept/" in page
    done = browser(cast.neighbor).post(f"/assistance/{there}/accept/", {"territory_code": "420302001"})
    assert done["Location"] == f"/assistance/{there}/"
    assert (
        f"/assistance/{there}/answer/" in browser(cast.neighbor).get(f"/assistance/{there}/").content.decode()
    )


def test_the_persons_page_leads_to_asking_and_to_what_was_asked(cast: Cast, contact: Contact) -> None:
    here, _there = asked(cast, contact)
    page = browser(cast.officer).get(f"/people/{contact.person.public_id}/").content.decode()
    assert f"/assistance/{here}/" in page
    assert f"/assistance/new/?contact={contact.public_id}" in page


def test_looking_at_the_form_of_sending_a_draft_sends_nothing(cast: Cast, contact: Contact) -> None:
    given = verbs.AssistanceInput(
        to_territory=NEXT_COUNTY, need="locate", reason="x", person_id=contact.person_id
    )
    with cast.officer.acting():
        row = verbs.ask(given, actor=cast.officer.actor, send=False)
    form = f"/assistance/{row.public_id}/request/"
    assert form in browser(cast.officer).get(f"/assistance/{row.public_id}/").content.decode()
    assert browser(cast.officer).get(form).status_code == 200
    assert AssistanceRequest.unscoped.get().status == "draft"
    browser(cast.officer).post(form)
    assert AssistanceRequest.unscoped.get(side="asking").status == "received"


def test_a_form_tells_what_is_missing_once(cast: Cast, contact: Contact) -> None:
    browser(cast.officer).post(
        "/assistance/new/", form_of(contact, step="send", of="inform", fields=["name"])
    )
    arrived = AssistanceRequest.unscoped.get(side="asked")
    page = browser(cast.neighbor).post(f"/assistance/{arrived.public_id}/return/", {})
    assert page.status_code == 422
    assert page.content.decode().count('class="error"') == 1
    assert "本方删除函中所告知的信息" in page.content.decode(), "and what it means"


def test_what_the_other_side_has_lost_is_said_and_closed_on_the_page(cast: Cast, tmp_path: Path) -> None:
    asking, asked = pair(tmp_path, asking="4203", asked=OTHER_CITY)
    row = ask(asking)
    carry(asking, Line(asking, asked))
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
        verbs.answer(there(row).public_id, outcome="found", note="在家", actor=SYSTEM)
    lost = AssistanceDelivery.unscoped.filter(request=there(row))
    page, close = f"/assistance/{there(row).public_id}/", f"/assistance/{there(row).public_id}/settle/"
    city = browser(cast.other_city)
    assert "已丢失该协查函" not in city.get(page).content.decode()
    assert city.post(close).status_code == 422
    lost.update(error="unknown-thread", attempts=1)
    assert "已丢失该协查函" in city.get(page).content.decode()
    assert close not in city.get(page).content.decode(), "the copy has not been tried"
    lost.update(attempts=2)
    assert close in city.get(page).content.decode()
    text = city.post(close, follow=True).content.decode()
    assert "未能告知" in text
    assert "未送达，不再发送" in text
    assert (there(row).status, there(row).told) == ("deleted", None)


def answered_and_lost(folder: Path) -> AssistanceRequest:
    """A request between two installations that is answered and that the asking side does not take up again:
    the asked side's row."""
    asking, asked = pair(folder, asking="4203", asked=OTHER_CITY)
    row = ask(asking)
    carry(asking, Line(asking, asked))
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
        verbs.answer(there(row).public_id, outcome="found", actor=SYSTEM)
    AssistanceDelivery.unscoped.filter(request=there(row)).update(error="not-asked")
    return there(row)


def taken_up(folder: Path) -> tuple[AssistanceRequest, Contact]:
    """A request that the asking side had lost and took up again: its row, and the contact it is about."""
    asking, asked = pair(folder, asking="4203", asked=OTHER_CITY)
    line, contact = Line(asking, asked), handover.named()
    row = handover.ask(asking, contact)
    carry(asking, line)
    handover.take(asked, row)
    forget(row)
    for minutes in range(3):
        carry(asked, line, NOON + timedelta(minutes=minutes))
    return here(row), contact


def command(*words: str) -> dict[str, object]:
    with scope.system():
        done = CliRunner().invoke(app, ["assistance", *words, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads(done.output)
    return found


def test_what_the_other_side_has_lost_is_closed_by_the_api(cast: Cast, tmp_path: Path) -> None:
    row = answered_and_lost(tmp_path)
    city, close = Api(token_for(cast.other_city)), f"/assistance/{row.public_id}/settle"
    assert "settle" in city.get(f"/assistance/{row.public_id}").json()["offers"]
    assert Api(token_for(cast.neighbor)).post(close).status_code == 404
    assert city.post(close).json()["status"] == "deleted"
    row.refresh_from_db()
    assert (row.status, row.told) == ("deleted", None)


def test_what_the_other_side_has_lost_is_closed_by_the_command(cast: Cast, tmp_path: Path) -> None:
    row = answered_and_lost(tmp_path)
    assert command("settle", row.public_id)["status"] == "deleted"
    assert command("show", row.public_id)["offers"] == []


def test_what_is_not_lost_is_closed_by_nobody(cast: Cast, contact: Contact) -> None:
    _here, there = asked(cast, contact)
    refused = Api(token_for(cast.neighbor)).post(f"/assistance/{there}/settle")
    assert (refused.status_code, refused.json()["type"]) == (409, "assistance-closed")


def test_a_request_taken_up_again_is_linked_by_the_api(cast: Cast, tmp_path: Path) -> None:
    row, contact = taken_up(tmp_path)
    api, link = Api(token_for(cast.neighbor)), f"/assistance/{row.public_id}/link"
    assert "link" in api.get(f"/assistance/{row.public_id}").json()["offers"]
    assert api.post(link, {"contact": "K-0000000000"}).status_code == 404
    assert Api(token_for(cast.other_city)).post(link, {"contact": contact.public_id}).status_code == 404
    assert api.post(link, {"contact": contact.public_id}).json()["contact"] == contact.public_id
    assert handover.state(contact) == "handed_over"


def test_a_request_taken_up_again_is_linked_by_the_command(cast: Cast, tmp_path: Path) -> None:
    row, contact = taken_up(tmp_path)
    assert contact.public_id in command("show", row.public_id)["likely_contacts"]
    command("link", row.public_id, "--contact", contact.public_id)
    assert handover.state(contact) == "handed_over"
    assert "likely_contacts" not in command("show", row.public_id)
