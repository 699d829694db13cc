"""Places: registered by the list, the same once; changed and closed with history; never a neighbor's."""

from __future__ import annotations

from pathlib import Path

import pytest

from bihuan.doors.exchange.place_list import read_places
from bihuan.registry.errors import NotAllowed
from bihuan.tracing.actions.places import PlaceInput, change_place, close_place, register_places
from bihuan.tracing.errors import PlaceInvalid, UnknownPlace
from bihuan.tracing.models import Place
from tests.cast import COMMUNITY, COUNTY, NEXT_COUNTY, Cast


def shop(**facts: object) -> PlaceInput:
    told = {
        "name": "汉江超市",
        "territory_code": COMMUNITY,
        "kind": "shop",
        "store_id": "gate-1",
        "capacity": 80,
    }
    return PlaceInput(**{**told, **facts})  # type: ignore[arg-type]


def test_a_place_registered_twice_is_one(cast: Cast) -> None:
    with cast.community.acting():
        first = register_places([shop(), shop(store_id="", name="南门")], actor=cast.community.actor)
        again = register_places([shop()], actor=cast.community.actor)
        assert (first.made, again.made, again.known) == (2, 0, 1)
        assert again.places[0] == first.places[0]
        gate = Place.objects.get(name="南门")
        assert gate.store_id == gate.public_id


def test_a_place_without_an_id_is_known_by_its_name_where_it_is(cast: Cast) -> None:
    with cast.community.acting():
        first = register_places([shop(store_id="")], actor=cast.community.actor)
        again = register_places([shop(store_id="", capacity=9)], actor=cast.community.actor)
        assert again.places == first.places
        assert (again.made, again.changed) == (0, 1)
        with pytest.raises(PlaceInvalid):
            register_places([shop(store_id=""), shop(store_id="")], actor=cast.community.actor)


def test_what_a_list_tells_anew_is_changed_and_what_was_is_kept(cast: Cast) -> None:
    from django.apps import apps

    with cast.community.acting():
        register_places([shop()], actor=cast.community.actor)
        done = register_places([shop(capacity=40)], actor=cast.community.actor)
        assert done.changed == 1
        assert Place.objects.get(store_id="gate-1").capacity == 40
        history = apps.get_model("tracing.PlaceEvent").objects.filter(store_id="gate-1")
        assert 80 in history.values_list("capacity", flat=True)


def test_a_list_changes_nothing_that_it_does_not_tell(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "places.csv"
    path.write_text("name,store_id,active,territory_code\n汉江商场,gate-1,,\n", encoding="utf-8")
    with cast.officer.acting():
        _pk, public_id = register_places([shop()], actor=cast.officer.actor).places[0]
        close_place(public_id, actor=cast.officer.actor)
        done = register_places(read_places(path, territory_code=COUNTY), actor=cast.officer.actor)
        place = Place.objects.get(public_id=public_id)
        assert (done.changed, place.name, place.active, place.capacity) == (1, "汉江商场", False, 80)
        assert (place.kind, place.territory_code) == ("shop", COMMUNITY)
        path.write_text("name,store_id,active,capacity\n汉江商场,gate-1,yes,\n", encoding="utf-8")
        register_places(read_places(path, territory_code=COUNTY), actor=cast.officer.actor)
        place.refresh_from_db()
        assert (place.active, place.capacity) == (True, None)


def test_wrong_rows_are_named_and_nothing_is_recorded(cast: Cast) -> None:
    rows = [shop(), shop(name=" "), shop(), shop(store_id="b", kind="moon"), shop(store_id="c", capacity=0)]
    with cast.community.acting():
        with pytest.raises(PlaceInvalid) as said:
            register_places(rows, actor=cast.community.actor)
        found = {(e["row"], e["field"], e["rule"]) for e in said.value.errors}
        assert {(1, "name", "required"), (2, "store_id", "twice"), (3, "kind", "unknown")} <= found
        assert (4, "capacity", "range") in found
        assert not Place.objects.exists()


def test_nobody_registers_a_place_of_another_county(cast: Cast) -> None:
    with cast.officer.acting(), pytest.raises(NotAllowed):
        register_places([shop(territory_code=NEXT_COUNTY)], actor=cast.officer.actor)


def test_an_id_that_a_gate_elsewhere_bears_is_refused_without_naming_it(cast: Cast) -> None:
    with cast.neighbor.acting():
        register_places([shop(territory_code=NEXT_COUNTY, name="隔壁")], actor=cast.neighbor.actor)
    with cast.officer.acting():
        with pytest.raises(PlaceInvalid) as said:
            register_places([shop()], actor=cast.officer.actor)
        assert [e["rule"] for e in said.value.errors] == ["taken"]
        assert "隔壁" not in str(said.value.errors)


def test_a_closed_place_stays_on_record_and_strangers_do_not_find_it(cast: Cast) -> None:
    with cast.officer.acting():
        _pk, public_id = register_places([shop()], actor=cast.officer.actor).places[0]
        change_place(public_id, {"name": "汉江商场", "territory_code": COUNTY}, actor=cast.officer.actor)
        close_place(public_id, actor=cast.officer.actor)
        place = Place.objects.get(public_id=public_id)
        assert (place.name, place.territory_code, place.active) == ("汉江商场", COUNTY, False)
    with cast.neighbor.acting(), pytest.raises(UnknownPlace):
        close_place(public_id, actor=cast.neighbor.actor)


def test_a_grid_worker_registers_no_place(cast: Cast) -> None:
    with cast.grid.acting(), pytest.raises(NotAllowed):
        register_places([shop(territory_code=cast.grid.territory_code)], actor=cast.grid.actor)
