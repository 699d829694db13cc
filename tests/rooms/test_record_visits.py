"""Visits that systems send: each row accounted for, at places of the sender only, nobody's identity told."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from bihuan.epi.visits.store import VisitStore
from bihuan.registry import clock
from bihuan.registry.errors import NotAllowed
from bihuan.tracing.actions.places import PlaceInput, close_place, register_places
from bihuan.tracing.actions.record_visits import merge_waiting, record_rows, record_table, spool
from bihuan.tracing.errors import VisitsFull, VisitsInvalid
from bihuan.tracing.queries.places import names_of, records_of
from tests.cast import COMMUNITY, NEXT_COUNTY, Cast
from tests.rooms.care_room import local

NOW = local("02-20 12:00")
PERSON = "420303198103040022"


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> Path:
    settings.BIHUAN_HOME = tmp_path
    return tmp_path


@pytest.fixture
def shops(cast: Cast) -> Cast:
    with cast.community.acting():
        register_places([PlaceInput("超市", COMMUNITY, store_id="shop")], actor=cast.community.actor)
    with cast.neighbor.acting():
        register_places([PlaceInput("隔壁", NEXT_COUNTY, store_id="theirs")], actor=cast.neighbor.actor)
    return cast


def visit(event: str, place: str = "shop", start: str = "2020-02-20 08:00", **more: str) -> dict[str, str]:
    return {"event": event, "person": PERSON, "place": place, "start": start, **more}


def send(cast: Cast, *rows: dict[str, str]) -> Any:
    with cast.community.acting(), clock.frozen(NOW):
        return record_rows(rows)


def test_every_row_is_added_a_duplicate_or_rejected_for_a_reason(shops: Cast) -> None:
    first = send(shops, visit("a"), visit("b", start="yesterday"), visit("c", place="theirs"), visit("d"))
    again = send(shops, visit("d"), visit("a"), visit("e"))
    assert (first.rows, first.added, first.duplicate, first.rejected) == (4, 2, 0, 2)
    assert {(r.reason, r.n) for r in first.reasons} == {("bad-start", 1), ("unknown-place", 1)}
    assert next(r.rows for r in first.reasons if r.reason == "bad-start") == (2,)
    assert (again.rows, again.added, again.duplicate) == (3, 1, 2)


def test_a_closed_place_takes_what_was_before_its_closing_and_says_of_the_rest_since_when(
    shops: Cast,
) -> None:
    with shops.community.acting():
        register_places([PlaceInput("药店", COMMUNITY, store_id="b")], actor=shops.community.actor)
        shop = names_of(["shop"])["shop"].public_id
        close_place(shop, actor=shops.community.actor, now=local("02-20 09:00"))
    done = send(
        shops,
        visit("a", start="2020-02-20 08:59"), visit("b", start="2020-02-20 09:01"),
        visit("c", place=shop, start="2020-02-20 10:00"), visit("d", place="b", start="2020-02-20 10:00"),
    )  # fmt: skip
    assert (done.rows, done.added, done.rejected) == (4, 2, 2)
    (reason,) = done.reasons
    assert (reason.reason, reason.n, reason.said) == ("place-closed", 2, "shop")
    assert "2020-02-20 09:00" in reason.message
    assert [records_of(one, since=local("02-20 00:00"), until=NOW) for one in ("shop", "b")] == [1, 1]


def test_a_place_of_another_county_is_as_unknown_as_one_that_is_none(shops: Cast) -> None:
    done = send(shops, visit("a", place="theirs"), visit("b", place="nowhere"))
    messages = {r.message for r in done.reasons}
    assert len(messages) == 1
    assert done.added == 0


def test_no_answer_repeats_an_identity(shops: Cast) -> None:
    done = send(shops, visit("a", start=""), visit("b", place="x"))
    assert PERSON not in repr(done)
    headless = f"{PERSON},shop,2020-02-20 08:00\n{PERSON},shop,2020-02-20 08:00\n"
    with shops.community.acting(), pytest.raises(VisitsInvalid) as said:
        record_table(headless.encode())
    assert PERSON not in str(said.value) + str(said.value.errors)


def test_a_table_is_read_as_a_file_is(shops: Cast) -> None:
    table = f"记录编号,身份证号,场所,进入时间,体温\nq,{PERSON},shop,2020-02-20 08:00,36.6\n".encode()
    with shops.community.acting(), clock.frozen(NOW):
        assert record_table(table).added == 1
        assert record_table(table).duplicate == 1


def test_while_another_process_writes_rows_are_kept_and_merged_after(
    shops: Cast, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    from bihuan.epi.visits import VisitStore

    monkeypatch.setattr("bihuan.tracing.actions.record_visits.PATIENCE", 0.05)
    send(shops, visit("a"))
    other = VisitStore(home / "visits")
    with other.writer():
        done = send(shops, visit("b"))
        assert (done.added, done.waiting) == (0, 1)
        assert len(spool().names()) == 1
    merged = merge_waiting()
    assert merged is not None
    assert merged.added == 1
    assert records_of("shop", since=local("02-20 00:00"), until=NOW) == 2


def test_whoever_may_not_record_records_nothing(shops: Cast) -> None:
    with shops.officer.acting(), pytest.raises(NotAllowed):
        record_rows([visit("a")])


def test_on_a_full_disk_the_sender_is_asked_to_send_again_and_nothing_is_doubled(
    shops: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(shops, visit("a"))
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(VisitStore, "_append", full)
        with pytest.raises(VisitsFull) as refused:
            send(shops, visit("b"))
    assert (refused.value.status, refused.value.details["retry_after"]) == (503, 60)
    again = send(shops, visit("b"))
    assert (again.rows, again.added + again.duplicate) == (1, 1)
    with shops.community.acting(), clock.frozen(NOW):
        assert spool().names() == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the rows sent is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(128, 256)), "the rows sent: not in UTF-8"),
        ("person,place,start\n1,超市,2020-02-20 08:00\n".encode("gb18030"), "Nothing of it was kept"),
    ],
)
def test_what_is_no_table_is_refused_in_words_for_a_sender(shops: Cast, data: bytes, said: str) -> None:
    with (
        shops.community.acting(),
        clock.frozen(NOW),
        translation.override("en"),
        pytest.raises(VisitsInvalid) as refused,
    ):
        record_table(data)
    assert said in refused.value.message
    assert "--encoding" not in refused.value.message
