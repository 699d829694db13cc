"""Contacts of contacts: identified where the edition says so, and contacts of a case once the one between is
a case."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from bihuan.care import actions as care
from bihuan.registry import clock, scope
from bihuan.tracing.actions.investigate import open_investigation
from bihuan.tracing.actions.proposals import find_contacts
from bihuan.tracing.actions.proposals_decide import Confirmed, confirm_proposals
from bihuan.tracing.actions.pseudonyms import catch_up
from bihuan.tracing.models import CaseLink, Contact, ContactProposal, Exposure
from bihuan.tracing.queries.criteria import contact_policy
from tests.cast import COUNTY, Cast
from tests.rooms.care_room import do, li, local, make_case
from tests.rooms.investigation_room import CASE, ZHOU, checked, market, registered, visited

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_home")]
WU = checked("42030319720101003")
EPOCH = datetime(1970, 1, 1)


def played(cast: Cast, month: str) -> Any:
    """On the 20th the case met 周小明, who on the 21st met 武强; an open investigation on the 22nd."""
    do(cast.officer, f"{month}-09 09:00", lambda actor: market(cast.officer))
    told = [
        (CASE, "market", f"{month}-20 09:00", 60),
        (ZHOU, "market", f"{month}-20 09:10", 40),
        (ZHOU, "bath", f"{month}-21 20:00", 60),
        (WU, "bath", f"{month}-21 20:10", 40),
    ]
    visited(told)
    registered("周小明", ZHOU)
    registered("武强", WU)
    case = make_case(
        cast.officer, f"{month}-22 10:00", person=li(id_number=CASE), classification="confirmed",
        date_onset=date(2020, int(month), 20), date_confirmation=local(f"{month}-22 09:00"),
    )  # fmt: skip
    catch_up(everybody=True)
    return do(cast.officer, f"{month}-22 17:00", open_investigation, case.public_id, purpose="密接")


def look(cast: Cast, scene: Any, month: str) -> dict[str, ContactProposal]:
    do(cast.officer, f"{month}-22 18:00", find_contacts, scene.public_id, purpose="密接")
    with scope.system():
        made = ContactProposal.objects.select_related("person", "contact")
        return {p.person.name: p for p in made if p.person}


def confirmed(cast: Cast, proposal: ContactProposal) -> Confirmed:
    """The officer makes a contact of it: somebody at the same table, or who met one of those."""
    criterion, reason = ("other", "同桌") if proposal.order == 1 else ("secondary", "密接的密接")
    ids = [proposal.public_id]
    return do(cast.officer, "09-22 18:20", confirm_proposals, ids, criterion=criterion, reason=reason)


def test_the_seventh_edition_turns_contacts_of_contacts_on(cast):
    with clock.frozen(local("09-20 09:00")):
        assert not contact_policy(COUNTY, local("09-14 12:00")).secondary
        assert contact_policy(COUNTY, local("09-15 12:00")).secondary


def test_before_it_nobody_behind_a_contact_is_looked_for(cast):
    scene = played(cast, "02")
    assert set(look(cast, scene, "02")) == {"周小明"}


def test_behind_a_contact_is_the_second_order_and_confirmed_as_such(cast):
    scene = played(cast, "09")
    found = look(cast, scene, "09")
    assert {name: p.order for name, p in found.items()} == {"周小明": 1, "武强": 2}
    assert confirmed(cast, found["武强"]).made == 1


def test_once_the_contact_is_a_case_her_contacts_are_contacts_of_a_case(cast):
    scene = played(cast, "09")
    found = look(cast, scene, "09")
    wu = confirmed(cast, found["武强"]).contacts[0]
    zhou = confirmed(cast, found["周小明"]).contacts[0]
    case = do(cast.officer, "09-24 09:00", care.convert_contact_to_case, zhou)
    with scope.system():
        added = Exposure.objects.get(case=case)
        assert added.contact.public_id == wu
        assert Contact.objects.get(public_id=wu).status != "became_case"
        assert ContactProposal.objects.get(pk=found["武强"].pk).order == 1
        assert CaseLink.objects.get(to_case=case).from_case_id == scene.case_id


def test_one_only_proposed_is_shown_as_of_the_first_order_and_restricted_by_nothing(cast):
    scene = played(cast, "09")
    found = look(cast, scene, "09")
    zhou = confirmed(cast, found["周小明"]).contacts[0]
    do(cast.officer, "09-24 09:00", care.convert_contact_to_case, zhou)
    with scope.system():
        wu = ContactProposal.objects.get(pk=found["武强"].pk)
        assert (wu.order, wu.state, wu.contact) == (1, "proposed", None)
        assert Contact.objects.count() == 1
