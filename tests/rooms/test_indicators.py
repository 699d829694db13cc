"""Indicators of contact tracing on a world made by hand: what is counted, of what, and as of when."""

from __future__ import annotations

from datetime import date

import pytest

from bihuan.care import actions as care
from bihuan.care.queries.indicators import Indicator, tracing_indicators
from bihuan.cases.actions import record_investigation, revise_case
from bihuan.cases.models import Case
from bihuan.tracing.actions import record_located
from bihuan.tracing.actions.links import LinkInput, link_cases
from bihuan.tracing.models import Contact
from tests.cast import COUNTY, GRID, NEXT_COUNTY, Cast
from tests.rooms.care_room import do, li, local, make_case, make_contact, zhou

pytestmark = pytest.mark.django_db


def told(cast: Cast, when: str, territory: str = COUNTY) -> dict[str, Indicator]:
    with cast.officer.acting():
        return {one.key: one for one in tracing_indicators(territory, as_of=local(when)).rows}


def shares(cast: Cast, when: str, territory: str = COUNTY) -> dict[str, tuple[int, int]]:
    return {key: (one.numerator, one.denominator) for key, one in told(cast, when, territory).items()}


@pytest.fixture
def source(cast: Cast) -> Case:
    """Confirmed on 12 February at nine, found then, investigated that evening."""
    found = make_case(
        cast.officer, "02-12 10:00", person=li(), classification="confirmed",
        date_onset=date(2020, 2, 10), date_confirmation=local("02-12 09:00"),
    )  # fmt: skip
    do(cast.officer, "02-12 20:00", record_investigation, found.public_id, no_track="paper_form")
    return found


def named(cast: Cast, source: Case, name: str) -> Contact:
    person = zhou(local_id=name)
    return make_contact(
        cast.officer, "02-12 17:00", person=person, case=source.public_id, exposure_last=date(2020, 2, 12)
    )


def placed(cast: Cast, contact: Contact, when: str) -> None:
    do(cast.community, when, record_located, contact.public_id)
    do(cast.command, when, care.record_placed, care.OrderInput(contact.public_id, place="汉江路12号"))


def test_where_nothing_happened_there_is_nothing_to_divide_by(cast):
    found = told(cast, "02-14 12:00")
    assert len(found) == 11
    assert {(one.numerator, one.denominator, one.value, one.is_met) for one in found.values()} == {
        (0, 0, None, None)
    }


def test_traced_counts_who_was_placed_in_72_hours_and_nobody_whose_clock_runs(cast, source):
    quick, slow = named(cast, source, "1"), named(cast, source, "2")
    placed(cast, quick, "02-12 20:00")
    assert shares(cast, "02-12 19:00")["traced_72h"] == (0, 0)
    assert shares(cast, "02-14 12:00")["traced_72h"] == (1, 1)
    placed(cast, slow, "02-15 10:00")
    late = told(cast, "02-15 12:00")["traced_72h"]
    assert (late.numerator, late.denominator, late.value, late.is_met) == (1, 2, 0.5, False)
    assert shares(cast, "02-15 12:00", GRID)["traced_72h"] == (1, 2)


def test_placed_counts_from_the_day_somebody_was_confirmed_as_a_contact(cast, source):
    quick, slow = named(cast, source, "1"), named(cast, source, "2")
    placed(cast, quick, "02-13 16:00")
    assert shares(cast, "02-13 16:30")["placed_24h"] == (1, 1)
    placed(cast, slow, "02-13 18:00")
    assert shares(cast, "02-13 19:00")["placed_24h"] == (1, 2)


def test_whoever_falls_ill_under_observation_is_sampled_within_a_day_of_the_first_signs(cast, source):
    quick, slow, well = (named(cast, source, name) for name in "123")
    for one in (quick, slow, well):
        placed(cast, one, "02-12 20:00")
    do(cast.community, "02-13 07:00", care.record_contact_test, quick.public_id, result="pending",
       sampled=local("02-13 07:00"))  # fmt: skip
    for one in (quick, slow):
        ill = care.CheckInput(contact=one.public_id, kind="temperature", value=38.2)
        do(cast.community, "02-13 08:30", care.record_daily_checks, [ill])
    assert shares(cast, "02-13 12:00")["symptomatic_24h"] == (0, 0)  # the routine specimen was before
    do(cast.community, "02-13 20:00", care.record_contact_test, quick.public_id, result="pending",
       sampled=local("02-13 20:00"))  # fmt: skip
    assert shares(cast, "02-13 21:00")["symptomatic_24h"] == (1, 1)
    do(cast.community, "02-14 20:00", care.record_contact_test, slow.public_id, result="pending",
       sampled=local("02-14 20:00"))  # fmt: skip
    late = told(cast, "02-14 21:00")["symptomatic_24h"]
    assert (late.numerator, late.denominator, late.is_met) == (1, 2, False)


def test_a_specimen_known_by_its_day_counts_on_the_day_of_the_signs_and_not_before(cast, source):
    same, before = named(cast, source, "1"), named(cast, source, "2")
    for one, day in ((same, date(2020, 2, 14)), (before, date(2020, 2, 13))):
        placed(cast, one, "02-12 20:00")
        ill = care.CheckInput(contact=one.public_id, kind="temperature", value=38.2)
        do(cast.community, "02-14 08:30", care.record_daily_checks, [ill])
        do(
            cast.community,
            "02-14 20:00",
            care.record_contact_test,
            one.public_id,
            result="pending",
            sampled=day,
        )
    assert shares(cast, "02-15 21:00")["symptomatic_24h"] == (1, 2)


def test_a_result_or_a_confirmation_within_a_day_of_the_signs_tells_of_the_specimen(cast, source):
    known, confirmed, late = (named(cast, source, name) for name in "123")
    for one in (known, confirmed, late):
        placed(cast, one, "02-12 20:00")
        ill = care.CheckInput(contact=one.public_id, kind="temperature", value=38.2)
        do(cast.community, "02-13 08:30", care.record_daily_checks, [ill])
    do(cast.community, "02-13 20:00", care.record_contact_test, known.public_id, result="negative",
       at=local("02-13 20:00"))  # fmt: skip
    for one, when in ((confirmed, "02-13 21:00"), (late, "02-14 21:00")):
        case = do(cast.officer, when, care.convert_contact_to_case, one.public_id)
        do(cast.officer, when, revise_case, case.public_id, {"date_confirmation": local(when)}, reason="x")
    assert shares(cast, "02-14 22:00")["symptomatic_24h"] == (2, 3)


def test_followed_up_today_is_of_those_under_observation_on_that_local_day(cast, source):
    one, two = named(cast, source, "1"), named(cast, source, "2")
    placed(cast, one, "02-12 20:00")
    placed(cast, two, "02-12 20:00")
    given = care.CheckInput(contact=one.public_id, kind="temperature", value=36.5)
    do(cast.community, "02-13 08:30", care.record_daily_checks, [given])
    assert shares(cast, "02-13 07:00")["followed_today"] == (0, 2)
    assert shares(cast, "02-13 23:00")["followed_today"] == (1, 2)
    assert shares(cast, "02-14 00:10")["followed_today"] == (0, 2)
    assert shares(cast, "02-12 12:00")["followed_today"] == (0, 0)


def test_completing_is_of_ends_and_breaks_and_leaves_out_who_became_a_case(cast, source):
    whole, gone, ill = (named(cast, source, name) for name in "123")
    for one in (whole, gone, ill):
        placed(cast, one, "02-12 20:00")
    do(cast.officer, "02-14 09:00", care.convert_contact_to_case, ill.public_id)
    assert shares(cast, "02-14 12:00")["completing"] == (0, 0)
    do(cast.community, "02-20 09:00", care.record_lost, gone.public_id, reason="搬走")
    assert shares(cast, "02-20 12:00")["completing"] == (0, 1)
    care.sweep(local("02-27 00:30"))
    assert shares(cast, "02-27 12:00")["completing"] == (1, 2)
    assert shares(cast, "02-19 12:00")["completing"] == (0, 0)


def test_cases_among_contacts_their_links_and_the_interviews_it_took(cast, source):
    ill, free = named(cast, source, "1"), named(cast, source, "2")
    placed(cast, ill, "02-12 20:00")
    do(cast.officer, "02-14 09:00", care.convert_contact_to_case, ill.public_id)
    do(cast.officer, "02-14 10:00", care.convert_contact_to_case, free.public_id)
    found = shares(cast, "02-14 12:00")
    assert found["among_contacts"] == (2, 3)
    assert found["in_quarantine"] == (1, 3)
    assert found["unlinked"] == (1, 3)  # the first case
    assert found["interviews_per_case"] == (1, 2)
    before = shares(cast, "02-13 12:00")
    assert (before["among_contacts"], before["unlinked"]) == ((0, 1), (1, 1))


def test_an_imported_case_needs_no_link(cast, source):
    make_case(
        cast.officer, "02-13 10:00", person=zhou(), classification="confirmed", origin="imported",
        date_confirmation=local("02-13 09:00"),
    )  # fmt: skip
    assert shares(cast, "02-13 12:00")["unlinked"] == (1, 1)
    assert shares(cast, "02-13 12:00")["among_contacts"] == (0, 2)


def test_without_contacts_and_interviewed_wait_for_a_day_before_they_blame(cast, source):
    named(cast, source, "1")
    make_case(
        cast.officer, "02-13 10:00", person=zhou(local_id="x"), classification="confirmed",
        date_confirmation=local("02-13 09:00"),
    )  # fmt: skip
    early = shares(cast, "02-13 12:00")
    assert (early["without_contacts"], early["interviewed_24h"]) == ((0, 1), (1, 1))
    later = told(cast, "02-14 12:00")
    assert (later["without_contacts"].value, later["interviewed_24h"].value) == (0.5, 0.5)
    assert (later["without_contacts"].is_met, later["interviewed_24h"].is_met) == (False, False)


def test_what_lies_before_the_days_asked_about_or_elsewhere_is_not_counted(cast, source):
    named(cast, source, "1")
    assert shares(cast, "02-20 12:00")["among_contacts"] == (0, 1)
    assert set(shares(cast, "02-27 12:00").values()) == {(0, 0)}
    assert set(shares(cast, "02-20 12:00", NEXT_COUNTY).values()) == {(0, 0)}
    with cast.neighbor.acting():
        rows = tracing_indicators("", as_of=local("02-20 12:00")).rows
    assert {one.denominator for one in rows} == {0}


def test_a_case_counts_as_it_was_classified_at_that_moment(cast, source):
    suspected = make_case(
        cast.officer, "02-13 10:00", person=zhou(local_id="x"), classification="suspected",
        date_visit=local("02-13 09:00"),
    )  # fmt: skip
    revise(cast, "02-14 10:00", suspected, classification="confirmed", date_confirmation=local("02-14 09:30"))
    revise(cast, "02-15 10:00", source, classification="discarded")
    moments = ("02-13 12:00", "02-14 12:00", "02-15 12:00")
    assert [shares(cast, when)["among_contacts"][1] for when in moments] == [1, 2, 1]


def test_contacts_interviews_and_links_of_later_days_do_not_count(cast, source):
    other = make_case(
        cast.officer, "02-13 10:00", person=zhou(local_id="x"), classification="confirmed",
        date_confirmation=local("02-13 09:00"),
    )  # fmt: skip
    do(cast.officer, "02-16 09:00", record_investigation, other.public_id, no_track="paper_form")
    link = LinkInput(source.public_id, other.public_id)
    do(cast.officer, "02-16 10:00", link_cases, [link])
    make_contact(
        cast.officer, "02-16 11:00", person=zhou(local_id="y"), case=other.public_id,
        exposure_last=date(2020, 2, 13),
    )  # fmt: skip
    before, after = shares(cast, "02-15 12:00"), shares(cast, "02-16 12:00")
    assert (before["unlinked"], after["unlinked"]) == ((2, 2), (1, 2))
    assert (before["without_contacts"], after["without_contacts"]) == ((2, 2), (1, 2))
    assert (before["interviews_per_case"], after["interviews_per_case"]) == ((1, 0), (2, 0))


def test_a_list_of_the_past_counts_with_all_it_brought(cast, source):
    other = make_case(
        cast.officer, "02-20 10:00", person=zhou(local_id="x"), classification="confirmed",
        date_confirmation=local("02-13 09:00"),
    )  # fmt: skip
    do(cast.officer, "02-20 10:05", link_cases, [LinkInput(source.public_id, other.public_id)])
    assert shares(cast, "02-14 12:00")["unlinked"] == (1, 2)


def revise(cast: Cast, when: str, case: Case, **changes: object) -> None:
    do(cast.officer, when, revise_case, case.public_id, changes=changes, reason="复核")
