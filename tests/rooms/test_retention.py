"""The end of knowing: what is over is destroyed by itself, what stands is kept, what was done is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bihuan.care import actions as care
from bihuan.care.actions import OrderInput
from bihuan.care.models import Appeal, Order
from bihuan.cases import actions as cases
from bihuan.cases.models import Case, CaseRevision
from bihuan.doors.cli.main import run
from bihuan.loops.actions import NewEvent, close_loop, record, retention, shred_due
from bihuan.loops.actions.retention import find_due
from bihuan.loops.queries import check
from bihuan.loops.tasks import shred_what_is_over
from bihuan.policy.values import value
from bihuan.registry import chain, clock, scope, shredder
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict
from bihuan.registry.models import Person, ShredRecord
from bihuan.tracing import actions as tracing
from bihuan.tracing.models import Contact
from tests.cast import CITY, GRID, OTHER_CITY, Cast

from .care_room import do, local, loop_of, make_case, make_contact, sweep

SYSTEM = Actor.system("test", door="test")
DAYS = 90
RELEASED = "03-01 21:30"
NIGHT_BEFORE, NIGHT_AFTER = (
    local(RELEASED) + timedelta(days=DAYS, hours=-20),
    local(RELEASED) + timedelta(days=DAYS, hours=4),
)


@pytest.fixture
def released(cast: Cast) -> tuple[Contact, Order]:
    """A contact under observation at home until she was released on 1 March."""
    contact = make_contact(
        cast.officer, "02-18 10:00", exposure_last=date(2020, 2, 16), local_id="表3-17", setting="三桌同餐"
    )
    do(cast.community, "02-18 11:00", tracing.record_located, contact.public_id)
    given = OrderInput(contact=contact.public_id, kind="home", place="汉江路12号3单元")
    order = do(cast.command, "02-18 12:30", care.record_placed, given)
    sweep("03-01 21:00")
    do(cast.community, RELEASED, care.release_contact, contact.public_id)
    return contact, order


def shredded(person: Any) -> bool:
    with scope.system():
        return Person.unscoped.get(id=person.id).shredded_at is not None


def test_the_pack_says_how_long_it_is_kept():
    assert value("retention.identity_days", GRID, date(2020, 2, 20)).value == DAYS


@pytest.fixture
def vouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The days of the pack stand on a source somebody has checked."""

    def sourced(*args: Any) -> Any:
        return replace(value(*args), confidence="verified")

    monkeypatch.setattr(retention, "value", sourced)


def test_under_an_unverified_default_nothing_goes_by_itself(released: Any):
    contact, _order = released
    with clock.frozen(NIGHT_AFTER):
        shred_what_is_over(timestamp=0)
        told = shred_due(actor=SYSTEM, vouched=True)
    assert (told.due, told.unvouched, told.shredded) == (1, 1, 0)
    assert not shredded(contact.person)


@pytest.mark.usefixtures("vouched")
def test_data_go_the_night_after_their_days_are_over_and_the_facts_stay(released: Any, cast: Cast):
    contact, order = released
    assert shred_due(NIGHT_BEFORE, actor=SYSTEM).due == 0
    with clock.frozen(NIGHT_AFTER):
        shred_what_is_over(timestamp=0)
    person = Person.unscoped.get(id=contact.person_id)
    assert (person.name, person.address, person.sex) == ("", "", "M")
    now = Contact.unscoped.get(id=contact.id)
    assert (now.local_id, now.setting, now.exposure_last) == ("", "", date(2020, 2, 16))
    assert Order.unscoped.get(id=order.id).place == ""
    assert set(shredder.remains(person.id).values()) == {0}
    assert set(shredder.remains(person.id)) >= {"identity", "cases", "contacts", "care"}
    [entry] = ShredRecord.unscoped.all()
    assert entry.reason.startswith("retention.identity_days=90 (generic-respiratory)")
    assert entry.actor_name == "retention"
    with scope.system():
        assert check().violations == []
        assert chain.verify(deep=True).breaches == []


def test_the_chain_sealed_before_proves_after(released: Any):
    with scope.system():
        chain.seal()
        shred_due(NIGHT_AFTER, actor=SYSTEM)
        assert chain.verify(deep=True).breaches == []


def test_a_second_run_finds_nothing(released: Any):
    assert shred_due(NIGHT_AFTER, actor=SYSTEM).shredded == 1
    assert (shred_due(NIGHT_AFTER, actor=SYSTEM).due, ShredRecord.unscoped.count()) == (0, 1)


def test_somebody_with_another_open_loop_is_kept(released: Any, cast: Cast):
    contact, _order = released
    person = Person.unscoped.get(id=contact.person_id)
    with cast.officer.acting(), clock.frozen(local("05-29 10:00")):
        again = cases.CaseInput(territory_code=GRID, person=person.id, classification="suspected")
        cases.report_case(again, actor=cast.officer.actor)
    assert find_due(NIGHT_AFTER) == []
    with pytest.raises(Conflict) as refused:
        shredder.shred_person(person.id, reason="by hand", actor=SYSTEM)
    assert refused.value.code == "held"
    assert not shredded(person)


def test_an_unanswered_appeal_is_a_hold(released: Any, cast: Cast):
    contact, order = released
    Appeal.unscoped.create(
        order_id=order.id, person_id=contact.person_id, territory_code=GRID, text="为何", filed_by="本人",
        filed_at=local("03-01 20:00"), due_at=local("03-02 20:00"), recorded_at=local("03-01 20:00"),
    )  # fmt: skip
    result = shred_due(NIGHT_AFTER, actor=SYSTEM)
    assert (result.due, result.shredded) == (1, 0)
    assert list(result.held) == [Person.unscoped.get(id=contact.person_id).public_id]
    Appeal.unscoped.update(decided_at=local("03-02 10:00"), decision="rejected")
    assert shred_due(NIGHT_AFTER, actor=SYSTEM).shredded == 1
    assert Appeal.unscoped.get().text == ""


def test_what_came_in_late_is_kept_its_days_from_then(cast: Cast):
    """A list of years ago, imported today: nobody loses it the same night."""
    contact = make_contact(
        cast.officer, "05-20 10:00", exposure_last=date(2020, 1, 3), confirmed=local("01-05 10:00")
    )
    over = NewEvent("contact", contact.public_id, "contact.given_up", local("01-20 10:00"), GRID)
    record([over], actor=SYSTEM, now=local("05-20 10:01"))
    loop = loop_of(contact.public_id)
    assert (loop.state, loop.closed_at) == (1, local("01-20 10:00"))
    assert find_due(local("08-18 09:00")) == []
    assert len(find_due(local("08-18 10:00"))) == 1


def test_revisions_and_free_text_of_a_case_go_with_it(cast: Cast):
    told = {"local_id": "病例7", "source_text": "住某小区，曾去超市", "classification": "confirmed"}
    case = make_case(cast.officer, "02-10 10:00", **told)
    revised = {"local_id": "病例8"}
    do(cast.officer, "02-10 11:00", cases.revise_case, case.public_id, revised, reason="typing error")
    with scope.system(), clock.frozen(local("02-20 10:00")):
        close_loop(loop_of(case.public_id).public_id, "closed", "left the country", SYSTEM)
    assert CaseRevision.unscoped.exclude(old="").exists()
    with scope.system():
        chain.seal()
    assert shred_due(local("06-30 02:29"), actor=SYSTEM).shredded == 1
    now = Case.unscoped.get(id=case.id)
    assert (now.local_id, now.source_text, now.classification) == ("", "", "confirmed")
    assert not CaseRevision.unscoped.exclude(old="", new="").exists()
    assert set(shredder.remains(case.person_id).values()) == {0}
    with scope.system():
        assert chain.verify(deep=True).breaches == []


def test_a_person_sees_all_kinds_of_what_is_held(released: Any):
    contact, _order = released
    with scope.system():
        held = shredder.what_is_held(contact.person_id).held
    facts = {str(one.kind): one.facts for one in held}
    assert len(facts) == len(held) >= 4  # each room tells of its own kind
    told = json.dumps([f for listed in facts.values() for f in listed], default=str, ensure_ascii=False)
    assert "三桌同餐" in told
    assert "汉江路12号3单元" in told


def test_the_command_tells_first_and_keeps_to_a_territory(released: Any, capsys: pytest.CaptureFixture[str]):
    contact, _order = released
    with clock.frozen(NIGHT_AFTER):
        assert run(["registry", "shred", "--dry-run", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["due"], told["shredded"], told["dry_run"]) == (1, 0, True)
        assert "周" not in json.dumps(told, ensure_ascii=False)
        assert run(["registry", "shred", "--territory", OTHER_CITY, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["due"] == 0
        assert not shredded(contact.person)
        assert run(["registry", "shred", "--territory", CITY]) == 0
    assert shredded(contact.person)
    assert ShredRecord.unscoped.get().actor_name == "bihuan registry shred"
