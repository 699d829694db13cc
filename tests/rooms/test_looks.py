"""Who may look at who was where: only for an open investigation, with a purpose, within its hours; and each
look is seen by whom it concerned."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import translation

from bihuan.registry import audit, clock, scope
from bihuan.registry.errors import Conflict, Invalid, NotAllowed
from bihuan.tracing.actions.investigate import (
    EntryInput,
    HypothesisInput,
    add_entry,
    add_hypothesis,
    close_investigation,
    draft_track,
)
from bihuan.tracing.actions.looks import look_common, look_met, look_place, look_track
from bihuan.tracing.errors import InvestigationClosed, UnknownInvestigation
from bihuan.tracing.models import Investigation, Place, TrackEntry, VisitLook
from bihuan.tracing.queries.investigations import find_investigation
from bihuan.tracing.queries.recorded import recorded_words
from tests.cast import GRID, NEXT_COUNTY, Cast
from tests.rooms.care_room import do, li, local
from tests.rooms.investigation_room import (
    CASE,
    NEXT,
    UNKNOWN,
    ZHOU,
    a_case,
    market,
    opened,
    registered,
    visited,
)

pytestmark = pytest.mark.usefixtures("own_home")

WHY = "查明同场所人员"


@pytest.fixture
def world(cast: Cast) -> Investigation:
    """A case who was at the market on the 10th with three others, and there on other days with one."""
    with scope.system():
        zhou = registered("周小明", ZHOU)
        registered("邻县人", NEXT, NEXT_COUNTY + "001")
    assert zhou.territory_code == GRID
    with cast.officer.acting():
        market(cast.officer)
    visited(
        [
            (CASE, "market", "02-10 09:00", 60),
            (ZHOU, "market", "02-10 09:30", 30),
            (NEXT, "market", "02-10 09:50", None),
            (UNKNOWN, "market", "02-10 08:00", 61),
            (ZHOU, "market", "02-12 20:00", 30),
            (CASE, "shop-7", "02-01 10:00", 20),
            (ZHOU, "shop-7", "02-01 10:00", 20),
            (CASE, "shop-7", "01-20 10:00", 20),
        ]
    )
    return opened(cast.officer, a_case(cast.officer))


def met(cast: Cast, world: Investigation, **more: Any) -> Any:
    return do(cast.officer, "02-12 18:00", look_met, world.public_id, purpose=WHY, **more)


def test_it_shows_who_was_there_while_the_case_could_infect_and_of_others_the_county(
    cast: Cast, world: Investigation
) -> None:
    found = met(cast, world, margin=0)
    assert (found.state, found.total, len(found.rows)) == ("found", 3, 3)
    zhou, *others = found.rows
    assert (zhou.minutes, zhou.encounters, zhou.county) == (30, 1, "420303")
    assert zhou.person_id is not None
    assert zhou.meetings[0].place.name == "张湾市场"
    assert {(row.person_id, row.county) for row in others} == {(None, NEXT_COUNTY), (None, "")}
    assert [row.score for row in found.rows] == sorted((r.score for r in found.rows), reverse=True)
    assert all(m.since >= local("02-10 00:00") for row in found.rows for m in row.meetings)


def test_it_tells_how_each_stay_was_recorded(cast: Cast, settings: Any, tmp_path: Path) -> None:
    settings.BIHUAN_HOME = tmp_path / "how"
    registered("周小明", ZHOU)
    with cast.officer.acting():
        market(cast.officer)
    visited(
        [
            (CASE, "market", "02-10 23:30", 90),
            (ZHOU, "market", "02-10 23:40", 30),
            (NEXT, "market", "02-10 23:50", None),
            (UNKNOWN, "market", "02-10 23:00", 61),
        ],
        how=[5, 1, 2, 200],
    )
    world = opened(cast.officer, a_case(cast.officer))
    found = met(cast, world)
    assert {row.meetings[0].minutes: row.meetings[0].how for row in found.rows} == {
        30: "code", 0: "card", 31: "",
    }  # fmt: skip
    asked = {"since": local("02-11 00:00"), "until": local("02-11 02:00")}
    track = do(cast.officer, "02-12 18:00", look_track, world.public_id, purpose=WHY, **asked)
    assert [(row.since, row.how) for row in track.rows] == [(local("02-11 00:00"), "gate")], "cut at midnight"
    do(cast.officer, "02-12 18:00", draft_track, world.public_id, purpose=WHY)
    there = do(cast.officer, "02-12 18:00", look_place, world.public_id, "market", purpose=WHY, **asked)
    assert sorted(row.how or "" for row in there.rows) == ["", "code", "gate"]
    with scope.system():
        entry = TrackEntry.objects.get()
        assert (entry.visit["how"], entry.certainty) == ("gate", "unconfirmed")
        TrackEntry.objects.update(visit={k: v for k, v in entry.visit.items() if k != "how"})
    again = do(cast.officer, "02-12 18:00", draft_track, world.public_id, purpose=WHY)
    assert (again.added, again.known) == (0, 1)
    with scope.system():
        assert TrackEntry.objects.get().visit["how"] == "gate", "taken over where it was not known"


def test_what_a_carrier_recorded_is_drafted_as_a_transport_record_and_not_confirmed(
    cast: Cast, settings: Any, tmp_path: Path
) -> None:
    settings.BIHUAN_HOME = tmp_path / "carrier"
    with cast.officer.acting():
        market(cast.officer, "G1234", kind="coach")
    visited([(CASE, "G1234", "02-10 08:00", 90), (CASE, "G1234", "02-10 18:00", 60)], how=[8, 2])
    world = opened(cast.officer, a_case(cast.officer))
    do(cast.officer, "02-12 18:00", draft_track, world.public_id, purpose=WHY)
    with scope.system():
        found = TrackEntry.objects.order_by("from_at")
        told = [(e.source, (e.visit or {})["how"], e.certainty) for e in found]
        assert told == [("transport", "transport", "unconfirmed"), ("visit", "card", "unconfirmed")]
        view = find_investigation(world.public_id, now=local("02-12 18:00")).entries
    assert [entry.is_record for entry in view] == [True, True], "neither bears out what somebody told"
    with translation.override("zh-hans"):
        words = [recorded_words(entry.how) for entry in view]
    assert words == ["乘运方登记，未证实", "刷证登记"]


def test_a_case_is_not_met_by_herself_under_her_other_number(cast: Cast, world: Investigation) -> None:
    with scope.system():
        person = world.case.person_id
    assert person not in {row.person_id for row in met(cast, world).rows}


def test_every_look_is_noted_for_everybody_it_concerned(cast: Cast, world: Investigation) -> None:
    found = met(cast, world)
    with scope.system():
        look = VisitLook.objects.get(id=found.look_id)
        assert (look.kind, look.purpose, look.rows, look.by_name) == (
            "met", WHY, 3, cast.officer.actor.name,
        )  # fmt: skip
        assert len(look.persons) == 3
        own = audit.who_looked(world.case.person_id)
        assert any(WHY in entry.purpose and world.public_id in entry.purpose for entry in own)
        for person in set(look.persons) - {world.case.person_id}:
            entries = audit.who_looked(person)
            assert entries, "whoever was looked at can see it, also in the next county"
            assert world.public_id in entries[0].purpose
            assert WHY not in entries[0].purpose, "the investigator's words may name the case"
            assert entries[0].who == str(cast.officer.account)


def test_a_look_cannot_be_taken_back(cast: Cast, world: Investigation) -> None:
    look = met(cast, world).look_id
    with scope.system():
        with pytest.raises(DatabaseError), transaction.atomic():
            VisitLook.objects.filter(id=look).update(rows=0)
        with pytest.raises(DatabaseError), transaction.atomic():
            VisitLook.objects.filter(id=look).delete()


def test_whoever_has_the_door_only_sees_the_same(cast: Cast, world: Investigation) -> None:
    with cast.officer.acting(), clock.frozen(local("02-12 18:00")), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE bihuan_door")
        found = look_met(world.public_id, purpose=WHY, actor=cast.officer.actor)
        cursor.execute("RESET ROLE")
    assert len(found.rows) == 3
    assert sum(row.person_id is not None for row in found.rows) == 1


@pytest.mark.parametrize("who", ["neighbor", "other_city"])
def test_nobody_looks_for_an_investigation_of_another_territory(
    cast: Cast, world: Investigation, who: str
) -> None:
    stranger = getattr(cast, who)
    with pytest.raises(UnknownInvestigation):
        do(stranger, "02-12 18:00", look_met, world.public_id, purpose=WHY)


@pytest.mark.parametrize("who", ["command", "street", "community", "doctor", "grid", "province", "inspector"])
def test_only_an_investigator_looks(cast: Cast, world: Investigation, who: str) -> None:
    with pytest.raises((NotAllowed, UnknownInvestigation)):
        do(getattr(cast, who), "02-12 18:00", look_met, world.public_id, purpose=WHY)


def test_a_broken_glass_lets_nobody_look(cast: Cast, world: Investigation) -> None:
    broken = replace(cast.neighbor.scope, lo="420303", glass="G-1")
    with scope.acting_as(broken), clock.frozen(local("02-12 18:00")), pytest.raises(NotAllowed):
        look_met(world.public_id, purpose=WHY, actor=cast.neighbor.actor)


def test_nobody_looks_without_a_purpose(cast: Cast, world: Investigation) -> None:
    for why in ("", "  ", "§", " § "):
        with pytest.raises(Invalid) as said:
            do(cast.officer, "02-12 18:00", look_met, world.public_id, purpose=why)
        assert said.value.code == "no-purpose"
    with scope.system():
        assert not VisitLook.objects.exists()


def test_nobody_looks_for_a_closed_investigation(cast: Cast, world: Investigation) -> None:
    do(cast.officer, "02-12 19:00", close_investigation, world.public_id, no_track_reason="病重不能问")
    for look in (look_met, look_track):
        with pytest.raises(InvestigationClosed):
            do(cast.officer, "02-12 20:00", look, world.public_id, purpose=WHY)


def test_nobody_looks_further_than_the_investigation_asks(cast: Cast, world: Investigation) -> None:
    for since, until in (("01-20 00:00", "02-12 00:00"), ("02-10 00:00", "02-16 00:00")):
        with pytest.raises(Invalid) as said:
            do(
                cast.officer, "02-20 18:00", look_track, world.public_id, purpose=WHY, since=local(since),
                until=local(until),
            )  # fmt: skip
        assert said.value.code == "look-out-of-window"
    rows = do(cast.officer, "02-20 18:00", look_track, world.public_id, purpose=WHY).rows
    assert [f"{r.since.astimezone(local('02-01 00:00').tzinfo):%m-%d}" for r in rows] == ["02-01", "02-10"]


def test_a_discarded_case_is_nobody_to_look_at(cast: Cast, world: Investigation) -> None:
    from bihuan.cases.actions import revise_case

    do(
        cast.officer, "02-12 17:30", revise_case, world.case.public_id, {"classification": "discarded"},
        reason="阴性",
    )  # fmt: skip
    with pytest.raises(Conflict) as said:
        met(cast, world)
    assert said.value.code == "look-discarded"


def test_only_places_of_the_track_are_asked_about(cast: Cast, world: Investigation) -> None:
    hours = {"since": local("02-10 00:00"), "until": local("02-11 00:00"), "purpose": WHY}
    with pytest.raises(Invalid) as said:
        do(cast.officer, "02-12 18:00", look_place, world.public_id, "market", **hours)
    assert said.value.code == "look-other-place"
    do(cast.officer, "02-12 18:00", draft_track, world.public_id, purpose=WHY)
    found = do(cast.officer, "02-12 18:00", look_place, world.public_id, "market", **hours)
    assert (found.total, found.place.name) == (4, "张湾市场")
    assert sum(row.person_id is not None for row in found.rows) == 2


def test_a_place_of_another_county_that_is_suspected_may_be_asked_about(
    cast: Cast, world: Investigation
) -> None:
    place = do(cast.officer, "02-09 09:00", lambda actor: market(cast.officer, "shop-7", "shop"))
    with scope.system():
        Place.objects.filter(public_id=place).update(territory_code=f"{NEXT_COUNTY}001")
    given = HypothesisInput("place", place=place)
    do(cast.officer, "02-12 18:00", add_hypothesis, world.public_id, given)
    hours = {"since": local("02-10 00:00"), "until": local("02-11 00:00"), "purpose": WHY}
    found = do(cast.officer, "02-12 18:00", look_place, world.public_id, place, **hours)
    assert found.place.store_id == "shop-7"


def test_common_places_of_two_open_investigations(cast: Cast, world: Investigation) -> None:
    from bihuan.registry.people import PersonInput

    other = a_case(cast.officer, person=PersonInput(territory_code=GRID, name="周小明", id_number=ZHOU))
    second = opened(cast.officer, other)
    found = do(cast.officer, "02-12 18:00", look_common, [world.public_id, second.public_id], purpose=WHY)
    assert {row.place.store_id for row in found.rows} == {"market", "shop-7"}
    assert all(len(row.cases) == 2 == len(row.span_cases) for row in found.rows)
    market = next(row for row in found.rows if row.place.store_id == "market")
    assert (market.span_since, market.span_until) == (local("02-10 09:00"), local("02-10 11:00"))
    assert (market.hours, market.until - market.since) == (2, timedelta(hours=1))
    assert len(found.look_ids) == 2


def test_whom_those_met_met_is_second_order(cast: Cast, world: Investigation) -> None:
    from bihuan.tracing import visits

    visited([(ZHOU, "canteen", "02-11 12:00", 30), (NEXT, "canteen", "02-11 12:10", 30)])
    found = met(cast, world, second_order=True)
    assert visits.open_store() is not None
    assert not found.second, "the one met at the canteen stands on the list of the first order"


def test_without_a_store_there_is_nothing_to_see_and_nothing_to_note(cast: Cast) -> None:
    one = opened(cast.officer, a_case(cast.officer, person=li()))
    found = do(cast.officer, "02-12 18:00", look_track, one.public_id, purpose=WHY)
    assert (found.state, found.rows, found.look_id) == ("no_store", (), None)
    visited([(UNKNOWN, "market", "02-10 08:00", 61)])
    found = do(cast.officer, "02-12 18:00", look_met, one.public_id, purpose=WHY)
    assert (found.state, found.look_id) == ("no_number", None)


def test_of_days_that_are_not_held_nobody_is_said_not_to_have_been_seen(
    cast: Cast, world: Investigation
) -> None:
    from bihuan.tracing import visits

    visited([(CASE, "market", "02-11 08:00", 60)])
    store = visits.open_store()
    assert store is not None
    store.forget((local("02-11 00:00").date() - date(1970, 1, 1)).days)
    drafted = do(cast.officer, "02-12 18:00", draft_track, world.public_id, purpose=WHY).look
    assert (drafted.state, drafted.held_from) == ("found", date(2020, 2, 11))
    store.forget((local("02-20 00:00").date() - date(1970, 1, 1)).days)
    for look in (look_track, look_met):
        found = do(cast.officer, "02-12 18:00", look, world.public_id, purpose=WHY)
        assert (found.state, found.rows) == ("not_held", ())
    with scope.system():
        assert VisitLook.objects.count() == 3, "that it was asked is noted all the same"
    day = {"since": local("02-11 08:00"), "until": local("02-11 10:00")}
    there = do(cast.officer, "02-12 18:00", look_place, world.public_id, "market", purpose=WHY, **day)
    assert (there.state, there.total) == ("not_held", 0)


def test_an_entry_told_lets_nobody_look_at_its_place_by_another_name(
    cast: Cast, world: Investigation
) -> None:
    do(
        cast.officer, "02-12 18:00", add_entry, world.public_id,
        EntryInput(local("02-10 00:00").date(), place_text="market"),
    )  # fmt: skip
    with pytest.raises(Invalid):
        do(
            cast.officer, "02-12 18:00", look_place, world.public_id, "market", purpose=WHY,
            since=local("02-10 00:00"), until=local("02-11 00:00"),
        )  # fmt: skip


def test_a_case_whose_person_moved_away_is_still_investigated(cast: Cast, world: Investigation) -> None:
    from bihuan.registry.models import Person

    with scope.system():
        Person.objects.filter(id=world.case.person_id).update(territory_code=NEXT_COUNTY + "001")
    with cast.officer.acting(), clock.frozen(local("02-12 18:00")), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE bihuan_door")
        found = look_track(world.public_id, purpose=WHY, actor=cast.officer.actor)
        cursor.execute("RESET ROLE")
    assert len(found.rows) == 2
