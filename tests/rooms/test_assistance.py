"""Assistance requests inside one installation: two counties, one person, and nobody else."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bihuan.care.actions import record_contact_test
from bihuan.loops.actions import undo_completion
from bihuan.loops.models import Duty, Loop
from bihuan.registry import clock, outbox, scope
from bihuan.registry.actions.people import register_person
from bihuan.registry.actor import Actor
from bihuan.registry.audit import who_looked
from bihuan.registry.errors import NotAllowed
from bihuan.registry.models import Person
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import ContactInput, confirm_contact, pseudonyms, record_located
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.errors import AssistanceClosed, AssistanceInvalid, UnknownAssistance
from bihuan.tracing.models import AssistanceMessage, AssistanceNote, AssistanceRequest, Contact
from bihuan.tracing.queries import assistance as reads
from tests.cast import GRID, NEXT_COUNTY, Cast
from tests.rooms.care_room import local
from tests.rooms.exchange_room import pair

NOON = local("02-14 12:00")
NEXT_STREET = "420302001"
SYSTEM = Actor.system("test", door="test")
NAME, PHONE, ADDRESS = "欧阳晓岚", "13871234567", "汉江路128号9单元"


@pytest.fixture
def contact(cast: Cast) -> Contact:
    """A contact named by the officer's county."""
    person = PersonInput(territory_code=GRID, name=NAME, phone=PHONE, address=ADDRESS, sex="F", age_years=39)
    with cast.officer.acting(), clock.frozen(NOON):
        return confirm_contact(
            ContactInput(
                person=person,
                territory_code=GRID,
                exposure_kind="household",
                setting="同桌吃饭",
                exposure_last=date(2020, 2, 12),
            ),
            actor=cast.officer.actor,
        )


def asked(cast: Cast, contact: Contact, need: str = "locate", **more: object) -> AssistanceRequest:
    given = verbs.AssistanceInput(
        to_territory=NEXT_COUNTY,
        need=need,
        reason="密切接触者已返回该县",
        person_id=contact.person_id,
        contact_id=contact.public_id,
        **more,  # type: ignore[arg-type]
    )
    with cast.officer.acting(), clock.frozen(NOON):
        return verbs.ask(given, actor=cast.officer.actor)


def incoming(cast: Cast) -> AssistanceRequest:
    with cast.neighbor.acting():
        return AssistanceRequest.objects.get(side="asked")


def open_duties(row: AssistanceRequest) -> set[str]:
    with scope.system():
        loops = Loop.objects.filter(subject_kind="assistance", subject_ref=row.public_id)
        return set(Duty.objects.filter(loop__in=loops, state=0).values_list("kind", flat=True))


def test_the_asked_county_has_it_at_once_and_a_duty_to_take_it_in(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    assert row.status == "received"
    there = incoming(cast)
    assert (there.territory_code, there.thread) == (NEXT_COUNTY, row.public_id)
    assert open_duties(row) == {"reply_located"}
    assert open_duties(there) == {"take", "answer_located"}
    assert there.reply_due_at == NOON + timedelta(hours=2)


def test_the_duty_lies_on_the_desk_of_the_county_asked(cast: Cast, contact: Contact) -> None:
    asked(cast, contact)
    with cast.neighbor.acting():
        assert set(Duty.objects.filter(kind="take").values_list("owner_post_id", flat=True)) == {
            cast.neighbor.post.id
        }


def test_exactly_the_fields_of_the_need_cross_and_no_others(cast: Cast, contact: Contact) -> None:
    asked(cast, contact, need="inform")
    with cast.neighbor.acting():
        found = reads.find_request(incoming(cast).public_id, now=NOON)
    assert dict(found.fields) == {"name": NAME, "phone": "+86" + PHONE}
    assert found.request.shared == ["name", "phone"]


def test_more_than_the_need_justifies_is_refused_by_name(cast: Cast, contact: Contact) -> None:
    with pytest.raises(AssistanceInvalid) as refused:
        asked(cast, contact, need="inform", fields=("name", "id_number"))
    assert "id_number" in refused.value.errors[0]["message"]


def test_the_preview_shows_what_would_be_shared_and_changes_nothing(cast: Cast, contact: Contact) -> None:
    given = verbs.AssistanceInput(
        to_territory=NEXT_COUNTY, need="locate", reason="x", person_id=contact.person_id
    )
    with cast.officer.acting(), clock.frozen(NOON):
        shown = verbs.preview(given)
        assert dict(shown.fields)["address"] == ADDRESS
        assert not AssistanceRequest.objects.exists()
    assert shown.due_at == NOON + timedelta(hours=2)


def test_a_third_county_sees_neither_side(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    there = incoming(cast)
    with cast.other_city.acting():
        assert not AssistanceRequest.objects.exists()
        for public_id in (row.public_id, there.public_id):
            with pytest.raises(UnknownAssistance):
                reads.find_request(public_id, now=NOON)
            with pytest.raises(UnknownAssistance):
                verbs.answer(public_id, outcome="found", actor=cast.other_city.actor)


def test_each_side_sees_its_own_row_only(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    with cast.neighbor.acting(), pytest.raises(UnknownAssistance):
        reads.find_request(row.public_id, now=NOON)


def test_asking_ones_own_territory_is_refused(cast: Cast, contact: Contact) -> None:
    given = verbs.AssistanceInput(
        to_territory=GRID[:9], need="locate", reason="x", person_id=contact.person_id
    )
    with cast.officer.acting(), pytest.raises(AssistanceInvalid):
        verbs.ask(given, actor=cast.officer.actor)


def test_who_may_not_write_requests_may_not_ask(cast: Cast, contact: Contact) -> None:
    given = verbs.AssistanceInput(
        to_territory=NEXT_COUNTY, need="locate", reason="x", person_id=contact.person_id
    )
    with cast.community.acting(), pytest.raises(NotAllowed):
        verbs.ask(given, actor=cast.community.actor)


def test_sharing_stands_on_the_persons_page(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    with cast.officer.acting():
        look = who_looked(contact.person_id)[0]
    assert row.public_id in look.purpose
    assert set(look.fields) == set(row.shared)


def test_accepting_registers_the_person_there_and_opens_the_contact_loop_at_her_street(
    cast: Cast, contact: Contact
) -> None:
    asked(cast, contact, need="place_under_observation")
    there = incoming(cast)
    with cast.neighbor.acting(), clock.frozen(NOON):
        given = verbs.AcceptInput(there.public_id, territory_code=NEXT_STREET, confirm=True)
        done = verbs.accept(given, actor=cast.neighbor.actor)
    assert done.status == "accepted"
    with scope.system():
        made = Contact.objects.get(id=done.made_contact_id)
        person = Person.objects.get(id=done.person_id)
        duty = Duty.objects.get(territory_code=NEXT_STREET, kind="locate")
    assert (person.name, person.territory_code) == (NAME, NEXT_STREET)
    assert made.exposure_last == date(2020, 2, 12)
    assert made.case_id is None
    assert duty.person_id == person.pk
    with cast.officer.acting():
        assert AssistanceRequest.objects.get().status == "accepted"


def test_what_the_street_records_answers_by_itself(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    there = incoming(cast)
    with cast.neighbor.acting(), clock.frozen(NOON):
        verbs.accept(
            verbs.AcceptInput(there.public_id, territory_code=NEXT_STREET, confirm=True),
            actor=cast.neighbor.actor,
        )
    with cast.neighbor.acting(), clock.frozen(NOON + timedelta(hours=1)):
        made = Contact.objects.get(came_by__public_id=there.public_id)
        record_located(made.public_id, actor=cast.neighbor.actor)
    verbs.sweep_assistance(NOON + timedelta(hours=1, minutes=1))
    verbs.sweep_assistance(NOON + timedelta(hours=1, minutes=2))
    row.refresh_from_db()
    assert (row.status, row.outcome) == ("answered", "found")
    assert AssistanceMessage.unscoped.filter(request=row, said="answer").count() == 1
    assert open_duties(row) == {"wind_up"}


def test_sent_back_it_is_the_asking_sides_again_and_deleted_there(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    there = incoming(cast)
    with cast.neighbor.acting(), clock.frozen(NOON):
        verbs.give_back(there.public_id, reason="wrong_place", note="户籍在他县", actor=cast.neighbor.actor)
    row.refresh_from_db()
    assert (row.status, row.returned) == ("returned", "wrong_place")
    assert AssistanceRequest.unscoped.get(id=there.pk).told is None
    assert open_duties(row) == {"ask_elsewhere"}


def test_the_end_deletes_on_both_sides_and_is_confirmed(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    there = incoming(cast)
    with cast.neighbor.acting(), clock.frozen(NOON):
        verbs.accept(verbs.AcceptInput(there.public_id), actor=cast.neighbor.actor)
        verbs.answer(there.public_id, outcome="not_found", note="电话无人接听", actor=cast.neighbor.actor)
    with cast.officer.acting(), clock.frozen(NOON + timedelta(hours=2)):
        done = verbs.end(row.public_id, actor=cast.officer.actor)
    assert done.status == "deleted"
    for one in AssistanceRequest.unscoped.all():
        assert one.status == "deleted"
        assert one.told is None
        assert open_duties(one) == set()
    assert not AssistanceNote.unscoped.exists()
    assert AssistanceMessage.unscoped.filter(request=row).count() == 5
    registered = Person.unscoped.get(id=AssistanceRequest.unscoped.get(id=there.pk).person_id)
    assert registered.shredded_at is not None, "she was registered for this request only"


def test_nothing_more_can_be_said_after_the_end(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    there = incoming(cast)
    with cast.officer.acting(), clock.frozen(NOON):
        verbs.end(row.public_id, actor=cast.officer.actor)
    with cast.neighbor.acting(), pytest.raises(AssistanceClosed):
        verbs.answer(there.public_id, outcome="found", actor=cast.neighbor.actor)


def test_an_answer_is_kept_no_longer_than_the_pack_says(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    there = incoming(cast)
    with cast.neighbor.acting(), clock.frozen(NOON):
        verbs.accept(verbs.AcceptInput(there.public_id), actor=cast.neighbor.actor)
        verbs.answer(there.public_id, outcome="found", actor=cast.neighbor.actor)
    assert verbs.erase_what_is_over(now=NOON + timedelta(days=13)) == 0
    assert verbs.erase_what_is_over(now=NOON + timedelta(days=14)) == 1
    row.refresh_from_db()
    assert row.status == "deleted"
    assert row.told is None


def test_a_draft_is_seen_by_nobody_else_until_it_is_sent(cast: Cast, contact: Contact) -> None:
    given = verbs.AssistanceInput(
        to_territory=NEXT_COUNTY, need="locate", reason="x", person_id=contact.person_id
    )
    with cast.officer.acting(), clock.frozen(NOON):
        row = verbs.ask(given, actor=cast.officer.actor, send=False)
    assert row.status == "draft"
    with cast.neighbor.acting():
        assert not AssistanceRequest.objects.exists()
    with cast.officer.acting(), clock.frozen(NOON):
        sent = verbs.send_draft(row.public_id, actor=cast.officer.actor)
    assert sent.status == "received"
    assert incoming(cast).thread == row.public_id


def taken_in(cast: Cast, need: str, contact: Contact) -> AssistanceRequest:
    """A request for that need, accepted and the person named a contact there: the asked side's row."""
    asked(cast, contact, need=need)
    with cast.neighbor.acting(), clock.frozen(NOON):
        given = verbs.AcceptInput(incoming(cast).public_id, territory_code=NEXT_STREET, confirm=True)
        return verbs.accept(given, actor=cast.neighbor.actor)


def swept(cast: Cast, hours: float) -> tuple[str, str]:
    """Where the request stands on the asked side after the worker came by."""
    with clock.frozen(NOON + timedelta(hours=hours)):
        verbs.sweep_assistance()
        found = incoming(cast)
    return found.status, found.outcome


def test_what_was_taken_back_answers_nothing(cast: Cast, contact: Contact) -> None:
    there = taken_in(cast, "locate", contact)
    later = NOON + timedelta(minutes=30)
    with cast.neighbor.acting(), clock.frozen(later):
        made = there.made_contact
        record_located(made.public_id, actor=cast.neighbor.actor)
        loop = Loop.objects.get(subject_kind="contact", subject_ref=made.public_id)
        done = Duty.objects.get(loop_id=loop.pk, kind="locate")
    with scope.system(), clock.frozen(later):
        undo_completion(done.pk, "认错了人", SYSTEM)
    assert swept(cast, 1) == ("accepted", "")
    with cast.neighbor.acting(), clock.frozen(later + timedelta(minutes=40)):
        record_located(made.public_id, actor=cast.neighbor.actor)
    assert swept(cast, 2) == ("answered", "found")


def test_a_test_from_before_the_request_does_not_answer_that_one_is_asked_for(
    cast: Cast, contact: Contact
) -> None:
    made = taken_in(cast, "sample", contact).made_contact

    def test(**days: date) -> None:
        with cast.neighbor.acting(), clock.frozen(NOON + timedelta(hours=1)):
            record_contact_test(made.public_id, result="negative", actor=cast.neighbor.actor, **days)

    test(sampled=date(2020, 2, 13), at=date(2020, 2, 14))
    assert swept(cast, 1) == ("accepted", "")
    test(sampled=date(2020, 2, 14), at=date(2020, 2, 14))
    assert swept(cast, 2) == ("answered", "negative")


def test_a_draft_sent_later_has_its_clock_from_then_and_goes_where_the_place_belongs_now(
    cast: Cast, contact: Contact, tmp_path, settings
) -> None:
    given = verbs.AssistanceInput(
        to_territory="420602", need="locate", reason="x", person_id=contact.person_id
    )
    with cast.officer.acting(), clock.frozen(NOON):
        row = verbs.ask(given, actor=cast.officer.actor, send=False)
    asking, asked_side = pair(tmp_path, asking="4203", asked="4206")
    settings.BIHUAN_HOME = asking.home
    with cast.officer.acting(), clock.frozen(NOON + timedelta(days=3)):
        sent = verbs.send_draft(row.public_id, actor=cast.officer.actor)
    assert sent.peer is not None
    assert (sent.peer.installation, sent.status) == (asked_side.number, "sent")
    assert not AssistanceRequest.unscoped.filter(side="asked").exists()
    assert sent.reply_due_at == NOON + timedelta(days=3, hours=2)


def test_what_was_told_is_not_readable_in_the_database(cast: Cast, contact: Contact) -> None:
    asked(cast, contact)
    for row in AssistanceRequest.unscoped.all():
        assert NAME.encode() not in bytes(row.told or b"")
        assert PHONE.encode() not in bytes(row.told or b"")


@pytest.fixture
def stranger(cast: Cast, settings, tmp_path) -> Person:
    """Somebody of the next county who was where the officer's case was."""
    settings.BIHUAN_HOME = tmp_path
    with scope.system(), clock.frozen(NOON):
        given = PersonInput(territory_code=NEXT_STREET, name="尉迟明珠", phone="13900002222")
        made = register_person(given, SYSTEM)
        pseudonyms.catch_up()
    return made


def keyed(cast: Cast, number: int, to: str = NEXT_COUNTY) -> AssistanceRequest:
    given = verbs.AssistanceInput(
        to_territory=to,
        need="place_under_observation",
        reason="与确诊病例同时在场",
        keyed_number=number,
        exposure_kind="meal_or_gathering",
        exposure_last=date(2020, 2, 12),
    )
    with cast.officer.acting(), clock.frozen(NOON):
        return verbs.ask(given, actor=cast.officer.actor)


def number_of(person: Person) -> int:
    with scope.system():
        return pseudonyms.keys_of([person.pk])[person.pk][0]


def test_by_a_keyed_number_the_asking_side_never_learns_who_it_is(cast: Cast, stranger: Person) -> None:
    row = keyed(cast, number_of(stranger))
    assert row.person_id is None
    with cast.officer.acting():
        found = reads.find_request(row.public_id, now=NOON)
        assert (found.row.name, found.row.person_id) == ("", None)
        assert set(found.fields) == {"exposure_kind", "exposure_last"}
        assert not Person.objects.filter(id=stranger.pk).exists()
    with cast.neighbor.acting():
        there = incoming(cast)
        assert there.person_id == stranger.pk
        assert reads.find_request(there.public_id, now=NOON).row.name == "尉迟明珠"
        assert row.public_id in who_looked(stranger.pk)[0].purpose


def test_by_a_keyed_number_the_contact_is_named_where_she_lives(cast: Cast, stranger: Person) -> None:
    row = keyed(cast, number_of(stranger))
    with cast.neighbor.acting(), clock.frozen(NOON):
        given = verbs.AcceptInput(incoming(cast).public_id, territory_code=NEXT_STREET, confirm=True)
        verbs.accept(given, actor=cast.neighbor.actor)
    with scope.system():
        made = Contact.objects.get()
        assert (made.person_id, made.territory_code) == (stranger.pk, NEXT_STREET)
        assert made.exposure_kind == "meal_or_gathering"
    with cast.officer.acting():
        assert not Contact.objects.exists()
        verbs.end(row.public_id, actor=cast.officer.actor)
    assert Person.unscoped.get(pk=stranger.pk).shredded_at is None, "she was known here before"
    assert AssistanceRequest.unscoped.get(pk=row.pk).number is None


def test_a_keyed_number_goes_only_to_the_county_it_belongs_to(cast: Cast, stranger: Person) -> None:
    with pytest.raises(AssistanceInvalid):
        keyed(cast, number_of(stranger), to="429004")


def test_a_keyed_number_carries_nothing_that_tells_who_it_is(cast: Cast, stranger: Person) -> None:
    given = verbs.AssistanceInput(
        to_territory=NEXT_COUNTY,
        need="locate",
        reason="x",
        keyed_number=number_of(stranger),
        fields=("name", "phone"),
    )
    with cast.officer.acting(), clock.frozen(NOON), pytest.raises(AssistanceInvalid):
        verbs.ask(given, actor=cast.officer.actor)


def test_a_reminder_reaches_the_post_that_owes_the_answer_once_a_day(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    with cast.officer.acting(), clock.frozen(NOON):
        assert verbs.remind(row.public_id, actor=cast.officer.actor)
        assert verbs.remind(row.public_id, actor=cast.officer.actor)
    with cast.neighbor.acting():
        told = [n for d in outbox.digests_for(cast.neighbor.post.id) for n in d.notices]
    assert [n.kind for n in told] == ["assistance.reminded"]
    assert incoming(cast).public_id in outbox.words_of(told[0])


def test_deleting_ones_own_copy_early_is_told_to_the_other_side(cast: Cast, contact: Contact) -> None:
    row = asked(cast, contact)
    there = incoming(cast)
    with cast.neighbor.acting(), clock.frozen(NOON):
        with pytest.raises(AssistanceClosed):
            verbs.delete_now(there.public_id, actor=cast.neighbor.actor)
        verbs.accept(verbs.AcceptInput(there.public_id), actor=cast.neighbor.actor)
        verbs.answer(there.public_id, outcome="found", actor=cast.neighbor.actor)
        assert verbs.delete_now(there.public_id, actor=cast.neighbor.actor).status == "deleted"
    row.refresh_from_db()
    assert (row.status, row.outcome, row.told) == ("deleted", "found", None)
