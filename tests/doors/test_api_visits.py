"""Visits and places over the API: each row accounted for, two senders at once, nobody's identity in a log."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pytest

from bihuan.registry import clock
from bihuan.tracing import visits
from tests.cast import COMMUNITY, COUNTY, NEXT_COUNTY, Cast
from tests.doors.api_room import Api, api_of, partner_token
from tests.rooms.care_room import local

pytestmark = pytest.mark.django_db
NOON = local("02-20 12:00")
PERSON = "420303198103040022"
PHONE = "13871234567"


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> Any:
    settings.BIHUAN_HOME = tmp_path
    with clock.frozen(NOON):
        yield tmp_path


@pytest.fixture
def shop(cast: Cast) -> str:
    body = {"places": [{"name": "超市", "territory_code": COMMUNITY, "kind": "shop", "store_id": "shop-1"}]}
    answer = api_of(cast.officer).post("/places/batch", body)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["ids"][0])


def row(event: str, **facts: str) -> dict[str, str]:
    return {"event": event, "person": PERSON, "place": "shop-1", "start": "2020-02-20 08:00", **facts}


def test_rows_are_added_known_or_rejected_by_number(cast: Cast, shop: str) -> None:
    api = Api(partner_token(cast.officer))
    first = api.post("/visits", {"visits": [row("a"), row("b", place=shop), row("c", start="8:00")]})
    assert first.status_code == 200, first.content
    told = first.json()
    assert (told["rows"], told["added"], told["rejected"], told["waiting"]) == (3, 2, 1, 0)
    assert told["reasons"][0]["rows"] == [3]
    again = api.post("/visits", {"visits": [row("a"), row("d")]}).json()
    assert (again["added"], again["duplicate"]) == (1, 1)


def test_a_ticket_is_kept_as_a_carriers_record(cast: Cast, shop: str) -> None:
    sent = [row("a", how="ticket"), row("b", start="2020-02-20 09:00", how="qr")]
    assert Api(partner_token(cast.officer)).post("/visits", {"visits": sent}).json()["added"] == 2
    store = visits.open_store()
    assert store is not None
    [segment] = store.segments()
    assert sorted(store.stays_of(segment).how.tolist()) == [1, 8]


def test_a_table_is_taken_as_csv_and_as_parquet(cast: Cast, shop: str, tmp_path: Path) -> None:
    import duckdb

    api = Api(partner_token(cast.officer))
    table = f"event,person,place,time_in\nq,{PERSON},shop-1,2020-02-20 08:00\n".encode()
    assert api.send("/visits/table", {"file": io.BytesIO(table)}).json()["added"] == 1
    path = tmp_path / "t.parquet"
    duckdb.sql(
        f"SELECT 'r' event, '{PHONE}' person, 'shop-1' place, '2020-02-20 08:01' time_in"
    ).write_parquet(str(path))
    told = api.send("/visits/table", {"file": io.BytesIO(path.read_bytes())}).json()
    assert (told["added"], told["duplicate"]) == (1, 0)


@pytest.mark.parametrize("keep", [4, 300, -4])
def test_a_broken_file_is_named_as_its_sender_knows_it_and_no_place_of_the_machine(
    cast: Cast, shop: str, tmp_path: Path, keep: int
) -> None:
    import duckdb

    path = tmp_path / "t.parquet"
    duckdb.sql("SELECT range::VARCHAR event, 'p' person, 'shop-1' place FROM range(5000)").write_parquet(
        str(path)
    )
    sent = io.BytesIO(path.read_bytes()[:keep])
    sent.name = "南门 2月.parquet"
    answer = Api(partner_token(cast.officer)).send("/visits/table", {"file": sent})
    assert answer.status_code == 422
    said = answer.content.decode()
    assert "南门 2月.parquet" in said
    assert not any(place in said for place in ("/proc", "/tmp", str(tmp_path)))


def test_a_gate_of_another_county_is_rejected_as_unknown(cast: Cast, shop: str) -> None:
    told = Api(partner_token(cast.neighbor)).post("/visits", {"visits": [row("a")]}).json()
    assert (told["added"], told["reasons"][0]["reason"]) == (0, "unknown-place")
    assert api_of(cast.neighbor).get(f"/places/{shop}").status_code == 404


def test_a_post_without_the_right_records_nothing(cast: Cast, shop: str) -> None:
    assert api_of(cast.officer).post("/visits", {"visits": [row("a")]}).status_code == 403


def test_no_identity_reaches_a_log_an_answer_or_the_disk(
    cast: Cast, shop: str, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api = Api(partner_token(cast.officer))
    rows = [row("a"), row("b", person=PHONE, start="?"), row("c", person=PHONE, place="?")]
    answers = [
        api.post("/visits", {"visits": rows}),
        api.send("/visits/table", {"file": io.BytesIO(f"{PERSON},{PHONE}\n{PERSON},1\n".encode())}),
    ]
    said = caplog.text + "".join(a.content.decode() for a in answers)
    assert PERSON not in said
    assert PHONE not in said
    for path in home.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert PERSON.encode() not in held, path
            assert PHONE.encode() not in held, path


def test_the_same_place_again_is_one_and_its_load_is_counts(cast: Cast, shop: str) -> None:
    api = api_of(cast.officer)
    api.put(f"/places/{shop}", {"capacity": 50})
    Api(partner_token(cast.officer)).post("/visits", {"visits": [row("a")]})
    found = api.get(f"/places/{shop}").json()
    assert (found["place"]["capacity"], found["limit"], found["records"]) == (50, 50, 1)
    assert api.get("/places", {"q": "超"}).json()["total"] == 1
    assert api.get("/places", {"territory": COUNTY}).json()["total"] == 1
    assert api_of(cast.neighbor).get("/places", {"territory": NEXT_COUNTY}).json()["total"] == 0


def test_the_store_is_told_in_counts_to_whoever_may_see_logs(cast: Cast, shop: str) -> None:
    Api(partner_token(cast.officer)).post("/visits", {"visits": [row("a")]})
    found = api_of(cast.province).get("/visits/store").json()
    assert (found["stays"], found["people"], found["waiting_batches"]) == (1, 1, 0)
    for other in (cast.officer, cast.inspector):  # the inspector is of one city
        assert api_of(other).get("/visits/store").status_code == 403
    assert visits.folder().exists()
