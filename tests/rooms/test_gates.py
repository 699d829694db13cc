"""At the gate: recorded at once and once; the four musts counted; nobody looked up, nobody kept in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from bihuan.epi.visits import VisitStore
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotAllowed
from bihuan.tracing import visits
from bihuan.tracing.actions.forget_visits import forget_due
from bihuan.tracing.actions.gate_takers import taker_of
from bihuan.tracing.actions.gates import (
    GateRecord,
    RegisterEntry,
    StrangerInput,
    record_gate,
    record_registers,
)
from bihuan.tracing.actions.places import (
    PlaceInput,
    change_place,
    close_place,
    register_place,
    register_places,
)
from bihuan.tracing.actions.record_visits import ready_store
from bihuan.tracing.errors import UnknownPlace
from bihuan.tracing.models import GateCheck, GateHandOver, Place, PlaceAlert, Stranger
from bihuan.tracing.queries.gates import strangers_of
from bihuan.tracing.queries.places import PlaceFilter, closed_lately, find_place, gate_now, list_places
from bihuan.tracing.rules import codes
from bihuan.tracing.rules.gates import Entry, how, missing
from tests.cast import COMMUNITY, GRID, NEXT_COUNTY, Cast
from tests.rooms.care_room import local

MORNING = local("06-01 08:00")  # the pack of May 2020 asks for the four musts
ID_NUMBER = "420303198103040022"
PHONE = "13871234567"


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> Path:
    settings.BIHUAN_HOME = tmp_path
    return tmp_path


@pytest.fixture
def gate(cast: Cast) -> str:
    with cast.community.acting(), clock.frozen(MORNING):
        given = PlaceInput("南门", GRID, kind="community_gate", capacity=2)
        return register_place(given, actor=cast.community.actor)[1]


def passing(event: str, **facts: Any) -> GateRecord:
    told = {"at": MORNING, "who": ID_NUMBER, "temperature": 36.5, "mask": True, **facts}
    return GateRecord(event=event, **told)


def record(cast: Cast, gate: str, *records: GateRecord, sent: Any = MORNING, at: Any = MORNING) -> list:
    with cast.grid.acting(), clock.frozen(at):
        return record_gate(gate, records, sent_at=sent, actor=cast.grid.actor)


def stays(home: Path) -> list[tuple[int, int, int]]:
    """Keyed number, minute, how it was recorded: all that is in the store."""
    store = VisitStore(home / "visits")
    found = []
    for segment in store.segments():
        s = store.stays_of(segment)
        keys = store.people.keys[s.person]
        found += list(zip(keys.tolist(), s.start.tolist(), s.how.tolist(), strict=True))
    return sorted(found)


def test_what_is_sent_again_is_recorded_once(cast: Cast, gate: str, home: Path) -> None:
    first = record(cast, gate, passing("a"), passing("b", who=PHONE))
    again = record(cast, gate, passing("b", who=PHONE), passing("a"))
    assert {a.status for a in first + again} == {"recorded"}
    assert len(stays(home)) == 2
    with scope.system():
        assert GateCheck.unscoped.count() == 2


def test_a_visit_bears_the_number_that_a_file_would_give_the_same_person(
    cast: Cast, gate: str, home: Path
) -> None:
    record(cast, gate, passing("a"), passing("b", who="+86 138-7123-4567"))
    key = visits.key()
    wanted = {visits.unsigned(visits.number_of(text, with_key=key)) for text in (ID_NUMBER, PHONE)}
    assert {number for number, _minute, _how in stays(home)} == wanted


def test_an_entry_that_lacks_a_must_says_which_and_the_gate_shows_its_share(cast: Cast, gate: str) -> None:
    said = record(
        cast, gate,
        passing("a"), passing("b", mask=False), passing("c", temperature=None, mask=None),
        passing("d", stranger=StrangerInput(name="外地人")),
    )  # fmt: skip
    assert [a.missing for a in said] == [(), ("mask",), ("temperature", "mask"), ("register",)]
    with cast.grid.acting(), clock.frozen(MORNING):
        day = find_place(gate).day
    assert (day.entries, day.complete, day.percent) == (4, 1, 25)
    assert day.missing == {"temperature": 1, "mask": 2, "register": 1}


def test_a_code_alone_is_no_presence_and_a_temperature_taken_is() -> None:
    alone = Entry(told=True, temperature=None, mask=None, stranger=False, registered=False)
    seen = Entry(told=True, temperature=36.6, mask=None, stranger=False, registered=False)
    assert (how(alone), how(seen)) == (1, 5)
    assert missing(alone, ()) == ()


def test_an_entry_code_stands_for_the_person_and_is_over_after_its_days(
    cast: Cast, gate: str, home: Path
) -> None:
    record(cast, gate, passing("a"))
    key = visits.key()
    number = visits.unsigned(visits.number_of(ID_NUMBER, with_key=key))
    fresh = codes.issue(number, key=key, on=MORNING.date())
    old = codes.issue(number, key=key, on=MORNING.date() - timedelta(days=30))
    later = MORNING + timedelta(minutes=9)
    said = record(
        cast, gate, passing("b", who=codes.grouped(fresh).lower(), at=later), passing("c", who=old),
        sent=later, at=later,
    )  # fmt: skip
    assert [a.status for a in said] == ["recorded", "rejected"]
    assert {n for n, _m, _h in stays(home)} == {number}


def test_a_wrong_number_is_rejected_without_being_repeated(cast: Cast, gate: str, home: Path) -> None:
    said = record(cast, gate, passing("a", who="420303198103040023"), passing("b", who="?"))
    assert [a.status for a in said] == ["rejected", "rejected"]
    assert "4203" not in "".join(a.message for a in said)
    assert not (home / "visits" / "manifest.json").exists() or stays(home) == []


def test_a_clock_that_is_wrong_is_corrected_and_noted(cast: Cast, gate: str, home: Path) -> None:
    behind = MORNING - timedelta(hours=3)
    record(cast, gate, passing("a", at=behind - timedelta(minutes=10)), sent=behind)
    with scope.system():
        check = GateCheck.unscoped.get()
    assert (check.skew, check.at, check.late) == (3 * 3600, MORNING - timedelta(minutes=10), True)


@pytest.mark.parametrize("year", [1970, 2150])
def test_a_device_that_lost_its_clock_records_all_the_same(cast: Cast, gate: str, year: int) -> None:
    then = MORNING.replace(year=year)
    (said,) = record(cast, gate, passing("a", at=then - timedelta(minutes=10)), sent=then)
    assert said.status == "recorded"
    with scope.system():
        assert GateCheck.unscoped.get().at == MORNING - timedelta(minutes=10)


def test_what_waited_too_long_on_a_device_is_refused(cast: Cast, gate: str) -> None:
    (said,) = record(cast, gate, passing("a", at=MORNING - timedelta(days=3)))
    assert said.status == "rejected"


def test_fever_is_told_and_decides_nothing(cast: Cast, gate: str, home: Path) -> None:
    (said,) = record(cast, gate, passing("a", temperature=37.4))
    assert said.febrile
    assert said.status == "recorded"
    assert len(stays(home)) == 1


def test_a_medical_exit_asks_for_nothing_and_is_counted(cast: Cast, gate: str, home: Path) -> None:
    exit_ = passing("a", who="", temperature=None, mask=None, medical=True, direction="out")
    assert record(cast, gate, exit_)[0].status == "recorded"
    with cast.grid.acting(), clock.frozen(MORNING):
        day = find_place(gate).day
    assert (day.medical, day.entries) == (1, 0)
    assert not (home / "visits" / "spool").exists()


def test_a_stranger_is_kept_enciphered_and_stands_in_no_list(cast: Cast, gate: str) -> None:
    told = StrangerInput(name="外地人甲", phone=PHONE, origin="襄阳", purpose="送货")
    assert record(cast, gate, passing("a", who="", stranger=told))[0].missing == ()
    with scope.system():
        kept = Stranger.unscoped.get()
    assert "外地人甲".encode() not in bytes(kept.told)
    with cast.officer.acting():
        (found,) = strangers_of([kept.key], since=MORNING, until=MORNING).values()
        later = MORNING + timedelta(minutes=1)
        assert strangers_of([kept.key], since=later, until=later) == {}, "no more than was asked for"
    assert (found.name, found.origin, found.purpose) == ("外地人甲", "襄阳", "送货")
    with cast.neighbor.acting():
        assert strangers_of([kept.key], since=MORNING, until=MORNING) == {}


def test_the_register_of_a_gate_that_sends_its_visits_as_a_table_is_kept_the_same_way(
    cast: Cast, gate: str
) -> None:
    with cast.community.acting(), clock.frozen(MORNING):
        place = Place.objects.get(public_id=gate)
        told = StrangerInput(name="外地人甲", phone=PHONE, origin="襄阳", purpose="送货")
        entry = RegisterEntry("a", place.store_id, MORNING, PHONE, told)
        others = [
            replace(entry, event="b", place="nowhere"), replace(entry, event="c", who="?"),
            replace(entry, event="d", at=MORNING + timedelta(days=1)),
        ]  # fmt: skip
        for _twice in range(2):
            assert record_registers([entry, *others], actor=cast.community.actor) == 1
        kept = Stranger.objects.get()
        assert strangers_of([kept.key], since=MORNING, until=MORNING)[kept.key].name == "外地人甲"
    with pytest.raises(NotAllowed), cast.officer.acting(), clock.frozen(MORNING):
        record_registers([entry], actor=cast.officer.actor)
    assert "外地人甲" not in repr(entry)
    assert PHONE not in repr(entry)


def test_too_many_inside_raise_an_alert_that_ends_when_they_leave(cast: Cast, gate: str) -> None:
    record(cast, gate, passing("a"), passing("b", who=PHONE), passing("c", who="AB1234567"))
    with scope.system():
        alert = PlaceAlert.unscoped.get()
    assert (alert.limit, alert.most, alert.ended_at) == (2, 3, None)
    with cast.grid.acting(), clock.frozen(MORNING):
        assert find_place(gate).is_over
    record(cast, gate, passing("d", who=PHONE, direction="out"))
    with scope.system():
        assert PlaceAlert.unscoped.get().ended_at is not None


def test_an_alert_that_nobody_ended_is_over_with_its_day(cast: Cast, gate: str) -> None:
    crowd = [passing(f"a{n}", who=f"1387123456{n}") for n in range(3)]
    record(cast, gate, *crowd)
    with cast.grid.acting(), clock.frozen(MORNING):
        assert list_places(PlaceFilter(over=True)).rows[0].is_over
    morrow = MORNING + timedelta(days=1)
    midnight = local("06-02 00:00")
    with cast.grid.acting(), clock.frozen(morrow):
        assert not list_places(PlaceFilter(over=True)).rows
        assert not list_places(PlaceFilter()).rows[0].is_over
        assert find_place(gate).alerts[0].ended_at == midnight
    again = [passing(f"b{n}", who=f"1387123456{n}", at=morrow) for n in range(3)]
    record(cast, gate, *again, sent=morrow, at=morrow)
    with scope.system():
        alerts = PlaceAlert.unscoped.order_by("began_at").values_list("began_at", "ended_at")
        assert list(alerts) == [(MORNING, midnight), (morrow, None)]


def test_the_limit_comes_from_policy(cast: Cast, gate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with cast.community.acting():
        change_place(gate, {"capacity": 100}, actor=cast.community.actor)
    with cast.grid.acting(), clock.frozen(MORNING):
        assert find_place(gate).limit == 100


def test_a_gate_of_another_county_is_not_there(cast: Cast, gate: str) -> None:
    with cast.neighbor.acting(), pytest.raises(UnknownPlace):
        record_gate(gate, [passing("a")], sent_at=MORNING, actor=cast.neighbor.actor)
    assert not gate.startswith(NEXT_COUNTY)


def test_who_may_look_may_not_record(cast: Cast, gate: str) -> None:
    with cast.officer.acting(), pytest.raises(NotAllowed):
        record_gate(gate, [passing("a")], sent_at=MORNING, actor=cast.officer.actor)


def close(cast: Cast, gate: str, at: Any) -> None:
    with cast.community.acting(), clock.frozen(at):
        close_place(gate, actor=cast.community.actor)


def test_what_a_gate_recorded_before_its_place_was_closed_is_taken_and_later_ones_say_why_not(
    cast: Cast, gate: str, home: Path
) -> None:
    noon = MORNING + timedelta(hours=4)
    close(cast, gate, noon)
    sent = noon + timedelta(hours=20)
    said = record(
        cast, gate,
        passing("a"), passing("b", who=PHONE, at=noon - timedelta(minutes=1)),
        passing("c", at=noon), passing("d", at=noon + timedelta(hours=1), who="", medical=True),
        sent=sent, at=sent,
    )  # fmt: skip
    assert [a.status for a in said] == ["recorded", "recorded", "rejected", "rejected"]
    assert [a.closed for a in said] == [False, False, True, True]
    assert "2020-06-01 12:00" in said[2].message
    assert len(stays(home)) == 2
    with scope.system():
        assert GateCheck.unscoped.count() == 2


def test_a_place_is_closed_and_heard_from_again_by_the_role_of_the_doors(cast: Cast, gate: str) -> None:
    crowd = [passing(f"a{n}", who=f"1387123456{n}") for n in range(3)]
    record(cast, gate, *crowd)
    noon = MORNING + timedelta(hours=4)
    with cast.community.acting(), clock.frozen(noon), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE bihuan_door")
        close_place(gate, actor=cast.community.actor)
        said = record_gate(gate, [passing("b")], sent_at=noon, actor=cast.community.actor)
        lately = closed_lately(MORNING, size=9)
        seen = gate_now(gate)
        cursor.execute("RESET ROLE")
    assert [a.status for a in said] == ["recorded"]
    assert ([row.public_id for row in lately], seen.inside, seen.is_over) == ([gate], 4, True)
    with scope.system():
        assert PlaceAlert.unscoped.get().ended_at == noon
    with cast.neighbor.acting():
        assert closed_lately(MORNING, size=9) == ()


def test_a_device_whose_clock_is_wrong_recorded_before_the_closing_by_ours(cast: Cast, gate: str) -> None:
    close(cast, gate, MORNING)
    sent = MORNING + timedelta(hours=1)
    wrong = MORNING + timedelta(days=1)
    said = record(
        cast, gate,
        passing("a", at=wrong - timedelta(minutes=5)), passing("b", at=wrong + timedelta(minutes=5)),
        sent=sent + timedelta(days=1), at=sent,
    )  # fmt: skip
    assert [a.status for a in said] == ["recorded", "rejected"]


def test_a_closed_place_waits_for_its_gates_no_longer_than_an_open_one(cast: Cast, gate: str) -> None:
    close(cast, gate, MORNING + timedelta(minutes=1))
    late = MORNING + timedelta(hours=49)
    (said,) = record(cast, gate, passing("a"), sent=late, at=late)
    assert (said.status, said.closed) == ("rejected", False)


def test_a_place_opened_again_takes_what_was_refused_while_it_was_closed(cast: Cast, gate: str) -> None:
    close(cast, gate, MORNING - timedelta(hours=1))
    assert record(cast, gate, passing("a"))[0].closed
    with cast.community.acting():
        change_place(gate, {"active": True}, actor=cast.community.actor)
    assert record(cast, gate, passing("a"))[0].status == "recorded"


def test_a_list_closes_a_place_once_and_opens_it_again(cast: Cast, gate: str) -> None:
    def load(active: bool, at: Any) -> Any:
        with cast.community.acting(), clock.frozen(at):
            given = PlaceInput("南门", GRID, kind="community_gate", capacity=2, active=active)
            register_places([given], actor=cast.community.actor)
            return Place.objects.get(public_id=gate).closed_at

    noon = MORNING + timedelta(hours=4)
    assert load(False, noon) == noon
    assert load(False, noon + timedelta(hours=1)) == noon
    assert load(True, noon + timedelta(hours=2)) is None
    with scope.system(), connection.cursor() as cursor:
        cursor.execute("SELECT active, closed_at FROM tracing_placeevent ORDER BY pgh_id")
        assert cursor.fetchall() == [(True, None), (False, noon), (True, None)]


def test_places_closed_before_that_was_kept_are_closed_since_their_history_says(
    cast: Cast, gate: str
) -> None:
    sql = import_module("bihuan.tracing.migrations.0014_place_closed").CLOSED_AT
    names = "id, public_id, territory_code, store_id, name, name_en, kind, address, capacity"
    with scope.system(), connection.cursor() as cursor:
        for hour, active in enumerate((False, True, False, False)):
            cursor.execute(
                f"INSERT INTO tracing_placeevent (pgh_label, pgh_created_at, pgh_obj_id, active, {names})"
                f" SELECT 'update', %s, id, %s, {names} FROM tracing_place",
                [MORNING + timedelta(hours=hour), active],
            )
        cursor.execute("ALTER TABLE tracing_place DROP CONSTRAINT tracing_place_closed_since")
        cursor.execute("UPDATE tracing_place SET active = false")
        cursor.execute(sql)
        assert Place.objects.get().closed_at == MORNING + timedelta(hours=2)


def test_an_alert_ends_when_the_place_is_closed(cast: Cast, gate: str) -> None:
    record(cast, gate, passing("a"), passing("b", who=PHONE), passing("c", who="AB1234567"))
    noon = MORNING + timedelta(hours=4)
    close(cast, gate, noon)
    record(cast, gate, passing("d", who="AB1234568"), sent=noon, at=noon)
    with scope.system():
        assert PlaceAlert.unscoped.get().ended_at == noon


def test_an_alert_of_a_day_before_the_closing_was_over_with_its_day(cast: Cast, gate: str) -> None:
    record(cast, gate, passing("a"), passing("b", who=PHONE), passing("c", who="AB1234567"))
    close(cast, gate, MORNING + timedelta(days=3))
    with scope.system():
        assert PlaceAlert.unscoped.get().ended_at == local("06-02 00:00")


def test_an_entry_code_good_when_it_was_scanned_is_good_when_it_is_sent(
    cast: Cast, gate: str, home: Path
) -> None:
    key = ready_store()[1]
    number = visits.unsigned(visits.number_of(ID_NUMBER, with_key=key))
    code = codes.issue(number, key=key, on=MORNING.date() - timedelta(days=7))
    later = MORNING + timedelta(hours=30)
    (said,) = record(cast, gate, passing("a", who=code), sent=later, at=later)
    assert said.status == "recorded"
    midnight = local("06-02 00:00") + timedelta(seconds=20)  # by a clock that is half a minute behind
    fresh = codes.issue(number, key=key, on=midnight.date())
    behind = midnight - timedelta(seconds=30)
    (said,) = record(cast, gate, passing("b", who=fresh, at=behind), sent=behind, at=midnight)
    assert said.status == "recorded"


def test_a_record_does_not_show_its_identity() -> None:
    assert ID_NUMBER not in repr(passing("a"))
    assert COMMUNITY


def test_a_hand_over_works_for_the_role_of_the_doors_and_is_out_of_sight_of_the_next_county(
    cast: Cast, gate: str
) -> None:
    with cast.community.acting(), clock.frozen(MORNING), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE bihuan_door")
        said = record_gate(
            gate, [passing("a")], sent_at=MORNING, actor=cast.community.actor,
            taken_by=taker_of(cast.grid.actor), handed_over=True,
        )  # fmt: skip
        cursor.execute("RESET ROLE")
    assert [a.status for a in said] == ["recorded"]
    for who, n in ((cast.grid, 1), (cast.neighbor, 0)):
        with who.acting(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE bihuan_door")
            cursor.execute("SELECT count(*) FROM tracing_gatehandover")
            assert cursor.fetchone() == (n,)
            cursor.execute("RESET ROLE")


def test_a_hand_over_goes_with_the_visits_of_its_day(cast: Cast, gate: str) -> None:
    with cast.community.acting(), clock.frozen(MORNING):
        record_gate(
            gate, [passing("a")], sent_at=MORNING, actor=cast.community.actor,
            taken_by=taker_of(cast.grid.actor), handed_over=True,
        )  # fmt: skip
    forget_due(actor=Actor.system("retention"), now=MORNING + timedelta(days=20))
    with scope.system():
        assert not GateHandOver.unscoped.exists()
