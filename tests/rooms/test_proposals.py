"""Proposals of contacts: made from a look, decided by a person, one contact for several cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bihuan.care import actions as care
from bihuan.care.models import Order
from bihuan.loops.models import Loop
from bihuan.registry import clock, scope
from bihuan.registry.errors import Conflict, Invalid, NotAllowed, NotFound
from bihuan.registry.models import Person
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions.investigate import close_investigation
from bihuan.tracing.actions.proposals import (
    find_contacts,
    name_person,
    propose_manifest,
    resolve,
)
from bihuan.tracing.actions.proposals_decide import (
    confirm_proposals,
    dismiss_proposals,
    reconsider_proposals,
    send_proposals,
)
from bihuan.tracing.models import CaseLink, Contact, ContactProposal, Exposure
from bihuan.tracing.queries.named import named_for
from bihuan.tracing.queries.proposals import ProposalFilter, list_proposals
from bihuan.tracing.rules.seats import Passenger, Seat, Vehicle, VehicleKind
from tests.cast import COMMUNITY, GRID, NEXT_COUNTY, Cast
from tests.rooms.care_room import assert_holds, do, duties, li, local, owed
from tests.rooms.investigation_room import (
    CASE,
    NEXT,
    UNKNOWN,
    ZHOU,
    a_case,
    checked,
    market,
    opened,
    registered,
    visited,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_home")]
SECOND = checked("42030319850505004")
WHEN = "02-12 18:00"


VISITS = [
    (CASE, "market", "02-10 09:00", 60),
    (ZHOU, "market", "02-10 09:10", 40),
    (ZHOU, "bath", "02-11 20:00", 30),
    (CASE, "bath", "02-11 20:00", 60),
    (NEXT, "market", "02-10 09:30", 20),
    (UNKNOWN, "market", "02-10 09:50", 30),
]


@pytest.fixture
def scene(cast: Cast):
    """An open investigation whose case met 周小明 twice, somebody of the next county, and a stranger."""
    do(cast.officer, "02-09 09:00", lambda actor: market(cast.officer))
    visited(VISITS)
    registered("周小明", ZHOU)
    registered("孙晓梅", NEXT, territory_code=f"{NEXT_COUNTY}001")
    case = a_case(cast.officer)
    return opened(cast.officer, case)


def found(cast: Cast, scene, when: str = WHEN):
    return do(cast.officer, when, find_contacts, scene.public_id, purpose="找出密接")


def rows() -> dict[str, ContactProposal]:
    with scope.system():
        made = ContactProposal.objects.select_related("person", "contact").order_by("-score", "id")
        return {(p.person.name if p.person else p.county or "?"): p for p in made}


def confirm(cast: Cast, *ids: str, when: str = WHEN, criterion: str = "other", reason: str = "同桌交谈"):
    return do(cast.officer, when, confirm_proposals, list(ids), criterion=criterion, reason=reason)


def test_everybody_who_was_there_is_proposed_once_and_restricted_by_nothing(cast, scene):
    made = found(cast, scene)
    assert (made.made, made.updated, made.total) == (3, 0, 3)
    assert set(rows()) == {"周小明", NEXT_COUNTY, "?"}
    zhou = rows()["周小明"]
    assert (zhou.minutes, zhou.times, zhou.state) == (70, 2, "proposed")
    assert [e["place_name"] for e in zhou.encounters] == ["张湾市场", "bath"]
    assert all(e["case"] == scene.case.public_id for e in zhou.encounters)
    with scope.system():
        assert not Contact.objects.exists()
        assert not Loop.objects.filter(definition="contact").exists()


def test_looking_again_changes_nothing_and_shows_what_came_since_on_decided_ones(cast, scene):
    found(cast, scene)
    confirm(cast, rows()["周小明"].public_id)
    assert found(cast, scene, "02-12 19:00").same == 3
    with scope.system():  # as if a gate had sent a record late
        ContactProposal.objects.filter(person__name="周小明").update(
            encounters=rows()["周小明"].encounters[:1]
        )
    again = found(cast, scene, "02-12 20:00")
    zhou = rows()["周小明"]
    assert (again.made, again.again) == (0, 1)
    assert zhou.state == "confirmed"
    assert [e["place_name"] for e in zhou.later] == ["bath"]


def test_a_confirmation_makes_a_contact_whose_street_owes_the_duties(cast, scene):
    found(cast, scene)
    proposal = rows()["周小明"]
    done = confirm(cast, proposal.public_id)
    assert (done.made, done.joined, done.known) == (1, 0, 0)
    with scope.system():
        contact = Contact.objects.get(public_id=done.contacts[0])
        proposal.refresh_from_db()
    assert contact.case == scene.case
    assert contact.territory_code == GRID
    assert (contact.exposure_first, contact.exposure_last) == (date(2020, 2, 10), date(2020, 2, 11))
    assert contact.criterion == "other: 同桌交谈"
    assert contact.setting == "张湾市场；bath"
    assert (proposal.state, proposal.reason, proposal.contact) == ("confirmed", "同桌交谈", contact)
    assert proposal.decided_by_name == cast.officer.actor.name
    assert owed(contact.public_id) == {"locate"}
    assert duties(contact.public_id)["locate#1"].owner_post_id == cast.community.post.id
    assert_holds()


def test_a_long_reason_stays_whole_with_the_decision_and_the_record_says_that_it_goes_on(cast, scene):
    found(cast, scene)
    why = "同桌交谈" * 60
    done = confirm(cast, rows()["周小明"].public_id, reason=why)
    with scope.system():
        kept = Contact.objects.get(public_id=done.contacts[0]).criterion
    assert len(kept) == 120 and kept.endswith("…")  # noqa: PT018
    assert rows()["周小明"].reason == why


def test_a_clause_nobody_has_read_for_this_edition_says_so_with_the_decision(cast, scene):
    found(cast, scene)
    confirm(cast, rows()["周小明"].public_id)
    assert rows()["周小明"].clause.endswith("（未核实）")


def test_confirming_twice_is_confirming_once(cast, scene):
    found(cast, scene)
    first = confirm(cast, rows()["周小明"].public_id)
    again = confirm(cast, rows()["周小明"].public_id, when="02-12 18:05")
    assert again.contacts == first.contacts
    assert (again.made, again.known) == (0, 1)
    with scope.system():
        assert Contact.objects.count() == 1


def test_a_confirmation_that_is_killed_leaves_nothing_and_can_be_made_again(cast, scene):
    found(cast, scene)
    proposal = rows()["周小明"].public_id

    def killed() -> None:
        with transaction.atomic():
            confirm(cast, proposal)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    with scope.system():
        assert not Contact.objects.exists()
    assert confirm(cast, proposal).made == 1
    assert_holds()


@pytest.mark.parametrize(
    ("name", "words", "error"),
    [("?", "register", Invalid), (NEXT_COUNTY, "elsewhere", Invalid)],
)
def test_nobody_is_confirmed_who_is_not_known_or_lives_elsewhere(cast, scene, name, words, error):
    found(cast, scene)
    with pytest.raises(error):
        confirm(cast, rows()[name].public_id, rows()["周小明"].public_id)
    with scope.system():
        assert not Contact.objects.exists()


def test_a_reason_and_a_criterion_of_the_edition_are_needed(cast, scene):
    found(cast, scene)
    proposal = rows()["周小明"].public_id
    with pytest.raises(Invalid):
        confirm(cast, proposal, reason=" ")
    for word in ("face_to_face", "secondary", "nonsense"):
        with pytest.raises(Invalid):
            confirm(cast, proposal, criterion=word)


def test_a_closed_investigation_neither_looks_nor_confirms(cast, scene):
    found(cast, scene)
    do(cast.officer, WHEN, close_investigation, scene.public_id, summary="s", no_track_reason="拒绝配合")
    for act in (
        lambda: found(cast, scene, "02-12 20:00"),
        lambda: confirm(cast, rows()["周小明"].public_id, when="02-12 20:00"),
    ):
        with pytest.raises(Conflict):
            act()


def test_a_stranger_sees_nothing_and_the_street_may_not_decide(cast, scene):
    found(cast, scene)
    proposal = rows()["周小明"].public_id
    for who in (cast.neighbor, cast.other_city):
        with pytest.raises(NotFound):
            do(who, WHEN, confirm_proposals, [proposal], criterion="other", reason="x")
    for who in (cast.command, cast.province):
        with pytest.raises((NotAllowed, NotFound)):
            do(who, WHEN, confirm_proposals, [proposal], criterion="other", reason="x")
    with cast.other_city.acting():
        assert not ContactProposal.objects.exists()


def test_somebody_named_again_after_she_was_dismissed_is_to_be_decided_about_again(cast, scene):
    person = PersonInput(territory_code=GRID, name="冯小梅")
    said = {"last": local("02-11 10:00"), "place": "茶馆"}
    first = do(cast.officer, WHEN, name_person, scene.public_id, person, **said)
    assert do(cast.officer, WHEN, name_person, scene.public_id, person, **said).pk == first.pk
    do(cast.officer, WHEN, dismiss_proposals, [first.public_id], reason="认错人")
    again = do(cast.officer, WHEN, name_person, scene.public_id, person, **said)
    assert (again.pk != first.pk, again.state) == (True, "proposed")


def test_a_dismissed_one_stays_dismissed_until_it_is_reconsidered(cast, scene):
    found(cast, scene)
    proposal = rows()["周小明"].public_id
    assert do(cast.officer, WHEN, dismiss_proposals, [proposal], reason="戴口罩，隔窗") == 1
    assert do(cast.officer, WHEN, dismiss_proposals, [proposal], reason="again") == 0
    found(cast, scene, "02-12 19:00")
    assert rows()["周小明"].state == "dismissed"
    with pytest.raises(Conflict):
        confirm(cast, proposal)
    assert do(cast.officer, WHEN, reconsider_proposals, [proposal], reason="同桌") == 1
    assert confirm(cast, proposal).made == 1


def test_a_keyed_number_becomes_a_person_when_the_place_tells_who_it_was(cast, scene):
    found(cast, scene)
    given = PersonInput(territory_code=COMMUNITY, name="吴远", phone="13800002222")
    do(cast.officer, WHEN, resolve, rows()["?"].public_id, given)
    assert rows()["吴远"].person is not None
    assert confirm(cast, rows()["吴远"].public_id).made == 1
    found(cast, scene, "02-12 19:00")
    assert "?" not in rows()


def test_somebody_elsewhere_is_asked_for_once(cast, scene):
    found(cast, scene)
    proposal = rows()[NEXT_COUNTY].public_id
    sent = do(cast.officer, WHEN, send_proposals, [proposal], need="place_under_observation", reason="密接")
    again = do(cast.officer, WHEN, send_proposals, [proposal], need="place_under_observation", reason="密接")
    assert sent.requests[proposal].startswith("R-")
    assert sent == again
    assert rows()[NEXT_COUNTY].state == "sent"


def test_whoever_is_named_is_proposed_with_who_said_so(cast, scene):
    given = PersonInput(territory_code=GRID, name="冯梅", phone="13800003333")
    named = do(
        cast.officer, WHEN, name_person, scene.public_id, given, last=local("02-11 12:00"), place="家宴",
        setting="gathering", minutes=90,
    )  # fmt: skip
    assert (named.origin, named.minutes) == ("named", 90)
    assert confirm(cast, named.public_id, criterion="dining").made == 1


def second_case(cast: Cast):
    """Another case at the bath on the 11th and at the market on the 12th, where 周小明 was too."""
    case = a_case(cast.officer, person=li(id_number=SECOND, address="x"))
    return opened(cast.officer, case)


def test_somebody_named_twice_by_one_sentence_is_one_person(cast, scene):
    told = {"last": local("02-11 20:00"), "setting": "dining", "place": "家宴", "minutes": 90}
    given = PersonInput(territory_code=GRID, name="郑春", phone="13900001234")
    first, again = (
        do(cast.officer, WHEN, name_person, scene.public_id, given, **told) for _twice in range(2)
    )
    assert (first.pk, again.minutes, len(again.encounters)) == (again.pk, 90, 1)
    sister = replace(given, phone="13900005678")
    other = do(cast.officer, WHEN, name_person, scene.public_id, sister, **told)
    assert other.person_id != first.person_id, "another phone is another person until somebody joins them"


def test_two_of_one_name_without_numbers_are_two_when_anything_else_told_differs(cast, scene):
    told = {"last": local("02-11 20:00"), "setting": "dining", "place": "家宴", "minutes": 90}
    her = PersonInput(territory_code=GRID, name="郑春", sex="F")
    him = replace(her, sex="M")
    older = replace(her, age_years=61, age_reported_on=local("02-12 09:00").date())
    seen = [
        do(cast.officer, WHEN, name_person, scene.public_id, one, **told).person_id
        for one in (her, her, him, older, him)
    ]
    assert (len(set(seen)), seen[0], seen[2]) == (3, seen[1], seen[4])


def test_the_same_person_of_two_cases_is_one_contact_and_the_longest_obligation_wins(cast, scene):
    found(cast, scene)
    first = confirm(cast, rows()["周小明"].public_id).contacts[0]
    do(cast.command, "02-12 20:00", care.record_placed, care.OrderInput(contact=first))
    other = second_case(cast)
    with scope.system():
        zhou = rows()["周小明"].person
    named = do(
        cast.officer, "02-13 09:00", name_person, other.public_id, zhou.public_id, last=local("02-12 10:00")
    )
    done = confirm(cast, named.public_id, when="02-13 09:10")
    assert (done.made, done.joined, done.moved) == (0, 1, 1)
    assert done.contacts == (first,)
    with scope.system():
        contact = Contact.objects.get()
        assert Loop.objects.filter(definition="contact").count() == 1
        assert Exposure.objects.get().case == other.case
        order = Order.objects.get()
    assert contact.exposure_last == date(2020, 2, 12)
    assert order.last_day == date(2020, 2, 25)  # not lengthened by itself
    assert "extend" in owed(first)
    longer = do(cast.command, "02-13 10:00", care.extend_observation, first, evidence="再次暴露")
    assert longer.last_day == date(2020, 2, 26)
    assert "extend" not in owed(first)
    assert_holds()


def test_an_earlier_exposure_to_another_case_adds_no_decision(cast, scene):
    found(cast, scene)
    first = confirm(cast, rows()["周小明"].public_id).contacts[0]
    do(cast.command, "02-12 20:00", care.record_placed, care.OrderInput(contact=first))
    other = second_case(cast)
    zhou = rows()["周小明"].person
    named = do(
        cast.officer, "02-13 09:00", name_person, other.public_id, zhou.public_id, last=local("02-10 10:00")
    )
    done = confirm(cast, named.public_id, when="02-13 09:10")
    assert (done.joined, done.moved) == (1, 0)
    assert "extend" not in owed(first)
    assert_holds()


def two_sources(cast: Cast, scene):
    found(cast, scene)
    first = confirm(cast, rows()["周小明"].public_id).contacts[0]
    other = second_case(cast)
    zhou = rows()["周小明"].person
    named = do(
        cast.officer, "02-13 09:00", name_person, other.public_id, zhou.public_id, last=local("02-12 10:00")
    )
    confirm(cast, named.public_id, when="02-13 09:10")
    return first, other


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_contact_of_two_cases_is_free_when_both_are_excluded_in_either_order(cast, scene, order):
    contact, other = two_sources(cast, scene)
    cases = [scene.case.public_id, other.case.public_id]
    assert do(cast.officer, "02-14 09:00", care.exclude_case, cases[order[0]], reason="阴性") == []
    with cast.officer.acting():
        assert [len(named_for(one.case_id)) for one in (scene, other)] == [order[0], order[1]]
    assert do(cast.officer, "02-14 10:00", care.exclude_case, cases[order[1]], reason="阴性") == [contact]
    assert_holds()
    with cast.officer.acting():
        assert not named_for(scene.case_id), "a naming that does not stand names nobody"
        assert not named_for(other.case_id)


def test_a_contact_of_two_cases_who_falls_ill_is_linked_to_both(cast, scene):
    contact, other = two_sources(cast, scene)
    case = do(cast.officer, "02-15 09:00", care.convert_contact_to_case, contact)
    with scope.system():
        sources = set(CaseLink.objects.filter(to_case=case).values_list("from_case_id", flat=True))
    assert sources == {scene.case_id, other.case_id}
    assert_holds()


def test_a_naming_in_error_frees_the_contact_unless_another_stands(cast, scene):
    contact, _other = two_sources(cast, scene)
    first = rows()  # the newest of 周小明 is of the second case
    with scope.system():
        ids = list(
            ContactProposal.objects.filter(contact__public_id=contact)
            .order_by("id")
            .values_list("public_id", flat=True)
        )
    assert len(first) >= 3
    assert do(cast.officer, "02-13 10:00", care.take_back, ids[1], reason="认错人") is False
    with scope.system():
        assert Contact.objects.get().status == "confirmed"
    assert_holds()


def test_a_single_naming_in_error_frees_at_once_and_says_so(cast, scene):
    found(cast, scene)
    contact = confirm(cast, rows()["周小明"].public_id).contacts[0]
    proposal = rows()["周小明"].public_id
    assert do(cast.officer, "02-13 10:00", care.take_back, proposal, reason="认错人") is True
    with scope.system():
        freed = Contact.objects.get(public_id=contact)
    assert (freed.status, freed.release_reason) == ("released", "named_in_error")
    assert rows()["周小明"].state == "dismissed"
    assert owed(contact) == set()
    assert_holds()


def test_a_passenger_list_proposes_those_whose_seats_count(cast, scene):
    bus = Vehicle(VehicleKind.COACH, sealed=False, name="鄂C-1")
    people = [
        Passenger(n, Seat(row=row), name=name, id_number=checked(f"4203031980010100{n}"))
        for n, (name, row) in enumerate([("甲一", 5), ("乙二", 8), ("丙三", 9), ("丁四", None)], 1)
    ]
    at = local("02-11 12:00")
    told = do(
        cast.officer,
        WHEN,
        propose_manifest,
        scene.public_id,
        people,
        vehicle=bus,
        case_seat=Seat(row=5),
        day=at,
    )
    assert (told.proposed, told.judged, told.apart) == (3, 1, 1)
    assert {"甲一", "乙二", "丁四"} <= set(rows())
    twice = do(
        cast.officer,
        WHEN,
        propose_manifest,
        scene.public_id,
        people,
        vehicle=bus,
        case_seat=Seat(row=5),
        day=at,
    )
    assert twice.proposed == 0


def test_a_passenger_list_without_numbers_sent_twice_doubles_nobody(cast, scene):
    people = [
        Passenger(n, Seat(row=row), name=name, phone=phone)
        for n, (name, row, phone) in enumerate(
            [("甲一", 5, ""), ("乙二", 4, "13800000001"), ("丁四", None, ""), ("丁四", None, "")], 1
        )
    ]

    def told(listed: list[Passenger]) -> tuple[int, int]:
        found = do(
            cast.officer, WHEN, propose_manifest, scene.public_id, listed,
            vehicle=Vehicle(VehicleKind.COACH, sealed=False, name="鄂C-1"), case_seat=Seat(row=5),
            day=local("02-11 12:00"),
        )  # fmt: skip
        return found.proposed, found.joined

    before = Person.unscoped.count()
    assert told(people) == (4, 0)
    assert told(people) == (0, 0)
    assert told([*reversed(people)]) == (0, 0)
    assert Person.unscoped.count() == before + 4
    assert told([Passenger(1, Seat(row=6), name="甲一")]) == (1, 0)  # another seat: nobody says it is she


def statements(cast: Cast, scene, n: int) -> int:
    with scope.system():
        ContactProposal.objects.all().delete()
    people = [
        Passenger(i, Seat(row=5), name=f"客{i}", id_number=checked(f"42030319{70 + n % 25}0101{i:03d}"))
        for i in range(n)
    ]
    told = do(
        cast.officer, WHEN, propose_manifest, scene.public_id, people,
        vehicle=Vehicle(VehicleKind.COACH, sealed=True), case_seat=Seat(), day=local("02-11 12:00"),
    )  # fmt: skip
    with scope.system():
        ids = list(ContactProposal.objects.values_list("public_id", flat=True))
    assert told.proposed == n == len(ids)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert confirm(cast, *ids, criterion="transport").made == n
    return len(seen)


def test_four_hundred_names_take_as_many_statements_as_forty(cast, scene):
    statements(cast, scene, 2)  # what is read once a process
    few = statements(cast, scene, 40)
    assert few == statements(cast, scene, 120)


def test_the_list_tells_who_why_and_where_by_part(cast, scene):
    found(cast, scene)
    with cast.officer.acting(), clock.frozen(local(WHEN)):
        shown = list_proposals(scene.public_id, ProposalFilter())
        unknown = list_proposals(scene.public_id, ProposalFilter(part="unknown", least_minutes=1_000))
    assert [row.person.name for row in shown.rows if row.person] == ["周小明"]
    assert (shown.counts["open"], shown.counts["unknown"], shown.counts["elsewhere"]) == (1, 1, 1)
    assert {place: n for place, _name, n in shown.places} == {"market": 1, "bath": 1}
    assert shown.rows[0].candidates
    assert unknown.rows == ()
    with cast.neighbor.acting(), pytest.raises(NotFound):
        list_proposals(scene.public_id, ProposalFilter())


BUS = Vehicle(VehicleKind.COACH, sealed=False, name="鄂C-1")


def on_the_bus(cast: Cast, scene, *people: tuple[str, str, int | None], when: str = WHEN):
    listed = [Passenger(n, Seat(row=row), name, number) for n, (name, number, row) in enumerate(people, 2)]
    return do(
        cast.officer, when, propose_manifest, scene.public_id, listed,
        vehicle=BUS, case_seat=Seat(row=5), day=local("02-11 12:00"),
    )  # fmt: skip


def test_a_seat_is_laid_beside_what_is_known_of_somebody_and_a_new_look_keeps_it(cast, scene):
    found(cast, scene)
    told = on_the_bus(cast, scene, ("周小明", ZHOU, 6))
    assert (told.proposed, told.joined, told.judged) == (0, 1, 0)
    assert on_the_bus(cast, scene, ("周小明", ZHOU, 6)).joined == 0, "the same list again"
    assert [e["place_name"] for e in rows()["周小明"].encounters] == ["张湾市场", "bath", "鄂C-1"]
    found(cast, scene, "02-12 19:00")
    zhou = rows()["周小明"]
    assert {e["place_name"] for e in zhou.encounters} == {"张湾市场", "bath", "鄂C-1"}
    assert (zhou.minutes, zhou.times) == (70, 3)
    assert found(cast, scene, "02-12 20:00").same == 3
    listed = list_of(cast, scene)
    assert listed[0].candidates[0].criterion.value == "transport"


def list_of(cast: Cast, scene):
    return do(cast.officer, WHEN, lambda actor: list_proposals(scene.public_id, ProposalFilter()).rows)


def test_who_was_named_and_then_seen_keeps_both_reasons(cast, scene):
    with scope.system():
        zhou = rows_of_people("周小明")
    do(
        cast.officer, WHEN, name_person, scene.public_id, zhou, last=local("02-11 13:00"),
        place="家宴", minutes=90,
    )  # fmt: skip
    found(cast, scene)
    one = rows()["周小明"]
    assert [e["place_name"] for e in one.encounters] == ["家宴", "张湾市场", "bath"]
    assert (one.minutes, one.times, one.origin) == (160, 3, "named")
    assert found(cast, scene, "02-12 19:00").same == 3


def rows_of_people(name: str) -> str:
    return Person.objects.get(name=name).public_id


def test_a_seat_that_comes_to_light_after_the_decision_stands_as_such(cast, scene):
    found(cast, scene)
    confirm(cast, rows()["周小明"].public_id)
    assert on_the_bus(cast, scene, ("周小明", ZHOU, 6)).joined == 1
    found(cast, scene, "02-12 19:00")
    zhou = rows()["周小明"]
    assert (zhou.state, [e["place_name"] for e in zhou.later]) == ("confirmed", ["鄂C-1"])


def test_a_journey_cannot_end_in_the_future(cast, scene):
    with pytest.raises(Invalid, match="将来"):
        on_the_bus(cast, scene, ("甲一", "", 5), when="02-11 11:00")


def test_somebody_confirmed_again_after_an_error_is_owed_her_duties_again(cast, scene):
    found(cast, scene)
    proposal = rows()["周小明"].public_id
    first = confirm(cast, proposal).contacts[0]
    assert do(cast.officer, "02-12 19:00", care.take_back, proposal, reason="认错了人")
    assert not owed(first)
    do(cast.officer, "02-12 20:00", reconsider_proposals, [proposal], reason="又一人证实")
    done = confirm(cast, proposal, when="02-12 20:05")
    assert done.made == 1
    assert done.contacts[0] != first
    assert owed(done.contacts[0]) == {"locate"}
    assert_holds()


def test_an_error_taken_back_leaves_the_other_case_and_its_shorter_observation(cast, scene):
    contact, other = two_sources(cast, scene)
    do(cast.command, "02-13 10:00", care.record_placed, care.OrderInput(contact=contact))
    with scope.system():
        second = ContactProposal.objects.get(investigation__case=other.case)
        assert Order.objects.get().last_day == date(2020, 2, 26)
    assert not do(cast.officer, "02-14 09:00", care.take_back, second.public_id, reason="认错了人")
    with scope.system():
        assert Order.objects.get().last_day == date(2020, 2, 25)
        assert Contact.objects.get().exposure_last == date(2020, 2, 11)
    assert_holds()


def test_somebody_who_moved_away_since_is_asked_for_and_nothing_breaks(cast, scene):
    found(cast, scene)
    zhou = rows()["周小明"]
    with scope.system():
        Person.objects.filter(pk=zhou.person_id).update(territory_code=f"{NEXT_COUNTY}001")
    with pytest.raises(Invalid) as said:
        confirm(cast, zhou.public_id)
    assert said.value.code == "not-decidable"
