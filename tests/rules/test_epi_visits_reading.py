"""Files of visits: every row counted, times in many forms, and nobody's identity on the disk."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bihuan.epi.errors import InputError
from bihuan.epi.visits import VisitStore, cells, secret
from bihuan.epi.visits.ingest import Ingested, ingest
from bihuan.epi.visits.layout import StoreError
from bihuan.epi.visits.numbers import keyed_number

KEY = bytes(range(32))
NOW = datetime(2020, 3, 1, tzinfo=UTC)
ID = "42032219900101001X"


def put(folder: Path, text: str | bytes, *, name: str = "gate.csv", **more) -> tuple[VisitStore, Ingested]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    store = VisitStore.create(folder / "store")
    return store, ingest(store, [path], key=KEY, now=NOW, **more)


def stays(store: VisitStore) -> list[tuple[str, str, int, int]]:
    """Place, time in, minutes, temperature in tenths above 36."""
    rows = []
    for segment in store.segments():
        found = store.stays_of(segment)
        for place, start, minutes, tenths in zip(
            found.place, found.start, found.minutes, found.temperature, strict=True
        ):
            at = str(np.datetime64(int(start), "m"))
            rows.append((store.places.ids[place], at, int(minutes), int(tenths)))
    return sorted(rows)


def minutes_of(text: str) -> str | None:
    raw = np.frombuffer(text.encode(), np.uint8)
    found = cells.minutes_of(raw, 0, raw.size, 480)
    return None if found == cells.NO_END else str(np.datetime64(int(found), "m"))


@pytest.mark.parametrize(
    "text",
    [
        "2020-02-05 08:03", "2020/2/5 8:03", "2020.02.05 8:03", "2020-02-05T08:03:59.999",
        "2020-02-05T08:03:11+08:00", "2020-02-05T00:03:11Z", "2020-02-04 19:03-0500",
        "2020-02-05 00:03:11+00",
        "1580860980", "1580860980.5", "1580860980000", "1580860980000000", "20200205080311", "202002050803",
        "2020年2月5日8时3分", "2020年02月05日 08:03:00",
    ],
)  # fmt: skip
def test_times_are_read_in_the_forms_gates_write(text: str):
    assert minutes_of(text) == "2020-02-05T08:03"


@pytest.mark.parametrize(
    "text",
    ["2020-02-30 08:03", "2020-02-05", "05/02/2020 8:03", "2/5/2020 8:03", "2020-02-05 8", "2020-02-05 25:00",
     "2020-02-05 08:03 PM", "2020-02-05 08:61", "20200205", "8:03", "1.58e9", "2020-02-05 08:03+8",
     "-1580860980"],
)  # fmt: skip
def test_times_that_can_be_read_two_ways_or_none_are_refused(text: str):
    assert minutes_of(text) is None


@settings(deadline=None)
@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)), st.integers(-14 * 60, 14 * 60))
def test_any_instant_comes_back_whatever_its_offset(at: datetime, offset: int):
    ahead = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    raw = np.frombuffer(f"{at:%Y-%m-%dT%H:%M:%S}{ahead}".encode(), np.uint8)
    wanted = int(np.datetime64(at, "m").astype(np.int64)) - offset
    assert int(cells.minutes_of(raw, 0, raw.size, 0)) == wanted


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=128), st.binary(min_size=1, max_size=64))
def test_the_compiled_keyed_number_is_that_of_the_library(identity: bytes, key: bytes):
    import hashlib

    raw = np.frombuffer(identity, np.uint8)
    m, out = np.empty(16, np.uint64), np.empty(8, np.uint64)
    found = int(cells.number_of(cells.state_of(key), raw, 0, raw.size, m, out))
    digest = hashlib.blake2b(identity.upper(), digest_size=8, key=key).digest()
    assert found == (int.from_bytes(digest, "little") or 1)


def test_the_hash_of_event_ids_is_that_of_its_paper():
    key = np.frombuffer(bytes(range(16)), "<u8").astype(np.uint64)
    raw = np.arange(15, dtype=np.uint8)
    assert int(cells.sip_hash(key, raw, 0, 15)) == 0xA129CA6149BE45E5  # Aumasson and Bernstein 2012, app. A


CELL = st.text(st.sampled_from('ab ",;\n\r李\t'), max_size=6)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12), block=st.integers(1, 40))
def test_cells_are_cut_as_the_csv_library_cuts_them_wherever_a_block_ends(rows, block):
    held = io.StringIO(newline="")
    csv.writer(held, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    raw = held.getvalue().encode()
    role_of = np.array([cells.PERSON, cells.PLACE])
    at, till = np.empty((64, cells.N_ROLES), np.int32), np.empty((64, cells.N_ROLES), np.int32)
    state, found, begin = np.empty(64, np.uint8), [], 0
    for end in [*range(block, len(raw), block), len(raw)]:
        data = np.frombuffer(raw[begin:end], np.uint8).copy()
        n, used = cells.split(data, data.size, ord(","), role_of, end == len(raw), at, till, state)
        begin += used
        for i in range(n):
            row = [bytes(data[at[i, r] : till[i, r]]).decode() for r in (cells.PERSON, cells.PLACE)]
            found.append(tuple(row))
    assert found == rows


def test_columns_are_known_in_three_languages_and_every_row_is_counted(tmp_path: Path):
    text = (
        "记录编号,身份证号,场所码,扫码时间,离开时间,体温,登记方式\n"
        f"1,{ID},P1,2020/2/5 8:03,2020/2/5 9:10,36.5,扫码\n"
        "\n"
        f"2,{ID.lower()},P1,2020/2/5 12:00,,97,刷卡\n"
        ",,,,,,\n"
        f"3,{ID},P1,2020/2/30 8:03,,,\n"
        f"4,{ID},P1,2020/2/5 8:03,2020/2/5 7:59,,\n"
        f"5,{ID},P1,2020/3/9 8:03,,,\n"
        f"1,{ID},P1,2020/2/5 8:03,2020/2/5 9:10,36.5,扫码\n"
        f'6,{ID},"P1" and,2020/2/5 8:03,,,\n'
        f"7,{ID},P1,2020/2/5 8:03,,,,extra\n"
        f'8,{ID},"no end,2020/2/5 8:03,,,\n'
        f"9,{ID},P2,2020/2/6 8:03,2020/2/9 8:03,,bogus"
    )
    store, done = put(tmp_path, text)
    assert (done.rows, done.added, done.duplicate, done.rejected) == (11, 3, 1, 7)
    assert [(r.row, r.reason) for r in done.examples] == [
        (5, "no-person"), (6, "bad-start"), (7, "end-before-start"), (8, "future"), (10, "broken"),
        (11, "more-cells"), (12, "broken"),
    ]  # fmt: skip
    assert (done.unread_temperatures, done.bounded, dict(done.unknown_how)) == (1, 1, {"bogus": 1})
    assert stays(store) == [
        ("P1", "2020-02-05T08:03", 67, 5),
        ("P1", "2020-02-05T12:00", 0, -128),
        ("P2", "2020-02-06T08:03", 1440, -128),
    ]
    assert store.people.find(np.array([keyed_number(KEY, ID)], np.uint64))[0] == 0
    assert store.stats().people == 1


def test_a_spanish_table_with_semicolons_is_read(tmp_path: Path):
    text = f"id_evento;cédula;lugar;entrada;salida;temperatura\n1;{ID};Mercado;2020-02-05 08:03;;36,6\n"
    store, done = put(tmp_path, text)
    assert done.added == 1
    assert stays(store) == [("Mercado", "2020-02-05T08:03", 0, 6)]


def test_the_same_rows_come_from_every_kind_of_file(tmp_path: Path):
    head, row = (
        "event,person,place,start,end,temperature\n",
        f"1,{ID},市场,2020-02-05 08:03,2020-02-05 09:00,36.6\n",
    )
    kinds = {
        "plain.csv": (head + row).encode(),
        "mark.csv": b"\xef\xbb\xbf" + (head + row).encode(),
        "tab.tsv": (head + row).replace(",", "\t").encode(),
        "wide.csv": (head + row).encode("utf-16"),
        "zip.csv.gz": gzip.compress((head + row).encode()),
        "dos.csv": (head + row).replace("\n", "\r\n").encode(),
    }
    with duckdb.connect() as db:
        db.execute(
            f"COPY (SELECT 1 AS event, '{ID}' AS person, '市场' AS place,"
            " TIMESTAMP '2020-02-05 08:03:00' AS start,"
            " TIMESTAMP '2020-02-05 09:00:00' AS \"end\", 36.6::FLOAT AS temperature)"
            f" TO '{tmp_path / 'table.parquet'}' (FORMAT parquet)"
        )
    kinds["table.parquet"] = (tmp_path / "table.parquet").read_bytes()
    store, done = put(tmp_path, kinds.pop("plain.csv"), name="plain.csv")
    assert done.added == 1
    for name, raw in kinds.items():
        assert put(tmp_path, raw, name=name)[1].duplicate == 1, name
    other = (head + row.replace("1,", "2,", 1)).encode("gb18030")
    assert put(tmp_path, other, name="gb.csv", encoding="gb18030")[1].added == 1
    with pytest.raises(InputError, match=r"row 2 of gb\.csv is not in utf-8"):
        put(tmp_path, other, name="gb.csv")
    assert stays(store) == [("市场", "2020-02-05T08:03", 57, 6)] * 2


def test_nobody_s_identity_is_in_any_file_of_the_store(tmp_path: Path):
    put(tmp_path, f"event,person,place,start\nE-{ID},{ID},P1,2020-02-05 08:03\nx,{ID},P1,bad\n")
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file():
            assert ID.encode() not in path.read_bytes(), path


def test_a_file_without_event_ids_read_twice_is_read_once(tmp_path: Path):
    text = f"person,place,time\n{ID},P1,2020-02-05 08:03\n{ID},P2,2020-02-05 08:03\n"
    assert put(tmp_path, text)[1].added == 2
    assert put(tmp_path, text)[1].duplicate == 2


def test_a_day_that_forgot_its_event_ids_takes_nothing_twice(tmp_path: Path):
    text = f"event,person,place,time\n1,{ID},P1,2020-02-05 08:03\n2,{ID},P2,2020-02-05 08:03\n"
    store, _done = put(tmp_path, text)
    assert store.compact(today=18_400) == 1
    assert store.stats().receipt_bytes == 0
    again = put(tmp_path, text + f"3,{ID},P3,2020-02-05 08:03\n")[1]
    assert (again.added, again.duplicate) == (1, 2)


def test_small_parts_and_large_give_the_same_store(tmp_path: Path):
    rng = np.random.default_rng(3)
    lines = [
        f"{i},{rng.integers(40)},P{rng.integers(9)},"
        f"2020-02-{rng.integers(1, 9):02d} {rng.integers(24):02d}:00"
        for i in range(3000)
    ]
    text = "event,person,place,start\n" + "\n".join(lines)
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    one, done = put(tmp_path / "one", text)
    many, again = put(tmp_path / "many", text, batch=1)
    assert done.added == again.added == 3000
    assert stays(one) == stays(many)


def test_what_is_missing_or_not_understood_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"which column of gate\.csv holds the place"):
        put(tmp_path, "person,where,start\na,b,2020-02-05 08:03\n")
    with pytest.raises(InputError, match="no role is called 'wher'"):
        put(tmp_path, "person,where,start\na,b,2020-02-05 08:03\n", given={"where": "wher"})
    assert put(tmp_path, "person,where,start\na,b,2020-02-05 08:03\n", given={"where": "place"})[1].added == 1
    with pytest.raises(InputError, match="empty"):
        put(tmp_path, "")
    with pytest.raises(InputError, match="spreadsheet"):
        put(tmp_path, b"PK\x03\x04....")


def test_another_key_than_the_store_s_is_refused(tmp_path: Path):
    store, _done = put(tmp_path, "person,place,start\na,b,2020-02-05 08:03\n")
    with pytest.raises(StoreError, match="another key"):
        ingest(store, [tmp_path / "gate.csv"], key=bytes(32), now=NOW)


def test_the_key_is_made_once_and_for_the_owner_only(tmp_path: Path):
    path = tmp_path / "secrets" / "visits.key"
    with pytest.raises(StoreError, match="no key in"):
        secret.load_key(path)
    key = secret.load_key(path, make=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert secret.load_key(path, make=True) == key
    path.chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        secret.load_key(path)


def test_zeros_a_crash_left_in_a_file_are_a_row_not_taken_and_no_empty_line(tmp_path: Path):
    text = f"person,place,start\n{ID},P1,2020-02-05 08:03\n".encode() + bytes(4096)
    _store, done = put(tmp_path, text)
    assert (done.rows, done.added, done.rejected) == (2, 1, 1)


def test_a_line_without_end_is_an_error_and_does_not_fill_the_memory(tmp_path: Path):
    longest = gzip.compress(b"person,place,start\n" + b"x" * (1 << 26))
    with pytest.raises(InputError, match=r"row 2 of gate\.csv\.gz has no end within 16 MB"):
        put(tmp_path, longest, name="gate.csv.gz")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"person,place,start\ra,P1,2020-02-05 08:00\rb,P1,2020-02-05 08:00\r", "carriage return"),
        (b"\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00", "packed with zstd; unpack it"),
        (b"PK\x03\x04 a workbook", "save the sheet as CSV"),
        (b'"person' + b"x" * 200_000 + b'",place,start\na,P1,2020-02-05 08:00\n', "is no table; give CSV"),
    ],
)
def test_a_file_that_is_no_table_of_ours_is_refused_with_what_to_do(tmp_path: Path, content, told: str):
    with pytest.raises(InputError, match=told):
        put(tmp_path, content)


def test_a_row_beyond_all_measure_is_rejected_with_the_measure(tmp_path: Path):
    rows = "person,place,start\na,P1,2020-02-05 08:00\nb,P1,2020-02-05 08:00" + "," * 70_000 + "\n"
    _store, done = put(tmp_path, rows)
    assert done.added == 1
    assert "64 KB" in done.examples[0].en
    assert cells.LONGEST_ROW == 64 << 10


def test_people_whose_days_were_deleted_are_counted_no_more(tmp_path: Path):
    store, _done = put(
        tmp_path, "person,place,start\na,P1,2020-02-05 08:00\na,P1,2020-02-06 08:00\nb,P1,2020-02-05 08:00\n"
    )
    assert store.stats().people == 2
    store.forget((datetime(2020, 2, 6, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days)
    assert store.stats().people == 1
    assert VisitStore(store.folder).stats().people == 1
