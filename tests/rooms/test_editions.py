"""Close contacts under the later national editions, played day by day: where they are, when they are
tested, until when, held to the rows of protocols.md, section 4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from bihuan.care import actions as care
from bihuan.care.actions import CheckInput, OrderInput
from bihuan.care.errors import NotMovable, NotReleasable, NotTwoStages, RecordIncomplete
from bihuan.care.models import Order
from bihuan.care.queries import find_order
from bihuan.cases.actions import CaseInput, record_test, report_case
from bihuan.registry import clock, scope
from bihuan.tracing import actions as tracing
from bihuan.tracing.actions import ContactInput, confirm_contact
from bihuan.tracing.actions.investigate import open_investigation
from bihuan.tracing.actions.pseudonyms import catch_up, keys_of
from bihuan.tracing.models import Contact, ContactProposal, Investigation
from tests.cast import GRID, Cast, Member
from tests.rooms.care_room import TZ, assert_holds, duties, li, loop_of, owed, zhou
from tests.rooms.investigation_room import CASE, ZHOU, registered

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Edition:
    """A row of protocols.md section 4: `exposed` is a day of the edition on which the last exposure lay."""

    exposed: date
    days: int
    tests: tuple[int, ...]
    home_days: int
    home_tests: tuple[int, ...]
    home_kind: str
    pack: str

    def day(self, number: int) -> date:
        """Exposure day `number`."""
        return self.exposed + timedelta(days=number)


EIGHTH = Edition(date(2021, 6, 1), 14, (1, 4, 7, 14), 7, (2, 7), "monitoring", "cn-nhc-2021-05")
NINTH = Edition(date(2022, 7, 10), 7, (1, 2, 3, 5, 7), 3, (3,), "monitoring", "cn-nhc-2022-06")
TWENTY = Edition(date(2022, 11, 15), 5, (1, 2, 3, 5), 3, (1, 3), "isolation", "cn-nhc-2022-11")


def on(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=TZ)


def do(who: Member, when: datetime, action: Any, *args: Any, **kwargs: Any) -> Any:
    with who.acting(), clock.frozen(when):
        return action(*args, actor=who.actor, **kwargs)


def named(cast: Cast, edition: Edition, day: int = 1, person: str = "") -> Contact:
    given = ContactInput(person=person or zhou(), territory_code=GRID, exposure_last=edition.exposed)
    contact = do(cast.officer, on(edition.day(day), 9), confirm_contact, given)
    do(cast.community, on(edition.day(day), 10), tracing.record_located, contact.public_id)
    return contact


def placed(
    cast: Cast, edition: Edition, day: int = 1, kind: str = "facility", person: str = ""
) -> tuple[Contact, Order]:
    contact = named(cast, edition, day, person)
    given = OrderInput(contact=contact.public_id, kind=kind)
    return contact, do(cast.command, on(edition.day(day), 11), care.record_placed, given)


def check_all(cast: Cast, contact: Contact, day: date) -> dict[str, int]:
    """Do today's temperatures and follow-ups; how many of each there were."""
    found: dict[str, int] = {}
    for key, duty in duties(contact.public_id, state=0).items():
        if duty.kind in ("temperature", "follow_up") and duty.due_at.astimezone(TZ).date() == day:
            value = 36.5 if duty.kind == "temperature" else None
            given = CheckInput(
                contact=contact.public_id, kind=duty.kind, value=value, at=duty.due_at, duty=key
            )
            do(cast.community, duty.due_at, care.record_daily_check, given)
            found[duty.kind] = found.get(duty.kind, 0) + 1
    return found


def swab(cast: Cast, contact: Contact, at: datetime, result: str = "negative") -> None:
    do(cast.community, at, care.record_contact_test, contact.public_id, result=result, sampled=at, at=at)


def due_days(contact: Contact, kind: str) -> list[date]:
    moment = timedelta(microseconds=1)
    found = [d for d in duties(contact.public_id).values() if d.kind == kind]
    return [(d.due_at - moment).astimezone(TZ).date() for d in found]


def refresh(order: Order) -> Order:
    with scope.system():
        order.refresh_from_db()
    return order


@pytest.mark.parametrize("edition", [EIGHTH, NINTH, TWENTY], ids=lambda e: e.pack)
def test_a_contact_goes_through_both_stages_of_the_edition(cast: Cast, edition: Edition):
    contact, order = placed(cast, edition)
    last_at_site, last = edition.day(edition.days), edition.day(edition.days + edition.home_days)
    test_days = [edition.day(n) for n in edition.tests]
    home_test_days = [last_at_site + timedelta(days=n) for n in edition.home_tests]
    assert edition.pack in order.pack
    assert (order.home_from, order.last_day) == (edition.day(edition.days + 1), last)
    assert order.tests_on == [*test_days, *home_test_days]
    assert order.home_kind == edition.home_kind

    day = edition.day(1)
    while day <= last:
        care.sweep(on(day, 0, 5))
        assert "release" in owed(contact.public_id)
        assert ("move" in owed(contact.public_id)) == (day <= last_at_site)
        checks = check_all(cast, contact, day)
        at_home = day > last_at_site
        assert checks.get("follow_up", 0) == (2 if at_home else 0), day
        assert checks["temperature"] == (1 if day == edition.day(1) else 2), day
        if day in order.tests_on:
            swab(cast, contact, on(day, 22))
        with scope.system():
            view = find_order(order.public_id, as_of=on(day, 12))
        assert (view.stage, view.stage_day) == (
            (2, (day - last_at_site).days) if at_home else (1, (day - edition.exposed).days)
        )
        if day == last_at_site:
            do(cast.community, on(day, 23), care.record_moved, contact.public_id)
        day += timedelta(days=1)

    assert due_days(contact, "test") == test_days
    assert due_days(contact, "home_test") == home_test_days
    assert owed(contact.public_id) == {"release"}
    do(cast.community, on(last, 23), care.release_contact, contact.public_id)
    assert (loop_of(contact.public_id).state, loop_of(contact.public_id).outcome) == (1, "released")
    assert {d.state for d in duties(contact.public_id).values()} == {1}
    assert_holds()


def test_who_is_found_late_serves_only_what_is_left_of_the_first_stage(cast: Cast):
    contact, order = placed(cast, NINTH, day=4)
    assert (order.home_from, order.last_day) == (NINTH.day(8), NINTH.day(10))
    assert order.tests_on == [
        NINTH.day(n) for n in (4, 5, 6, 7, 10)
    ]  # days 5 and 7 are both held on the last
    assert due_days(contact, "test") == order.tests_on[:-1]


def test_who_is_found_after_the_days_at_a_site_is_observed_at_home_only(cast: Cast):
    contact = named(cast, NINTH, day=8)
    at_site = OrderInput(contact=contact.public_id, kind="facility")
    with pytest.raises(RecordIncomplete):
        do(cast.command, on(NINTH.day(8), 11), care.record_placed, at_site)
    at_home = OrderInput(contact=contact.public_id, kind="home")
    order = do(cast.command, on(NINTH.day(8), 11), care.record_placed, at_home)
    assert (order.home_from, order.last_day, order.tests_on) == (NINTH.day(8), NINTH.day(10), [NINTH.day(10)])
    assert "move" not in owed(contact.public_id)
    assert "follow_up" in owed(contact.public_id)


def test_nobody_goes_home_before_the_last_day_or_with_a_test_missing(cast: Cast):
    contact, _order = placed(cast, TWENTY)
    with pytest.raises(NotMovable) as early:
        do(cast.community, on(TWENTY.day(4), 12), care.record_moved, contact.public_id)
    assert "too_early" in early.value.details["reasons"]
    with pytest.raises(NotMovable) as untested:
        do(cast.community, on(TWENTY.day(5), 12), care.record_moved, contact.public_id)
    assert set(untested.value.details["reasons"]) == {"test_missing"}


def test_nobody_is_held_at_the_site_beyond_its_days_and_the_way_home_is_late(cast: Cast):
    contact, order = placed(cast, TWENTY)
    care.sweep(on(TWENTY.day(7), 12))
    assert "move" in owed(contact.public_id)
    move = duties(contact.public_id)["move#1"]
    assert move.due_at == on(TWENTY.day(6), 12)  # the pack's 12 hours after midnight
    assert move.owner_post_id
    do(cast.community, on(TWENTY.day(7), 12), care.record_moved, contact.public_id)
    assert refresh(order).last_day == TWENTY.day(8)
    assert order.moved_at == on(TWENTY.day(7), 12)


def test_a_move_told_late_stands_where_it_belongs(cast: Cast):
    contact, order = placed(cast, TWENTY)
    care.sweep(on(TWENTY.day(7), 12))
    do(cast.community, on(TWENTY.day(7), 12), care.record_moved, contact.public_id, at=on(TWENTY.day(6), 8))
    assert refresh(order).moved_at == on(TWENTY.day(6), 8)
    follow_ups = [d for d in duties(contact.public_id).values() if d.kind == "follow_up"]
    assert min(d.due_at for d in follow_ups) == on(TWENTY.day(6), 9)
    assert_holds()


def test_a_result_of_the_site_that_comes_at_home_answers_no_test_of_the_home_stage(cast: Cast):
    contact, _order = placed(cast, NINTH)
    care.sweep(on(NINTH.day(8), 9))
    do(
        cast.community, on(NINTH.day(8), 9), care.record_contact_test, contact.public_id,
        result="negative", sampled=on(NINTH.day(7), 20), at=on(NINTH.day(8), 9),
    )  # fmt: skip
    assert {d.state for d in duties(contact.public_id).values() if d.kind == "home_test"} == {0}
    assert duties(contact.public_id)["test/7"].state == 1


def test_a_positive_in_the_second_stage_owes_a_decision_and_a_case_ends_both(cast: Cast):
    contact, order = placed(cast, NINTH)
    for n in NINTH.tests:
        swab(cast, contact, on(NINTH.day(n), 8))
    do(cast.community, on(NINTH.day(7), 18), care.record_moved, contact.public_id)
    swab(cast, contact, on(NINTH.day(9), 8), "positive")
    assert "confirm" in owed(contact.public_id)
    with pytest.raises(NotReleasable):
        do(cast.community, on(NINTH.day(10), 20), care.release_contact, contact.public_id)
    do(cast.officer, on(NINTH.day(9), 9), care.convert_contact_to_case, contact.public_id)
    assert refresh(order).end_reason == "became_case"
    assert owed(contact.public_id) == set()
    assert_holds()


def test_a_new_exposure_at_home_starts_the_days_again_and_moves_nobody(cast: Cast):
    contact, _order = placed(cast, NINTH)
    for n in NINTH.tests:
        swab(cast, contact, on(NINTH.day(n), 8))
    do(cast.community, on(NINTH.day(7), 18), care.record_moved, contact.public_id)
    do(cast.command, on(NINTH.day(9), 9), tracing.record_exposure, contact.public_id, last=NINTH.day(9))
    new = do(
        cast.command, on(NINTH.day(9), 10), care.extend_observation, contact.public_id, evidence="再次接触"
    )
    assert (new.kind, new.home_from, new.last_day) == ("home", NINTH.day(17), NINTH.day(19))
    assert "move" not in owed(contact.public_id)
    with pytest.raises(NotTwoStages):
        do(cast.community, on(NINTH.day(16), 20), care.record_moved, contact.public_id)


def test_under_the_seventh_edition_observation_has_one_stage_of_fourteen_days(cast: Cast):
    seventh = Edition(date(2021, 3, 1), 14, (1, 7, 14), 0, (), "", "cn-nhc-2020-09")
    contact, order = placed(cast, seventh)
    assert (order.home_from, order.home_kind, order.last_day) == (None, "", seventh.day(14))
    assert order.tests_on == [seventh.day(n) for n in seventh.tests]
    assert owed(contact.public_id) == {"temperature", "test", "release"}


def test_the_last_test_is_owed_on_the_last_day_of_who_was_found_late(cast: Cast):
    seventh = Edition(date(2021, 3, 1), 14, (1, 7, 14), 0, (), "", "cn-nhc-2020-09")
    contact, order = placed(cast, seventh, day=5)
    assert order.tests_on == [seventh.day(n) for n in (5, 11, 14)]
    assert due_days(contact, "test") == order.tests_on


# --- from when on contacts count --------------------------------------------------------------------


@pytest.fixture
def _home(settings: Any, tmp_path: Path) -> None:
    settings.BIHUAN_HOME = tmp_path


def frequent_tester(cast: Cast, positive: datetime) -> Investigation:
    """Found without symptoms by a test; negative 26 and 12 hours before, and again long after."""
    given = CaseInput(
        person=li(), territory_code=GRID, classification="asymptomatic", date_confirmation=positive,
        date_isolation=positive + timedelta(hours=6),
    )  # fmt: skip
    case = do(cast.officer, positive + timedelta(hours=7), report_case, given)
    for hours, result in ((-26, "negative"), (-12, "negative"), (0, "positive"), (6, "negative")):
        taken = positive + timedelta(hours=hours)
        later = positive + timedelta(hours=8)
        do(cast.officer, later, record_test, case.public_id, result=result, sampled=taken, at=later)
    return do(
        cast.officer, positive + timedelta(hours=9), open_investigation, case.public_id, purpose="查密接"
    )


@pytest.mark.usefixtures("_home")
def test_the_window_of_who_was_found_by_frequent_testing_opens_with_the_last_negative(cast: Cast):
    found = frequent_tester(cast, on(date(2022, 7, 12), 8))
    assert found.window_from == on(date(2022, 7, 11), 20)
    assert found.window_to == on(date(2022, 7, 12), 14)


@pytest.mark.usefixtures("_home")
def test_before_the_ninth_edition_it_opens_two_days_before_the_sample(cast: Cast):
    assert frequent_tester(cast, on(date(2022, 6, 12), 8)).window_from == on(date(2022, 6, 10), 0)


# --- contacts of contacts ---------------------------------------------------------------------------


def second(cast: Cast, edition: Edition, kind: str) -> tuple[Contact, Contact, Order]:
    """A close contact under observation, a contact of hers, and the order of that one, on the day after."""
    close, _order = placed(cast, edition, person=registered("周小明", ZHOU).public_id)
    at = edition.day(1)
    with clock.frozen(on(at, 12)):
        catch_up(everybody=True)
    told = ContactInput(
        person=li(), territory_code=GRID, exposure_last=edition.exposed, criterion="secondary: 同住"
    )
    behind = do(cast.officer, on(at, 12), confirm_contact, told)
    with scope.system():
        [key] = keys_of([close.person_id])[close.person_id][:1]
        ill = CaseInput(
            person=registered("赵源", CASE).public_id, territory_code=GRID, classification="confirmed",
            date_confirmation=on(at, 8),
        )  # fmt: skip
        case = do(cast.officer, on(at, 12), report_case, ill)
        asked = do(cast.officer, on(at, 12), open_investigation, case.public_id, purpose="查密接")
        ContactProposal.objects.create(
            investigation=asked, person=behind.person, contact=behind, order=2, state="confirmed",
            criterion="secondary", reason="同住", decided_by_name="officer", territory_code=GRID,
            encounters=[{"other": [key]}], recorded_at=on(at, 12), first_at=on(at, 8), last_at=on(at, 9),
        )  # fmt: skip
    given = OrderInput(contact=behind.public_id, kind=kind)
    return close, behind, do(cast.command, on(at, 13), care.record_placed, given)


@pytest.mark.usefixtures("_home")
@pytest.mark.parametrize(
    ("edition", "kind"), [(EIGHTH, "facility"), (NINTH, "home")], ids=["eighth", "ninth"]
)
def test_a_contact_of_a_contact_is_observed_for_seven_days(cast: Cast, edition: Edition, kind: str):
    close, behind, order = second(cast, edition, kind)
    assert (order.rule, order.home_from, order.last_day) == ("secondary.days", None, edition.day(7))
    assert order.tests_on == [edition.day(n) for n in (1, 4, 7)]
    for n in (1, 4, 7):
        swab(cast, behind, on(edition.day(n), 14))
    with pytest.raises(NotReleasable) as waiting:
        do(cast.community, on(edition.day(7), 20), care.release_contact, behind.public_id)
    assert waiting.value.details["reasons"] == ["source_missing"]
    for n in edition.tests[:2]:
        swab(cast, close, on(edition.day(n), 15))
    do(cast.community, on(edition.day(7), 20), care.release_contact, behind.public_id)
    assert_holds()


@pytest.mark.usefixtures("_home")
def test_once_the_contact_between_is_a_case_a_longer_observation_is_to_be_decided(cast: Cast):
    close, behind, order = second(cast, NINTH, "home")
    do(cast.officer, on(NINTH.day(3), 9), care.convert_contact_to_case, close.public_id)
    assert "extend" in owed(behind.public_id)
    assert refresh(order).ended_at is None  # nobody is restricted longer without a decision
    new = do(
        cast.command, on(NINTH.day(3), 10), care.extend_observation, behind.public_id,
        evidence="密接转为病例", kind="facility",
    )  # fmt: skip
    assert (new.rule, new.kind) == ("observation.days", "facility")
    assert (new.home_from, new.last_day) == (NINTH.day(9), NINTH.day(11))
    assert "extend" not in owed(behind.public_id)
    assert_holds()


@pytest.mark.usefixtures("_home")
def test_when_a_source_falls_both_stages_and_their_tests_are_counted_from_what_is_left(cast: Cast):
    day = NINTH.day(2)
    cases = []
    for person in (li(), zhou()):
        ill = CaseInput(
            person=person, territory_code=GRID, classification="suspected", date_diagnosis=on(day, 7)
        )
        cases.append(do(cast.officer, on(day, 8), report_case, ill).public_id)
    met = registered("武强", CASE).public_id
    for case, exposed in zip(cases, (NINTH.day(0), day), strict=True):
        told = ContactInput(person=met, territory_code=GRID, case=case, exposure_last=exposed)
        contact = do(cast.officer, on(day, 9), confirm_contact, told)
    given = OrderInput(contact=contact.public_id, kind="facility")
    order = do(cast.command, on(day, 11), care.record_placed, given)
    assert (order.home_from, order.last_day) == (NINTH.day(10), NINTH.day(12))
    do(cast.officer, on(NINTH.day(3), 9), care.exclude_case, cases[1], reason="两次阴性")
    assert (refresh(order).home_from, order.last_day) == (NINTH.day(8), NINTH.day(10))
    assert order.tests_on == [NINTH.day(n) for n in (2, 3, 4, 6, 7, 10)]
    live = [d for d in duties(contact.public_id).values() if d.state == 0 and "test" in d.kind]
    moment = timedelta(microseconds=1)
    assert [(d.due_at - moment).astimezone(TZ).date() for d in live] == order.tests_on
    assert_holds()
