"""Contacts through their verbs: from being named to release, to becoming a case, to an appeal nobody
answered.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bihuan.care import actions as care
from bihuan.care.actions import CheckInput, OrderInput
from bihuan.care.errors import (
    AlreadyObserved,
    AppealWaiting,
    NobodyDecides,
    NotObserved,
    NotReleasable,
    ReadingInvalid,
)
from bihuan.care.models import Appeal, DailyCheck, Order
from bihuan.care.queries import all_gaps, find_order, find_rings, gap_list, person_page
from bihuan.care.verbs import VERBS, offered, perform, perform_many
from bihuan.cases.actions import CaseInput, revise_case
from bihuan.cases.errors import CaseInvalid
from bihuan.cases.models import Case
from bihuan.loops.models import Loop
from bihuan.policy import packs
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from bihuan.registry.audit import log_read
from bihuan.registry.errors import Conflict, NotAllowed, NotFound
from bihuan.tracing import actions as tracing
from bihuan.tracing.errors import ContactClosed, ContactInvalid, UnknownContact
from bihuan.tracing.models import CaseLink, Contact
from bihuan.tracing.queries import ContactFilter, find_contact, list_contacts
from tests.cast import COUNTY, GRID, Cast, Member
from tests.rooms.care_room import (
    TZ,
    assert_holds,
    do,
    due,
    duties,
    li,
    local,
    loop_of,
    make_case,
    make_contact,
    owed,
    sweep,
    zhou,
)

pytestmark = pytest.mark.django_db

EXPOSED = date(2020, 2, 12)


def place(who: Member, when: str, contact: Contact, **facts) -> Order:
    return do(who, when, care.record_placed, OrderInput(contact=contact.public_id, **facts))


def placed_contact(cast: Cast, *, kind: str = "home", **facts) -> tuple[Contact, Order]:
    """Named at 10:00 on 14 February, found at 11:00, under observation from 12:00."""
    contact = make_contact(
        cast.officer, "02-14 10:00", exposure_last=EXPOSED, exposure_kind="transport", **facts
    )
    do(cast.community, "02-14 11:00", tracing.record_located, contact.public_id)
    return contact, place(cast.command, "02-14 12:00", contact, kind=kind)


def check(who: Member, when: str, contact: Contact, kind: str = "temperature", **facts) -> bool:
    if kind == "temperature":
        facts.setdefault("value", 36.6)
    return do(who, when, care.record_daily_check, CheckInput(contact=contact.public_id, kind=kind, **facts))


# --- from confirmation to release -------------------------------------------------------------------


def test_a_contact_goes_from_being_named_to_release_and_the_loop_closes(cast: Cast):
    contact = make_contact(cast.officer, "02-18 10:00", exposure_last=date(2020, 2, 16))
    assert owed(contact.public_id) == {"locate"}
    assert due(duties(contact.public_id)["locate#1"]) == "02-18 12:00"
    do(cast.community, "02-18 11:00", tracing.record_located, contact.public_id)
    assert due(duties(contact.public_id)["place#1"]) == "02-18 18:00"
    order = place(cast.command, "02-18 12:30", contact, kind="home")
    assert (order.first_day, order.last_day) == (date(2020, 2, 18), date(2020, 3, 1))
    assert order.end_at == local("03-02 00:00")

    done = 0
    for n in range(13):
        day = order.first_day + timedelta(days=n)
        sweep(f"{day:%m-%d} 00:05")
        today = [d for d in duties(contact.public_id, state=0).values() if d.kind != "release"]
        kinds = sorted(d.kind for d in today)
        assert kinds == ["follow_up"] * (3 if n else 2) + ["temperature"] * (2 if n else 1), day
        for duty in today:
            when = duty.due_at.astimezone(TZ) - timedelta(minutes=20)
            check(cast.community, when.strftime("%m-%d %H:%M"), contact, duty.kind, duty=duty.key)
            done += 1
    assert done == 3 + 12 * 5
    assert owed(contact.public_id) == {"release"}

    do(cast.community, "03-01 21:30", care.release_contact, contact.public_id)
    loop = loop_of(contact.public_id)
    assert (loop.state, loop.outcome) == (1, "released")
    assert all(d.state == 1 for d in duties(contact.public_id).values())
    with scope.system():
        order.refresh_from_db()
        assert (order.end_reason, Contact.objects.get(id=contact.id).status) == ("released", "released")
    sweep("03-02 00:05")
    assert_holds()


def test_in_a_facility_only_temperatures_are_taken(cast: Cast):
    contact, _order = placed_contact(cast, kind="facility")
    sweep("02-15 00:05")
    assert "follow_up" not in owed(contact.public_id)
    day = [
        d
        for d in duties(contact.public_id).values()
        if d.kind == "temperature" and due(d).startswith("02-15")
    ]
    assert len(day) == 2


def test_a_missed_day_is_a_fact_and_doing_it_late_records_both_times(cast: Cast):
    contact, _order = placed_contact(cast)
    sweep("02-15 00:05")
    sweep("02-16 08:00")
    missed = [d for d in duties(contact.public_id, state=0).values() if due(d) == "02-15 21:00"]
    [temperature] = [d for d in missed if d.kind == "temperature"]
    check(cast.community, "02-16 08:10", contact, at=local("02-15 20:50"), duty=temperature.key)
    done = duties(contact.public_id)[temperature.key]
    assert (done.state, done.ended_at, done.ended_recorded_at) == (
        1,
        local("02-15 20:50"),
        local("02-16 08:10"),
    )
    with scope.system():
        stored = DailyCheck.objects.get(contact=contact)
    assert (stored.at, stored.recorded_at) == (local("02-15 20:50"), local("02-16 08:10"))


def test_release_a_day_early_is_refused_with_the_reason(cast: Cast):
    contact, _order = placed_contact(cast)
    with pytest.raises(NotReleasable) as caught:
        do(cast.community, "02-25 20:00", care.release_contact, contact.public_id)
    assert caught.value.details["reasons"] == ["too_early"]


def test_an_order_ends_by_itself_at_its_end_and_the_release_paper_stays_owed(cast: Cast):
    contact, order = placed_contact(cast)
    swept = sweep("03-02 09:00")
    assert swept.ended == 1
    with scope.system():
        order.refresh_from_db()
    assert (order.ended_at, order.end_reason) == (local("02-27 00:00"), "end_reached")
    assert owed(contact.public_id) == {"release"}
    assert max(due(d) for d in duties(contact.public_id).values() if d.kind == "temperature") == "02-26 21:00"
    assert sweep("03-02 09:01").ended == 0
    do(cast.community, "03-02 10:00", care.release_contact, contact.public_id, at=local("02-27 00:00"))
    assert loop_of(contact.public_id).outcome == "released"
    assert_holds()


def test_downtime_changes_nothing_but_when_it_was_noticed(cast: Cast):
    one, _ = placed_contact(cast)
    other, _ = placed_contact(cast, person=li())
    for day in range(15, 29):
        sweep(f"02-{day} 00:05")
    first = {k: (d.state, d.due_at) for k, d in duties(one.public_id).items()}
    second = {k: (d.state, d.due_at) for k, d in duties(other.public_id).items()}
    assert first == second


def test_the_decision_record_names_rule_clause_approver_and_end(cast: Cast):
    contact, order = placed_contact(cast)
    policy = packs.in_force(GRID, date(2020, 2, 14))
    assert order.proposer == order.approver == cast.command.actor.name
    assert (order.rule, order.pack) == ("observation.days", policy.id[:120])
    assert order.clause
    assert order.evidence.startswith(contact.public_id)
    assert order.review_on <= order.last_day
    with cast.officer.acting(), clock.frozen(local("02-17 09:00")):
        view = find_order(order.public_id)
    assert (view.day, view.days, view.exposure_day) == (4, 13, 5)


def test_who_may_not_decide_must_name_who_approved(cast: Cast):
    contact = make_contact(cast.officer, "02-14 10:00", exposure_last=EXPOSED)
    do(cast.community, "02-14 11:00", tracing.record_located, contact.public_id)
    with pytest.raises(NotAllowed):
        place(cast.community, "02-14 12:00", contact)
    order = place(cast.community, "02-14 12:00", contact, approver="张主任")
    assert (order.proposer, order.approver) == (cast.community.actor.name, "张主任")
    assert order.approver_account_id is None


def test_the_system_alone_orders_nothing(cast: Cast):
    contact = make_contact(cast.officer, "02-14 10:00", exposure_last=EXPOSED)
    with scope.system(), pytest.raises(NobodyDecides):
        care.order_observation(
            OrderInput(contact=contact.public_id), actor=Actor.system("cli"), now=local("02-14 12:00")
        )


def test_a_second_order_is_refused(cast: Cast):
    contact, _order = placed_contact(cast)
    with pytest.raises(AlreadyObserved):
        do(cast.command, "02-15 12:00", care.order_observation, OrderInput(contact=contact.public_id))


def test_a_new_exposure_restarts_the_count_by_a_new_decision(cast: Cast):
    contact, order = placed_contact(cast)
    result = do(
        cast.command,
        "02-18 09:00",
        lambda *, actor: perform(
            "contact.expose",
            "contact",
            contact.public_id,
            {"last": "2020-02-17", "evidence": "second bus ride"},
            actor,
        ),
    )
    assert result.data["last_day"] == "2020-03-02"
    with scope.system():
        order.refresh_from_db()
        renewed = Order.objects.get(replaces=order)
    assert (order.end_reason, renewed.last_day) == ("replaced", date(2020, 3, 2))
    [release] = [d for d in duties(contact.public_id, state=0).values() if d.kind == "release"]
    assert release.due_at > local("03-02 23:00")
    sweep("02-19 00:05")
    assert [d for d in duties(contact.public_id, state=0).values() if due(d).startswith("02-19")]
    assert_holds()


def test_an_older_exposure_heard_of_later_changes_no_order(cast: Cast):
    contact, _order = placed_contact(cast)
    moved = do(
        cast.officer, "02-18 09:00", tracing.record_exposure, contact.public_id, last=date(2020, 2, 10)
    )
    assert moved is False
    with scope.system():
        assert Contact.objects.get(id=contact.id).exposure_last == EXPOSED


# --- signs, tests, conversion -----------------------------------------------------------------------


def test_a_fever_obliges_somebody_to_test_and_refer_at_once(cast: Cast):
    contact, _order = placed_contact(cast)
    assert check(cast.community, "02-15 08:50", contact, value=37.9) is True
    found = duties(contact.public_id)
    assert found["symptoms#1"].state == 0
    assert due(found["symptoms#1"]) == "02-15 10:50"
    do(cast.community, "02-15 09:30", care.record_referral, contact.public_id, to="市人民医院发热门诊")
    assert duties(contact.public_id)["symptoms#1"].state == 1


def test_no_fever_sets_off_nothing(cast: Cast):
    contact, _order = placed_contact(cast)
    assert check(cast.community, "02-15 08:50", contact, value=36.9) is False
    assert "symptoms#1" not in duties(contact.public_id)


def test_a_positive_test_decides_nothing_but_owes_a_decision(cast: Cast):
    contact, order = placed_contact(cast)
    do(
        cast.community,
        "02-15 15:00",
        care.record_contact_test,
        contact.public_id,
        result="positive",
        sampled=local("02-15 09:00"),
    )
    assert "confirm" in owed(contact.public_id)
    with scope.system():
        assert Case.objects.count() == 0
        order.refresh_from_db()
        assert order.ended_at is None


def test_a_contact_becomes_a_case_and_the_loop_is_handed_over(cast: Cast):
    source = make_case(cast.doctor, "02-13 09:00", date_confirmation=local("02-13 09:00"))
    contact, order = placed_contact(cast, case=source.public_id)
    check(cast.community, "02-16 08:50", contact, value=38.4)
    case = do(cast.doctor, "02-16 18:00", care.convert_contact_to_case, contact.public_id)
    with scope.system():
        old, new = (
            Loop.objects.get(subject_ref=contact.public_id),
            Loop.objects.get(subject_ref=case.public_id),
        )
        assert (old.state, old.outcome, old.handed_to_id) == (1, "became_case", new.id)
        order.refresh_from_db()
        assert (order.end_reason, order.ended_at) == ("became_case", local("02-16 18:00"))
        assert CaseLink.objects.get().from_case_id == source.id
        assert case.person_id == contact.person_id
    assert {"report", "investigation", "transfer", "admission"} <= owed(case.public_id)
    with pytest.raises(ContactClosed):
        check(cast.community, "02-17 08:50", contact)
    assert_holds()


def test_excluding_the_source_case_releases_its_contacts_at_once(cast: Cast):
    source = make_case(cast.doctor, "02-13 09:00", classification="suspected")
    mine, order = placed_contact(cast, case=source.public_id)
    other = make_contact(cast.officer, "02-14 10:00", person=li())
    released = do(cast.doctor, "02-16 10:00", care.exclude_case, source.public_id, reason="two negatives")
    assert released == [mine.public_id]
    with scope.system():
        order.refresh_from_db()
    assert (order.end_reason, order.ended_at) == ("source_excluded", local("02-16 10:00"))
    assert loop_of(mine.public_id).state == 1
    assert loop_of(other.public_id).state == 0
    assert_holds()


def test_a_case_discarded_by_another_door_frees_its_contacts_at_the_next_sweep(cast: Cast):
    source = make_case(cast.doctor, "02-13 09:00", classification="suspected")
    contact, _order = placed_contact(cast, case=source.public_id)
    do(
        cast.doctor,
        "02-16 10:00",
        revise_case,
        source.public_id,
        {"classification": "discarded"},
        reason="negative",
    )
    assert loop_of(contact.public_id).state == 0
    assert sweep("02-16 10:05").released == 1
    assert loop_of(contact.public_id).state == 1


def test_who_was_also_exposed_to_another_case_stays_under_observation(cast: Cast):
    source = make_case(cast.doctor, "02-13 09:00", classification="suspected")
    another = make_case(cast.doctor, "02-13 09:00", person=li(local_id="2"))
    contact, _order = placed_contact(cast, case=source.public_id)
    do(
        cast.officer,
        "02-15 09:00",
        tracing.record_exposure,
        contact.public_id,
        last=EXPOSED,
        case=another.public_id,
    )
    assert do(cast.doctor, "02-16 10:00", care.exclude_case, source.public_id, reason="negative") == []
    assert loop_of(contact.public_id).state == 0


def test_somebody_who_cannot_be_found_is_searched_for_and_given_up_only_with_a_reason(cast: Cast):
    contact = make_contact(cast.officer, "02-14 10:00", exposure_last=EXPOSED)
    with pytest.raises(ContactInvalid):
        do(cast.officer, "02-14 14:00", tracing.record_lost, contact.public_id, reason=" ")
    do(cast.officer, "02-14 14:00", tracing.record_lost, contact.public_id, reason="moved away")
    assert owed(contact.public_id) == {"search"}
    do(cast.officer, "02-15 09:00", tracing.record_located, contact.public_id)
    assert_holds()
    assert owed(contact.public_id)
    do(cast.officer, "02-15 10:00", tracing.record_lost, contact.public_id, reason="gone", final=True)
    assert loop_of(contact.public_id).outcome == "lost"
    assert_holds()


def test_somebody_lost_under_an_order_is_no_longer_checked_but_searched_for_and_then_placed_anew(cast: Cast):
    contact, order = placed_contact(cast)
    do(cast.officer, "02-16 10:00", care.record_lost, contact.public_id, reason="left the house")
    with scope.system():
        order.refresh_from_db()
    assert (order.end_reason, order.ended_at) == ("lost", local("02-16 10:00"))
    sweep("02-17 08:00")
    assert owed(contact.public_id) == {"search"}
    do(cast.officer, "02-17 09:00", tracing.record_located, contact.public_id)
    assert owed(contact.public_id) == {"place"}
    again = place(cast.command, "02-17 11:00", contact, kind="facility")
    assert again.last_day == order.last_day
    assert {"temperature", "release"} <= owed(contact.public_id)
    assert_holds()


def test_somebody_found_after_the_days_have_passed_is_free(cast: Cast):
    contact = make_contact(cast.officer, "02-14 10:00", exposure_last=EXPOSED)
    do(cast.officer, "02-14 14:00", care.record_lost, contact.public_id, reason="moved away")
    with pytest.raises(NotObserved):
        do(cast.community, "02-26 12:00", care.release_contact, contact.public_id)
    with cast.command.acting(), clock.frozen(local("02-27 12:00")):
        assert gap_list("isolate", as_of=local("02-26 12:00")).missing == 1
        assert gap_list("isolate").missing == 0
    do(cast.community, "02-27 12:00", care.release_contact, contact.public_id)
    assert loop_of(contact.public_id).outcome == "released"
    assert_holds()


# --- appeals ----------------------------------------------------------------------------------------


def appeal(cast: Cast, order: Order, when: str = "02-15 10:00") -> Appeal:
    return do(
        cast.community, when, care.file_appeal, order.public_id, text="我没有坐那趟车", filed_by="周小明"
    )


def test_an_appeal_nobody_answers_ends_the_order_in_the_persons_favor(cast: Cast):
    contact, order = placed_contact(cast)
    filed = appeal(cast, order)
    assert owed(filed.public_id) == {"answer"}
    assert due(duties(filed.public_id)["answer#1"]) == "02-16 10:00"
    assert sweep("02-16 10:00").lapsed == 0
    assert sweep("02-16 12:00").lapsed == 1
    with scope.system():
        order.refresh_from_db()
        filed.refresh_from_db()
    assert (order.end_reason, order.ended_at) == ("appeal_unanswered", local("02-16 10:00"))
    assert filed.decision == "lapsed"
    assert loop_of(contact.public_id).state == loop_of(filed.public_id).state == 1
    assert loop_of(filed.public_id).outcome == "lapsed"
    assert sweep("02-16 12:01").lapsed == 0
    assert_holds()


def test_an_upheld_appeal_ends_the_order_and_a_rejected_one_does_not(cast: Cast):
    for person, decision, state in ((zhou(), "upheld", 1), (li(), "rejected", 0)):
        contact = make_contact(cast.officer, "02-14 10:00", exposure_last=EXPOSED, person=person)
        order = place(cast.command, "02-14 12:00", contact)
        filed = appeal(cast, order)
        with scope.system():
            other = Actor(None, None, "another command post", "test")
            care.decide_appeal(
                filed.public_id, decision=decision, reason="checked", actor=other, now=local("02-15 20:00")
            )
        assert loop_of(contact.public_id).state == state
        assert loop_of(filed.public_id).outcome == "decided"
    sweep("02-17 10:00")
    assert_holds()


def test_nobody_answers_the_appeal_against_her_own_order(cast: Cast):
    _contact, order = placed_contact(cast)
    filed = appeal(cast, order)
    with pytest.raises(NotAllowed, match=r".") as caught:
        do(cast.command, "02-15 12:00", care.decide_appeal, filed.public_id, decision="rejected", reason="no")
    assert caught.value.code == "own-decision"


def test_one_appeal_waits_at_a_time_and_may_be_withdrawn(cast: Cast):
    _contact, order = placed_contact(cast)
    first = appeal(cast, order)
    with pytest.raises(AppealWaiting):
        appeal(cast, order)
    do(cast.community, "02-15 11:00", care.withdraw_appeal, first.public_id)
    assert loop_of(first.public_id).outcome == "withdrawn"
    appeal(cast, order, "02-15 12:00")


# --- rights -----------------------------------------------------------------------------------------


def test_a_grid_worker_works_only_on_what_lies_on_her_desk(cast: Cast):
    contact, _order = placed_contact(cast)
    check(cast.grid, "02-14 20:50", contact)  # the evening temperature is hers
    other = make_contact(cast.officer, "02-14 10:00", person=li())
    with pytest.raises(NotAllowed):
        do(cast.grid, "02-14 21:00", tracing.record_located, other.public_id)


def test_the_next_county_neither_sees_nor_touches_a_contact(cast: Cast):
    contact, order = placed_contact(cast)
    with cast.neighbor.acting():
        assert list_contacts(ContactFilter()).rows == ()
        for attempt in (
            lambda: find_contact(contact.public_id),
            lambda: tracing.record_located(contact.public_id, actor=cast.neighbor.actor),
            lambda: care.release_contact(contact.public_id, actor=cast.neighbor.actor),
        ):
            with pytest.raises(UnknownContact):
                attempt()
        with pytest.raises(NotFound):
            care.file_appeal(order.public_id, text="x", filed_by="y", actor=cast.neighbor.actor)


# --- verbs as data ----------------------------------------------------------------------------------


def test_every_verb_of_the_loop_definitions_exists_and_fits_its_subject():
    for on in (date(2020, 2, 1), date(2020, 2, 20), date(2020, 6, 1)):
        for text in packs.in_force("4203", on).loops.values():
            for kind, duty in text.definition["duties"].items():
                verb = VERBS[duty["verb"]]
                assert verb.subject == text.definition["subject"], (text.name, kind)


def test_every_verb_describes_its_fields_for_a_form():
    for verb in VERBS.values():
        assert str(verb.label)
        names = [f.name for f in verb.fields]
        assert len(names) == len(set(names))
        for f in verb.fields:
            assert str(f.label)
            assert bool(f.choices) == (f.type in ("choice", "choices")), (verb.key, f.name)
        if verb.one_tap:
            assert not verb.adverse
            assert not [f for f in verb.fields if f.required and f.default is None]
    assert {v.key for v in offered("order")} == {"order.appeal"}


def test_a_form_says_at_each_field_what_is_wrong(cast: Cast):
    contact, _order = placed_contact(cast)
    data = {"value": "99", "symptoms": "cough,dancing", "at": "yesterday", "mood": "fine"}
    with cast.community.acting(), pytest.raises(CaseInvalid) as caught:
        perform("contact.temperature", "contact", contact.public_id, data, cast.community.actor)
    assert {(e["field"], e["rule"]) for e in caught.value.errors} == {
        ("value", "range"),
        ("symptoms", "choice"),
        ("at", "moment"),
        ("mood", "unknown"),
    }
    with cast.community.acting(), pytest.raises(CaseInvalid) as caught:
        perform("contact.temperature", "contact", contact.public_id, {}, cast.community.actor)
    assert [(e["field"], e["rule"]) for e in caught.value.errors] == [("value", "required")]


def test_a_verb_reads_text_as_a_form_sends_it_in_local_time(cast: Cast):
    contact, _order = placed_contact(cast)
    data = {"value": "36,7", "symptoms": "", "at": "2020-02-14 20:45"}
    done = do(
        cast.community,
        "02-14 21:00",
        lambda *, actor: perform("contact.check", "contact", contact.public_id, data, actor),
    )
    assert done.data == {"symptomatic": False}
    with scope.system():
        kinds = {c.kind: c for c in DailyCheck.objects.filter(contact=contact)}
    assert set(kinds) == {"temperature", "follow_up"}
    assert kinds["temperature"].at == local("02-14 20:45")
    assert float(kinds["temperature"].value) == 36.7


def test_what_restricts_a_person_is_never_done_in_bulk(cast: Cast):
    with cast.command.acting(), pytest.raises(Conflict) as caught:
        perform_many("contact.place", "contact", ["K-1"], {"kind": "home"}, cast.command.actor)
    assert caught.value.code == "not-in-bulk"


def test_many_are_released_in_one_form_or_none(cast: Cast):
    ids = []
    for n in range(3):
        contact = make_contact(
            cast.officer, "02-14 10:00", exposure_last=EXPOSED, person=zhou(local_id=str(n))
        )
        place(cast.command, "02-14 12:00", contact)
        ids.append(contact.public_id)
    late = make_contact(cast.officer, "02-20 10:00", exposure_last=date(2020, 2, 20), person=li())
    place(cast.command, "02-20 12:00", late)

    def release(subjects: list[str]):
        return lambda *, actor: perform_many("contact.release", "contact", subjects, {}, actor)

    with pytest.raises(NotReleasable) as caught:
        do(cast.community, "02-26 12:00", release([*ids, late.public_id]))
    assert caught.value.details["subject"] == late.public_id
    assert all(loop_of(i).state == 0 for i in ids)
    assert len(do(cast.community, "02-26 12:00", release(ids))) == 3
    assert all(loop_of(i).state == 1 for i in ids)


@pytest.mark.parametrize("value", [20.0, 50.0])
def test_a_temperature_nobody_can_have_is_refused(cast: Cast, value: float):
    contact, _order = placed_contact(cast)
    with pytest.raises(ReadingInvalid):
        check(cast.community, "02-15 08:00", contact, value=value)


# --- reads ------------------------------------------------------------------------------------------


def test_the_gap_lists_are_the_difference_of_should_and_is(cast: Cast):
    make_case(cast.doctor, "02-15 09:00", classification="suspected", person=li(local_id="s"))
    confirmed = make_case(cast.doctor, "02-15 09:00", date_confirmation=local("02-15 09:00"))
    waiting = make_contact(cast.officer, "02-15 10:00", person=zhou(local_id="w"), exposure_last=EXPOSED)
    placed_contact(cast)
    with cast.command.acting(), clock.frozen(local("02-15 12:00")):
        gaps = all_gaps(COUNTY)
    assert (gaps["isolate"].should, gaps["isolate"].missing) == (4, 3)
    assert waiting.public_id in {row.subject_id for row in gaps["isolate"].rows}
    assert [row.subject_id for row in gaps["admit"].rows] == [confirmed.public_id]
    assert gaps["admit"].oldest == timedelta(hours=3)
    assert [row.reason for row in gaps["test"].rows] == ["suspected_not_tested"]
    assert gaps["treat"].missing == 1
    with cast.neighbor.acting(), clock.frozen(local("02-15 12:00")):
        assert all(gap.should == 0 for gap in all_gaps().values())
    with cast.command.acting(), clock.frozen(local("02-20 12:00")):
        assert gap_list("isolate", as_of=local("02-14 11:00")).missing == 1


def test_the_person_page_tells_everything_once_in_order(cast: Cast):
    source = make_case(cast.doctor, "02-13 09:00")
    contact, _order = placed_contact(cast, case=source.public_id)
    check(cast.community, "02-15 08:50", contact, value=38.0)
    case = do(cast.doctor, "02-16 18:00", care.convert_contact_to_case, contact.public_id)
    do(cast.doctor, "02-16 20:00", revise_case, case.public_id, {"severity": "mild"}, reason="seen")
    with cast.officer.acting(), clock.frozen(local("02-17 09:00")):
        log_read([contact.person_id], ["name"], "person page")
        page = person_page(contact.person.public_id)
    what = [entry.what for entry in page.entries]
    assert list(page.entries) == sorted(page.entries, key=lambda e: e.at)
    for expected in ("contact.exposed", "contact.confirmed", "contact.located", "order.started",
    "check.temperature",
                     "order.ended", "case.found"):  # fmt: skip
        assert what.count(expected) == 1, expected
    assert {loop.definition for loop in page.loops} == {"contact", "case"}
    assert page.duties
    assert [look.purpose for look in page.looks] == ["person page"]
    with cast.neighbor.acting(), pytest.raises(NotFound):
        person_page(contact.person.public_id)


def test_the_person_page_calls_a_duty_done_late_by_its_name(cast: Cast):
    contact = make_contact(cast.officer, "02-14 09:00")
    do(cast.community, "02-18 11:00", tracing.record_located, contact.public_id)
    with cast.officer.acting(), clock.frozen(local("02-18 12:00")):
        page = person_page(contact.person.public_id)
    late = next(entry for entry in page.entries if entry.what == "duty.done")
    assert late.data["label"] == {"zh": "找到本人", "en": "Find the person"}


def test_every_stage_of_the_loops_feeds_one_arc_of_one_ring():
    rings = find_rings()
    assert list(rings) == ["admission", "data"]
    fed = [source for ring in rings.values() for stage in ring.stages for source in stage.sources]
    assert len(fed) == len(set(fed))
    loops = packs.in_force("4203", date(2020, 2, 20)).loops
    stages = {(name, s["stage"]) for name, text in loops.items() for s in text.definition["stages"]}
    assert set(fed) == stages


def test_contacts_are_listed_with_what_they_owe(cast: Cast):
    contact, _order = placed_contact(cast)
    with cast.officer.acting(), clock.frozen(local("02-14 22:00")):
        [row] = list_contacts(ContactFilter(text="周", late=True)).rows
        assert (row.public_id, row.owed.late) == (contact.public_id, 2)
        assert list_contacts(ContactFilter(status=("released",))).rows == ()


def test_a_case_input_of_a_conversion_keeps_person_and_place(cast: Cast):
    contact, _order = placed_contact(cast)
    facts = CaseInput(
        person="", territory_code="", classification="asymptomatic", date_report=local("02-16 18:30")
    )
    with pytest.raises(CaseInvalid):  # the report would lie in the future
        do(cast.doctor, "02-15 18:00", care.convert_contact_to_case, contact.public_id, facts)
    case = do(cast.doctor, "02-16 19:00", care.convert_contact_to_case, contact.public_id, facts)
    assert (case.territory_code, case.person_id, case.classification) == (
        GRID,
        contact.person_id,
        "asymptomatic",
    )
