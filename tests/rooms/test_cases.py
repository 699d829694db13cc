"""Cases through their verbs: reported, revised with the original kept, treated, followed up, closed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection

from bihuan.care import actions as care
from bihuan.cases import actions
from bihuan.cases.actions import CaseInput, report_cases
from bihuan.cases.errors import CaseClosed, CaseInvalid, UnknownCase
from bihuan.cases.models import Case, CaseRevision
from bihuan.cases.queries import (
    CaseFilter,
    clearance,
    count_cases,
    find_case,
    five_intervals,
    headline_rates,
    ledger,
    list_cases,
)
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid, NotAllowed
from tests.cast import COUNTY, GRID, NEXT_COUNTY, Cast
from tests.rooms.care_room import (
    assert_holds,
    do,
    due,
    duties,
    li,
    local,
    loop_of,
    make_case,
    owed,
    sweep,
    zhou,
)

pytestmark = pytest.mark.django_db


def test_opening_a_suspected_case_starts_the_report_clock_and_the_investigation_at_one_moment(cast: Cast):
    case = make_case(
        cast.doctor, "02-17 09:00", classification="suspected", date_diagnosis=local("02-17 08:30")
    )
    found = duties(case.public_id)
    assert found["report#1"].opened_at == found["investigation#1"].opened_at == local("02-17 08:30")
    assert due(found["report#1"]) == "02-17 10:30"
    assert owed(case.public_id) == {"report", "investigation", "test", "isolation"}
    assert due(found["test#1"]) == "02-18 00:00"
    assert_holds()


def test_the_investigation_has_twenty_four_hours_from_the_report(cast: Cast):
    case = make_case(cast.doctor, "02-17 09:00", date_confirmation=local("02-17 09:00"))
    do(cast.doctor, "02-17 13:00", actions.record_reported, case.public_id)
    found = duties(case.public_id)
    assert due(found["investigation#1"]) == "02-18 13:00"
    assert due(found["review#1"]) == "02-17 15:00"


def test_a_case_goes_from_report_to_the_last_follow_up_and_the_loop_closes(cast: Cast):
    case = make_case(
        cast.doctor, "02-17 09:00", date_confirmation=local("02-17 09:00"), date_report=local("02-17 09:40")
    )
    do(cast.officer, "02-17 10:30", actions.record_review, case.public_id, finding="complete")
    told = {"contacts_found": 3, "no_track": "paper_form"}
    do(cast.officer, "02-17 20:00", actions.record_investigation, case.public_id, **told)
    do(cast.transfer, "02-17 12:00", actions.record_transfer, case.public_id, to="市人民医院")
    do(cast.hospital, "02-17 12:30", actions.record_admission, case.public_id, facility="市人民医院")
    assert owed(case.public_id) == {"outcome"}
    do(cast.hospital, "03-05 10:00", actions.record_outcome, case.public_id, outcome="recovered")
    assert owed(case.public_id) == {"follow_up"}
    assert [due(d) for d in duties(case.public_id, state=0).values()] == ["03-20 00:00", "04-03 00:00"]
    do(cast.hospital, "03-19 10:00", care.record_follow_up, case.public_id, week=2)
    do(cast.hospital, "04-02 10:00", care.record_follow_up, case.public_id, week=4)
    loop = loop_of(case.public_id)
    assert (loop.state, loop.outcome) == (1, "completed")
    assert all(d.state == 1 for d in duties(case.public_id).values())
    assert_holds()


def test_a_death_ends_treatment_but_not_the_report_still_owed(cast: Cast):
    case = make_case(cast.doctor, "02-17 09:00", date_confirmation=local("02-17 09:00"))
    do(cast.hospital, "02-17 20:00", actions.record_outcome, case.public_id, outcome="died")
    assert owed(case.public_id) == {"report", "investigation"}
    do(cast.doctor, "02-17 21:00", actions.record_reported, case.public_id)
    do(cast.officer, "02-17 22:00", actions.record_review, case.public_id)
    do(cast.officer, "02-18 09:00", actions.record_investigation, case.public_id, no_track="paper_form")
    assert loop_of(case.public_id).outcome == "died"
    assert_holds()


def test_a_revision_keeps_the_original_and_both_times(cast: Cast):
    case = make_case(cast.doctor, "02-17 09:00", classification="suspected", date_onset=date(2020, 2, 12))
    do(
        cast.doctor,
        "02-18 15:00",
        actions.revise_case,
        case.public_id,
        {"classification": "confirmed", "date_onset": date(2020, 2, 10)},
        reason="positive result",
        at=local("02-18 14:00"),
    )
    with scope.system():
        kept = {r.field: r for r in CaseRevision.objects.filter(case=case)}
    assert (kept["date_onset"].old, kept["date_onset"].new) == ("2020-02-12", "2020-02-10")
    assert (kept["classification"].old, kept["classification"].new) == ("suspected", "confirmed")
    assert kept["classification"].at == local("02-18 14:00")
    assert kept["classification"].recorded_at == local("02-18 15:00")
    assert loop_of(case.public_id).opened_at == local("02-17 09:00")
    assert {"transfer", "admission"} <= owed(case.public_id)
    assert "test" not in owed(case.public_id)
    assert_holds()


def test_a_mistyped_admission_corrected_moves_the_duties_and_back_again(cast: Cast):
    case = make_case(cast.doctor, "02-17 09:00", date_confirmation=local("02-17 09:00"))
    do(cast.hospital, "02-17 12:00", actions.record_admission, case.public_id)
    assert "admission" not in owed(case.public_id)
    for at, when in (("02-17 13:00", None), ("02-17 14:00", local("02-17 12:00")), ("02-17 15:00", None)):
        do(
            cast.hospital,
            at,
            actions.revise_case,
            case.public_id,
            {"date_admission": when},
            reason="wrong person",
        )
        assert ("admission" in owed(case.public_id)) is (when is None), at
    assert_holds()


def test_a_suspected_case_tested_must_be_concluded(cast: Cast):
    case = make_case(cast.doctor, "02-17 09:00", classification="suspected")
    do(
        cast.doctor,
        "02-17 18:00",
        actions.record_test,
        case.public_id,
        result="negative",
        sampled=local("02-17 10:00"),
    )
    found = duties(case.public_id)
    assert found["test#1"].state == 1
    assert due(found["conclusion#1"]) == "02-18 18:00"
    do(cast.doctor, "02-18 10:00", care.exclude_case, case.public_id, reason="two negatives")
    loop = loop_of(case.public_id)
    assert (loop.state, loop.outcome) == (1, "discarded")
    with pytest.raises(CaseClosed):
        do(cast.hospital, "02-18 11:00", actions.record_admission, case.public_id)
    assert_holds()


def test_a_date_alone_is_late_only_when_its_day_has_passed(cast: Cast):
    make = {
        "date_confirmation": date(2020, 2, 3),
        "date_report": date(2020, 2, 3),
        "date_admission": date(2020, 2, 4),
    }
    case = make_case(cast.officer, "02-20 09:00", **make)
    found = duties(case.public_id)
    assert (found["report#1"].state, found["report#1"].ended_day_only) == (1, True)
    assert found["report#1"].ended_at <= found["report#1"].due_at
    assert found["admission#1"].ended_at >= found["admission#1"].due_at


def test_many_cases_are_reported_with_few_statements_and_every_loop_opens(
    cast: Cast, django_assert_max_num_queries
):
    inputs = [
        CaseInput(
            person=zhou(local_id=str(n)), territory_code=GRID, local_id=f"TJ{n}",
            date_confirmation=date(2020, 2, 1),
            date_onset=date(2020, 1, 25), source_key=f"file:{n}",
        )
        for n in range(300)
    ]  # fmt: skip
    actor = Actor.system("import", door="import")
    with scope.system(), clock.frozen(local("02-05 09:00")):
        with django_assert_max_num_queries(60):
            first = report_cases(inputs, actor=actor)
        again = report_cases(inputs, actor=actor)
        assert Case.objects.count() == 300
    assert (first.known, again.known) == (0, 300)
    assert [c[1] for c in first.cases] == [c[1] for c in again.cases]
    assert_holds()


def test_one_wrong_row_stops_all_and_names_row_field_and_way_out(cast: Cast):
    good = CaseInput(person=zhou(), territory_code=GRID)
    bad = CaseInput(person=zhou(), territory_code=GRID, date_onset=date(2020, 3, 1), classification="ill")
    with cast.officer.acting(), clock.frozen(local("02-05 09:00")):
        with pytest.raises(CaseInvalid) as caught:
            report_cases([good, bad], actor=cast.officer.actor)
        assert Case.objects.count() == 0
    assert [(e["row"], e["field"], e["rule"]) for e in caught.value.errors] == [
        (1, "classification", "choice"),
        (1, "date_onset", "future"),
    ]
    assert all(e["message"] and e["hint"] for e in caught.value.errors)


def test_an_officer_of_the_next_county_neither_reports_here_nor_sees_it(cast: Cast):
    case = make_case(cast.doctor, "02-17 09:00")
    with cast.neighbor.acting():
        with pytest.raises(NotAllowed):
            report_cases([CaseInput(person=zhou(), territory_code=GRID)], actor=cast.neighbor.actor)
        with pytest.raises(UnknownCase):
            actions.revise_case(case.public_id, {"severity": "mild"}, reason="x", actor=cast.neighbor.actor)
        with pytest.raises(UnknownCase):
            find_case(case.public_id)
        assert list_cases(CaseFilter()).rows == ()
        assert list_cases(CaseFilter(territory=COUNTY)).rows == ()
    with cast.city.acting():
        assert len(list_cases(CaseFilter(territory=COUNTY)).rows) == 1
        assert list_cases(CaseFilter(territory=NEXT_COUNTY)).rows == ()


def test_row_level_security_alone_hides_cases_of_another_county(cast: Cast):
    make_case(cast.doctor, "02-17 09:00")
    with cast.neighbor.acting(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE bihuan_door")
        for table in ("cases_case", "cases_caseevent"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table
        cursor.execute("RESET ROLE")
    with cast.officer.acting(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE bihuan_door")
        cursor.execute("SELECT count(*) FROM cases_case")
        assert cursor.fetchone() == (1,)
        cursor.execute("RESET ROLE")


def test_the_verbs_work_for_the_role_that_serves_the_doors(cast: Cast):
    with cast.doctor.acting(), clock.frozen(local("02-17 09:00")), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE bihuan_door")
        case = actions.report_case(CaseInput(person=li(), territory_code=GRID), actor=cast.doctor.actor)
        actions.record_reported(case.public_id, actor=cast.doctor.actor)
        cursor.execute("RESET ROLE")
    assert "review" in owed(case.public_id)


# --- lists ------------------------------------------------------------------------------------------


@pytest.fixture
def twelve(cast: Cast) -> list[str]:
    inputs = [
        CaseInput(
            person=zhou() if n % 2 else li(), territory_code=GRID, local_id=f"SY-{n:03}",
            classification="suspected" if n % 3 == 0 else "confirmed",
            date_diagnosis=date(2020, 2, 1) + timedelta(days=n // 2),
            date_onset=None if n % 4 == 0 else date(2020, 1, 20) + timedelta(days=n),
        )
        for n in range(12)
    ]  # fmt: skip
    with scope.system(), clock.frozen(local("02-20 09:00")):
        made = report_cases(inputs, actor=Actor.system("import", door="import"))
    return [public_id for _pk, public_id in made.cases]


@pytest.mark.parametrize(
    "sort", ["", "-found_at", "found_at", "-date_onset", "date_onset", "-date_report", "due"]
)
def test_pages_follow_one_another_without_gap_or_repeat(cast: Cast, twelve: list[str], sort: str):
    with cast.officer.acting():
        seen: list[str] = []
        cursor = ""
        while True:
            page = list_cases(CaseFilter(sort=sort), cursor=cursor, size=5)
            seen += [row.public_id for row in page.rows]
            cursor = page.next
            if not cursor:
                break
    assert sorted(seen) == sorted(twelve)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("text", "n"), [("周", 6), ("zhou", 6), ("zxm", 6), ("lif", 6), ("SY-00", 10), ("吴", 0)]
)
def test_people_are_found_by_name_pinyin_initials_and_case_number(
    cast: Cast, twelve: list[str], text: str, n: int
):
    with cast.officer.acting():
        assert len(list_cases(CaseFilter(text=text)).rows) == n


def test_filters_narrow_and_join(cast: Cast, twelve: list[str]):
    with cast.officer.acting(), clock.frozen(local("02-20 09:00")):
        assert len(list_cases(CaseFilter(classification=("suspected",))).rows) == 4
        assert len(list_cases(CaseFilter(stage="transfer")).rows) == 8
        assert len(list_cases(CaseFilter(late=True)).rows) == 12
        assert len(list_cases(CaseFilter(late=False)).rows) == 0
        [row] = list_cases(CaseFilter(text=twelve[3])).rows
        assert (row.public_id, row.owed.late > 0) == (twelve[3], True)


def test_what_is_late_is_read_longest_first_and_counted_alike(cast: Cast, twelve: list[str]):
    with cast.officer.acting(), clock.frozen(local("02-05 12:00")):
        found = CaseFilter(late=True)
        pages, cursor = [], ""
        while True:
            page = list_cases(found, cursor=cursor, size=4)
            pages += page.rows
            cursor = page.next
            if not cursor:
                break
        dues = [row.owed.next_due for row in pages]
        assert dues == sorted(dues)
        assert all(row.owed.late for row in pages)
        other = CaseFilter(late=True, sort="-found_at")
        assert {row.id for row in pages} == {row.id for row in list_cases(other).rows}
        assert count_cases(found).n == len(pages) == 12 - count_cases(CaseFilter(late=False)).n
        only = CaseFilter(late=True, classification=("suspected",), stage="screen")
        assert [r.classification for r in list_cases(only).rows] == ["suspected"] * count_cases(only).n


def test_a_cursor_of_another_list_is_refused(cast: Cast, twelve: list[str]):
    with cast.officer.acting():
        page = list_cases(CaseFilter(sort="-found_at"), size=5)
        with pytest.raises(Invalid):
            list_cases(CaseFilter(sort="date_onset"), cursor=page.next)
        with pytest.raises(Invalid):
            list_cases(CaseFilter(), cursor="nonsense")
        with pytest.raises(Invalid):
            list_cases(CaseFilter(sort="name"))


# --- figures ----------------------------------------------------------------------------------------


def test_the_five_intervals_count_missing_dates_as_missing(cast: Cast):
    for n, onset in enumerate([date(2020, 2, 1), date(2020, 2, 4), None]):
        make_case(
            cast.officer, "02-20 09:00", person=zhou(local_id=str(n)), date_onset=onset,
            date_confirmation=date(2020, 2, 8), date_admission=date(2020, 2, 9) if n == 0 else None,
        )  # fmt: skip
    with cast.officer.acting():
        rows = {row.key: row.all for row in five_intervals()}
    assert (rows["diagnosed"].n, rows["diagnosed"].median, rows["diagnosed"].missing) == (2, 5.5, 1)
    assert (rows["treated"].n, rows["treated"].median, rows["treated"].missing) == (1, 8.0, 2)
    assert rows["found"].missing_share == 1.0


def test_headline_rates_show_their_denominator(cast: Cast):
    a = make_case(cast.doctor, "02-17 09:00", date_confirmation=date(2020, 2, 16))
    make_case(cast.doctor, "02-17 09:00", person=zhou(), date_confirmation=date(2020, 2, 17))
    do(cast.hospital, "02-17 12:00", actions.record_admission, a.public_id)
    with cast.officer.acting(), clock.frozen(local("02-17 13:00")):
        rates = {rate.key: rate for rate in headline_rates(COUNTY)}
    assert (rates["admission"].n, rates["admission"].of, rates["admission"].share) == (1, 2, 0.5)
    assert (rates["infection"].of, rates["infection"].share) == (None, None)
    with cast.officer.acting(), clock.frozen(local("02-17 13:00")):
        assert next(r.n for r in headline_rates(COUNTY, on=date(2020, 2, 16)) if r.key == "admission") == 0


def test_clearance_lists_what_each_case_waits_for_at_any_clock_time(cast: Cast):
    make_case(cast.doctor, "02-17 00:30", person=zhou(), date_confirmation=local("02-17 00:01"))
    noon = make_case(cast.doctor, "02-17 15:10", date_confirmation=local("02-17 15:00"))
    do(cast.hospital, "02-17 20:00", actions.record_admission, noon.public_id)
    sus = make_case(
        cast.doctor,
        "02-17 23:55",
        person=li(local_id="2"),
        classification="suspected",
        date_diagnosis=local("02-17 23:50"),
    )
    with cast.command.acting(), clock.frozen(local("02-18 08:00")):
        at_18 = clearance(COUNTY, as_of=local("02-17 18:00"))
        midnight = clearance(COUNTY, day=date(2020, 2, 17))
    assert (at_18.due, at_18.cleared, at_18.waiting()["transfer"]) == (2, 0, 2)
    assert (midnight.due, midnight.cleared) == (3, 1)
    assert {row.public_id: row.waits_for for row in midnight.remaining}[sus.public_id] == "sample"


def test_stock_and_flow_balance_every_day(cast: Cast):
    case = make_case(
        cast.doctor, "02-15 09:00", classification="suspected", date_diagnosis=local("02-15 09:00")
    )
    do(
        cast.doctor,
        "02-16 09:00",
        actions.revise_case,
        case.public_id,
        {"classification": "confirmed"},
        reason="positive",
    )
    do(cast.hospital, "02-18 09:00", actions.record_outcome, case.public_id, outcome="recovered")
    with cast.officer.acting():
        days = [{r.category: r for r in ledger(COUNTY, date(2020, 2, d))} for d in range(14, 20)]
    for before, after in pairwise(days):
        for name in before:
            assert before[name].closing == after[name].opening
    assert (days[1]["suspected"].new, days[2]["suspected"].converted, days[2]["confirmed"].new) == (1, 1, 1)
    assert days[4]["confirmed"].released == 1


def test_the_sweep_of_a_month_later_still_finds_every_promise_kept(cast: Cast):
    make_case(cast.doctor, "02-17 09:00", date_confirmation=local("02-17 09:00"))
    sweep("03-17 09:00")
    assert_holds()
    assert isinstance(local("03-17 09:00"), datetime)
