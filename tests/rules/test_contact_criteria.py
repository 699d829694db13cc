"""Criteria of close contact: what each edition counts, and the rows of transport."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bihuan.tracing.rules.criteria import (
    EXPOSURE_OF,
    ContactFacts,
    ContactPolicy,
    Counts,
    Criterion,
    counted_kinds,
    suggest_criterion,
)
from bihuan.tracing.rules.seats import Seat, Vehicle, VehicleKind, read_columns, read_passenger, sits_near
from bihuan.tracing.rules.settings import SettingKind

CN = ContactPolicy(
    kinds=("household", "care", "workplace", "class", "lift", "dining", "transport", "other"),
    min_minutes=0, distance_metres=1, aircraft_rows=3, coach_rows=3, secondary=False,
)  # fmt: skip
WHO = replace(CN, kinds=("household", "face_to_face", "physical", "care", "other"), min_minutes=15)

rows = st.one_of(st.none(), st.integers(1, 60))
texts = st.sampled_from(["", "1", "2", "01"])
seats = st.builds(Seat, carriage=texts, row=rows, room=texts, crew=st.booleans())
vehicles = st.builds(Vehicle, st.sampled_from(list(VehicleKind)), st.sampled_from([None, True, False]))
facts = st.builds(
    ContactFacts, st.sampled_from(list(SettingKind)), st.integers(0, 2000), st.sampled_from([1, 2]),
    st.booleans(), st.one_of(st.none(), vehicles), st.one_of(st.none(), seats), st.one_of(st.none(), seats),
)  # fmt: skip
policies = st.sampled_from([CN, WHO, replace(CN, secondary=True)])


def near(kind: VehicleKind, case: Seat, other: Seat, *, sealed: bool | None = None, rows: int = 3):
    return sits_near(Vehicle(kind, sealed), case, other, aircraft_rows=rows, coach_rows=rows).counts


@given(facts, policies)
def test_there_is_always_an_answer_with_its_reason_in_both_languages(told, policy):
    found = suggest_criterion(told, policy)
    assert found
    assert all(one.zh and one.en for one in found)
    assert len({one.criterion for one in found}) == len(found)


@given(facts, policies)
def test_what_the_edition_does_not_list_never_counts(told, policy):
    allowed = set(counted_kinds(policy))
    for one in suggest_criterion(told, policy):
        assert one.criterion in allowed or one.counts is Counts.NO


@given(facts, policies)
def test_what_counts_stands_first(told, policy):
    order = [Counts.YES, Counts.JUDGE, Counts.NO]
    found = [order.index(one.counts) for one in suggest_criterion(told, policy)]
    assert found == sorted(found)


@given(st.sampled_from(list(SettingKind)), st.integers(0, 3000))
def test_presence_alone_never_counts_by_itself(setting, minutes):
    for one in suggest_criterion(ContactFacts(setting, minutes), CN):
        assert one.counts is not Counts.YES


def test_fifteen_minutes_divide_where_an_edition_names_them():
    def face(minutes: int) -> Counts:
        found = suggest_criterion(ContactFacts(SettingKind.SHOP, minutes), WHO)
        return next(one.counts for one in found if one.criterion is Criterion.FACE_TO_FACE)

    assert [face(14), face(15)] == [Counts.NO, Counts.JUDGE]


def test_contacts_of_contacts_count_only_where_the_pack_says_so():
    told = ContactFacts(SettingKind.SHOP, 60, order=2)
    assert suggest_criterion(told, CN)[0].counts is Counts.NO
    assert suggest_criterion(told, replace(CN, secondary=True))[0].counts is Counts.JUDGE
    assert Criterion.SECONDARY not in counted_kinds(CN)


def test_every_criterion_has_a_kind_of_exposure():
    assert set(EXPOSURE_OF) == set(Criterion)


def test_aircraft_rows_count_to_the_number_of_the_pack():
    case = Seat(row=20)
    counted = [r for r in range(10, 31) if near(VehicleKind.AIRCRAFT, case, Seat(row=r))]
    assert counted == list(range(17, 24))
    assert near(VehicleKind.AIRCRAFT, case, Seat(crew=True)) is True
    assert near(VehicleKind.AIRCRAFT, Seat("front", 2), Seat("rear", crew=True)) is False


def test_a_sealed_train_counts_by_carriage_an_open_one_by_bays():
    case = Seat("5", 4)
    assert near(VehicleKind.TRAIN, case, Seat("05", 30), sealed=True) is True
    assert near(VehicleKind.TRAIN, case, Seat("6", 4), sealed=True) is False
    bays = [b for b in range(1, 9) if near(VehicleKind.TRAIN, case, Seat("5", b), sealed=False)]
    assert bays == [3, 4, 5]
    assert near(VehicleKind.TRAIN, Seat("5", room="2"), Seat("5", room="3"), sealed=True) is False


def test_a_sealed_coach_counts_everybody_a_ventilated_one_by_rows():
    case = Seat(row=5)
    assert near(VehicleKind.COACH, case, Seat(row=14), sealed=True) is True
    assert [r for r in range(1, 12) if near(VehicleKind.COACH, case, Seat(row=r), sealed=False)] == [
        2, 3, 4, 5, 6, 7, 8,
    ]  # fmt: skip
    assert near(VehicleKind.COACH, case, Seat(crew=True), sealed=False) is True


@given(vehicles, seats, seats, st.integers(0, 5))
def test_nearness_does_not_depend_on_who_is_the_case(vehicle, a, b, n):
    a, b = replace(a, crew=False), replace(b, crew=False)
    if vehicle.kind is VehicleKind.TRAIN and bool(a.room) != bool(b.room):
        return
    there = sits_near(vehicle, a, b, aircraft_rows=n, coach_rows=n).counts
    assert there == sits_near(vehicle, b, a, aircraft_rows=n, coach_rows=n).counts


@given(vehicles, seats, seats, st.integers(0, 5))
def test_more_rows_never_count_fewer_people(vehicle, a, b, n):
    fewer = sits_near(vehicle, a, b, aircraft_rows=n, coach_rows=n).counts
    more = sits_near(vehicle, a, b, aircraft_rows=n + 1, coach_rows=n + 1).counts
    assert not (fewer and not more)


def test_a_passenger_list_is_read_by_its_headers_and_a_row_from_the_seat():
    columns = read_columns(["姓名", "身份证号", "车厢", "座位", "身份"])
    found = read_passenger(2, ["周小明", "4203", "5", "12A", ""], columns)
    assert (found.name, found.seat.carriage, found.seat.row) == ("周小明", "5", 12)
    assert read_passenger(3, ["甲", "", "5", "", "乘务员"], columns).seat.crew
